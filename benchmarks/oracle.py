"""Do programs see under the kernel stack's library what they see on plain sockets? Random ones, with plain sockets as the oracle.

Each program (`socket_programs.py`) is played on plain sockets and under the library with several settings: the same bytes, the same
errors, the same readiness, the same descriptor numbers. A program whose outcomes differ is played again alone: it counts where
plain sockets agree with themselves and the library does not agree with them again.

Quick acknowledgements (`XLIO_TCP_QUICKACK`), which are the kernel's own, wake an edge-triggered watcher of the sender once more, because
its buffer is free sooner. A program that sees the same with nothing but them set is counted apart.

    .venv/bin/python benchmarks/oracle.py [--seconds 60] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tuner.stacks.preloads import kernel_library

PROGRAMS: Final = Path(__file__).with_name("socket_programs.py")
SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "as it is": {},
    "polls a while": {"XLIO_RX_POLL": "100", "XLIO_SELECT_POLL": "100", "XLIO_TCP_QUICKACK": "1"},
    "polls for ever": {"XLIO_SPEC": "latency", "XLIO_RX_POLL_YIELD": "1", "XLIO_TCP_QUICKACK": "1"},
}
QUICKACK: Final = "XLIO_TCP_QUICKACK"
AT_ONCE: Final = 20
HANGS_AFTER_S: Final = 30.0

Outcomes = Mapping[int, Any]


@dataclass
class Compared:
    """What was played under one of the settings."""

    programs: int = 0
    steps: int = 0
    by_luck: int = 0
    """Programs that differed once and not again."""
    by_acknowledging: int = 0
    """Programs that see the same with quick acknowledgements alone."""
    different: tuple[int, ...] = ()
    """The seeds of those that differ."""


def played(first: int, count: int, settings: Mapping[str, str] | None, library: Path | None = None) -> Outcomes:
    """Return the outcomes of some programs; on plain sockets without settings. One that hangs, and those behind it, have none.

    `library` is another one than the kernel stack's.
    """
    preloaded = str(library or kernel_library())
    preload = {} if settings is None else {"LD_PRELOAD": preloaded, "XLIO_TRACELEVEL": "none", **settings}
    command = [sys.executable, "-S", str(PROGRAMS), str(first), str(count)]
    with subprocess.Popen(
        command, env={"PATH": "/usr/bin:/bin", **preload}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            out, _ = process.communicate(timeout=HANGS_AFTER_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        finally:
            process.kill()
    lines = (line for line in out.splitlines() if line.endswith("]"))
    return dict(map(json.loads, lines))


def differs(seed: int, settings: Mapping[str, str]) -> bool:
    """Return whether a program differs again, while plain sockets do the same each time."""
    plain = [played(seed, 1, None) for _ in range(2)]
    return plain[0] == plain[1] and bool(plain[0]) and played(seed, 1, settings) != plain[0]


def acknowledges(seed: int, settings: Mapping[str, str]) -> bool:
    """Return whether a program sees what it sees where nothing but quick acknowledgements are set."""
    alone = {name: value for name, value in settings.items() if name == QUICKACK}
    return bool(alone) and played(seed, 1, alone) == played(seed, 1, settings)


def compare(first: int, found: Mapping[str, Compared]) -> None:
    """Play some programs under all settings."""
    plain = played(first, AT_ONCE, None)
    for name, settings in SETTINGS.items():
        here, seen = found[name], played(first, AT_ONCE, settings)
        odd = [seed for seed in plain if seen.get(seed) != plain[seed]]
        again = [seed for seed in odd if differs(seed, settings)]
        wrong = [seed for seed in again if not acknowledges(seed, settings)]
        here.programs += len(plain)
        here.steps += sum(map(len, plain.values()))
        here.by_luck += len(odd) - len(again)
        here.by_acknowledging += len(again) - len(wrong)
        here.different += tuple(wrong)


def compared(seconds: float, seed: int) -> Mapping[str, Compared]:
    """Return what programs did within so many seconds, at least one batch."""
    found = {name: Compared() for name in SETTINGS}
    end_s = time.monotonic() + seconds
    compare(seed, found)
    while time.monotonic() < end_s:
        seed += AT_ONCE
        compare(seed, found)
    return found


def section(found: Mapping[str, Compared]) -> str:
    """Return the section of the page."""
    head = "| the library | programs | steps | different once and not again | by quick acknowledgements alone | different |\n|---|---|---|---|---|---|"
    rows = [
        f"| {name} | {each.programs:,} | {each.steps:,} | {each.by_luck} | {each.by_acknowledging} | {len(each.different)} |"
        for name, each in found.items()
    ]
    return "\n".join([head, *rows])


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = compared(asked.seconds, asked.seed)
    print(section(found))
    different = {name: each.different for name, each in found.items() if each.different}
    for name, seeds in different.items():
        print(f"seeds that differ where the library {name}: {', '.join(map(str, seeds))}", file=sys.stderr)
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
