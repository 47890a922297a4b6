"""Every read has a limit: pipes, devices, folders and endless files in place of any file end with a message at once."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Tuner

from tuner import toml_text
from tuner.conf import lint as conf_lint
from tuner.hosts.local import LocalHost, first_bytes
from tuner.intake import dockerfile as docker
from tuner.intake import environment
from tuner.intake import unit as unit_file
from tuner.runs import full_log
from tuner.runs.benchmark import ParseError
from tuner.untrusted import opened

KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
}
COMMANDS = (
    ("import", "{}"),
    ("import", "{}", "--from", "env"),
    ("profiles", "lint", "{}"),
    ("profiles", "show", "{}"),
    ("profiles", "diff", "{}", "latency"),
    ("profiles", "import", "{}", "-o", "out.toml"),
    ("profiles", "migrate", "{}", "--to", "0.1.0"),
    ("profiles", "translate", "{}", "--to", "vma"),
    ("profiles", "effective", "--env-file", "{}"),
    ("params", "import-schema", "{}", "--stack-version", "9.9.9"),
    ("conf", "lint", "{}"),
    ("conf", "explain", "{}"),
    ("onload", "import", "{}"),
    ("export", "{}", "--to", "env"),
    ("apply", "latency", "--target", "env:{}", "--yes"),
    ("measure", "{}"),
    ("measure", "default", "--mode", "playback", "--playback", "{}"),
    ("measure", "default", "--stack", "xlio", "--lib", "/bin/true", "--allow-os-sockets", "--conf", "{}"),
    ("run", "{}", "--", "true"),
    ("tune", "--pairs", "{}"),
    ("recipes", "show", "./{}"),
    ("store", "check", "--results", "{}"),
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_file_is_refused_at_once(tuner: Tuner, tmp_path: Path, command: tuple[str, ...], kind: str) -> None:
    path = tmp_path / "some.toml"
    KINDS[kind](path)
    ended = tuner(*(word.format(path) for word in command))
    assert ended.status in {1, 2}, ended
    assert "bug in tuner" not in ended.err
    assert "some.toml" in ended.err + ended.out


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_measured_program_leaves_in_place_of_its_file_is_not_read(tmp_path: Path, kind: str) -> None:
    with LocalHost().site({}) as site:
        folder = site._folder
        KINDS[kind](folder / "log")
        (tmp_path / "secret").write_text("secret")
        (folder / "link").symlink_to(tmp_path / "secret")
        (folder / "whole").write_text("text")
        assert site.opened("log") is None
        assert site.opened("link") is None
        assert site.opened("none") is None
        assert site.written(["log", "link", "none", "whole"]) == {"whole": "text"}


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / "some")
    with pytest.raises(OSError, match="not a file"):
        opened(tmp_path / "some")
    with pytest.raises(OSError, match="not a file"):
        first_bytes(tmp_path / "some", 10)


def test_a_file_of_the_kernel_that_waits_for_events_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # /proc/kmsg is regular by its type; a pipe that is said to be a file behaves the same.
    there, here = os.pipe2(os.O_NONBLOCK)
    monkeypatch.setattr("tuner.untrusted.os.open", lambda *_: there)
    monkeypatch.setattr("tuner.untrusted.stat.S_ISREG", lambda _: True)
    with pytest.raises(OSError, match="nothing to read now"), opened(Path("kmsg")) as file:
        file.read(10)
    os.close(here)


def systemd(text: str) -> object:
    return list(environment.pairs(text))


def unit(text: str) -> object:
    return unit_file._word(text, 0)


def dockerfile(text: str) -> object:
    return docker._words(text, "\\")


def rules(text: str) -> object:
    return list(conf_lint.lint(text, "libxlio.conf"))


@pytest.mark.timeout(20)  # the square of the length would take half a minute and more
@pytest.mark.parametrize("read", [systemd, unit, dockerfile, rules], ids=lambda read: str(read.__name__))
def test_a_word_of_a_megabyte_is_read_in_time_that_grows_with_its_length(read: Callable[[str], object]) -> None:
    read("A=" + "9" * 800_000)


@pytest.mark.parametrize(
    "text", ["a." * 30_000 + "b = 1", "[" + "a." * 30_000 + "b]", "a = {" + "a." * 30_000 + "b=1}"]
)
def test_a_key_of_many_parts_is_refused_before_it_is_parsed(text: str) -> None:
    with pytest.raises(ValueError, match="more than 64 parts"):
        toml_text.parsed(text)


def test_dots_in_texts_and_comments_are_no_parts_of_keys() -> None:
    text = f"# {'.' * 100}\na.b = \"{'.' * 100}\" # {'.' * 100}\nc = ['{'x.' * 100}']\n"
    assert toml_text.parsed(text)["a"]["b"] == "." * 100


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 50_000, "a = 1\na = 2"])
def test_what_is_wrong_with_toml_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        toml_text.parsed(text)


def test_a_link_is_followed_only_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with opened(tmp_path / "link") as file:
        assert file.read() == b"text"
    with pytest.raises(OSError, match="symbolic"):
        opened(tmp_path / "link", follow=False)


class Endless(io.RawIOBase):
    """A log that never ends."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.given = 0

    def readline(self, size: int | None = -1) -> bytes:
        """Return the next line, or as much of it as is wanted."""
        assert size is not None
        assert size > 0
        self.given += len(self.line)
        assert self.given < 1 << 28
        return self.line[:size]

    def read(self, size: int = -1) -> bytes:
        """Return as much as is wanted, which is not all."""
        assert 0 < size < 1 << 28
        return (self.line * (size // len(self.line) + 1))[:size]

    def seek(self, offset: int, whence: int = 0) -> int:
        """Stay: every place of it is the same."""
        assert (offset, whence) == (-1, io.SEEK_CUR)
        return 0


@pytest.mark.parametrize("line", [b"packet, txTime(sec), rxTime(sec)\n", b"x" * 4096, b"1, 0.1, 0.2\n" * 340])
def test_a_log_without_end_is_no_log(line: bytes) -> None:
    with pytest.raises(ParseError, match="full log"):
        full_log.read(Endless(line))  # type: ignore[arg-type]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", ["ansible", "compose", "kubernetes", "kubernetes-patch"])
@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "a: &a [*a]\n", "? " * 50_000])
def test_nested_yaml_is_refused_and_ends_nothing(tuner: Tuner, tmp_path: Path, form: str, text: str) -> None:
    (tmp_path / "deep.yaml").write_text(text)
    ended = tuner("import", "--from", form, "deep.yaml")
    assert ended.status in {1, 2}
    assert "bug in tuner" not in ended.err


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 20_000, "a = " + "{a=" * 20_000, "[" * 20_000, "a." * 20_000 + "a = 1", '{"a":' * 20_000],
)
@pytest.mark.parametrize(
    "command", [("profiles", "lint"), ("profiles", "import"), ("params", "import-schema"), ("import",)]
)
def test_nested_toml_and_json_is_refused_and_ends_nothing(
    tuner: Tuner, tmp_path: Path, text: str, command: tuple[str, ...]
) -> None:
    for name in ("deep.toml", "deep.json"):
        (tmp_path / name).write_text(text)
        ended = tuner(*command, name)
        assert ended.status in {1, 2}, (name, ended)
        assert "bug in tuner" not in ended.err
