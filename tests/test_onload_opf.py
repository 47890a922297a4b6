"""Profiles of Onload are read as data: nothing in them is ever executed, and what is written reads back the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.errors import Finding, Severity, UsageError
from tuner.stacks.onload.opf import MAX_CHARACTERS, from_opf, to_opf

names = st.from_regex(r"EF_[A-Z_]{1,12}", fullmatch=True)
values = st.text(st.characters(min_codepoint=32, max_codepoint=382, exclude_characters="'"), min_size=1).filter(
    str.isprintable
)
statements = st.sampled_from(
    [
        "onload_set EF_A 1",
        'if [ -z "$EF_B" ]; then',
        "elif [ $N -gt 3 ]; then",
        "else",
        "fi",
        "for i in a; do",
        "done",
        "case $X in",
        "esac",
        "x=1",
        "onload_import latency",
        "f() {",
        "}",
        "$(id)",
        "echo 'a",
        '"',
        "\\",
        "$((1/0))",
    ]
)


def none(_name: str) -> None:
    return None


def settings(text: str, **options: object) -> dict[str, str]:
    found, findings = from_opf(text, "x.opf", none, **options)  # type: ignore[arg-type] # options of the reader
    assert [one for one in findings if one.severity is Severity.ERROR] == []
    return found


def findings(text: str) -> list[Finding]:
    return from_opf(text, "x.opf", none)[1]


@given(st.dictionaries(names, values, max_size=6))
@example({"EF_A": "#", "EF_B": "a=b", "EF_C": '"$X` ; rm\\'})
def test_what_is_written_reads_back_exactly_and_in_order(written: dict[str, str]) -> None:
    found, said = from_opf(to_opf(written, "any"), "x.opf", none)
    assert (list(found.items()), said) == (list(written.items()), [])


@given(st.one_of(st.text(), st.lists(statements).map("\n".join), st.lists(statements).map(";".join)))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    found, said = from_opf(text, "x.opf", lambda name: text if name == "latency" else None)
    assert all(name.startswith("EF_") for name in found)
    assert all(one.where.startswith("x.opf") for one in said)


@given(st.dictionaries(names, values.filter(lambda value: "\n" not in value), min_size=1, max_size=4))
def test_a_shell_reads_what_is_written_as_the_same_values(written: dict[str, str]) -> None:
    script = 'onload_set() { printf "%s=%s\\n" "$1" "$2"; }\n' + to_opf(written, "x")
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, timeout=20)
    assert done.stdout.decode() == "".join(f"{name}={value}\n" for name, value in written.items())


def test_the_first_setting_wins_and_the_environment_before_all() -> None:
    text = "onload_set EF_A 1\nonload_set EF_A 2\nonload_set EF_B=3 # why\n"
    assert settings(text) == {"EF_A": "1", "EF_B": "3"}
    assert settings(text, environment={"EF_A": "9"}) == {"EF_A": "9", "EF_B": "3"}
    assert settings(text, environment={"EF_A": ""}) == {"EF_A": "1", "EF_B": "3"}
    assert settings(text, environment={"EF_A": "9"}, force=True) == {"EF_A": "2", "EF_B": "3"}


def test_an_import_stands_where_it_is_written() -> None:
    texts = {"latency": "onload_set EF_POLL_USEC 100000\nonload_set EF_INT_DRIVEN 0\n"}
    text = 'onload_set EF_INT_DRIVEN 1\nonload_import latency "$@"\nonload_set EF_POLL_USEC 5\n'
    found, said = from_opf(text, "x.opf", texts.get)
    assert found == {"EF_INT_DRIVEN": "1", "EF_POLL_USEC": "100000"}
    assert [one.where for one in said] == ["x.opf: line 2: latency: line 2", "x.opf: line 3"]


def test_plain_conditions_on_variables_are_followed() -> None:
    text = """onload_set MODE 1 # of no use to Onload itself
if [ $MODE -eq 0 ]; then
  onload_set EF_CLUSTER_SIZE 1
elif [ $MODE -eq 1 ]; then
  if [ -z "$EF_NAME" ]; then onload_set EF_CLUSTER_NAME "node"; fi
  onload_set EF_MAX_ENDPOINTS 100000
else
  fail "no such mode"
fi
if [ ! "$EF_CLUSTER_NAME" = web ]
then
  onload_set EF_SOCKET_CACHE_MAX $(( ${EF_MAX_ENDPOINTS} / (4 + $MODE) ))
