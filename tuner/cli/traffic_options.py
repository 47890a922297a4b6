"""The options of a workload that go beyond one connection between two ends: multicast, sockets, and sockperf's own arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Receivers = Annotated[
    int | None, typer.Option("--receivers", metavar="N", help="Receivers of the multicast group at --address.")
]
McRxIf = Annotated[
    str | None,
    typer.Option("--mc-rx-if", metavar="IP,…", help="Interface on which receivers join; one, or one for each."),
]
McTxIf = Annotated[str | None, typer.Option("--mc-tx-if", metavar="IP", help="Interface on which the client sends.")]
McTtl = Annotated[int | None, typer.Option("--mc-ttl", metavar="N", help="Hops that multicast messages live.")]
McLoopback = Annotated[
    bool | None,
    typer.Option("--mc-loopback/--no-mc-loopback", help="Whether this machine hears what it sends to a group."),
]
Feed = Annotated[
    Path | None, typer.Option("--feed", metavar="FILE", help="Connections of your own: U:ADDRESS:PORT or T:… a line.")
]
ClientAddress = Annotated[
    str | None, typer.Option("--client-address", metavar="IP", help="Address that the client binds to.")
]
ClientPort = Annotated[
    int | None, typer.Option("--client-port", metavar="N", help="Port that the client binds to; a free one otherwise.")
]
SenderAffinity = Annotated[
    str | None, typer.Option("--sender-affinity", metavar="LIST", help="CPUs of the client's sending thread.")
]
ReceiverAffinity = Annotated[
    str | None, typer.Option("--receiver-affinity", metavar="LIST", help="CPUs of the client's receiving thread.")
]
Nonblocked = Annotated[bool, typer.Option("--nonblocked", help="Sockets that do not block.")]
AvoidNodelay = Annotated[
    bool,
    typer.Option("--tcp-avoid-nodelay", help="Turn Nagle's algorithm over, which sockperf has off but in throughput."),
]
FullRtt = Annotated[
    bool, typer.Option("--full-rtt", help="Latencies (and limits of an objective) are round trips, not halves of them.")
]
Range = Annotated[
    int | None, typer.Option("--range", metavar="N", help="Message sizes differ at random by up to N bytes.")
]
SockperfArgs = Annotated[
    str | None, typer.Option("--sockperf-args", metavar="ARGS", help="Further arguments for sockperf, quoted as one.")
]


def multicast(
    receivers: Receivers = None,
    mc_rx_if: McRxIf = None,
    mc_tx_if: McTxIf = None,
    mc_ttl: McTtl = None,
    mc_loopback: McLoopback = None,
) -> dict[str, object]:
    """Return how a multicast group is sent to and joined, by the names of the options."""
    given: dict[str, object] = {"receivers": receivers, "mc_rx_if": mc_rx_if, "mc_tx_if": mc_tx_if}
    return given | {"mc_ttl": mc_ttl, "mc_loopback": mc_loopback}


def sockets(
    feed: Feed = None,
    client_address: ClientAddress = None,
    client_port: ClientPort = None,
    sender_affinity: SenderAffinity = None,
    receiver_affinity: ReceiverAffinity = None,
    nonblocked: Nonblocked = False,
    tcp_avoid_nodelay: AvoidNodelay = False,
) -> dict[str, object]:
    """Return what the ends do with their sockets and threads, by the names of the options."""
    return {
        "feed": feed,
        "client_address": client_address,
        "client_port": client_port,
        "sender_affinity": sender_affinity,
        "receiver_affinity": receiver_affinity,
        "nonblocked": nonblocked,
        "tcp_avoid_nodelay": tcp_avoid_nodelay,
    }


def shape(full_rtt: FullRtt = False, range_: Range = None, sockperf_args: SockperfArgs = None) -> dict[str, object]:
    """Return the rest of what sockperf is told, by the names of the options."""
    return {"full_rtt": full_rtt, "range": range_, "sockperf_args": sockperf_args}
