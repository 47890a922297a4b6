"""Minimise: leave out of a profile what does not earn its place, by blocks in which it is there and is not.

The order is that of backward elimination, but several settings leave in one step, because a step needs blocks and a
budget holds few:

1. *Idle.* What should not matter here (`suspects.idle`) leaves at once, unless the blocks show that the profile is
   worse without it.
2. *Alone.* Each of the others is left out by itself. Its own gain compares the profile with it with the
   profile without it, in the same blocks, by the interval of every verdict (`statistics.gain`). How many blocks there are follows from the budget
   and not from what they say. A setting is doubtful whose interval includes no gain at all, or lies below the margin:
   then the profile without it is not worse by more than that (non-inferiority, ICH E9, 3.3.2).
3. *Together.* The doubtful ones leave together in fresh blocks, because two settings of which either would do look
   useless one by one. As long as the profile is shown to be worse without them, the most promising comes back
   (delta debugging, Zeller & Hildebrandt 2002, under noise). Fresh blocks also give an unlucky setting a second chance.
   What is left is measured alone again, and what that makes doubtful leaves together in the last blocks.

For the shortest profile (`minimal.toml`) the burden of proof lies with the setting: a profile that is shorter is easier to understand and to deploy, and what
the blocks cannot show is at most as large as the interval in its answer says. But where there are fewer than
`FEWEST_OF_EACH` blocks, or where they are too noisy to tell `LARGE` from nothing, nothing was judged: the setting stays,
and its comment says so. (Idle settings leave all the same: there the blocks only have to show no harm.)

What is *recommended* is another question: the shortest profile measured here of which no more is expected to be lost than is
negligible, by all blocks of the session (`lean.py`). So every step also measures the profile that is believed to be it.

A pair that only helps together stays: without either of the two the whole gain is gone, which each one's own gain shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Final

from tuner.errors import Finding, doubt
from tuner.judging.objective import Objective
from tuner.judging.statistics import Gain, as_claimed, gain
from tuner.records import Phase, Status, Trial
from tuner.session.answer import words
from tuner.session.answer.guarded import failing, guarded
from tuner.session.answer.parts import Worth
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.session import Session
from tuner.session.measuring.tape import Measured, NoMore, Tape
from tuner.session.phases import lean, suspects
from tuner.session.phases.beliefs import Beliefs, believed
from tuner.session.setup import budget_shares, policy

# The blocks by which profiles are believed to be better: all but the calibration's, which has one profile only.
TELLING: Final = (Phase.SEARCH, Phase.CHOOSE, Phase.CONFIRM, Phase.MINIMISE)
# Two blocks have one degree of freedom: their interval is no statement.
FEWEST_OF_EACH: Final = 3
# A setting does not leave while it may be worth more than this.
LARGE: Final = 1.25
# Blocks of the first step, which only has to catch what should not happen.
IDLE_BLOCKS: Final = 4
# The last step gets this part of the phase, of which its second round has the last half.
TOGETHER_PART: Final = 0.4
SECOND_ROUND_PART: Final = 0.2


@dataclass(frozen=True, slots=True)
class Minimised:
    """What is left of a profile, what each remaining setting is worth, and what was dropped with what was seen of it.

    `gain` compares the shorter profile with the baseline, in this phase's blocks alone (where it must have been shown to
    beat it, corrected for that as a verdict's is); `cost` the original with it
    (above 1: it lost something), both None where the blocks are too few.
    """

    original: Trial
    best: Trial
    gain_of_best: Gain | None
    profile: Trial
    kept: tuple[Worth, ...]
    dropped: tuple[Worth, ...]
    gain: Gain | None
    cost: Gain | None
    blocks: int


def minimise(session: Session, original: Trial, goal: Objective) -> None:
    """Measure what each setting of `original` is worth until the budget is used.

    `goal` is the session's objective, or the part of it by which `original` was judged.
    """
    share = budget_shares.minimise_share(session.plan)
    session.progress.phase(Phase.MINIMISE, min(session.clock.left_s(Phase.MINIMISE), share * session.plan.budget_s))
    tape = Tape(session.evidence, Phase.MINIMISE, goal, Measured(session, Phase.MINIMISE))
    Elimination(session.evidence, tape, original).eliminate()


def minimised(evidence: Evidence, original: Trial, goal: Objective, *, proven: bool) -> Minimised:
    """Return what is left of a profile without what is worth nothing, by the blocks that were measured for it.

    With `proven` the shorter profile must be shown to beat the baseline, or else fewer settings are dropped: what a
    tuning emits has its own proof.
    """
    elimination = Elimination(evidence, Tape(evidence, Phase.MINIMISE, goal, NoMore(evidence.ledger)), original)
    elimination.eliminate()
    return elimination.outcome(proven=proven)


class Elimination:
    """One profile being minimised: the profiles that were accepted so far, each shorter than the last."""

    def __init__(self, evidence: Evidence, tape: Tape, original: Trial) -> None:
        self._evidence = evidence
        self._tape = tape
        self._accepted = [original]

    @property
    def current(self) -> Trial:
        """The shortest profile accepted so far."""
        return self._accepted[-1]

    def eliminate(self) -> None:
        """Take all steps, as far as there are blocks for them."""
        self.idle()
        self.alone()
        self.together()

    def idle(self) -> None:
        """Leave out what should not matter, unless the profile is shown to be worse without it."""
        names = suspects.idle(self._evidence.plan, self.current.settings)
        if not names:
            return
        shorter = self._without(self.current, names)
        self._measure([self.current, shorter], min(IDLE_BLOCKS, self._evidence.plan.blocks), 1.0)
        if self._acceptable(shorter):
            self._accepted.append(shorter)

    def alone(self) -> None:
        """Measure what each setting is worth by itself."""
        self._measure([self.current], self._evidence.plan.blocks, self._all_but(TOGETHER_PART))
        self._measure([self.current], FEWEST_OF_EACH - self._fewest(), 1.0)

    def _all_but(self, part: float) -> float:
        """Return the share of the budget at which all but the last part of the phase is over."""
        return 1.0 - part * budget_shares.minimise_share(self._evidence.plan)

    def _fewest(self) -> int:
        """Return the fewest blocks that any setting which was left out by itself was left out in."""
        counts = [len(self._alone_in(self.current, name)) for name in self.current.settings]
        return min((count for count in counts if count), default=0)

    def together(self) -> None:
        """Leave out the doubtful ones together, twice; then those of which the last blocks left one doubtful."""
        blocks = self._evidence.plan.blocks
        self._leave(self._doubtful(), self._all_but(SECOND_ROUND_PART))
        self._measure(self._lean(), blocks, self._all_but(SECOND_ROUND_PART))
        self._leave(self._doubtful(), 1.0)
        self._measure(self._lean(), blocks, 1.0)
        while shorter := self._last_one():
            self._accepted.append(shorter)

    def _leave(self, doubtful: Sequence[str], share: float) -> None:
        """Leave out settings together; put the most promising back while the profile is shown to be worse without them."""
        out = list(doubtful)
        while out:
            shorter = self._without(self.current, out)
            # With the most promising kept: what it is worth where the others are gone, and the next step if this one fails.
            longer = self._without(self.current, out[:-1])
            self._measure([*self._lean(), longer, shorter], self._evidence.plan.blocks, share, hopeful=True)
            if self._acceptable(shorter) and not self._vague(shorter):
                self._accepted.append(shorter)
                return
            if not self._refused(shorter):
                return
            out.pop()

    def _lean(self) -> list[Trial]:
        """Return the original without what is believed to be worth nothing, and the current profile, which may be shorter."""
        original, beliefs = self._accepted[0], self._beliefs()
        out = lean.superfluous(self._evidence.plan, beliefs, original.settings) if beliefs else []
        return [self._without(original, out) if out else original, self.current]

    def _beliefs(self) -> Beliefs | None:
        """Return what is believed by all blocks until the last one that was seen of this phase."""
        seen = max(self._tape.blocks, default=-1) + 1
        first = min((run.block for run in self._evidence.ledger.runs if run.phase is Phase.MINIMISE), default=seen)
        return believed(self._evidence, TELLING, self._tape.goal, before=max(first, seen))

    def _doubtful(self) -> list[str]:
        """Return the settings that are not shown to earn their place, the least promising first."""
        found = [(gain, name) for name in self.current.settings if (gain := self._alone(name)) is not None]
        return [name for _, name in sorted((gain.ratio, name) for gain, name in found if not earned(gain))]

    def _last_one(self) -> Trial | None:
        """Return the profile without the worst doubtful setting of which the blocks say enough, None where there is none."""
        for name in self._doubtful():
            found = self._alone(name)
            shorter = self._evidence.ledger.find(suspects.without(self.current.settings, [name]))
            if found and not vague(found) and shorter and self._compared(shorter, self.current):
                return shorter
        return None

    def outcome(self, *, proven: bool) -> Minimised:
        """Return what is left: the shortest accepted profile that keeps the guards, with `proven` one shown to beat the baseline."""
        while len(self._accepted) > 1 and not self._emittable(self.current, proven=proven):
            self._accepted.pop()
        original, final = self._accepted[0], self.current
        gained = self._compared(self._evidence.baseline, final)
        best = self._best(proven=proven)
        gained_best = self._compared(self._evidence.baseline, best)
        return Minimised(
            original=original,
            best=best,
            gain_of_best=as_claimed(gained_best) if gained_best and best != original else gained_best,
            profile=final,
            kept=tuple(self._stays(name) for name in final.settings),
            dropped=tuple(self._farewell(name) for name in original.settings if name not in final.settings),
            gain=as_claimed(gained) if gained and proven and len(self._accepted) > 1 else gained,
            cost=self._compared(final, original) if final != original else None,
            blocks=len(self._tape.blocks),
        )

    def _best(self, *, proven: bool) -> Trial:
        """Return the shortest profile that gives nothing away: the original, or one that was measured in its place."""
        original, beliefs = self._accepted[0], self._beliefs()
        if beliefs is None:
            return original
        shorter = [trial for trial in self._shorter() if self._emittable(trial, proven=proven)]
        return lean.leanest(beliefs, original, shorter)

    def _shorter(self) -> list[Trial]:
        """Return the profiles with some of the original's settings that ran well here, in enough blocks."""
        original = self._accepted[0]
        return [
            trial
            for trial in self._evidence.ledger.trials[1:]
            if trial != original
            and trial.settings.items() <= original.settings.items()
            and self._tape.runs(trial)
            and self._compared(self._evidence.baseline, trial) is not None
        ]

    def _measure(self, profiles: Sequence[Trial], blocks: int, share: float, *, hopeful: bool = False) -> None:
        """Measure profiles, and the last of them without each of its settings, as many as the budget holds.

        Ends early when the last one does not run; while that is only hoped to do, also when it is shown to be worse.
        """
        self._tape.begin_step()
        last = profiles[-1]
        trials = list(dict.fromkeys([*profiles, *self._each_left_out(last, self._room() - len(profiles))]))
        for _ in range(blocks):
            able = [trial for trial in trials if self._tape.runs(trial)]
            nothing_to_compare = not {*able} - {self._evidence.baseline}
            if nothing_to_compare or last not in able or (hopeful and self._refused(last)):
                return
            if not self._tape.block(able, share):
                return

    def _room(self) -> int:
        """Return how many trials beside the baseline a block may hold so that the rest of the phase has enough blocks.

        From the plan and the runs that led here, not from the clock, so that a resumed session agrees.
        """
        plan = self._evidence.plan
        before = [
            run.wall_s for run in self._evidence.ledger.runs if run.phase != Phase.MINIMISE and run.status is Status.OK
        ]
        usual_s = sum(before) / len(before) * len(plan.workloads) if before else budget_shares.run_s(plan)
        left_s = budget_shares.minimise_share(plan) * plan.budget_s - self._tape.spent_s()
        return max(2, int(left_s / (FEWEST_OF_EACH * usual_s)) - 1)

    def _each_left_out(self, trial: Trial, most: int) -> list[Trial]:
        """Return the profile without each of its settings, the least promising first, as far as rules allow it."""
        names = suspects.by_promise(self._evidence.plan, self._evidence.gains, trial.settings)
        free = (name for name in names if suspects.removable(self._evidence.plan, trial.settings, [name]))
        return [self._without(trial, [name]) for name in islice(free, max(most, 0))]

    def _without(self, trial: Trial, names: Sequence[str]) -> Trial:
        number = len(self._evidence.ledger.trials)
        return self._tape.enter(f"reduced-{number}", suspects.without(trial.settings, names))

    def _acceptable(self, shorter: Trial) -> bool:
        """Return whether a shorter profile was measured often enough and is not shown to be worse than the current."""
        found = self._compared(shorter, self.current)
        return found is not None and self._tape.runs(shorter) and not earned(found)

    def _refused(self, shorter: Trial) -> bool:
        """Return whether a shorter profile does not run, or is shown to be worse than the current one."""
        found = self._compared(shorter, self.current)
        return not self._tape.runs(shorter) or (found is not None and earned(found))

    def _vague(self, shorter: Trial) -> bool:
        found = self._compared(shorter, self.current)
        return found is not None and vague(found)

    def _emittable(self, trial: Trial, *, proven: bool) -> bool:
        unkept = failing(guarded(self._evidence, trial, Phase.MINIMISE))
        return not unkept and (not proven or self._beats_baseline(trial))

    def _beats_baseline(self, trial: Trial) -> bool:
        found = self._compared(self._evidence.baseline, trial)
        return found is not None and found.low > 1.0

    def _compared(self, other: Trial, trial: Trial) -> Gain | None:
        """Return how many times better a trial is than another, None when the blocks are too few."""
        gains = tuple(self._tape.over(other, trial).values())
        return gain(gains) if len(gains) >= FEWEST_OF_EACH else None

    def _worth(self, name: str) -> Worth:
        """Return what a setting is worth: one figure a block, of the shortest profile that had it there."""
        holder, found = self._holders(name)[-1], self._alone(name)
        why = self._why(holder, name, found, len(self._gains_alone(name)))
        return Worth(name, holder.settings[name], None if found and vague(found) else found, why)

    def _alone(self, name: str) -> Gain | None:
        """Return the gain of a setting by itself, None when the blocks are too few."""
        gains = self._gains_alone(name)
        return gain(gains) if len(gains) >= FEWEST_OF_EACH else None

    def _gains_alone(self, name: str) -> tuple[float, ...]:
        gains: dict[int, float] = {}
        for trial in self._holders(name):
            gains |= self._alone_in(trial, name)
        return tuple(gains.values())

    def _holders(self, name: str) -> list[Trial]:
        """Return the accepted profiles that have a setting, the shortest last."""
        return [trial for trial in self._accepted if name in trial.settings]

    def _alone_in(self, trial: Trial, name: str) -> dict[int, float]:
        """Return what a setting is worth in a profile, by block; nothing when it was not measured without it."""
        rest = self._evidence.ledger.find(suspects.without(trial.settings, [name]))
        return self._tape.over(rest, trial) if rest is not None else {}

    def _stays(self, name: str) -> Worth:
        """Return what a setting that stays is worth; not judged where only longer profiles were measured without it.

        There another setting may have done its work, so what they say of it holds for them and not for what is left.
        """
        worth = self._worth(name)
        if worth.gain is None or earned(worth.gain):
            return worth
        if len(self._alone_in(self.current, name)) < FEWEST_OF_EACH:
            why = f"not judged by itself before the budget was used up; together with more settings: {worth.why}"
            return replace(worth, gain=None, why=why)
        return replace(worth, why=f"kept, because no gain was shown without it: {worth.why}")

    def _farewell(self, name: str) -> Worth:
        """Return what was seen of a dropped setting: alone, or with those that left in the same step."""
        worth = self._worth(name)
        if worth.gain is not None:
            return worth
        steps = pairwise(self._accepted)
        longer, shorter = next(pair for pair in steps if name in pair[0].settings and name not in pair[1].settings)
        others = len(longer.settings) - len(shorter.settings) - 1
        found = self._compared(shorter, longer)
        return replace(worth, why=words.setting(found, others) if found else worth.why)

    def _why(self, holder: Trial, name: str, found: Gain | None, blocks: int) -> str:
        if found is not None and vague(found):
            return f"not judged: {found.blocks} blocks were too noisy to distinguish a gain of {LARGE:g}× from none"
        if found is not None:
            return words.setting(found)
        if not suspects.removable(self._evidence.plan, holder.settings, [name]):
            return "another setting needs it"
        rest = self._evidence.ledger.find(suspects.without(holder.settings, [name]))
        if rest is not None and not self._tape.runs(rest):
            return "runs fail without it"
        return f"not judged: the budget allowed {blocks} of the {FEWEST_OF_EACH} blocks that are needed"


def vague(found: Gain) -> bool:
    """Return whether an interval allows that a setting is worth nothing, and as well that it is worth much."""
    return found.low <= 1.0 and found.high > LARGE


def unseen(shorter: Minimised) -> list[Finding]:
    """Return what to doubt of a proved profile of which the blocks of this phase did not show the gain again."""
    names = [worth.name for worth in shorter.kept if worth.gain and not earned(worth.gain)]
    what = f"the gain of {', '.join(names)} was not reproduced in the last {shorter.blocks} blocks"
    return [doubt(what, "the host may have changed: run `tuner compare` when the host is quiet")] if names else []


def earned(found: Gain) -> bool:
    """Return whether a setting earns its place: some gain is shown, and it is not shown to be below the margin."""
    return found.low > 1.0 and found.high >= 1.0 + policy.AS_GOOD
