"""The page of reliability counts what its harnesses say; the short forms of harnesses find something where there is something."""

from __future__ import annotations

import ast

import mutants
import reliability

KILLS = """| sessions | moments | reported runs | of them lost | processes after 3 s | longest until the last is gone |
|---|---|---|---|---|---|
| simulated | 1,006 | 106 | 0 | 0 | 0.08 s |
| stand-in | 2 | 14 | 1 | 0 | 0.16 s |
"""


def test_figures_are_the_sums_of_the_tables_and_of_what_tests_say() -> None:
    found = reliability.figures(KILLS + "6 passed in 3.01s\n12,000 inputs\n")
    assert found["moments killed"] == 1008
    assert found["reported runs lost"] == 1
    assert found["processes left"] == 0
    assert found["tests of faults passed"] == 6
    assert found["inputs fuzzed"] == 12000


def test_the_first_table_says_a_zero_too_and_how_long_the_last_process_lived() -> None:
    said = reliability.summed({"kills": KILLS, "apply": "6 passed in 3.01s\n"})
    assert "| processes left | 0 |" in said
    assert "| seconds until the last process is gone, at most | 0.16 |" in said


def test_every_mistake_changes_what_a_module_does() -> None:
    for module in ("judging/pair_means.py", "report/shortened.py"):
        plain = ast.unparse(ast.parse((mutants.ROOT / "tuner" / module).read_text(encoding="utf-8")))
        found = list(mutants.mutants(module))
        assert len(found) > 10
        assert all(mutant.text != plain for mutant in found)
        assert len({mutant.text for mutant in found}) == len(found)
