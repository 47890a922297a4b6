"""What a user does with a store that many hosts share, and with stores of both kinds beside each other."""

from __future__ import annotations

import itertools
import random
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import postgres
import pytest
import sqlalchemy as sa
from command_line import Tuner
from sessions import PLAN, polling_helps, tune
from stores import alter

from tuner import database_url
from tuner.records import Phase, Role, Run, State, Status, StoredSession, Trial
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.judgement import judge
from tuner.store import Store
from tuner.store.tables import FORMAT

FIRST = Path(__file__).parent / "data" / "sessions"
ID = "20261122-121334-tune-kernel-latency-1d75"
MANY = 8


def session(name: str, host: str | None, state: State = State.DONE) -> StoredSession:
    return StoredSession(name, f"2026-01-02T03:04:{name[-2:]}+00:00", state, 1.0, {}, {}, None, host)


def run(number: int, started_at: str = "2026-01-02T03:04:05") -> Run:
    return Run(Status.FAILED, "no", started_at, 1.0, None, {}, number=number, phase=Phase.SEARCH)


@pytest.fixture
def fleet(postgresql: postgres.Server) -> str:
    """Return the URL of a store with a password in it, and with the session of another host."""
    made = postgresql.over_tcp(postgresql.database())
    Store(made).add_whole(session("20260101-theirs-01", "other-host"), (), ())
    return made


def test_eight_sessions_at_once_lose_nothing_in_one_store(postgresql: postgres.Server, tmp_path: Path) -> None:
    url = postgresql.schema()
    answers: dict[int, dict[str, object]] = {}

    def one(seed: int) -> None:
        plan = replace(PLAN, optimizer="random", seed=seed, budget_s=30.0)
        answers[seed] = tune(Results(tmp_path / str(seed), url), SimulatedHost(polling_helps), plan)

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(MANY)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    store = Store(url, write=False)
    assert {str(each["session"]) for each in answers.values()} == set(store.ids())
    for row in store.sessions():
        (answer,) = [each for each in answers.values() if each["session"] == row.id]
        assert (row.state, len(store.runs(row.id))) == (State.DONE, answer["runs"])
        assert judge(store, row).equal


