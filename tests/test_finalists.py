"""Who is measured again before one is judged: those the model likes, who is seen to lead, and the best known one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tuner.judging.joint import Difference
from tuner.records import Role, Trial
from tuner.session.phases import finalists

LIKED = [Trial(number, f"candidate-{number}", Role.CANDIDATE, {"XLIO_RX_POLL": str(number)}) for number in range(1, 5)]
SEEN = Trial(5, "candidate-5", Role.CANDIDATE, {"XLIO_RX_POLL": "5"})
KNOWN = Trial(6, "latency", Role.KNOWN, {"XLIO_RX_POLL": "-1"})
EVIDENCE: Any = SimpleNamespace(guarding=SimpleNamespace(breaks=lambda _number, _phases: False))


def found(monkeypatch: pytest.MonkeyPatch, *, order: list[Trial], ahead: Difference) -> list[Trial]:
    """Return the finalists where `SEEN` leads by what was seen, and `order` is that of what is believed."""
    monkeypatch.setattr(finalists, "ranked", lambda _evidence: iter([SEEN, *LIKED, KNOWN]))
    monkeypatch.setattr(finalists, "_by_belief", lambda _evidence, _able, _phases: order)
    monkeypatch.setattr(finalists, "_over", lambda _evidence, _one, _other, _phases: ahead)
    return finalists.finalists(EVIDENCE)


EVEN, HOPELESS = Difference(0.0, 0.1), Difference(-1.0, 0.1)


def test_who_is_seen_to_lead_is_measured_again_beside_those_the_model_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, order=[*LIKED, KNOWN, SEEN], ahead=EVEN) == [LIKED[0], SEEN, LIKED[1], KNOWN]


def test_no_profile_is_a_finalist_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, order=[SEEN, *LIKED, KNOWN], ahead=EVEN) == [SEEN, LIKED[0], LIKED[1], KNOWN]
    assert found(monkeypatch, order=[KNOWN, *LIKED, SEEN], ahead=EVEN) == [KNOWN, SEEN, LIKED[0]]


def test_who_has_no_chance_against_the_first_is_no_finalist(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, order=[*LIKED, KNOWN, SEEN], ahead=HOPELESS) == [LIKED[0]]


def test_who_is_seen_to_lead_without_a_chance_takes_nobodys_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finalists, "_has_a_chance", lambda _evidence, trial, _leader: trial is not SEEN)
    assert found(monkeypatch, order=[*LIKED, KNOWN, SEEN], ahead=EVEN) == [*LIKED[:3], KNOWN]
