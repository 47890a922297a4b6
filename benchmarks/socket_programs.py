"""Random programs over sockets, played on loopback: each step's outcome is printed, so that two ways to play can be compared.

A program follows from its seed. What it does next never depends on time: before anything is looked at, what was sent has
arrived. Only the standard library is used, because this runs under preloaded libraries.

    python benchmarks/socket_programs.py FIRST_SEED PROGRAMS

prints a line of JSON a program: its seed and the outcomes of its steps.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import select
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

STEPS: Final = 40
ARRIVES_WITHIN_S: Final = 0.5
TIMEOUT_S: Final = 0.01
PATIENT_S: Final = 2.0
LATER_S: Final = 0.003
LARGEST: Final = 3000
ESTABLISHED: Final = 1
"""`tcpi_state` in `TCP_INFO` (linux/tcp.h)."""
FLAGS: Final = (0, socket.MSG_PEEK, socket.MSG_DONTWAIT, socket.MSG_DONTWAIT | socket.MSG_PEEK)
EVENTS: Final = (
    select.EPOLLIN,
    select.EPOLLIN | select.EPOLLET,
    select.EPOLLIN | select.EPOLLOUT | select.EPOLLET,
    select.EPOLLIN | select.EPOLLRDHUP,
    select.EPOLLIN | select.EPOLLONESHOT,
)


@dataclass(eq=False)
class End:
    """One end of a pair of sockets, or a copy of it: copies have one name."""

    name: str
    sock: socket.socket
    peer: str


@dataclass
class Play:
    """A program that is being played."""

    rng: random.Random
    ends: list[End] = field(default_factory=list)
    polls: list[select.epoll] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    pairs: int = 0

    def any_end(self) -> End:
        """Return one of the sockets; there is always one."""
        if not self.ends:
            tcp(self)
        return self.rng.choice(self.ends)

    def add(self, *pair: socket.socket) -> None:
        """Take a connected pair in; no receive waits for ever."""
        names = [f"{self.pairs}{side}" for side in "ab"]
        self.pairs += 1
        for each, name, peer in zip(pair, names, names[::-1], strict=True):
            limit(each, TIMEOUT_S)
            self.ends.append(End(name, each, peer))

    def other(self, end: End) -> End | None:
        """Return the other end, None where nobody holds it any more."""
        return next((each for each in self.ends if each.name == end.peer), None)


def limit(sock: socket.socket, wait_s: float) -> None:
    """Let receives wait so long."""
    seconds, parts = divmod(wait_s, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), int(parts * 1e6)))


def outcome(act: Callable[[], Any]) -> Any:
    """Return what an act returned in a form that can be compared, or the name of its error."""
    try:
        found = act()
    except TimeoutError as reason:
        return f"timeout {reason.errno}"
    except OSError as reason:
        return errno.errorcode.get(reason.errno or 0, str(reason))
    return found.hex() if isinstance(found, bytes) else found


def unread(end: End) -> int:
    """Return how many bytes wait in a socket, by the kernel's word."""
    return int(struct.unpack("i", fcntl.ioctl(end.sock, termios.FIONREAD, b"\0" * 4))[0])


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, or long enough."""
    end_s = time.monotonic() + ARRIVES_WITHIN_S
    while time.monotonic() < end_s:
        with suppress(OSError):
            if holds():
                return
        time.sleep(0.0002)


def is_open(end: End) -> bool:
    """Return whether a TCP connection is as it was made; another socket is never anything else."""
    if end.sock.family != socket.AF_INET or end.sock.type != socket.SOCK_STREAM:
        return False
    return end.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED


def tcp(play: Play) -> Any:
    """Connect two sockets."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    play.add(one, other)
    return [one.fileno(), other.fileno()]


def udp(play: Play) -> Any:
    """Connect two sockets for datagrams."""
    pair = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
    for each in pair:
        each.bind(("127.0.0.1", 0))
    for each, other in (pair, pair[::-1]):
        each.connect(other.getsockname())
    play.add(*pair)
    return [each.fileno() for each in pair]


def local(play: Play) -> Any:
    """Make a pair that has nothing to do with the internet."""
    kind = play.rng.choice((socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET))
    play.add(*socket.socketpair(type=kind))
    return kind.name


