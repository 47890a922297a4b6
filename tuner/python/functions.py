"""What the commands do, as functions: each option of a command is a keyword argument of its name.

A function answers with the record of its kind, prints nothing and never ends the process. Errors are `TunerError`, with the
sentences of the command line. The first Ctrl-C ends a session early: the answer is that of what was measured, and its
`time.stopped` says so; a second one raises `KeyboardInterrupt`, and every run that ended is stored for `resume`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast, get_type_hints

from tuner import api, database_url
from tuner.catalogue import facts
from tuner.errors import UsageError
from tuner.profiles.profile import DEFAULT
from tuner.python import options
from tuner.python.options import (
    FurtherTrafficOptions,
    GuardOptions,
    ProgramOptions,
    RecipeOptions,
    SearchOptions,
    SetupOptions,
    TaskOptions,
    TrafficOptions,
)
from tuner.python.watching import Callback, Event, What, kept, watched_by
from tuner.runs.recipe import Recipe
from tuner.session.answer.answers import (
    Answer,
    CalibrateAnswer,
    CompareAnswer,
    MeasureAnswer,
    MinimiseAnswer,
    TuneAnswer,
)
from tuner.session.history import History
from tuner.session.recommendation import Recommendation
from tuner.session.regression import Checked, Gate
from tuner.session.setup.fitness import Fitness
from tuner.session.setup.request import Setup, Task
from tuner.session.setup.resumption import Named
from tuner.session.workspace import Workspace


class StoreOptions(TypedDict, total=False):
    """Where sessions are stored."""

    results: str | Path | None
    """Folder of the reports and, without `store`, of the database."""
    store: str | None
    """Database that many hosts share: `postgresql+psycopg://USER@HOST/NAME`, or `sqlite:///FILE`."""
    at: Workspace | None
    """Everything else that sessions are carried out with; `results` and the like replace what it says."""


class EndsOptions(StoreOptions, total=False):
    """Between which two ends a session happens, and who watches it."""

    server: str | None
    """Host of the server, by ssh: `ssh://[USER@]HOST[:PORT]`; None or `local` for this machine."""
    client: str | None
    """Host of the client, likewise."""
    progress: Callback | None
    """Called with an `Event` of each phase and run."""


class PlaceOptions(EndsOptions, total=False):
    """Where a session happens: at two ends, or on many pairs of hosts."""

    pairs: str | Path | None
    """Measure on all pairs of hosts that this TOML file names, at once, instead of `server` and `client`."""
    cluster: str | None
    """With `pairs`: let the workers of this Dask scheduler measure, `tcp://HOST:8786` or `tls://HOST:8786`."""
    cluster_ca: str | Path | None
    """TLS: the file that says whom to trust."""
    cluster_cert: str | Path | None
    """TLS: this program's certificate."""
    cluster_key: str | Path | None
    """TLS: the key of that certificate."""


class WorkloadOptions(TrafficOptions, FurtherTrafficOptions, RecipeOptions, total=False):
    """What is measured."""


class MeasureOptions(TaskOptions, WorkloadOptions, SetupOptions, PlaceOptions, total=False):
    """The options of `tuner measure`."""


class CompareOptions(MeasureOptions, GuardOptions, total=False):
    """The options of `tuner compare`."""


class UntilOptions(CompareOptions, total=False):
    """The options of `tuner compare`, with when it ends."""

    until: str | None
    """`decided`: end as soon as it is, in place of a fixed `budget`."""
    max: str | float | None
    """The longest that `until="decided"` may take; 10m if left out."""


class TuneOptions(CompareOptions, SearchOptions, total=False):
    """The options of `tuner tune`."""


class RegressionOptions(TaskOptions, WorkloadOptions, SetupOptions, EndsOptions, total=False):
    """The options of `tuner check-regression`."""


class CheckOptions(SetupOptions, RecipeOptions, StoreOptions, total=False):
    """The options of `tuner check` that are of one host."""


