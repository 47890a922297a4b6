"""Takes back what was applied: the file that was there before comes back to the byte, whatever ended the program meanwhile."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from tuner.atomic_file import flush_folder
from tuner.deploy.change import Change, content, digest, unchanged
from tuner.deploy.folders import remove_empty
from tuner.deploy.journal import Applied, Journal
from tuner.errors import MOST_LISTED, StoreError, UsageError
from tuner.terminal_text import shown


def last(journal: Journal, path: Path | None) -> Applied:
    """Return the newest entry (for `path` when it is given); raise `UsageError` when there is none."""
    standing = journal.standing()
    wanted = None if path is None else os.path.abspath(path)  # noqa: PTH100 # as `planned` names it
    found = [applied for applied in standing if wanted in {None, applied.path}]
    if found:
        return found[-1]
    there = [path for path in dict.fromkeys(applied.path for applied in reversed(standing)) if Path(path).exists()]
    said = ", ".join(map(shown, there[:MOST_LISTED]))
    advice = f"applied last: {said}" if said else f"{journal.path} names no file that is there"
    raise UsageError(f"there is nothing to undo{f' for {wanted}' if wanted else ''}", advice=advice)


def undoing(applied: Applied, *, force: bool = False) -> Change:
    """Return what taking back would change; raise `UsageError` when the file is no longer what was written."""
    path = Path(applied.path)
    now = content(path)
    before = content(Path(applied.backup)) if applied.backup else None
    if applied.backup and before is None:
        if now is not None and digest(now) == applied.before_sha256:
            return Change(path, now, now)  # taken back before, and ended before the journal said so
        raise UsageError(f"the previous file is gone: {applied.backup}", advice=f"{path} stays as it is")
    if not (force or _untouched(applied, now, before)):
        advice = f"compare it with {applied.backup or 'no file'}; --force undoes it anyway"
        raise UsageError(f"{path} was changed after it was applied", advice=advice)
    return Change(path, now, before)


def undo(applied: Applied, change: Change, journal: Journal) -> Path | None:
    """Make the change that `undoing` returned; raise `UsageError` when it cannot be made.

    Return where the file is kept that was edited since it was applied, None where it was not.
    """
    with journal.locked():
        return _undone(applied, change, journal)


def _undone(applied: Applied, change: Change, journal: Journal) -> Path | None:
    try:
        unchanged(change)
        kept = None if _untouched(applied, change.before, change.after) else _kept(change.path)
        _take_back(applied, change)
        _note(applied, journal)
        remove_empty(applied.folders)
    except OSError as reason:
        raise UsageError(f"cannot take back {change.path}: {reason.strerror}") from reason
    return kept


def _note(applied: Applied, journal: Journal) -> None:
    """Note that a file is as it was before; raise `StoreError` that says so where the journal cannot be written."""
    try:
        journal.add({"undone": applied.stamp})
    except StoreError as reason:
        raise StoreError(f"{applied.path} was put back, but: {reason.message}", advice=reason.advice) from reason


def _take_back(applied: Applied, change: Change) -> None:
    if applied.backup and change.before != change.after:
        Path(applied.backup).replace(change.path)
    elif applied.backup:
        Path(applied.backup).unlink(missing_ok=True)
    else:
        change.path.unlink(missing_ok=True)
    if change.path.parent.is_dir():
        flush_folder(change.path.parent)


def _untouched(applied: Applied, now: bytes | None, before: bytes | None) -> bool:
    """Return whether a file is as it was written, or as it was before."""
    return now == before or (now is not None and digest(now) == applied.sha256)


def _kept(path: Path) -> Path | None:
    """Keep a file under another name beside it, None where there is none."""
    if not path.exists():
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}.tuner-edited-{stamp}")
    os.link(path, kept)
    return kept
