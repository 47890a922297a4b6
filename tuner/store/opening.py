"""Connections to the SQLite file of a store: it is recognised before anything is written, and readers write nothing.

A reader needs neither a writable folder nor room on the disk. Where nobody has it open, the file is opened as one that does
not change (`immutable=1`), because SQLite would otherwise make two files beside it; who reads it so looks afterwards whether
that was true (`Looked`). Where a writer's files stand beside it, it is read with them, from a private copy if its folder does not
allow that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner import temporary
from tuner.errors import StoreError
from tuner.results import ACTIVE, in_use, logs, uri_of_still, uri_to_read
from tuner.store.tables import APPLICATION_ID, FORMAT, SIGNS
from tuner.terminal_text import shown
from tuner.untrusted import is_of_each_process

_KERNELS: Final = (Path("/proc"), Path("/sys"))
_WAIT_S: Final = 30.0
_ANOTHER: Final = "name another folder with --results DIR"
REPAIR: Final = "`tuner store check` says what is damaged, `tuner store salvage` copies what can be read"
_DAMAGED: Final = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_TOOBIG}
)
_MOST_NAMED: Final = 5
_LONGEST_BYTES: Final = 1 << 22
"""Of one value; ours are some kilobytes, and where programs were told to print much, a megabyte."""
_PRIMARY: Final = 0xFF
"""The part of SQLite's extended error codes that is the error itself."""


