"""Who disturbed a block: what the telemetry of its runs names, beside what is usual in the session.

A disturbed block (`Ledger.disturbed`) has a culprit: time that the hypervisor took, throttling, or programs, by name. Interrupts,
preemptions and frequency vary with what is measured. So they are compared with the median of the session's runs of the same
profile under the same workload; where the baseline's own run stands out, a block counts as unusual and is not left out.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from tuner.hosts.telemetry import MOST_FOREIGN_SHARE, MOST_STEAL_SHARE, MOST_THROTTLES, of_machines
from tuner.records import Run

# Less of a CPU explains no block that others used a tenth of.
LEAST_SHARE: Final = 0.05
# So many programs that came and went are a build, a cron job or a shell script; a run of ours starts five.
MANY_STARTED: Final = 20
# Three times as often, and a thousand a second more: at 1 µs and more each, a thousandth of the time, which p99.9 sees.
UNUSUAL: Final = 3.0
LEAST_MORE_PER_S: Final = 1000.0
# A thread that moves finds its caches cold: tens of µs each time.
LEAST_MIGRATIONS_PER_S: Final = 10.0
# What a governor or turbo takes away beyond its usual wandering.
SLOW: Final = 0.9
FEWEST_READINGS: Final = 4
# The measured traffic raises these itself; foreign traffic shows in the line of its card.
OWN_SOFTIRQS: Final = frozenset({"NET_RX", "NET_TX", "TIMER", "HRTIMER", "SCHED", "RCU"})


class Cause(StrEnum):
    """What disturbs a measurement."""

    STEAL = "steal"
    """The hypervisor ran somebody else; `most` is a share of the measured CPUs' time."""
    THROTTLING = "throttling"
    """The clock was lowered for heat or power; `most` is how often."""
    PROGRAM = "program"
    """Another program ran on the measured CPUs; `most` is the share of a CPU that it used."""
    SHORT_PROGRAMS = "short-lived programs"
    """Programs that came and went; `most` is how many were started in a run."""
    UNKNOWN_PROGRAMS = "unknown programs"
    """Other programs whose names could not be read; `most` is a share of the measured CPUs' time."""
    INTERRUPTS = "interrupts"
    """An interrupt line; `most` and `usual` are how often it came, a second."""
    SOFTIRQS = "softirqs"
    """Deferred work of the kernel; `most` and `usual` as of interrupts."""
    PREEMPTION = "preemption"
    """Our programs lost their CPU to others; `most` and `usual` are how often, a second."""
    MIGRATIONS = "migrations"
    """Threads of the server were moved between its CPUs; `most` and `usual` are how often, a second."""
    FREQUENCY = "frequency"
    """The clock was slower than usual; `most` and `usual` are in GHz, `most` the slowest."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """What disturbed one run: its cause, its name and numbers where it has some, and how much it was (see `Cause`)."""

    cause: Cause
    most: float
    name: str = ""
    pid: int | None = None
    cpu: int | None = None
    line: str = ""
    usual: float | None = None
    at: str | None = None
    """The end whose machine it was, `server` or `client`; None where both are on one."""


def of_disturbed(runs: Iterable[Run]) -> list[Culprit]:
    """Return who disturbed a block that was disturbed, by the telemetry of its runs."""
    return [
        replace(found, at=machine.get("at"))
        for run in runs
        for machine in _machines(run)
        for found in _disturbing(machine)
    ]


def _machines(run: Run) -> list[Mapping[str, Any]]:
    """Return what happened on each machine; the server's is the first."""
    moved = run.evidence.get("server", {}).get("migrations")
    first, *others = of_machines(run.evidence.get("telemetry", {})) or [{}]
    machines = [first if moved is None or not first else {**first, "migrations": moved}, *others]
    return [each for each in machines if each]


def _disturbing(found: Mapping[str, Any]) -> Iterator[Culprit]:
    if found.get("steal_share", 0.0) > MOST_STEAL_SHARE:
        yield Culprit(Cause.STEAL, found["steal_share"])
    if found.get("throttles", 0) > MOST_THROTTLES:
        yield Culprit(Cause.THROTTLING, found["throttles"])
    if found.get("foreign_share", 0.0) > MOST_FOREIGN_SHARE:
        yield from _programs(found)


