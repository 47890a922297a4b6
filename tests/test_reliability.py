"""The page of reliability counts what its harnesses say; the short forms of harnesses find something where there is something."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import branches
import few_cases
import kills
import memory_checks
import mutants
import pytest
import python_suites
import reliability
import rows
import surroundings
from preload_builds import compile_library

KILLS = """| sessions | moments | reported runs | of them lost | processes after 3 s | longest until the last is gone |
|---|---|---|---|---|---|
| simulated | 1,006 | 106 | 0 | 0 | 0.08 s |
| stand-in | 2 | 14 | 1 | 0 | 0.16 s |
"""


def test_figures_are_the_sums_of_the_tables_and_of_what_tests_say() -> None:
    found = reliability.figures(KILLS + "6 passed in 3.01s\n| reader | inputs |\n|---|---|\n| conf | 12,000 |\n")
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
        assert {mutant.name for mutant in found} == mutants.names(module)


def test_a_survivor_that_nobody_explains_is_counted_apart() -> None:
    one, other = (f"judging/slo.py: `{what}` in `x`" for what in ("a → b", "c → d"))
    said = mutants.section({one: False, other: False, f"{one} ": True}, {one: "it does not matter"})
    assert "| judging/slo.py | 3 | 1 | 2 | 1 |" in said
    assert f"- {one}. it does not matter" in said


def test_every_explained_survivor_is_a_mistake_that_can_be_made() -> None:
    explained = mutants.explained()
    modules = {name.partition(":")[0] for name in explained}
    assert set(explained) <= {name for module in modules for name in mutants.names(module)}


def test_what_was_found_before_a_harness_was_ended_is_not_made_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    found = kills.Found("simulated", "kill", 0.5, "search", 3, 0, 0, True, True, 0, 0.1, 0)
    kept.write_text("".join(kills.line(number, found) for number in (0, 2)), encoding="utf-8")
    assert kills.read(kept) == {0: found, 2: found}
    assert [each.kind for each in kills.measured(1, kept=kept)] == ["simulated"]


def test_only_an_answer_of_the_real_sockperf_is_not_compared_with_the_one_without_a_kill() -> None:
    gain = {"low": 2.0, "high": 2.0}
    wanted, failed = {"verdict": "improved", "gain": gain, "runs": 40}, {"verdict": "failed", "gain": None, "runs": 9}
    assert kills.agree(failed, wanted, kills.REAL)
    assert not kills.agree(failed, wanted, kills.SIMULATED)
    assert not kills.agree(failed, wanted, kills.STAND_IN)
    assert not kills.agree({"failed": "a traceback"}, wanted, kills.REAL)


def told(*lines: tuple[str, str]) -> list[str]:
    return [json.dumps([*line, ""]) for line in lines]


def test_a_test_that_was_begun_and_not_ended_does_not_end_and_a_failure_counts_more_than_an_end() -> None:
    begun = [(name, python_suites.HANGS) for name in ("good", "late", "wrong", "left out")]
    ended = [("good", "ended"), ("wrong", "failed"), ("wrong", "ended"), ("left out", "skipped"), ("left out", "ended")]
    assert python_suites.outcomes_of(told(*begun, *ended)) == {
        "good": python_suites.PASSED,
        "late": python_suites.HANGS,
        "wrong": python_suites.FAILED,
        "left out": python_suites.SKIPPED,
    }


def test_pythons_own_tests_of_poll_end_under_the_library_as_they_do_without_and_under_a_liar_otherwise(
    tmp_path: Path,
) -> None:
    names = [f"test.test_poll.PollTests.{name}" for name in ("test_poll1", "test_poll_unit_tests", "test_poll3")]
    plain, under = (python_suites.played("test_poll", how, 20.0, names) for how in (None, {"XLIO_SELECT_POLL": "100"}))
    assert plain == under == dict.fromkeys(names, python_suites.PASSED)
    liar = {"LD_PRELOAD": str(compile_library(tmp_path, "liar.c"))}
    assert python_suites.differing(plain, python_suites.played("test_poll", liar, 2.0, names))


def test_a_test_that_ends_otherwise_under_the_library_is_named() -> None:
    plain = {"test.a": python_suites.PASSED, "test.b": python_suites.HANGS}
    said = python_suites.section({"test_x": python_suites.Compared(plain, 1, {"polls": ("test.a",)})})
    assert "| test_x | 2 | 1 | 0 | 0 | 1 | 1 | 0 | 1 |" in said
    assert not python_suites.good(python_suites.Compared(plain, 1, {"polls": ("test.a",)}))
    assert not python_suites.good(python_suites.Compared({}))
    (set_so,) = python_suites.AS_SET
    assert python_suites.good(python_suites.Compared(plain, 0, {"polls": (set_so,)}))
    assert "- test.a: otherwise where the library polls\n- test.b: does not end, plain too" in said


def test_files_of_tests_that_were_played_are_not_played_again_while_the_package_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "another state").mkdir()
    with branches.keeping(tmp_path) as kept:
        branches.said_of("tests/test_a.py", kept).write_text("1 failed, 2 passed in 3s", encoding="utf-8")
    with branches.keeping(tmp_path) as kept:
        assert branches.missing(["tests/test_a.py", "tests/test_b.py"], kept) == ["tests/test_b.py"]
        assert branches.outcomes(["tests/test_a.py"], kept) == {"failed": 1, "passed": 2}
    assert [each.name for each in tmp_path.iterdir()] == [branches.state()]


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("definitely lost: 1,024 bytes in 2 blocks\n   indirectly lost: 24 bytes in 1 blocks\n", 1048),
        ("SUMMARY: AddressSanitizer: 17 byte(s) leaked in 1 allocation(s).", 17),
        ("All heap blocks were freed -- no leaks are possible", 0),
    ],
)
def test_bytes_that_are_leaked_are_counted_in_the_words_of_each_tool(said: str, lost: int) -> None:
    assert memory_checks.leaked_bytes(said) == lost


def test_tests_of_a_surrounding_are_counted_from_their_last_line() -> None:
    assert surroundings.counted("12 passed in 1s\n2 failed, 30 passed, 1 skipped, 1 error in 3.2s\n") == {
        "passed": 30,
        "failed": 3,
        "skipped": 1,
    }
    assert surroundings.counted("") == {"passed": 0, "failed": 0, "skipped": 0}


def test_the_tests_of_surroundings_are_there() -> None:
    assert all((Path(__file__).parent / f"{name}.py").exists() for name in surroundings.TESTS)


def test_a_module_that_is_hardly_reached_is_listed_with_its_lines_and_counted_in_its_part() -> None:
    sums = {"num_statements": 10, "num_branches": 10, "covered_lines": 9, "covered_branches": 9}
    whole = {"num_statements": 20, "num_branches": 0, "covered_lines": 20, "covered_branches": 0}
    said = branches.section(
        branches.found(
            {
                "files": {
                    "/x/tuner/hosts/one.py": {"summary": sums, "missing_lines": [7]},
                    "/x/tuner/hosts/far.py": {"summary": sums, "missing_lines": [8]},
                    "/x/tuner/api.py": {"summary": whole, "missing_lines": []},
                }
            }
        ),
        {"hosts/far.py": "It runs elsewhere."},
        {"hosts/one.py": "No such card."},
    )
    assert "| hosts | 40 | 90.0 % |" in said
    assert "| all | 60 | 93.3 % |" in said
    assert "| all that coverage.py sees | 40 | 95.0 % |" in said
    assert "- hosts/one.py: 90 %, not the lines 7. No such card." in said
    assert "- hosts/far.py: 90 %, not the lines 8. It runs elsewhere." in said
    assert "api.py:" not in said


def test_every_reason_for_what_is_not_reached_is_one_of_a_module() -> None:
    unseen, elsewhere = branches.reasons()
    assert not set(unseen) & set(elsewhere)
    assert all((branches.ROOT / "tuner" / path).is_file() for path in (*unseen, *elsewhere))


def test_tests_that_take_long_are_played_last() -> None:
    cheap, dear = "tests/test_slo.py", "tests/test_interruption.py"
    assert any(mark in (branches.ROOT / dear).read_text(encoding="utf-8") for mark in branches.DEAR)
    assert branches.cheap_first([dear, cheap]) == [cheap, dear]


def test_a_harness_that_was_not_run_is_told() -> None:
    told = reliability.not_run({name: "" for name in reliability.HARNESSES if name not in {"fuzz", "branches"}})
    assert told == ["Not run on this host yet: fuzz, branches.\n"]
    assert reliability.not_run(dict.fromkeys(reliability.HARNESSES, "")) == []


def test_what_a_tool_says_of_itself_is_not_taken_for_an_error_of_the_library() -> None:
    assert memory_checks.FAILS_ITSELF.search('Address 0x10 is 0 bytes inside a block of size 48 in arena "core"')
    assert memory_checks.FAILS_ITSELF.search("AddressSanitizer: CHECK failed: asan_thread.cpp:371")
    assert not memory_checks.FAILS_ITSELF.search("AddressSanitizer: heap-use-after-free in arena client")
    assert not memory_checks.FAILS_ITSELF.search("Address 0x10 is 0 bytes after a block of size 8 alloc'd")


@pytest.mark.parametrize(("bad", "status"), [("", 0), ("b", 1), ("a", 1)])
def test_the_table_of_a_harness_is_whole_and_its_status_says_whether_every_row_is_good(
    bad: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows.printed("| what | seen |", "ab", lambda name: (f"| {name} | 1 |", name != bad)) == status
    assert capsys.readouterr().out == "| what | seen |\n|---|---|\n| a | 1 |\n| b | 1 |\n"


def test_the_first_cases_of_each_test_are_kept(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    class Named(pytest.Item):
        def runtest(self) -> None: ...

    monkeypatch.setenv(few_cases.CASES, "2")
    items: list[pytest.Item] = [
        Named.from_parent(request.session, name=name, nodeid=name) for name in ("a[1]", "a[2]", "b", "a[3]")
    ]
    few_cases.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == ["a[1]", "a[2]", "b"]