def test_a_session_is_found_while_others_begin(fleet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, others = Store(fleet), Store(fleet)
    store.add_whole(session("20260202-ours-40", "this-host"), (), ())
    numbers, rows = itertools.count(2), store._rows

    def slowly(query: sa.Select[Any]) -> Iterator[Any]:
        found = list(rows(query))
        others.add_whole(session(f"20260101-theirs-{next(numbers):02}", "other-host"), (), ())
        return iter(found)

    monkeypatch.setattr(store, "_rows", slowly)
    assert store.session("20260202-ours-40").id == "20260202-ours-40"
    assert next(numbers) > 2


def test_a_session_is_begun_shown_reported_and_judged_in_a_shared_store_and_no_password_is_told(
    tuner: Tuner, fleet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockperf = str(fake.install(tmp_path, noise=0.01))
    made = tuner("measure", "--runs", "2", "--sockperf", sockperf, "--store", fleet)
    assert made.status == 0, made.err
    monkeypatch.setenv("TUNER_STORE", fleet)
    listed = tuner("sessions", "list", "--json")
    assert [each["session"] for each in listed.json] != []
    ends = [made, listed, tuner("check"), tuner()]
    for words in (
        ("sessions", "show"),
        ("sessions", "judge"),
        ("report",),
        ("report", "--format", "md"),
        ("store", "check"),
    ):
        ended = tuner(*words)
        assert ended.status == 0, ended.err
        ends.append(ended)
    ends.append(tuner("export", "latest", "--to", "env"))
    ends.append(tuner("sessions", "resume", "20260101-theirs-01"))
    assert not any(postgres.PASSWORD in f"{each.out}{each.err}" for each in ends)
    assert not (tmp_path / "results" / "tuner.db").exists()
    stored = Store(fleet, write=False)
    with stored.engine.connect() as connection:
        for table in ("sessions", "runs"):
            rows = connection.execute(sa.text(f"select * from {table}")).all()  # noqa: S608 - a name of ours
            assert postgres.PASSWORD not in str(rows)
    assert not any(postgres.PASSWORD.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_latest_and_the_list_are_of_this_host_where_a_store_is_shared(tuner: Tuner, fleet: str) -> None:
    none = tuner("sessions", "show", "--store", fleet)
    assert (none.status, "--all-hosts" in none.err) == (2, True)
    Store(fleet).add_session("20250101-mine", {}, {})
    mine = tuner("sessions", "list", "--store", fleet)
    assert ("20250101-mine" in mine.out, "theirs" in mine.out) == (True, False)
    assert "1 sessions of other hosts are not listed: --all-hosts" in mine.err
    every = tuner("sessions", "list", "--store", fleet, "--all-hosts")
    assert ("20250101-mine" in every.out, "other-host" in every.out) == (True, True)
    assert Store.reading(Results(Path(), fleet)).session("latest").id == "20250101-mine"


@pytest.mark.parametrize(
    "words", [("sessions", "list"), ("report",), ("tune", "latency"), ("store", "check"), ("check",)]
)
def test_a_store_that_cannot_be_reached_is_said_before_anything_is_measured(
    tuner: Tuner, fleet: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    url = fleet.replace(postgres.PASSWORD, "wr0ng-word")
    ended = tuner(
        *words, "--store", url, "--json", *(["--sockperf", str(fake.install(tmp_path))] if "tune" in words else [])
    )
    assert ended.status == 1
    assert "password authentication failed" in f"{ended.err}{ended.out}"
    assert "wr0ng-word" not in f"{ended.err}{ended.out}"
    assert not (tmp_path / "results").exists()


def test_a_bug_keeps_no_password(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_arguments: object, **_words: object) -> None:
        raise RuntimeError("in postgresql://u:s3cret@h/d")

    monkeypatch.setattr(Store, "reading", bug)
    ended = tuner("sessions", "list", "--store", "postgresql://u:s3cret@h/d")
    kept = Path(ended.err.split("please report it with ")[1].split(";")[0])
    assert "RuntimeError" in kept.read_text(encoding="utf-8")
    assert "s3cret" not in kept.read_text(encoding="utf-8") + ended.err
    kept.unlink()


def test_sessions_are_copied_there_and_back_and_give_the_same_answer(
    tuner: Tuner, postgresql: postgres.Server, tmp_path: Path
) -> None:
    shutil.copytree(FIRST, tmp_path / "results")
    fleet = postgresql.schema()
    there = tuner("store", "copy", "results", fleet, "--json")
    assert [(each["outcome"], each["trials"], each["runs"]) for each in there.json["sessions"]] == [("copied", 46, 131)]
    back = tuner("store", "copy", fleet, "back")
    assert (back.status, f"copied: session {ID}" in back.out) == (0, True)
    first, last = Store.reading(Results(tmp_path / "results")), Store.reading(Results(tmp_path / "back"))
    assert (last.sessions(), last.trials(ID), last.runs(ID)) == (first.sessions(), first.trials(ID), first.runs(ID))
    assert "already there" in tuner("store", "copy", "results", fleet).out
    assert tuner("store", "check", "--store", fleet).out.startswith(f"can be read: session {ID}, 46 trials, 131 runs")


def test_a_copy_is_brought_up_to_date_and_what_went_on_in_both_is_left_alone(tuner: Tuner, store_url: str) -> None:
    source, target = Store(Results(Path("a")).url), Store(store_url)
    for store in (source, target):
        store.add_whole(session("20260101-s-01", "h"), [Trial(0, "default", Role.BASELINE, {})], [run(0)])
        store.add_whole(session("20260101-s-02", "h"), [Trial(0, "default", Role.BASELINE, {})], [run(0)])
    source.add_run("20260101-s-01", run(1), 2.0)
    source.add_run("20260101-s-02", run(1), 2.0)
    target.add_run("20260101-s-02", run(1, "2026-05-05T00:00:00"), 2.0)
    ended = tuner("store", "copy", "a", store_url)
    assert ended.status == 1
    assert "brought up to date: session 20260101-s-01, 1 trials, 2 runs" in ended.out
    assert "left out: session 20260101-s-02, goes on differently" in ended.out
    assert target.runs("20260101-s-01") == source.runs("20260101-s-01")
    assert target.runs("20260101-s-02")[1].started_at.startswith("2026-05")


def test_what_is_damaged_is_left_out_of_a_copy_and_named(tuner: Tuner, store_url: str) -> None:
    source = Store(Results(Path("a")).url)
    source.add_whole(session("20260101-s-01", "h"), (), ())
    source.add_whole(session("20260101-s-02", "h"), (), ())
    with source.engine.begin() as connection:
        connection.exec_driver_sql("update sessions set plan = '{' where id = '20260101-s-01'")
    ended = tuner("store", "copy", "a", store_url)
    assert (ended.status, "left out: session 20260101-s-01" in ended.out) == (1, True)
    assert "column plan" in ended.out
    assert Store(store_url).ids() == ["20260101-s-02"]


def test_a_copy_into_itself_or_from_nowhere_makes_nothing(tuner: Tuner) -> None:
    assert tuner("store", "copy", "nowhere", "there").status == 2
    assert not Path("there").exists()
    Store(Results(Path("a")).url)
    assert tuner("store", "copy", "a", "a").status == 2


@pytest.mark.parametrize("json", [False, True])
def test_an_upgrade_says_from_which_format_to_which(tuner: Tuner, tmp_path: Path, json: bool) -> None:
    shutil.copytree(FIRST, tmp_path / "results")
    first, again = (tuner("store", "upgrade", *(["--json"] if json else [])) for _ in range(2))
    if json:
        assert (first.json["before"], first.json["format"], again.json["before"]) == (1, FORMAT, FORMAT)
    else:
        assert first.out == f"results/tuner.db: format 1 → {FORMAT}\n"
        assert f"has format {FORMAT}, the present one" in again.out
    assert tuner("store", "upgrade", "--results", "nowhere").status == 2


def test_damage_on_a_server_is_named_and_the_rest_is_salvaged(tuner: Tuner, postgresql: postgres.Server) -> None:
    fleet = postgresql.schema()
    store = Store(fleet)
    store.add_whole(session("20260101-s-01", "h"), [Trial(0, "default", Role.BASELINE, {})], [run(0), run(1)])
    with store.engine.begin() as connection:
        connection.exec_driver_sql("update runs set evidence = '{' where number = 0")
    checked = tuner("store", "check", "--store", fleet)
    assert (checked.status, "table runs row 0, column evidence" in checked.out) == (1, True)
    saved = tuner("store", "salvage", "--store", fleet, "--to", "saved")
    assert (saved.status, "copied: session 20260101-s-01, 1 trials, 1 runs" in saved.out) == (0, True)


def test_the_url_that_a_message_shows_opens_the_store_where_libpq_knows_the_password(
    tuner: Tuner, fleet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    assert tuner("sessions", "list", "--all-hosts", "--store", database_url.shown(fleet)).status == 0


@pytest.mark.parametrize("seed", range(6))
def test_one_altered_value_on_a_server_never_ends_a_reader_in_a_bug(
    tuner: Tuner, postgresql: postgres.Server, tmp_path: Path, seed: int
) -> None:
    shutil.copytree(FIRST, tmp_path / "results")
    Store(Results(tmp_path / "results").url)  # upgraded
    altered = alter(tmp_path / "results" / "tuner.db", random.Random(seed))
    fleet = postgresql.schema()
    Store(fleet)
    try:
        as_it_is(tmp_path / "results" / "tuner.db", fleet)
    except sa.exc.DBAPIError:
        return  # PostgreSQL takes no such value
    for words in (
        ("sessions", "list", "--all-hosts"),
        ("sessions", "show", ID),
        ("sessions", "judge", ID),
        ("report", ID, "--format", "md"),
        ("store", "check"),
        ("recommend",),
    ):
        ended = tuner(*words, "--store", fleet)
        assert "bug in tuner" not in ended.err, (altered, words, ended.err)


def as_it_is(file: Path, url: str) -> None:
    """Copy the rows of a file into the tables of a server, whatever they hold."""
    source, target = (sa.create_engine(each, poolclass=sa.NullPool) for each in (f"sqlite:///{file}", url))
    with source.connect() as reading, target.begin() as writing:
        for table in ("sessions", "trials", "runs"):
            for row in reading.execute(sa.text(f"select * from {table}")).mappings():  # noqa: S608 - a name of ours
                columns = sa.table(table, *(sa.column(name) for name in row))
                writing.execute(sa.insert(columns).values(**row))
