"""What the sockets of a running program are, as the texts of its links in `/proc/PID/fd` say it.

No right is needed for processes of one's own, and nothing is asked of the program: it runs on undisturbed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
# A link is a path, or `KIND:[…]`: the kernel's sockets are `socket:[…]`, and a stack has a kind of its own for its own.
_KIND: Final = re.compile(r"(?!pipe:|anon_inode:|net:|mnt:|pid:|user:|uts:|ipc:|cgroup:|time:)\w+:\[")


def socket_links(launcher: int, proc: Path = PROC) -> tuple[str, ...]:
    """Return the links of the sockets of the program that `launcher` started, none where it has none or is gone.

    `launcher` is the number of the `timeout` process, whose one child becomes the program.
    """
    program = program_of(launcher, proc)
    if program is None:
        return ()
    try:
        descriptors = sorted((proc / program / "fd").iterdir())
    except OSError:  # it ended meanwhile
        return ()
    return tuple(text for path in descriptors if _KIND.match(text := _target(path)))


def program_of(launcher: int, proc: Path = PROC) -> str | None:
    """Return the number of the process that `launcher` started, None where it has none or is gone."""
    try:
        children = (proc / str(launcher) / "task" / str(launcher) / "children").read_text(encoding="ascii").split()
    except OSError:
        return None
    return children[0] if children else None


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # closed since the folder was read
        return ""
