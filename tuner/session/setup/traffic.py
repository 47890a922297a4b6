"""What was asked of a workload, understood: short names, a feed file's connections, the interfaces of a multicast group."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tuner.errors import MOST_LISTED, Finding, UsageError, error
from tuner.hosts.host import Host
from tuner.hosts.local import first_bytes
from tuner.hosts.path import Path as Way
from tuner.runs.workload import SHORT_MODES, Protocol, Workload, fed_address, is_multicast

FEED_BYTES: Final = 1 << 20
"""The largest feed file that is read."""
_FEED_LINE: Final = re.compile(
    r"(?P<kind>[TU]):(?:\[(?P<six>[^\]\s]*)\]|(?P<four>[^:\s]*)):(?P<port>[0-9]{1,5})(?::[^:\s]+)?"
)
_KINDS: Final = {"T": Protocol.TCP, "U": Protocol.UDP}
_LOOPBACK: Final = ipaddress.IPv4Address("127.0.0.1")
_HIGHEST_PORT: Final = 65535


def understood(asked: Mapping[str, object], server: Host) -> dict[str, object]:
    """Return what was asked, in the names and values of `Workload`.

    A mode may be asked by its short name. A feed file brings its connections and their protocol. A multicast group
    means UDP. Raise `UsageError` for a feed file that is none.
    """
    meant = dict(asked)
    mode = meant.get("mode")
    if isinstance(mode, str) and mode in SHORT_MODES:
        meant["mode"] = SHORT_MODES[mode]
    if isinstance(path := meant.get("feed"), str):
        meant = _fed(meant, Path(path).absolute(), server)
    if is_multicast(str(meant.get("address", ""))):
        meant.setdefault("protocol", Protocol.UDP.value)
    return meant


def on_interfaces(each: Workload, way: Way | None = None) -> Workload:
    """Return a multicast workload with interfaces where none are named: those of the measured way, or of the loopback device.

    On loopback the receivers answer from 127.0.0.2 and so on, by which the sender knows them.
    """
    if not each.is_multicast or ":" in each.address:
        return each
    if way is not None:
        return replace(each, mc_tx_if=each.mc_tx_if or way.source, mc_rx_if=each.mc_rx_if or way.address)
    receivers = ",".join(str(_LOOPBACK + 1 + number) for number in range(min(each.receivers, 250)))
    return replace(each, mc_tx_if=each.mc_tx_if or str(_LOOPBACK), mc_rx_if=each.mc_rx_if or receivers)


def _fed(asked: dict[str, object], path: Path, server: Host) -> dict[str, object]:
    """Return what was asked with the connections of a feed file, and what they say of the workload."""
    beside = [name for name in ("address", "protocol", "connections") if name in asked]
    if beside:
        wrong = [error(f"workload.{name}", "is said by the feed file", "leave one of the two out") for name in beside]
        raise UsageError(f"{path} names the connections", findings=wrong)
    lines = feed_lines(path)
    places = [_place(line) for line in lines]
    refused = [(line, server.refusal(*place)) for line, place in zip(lines, places, strict=True)]
    taken = [error(line, f"no server can listen there: {why}", "name another") for line, why in refused if why]
    if taken:
        raise UsageError(f"{path} names connections that cannot be used", findings=taken[:MOST_LISTED])
    protocol, address, _ = places[0]
    return asked | {"feed": lines, "connections": len(lines), "protocol": protocol, "address": address}


def _place(line: str) -> tuple[str, str, int]:
    """Return protocol, address and port of a line that is a connection."""
    kind, _, rest = line.partition(":")
    address = fed_address(line)
    port = rest.removeprefix(f"[{address}]").removeprefix(address).split(":")[1]
    return _KINDS[kind].value, address, int(port)


def feed_lines(path: Path) -> tuple[str, ...]:
    """Return the connections of a feed file of this machine, `T:ADDRESS:PORT` or `U:ADDRESS:PORT` each, without comments and empty lines.

    Raises:
        UsageError: it cannot be read, or with every line that is not a connection, is there twice, or has another protocol
            than the first; or there is none.

    """
    try:
        text = first_bytes(path, FEED_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as reason:
        why = reason.strerror if isinstance(reason, OSError) else reason
        raise UsageError(f"cannot read the feed file {path}: {why}") from reason
    if len(text) > FEED_BYTES:
        raise UsageError(f"the feed file {path} is larger than {FEED_BYTES} bytes", advice="use a shorter one")
    rows = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    rows = [(number, line) for number, line in rows if line and not line.startswith("#")]
    wrong = [found for number, line in rows for found in _line_problems(number, line)]
    wrong = wrong or _together_problems(rows)
    if wrong or not rows:
        advice = "write one connection a line, such as U:239.1.1.1:5001 or T:10.0.0.1:5001"
        raise UsageError(f"{path} is not a feed file", findings=wrong[:MOST_LISTED], advice=advice)
    return tuple(line for _, line in rows)


def _line_problems(number: int, line: str) -> list[Finding]:
    where = f"line {number}"
    found = _FEED_LINE.fullmatch(line)
    if found is None:
        return [error(where, f"{line[:80]!r} is not a connection", "write T:ADDRESS:PORT or U:ADDRESS:PORT")]
    address, port = found["six"] or found["four"], int(found["port"])
    wrong = []
    if not _is_address(address):
        wrong.append(error(where, f"{address!r} is not an IP address", "names of hosts are not looked up"))
    if not 1 <= port <= _HIGHEST_PORT:
        wrong.append(error(where, f"port {port} must be from 1 to {_HIGHEST_PORT}"))
    if found["kind"] == "T" and is_multicast(address):
        wrong.append(error(where, f"{address} is a multicast group, which TCP has not", "write U"))
    return wrong


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _together_problems(rows: Sequence[tuple[int, str]]) -> list[Finding]:
    """Return what is wrong with lines beside the others."""
    wrong, seen = [], set()
    for number, line in rows:
        if line in seen:
            wrong.append(error(f"line {number}", f"{line[:80]} is there twice"))
        if line[:1] != rows[0][1][:1]:
            wrong.append(error(f"line {number}", "mixes TCP and UDP, of which a workload has one", "use two sessions"))
        seen.add(line)
    groups = {is_multicast(line[2:].rpartition(":")[0]) for _, line in rows}
    if len(groups) > 1:
        wrong.append(error("feed", "mixes multicast groups with other addresses", "use two sessions"))
    return wrong
