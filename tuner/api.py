"""All that this program does, as functions: the commands call them, and so can you (`docs/api.md`).

Each carries out one session and returns the record of its kind. What it needs of the world is a `Workspace`: the host,
the results folder, the database, the folders of profiles, and who watches; nothing is read from the environment, and
nothing is kept between calls. All raise `UsageError` for a request that cannot be done as asked, `MissingTool` for a
program or library that is not there, `BaselineFailed` and `StoreError`; all of them are `TunerError`. Where a session
is interrupted (`KeyboardInterrupt`), every run that ended is in the store, and `resume` goes on.
"""

from __future__ import annotations

from typing import Final, TypeVar

from tuner.catalogue import facts, places
from tuner.profiles.profile import DEFAULT
from tuner.records import Kind
from tuner.session import conduct, recommendation, regression
from tuner.session import history as found_in
from tuner.session.answer.answers import (
    Answer,
    CalibrateAnswer,
    CompareAnswer,
    MeasureAnswer,
    MinimiseAnswer,
    TuneAnswer,
)
from tuner.session.history import History, Wanted
from tuner.session.recommendation import Recommendation
from tuner.session.regression import Checked, Gate
from tuner.session.setup.fitness import Fitness, Needs, fitness
from tuner.session.setup.request import UNLIMITED_S, Request, Search, Setup, Task
from tuner.session.setup.resumption import Named
from tuner.session.workspace import Workspace
from tuner.store import Store

_Found = TypeVar("_Found", TuneAnswer, CompareAnswer, MinimiseAnswer, MeasureAnswer, CalibrateAnswer)
_TASK: Final = Task()
_SEARCH: Final = Search()
_SETUP: Final = Setup()
_NAMED: Final = Named()
_GATE: Final = Gate()


def tune(
    profile: str | None = None,
    *,
    budget_s: float | None = None,
    task: Task = _TASK,
    search: Search = _SEARCH,
    setup: Setup = _SETUP,
    at: Workspace | None = None,
) -> TuneAnswer:
    """Find the best profile for a host and a workload, starting from `profile`, and prove that it is better.

    Without a budget it takes a minute, and then as long as another minute is expected to bring more than 1 %.
    """
    first_s, endless = Request(Kind.TUNE).budget_s if budget_s is None else budget_s, budget_s is None
    request = Request(Kind.TUNE, profile, budget_s=first_s, open_ended=endless, task=task, search=search, setup=setup)
    return _answer(TuneAnswer, request, at)


def compare(
    a: str,
    b: str,
    *,
    budget_s: float = 30.0,
    task: Task = _TASK,
    setup: Setup = _SETUP,
    at: Workspace | None = None,
) -> CompareAnswer:
    """Say how many times better profile `b` is than `a`, with an interval."""
    return _answer(CompareAnswer, Request(Kind.COMPARE, a, b, budget_s, task=task, setup=setup), at)


def compare_until_decided(
    a: str,
    b: str,
    *,
    max_s: float = 600.0,
    task: Task = _TASK,
    setup: Setup = _SETUP,
    at: Workspace | None = None,
) -> CompareAnswer:
    """Compare as `compare` does, but end as soon as it is decided, after `max_s` at most; the interval allows for that."""
    request = Request(Kind.COMPARE, a, b, max_s, until_decided=True, task=task, setup=setup)
    return _answer(CompareAnswer, request, at)


def check_regression(
    profile: str,
    against: str,
    *,
    gate: Gate = _GATE,
    task: Task = _TASK,
    setup: Setup = _SETUP,
    at: Workspace | None = None,
) -> Checked:
    """Say whether a profile still gives what a session showed of it, or is no worse than another profile.

    `against` is a session's id (or `latest`), whose traffic and objective are then measured again, or a profile.
    """
    return regression.check(profile, against, gate, task, setup, at or Workspace())


def measure(
    profile: str = DEFAULT,
    *,
    runs: int = 5,
    task: Task = _TASK,
    setup: Setup = _SETUP,
    at: Workspace | None = None,
) -> MeasureAnswer:
    """Measure one profile so many times, each with fresh processes; with a limit as objective, search for its rate."""
    request = Request(Kind.MEASURE, profile, budget_s=UNLIMITED_S, blocks=runs, task=task, setup=setup)
    return _answer(MeasureAnswer, request, at)


def minimise(
    profile: str,
    *,
    baseline: str = DEFAULT,
    budget_s: float = 60.0,
    task: Task = _TASK,
    setup: Setup = _SETUP,
    at: Workspace | None = None,
) -> MinimiseAnswer:
    """Leave out of a profile the settings that are not shown to help, and say what each of the others is worth."""
    search = Search(baseline=baseline)
    request = Request(Kind.MINIMISE, profile, budget_s=budget_s, task=task, search=search, setup=setup)
    return _answer(MinimiseAnswer, request, at)


def calibrate(
    profile: str = DEFAULT,
    *,
    runs: int = 12,
    task: Task = _TASK,
    setup: Setup = _SETUP,
    at: Workspace | None = None,
) -> CalibrateAnswer:
    """Measure one profile against itself, in pairs of runs: how far runs differ, and what budgets can detect."""
    request = Request(Kind.CALIBRATE, profile, budget_s=UNLIMITED_S, blocks=(runs + 1) // 2, task=task, setup=setup)
    return _answer(CalibrateAnswer, request, at)


def check(
    profile: str = DEFAULT,
    *,
    stack: str = facts.DEFAULT,
    rings: int = 1,
    setup: Setup = _SETUP,
    recipe: object = None,
    at: Workspace | None = None,
) -> Fitness:
    """Say what a host has of all that a session needs, without measuring; `rings` are those that the program will have."""
    where = at or Workspace()
    with places.using(where.data):
        return fitness(Needs(profile, stack, rings, setup, recipe), where.host, where.shelves, where.results)


def history(
    profile: str | None = None,
    *,
    metric: str | None = None,
    stack: str | None = None,
    all_hosts: bool = False,
    at: Workspace | None = None,
) -> History:
    """Return a figure of a profile over the stored sessions that measured it alike, and where it became another one.

    Raise `UsageError` where there is no store, or no session of that profile and metric.
    """
    where = at or Workspace()
    with places.using(where.data):
        wanted = found_in.wanted(profile, Wanted(None, stack, metric, all_hosts), where.shelves)
    return found_in.history(Store.reading(where.results), wanted)


def recommend(*, task: Task = _TASK, baseline: str = DEFAULT, at: Workspace | None = None) -> Recommendation:
    """Say what the stored sessions of all hosts recommend for a host, without measuring; no claim about it.

    Raise `UsageError` where there is no store, or no session could have been asked so.
    """
    where = at or Workspace()
    with places.using(where.data):
        return recommendation.for_host(task, baseline, where)


def resume(session: str = "latest", *, named: Named = _NAMED, at: Workspace | None = None) -> Answer:
    """Go on with an interrupted session within what is left of its budget; a finished one answers as it did.

    Programs and libraries are those of this host, or `named`: a store may be anybody's, and starts nothing.
    """
    return conduct.gone_on_with(session, named, at or Workspace())


def _answer(record: type[_Found], request: Request, at: Workspace | None) -> _Found:
    """Return the answer of a new session, which is the record of its kind."""
    found = conduct.carried_out(request, at or Workspace())
    if not isinstance(found, record):
        raise TypeError(f"a session of kind {request.kind} answered with {type(found).__name__}")
    return found
