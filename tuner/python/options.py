"""The options of the commands as keyword arguments: their names, their types, and the records that they become.

The command line hands its options to the same functions, so that an option means one thing.
"""

from __future__ import annotations

import functools
import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, ParamSpec, TypedDict, TypeVar, get_args, get_origin, get_type_hints

from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.runs.chosen import BENCHMARK
from tuner.runs.launch import Loading
from tuner.runs.recipe import Recipe
from tuner.runs.workload import MAX_RATE
from tuner.session.measuring.clock import seconds
from tuner.session.setup.request import Search, Setup, Task
from tuner.stacks.onload.naming import naming

P = ParamSpec("P")
R = TypeVar("R")


class TrafficOptions(TypedDict, total=False):
    """What the benchmark is asked to do; what is not said is the objective's matter."""

    mode: str | None
    """ping-pong, under-load, throughput or playback."""
    protocol: str | None
    """tcp or udp."""
    message_bytes: int | None
    """Payload of a message."""
    rate: int | str | None
    """Messages per second that the client sends, or `max`."""
    burst: int | None
    """Messages sent at once."""
    reply_every: int | None
    """Under load: reply to every Nth."""
    duration: int | None
    """Seconds of one run's test."""
    multiplexer: str | None
    """recvfrom, select, poll or epoll."""
    connections: int | None
    """Sockets between client and server."""
    server_threads: int | None
    """Threads that share the sockets."""
    playback: str | Path | None
    """File of send times and sizes."""
    address: str | None
    """The server's address on the measured network, or a multicast group."""
    server_cpus: str | None
    """CPUs of the server, such as `2-3`."""
    client_cpus: str | None
    """CPUs of the client."""


class FurtherTrafficOptions(TypedDict, total=False):
    """What goes beyond one connection between two ends: multicast, sockets, and sockperf's own arguments."""

    receivers: int | None
    """Receivers of the multicast group at `address`."""
    mc_rx_if: str | None
    """Interface on which receivers join; one, or one for each."""
    mc_tx_if: str | None
    """Interface on which the client sends."""
    mc_ttl: int | None
    """Hops that multicast messages live."""
    mc_loopback: bool | None
    """Whether this machine hears what it sends to a group."""
    feed: str | Path | None
    """File of connections: `U:ADDRESS:PORT` or `T:…` a line."""
    client_address: str | None
    """Address that the client binds to."""
    client_port: int | None
    """Port that the client binds to."""
    sender_affinity: str | None
    """CPUs of the client's sending thread."""
    receiver_affinity: str | None
    """CPUs of the client's receiving thread."""
    nonblocked: bool
    """Sockets that do not block."""
    tcp_avoid_nodelay: bool
    """Turn Nagle's algorithm over."""
    full_rtt: bool
    """Latencies are round trips, not halves of them."""
    range: int | None
    """Message sizes differ at random by up to so many bytes."""
    sockperf_args: str | None
    """Further arguments for sockperf, quoted as a shell does."""


class RecipeOptions(TypedDict, total=False):
    """A workload that is somebody's own commands."""

    workload: str | Path | Recipe | None
    """A recipe: its name, its file, itself; or `command` for `client_cmd`."""
    server_cmd: str | None
    """The server's command."""
    client_cmd: str | None
    """The client's command. No shell reads it."""
    other_cmd: str | None
    """compare: a command in place of the client's, instead of profiles."""
    metric: Sequence[str] | Mapping[str, str]
    """Numbers that the client prints, by name: a regular expression whose first group is the number."""
    ready: str | None
    """What the server prints when it is ready."""
    trust: bool
    """Start what the recipe's file says. Read it first: it starts programs."""


class TaskOptions(TypedDict, total=False):
    """What is judged."""

    stack: str | None
    """The stack; else the profile's, or kernel."""
    objective: str | None
    """latency, tail, throughput, balanced, or a limit such as `max rate where p99 < 50us`; of a recipe `max METRIC`."""
    seed: int
    """Makes the order of runs and the proposals reproducible."""


class GuardOptions(TypedDict, total=False):
    """What must be kept."""

    guard: str | Sequence[str]
    """Recommend nothing that breaks this: `p99.9 < 1.1x` or `memory < 500MB`."""


class SearchOptions(TypedDict, total=False):
    """How a better profile is looked for."""

    baseline: str
    """Profile that the answer is compared with."""
    space: str
    """Search only these: `NAME, NAME=a|b, NAME=lo..hi`."""
    optimizer: str
    """skopt, random, grid, optuna, or one of an installed package."""
    warm_start: bool
    """Use the results of earlier sessions like this one as a starting point."""


