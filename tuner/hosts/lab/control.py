"""Labs from outside: make one, find those that are there or left something, and end them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

from tuner.errors import TunerError, UsageError, did_you_mean
from tuner.hosts.lab import files, ssh_files, state
from tuner.hosts.lab.shape import LabHost, Shape, checked
from tuner.hosts.lab.state import State
from tuner.hosts.processes import SEARCH_PATH
from tuner.json_text import parsed

END_LIMIT_S: Final = 10.0
"""The seconds that a lab has to end after it was told; then it is killed."""
_KILLED_LIMIT_S: Final = 5.0
_POLL_S: Final = 0.02
_MOST_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Found:
    """A lab that has a folder: `state` is None where nothing tells what it was; `up` is whether any of it still runs."""

    folder: Path
    state: State | None
    up: bool

    @property
    def name(self) -> str:
        """Return what the lab is called."""
        return self.folder.name

    @property
    def ssh_config(self) -> Path:
        """Return the file by which ssh reaches its hosts."""
        return self.folder / ssh_files.CONFIGURATION


def home(environment: Mapping[str, str]) -> Path:
    """Return the folder of this user's labs: beside other state that is worth nothing on another machine."""
    stated = Path(environment.get("XDG_STATE_HOME", ""))
    # A relative path is to be ignored (XDG Base Directory Specification, "Environment variables").
    return (stated if stated.is_absolute() else Path(environment.get("HOME", "/"), ".local/state")) / "tuner" / "labs"


def up(labs: Path, shape: Shape) -> Found:
    """Make a lab; what a killed one of that name left is removed first.

    Raises:
        UsageError: it is up already, or its shape is impossible.
        MissingTool: a program is not installed.
        TunerError: this machine does not permit namespaces, or a host does not start; nothing of it is left.

    """
    checked(shape)
    files.need_programs()
    folder = labs / shape.name
    with files.locked(folder) as lock:
        if lock is None:
            raise UsageError(
                f"a lab called {shape.name} is up", advice=f"tuner lab down {shape.name}, or another --name"
            )
        files.clear(folder)
        with _removed_on_failure(folder):
            _make_keys(folder, shape)
            _start(folder, lock, shape)
    return Found(folder, state.read(folder), up=True)


def _make_keys(folder: Path, shape: Shape) -> None:
    files.make_key(folder / ssh_files.USER_KEY)
    keys = [(host, files.make_key(files.host_key(folder, host))) for host in shape.hosts]
    (folder / ssh_files.KNOWN_HOSTS).write_text(ssh_files.known_hosts(keys), encoding="ascii")


def _start(folder: Path, lock: int, shape: Shape) -> None:
    with (folder / files.LOG).open("ab") as log:
        keeper = subprocess.Popen(  # noqa: S603 - this interpreter with a module of this package
            [sys.executable, "-P", "-m", "tuner.hosts.lab.keeper", str(folder), str(lock), json.dumps(asdict(shape))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
            pass_fds=(lock,),
        )
    try:
        _hear(folder, keeper.stdout)
    except BaseException:
        _stop(keeper)
        raise
    keeper.returncode = 0  # it stays, and is nobody's child when this process has ended


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    keeper.terminate()
    try:
        keeper.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()


def _hear(folder: Path, answer: IO[bytes] | None) -> None:
    """Wait for the keeper's one line; raise `TunerError` with what it says is wrong."""
    assert answer is not None  # noqa: S101 # it is a pipe
    with answer:
        line = answer.readline(_MOST_BYTES)
    said = parsed(line) if line else {"error": "its keeper ended", "advice": ""}
    if "error" in said:
        words = files.last_words(folder)
        raise TunerError(f"no lab: {said['error']}" + (f"\n{words}" if words else ""), advice=said["advice"])


@contextlib.contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def every(labs: Path) -> list[Found]:
    """Return the labs of this user that are up, and those that left something."""
    folders = sorted(each for each in labs.iterdir() if each.is_dir()) if labs.is_dir() else []
    return [found(folder) for folder in folders]


def found(folder: Path) -> Found:
    """Return the lab of a folder."""
    try:
        known = state.read(folder)
    except TunerError:  # damaged: it can still be ended and removed
        known = None
    return Found(folder, known, files.is_locked(folder))


def named(labs: Path, name: str) -> Found:
    """Return the lab of a name; raise `UsageError` where there is none."""
    names = [each.name for each in every(labs)]
    if name not in names:
        raise UsageError(f"there is no lab called {name}", advice=did_you_mean(name, names) or "tuner lab up")
    return found(labs / name)


def host_of(lab: Found, name: str) -> LabHost:
    """Return a host by what it calls itself; raise `UsageError` where the lab has none such, or is not up."""
    if lab.state is None or not lab.up:
        raise UsageError(f"the lab called {lab.name} is not up", advice="tuner lab up")
    hosts = {host.hostname: host for host in lab.state.shape.hosts}
    if name not in hosts:
        raise UsageError(f"the lab called {lab.name} has no host {name}", advice=did_you_mean(name, hosts))
    return hosts[name]


def down(lab: Found) -> None:
    """End a lab, or what is left of one, and remove its folder; raise `TunerError` where something of it does not end."""
    if lab.up:
        _end(lab)
    shutil.rmtree(lab.folder, ignore_errors=True)
    if lab.folder.exists():
        raise TunerError(f"{lab.folder} cannot be removed")


def _end(lab: Found) -> None:
    for number, limit_s in ((signal.SIGTERM, END_LIMIT_S), (signal.SIGKILL, _KILLED_LIMIT_S)):
        _tell(lab, number)
        if _gone(lab, limit_s):
            return
    raise TunerError(
        f"the lab called {lab.name} does not end", advice=f"look for what holds {lab.folder}/lock: lsof, fuser"
    )


def _tell(lab: Found, number: signal.Signals) -> None:
    """Send the keeper a signal, and nobody else: what is held is the process itself, not its number."""
    if lab.state is None or lab.state.boot != state.boot_id():
        return
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(lab.state.keeper.pid)
        try:
            if lab.state.keeper.lives():
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _gone(lab: Found, limit_s: float) -> bool:
    """Return whether all of the lab ends in time: its lock is free once its last process closed it, which is a moment before that has gone."""
    known = [lab.state.keeper, *lab.state.hosts.values()] if lab.state and lab.state.boot == state.boot_id() else []
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if not files.is_locked(lab.folder) and not any(each.lives() for each in known):
            return True
        time.sleep(_POLL_S)
    return False
