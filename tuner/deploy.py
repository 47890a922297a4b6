"""Puts a file in its place with a way back: the previous file is kept, and a journal knows what was done.

A file is replaced in one step (written beside, flushed, renamed). The journal is written before, so that there is no
moment in which a file is changed and nobody knows how to take it back.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tuner.atomic_file import draft, flush_folder
from tuner.errors import StoreError, TunerError, UsageError
from tuner.terminal_text import shown

JOURNAL: Final = "applied.jsonl"
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


@dataclass(frozen=True, slots=True)
class Applied:
    """A line of the journal: what was put where and when, and where the file that was there before is kept.

    `backup` is empty when there was none; `folders` were made for the file. `sha256` is that of what was written.
    """

    stamp: str
    path: str
    what: str
    sha256: str
    backup: str
    folders: tuple[str, ...]


def planned(path: Path, text: str) -> Change:
    """Return what writing `text` to `path` would change; raise `UsageError` for what is no plain file."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 # resolve() would follow the link that is refused here
    return Change(absolute, content(absolute), text.encode())


def content(path: Path) -> bytes | None:
    """Return what the file at `path` holds, None when there is none.

    Raise `UsageError` for a symbolic link, which is never followed, and for whatever else is no plain file.
    """
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            advice = f"name the file itself: {os.path.realpath(path)}"
            raise UsageError(f"{path} is a symbolic link, and links are not followed", advice=advice)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} is no plain file", advice="name a file")
        if found.st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES} bytes: that is no file of ours to replace")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror}") from reason


@dataclass(frozen=True, slots=True)
class Journal:
    """What was applied and not taken back, in `folder`, the oldest first."""

    folder: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Journal:
        """Return the user's journal, in the state folder of the XDG Base Directory Specification."""
        stated = Path(environ.get("XDG_STATE_HOME", ""))
        home = Path(environ.get("HOME") or "/")
        return cls((stated if stated.is_absolute() else home / ".local" / "state") / "tuner")

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self.folder / JOURNAL

    def standing(self) -> tuple[Applied, ...]:
        """Return what was applied and not taken back; raise `StoreError` for a journal that cannot be read."""
        found: dict[str, Applied] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                row = json.loads(line)
                if "undone" in row:
                    found.pop(row["undone"], None)
                else:
                    applied = _applied(row)
                    found[applied.stamp] = applied
            except (ValueError, TypeError, KeyError, RecursionError) as reason:
                message = f"{self.path}, line {number} is no entry of a journal"
                raise StoreError(message, advice="repair or remove that line") from reason
        return tuple(found.values())

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a line, on the disk before this returns."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as reason:
            raise StoreError(f"cannot read {self.path}: {reason}") from reason


def put(change: Change, journal: Journal, what: str, mode: int) -> Applied:
    """Make the change, keep the file that was there beside it, and return the journal's entry.

    `what` says what it is; `mode` is the permission of a file that is new, an old one's mode and owner stay. Raise
    `UsageError` when the file cannot be written or changed since the change was planned.
    """
    assert change.after is not None  # noqa: S101 # only an undo removes
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = change.path
    backup = path.with_name(f"{path.name}.tuner-backup-{stamp}") if change.before is not None else None
    folders = tuple(str(folder) for folder in _missing(path.parent))
    digest = hashlib.sha256(change.after).hexdigest()
    applied = Applied(stamp, str(path), what, digest, str(backup or ""), folders)
    try:
        _place(change, applied, journal, mode)
    except (OSError, TunerError) as reason:
        _retreat(applied, journal)
        if isinstance(reason, TunerError):
            raise
        raise UsageError(f"cannot write {path}: {reason.strerror}", advice="nothing was changed") from reason
    return applied


def last(journal: Journal, path: Path | None) -> Applied:
    """Return the newest entry (for `path` when it is given); raise `UsageError` when there is none."""
    standing = journal.standing()
    wanted = None if path is None else os.path.abspath(path)  # noqa: PTH100 # as `planned` names it
    found = [applied for applied in standing if wanted in {None, applied.path}]
    if found:
        return found[-1]
    known = ", ".join(dict.fromkeys(applied.path for applied in standing))
    advice = f"applied: {known}" if known else f"nothing stands in {journal.path}"
    raise UsageError(f"there is nothing to undo{f' for {wanted}' if wanted else ''}", advice=advice)


def undoing(applied: Applied, *, force: bool = False) -> Change:
    """Return what taking back would change; raise `UsageError` when the file is no longer what was written."""
    path = Path(applied.path)
    now = content(path)
    before = content(Path(applied.backup)) if applied.backup else None
    if applied.backup and before is None:
        raise UsageError(f"the previous file is gone: {applied.backup}", advice=f"{path} stays as it is")
    untouched = now == before or (now is not None and hashlib.sha256(now).hexdigest() == applied.sha256)
    if not (untouched or force):
        advice = f"compare it with {applied.backup or 'no file'}; --force takes it back all the same"
        raise UsageError(f"{path} was changed after it was applied", advice=advice)
    return Change(path, now, before)


def undo(applied: Applied, change: Change, journal: Journal) -> None:
    """Make the change that `undoing` returned; raise `UsageError` when it cannot be made."""
    try:
        _unchanged(change)
        if applied.backup:
            Path(applied.backup).replace(change.path)
        else:
            change.path.unlink(missing_ok=True)
        journal.add({"undone": applied.stamp})
        _remove_empty(applied.folders)
    except OSError as reason:
        raise UsageError(f"cannot take back {change.path}: {reason.strerror}") from reason


def _place(change: Change, applied: Applied, journal: Journal, mode: int) -> None:
    path = change.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft(path, change.after or b"", mode) as whole:
        if change.before is not None:
            _as_before(whole, path)
        _unchanged(change)
        if applied.backup:
            os.link(path, applied.backup)
        journal.add(asdict(applied))
        whole.replace(path)
        flush_folder(path.parent)


def _retreat(applied: Applied, journal: Journal) -> None:
    """Leave nothing behind of a change that was not made."""
    with contextlib.suppress(OSError, TunerError):
        if applied in journal.standing():
            journal.add({"undone": applied.stamp})
    if applied.backup:
        Path(applied.backup).unlink(missing_ok=True)
    _remove_empty(applied.folders)


def _remove_empty(folders: Iterable[str]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # others have put something into it
            Path(folder).rmdir()


def _as_before(whole: Path, path: Path) -> None:
    """Give a draft the owner, the permissions and the attributes of the file that it replaces."""
    owner = path.stat()
    os.chown(whole, owner.st_uid, owner.st_gid)
    shutil.copystat(path, whole)
    os.utime(whole)


def _unchanged(change: Change) -> None:
    if content(change.path) != change.before:
        raise UsageError(f"{change.path} was changed meanwhile", advice="look at the new difference first")


def _missing(folder: Path) -> list[Path]:
    """Return the folders that must be made, the innermost first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def _applied(row: Mapping[str, Any]) -> Applied:
    texts = [row[key] for key in ("stamp", "path", "what", "sha256", "backup")]
    folders = row["folders"]
    if not isinstance(folders, list) or not all(isinstance(text, str) for text in (*texts, *folders)):
        raise TypeError("not text")
    stamp, path, what, sha256, backup = texts
    return Applied(stamp, path, what, sha256, backup, tuple(folders))


def _lines(text: bytes | None) -> list[str]:
    lines = (text or b"").decode(errors="replace").split("\n")
    return [f"{shown(line) if line else ''}\n" for line in lines[: -1 if lines[-1] == "" else None]]
