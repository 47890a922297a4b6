"""Files that are written whole or not at all: nobody ever reads half of one, whatever ends the program meanwhile.

The content goes into a draft beside the file, reaches the disk, and then takes the file's name in one step (POSIX
`rename`, or `link` where nothing may be replaced). A draft that did not come so far is removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.errors import UsageError

FORCE = "take another name, or --force"
_DRAFT = ".tuner-"


def save(
    path: Path, text: str, *, overwrite: bool, mode: int | None = None, advice: str = FORCE, follow: bool = True
) -> None:
    """Write a file as `write` does; raise `UsageError`, with `advice` where it exists and is not to be replaced."""
    try:
        write(path, text, overwrite=overwrite, mode=mode, follow=follow)
    except FileExistsError as reason:
        raise UsageError(f"{path} exists and was not changed", advice=advice) from reason
    except OSError as reason:
        raise UsageError(f"cannot write {path}: {reason.strerror}") from reason


def write(
    path: Path, content: str | bytes, *, overwrite: bool = True, mode: int | None = None, follow: bool = True
) -> None:
    """Write a file in one step, and the folders above it; text becomes UTF-8.

    Args:
        path: where; a pipe or a device is written to as it is.
        content: everything that the file shall hold.
        overwrite: replace a file that exists; otherwise raise `FileExistsError`.
        mode: its permissions; None leaves those of the file that is replaced, or what the umask grants.
        follow: whether a link is followed. In a folder that may be somebody else's it is not: a link there is replaced,
            and a folder that is one is refused.

    Raises:
        OSError: it cannot be written; what was there before is still there.
        UsageError: it is `-`, by which other programs mean standard output and never a file of that name.

    """
    if path == Path("-"):
        raise UsageError(
            "`-` means standard output elsewhere and is not taken for a file here",
            advice=f"leave the option out where a command prints by itself, or name a file ({Path('-').absolute()} for that one)",
        )
    data = content.encode() if isinstance(content, str) else content
    if not path.name:  # of `.` and `/`
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if follow and overwrite and path.exists() and not path.is_file():
        _pour(path, data)
        return
    target = Path(os.path.realpath(path)) if overwrite and follow else path
    if not follow and target.parent.is_symlink():
        raise OSError(errno.ELOOP, "its folder is a symbolic link, which is not followed", str(target.parent))
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft(target, data, _permissions(target) if mode is None else mode) as whole:
        if overwrite:
            whole.replace(target)
        else:
            target.hardlink_to(whole)  # fails where the name is taken, which a rename does not
        flush_folder(target.parent)


def _pour(path: Path, data: bytes) -> None:
    """Write to a pipe or a device as it is; nobody is waited for who would read a pipe."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as reason:
        if reason.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "nobody reads what is written there", str(path)) from reason
        raise
    os.set_blocking(descriptor, True)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 # a Path cannot open a descriptor
            file.write(data)
    except OSError as reason:
        reason.filename = str(path)
        raise


@contextmanager
def draft(path: Path, data: bytes, mode: int | None) -> Iterator[Path]:
    """Yield a file beside `path` that holds `data` on the disk; it is removed unless it was renamed."""
    whole = drafted(path)
    try:
        descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 # a Path cannot open a descriptor
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        yield whole
    except OSError as reason:
        reason.filename = str(path)  # a full disk names none, and nobody knows the draft
        raise
    finally:
        whole.unlink(missing_ok=True)


def drafted(path: Path) -> Path:
    """Return the name of a new file beside `path` that `sweep` takes away when this process has ended."""
    return path.with_name(f"{_DRAFT}{os.getpid()}-{os.urandom(6).hex()}")


def sweep(folder: Path) -> None:
    """Remove the drafts in a folder that a program left which was killed while it wrote."""
    for found in folder.glob(f"{_DRAFT}*-*"):
        owner = found.name.removeprefix(_DRAFT).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):  # it is somebody else's, or gone
                found.unlink()


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on the disk too."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder may be written to and not be read
        os.sync()
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _permissions(path: Path) -> int | None:
    try:
        found = path.lstat()
        return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None
    except FileNotFoundError:
        return None
