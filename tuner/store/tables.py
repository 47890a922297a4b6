"""The tables of a store, and the signs by which a database is known to be one.

Formats: 1 (first release), 2 (`sessions.host`; the first that PostgreSQL holds), 3 (`leases` and `blocks`, of sessions on many
pairs of hosts). `formats/` has the way from one to the next.
"""

from __future__ import annotations

import json
from typing import Any, Final

import sqlalchemy as sa

FORMAT: Final = 3
APPLICATION_ID: Final = 0x54756E72
"""`Tunr` in the header of a SQLite file (`PRAGMA application_id`); stores of releases before 0.2 have 0 there."""
MARK: Final = f"store of stack-tuner, {APPLICATION_ID:08x}"
"""The comment on the table `format` by which a store in PostgreSQL is known, which has no application id."""


class Words(sa.types.TypeDecorator[str]):
    """Text of other programs: what no database holds as text (the NUL, halves of characters) becomes an escape."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what the column gets."""
        if value is None:
            return None
        return value.replace("\0", "\\x00").encode(errors="backslashreplace").decode()


class JsonText(sa.types.TypeDecorator[Any]):
    """JSON as the text that it is: PostgreSQL's own type refuses an infinite number, and changes what it stores."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what the column gets."""
        return None if value is None else json.dumps(value)


_JSON: Final = sa.JSON().with_variant(JsonText(), "postgresql")
# Ids and times sort by their bytes, as SQLite does, and not by a language.
_KEY: Final = sa.String().with_variant(sa.String(collation="C"), "postgresql")

METADATA: Final = sa.MetaData()
FORMATS: Final = sa.Table(
    "format", METADATA, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False), comment=MARK
)
SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("created_at", _KEY, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # a State
    sa.Column("spent_s", sa.Float, nullable=False),
    sa.Column("plan", _JSON, nullable=False),
    sa.Column("facts", _JSON, nullable=False),
    sa.Column("verdict", _JSON, nullable=True),
    sa.Column("host", Words, nullable=True),  # the machine that it was begun on
)
TRIALS: Final = sa.Table(
    "trials",
    METADATA,
    sa.Column("session", _KEY, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("profile", Words, nullable=False),
    sa.Column("role", sa.String, nullable=False),  # a Role
    sa.Column("settings", _JSON, nullable=False),
    sa.Column("invalid", Words, nullable=True),  # why it never ran
)
RUNS: Final = sa.Table(
    "runs",
    METADATA,
    sa.Column("session", _KEY, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("trial", sa.Integer, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("block", sa.Integer, nullable=False),
    sa.Column("workload", sa.Integer, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("wall_s", sa.Float, nullable=False),
    sa.Column("measurement", _JSON, nullable=True),
    sa.Column("evidence", _JSON, nullable=False),  # commands, environment, output, banner
)
LEASES: Final = sa.Table(
    "leases",
    METADATA,
    sa.Column("session", _KEY, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("pair", _KEY, primary_key=True),
    sa.Column("fence", sa.Integer, nullable=False),  # one more with each block that the pair is given
    sa.Column("block", sa.Integer, nullable=True),  # what it measures now
)
BLOCKS: Final = sa.Table(
    "blocks",
    METADATA,
    sa.Column("session", _KEY, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("pair", _KEY, nullable=False),
    sa.Column("fence", sa.Integer, nullable=False),  # of the lease under which it was measured
)
SIGNS: Final = frozenset({"format", "sessions", "trials", "runs"})
"""The tables that every format has."""
