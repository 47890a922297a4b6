"""Who used a host's CPUs: interrupt lines, softirqs and programs, as counted at one moment, and what they did between two.

Counts come from `/proc/interrupts`, `/proc/softirqs` and `/proc/PID/stat`. What cannot be read is None, which is unknown
and never "nobody". Reading takes about 15 µs a process, and no more of them than `MOST_PROGRAMS` are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner.terminal_text import shown

MOST_PROGRAMS: Final = 1024
"""The most processes that one reading looks at; of a host with more, programs are unknown."""
MOST_NAMED: Final = 5
"""The most programs, interrupt lines and softirqs that are kept of an interval, the busiest ones."""
LEAST_CPU_SHARE: Final = 0.01
"""A program that used less of a CPU is not worth a name: the clock's own grain is that large."""
LEAST_PER_S: Final = 100.0
"""Interrupts that come less often take too little time to be seen in a percentile."""
_FILE_BYTES: Final = 1 << 18
_STAT_BYTES: Final = 1024
_LONGEST_NAME: Final = 40
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_COUNT: Final = re.compile(r"[0-9]{1,18}")
# Places in /proc/PID/stat behind the name (man 5 proc_pid_stat, where the state is field 3).
_PARENT, _USER, _SYSTEM, _THREADS, _STARTED, _CPU = 1, 11, 12, 17, 19, 36


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its name, its parent, the CPU time that it has used, and on which CPU its first thread ran last.

    `started` counts clock ticks since the host started, so that a number that is used again is another process.
    """

    pid: int
    started: int
    name: str
    parent: int
    cpu_s: float
    cpu: int
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something happened on the watched CPUs; `line` is the number of an interrupt, empty where it has none."""

    line: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What a host had counted at one moment on the watched CPUs (all where there are none); None is unknown.

    `own` are this process and what it started.
    """

    cpus: tuple[int, ...] = ()
    interrupts: Mapping[str, Counted] | None = None
    softirqs: Mapping[str, Counted] | None = None
    programs: Mapping[int, Program] | None = None
    own: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Used:
    """A program that ran meanwhile: the share of one CPU that it used, and that CPU, None where it used several."""

    name: str
    pid: int
    cpu_share: float
    cpu: int | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How often an interrupt or softirq came, a second; `line` is the number under `/proc/irq`, empty where it has none."""

    name: str
    per_s: float
    line: str = ""


def read(cpus: Sequence[int], root: Path) -> Activity:
    """Return who used the CPUs of the host whose files are below `root`; all CPUs where `cpus` is empty."""
    programs = _programs(root / "proc")
    return Activity(
        cpus=tuple(cpus),
        interrupts=counts(_text(root / "proc/interrupts"), cpus),
        softirqs=counts(_text(root / "proc/softirqs"), cpus),
        programs=programs,
        own=_family(os.getpid(), programs or {}),
    )


def counts(text: str, cpus: Sequence[int]) -> dict[str, Counted] | None:
    """Return the counts of `/proc/interrupts` or `/proc/softirqs` on CPUs, by the word before them; None for no such text."""
    head, *lines = text.splitlines() or [""]
    columns = [_number_of_cpu(word) for word in head.split()]
    if not columns or None in columns:
        return None
    wanted = [at for at, cpu in enumerate(columns) if not cpus or cpu in cpus]
    found = (_counted(line, len(columns), wanted) for line in lines)
    return {key: each for row in found if row for key, each in [row]}


def _number_of_cpu(word: str) -> int | None:
    number = word.removeprefix("CPU")
    return int(number) if word.startswith("CPU") and _COUNT.fullmatch(number) else None


def _counted(line: str, columns: int, wanted: Sequence[int]) -> tuple[str, Counted] | None:
    """Return one line; None where it does not count by CPU, as `ERR` does not."""
    key, colon, rest = line.partition(":")
    words = rest.split(None, columns)
    numbers, key = words[:columns], key.strip()
    if not colon or not key or len(numbers) < columns or not all(map(_COUNT.fullmatch, numbers)):
        return None
    numbered = key.isascii() and key.isdigit()
    # The kernel puts two blanks before the names of the drivers (show_interrupts in kernel/irq/proc.c).
    said = re.split(r"\s{2,}", words[columns].strip())[-1] if len(words) > columns else ""
    name = said if numbered or not said else f"{key} ({said})"
    return key, Counted(key if numbered else "", _named(name or key), sum(int(numbers[at]) for at in wanted))


