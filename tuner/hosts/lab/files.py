"""The folder of a lab: its keys, what ssh reads, the keeper's log, and the lock that tells whether a lab is up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tuner.errors import MissingTool, TunerError
from tuner.hosts.lab.shape import LabHost
from tuner.hosts.processes import SEARCH_PATH

LOG: Final = "log"
_KEYS: Final = "keys"
_LOCK: Final = "lock"
_LIMIT_S: Final = 20.0
_MOMENT_S: Final = 0.1
_INSTALL: Final = "apt-get install openssh-server openssh-client iproute2 util-linux"
_PROGRAMS: Final = ("ssh", "ssh-keygen", "sshd", "ip", "tc", "nsenter")


def program(name: str) -> str:
    """Return the absolute path of a program of the system; raise `MissingTool` where there is none."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise MissingTool(f"a lab needs {name}, which is not installed", advice=_INSTALL)
    return found


def need_programs() -> None:
    """Raise `MissingTool` that names all programs that a lab needs and that are not installed."""
    missing = [name for name in _PROGRAMS if shutil.which(name, path=SEARCH_PATH) is None]
    if missing:
        raise MissingTool(f"a lab needs {', '.join(missing)}: not installed", advice=_INSTALL)


def host_key(folder: Path, host: LabHost) -> Path:
    """Return where the key of a host is; its public half ends in `.pub`."""
    return folder / _KEYS / host.name


def make_key(path: Path) -> str:
    """Make a pair of keys; return the public one."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    made = subprocess.run(  # noqa: S603 - a list of arguments that no shell reads
        [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_LIMIT_S,
        env={"PATH": SEARCH_PATH, "LC_ALL": "C"},
    )
    if made.returncode != 0:
        raise TunerError(f"ssh-keygen made no key: {made.stderr.decode(errors='replace').strip()}")
    return path.with_name(f"{path.name}.pub").read_text(encoding="ascii")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int | None]:
    """Hold the lock of a lab; yield its descriptor, or None where a lab is up that holds it.

    Who passes the descriptor on passes on the lock, which is free when the last one has closed it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as reason:
        raise TunerError(f"{folder} cannot be made: {reason.strerror}") from reason
    try:
        yield descriptor if _taken(descriptor) and _stands(descriptor, folder / _LOCK) else None
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Return whether any process of a lab is alive."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _taken(descriptor: int) -> bool:
    """Return whether the lock was to be had; who only asks whether it is held holds it for a moment."""
    deadline = time.monotonic() + _MOMENT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_MOMENT_S / 10)
        else:
            return True


def _stands(descriptor: int, path: Path) -> bool:
    """Return whether the file that was opened is still the one of that name: who had the lock may have removed it."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def clear(folder: Path) -> None:
    """Remove what an earlier lab left in a folder that is locked; the lock stays."""
    for each in folder.iterdir():
        if each.name == _LOCK:
            continue
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def last_words(folder: Path) -> str:
    """Return the end of the keeper's log, empty where it has none."""
    try:
        with (folder / LOG).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1000))
            return file.read(1000).decode(errors="replace").strip()
    except OSError:
        return ""
