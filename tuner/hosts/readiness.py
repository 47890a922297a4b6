"""What of a machine disturbs a measurement over one of its network devices, each with the command that would change it.

Only advice: nothing is changed. What a machine does not say is no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tuner.errors import Finding, doubt
from tuner.hosts import cpus as cpu_lists
from tuner.hosts.host import Host
from tuner.hosts.links import Link

_MOST_BYTES: Final = 4096
_QUIET: Final = ("isolcpus", "nohz_full", "rcu_nocbs")
"""What a boot line keeps CPUs free of other work with (Documentation/admin-guide/kernel-parameters.txt)."""
_DEEP_US: Final = 10
"""A CPU that wakes up slower than this adds more than a network does."""
_STATES: Final = 10
_SHOWN: Final = 4
"""Enough interrupts to show which are meant."""


def findings(host: Host, link: Link, measured: Sequence[int]) -> Iterator[Finding]:
    """Yield what is to be known of a host whose device `link` and whose CPUs (none: not pinned) are measured."""
    yield from _interrupts(link, measured)
    yield from _node(host, link, measured)
    yield from _coalescing(link)
    yield from _idle(host, measured)
    yield from _boot(host, measured)
    programs = host.counters(()).activity.programs or {}
    if any(each.name == "irqbalance" for each in programs.values()):
        yield doubt("irqbalance moves interrupts while measuring", "systemctl stop irqbalance")


def boot_line(host: Host) -> str | None:
    """Return the boot line of the kernel, None where it cannot be read."""
    return _text(host, "/proc/cmdline")


def _interrupts(link: Link, measured: Sequence[int]) -> Iterator[Finding]:
    taken = {number: set(cpu_lists.parse(where) or ()) & set(measured) for number, where in (link.irqs or {}).items()}
    on = sorted(number for number, cpus in taken.items() if cpus)
    if on and len(on) == len(taken):
        cpus = ",".join(map(str, sorted({cpu for each in taken.values() for cpu in each})))
        what = f"all interrupts of {link.name} come to measured CPUs ({cpus})"
        yield doubt(
            what,
            f"echo CPUS > /proc/irq/{on[0]}/smp_affinity_list, for each of {', '.join(on[:_SHOWN])}{'…' if len(on) > _SHOWN else ''}",
        )


def _node(host: Host, link: Link, measured: Sequence[int]) -> Iterator[Finding]:
    if link.numa_node is None or not measured:
        return
    near = cpu_lists.parse(_text(host, f"/sys/devices/system/node/node{link.numa_node}/cpulist") or "")
    far = sorted(set(measured) - set(near)) if near else []
    if far:
        what = f"{link.name} is on NUMA node {link.numa_node}, and the measured CPUs {', '.join(map(str, far))} are not"
        yield doubt(
            what,
            f"name CPUs of that node with --server-cpus and --client-cpus: {_text(host, f'/sys/devices/system/node/node{link.numa_node}/cpulist')}",
        )


def _coalescing(link: Link) -> Iterator[Finding]:
    if link.adaptive:
        yield doubt(
            f"{link.name} decides by itself how long received packets wait for an interrupt",
            f"ethtool -C {link.name} adaptive-rx off rx-usecs 0",
        )
    elif link.rx_usecs:
        yield doubt(
            f"{link.name} lets received packets wait up to {link.rx_usecs} µs for an interrupt",
            f"ethtool -C {link.name} rx-usecs 0",
        )


def _idle(host: Host, measured: Sequence[int]) -> Iterator[Finding]:
    folder = f"/sys/devices/system/cpu/cpu{measured[0] if measured else 0}/cpuidle"
    states = [
        (
            _text(host, f"{folder}/state{n}/name"),
            _text(host, f"{folder}/state{n}/latency"),
            _text(host, f"{folder}/state{n}/disable"),
        )
        for n in range(_STATES)
    ]
    deep = [
        (name, int(us))
        for name, us, off in states
        if name and us and us.isdigit() and int(us) > _DEEP_US and off != "1"
    ]
    if deep:
        name, us = max(deep, key=lambda state: state[1])
        yield doubt(
            f"idle CPUs sleep as deep as {name}, from which they wake up in {us} µs", f"cpupower idle-set -D {_DEEP_US}"
        )


def _boot(host: Host, measured: Sequence[int]) -> Iterator[Finding]:
    line = boot_line(host)
    if line is None or any(re.search(rf"(?:^|\s){word}=", line) for word in _QUIET):
        return
    where = ",".join(map(str, measured)) or "CPUS"
    yield doubt(
        "no CPUs are kept free of other work", f"boot with isolcpus={where} nohz_full={where} rcu_nocbs={where}"
    )


def _text(host: Host, path: str) -> str | None:
    try:
        return host.read(Path(path), _MOST_BYTES).decode(errors="replace").strip()
    except OSError:
        return None
