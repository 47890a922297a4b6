"""What is known of a lab that is up: a small JSON file in its folder, written by the keeper.

A process is named by its number and by when it began, because numbers are used again; a file of an earlier boot names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tuner import atomic_file
from tuner.errors import TunerError
from tuner.hosts.lab.shape import Shape, checked
from tuner.json_text import parsed, written
from tuner.untrusted import opened

FILE: Final = "state.json"
_MOST_BYTES: Final = 1 << 18
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_STARTED: Final = 19
"""Of the fields behind the program's name in /proc/PID/stat: when it began, in clock ticks since the boot."""


@dataclass(frozen=True, slots=True)
class Known:
    """A process of this boot."""

    pid: int
    started: int

    def lives(self) -> bool:
        """Return whether it is still there, and not another one of its number."""
        return started(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class State:
    """A lab: its shape, its keeper, and the first process of each host that is up, by the host's name.

    `user` is who logs in there. `rootless` is whether a user namespace is around it all. `lost` are reasons, by the name
    of a host that could not be started again.
    """

    shape: Shape
    keeper: Known
    boot: str
    user: str
    rootless: bool
    hosts: Mapping[str, Known] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)

    def lives(self) -> bool:
        """Return whether the keeper is alive."""
        return self.boot == boot_id() and self.keeper.lives()


def started(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the boot, None where there is none of that number (or only its exit status)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[_STARTED])


def known(pid: int) -> Known:
    """Return the process of a number; raise `TunerError` where it has ended."""
    began = started(pid)
    if began is None:
        raise TunerError(f"process {pid} of the lab has ended")
    return Known(pid, began)


def boot_id() -> str:
    """Return what the kernel calls this boot."""
    return _BOOT.read_text(encoding="ascii").strip()


def write(state: State, folder: Path) -> None:
    """Write the state into the lab's folder, in one step."""
    atomic_file.write(folder / FILE, written(asdict(state)), mode=0o600, follow=False)


def read(folder: Path) -> State | None:
    """Return the state of the lab in a folder, None where there is none; raise `TunerError` where it is damaged."""
    path = folder / FILE
    try:
        with opened(path, follow=False) as file:
            text = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise TunerError(f"{path} cannot be read: {reason.strerror}") from reason
    try:
        return _state(parsed(text))
    except (ValueError, TypeError, KeyError, AttributeError) as reason:
        raise TunerError(f"{path} is damaged: {reason}", advice="tuner lab down removes it") from reason


def _state(data: Mapping[str, object]) -> State:
    shape, keeper, hosts, lost = (_mapping(data[key]) for key in ("shape", "keeper", "hosts", "lost"))
    return State(
        checked(Shape(*(_text(shape, "name"), _whole(shape, "pairs")), _text(shape, "delay"), _text(shape, "rate"))),
        _known(keeper),
        _text(data, "boot"),
        _text(data, "user"),
        data["rootless"] is True,
        {name: _known(_mapping(hosts[name])) for name in hosts},
        {name: _text(lost, name) for name in lost},
    )


def _known(data: Mapping[str, object]) -> Known:
    return Known(_whole(data, "pid"), _whole(data, "started"))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError("an object is missing")
    return value


def _text(data: Mapping[str, object], key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _whole(data: Mapping[str, object], key: str) -> int:
    value = data[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{key} is no whole number")
    return value
