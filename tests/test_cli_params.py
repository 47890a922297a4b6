"""`tuner params`, and the tables and JSON that every command writes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tuner import catalogue
from tuner.cli.main import program
from tuner.cli.screen import output
from tuner.cli.screen.failure import status
from tuner.errors import UsageError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program(), ["params", *arguments])


def said(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exception is None, result.output
    assert result.exit_code == 0
    assert result.stderr == ""
    return result.stdout


def refused(*arguments: str) -> UsageError:
    raised = run(*arguments).exception
    assert isinstance(raised, UsageError)
    return raised


def test_the_list_has_every_name_and_says_which_are_no_settings() -> None:
    listed = json.loads(said("list", "--json"))
    assert [row["name"] for row in listed] == list(catalogue.load("xlio").parameters)
    assert {row["kind"] for row in listed if row["name"] == "XLIO_NGINX_WORKER_NUM"} == {"alias"}
    assert {"name", "stack", "type", "default"} <= listed[0].keys()


def test_the_json_of_a_parameter_has_all_its_fields() -> None:
    (row,) = [row for row in json.loads(said("list", "--json")) if row["name"] == "XLIO_RX_POLL"]
    assert (row["stack"], row["type"], row["default"], row["min"], row["max"]) == (
        "xlio",
        "int",
        "100000",
        -1,
        100000000,
    )
    assert row["special"] == {"-1": "for ever", "0": "read as 1"}
    assert row == json.loads(said("show", "XLIO_RX_POLL", "--json"))


def test_the_list_is_of_the_stack_and_group_asked_for() -> None:
    lines = said("list", "--stack", "kernel", "--group", "poll").splitlines()
    assert lines[0].split() == ["NAME", "TYPE", "DEFAULT", "SUMMARY"]
    assert [line.split()[0] for line in lines[1:]] == ["XLIO_RX_POLL", "XLIO_RX_POLL_YIELD", "XLIO_SELECT_POLL"]


def test_the_list_says_what_is_gone() -> None:
    (line,) = [line for line in said("list").splitlines() if line.startswith("XLIO_THREAD_MODE ")]
    assert "(until 3.40.0)" in line


def test_a_page_says_all_that_is_known() -> None:
    page = said("show", "XLIO_TX_WRE")
    for words in (
        "xlio",
        "2048 from 2.0.6 on",
        "32768 from 2.1.2 on",
        "from 2 to 32768",
        "tx_wre_vs_batch",
        "sys_vars.cpp",
    ):
        assert words in page
    assert "The table says 3000; the library has 32768." in page
    assert "performance.rings.tx.ring_elements_count" in page


def test_a_page_for_a_release_has_the_default_and_values_of_that_release() -> None:
    page = said("show", "XLIO_TX_WRE", "--stack-version", "2.1.1")
    assert "2048 in 2.1.1" in page
    assert "from 2.1.2 on" not in page
    old, new = (said("show", "XLIO_SPEC", "--stack-version", release) for release in ("3.40.0", "3.61.2"))
    assert ("multi_ring_latency" in old, "allowed     one of none, latency, ultra_latency, nginx" in new) == (
        True,
        True,
    )


def test_a_page_for_a_release_says_that_it_does_not_read_the_variable() -> None:
    assert "not read: setting it does nothing" in said("show", "XLIO_BF", "--stack-version", "3.61.2")


def test_a_page_shows_a_size_for_people_too() -> None:
    assert "2147483648 (2 GB)" in said("show", "XLIO_MEMORY_LIMIT")


def test_a_name_is_looked_up_in_xlio_first_and_the_page_says_so() -> None:
    assert "stack       xlio (also in kernel: see --stack)" in said("show", "XLIO_RX_POLL")
    assert "stack       kernel (also in xlio: see --stack)" in said("show", "XLIO_RX_POLL", "--stack", "kernel")


def test_an_alias_names_what_to_use() -> None:
    assert "alias, not a setting: use XLIO_LOG_COLORS" in said("show", "LOG_COLORS")


@pytest.mark.parametrize(
    ("arguments", "message", "advice"),
    [
        (("show", "XLIO_RX_POL"), "XLIO has no such variable: XLIO_RX_POL", "did you mean XLIO_RX_POLL?"),
        (("show", "VMA_RX_POL"), "VMA has no such variable: VMA_RX_POL", "did you mean VMA_RX_POLL?"),
        (
            ("show", "XLIO_MS", "--stack", "kernel"),
            "the kernel stack has no such variable: XLIO_MS",
            "did you mean XLIO_MSS?",
        ),
        (("list", "--stack", "xlo"), "unknown stack 'xlo'", "did you mean xlio?"),
        (("search", "x", "--stack", "kernal"), "unknown stack 'kernal'", "did you mean kernel?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(arguments: tuple[str, ...], message: str, advice: str) -> None:
    raised = refused(*arguments)
    assert (raised.message, raised.advice, status(raised)) == (message, advice, 2)


def test_an_unknown_group_is_refused_with_the_known_ones() -> None:
    raised = refused("list", "--group", "pol")
    assert raised.advice.startswith("did you mean poll? known: cq, logging")


def test_a_search_finds_every_word_in_names_and_explanations() -> None:
    names = [row["name"] for row in json.loads(said("search", "CQ moderation", "--json"))]
    assert "XLIO_CQ_MODERATION_ENABLE" in names
    assert "XLIO_RX_POLL" not in names


def test_a_search_looks_in_every_stack_unless_told() -> None:
    both = {row["stack"] for row in json.loads(said("search", "rx_poll", "--json"))}
    one = {row["stack"] for row in json.loads(said("search", "rx_poll", "--stack", "kernel", "--json"))}
    assert (both, one) == ({"xlio", "kernel", "vma"}, {"kernel"})


def test_every_parameter_has_a_page() -> None:
    for stack in catalogue.stacks():
        for name, parameter in catalogue.load(stack).parameters.items():
            page = said("show", name, "--stack", stack)
            assert page.startswith(f"{name}\n  stack       {stack}")
            assert parameter.summary.split()[0] in page


@pytest.mark.parametrize("command", ["list", "show", "search"])
def test_help_has_an_example(command: str) -> None:
    assert f"tuner params {command} " in said(command, "--help")


def test_a_table_is_aligned() -> None:
    assert output.table(("A", "LONG"), [("xyz", "1"), ("y", "a\nb")]) == "A    LONG\nxyz  1\ny    a b"


def test_a_table_is_cut_to_the_width_at_its_last_column() -> None:
    cut = output.table(("NAME", "TEXT"), [("a", "word " * 20)], width=40)
    assert [len(line) <= 40 for line in cut.splitlines()] == [True, True]
    assert cut.endswith("…")


def test_a_table_without_rows_is_its_header() -> None:
    assert output.table(("A", "B"), []) == "A  B"


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=40)), max_size=5), st.integers(23, 60) | st.just(0))
def test_a_table_has_one_line_a_row_where_that_has_room(rows: list[tuple[str, str]], width: int) -> None:
    assert len(output.table(("A", "B"), rows, width).split("\n")) == len(rows) + 1


@given(st.lists(st.tuples(*[st.text(max_size=30)] * 3), max_size=5), st.integers(1, 60))
def test_no_line_of_a_table_is_longer_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    assert max(map(len, output.table(("A", "B", "C"), rows, width).split("\n"))) <= width


def test_a_table_that_is_too_wide_becomes_lines_behind_their_headers() -> None:
    narrow = output.table(("median", "default", "best"), [("latency_p50_us", "40.5 (40–41)", "4.6 (4.5–4.7)")], 40)
    assert narrow == "latency_p50_us\n  default  40.5 (40–41)\n  best     4.6 (4.5–4.7)"


def test_json_keeps_the_signs_of_the_field(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"unit": "µs"})
    assert capsys.readouterr().out == '{\n  "unit": "µs"\n}\n'
