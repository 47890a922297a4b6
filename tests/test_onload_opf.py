"""Profiles of Onload are read as data: nothing in them is ever executed, and what is written reads back the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.errors import Finding, Severity, UsageError
from tuner.stacks.onload.opf import MAX_CHARACTERS, Reading, Source, read_opf, to_opf

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


def settings(text: str, environment: dict[str, str] | None = None, *, force: bool = False) -> dict[str, str]:
    reading = read_opf(text, "x.opf", none, environment, force=force)
    assert reading.skipped == ()
    return dict(reading.settings)


def findings(text: str) -> tuple[Finding, ...]:
    return read_opf(text, "x.opf", none).findings


def importing(text: str, **others: str) -> Reading:
    return read_opf(text, "x.opf", lambda name: Source(name, others[name]) if name in others else None)


@given(st.dictionaries(names, values, max_size=6))
@example({"EF_A": "#", "EF_B": "a=b", "EF_C": '"$X` ; rm\\'})
def test_what_is_written_reads_back_exactly_and_in_order(written: dict[str, str]) -> None:
    reading = read_opf(to_opf(written, "any"), "x.opf", none)
    homes = [name for name, value in written.items() if value.startswith("~")]
    assert (list(reading.settings.items()), [one.where for one in reading.findings]) == (list(written.items()), homes)


@given(st.one_of(st.text(), st.lists(statements).map("\n".join), st.lists(statements).map(";".join)))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    reading = importing(text, latency=text)
    assert all(name.startswith("EF_") for name in reading.settings)
    assert not reading.skipped or reading.findings


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
    text = 'onload_set EF_INT_DRIVEN 1\nonload_import latency "$@"\nonload_set EF_POLL_USEC 5\n'
    reading = importing(text, latency="onload_set EF_POLL_USEC 100000\nonload_set EF_INT_DRIVEN 0\n")
    assert reading.settings == {"EF_INT_DRIVEN": "1", "EF_POLL_USEC": "100000"}
    assert [one.where for one in reading.findings] == ["x.opf: line 2: latency: line 2", "x.opf: line 3"]


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
    reading = read_opf(text, "x.opf", none)
    assert reading.settings == {
        "EF_CLUSTER_NAME": "node", "EF_MAX_ENDPOINTS": "100000", "EF_SOCKET_CACHE_MAX": "20000",
    }  # fmt: skip
    assert [one.text for one in reading.skipped] == ["MODE=1"]
    assert settings(text, {"EF_NAME": "a", "MODE": "1"})["EF_SOCKET_CACHE_MAX"] == "20000"
    assert settings(text, {"MODE": "0", "EF_CLUSTER_NAME": "web"})["EF_CLUSTER_SIZE"] == "1"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rm -rf /", "'rm' would be run"),
        ("onload_set EF_A $(id)", "the output of a command"),
        ("onload_set EF_A `id`", "the output of a command"),
        ("onload_set EF_A 1 > /etc/x", "a file would be written"),
        ("onload_set EF_B 1 && reboot", "'reboot' would be run"),
        ("onload_set EF_B 1; reboot", "'reboot' would be run"),
        ("cat x | sh", "'sh' would be run"),
        (". openonload.sh", "in PATH"),
        (". /etc/none.sh", "not known"),
        ("eval $(id)", "the output of a command"),
        ("export EF_A=$HOME", "HOME is not given"),
        ("source /etc/x", "only some shells"),
        ("[[ -n $EF_A ]]", "only some shells"),
        ("for i in *; do onload_set EF_A 1; done", "names of files"),
        ("if onload_stackdump; then onload_set EF_A 1; fi", "'onload_stackdump' would be run"),
        ("if [ -e /etc/x ]; then onload_set EF_A 1; fi", "the files of the host"),
        ("onload_set 'x;id' 1", "not the name of a variable"),
        ("onload_set EF_A ${EF_B/a/b}", "only some shells"),
        ("onload_set EF_A *", "names of files"),
        ('onload_set EF_A "it\'s"', "only where /bin/sh is bash"),
        ("onload_set EF_A $((1 / 0))", "divides by 0"),
        ("onload_set EF_A {1,2}", "shells read it differently"),
        ("onload_import nothing", "no profile 'nothing'"),
        ("read EF_A", "while the profile is used"),
        ("while [ $(id) ]; do onload_set EF_A 1; done", "the output of a command"),
        ("case $SITE in a) onload_set EF_A 1;; esac", "SITE is not given"),
        ("alias onload_set=rm", "only some shells"),
        ("exec 2>/tmp/x", "a file would be written"),
    ],
)
def test_what_only_a_running_shell_knows_is_left_out_with_its_place(line: str, words: str) -> None:
    reading = read_opf(f"onload_set EF_FIRST 1\n{line}\n", "x.opf", none)
    assert {"EF_FIRST": "1"}.items() <= reading.settings.items() or not reading.complete
    assert "EF_A" not in reading.settings
    assert reading.findings[0].where == "x.opf: line 2"
    assert words in " ".join(one.message for one in reading.findings)
    assert reading.skipped


@pytest.mark.parametrize(
    "line",
    [
        "exit 1",
        "fail no",
        "onload_import a",
        "exec sh",
        "x() { exit; }; x",
        "(exit 1); exit",
        "trap",
        "true || x; exit",
    ],
)
def test_a_profile_that_ends_the_wrapper_is_an_error_or_says_that_it_may(line: str) -> None:
    reading = importing(f"onload_set EF_A 1\n{line}\nonload_set EF_B 1\n", a="exit 3\n")
    errors = [one.message for one in reading.findings if one.severity is Severity.ERROR]
    assert (errors == []) == (line == "trap")
    assert reading.settings == ({"EF_A": "1", "EF_B": "1"} if line == "trap" else {"EF_A": "1"})


@pytest.mark.parametrize(
    "text", ["if [ -z 1 ]; then\n", "fi\n", "onload_set EF_A 'open\n", "x() {", "case a in b", "a | | b", "! ! a"]
)
def test_a_syntax_error_is_told_with_its_line_and_what_is_before_it_counts(text: str) -> None:
    reading = read_opf(f"onload_set EF_B 1\n{text}", "x.opf", none)
    assert reading.settings == {"EF_B": "1"}
    assert [one.severity for one in reading.findings] == [Severity.ERROR]
    assert "syntax error" in reading.findings[0].message
    assert reading.findings[0].where.startswith("x.opf: line ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for i in a b; do\n onload_set EF_X $i\ndone", {"EF_X": "a"}),
        ("i=0\nwhile [ $i -lt 3 ]; do i=$((i + 1)); [ $i -eq 2 ] && break; done\nonload_set EF_X $i", {"EF_X": "2"}),
        ('f() {\n onload_set EF_X "$1"\n}\nf 7', {"EF_X": "7"}),
        ("A=b\ncase $A in\n a) onload_set EF_X 1;;\n b|c) onload_set EF_X 2;;\n *) x;; esac", {"EF_X": "2"}),
        ("export EF_X=3 EF_Y\nonload_set EF_X 4", {"EF_X": "3"}),
        ("EF_X=3\nonload_set EF_X 4", {}),
        ("onload_set EF_X 4\nunset EF_X", {}),
        ("(onload_set EF_X 1)\nonload_set EF_Y 1 | cat", {}),
        ('[ "$EF_Y" ] || onload_set EF_X 1', {"EF_X": "1"}),
        ("onload_set EF_X ${EF_Y:-${EF_Z:-9}}", {"EF_X": "9"}),
        (": ${EF_Y:=5}\nonload_set EF_X $EF_Y", {"EF_X": "5"}),
        ("F=a.b.c\nonload_set EF_X ${F%%.*}\nonload_set EF_Y ${F##*.}\nonload_set EF_Z ${#F}", {"EF_X": "a", "EF_Y": "c", "EF_Z": "5"}),
        ("x() { return 1; }\nif x; then onload_set EF_X 1; else onload_set EF_X 2; fi", {"EF_X": "2"}),
        ("if [ $(id) ]; then onload_set EF_X 1; else onload_set EF_X 1; fi", {"EF_X": "1"}),
        ("cat <<A <<'B'\nonload_set EF_X 1\nA\nonload_set EF_X 2\nB\nonload_set EF_X 3", {"EF_X": "3"}),
        ("set -- a b\nshift\nonload_set EF_X $1\nonload_set EF_Y $#", {"EF_X": "b", "EF_Y": "1"}),
        ("eval 'onload_set EF_X 1'", {"EF_X": "1"}),
        ("$profileforce || onload_set EF_X 1", {"EF_X": "1"}),
        ("onload_set EF_X 0x10\nonload_set EF_Y $((0x10 | 010))", {"EF_X": "0x10", "EF_Y": "24"}),
    ],
)  # fmt: skip
def test_what_a_shell_would_surely_do_is_done(text: str, expected: dict[str, str]) -> None:
    assert read_opf(text, "x.opf", none).settings == expected


def test_what_depends_on_what_is_left_out_is_left_out_too_and_nothing_else() -> None:
    text = 'fast=\nfor nic in /sys/class/net/*; do\n fast=1\ndone\nif [ "$fast" ]; then\n:\nelse\nonload_set EF_A ct\nfi\nonload_set EF_B 1\n'
    reading = read_opf(text, "x.opf", none)
    assert reading.settings == {"EF_B": "1"}
    assert [(one.text, one.where) for one in reading.skipped] == [("EF_A", "x.opf: line 2")]


def test_code_that_may_set_anything_leaves_everything_behind_it_in_doubt() -> None:
    reading = read_opf("onload_set EF_A 1\nsource x\nonload_set EF_B 1\n", "x.opf", none)
    assert (reading.settings, reading.complete) == ({}, False)
    forced = read_opf("source x\nonload_set EF_B 1\n", "x.opf", none, force=True)
    assert forced.settings == {"EF_B": "1"}


def test_what_is_in_a_branch_that_is_not_taken_concerns_nobody() -> None:
    assert findings('if [ -n "$EF_A" ]; then\nrm x\nfi\nonload_set EF_B 1\n') == ()


def test_a_return_that_is_in_doubt_leaves_only_what_is_behind_it_in_doubt() -> None:
    reading = read_opf("onload_set EF_A 1\nif [ $(id) ]; then return; fi\nonload_set EF_B 1\n", "x.opf", none)
    assert reading.settings == {"EF_A": "1"}
    assert [one.text for one in reading.skipped] == ["EF_B"]


def test_imports_that_go_round_end() -> None:
    said = importing("onload_import a", a="onload_import a").findings
    assert "a → a" in " ".join(one.message for one in said)


@pytest.mark.parametrize(
    "text", ["while :; do :; done", "f() { f; }\nf", "f() { f; f; }\nf", "X=aa\nwhile :; do X=$X$X; done"]
)
def test_a_text_that_never_ends_is_left_out_in_time(text: str) -> None:
    assert not read_opf(text, "x.opf", none).complete


@pytest.mark.parametrize(
    "text", ["$(" * 5000, "{ " * 5000, '"${A:-' * 5000, "$((" * 5000, "if :; then " * 5000, "((" * 5000, "a() " * 5000]
)
def test_a_text_that_is_nested_without_end_is_a_finding(text: str) -> None:
    assert findings(text)


@pytest.mark.parametrize("inside", ["( f )", "f | cat", "{ ( f ); }", "if ( f ); then onload_set EF_NAME b; fi"])
def test_what_is_behind_a_shell_of_its_own_that_never_ends_is_in_doubt(inside: str) -> None:
    found = read_opf(f"onload_set EF_UL_EPOLL 1\nf() {{ {inside}\n}}\nf\nonload_set EF_POLL_USEC 5\n", "x.opf", none)
    assert not found.complete
    assert found.settings == {}


def test_a_file_without_end_is_refused() -> None:
    assert "no profile" in findings("#" * (MAX_CHARACTERS + 1))[0].message


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
    assert "exists and was not changed" in str(run("export", "latency", "-o", "l.opf").exception)  # type: ignore[operator]


def test_a_profile_that_runs_commands_is_refused_where_all_has_to_be_understood(run: object, tmp_path: Path) -> None:
    (tmp_path / "bad.opf").write_text("touch pwned\nonload_set EF_TX_PUSH 0\n")
    refused = run("import", "bad.opf", "-o", "bad.toml", "--strict")  # type: ignore[operator]
    assert refused.exit_code == 2
    assert "line 1" in refused.output
    assert not (tmp_path / "bad.toml").exists()
    taken = run("import", "bad.opf", "-o", "bad.toml")  # type: ignore[operator]
    assert taken.exit_code == 0, taken.output
    assert "line 1" in taken.output
    assert not (tmp_path / "pwned").exists()