def reader(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads. Raise `StoreError` for what is no store of this release."""
    with told(path):
        checked(path)
        connection = _reading(path)
    try:
        with told(path):
            _bounded(connection)
            recognised(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def writer(path: Path) -> sqlite3.Connection:
    """Return a connection that writes, to a store made where there is none. Raise `StoreError` as `reader` does."""
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_own(path)
        is_new = not _stands(path)
        if not is_new:
            reader(path).close()
        _writable(path)
        uri = f"{path.absolute().as_uri()}?mode=rwc"
        connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_S, check_same_thread=False)
    with told(path):
        _bounded(connection)
        connection.isolation_level = None  # transactions begin where this package says so, changes of tables included
        if is_new:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
    return connection


def _check_own(path: Path) -> None:
    """Raise `OSError` for a name that means no file of its own: another one in each process, or one of the kernel, which SQLite waits for."""
    kernels = {place.stat().st_dev for place in _KERNELS if place.exists()}
    if is_of_each_process(path.absolute()) or (path.exists() and path.stat().st_dev in kernels):
        raise OSError(errno.EINVAL, "it is no file of its own")


def _writable(path: Path) -> None:
    """Raise `OSError`, which says why and SQLite does not, where a store cannot be written."""
    if not (path.exists() and os.access(path, os.W_OK)):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
    if not os.access(path.parent, os.W_OK):
        raise OSError(errno.EACCES, "its folder may not be written to, and SQLite has files beside it")


def checked(path: Path) -> None:
    """Raise `StoreError` unless a regular file stands at `path` that is not empty.

    It is not opened: closing any descriptor of a file ends all locks of this process on it, those of SQLite too, and then
    another process takes the log away under a session that goes on writing to it (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    if not path.exists():
        raise StoreError(f"there is no store {path}", advice=_ANOTHER)
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path} is not a file", advice=_ANOTHER)
    if not found.st_size:
        raise StoreError(f"{path} is empty: nothing was stored in it", advice=f"measure, or {_ANOTHER}")


def recognised(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StoreError` for a database of another program, and for a store of another format."""
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    missing = SIGNS - tables
    if identity not in {0, APPLICATION_ID} or (identity == 0 and missing):
        raise StoreError(f"{path} is a database of another program; nothing was changed", advice=_ANOTHER)
    check_passive(str(path), [name for (name,) in connection.execute(ACTIVE)])
    if "format" in tables:
        check_format(str(path), [version for (version,) in connection.execute("SELECT version FROM format LIMIT 2")])


def check_passive(where: str, active: Sequence[str]) -> None:
    """Raise `StoreError` for a store with views, triggers and the like, whose names are `active`."""
    if active:
        named = ", ".join(map(shown, active[:_MOST_NAMED]))
        message = f"{where} holds what acts by itself when it is read or written, as no store does: {named}"
        raise StoreError(message, advice="it is not to be trusted: have its owner make a copy with `tuner store copy`")


def check_format(where: str, versions: Sequence[object]) -> None:
    """Raise `StoreError` for a store of no format that this release reads; `versions` is what its table says."""
    if len(versions) > 1 or any(version not in range(1, FORMAT + 1) for version in versions):
        said = ", ".join(map(str, versions))
        message = f"{where} has format {said}; this release reads format {FORMAT} and earlier. Nothing was changed"
        raise StoreError(message, advice="use the release that wrote it, or a later one")


def as_now(connection: sqlite3.Connection, path: Path) -> None:
    """Show a reader the tables of an earlier format as they are now, by a view that is nowhere but in its connection.

    Raise `StoreError` for a store without tables: who made it was ended before it had any.
    """
    columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('sessions')")}
    if not columns:
        raise StoreError(f"{path} is empty: nothing was stored in it", advice=f"measure, or {_ANOTHER}")
    if "host" not in columns:
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(_WITH_HOST)


_WITH_HOST: Final = (
    "CREATE TEMP VIEW sessions AS SELECT *, "
    "CASE WHEN json_valid(facts) THEN json_extract(facts, '$.hostname') END AS host FROM main.sessions"
)


@contextlib.contextmanager
def told(path: Path | str) -> Iterator[None]:
    """Turn what SQLite and the disk say inside the block into `StoreError`: what is the matter, and what to do about it."""
    try:
        yield
    except sqlite3.Error as reason:
        if _primary(reason) == sqlite3.SQLITE_NOTADB:
            raise StoreError(f"{path} is not a database", advice=f"{_ANOTHER}, or move that file away") from reason
        raise StoreError(f"cannot use {path}: {reason}", advice=advice(reason)) from reason
    except OSError as reason:
        raise StoreError(f"cannot use {path}: {reason.strerror}", advice=_ANOTHER) from reason


def advice(reason: BaseException) -> str:
    """Return what to do about what SQLite said."""
    primary = _primary(reason)
    if primary in _DAMAGED or "decode" in str(reason):
        return REPAIR
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "another program uses it: wait until that has ended"
    if primary == sqlite3.SQLITE_FULL:
        return "make room and try again: all that was stored is kept"
    if primary == sqlite3.SQLITE_IOERR and resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        return "files of this process have a limit: raise it (`ulimit -f`); all that was stored is kept"
    if primary == sqlite3.SQLITE_IOERR:
        return f"see what the disk has (`dmesg`), or {_ANOTHER}: all that was stored is kept"
    return f"{_ANOTHER}, or make room and try again"


def _primary(reason: BaseException) -> int | None:
    code = getattr(reason, "sqlite_errorcode", None)
    return code & _PRIMARY if isinstance(code, int) else None


def _stands(path: Path) -> bool:
    """Return whether anything stands in a store's file; SQLite makes a database of an empty one."""
    return path.exists() and (not path.is_file() or path.stat().st_size > 0)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file looked like from outside: whether somebody has it open, and its last change."""

    in_use: bool
    inode: int
    size: int
    changed_ns: int

    @staticmethod
    def at(path: Path) -> Looked:
        """Look; raise `OSError` where there is no file."""
        found = path.stat()
        return Looked(in_use(path), found.st_ino, found.st_size, found.st_mtime_ns)

    def was_still(self, later: Looked) -> bool:
        """Return whether what was read meanwhile is of one moment: nothing changed, or SQLite's locks saw to it."""
        return self == later or (self.in_use and later.in_use)


def _reading(path: Path) -> sqlite3.Connection:
    try:
        return _open(uri_to_read(path))
    except sqlite3.OperationalError:
        if logs(path):
            return _copied(path)
        if not in_use(path):
            raise
        return _open(uri_of_still(path))  # what stands beside it is empty, and its folder is not ours


def _open(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=_WAIT_S)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _copied(path: Path) -> sqlite3.Connection:
    """Return a connection to a copy in memory of the file with its log, which a private folder holds meanwhile."""
    with temporary.folder("store") as folder:
        copy = folder / path.name
        for each in (path, *logs(path)):
            shutil.copyfile(each, copy.with_name(each.name))
        memory = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(copy)) as whole:
            whole.backup(memory)
    return memory


def _bounded(connection: sqlite3.Connection) -> None:
    """Let a connection give text as it is stored, and nothing that is longer than anything of ours."""
    connection.text_factory = _text
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_BYTES)


def _text(data: bytes) -> str:
    """Return text as it is stored; what is no UTF-8 becomes surrogates, which its column then refuses by name."""
    return data.decode(errors="surrogateescape")