class RecommendOptions(TaskOptions, WorkloadOptions, StoreOptions, total=False):
    """The options of `tuner recommend`."""


class ResumeOptions(ProgramOptions, RecipeOptions, PlaceOptions, total=False):
    """The options of `tuner sessions resume`."""


@options.called(TuneOptions)
def tune(
    profile: str | Path | None = None, *, budget: str | float | None = None, **given: Unpack[TuneOptions]
) -> TuneAnswer:
    """Find the best profile for a host and a workload, starting from `profile`, and prove that it is better.

    `budget` is wall time: seconds, or text such as `90s`, `10m`, `1h`. Without one it takes a minute, and then as long as
    another minute is expected to bring more than 1 %. The options are those of `tuner tune`.

    >>> answer = tuner.tune("latency", stack="kernel", budget="60s", seed=1)
    >>> answer.verdict.value, answer.gain.low > 1.0
    ('improved', True)
    >>> answer.winner.settings["XLIO_RX_POLL"]
    '-1'
    """
    with _place(given) as at:
        return api.tune(
            _reference(profile),
            budget_s=None if budget is None else options.span_s(budget),
            task=_task(given),
            search=options.search(cast("SearchOptions", _of(given, SearchOptions))),
            setup=_setup(given),
            at=at,
        )


@options.called(UntilOptions)
def compare(
    a: str | Path | None = None,
    b: str | Path | None = None,
    *,
    budget: str | float | None = None,
    **given: Unpack[UntilOptions],
) -> CompareAnswer:
    """Say how many times better profile `b` is than `a`, with an interval. The options are those of `tuner compare`.

    `budget` is wall time, 30 s where it is left out. With `until="decided"` the comparison ends as soon as it is decided, after
    `max` at most. With `other_cmd` two commands are compared in place of profiles.

    >>> answer = tuner.compare("default", "latency", budget="30s")
    >>> answer.verdict.value, answer.gain.blocks >= 6
    ('improved', True)
    """
    until, task = given.get("until"), _task(given)
    budget_s = budget_of(budget, until, given.get("max"))
    first, second = two(_reference(a), _reference(b), task.workload.get("recipe"))
    with _place(given) as at:
        if until is None:
            return api.compare(first, second, budget_s=budget_s, task=task, setup=_setup(given), at=at)
        return api.compare_until_decided(first, second, max_s=budget_s, task=task, setup=_setup(given), at=at)


@options.called(MeasureOptions)
def measure(profile: str | Path = DEFAULT, *, runs: int = 5, **given: Unpack[MeasureOptions]) -> MeasureAnswer:
    """Measure one profile so many times, each with fresh processes. The options are those of `tuner measure`.

    With a limit as objective, each measurement is a search for the highest rate that meets it.

    >>> answer = tuner.measure("latency", runs=5)
    >>> answer.metrics["latency_p99_us"].count
    5
    """
    with _place(given) as at:
        return api.measure(
            str(profile), runs=options.at_least(1, runs, "runs"), task=_task(given), setup=_setup(given), at=at
        )


@options.called(CompareOptions)
def minimise(
    profile: str | Path, *, budget: str | float = "60s", baseline: str = DEFAULT, **given: Unpack[CompareOptions]
) -> MinimiseAnswer:
    """Leave out of a profile the settings that are not shown to help, and say what each of the others is worth.

    The options are those of `tuner minimise`.

    >>> answer = tuner.minimise("latency", budget="60s")
    >>> [each.name for each in answer.minimised.kept]
    ['XLIO_RX_POLL']
    """
    with _place(given) as at:
        return api.minimise(
            str(profile),
            baseline=baseline,
            budget_s=options.span_s(budget),
            task=_task(given),
            setup=_setup(given),
            at=at,
        )


@options.called(MeasureOptions)
def calibrate(profile: str | Path = DEFAULT, *, runs: int = 12, **given: Unpack[MeasureOptions]) -> CalibrateAnswer:
    """Measure one profile against itself, in pairs of runs: how far runs differ, and what budgets can detect.

    The options are those of `tuner check --noise`.

    >>> answer = tuner.calibrate(runs=12)
    >>> len(answer.budgets)
    3
    """
    with _place(given) as at:
        return api.calibrate(
            str(profile), runs=options.at_least(4, runs, "runs"), task=_task(given), setup=_setup(given), at=at
        )


