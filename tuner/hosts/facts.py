"""What this machine is, and what makes it a noisy place to measure on.

Everything is read from `/proc` and `/sys` below a root that the caller gives, so that any machine can be
described from a copy of these files. A fact that cannot be read is absent.
"""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tuner.catalogue.room import Room
from tuner.errors import Finding, doubt
from tuner.hosts import links

ROOT: Final = Path("/")
_CAP_IPC_LOCK: Final = 14  # linux/capability.h


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. `None` means that the machine does not say."""

    hostname: str
    system: str
    cpu_model: str | None
    cpus: int
    load_1min: float | None
    governor: str | None
    turbo: bool | None
    smt: bool | None
    hypervisor: bool | None
    hugepages_free: int | None
    memory_available_bytes: int | None
    memlock_bytes: int | None
    nic_drivers: tuple[str, ...] | None = None
    """Of the network cards, sorted; what has no device, such as the loopback, has no driver."""
    nic_versions: tuple[str, ...] | None = None
    """Of the network cards: driver, its version where it is not the kernel's, and firmware; sorted."""
    microcode: str | None = None
    """Its revision, as /proc/cpuinfo has it."""
    bios: str | None = None
    libc: str | None = None
    """The C library of this process, such as `glibc 2.36`."""

    def to_dict(self) -> dict[str, object]:
        """Return the facts as JSON-ready values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def read(root: Path = ROOT) -> Facts:
    """Return the facts of the machine whose files are below `root`."""
    cpuinfo = _text(root / "proc/cpuinfo") or ""
    return Facts(
        hostname=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        cpu_model=_after_colon(cpuinfo, "model name"),
        cpus=len(os.sched_getaffinity(0)),
        load_1min=_first_float(_text(root / "proc/loadavg")),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        turbo=_turbo(root),
        smt=_flag(root / "sys/devices/system/cpu/smt/active"),
        hypervisor=" hypervisor" in (_after_colon(cpuinfo, "flags") or "") if cpuinfo else None,
        hugepages_free=_meminfo(root, "HugePages_Free"),
        memory_available_bytes=_kilobytes(_meminfo(root, "MemAvailable")),
        memlock_bytes=_memlock(root),
        nic_drivers=_nic_drivers(root),
        nic_versions=links.versions(root),
        microcode=_after_colon(cpuinfo, "microcode"),
        bios=_text(root / "sys/class/dmi/id/bios_version"),
        libc=" ".join(filter(None, platform.libc_ver())) or None,
    )


def room(root: Path = ROOT) -> Room:
    """Return the memory that the machine whose files are below `root` has to give to this process."""
    found = read(root)
    return Room(found.memory_available_bytes, _hugepage_bytes(root), found.memlock_bytes)


def has_card(root: Path = ROOT) -> bool:
    """Return whether there is a device that XLIO or VMA could use; without one their libraries end before they take memory."""
    return any((root / "sys/class/infiniband").glob("*"))


def doubts(facts: Facts, *, needs_hugepages: bool) -> tuple[Finding, ...]:
    """Return the reasons to distrust measurements on this machine; the last two only matter to bypass stacks."""
    return tuple(_general_doubts(facts)) + (tuple(_memory_doubts(facts)) if needs_hugepages else ())


def _general_doubts(facts: Facts) -> Iterator[Finding]:
    if facts.cpus == 1:
        yield doubt("only one CPU is available: client and server share it", "allow at least two physical cores")
    if facts.governor not in {None, "performance"}:
        yield doubt(f"CPU frequency governor: {facts.governor}", "cpupower frequency-set -g performance")
    if facts.turbo:
        yield doubt("turbo frequencies are on: speed depends on temperature", "switch turbo off while measuring")
    if facts.smt:
        yield doubt(
            "SMT is on: siblings share a core", "keep the siblings of the measured CPUs idle, or switch SMT off"
        )
    if facts.hypervisor:
        yield doubt("virtual machine: interference from other guests is invisible", "tune on the production host")


def _memory_doubts(facts: Facts) -> Iterator[Finding]:
    if facts.hugepages_free == 0:
        yield doubt("no free huge pages: the stack uses normal pages instead", "sysctl -w vm.nr_hugepages=2048")
    if facts.memlock_bytes is not None:
        limit = f"{facts.memlock_bytes >> 10} KiB"
        yield doubt(f"locked memory is limited to {limit}", "ulimit -l unlimited")


def _nic_drivers(root: Path) -> tuple[str, ...]:
    links = (root / "sys/class/net").glob("*/device/driver")
    return tuple(sorted({each.resolve().name for each in links}))


def _turbo(root: Path) -> bool | None:
    boost = _flag(root / "sys/devices/system/cpu/cpufreq/boost")
    no_turbo = _flag(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    return not no_turbo if boost is None and no_turbo is not None else boost


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _flag(path: Path) -> bool | None:
    text = _text(path)
    return None if text is None else text not in {"0", "off", "N"}


def _after_colon(text: str, key: str) -> str | None:
    lines = (line.partition(":") for line in text.splitlines() if line.startswith(key))
    return next((value.strip() for _, _, value in lines), None)


def _first_float(text: str | None) -> float | None:
    return float(text.split()[0]) if text else None


def _meminfo(root: Path, key: str) -> int | None:
    value = _after_colon(_text(root / "proc/meminfo") or "", key + ":")
    return int(value.split()[0]) if value else None


def _kilobytes(value: int | None) -> int | None:
    return None if value is None else value << 10


def _hugepage_bytes(root: Path) -> int | None:
    """Return the bytes of free huge pages of all sizes, None where the system has none to speak of."""
    folders = list((root / "sys/kernel/mm/hugepages").glob("hugepages-*kB"))
    free = [int(_text(folder / "free_hugepages") or 0) * int(folder.name[10:-2]) << 10 for folder in folders]
    return sum(free) if free else None


def _memlock(root: Path) -> int | None:
    """Return the limit of locked memory in bytes, None when there is none, as for a process with CAP_IPC_LOCK.

    Linux asks for that capability in the first user namespace, not in a container's own (umem.c of its infiniband core).
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    may_lock = int(_after_colon(_text(root / "proc/self/status") or "", "CapEff:") or "0", 16) >> _CAP_IPC_LOCK & 1
    first = (_text(root / "proc/self/uid_map") or "").split() == ["0", "0", str(2**32 - 1)]
    return None if soft == resource.RLIM_INFINITY or (may_lock and first) else soft
