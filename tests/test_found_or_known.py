"""Which of two judged profiles is the answer: the one that was found, or the known one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tuner.judging.statistics import Gain
from tuner.records import Role, Trial
from tuner.session.answer.parts import Decision
from tuner.session.phases import recommend
from tuner.session.phases.finalists import Contest
from tuner.session.phases.verdict import Verdict
from tuner.session.setup import policy

BASELINE = Trial(0, "default", Role.BASELINE, {})
FOUND = Trial(1, "candidate-7", Role.CANDIDATE, {"XLIO_RX_POLL": "7"})
KNOWN = Trial(2, "latency", Role.KNOWN, {"XLIO_RX_POLL": "-1"})
EVIDENCE: Any = SimpleNamespace(baseline=BASELINE, plan=SimpleNamespace(guards=()))
ENDING: Any = None


def gain(low: float) -> Gain:
    return Gain(low + 0.2, low, low + 0.4, 8, 0.95)


def verdict(trial: Trial, low: float) -> Verdict:
    shown = low > 1.0
    answer = Decision.IMPROVED if shown else Decision.NOT_IMPROVED
    return Verdict(answer, trial if shown else None, ((trial, gain(low)),), f"of {trial.profile}")


def settled(
    monkeypatch: pytest.MonkeyPatch,
    lows: Mapping[tuple[Trial, int], float],
    better: Mapping[tuple[Trial, Trial], float],
) -> Verdict:
    """Return the verdict where intervals begin at `lows` (of who is judged beside how many) and one is better than another with so much."""

    def worth_leaving(_evidence: object, one: Trial, other: Trial, surely: float = policy.WORTH_LEAVING) -> bool:
        return better.get((one, other), 0.0) >= surely

    monkeypatch.setattr(recommend, "judge", lambda _e, trial, _w, judged=1: verdict(trial, lows[trial, judged]))
    monkeypatch.setattr(recommend, "worth_leaving", worth_leaving)
    monkeypatch.setattr(recommend, "_measured", lambda _e, _t: True)
    monkeypatch.setattr(recommend, "_over_known", lambda _e, _f, _k: None)
    return recommend.settle(EVIDENCE, Contest(FOUND, KNOWN), ENDING)


@pytest.mark.parametrize(("probability", "winner"), [(0.91, FOUND), (0.89, KNOWN), (0.0, KNOWN)])
def test_of_two_that_are_shown_the_found_one_is_the_answer_only_if_it_is_probably_better(
    probability: float, winner: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = settled(monkeypatch, {(FOUND, 2): 1.2, (KNOWN, 2): 1.1}, {(FOUND, KNOWN): probability})
    assert (said.answer, said.winner) == (Decision.IMPROVED, winner)


@pytest.mark.parametrize(("shown", "other"), [(FOUND, KNOWN), (KNOWN, FOUND)])
def test_where_one_is_shown_beside_the_other_that_one_is_judged_by_itself(
    shown: Trial, other: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    lows = {(shown, 2): 1.2, (other, 2): 0.9, (other, 1): 1.05}
    said = settled(monkeypatch, lows, {(FOUND, KNOWN): 1.0 if other is FOUND else 0.0})
    assert (said.answer, said.winner) == (Decision.IMPROVED, other)
    assert dict(said.gains)[other].low == 1.05


def test_where_none_is_shown_beside_the_other_none_is_judged_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    said = settled(monkeypatch, {(FOUND, 2): 0.95, (KNOWN, 2): 0.9}, {})
    assert (said.answer, said.winner, said.believed) == (Decision.NOT_IMPROVED, None, None)
    assert [gained.low for _, gained in said.gains] == [0.95, 0.9]


@pytest.mark.parametrize(
    ("over_found", "over_baseline", "answer"),
    [(0.6, 0.99, KNOWN), (0.4, 0.99, FOUND), (0.6, 0.9, FOUND)],
)
def test_a_known_profile_that_is_not_shown_takes_the_place_of_a_shown_one_if_it_is_rather_the_better_one(
    over_found: float, over_baseline: float, answer: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    lows = {(FOUND, 2): 1.2, (KNOWN, 2): 0.8, (KNOWN, 1): 0.9}
    better = {(KNOWN, FOUND): over_found, (KNOWN, BASELINE): over_baseline, (FOUND, BASELINE): 1.0}
    said = settled(monkeypatch, lows, better)
    assert (said.winner or said.believed) == answer
    assert (said.answer is Decision.IMPROVED) == (answer is FOUND)
    told = "latency was not shown to be better than default" in said.why and "candidate-7 was, 1.40×" in said.why
    assert told == (answer is KNOWN)