@options.called(CheckOptions)
def check(
    profile: str | Path = DEFAULT, *, stack: str = facts.DEFAULT, rings: int = 1, **given: Unpack[CheckOptions]
) -> Fitness:
    """Say what this host has of all that a session needs, without measuring; `rings` are those that the program will have.

    >>> found = tuner.check("latency")
    >>> [each.part for each in found.parts][-2:]
    ['CPUs', 'results']
    """
    with _place(given) as at:
        return api.check(
            str(profile), stack=stack, rings=rings, setup=_setup(given), recipe=_traffic(given).get("recipe"), at=at
        )


@options.called(RegressionOptions)
def check_regression(
    profile: str | Path,
    *,
    against: str | Path,
    margin: str | float = "2%",
    max: str | float = "60s",  # noqa: A002 - the name of the option
    **given: Unpack[RegressionOptions],
) -> Checked:
    """Say whether a profile still gives what a session showed of it, less a margin; `against` is the session, or a profile.

    `margin` is text such as `2%`, or a share such as 0.02. It ends as soon as that is decided, after `max` at most. The options are
    those of `tuner check-regression`; against a session the stack, the objective and the traffic are the session's.

    >>> shown = tuner.compare("default", "latency", budget="30s")
    >>> found = tuner.check_regression("latency", against=shown.session, margin="5%")
    >>> found.outcome.value
    'good'
    """
    gate = Gate(options.share(margin, "margin"), options.span_s(max, "max"))
    with _place(given) as at:
        return api.check_regression(
            str(profile), str(against), gate=gate, task=_task(given), setup=_setup(given), at=at
        )


@options.called(StoreOptions)
def history(
    profile: str | Path | None = None,
    *,
    metric: str | None = None,
    stack: str | None = None,
    all_hosts: bool = False,
    **given: Unpack[StoreOptions],
) -> History:
    """Return one figure of a profile over all sessions that measured it alike, and where it became another one.

    `profile` is the one that most sessions measured where it is left out, and `metric` the first that they judged. Nothing is
    measured. Raise `UsageError` where there is no store, or no session of that profile and metric.

    >>> for day in range(3):
    ...     answer = tuner.measure("latency", runs=6)
    >>> found = tuner.history("latency", metric="latency_p99_us")
    >>> len(found.points), found.changes
    (3, ())
    """
    with _place(given) as at:
        return api.history(
            None if profile is None else str(profile), metric=metric, stack=stack, all_hosts=all_hosts, at=at
        )


@options.called(RecommendOptions)
def recommend(*, baseline: str = DEFAULT, **given: Unpack[RecommendOptions]) -> Recommendation:
    """Say what the stored sessions of all hosts recommend for this host, without measuring. The options are those of the command.

    >>> answer = tuner.tune("latency", budget="60s")
    >>> found = tuner.recommend()
    >>> found.chosen.session == answer.session
    True
    """
    with _place(given) as at:
        return api.recommend(task=_task(given), baseline=baseline, at=at)


@options.called(ResumeOptions)
def resume(session: str = "latest", **given: Unpack[ResumeOptions]) -> Answer:
    """Go on with an interrupted session within what is left of its budget; a finished one answers as it did.

    Programs and libraries are those of this host, or named again: a store may be anybody's, and starts nothing.

    >>> answer = tuner.compare("default", "latency")
    >>> tuner.resume(answer.session).to_dict() == answer.to_dict()
    True
    """
    setup, recipe = _setup(given), _traffic(given).get("recipe")
    again = recipe if isinstance(recipe, Recipe) else None
    with _place(given) as at:
        named = Named(setup.program, setup.lib, setup.preload, setup.wait_for_turn, again)
        return api.resume(session, named=named, at=at)