class ProgramOptions(TypedDict, total=False):
    """The programs and libraries of a run."""

    sockperf: str | Path
    """The sockperf program."""
    lib: str | Path | None
    """The stack's library, instead of the loader's."""
    preload: Sequence[str | Path]
    """Further libraries, behind the stack's."""
    no_wait: bool
    """Refuse (`Busy`) instead of waiting while another session measures here."""


class SetupOptions(ProgramOptions, total=False):
    """What the runs are made with."""

    fast_start: bool
    """Leave out sockperf's fixed 2 s sleep before each test."""
    load: str
    """preload, or dlopen: sockperf opens the library itself."""
    conf: str | Path | None
    """Offload rules for both ends."""
    allow_os_sockets: bool
    """Also measure sockets that the stack leaves to the operating system, and say so."""
    wait_for_calm: str | float
    """Hold blocks back while the host is disturbed, so long in all (`10m`, or seconds)."""
    server_profile: str | None
    """The server always runs with this one."""
    stackname: str | None
    """Onload: name the stack before the program's first socket."""
    stackname_scope: str
    """thread, process, user, global or nochange."""
    stackname_who: str
    """this_thread or all_threads."""


UNTIL: Final = "decided"
"""What a comparison can go on until."""
_FIELDS: Final = {"rate": "rate_mps", "duration": "duration_s", "range": "range_bytes", "sockperf_args": "further_args"}
"""The fields of a workload that are called otherwise than their options."""
_FILES: Final = ("playback", "feed")
_WHERE_SET: Final = ("nonblocked", "tcp_avoid_nodelay", "full_rtt")
"""Switches that stay the objective's matter where they are not set."""
_KINDS: Final[Mapping[Any, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    Sequence: "a list",
    Mapping: "a mapping",
    Recipe: "a recipe",
    Callable: "a function",
    NoneType: "None",
}


def called(declared: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give a function the options that a `TypedDict` declares: in `help`, and checked before it is called.

    It raises `UsageError` with every argument that nothing is called by, or that is of another type.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        own = [each for each in signature(function).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]

        @functools.wraps(function)
        def checked(*positional: P.args, **given: P.kwargs) -> R:
            names = (each.name for each in own)
            _check(function, declared, {**dict(zip(names, positional, strict=False)), **given})
            return function(*positional, **given)

        added = (
            Parameter(name, Parameter.KEYWORD_ONLY, default=_UNSAID, annotation=kind)
            for name, kind in declared_in(declared).items()
        )
        checked.__signature__ = signature(function).replace(parameters=[*own, *added])  # type: ignore[attr-defined] # what `help` reads
        return checked

    return decorate


def declared_in(options: type) -> dict[str, str]:
    """Return the options that a `TypedDict` declares with their types as they are written, those of its bases first."""
    return {name: kind.__forward_arg__ for name, kind in options.__annotations__.items()}


class _Unsaid:
    """The default of an option that is the objective's, the stack's or the command's."""

    def __repr__(self) -> str:
        return "…"


_UNSAID: Final = _Unsaid()


def _check(function: Callable[..., object], declared: type, given: Mapping[str, object]) -> None:
    known = get_type_hints(function) | get_type_hints(declared)
    known = {name: kind for name, kind in known.items() if name not in {"given", "return"}}
    if findings := [found for name, value in given.items() for found in _argument_problems(name, value, known)]:
        of = f"tuner.{function.__name__}"
        raise UsageError(f"{of} cannot be called so", findings=findings, advice=f"see help({of})")


def _argument_problems(name: str, value: object, known: Mapping[str, Any]) -> Iterator[Finding]:
    if name not in known:
        yield error(name, "is not an option", did_you_mean(name, known))
    elif not any(_is_of(value, kind) for kind in _alternatives(known[name])):
        plain = [get_origin(kind) or kind for kind in _alternatives(known[name])]
        yield error(name, f"{value!r} is not {' or '.join(_KINDS.get(kind, kind.__name__) for kind in plain)}")


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _is_of(value: object, kind: Any) -> bool:
    if kind in {int, float}:
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    plain = get_origin(kind) or kind
    return isinstance(value, plain) and not (plain is Sequence and isinstance(value, str))


def workload(given: Mapping[str, object]) -> dict[str, object]:
    """Return traffic options as the fields of `Workload` that they are; None is not given.

    Raise `UsageError` for a rate that is none, and for an open quote.
    """
    found = {_FIELDS.get(name, name): value for name, value in given.items() if value is not None}
    found |= {name: str(found[name]) for name in _FILES if name in found}
    found |= {"rate_mps": _rate(found["rate_mps"])} if "rate_mps" in found else {}
    found |= {"further_args": _words(str(found["further_args"]))} if found.get("further_args") else {}
    return {name: value for name, value in found.items() if value or name not in _WHERE_SET}


def recipe(given: RecipeOptions) -> dict[str, object]:
    """Return the recipe that is asked for, by the name that a workload has for it; nothing where none is.

    Raise `UsageError` for one that is wrong, or of a file that the caller does not say to trust.
    """
    from tuner.runs.recipe_named import Commands, asked  # options of most commands name none

    name = given.get("workload")
    if isinstance(name, Recipe):
        return {"recipe": name}
    commands = Commands(
        given.get("server_cmd"),
        given.get("client_cmd"),
        given.get("other_cmd"),
        given.get("metric", ()),
        given.get("ready"),
    )
    found = asked(None if name is None else str(name), commands)
    if found is None:
        return {}
    if not found.installed and not given.get("trust"):
        raise UsageError(
            f"recipe {name} starts programs, and you have not trusted it yet", advice="read it, then: trust=True"
        )
    return {"recipe": found.recipe}


def _rate(stated: object) -> object:
    """Return a rate as a workload takes it: a number or `max`; raise `UsageError` for other text."""
    if not isinstance(stated, str):
        return stated
    if stated.casefold() == MAX_RATE:
        return MAX_RATE
    if not re.fullmatch(r"[0-9]{1,10}", stated):
        raise UsageError(
            f"--rate {stated!r} is not a rate", advice=f"write messages per second, such as 20000, or {MAX_RATE}"
        )
    return int(stated)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as reason:
        raise UsageError(f"--sockperf-args {text!r}: {reason}", advice="quote as a shell does") from reason


def task(given: TaskOptions, traffic: Mapping[str, object], guard: str | Sequence[str] = ()) -> Task:
    """Return what is judged, under traffic as `workload` returns it."""
    guards = (guard,) if isinstance(guard, str) else guard
    return Task(given.get("stack"), given.get("objective"), traffic, given.get("seed", 0), guards)


def search(given: SearchOptions) -> Search:
    """Return how the best is looked for."""
    return Search(**given)


def setup(given: SetupOptions) -> Setup:
    """Return what the runs are made with; raise `UsageError` for words that nothing is called by."""
    label, conf, lib = given.get("stackname"), given.get("conf"), given.get("lib")
    who, scope = given.get("stackname_who", "all_threads"), given.get("stackname_scope", "process")
    return Setup(
        str(given.get("sockperf", BENCHMARK.name)),
        Path(lib) if lib else None,
        tuple(map(Path, given.get("preload") or ())),
        given.get("fast_start", True),
        _loading(given.get("load", Loading.PRELOAD.value)),
        Path(conf) if conf else None,
        given.get("allow_os_sockets", False),
        wait_for_calm_s=span_s(given.get("wait_for_calm") or 0.0, "--wait-for-calm"),
        wait_for_turn=not given.get("no_wait", False),
        server_profile=given.get("server_profile"),
        stackname={} if label is None else naming(who, scope, label).variables(),
    )


def span_s(stated: str | float, what: str = "budget") -> float:
    """Return seconds, of a number or of text such as `90s`; raise `UsageError` for other text, and for a number without an end."""
    if isinstance(stated, str):
        return seconds(stated, what)
    if not math.isfinite(stated):
        raise UsageError(f"{what} {stated} is not a duration", advice="give seconds, or text such as 90s, 10m or 1h")
    return float(stated)


def at_least(least: int, stated: int, what: str) -> int:
    """Return a number of things; raise `UsageError` for one below the least that make sense."""
    if stated < least:
        raise UsageError(f"{what} {stated} is too few", advice=f"the least is {least}")
    return stated


def share(stated: str | float, what: str) -> float:
    """Return a share, of a number (0.02) or of text in percent (`2%`); raise `UsageError` for anything else."""
    if not isinstance(stated, str):
        return float(stated)
    match = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]{1,6})?) ?%?", stated.strip())
    if match is None:
        raise UsageError(f"{what} {stated!r} is not a percentage", advice="write for example 2% or 0.5%")
    return float(match[1]) / 100


def _loading(name: str) -> Loading:
    try:
        return Loading(name)
    except ValueError as reason:
        raise UsageError(
            f"--load {name!r} is not a way to load a library", advice=did_you_mean(name, Loading)
        ) from reason
