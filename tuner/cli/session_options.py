"""The options of the commands that measure, made into what the API takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from tuner.cli import options, recipe_options, traffic_options
from tuner.python import options as meant
from tuner.session.setup.request import Search, Setup, Task

T = TypeVar("T")
Baseline = Annotated[str, typer.Option("--baseline", help="Profile that the answer is compared with.")]
Guards = Annotated[
    list[str] | None,
    typer.Option(
        "--guard",
        metavar="LIMIT",
        help="Recommend nothing that breaks this: 'p99.9 < 1.1x' (times the baseline's value) or 'memory < 500MB'. Repeatable.",
    ),
]
Budget = Annotated[
    str,
    typer.Option(
        "--budget",
        help="Wall time of the session: 90s, 10m, 1h. A longer one detects smaller differences; `tuner check --noise` shows which.",
    ),
]
TuningBudget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="Wall time of the session: 90s, 10m, 1h. Left out: a minute, and as long as another one is expected to bring more than 1 %.",
    ),
]
BenchmarkPath = Annotated[str, typer.Option("--sockperf", metavar="PATH", help="The sockperf program.")]
Preload = Annotated[
    list[Path] | None,
    typer.Option("--preload", metavar="PATH", help="A further library, behind the stack's. Repeatable."),
]
FastStart = Annotated[
    bool, typer.Option("--fast-start/--no-fast-start", help="Leave out sockperf's fixed 2 s sleep before each test.")
]
ServerProfile = Annotated[
    str | None,
    typer.Option(
        "--server-profile",
        metavar="PROFILE",
        help="The server always runs with this one; otherwise with what is measured.",
    ),
]
StackLabel = Annotated[
    str | None,
    typer.Option("--stackname", metavar="NAME", help="Onload: name the stack before the program's first socket."),
]
StackScope = Annotated[
    str, typer.Option("--stackname-scope", metavar="SCOPE", help="thread, process, user, global or nochange.")
]
StackWho = Annotated[str, typer.Option("--stackname-who", metavar="WHO", help="this_thread or all_threads.")]
Load = Annotated[
    str,
    typer.Option(
        "--load",
        help=f"preload, or dlopen: sockperf opens the library itself ({options.those(lambda each: each.load_option)}).",
    ),
]
Conf = Annotated[
    Path | None,
    typer.Option(
        "--conf",
        metavar="FILE",
        help=f"Offload rules for both ends ({options.those(lambda each: each.rule_file)}); see `tuner conf`.",
    ),
]
Mode = Annotated[
    str | None, typer.Option("--mode", help="ping-pong, under-load, throughput or playback; or pp, ul, tp, pb.")
]
Protocol = Annotated[str | None, typer.Option("--protocol", help="tcp or udp.")]
MessageBytes = Annotated[int | None, typer.Option("--message-bytes", metavar="N", help="Payload of a message.")]
Rate = Annotated[
    str | None, typer.Option("--rate", metavar="MPS", help="Messages per second that the client sends, or max.")
]
Burst = Annotated[int | None, typer.Option("--burst", metavar="N", help="Messages sent at once.")]
ReplyEvery = Annotated[int | None, typer.Option("--reply-every", metavar="N", help="Under load: reply to every Nth.")]
Duration = Annotated[int | None, typer.Option("--duration", metavar="S", help="Seconds of one run's test.")]
Multiplexer = Annotated[str | None, typer.Option("--multiplexer", help="recvfrom, select, poll or epoll.")]
Connections = Annotated[
    int | None, typer.Option("--connections", metavar="N", help="Sockets between client and server.")
]
Threads = Annotated[int | None, typer.Option("--server-threads", metavar="N", help="Threads that share the sockets.")]
Playback = Annotated[Path | None, typer.Option("--playback", metavar="CSV", help="File of send times and sizes.")]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="The server's address on the measured network (found where it is not named), or a multicast group.",
    ),
]
ServerCpus = Annotated[str | None, typer.Option("--server-cpus", metavar="LIST", help="CPUs of the server, e.g. 2-3.")]
ClientCpus = Annotated[str | None, typer.Option("--client-cpus", metavar="LIST", help="CPUs of the client, e.g. 1.")]


AllowOsSockets = Annotated[
    bool,
    typer.Option(
        "--allow-os-sockets", help="Also measure sockets that the stack leaves to the operating system, and say so."
    ),
]


WaitForCalm = Annotated[
    str,
    typer.Option(
        "--wait-for-calm",
        metavar="TIME",
        help="Hold blocks back while other programs or the hypervisor disturb the host, so long in all (10m); not part of the budget.",
    ),
]


NoWait = Annotated[
    bool,
    typer.Option("--no-wait", help="Refuse (exit status 75) instead of waiting while another session measures here."),
]


@options.made_from_options(
    multicast=traffic_options.multicast,
    sockets=traffic_options.sockets,
    shape=traffic_options.shape,
    recipe=recipe_options.recipe,
)
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
    *,
    multicast: dict[str, object],
    sockets: dict[str, object],
    shape: dict[str, object],
    recipe: dict[str, object],
) -> dict[str, object]:
    """Return the workload options that were given, by the names of `Workload`; raise `UsageError` for text that is none."""
    given = {
        "mode": mode,
        "protocol": protocol,
        "message_bytes": message_bytes,
        "rate": rate,
        "burst": burst,
        "reply_every": reply_every,
        "duration": duration,
        "multiplexer": multiplexer,
        "connections": connections,
        "server_threads": server_threads,
        "playback": playback,
        "address": address,
        "server_cpus": server_cpus,
        "client_cpus": client_cpus,
    }
    return meant.workload(given | multicast | sockets | shape) | recipe


def task(
    stack: Annotated[
        str | None,
        typer.Option("--stack", metavar="STACK", help=f"{options.STACK_NAMES}; else the profile's, or kernel."),
    ] = None,
    objective: options.ObjectiveName = None,
    seed: options.Seed = 0,
) -> Task:
    """Return what is judged; its workload has options of its own."""
    return Task(stack, objective, seed=seed)


def search(
    baseline: Baseline = "default",
    space: Annotated[str, typer.Option("--space", help="Search only these: NAME, NAME=a|b, NAME=lo..hi, …")] = "",
    optimizer: Annotated[str, typer.Option("--optimizer", help="skopt, random, grid or optuna.")] = "skopt",
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start", help="Use the results of earlier sessions like this one, in --results, as a starting point."
        ),
    ] = False,
) -> Search:
    """Return how the best is looked for."""
    return Search(baseline, space, optimizer, warm_start)


def setup(
    lib: options.Lib = None,
    preload: Preload = None,
    fast_start: FastStart = True,
    sockperf: BenchmarkPath = "sockperf",
    load: Load = "preload",
    conf: Conf = None,
    allow_os_sockets: AllowOsSockets = False,
    wait_for_calm: WaitForCalm = "",
    no_wait: NoWait = False,
    server_profile: ServerProfile = None,
    stackname: StackLabel = None,
    stackname_scope: StackScope = "process",
    stackname_who: StackWho = "all_threads",
) -> Setup:
    """Return what the runs are made with; raise `UsageError` for words that nothing is called by."""
    return meant.setup(
        {
            "sockperf": sockperf,
            "lib": lib,
            "preload": preload or (),
            "no_wait": no_wait,
            "fast_start": fast_start,
            "load": load,
            "conf": conf,
            "allow_os_sockets": allow_os_sockets,
            "wait_for_calm": wait_for_calm,
            "server_profile": server_profile,
            "stackname": stackname,
            "stackname_scope": stackname_scope,
            "stackname_who": stackname_who,
        }
    )


def measuring(ends: Callable[..., Any], **more: Callable[..., Any]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command the options of all that measure, and `more` of its own; `ends` are those of where it measures."""
    return options.made_from_options(where=options.where, task=task, **more, workload=workload, setup=setup, ends=ends)
