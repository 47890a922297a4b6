"""What becomes of one file: its bytes before and after, and the difference for people."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner.errors import UsageError
from tuner.terminal_text import shown
from tuner.untrusted import opened

# What we write is small; a file that is larger was named by mistake.
MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of the file at `path`: its content before and after; None where there is no file."""

    path: Path
    before: bytes | None
    after: bytes | None

    def diff(self) -> str:
        """Return the change as a unified diff for people; empty when nothing changes."""
        old, new = ("/dev/null" if text is None else shown(str(self.path)) for text in (self.before, self.after))
        return "".join(difflib.unified_diff(_lines(self.before), _lines(self.after), old, new))


def planned(path: Path, text_for: Callable[[str | None], str]) -> Change:
    """Return what the file at `path` becomes; `text_for` makes its text out of what it holds, None where there is none.

    Bytes that are no UTF-8 reach `text_for` as surrogates, and the file as they were. Raise `UsageError` for what is no
    plain file.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 # resolve() would follow the link that is refused here
    before = content(absolute)
    if before is not None and b"\0" in before:
        raise UsageError(f"{path} holds NUL bytes: it is UTF-16 or no text", advice="name a file of text in UTF-8")
    text = text_for(None if before is None else before.decode(errors="surrogateescape"))
    return Change(absolute, before, text.encode(errors="surrogateescape"))


def content(path: Path) -> bytes | None:
    """Return what the file at `path` holds, None when there is none.

    Raise `UsageError` for a symbolic link, which is never followed, and for whatever else is no plain file.
    """
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            target = Path(os.path.realpath(path))
            advice = f"name the file itself: {target}" if target.is_file() else "name a file: the link leads to none"
            raise UsageError(f"{path} is a symbolic link, and links are not followed", advice=advice)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} is not a regular file", advice="name a file")
        if found.st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES} bytes: such a file is not replaced")
        with opened(path, follow=False) as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror}") from reason


def digest(data: bytes) -> str:
    """Return what tells the content of a file from any other."""
    return hashlib.sha256(data).hexdigest()


def unchanged(change: Change) -> None:
    """Raise `UsageError` where a file is no longer what it was when its change was planned."""
    if content(change.path) != change.before:
        raise UsageError(f"{change.path} was changed meanwhile", advice="look at the new difference first")


def _lines(text: bytes | None) -> list[str]:
    lines = (text or b"").decode(errors="replace").split("\n")
    return [f"{shown(line) if line else ''}\n" for line in lines[: -1 if lines[-1] == "" else None]]
