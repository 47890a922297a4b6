"""A store of an earlier release is read as it is, and brought to the present format without a change of what it says."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import postgres
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tuner.results import Results
from tuner.session.judgement import judge
from tuner.store import Store, formats
from tuner.store.tables import FORMAT, MARK, METADATA

FIRST = Path(__file__).parent / "data" / "sessions" / "tuner.db"
"""A store that the first release wrote: format 1."""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    shutil.copyfile(FIRST, tmp_path / "tuner.db")
    return Results(tmp_path)


def format_of(path: Path) -> tuple[int, bool]:
    """Return the format that a file says it has, and whether its sessions have a host."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as store:
        (version,) = store.execute("select version from format").fetchone()
        (hosts,) = store.execute("select count(*) from pragma_table_info('sessions') where name = 'host'").fetchone()
        return version, bool(hosts)


def test_reading_a_store_of_the_first_release_changes_nothing_and_knows_its_host(results: Results) -> None:
    before = results.database.read_bytes()
    store = Store.reading(results)
    assert [each.host for each in store.sessions()] == ["vm"]
    assert len(store.runs(store.session("latest").id)) == 131
    assert results.database.read_bytes() == before
    assert format_of(results.database) == (1, False)


def test_a_store_of_the_first_release_gives_the_same_answers_when_it_is_upgraded(results: Results) -> None:
    old = Store.reading(results)
    session = old.session("latest")
    before = (session, old.trials(session.id), old.runs(session.id), judge(old, session))
    Store.existing(results)  # whoever writes upgrades
    new = Store.reading(results)
    assert (new.session("latest"), new.trials(session.id), new.runs(session.id)) == before[:3]
    assert judge(new, new.session("latest")) == before[3]
    assert format_of(results.database) == (FORMAT, True)


def test_a_damaged_session_does_not_stop_the_upgrade(results: Results) -> None:
    with closing(sqlite3.connect(results.database)) as store:
        store.execute("update sessions set facts = '{'")
        store.commit()
    assert Store.reading(results).ids() == Store.existing(results).ids()
    assert format_of(results.database) == (FORMAT, True)


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(results.database)) as store:
        before = list(store.iterdump())
    monkeypatch.setattr("tuner.store.columns.host_in", lambda facts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Store.existing(results)
    monkeypatch.undo()
    with closing(sqlite3.connect(results.database)) as store:
        assert list(store.iterdump()) == before
    Store.existing(results)
    assert format_of(results.database) == (FORMAT, True)


@pytest.mark.parametrize("missing", [(), ("runs",), ("runs", "trials")])
def test_a_store_whose_making_was_cut_off_is_made_whole(results: Results, missing: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(results.database)) as store:
        store.execute("delete from format")
        store.execute("pragma application_id = 0x54756e72")
        for table in missing:
            store.execute(f"drop table {table}")
        store.commit()
    made = Store(results.url)
    assert format_of(results.database) == (FORMAT, True)
    assert len(made.ids()) == 1
    made.add_session("20260101-a", {}, {})


@contextmanager
def empty(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[sa.Connection]:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/empty.db"
    else:
        server: postgres.Server = request.getfixturevalue("postgresql")
        url = server.database()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_formats_lead_from_nothing_to_the_tables_that_a_new_store_has(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with empty(kind, tmp_path, request) as connection:
        formats.upgrade(connection, 0)
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []
        if kind == "postgresql":
            assert sa.inspect(connection).get_table_comment("format") == {"text": MARK}
            keys = "select collation_name from information_schema.columns where column_name in ('id', 'session')"
            assert set(connection.scalars(sa.text(keys))) == {"C"}


def test_a_store_of_an_earlier_format_on_a_server_is_upgraded_only_when_somebody_says_so(
    postgresql: postgres.Server,
) -> None:
    from tuner.errors import StoreError

    url = postgresql.schema()
    Store(url).add_session("20260101-a", {}, {"hostname": "there"})
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("alter table sessions drop column host")
        connection.exec_driver_sql("update format set version = 1")
    for write in (True, False):
        with pytest.raises(StoreError, match="has format 1") as caught:
            Store(url, write=write)
        assert "tuner store upgrade" in caught.value.advice
    from tuner.store.database import upgraded

    shared = Results(Path(), url)
    assert (upgraded(shared), upgraded(shared)) == ((1, FORMAT), (FORMAT, FORMAT))
    assert [each.host for each in Store(url, write=False).sessions()] == ["there"]


def test_the_facts_of_a_stored_session_say_its_host_or_nothing() -> None:
    from tuner.store.columns import host_in

    assert host_in(json.dumps({"hostname": "vm"})) == "vm"
    for odd in (None, 3, "{", "[]", "{}", '{"hostname": 3}', '{"hostname": ""}', '{"hostname": "a\\nb"}', b"\xff"):
        assert host_in(odd) is None
