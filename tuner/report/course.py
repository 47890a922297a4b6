"""The course of a search, trial by trial, and what its blocks say of each setting when nothing else was measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

from tuner.judging.statistics import CONFIDENCE, pooled_sd, student_quantile
from tuner.records import Phase, Status, Trial
from tuner.report.rows import Row
from tuner.session.measuring.gains import Gains
from tuner.session.measuring.ledger import Ledger

# Below this many trials on either side a difference of means is a story about single trials.
FEWEST: Final = 3
# More pairs than these would all be corrected away.
MOST_PAIRS: Final = 10


Searched = Mapping[int, Sequence[float]]
"""The log ratios to the baseline that the search measured of each trial, by its number."""


def searched(log_gains: Gains) -> Searched:
    """Return what the search measured of each trial but the baseline, for all that is told of it."""
    return {trial.number: log_gains.of(trial.number, Phase.SEARCH) for trial in log_gains.ledger.trials[1:]}


def course(log_gains: Gains, gains: Searched) -> list[Row]:
    """Return one row a trial of the search as JSON: its gain over the baseline with its interval, and the best so far.

    The interval is mean ± z · sd/√blocks with the spread pooled over all trials, because most have one block.
    """
    ledger = log_gains.ledger
    sd = pooled_sd([group for group in gains.values() if group], log_gains.over_itself())
    rows = [_trial(ledger, trial, gains[trial.number], sd) for trial in ledger.trials[1:] if _took_part(ledger, trial)]
    best = 0.0
    for at, row in enumerate(rows, 1):
        best = max(best, math.log(row["ratio"])) if row["ratio"] and row["status"] == Status.OK else best
        row.update(order=at, best=math.exp(best))
    return rows


def _took_part(ledger: Ledger, trial: Trial) -> bool:
    return trial.invalid is not None or bool(ledger.phases_of(trial.number) & {Phase.SEARCH})


def _trial(ledger: Ledger, trial: Trial, gains: Sequence[float], sd: float) -> Row:
    status, reason = ledger.status(trial.number, (Phase.SEARCH,)), ledger.reason(trial.number, Phase.SEARCH)
    row: Row = {"trial": trial.number, "profile": trial.profile, "role": trial.role, "status": status.value}
    row |= {"reason": reason, "blocks": len(gains), "ratio": None, "low": None, "high": None}
    if gains:
        mean, half = statistics.fmean(gains), _z() * sd / math.sqrt(len(gains))
        row |= {"ratio": math.exp(mean), "low": math.exp(mean - half), "high": math.exp(mean + half)}
    return row


def _z() -> float:
    return statistics.NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


def model(ledger: Ledger, searched: Searched, settings: Mapping[str, str]) -> tuple[list[Row], str]:
    """Return, for each setting, trials of the search with it compared with those without, and what that is worth.

    That is association and no experiment: the trials differ in other settings too, and the search chose them.
    """
    gains = _means(ledger, searched)
    rows = [_with_and_without(gains, name, value) for name, value in settings.items()]
    why = (
        "A model, not a measurement: trials of the search with the setting compared with those without it "
        "(Welch's interval on the mean log gain). They differ in other settings as well. "
        "The command tuner minimise measures it."
    )
    return rows, why


def _means(ledger: Ledger, searched: Searched) -> list[tuple[Mapping[str, str], float]]:
    found = ((trial.settings, searched[trial.number]) for trial in ledger.trials[1:])
    return [(settings, statistics.fmean(gains)) for settings, gains in found if gains]


def _with_and_without(gains: Sequence[tuple[Mapping[str, str], float]], name: str, value: str) -> Row:
    with_it = [gain for settings, gain in gains if settings.get(name) == value]
    without = [gain for settings, gain in gains if settings.get(name) != value]
    row: Row = {"name": name, "value": value, "kept": True, "ratio": None, "low": None, "high": None}
    row["why"] = f"{len(with_it)} trials with it, {len(without)} without"
    if min(len(with_it), len(without)) < FEWEST:
        return row | {"why": f"not computed: {row['why']}, and {FEWEST} of each are needed"}
    found = _contrast([(1.0, with_it), (-1.0, without)])
    return row | _ratios(found)


def interactions(ledger: Ledger, searched: Searched, settings: Mapping[str, str]) -> tuple[list[Row], str]:
    """Return the pairs of settings whose gain together differs from the product of their own, and what was looked at.

    The contrast of the four cells' means (both, one, the other, neither), by Welch's interval corrected for the number
    of pairs; only pairs of which each cell has enough trials can be judged. Why none is told is said in words.
    """
    gains = _means(ledger, searched)
    pairs = list(combinations(settings.items(), 2))
    able = [(one, other, cells) for one, other in pairs if (cells := _cells(gains, one, other))][:MOST_PAIRS]
    if not able:
        why = (
            f"not computed: none of {len(pairs)} pairs of settings was searched with {FEWEST} trials in all four cells"
        )
        return [], why
    rows = [_pair(one, other, cells, len(able)) for one, other, cells in able]
    shown = [row for row in rows if row["low"] > 1.0 or row["high"] < 1.0]
    why = (
        f"{len(able)} of {len(pairs)} pairs could be judged by the search's trials (a model, corrected for the number)"
    )
    return shown, f"{why}; {len(shown) or 'none'} of them interact{'s' if len(shown) == 1 else ''} beyond noise"


def _cells(
    gains: Sequence[tuple[Mapping[str, str], float]], one: tuple[str, str], other: tuple[str, str]
) -> list[tuple[float, list[float]]] | None:
    cells: dict[tuple[bool, bool], list[float]] = {}
    for settings, gain in gains:
        cells.setdefault((settings.get(one[0]) == one[1], settings.get(other[0]) == other[1]), []).append(gain)
    signed = [(1.0 if a == b else -1.0, cells.get((a, b), [])) for a in (True, False) for b in (True, False)]
    return signed if all(len(values) >= FEWEST for _, values in signed) else None


def _pair(one: tuple[str, str], other: tuple[str, str], cells: list[tuple[float, list[float]]], judged: int) -> Row:
    named = {"name": f"{one[0]}={one[1]} × {other[0]}={other[1]}"}
    return named | _ratios(_contrast(cells, judged))


def _contrast(cells: Sequence[tuple[float, Sequence[float]]], judged: int = 1) -> tuple[float, float, float]:
    """Return a signed sum of means with its Welch interval (Welch 1947), for `judged` contrasts together."""
    value = math.fsum(sign * statistics.fmean(values) for sign, values in cells)
    parts = [(statistics.variance(values) / len(values), len(values) - 1) for _, values in cells]
    error2 = math.fsum(part for part, _ in parts)
    degrees = error2**2 / math.fsum(part**2 / df for part, df in parts) if error2 else 1.0
    half = student_quantile(1 - (1 - CONFIDENCE) / (2 * judged), degrees) * math.sqrt(error2)
    return value, value - half, value + half


def _ratios(found: tuple[float, float, float]) -> dict[str, float]:
    names = ("ratio", "low", "high")
    return {name: math.exp(min(max(value, -700.0), 700.0)) for name, value in zip(names, found, strict=True)}
