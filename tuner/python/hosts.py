"""The hosts that a session measures between, by the names that somebody gave them, and connected to while it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tuner.errors import UsageError, error
from tuner.hosts import pairs_file, ssh
from tuner.hosts.host import Host
from tuner.hosts.pair import Pair
from tuner.hosts.pairs_file import NamedPair
from tuner.hosts.ssh import Target
from tuner.session.setup import many
from tuner.session.setup.many import Placed
from tuner.session.workspace import Workspace

if TYPE_CHECKING:  # loaded where a cluster is named
    from tuner.session.measuring.scheduler import Cluster


_ADDRESS: Final = re.compile(r"(?:tcp|tls)://(?:\[[0-9A-Fa-f:.]{2,45}\]|[^/\s:@?#]{1,253}):(?P<port>[0-9]{1,5})")
"""Of a Dask scheduler."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts as they were named, None for this machine."""

    server: Target | None = None
    client: Target | None = None
    pairs: tuple[NamedPair, ...] = ()
    """Pairs that measure at once, instead of the two."""


def named(server: str | None, client: str | None, pairs: Path | None = None) -> Hosts:
    """Return the hosts that were named, two or many pairs; raise `UsageError` for what names none, or for both."""
    if pairs is not None and (server is not None or client is not None):
        raise UsageError(
            "--pairs names the hosts, and so do --server and --client", advice="leave out one or the other"
        )
    if pairs is not None:
        return Hosts(pairs=pairs_file.read(pairs))
    return Hosts(ssh.target(server or ssh.HERE, "--server"), ssh.target(client or ssh.HERE, "--client"))


def cluster(address: str, files: tuple[Path | None, ...], hosts: Hosts) -> Cluster:
    """Return the cluster that was named; raise `UsageError` saying everything that is wrong with how it was."""
    from tuner.session.measuring.scheduler import Cluster

    if not hosts.pairs:
        raise UsageError("--cluster measures on many pairs", advice="name them: --pairs pairs.toml")
    wrong = []
    found = _ADDRESS.fullmatch(address)
    if found is None or not 1 <= int(found["port"]) <= ssh.HIGHEST_PORT:
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


@dataclass(frozen=True, slots=True)
class Connecting:
    """Reaches hosts by ssh as the user of an environment has it; connections close with `connections`."""

    here: Host
    environment: Mapping[str, str]
    connections: ExitStack

    def on(self, hosts: Hosts, at: Workspace, workers: Cluster | None = None) -> Workspace:
        """Return a workspace on the hosts, all reached, and the cluster; raise `TunerError` saying which cannot be."""
        if workers is not None:
            from tuner.session.measuring import scheduler

            at = replace(at, cluster=self.connections.enter_context(scheduler.connected(workers)))
        if hosts.pairs:
            return replace(at, pairs=self.pairs(hosts))
        server, client = self.ends(hosts.server, hosts.client)
        return replace(at, host=server, client=client)

    def ends(self, server: Target | None, client: Target | None) -> tuple[Host, Host | None]:
        """Return the server's host, and the client's where that is another."""
        there = self._reached(server)
        return there, None if server == client else self._reached(client)

    def pairs(self, hosts: Hosts) -> tuple[Placed, ...]:
        """Return the pairs of hosts that were named, all reached at once."""

        def reached(each: NamedPair) -> Placed:
            server, client = self.ends(each.server, each.client)
            return Placed(each.name, Pair(server, client or server), each.address)

        return tuple(many.on_each(hosts.pairs, reached))

    def _reached(self, target: Target | None) -> Host:
        if target is None:
            return self.here
        return self.connections.enter_context(ssh.reached(target, self.environment))
