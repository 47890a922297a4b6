"""Profiles of Onload as people write them: each case of `data/field/onload` has one right answer, by either command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from shell_texts import Writer, environment
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.cli.screen.failure import status
from tuner.errors import Severity, TunerError
from tuner.profiles.files import read as read_profile
from tuner.stacks.onload.folders import SYSTEM, Folders, vendor
from tuner.stacks.onload.opf import Source, read_opf, read_profiles

FIELD = Path(__file__).parent / "data" / "field" / "onload"
SAFE_FIRST = {"EF_EPOLL_MT_SAFE": "0", "EF_TCP_SNDBUF_MODE": "1", "EF_POLL_USEC": "100000", "EF_CTPIO_MODE": "ct"}


def asked(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(program(), list(words))
    code = status(done.exception) if isinstance(done.exception, TunerError) else done.exit_code
    return code, done.stdout, done.stderr


def imported(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked("onload", "import", *words, "--json")[1])
    return found


def said(answer: dict[str, Any]) -> str:
    return "\n".join(f"{one['where']}: {one['message']} ({one['suggestion']})" for one in answer["findings"])


@pytest.mark.parametrize(
    ("file", "options", "settings"),
    [
        ("01-comment-backslash", [], {"EF_POLL_USEC": "100000", "EF_INT_DRIVEN": "0"}),
        ("04-unset-variable", [], {}),
        ("04-unset-variable", ["--env", "HOME=/h", "--env", "SITE=prod"], {"EF_LOG_FILE": "/h/onload.log", "EF_POLL_USEC": "-1"}),
        ("04-unset-variable", ["--env", "HOME=/h", "--env", "SITE="], {"EF_LOG_FILE": "/h/onload.log", "EF_POLL_USEC": "50"}),
        ("06-one-line-if", [], {"EF_UL_EPOLL": "3", "EF_POLL_USEC": "100000"}),
        ("06-return", [], {"EF_UL_EPOLL": "3"}),
        ("07-case", [], {"EF_UL_EPOLL": "3"}),
        ("07-export", [], {"EF_POLL_USEC": "5", "EF_SPIN_USEC": "5"}),
        ("07-source", [], {}),
        ("08-heredoc", [], {"EF_UL_EPOLL": "3"}),
        ("09-crlf", [], {"EF_POLL_USEC": "100000", "EF_TCP_FASTSTART_INIT": "0"}),
        ("09-tilde", [], {}),
        ("09-tilde", ["--env", "HOME=/home/md"], {"EF_LOG_FILE": "/home/md/onload.log"}),
        ("11-default", [], {"EF_UL_EPOLL": "3"}),
        ("11-default", ["--env", "EF_UL_EPOLL=1"], {"EF_UL_EPOLL": "1"}),
        ("11-eq", [], {"EF_SCALABLE_FILTERS": "ens1f0"}),
    ],
)  # fmt: skip
def test_a_profile_is_read_as_the_wrapper_reads_it(file: str, options: list[str], settings: dict[str, str]) -> None:
    answer = imported(str(FIELD / f"{file}.opf"), *options)
    assert answer["settings"] == settings


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("04-unset-variable", 1, "--env HOME=VALUE"),
        ("04-unset-variable", 2, "--env SITE=VALUE"),
        ("06-one-line-if", 2, "EF_RXQ_SIZE is left out: $(nproc)"),
        ("07-case", 1, "EF_POLL_USEC is left out: $(hostname -s)"),
        ("07-source", 1, "EF_POLL_USEC is left out: . /etc/onload-site.sh"),
        ("07-source", 1, "EF_NAME is left out"),
        ("09-tilde", 1, "--env HOME=VALUE"),
        ("11-eq", 1, "cuts it at the second =: EF_SCALABLE_FILTERS is 'ens1f0'"),
    ],
)
def test_what_is_left_out_is_said_with_its_line_and_reason(file: str, line: int, words: str) -> None:
    answer = imported(str(FIELD / f"{file}.opf"))
    assert any(f"line {line}: " in one and words in one for one in said(answer).splitlines())


def test_a_carriage_return_that_the_wrapper_keeps_is_said() -> None:
    assert "Onload reads '100000\\r' as 100000" in said(imported(str(FIELD / "09-crlf.opf")))
    named = read_opf("onload_set EF_NAME feed\r\n", "x.opf", lambda _name: None)
    assert (named.settings, dict(named.environment)) == ({}, {"EF_NAME": "feed\r"})


def test_profiles_that_are_not_installed_come_from_what_is_recorded_and_say_so() -> None:
    answer = imported(str(FIELD / "02-own-profile-import.opf"))
    assert {name: answer["settings"][name] for name in SAFE_FIRST} == SAFE_FIRST
    assert set(answer["imports"]) == {"safe", "latency-best", "latency"}
    assert all("the vendor's profile" in origin for origin in answer["imports"].values())


def test_several_profiles_are_combined_as_the_wrapper_does() -> None:
    assert (
        imported("safe", "latency-best")["settings"] == imported(str(FIELD / "02-own-profile-import.opf"))["settings"]
    )
    assert imported("latency-best", "safe")["settings"]["EF_EPOLL_MT_SAFE"] == "1"
    assert imported("latency-best", "safe", "--force-profiles")["settings"]["EF_EPOLL_MT_SAFE"] == "0"


def test_a_text_for_a_boolean_is_written_as_onload_reads_it_by_either_command(tmp_path: Path) -> None:
    file = str(FIELD / "03-bool-text.opf")
    for words in (("onload", "import"), ("import", "--stack", "onload")):
        out = tmp_path / f"{words[0]}.toml"
        status, _, told = asked(*words, file, "-o", str(out))
        assert (status, told.count("'true' is read as 0")) == (0, 1)
        assert 'EF_INT_DRIVEN = "0"' in out.read_text(encoding="utf-8")
        assert 'EF_TX_PUSH = "0"' in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(FIELD.glob("*.opf")), ids=lambda path: path.stem)
def test_both_commands_make_the_same_profile(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    one, other = tmp_path / "a" / "x.toml", tmp_path / "b" / "x.toml"
    for path in (one, other):
        path.parent.mkdir()
    statuses = asked("onload", "import", str(file), "-o", str(one))[0], asked("import", str(file), "-o", str(other))[0]
    assert statuses[0] == statuses[1]
    assert one.exists() == other.exists()
    if one.exists():
        assert read_profile(one).settings == read_profile(other).settings


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("EF_TX_PUSH 3", "1"), ("EF_TX_PUSH 2", "0"), ("EF_MAX_PACKETS 4k", "1024"), ("EF_POLL_USEC 100ms", None), ("EF_CTPIO_MODE fast", None),
        ("EF_RXQ_SIZE 65536", "32768"), ("EF_POLL_USEC -1", "-1"), ("EF_INTERFACE_WHITELIST 'eth0 eth1'", "eth0 eth1"), ("EF_CTPIO_MODE ct", "ct"),
    ],
)  # fmt: skip
def test_a_value_is_taken_as_onload_takes_it(setting: str, read: str | None, tmp_path: Path) -> None:
    file = tmp_path / "x.opf"
    file.write_text(f"onload_set {setting}\n", encoding="utf-8")
    assert imported(str(file))["settings"].get(setting.split(maxsplit=1)[0]) == read


def test_the_same_is_said_whether_the_profile_is_printed_or_written(tmp_path: Path) -> None:
    for file in sorted(FIELD.glob("*.opf")):
        printed = asked("onload", "import", str(file))
        written = asked("onload", "import", str(file), "-o", str(tmp_path / f"{file.stem}.toml"))
        assert (printed[0], printed[2]) == (written[0], written[2])
    assert len(list(tmp_path.iterdir())) == 11


def test_names_that_onload_does_not_have_are_dropped_or_kept_as_asked(tmp_path: Path) -> None:
    file = tmp_path / "x.opf"
    file.write_text("onload_set EF_TX_PUSH 1\nonload_set EF_TCP_NODELAY 1\n", encoding="utf-8")
    dropped, kept = imported(str(file)), imported(str(file), "--keep-unknown")
    assert dropped["settings"] == {"EF_TX_PUSH": "1"}
    assert [one["text"] for one in dropped["skipped"]] == ["EF_TCP_NODELAY=1"]
    assert kept["settings"] == {"EF_TX_PUSH": "1", "EF_TCP_NODELAY": "1"}


def test_every_value_that_onload_would_mistake_is_told_at_once() -> None:
    answer = imported(str(FIELD / "10-unchecked.opf"))
    wrong = [one["where"].rpartition(".")[2] for one in answer["findings"] if one["severity"] == Severity.ERROR]
    assert wrong == [
        "EF_UL_EPOLL", "EF_RXQ_SIZE", "EF_PACKET_BUFFER_MODE", "EF_TCP_CLIENT_LOOPBACK",
    ]  # fmt: skip
    assert "EF_POLL_USEC: is left out: '100ms'" in said(answer)
    assert "EF_INT_DRIVEN: 'true' is read as 0" in said(answer)
    assert {one["text"].partition("=")[0] for one in answer["skipped"]} == {
        "ef_poll_usec", "NOT_MINE", "LD_LIBRARY_PATH", "EF_TCP_NODELAY", "EF_TCP_FASTSTART", "EF_POLL_USEC",
        "EF_CTPIO_MODE",
    }  # fmt: skip
    assert answer["path"] is None


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for folder, number in (("home/.openonload/profiles", 1), ("system", 2)):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("both.opf", f"only{number}.opf", f"piece{number}.opf-fragment"):
            (tmp_path / folder / name).write_text(f"onload_set EF_NAME {folder[0]}{number}\n", encoding="utf-8")
    return Folders(tmp_path / "home", tmp_path / "system")


@pytest.mark.parametrize(
    ("name", "first", "imported"),
    [
        ("both", "h1", "h1"), ("only1", "h1", "h1"), ("only2", "s2", "s2"), ("piece1", None, "h1"), ("piece2", None, "s2"),
        ("none", None, None),
    ],
)  # fmt: skip
def test_a_name_is_looked_for_at_the_users_before_the_systems(
    folders: Folders, name: str, first: str | None, imported: str | None
) -> None:
    for found, wanted in ((folders.first(name, fragments=False), first), (folders.imported(name), imported)):
        assert (found.text.split()[-1] if found else None) == wanted


def test_a_path_is_taken_and_nothing_is_found_beside_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(FIELD / "05-home"))
    assert imported(str(FIELD / "05-dir" / "mine.opf"))["settings"] == {"EF_POLL_USEC": "7"}
    monkeypatch.chdir(FIELD / "05-dir")
    assert imported("mine.opf")["settings"] == {"EF_POLL_USEC": "7"}
    assert imported("mine.opf", "--env", "HOME=/nowhere")["settings"] == {}


def test_an_import_takes_paths_with_a_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.opf").write_text("onload_set EF_NAME a\n", encoding="utf-8")
    for path, settings in ((f"{tmp_path}/a.opf", {"EF_NAME": "a"}), ("./a.opf", {"EF_NAME": "a"}), ("a.opf", {})):
        (tmp_path / "b.opf").write_text(f"onload_import {path}\n", encoding="utf-8")
        assert imported("b.opf")["settings"] == settings
        (tmp_path / "b.opf").write_text(f". {path}\n", encoding="utf-8")
        assert imported("b.opf")["settings"] == settings


def test_what_is_recorded_of_the_vendors_profiles_is_what_our_profiles_spell_out() -> None:
    """Those that need no number of workers: they differ only in what is the default."""
    from tuner import catalogue

    known = catalogue.load("onload")
    for path in sorted((Path(__file__).parents[1] / "profiles" / "onload").glob("*.toml")):
        source = vendor(path.stem, fragments=True)
        reading = read_profiles([source] if source else [], lambda name: vendor(name, fragments=True))
        ours = known.effective(read_profile(path).settings)
        # Sleeping while polling is of no use where epoll does not poll, so our node-js leaves it out.
        recorded = {name: value for name, value in reading.settings.items() if name != "EF_SLEEP_SPIN_USEC"}
        theirs = known.effective({**read_profile(path).settings, **recorded})
        assert (path.stem, ours) == (path.stem, theirs)


WRAPPER = os.environ.get("TUNER_ONLOAD_WRAPPER") or shutil.which("onload")


@pytest.mark.skipif(
    WRAPPER is None, reason="the vendor's wrapper is not here: no `onload` in PATH, no TUNER_ONLOAD_WRAPPER"
)
def test_the_vendors_wrapper_gives_a_program_what_is_read(tmp_path: Path) -> None:
    """The wrapper is asked what it would do (`--test`); a stand-in for the driver's check is its own variable."""
    wrong = {}
    for number in range(200):
        file = tmp_path / "x.opf"
        file.write_text(Writer(number).text().replace("onload_import", "onload_set EF_D"), encoding="utf-8")
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "ONLOAD_DRIVERCHECK": "false",
            **environment(number),
        }
        done = subprocess.run(
            [str(WRAPPER), "--no-app-handler", "--test", "-p", str(file), "true"], env=given, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=20, check=False,
        )  # fmt: skip
        lines = [line.partition("env: ")[2] for line in done.stderr.splitlines() if ": env: EF_" in line]
        reading = read_opf(file.read_text(encoding="utf-8"), "x.opf", lambda name: Source(name, ""), given)
        doubtful = {one.text for one in reading.skipped}
        for name, _, value in (line.partition("=") for line in lines):
            if name not in doubtful and reading.complete and reading.settings.get(name) != value:
                wrong[number] = f"{name}={value}"
    assert wrong == {}


def test_the_system_folder_is_the_vendors() -> None:
    assert Path("/usr/libexec/onload/profiles") == SYSTEM
