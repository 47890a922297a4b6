"""A tuning without a budget takes as long as another minute is expected to bring something, says why, and is never endless."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sessions import PLAN, nothing_helps, polling_helps, tune

from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.progress import Silent
from tuner.session.phases import another_minute
from tuner.session.phases.another_minute import Outlook, longer
from tuner.session.setup.plan import Plan
from tuner.store import Store

OPEN = replace(PLAN, open_ended=True)


class Notes(Silent):
    """A watcher who keeps what is noted."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)


def test_a_search_that_still_finds_goes_on_and_says_why_it_ends(tmp_path: Path) -> None:
    notes = Notes()
    answer = tune(tmp_path, SimulatedHost(polling_helps), OPEN, progress=notes)
    said = [line for line in notes.lines if "s in all" in line]
    assert answer["verdict"] == "improved"
    assert answer["time"]["budget_s"] == PLAN.budget_s + 60.0 * (len(said) - 1) > PLAN.budget_s
    assert said[0].startswith("the last minute brought")
    assert said[-1] == (
        f"another minute is not expected to bring more than 1 %: the search ends, {answer['time']['budget_s']:.0f} s in all"
    )


def test_the_store_has_the_longer_plan_so_that_a_session_that_is_gone_on_with_ends_the_same(tmp_path: Path) -> None:
    answer = tune(tmp_path, SimulatedHost(polling_helps), OPEN)
    store = Store(Results(tmp_path).url)
    stored = Plan.from_dict(store.session(answer["session"]).plan)
    assert (stored.open_ended, stored.budget_s) == (True, answer["time"]["budget_s"])
    again = tune(tmp_path, SimulatedHost(polling_helps), stored, session=answer["session"])
    assert (again["verdict"], again["winner"], again["gain"]) == (answer["verdict"], answer["winner"], answer["gain"])
    assert again["time"]["budget_s"] == answer["time"]["budget_s"]


def test_a_budget_that_was_asked_for_is_never_exceeded(tmp_path: Path) -> None:
    assert tune(tmp_path, SimulatedHost(polling_helps), PLAN)["time"]["budget_s"] == PLAN.budget_s


def test_no_session_is_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(another_minute, "LONGEST_SESSION_S", 150.0)
    monkeypatch.setattr(another_minute, "BRINGS", -1.0)
    answer = tune(tmp_path, SimulatedHost(nothing_helps), OPEN)
    assert answer["time"]["budget_s"] == 120.0


@pytest.mark.parametrize(
    ("outlook", "worth_it", "words"),
    [
        (Outlook(0.2, unshown=False), True, "the last minute brought 22 %: the search goes on, 120 s in all"),
        (
            Outlook(0.005, unshown=True),
            True,
            "what leads cannot be shown in this time: the session goes on, 120 s in all",
        ),
        (
            Outlook(0.005, unshown=False),
            False,
            "another minute is not expected to bring more than 1 %: the search ends, 120 s in all",
        ),
    ],
)
def test_what_is_expected_decides_and_is_told(outlook: Outlook, worth_it: bool, words: str) -> None:
    assert (outlook.worth_it, outlook.words(longer(OPEN))) == (worth_it, words)
