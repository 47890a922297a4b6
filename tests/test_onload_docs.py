"""Every statement of the vendor's page has a command that shows it, and the command does what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuner.cli.main import program

PAGE = (Path(__file__).parents[1] / "docs" / "seed-coverage-onload.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?P<statement>[^|]+) \| `tuner (?P<command>[^`]+)` \| (?P<status>[01]) \|$", PAGE, re.MULTILINE)


def test_every_row_of_the_table_is_read() -> None:
    assert len(ROWS) == PAGE.count("\n| ") - 1 >= 30


@pytest.mark.parametrize(("statement", "command", "status"), ROWS, ids=[row[0] for row in ROWS])
def test_a_statement_is_shown_by_its_command(statement: str, command: str, status: str) -> None:
    words = shlex.split(command)
    done = CliRunner().invoke(program(), words)
    assert done.exit_code == int(status), f"{statement}\n{done.output}"
    assert done.stdout.strip()
