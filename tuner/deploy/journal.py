"""What was applied and not taken back: a line of JSON for each, on the disk before the file it is about changes."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tuner.errors import StoreError
from tuner.untrusted import opened

JOURNAL: Final = "applied.jsonl"
MOST_JOURNAL_BYTES: Final = 64 * 1024 * 1024
_LOCK: Final = "applied.lock"
_MOST_WAIT_S: Final = 30.0
_BETWEEN_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Applied:
    """A line of the journal: what was put where and when, and where the file that was there before is kept.

    `backup` is empty when there was none; `folders` were made for the file. `sha256` is that of what was written,
    `before_sha256` that of what was there before (empty where there was nothing, or an earlier release wrote the line).
    """

    stamp: str
    path: str
    what: str
    sha256: str
    backup: str
    folders: tuple[str, ...]
    before_sha256: str = ""


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

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from changing files and the journal meanwhile; raise `StoreError` where they do not end."""
        with self._written():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            until = time.monotonic() + _MOST_WAIT_S
            while not _taken(descriptor):
                if time.monotonic() > until:
                    raise StoreError("another `tuner apply` is under way", advice="wait until it has ended")
                time.sleep(_BETWEEN_S)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Say of what fails inside the block that it is the journal, and not the file that is to be changed."""
        try:
            yield
        except OSError as reason:
            message = f"cannot write the journal of what is applied, {self.path}: {reason.strerror}"
            raise StoreError(message, advice="XDG_STATE_HOME names another folder for it") from reason

    def standing(self) -> tuple[Applied, ...]:
        """Return what was applied and not taken back; raise `StoreError` for a journal that cannot be read."""
        found: dict[str, Applied] = {}
        for number, line in enumerate(self._whole(), start=1):
            try:
                row = json.loads(line)
                if "undone" in row:
                    found.pop(row["undone"], None)
                else:
                    applied = _applied(row)
                    found[applied.stamp] = applied
            except (ValueError, TypeError, KeyError, RecursionError) as reason:
                message = f"{self.path}, line {number} is not an entry of a journal"
                raise StoreError(message, advice="repair or remove that line") from reason
        return tuple(found.values())

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a line, on the disk before this returns; raise `StoreError` where that cannot be."""
        torn = len(self._torn())
        with self._written(), self.path.open("ab") as file:
            file.truncate(file.tell() - torn)
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def torn(self) -> str:
        """What stands behind the last whole line: the rest of a write that was cut off; empty in a whole journal."""
        return self._torn().decode(errors="replace")

    def _torn(self) -> bytes:
        return self._read().rpartition(b"\n")[2]

    def _whole(self) -> list[str]:
        """Return the lines that were written whole; what a kill cut off never happened."""
        try:
            return self._read().rpartition(b"\n")[0].decode().split("\n") if b"\n" in self._read() else []
        except UnicodeDecodeError as reason:
            raise StoreError(f"cannot read {self.path}: {reason}") from reason

    def _read(self) -> bytes:
        try:
            with opened(self.path) as file:
                data = file.read(MOST_JOURNAL_BYTES + 1)
        except FileNotFoundError:
            return b""
        except OSError as reason:
            raise StoreError(f"cannot read {self.path}: {reason.strerror}") from reason
        if len(data) > MOST_JOURNAL_BYTES:
            raise StoreError(f"{self.path} is larger than {MOST_JOURNAL_BYTES} bytes", advice="move it away")
        return data


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _applied(row: Mapping[str, Any]) -> Applied:
    texts = [row[key] for key in ("stamp", "path", "what", "sha256", "backup")]
    folders = row["folders"]
    if not isinstance(folders, list) or not all(isinstance(text, str) for text in (*texts, *folders)):
        raise TypeError("not text")
    stamp, path, what, sha256, backup = texts
    before = row.get("before_sha256", "")
    return Applied(stamp, path, what, sha256, backup, tuple(folders), before if isinstance(before, str) else "")
