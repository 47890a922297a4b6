"""A rule file is read as the library's parser reads it, also where the documents say otherwise."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.conf.explain import explain
from tuner.conf.lint import lint
from tuner.conf.match import Address, Socket, answer
from tuner.conf.rules import documented, parse
from tuner.conf.words import DOCUMENTED, PARSED, ROLES, words
from tuner.conf.write import write
from tuner.errors import Severity, UsageError

SHIPPED = "# shipped\napplication-id * *\nuse os udp_connect *:53\n"


def read(text: str) -> list[str]:
    return [str(rule) for rule in parse(text).rules]


def first(text: str) -> tuple[str, str, str]:
    found = lint(text, "f")[0]
    return found.where, found.message, found.suggestion


def to(text: str) -> Address:
    ip, _, port = text.rpartition(":")
    return Address(IPv4Address(ip), int(port))


def offloaded(text: str, role: str, address: str, program: str = "sockperf", **more: str) -> bool:
    other = to(more["other"]) if "other" in more else None
    asked = Socket(program, role, to(address), more.get("id", "XLIO_DEFAULT_APPLICATION_ID"), other)
    return answer(parse(text), asked).offloaded


def test_the_shipped_file_has_nothing_wrong() -> None:
    assert lint(SHIPPED, "f") == []
    assert read(SHIPPED) == ["use os udp_connect *:53"]


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n", "   \t\n#x", "application-id * *", "use os tcp_server *:1"])
def test_blank_lines_comments_and_a_missing_last_newline_are_fine(text: str) -> None:
    assert parse(text).stops == ()


def test_the_documented_word_xlio_ends_the_reading() -> None:
    text = "use os tcp_server *:1\nuse xlio tcp_client *:2\nuse os tcp_server *:3\n"
    where, message, suggestion = first(text)
    assert where == "f:2:5"
    assert "rules lost from here on: 2" in message
    assert "use vma" in suggestion
    assert read(text) == ["use os tcp_server *:1"]
    assert [str(rule) for rule in documented(text).rules][1] == "use xlio tcp_client *:2"


def test_what_stands_behind_the_first_error_is_checked_too() -> None:
    text = "use xlio tcp_client *:2\nuse OS tcp_server *:3\nuse os tcp_srver *:3\n"
    assert [found.where for found in lint(text, "f")] == ["f:1:5", "f:2:5", "f:3:8"]
    assert [found.suggestion for found in lint(text, "f")][1:] == ["did you mean os?", "did you mean tcp_server?"]


def test_a_complete_rule_counts_although_garbage_follows_on_its_line() -> None:
    assert read("use os tcp_server *:5001 junk\n") == ["use os tcp_server *:5001"]
    assert read("use os tcp_server *:5001: junk\n") == []


def test_the_library_counts_a_line_twice_that_ends_in_a_comment() -> None:
    text = "use os tcp_server *:1 # a\n# b\nbad\n"
    assert parse(text).stops[0].found.counted == 4
    assert "calls it line 4" in first(text)[1]


def test_several_statements_may_stand_on_one_line() -> None:
    assert read("application-id a b use os tcp_server *:1 use vma tcp_client *:2") == [
        "use os tcp_server *:1",
        "use vma tcp_client *:2",
    ]


def test_dos_line_ends_break_the_file() -> None:
    assert "Unix line ends" in first("use os tcp_server *:1\r\n")[2]
    found = lint("application-id * *\r\nuse os tcp_server *:1\n", "f")
    assert "belongs to the id" in found[0].message
    assert parse("application-id * *\r\n").instances[0].id == "*\r"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("use os tcp_server *:99999", "wraps around at 65536: the library reads 34463"),
        ("use os tcp_server *:0-65536", "the library reads 0-0"),
        ("use os tcp_server *:9-8", "upside down"),
        ("use os tcp_server 1.2.3.4/256:*", "the library takes /0"),
        ("use os tcp_server 1.2.3.4/33:*", "the library takes /32"),
        ("use os tcp_server 1.2.3.256:*", "takes 0.0.0.0 instead"),
        ("use os tcp_server 01.2.3.4:*", "expected `.`"),
        ("use os tcp_server ::1:*", "expected an IPv4 address"),
        ("use sdp tcp_server *:*", "never matches"),
        ("use os tcp_server *:1:*:2", "the second one is ignored"),
        ("log destination stderr", "expected syslog or yfile or ystderr"),
        ("log destination file x", "expected syslog or yfile or ystderr"),
        ("log destination ystderr", "has no effect"),
        ("log min-level 1", "standard output"),
        ("application-id sockperf", "expected an id"),
        ("use os tcp_server *", "expected `:` and a port"),
    ],
)
def test_lint_says_what_the_library_makes_of_it(rule: str, says: str) -> None:
    assert says in first(rule + "\n")[1]


def test_an_illegal_address_keeps_that_of_the_rule_before() -> None:
    assert read("use os tcp_server 10.0.0.1:1\nuse os tcp_server 10.0.0.300:2\n")[1] == "use os tcp_server 10.0.0.1:2"


def test_a_rule_behind_one_that_covers_it_is_dead() -> None:
    text = "use os tcp_server 10.0.0.0/8:*\nuse vma tcp_server 10.1.0.0/16:80-90\nuse vma tcp_client 10.1.0.0/16:80\n"
    assert [(one.line, one.state) for one in explain(text)] == [(1, "works"), (2, "dead"), (3, "works")]
    assert lint(text, "f")[0].where == "f:2:1"


def test_an_application_id_behind_one_for_everything_is_never_reached() -> None:
    text = "application-id * *\nuse os tcp_server *:1\napplication-id sockperf *\nuse os tcp_client *:2\n"
    assert "never reached" in lint(text, "f")[0].message
    assert [one.state for one in explain(text)] == ["works", "dead"]
    assert offloaded(text, "tcp_client", "1.1.1.1:2")


def test_rules_before_any_application_id_are_for_every_program_and_equal_ids_are_one() -> None:
    text = (
        "use os tcp_server *:1\napplication-id a b\nuse os tcp_server *:2\napplication-id * *\nuse os tcp_server *:3\n"
    )
    assert [(one.program, len(one.rules)) for one in parse(text).instances] == [("*", 2), ("a", 1)]


@pytest.mark.parametrize(
    ("pattern", "program", "matches"),
    [("sock*", "sockperf", True), ("sock?", "sockperf", False), ("[^s]ock", "rock", True), ("a\\*", "a*", True),
     ("a\\*", "ab", False), ("Sockperf", "sockperf", False)],
)  # fmt: skip
def test_a_program_is_matched_as_a_shell_pattern(pattern: str, program: str, matches: bool) -> None:
    text = f"application-id {pattern} *\nuse os tcp_server *:1\n"
    assert offloaded(text, "tcp_server", "1.1.1.1:1", program) is not matches


def test_an_id_is_compared_as_text_and_a_star_on_either_side_matches() -> None:
    text = "application-id * B1\nuse os tcp_server *:1\n"
    assert offloaded(text, "tcp_server", "1.1.1.1:1")
    assert not offloaded(text, "tcp_server", "1.1.1.1:1", id="B1")
    assert not offloaded(text, "tcp_server", "1.1.1.1:1", id="*")


def test_the_first_matching_rule_of_the_role_decides() -> None:
    text = "use vma tcp_client 10.0.0.0/8:80\nuse os tcp_client *:*\nuse os udp_sender *:53\n"
    assert offloaded(text, "tcp_client", "10.9.9.9:80")
    assert not offloaded(text, "tcp_client", "10.9.9.9:81")
    assert offloaded(text, "tcp_server", "10.9.9.9:81")
    assert not offloaded(text, "udp_sender", "8.8.8.8:53")


def test_the_second_address_of_a_client_counts_only_when_it_is_known() -> None:
    text = "use os tcp_client *:*:10.0.0.0/8:*\n"
    assert not offloaded(text, "tcp_client", "1.1.1.1:1", other="10.0.0.1:9")
    assert offloaded(text, "tcp_client", "1.1.1.1:1", other="11.0.0.1:9")
    assert not offloaded(text, "tcp_client", "1.1.1.1:1")


def test_a_socket_is_left_to_the_kernel_when_made_if_both_ends_are() -> None:
    text = "use os udp_receiver *:*\nuse os udp_sender *:*\nuse vma udp_connect *:*\n"
    assert not offloaded(text, "udp_connect", "1.1.1.1:1")
    assert offloaded(text.replace("use os udp_sender *:*\n", ""), "udp_connect", "1.1.1.1:1")


def test_no_ipv6_address_matches_a_rule_with_an_address() -> None:
    asked = Socket("a", "tcp_server", Address(None, 1))
    assert answer(parse("use os tcp_server 0.0.0.0/0:1"), asked).offloaded
    assert not answer(parse("use os tcp_server *:1"), asked).offloaded


def test_new_writes_vma_and_refuses_what_would_not_do_what_it_says() -> None:
    assert write(["xlio tcp_client 10.0.0.0/8:*", "tcp_server *:22"], "sockperf", "B1") == (
        "application-id sockperf B1\nuse vma tcp_client 10.0.0.0/8:*\nuse os tcp_server *:22\n"
    )
    with pytest.raises(UsageError) as caught:
        write(["tcp_server *:70000", "tcp_sever *:1"], "two words")
    assert len(caught.value.findings) == 1
    with pytest.raises(UsageError) as caught:
        write(["tcp_server *:70000", "tcp_sever *:1"])
    assert len(caught.value.findings) == 2


octet = st.integers(0, 255)
address = st.one_of(
    st.just("*"),
    st.builds(lambda a, b, c, d: f"{a}.{b}.{c}.{d}", octet, octet, octet, octet),
    st.builds(lambda a, b, length: f"{a}.{b}.0.0/{length}", octet, octet, st.integers(0, 31)),
)
port = st.integers(0, 65535)
ports = st.one_of(st.just("*"), port.map(str), st.tuples(port, port).map(lambda p: f"{min(p)}-{max(p)}" if p[0] != p[1] else str(p[0])))  # fmt: skip
end = st.builds(lambda a, p: f"{a}:{p}", address, ports)
rule = st.builds(
    lambda t, r, a, b: f"{t} {r} {a}" + (f":{b}" if b and r in {"tcp_client", "udp_connect"} else ""),
    st.sampled_from(["os", "vma"]),
    st.sampled_from(ROLES),
    end,
    st.none() | end,
)
soup = st.lists(
    st.sampled_from([*PARSED.keywords, *DOCUMENTED.keywords, "*", ":", ".", "/", "-", "\n", " ", "\t", "#", "0", "65536", "\r"])
    | st.text(max_size=3),
    max_size=40,
).map("".join)  # fmt: skip


@given(st.lists(rule, max_size=6))
def test_every_legal_rule_comes_back_as_it_was_written(rules: list[str]) -> None:
    text = "application-id * *\n" + "".join(f"use {one}\n" for one in rules)
    assert read(text) == [f"use {one}" for one in rules]
    assert not [found for found in lint(text, "f") if found.severity is Severity.ERROR]


@given(soup)
def test_no_text_crashes_the_readers(text: str) -> None:
    for dialect in (PARSED, DOCUMENTED):
        assert list(words(text, dialect))[-1].line == text.count("\n") + 1
        parse(text, dialect)
    findings = lint(text, "f")
    said = ("syntax error", "is an environment variable", "ends the file for the library")
    assert bool(parse(text).stops) == any(words in found.message for found in findings for words in said)
    explain(text)


@given(soup, soup)
def test_what_stands_behind_an_error_changes_nothing(before: str, behind: str) -> None:
    broken = before + "\n$\n"
    assert parse(broken + behind).instances == parse(broken).instances


def test_the_page_on_rule_files_shows_what_the_code_says() -> None:
    page = (Path(__file__).parents[1] / "docs" / "conf.md").read_text(encoding="utf-8")
    blocks = page.split("```")[1::2]
    example = next(block for block in blocks if block.startswith("conf\n")).removeprefix("conf\n")
    shown = next(block for block in blocks if block.startswith("text\n")).removeprefix("text\n")
    assert shown == "".join(f"{found}\n" for found in lint(example, "libxlio.conf"))


def test_a_later_rule_for_every_address_decides_by_program_where_a_narrower_one_contradicts_the_first() -> None:
    text = "use os tcp_server *:80\nuse vma tcp_server *:*\nuse os tcp_server *:*\nuse os tcp_client *:*\n"
    found = answer(parse(text), Socket("x", "tcp_server", Address(IPv4Address("10.0.0.1"), 99)))
    assert (found.offloaded, found.rule and found.rule.line) == (False, 3)
    without = text.replace("use os tcp_server *:80\n", "")
    assert answer(parse(without), Socket("x", "tcp_server", Address(IPv4Address("10.0.0.1"), 99))).offloaded


def test_a_port_beyond_32_bits_is_said_to_wrap() -> None:
    (found,) = lint("use os tcp_server *:4294967376\n", "f")
    assert "port 4294967376 wraps around at 65536: the library reads 80" in found.message


def test_a_byte_outside_ascii_ends_the_file_without_a_word() -> None:
    text = "use os tcp_server *:1\n\u00e4 use os tcp_server *:2\nuse os tcp_server *:3\n"
    (found,) = lint(text, "f")
    assert found.message == "`\u00e4` ends the file for the library, without a word; rules lost from here on: 1"
    assert len(parse(text).rules) == 1


FIELD = Path(__file__).parent / "data" / "field" / "forms"


def test_settings_in_a_rule_file_are_told_where_they_belong() -> None:
    found = lint((FIELD / "k_libvma.conf").read_text(), "k_libvma.conf")
    assert [each.message.partition(" ")[0] for each in found] == ["VMA_SPEC", "VMA_RX_POLL", "VMA_THREAD_MODE"]
    assert found[1].suggestion == "set it in the environment of the program: export VMA_RX_POLL=-1"


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("libvma.conf", "with VMA_APPLICATION_ID=B1"),
        ("libxlio.conf", "with XLIO_APPLICATION_ID=B1"),
        ("l_rule.conf", "with XLIO_APPLICATION_ID=B1 (libxlio) or VMA_APPLICATION_ID=B1 (libvma)"),
    ],
)
def test_an_id_is_compared_with_the_variable_of_the_library_that_reads_the_file(file: str, says: str) -> None:
    first = explain((FIELD / "l_rule.conf").read_text(), file)[0]
    assert first.programs == f"programs called feed_app* {says}"


def test_an_answer_says_which_line_decides_or_that_none_does() -> None:
    socket = Socket("x", "tcp_server", Address(IPv4Address("10.0.0.1"), 99))
    for text, why in (
        ("application-id x *\nuse os tcp_server *:99", "line 2: "),
        ("application-id x *\nuse os tcp_server *:98", "no rule of its application-id matches"),
        ("application-id y *\nuse os tcp_server *:99", "no application-id of the file is for this program"),
    ):
        assert answer(parse(text), socket).why.startswith(why)


@pytest.mark.parametrize(("network", "hides"), [("0.0.0.0/0", True), ("*", True), ("128.0.0.0/1", False)])
def test_only_a_network_of_all_addresses_hides_a_rule_for_any_address(network: str, hides: bool) -> None:
    text = f"application-id x *\nuse os tcp_server {network}:*\nuse vma tcp_server *:*\n"
    assert any("never reached" in str(each) for each in lint(text, "f")) is hides
