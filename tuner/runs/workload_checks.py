"""What is wrong with a workload: all that the benchmark would refuse, and what would make its numbers mean nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from tuner.errors import Finding, error, warning
from tuner.hosts.cpus import parse as parse_cpus
from tuner.runs.workload import (
    LARGEST_MESSAGE_BYTES,
    LONGEST_DURATION_S,
    MOST_CONNECTIONS,
    MOST_RECEIVERS,
    SMALLEST_MESSAGE_BYTES,
    VALID_SHARE_LOST_S,
    Mode,
    Multiplexer,
    Protocol,
    Workload,
)

OF_A_RECIPE: Final = frozenset(
    {"recipe", "rehearsed_s", "address", "duration_s", "server_cpus", "client_cpus", "protocol"}
)
"""What of a workload counts beside its recipe."""
_OBSERVATIONS_FOR_P99: Final = 1000
_HIGHEST_PORT: Final = 65535


def problems(w: Workload) -> list[Finding]:
    """Return everything that would be refused or that would make the numbers mean nothing."""
    if w.recipe:
        return [*_number_problems(w), *_beside_recipe(w), *_place_problems(w)]
    simple = [*_number_problems(w), *_shape_problems(w), *_mode_problems(w), *_place_problems(w)]
    return [*simple, *_multicast_problems(w), *_client_problems(w)]


def _beside_recipe(w: Workload) -> Iterator[Finding]:
    """Yield what is asked of the traffic, which is the recipe's matter."""
    plain = Workload(recipe=w.recipe).to_dict()
    for name, value in w.to_dict().items():
        if name not in OF_A_RECIPE and plain.get(name) != value:
            yield error(f"workload.{name}", "is for the recipe's own commands to say", "leave it out")
    if w.is_multicast:
        yield error("workload.address", f"{w.address} is a multicast group, which no recipe knows", "name an address")


def _number_problems(w: Workload) -> list[Finding]:
    ranges = (
        ("message_bytes", w.message_bytes, SMALLEST_MESSAGE_BYTES, LARGEST_MESSAGE_BYTES),
        ("rate_mps", w.rate_mps, 1, 2**31 - 1),
        ("burst", w.burst, 1, 2**31 - 1),
        ("reply_every", w.reply_every, 1, 2**31 - 1),
        ("duration_s", w.duration_s, 1, LONGEST_DURATION_S),
        ("connections", w.connections, 1, MOST_CONNECTIONS),
        ("server_threads", w.server_threads, 1, MOST_CONNECTIONS),
        ("receivers", w.receivers, 1, MOST_RECEIVERS),
        ("mc_ttl", w.mc_ttl, 0, 255),
        ("range_bytes", w.range_bytes, 0, LARGEST_MESSAGE_BYTES),
        ("client_port", w.client_port, 1, _HIGHEST_PORT),
    )
    return [
        error(f"workload.{name}", f"{value} must be from {low} to {high}")
        for name, value, low, high in ranges
        if value is not None and not low <= value <= high
    ]


def _shape_problems(w: Workload) -> list[Finding]:
    found = []
    if w.multiplexer is Multiplexer.RECVFROM and w.connections > 1:
        message = f"recvfrom waits for one socket and cannot serve {w.connections} connections"
        found.append(error("workload.multiplexer", message, "choose epoll, poll or select"))
    if w.multiplexer is Multiplexer.RECVFROM and w.server_threads > 1:
        message = f"{w.server_threads} server threads share several sockets, which recvfrom cannot"
        found.append(error("workload.server_threads", message, "choose epoll, poll or select"))
    if w.server_threads > w.connections:
        message = f"{w.server_threads} threads must not exceed the {w.connections} connections they share"
        found.append(error("workload.server_threads", message, f"use {w.connections} or fewer, or more connections"))
    return found


def _mode_problems(w: Workload) -> list[Finding]:
    found = []
    if w.mode is Mode.PLAYBACK and not w.playback:
        found.append(error("workload.playback", "playback needs a file of times and sizes", "name one"))
    if w.mode is not Mode.PLAYBACK and w.playback:
        found.append(error("workload.playback", f"{w.mode} takes no playback file", "choose mode playback"))
    if w.mode is Mode.PLAYBACK and (w.rate_mps is not None or w.burst != 1):
        found.append(error("workload.rate_mps", "a playback takes rate and bursts from its file", "leave both out"))
    if w.mode is Mode.UNDER_LOAD and w.rate_mps is not None:
        found.extend(_few_observations(w, w.rate_mps))
    return found