def two(a: str | None, b: str | None, recipe: object) -> tuple[str, str]:
    """Return the profiles that are compared; of a recipe with two commands none is named.

    Raise `UsageError` where one is missing.
    """
    if a is not None and b is not None:
        return a, b
    if a is None and getattr(recipe, "other", None):
        return DEFAULT, DEFAULT
    raise UsageError("two profiles are needed", advice="tuner compare A B; `tuner profiles list` has their names")


def budget_of(budget: str | float | None, until: str | None, most: str | float | None) -> float:
    """Return the most seconds that a comparison takes; raise `UsageError` for options that contradict each other."""
    if until not in {None, options.UNTIL}:
        raise UsageError(f"--until {until!r} is nothing to wait for", advice=f"write --until {options.UNTIL}")
    if until is None and most is not None:
        raise UsageError(
            "--max is the longest that --until decided may take", advice=f"add --until {options.UNTIL}, or use --budget"
        )
    if until is not None and budget is not None:
        raise UsageError("--until decided has no fixed --budget", advice="use --max for the longest that it may take")
    given = (budget, "30s", "budget") if until is None else (most, "10m", "--max")
    return options.span_s(given[1] if given[0] is None else given[0], given[2])


def workspace(given: StoreOptions) -> Workspace:
    """Return the workspace that store options mean; raise `UsageError` for a store of no kind that is known."""
    at = given.get("at") or Workspace()
    folder, store = given.get("results"), given.get("store")
    at = replace(at, folder=Path(folder)) if folder else at
    return replace(at, database=database_url.checked(store)) if store else at


def _of(given: Mapping[str, object], declared: type) -> dict[str, object]:
    """Return those of the arguments that a group of options declares."""
    return {name: value for name, value in given.items() if name in _names(declared)}


def _names(declared: type) -> frozenset[str]:
    return frozenset(get_type_hints(declared))


def _reference(profile: str | Path | None) -> str | None:
    return None if profile is None else str(profile)


def _task(given: Mapping[str, object]) -> Task:
    guard = cast("GuardOptions", _of(given, GuardOptions)).get("guard", ())
    return options.task(cast("TaskOptions", _of(given, TaskOptions)), _traffic(given), guard)


def _setup(given: Mapping[str, object]) -> Setup:
    return options.setup(cast("SetupOptions", _of(given, SetupOptions)))


def _traffic(given: Mapping[str, object]) -> dict[str, object]:
    plain = _of(given, TrafficOptions) | _of(given, FurtherTrafficOptions)
    return options.workload(plain) | options.recipe(cast("RecipeOptions", _of(given, RecipeOptions)))


@contextmanager
def _place(given: Mapping[str, Any]) -> Iterator[Workspace]:
    """Give the workspace that is meant, with its hosts connected, and who calls told of what happens there."""
    at = workspace(cast("StoreOptions", given))
    tell: Callback | None = given.get("progress")
    at = replace(at, watch=watched_by(tell) if tell else kept(at.watch))
    at = replace(at, note=_noted(tell)) if tell else at
    with ExitStack() as connections:
        yield _connected(at, given, connections)


def _noted(tell: Callback) -> Callable[[str], None]:
    return lambda line: tell(Event(What.NOTE, line))


def _connected(at: Workspace, given: Mapping[str, Any], connections: ExitStack) -> Workspace:
    """Return a workspace on the hosts that were named; ssh is the user's own, with the environment of this process."""
    server, client, pairs, cluster = (given.get(name) for name in ("server", "client", "pairs", "cluster"))
    if server is None and client is None and pairs is None and cluster is None:
        return at
    from tuner.python import hosts

    found = hosts.named(server, client, Path(pairs) if pairs else None)
    files = tuple(
        Path(given[name]) if given.get(name) else None for name in ("cluster_ca", "cluster_cert", "cluster_key")
    )
    workers = None if cluster is None else hosts.cluster(cluster, files, found)
    return hosts.Connecting(at.host, os.environ, connections).on(found, at, workers)
