"""`--server` and `--client`, or `--pairs`: the hosts that a command measures between, connected to while it runs."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:  # loaded by commands that are given other hosts
    from tuner.hosts.host import Host
    from tuner.python.hosts import Connecting, Hosts
    from tuner.session.measuring.scheduler import Cluster
    from tuner.session.workspace import Workspace

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
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="With --pairs: let the workers of this Dask scheduler measure, tcp://HOST:8786 or tls://HOST:8786.",
    ),
]
ClusterCa = Annotated[Path | None, typer.Option("--cluster-ca", metavar="PEM", help="TLS: whom to trust.")]
ClusterCertificate = Annotated[
    Path | None, typer.Option("--cluster-cert", metavar="PEM", help="TLS: this program's certificate.")
]
ClusterKey = Annotated[
    Path | None, typer.Option("--cluster-key", metavar="PEM", help="TLS: the key of that certificate.")
]


@dataclass(frozen=True, slots=True)
class Ends:
    """The hosts as they were named; None for this machine."""

    hosts: Hosts | None = None
    file: Path | None = None
    """The file that names pairs of them."""
    cluster: Cluster | None = None
    """The cluster whose workers measure on these pairs; None: this process does."""


def ends(server: ServerHost = None, client: ClientHost = None) -> Ends:
    """Return the hosts that were named; raise `UsageError` for what names none."""
    return ends_or_pairs(server, client)


def ends_or_pairs(
    server: ServerHost = None,
    client: ClientHost = None,
    pairs: PairsFile = None,
    cluster: ClusterAddress = None,
    cluster_ca: ClusterCa = None,
    cluster_cert: ClusterCertificate = None,
    cluster_key: ClusterKey = None,
) -> Ends:
    """Return the hosts that were named, two or many pairs; raise `UsageError` for what names none, or for both."""
    if server is None and client is None and pairs is None and cluster is None:
        return Ends()
    from tuner.python import hosts

    found = hosts.named(server, client, pairs)
    files = (cluster_ca, cluster_cert, cluster_key)
    return Ends(found, pairs, None if cluster is None else hosts.cluster(cluster, files, found))


def connected(named: Ends, here: Host) -> tuple[Host, Host | None]:
    """Return the server's host, and the client's where that is another; connections end with the command.

    Raises:
        TunerError: a host cannot be reached.

    """
    if named.hosts is None:
        return here, None
    return _connecting(here).ends(named.hosts.server, named.hosts.client)


def placed(named: Ends, at: Workspace) -> Workspace:
    """Return a workspace on the hosts that were named, all reached; connections end with the command.

    Raises:
        TunerError: hosts cannot be reached: all of them are told.

    """
    if named.hosts is None:
        return at
    return _connecting(at.host).on(named.hosts, at, named.cluster)


def _connecting(here: Host) -> Connecting:
    from tuner.python.hosts import Connecting

    return Connecting(here, os.environ, CONNECTIONS)
