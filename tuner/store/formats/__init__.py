"""The way of a store from one format to the next: each format is a revision of Alembic, and named by its number.

The table `format` says which one a store has, as in the first release, so that earlier releases refuse a later one;
Alembic's own table of versions is not used. Alembic is loaded only where a store is behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tuner.store.tables import FORMAT

_FOLDER: Final = Path(__file__).parent


def upgrade(connection: sa.Connection, version: int) -> None:
    """Bring the tables from a format to the present one, inside the caller's transaction; 0 is a database without tables.

    Whoever calls it writes down which format the store then has.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(_FOLDER), version_locations=[str(_FOLDER)])
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(list(scripts.iterate_revisions(str(FORMAT), str(version) if version else "base"))):
            step.module.upgrade()
