"""The folders that are made for a file, and that go with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def missing(folder: Path) -> list[Path]:
    """Return the folders that must be made, the innermost first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def remove_empty(folders: Iterable[str]) -> None:
    """Remove folders that were made for a file, where nobody else uses them."""
    for folder in folders:
        with contextlib.suppress(OSError):  # others have put something into it
            Path(folder).rmdir()
