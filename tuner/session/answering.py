"""The answer of a session, computed from its evidence, how it ended, and nothing else; the same for one that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tuner.errors import UsageError
from tuner.judging import linear_algebra
from tuner.judging.statistics import Gain
from tuner.records import Kind, Phase, Role, Trial
from tuner.session.answer import disturbance, proposals, words
from tuner.session.answer.answers import (
    Answer,
    CalibrateAnswer,
    CompareAnswer,
    MeasureAnswer,
    MinimiseAnswer,
    TuneAnswer,
    exceptions,
    reason,
    remarks,
)
from tuner.session.answer.calibration import calibration, doubts, of_budgets
from tuner.session.answer.circumstances import circumstances, host
from tuner.session.answer.costs import Beside, beside, in_verdict
from tuner.session.answer.described import described
from tuner.session.answer.guarded import failing, left_out
from tuner.session.answer.pareto_front import OnFront, front_of
from tuner.session.answer.parts import (
    Advice,
    Basis,
    Believed,
    Condition,
    Decision,
    Finalist,
    Minimisation,
    Regression,
    Searched,
    Sequential,
    Source,
    Task,
    Time,
    WarmStart,
    Winner,
)
from tuner.session.measuring.baseline import believe_baseline
from tuner.session.measuring.clock import Ending
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases import until_decided
from tuner.session.phases.beliefs import Beliefs, believed
from tuner.session.phases.early import cut_short
from tuner.session.phases.exceptions import on_pairs
from tuner.session.phases.finalists import finalists, judged
from tuner.session.phases.minimise import TELLING, Minimised, minimised, unseen
from tuner.session.phases.propose import search_space
from tuner.session.phases.recommend import UNTIL_NOW, settle
from tuner.session.phases.standings import incumbent
from tuner.session.phases.uncompared import nothing_compared
from tuner.session.phases.verdict import Verdict, doubted, judge, judged_objective, no_rate_holds, sound
from tuner.session.phases.worth import DECIMALS, as_gain, contributions, minimal
from tuner.session.setup import budget_shares


def answer(evidence: Evidence, ending: Ending, warm_start: WarmStart | None = None) -> Answer:
    """Return what a session of any kind answers. No file has been written of it, so that no profile has a path.

    Raise `BaselineFailed` where nothing can be believed, `UsageError` where there is nothing to compare.
    """
    linear_algebra.ready()
    believe_baseline(evidence)
    match evidence.plan.kind:
        case Kind.TUNE:
            return _tuned(evidence, ending, warm_start)
        case Kind.COMPARE:
            return _compared(evidence, ending)
        case Kind.MINIMISE:
            return _minimised(evidence, ending)
        case Kind.MEASURE:
            return _measured(evidence)
        case Kind.CALIBRATE:
            return _calibrated(evidence)


def verdict(evidence: Evidence, ending: Ending) -> Verdict:
    """Return the verdict of a tuning, which no block of its minimising has a part in."""
    found = _verdict(evidence, ending)
    if ending.stopped and not evidence.ledger.begun(Phase.MINIMISE):
        found = cut_short(evidence, found, ending)
    more = [*proposals.doubts(_searched(evidence)), *left_out(evidence)]
    return found if no_rate_holds(evidence) else doubted(found, more)


def _searched(evidence: Evidence) -> Searched:
    return proposals.searched(evidence.ledger, search_space(evidence.plan).left_out)


def _verdict(evidence: Evidence, ending: Ending) -> Verdict:
    if found_none := no_rate_holds(evidence):
        return found_none
    rivals = finalists(evidence)
    if not rivals:
        return _none_to_judge(evidence)
    contest = judged(evidence, rivals)
    return replace(settle(evidence, contest, ending), finalists=tuple(dict.fromkeys([*rivals, contest.main])))


def _none_to_judge(evidence: Evidence) -> Verdict:
    leader = incumbent(evidence)
    if leader is None:
        return nothing_compared(evidence)
    why = words.all_break_guards(list(map(str, evidence.plan.guards)), leader.profile)
    return Verdict(Decision.NOT_IMPROVED, None, (), why)


def to_minimise(evidence: Evidence, ending: Ending) -> Trial | None:
    """Return the winner of a tuning, None where there is none, nothing to leave out of it, or no budget for it."""
    winner = verdict(evidence, ending).winner
    late = ending.stopped and not evidence.ledger.begun(Phase.MINIMISE)
    if winner is None or not winner.settings or late or budget_shares.confirm_ends(evidence.plan) >= 1.0:
        return None
    return winner


def _tuned(evidence: Evidence, ending: Ending, warm_start: WarmStart | None) -> TuneAnswer:
    ledger, found = evidence.ledger, verdict(evidence, ending)
    long = to_minimise(evidence, ending)
    shorter = minimised(evidence, long, judged_objective(evidence, long), proven=True) if long else None
    trial, gained = _emitted(evidence, found, shorter)
    noise = calibration(evidence)
    tuned = TuneAnswer(
        session=ledger.session,
        verdict=found.answer,
        why=_why(evidence, _judged(evidence, found)),
        task=_task(evidence),
        baseline=described(evidence, evidence.baseline),
        winner=_winner(evidence, found, trial),
        known=tuple(described(evidence, each) for each in _known(evidence)),
        gain=gained,
        gain_over_start=found.over_start,
        finalists=tuple(Finalist(described(evidence, each), found.gain_of(each)) for each in found.finalists),
        doubts=(
            *found.doubts,
            *doubts(noise),
            *(unseen(shorter) if shorter else ()),
            *disturbance.doubts(host(evidence)),
        ),
        minimised=_minimisation(shorter) if shorter else None,
        trials=ledger.counts(),
        runs=len(ledger.runs),
        calibration=noise,
        circumstances=circumstances(evidence),
        time=_time(evidence, ending),
        pareto=_pareto(evidence),
        warm_start=warm_start,
        proposals=_searched(evidence),
        beside=beside(evidence, trial, found.judged),
        advice=_advice(evidence, found, trial, shorter),
        on_pairs=on_pairs(evidence, trial) if trial != evidence.baseline else None,
    )
    return replace(tuned, why=reason(tuned))


def _judged(evidence: Evidence, found: Verdict) -> str:
    """Return the reason of a verdict, and what is recommended all the same."""
    beliefs = believed(evidence, UNTIL_NOW) if found.believed else None
    if found.believed is None or beliefs is None:
        return found.why
    expected = as_gain(beliefs.gain(found.believed.settings), beliefs.blocks)
    return f"{found.why}. {words.probably_better(found.believed.profile, expected, evidence.baseline.profile)}"


def _winner(evidence: Evidence, found: Verdict, trial: Trial) -> Winner:
    """Return the profile that a tuning ends with; `trial` is the one recommended, or what minimising left of it."""
    basis = Basis.BELIEVED if found.believed else None
    return Winner(described(evidence, trial), None, _source(found.winner or found.believed), basis)


def _source(recommended: Trial | None) -> Source:
    if recommended is None:
        return Source.BASELINE
    return Source.KNOWN if recommended.role is Role.KNOWN else Source.FOUND


def _advice(evidence: Evidence, found: Verdict, trial: Trial, shorter: Minimised | None) -> Advice:
    """Return what all blocks together say of the profile that a tuning ends with, and of those beside it."""
    known = found.known
    best_known = Finalist(described(evidence, known), found.gain_of(known)) if known else None
    beliefs = believed(evidence, TELLING)
    if beliefs is None:
        return Advice(best_known, found.over_known)
    told = dict.fromkeys([*found.finalists, *_known(evidence)])
    return Advice(
        best_known,
        found.over_known,
        recommended=tuple(contributions(trial, beliefs, shorter)) if found.winner or found.believed else (),
        minimal=minimal(evidence, trial, beliefs, shorter) if found.winner else None,
        beliefs=tuple(_believed(each, beliefs) for each in told),
    )


def _believed(trial: Trial, beliefs: Beliefs) -> Believed:
    gain = beliefs.gain(trial.settings)
    return Believed(trial.profile, round(gain.mean, DECIMALS), round(gain.sd, DECIMALS))


def _known(evidence: Evidence) -> list[Trial]:
    ledger = evidence.ledger
    return [each for each in ledger.trials if each.role is Role.KNOWN and ledger.tried(each.number)]


def _emitted(evidence: Evidence, found: Verdict, shorter: Minimised | None) -> tuple[Trial, Gain | None]:
    """Return the profile that a tuning ends with, and its own gain over the baseline."""
    winner = found.winner or found.believed or evidence.baseline
    if shorter is None or shorter.best == winner:
        return winner, found.gain_of(winner)
    return shorter.best, shorter.gain_of_best


def _pareto(evidence: Evidence) -> tuple[OnFront, ...] | None:
    return tuple(front_of(evidence)) if evidence.plan.objective.name == "balanced" else None


def compared(evidence: Evidence) -> Trial:
    """Return what the baseline is compared with; raise `UsageError` where that is the baseline."""
    named, baseline = evidence.plan.known[0], evidence.baseline
    other = evidence.ledger.find(named.settings)
    if other is None or other == baseline:
        raise UsageError(f"{named.profile} and {baseline.profile} have the same settings")
    return other


def _compared(evidence: Evidence, ending: Ending) -> CompareAnswer:
    other = compared(evidence)
    found, costs, ended = judge(evidence, other, ending), beside(evidence, other), _sequential(evidence, other)
    everywhere = on_pairs(evidence, other)
    why = _with_costs(costs, found.why, *exceptions(everywhere)) if found.gain_of(other) else found.why
    return CompareAnswer(
        session=evidence.ledger.session,
        verdict=found.answer,
        why=_why(evidence, ". ".join([why, *([words.sequential(ended)] if ended else [])])),
        a=described(evidence, evidence.baseline),
        b=described(evidence, other),
        gain=found.gain_of(other),
        doubts=(*found.doubts, *disturbance.doubts(host(evidence))),
        circumstances=circumstances(evidence),
        time=_time(evidence, ending),
        beside=costs,
        on_pairs=everywhere,
        sequential=ended,
        regression=_regression(evidence, other, found),
    )


def _regression(evidence: Evidence, other: Trial, found: Verdict) -> Regression | None:
    """Return whether a profile still gives what was promised of it, None where nobody asked."""
    promise, gained = evidence.plan.promise, found.gain_of(other)
    if promise is None:
        return None
    outcome = _outcome(evidence, other) if sound(evidence, other) else Condition.ROTTED
    whole = gained and sound(evidence, other)
    why = words.regression(outcome, other.profile, gained, evidence.baseline.profile) if whole and gained else found.why
    return Regression(outcome, promise.ratio, promise.margin, promise.at_least, promise.session, why)


def _outcome(evidence: Evidence, other: Trial) -> Condition:
    gains = evidence.gains.confirmed(evidence.baseline.number, other.number, judged_objective(evidence, other))
    return (Condition.UNDECIDED, Condition.GOOD, Condition.ROTTED)[until_decided.side(evidence.plan, gains)]


def _sequential(evidence: Evidence, other: Trial) -> Sequential | None:
    """Return how a comparison until it is decided ended, None for one of a fixed plan."""
    plan, goal = evidence.plan, judged_objective(evidence, other)
    if not plan.until_decided:
        return None
    gains = evidence.gains.confirmed(evidence.baseline.number, other.number, goal)
    return Sequential(until_decided.decided(plan, gains), len(gains), budget_shares.most_blocks(plan))


def _with_costs(found: Beside, *why: str) -> str:
    return ". ".join(filter(None, (*why, in_verdict(found))))


def _minimised(evidence: Evidence, ending: Ending) -> MinimiseAnswer:
    """Return what was dropped and what the rest is worth; `failed` when no setting could be judged and none dropped."""
    ledger = evidence.ledger
    original = ledger.find(evidence.plan.known[0].settings) or evidence.baseline
    shorter = minimised(evidence, original, evidence.objective, proven=False)
    decision, costs = _decision(shorter), beside(evidence, shorter.profile)
    return MinimiseAnswer(
        session=ledger.session,
        verdict=decision,
        why=_why(evidence, _with_costs(costs, _left(evidence, shorter, decision), _unkept(costs))),
        task=_task(evidence),
        baseline=described(evidence, evidence.baseline),
        known=(described(evidence, original),),
        winner=Winner(described(evidence, shorter.profile), None),
        gain=shorter.gain,
        minimised=_minimisation(shorter),
        trials=ledger.counts(),
        runs=len(ledger.runs),
        circumstances=circumstances(evidence),
        time=_time(evidence, ending),
        beside=costs,
    )


def _decision(shorter: Minimised) -> Decision:
    if shorter.dropped:
        return Decision.MINIMISED
    return Decision.FAILED if all(worth.gain is None for worth in shorter.kept) else Decision.MINIMAL


def _left(evidence: Evidence, shorter: Minimised, decision: Decision) -> str:
    original = shorter.original
    if decision is Decision.FAILED:
        return words.none_judged(original.profile, shorter.kept[0].why)
    kept = words.kept(len(shorter.kept), len(original.settings), original.profile)
    if shorter.gain is None:
        return kept
    return f"{kept}. {words.compared(shorter.profile.profile, shorter.gain, evidence.baseline.profile)}"


def _unkept(found: Beside) -> str:
    return ". ".join(f"Guard {each.sentence}" for each in failing(found.guards or ()))


def _minimisation(shorter: Minimised) -> Minimisation:
    return Minimisation(shorter.original.profile, shorter.kept, shorter.dropped, shorter.cost, shorter.blocks)


def _measured(evidence: Evidence) -> MeasureAnswer:
    none = no_rate_holds(evidence)
    found, during = described(evidence, evidence.baseline), circumstances(evidence)
    waited = words.waited(during.waited_s) if during.waited_s else None
    return MeasureAnswer(found, during, none.why if none else waited, evidence.ledger.session)


def _calibrated(evidence: Evidence) -> CalibrateAnswer:
    return CalibrateAnswer(
        session=evidence.ledger.session,
        profile=evidence.baseline.profile,
        task=_task(evidence),
        calibration=calibration(evidence),
        budgets=of_budgets(evidence),
        circumstances=circumstances(evidence),
    )


def _why(evidence: Evidence, why: str) -> str:
    """Return the reason of a verdict, and what must be said of how it was measured."""
    return "; ".join([why, *remarks(circumstances(evidence), evidence.plan.stack)])


def _task(evidence: Evidence) -> Task:
    plan = evidence.plan
    return Task(plan.stack, plan.objective.name, plan.workloads[0], plan.workloads)


def _time(evidence: Evidence, ending: Ending) -> Time:
    return Time(
        wall_s=ending.spent_s,
        runs_s=round(evidence.ledger.runs_s, 3),
        budget_s=evidence.plan.budget_s,
        runs_by_phase_s=_by_phase(evidence),
        stopped=ending.stopped,
    )


def _by_phase(evidence: Evidence) -> Mapping[Phase, float]:
    runs = evidence.ledger.runs
    return {phase: round(sum(run.wall_s for run in runs if run.phase is phase), 3) for phase in Phase}
