"""The page on the vendor's document names commands that exist, and every parameter of that document."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import command
from vendor_names import VENDOR_NAMES

from tuner import catalogue

PAGE = (Path(__file__).parents[1] / "docs" / "seed-coverage.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`(tuner [^`]+)`", PAGE)))


@pytest.mark.parametrize("line", [line for line in COMMANDS if not line.startswith("tuner params show")])
def test_a_command_of_the_page_exists_with_its_options(line: str) -> None:
    found, rest = command(shlex.split(line)[1:])
    options = {name for parameter in found.params for name in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options


def test_every_parameter_of_the_document_has_its_page() -> None:
    named = {line.split()[3] for line in COMMANDS if line.startswith("tuner params show")} - {"NAME"}
    wanted = {"LOG_COLORS" if name == "LOG_COLORS" else f"XLIO_{name}" for name in VENDOR_NAMES.split()}
    assert wanted <= named
    assert all(name in catalogue.load("xlio").parameters for name in named)
    assert command(["params", "show"])[0].name == "show"


BAD = ("☃", "-99999999999999999999", "1.5.5", "\n")


@pytest.mark.parametrize("name", sorted(VENDOR_NAMES.split()))
def test_every_name_of_the_document_has_its_rule_in_lint(name: str) -> None:
    xlio = catalogue.load("xlio")
    parameter = xlio.parameters[name if name in xlio.parameters else f"XLIO_{name}"]
    found = [xlio.check({parameter.name: text}, lambda where: where) for text in BAD]
    assert any(parameter.name in str(finding) for findings in found for finding in findings)
