"""Where a store's tables are, as the store sees it: a SQLite file (`file.py`), or a PostgreSQL server (`server.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import sqlalchemy as sa

Row = Mapping[str, Any]
Step = tuple[sa.Executable, Sequence[Row]]
"""A statement with the rows that it is carried out for, none for a statement that is whole."""
Steps = Iterable[Step]
"""What one transaction does; can be gone through again."""


class Place(Protocol):
    """A database that is known to be a store. All raise `StoreError` for what the database, the disk or the network says."""

    @property
    def where(self) -> str:
        """What it is called where a person reads it: no password."""

    @property
    def engine(self) -> sa.Engine:
        """What makes its connections."""

    note: Callable[[str], None]
    """Hears what is waited for."""
    waited: Callable[[float], None]
    """Hears how many seconds that took, when it is over."""

    def rows(self, query: sa.Select[Any]) -> list[Row]:
        """Return what a query finds."""

    def write(self, steps: Steps, *, lasting: bool = True) -> None:
        """Carry out one transaction, which a power cut may take back where it is not `lasting`; raise `AlreadyThere` for a row that the store has, `Fenced` for one that lacks what it must have."""

    def writing(self, session: str) -> AbstractContextManager[None]:
        """Hold a session as its only writer; raise `Busy` saying who writes it already."""


def unheard(_: object) -> None:
    """Tell nobody."""


class AlreadyThere(Exception):
    """A row with this key is in the store."""


class Fenced(Exception):
    """A row lacks what it must have: the lease that it was made under is over."""


def carried_out(connection: sa.Connection, steps: Steps) -> None:
    """Carry out the steps of a transaction that has begun."""
    for statement, rows in steps:
        connection.execute(statement, list(rows) or None)


def found(connection: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    """Return the rows of a query; JSON is left as its text, because `columns` parses it with its limits."""
    answer = connection.execute(query)
    names = list(answer.keys())
    return [dict(zip(names, row, strict=True)) for row in answer.all()]
