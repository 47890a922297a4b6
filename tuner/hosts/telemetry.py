"""What a host did while something was measured: counters of `/proc` and `/sys` before and after, and their difference.

Everything is read below a root that the caller gives. A counter that cannot be read is None and never an error,
because a run is worth more than what is known about it. Reading takes half a millisecond and 15 µs for each process of
the host (`hosts/activity.py`), between the runs. The kernel has no count of migrations for the whole machine; those of a
run's server are read before it is stopped (`hosts/resident.py`).
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tuner.hosts import activity, keeping
from tuner.hosts.activity import Activity, Rate, Used

ROOT: Final = Path("/")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
# The columns of a line of /proc/stat (man 5 proc).
_USER, _NICE, _SYSTEM, _IDLE, _IOWAIT, _IRQ, _SOFTIRQ, _STEAL = range(8)
_DIGITS: Final = 18
_ENDS: Final = ("server", "client")

# The hypervisor ran somebody else. A hundredth of the time is what p99 is made of; a tick of 10 ms in a run of 1 s on
# one CPU is as much, so that less than two hundredths cannot be told from the clock's own grain.
MOST_STEAL_SHARE: Final = 0.02
# Programs that are not ours ran on the CPUs of server and client. Time is counted by sampling at ticks, which alone
# misses by some hundredths; from a tenth on, the median moves by more than runs differ on a quiet host (about 5 %).
MOST_FOREIGN_SHARE: Final = 0.10
# The clock was lowered for heat or power: what was measured is another machine. Once is enough.
MOST_THROTTLES: Final = 0
# Ticks of 10 ms say nothing of shares in less time than this.
LEAST_WALL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Counters:
    """A host's counters at one moment. Seconds of CPU are summed over the watched CPUs; None is unknown.

    `busy_s` is user and system time without interrupts; `own_cpu_s` is what this process and the children that it
    has waited for have used, `preemptions` how often one of these children had to give a CPU to somebody else, and
    `processes` how many the host has started. `load_1min`, `frequency_khz` and `activity` are readings, all else only grows.
    """

    at_s: float
    own_cpu_s: float
    busy_s: float | None = None
    interrupts_s: float | None = None
    idle_s: float | None = None
    steal_s: float | None = None
    context_switches: int | None = None
    softirqs: int | None = None
    processes: int | None = None
    preemptions: int | None = None
    throttles: int | None = None
    pressure_us: int | None = None
    udp_drops: int | None = None
    tcp_retransmissions: int | None = None
    softnet_drops: int | None = None
    load_1min: float | None = None
    frequency_khz: int | None = None
    activity: Activity = field(default_factory=Activity)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What happened between two readings; None is unknown. Shares are of the watched CPUs' time, 0 to 1.

    `foreign_share` is time of programs that are not ours, `pressure_share` the part of the wall time in which some
    task of the host waited for a CPU. `load_1min` and `frequency_khz` are the later readings. `programs` are those that
    used the watched CPUs and are not ours, `interrupts_of` and `softirqs_of` what came most often there.
    """

    wall_s: float
    foreign_share: float | None = None
    steal_share: float | None = None
    interrupts_share: float | None = None
    pressure_share: float | None = None
    context_switches: int | None = None
    softirqs: int | None = None
    processes: int | None = None
    preemptions: int | None = None
    throttles: int | None = None
    udp_drops: int | None = None
    tcp_retransmissions: int | None = None
    softnet_drops: int | None = None
    load_1min: float | None = None
    frequency_khz: int | None = None
    programs: tuple[Used, ...] | None = None
    interrupts_of: tuple[Rate, ...] | None = None
    softirqs_of: tuple[Rate, ...] | None = None

    def to_dict(self) -> dict[str, object]:
        """Return what is known as JSON-ready values."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in known.items()}


def read(cpus: Sequence[int] = (), root: Path = ROOT) -> Counters:
    """Return the counters of the host whose files are below `root`; `cpus` are watched, all of them when empty."""
    own, kept = os.times(), keeping.used()
    stat = _rows(root / "proc/stat")
    spent = _spent(stat, [f"cpu{number}" for number in cpus] or ["cpu"])
    snmp = _pairs(root / "proc/net/snmp")
    watched = [root / f"sys/devices/system/cpu/cpu{number}" for number in cpus or (0,)]
    return Counters(
        at_s=time.monotonic(),
        own_cpu_s=own.user + own.system + own.children_user + own.children_system + kept.cpu_s,
        busy_s=_seconds(spent, _USER, _NICE, _SYSTEM),
        interrupts_s=_seconds(spent, _IRQ, _SOFTIRQ),
        idle_s=_seconds(spent, _IDLE, _IOWAIT),
        steal_s=_seconds(spent, _STEAL),
        context_switches=_first(stat.get("ctxt")),
        softirqs=_first(stat.get("softirq")),
        processes=_first(stat.get("processes")),
        preemptions=resource.getrusage(resource.RUSAGE_CHILDREN).ru_nivcsw + kept.preemptions,
        throttles=_sum(_number(cpu / "thermal_throttle/core_throttle_count") for cpu in watched),
        pressure_us=_pressure(root),
        udp_drops=_sum(snmp.get(("Udp:", name)) for name in ("RcvbufErrors", "SndbufErrors")),
        tcp_retransmissions=snmp.get(("Tcp:", "RetransSegs")),
        softnet_drops=_softnet_drops(root),
        load_1min=_load(root),
        frequency_khz=_mean(_number(cpu / "cpufreq/scaling_cur_freq") for cpu in watched),
        activity=activity.read(cpus, root),
    )


def between(before: Counters, after: Counters) -> Telemetry:
    """Return what happened between two readings. A counter that went back was set anew and is unknown."""
    grown = {each.name: _grown(before, after, each.name) for each in fields(Counters) if each.name != "activity"}
    wall_s = grown["at_s"] or 0.0
    then, now = before.activity, after.activity
    parts = [grown[name] for name in ("busy_s", "interrupts_s", "idle_s", "steal_s")]
    whole_s = sum(part for part in parts if part is not None)
    busy_s, own_s, pressure_us = grown["busy_s"], grown["own_cpu_s"], grown["pressure_us"]
    foreign_s = None if busy_s is None or own_s is None else max(0.0, busy_s - own_s)
    return Telemetry(
        wall_s=wall_s,
        foreign_share=_share(foreign_s, whole_s),
        steal_share=_share(grown["steal_s"], whole_s),
        interrupts_share=_share(grown["interrupts_s"], whole_s),
        pressure_share=_share(None if pressure_us is None else pressure_us / 1e6, wall_s),
        **{name: _grown(before, after, name) for name in _COUNTS},
        load_1min=after.load_1min,
        frequency_khz=after.frequency_khz,
        programs=activity.used(then, now, wall_s),
        interrupts_of=activity.rates(then.interrupts, now.interrupts, wall_s),
        softirqs_of=activity.rates(then.softirqs, now.softirqs, wall_s),
    )


_COUNTS: Final = (
    "context_switches",
    "softirqs",
    "processes",
    "preemptions",
    "throttles",
    "udp_drops",
    "tcp_retransmissions",
    "softnet_drops",
)


def stored(machines: Sequence[Telemetry]) -> dict[str, object]:
    """Return the JSON form of what happened in a run: that of the one machine, or by the end that a machine had."""
    each = [machine.to_dict() for machine in machines]
    return each[0] if len(each) == 1 else dict(zip(_ENDS, each, strict=True))


def spoiled(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why what was measured under this telemetry (in its JSON form) should not be believed; empty if it may be.

    Only what the measured program does not cause itself is a reason: its own drops and switches are not.
    """
    return tuple(dict.fromkeys(reason for each in of_machines(found) for reason in _reasons(each)))


