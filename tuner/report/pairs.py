"""What a profile is worth on each of many pairs of hosts, as a table."""

from __future__ import annotations

from typing import Final

from tuner.report.rows import Row
from tuner.session.answer.parts import OnPairs, PairGain

PAIR_HEADERS: Final = ("pair", "hosts", "blocks", "gain over the baseline there")


def pairs(found: OnPairs | None) -> Row:
    """Return headers and a row for each pair, and what is otherwise on some; no rows where there is one pair."""
    why = "Each pair by its own blocks alone: pairs are never compared with each other, their gains are."
    return {
        "why": why if found else "",
        "headers": list(PAIR_HEADERS),
        "rows": list(map(_row, found.pairs)) if found else [],
        "exceptions": [each.sentence for each in found.exceptions] if found else [],
    }


def _row(found: PairGain) -> list[str]:
    gain = found.gain
    interval = f"{gain.ratio:.2f}× ({gain.low:.2f}–{gain.high:.2f})" if gain else "too few blocks"
    return [found.pair, found.kind or "unknown", str(found.blocks), interval]
