"""`pairs.toml`: pairs of hosts by their names, each a server, a client, and the server's address on the measured network.

    [pairs.rack1]
    server = "ssh://me@box1"
    client = "ssh://me@box2"
    address = "10.0.0.1"        # found where it is left out

No host is in two pairs: two runs at once would measure each other.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tuner.errors import Finding, UsageError, error
from tuner.hosts import ssh
from tuner.hosts.ssh import Target
from tuner.terminal_text import shown
from tuner.toml_text import Table, parsed
from tuner.untrusted import text_of

PAIRS_BYTES: Final = 1 << 18
"""The largest file of pairs that is read."""
MOST_PAIRS: Final = 256
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)
_KEYS: Final = ("server", "client", "address")
_ADVICE: Final = "docs/two-machines.md, `Many pairs`, has an example"


@dataclass(frozen=True, slots=True)
class NamedPair:
    """A pair as its file says it: None for this machine, and for an address that is to be found."""

    name: str
    server: Target | None
    client: Target | None
    address: str | None = None


def read(path: Path) -> tuple[NamedPair, ...]:
    """Return the pairs of a file in their order; raise `UsageError` with everything that is wrong with it."""
    text = text_of(path, PAIRS_BYTES, "a file of pairs")
    if isinstance(text, Finding):
        raise UsageError("this is not a file of pairs", findings=[text], advice=_ADVICE)
    return of_text(text, str(path))


def of_text(text: str, source: str) -> tuple[NamedPair, ...]:
    """Return the pairs that a text in TOML names; raise `UsageError` with everything that is wrong with it."""
    try:
        data = parsed(text)
    except ValueError as reason:
        raise UsageError(f"{source} is not TOML: {reason}", advice=_ADVICE) from reason
    top = Table(data, source, ("pairs",))
    rows = top.table("pairs")
    findings = list(top.findings)
    if not rows and not findings:
        findings.append(error(f"{source}: pairs", "names no pair", "write [pairs.NAME] with server and client"))
    if len(rows) > MOST_PAIRS:
        findings.append(error(f"{source}: pairs", f"are {len(rows)}: at most {MOST_PAIRS} are allowed"))
    found = [pair for name, row in rows.items() if (pair := _pair(source, name, row, findings)) is not None]
    findings += _shared(source, found)
    if findings:
        raise UsageError(f"{source} is not a file of pairs", findings=findings, advice=_ADVICE)
    return tuple(found)


def _pair(source: str, name: str, row: object, findings: list[Finding]) -> NamedPair | None:
    """Return the pair of a table, None where something is wrong, which is then among the findings."""
    where = f"{source}: pairs.{shown(name)}"
    if not _NAME.fullmatch(name):
        findings.append(error(where, "is no name: letters, digits, '.', '_' and '-', at most 40"))
    if not isinstance(row, Mapping):
        findings.append(error(where, "must be a table", f"write [pairs.{shown(name)}]"))
        return None
    table = Table(row, source, _KEYS, f"pairs.{shown(name)}")
    server, client = _host(table, "server"), _host(table, "client")
    address = _address(table)
    findings += table.findings
    return None if table.findings else NamedPair(name, server, client, address)


def _host(table: Table, key: str) -> Target | None:
    text = table.text(key, required=True)
    try:
        return ssh.target(text, key) if text else None
    except UsageError as reason:
        table.wrong(key, reason.message, "; ".join(each.suggestion for each in reason.findings))
        return None


def _address(table: Table) -> str | None:
    text = table.text("address")
    try:
        return str(ipaddress.ip_address(text)) if text else None
    except ValueError:
        table.wrong(
            "address", f"{text!r} is no address", "write the server's on the measured network, such as 10.0.0.1"
        )
        return None


def _shared(source: str, pairs: Sequence[NamedPair]) -> list[Finding]:
    """Return which pairs share a host, by how they are named; users do not matter."""
    homes: dict[Any, str] = {}
    findings = []
    for pair in pairs:
        for host in {_machine(pair.server), _machine(pair.client)}:
            before = homes.setdefault(host, pair.name)
            if before != pair.name:
                what = f"shares {host} with pair {before}: two runs at once would measure each other"
                findings.append(error(f"{source}: pairs.{pair.name}", what, "let each host be in one pair"))
    return findings


def _machine(target: Target | None) -> str:
    if target is None:
        return "this machine"
    return f"{target.host.casefold()}{f':{target.port}' if target.port else ''}"
