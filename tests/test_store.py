"""The store keeps every run at once, refuses what it does not understand, and says what is wrong with the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tuner.errors import StoreError, UsageError
from tuner.measurement import Measurement
from tuner.records import Phase, Role, Run, State, Status, Trial
from tuner.results import Listed, Results
from tuner.store import Store

TRIAL = Trial(0, "default", Role.BASELINE, {"XLIO_RX_POLL": "-1"})
BEGAN = "2026-01-02T03:04:05"
RUN = Run(Status.OK, "", BEGAN, 1.25, Measurement(latency_p50_us=3.0), {"x": ["y"]}, phase=Phase.SEARCH)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(Results(tmp_path).url)
    made.add_session("20260101-a", {"seed": 1}, {"cpus": 2})
    made.add_session("20260102-b", {"seed": 2}, {})
    return made


def test_what_is_stored_is_read_back_by_a_new_store(store: Store) -> None:
    store.add_trial("20260101-a", TRIAL)
    store.add_run("20260101-a", RUN, 2.5)
    again = Store(Results(Path(store.where).parent).url)
    assert again.trials("20260101-a") == (TRIAL,)
    assert again.runs("20260101-a") == (RUN,)
    assert again.session("20260101-a").spent_s == 2.5
    assert again.runs("20260102-b") == ()


def test_a_run_is_visible_to_others_as_soon_as_it_is_added(store: Store) -> None:
    store.add_trial("20260101-a", TRIAL)
    store.add_run("20260101-a", RUN, 2.5)
    with sqlite3.connect(store.where) as other:
        assert other.execute("select count(*) from runs").fetchone() == (1,)


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


def test_a_file_of_another_format_is_refused(store: Store) -> None:
    with sqlite3.connect(store.where) as other:
        other.execute("update format set version = 99")
    with pytest.raises(StoreError, match="format 99"):
        Store(Results(Path(store.where).parent).url)


def test_a_file_that_is_no_database_is_an_error_in_words(tmp_path: Path) -> None:
    Results(tmp_path).database.write_text("hello " * 1000, encoding="utf-8")
    with pytest.raises(StoreError, match="not a database"):
        Store(Results(tmp_path).url)


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot use"):
        Store(Results(tmp_path / "file" / "results").url)


def test_a_full_disk_is_an_error_in_words_and_keeps_what_was_stored(store: Store) -> None:
    store.add_trial("20260101-a", TRIAL)
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("pragma page_count").scalar_one()
    store._engine.dispose()
    import sqlalchemy as sa

    @sa.event.listens_for(store._engine, "connect")
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
    with sqlite3.connect(store.where) as other:
        other.execute(spoiled)
    with pytest.raises(StoreError, match=r"tuner\.db holds what this release cannot read"):
        (store.session("20260101-a"), store.trials("20260101-a"), store.runs("20260101-a"))


def test_the_quick_list_names_the_sessions_that_the_store_has(store: Store, tmp_path: Path) -> None:
    store.close_session("20260101-a", State.DONE, 60.0, None)
    listed = [Listed("20260101-a", State.DONE), Listed("20260102-b", State.RUNNING)]
    assert Results(tmp_path).listed() == listed
    assert store.ids() == [each.id for each in listed] == [each.id for each in store.sessions()]


@pytest.mark.parametrize("spoiled", ["drop table sessions", "update sessions set state = 'asleep'"])
def test_the_quick_list_is_empty_where_it_cannot_be_read(store: Store, tmp_path: Path, spoiled: str) -> None:
    with sqlite3.connect(store.where) as other:
        other.execute(spoiled)
    assert Results(tmp_path).listed() == []


def test_one_session_is_found_without_reading_the_others(store: Store) -> None:
    with sqlite3.connect(store.where) as other:
        other.execute("update sessions set plan = 'no JSON' where id = '20260101-a'")
    assert store.session("latest").plan == {"seed": 2}
    assert store.session("20260102").plan == {"seed": 2}


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "a b", "ü", "a@b:c"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    results = Results(tmp_path / name)
    Store(results.url).add_session("s", {}, {})
    assert results.database.is_file()
    assert [each.id for each in results.listed()] == ["s"]
