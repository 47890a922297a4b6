"""A file of variables is read as a shell would, and nothing in it is executed or expanded."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from tuner.env_text import parse
from tuner.errors import Severity


def test_the_forms_that_people_write() -> None:
    text = "# comment\nexport XLIO_SPEC=latency\nXLIO_RX_POLL = 3\nXLIO_LOG_FILE=\"a b\" # why\n\nXLIO_TSO='off'\r\nXLIO_TSO=on\n"
    found = parse(text, "e")
    assert found.settings == {"XLIO_SPEC": "latency", "XLIO_LOG_FILE": "a b", "XLIO_TSO": "on"}
    assert [finding.where for finding in found.findings] == ["e: line 3"]


def test_what_a_shell_would_expand_stays_text_and_is_said() -> None:
    found = parse("A=$(touch /tmp/x)\nB=`id`\nC='$HOME'\nD=$HOME\n", "e")
    assert found.settings["B"] == "`id`"
    assert found.settings["D"] == "$HOME"
    assert {finding.severity for finding in found.findings} >= {Severity.WARNING}


def test_open_quotes_and_control_characters_are_findings() -> None:
    found = parse("A='x\nB=\x1b[0m\nC\n1D=2\n", "e")
    assert found.settings == {}
    assert [finding.where for finding in found.findings] == [f"e: line {n}" for n in (1, 2, 3, 4)]


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse(text, "e")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), st.text(st.characters(exclude_categories=["C", "Z"]))
    )
)
def test_quoted_variables_come_back(settings: dict[str, str]) -> None:
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    assert parse(text, "e").settings == settings
