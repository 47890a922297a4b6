"""`tuner conf` answers with what the library does, and says where the documents promise otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.errors import UsageError

BAD = "application-id * *\nuse os tcp_server *:22\nuse xlio tcp_client *:80\nuse os tcp_client *:81\n"


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "libxlio.conf"
    path.write_text(BAD)
    return str(path)


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(program(), ["conf", *arguments])
    if isinstance(result.exception, UsageError):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.stdout


def test_lint_answers_findings_and_ends_with_1_on_errors(bad: str, tmp_path: Path) -> None:
    found = json.loads(run("lint", bad, "--json", status=1))["findings"]
    assert [(one["severity"], one["where"].rpartition(".conf")[2]) for one in found] == [("error", ":3:5")]
    assert {"severity", "where", "message", "suggestion"} == found[0].keys()
    good = tmp_path / "good.conf"
    good.write_text("use os tcp_server *:22\n")
    assert run("lint", str(good)) == "errors: 0, warnings: 0\n"


def test_match_answers_what_is_parsed_and_what_is_documented(bad: str) -> None:
    asked = ("match", bad, "--program", "nginx", "--role", "client")
    found = json.loads(run(*asked, "--to", "1.2.3.4:81", "--json"))
    assert (found["offloaded"], found["documented"]["offloaded"], found["differ"]) == (True, False, True)
    assert found["documented"]["line"] == 4
    assert "the documents promise otherwise" in run(*asked, "--to", "1.2.3.4:81")
    assert run("match", bad, "--program", "sshd", "--role", "server", "--to", "[::]:22", status=3).startswith("left to")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--role", "sever", "--to", "1.1.1.1:1"), "no role"),
        (("--role", "server", "--proto", "icmp", "--to", "1.1.1.1:1"), "no protocol"),
        (("--role", "server", "--to", "1.1.1.1"), "not an address"),
        (("--role", "server", "--to", "1.1.1.1:65536"), "not an address"),
        (("--role", "server", "--to", "1.1.1.1:1", "--from", "1.1.1.1:1"), "is ignored"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(bad: str, arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        run("match", bad, "--program", "a", *arguments)


def test_explain_shows_rules_that_are_lost(bad: str) -> None:
    assert [one["state"] for one in json.loads(run("explain", bad, "--json"))["rules"]] == ["works", "lost", "lost"]
    assert "lost: it comes after" in run("explain", bad)


def test_new_writes_a_file_once(tmp_path: Path) -> None:
    path = str(tmp_path / "new.conf")
    run("new", path, "--rule", "xlio tcp_client 10.0.0.0/8:*", "--rule", "os tcp_client *:*", "--program", "sockperf")
    run("lint", path)
    with pytest.raises(UsageError, match="exists and was not changed"):
        run("new", path, "--rule", "tcp_server *:1")
    assert json.loads(run("new", path, "--rule", "tcp_server *:1", "--force", "--json"))["path"] == path
    assert run("new", "--rule", "tcp_server *:1") == "application-id * *\nuse os tcp_server *:1\n"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run("lint", str(tmp_path))
    (tmp_path / "latin").write_bytes(b"# caf\xe9")
    with pytest.raises(UsageError) as caught:
        run("lint", str(tmp_path / "latin"))
    assert "UTF-8" in caught.value.findings[0].message
