"""Format 1: the tables of the first release."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    server = op.get_bind().dialect.name == "postgresql"
    json: sa.types.TypeEngine[Any] = sa.Text() if server else sa.JSON()
    key = sa.String(collation="C") if server else sa.String()
    op.create_table("format", sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))
    op.create_table(
        "sessions",
        sa.Column("id", key, primary_key=True),
        sa.Column("created_at", key, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("spent_s", sa.Float, nullable=False),
        sa.Column("plan", json, nullable=False),
        sa.Column("facts", json, nullable=False),
        sa.Column("verdict", json, nullable=True),
    )
    op.create_table(
        "trials",
        sa.Column("session", key, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("profile", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("settings", json, nullable=False),
        sa.Column("invalid", sa.String, nullable=True),
    )
    op.create_table(
        "runs",
        sa.Column("session", key, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("trial", sa.Integer, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("workload", sa.Integer, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("started_at", sa.String, nullable=False),
        sa.Column("wall_s", sa.Float, nullable=False),
        sa.Column("measurement", json, nullable=True),
        sa.Column("evidence", json, nullable=False),
    )
    op.execute("INSERT INTO format (version) VALUES (1)")
