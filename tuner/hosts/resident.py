"""How much memory a running program holds, as `/proc/PID/status` says it (man 5 proc).

`getrusage` does not say it: what a process held before it became the program counts there too, and that is this process.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tuner.hosts.descriptors import PROC, program_of

# The most that was resident at once, and the huge pages, which no resident size includes.
_PARTS: Final = re.compile(r"^(?:VmHWM|HugetlbPages):\s*(\d+) kB$", re.MULTILINE)
_STATUS_BYTES: Final = 1 << 16


def memory_mb(launcher: int, proc: Path = PROC) -> float | None:
    """Return the memory, in 10^6 bytes, that the program held at most, None where it is gone or the kernel does not say.

    `launcher` is the number of the `timeout` process, whose one child becomes the program.
    """
    program = program_of(launcher, proc)
    if program is None:
        return None
    try:
        with (proc / program / "status").open(encoding="utf-8", errors="replace") as status:
            parts_kib = [int(kib) for kib in _PARTS.findall(status.read(_STATUS_BYTES))]
    except OSError:  # it ended meanwhile
        return None
    return sum(parts_kib) * 1024 / 1e6 if parts_kib else None
