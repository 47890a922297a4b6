"""The network of a lab as iproute2 reads it: links to the keeper, the measured wire of each pair, delay and rate.

Each host has two interfaces: ssh comes by `mgmt0`, whose other end the keeper holds, and what is measured goes by
`data0`, whose other end is the `data0` of the other host of the pair.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from typing import Final

from tuner.errors import MissingTool, TunerError
from tuner.hosts.lab.shape import LabHost, Shape
from tuner.hosts.processes import SEARCH_PATH

MANAGEMENT: Final = "mgmt0"
MEASURED: Final = "data0"
_LIMIT_S: Final = 20.0
_UNIT: Final = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_TICKS_PER_S: Final = 250
"""Of the kernel's timer, at the least: a token bucket must hold what a rate gives in one tick (man 8 tc-tbf)."""
_SMALLEST_BURST: Final = 65_536
"""Bytes of the largest packet that a veth hands over: smaller buckets would never let it pass."""


def link_to(host: LabHost, pid: int) -> str:
    """Return the commands that tie a host, whose first process is `pid`, to the keeper's network."""
    mine = f"host{host.number}"
    return (
        f"link add name {mine} type veth peer name {MANAGEMENT} netns {pid}\n"
        f"address add {host.outside}/30 dev {mine}\n"
        f"link set {mine} up\n"
    )


def unlink(host: LabHost) -> str:
    """Return the command that removes a host's link from the keeper's network."""
    return f"link delete host{host.number}\n"


def unwired() -> str:
    """Return the command that removes the measured wire from a host."""
    return f"link delete {MEASURED}\n"


def wire(server_pid: int, client_pid: int) -> str:
    """Return the command that lays the measured wire between two hosts."""
    return f"link add name {MEASURED} netns {server_pid} type veth peer name {MEASURED} netns {client_pid}\n"


def inside(host: LabHost) -> str:
    """Return the commands that give a host's link to the keeper its address."""
    return f"link set lo up\naddress add {host.management}/30 dev {MANAGEMENT}\nlink set {MANAGEMENT} up\n"


def wired(host: LabHost) -> str:
    """Return the commands that give a host's end of the measured wire its address."""
    return f"address add {host.address}/24 dev {MEASURED}\nlink set {MEASURED} up\n"


def shaping(shape: Shape) -> list[str]:
    """Return the arguments of tc that slow down what leaves by the measured wire, none where nothing is asked for.

    netem delays (and then limits the rate too); a rate alone is a token bucket, which more kernels have.
    """
    at = ["qdisc", "replace", "dev", MEASURED, "root"]
    if shape.delay:
        return [*at, "netem", "delay", shape.delay, *(["rate", shape.rate] if shape.rate else [])]
    if shape.rate:
        return [*at, "tbf", "rate", shape.rate, "burst", str(_burst(shape.rate)), "latency", "50ms"]
    return []


def _burst(rate: str) -> int:
    number = float(re.sub(r"[kmg]bit", "", rate))
    return max(_SMALLEST_BURST, round(number * _UNIT[rate[-4]] / 8 / _TICKS_PER_S))


def ip(commands: str, within: int | None = None) -> None:
    """Carry out commands of iproute2, one a line, in the network of the process `within` where that is given."""
    _carried_out(["ip", "-batch", "-"], within, commands)


def tc(arguments: Sequence[str], within: int) -> None:
    """Shape traffic in the network of a process; raise `TunerError` where the kernel lacks what it needs."""
    try:
        _carried_out(["tc", *arguments], within)
    except TunerError as reason:
        kind = next(each for each in arguments if each in {"netem", "tbf"})
        if "unknown" not in reason.message:
            raise
        without = "--delay" if kind == "netem" else "--rate"
        advice = f"modprobe sch_{kind}, where the kernel is built with it; or leave {without} out"
        raise TunerError(f"this kernel has no {kind}, which {without} needs", advice=advice) from reason


def _carried_out(argv: Sequence[str], within: int | None, given: str = "") -> None:
    there = [] if within is None else ["nsenter", f"--net=/proc/{within}/ns/net"]
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments that no shell reads
            [*there, *argv],
            input=given.encode(),
            capture_output=True,
            check=False,
            timeout=_LIMIT_S,
            cwd="/",
            env={"PATH": SEARCH_PATH, "LC_ALL": "C"},
        )
    except FileNotFoundError as reason:
        raise MissingTool(
            f"there is no program {reason.filename}", advice="apt-get install iproute2 util-linux"
        ) from reason
    except subprocess.TimeoutExpired as reason:
        raise TunerError(f"{argv[0]} did not end within {_LIMIT_S:g} s") from reason
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise TunerError(f"{argv[0]} cannot set up the lab's network: {said}")