fi
"""
    assert settings(text) == {"EF_CLUSTER_NAME": "node", "EF_MAX_ENDPOINTS": "100000", "EF_SOCKET_CACHE_MAX": "20000"}
    assert settings(text, environment={"EF_NAME": "a"})["EF_SOCKET_CACHE_MAX"] == "20000"
    assert settings(text, environment={"MODE": "0", "EF_MAX_ENDPOINTS": "8"})["EF_CLUSTER_SIZE"] == "1"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rm -rf /", "'rm' would be run"),
        ("onload_set EF_A $(id)", "a command in $(…)"),
        ("onload_set EF_A `id`", "between backquotes"),
        ("onload_set EF_A 1 > /etc/x", "a file would be written"),
        ("onload_set EF_A 1 && reboot", "a second command"),
        ("onload_set EF_A 1; reboot", "'reboot' would be run"),
        ("cat x | sh", "a pipe"),
        (". /etc/openonload.sh", "'.' would be run"),
        ("eval x", "'eval' would be run"),
        ("export EF_A=1", "'export' would be run"),
        ("EF_A=1", "not exported"),
        ("for i in a; do onload_set EF_A 1; done", "block of commands"),
        ("if onload_stackdump; then", "only a test"),
        ("onload_set EF_A", "takes NAME VALUE"),
        ('onload_set EF_A ""', "takes NAME VALUE"),
        ("onload_set EF_A=b=c", "takes NAME VALUE"),
        ("onload_set 'x;id' 1", "no name of a variable"),
        ("onload_set EF_A 'open", "does not end"),
        ("onload_set EF_A ${EF_B:-1}", "only $NAME"),
        ("onload_set EF_A *", "names of files"),
        ("onload_import nothing", "no profile 'nothing'"),
        ("exit 1", "the profile ends here"),
    ],
)
def test_a_line_that_is_more_than_data_is_a_finding_with_its_place(line: str, words: str) -> None:
    found, said = from_opf(f"# first\n{line}\n", "x.opf", none)
    assert found in ({}, {"EF_A": "1"})
    assert (said[0].severity, said[0].where) == (Severity.ERROR, "x.opf: line 2")
    assert words in said[0].message


@pytest.mark.parametrize(
    "block",
    [
        "for i in a; do x; done",
        "for i in a b; do\n onload_set EF_X 1\ndone",
        "while read x\ndo\n if [ $x ]; then\n  for y in z; do :; done\n fi\ndone",
        "case $A in\n a) onload_set EF_X 1;;\n *) x;; esac",
        "f() {\n onload_set EF_X 1\n}",
        "f()\n{\n case $1 in\n a) x;;\n esac\n}",
    ],
)
def test_a_block_of_commands_is_left_out_to_its_end_and_no_further(block: str) -> None:
    found, said = from_opf(f"{block}\nonload_set EF_AFTER 1\n", "x.opf", none)
    assert found == {"EF_AFTER": "1"}
    assert [one.where for one in said] == ["x.opf: line 1"]


def test_a_condition_that_depends_on_commands_is_not_guessed() -> None:
    text = 'fast=\nfor nic in /sys/class/net/*; do\n fast=1\ndone\nif [ "$fast" ]; then\n:\nelse\nonload_set EF_CTPIO_MODE ct\nfi\n'
    found, said = from_opf(text, "x.opf", none)
    assert found == {}
    assert [one.where for one in said] == ["x.opf: line 2", "x.opf: line 5"]


def test_commands_in_a_branch_that_is_not_taken_are_only_told() -> None:
    said = findings('if [ -n "$EF_A" ]; then\nrm x\nfi\nonload_set EF_B 1\n')
    assert [(one.severity, one.where) for one in said] == [(Severity.WARNING, "x.opf: line 2")]


def test_imports_that_go_round_end() -> None:
    said = from_opf("onload_import a", "x.opf", lambda _name: "onload_import a")[1]
    assert "a → a" in said[0].message


def test_a_file_without_end_is_refused() -> None:
    assert "no profile" in findings("#" * (MAX_CHARACTERS + 1))[0].message
    assert "missing" in findings("if [ -z 1 ]; then\n")[-1].message


@pytest.mark.parametrize("value", ["", "a'b", "a\nb", "\x1b[0m"])
def test_what_the_wrapper_cannot_set_is_not_written(value: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        to_opf({"EF_A": value}, "mine")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def invoke(*arguments: str) -> object:
        return CliRunner().invoke(program(), ["onload", *arguments])

    return invoke


def test_a_profile_goes_out_and_comes_back_by_the_commands(run: object, tmp_path: Path) -> None:
    out = run("export", "latency", "-o", "l.opf")  # type: ignore[operator] # the fixture is a function
    assert out.exit_code == 0, out.output
    again = run("import", "l.opf", "-o", "profiles/onload/mine.toml")  # type: ignore[operator]
    assert again.exit_code == 0, again.output
    assert 'EF_POLL_USEC = "100000"' in (tmp_path / "profiles/onload/mine.toml").read_text()


def test_both_exports_write_the_same_and_neither_replaces_a_file(run: object) -> None:
    asked = ["export", "onload/latency", "--to", "opf"]
    text = CliRunner().invoke(program(), asked).stdout
    assert text == run("export", "latency").stdout  # type: ignore[operator]
    assert "onload_set EF_POLL_USEC 100000\n" in text
    assert run("export", "latency", "-o", "l.opf").exit_code == 0  # type: ignore[operator]
    assert "exists and stays" in str(run("export", "latency", "-o", "l.opf").exception)  # type: ignore[operator]


def test_an_import_is_found_beside_the_file_or_among_ours(run: object, tmp_path: Path) -> None:
    (tmp_path / "base.opf-fragment").write_text("onload_set EF_TX_PUSH 0\n")
    (tmp_path / "mine.opf").write_text("onload_import base\nonload_import latency\n")
    found = json.loads(run("import", "mine.opf", "--json").stdout)  # type: ignore[operator]
    assert found["settings"]["EF_TX_PUSH"] == "0"
    assert found["settings"]["EF_POLL_USEC"] == "100000"


def test_a_profile_that_runs_commands_is_refused_unless_they_are_left_out(run: object, tmp_path: Path) -> None:
    (tmp_path / "bad.opf").write_text("touch pwned\nonload_set EF_TX_PUSH 0\n")
    refused = run("import", "bad.opf", "-o", "bad.toml")  # type: ignore[operator]
    assert refused.exit_code == 1
    assert "line 1" in refused.output
    assert not (tmp_path / "bad.toml").exists()
    taken = run("import", "bad.opf", "--leave-out-commands", "-o", "bad.toml")  # type: ignore[operator]
    assert taken.exit_code == 0, taken.output
    assert not (tmp_path / "pwned").exists()
