"""Ordinary programs that use sockets in the ways of Python's library. Each ends with an error when it goes wrong."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Final

MESSAGES: Final = [os.urandom(size) for size in (1, 100, 5000, 300_000)]
HOSTS: Final = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, "the other end went away"
        data += part
    return bytes(data)


def echo_until_end(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def ask(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        for message in MESSAGES:
            sender = threading.Thread(target=connection.sendall, args=(message,))
            sender.start()
            assert receive_exactly(connection, len(message)) == message
            sender.join()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def blocking_threads() -> None:
    for family, host in HOSTS.items():
        with socket.create_server((host, 0), family=family) as listener:
            asker = threading.Thread(target=ask, args=(listener.getsockname()[:2],))
            asker.start()
            echo_until_end(listener.accept()[0])
            asker.join()


def buffered_files() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
        with client, server, client.makefile("rwb") as ours, server.makefile("rwb") as theirs:
            for number in range(200):
                ours.write(b"line %d\n" % number)
                ours.flush()
                assert theirs.readline() == b"line %d\n" % number


def forked_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = os.fork()
        if child == 0:
            echo_until_end(listener.accept()[0])
            os._exit(0)
        ask(listener.getsockname())
        assert os.waitpid(child, 0)[1] == 0


def threading_server() -> None:
    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            echo_until_end(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever).start()
        askers = [threading.Thread(target=ask, args=(server.server_address,)) for _ in range(3)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        server.shutdown()


def every_selector() -> None:
    for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
        with kind() as selector, socket.create_server(("127.0.0.1", 0)) as listener:
            asker = threading.Thread(target=ask, args=(listener.getsockname(),))
            asker.start()
            selector.register(listener, selectors.EVENT_READ)
            assert [key.fileobj for key, _ in selector.select()] == [listener]
            serve_selected(selector, listener.accept()[0])
            asker.join()


def serve_selected(selector: selectors.BaseSelector, connection: socket.socket) -> None:
    waiting = bytearray()
    connection.setblocking(False)
    selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
    open_for_reading = True
    with connection:
        while open_for_reading or waiting:
            for _, events in selector.select(timeout=60):
                if events & selectors.EVENT_READ and open_for_reading:
                    data = connection.recv(65536)
                    open_for_reading = bool(data)
                    waiting += data
                if events & selectors.EVENT_WRITE and waiting:
                    del waiting[: connection.send(waiting)]
        selector.unregister(connection)


def datagrams() -> None:
    for family, host in HOSTS.items():
        with socket.socket(family, socket.SOCK_DGRAM) as here, socket.socket(family, socket.SOCK_DGRAM) as there:
            here.bind((host, 0))
            there.bind((host, 0))
            for number in range(100):
                here.sendto(b"%d" % number, there.getsockname())
                assert there.recvfrom(100) == (b"%d" % number, here.getsockname())


def time_limits() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as idle:
        idle.bind(("127.0.0.1", 0))
        idle.settimeout(0.02)
        for _ in range(3):
            try:
                idle.recv(1)
            except TimeoutError:
                continue
            raise AssertionError("the time limit was not kept")
        idle.setblocking(False)
        try:
            idle.recv(1)
        except BlockingIOError:
            return
        raise AssertionError("a non-blocking socket waited")


def signals() -> None:
    class Rang(Exception):
        """The alarm rang."""

    def ring(*_: object) -> None:
        raise Rang

    signal.signal(signal.SIGALRM, ring)
    with socket.socket(type=socket.SOCK_DGRAM) as idle:
        idle.bind(("127.0.0.1", 0))
        for wait in (lambda: idle.recv(1), lambda: select_reading(idle)):
            signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
            try:
                wait()
            except Rang:
                signal.setitimer(signal.ITIMER_REAL, 0)
                continue
            raise AssertionError("the handler did not end the wait")


def select_reading(connection: socket.socket) -> None:
    with selectors.EpollSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.select()


async def echo_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def ask_stream(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for message in MESSAGES:
        writer.write(message)
        assert await reader.readexactly(len(message)) == message
    writer.close()
    await writer.wait_closed()


async def stream_clients() -> None:
    for host in HOSTS.values():
        server = await asyncio.start_server(echo_stream, host, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await asyncio.gather(*(ask_stream(host, port) for _ in range(4)))


async def stream_processes() -> None:
    process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate(MESSAGES[-1])
    assert printed == MESSAGES[-1]


async def stream_timeouts() -> None:
    server = await asyncio.start_server(echo_stream, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            await asyncio.wait_for(reader.read(1), 0.02)
        except TimeoutError:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError("the time limit was not kept")


def run_async(program: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    async def body() -> None:
        await program()

    return lambda: asyncio.run(body())


def random_numbers() -> None:
    """A library that opens and reads files as it loads."""
    assert len(ssl.RAND_bytes(16)) == 16


PROGRAMS: Final[dict[str, Callable[[], None]]] = {
    "blocking_threads": blocking_threads,
    "buffered_files": buffered_files,
    "forked_server": forked_server,
    "threading_server": threading_server,
    "every_selector": every_selector,
    "datagrams": datagrams,
    "time_limits": time_limits,
    "signals": signals,
    "stream_clients": run_async(stream_clients),
    "stream_processes": run_async(stream_processes),
    "stream_timeouts": run_async(stream_timeouts),
    "random_numbers": random_numbers,
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]]()