def refused(play: Play) -> Any:
    """Connect to where nobody listens, sometimes without waiting."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = free.getsockname()
    with socket.socket() as one:
        one.setblocking(play.rng.random() < 0.5)
        first = outcome(lambda: one.connect(at))
        watched = select.poll()
        watched.register(one, select.POLLOUT)
        ready = [events for _, events in watched.poll(1000)]
        return [first, ready, one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]


def sent(play: Play, end: End, data: bytes) -> Any:
    """Send, and wait until it has arrived."""
    peer = play.other(end)
    before = unread(peer) if peer else 0
    found = outcome(lambda: end.sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL))
    if isinstance(found, int) and peer is not None:
        arrived = before + found if peer.sock.type == socket.SOCK_STREAM else 1
        until(lambda: unread(peer) >= arrived)
    return found


def send(play: Play) -> Any:
    """Send from any socket."""
    return sent(play, play.any_end(), play.rng.randbytes(play.rng.randint(1, LARGEST)))


def received(play: Play, end: End, flags: int) -> Any:
    """Receive in one of the many ways."""
    size = play.rng.randint(1, LARGEST)
    ways: list[Callable[[], Any]] = [
        lambda: end.sock.recv(size, flags),
        lambda: end.sock.recvmsg(size, 0, flags)[0],
        lambda: end.sock.recvfrom(size, flags)[0],
        lambda: os.read(end.sock.fileno(), size),
        lambda: read_vector(end, size),
    ]
    return outcome(play.rng.choice(ways[:3] if flags else ways))


def read_vector(end: End, size: int) -> bytes:
    """Receive into several places."""
    places = [bytearray(max(1, size // 3)) for _ in range(3)]
    count = os.readv(end.sock.fileno(), places)
    return b"".join(places)[:count]


def receive(play: Play) -> Any:
    """Receive, whether anything is there or not."""
    return received(play, play.any_end(), play.rng.choice(FLAGS))


def awaited(play: Play) -> Any:
    """Wait for what a child sends a little later: in a receive, or in one of the calls that tell who is ready.

    A receive that does not wait comes first: it might get what is sent later too, or might not. What no receive waited for is
    waited for in the end: the kernel holds it back while the other end has not acknowledged what came before (Nagle), and a
    setting such as TCP_NODELAY would let it come before the next step instead of behind it.
    """
    end = play.any_end()
    peer = play.other(end)
    if peer is None:
        return "nobody"
    data = play.rng.randbytes(play.rng.randint(1, LARGEST))
    limit(end.sock, PATIENT_S)
    way = play.rng.randrange(4)
    early = way == 0 and not waits(end)
    found = received(play, end, 0) if early else None
    before, child = unread(end), later(peer, data)
    if not early:
        found = received(play, end, 0) if way == 0 else ready_within(end, way)
    _, status = os.waitpid(child, 0)
    if not status and (early or way) and end.sock.type == socket.SOCK_STREAM:
        until(lambda: unread(end) >= before + len(data))
    limit(end.sock, TIMEOUT_S)
    return [found, status]


def waits(end: End) -> bool:
    """Return whether a receive would wait: nothing is there, the stream has not ended, and its socket may wait."""
    ready = select.select([end.sock], [], [], 0)[0]
    return not ready and not fcntl.fcntl(end.sock, fcntl.F_GETFL) & os.O_NONBLOCK


def ready_within(end: End, way: int) -> Any:
    """Return whether a socket becomes readable, by one of the calls that say so."""
    if way == 1:
        return bool(select.select([end.sock], [], [], PATIENT_S)[0])
    with select.epoll() as several:
        watched = several if way == 2 else select.poll()
        watched.register(end.sock, select.EPOLLIN)
        return bool(watched.poll(PATIENT_S if way == 2 else 1000 * PATIENT_S))


def later(end: End, data: bytes) -> int:
    """Let a child send after a little while; its status says whether it could."""
    child = os.fork()
    if not child:
        time.sleep(LATER_S)
        could = outcome(lambda: end.sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)) == len(data)
        os._exit(not could)
    return child


def flip(play: Play) -> Any:
    """Let a socket wait or not, by either call, and for so many bytes."""
    end = play.any_end()
    off = play.rng.random() < 0.5
    if play.rng.random() < 0.5:
        flags = fcntl.fcntl(end.sock, fcntl.F_GETFL)
        fcntl.fcntl(end.sock, fcntl.F_SETFL, flags | os.O_NONBLOCK if off else flags & ~os.O_NONBLOCK)
    else:
        fcntl.ioctl(end.sock, 0x5421, struct.pack("i", off))  # FIONBIO
    wanted = play.rng.choice((1, 1, 100))
    return [off, outcome(lambda: end.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted))]


def look(play: Play) -> Any:
    """Ask by select or poll who is ready."""
    chosen = play.rng.sample(play.ends, min(len(play.ends), play.rng.randint(1, 4)))
    wait_s = play.rng.choice((0.0, TIMEOUT_S))
    if play.rng.random() < 0.5:
        socks = [each.sock for each in chosen]
        found = select.select(socks, socks, socks, wait_s)
        return [sorted(socks.index(each) for each in group) for group in found]
    watched, places = select.poll(), {each.sock.fileno(): at for at, each in enumerate(chosen)}
    for each in chosen:
        watched.register(each.sock, play.rng.choice((select.POLLIN, select.POLLIN | select.POLLOUT | select.POLLRDHUP)))
    return sorted([places[number], events] for number, events in watched.poll(1000 * wait_s))


def watch(play: Play) -> Any:
    """Add, change or take away what an epoll descriptor watches."""
    if not play.polls:
        play.polls.append(select.epoll())
    poll, end = play.rng.choice(play.polls), play.any_end()
    events, way = play.rng.choice(EVENTS), play.rng.randrange(4)
    if way == 0:
        return outcome(lambda: poll.unregister(end.sock))
    if way == 1:
        return outcome(lambda: poll.modify(end.sock, events))
    return outcome(lambda: poll.register(end.sock, events))


def wait(play: Play) -> Any:
    """Ask an epoll descriptor who is ready."""
    if not play.polls:
        return "none"
    found = play.rng.choice(play.polls).poll(play.rng.choice((0.0, TIMEOUT_S)))
    return sorted(map(list, found))


def copy(play: Play) -> Any:
    """Duplicate a socket."""
    end = play.any_end()
    other = End(end.name, end.sock.dup(), end.peer)
    play.ends.append(other)
    return other.sock.fileno()


def shut(play: Play) -> Any:
    """Shut one or both ways."""
    end = play.any_end()
    how = play.rng.choice((socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR))
    found = outcome(lambda: end.sock.shutdown(how))
    if how != socket.SHUT_RD:
        settled(play, end)
    return found


def settled(play: Play, end: End) -> None:
    """Wait until the other end of a TCP connection knows that this one is gone."""
    peer = play.other(end)
    if peer is not None and outcome(partial(is_open, peer)) is True:
        until(lambda: not is_open(peer))


def close(play: Play) -> Any:
    """Close a socket; the last copy ends its connection."""
    end = play.any_end()
    number = end.sock.fileno()
    end.sock.close()
    play.ends.remove(end)
    if not any(each.name == end.name for each in play.ends):
        settled(play, end)
    return number


def apart(play: Play) -> Any:
    """Let a child receive from a shared socket, and tell what it got."""
    end, (reading, writing) = play.any_end(), os.pipe()
    state = play.rng.getstate()
    child = os.fork()
    if not child:
        os.write(writing, json.dumps(received(play, end, socket.MSG_DONTWAIT)).encode())
        os._exit(0)
    os.close(writing)
    play.rng.setstate(state)
    play.rng.random()
    with os.fdopen(reading, "rb") as file:
        told = file.read()
    os.waitpid(child, 0)
    return told.decode()


ACTS: Final[tuple[tuple[Callable[[Play], Any], int], ...]] = (
    (tcp, 4),
    (udp, 2),
    (local, 1),
    (refused, 1),
    (send, 12),
    (receive, 12),
    (awaited, 6),
    (flip, 4),
    (look, 10),
    (watch, 8),
    (wait, 10),
    (copy, 3),
    (shut, 2),
    (close, 3),
    (apart, 2),
)


def played(seed: int) -> list[Any]:
    """Return the outcomes of a program's steps."""
    play = Play(random.Random(seed))  # noqa: S311 - no secret
    acts, weights = zip(*ACTS, strict=True)
    try:
        tcp(play)
        for _ in range(STEPS):
            act = play.rng.choices(acts, weights)[0]
            play.told.append([act.__name__, outcome(partial(act, play))])
    finally:
        for end in play.ends:
            end.sock.close()
        for poll in play.polls:
            poll.close()
    return play.told


def main() -> None:
    """Play the programs of some seeds."""
    first, count = map(int, sys.argv[1:])
    for seed in range(first, first + count):
        print(json.dumps([seed, played(seed)]), flush=True)


if __name__ == "__main__":
    main()
