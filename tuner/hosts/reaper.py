"""Starts programs for another process, and ends them and all that they started once that one is gone, however it went.

A program of its own, `python -I -S - NAME DESCRIPTOR [SWEEPER …]` with this text as its input, for this machine and for others: nothing
but the standard library of Python 3.9 is used. It sleeps until it is asked for something or a program ends.

It is the parent of what it starts and the reaper of what detaches itself (prctl(2), PR_SET_CHILD_SUBREAPER), so that nothing leaves
its family; and since a number is given to others only after the parent has collected the process, nothing that is ended here
can be somebody else's. What outlives the programs that were asked for is ended.

Requests are lines of JSON; bytes are written as Latin-1. `{"start": argv, "folder": …, "environment": {…}}` comes with four
descriptors: the program's three streams, and one that gets a line with its exit status, its CPU seconds, and how often it was preempted, when it has ended.
The answer is `{"pid": …}`, or `{"errno": …}`. `{"signal": …, "pid": …}` and `{"kill": pid}`, which is for the program's whole group, have
no answer. After `{"leave": true}` nothing is swept. `{"last_words": …}` comes with one descriptor, on which they are said if the other end
goes without having taken its leave; without any, nothing is.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of linux/prctl.h."""
MOST_DESCRIPTORS = 16
ENDING_MS = 100
"""How often it is looked whether all have ended, where the kernel does not say so."""


class Reaper:
    """The programs that were started for who is at the other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._heard = b""
        self._passed: list[int] = []
        self._leaders: dict[int, tuple[subprocess.Popen[bytes], int]] = {}
        self._over = False
        self._taken_leave = False
        self._last_words: tuple[bytes, list[int]] = b"", []

    def serve(self, parent: int | None = None) -> bool:
        """Do what is asked until the other end is gone and all programs with it; return whether it had taken its leave.

        `parent` is a descriptor that can be read once the asking process is gone, where others may hold its end too.
        """
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
        alarm = _alarm()
        sources = select.poll()
        for source in (self._connection.fileno(), alarm, *([] if parent is None else [parent])):
            sources.register(source, select.POLLIN)
        while not (self._over and not children()):
            ready = {descriptor for descriptor, _ in sources.poll(ENDING_MS if self._over else None)}
            if alarm in ready:
                os.read(alarm, 4096)
            if not self._over and ready - {alarm}:
                self._hear()
                if parent in ready:
                    self._over = True
            self._collect()
            if self._over:
                sources = select.poll()
                sources.register(alarm, select.POLLIN)
        return self._taken_leave

    def _hear(self) -> None:
        data = b""
        with contextlib.suppress(ConnectionError):
            data, passed, *_ = socket.recv_fds(
                self._connection, 1 << 16, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
            )
            self._passed += passed
        self._over = not data
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._do(json.loads(line))

    def _do(self, asked: dict[str, object]) -> None:
        if "start" in asked:
            self._answer(self._start(asked))
        elif "signal" in asked and asked["pid"] in self._leaders:
            os.kill(int(str(asked["pid"])), int(str(asked["signal"])))
        elif "kill" in asked and asked["kill"] in self._leaders:
            end_group(int(str(asked["kill"])))
        elif "last_words" in asked:
            close(self._last_words[1])
            self._last_words, self._passed = (bytes_of(asked["last_words"]), self._passed), []
        self._taken_leave = self._taken_leave or "leave" in asked

    def say_last_words(self) -> None:
        """Say what was to be said of who is gone, where that can be done at once."""
        text, streams = self._last_words
        for stream in streams:
            ready = select.poll()
            ready.register(stream, select.POLLOUT)
            with contextlib.suppress(OSError):
                if ready.poll(0) == [(stream, select.POLLOUT)]:
                    os.write(stream, text)

    def _answer(self, said: dict[str, int]) -> None:
        with contextlib.suppress(OSError):  # it is gone: the next thing that is heard of it is its end
            self._connection.sendall(json.dumps(said).encode() + b"\n")

    def _start(self, asked: dict[str, object]) -> dict[str, int]:
        passed, self._passed = self._passed, []
        try:
            given, out, errors, ends = passed
            popen = subprocess.Popen(  # noqa: S603 a list of arguments that no shell reads
                [bytes_of(word) for word in list_of(asked["start"])],
                stdin=given,
                stdout=out,
                stderr=errors,
                cwd=bytes_of(asked["folder"]),
                env={bytes_of(name): bytes_of(value) for name, value in dict_of(asked["environment"]).items()},
                start_new_session=True,
            )
        except ValueError:  # the kernel passes no more than this process may hold
            close(passed)
            return {"errno": errno.EMFILE}
        except OSError as reason:
            close(passed)
            return {"errno": reason.errno or errno.EIO}
        close([given, out, errors])
        self._leaders[popen.pid] = popen, ends
        return {"pid": popen.pid}

    def _collect(self) -> None:
        """Take note of who has ended, and end what nobody asked for or nobody waits for any more."""
        for pid in list(self._leaders):
            if self._over:
                end_group(pid)
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                self._ended(pid)
        for pid in children():
            if pid not in self._leaders:
                if not self._leaders:
                    end(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def _ended(self, pid: int) -> None:
        end_group(pid)  # while it is not collected its number is nobody else's
        popen, ends = self._leaders.pop(pid)
        _, status, usage = os.wait4(pid, 0)
        popen.returncode = exit_code(status)
        with contextlib.suppress(OSError):  # nobody waits for it
            os.write(ends, f"{popen.returncode} {usage.ru_utime + usage.ru_stime!r} {usage.ru_nivcsw}\n".encode())
        os.close(ends)


def children() -> list[int]:
    """Return the numbers of this process's children, the dead ones that are not collected too."""
    mine = os.getpid()
    try:
        return list(map(int, Path(f"/proc/{mine}/task/{mine}/children").read_text(encoding="ascii").split()))
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        found = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
        return [pid for pid in found if parent_of(pid) == mine]


