"""A session in its workspace: a request is prepared and begun, or a stored one gone on with, and then carried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from tuner.catalogue import places
from tuner.errors import Finding, UsageError, doubt_to_json
from tuner.hosts.host import Turn
from tuner.intake.reference import said_of
from tuner.records import State, StoredSession, Trial
from tuner.session import alone, tuning
from tuner.session.answer.answers import Answer
from tuner.session.answer.stored import answer_of
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.pairs import Carrier, Pairs, Seat, Threads
from tuner.session.phases import prior
from tuner.session.setup import (
    fitting,
    many,
    multicast,
    os_sockets,
    preflight,
    prepare,
    readback,
    rehearsal,
    resumption,
    rule_file,
)
from tuner.session.setup.plan import PairPlan, Plan
from tuner.session.setup.request import Request
from tuner.session.setup.resumption import Named
from tuner.session.tuning import Tuning
from tuner.session.workspace import Ongoing, Workspace
from tuner.store import Store


def carried_out(request: Request, at: Workspace) -> Answer:
    """Return the answer of a new session.

    Raise `TunerError` when it cannot begin or fails, and let `KeyboardInterrupt` through; each run that ended is stored.
    """
    with places.using(at.data):
        clock = at.clock(request.budget_s)
        plan = many.plan(request, at.pairs, at.shelves) if at.pairs else prepare.plan(request, at.pair, at.shelves)
        said = said_of((request.profile, request.other), request.task.stack)
        return of_plan(plan, said, clock, at, Named.of(request.setup))


def of_plan(plan: Plan, said: Sequence[Finding], clock: Clock, at: Workspace, named: Named) -> Answer:
    """Return the answer of a new session of a plan; `said` are the reasons for doubt of what it was made of. Raises as `carried_out`."""
    what = f"{plan.kind} {plan.stack}"
    with ExitStack() as turns:
        held = _turns(turns, at, what, clock, wait=named.wait_for_turn)
        session = _begun(plan, said, clock, at)
        for turn in held:
            _name(turn, session)
        with alone.of_session(at.locked_results, session.id), session.store.writing(session.id):
            return _watched(session, at, named)


def gone_on_with(session: str, named: Named, at: Workspace) -> Answer:
    """Return the answer of a stored session, gone on with within what is left of its budget unless it was finished.

    `session` is an id, a beginning that only one id has, or `latest`. What is started is `named`, and never what the
    store says. Raises as `carried_out`.
    """
    with places.using(at.data):
        store = at.existing_store()
        row = store.session(session)
        known = answer_of(row) if row.state is State.DONE else None
        if known:
            return known
        with alone.of_session(at.locked_results, row.id), store.writing(row.id):
            row = store.session(row.id)  # as who had it before has left it
            plan, differs = _on_hosts(Plan.from_dict(row.plan), store.trials(row.id), named, at)
            going_on = _again(row, plan, store, at)
            what = f"session {row.id}"
            with ExitStack() as turns:
                _turns(turns, at, what, going_on.clock, wait=named.wait_for_turn)
                return _watched(going_on, at, named, [*store.moved(row), *differs])


def _turns(turns: ExitStack, at: Workspace, what: str, clock: Clock, *, wait: bool) -> list[Turn | None]:
    """Have the turns of all hosts for as long as the stack lasts."""
    pairs = [each.pair for each in at.pairs] or [at.pair]
    return [turns.enter_context(alone.turn(pair, what, clock, at.note, wait=wait)) for pair in pairs]


def _on_hosts(stored: Plan, trials: Sequence[Trial], named: Named, at: Workspace) -> tuple[Plan, list[str]]:
    """Return a stored plan on the hosts of a workspace, and in what it differs there."""
    resumption.check_pairs(stored, [each.name for each in at.pairs])
    if not stored.pairs:
        return resumption.on_hosts(stored, trials, named, at.pair)
    plans = {each.name: stored.of_pair(each) for each in stored.pairs}
    found = many.on_each(at.pairs, lambda each: resumption.on_hosts(plans[each.name], trials, named, each.pair))
    kinds = {each.name: each.kind for each in stored.pairs}
    own = zip(at.pairs, found, strict=True)
    pairs = tuple(replace(PairPlan.of(each.name, plan), kind=kinds[each.name]) for each, (plan, _) in own)
    differs = [f"pair {each.name}: {line}" for each, (_, lines) in zip(at.pairs, found, strict=True) for line in lines]
    return replace(found[0][0], pairs=pairs), differs


def _name(turn: Turn | None, session: Ongoing) -> None:
    if turn:
        turn.say(f"session {session.id}")


def _begun(plan: Plan, said: Sequence[Finding], clock: Clock, at: Workspace) -> Ongoing:
    """Return a new session, of which nothing is measured yet."""
    if any(each.recipe for each in plan.workloads):
        plan = rehearsal.rehearsed(plan, prepare.rig(plan, at.pair))
        prepare.check_budget(plan.kind, plan.budget_s, plan.objective, plan.workloads, fast_start=plan.fast_start)
        prepare.check_decidable(plan)
    store = at.store()
    began_s = clock.now()
    facts = _facts(plan, at, said)
    plan = many.with_kinds(plan, facts)
    clock.hold(clock.now() - began_s)  # a look at the host takes half a second, which would be a run less
    plan = prior.with_prior_sessions(store, plan, facts, at.note)
    return Ongoing(tuning.begin(store, plan, facts), plan, store, clock)


def _again(row: StoredSession, plan: Plan, store: Store, at: Workspace) -> Ongoing:
    """Return a stored session with what is left of its budget; raise `UsageError` when that is nothing to go on with."""
    if row.spent_s >= plan.budget_s and not store.runs(row.id):
        raise UsageError(f"session {row.id} has used its budget and measured nothing", advice="start a new one")
    return Ongoing(row.id, plan, store, at.clock(plan.budget_s, row.spent_s))


def _facts(plan: Plan, at: Workspace, said: Sequence[Finding]) -> dict[str, object]:
    """Return what the hosts are, and the reasons for doubt: their own, the rule file, the release, what was `said` of files."""
    found = _facts_of_pairs(plan, at) if at.pairs else preflight.facts_of(plan, at.pair)
    hanging = preflight.hangs(plan.stack, plan.release, str(found.get("system", "")))
    of_release = (*readback.doubts(plan.stack, plan.release), *fitting.doubts(plan), *hanging)
    ours = (*rule_file.doubts(plan), *of_release, *os_sockets.doubts(plan), *multicast.doubts(plan), *said)
    return {**found, "doubts": [*found["doubts"], *map(doubt_to_json, ours)]}


def _facts_of_pairs(plan: Plan, at: Workspace) -> Mapping[str, Any]:
    """Return the facts of the first pair, and in `pairs` those of each by its name; doubts are of all of them."""
    plans = {each.name: plan.of_pair(each) for each in plan.pairs}
    found = many.on_each(at.pairs, lambda each: preflight.facts_of(plans[each.name], each.pair))
    rows = {each.name: dict(facts) for each, facts in zip(at.pairs, found, strict=True)}
    doubts = [
        {**doubt, "what": f"pair {name}: {doubt['what']}"} for name, row in rows.items() for doubt in row.pop("doubts")
    ]
    return {**next(iter(rows.values())), "doubts": doubts, "pairs": rows}


def _carrier(session: Ongoing, at: Workspace, named: Named) -> Carrier:
    """Return what carries blocks to pairs: threads of this process, or tasks of the cluster that was named."""
    plan, hosts = session.plan, {each.name: each.pair for each in at.pairs}
    if at.cluster is None:
        return Threads({each.name: prepare.rig(plan.of_pair(each), hosts[each.name]) for each in plan.pairs})
    from tuner.session.measuring.clustered import Clustered, There

    there = {
        each.name: There(hosts[each.name].server.name, hosts[each.name].client.name, plan.of_pair(each), named)
        for each in plan.pairs
    }
    return Clustered(at.cluster, session.id, there)


@contextmanager
def _carried(session: Ongoing, at: Workspace, named: Named) -> Iterator[Pairs | None]:
    """Yield the pairs of a plan with what carries blocks to them, None where there is one pair."""
    plan = session.plan
    if not plan.pairs:
        yield None
        return
    carrier = _carrier(session, at, named)
    try:
        yield Pairs(carrier, {each.name: tuple(map(Seat.of, each.workloads)) for each in plan.pairs})
    finally:
        carrier.close()


def _watched(session: Ongoing, at: Workspace, named: Named, differs: Sequence[str] = ()) -> Answer:
    with at.watch(session) as progress:
        session.store.tell(progress.note, session.clock.hold)
        for line in differs:
            progress.note(line)
        rig = prepare.rig(session.plan, at.pair)
        with _carried(session, at, named) as pairs:
            made = Tuning(session.store, at.results, rig, progress, pairs)
            return tuning.carry_out(made, session.plan, session.id, session.clock)
