"""The way between two hosts that is measured: which address of the server, and which devices it goes over.

Of a machine's many addresses the one is taken that the other reaches directly, not over the device by which ssh comes, and by
the fastest device.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tuner.errors import Finding, UsageError, doubt, error
from tuner.hosts.host import Host
from tuner.hosts.links import Link, Network, Route
from tuner.hosts.pair import Pair

LOOPBACK: Final = "127.0.0.1"
_WITHOUT: Final = "without --address the best one is taken; `tuner check --server … --client …` shows it"


@dataclass(frozen=True, slots=True)
class Path:
    """The server's address, the address that the client sends from, and the device at each end."""

    address: str
    source: str
    server: Link
    client: Link
    doubts: tuple[Finding, ...] = ()

    def words(self) -> str:
        """Return the way in a sentence."""
        return f"{self.source} on {self.client.words()} to {self.address} on {self.server.words()}"

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {
            "address": self.address,
            "source": self.source,
            "server": _told(self.server),
            "client": _told(self.client),
        }


def _told(link: Link) -> dict[str, object]:
    names = ("name", "driver", "firmware", "speed_mbps", "mtu", "numa_node")
    return {name: getattr(link, name) for name in names}


def between(pair: Pair, named: str | None) -> Path:
    """Return the way to the server's address that is `named`, or to the best one.

    Raises:
        UsageError: it is none of the server's, or the client cannot reach it.

    """
    there, here = pair.server.network(), pair.client.network()
    if named is None:
        named = LOOPBACK if here.is_where(there) else _best(pair, there, here)
    device = there.at(named) or _of_loopback(there, named)
    if device is None:
        raise _not_there(pair.server, named, there)
    way = pair.client.route(named)
    if way is None or (way.own and not here.is_where(there)):
        raise _out_of_reach(pair, named, own=way is not None, there=there, here=here)
    mine = next((link for link in here.links if link.name == way.device), Link(way.device))
    return Path(
        named, way.source or named, device, mine, tuple(_doubts(pair, (named, way), (there, here), (device, mine)))
    )


def check(pair: Pair, way: Path, protocol: str) -> None:
    """Raise `UsageError` where nothing that the client sends by `tcp` or `udp` comes back from the server's address."""
    with pair.server.listening(protocol, way.address) as port:
        why = pair.client.unreached(protocol, way.address, port)
    if why is not None:
        message = f"{pair.client.name} gets no answer from {way.address} of {pair.server.name} by {protocol}: {why}"
        mends = f"let {way.source} in at {pair.server.name}: iptables -I INPUT -s {way.source} -j ACCEPT, or firewall-cmd --zone=trusted --add-source={way.source}"
        raise UsageError(message, findings=[error("--address", f"a firewall may be between, since {why}", mends)])


def _of_loopback(there: Network, address: str) -> Link | None:
    """Return the loopback device for any address of 127.0.0.0/8, all of which are its own."""
    is_loopback = _parsed(address) is not None and ipaddress.ip_address(address).is_loopback
    return next((link for link in there.links if link.name == "lo"), None) if is_loopback else None


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _best(pair: Pair, there: Network, here: Network) -> str:
    found = [each for each in _offered(there) if (way := pair.client.route(each[0])) and not way.own]
    if not found:
        raise _out_of_reach(pair, "", own=False, there=there, here=here)
    return min(found, key=lambda each: _rank(each, there, here))[0]


def _offered(there: Network) -> Iterator[tuple[str, Link]]:
    """Yield the addresses of a machine that others can reach, with their devices."""
    for link in there.links:
        for own in link.addresses:
            ip = ipaddress.ip_interface(own).ip
            if not (ip.is_loopback or ip.is_link_local) and link.up is not False:
                yield str(ip), link


def _rank(offered: tuple[str, Link], there: Network, here: Network) -> tuple[bool, bool, int, bool]:
    """Return how late an address comes: one that is reached directly, without ssh, by a fast device and IPv4 is first."""
    address, link = offered
    ip = ipaddress.ip_address(address)
    nets = (
        ipaddress.ip_interface(own).network for other in here.links if other.name != "lo" for own in other.addresses
    )
    direct = any(ip.version == net.version and ip in net for net in nets)
    by_ssh = there.ssh is not None and there.at(there.ssh) is link
    return not direct, by_ssh, -(link.speed_mbps or 0), ip.version != 4  # noqa: PLR2004 - of IP


def _not_there(server: Host, address: str, there: Network) -> UsageError:
    has = ", ".join(f"{own} ({link.name})" for own, link in _offered(there)) or "none that others can reach"
    listens = error(
        "--address", "the server of a run listens there, so that it must be one of its host's own", f"it has {has}"
    )
    return UsageError(f"{address} is no address of {server.name}", findings=[listens], advice=_WITHOUT)


def _out_of_reach(pair: Pair, address: str, *, own: bool, there: Network, here: Network) -> UsageError:
    what = f"{address} of {pair.server.name}" if address else f"any address of {pair.server.name}"
    message = f"{pair.client.name} has no route to {what}"
    if own:
        message = f"{address} is also an address of {pair.client.name}, which would measure itself"
    theirs, ours = (", ".join(each for each, _ in _offered(network)) or "none" for network in (there, here))
    has = f"{pair.server.name} has {theirs}; {pair.client.name} has {ours}"
    mends = f"name one of the server's that the client reaches, or let it: `ip route add {address or 'ADDRESS'} via GATEWAY` at {pair.client.name}"
    return UsageError(message, findings=[error("--address", has, mends)])


def _doubts(
    pair: Pair, to: tuple[str, Route], networks: tuple[Network, Network], links: tuple[Link, Link]
) -> Iterator[Finding]:
    """Yield what makes the way another one than its user may think."""
    (address, way), (there, here), (theirs, ours) = to, networks, links
    if here.is_where(there):
        yield doubt("server and client are one machine: what is measured crosses no network", "name two hosts")
        return
    if here.shares_kernel(there):
        yield doubt(
            "both hosts share one machine's CPUs and kernel: no network card is measured",
            "measure between two machines",
        )
    for host, network, link in ((pair.server, there, theirs), (pair.client, here, ours)):
        if network.ssh is not None and network.at(network.ssh) is link:
            yield doubt(
                f"the traffic to {address} goes over {link.name} of {host.name}, by which ssh comes too",
                "name the server's address on another network with --address, if it has one",
            )
    if way.gateway:
        yield doubt(
            f"{pair.client.name} reaches {address} over the gateway {way.gateway}",
            "name an address of a network that both are in",
        )
    if theirs.mtu != ours.mtu:
        yield doubt(
            f"the MTU is {theirs.mtu} at the server and {ours.mtu} at the client",
            "set the same at both: ip link set DEVICE mtu N",
        )
