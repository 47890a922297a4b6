"""What is kept of a data file says what the file says now, or it does not count."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue import places
from tuner.catalogue.parsed import parsed
from tuner.catalogue.places import Places

TEXT = 'title = "größe"\nnumbers = [1, 2.5, inf]\n[table]\n"a key" = {on = true}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Name a folder for what is kept, and take it back."""
    places.use(Places(cache=tmp_path / "cache"))
    yield tmp_path / "cache"
    places.use(Places())


def kept(folder: Path) -> Path:
    (only,) = folder.iterdir()
    return only


@pytest.mark.parametrize("path", sorted(catalogue.FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_data_file_says_the_same_when_it_was_kept(folder: Path, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert parsed(path, text) == parsed(path, text) == tomllib.loads(text)
    assert kept(folder).stat().st_mode & 0o777 == 0o600


def test_what_was_kept_is_not_parsed_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = parsed(Path("a.toml"), TEXT)
    monkeypatch.setattr(tomllib, "loads", lambda _text: pytest.fail("parsed again"))
    assert parsed(Path("a.toml"), TEXT) == before


@pytest.mark.parametrize("now", [TEXT + "more = 1\n", TEXT[:-1], "", TEXT.replace("größe", "grösse")])
def test_a_file_that_changed_is_parsed_again(folder: Path, now: str) -> None:
    parsed(Path("a.toml"), TEXT)
    assert parsed(Path("a.toml"), now) == tomllib.loads(now)
    assert parsed(Path("a.toml"), now) == tomllib.loads(now)
    assert kept(folder).read_text(encoding="utf-8").startswith(now + "\0")


def test_files_of_one_name_and_parts_of_one_file_are_kept_apart(folder: Path) -> None:
    parsed(Path("here/a.toml"), "x = 1")
    parsed(Path("there/a.toml"), "x = 2")
    parsed(Path("here/a.toml"), "x = 3", "-head")
    assert len(list(folder.iterdir())) == 3


def ends_as_we_write(found: bytes) -> bool:
    """Return whether bytes are a JSON object, which is what we keep."""
    try:
        return isinstance(json.loads(found), dict)
    except (ValueError, RecursionError):
        return False


@given(
    found=st.binary() | st.recursive(st.none() | st.integers(), st.lists).map(lambda each: json.dumps(each).encode())
)
@example(found=b"[" * 100_000)
@example(found=b'{"title": "another"')
@example(found=b"}")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_where_a_file_is_kept_the_answer_is_the_files(folder: Path, found: bytes) -> None:
    parsed(Path("a.toml"), TEXT)
    for content in (found, TEXT.encode() + b"\0" + found):
        if content != found and ends_as_we_write(found):
            continue  # it is what we would have written, which only this user can do
        kept(folder).write_bytes(content)
        assert parsed(Path("a.toml"), TEXT) == tomllib.loads(TEXT)


def test_a_folder_that_cannot_be_written_to_costs_only_time(folder: Path) -> None:
    folder.write_text("in the way")
    assert parsed(Path("a.toml"), TEXT) == tomllib.loads(TEXT)


def test_a_date_is_not_kept_and_what_is_no_toml_raises_as_before(folder: Path) -> None:
    assert parsed(Path("a.toml"), "day = 2026-01-02\n") == tomllib.loads("day = 2026-01-02\n")
    with pytest.raises(tomllib.TOMLDecodeError, match="line 1"):
        parsed(Path("a.toml"), "= 1")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOME": "/home/me"}, Path("/home/me/.cache/tuner")),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/fast"}, Path("/fast/tuner")),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "relative"}, Path("/home/me/.cache/tuner")),
        ({"XDG_CACHE_HOME": "/fast"}, Path("/fast/tuner")),
        ({}, None),
    ],
    ids=str,
)
def test_the_folder_is_the_users_cache(environment: dict[str, str], expected: Path | None) -> None:
    assert places.of_user(environment).cache == expected


def test_a_second_start_parses_no_toml(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tuner.cli.main import main\nsys.argv = ['tuner', 'params', 'show', 'XLIO_RX_POLL']\n"
        "try:\n    main()\nfinally:\n    print('tomllib' in sys.modules)"
    )
    environment = {"HOME": str(tmp_path)}

    def start() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
        )
        return done.stdout.splitlines()

    first, second = start(), start()
    assert (first[-1], second[-1]) == ("True", "False")
    assert first[:-1] == second[:-1]


def test_nothing_is_kept_where_no_folder_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = parsed(Path("a.toml"), TEXT)
    assert found == tomllib.loads(TEXT)
    assert list(tmp_path.iterdir()) == []
