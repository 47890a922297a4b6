"""A store from somebody else is data: it starts nothing, writes nowhere else, and what is damaged is said by its place."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import Tuner
from stores import alter

from tuner import json_text
from tuner.errors import StoreError, UsageError
from tuner.measurement import Measurement
from tuner.records import Phase, Role, Run, Status, Trial
from tuner.report.frames import runs_frame, sessions_frame
from tuner.results import Results
from tuner.store import Store, columns, opening, reading
from tuner.store.repair import examined, salvage
from tuner.store.tables import APPLICATION_ID

EXAMPLE = Path(__file__).parent / "data" / "sessions"
"""A store that the first release wrote."""
RUN = Run(Status.OK, "", "2026-01-02T03:04:05", 1.0, Measurement(latency_p50_us=3.0), {}, phase=Phase.SEARCH)
READERS = (
    ("sessions", "list"),
    ("sessions", "show"),
    ("sessions", "judge"),
    ("report", "--format", "md"),
    ("export", "latest", "--to", "env"),
)
OTHERS = (
    ("history", "latency"),
    ("recommend", "--json"),
    ("report", "--all-hosts", "--format", "json"),
    ("check-regression", "latest", "--against", "latest", "--sockperf", "/bin/false"),
    ("apply", "latest", "--target", "env:app.env"),
    ("sessions", "list", "--all-hosts", "--json"),
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "results")
    return tmp_path / "results"


def spoil(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "tuner.db")) as store:
        for statement in statements:
            store.execute(statement)
        store.commit()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("seed", range(40))
def test_one_altered_value_never_ends_a_reader_in_a_bug(tuner: Tuner, results: Path, seed: int) -> None:
    altered = alter(results / "tuner.db", random.Random(seed))
    for arguments in (*READERS, OTHERS[seed % len(OTHERS)]):
        ended = tuner(*arguments, "--results", "results")
        assert "bug in tuner" not in ended.err, (altered, arguments, ended.err)
    assert [path.name for path in Path().iterdir()] == ["results"]


@pytest.mark.parametrize("name", ["../../x", "/x/y", "a/b", "..", ".hidden", "", "a\nb", "x" * 200, "ä"])
def test_an_id_that_is_none_is_refused_when_it_is_read_and_in_every_path(
    tuner: Tuner, results: Path, name: str
) -> None:
    spoil(results, "pragma foreign_keys=off")
    with closing(sqlite3.connect(results / "tuner.db")) as store:
        for table, column in (("sessions", "id"), ("trials", "session"), ("runs", "session")):
            store.execute(f"update {table} set {column} = ?", (name,))  # noqa: S608 - names of ours
        store.commit()
    ended = tuner("report", "--results", "results")
    assert (ended.status, "is not the id of a session" in ended.err) == (1, True)
    with pytest.raises(StoreError, match="not the id"):
        Results(results).report(name)
    assert Results(results).listed() == []


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("update runs set evidence = '{' where number = 7", "table runs row 7, column evidence: it is not JSON"),
        ("update runs set wall_s = 'long' where number = 7", "table runs row 7, column wall_s: long is not a number"),
        ("update runs set evidence = '{\"server\": 3}' where number = 7", "column evidence: server is not an object"),
        ("update trials set settings = '{\"A\": 1}' where number = 7", "table trials row 7, column settings: A is not text"),
        ("delete from trials where number = 7", "table trials row 7, column number: the row is missing"),
        ("update sessions set plan = '[]'", "table sessions, column plan: is not an object"),
        ("update sessions set created_at = x'ff'", "table sessions, column created_at"),
        ("update sessions set created_at = 'at noon'", "at noon is not a time such as 2026-01-31T12:00:00+00:00"),
        ("update runs set reason = cast(x'ff' as text) where number = 7", "row 7, column reason: is not UTF-8 text"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_said_with_session_table_and_column(
    tuner: Tuner, results: Path, statement: str, place: str
) -> None:
    spoil(results, statement)
    ended = tuner("sessions", "show", "--results", "results")
    assert ended.status == 1
    assert "session 20261122-121334-tune-kernel-latency-1d75" in ended.err
    assert place in ended.err
    assert "tuner store salvage" in ended.err


ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c)"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "statements",
    [
        ("alter table sessions rename to s", f"create view sessions as {ENDLESS} select s.* from s, c"),  # noqa: S608
        ("create trigger t after update on sessions begin delete from runs; end",),
        ("create table more (a, b as (hex(zeroblob(100000000))))",),
        ("create virtual table more using fts5(text)",),
    ],
    ids=["view", "trigger", "generated", "virtual"],
)
@pytest.mark.parametrize(
    "command", [("sessions", "list"), ("report", "--format", "md"), ("sessions", "resume", "latest")]
)
def test_a_store_that_acts_by_itself_is_refused_before_it_is_asked(
    tuner: Tuner, results: Path, statements: tuple[str, ...], command: tuple[str, ...]
) -> None:
    spoil(results, f"pragma application_id={APPLICATION_ID}", *statements)
    before = contents(results)
    ended = tuner(*command, "--results", "results")
    assert (ended.status, "holds what acts by itself" in ended.err) == (1, True), ended
    assert Results(results).listed() == []
    assert contents(results) == before


@pytest.mark.parametrize("command", [("sessions", "show"), ("report", "--format", "md")])
def test_a_value_of_many_megabytes_is_not_read(tuner: Tuner, results: Path, command: tuple[str, ...]) -> None:
    spoil(results, "update runs set reason = hex(zeroblob(4000000)) where number = 7")
    ended = tuner(*command, "--results", "results")
    assert ended.status == 1
    assert "too big" in ended.err + ended.out
    assert "tuner store salvage" in ended.err + ended.out


@pytest.mark.parametrize(
    ("altered", "command"),
    [
        ("update runs set evidence = json_object('x', printf('%.*c', 50000, 'x'))", ("sessions", "show")),
        ("update sessions set verdict = json_set(verdict, '$.x', printf('%.*c', 3000000, 'x'))", ("sessions", "list")),
    ],
)
def test_many_large_values_are_not_held_together(
    tuner: Tuner, results: Path, monkeypatch: pytest.MonkeyPatch, altered: str, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 1 << 20)
    spoil(results, altered)
    ended = tuner(*command, "--results", "results")
    assert ended.status == 1
    assert "holds more than is read at once (1 MB in all, 16 MB a row)" in ended.err
    assert "tuner sessions gc" in ended.err


def test_what_programs_printed_is_left_out_where_it_is_too_much_and_that_is_said_until_it_is_dropped(
    tuner: Tuner, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 4 << 20)
    show, report = ("sessions", "show", "--results", "results"), ("report", "--format", "json", "--results", "results")
    before, whole = tuner(*show), tuner(*report)
    spoil(results, "update runs set evidence = json_set(evidence, '$.client.stdout', printf('%.*c', 100000, 'x'))")
    for command in (show, report):
        ended = tuner(*command)
        assert (ended.status, "MB that programs printed were not read" in ended.out) == (0, True)
    assert tuner(*report).json["runs"] == whole.json["runs"]
    copied = tuner("store", "copy", "results", "copied", "--json")
    assert (copied.status, copied.json["sessions"][0]["runs"]) == (0, 131)
    assert stored_outputs(results) == stored_outputs(results.parent / "copied") == [100_000] * 131
    assert tuner("sessions", "gc", "--older-than", "0", "--results", "results").status == 0
    assert tuner(*show) == before


def stored_outputs(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "tuner.db")) as store:
        query = "select length(json_extract(evidence, '$.client.stdout')) from runs"
        return [length for (length,) in store.execute(query)]


def test_json_of_a_store_has_no_more_values_than_can_be_ours() -> None:
    row = {"number": 0, "profile": "x", "role": "candidate", "invalid": None}
    (wrong,) = (columns.trial_of("it", {**row, "settings": "[" + "1," * 200_000 + "1]"}),)
    assert "more than 200,000 values" in str(wrong)


def test_a_damaged_session_does_not_hide_the_others(tuner: Tuner, tmp_path: Path) -> None:
    store = Store(Results(tmp_path / "results").url)
    for name in ("20260101-a", "20260102-b"):
        store.add_session(name, {}, {})
    spoil(tmp_path / "results", "update sessions set state = 'asleep' where id = '20260101-a'")
    ended = tuner("sessions", "list", "--results", "results", "--json")
    assert [row["session"] for row in ended.json] == ["20260102-b"]
    assert "session 20260101-a, table sessions, column state: asleep is not one of" in ended.err


def test_times_that_a_wrong_clock_gave_are_told_as_they_are(tuner: Tuner, results: Path) -> None:
    spoil(
        results,
        "update sessions set created_at = '2999-01-02T03:04:05.000+00:00'",
        "update runs set started_at = '9999-12-31T00:00:00+00:00' where number = 3",
    )
    listed = tuner("sessions", "list", "--results", "results", "--json")
    assert [row["created_at"] for row in listed.json] == ["2999-01-02T03:04:05.000+00:00"]
    for reader in (("report", "--format", "json"), ("history",), ("recommend",), ("sessions", "show")):
        assert "bug in tuner" not in tuner(*reader, "--results", "results").err
    store = Store.reading(Results(results))
    (session,) = store.sessions()
    frame = sessions_frame([session])
    assert frame["created_at"][0].year == 2999
    assert runs_frame(store.trials(session.id), store.runs(session.id))["started_at"][3].year == 9999


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 65 + "]" * 65, '{"a":' * 70 + "1" + "}" * 70])
def test_json_is_bounded_in_depth(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested more than 64 deep|not JSON"):
        json_text.parsed(text)


def test_json_of_64_levels_and_ordinary_numbers_is_read() -> None:
    assert json_text.parsed("[" * 64 + "]" * 64)
    assert json_text.parsed('{"a": [1, -2.5, 1e300, "x", null, true]}')["a"][1] == -2.5


@pytest.mark.parametrize("digits", ["1" * 20, "-" + "9" * 400, "1" * 5000])
def test_a_whole_number_that_fits_nothing_is_no_number(digits: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        json_text.parsed(digits)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("create table sessions (x)")
        other.execute("pragma application_id = 42")


def nameless(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("create table addresses (street)")


def newer(path: Path) -> None:
    store = Store(Results(path.parent).url)
    store.add_session("20260101-a", {}, {})
    store.engine.dispose()
    spoil(path.parent, "update format set version = 99", "pragma journal_mode=delete", "drop table runs")


@pytest.mark.parametrize("made", [foreign, nameless, newer])
def test_what_is_no_store_of_this_release_is_refused_before_anything_is_written(
    tmp_path: Path, made: Callable[[Path], None]
) -> None:
    made(tmp_path / "tuner.db")
    before = contents(tmp_path)
    for opened in (Store.reading, Store.existing, lambda folder: Store(folder.url)):
        with pytest.raises(StoreError, match=r"another program|format 99"):
            opened(Results(tmp_path))
    assert contents(tmp_path) == before


def test_a_new_store_says_what_it_is_and_one_of_an_earlier_release_is_known_by_its_tables(tmp_path: Path) -> None:
    Store(Results(tmp_path).url).add_session("20260101-a", {}, {})
    with closing(sqlite3.connect(tmp_path / "tuner.db")) as store:
        assert store.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
        store.execute("pragma application_id = 0")
    assert Store.reading(Results(tmp_path)).ids() == ["20260101-a"]
    Store(Results(tmp_path).url).add_session("20260102-b", {}, {})


@pytest.mark.parametrize("arguments", [*READERS, ("store", "check")])
def test_readers_write_nothing(tuner: Tuner, results: Path, arguments: tuple[str, ...]) -> None:
    spoil(results, "pragma journal_mode=wal")
    before = contents(results)
    # An earlier release answered by other rules, which judging says with 1.
    assert tuner(*arguments, "--results", "results").status == int("judge" in arguments)
    assert contents(results) == before


def test_what_a_running_session_has_stored_is_read_beside_it(tmp_path: Path) -> None:
    writing = Store(Results(tmp_path).url)
    writing.add_session("20260101-a", {}, {})
    reading = Store.reading(Results(tmp_path))
    assert reading.ids() == ["20260101-a"]
    writing.add_session("20260102-b", {}, {})
    assert reading.ids() == ["20260101-a", "20260102-b"]


def test_a_log_that_a_writer_left_is_read_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = Store(Results(tmp_path / "a").url)
    writing.add_session("20260101-a", {}, {})
    shutil.copytree(tmp_path / "a", tmp_path / "b", ignore=shutil.ignore_patterns("*-shm"))
    real = sqlite3.connect

    def refusing(name: Any, *args: Any, **words: Any) -> sqlite3.Connection:
        if "mode=ro" in str(name) and "immutable" not in name:
            raise sqlite3.OperationalError("unable to open database file")  # as on a read-only disk
        found: sqlite3.Connection = real(name, *args, **words)
        return found

    monkeypatch.setattr(sqlite3, "connect", refusing)
    assert Store.reading(Results(tmp_path / "b")).ids() == ["20260101-a"]


def test_a_store_whose_maker_was_killed_before_it_had_tables_is_empty_and_can_be_measured_into(
    tuner: Tuner, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "tuner.db")) as store:
        store.execute(f"pragma application_id={APPLICATION_ID}")
        store.execute("pragma journal_mode=wal")
    for command in (("sessions", "list"), ("store", "check"), ("report",)):
        ended = tuner(*command, "--results", ".")
        assert (ended.status, "is empty: nothing was stored in it" in ended.err) == (1, True)
    Store(Results(tmp_path).url).add_session("20260101-a", {}, {})
    assert Store.reading(Results(tmp_path)).ids() == ["20260101-a"]


def test_a_reader_in_the_same_process_leaves_a_session_its_locks_on_the_file(tmp_path: Path) -> None:
    def locks() -> list[str]:
        inode = f":{(tmp_path / 'tuner.db').stat().st_ino} "
        held = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        return [line.partition(":")[2] for line in held if inode in line]

    writing = Store(Results(tmp_path).url)
    writing.add_session("20260101-a", {}, {})
    before = locks()
    assert before, "without it another process ends the log under the session, and what that stores is lost"
    assert Store.reading(Results(tmp_path)).ids() == Store(Results(tmp_path).url).ids() == ["20260101-a"]
    examined(Results(tmp_path))
    assert locks() == before


def test_a_file_that_was_written_while_it_was_read_without_locks_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(session: str) -> None:
        writing = Store(Results(tmp_path).url)
        writing.add_session(session, {}, {})
        writing.engine.dispose()

    add("20260101-a")
    store, real = Store.reading(Results(tmp_path)), opening._open
    seen: list[str] = []

    def meanwhile(uri: str) -> sqlite3.Connection:
        found = real(uri)
        seen.append(uri)
        if len(seen) == 1:
            add("20260102-b")
        return found

    monkeypatch.setattr(opening, "_open", meanwhile)
    assert store.ids() == ["20260101-a", "20260102-b"]
    assert "immutable" in seen[0]


@pytest.mark.parametrize("kind", ["fifo", "folder", "empty", "text"])
def test_what_is_no_database_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tuner.db"
    makers: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "empty": lambda: path.write_bytes(b""),
        "text": lambda: path.write_text("hello " * 1000),
    }
    makers[kind]()
    with pytest.raises((StoreError, UsageError)):
        Store.reading(Results(tmp_path))


def test_flipped_bytes_are_said_to_be_damage_and_what_is_left_is_salvaged(
    tuner: Tuner, results: Path, tmp_path: Path
) -> None:
    data = bytearray((results / "tuner.db").read_bytes())
    begins, ends = len(data) * 6 // 10 // 4096 * 4096, len(data) * 8 // 10
    data[begins:ends] = bytes(ends - begins)
    (results / "tuner.db").write_bytes(data)
    ended = tuner("store", "check", "--results", "results")
    assert (ended.status, "damaged: " in ended.out) == (1, True)
    saved = tuner("store", "salvage", "--results", "results", "--to", "saved", "--json")
    assert saved.status == 0
    assert 0 < saved.json["sessions"][0]["runs"] < 130
    assert tuner("store", "check", "--results", "saved").status == 0
    assert tuner("sessions", "show", "--results", "saved").status == 0
    refused = tuner("store", "salvage", "--results", "results", "--to", "saved")
    assert (refused.status, "exists and was not changed" in refused.err) == (1, True)


def test_what_is_salvaged_has_its_name_when_it_is_whole_and_nothing_is_left_where_that_fails(
    tuner: Tuner, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / ".tuner-99999999-abc-wal").touch()  # of one that was killed
    real = Store.add_whole

    def full(store: Store, *parts: Any) -> None:
        real(store, *parts)
        assert not (saved / "tuner.db").exists()
        raise StoreError(f"cannot use {store.where}: database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "add_whole", full)
        failed = tuner("store", "salvage", "--results", "results", "--to", "saved")
    assert (failed.status, [*saved.iterdir()]) == (1, [])
    assert "cannot use saved/tuner.db: database or disk is full" in failed.err

    def taken(store: Store, *parts: Any) -> None:
        real(store, *parts)
        (saved / "tuner.db").write_text("somebody else's")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "add_whole", taken)
        refused = tuner("store", "salvage", "--results", "results", "--to", "saved")
    assert (refused.status, "exists and was not changed" in refused.err) == (1, True)
    assert [(each.name, each.read_text()) for each in saved.iterdir()] == [("tuner.db", "somebody else's")]


def test_salvage_copies_all_but_what_is_wrong_and_keeps_runs_with_their_trials(results: Path, tmp_path: Path) -> None:
    before = Store.reading(Results(results)).session("latest").id
    spoil(
        results,
        "update runs set evidence = '{' where number = 3",
        "update trials set settings = '[]' where number = 2",
        "update sessions set verdict = '{'",
    )
    found = salvage(Results(results), Results(tmp_path / "saved"))
    saved = Store.reading(Results(tmp_path / "saved"))
    old = {number: json.loads(settings) for number, settings in stored_settings(results) if number != 2}
    runs, trials = saved.runs(before), saved.trials(before)
    assert len(trials) == 45
    assert [trial.number for trial in trials] == list(range(45))
    assert {run.trial for run in runs} <= set(range(45))
    assert [trial.settings for trial in trials] == [old[number] for number in sorted(old)]
    assert saved.session(before).verdict is None
    assert any("column verdict" in str(each) for each in found.wrong)


def stored_settings(folder: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(folder / "tuner.db")) as store:
        return store.execute("select number, settings from trials").fetchall()


def test_salvage_does_not_make_another_trial_the_baseline(results: Path, tmp_path: Path) -> None:
    spoil(results, "update trials set role = 'hero' where number = 0")
    found = salvage(Results(results), Results(tmp_path / "saved"))
    assert found.kept[0].runs == 0
    assert any("its baseline is lost" in each.message for each in found.wrong)


def test_a_link_in_a_results_folder_is_not_followed(tuner: Tuner, results: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = results / "20261122-121334-tune-kernel-latency-1d75"
    (folder / "report.html").unlink(missing_ok=True)
    (folder / "report.html").symlink_to(precious)
    assert tuner("report", "--results", "results").status == 0
    assert precious.read_text() == "mine"
    assert not (folder / "report.html").is_symlink()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path / "elsewhere")
    ended = tuner("report", "--results", "results")
    assert (ended.status, "symbolic link" in ended.err) == (1, True)
    assert contents(tmp_path / "elsewhere") == before


def test_a_run_of_no_trial_is_said(results: Path) -> None:
    spoil(results, "update runs set trial = 99 where number = 5")
    from tuner.session.measuring.evidence import Evidence

    store = Store.reading(Results(results))
    with pytest.raises(StoreError) as caught:
        Evidence.read(store, store.session("latest"))
    assert "table runs row 5, column trial: the trial is not in the store" in str(caught.value.findings[0])


def test_trials_and_runs_that_were_stored_are_read_as_they_were(tmp_path: Path) -> None:
    store = Store(Results(tmp_path).url)
    store.add_session("20260101-a", {}, {})
    trial = Trial(0, "default\u202e", Role.BASELINE, {"XLIO_RX_POLL": "\x1b[31m"})
    store.add_trial("20260101-a", trial)
    store.add_run("20260101-a", RUN, 1.0)
    assert (store.trials("20260101-a"), store.runs("20260101-a")) == ((trial,), (RUN,))


@pytest.mark.parametrize("name", ["block_runs", "choosing_runs", "minimising_runs", "search_share"])
def test_a_share_of_a_clear_lead_is_a_number_where_a_store_has_it(name: str) -> None:
    lead = {"profile": "candidate-7", "ratio": 4.0, "blocks": 7}
    assert not columns._PLAN({"obvious": lead}, "")
    assert columns._PLAN({"obvious": {**lead, name: "7"}}, "")
