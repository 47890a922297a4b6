"""A file that is put in place can be taken back, exactly, and nothing is changed behind anybody's back."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import deploy
from tuner.deploy import Applied, Journal
from tuner.errors import MOST_LISTED, StoreError, UsageError


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


def put(path: Path, text: str, journal: Journal) -> Applied:
    return deploy.put(deploy.planned(path, lambda _before: text), journal, "kernel/p as env", 0o640)


def undo(journal: Journal, path: Path | None = None, *, force: bool = False) -> None:
    applied = deploy.last(journal, path)
    deploy.undo(applied, deploy.undoing(applied, force=force), journal)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_new_file_and_its_folders_are_removed_again(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app.service.d" / "deep" / "tuner.conf"
    put(path, "A=1\n", journal)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("A=1\n", 0o640)
    undo(journal)
    assert names(tmp_path) == {"state"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_file_that_is_no_text_is_not_edited(tmp_path: Path, journal: Journal, encoding: str) -> None:
    path = tmp_path / "app.env"
    path.write_bytes("A=1\n".encode(encoding))
    with pytest.raises(UsageError, match="holds NUL bytes"):
        put(path, "A=2\n", journal)
    assert path.read_text(encoding) == "A=1\n"


def test_a_journal_that_cannot_be_written_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("A=1\n")
    (tmp_path / "state").write_text("a file in the place of the folder")
    with pytest.raises(StoreError, match=r"cannot write the journal .*applied\.jsonl: ") as refused:
        put(path, "A=2\n", Journal(tmp_path / "state"))
    assert "XDG_STATE_HOME" in refused.value.advice
    assert (path.read_text(), names(tmp_path)) == ("A=1\n", {"app.env", "state"})


def test_the_advice_of_an_undo_is_short_and_names_what_is_there(tmp_path: Path, journal: Journal) -> None:
    for name in ("gone", "a\nb", *(f"file{number}" for number in range(20))):
        put(tmp_path / name, "A=1\n", journal)
    (tmp_path / "gone").unlink()
    with pytest.raises(UsageError, match="nothing to undo for") as refused:
        deploy.last(journal, tmp_path / "other")
    assert refused.value.advice.count(str(tmp_path)) <= MOST_LISTED
    assert "file19" in refused.value.advice
    assert "\n" not in refused.value.advice
    assert "gone" not in refused.value.advice


def test_what_was_there_comes_back_step_by_step(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app"
    path.write_bytes(b"mine\xff\n")
    put(path, "A=1\n", journal)
    put(path, "A=2\n", journal)
    seen = [path.read_bytes()]
    for _ in range(2):
        undo(journal, path)
        seen.append(path.read_bytes())
    assert seen == [b"A=2\n", b"A=1\n", b"mine\xff\n"]
    assert names(tmp_path) == {"app", "state"}
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(journal)


def test_mode_owner_and_attributes_of_the_file_stay(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app"
    path.write_text("mine\n")
    path.chmod(0o604)
    owner = (12345, 23456) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(path, *owner)
    put(path, "A=1\n", journal)
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*owner, 0o604)


def test_the_previous_file_is_kept_beside_and_named_in_the_journal(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app"
    path.write_text("mine\n")
    applied = put(path, "A=1\n", journal)
    assert Path(applied.backup).read_text() == "mine\n"
    assert Path(applied.backup).name.startswith("app.tuner-backup-")
    assert journal.standing() == (applied,)


def test_undo_chooses_the_newest_or_the_named_file(tmp_path: Path, journal: Journal) -> None:
    for name in ("a", "b", "c"):
        put(tmp_path / name, "A=1\n", journal)
    undo(journal)
    undo(journal, tmp_path / "a")
    assert names(tmp_path) == {"b", "state"}
    with pytest.raises(UsageError) as refusal:
        undo(journal, tmp_path / "a")
    assert str(tmp_path / "b") in refusal.value.advice


def test_a_file_that_was_changed_since_stays_unless_forced(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app"
    path.write_text("mine\n")
    put(path, "A=1\n", journal)
    path.write_text("A=edited\n")
    with pytest.raises(UsageError, match="was changed after"):
        undo(journal)
    assert path.read_text() == "A=edited\n"
    undo(journal, force=True)
    assert path.read_text() == "mine\n"


def test_without_the_previous_file_nothing_is_undone(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app"
    path.write_text("mine\n")
    Path(put(path, "A=1\n", journal).backup).unlink()
    with pytest.raises(UsageError, match="is gone"):
        undo(journal, force=True)
    assert path.read_text() == "A=1\n"


def test_a_link_a_folder_and_a_pipe_are_refused(tmp_path: Path, journal: Journal) -> None:
    (tmp_path / "real").write_text("mine\n")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(UsageError, match=r"symbolic link|regular file"):
            put(tmp_path / name, "A=1\n", journal)
    assert (tmp_path / "real").read_text() == "mine\n"


def test_a_link_that_took_the_files_place_is_not_followed_back(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app"
    put(path, "A=1\n", journal)
    path.unlink()
    (tmp_path / "victim").write_text("A=1\n")
    path.symlink_to("victim")
    with pytest.raises(UsageError, match="symbolic link"):
        undo(journal, force=True)
    assert (tmp_path / "victim").exists()


def test_a_file_that_changes_between_question_and_answer_stays(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app"
    path.write_text("mine\n")
    change = deploy.planned(path, lambda _before: "A=1\n")
    path.write_text("theirs\n")
    with pytest.raises(UsageError, match="meanwhile"):
        deploy.put(change, journal, "p", 0o644)
    assert path.read_text() == "theirs\n"
    assert names(tmp_path) == {"app"}


def test_a_failure_in_the_last_step_leaves_nothing_behind(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app"
    path.write_text("mine\n")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="No space left"):
        put(path, "A=1\n", journal)
    assert (names(tmp_path), path.read_text()) == ({"app", "state"}, "mine\n")
    assert journal.standing() == ()


def test_a_folder_that_others_use_stays(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "app.service.d" / "tuner.conf"
    put(path, "A=1\n", journal)
    (path.parent / "other.conf").touch()
    undo(journal)
    assert names(path.parent) == {"other.conf"}


@pytest.mark.parametrize("line", ["{", "[]", "{}", "7", '{"stamp": 1}', "[" * 9999])
def test_a_broken_journal_is_told_with_its_line(line: str, journal: Journal, tmp_path: Path) -> None:
    put(tmp_path / "a", "A=1\n", journal)
    journal.path.write_text(journal.path.read_text() + line + "\n")
    with pytest.raises(StoreError, match="line 2"):
        journal.standing()


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_the_difference_that_is_shown_holds_no_control_characters(before: bytes, after: str) -> None:
    shown = deploy.Change(Path("/x\x1b[2J"), before, after.encode()).diff()
    assert all(character.isprintable() or ord(character) > 0x9F for line in shown.split("\n") for character in line)


def test_the_difference_names_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    lines = deploy.planned(tmp_path / "app", lambda _before: "A=1\n").diff().splitlines()
    assert lines == ["--- /dev/null", f"+++ {tmp_path}/app", "@@ -0,0 +1 @@", "+A=1"]


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/tuner"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/tuner"),
        ({"HOME": "/h"}, "/h/.local/state/tuner"),
    ],
)
def test_the_journal_is_in_the_users_state_folder(environ: dict[str, str], folder: str) -> None:
    assert Journal.of(environ).folder == Path(folder)


def test_nothing_goes_back_once_the_file_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.atomic_file import draft as real

    path = tmp_path / "app.env"
    path.write_bytes(b"before")
    journal = deploy.Journal(tmp_path / "state")

    @contextlib.contextmanager
    def failing(*arguments: Any) -> Iterator[Path]:
        with real(*arguments) as whole:
            yield whole
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("tuner.deploy.placing.draft", failing)
    done = deploy.put(deploy.planned(path, lambda _: "after"), journal, "what", 0o644)
    assert path.read_bytes() == b"after"
    assert Path(done.backup).read_bytes() == b"before"
    assert journal.standing() == (done,)


def test_many_applies_at_once_leave_a_journal_that_undoes_them_all(tmp_path: Path) -> None:
    journal = deploy.Journal(tmp_path / "state")
    paths = [tmp_path / f"{at}.env" for at in range(12)]

    def put(path: Path) -> None:
        deploy.put(deploy.planned(path, lambda _: f"of {path.name}\n"), journal, "what", 0o644)

    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(put, paths))
    assert {each.path for each in journal.standing()} == {str(path) for path in paths}
    for path in paths:
        applied = deploy.last(journal, path)
        deploy.undo(applied, deploy.undoing(applied), journal)
    assert journal.standing() == ()
    assert not any(path.exists() for path in paths)


def test_other_names_of_a_file_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert (deploy.other_names(tmp_path / "a"), deploy.other_names(tmp_path / "none")) == (0, 0)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert deploy.other_names(tmp_path / "a") == 1