def _few_observations(w: Workload, rate_mps: int) -> list[Finding]:
    expected = rate_mps * max(0.0, w.duration_s - VALID_SHARE_LOST_S) / max(1, w.reply_every)
    if expected >= _OBSERVATIONS_FOR_P99:
        return []
    message = f"a reply to every {w.reply_every}. message gives about {expected:.0f} observations, too few for a p99"
    return [warning("workload.reply_every", message, "reply more often, send faster or measure longer")]


def _place_problems(w: Workload) -> list[Finding]:
    parts = ("server_cpus", "client_cpus", "sender_affinity", "receiver_affinity")
    named = [(name, getattr(w, name)) for name in parts]
    bad = [(name, text) for name, text in named if text and parse_cpus(text) is None]
    found = [error(f"workload.{name}", f"{text!r} is not a CPU list", "write 1 or 2-3 or 0,2") for name, text in bad]
    return [*found, *_address_problems(w)]


def _address_problems(w: Workload) -> list[Finding]:
    named = [("address", w.address), ("client_address", w.client_address), ("mc_tx_if", w.mc_tx_if)]
    named += [("mc_rx_if", text) for text in w.mc_rx_if.split(",")]
    asked = [(name, text) for name, text in named if text or name == "address"]
    advice = "write the address itself: names of hosts are not looked up"
    return [
        error(f"workload.{name}", f"{text!r} is not an IP address", advice)
        for name, text in asked
        if not _is_address(text)
    ]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _multicast_problems(w: Workload) -> Iterator[Finding]:
    if not w.is_multicast:
        for name in ("receivers", "mc_rx_if", "mc_tx_if", "mc_ttl", "mc_loopback"):
            if getattr(w, name) != getattr(Workload(), name):
                message = f"{w.address} is not a multicast group; only those take this"
                yield error(f"workload.{name}", message, "use --address 239.1.1.1, or another group")
    elif w.protocol is not Protocol.UDP:
        yield error("workload.protocol", f"{w.protocol} has no multicast", "choose udp")
    else:
        yield from _receiver_problems(w)


def _receiver_problems(w: Workload) -> Iterator[Finding]:
    named = w.mc_rx_if.split(",")
    if len(named) not in {1, w.receivers}:
        message = f"{len(named)} interfaces for {w.receivers} receivers"
        yield error("workload.mc_rx_if", message, "name one for all of them, or one for each")
    elif w.mode is not Mode.THROUGHPUT and len(set(w.receiver_interfaces)) < w.receivers:
        message = f"the sender knows its {w.receivers} receivers by the addresses from which they answer"
        advice = "name a different address of this machine for each: --mc-rx-if A,B,…"
        yield error("workload.mc_rx_if", message, advice)


def _client_problems(w: Workload) -> Iterator[Finding]:
    low, high = w.message_bytes - w.range_bytes, w.message_bytes + w.range_bytes
    if w.range_bytes and not SMALLEST_MESSAGE_BYTES <= low <= high <= LARGEST_MESSAGE_BYTES:
        allowed = f"{SMALLEST_MESSAGE_BYTES} to {LARGEST_MESSAGE_BYTES}"
        yield error("workload.range_bytes", f"sizes would be from {low} to {high}, allowed are {allowed}")
    if w.range_bytes and w.mode is Mode.PLAYBACK:
        yield error("workload.range_bytes", "a playback takes its sizes from its file", "leave it out")
    if w.client_port is not None and w.needs_feed:
        message = "several connections, threads or a multiplexer need a feed file, beside which no port can be given"
        yield error("workload.client_port", message, "leave it out, or measure one connection with recvfrom")
    if w.tcp_avoid_nodelay and w.protocol is not Protocol.TCP:
        yield error("workload.tcp_avoid_nodelay", f"{w.protocol} has no TCP_NODELAY", "choose protocol tcp")
    yield from _affinity_problems(w)


def _affinity_problems(w: Workload) -> Iterator[Finding]:
    allowed = parse_cpus(w.client_cpus)
    for name in ("sender_affinity", "receiver_affinity"):
        beyond = set(parse_cpus(getattr(w, name)) or ()) - set(allowed or ())
        if allowed is not None and beyond:
            message = f"CPUs {', '.join(map(str, sorted(beyond)))} are not among the client's, {w.client_cpus}"
            yield error(f"workload.{name}", message, "add them to --client-cpus")
