"""The tables of a store, and the signs by which a file is known to be one.

Format history: 1 (first release).
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

FORMAT: Final = 1
APPLICATION_ID: Final = 0x54756E72
"""`Tunr` in the header of a SQLite file (`PRAGMA application_id`); stores of releases before 0.2 have 0 there."""

METADATA: Final = sa.MetaData()
FORMATS: Final = sa.Table("format", METADATA, sa.Column("version", sa.Integer, primary_key=True))
SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # a State
    sa.Column("spent_s", sa.Float, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("verdict", sa.JSON, nullable=True),
)
TRIALS: Final = sa.Table(
    "trials",
    METADATA,
    sa.Column("session", sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("profile", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),  # a Role
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("invalid", sa.String, nullable=True),  # why it never ran
)
RUNS: Final = sa.Table(
    "runs",
    METADATA,
    sa.Column("session", sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("trial", sa.Integer, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("block", sa.Integer, nullable=False),
    sa.Column("workload", sa.Integer, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("wall_s", sa.Float, nullable=False),
    sa.Column("measurement", sa.JSON, nullable=True),
    sa.Column("evidence", sa.JSON, nullable=False),  # commands, environment, output, banner
)
