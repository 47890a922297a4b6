"""Format 2: the machine that a session was begun on is a column, so that one store can serve many of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tuner.store.columns import host_in
from tuner.store.tables import MARK

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the column, filled from what each session's facts say."""
    op.add_column("sessions", sa.Column("host", sa.String, nullable=True))
    sessions = sa.table("sessions", sa.column("id"), sa.column("facts"), sa.column("host"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(sessions.c.id, sessions.c.facts)).all():
        named = sa.update(sessions).where(sessions.c.id == row.id)
        connection.execute(named.values(host=host_in(row.facts)))
    if connection.dialect.name == "postgresql":
        op.create_table_comment("format", MARK)
