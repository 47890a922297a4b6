"""The pages of a long session stay small: what tells something is shown, what is left out is said, and JSON has all."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any, cast

import many_trials
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.records import StoredSession
from tuner.report import files
from tuner.report.content import content
from tuner.report.drawing import DrawnAs
from tuner.report.shortened import MOST_CURVES_OF_ONE, MOST_LISTED, MOST_MARKS, MOST_RUNS, places, shortened
from tuner.store import Store

ROWS = 5000
NEW_BEST, KNOWN, DISCARDED, ON_FRONT, CONFIRMING = 4321, 17, 4999, 1234, 3333


def row(at: int) -> dict[str, Any]:
    told = {
        "run": at,
        "value": 1.0,
        "quarantined": at == DISCARDED,
        "phase": "confirm" if at == CONFIRMING else "search",
    }
    gained = {"order": at + 1, "best": 1.5 if at >= NEW_BEST else 1.0, "role": "known" if at == KNOWN else "candidate"}
    return told | gained | {"front": at == ON_FRONT}


@pytest.fixture(scope="module")
def long() -> dict[str, Any]:
    rows = [row(at) for at in range(ROWS)]
    environments, commands = ([{"number": at} for at in range(count)] for count in (ROWS, 2))
    evidence = {"environments": environments, "commands": commands, "of_runs": [[at, 1] for at in range(ROWS)]}
    series = [{"profile": "default", "curves": [[[50.0, float(at)]] for at in range(ROWS)]}]
    noise = {"runs": rows, "disturbed": [{"block": at, "quarantined": at == DISCARDED} for at in range(ROWS)]}
    return {
        "course": rows,
        "tradeoff": {"points": rows},
        "noise": noise,
        "failures": {"headers": [], "rows": [[str(at)] for at in range(ROWS)]},
        "runs": rows,
        "evidence": evidence,
        "curves": {"series": series, "why": "One line a run."},
    }


def test_no_part_of_a_long_report_grows_with_the_session(long: dict[str, Any]) -> None:
    found = shortened(long)
    assert [len(found["course"]), len(found["tradeoff"]["points"]), len(found["noise"]["runs"])] == [MOST_MARKS] * 3
    assert len(found["noise"]["disturbed"]) == len(found["failures"]["rows"]) == MOST_LISTED
    assert (
        len(found["runs"]) == len(found["evidence"]["of_runs"]) == len(found["evidence"]["environments"]) == MOST_RUNS
    )
    assert len(found["curves"]["series"][0]["curves"]) == MOST_CURVES_OF_ONE


def test_what_tells_something_is_among_the_rows_that_are_shown(long: dict[str, Any]) -> None:
    found = shortened(long)
    assert {NEW_BEST, KNOWN} <= {each["run"] for each in found["course"]}
    assert ON_FRONT in {each["run"] for each in found["tradeoff"]["points"]}
    assert DISCARDED in {each["run"] for each in found["noise"]["runs"]}
    assert DISCARDED in {each["block"] for each in found["noise"]["disturbed"]}
    assert CONFIRMING in {each["run"] for each in found["runs"]}


def test_each_shown_run_keeps_its_own_command_and_environment(long: dict[str, Any]) -> None:
    found = shortened(long)
    assert all(of == [run["run"], 1] for run, of in zip(found["runs"], found["evidence"]["of_runs"], strict=True))
    assert [each["number"] for each in found["evidence"]["environments"]] == [run["run"] for run in found["runs"]]
    assert found["evidence"]["commands"] == [{"number": 1}]


def test_every_section_that_leaves_rows_out_says_how_many_and_where_they_are(long: dict[str, Any]) -> None:
    said = shortened(long)["left_out"]
    assert set(said) == {"course", "tradeoff", "noise", "disturbed", "failures", "runs"}
    assert all("of 5,000" in words and "--format json" in words for words in said.values())
    assert "At most 50 lines a profile" in shortened(long)["curves"]["why"]


@given(st.integers(0, 300), st.integers(1, 100), st.sets(st.integers(0, 299), max_size=20))
def test_shown_rows_are_as_many_as_may_be_in_their_order_and_tell_what_they_can(
    count: int, most: int, telling: set[int]
) -> None:
    telling = {at for at in telling if at < count}
    shown = places(count, most, telling)
    assert shown == sorted(set(shown))
    assert len(shown) == min(count, most)
    assert set(shown) <= set(range(count))
    assert telling <= set(shown) or len(telling) > most


def test_pages_of_a_long_session_say_what_they_leave_out_and_json_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.report.shortened.MOST_MARKS", 12)
    monkeypatch.setattr("tuner.report.shortened.MOST_RUNS", 30)
    store = many_trials.stored(tmp_path, 40, histograms=False)
    found = files.found(store, [store.session("latest")])
    runs = len(found["runs"])
    for text in (files.as_html(found), files.as_markdown(found, None, DrawnAs.SVG)):
        assert "Shown are 12 of 39 trials" in text
        assert f"Shown are 30 of {runs} runs" in text
    told = json.loads(files.as_json(found))
    assert len(told["course"]) == 39
    assert len(told["runs"]) == runs > 30


@pytest.mark.parametrize("enabled", [True, False])
def test_a_report_that_fails_leaves_the_collector_of_cycles_as_it_was(
    enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fail(*_: object) -> None:
        seen.append(gc.isenabled())
        raise UsageError("no")

    monkeypatch.setattr("tuner.report.content.Evidence.read", fail)
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(UsageError):
            content(cast("Store", None), cast("StoredSession", None))
        assert (seen, gc.isenabled()) == ([False], enabled)
    finally:
        (gc.enable if was else gc.disable)()


def test_where_nothing_is_left_out_nothing_is_said(long: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_MARKS", "MOST_LISTED", "MOST_RUNS", "MOST_CURVES_OF_ONE"):
        monkeypatch.setattr(f"tuner.report.shortened.{limit}", 10**9)
    assert shortened(long)["left_out"] == {}
