"""Stores as somebody else, or a disk, may leave them: one value altered, in any column and at any depth of its JSON."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_NESTED: Final = "[" * 90 + "]" * 90
ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    "",
    "x",
    "../../x",
    "\u009b31m\u202e",
    [],
    {},
    [[]],
    {"x": None},
)
"""What a value of JSON is replaced by."""
_RAW: Final[tuple[Any, ...]] = (
    None,
    -1,
    10**18,
    1e308,
    "",
    "nonsense",
    "{",
    _NESTED,
    "1" * 400,
    "NaN",
    b"\xff\x00",
    "../../x",
)
"""What a column is replaced by."""


@dataclass(frozen=True)
class Altered:
    """Where a store was altered, and what stands there now."""

    table: str
    column: str
    place: str
    value: object


def alter(database: Path, rng: random.Random) -> Altered:
    """Alter one value of a store: a column of a row, or one value at some depth of its JSON."""
    with closing(sqlite3.connect(database)) as store:
        table = rng.choice(["runs", "sessions", "trials"])
        columns = [name for _, name, *_ in store.execute(f"pragma table_info({table})")]
        column = rng.choice(columns)
        rows = [row for (row,) in store.execute(f"select rowid from {table}")]  # noqa: S608 - names of ours
        row = rng.choice(rows)
        (before,) = store.execute(f"select {column} from {table} where rowid = {row}").fetchone()  # noqa: S608
        place, value = _altered(before, rng)
        store.execute("pragma ignore_check_constraints=on")
        try:
            store.execute(f"update {table} set {column} = ? where rowid = {row}", (value,))  # noqa: S608
            store.commit()
        except sqlite3.IntegrityError:
            store.rollback()
    return Altered(table, column, place, value if len(str(value)) < 200 else "…")


def _altered(before: object, rng: random.Random) -> tuple[str, Any]:
    found = _json(before)
    if not isinstance(found, dict | list) or rng.random() < 0.2:
        return "", rng.choice(_RAW)
    place = _alter(found, rng)
    return place, json.dumps(found)


def _json(value: object) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _alter(found: Any, rng: random.Random) -> str:
    """Replace, or take away, one value of some JSON; return its place."""
    holder, place = found, ""
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            holder["x" if isinstance(holder, dict) else slice(0, 0)] = ["x"]
            return f"{place}+"
        key = rng.choice(keys)
        place = f"{place}.{key}"
        if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.85:
            holder = holder[key]
            continue
        if rng.random() < 0.15:
            del holder[key]
            return f"{place}-"
        holder[key] = rng.choice(ODD)
        return f"{place}={holder[key]!r}"
