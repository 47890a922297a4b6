"""Every command that the table of the vendor's statements names can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import command as command_of
from typer.testing import CliRunner

from tuner.cli.main import program

PAGE = Path(__file__).parents[1] / "docs" / "seed-coverage-conf.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
COMMANDS = sorted({row.split(" | ")[-1].strip(" |`") for row in ROWS})
FILE = """application-id tcp_lat B1
use vma tcp_client 192.168.1.0/24:*:*:*
use os tcp_server *:5001
use os udp_connect *:53
"""


def test_each_row_has_a_command() -> None:
    assert len(ROWS) >= 18
    assert all(command.startswith("tuner ") for command in COMMANDS)


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.startswith("tuner conf")])
def test_a_command_on_rule_files_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("libxlio.conf").write_text(FILE)
    result = CliRunner().invoke(program(), shlex.split(command)[1:])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in {0, 3}, result.output


@pytest.mark.parametrize("command", [one for one in COMMANDS if not one.startswith("tuner conf")])
def test_another_command_has_the_option(command: str) -> None:
    _, name, option = shlex.split(command)
    found = command_of([name])[0]
    assert option in {text for parameter in found.params for text in parameter.opts}
    assert re.fullmatch(r"--[a-z]+", option)
