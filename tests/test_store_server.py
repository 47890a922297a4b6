"""A store that many hosts share: whose tables they are, who may write a session, what a lost connection costs, and no password anywhere."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import postgres
import pytest
import sqlalchemy as sa

from tuner import database_url
from tuner.errors import Busy, MissingTool, StoreError, TunerError, UsageError
from tuner.measurement import Measurement
from tuner.records import Phase, Role, Run, State, Status, StoredSession, Trial
from tuner.results import Results
from tuner.store import Store, server
from tuner.store.database import upgraded
from tuner.store.repair import salvage
from tuner.store.tables import FORMAT, METADATA

BEGAN = "2026-01-02T03:04:05"
TRIAL = Trial(0, "default", Role.BASELINE, {})


def run(number: int) -> Run:
    return Run(
        Status.OK, "", BEGAN, 1.0 + number, Measurement(latency_p50_us=3.0), {}, number=number, phase=Phase.SEARCH
    )


def execute(url: str, *statements: str) -> None:
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        for each in statements:
            connection.exec_driver_sql(each)


def tables(url: str) -> set[str]:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return set(sa.inspect(connection).get_table_names())


@pytest.fixture
def url(postgresql: postgres.Server) -> str:
    """Return the URL of a store with one session."""
    made = postgresql.schema()
    Store(made).add_session("20260101-a", {"seed": 1}, {})
    return made


def refusal(url: str, *, write: bool = True) -> TunerError:
    with pytest.raises(TunerError) as caught:
        Store(url, write=write)
    return caught.value


@pytest.mark.parametrize("write", [True, False])
def test_the_database_of_another_program_is_not_touched(postgresql: postgres.Server, write: bool) -> None:
    url = postgresql.database("create table addresses (street text)", "create view streets as select * from addresses")
    found = refusal(url, write=write)
    assert "a database of another program, with tables addresses, streets; nothing was changed" in found.message
    assert tables(url) == {"addresses"}


@pytest.mark.parametrize(
    "made",
    [
        ("alter table runs rename to runs_", "create view runs as select runs_.* from runs_, pg_sleep(600)"),
        (
            "create function act() returns trigger language plpgsql as 'begin return new; end'",
            "create trigger acts before insert on runs for each row execute function act()",
        ),
        ("create rule acts as on insert to runs do also notify somebody",),
        ("alter table runs add column more text generated always as (upper(reason)) stored",),
    ],
    ids=["view", "trigger", "rule", "generated column"],
)
@pytest.mark.parametrize("write", [True, False])
def test_a_store_with_statements_of_who_made_it_is_refused(url: str, made: tuple[str, ...], write: bool) -> None:
    assert Store(url, write=write).ids() == ["20260101-a"]
    with Store(url).engine.begin() as connection:
        for statement in made:
            connection.exec_driver_sql(statement)
    assert (
        "holds what acts by itself when it is read or written, as no store does: runs"
        in refusal(url, write=write).message
    )


def test_a_row_that_is_too_large_is_named_and_left_out_of_what_is_salvaged(url: str, tmp_path: Path) -> None:
    store = Store(url)
    store.add_trial("20260101-a", Trial(0, "default", Role.BASELINE, {}))
    for number in range(2):
        store.add_run("20260101-a", Run(Status.OK, "", "", 1.0, None, {}, number=number), 1.0)
    with store.engine.begin() as connection:
        large = "update runs set evidence = '{\"x\":\"' || repeat('y', 17000000) || '\"}' where number = 1"
        connection.exec_driver_sql(large)
    found = salvage(Results(tmp_path, url), Results(tmp_path / "saved"))
    assert [(each.id, each.trials, each.runs) for each in found.kept] == [("20260101-a", 1, 1)]
    assert "table runs, row 1: it has more than 16 MB and is left out" in found.wrong[0].message
    assert [run.number for run in Store.reading(Results(tmp_path / "saved")).runs("20260101-a")] == [0]


@pytest.mark.parametrize(
    "made",
    ["alter table runs alter column number type text using number::text", "alter table runs drop column evidence"],
)
def test_tables_that_are_not_as_a_store_has_them_are_said_to_be_so(url: str, made: str) -> None:
    store = Store(url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql(made)
    with pytest.raises(StoreError) as caught:
        store.runs("20260101-a")
    assert caught.value.advice.startswith("its tables are not as a store has them: `tuner store check`")


def test_tables_are_made_beside_those_of_others_only_when_somebody_says_so(postgresql: postgres.Server) -> None:
    url = postgresql.database("create table addresses (street text)")
    assert "tuner store upgrade" in refusal(url).advice
    assert upgraded(Results(Path(), url)) == (0, FORMAT)
    Store(url).add_session("20260101-a", {}, {})
    assert tables(url) == {"addresses", *METADATA.tables}


def test_tables_of_others_with_our_names_are_never_touched(postgresql: postgres.Server) -> None:
    url = postgresql.database("create table sessions (cookie text)")
    with pytest.raises(StoreError, match="another program"):
        upgraded(Results(Path(), url))
    assert "tuner store upgrade" not in refusal(url).advice
    assert tables(url) == {"sessions"}


def test_a_reader_makes_no_tables_in_an_empty_database_and_cannot_write(postgresql: postgres.Server, url: str) -> None:
    empty = postgresql.database()
    assert "there are no sessions" in refusal(empty, write=False).message
    assert tables(empty) == set()
    with pytest.raises(StoreError, match="read-only"):
        Store(url, write=False).close_session("20260101-a", State.DONE, 1.0, None)


def test_a_schema_that_is_not_there_and_an_encoding_that_holds_little_are_said(postgresql: postgres.Server) -> None:
    assert "no schema" in refusal(f"{postgresql.database()}&options=-csearch_path%3Dnowhere").message
    postgresql.ask("create database latin encoding 'LATIN1' locale 'C' template template0")
    assert (
        "UTF8" in refusal(f"postgresql+psycopg://tuner@/latin?host={postgresql.folder}&port={postgresql.port}").message
    )


def test_many_programs_may_make_the_tables_at_once(postgresql: postgres.Server) -> None:
    url = postgresql.schema()
    failed: list[BaseException] = []

    def make(number: int) -> None:
        try:
            Store(url).add_session(f"2026010{number}-a", {}, {})
        except BaseException as reason:  # noqa: BLE001 - told by the test
            failed.append(reason)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert len(Store(url, write=False).ids()) == 8


WRONG: dict[str, tuple[Callable[[postgres.Server, str], str], str, str]] = {
    "unreachable": (
        lambda here, url: here.over_tcp(url).replace(str(here.port), "1"),
        "refused",
        "is the server running",
    ),
    "unknown host": (
        lambda here, url: here.over_tcp(url).replace("127.0.0.1", "no-such-host.invalid"),
        "no-such-host.invalid",
        "is the server running",
    ),
    "wrong password": (
        lambda here, url: here.over_tcp(url, "wr0ng-word"),
        "password authentication failed",
        "~/.pgpass",
    ),
    "no password": (lambda here, url: here.over_tcp(url, None), "no password supplied", "~/.pgpass"),
    "unknown database": (lambda here, url: url.replace("@/postgres", "@/nobodys"), "does not exist", "createdb"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("write", [True, False])
def test_a_server_that_does_not_let_us_in_is_said_at_once_without_the_password(
    postgresql: postgres.Server, url: str, kind: str, write: bool
) -> None:
    made, why, what_next = WRONG[kind]
    began_s = time.monotonic()
    found = refusal(made(postgresql, url), write=write)
    assert why in found.message
    assert what_next in found.advice
    for secret in (postgres.PASSWORD, "wr0ng-word"):
        assert secret not in f"{found.message} {found.advice} {found.findings} {found.__cause__} {found.__context__}"
    assert time.monotonic() - began_s < 20  # no retry, and no endless wait


def test_the_right_password_is_taken_and_shown_nowhere(postgresql: postgres.Server) -> None:
    store = Store(postgresql.over_tcp(postgresql.database()))
    store.add_session("20260101-a", {}, {})
    assert store.ids() == ["20260101-a"]
    assert postgres.PASSWORD not in store.where


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:pw@h/d", "postgresql+psycopg://u@h/d"),
        ("postgres://u:pw@h:5432/d?sslmode=require&password=pw", "postgresql+psycopg://u@h:5432/d?sslmode=require"),
        ("postgresql+psycopg://u:p%40w@[::1]:1/d", "postgresql+psycopg://u@[::1]:1/d"),
        ("postgresql+psycopg:///d?host=/run/pw", "postgresql+psycopg:///d?host=/run/pw"),
        ("postgresql+psycopg://u:pw@pw@h/d", "postgresql+psycopg://u@h/d"),
        ("sqlite:////tmp/a%20b.db", "sqlite:////tmp/a%20b.db"),
    ],
)
def test_a_url_is_shown_as_it_can_be_typed_again_but_for_its_password(url: str, shown: str) -> None:
    assert database_url.shown(database_url.checked(url)) == shown
    assert ":pw" not in database_url.hidden(f"cannot use {url!r}, see {url}") or "run/pw" in url


@pytest.mark.parametrize(
    "url", ["", "results/tuner.db", "mysql://u:pw@h/d", "sqlite://", "sqlite:///:memory:", "postgresql://u:p/w@h:x/d"]
)
def test_what_is_no_url_of_a_store_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        database_url.checked(url)
    assert "sqlite:///" in caught.value.advice
    assert "pw" not in caught.value.message
    assert "p/w" not in caught.value.message


@pytest.mark.parametrize("host", ["[::1", "[::x]", "[]"])
def test_a_host_in_brackets_that_is_no_address_is_not_told_as_a_port(host: str) -> None:
    with pytest.raises(UsageError, match="a host in brackets that is no address"):
        database_url.checked(f"postgresql://{host}:5432/d")


def test_without_psycopg_the_command_that_installs_it_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **words: object) -> object:
        if name.split(".", maxsplit=1)[0] == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'")
        return real(name, *args, **words)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(builtins, "__import__", without)
    for name in [each for each in sys.modules if each.split(".")[0] == "psycopg"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingTool, match="psycopg") as caught:
        Store(url)
    assert caught.value.advice == f"{sys.executable} -m pip install 'stack-tuner[postgresql]'"


def test_a_role_that_may_only_read_reads_and_is_told_what_else_it_needs(postgresql: postgres.Server) -> None:
    url = postgresql.database()
    Store(url).add_session("20260101-a", {}, {})
    execute(
        url,
        "drop role if exists reader",
        "create role reader login",
        "grant select on all tables in schema public to reader",
    )
    theirs = url.replace("tuner@", "reader@")
    assert Store(theirs, write=False).ids() == ["20260101-a"]
    with pytest.raises(StoreError, match="permission denied") as caught:
        Store(theirs).add_session("20260102-b", {}, {})
    assert "GRANT SELECT, INSERT, UPDATE, DELETE" in caught.value.advice
    execute(url, "drop owned by reader", "drop role reader")


def test_a_session_has_one_writer_and_another_is_told_who_it_is(url: str) -> None:
    first, second = Store(url), Store(url)
    with first.writing("20260101-a"):
        with pytest.raises(Busy, match=r"is under way: tuner \d+ on .* carries it out"), second.writing("20260101-a"):
            pass
        first.add_trial("20260101-a", TRIAL)
    with second.writing("20260101-a"):
        second.add_run("20260101-a", run(0), 1.0)
    assert len(first.runs("20260101-a")) == 1


def test_sessions_beside_each_other_are_written_at_once(url: str) -> None:
    Store(url).add_session("20260102-b", {}, {})
    with Store(url).writing("20260101-a"), Store(url).writing("20260102-b"):
        pass


def test_a_server_that_is_restarted_in_a_session_costs_nothing_but_a_moment(
    postgresql: postgres.Server, url: str
) -> None:
    store, said, waited_s = Store(url), list[str](), list[float]()
    store.tell(said.append, waited_s.append)
    with store.writing("20260101-a"):
        store.add_trial("20260101-a", TRIAL)
        store.add_run("20260101-a", run(0), 1.0)
        postgresql.stop()
        going_on = threading.Thread(target=store.add_run, args=("20260101-a", run(1), 2.0))
        going_on.start()
        time.sleep(1.0)
        postgresql.start()  # here, because it ends with the thread that started it
        going_on.join()
        assert sum(waited_s) > 0.5
        assert store.runs("20260101-a") == (run(0), run(1))
        with pytest.raises(Busy, match="under way"), Store(url).writing("20260101-a"):
            pass
    assert [words for words in ("was lost", "again") if not any(words in line for line in said)] == []
    assert len(said) == 2


def test_a_server_that_stays_away_ends_the_session_with_the_way_to_go_on(
    postgresql: postgres.Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RETRY_S", 1.0)
    store = Store(url)
    with store.writing("20260101-a"):
        store.add_trial("20260101-a", TRIAL)
        store.add_run("20260101-a", run(0), 1.0)
        postgresql.stop()
        try:
            with pytest.raises(StoreError, match="cannot use") as caught:
                store.add_run("20260101-a", run(1), 2.0)
            began_s = time.monotonic()
            with pytest.raises(StoreError):
                store.close_session("20260101-a", State.STOPPED, 2.0, None)
            assert time.monotonic() - began_s < 0.9  # it was waited for once
        finally:
            postgresql.start()
    assert f"tuner sessions resume 20260101-a --store {store.where}" in caught.value.advice
    assert len(Store(url).runs("20260101-a")) == 1


def test_a_server_that_hangs_is_called_lost_and_its_session_goes_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HANG_S", 0.5)
    store, said, waited_s = Store(url), list[str](), list[float]()
    store.tell(said.append, waited_s.append)
    with store.writing("20260101-a"):
        store.add_trial("20260101-a", TRIAL)
        with sa.create_engine(url, poolclass=sa.NullPool).connect() as other:
            mine = sa.text("select pid from pg_stat_activity where starts_with(application_name, :name)")
            number = other.execute(mine, {"name": f"tuner {os.getpid()} "}).scalar_one()
        os.kill(number, signal.SIGSTOP)
        threading.Timer(1.5, os.kill, [number, signal.SIGCONT]).start()
        store.add_run("20260101-a", run(0), 1.0)
        assert store.runs("20260101-a") == (run(0),)
    assert sum(waited_s) > 1.0
    assert [words for words in ("was lost", "again") if not any(words in line for line in said)] == []


def test_a_run_whose_answer_was_lost_counts_once_and_that_of_another_writer_is_refused(url: str) -> None:
    store = Store(url)
    store.add_trial("20260101-a", TRIAL)
    store.add_run("20260101-a", run(0), 1.0)
    store.add_run("20260101-a", run(0), 1.0)  # as after a commit of which nothing was heard
    assert store.runs("20260101-a") == (run(0),)
    other = Run(Status.OK, "", BEGAN, 99.0, Measurement(latency_p50_us=3.0), {}, phase=Phase.SEARCH)
    with pytest.raises(StoreError, match=r"run 0 is in .* already"):
        store.add_run("20260101-a", other, 1.0)


def test_what_a_database_cannot_hold_as_text_becomes_an_escape(store_url: str) -> None:
    store = Store(store_url)
    store.add_session("20260101-a", {"budget_s": float("inf")}, {})
    store.add_trial("20260101-a", TRIAL)
    odd = Run(Status.FAILED, "it said \0 and \udcff", BEGAN, 1.0, None, {"stdout": "\0 \udcff"})
    store.add_run("20260101-a", odd, 1.0)
    (found,) = store.runs("20260101-a")
    assert found.reason == "it said \\x00 and \\udcff"
    assert found.evidence == {"stdout": "\0 \udcff"}
    assert store.session("20260101-a").plan == {"budget_s": float("inf")}


def test_a_whole_session_is_stored_or_nothing_of_it(store_url: str) -> None:
    store = Store(store_url)
    whole = StoredSession("20260101-a", BEGAN, State.DONE, 1.0, {}, {}, None, "there")
    twice = [run(0), run(0)]
    with pytest.raises(StoreError, match="already"):
        store.add_whole(whole, [TRIAL], twice)
    assert store.ids() == []
    store.add_whole(whole, [TRIAL], [run(0), run(1)])
    assert store.sessions() == (whole,)
