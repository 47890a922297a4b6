"""The keeper of a lab: makes its network and hosts, starts a host again that died, and takes all down when it is told to.

    python -m tuner.hosts.lab.keeper FOLDER LOCK SHAPE

LOCK is the descriptor of the lab's lock, which is held by this process and by those that watch a host: it is free
again when all of them are gone, and every process of the lab with them.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import shutil
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from tuner.errors import TunerError
from tuner.hosts.lab import inside, namespaces, ssh_files, state, wires
from tuner.hosts.lab.files import host_key, program
from tuner.hosts.lab.shape import LabHost, Shape, Side, checked

BOOT_LIMIT_S: Final = inside.SSHD_LIMIT_S + 10.0
END_LIMIT_S: Final = 5.0
_HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_OF_A_HOST: Final = (
    namespaces.NEW_MOUNTS | namespaces.NEW_UTS | namespaces.NEW_IPC | namespaces.NEW_PIDS | namespaces.NEW_NETWORK
)
_SPARE_UID: Final = 1000


@dataclass(frozen=True, slots=True)
class Up:
    """A host that is up: the process that watches it (a child of ours), and its first process, held by a descriptor."""

    host: LabHost
    watcher: int
    first: state.Known
    handle: int
    line: socket.socket

    def end(self) -> None:
        """End the host and everything in it, and wait for that."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        select.select([self.handle], [], [], END_LIMIT_S)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.watcher, 0)
        os.close(self.handle)
        self.line.close()


@dataclass(slots=True)
class Lab:
    """The lab that is kept, by the names of its hosts."""

    folder: Path
    shape: Shape
    rootless: bool
    login: tuple[str, int]
    sshd: str
    up: dict[str, Up] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def boot(self, hosts: Iterable[LabHost]) -> None:
        """Start hosts together and wire them; raise `TunerError` where one does not come up."""
        born = [self._birth(host) for host in hosts]
        for each in born:
            self.up[each.host.name] = each
            wires.ip(wires.link_to(each.host, each.first.pid))
            wires.ip(wires.inside(each.host), each.first.pid)
        for pair in sorted({each.host.pair for each in born}):
            self._wire(pair)
        for each in born:
            each.line.send(b"go")
        for each in born:
            _expect(each, b"ready")
        self.write()

    def _birth(self, host: LabHost) -> Up:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(BOOT_LIMIT_S)
        keeper, account = os.getpid(), self._account(host)
        watcher = os.fork()
        if not watcher:
            ours.close()
            _watch(host, account, self.sshd, theirs, keeper)
        theirs.close()
        said = ours.recv(1000).decode(errors="replace")
        if not said.isdigit():
            os.waitpid(watcher, 0)
            raise TunerError(f"{host.name} cannot be started: {said.removeprefix('! ') or 'it ended at once'}")
        return Up(host, watcher, state.known(int(said)), os.pidfd_open(int(said)), ours)

    def _wire(self, pair: int) -> None:
        """Lay the measured wire of a pair where both of its hosts are up."""
        ends = {each.host.side: each for each in self.up.values() if each.host.pair == pair}
        if len(ends) < len(Side):
            return
        wires.ip(wires.wire(ends[Side.SERVER].first.pid, ends[Side.CLIENT].first.pid))
        for each in ends.values():
            wires.ip(wires.wired(each.host), each.first.pid)
            if arguments := wires.shaping(self.shape):
                wires.tc(arguments, each.first.pid)

    def _account(self, host: LabHost) -> inside.Account:
        user, uid = self.login
        key = host_key(self.folder, host).read_text(encoding="ascii")
        mine = (self.folder / f"{ssh_files.USER_KEY}.pub").read_text(encoding="ascii")
        return inside.Account(user, uid, self.rootless, key, mine)

    def restart(self) -> None:
        """Start again the hosts that died, together; what does not come up is lost, and why is written down."""
        dead = [each for each in self.up.values() if os.waitpid(each.watcher, os.WNOHANG)[0]]
        if not dead:
            return  # it was a command of ours that ended
        for each in dead:
            each.end()
            del self.up[each.host.name]
            self._unwire(each.host)
        try:
            self.boot([each.host for each in dead])
        except (OSError, TunerError) as reason:
            for host in (each.host for each in dead):
                self.lost[host.name] = str(reason)
                if there := self.up.pop(host.name, None):
                    there.end()
            self.write()

    def _unwire(self, host: LabHost) -> None:
        """Remove what a dead host leaves of its wires; the kernel does it too, but in its own time."""
        with contextlib.suppress(TunerError):
            wires.ip(wires.unlink(host))
        for other in self.up.values():
            if other.host.pair == host.pair:
                with contextlib.suppress(TunerError):
                    wires.ip(wires.unwired(), other.first.pid)

    def write(self) -> None:
        """Write down what is up."""
        hosts = {name: each.first for name, each in self.up.items()}
        keeper = state.known(os.getpid())
        found = state.State(self.shape, keeper, state.boot_id(), self.login[0], self.rootless, hosts, self.lost)
        state.write(found, self.folder)

    def end(self) -> None:
        """End all hosts, and remove the lab's folder."""
        for each in self.up.values():
            each.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def _login(uid: int, *, rootless: bool) -> tuple[str, int]:
    """Return name and number of who logs in at the hosts: root, or without its rights the user that made the lab."""
    if not rootless:
        return "root", 0
    try:
        return (pwd.getpwuid(uid).pw_name, uid) if uid else ("lab", _SPARE_UID)
    except KeyError:
        return "lab", uid


