"""Puts a file in its place with a way back: the previous file is kept, and a journal knows what was done.

A file is replaced in one step (written beside, flushed, renamed). The journal is written before, so that there is no
moment in which a file is changed and nobody knows how to take it back.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import stat
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tuner.atomic_file import draft, flush_folder, sweep
from tuner.deploy.change import Change, content, digest, unchanged
from tuner.deploy.folders import missing, remove_empty
from tuner.deploy.journal import Applied, Journal
from tuner.errors import StoreError, TunerError, UsageError

_BACKUP: Final = ".tuner-backup-"


def put(change: Change, journal: Journal, what: str, mode: int) -> Applied:
    """Make the change, keep the file that was there beside it, and return the journal's entry.

    `what` says what it is; `mode` is the permission of a file that is new. An old one's mode and owner stay, and it can
    be executed afterwards if `mode` says so. Raise `UsageError` when the file cannot be written or changed since the
    change was planned, and `StoreError` when it was written but may not survive a power cut.
    """
    assert change.after is not None  # noqa: S101 # only an undo removes
    unchanged(change)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = change.path
    backup = path.with_name(f"{path.name}{_BACKUP}{stamp}") if change.before is not None else None
    folders = tuple(str(folder) for folder in missing(path.parent))
    before = digest(change.before) if change.before is not None else ""
    applied = Applied(stamp, str(path), what, digest(change.after), str(backup or ""), folders, before)
    try:
        with journal.locked():
            _placed(change, applied, journal, mode)
    except OSError as reason:
        raise UsageError(f"cannot write {path}: {reason.strerror}", advice="nothing was changed") from reason
    _flush(path.parent, path)
    return applied


def other_names(path: Path) -> int:
    """Return how many other names (hard links) a file has: they keep what it holds now. None where there is no file."""
    try:
        return path.lstat().st_nlink - 1
    except OSError:
        return 0


def _placed(change: Change, applied: Applied, journal: Journal, mode: int) -> None:
    """Put the file in its place, or leave everything as it was; once it is there, nothing goes back."""
    try:
        _place(change, applied, journal, mode)
    except (OSError, TunerError) as reason:
        if not _is_there(change):
            _retreat(applied, journal)
            if isinstance(reason, StoreError):  # of the journal, and nobody could tell what it means for the file
                raise StoreError(reason.message, advice=f"nothing was changed; {reason.advice}") from reason
            raise


def _is_there(change: Change) -> bool:
    """Return whether the file is what it was to become: it was renamed before whatever failed."""
    try:
        return content(change.path) == change.after
    except TunerError:
        return False


def _place(change: Change, applied: Applied, journal: Journal, mode: int) -> None:
    path = change.path
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    _sweep_backups(path, journal)
    with draft(path, change.after or b"", mode) as whole:
        if change.before is not None:
            _as_before(whole, path, mode)
        unchanged(change)
        if applied.backup:
            os.link(path, applied.backup)
        journal.add(asdict(applied))
        whole.replace(path)


def _sweep_backups(path: Path, journal: Journal) -> None:
    """Remove further names of the file that a kill left before the journal knew of them."""
    known = {applied.backup for applied in journal.standing()}
    for found in path.parent.glob(f"{glob.escape(path.name)}{_BACKUP}*"):
        if str(found) not in known and path.exists() and found.samefile(path):
            found.unlink()


def _retreat(applied: Applied, journal: Journal) -> None:
    """Leave nothing behind of a change that was not made."""
    with contextlib.suppress(OSError, TunerError):
        if applied in journal.standing():
            journal.add({"undone": applied.stamp})
    if applied.backup:
        Path(applied.backup).unlink(missing_ok=True)
    remove_empty(applied.folders)


def _flush(folder: Path, path: Path) -> None:
    try:
        flush_folder(folder)
    except OSError as reason:
        advice = f"take it back with `tuner apply --undo {path}`, or check the disk and apply again"
        raise StoreError(
            f"{path} was written, but may be lost in a power cut: {reason.strerror}", advice=advice
        ) from reason


def _as_before(whole: Path, path: Path, mode: int) -> None:
    """Give a draft the owner, the permissions and the attributes of the file that it replaces; a program stays one."""
    owner = path.stat()
    os.chown(whole, owner.st_uid, owner.st_gid)
    shutil.copystat(path, whole)
    os.utime(whole)
    if mode & stat.S_IXUSR:  # whoever may read a program may run it
        readable = stat.S_IMODE(owner.st_mode) & 0o444
        whole.chmod(stat.S_IMODE(owner.st_mode) | readable >> 2)
