"""Whatever ends the program while it applies or takes back, the file is the old one or the new one, and undo restores it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tuner import deploy
from tuner.atomic_file import sweep
from tuner.deploy import Journal
from tuner.errors import StoreError, TunerError

OLD, NEW = b"A=1\n\xff", "A=1\nXLIO_RX_POLL=-1\n"
CALLS = ("open", "write", "fsync", "link", "rename", "replace", "unlink", "chmod", "fchmod", "chown", "mkdir", "rmdir")
MOST_CALLS = 40
KILLED = 9


def apply(path: Path, journal: Journal) -> None:
    deploy.put(deploy.planned(path, lambda _before: NEW), journal, "kernel/p as env", 0o644)


def take_back(path: Path, journal: Journal) -> None:
    applied = deploy.last(journal, path)
    deploy.undo(applied, deploy.undoing(applied), journal)


def killed_at(call: int, work: Callable[[], None]) -> bool:
    """Do the work in a process that ends before its `call`-th change of a file system; return whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [call]

        def counted(original: Callable[..., object]) -> Callable[..., object]:
            def changed(*arguments: object, **more: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(KILLED)
                return original(*arguments, **more)

            return changed

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def moments(
    work: Callable[[Path, Journal], None], prepare: Callable[[Path, Journal], None], folder: Path
) -> Iterator[tuple[Path, Journal]]:
    """Yield what each kill left, one moment after the other, until the work is done before it comes."""
    for call in range(MOST_CALLS):
        place = folder / str(call)
        place.mkdir()
        path, journal = place / "app.env", Journal(place / "state")
        path.write_bytes(OLD)
        prepare(path, journal)
        came = killed_at(call, lambda path=path, journal=journal: work(path, journal))  # type: ignore[misc] # bound now
        yield path, journal
        if not came:
            assert call > 3
            return
    raise AssertionError(f"not done after {MOST_CALLS} changes")


def nothing(_path: Path, _journal: Journal) -> None:
    pass


def test_a_kill_while_it_is_applied_leaves_the_old_or_the_new_file_and_undo_the_old_one(tmp_path: Path) -> None:
    for path, journal in moments(apply, nothing, tmp_path):
        assert path.read_bytes() in {OLD, NEW.encode()}
        if journal.standing():
            take_back(path, journal)
        assert path.read_bytes() == OLD
        apply(path, journal)  # and a later start works, and leaves nothing of the killed one
        take_back(path, journal)
        assert path.read_bytes() == OLD
        assert sorted(each.name for each in path.parent.iterdir()) == ["app.env", "state"]


def test_a_kill_while_it_is_taken_back_is_made_good_by_doing_it_again(tmp_path: Path) -> None:
    for path, journal in moments(take_back, apply, tmp_path):
        assert path.read_bytes() in {OLD, NEW.encode()}
        if journal.standing():
            take_back(path, journal)
        assert path.read_bytes() == OLD
        assert journal.standing() == ()


def test_a_line_of_the_journal_that_was_cut_off_is_dropped_and_the_rest_works(tmp_path: Path) -> None:
    path, journal = tmp_path / "app.env", Journal(tmp_path / "state")
    path.write_bytes(OLD)
    apply(path, journal)
    with journal.path.open("ab") as file:
        file.write(b'{"undone": "2026')
    assert journal.torn == '{"undone": "2026'
    take_back(path, journal)
    assert (path.read_bytes(), journal.torn, journal.standing()) == (OLD, "", ())


def test_a_file_that_stands_but_was_not_flushed_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, journal = tmp_path / "app.env", Journal(tmp_path / "state")
    path.write_bytes(OLD)

    def failing(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("tuner.deploy.placing.flush_folder", failing)
    with pytest.raises(StoreError, match="was written, but may be lost"):
        apply(path, journal)
    assert path.read_bytes() == NEW.encode()
    monkeypatch.undo()
    take_back(path, journal)
    assert path.read_bytes() == OLD


def test_edits_that_an_undo_overrules_are_kept(tmp_path: Path) -> None:
    path, journal = tmp_path / "app.env", Journal(tmp_path / "state")
    path.write_bytes(OLD)
    apply(path, journal)
    path.write_text("A=later\n")
    applied = deploy.last(journal, path)
    with pytest.raises(TunerError, match="was changed after"):
        deploy.undoing(applied)
    kept = deploy.undo(applied, deploy.undoing(applied, force=True), journal)
    assert kept is not None
    assert (kept.read_text(), path.read_bytes()) == ("A=later\n", OLD)


def test_only_drafts_of_programs_that_are_gone_are_swept(tmp_path: Path) -> None:
    names = {f".tuner-{os.getpid()}-aa", ".tuner-4194304999-bb", ".tuner-x-cc", "tuner-1-dd"}
    for name in names:
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == names - {".tuner-4194304999-bb"}