def parent_of(pid: int) -> int:
    """Return the number of a process's parent, 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def exit_code(status: int) -> int:
    """Return the exit status of a wait status; negative for a signal."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def end(pid: int) -> None:
    """Kill a process of ours."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def end_group(pid: int) -> None:
    """Kill a program of ours with its launchers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def close(descriptors: list[int]) -> None:
    """Close what was passed."""
    for each in descriptors:
        os.close(each)


def bytes_of(value: object) -> bytes:
    """Return bytes that were written as Latin-1."""
    return str(value).encode("latin-1")


def list_of(value: object) -> list[object]:
    """Return a list of a request."""
    return value if isinstance(value, list) else []


def dict_of(value: object) -> dict[object, object]:
    """Return an object of a request."""
    return value if isinstance(value, dict) else {}


def _alarm() -> int:
    """Return a descriptor that can be read when a child has ended; what else would end this process is not for it.

    Nothing is ignored, because programs inherit that.
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        if signal.getsignal(number) is not signal.SIG_IGN or number in {signal.SIGCHLD, signal.SIGPIPE}:
            signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def watched_parent() -> int | None:
    """Return a descriptor that can be read once this process's parent is gone, None where the kernel has none (before 5.3)."""
    try:
        return os.pidfd_open(os.getppid())
    except OSError:
        return None


def main() -> None:
    """Serve the connection whose descriptor is the second argument; then become the program of the others, unless leave was taken."""
    connection = socket.socket(fileno=int(sys.argv[2]))
    connection.set_inheritable(False)
    reaper = Reaper(connection)
    taken_leave = reaper.serve(watched_parent())
    if not taken_leave:
        reaper.say_last_words()
    if sys.argv[3:] and not taken_leave:
        os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.argv[3:]])  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main()
