"""The three answers of a tuning: what to set, whether that beats what is known, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.session.answer import words
from tuner.session.answer.answers import Answer, TuneAnswer, beside_known
from tuner.session.answer.costs import in_verdict
from tuner.session.answer.parts import Minimal, Recommended, Source

HEADERS = ("setting", "contribution", "evidence")


def advice(answer: Answer | None) -> Mapping[str, Any]:
    """Return the answers of a tuning in words, JSON-ready; no rows where nothing is recommended or it was not said."""
    rows = answer.advice.recommended if isinstance(answer, TuneAnswer) else ()
    if not isinstance(answer, TuneAnswer) or not rows:
        return {"headers": HEADERS, "rows": [], "known": "", "costs": "", "minimal": None}
    minimal = answer.advice.minimal
    return {
        "headers": HEADERS,
        "rows": [_row(each) for each in rows],
        "known": ". ".join(beside_known(answer)) or _alone(answer),
        "costs": in_verdict(answer.beside),
        "minimal": _minimal(minimal, answer.winner.described.profile) if minimal else None,
    }


def _alone(answer: TuneAnswer) -> str:
    """Return why nothing is said of a known profile and a found one beside each other."""
    if answer.winner.role is Source.KNOWN:
        return "It is the best known profile itself, and nothing that was found was judged beside it"
    return "No known profile was judged beside it"


def _row(found: Recommended) -> list[str]:
    return [f"{found.name}={found.value}", words.bare(found.gain), f"{found.basis}"]


def _minimal(found: Minimal, best: str) -> Mapping[str, Any]:
    return {"settings": dict(found.settings), "path": found.path, "why": words.given_away(found.lost, best)}
