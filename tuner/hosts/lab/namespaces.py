"""The system calls on namespaces and mounts that Python 3.11 does not offer (man 2 unshare, setns, mount, prctl)."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tuner.errors import TunerError

NEW_MOUNTS: Final = 0x0002_0000
NEW_UTS: Final = 0x0400_0000
NEW_IPC: Final = 0x0800_0000
NEW_USER: Final = 0x1000_0000
NEW_PIDS: Final = 0x2000_0000
NEW_NETWORK: Final = 0x4000_0000
READ_ONLY: Final = 0x1
NO_SUID: Final = 0x2
NO_DEVICES: Final = 0x4
NO_PROGRAMS: Final = 0x8
_REMOUNT: Final = 0x20
_BIND: Final = 0x1000
_RECURSIVE: Final = 0x4000
_PRIVATE: Final = 0x4_0000
_STRICT_TIMES: Final = 0x100_0000
_SET_PDEATHSIG: Final = 1
_KINDS: Final = {NEW_USER: "user", NEW_NETWORK: "net"}


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library; raise `OSError` where it fails."""
    if getattr(_C, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_C: Final = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones; raise `OSError` where that is not permitted, or there are as many as may be."""
    try:
        _call("unshare", ctypes.c_int(flags))
    except OSError as reason:
        if reason.errno == errno.ENOSPC:  # what the kernel says there (unshare(2)) would be read as a full disk
            raise OSError(errno.ENOSPC, "there are as many as may be (/proc/sys/user/max_*_namespaces)") from reason
        raise


def become(inside: int, user: int, group: int) -> None:
    """Enter a new user namespace in which this process, of `user` and `group`, is user and group `inside`.

    Raises:
        OSError: that is not permitted.

    """
    unshare(NEW_USER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{inside} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{inside} {group} 1", encoding="ascii")


def enter(pid: int, kinds: Sequence[int]) -> None:
    """Enter namespaces of a process, in this order; raise `OSError` where it is gone or that is not permitted."""
    with ExitStack() as opened:
        doors = [(os.open(f"/proc/{pid}/ns/{_KINDS[kind]}", os.O_RDONLY | os.O_CLOEXEC), kind) for kind in kinds]
        for descriptor, _ in doors:
            opened.callback(os.close, descriptor)
        for descriptor, kind in doors:
            _call("setns", ctypes.c_int(descriptor), ctypes.c_int(kind))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end at once where the parent, `parent`, already has.

    0 is a parent in an outer process namespace, of whom the other end of a pipe tells whether it lives.
    """
    _call("prctl", ctypes.c_int(_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL), *(ctypes.c_ulong(0),) * 3)
    if os.getppid() != parent:
        os._exit(1)


def keep_mounts_private() -> None:
    """Have what is mounted from now on stay in this mount namespace."""
    _mount("none", Path("/"), "", _RECURSIVE | _PRIVATE)


def mount(kind: str, target: Path, options: str = "", flags: int = 0) -> None:
    """Mount a new file system of a kind; raise `TunerError` where that is not permitted."""
    _mount(kind, target, kind, flags, options)


def bind(source: Path, target: Path) -> None:
    """Have `source`, and what is mounted below it, stand at `target` as well."""
    _mount(str(source), target, "", _BIND | _RECURSIVE)


def forbid_writing(target: Path) -> None:
    """Have a mount read-only in this namespace; what is mounted below it stays as it is."""
    flags = os.statvfs(target).f_flag
    # In a user namespace a mount keeps what the machine gave it, and says so.
    kept = flags & (NO_SUID | NO_DEVICES | NO_PROGRAMS | os.ST_NOATIME | os.ST_NODIRATIME)
    strict = 0 if flags & (os.ST_NOATIME | os.ST_RELATIME) else _STRICT_TIMES
    _mount("none", target, "", _REMOUNT | _BIND | READ_ONLY | kept | strict)


def mounted() -> list[Path]:
    """Return where anything is mounted in this namespace, each place once; see proc_pid_mounts(5)."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    places = dict.fromkeys(line.split(" ")[1] for line in lines)
    return [Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)) for place in places]


def unmount(target: Path) -> None:
    """Take away what is mounted at `target`, once nobody uses it."""
    detach = 2
    _call("umount2", ctypes.c_char_p(os.fsencode(target)), ctypes.c_int(detach))


def _mount(source: str, target: Path, kind: str, flags: int, options: str = "") -> None:
    texts = [ctypes.c_char_p(os.fsencode(each)) for each in (source, target, kind)]
    try:
        _call("mount", *texts, ctypes.c_ulong(flags), ctypes.c_char_p(options.encode()))
    except OSError as reason:
        raise TunerError(f"cannot mount {kind or source} at {target}: {reason.strerror}") from reason
