"""Where the data of stacks lie: in this package, and in the folders of a user that a program names at its start.

A user's folder, or an installed package, adds stacks and never replaces one of this package. What was read is remembered by its file, so that it
does not matter whether something was loaded before a folder was named.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner import plugins
from tuner.errors import UsageError, did_you_mean
from tuner.plugins import Group, Plugin

SHIPPED: Final = Path(__file__).parent / "data"
OVERLAYS: Final = "catalogue"
"""The folder, among a user's data, of the releases that came after this package."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a user: `overlays` has releases that came after this package, `stacks` further stacks.

    `cache` is where data may be kept in a form that is read faster, `home` where the user's own settings of other programs lie. None where there is no such folder.

    >>> tuner.Workspace(data=tuner.Places(stacks=Path("stacks"))).data.stacks.name
    'stacks'
    """

    overlays: Path | None = None
    stacks: Path | None = None
    cache: Path | None = None
    home: Path | None = None


_NOWHERE: Final = Places()
_current: ContextVar[Places] = ContextVar("places", default=_NOWHERE)


def of_user(environment: Mapping[str, str]) -> Places:
    """Return the folders of the user whose environment this is."""
    data = data_of(environment)
    somewhere = environment.get("HOME") or Path(environment.get("XDG_CACHE_HOME", "")).is_absolute()
    cache = _xdg(environment, "XDG_CACHE_HOME", ".cache") if somewhere else None
    return Places(overlays=data / OVERLAYS, stacks=data / "stacks", cache=cache, home=_home(environment))


def _home(environment: Mapping[str, str]) -> Path | None:
    stated = environment.get("HOME")
    return Path(stated) if stated else None


def data_of(environment: Mapping[str, str]) -> Path:
    """Return where the data of the user lie whose environment this is, by the rules of XDG."""
    return _xdg(environment, "XDG_DATA_HOME", ".local/share")


def _xdg(environment: Mapping[str, str], variable: str, beneath_home: str) -> Path:
    # A relative path is to be ignored (XDG Base Directory Specification, "Environment variables").
    stated = Path(environment.get(variable, ""))
    home = Path(environment.get("HOME", "/")) / beneath_home
    return (stated if stated.is_absolute() else home) / "tuner"


def use(places: Places) -> None:
    """Read from these folders beside the package's own, from now on."""
    _current.set(places)


@contextmanager
def using(places: Places) -> Iterator[None]:
    """Read from these folders beside the package's own inside the block; other threads and tasks are not concerned."""
    before = _current.set(places)
    try:
        yield
    finally:
        _current.reset(before)


def home() -> Path | None:
    """Return the user's home, None where nobody knows it."""
    return _current.get().home


def overlays() -> Path | None:
    """Return the folder of the user's releases, None where none was named."""
    return _current.get().overlays


def cache() -> Path | None:
    """Return the folder in which data may be kept in a form that is read faster, None where none was named."""
    return _current.get().cache


def is_stack(name: str) -> bool:
    """Return whether a stack of this name has a catalogue."""
    return _found(name) is not None


def stacks() -> tuple[str, ...]:
    """Return the names of the stacks that have a catalogue, sorted; those of other packages are found by their name only.

    To list them the metadata of everything that is installed would be read, by each `--help` too.
    """
    return tuple(sorted({path.stem for folder in _folders() for path in folder.glob("*.toml") if _is_stack(path)}))


def folder_of(stack: str) -> Path:
    """Return the folder that holds the files of a stack; raise `UsageError` naming the known stacks without one."""
    found = _found(stack)
    if found is None:
        raise UsageError(
            f"unknown stack {stack!r}", advice=did_you_mean(stack, {*stacks(), *plugins.every(Group.STACKS)})
        )
    return found


def plugin(stack: str) -> Plugin | None:
    """Return the installed package that a stack comes from, None where it is this package's or the user's own."""
    return None if _of_folders(stack) else plugins.find(Group.STACKS, stack)


def _folders() -> tuple[Path, ...]:
    added = _current.get().stacks
    return (SHIPPED, added) if added is not None else (SHIPPED,)


def _found(stack: str) -> Path | None:
    return _of_folders(stack) or _of_plugin(stack)


def _of_folders(stack: str) -> Path | None:
    try:
        return _holder(stack, _folders())
    except LookupError:
        return None


def _of_plugin(stack: str) -> Path | None:
    """Return the folder of an installed package that has the catalogue of a stack, beside the module of its entry point."""
    found = plugins.find(Group.STACKS, stack) if stack.isidentifier() else None
    folder = found.folder if found else None
    if found and not (folder and _holds(folder, stack)):
        raise found.broken(f"has no catalogue: there is no {stack}.toml beside its module")
    return folder


@functools.cache  # it remembers no exception: what is not there yet may come
def _holder(stack: str, folders: tuple[Path, ...]) -> Path:
    """Return the first of the folders that has the catalogue of a stack; raise `LookupError` where none has."""
    if stack.isidentifier():
        for folder in folders:
            if _holds(folder, stack):
                return folder
    raise LookupError(stack)


def _holds(folder: Path, stack: str) -> bool:
    try:
        return (folder / f"{stack}.toml").is_file()
    except OSError:  # a name that no file can have
        return False


def _is_stack(path: Path) -> bool:
    # `xlio.presets.toml` and the like stand beside a catalogue; the stack's module must be importable by its name.
    return path.stem.isidentifier()
