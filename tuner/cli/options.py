"""The options that several commands share, declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tuner.catalogue import facts
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.facts import Facts
from tuner.results import FOLDER

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
RESULTS: Final = FOLDER
"""The folder that `--results` names when nobody does."""
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Folder of the database and the reports.")]
Sockperf = Annotated[str, typer.Option("--sockperf", metavar="PATH", help="The sockperf program.")]


def _those(has: Callable[[Facts], object]) -> str:
    """Return the names of the stacks of which something is true, as help texts list them."""
    return ", ".join(each.name for each in facts.every() if has(each))


STACK_NAMES: Final = " or ".join(_those(lambda _: True).rsplit(", ", 1))
"""The stacks as help texts name them."""
StackName = Annotated[str, typer.Option("--stack", metavar="STACK", help=f"{STACK_NAMES}.")]
AnyStack = Annotated[str | None, typer.Option("--stack", metavar="STACK", help=f"Only this stack: {STACK_NAMES}.")]
Release = Annotated[
    str | None, typer.Option("--stack-version", metavar="RELEASE", help="The stack's release, e.g. 3.40.2.")
]


def release_of(known: Catalogue, stated: str | None) -> str:
    """Return the release that is meant, the newest when None; stderr has what must be said of one that is not known."""
    found = known.taken(stated)
    if found.remark:
        typer.echo(f"warning: {found.remark}", err=True)
    return found.release


Rings = Annotated[
    int,
    typer.Option(
        "--rings",
        metavar="N",
        min=0,
        help=f"Receive and send rings that the program will have ({_those(lambda each: each.pools)}).",
    ),
]
Lib = Annotated[
    Path | None, typer.Option("--lib", metavar="PATH", help="The stack's library, instead of the loader's.")
]
Preload = Annotated[
    list[Path] | None,
    typer.Option("--preload", metavar="PATH", help="A further library, behind the stack's. Repeatable."),
]
FastStart = Annotated[
    bool, typer.Option("--fast-start/--no-fast-start", help="Leave out sockperf's fixed 2 s sleep before each test.")
]
StackLabel = Annotated[
    str | None,
    typer.Option("--stackname", metavar="NAME", help="Onload: name the stack before the program's first socket."),
]
StackScope = Annotated[
    str, typer.Option("--stackname-scope", metavar="SCOPE", help="thread, process, user, global or nochange.")
]
StackWho = Annotated[str, typer.Option("--stackname-who", metavar="WHO", help="this_thread or all_threads.")]
ObjectiveName = Annotated[
    str | None,
    typer.Option("--objective", help="latency, tail, throughput, balanced, or e.g. 'max rate where p99 < 50us'."),
]
Seed = Annotated[int, typer.Option("--seed", help="Makes the order of runs and the proposals repeatable.")]

Load = Annotated[
    str,
    typer.Option(
        "--load",
        help=f"preload, or dlopen: sockperf opens the library itself ({_those(lambda each: each.load_option)}).",
    ),
]
Conf = Annotated[
    Path | None,
    typer.Option(
        "--conf",
        metavar="FILE",
        help=f"Offload rules for both ends ({_those(lambda each: each.rule_file)}); see `tuner conf`.",
    ),
]

Mode = Annotated[str | None, typer.Option("--mode", help="ping-pong, under-load, throughput or playback.")]
Protocol = Annotated[str | None, typer.Option("--protocol", help="tcp or udp.")]
MessageBytes = Annotated[int | None, typer.Option("--message-bytes", metavar="N", help="Payload of a message.")]
Rate = Annotated[int | None, typer.Option("--rate", metavar="MPS", help="Messages per second that the client sends.")]
Burst = Annotated[int | None, typer.Option("--burst", metavar="N", help="Messages sent at once.")]
ReplyEvery = Annotated[int | None, typer.Option("--reply-every", metavar="N", help="Under load: reply to every Nth.")]
Duration = Annotated[int | None, typer.Option("--duration", metavar="S", help="Seconds of one run's test.")]
Multiplexer = Annotated[str | None, typer.Option("--multiplexer", help="recvfrom, select, poll or epoll.")]
Connections = Annotated[
    int | None, typer.Option("--connections", metavar="N", help="Sockets between client and server.")
]
Threads = Annotated[int | None, typer.Option("--server-threads", metavar="N", help="Threads that share the sockets.")]
Playback = Annotated[Path | None, typer.Option("--playback", metavar="CSV", help="File of send times and sizes.")]
Address = Annotated[str | None, typer.Option("--address", help="The server's address on this machine.")]
ServerCpus = Annotated[str | None, typer.Option("--server-cpus", metavar="LIST", help="CPUs of the server, e.g. 2-3.")]
ClientCpus = Annotated[str | None, typer.Option("--client-cpus", metavar="LIST", help="CPUs of the client, e.g. 1.")]


def workload(
    mode: Mode = None,
    protocol: Protocol = None,
    message_bytes: MessageBytes = None,
    rate: Rate = None,
    burst: Burst = None,
    reply_every: ReplyEvery = None,
    duration: Duration = None,
    multiplexer: Multiplexer = None,
    connections: Connections = None,
    server_threads: Threads = None,
    playback: Playback = None,
    address: Address = None,
    server_cpus: ServerCpus = None,
    client_cpus: ClientCpus = None,
) -> dict[str, object]:
    """Return the workload options that were given, by the names of `Workload`."""
    given = {
        "mode": mode,
        "protocol": protocol,
        "message_bytes": message_bytes,
        "rate_mps": rate,
        "burst": burst,
        "reply_every": reply_every,
        "duration_s": duration,
        "multiplexer": multiplexer,
        "connections": connections,
        "server_threads": server_threads,
        "playback": str(playback) if playback else None,
        "address": address,
        "server_cpus": server_cpus,
        "client_cpus": client_cpus,
    }
    return {name: value for name, value in given.items() if value is not None}


def task(
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="STACK", help=f"{STACK_NAMES}; else the profile's, or kernel.")
    ] = None,
    objective: ObjectiveName = None,
    seed: Seed = 0,
) -> dict[str, Any]:
    """Return what is to be judged, by the names of `Request`."""
    return {"stack": stack, "objective": objective, "seed": seed}


def searching(
    baseline: Annotated[str, typer.Option("--baseline", help="Profile that everything is compared with.")] = "default",
    space: Annotated[str, typer.Option("--space", help="Search only these: NAME, NAME=a|b, NAME=lo..hi, …")] = "",
    optimizer: Annotated[str, typer.Option("--optimizer", help="skopt, random, grid or optuna.")] = "skopt",
    warm_start: Annotated[
        bool, typer.Option("--warm-start", help="Begin where earlier sessions like this one, in --results, ended.")
    ] = False,
) -> dict[str, Any]:
    """Return how the best is looked for, by the names of `Request`."""
    return {"baseline": baseline, "space": space, "optimizer": optimizer, "warm_start": warm_start}


def rig(
    lib: Lib = None,
    preload: Preload = None,
    fast_start: FastStart = True,
    sockperf: Sockperf = "sockperf",
    load: Load = "preload",
    conf: Conf = None,
    stackname: StackLabel = None,
    stackname_scope: StackScope = "process",
    stackname_who: StackWho = "all_threads",
) -> dict[str, Any]:
    """Return what the runs are made with, by the names of `Request`."""
    launched = {"load": load, "conf": conf}
    made = {"lib": lib, "preload": preload or (), "fast_start": fast_start, "program": sockperf, **launched}
    if stackname is None:
        return made
    from tuner.stacks.onload.naming import naming

    return made | {"stackname": naming(stackname_who, stackname_scope, stackname).variables()}


def made_from_options(**makers: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options that become one argument: `workload=workload` declares all options of that function.

    The command is called with the function's result, so that commands share options without repeating them.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        shared = {name: inspect.signature(maker, eval_str=True).parameters for name, maker in makers.items()}
        own = [parameter for name, parameter in signature.parameters.items() if name not in makers]
        added = [parameter for parameters in shared.values() for parameter in parameters.values()]

        @functools.wraps(command)
        def with_made(**given: Any) -> None:
            made = {name: maker(**{key: given.pop(key) for key in shared[name]}) for name, maker in makers.items()}
            command(**given, **made)

        every = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *added)]
        with_made.__signature__ = signature.replace(parameters=every)  # type: ignore[attr-defined] # what typer reads
        with_made.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        return with_made

    return decorate
