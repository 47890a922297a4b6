"""What one session recommended, measured by a truth: what it gives away, whether its claims are true, what it keeps silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import beliefs
from beliefs import Belief
from truths import Settings, Truth

from tuner.profiles import files

MINIMAL: Final = "minimal.toml"
MUCH: Final = 0.01
"""A loss that a user would mind, as a share of performance."""
HARMED: Final = "latency_p99_9_us"
WORSE: Final = 1.5
"""A p99.9 that is truly so many times as high must be told."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A gain with its interval, and what it truly is."""

    ratio: float
    low: float
    high: float
    truth: float

    @property
    def covers(self) -> bool:
        """Return whether the interval holds the truth."""
        return self.low <= self.truth <= self.high

    @property
    def false(self) -> bool:
        """Return whether an improvement is claimed that is none."""
        return self.low > 1.0 >= self.truth

    @property
    def overclaim(self) -> float:
        """Return by what share the gain is above the true one."""
        return self.ratio / self.truth - 1.0


@dataclass(frozen=True, slots=True)
class Advice:
    """What one session recommended, measured by the truth. Losses are shares of performance."""

    improved: bool
    loss: float
    """Against the best finalist or known profile that was measured."""
    below_known: float
    """Against the best known profile that was measured."""
    claim: Claim | None
    over_known: Claim | None
    settings: int
    worthless: int
    unshown: int
    """Settings of the minimal profile whose own interval holds 1 or that have none."""
    harmed: bool
    """Whether p99.9 is truly much higher under the recommended profile."""
    costs: frozenset[str]
    """The metrics of which the answer says that they got worse."""
    beliefs: tuple[Belief, ...] = ()
    cpu_s: float = 0.0

    @property
    def told(self) -> bool:
        """Return whether the answer says that p99.9 got worse."""
        return HARMED in self.costs

    @property
    def told_falsely(self) -> bool:
        """Return whether the answer says that something got worse where nothing did."""
        return bool(self.costs) and not self.harmed

    @property
    def false_claim(self) -> bool:
        """Return whether the session claimed an improvement, over the baseline or the known, that is none."""
        return any(claim is not None and claim.false for claim in (self.claim, self.over_known))


@dataclass(frozen=True, slots=True)
class Files:
    """The settings of the profiles that a session wrote, None for one that it did not write."""

    best: Settings | None
    minimal: Settings | None

    @staticmethod
    def read(best: Path) -> Files:
        """Return what is beside and in the file of the best profile."""
        minimal = best.with_name(MINIMAL)
        return Files(*(files.read(path).settings if path.exists() else None for path in (best, minimal)))


def advised(truth: Truth, answer: Mapping[str, Any], written: Files) -> Advice:
    """Return what an answer and its files recommend, measured by the truth."""
    recommended = dict(answer["winner"]["settings"] if written.best is None else written.best)
    known = [row["settings"] for row in answer["known"] if row["metrics"]] + [answer["baseline"]["settings"]]
    found = [row["settings"] for row in answer["finalists"] if row["metrics"]]
    return Advice(
        improved=answer["verdict"] == "improved",
        loss=_loss(truth, recommended, known + found),
        below_known=_loss(truth, recommended, known),
        claim=_claim(truth, answer),
        over_known=_over_known(truth, answer, known),
        settings=len(recommended),
        worthless=len(truth.worthless(recommended)),
        unshown=len(_unshown(answer, written.minimal or {})),
        harmed=truth.harm(recommended) >= WORSE,
        costs=frozenset(cost["metric"] for cost in answer.get("costs") or ()),
        beliefs=beliefs.beliefs(answer, truth),
    )


def _loss(truth: Truth, recommended: Settings, measured: Iterable[Settings]) -> float:
    """Return what a profile lacks of the performance of the best of others, as a share of it; 0 where none is better."""
    return max(0.0, 1.0 - truth.gain(recommended) / max(map(truth.gain, measured)))


def _claim(truth: Truth, answer: Mapping[str, Any]) -> Claim | None:
    """Return the gain that the answer claims for its winner, or else that of the profile which was judged."""
    if answer["gain"] is not None:
        return _measured(answer["gain"], truth.gain(answer["winner"]["settings"]))
    judged = (row for row in answer["finalists"] if row["gain"])
    return next((_measured(row["gain"], truth.gain(row["settings"])) for row in judged), None)


def _over_known(truth: Truth, answer: Mapping[str, Any], known: Iterable[Settings]) -> Claim | None:
    """Return the gain over a known profile that the answer claims, None where it has none.

    That is the truly best of them where the answer does not name its profile.
    """
    gain = answer.get("over_known")
    if gain is None:
        return None
    named = [row["settings"] for row in answer["known"] if row["profile"] == gain.get("profile")]
    over = max(map(truth.gain, named or known))
    return _measured(gain, truth.gain(answer["winner"]["settings"]) / over)


def _measured(gain: Mapping[str, Any], truth: float) -> Claim:
    low, high = (bound if bound is not None else edge for bound, edge in ((gain["low"], 0.0), (gain["high"], 1e9)))
    return Claim(gain["ratio"], low, high, truth)


def _unshown(answer: Mapping[str, Any], minimal: Settings) -> list[str]:
    """Return the settings of the minimal profile that are not shown to be worth something."""
    kept = (answer["minimised"] or {"kept": ()})["kept"]
    shown = {row["name"] for row in kept if row["gain"] and (row["gain"]["low"] or 0.0) > 1.0}
    return [name for name in minimal if name not in shown]