def _named(text: str) -> str:
    """Return a name that somebody else chose, short and safe to show."""
    return shown(text[:_LONGEST_NAME])


def program(text: str) -> Program | None:
    """Return the process that a text of `/proc/PID/stat` tells of, None for any other text.

    The name stands in parentheses and may itself hold blanks and parentheses.
    """
    head, _, rest = text.rpartition(")")
    pid, opening, name = head.partition(" (")
    fields = rest.split()
    if not opening or not _COUNT.fullmatch(pid) or len(fields) <= _CPU:
        return None
    wanted = [fields[at] for at in (_PARENT, _USER, _SYSTEM, _THREADS, _STARTED, _CPU)]
    if not all(map(_COUNT.fullmatch, wanted)):
        return None
    parent, user, system, threads, started, cpu = map(int, wanted)
    return Program(int(pid), started, _named(name), parent, (user + system) / _TICKS_PER_S, cpu, threads)


def _programs(proc: Path) -> dict[int, Program] | None:
    try:
        numbers = [name for name in os.listdir(proc) if name.isdecimal() and name.isascii()]  # noqa: PTH208 - three times as fast
    except OSError:
        return None
    if not numbers or len(numbers) > MOST_PROGRAMS:
        return None
    found = (program(_beginning(f"{proc}/{number}/stat", _STAT_BYTES)) for number in numbers)
    return {each.pid: each for each in found if each} or None


def _beginning(path: str, most_bytes: int) -> str:
    """Return the first bytes of a file, empty where it cannot be read: processes end while somebody looks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return ""
    try:
        return os.read(descriptor, most_bytes).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _family(pid: int, programs: Mapping[int, Program]) -> frozenset[int]:
    """Return a process and all that descend from it."""
    found = {pid}
    while more := {each.pid for each in programs.values() if each.parent in found} - found:
        found |= more
    return frozenset(found)


def rates(
    before: Mapping[str, Counted] | None, after: Mapping[str, Counted] | None, wall_s: float
) -> tuple[Rate, ...] | None:
    """Return what came most often, the most frequent first; None where that is unknown."""
    if before is None or after is None or wall_s <= 0:
        return None
    grown = [
        Rate(now.name, (now.count - before[key].count) / wall_s, now.line)
        for key, now in after.items()
        if key in before
    ]
    often = (each for each in grown if each.per_s >= LEAST_PER_S)
    return tuple(sorted(often, key=lambda each: -each.per_s)[:MOST_NAMED])


def used(before: Activity, after: Activity, wall_s: float) -> tuple[Used, ...] | None:
    """Return which programs that are not ours used the watched CPUs, the busiest first; None where that is unknown.

    A program of one thread counts where it was on a watched CPU at the beginning or the end. Where one of several threads
    ran is not known, so that it counts. Who began and ended in between is never seen.
    """
    if before.programs is None or after.programs is None or wall_s <= 0:
        return None
    ours = before.own | after.own
    newest = max(each.started for each in before.programs.values())
    found = [
        spent
        for each in after.programs.values()
        if each.pid not in ours
        for spent in _spent(before.programs.get(each.pid), each, newest, wall_s)
        if _seen_on(before.programs.get(each.pid), each, after.cpus)
    ]
    return tuple(sorted(found, key=lambda each: -each.cpu_share)[:MOST_NAMED])


def _spent(before: Program | None, after: Program, newest: int, wall_s: float) -> Iterator[Used]:
    known = before is not None and before.started == after.started
    if not known and after.started < newest:
        return  # it was there and could not be read
    share = (after.cpu_s - (before.cpu_s if known and before else 0.0)) / wall_s
    stayed = after.threads == 1 and (not known or (before is not None and before.cpu == after.cpu))
    if share >= LEAST_CPU_SHARE:
        yield Used(after.name, after.pid, round(share, 3), after.cpu if stayed else None)


def _seen_on(before: Program | None, after: Program, cpus: Collection[int]) -> bool:
    seen = {after.cpu, *([before.cpu] if before and before.started == after.started else [])}
    return not cpus or after.threads > 1 or not seen.isdisjoint(cpus)
