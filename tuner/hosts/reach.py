"""Whether one machine can be reached by another at an address: a socket that sends back what comes, and who tries it.

A firewall shows only so: routes and addresses may be right, and nothing arrives.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

TRY_S: Final = 2.0
"""How long an answer is waited for; a packet takes milliseconds."""
_WORD: Final = b"tuner"
_LOOK_S: Final = 0.2


def socket_of(protocol: str, address: str) -> socket.socket:
    """Return a socket for `tcp` or `udp` to or at an address."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)


@contextmanager
def listening(protocol: str, address: str) -> Iterator[int]:
    """Listen on a free port of an address of this machine, and send back what comes; yield the port.

    Raises:
        OSError: it cannot be listened there.

    """
    over = threading.Event()
    with socket_of(protocol, address) as one:
        one.bind((address, 0))
        if protocol == "tcp":
            one.listen()
        answering = threading.Thread(target=_answer, args=(one, over), daemon=True)
        answering.start()
        try:
            yield one.getsockname()[1]
        finally:
            over.set()
            answering.join()


def _answer(one: socket.socket, over: threading.Event) -> None:
    while not over.is_set():
        if not select.select([one], [], [], _LOOK_S)[0]:
            continue
        with contextlib.suppress(OSError):
            if one.type == socket.SOCK_DGRAM:
                one.sendto(*one.recvfrom(len(_WORD)))
                continue
            with one.accept()[0] as other:
                other.settimeout(_LOOK_S)
                other.sendall(other.recv(len(_WORD)))


def unreached(protocol: str, address: str, port: int) -> str | None:
    """Return why nothing comes back from a port where somebody listens, None where it does."""
    try:
        with socket_of(protocol, address) as one:
            one.settimeout(TRY_S)
            one.connect((address, port))
            one.sendall(_WORD)
            return None if one.recv(len(_WORD)) == _WORD else "something else answers there"
    except TimeoutError:
        return f"nothing comes back within {TRY_S:g} s"
    except OSError as reason:
        return (reason.strerror or str(reason)).lower()
