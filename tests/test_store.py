"""The store keeps every run at once, refuses what it does not understand, and says what is wrong with the disk."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tuner.errors import StoreError, UsageError
from tuner.measurement import Measurement
from tuner.records import Phase, Role, Run, State, Status, Trial
from tuner.results import Listed, Results
from tuner.store import Store, opening

TRIAL = Trial(0, "default", Role.BASELINE, {"XLIO_RX_POLL": "-1"})
BEGAN = "2026-01-02T03:04:05"
RUN = Run(Status.OK, "", BEGAN, 1.25, Measurement(latency_p50_us=3.0), {"x": ["y"]}, phase=Phase.SEARCH)


@pytest.fixture
def store(store_url: str) -> Store:
    made = Store(store_url)
    made.add_session("20260101-a", {"seed": 1}, {"cpus": 2})
    made.add_session("20260102-b", {"seed": 2}, {})
    return made


def spoil(store: Store, statement: str) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_what_is_stored_is_read_back_by_a_new_store(store: Store, store_url: str) -> None:
    store.add_trial("20260101-a", TRIAL)
    store.add_run("20260101-a", RUN, 2.5)
    again = Store(store_url)
    assert again.trials("20260101-a") == (TRIAL,)
    assert again.runs("20260101-a") == (RUN,)
    assert again.session("20260101-a").spent_s == 2.5
    assert again.runs("20260102-b") == ()


def test_a_run_is_visible_to_others_as_soon_as_it_is_added(store: Store, store_url: str) -> None:
    store.add_trial("20260101-a", TRIAL)
    store.add_run("20260101-a", RUN, 2.5)
    assert len(Store(store_url, write=False).runs("20260101-a")) == 1


def test_a_session_is_found_by_a_beginning_that_only_it_has(store: Store) -> None:
    assert store.session("20260102").id == "20260102-b"
    assert store.session("latest").id == "20260102-b"
    with pytest.raises(UsageError, match="not unique"):
        store.session("2026")


def test_an_unknown_session_names_the_nearest(store: Store) -> None:
    with pytest.raises(UsageError) as caught:
        store.session("20260103-b")
    assert caught.value.advice == "did you mean 20260102-b?"


def test_how_a_session_ended_is_kept(store: Store) -> None:
    store.close_session("20260101-a", State.DONE, 60.0, {"verdict": "improved"})
    row = store.session("20260101-a")
    assert (row.state, row.spent_s, row.verdict) == ("done", 60.0, {"verdict": "improved"})
    assert store.session("20260102-b").verdict is None


@pytest.mark.parametrize("write", [True, False])
def test_a_store_of_a_later_format_is_refused(store: Store, store_url: str, write: bool) -> None:
    spoil(store, "update format set version = 99")
    with pytest.raises(StoreError, match="format 99"):
        Store(store_url, write=write)


def test_a_file_that_is_no_database_is_an_error_in_words(tmp_path: Path) -> None:
    Results(tmp_path).database.write_text("hello " * 1000, encoding="utf-8")
    with pytest.raises(StoreError, match="not a database"):
        Store(Results(tmp_path).url)


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot use"):
        Store(Results(tmp_path / "file" / "results").url)


def test_a_full_disk_is_an_error_in_words_and_keeps_what_was_stored(tmp_path: Path) -> None:
    store = Store(Results(tmp_path).url)
    store.add_session("20260101-a", {}, {})
    store.add_trial("20260101-a", TRIAL)
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("pragma page_count").scalar_one()
    store.engine.dispose()
    import sqlalchemy as sa

    @sa.event.listens_for(store.engine, "connect")
    def small(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"pragma max_page_count={pages}")

    big = {"text": "x" * 200_000}
    with pytest.raises(StoreError, match="full"):
        store.add_run("20260101-a", Run(Status.OK, "", "", 1.0, None, big), 1.0)
    assert store.trials("20260101-a") == (TRIAL,)


@pytest.mark.parametrize(
    "spoiled",
    [
        "update runs set status = 'splendid'",
        "update runs set phase = 'lunch'",
        "update runs set measurement = '{\"latency_p50_us\": -1}'",
        "update runs set measurement = '{'",
        "update trials set role = 'hero'",
        "update sessions set state = 'asleep' where id = '20260101-a'",
    ],
)
def test_what_no_release_wrote_is_refused_with_the_name_of_the_database(store: Store, spoiled: str) -> None:
    store.add_trial("20260101-a", TRIAL)
    store.add_run("20260101-a", RUN, 2.5)
    spoil(store, spoiled)
    with pytest.raises(StoreError, match="holds what this release cannot read") as caught:
        (store.session("20260101-a"), store.trials("20260101-a"), store.runs("20260101-a"))
    assert store.where in caught.value.message


def filled(folder: Path) -> Store:
    store = Store(Results(folder).url)
    for session in ("20260101-a", "20260102-b"):
        store.add_session(session, {}, {})
    return store


def test_the_quick_list_names_the_sessions_that_the_store_has(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.close_session("20260101-a", State.DONE, 60.0, None)
    listed = [Listed("20260101-a", State.DONE), Listed("20260102-b", State.RUNNING)]
    assert Results(tmp_path).listed() == listed
    assert store.ids() == [each.id for each in listed] == [each.id for each in store.sessions()]


@pytest.mark.parametrize("spoiled", ["drop table sessions", "update sessions set state = 'asleep'"])
def test_the_quick_list_is_empty_where_it_cannot_be_read(tmp_path: Path, spoiled: str) -> None:
    spoil(filled(tmp_path), spoiled)
    assert Results(tmp_path).listed() == []


def test_one_session_is_found_without_reading_the_others(store: Store) -> None:
    spoil(store, "update sessions set plan = 'no JSON' where id = '20260101-a'")
    assert store.session("latest").plan == {"seed": 2}
    assert store.session("20260102").plan == {"seed": 2}


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "a b", "ü", "a@b:c", os.fsdecode(b"\xff")])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    results = Results(tmp_path / name)
    Store(results.url).add_session("s", {}, {})
    assert results.database.is_file()
    assert [each.id for each in results.listed()] == ["s"]


def test_the_latest_session_is_none_of_the_future_while_there_is_another(store: Store) -> None:
    spoil(store, "update sessions set created_at = '2099-01-01T00:00:00.000+00:00' where id = '20260101-a'")
    assert store.ids() == ["20260102-b", "20260101-a"]
    assert store.session("latest").id == "20260102-b"


def test_a_session_of_the_future_is_the_latest_where_there_is_no_other(store: Store) -> None:
    spoil(store, "update sessions set created_at = '2099-01-01T00:00:00.000+00:00'")
    assert store.session("latest").id == "20260102-b"


def test_a_full_disk_is_not_answered_with_a_session_that_may_not_exist(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tuner.db")) as connection:
        connection.execute("PRAGMA max_page_count=1")
        with pytest.raises(StoreError, match="full") as caught, opening.told(tmp_path / "tuner.db"):
            connection.execute("CREATE TABLE t (a)")
    assert "make room" in caught.value.advice
    assert "resume" not in caught.value.advice
