"""What simulated sessions advised, kept in a file a line each, so that a table of hours of computing can be made over days.

A line says which session it was (truth, budget, number), what its advice is worth, and by which state of the code it was computed. Sessions of
an earlier state stay until their lines are deleted; how many there are is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from advised import Advice, Claim
from beliefs import Belief, Role

PACKAGE: Final = Path(__file__).parents[1] / "tuner"
DECIDING: Final = ("judging", "search", "session")
"""The parts of the package that decide what a simulated session advises."""
DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class Session:
    """One simulated session: on which truth, with which budget, and its number, which seeds its chances."""

    truth: str
    budget_s: float
    number: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What one session advised, and the state of the code that computed it."""

    advice: Advice
    code: str


@cache
def code() -> str:
    """Return a short name of the state of what decides an advice."""
    files = sorted(path for part in DECIDING for path in (PACKAGE / part).rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]


def read(path: Path) -> dict[Session, Kept]:
    """Return what the file holds, the last line of each session; nothing where there is none.

    Raises `ValueError` with the number of a line that is none of ours: one that a crash cut off is deleted by hand.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(_parsed(path, number, line) for number, line in enumerate(lines, start=1))


def append(path: Path, session: Session, kept: Kept) -> None:
    """Write one more line; the file is whole after each."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line(session, kept)}\n")


def line(session: Session, kept: Kept) -> str:
    """Return a session as it stands in the file."""
    figures = asdict(kept.advice) | {
        "costs": sorted(kept.advice.costs),
        "beliefs": [[one.role, one.mean, one.sd, one.truth] for one in kept.advice.beliefs],
    }
    return json.dumps(_rounded(asdict(session) | figures | {"code": kept.code}), separators=(",", ":"))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def _parsed(path: Path, number: int, text: str) -> tuple[Session, Kept]:
    try:
        row = json.loads(text)
        session = Session(row.pop("truth"), row.pop("budget_s"), row.pop("number"))
        return session, Kept(_advice(row), row["code"])
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError(f"{path}, line {number}: no session of the table of advice ({error}): delete it") from error


def _advice(row: Mapping[str, Any]) -> Advice:
    plain = {name: row[name] for name in Advice.__dataclass_fields__ if name in row}
    parsed = {
        "claim": _claim(row["claim"]),
        "over_known": _claim(row["over_known"]),
        "costs": frozenset(row["costs"]),
        "beliefs": tuple(_beliefs(row["beliefs"])),
    }
    return Advice(**(plain | parsed))


def _claim(row: Mapping[str, float] | None) -> Claim | None:
    return None if row is None else Claim(**row)


def _beliefs(rows: Iterable[tuple[str, float, float, float]]) -> Iterable[Belief]:
    return (Belief(Role(role), *figures) for role, *figures in rows)
