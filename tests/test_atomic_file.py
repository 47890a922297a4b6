"""Files of ours: whole or not at all, whatever fails, and nothing else is left behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tuner import atomic_file
from tuner.errors import UsageError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("content", ["täxt\r\n", b"\x00bytes", ""])
def test_a_file_holds_what_was_written_and_stands_alone(tmp_path: Path, content: str | bytes) -> None:
    atomic_file.write(tmp_path / "new" / "file", content)
    assert (tmp_path / "new" / "file").read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(tmp_path / "new") == {"file"}


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_what_was_there_stays_whole_where_a_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path if step == "replace" else os, step, full)
    with pytest.raises(UsageError, match=r"cannot write .*: No space left on device"):
        atomic_file.save(path, "after", overwrite=True)
    assert path.read_text() == "before"
    assert names(tmp_path) == {"file"}


def test_an_error_names_the_file_and_not_its_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: object, *_: object) -> int:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr("tuner.atomic_file.os.open", refused)
    with pytest.raises(OSError, match="Read-only") as told:
        atomic_file.write(tmp_path / "report.html", "text")
    assert told.value.filename == str(tmp_path / "report.html")


def test_nobody_reads_half_a_file_before_it_takes_its_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file.draft(path, b"all of it", None) as whole:
        assert not path.exists()
        assert (whole.parent, whole.read_bytes()) == (tmp_path, b"all of it")
    assert names(tmp_path) == set()


def test_two_drafts_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file.draft(path, b"1", None) as one, atomic_file.draft(path, b"2", None) as other:
        assert (one.read_bytes(), other.read_bytes()) == (b"1", b"2")


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    atomic_file.write(tmp_path / ("n" * 255), "text")
    assert names(tmp_path) == {"n" * 255}


@pytest.mark.parametrize(
    "make",
    [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")],
    ids=["file", "folder", "dangling link"],
)
def test_what_exists_is_replaced_only_when_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "old"
    make(path)
    with pytest.raises(UsageError, match="exists and was not changed") as refusal:
        atomic_file.save(path, "new", overwrite=False)
    assert refusal.value.advice == "take another name, or --force"
    assert names(tmp_path) == {"old"}


def test_permissions_are_those_asked_for_else_those_of_before_else_those_of_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "file"
    mask = os.umask(0o027)
    try:
        found = []
        for mode in (None, 0o600, None, 0o755):
            atomic_file.write(path, "text", mode=mode)
            found.append(stat.S_IMODE(path.stat().st_mode))
    finally:
        os.umask(mask)
    assert found == [0o640, 0o600, 0o600, 0o755]


def test_a_secret_is_never_readable_for_others_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    real = os.fsync

    def seen(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(os, "fchmod", lambda descriptor, _: seen(descriptor))
    atomic_file.write(tmp_path / "secret", "text", mode=0o600)
    assert modes[:2] == [0o600, 0o600]


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/file")
    atomic_file.write(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_text() == "text"


def test_nobody_is_waited_for_who_would_read_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nobody reads what is written there"):
        atomic_file.write(tmp_path / "pipe", "text")


@pytest.mark.parametrize("name", ["", ".", "/"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_is_refused_by_name(name: str, overwrite: bool) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        atomic_file.save(Path(name), "text", overwrite=overwrite)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    atomic_file.write(path, "text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_dash_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="standard output"):
            atomic_file.save(Path("-"), "x", overwrite=overwrite)
    assert list(tmp_path.iterdir()) == []
    atomic_file.save(tmp_path / "-", "x", overwrite=False)
    assert (tmp_path / "-").read_text() == "x"
