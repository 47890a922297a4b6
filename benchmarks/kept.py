"""What rivals recommended in earlier runs of the comparison of searches, kept so that hours of their computing are spent once.

A line of the file is one session of one rival. It stands in for a new one only while everything that decides it is the
same: the rival and the versions of its libraries, the landscape, its seed, the number of runs, and what runs on that
landscape measure and are truly worth (`fingerprint`).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Played:
    """What one session of a rival was played on: its rival with versions, its landscape, its seed, its number of runs."""

    rival: str
    versions: str
    landscape: str
    runs: int
    seed: int
    fingerprint: str


@dataclass(frozen=True)
class Outcome:
    """The true gains (natural logarithm) of what a session recommends, and the CPU time of its search.

    None is a time that says nothing of the rival: its session was computed by a faster form of its own code.
    """

    gains: tuple[float, ...]
    cpu_s: float | None


NAMES = (*(each.name for each in fields(Played)), "gain", "cpu_s")


def fingerprint(figures: Iterable[float]) -> str:
    """Return a short name of what runs measured and of what is true; other noise, another truth or space gives another one."""
    return hashlib.sha256(" ".join(map(repr, figures)).encode()).hexdigest()[:12]


def read(path: Path) -> dict[Played, Outcome]:
    """Return what the file holds; nothing where there is none."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return dict(map(_outcome, csv.DictReader(file)))


def _outcome(row: dict[str, str]) -> tuple[Played, Outcome]:
    text = {name: row[name] for name in ("rival", "versions", "landscape", "fingerprint")}
    cpu_s = float(row["cpu_s"]) if row["cpu_s"] else None
    return Played(**text, runs=int(row["runs"]), seed=int(row["seed"])), Outcome((float(row["gain"]),), cpu_s)


def append(path: Path, played: Played, outcome: Outcome) -> None:
    """Write one more line; the file is whole after each, so that an interrupted comparison goes on where it was."""
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, NAMES, lineterminator="\n")
        if new:
            writer.writeheader()
        cpu_s = "" if outcome.cpu_s is None else f"{outcome.cpu_s:.1f}"
        writer.writerow(asdict(played) | {"gain": f"{outcome.gains[0]:.6f}", "cpu_s": cpu_s})
