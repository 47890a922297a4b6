"""What our reader of shell texts says is what dash and bash do: it may say that it does not know, and never something else.

`benchmarks/shells.py` does the same with as many texts as one likes.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from shell_texts import NAMES, RARE, SHELLS, Writer, environment, shown

from tuner.stacks.onload.opf import Reading, Source, read_opf

TEXTS = 100
"""For each shell."""


def others(number: int) -> dict[str, str]:
    """Return the profiles that the text of this number may import."""
    one = "onload_set EF_B 2\nreturn 0\nonload_set EF_C 1\n"
    written = Writer(number + 1_000_000).text().replace("onload_import", "onload_set EF_D")
    return {"one": one if number % 2 else written, "two": "onload_set EF_A 5\nonload_set EF_E 6\n"}


def read(number: int) -> Reading:
    imports = others(number)
    return read_opf(
        Writer(number).text(),
        "main.opf",
        lambda name: Source(name, imports[name]) if name in imports else None,
        environment(number),
    )


def differences(reading: Reading, seen: dict[str, str] | None) -> list[str]:
    """Return what a shell did otherwise than was read; what is in doubt may be anything."""
    said = " ".join(finding.message for finding in reading.findings)
    if "the wrapper ends" in said:
        return [] if seen is None else ["it goes on"]
    if seen is None:
        return [] if "may end" in said or "syntax error" in said else ["it ends"]
    doubtful = {skipped.text for skipped in reading.skipped}
    sure = [name for name in NAMES if name not in doubtful and (reading.complete or name in reading.environment)]
    return [f"{name}={seen.get(name)}" for name in sure if reading.environment.get(name) != seen.get(name)]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_sets_what_is_read(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    wrong = {}
    for number in range(TEXTS):
        for name, text in {**others(number), "main": Writer(number).text()}.items():
            (tmp_path / f"{name}.opf").write_text(text, encoding="utf-8")
        try:
            seen = shown(tmp_path, SHELLS[shell], environment(number))
        except subprocess.TimeoutExpired:
            continue  # a function that calls itself without end
        if found := differences(read(number), seen):
            wrong[number] = found
    assert wrong == {}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_sets_what_is_read_of_rare_forms(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    wrong = {}
    for text in RARE:
        (tmp_path / "main.opf").write_text(text, encoding="utf-8")
        reading = read_opf(text, "main.opf", lambda name: None, {})
        if shell == "dash" and any("only some shells" in finding.message for finding in reading.findings):
            continue  # Onload's wrapper is one of bash, and dash may end here
        if found := differences(reading, shown(tmp_path, SHELLS[shell], {})):
            wrong[text] = found
    assert wrong == {}


def test_a_function_that_not_every_shell_reads_may_have_set_anything() -> None:
    reading = read_opf("onload_set EF_B 1; function f { onload_set EF_A 1; }; f", "main.opf", lambda name: None, {})
    assert {"EF_A", "EF_B"}.isdisjoint(reading.environment)
    assert not reading.complete


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("onload_set EF_A ${X:?}", True),
        ("readonly EF_A=1; EF_A=2", True),
        ("readonly EF_A=1; export EF_A", False),
    ],
)
def test_where_a_shell_may_end_is_said(text: str, named: bool) -> None:
    reading = read_opf(text, "main.opf", lambda name: None, {})
    assert any("may end" in finding.message for finding in reading.findings) is named


def test_most_rare_forms_are_known() -> None:
    readings = [read_opf(text, "main.opf", lambda name: None, {}) for text in RARE]
    assert sum("EF_A" in reading.environment for reading in readings) > len(RARE) / 3


def test_most_of_it_is_known() -> None:
    """A reader that says of everything that it does not know would pass the test above."""
    readings = [read(number) for number in range(TEXTS)]
    doubtful = sum(skipped.text in NAMES for reading in readings for skipped in reading.skipped)
    assert sum(reading.complete for reading in readings) > 0.8 * TEXTS
    assert doubtful < 0.3 * TEXTS * len(NAMES)
