"""Search: the known profiles first, then the optimizer's proposals, each in blocks with the baseline.

A block holds the baseline and a few contenders. A contender that is clearly worse than the best so far is
not measured again; one that may be the best earns a second block, then more (racing, as in SMAC's
intensification and irace). Where the optimizer has nothing new left, those that may be the best take every turn, and
when all of them are known well enough the rest of the time is the confirmation's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import islice
from typing import Final

from tuner.judging.statistics import gain
from tuner.records import Phase, Role, Status, Trial
from tuner.search.optimizer import Optimizer, Outcome
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.session import Session, Turn, always
from tuner.session.phases.baseline_shift import gain_in, seen
from tuner.session.phases.standings import incumbent, spread, standings
from tuner.session.phases.verdict import no_rate_holds
from tuner.session.setup import budget_shares
from tuner.session.setup.marks import Marks

# Of five contenders a block's baseline costs a sixth, of three a quarter. On the landscapes of `benchmarks/search.py` (seeds
# that it does not publish) neither four nor seven found more with the same runs.
CONTENDERS: Final = 5
# As many as that share a baseline where they are the last that a search owes, so that its time does not go to baselines.
MOST_CONTENDERS: Final = 7
# A second look takes a proposal's place: in every other block; in every fourth while trials differ by so many times as
# much as blocks do, because noise then hardly hides which is better.
SECOND_LOOKS: Final = 2
RARE_LOOKS: Final = 4
FAR_APART: Final = 4.0
MOST_LOOKS: Final = 8
# Between runs a session makes proposals and asks the library what it makes of them. What that took so far counts with
# the runs to come, but for what only its beginning takes.
MOST_BETWEEN: Final = 1.5


def search(session: Session, optimizer: Optimizer) -> None:
    """Measure contenders until the search's share of the budget is used; everything is in the ledger.

    A session that had begun to prove what it found goes on with that: what the search said does not change any more.
    """
    if session.ledger.begun(Phase.CHOOSE) or session.ledger.begun(Phase.CONFIRM):
        return
    session.progress.phase(Phase.SEARCH, session.clock.left_s(Phase.SEARCH, budget_shares.search_ends(session.plan)))
    lessons = _Lessons(session, optimizer)
    lessons.recall()
    while room := _room(session):
        turns = _turns(session, lessons, room)
        if not turns:
            break
        _hear(session, lessons, session.measure_turns(Phase.SEARCH, turns))
    _hear(session, lessons, session.finish())


def _hear(session: Session, lessons: _Lessons, blocks: Sequence[int]) -> None:
    """Tell what blocks that are over say, and who leads now."""
    for block in blocks:
        lessons.tell(block)
    if blocks and (leader := incumbent(session.evidence)):
        session.progress.best(leader, gain(seen(session.evidence.gains, leader.number)))


def _room(session: Session) -> int:
    """Return how many contenders can be measured with the baseline before the search's share is over.

    One is measured in any case while the budget lasts: a session that has looked at nothing can say nothing.
    """
    if session.clock.hurried:
        return 0
    ends, owed = _ends(session), _proposals_owed(session)
    sizes = range(owed if CONTENDERS < owed <= MOST_CONTENDERS else CONTENDERS, 0, -1)
    least = (
        0
        if session.ledger.blocks(Phase.SEARCH)
        else int(session.clock.fits(session.evidence.block_cost_s(1), Phase.SEARCH))
    )
    return next(
        (size for size in sizes if session.clock.fits(session.evidence.block_cost_s(size), Phase.SEARCH, ends)), least
    )


def _ends(session: Session) -> float:
    """Return the share of the budget at which the search ends: later while it owes proposals, because runs are slower than planned.

    What judging needs at least is left to it in any case, at what runs take.
    """
    ends = budget_shares.search_ends(session.plan)
    if not _proposals_owed(session):
        return ends
    judging_s = budget_shares.least_judging_runs(session.plan) * session.evidence.block_cost_s(0)
    return max(ends, 1.0 - judging_s * _between(session) / session.plan.budget_s)


def _between(session: Session) -> float:
    """Return how many times what runs take the session has taken so far."""
    inside_s = session.ledger.runs_s
    return min(MOST_BETWEEN, max(1.0, session.clock.spent_s() / inside_s)) if inside_s else 1.0


class _Lessons:
    """What an optimizer is told of a session: the gains of a block when it is over, a failure before it is asked again.

    Proposals of one block are alike. Where the first of them hangs, the others would too, each for as long as its
    time-out; with their baseline's noise in common, gains have less to say to the rest of their block.
    """

    def __init__(self, session: Session, optimizer: Optimizer) -> None:
        self.session = session
        self.optimizer = optimizer
        self._told_failures: set[tuple[int, int]] = set()
        self._heard = Marks()

    def recall(self) -> None:
        """Tell what earlier attempts at this session measured, block by block as it came."""
        self._tell(self.session.baseline, 0.0)
        for block in range(self.session.ledger.next_block()):
            self.tell(block)

    def tell(self, block: int) -> None:
        """Tell what a block that is over says."""
        self.tell_failures(block)
        variance = spread(self.session.evidence) ** 2
        ledger = self.session.ledger
        for number in sorted({run.trial for run in ledger.runs_in(block)} - {0}):
            found = gain_in(self.session.evidence.gains, number, block)
            if found is not None and (number, block) not in self._told_failures:
                self._tell(ledger.trials[number], found, variance, block)

    def tell_failures(self, block: int) -> None:
        """Tell which trials have failed in a block so far, unless that was told."""
        for run in self.session.ledger.runs_in(block):
            new = run.status != Status.OK and (run.trial, block) not in self._told_failures
            if new and run.trial != self.session.baseline.number:
                self._told_failures.add((run.trial, block))
                self._tell(self.session.ledger.trials[run.trial], None, block=block)

    def _tell(self, trial: Trial, gain: float | None, variance: float | None = None, block: int | None = None) -> None:
        self._heard.add(trial.number)
        self.optimizer.tell(Outcome(trial.settings, gain, variance, block=block))

    def contender(self, taken: set[int]) -> Trial | None:
        """Return what the optimizer proposes now, or a leader where it has nothing new; it is among those taken then.

        None where there is neither.
        """
        self.tell_failures(self.session.ledger.next_block() - 1)
        found = self._proposal() or next(
            (one for one in _looked_at_again(self.session) if one.number not in taken), None
        )
        if found is not None:
            taken.add(found.number)
        return found

    def _proposal(self) -> Trial | None:
        """Return what the optimizer proposes, None once that is something it has heard of: it has nothing new then."""
        if self.session.proposals.used_up:
            return None
        settings, ledger = self.optimizer.ask(), self.session.ledger
        known = ledger.find(settings)
        if known is not None and known.number in self._heard:
            self._say_used_up()
            return None
        found = self.session.journal.enter(f"candidate-{len(ledger.trials)}", settings, Role.CANDIDATE)
        self._heard.add(found.number)
        return found

    def _say_used_up(self) -> None:
        self.session.proposals.use_up()
        count = sum(trial.role is Role.CANDIDATE for trial in self.session.ledger.trials)
        self.session.progress.note(
            f"the search space is used up after {count} candidates; "
            "the remaining time goes to the leading profiles and the confirmation"
        )


def _turns(session: Session, lessons: _Lessons, room: int) -> list[Turn]:
    """Return the turns of the next block: known profiles, or one that deserves a second look and new proposals."""
    known = [session.enter_known(known) for known in session.plan.known]
    able = [trial for trial in known if trial.invalid is None and trial != session.baseline]
    ledger = session.ledger
    new = (trial for trial in able if not ledger.tried(trial.number) and not session.is_pending(trial))
    untried = [trial for trial in new if not ledger.hung(trial.number)]
    owed, slots = _proposals_owed(session), _slots(session)
    least = int(len(untried) == len(able))  # the first known profile is measured in any case
    first = untried[: min(room, max(least, slots - owed if owed else CONTENDERS))]
    if first and not (owed and slots < owed + len(untried) + CONTENDERS):
        return [always(trial) for trial in first]
    if no_rate_holds(session.evidence):
        return []  # what nothing known comes near is not found by trying at random
    if session.proposals.used_up:
        return [always(trial) for trial in islice(_looked_at_again(session), room)]
    looks = min(_second_looks(session), max(0, slots - owed)) if owed else _second_looks(session)
    again = first or list(islice(_looked_at_again(session), looks))
    taken = {trial.number for trial in again}
    return [*map(always, again), *(cache(partial(lessons.contender, taken)) for _ in range(room - len(again)))]


def _slots(session: Session) -> int:
    """Return how many contenders the search still has time for.

    Known profiles are the best bets and second looks find the best of what was tried, so that they go first where there is
    time for all: a search that has few runs left, because it is short, its blocks were disturbed or its host is slow,
    takes those that leave it its proposals.
    """
    left_s = session.clock.left_s(Phase.SEARCH, _ends(session)) / _between(session)
    # The last block seldom fills what is left.
    return int(left_s / session.evidence.block_cost_s(0) * CONTENDERS / (CONTENDERS + 1)) - 1


def _second_looks(session: Session) -> int:
    """Return how many contenders of the next block were measured before."""
    every = RARE_LOOKS if _far_apart(session.evidence) else SECOND_LOOKS
    return int(len(session.ledger.blocks(Phase.SEARCH)) % every == 0)


def _proposals_owed(session: Session) -> int:
    """Return how many proposals a search still has to make before known profiles take the rest of its time."""
    owes = budget_shares.owes_proposals(session.plan) and not session.evidence.objective.limits
    if not owes or session.proposals.used_up:
        return 0
    proposed = (trial for trial in session.ledger.trials if trial.role is Role.CANDIDATE)
    return budget_shares.PROPOSALS - sum(1 for _ in islice(proposed, budget_shares.PROPOSALS))


def _far_apart(evidence: Evidence) -> bool:
    found = standings(evidence)
    return found.apart > FAR_APART * found.spread


def deserving(evidence: Evidence) -> Iterator[Trial]:
    """Yield the trials that may be the best and have not been measured often enough to know, best first."""
    most = max(MOST_LOOKS, len(evidence.plan.pairs))
    return (evidence.ledger.trials[number] for number in standings(evidence).promising(most))


def _looked_at_again(session: Session) -> Iterable[Trial]:
    """Return the trials that deserve it, on many pairs those first that the next pair knows least."""
    return session.rarest_first(deserving(session.evidence))
