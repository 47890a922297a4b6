"""How much memory a running program holds, as `/proc/PID/status` says it (man 5 proc), and how often it changed its CPU.

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
_MIGRATIONS: Final = re.compile(r"^se\.nr_migrations\s*:\s*(\d{1,18})$", re.MULTILINE)
_MOST_THREADS: Final = 64


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


def migrations(launcher: int, proc: Path = PROC) -> int | None:
    """Return how often the program's threads were moved to another CPU, None where it is gone or the kernel does not count.

    A kernel with CONFIG_SCHED_DEBUG counts. Of a program with many threads the first ones are asked.
    """
    program = program_of(launcher, proc)
    try:
        threads = sorted((proc / program / "task").iterdir())[:_MOST_THREADS] if program else []
        texts = [_beginning(thread / "sched") for thread in threads]
    except OSError:  # it ended meanwhile
        return None
    found = [int(match[1]) for text in texts if (match := _MIGRATIONS.search(text))]
    return sum(found) if found and len(found) == len(texts) else None


def _beginning(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_STATUS_BYTES)
