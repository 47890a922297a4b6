"""`--server` and `--client`, or `--pairs`: the hosts that a command measures between, connected to while it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tuner.errors import UsageError

if TYPE_CHECKING:  # loaded by commands that are given other hosts
    from tuner.hosts.host import Host
    from tuner.hosts.pairs_file import NamedPair
    from tuner.hosts.ssh import Target
    from tuner.session.setup.many import Placed

CONNECTIONS: Final = ExitStack()
"""What is open; `tuner.cli.main` closes it when a command has ended, however it ended."""
_METAVAR: Final = "ssh://[USER@]HOST[:PORT]"
ServerHost = Annotated[
    str | None,
    typer.Option("--server", metavar=_METAVAR, help="Host of the server, by ssh; local (the default): this machine."),
]
ClientHost = Annotated[
    str | None,
    typer.Option("--client", metavar=_METAVAR, help="Host of the client, by ssh; local (the default): this machine."),
]
PairsFile = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        metavar="FILE",
        help="Measure on all pairs of hosts that this TOML file names, at once; --budget is for each. Instead of --server and --client.",
    ),
]


@dataclass(frozen=True, slots=True)
class Ends:
    """The hosts as they were named, None for this machine."""

    server: Target | None = None
    client: Target | None = None
    pairs: tuple[NamedPair, ...] = ()
    """Pairs that measure at once, instead of the two."""
    file: Path | None = None
    """The file that names them."""


def ends(server: ServerHost = None, client: ClientHost = None) -> Ends:
    """Return the hosts that were named; raise `UsageError` for what names none."""
    if server is None and client is None:
        return Ends()
    from tuner.hosts import ssh

    named = {
        option: ssh.target(text or ssh.HERE, option) for option, text in (("--server", server), ("--client", client))
    }
    return Ends(named["--server"], named["--client"])


def ends_or_pairs(server: ServerHost = None, client: ClientHost = None, pairs: PairsFile = None) -> Ends:
    """Return the hosts that were named, two or many pairs; raise `UsageError` for what names none, or for both."""
    if pairs is None:
        return ends(server, client)
    if server is not None or client is not None:
        raise UsageError(
            "--pairs names the hosts, and so do --server and --client", advice="leave out one or the other"
        )
    from tuner.hosts import pairs_file

    return Ends(pairs=pairs_file.read(pairs), file=pairs)


def connected_pairs(named: Ends, here: Host) -> tuple[Placed, ...]:
    """Return the pairs of hosts that were named, all reached at once; connections end with the command.

    Raises:
        TunerError: hosts cannot be reached: all of them are told.

    """
    from tuner.hosts.pair import Pair
    from tuner.session.setup import many

    def reached(each: NamedPair) -> Placed:
        server, client = connected(Ends(each.server, each.client), here)
        return many.Placed(each.name, Pair(server, client or server), each.address)

    return tuple(many.on_each(named.pairs, reached))


def connected(named: Ends, here: Host) -> tuple[Host, Host | None]:
    """Return the server's host, and the client's where that is another; connections end with the command.

    Raises:
        TunerError: a host cannot be reached.

    """
    if named.server == named.client:
        return (here if named.server is None else _reached(named.server)), None
    server, client = (here if each is None else _reached(each) for each in (named.server, named.client))
    return server, client


def _reached(target: Target) -> Host:
    from tuner.hosts import ssh
    from tuner.hosts.remote import RemoteHost

    host = RemoteHost(ssh.way(target, os.environ, _sockets(os.environ)))
    return CONNECTIONS.enter_context(host)


def _sockets(environment: Mapping[str, str]) -> Path:
    """Return the folder of the sockets of shared connections, which is this user's own."""
    place = environment.get("XDG_RUNTIME_DIR") or environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(place) / "tuner" / "ssh"
