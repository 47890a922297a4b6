"""Text of files that somebody else wrote: bounded in size, never a pipe or a device, and UTF-8."""

from __future__ import annotations

from pathlib import Path

from tuner.errors import Finding, error


def text_of(path: Path, most_bytes: int, what: str) -> str | Finding:
    """Return the text of a file, or the finding that says why it cannot be read; `what` it should be, with article."""
    if not path.is_file():  # a pipe or a device would be read for ever
        return error(str(path), "is not a file" if path.exists() else "does not exist")
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as reason:
        return error(str(path), f"cannot be read: {reason.strerror}")
    if len(data) > most_bytes:
        return error(str(path), f"is larger than {most_bytes} bytes: too large for {what}")
    try:
        return data.decode()
    except UnicodeDecodeError as reason:
        line = data.count(b"\n", 0, reason.start) + 1
        return error(str(path), f"is not UTF-8 text: byte 0x{data[reason.start]:02x} in line {line}")
