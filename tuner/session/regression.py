"""Is a profile still as good as it was? It is compared again, and held against what a session showed, or against another profile.

Figures of two days are never compared with each other: what a session showed is a ratio to its baseline, measured inside
blocks, and the same ratio is measured again. What it promised is the lower end of its interval: below that, less the
margin, the profile has rotted; above it is still good; an interval that holds it decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tuner.catalogue import places
from tuner.errors import UsageError
from tuner.intake.reference import meant, said_of
from tuner.judging.statistics import Estimate, Gain
from tuner.profiles.profile import Profile
from tuner.records import Kind, StoredSession
from tuner.runs.recipe import Recipe
from tuner.session import conduct
from tuner.session.answer import answers
from tuner.session.answer.answers import Answer, CompareAnswer, MinimiseAnswer, TuneAnswer
from tuner.session.answer.json_form import Json, plain, to_json
from tuner.session.answer.parts import Condition, Decision, Described
from tuner.session.answer.stored import answer_of
from tuner.session.setup import policy, prepare, readback, resumption
from tuner.session.setup.host_changes import Changes, changes
from tuner.session.setup.plan import Contender, Plan, Promise
from tuner.session.setup.request import Request, Setup, Task
from tuner.session.setup.resumption import Named
from tuner.session.workspace import Workspace
from tuner.store import Store
from tuner.store.database import LATEST

_ID: Final = re.compile(rf"{LATEST}|\d{{8}}(?:-.*)?")
"""What names a session and not a profile: an id, or a beginning of one, has its date first."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How strictly a profile is checked, and for how long at most."""

    margin: float = 0.02
    """The share of the promise that the profile may lack."""
    max_s: float = 60.0
    """It ends as soon as it is decided."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a profile is worth now, and what changed since the session that it is held against.

    >>> shown = tuner.compare("default", "latency")
    >>> found = tuner.check_regression("latency", against=shown.session)
    >>> found.outcome.value, found.since.changed
    ('good', ())
    """

    answer: CompareAnswer
    since: Changes | None = None
    """None where it is held against another profile."""
    then: Mapping[str, Estimate] | None = None
    """The metrics of the profile as that session measured them, in other blocks: what is different may be the host."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.answer.session}: {self.outcome or 'not answered'}: {self.why}>"

    @property
    def outcome(self) -> Condition | None:
        """Good, rotted or undecided; None where the session ended before it could say so."""
        return self.answer.regression.outcome if self.answer.regression else None

    @property
    def why(self) -> str:
        """The outcome in words, with its interval."""
        return self.answer.regression.why if self.answer.regression else self.answer.why

    def to_dict(self) -> Json:
        """Return JSON-ready values: the answer of the comparison, and beside it what changed."""
        since = to_json(self.since) if self.since else None
        return self.answer.to_dict() | {"since": since, "then": plain(self.then) if self.then else None}


def check(profile: str, against: str, gate: Gate, task: Task, setup: Setup, at: Workspace) -> Checked:
    """Return whether `profile` is still good, measured on the hosts of a workspace; raise as `conduct.carried_out`.

    `against` is a session (its id, or `latest`), whose task is measured again, or a profile, which it must not be worse than.
    """
    if not 0.0 <= gate.margin < 1.0:
        raise UsageError(f"a margin of {100 * gate.margin:g} % is none", advice="write a share from 0 % to 99 %")
    if _ID.fullmatch(against):
        return _against_session(profile, _session(against, at.existing_store()), gate, (task, setup), at)
    promise = Promise(1.0, gate.margin)
    request = Request(
        Kind.COMPARE, against, profile, gate.max_s, until_decided=True, promise=promise, task=task, setup=setup
    )
    return Checked(_compared(conduct.carried_out(request, at)))


def _session(named: str, store: Store) -> StoredSession:
    """Return the session that is meant; the latest is none that only held a profile against another one."""
    if named != LATEST:
        return store.session(named)
    mine = [row for row in store.readable()[0] if store.is_mine(row) and not row.plan.get("promise")]
    if not mine:
        raise UsageError(
            f"no session of {store.where} could have promised anything", advice="see `tuner sessions list`"
        )
    return mine[-1]


def _compared(found: Answer) -> CompareAnswer:
    if not isinstance(found, CompareAnswer):
        raise TypeError(f"a comparison answered with {type(found).__name__}")
    return found


def _against_session(
    reference: str, row: StoredSession, gate: Gate, asked: tuple[Task, Setup], at: Workspace
) -> Checked:
    task, setup = asked
    _check_task(task, row)
    shown, gained = shown_by(row)
    with places.using(at.data):
        clock = at.clock(gate.max_s)
        stored = Plan.from_dict(row.plan)
        named = meant(reference, stored.stack, at.shelves).profile
        if dict(named.settings) == dict(stored.baseline.settings):
            raise UsageError(
                f"{named.name} has the settings of {stored.baseline.profile}, the baseline of session {row.id}"
            )
        plan = _plan(stored, named, Promise(gained.low, gate.margin, row.id), gate.max_s)
        plan = _on_hosts(plan, named, _named(task, setup), at)
        said = said_of((reference,), plan.stack)
        found = conduct.of_plan(plan, said, clock, at, Named.of(setup))
    answer = _compared(found)
    since = changes(row, at.existing_store().session(answer.session))
    return Checked(answer, since, shown.metrics if dict(shown.settings) == dict(named.settings) else None)


def _check_task(task: Task, row: StoredSession) -> None:
    """Raise `UsageError` where something is asked that the session has said already."""
    if task.objective or task.stack or task.guards or task.workload.keys() - {"recipe"}:
        raise UsageError(
            f"session {row.id} says itself what is measured",
            advice="leave out the stack, the objective and the traffic",
        )


def shown_by(row: StoredSession) -> tuple[Described, Gain]:
    """Return the profile that a session showed to be better than its baseline, and by how much; raise `UsageError` of none."""
    found = answer_of(row)
    described = found.b if isinstance(found, CompareAnswer) else None
    if isinstance(found, TuneAnswer | MinimiseAnswer):
        described = found.winner.described
    gained = answers.gain(found) if found else None
    claimed = answers.decision(found) not in {Decision.NOT_IMPROVED, Decision.FAILED, None} if found else False
    if described is None or gained is None or not claimed or gained.low <= 1.0:
        advice = "name one that found an improvement (`tuner sessions list`), or hold it against a profile: --against default"
        raise UsageError(f"session {row.id} did not show that a profile is better", advice=advice)
    return described, gained


def _plan(stored: Plan, profile: Profile, promise: Promise, max_s: float) -> Plan:
    """Return the plan that measures a profile against a session's baseline, under its traffic."""
    asked = replace(
        stored,
        kind=Kind.COMPARE,
        known=(Contender(profile.name, dict(profile.settings)),),
        start=None,
        fixed={},
        blocks=policy.MOST_BLOCKS,
        until_decided=True,
        promise=promise,
    )
    asked = replace(asked, budget_s=max_s, open_ended=False, warm_start=None, clear_lead=None)
    return replace(asked, guards=(), fitted=(), pairs=())


def _on_hosts(plan: Plan, profile: Profile, named: Named, at: Workspace) -> Plan:
    """Return a plan with what these hosts have; raise `UsageError` where their library would not run the profile as written."""
    if profile.stack != plan.stack:
        raise UsageError(f"{profile.name} is of stack {profile.stack}, and the session of {plan.stack}")
    plan, differs = resumption.on_hosts(plan, (), named, at.pair, any_release=True)
    for line in differs:
        at.note(line)
    why = readback.refusal(plan.stack, profile.settings, plan.release)
    if why:
        advice = f"see `tuner profiles migrate {profile.name} --to {plan.release}`"
        raise UsageError(
            f"{plan.stack} {plan.release or ''} would not run {profile.name} as written: {why}", advice=advice
        )
    prepare.check_decidable(plan)
    return plan


def _named(task: Task, setup: Setup) -> Named:
    recipe = task.workload.get("recipe")
    own = recipe if isinstance(recipe, Recipe) else None
    return Named(setup.program, setup.lib, setup.preload, setup.wait_for_turn, own)