def _programs(found: Mapping[str, Any]) -> Iterator[Culprit]:
    """Yield the programs that used the measured CPUs, or what can be said of them where none can be named."""
    named = [each for each in found.get("programs", ()) if each["cpu_share"] >= LEAST_SHARE]
    for each in named:
        yield Culprit(Cause.PROGRAM, each["cpu_share"], each["name"], each["pid"], each["cpu"])
    if not named and found.get("processes", 0) >= MANY_STARTED:
        yield Culprit(Cause.SHORT_PROGRAMS, found["processes"])
    elif not named:
        yield Culprit(Cause.UNKNOWN_PROGRAMS, found["foreign_share"])


def unusual(runs: Sequence[Run]) -> dict[int, list[Culprit]]:
    """Return what stood out in runs of one profile under one workload, by block; nothing where the runs are too few to know."""
    found: dict[int, list[Culprit]] = defaultdict(list)
    by_machine: dict[str | None, list[tuple[Run, Mapping[str, Any]]]] = defaultdict(list)
    for run in runs:
        for machine in _machines(run):
            by_machine[machine.get("at")].append((run, machine))
    for at, readings in by_machine.items():
        for block, culprit in _unusual_on(readings):
            found[block].append(replace(culprit, at=at))
    return dict(found)


def _unusual_on(readings: Sequence[tuple[Run, Mapping[str, Any]]]) -> Iterator[tuple[int, Culprit]]:
    """Yield what stood out on one machine, with its block."""
    if len(readings) < FEWEST_READINGS:
        return
    usual = {key: statistics.median(each) for key, each in _by_kind(machine for _, machine in readings).items()}
    for run, machine in readings:
        for each in _standing_out(machine, usual):
            yield run.block, each


Key = tuple[Cause, str, str]


def _by_kind(machines: Iterable[Mapping[str, Any]]) -> dict[Key, list[float]]:
    """Return the rates of all runs by what they are rates of.

    What a run that counted does not name came too seldom and is 0; a run that could not count says nothing.
    """
    rows = [(machine, dict(_rates(machine))) for machine in machines]
    keys = {key for _, row in rows for key in row}
    return {key: [row.get(key, 0.0) for machine, row in rows if _COUNTED_IN[key[0]] in machine] for key in keys}


_COUNTED_IN: Final = {
    Cause.INTERRUPTS: "interrupts_of",
    Cause.SOFTIRQS: "softirqs_of",
    Cause.PREEMPTION: "preemptions",
    Cause.MIGRATIONS: "migrations",
    Cause.FREQUENCY: "frequency_khz",
}


def _rates(found: Mapping[str, Any]) -> Iterator[tuple[Key, float]]:
    for each in found.get("interrupts_of", ()):
        if each["line"]:
            yield (Cause.INTERRUPTS, each["name"], each["line"]), each["per_s"]
    for each in found.get("softirqs_of", ()):
        if each["name"] not in OWN_SOFTIRQS:
            yield (Cause.SOFTIRQS, each["name"], ""), each["per_s"]
    if "preemptions" in found:
        yield (Cause.PREEMPTION, "", ""), found["preemptions"] / found["wall_s"]
    if "migrations" in found:
        yield (Cause.MIGRATIONS, "", ""), found["migrations"] / found["wall_s"]
    if "frequency_khz" in found:
        yield (Cause.FREQUENCY, "", ""), found["frequency_khz"] / 1e6


def _standing_out(found: Mapping[str, Any], usual: Mapping[Key, float]) -> Iterator[Culprit]:
    for (cause, name, line), value in _rates(found):
        before = usual[cause, name, line]
        slow = cause is Cause.FREQUENCY and value < SLOW * before
        least_more = LEAST_MIGRATIONS_PER_S if cause is Cause.MIGRATIONS else LEAST_MORE_PER_S
        often = cause is not Cause.FREQUENCY and value > max(UNUSUAL * before, before + least_more)
        if slow or often:
            yield Culprit(cause, value, name, line=line, usual=before)
