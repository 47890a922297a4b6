"""Sessions on one machine take turns: two that measure at once would measure each other.

The lock is for all users of the machine: a file in a folder in which everybody may make one. Containers that share none
do not see each other.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from tuner import exclusive
from tuner.exclusive import Lock

_FOLDERS: Final = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - opened as what others may have prepared
_LOCK: Final = "tuner-measures.lock"


def usual_folder() -> Path | None:
    """Return the folder of the machine's lock: the first one in which everybody may make files and nobody remove those of others."""
    return next((folder for folder in _FOLDERS if _is_for_all(folder)), None)


@contextmanager
def taken(folder: Path | None, what: str) -> Iterator[Lock | None]:
    """Hold the machine's turn; None, without a turn, where no lock can be made.

    Raises:
        Taken: somebody else measures.

    """
    with ExitStack() as held:
        lock = None
        if folder:
            with suppress(OSError):
                lock = held.enter_context(exclusive.held(folder / _LOCK, what, by_everybody=True))
        yield lock


def forgotten(folder: Path | None) -> None:
    """Remove the lock's file where it is ours and nobody holds it: on another host nothing is to be left."""
    if folder is not None and (folder / _LOCK).exists():
        with suppress(OSError, exclusive.Taken), exclusive.held(folder / _LOCK, ""):
            pass


def _is_for_all(folder: Path) -> bool:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX) and bool(mode & stat.S_IWOTH)
