"""Confirm: the best few, the start and the baseline measured again in fresh blocks; then the verdict.

None of the search's data is used: the winner of many noisy trials is partly the luckiest. The number of
blocks follows from the budget, not from what the blocks say, so that nobody stops at a lucky moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tuner.measure.run import Status
from tuner.measure.statistics import Gain, gain
from tuner.session import shares
from tuner.session.ledger import CONFIRM
from tuner.session.search import ranked
from tuner.session.session import Session
from tuner.store import TrialRow

MOST_FINALISTS: Final = 3
WANTED_BLOCKS: Final = 5
FEWEST_BLOCKS: Final = 2
# A profile with fewer settings wins over one that is better by less than this.
MARGIN: Final = 0.01


class Answer(StrEnum):
    """What a session ends with."""

    IMPROVED = "improved"
    NOT_IMPROVED = "not improved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What survived: the answer, the winner (None where nothing did), and the gain of each finalist.

    `over_start` compares the winner with the profile that the search started from, where that is another one.
    """

    answer: Answer
    winner: TrialRow | None
    gains: tuple[tuple[TrialRow, Gain], ...]
    why: str
    over_start: Gain | None = None

    def gain_of(self, trial: TrialRow) -> Gain | None:
        """Return the confirmed gain of a finalist."""
        return next((gain for finalist, gain in self.gains if finalist == trial), None)


def confirm(session: Session) -> Verdict:
    """Measure the finalists in fresh blocks until the budget is used, and judge them."""
    finalists = _finalists(session)
    if not finalists:
        return Verdict(Answer.NOT_IMPROVED, None, (), "no other profile could be measured")
    repeat(session, finalists, shares.confirm_ends(session.plan))
    return judge(session, finalists)


def repeat(session: Session, finalists: list[TrialRow], share: float = 1.0) -> None:
    """Measure the finalists with the baseline, block by block, until the plan's blocks or `share` of its budget are used."""
    whole_s = session.plan.blocks * session.block_cost_s(len(finalists))
    phase = CONFIRM if finalists else "measure"
    session.progress.phase(phase, min(whole_s, session.clock.left_s(share)))
    done = len(session.ledger.blocks(CONFIRM))
    while done < session.plan.blocks and session.clock.fits(session.block_cost_s(len(finalists)), share):
        session.measure_block(CONFIRM, finalists)
        done += 1


def _finalists(session: Session) -> list[TrialRow]:
    """Return the best of the search and the start, as many as can be measured often enough.

    Where blocks of confirmation are stored, they say who the finalists are.
    """
    if begun := session.ledger.blocks(CONFIRM):
        others = (trial for trial in session.ledger.trials if trial != session.baseline)
        return [trial for trial in others if any(session.ledger.took_part(trial, block) for block in begun)]
    order = ranked(session)
    start = [trial for trial in order if trial.profile == session.plan.start]
    wanted = list(dict.fromkeys([*order[:1], *start, *order])) if order else []
    blocks_s = session.clock.left_s(shares.confirm_ends(session.plan)) / WANTED_BLOCKS
    sizes = range(MOST_FINALISTS, 1, -1)
    size = next((size for size in sizes if session.block_cost_s(size) <= blocks_s), 1)
    return wanted[:size]


def judge(session: Session, finalists: list[TrialRow]) -> Verdict:
    """Return the verdict on the confirmation's blocks."""
    measured = [(trial, session.ledger.gains(trial.number, CONFIRM)) for trial in finalists]
    judged = [(trial, gain(gains, len(measured))) for trial, gains in measured if len(gains) >= FEWEST_BLOCKS]
    if not judged:
        return Verdict(Answer.FAILED, None, (), _too_few(session))
    better = [(trial, found) for trial, found in judged if found.low > 1.0 and _sound(session, trial)]
    if not better:
        best, found = max(judged, key=lambda pair: pair[1].ratio)
        why = f"no profile beats {session.baseline.profile} on this host and workload: the best, {best.profile}, is"
        why += f" {spoken(found)}"
        return Verdict(Answer.NOT_IMPROVED, None, tuple(judged), why)
    winner, found = _simplest(better)
    over_start = _over_start(session, winner)
    why = f"{winner.profile} is {spoken(found)} as {session.baseline.profile}"
    if over_start is not None:
        why += f", and {spoken(over_start)} as {session.plan.start}, where the search began"
    return Verdict(Answer.IMPROVED, winner, tuple(judged), why, over_start)


def _over_start(session: Session, winner: TrialRow) -> Gain | None:
    start = next((t for t in session.ledger.trials if t.profile == session.plan.start), None)
    if start is None or start == winner:
        return None
    blocks = session.ledger.blocks(CONFIRM)
    found = [session.ledger.gain_over(start.number, winner.number, block) for block in blocks]
    gains = [value for value in found if value is not None]
    return gain(gains) if len(gains) >= FEWEST_BLOCKS else None


def _simplest(better: list[tuple[TrialRow, Gain]]) -> tuple[TrialRow, Gain]:
    """Return the profile with the fewest settings among those as good as the best, within the margin."""
    best = max(found.ratio for _, found in better)
    as_good = [pair for pair in better if pair[1].ratio >= best * (1 - MARGIN)]
    return min(as_good, key=lambda pair: (len(pair[0].settings), -pair[1].ratio))


def _sound(session: Session, trial: TrialRow) -> bool:
    return session.ledger.status(trial.number) is Status.OK


def _too_few(session: Session) -> str:
    runs = [run for run in session.ledger.runs if run.phase == CONFIRM]
    bad = [run for run in runs if run.status != Status.OK]
    if bad:
        return f"the confirmation's runs failed: {bad[-1].status}: {bad[-1].reason}"
    needed = session.block_cost_s(1) * (FEWEST_BLOCKS + 1) / (1 - shares.SEARCH)
    return f"the budget ended before {FEWEST_BLOCKS} blocks of confirmation; {needed:.0f}s would do"


def spoken(found: Gain) -> str:
    """Return a gain in words: ratio, interval, confidence and number of blocks."""
    interval = f"{100 * found.confidence:g} % interval {found.low:.2f} to {found.high:.2f}, {found.blocks} blocks"
    return f"{found.ratio:.2f} times as good ({interval})"
