"""Format 3: who measures which block of a session on many pairs of hosts, and that a block counts once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Make the two tables, unless who opened the file has made them."""
    connection = op.get_bind()
    key = sa.String(collation="C") if connection.dialect.name == "postgresql" else sa.String()
    known = set(sa.inspect(connection).get_table_names())
    if "leases" not in known:
        op.create_table(
            "leases",
            sa.Column("session", key, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
            sa.Column("pair", key, primary_key=True),
            sa.Column("fence", sa.Integer, nullable=False),
            sa.Column("block", sa.Integer, nullable=True),
        )
    if "blocks" not in known:
        op.create_table(
            "blocks",
            sa.Column("session", key, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("pair", key, nullable=False),
            sa.Column("fence", sa.Integer, nullable=False),
        )