def of_machines(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what happened on each machine of a run, out of its JSON form; none where it was too short to know.

    Of two machines each says in `at` which end it had.
    """
    machines: list[Mapping[str, Any]] = [{**found[end], "at": end} for end in _ENDS if end in found]
    return [each for each in machines or [found] if each.get("wall_s", 0.0) >= LEAST_WALL_S]


def _reasons(found: Mapping[str, Any]) -> Iterator[str]:
    if found.get("steal_share", 0.0) > MOST_STEAL_SHARE:
        yield "the hypervisor took CPU time"
    if found.get("foreign_share", 0.0) > MOST_FOREIGN_SHARE:
        yield "other programs ran on the measured CPUs"
    if found.get("throttles", 0) > MOST_THROTTLES:
        yield "the CPU was throttled"


def _grown(before: Counters, after: Counters, name: str) -> Any:
    then, now = getattr(before, name), getattr(after, name)
    return None if then is None or now is None or now < then else now - then


def _share(part: float | None, whole: float) -> float | None:
    return None if part is None or whole <= 0 else part / whole


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError):
        return ""


def _rows(path: Path) -> dict[str, list[int | None]]:
    lines = (line.split() for line in _text(path).splitlines())
    return {words[0]: [_whole(word) for word in words[1:9]] for words in lines if words}


def _whole(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() and len(word) <= _DIGITS else None


def _spent(stat: Mapping[str, list[int | None]], names: Sequence[str]) -> list[list[int | None]]:
    return [stat[name] for name in names if name in stat]


def _seconds(rows: Sequence[Sequence[int | None]], *columns: int) -> float | None:
    ticks = _sum(row[column] if column < len(row) else None for row in rows for column in columns)
    return None if ticks is None else ticks / _TICKS_PER_S


def _sum(values: Iterable[int | None]) -> int | None:
    """Return the sum, None unless there are values and all are known."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if known and len(known) == len(found) else None


def _mean(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) // len(known) if known else None


def _first(row: Sequence[int | None] | None) -> int | None:
    return row[0] if row else None


def _number(path: Path) -> int | None:
    return _whole(_text(path).strip())


def _pairs(path: Path) -> dict[tuple[str, str], int | None]:
    """Return the values of a file in which a line of names is followed by a line of numbers under the same word."""
    lines = [line.split() for line in _text(path).splitlines() if line.strip()]
    return {
        (names[0], name): _whole(value)
        for names, values in zip(lines[::2], lines[1::2], strict=False)
        for name, value in zip(names[1:], values[1:], strict=False)
    }


def _pressure(root: Path) -> int | None:
    line = _text(root / "proc/pressure/cpu").partition("\n")[0]
    return _whole(line.rpartition("total=")[2])


def _softnet_drops(root: Path) -> int | None:
    """Return the packets that were dropped for lack of room in the backlog: the second column, hexadecimal."""
    rows = [line.split() for line in _text(root / "proc/net/softnet_stat").splitlines()]
    try:
        return sum(int(row[1], 16) for row in rows) if rows else None
    except (ValueError, IndexError):
        return None


def _load(root: Path) -> float | None:
    word = _text(root / "proc/loadavg").partition(" ")[0]
    whole, _, part = word.partition(".")
    return float(word) if _whole(whole) is not None and _whole(part) is not None else None
