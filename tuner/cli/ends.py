"""`--server` and `--client`, or `--pairs`: the hosts that a command measures between, connected to while it runs."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tuner.errors import UsageError, error

if TYPE_CHECKING:  # loaded by commands that are given other hosts
    from tuner.hosts.host import Host
    from tuner.python.hosts import Connecting, Hosts
    from tuner.session.measuring.clustered import Cluster
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
    if cluster is not None and pairs is None:
        raise UsageError("--cluster measures on many pairs", advice="name them: --pairs pairs.toml")
    if server is None and client is None and pairs is None:
        return Ends()
    from tuner.python import hosts

    found = hosts.named(server, client, pairs)
    files = (cluster_ca, cluster_cert, cluster_key)
    return Ends(found, pairs, None if cluster is None else _cluster(cluster, files, found))


def _cluster(address: str, files: tuple[Path | None, ...], hosts: Hosts) -> Cluster:
    """Return the cluster that was named; raise `UsageError` saying everything that is wrong with how it was."""
    from tuner.session.measuring.clustered import Cluster

    wrong = []
    if not re.fullmatch(r"(tcp|tls)://[^/\s]+:[0-9]{1,5}", address):
        wrong.append(error("--cluster", f"{address!r} is no address", "write tcp://HOST:8786, or tls://HOST:8786"))
    names = ("--cluster-ca", "--cluster-cert", "--cluster-key")
    wrong += [
        error(name, f"{path} is not a file")
        for name, path in zip(names, files, strict=True)
        if path and not path.is_file()
    ]
    if any(files) and address.startswith("tcp://"):
        wrong.append(error("--cluster", "is not reached by TLS", f"write tls://{address.rpartition('/')[2]}"))
    here = [each.name for each in hosts.pairs if each.server is None or each.client is None]
    wrong += [
        error(f"pair {name}", "names this machine, and workers are elsewhere", "name it by ssh://…") for name in here
    ]
    if wrong:
        raise UsageError("no cluster can measure so", findings=wrong)
    return Cluster(address, *files)


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
    if named.cluster is not None:
        from tuner.session.measuring import clustered

        at = replace(at, cluster=CONNECTIONS.enter_context(clustered.connected(named.cluster)))
    return _connecting(at.host).on(named.hosts, at)


def _connecting(here: Host) -> Connecting:
    from tuner.python.hosts import Connecting

    return Connecting(here, os.environ, CONNECTIONS)