def _watch(host: LabHost, account: inside.Account, sshd: str, line: socket.socket, keeper: int) -> NoReturn:
    """Be the process between the keeper and a host: it dies with the keeper, and the host with it."""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        namespaces.die_with(keeper)
        namespaces.unshare(_OF_A_HOST)
        first = os.fork()
    except OSError as reason:
        line.send(f"! this system permits no namespaces: {reason.strerror}".encode())
        os._exit(1)
    if not first:
        namespaces.die_with(0)
        inside.live(host, account, sshd, line)
    line.send(str(first).encode())
    line.close()
    os.waitpid(first, 0)
    os._exit(0)


def _expect(one: Up, word: bytes) -> None:
    try:
        said = one.line.recv(1000)
    except TimeoutError:
        said = b"! it was silent"
    if said != word:
        reason = said.decode(errors="replace").removeprefix("! ") or "it ended"
        raise TunerError(f"{one.host.name} cannot be started: {reason}")


def _isolated(*, rootless: bool) -> bool:
    """Give this process a network of its own; return whether that took a user namespace."""
    if not rootless:
        with contextlib.suppress(OSError):  # what is wrong is said of the second try, where there is no other way
            namespaces.unshare(namespaces.NEW_NETWORK)
            return False
    try:
        namespaces.become(0, os.geteuid(), os.getegid())
        namespaces.unshare(namespaces.NEW_NETWORK)
    except OSError as reason:
        advice = (
            "become root (sudo), or permit user namespaces (sysctl user.max_user_namespaces): man 7 user_namespaces"
        )
        raise TunerError(f"this system permits no namespaces: {reason.strerror}", advice=advice) from reason
    return True


def _kept(folder: Path, shape: Shape) -> Lab:
    uid, rootless = os.getuid(), _isolated(rootless=shape.rootless)
    lab = Lab(folder, shape, rootless, _login(uid, rootless=rootless), program("sshd"))
    (folder / ssh_files.CONFIGURATION).write_text(ssh_files.client(folder, shape, lab.login[0]), encoding="utf-8")
    try:
        lab.write()
        lab.boot(shape.hosts)
    except (OSError, TunerError):
        for each in lab.up.values():
            each.end()
        raise
    return lab


def main() -> int:
    """Keep a lab until a signal comes; the one line that goes to standard output says that it is up, or why not."""
    folder, lock, shape = Path(sys.argv[1]), int(sys.argv[2]), checked(Shape(**json.loads(sys.argv[3])))
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    os.set_inheritable(lock, False)  # noqa: FBT003 - Python's own
    answer = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        lab = _kept(folder, shape)
    except (OSError, TunerError) as reason:
        os.write(answer, json.dumps({"error": str(reason), "advice": getattr(reason, "advice", "")}).encode() + b"\n")
        return 1
    try:
        os.write(answer, b"{}\n")
        os.close(answer)
        while signal.sigwait(_HEARD) == signal.SIGCHLD:
            lab.restart()
    finally:
        lab.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
