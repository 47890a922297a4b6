"""The language of conditions, and what rules find and repair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue.expressions import DEEPEST, LONGEST, parse
from tuner.catalogue.rules import Rule, RuleKind, broken, numbers, repaired
from tuner.errors import UsageError

XLIO = catalogue.load("xlio")
TWICE = Rule("twice", "A >= 2 * B", RuleKind.SILENT_FIX, "A must be twice B", (("A", "2 * B"),))
HALF = Rule("half", "C >= A / 2", RuleKind.WARN_FIX, "C follows A", (("C", "A / 2"),), since="2.0", last="3.0")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3),
        ("-7 / 2", -4),
        ("7 % 4", 3),
        ("10 - 3 - 2", 5),
        ("--3", 3),
        ("1 < 2 < 3", 1),
        ("1 < 3 < 2", 0),
        ("not 1 == 2", 1),
        ("0 or 0 and 1", 0),
        ("1 or 0 and 0", 1),
        ("not 0 and 0", 0),
        ("min(3, 2) + max(3, 2)", 5),
        ("if(1 > 2, 3, 4)", 4),
        ("if(X == 'on', N, 0)", 8),
        ("X != 'off' and N >= 8", 1),
        ("N", 8),
        ("'on'", "on"),
    ],
)
def test_an_expression_has_its_usual_value(text: str, value: int | str) -> None:
    assert parse(text).value({"X": "on", "N": 8}) == value


def test_an_expression_knows_its_variables() -> None:
    assert parse("A >= 2 * B and min(C, 1) == 1").names == {"A", "B", "C"}


NO_EXPRESSIONS = """
1 +|(1|1)|a.b|f(1)|__import__('os')|x[0]|1 = 2|min(1)|if(1, 2)|and|'open|2 ** 3|1 is 2|1,2|0x10|1e3|a b|not|{}|`|\\|1; 2
x := 1|min|lambda: 1|9999999999999999999999|"a"|a if b else c|f'{x}'|1 and|not not|()
"""


@pytest.mark.parametrize("text", ["", *NO_EXPRESSIONS.strip().replace("\n", "|").split("|")])
def test_what_is_no_expression_is_refused_with_the_place(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read at character"):
        parse(text)


def test_what_is_too_long_or_too_deep_is_refused() -> None:
    assert parse("(" * DEEPEST + "1" + ")" * DEEPEST).value({}) == 1
    with pytest.raises(UsageError, match="nested deeper"):
        parse("(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1))
    with pytest.raises(UsageError, match="nested deeper"):
        parse("not " * (DEEPEST + 1) + "1")
    with pytest.raises(UsageError, match="at most"):
        parse("1" + "+1" * LONGEST)


@pytest.mark.parametrize("text", ["1 / 0", "1 % (2 - 2)", "'a' + 1", "X < 3", "-X", "max(X, 1)", "MISSING == 1"])
def test_what_cannot_be_evaluated_says_so(text: str) -> None:
    with pytest.raises(UsageError, match=r"needs a value of|cannot be evaluated"):
        parse(text).value({"X": "on"})


@given(st.one_of(st.text(max_size=60), st.text(alphabet="ABmin(if,)' 012+-*/%<>=!andort_\n", max_size=60)))
def test_no_text_raises_anything_but_our_own_error(text: str) -> None:
    try:
        value = parse(text).value({"A": 1, "B": "on", "mi": 2})
    except UsageError:
        return
    assert isinstance(value, int | str)


NUMBER = st.integers(0, 10**6)
ARITHMETIC = st.recursive(
    NUMBER.map(str),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "<", "==", ">="]), inner).map(
        lambda t: f"({' '.join(t)})"
    ),
    max_leaves=12,
)


@given(ARITHMETIC)
def test_arithmetic_agrees_with_python(text: str) -> None:
    assert parse(text).value({}) == int(eval(text))  # noqa: S307  the text is made of numbers and signs just above


def test_a_rule_that_holds_is_not_broken() -> None:
    assert broken([TWICE], {"A": 128, "B": 64}) == []


def test_a_broken_rule_brings_the_values_that_repair_it() -> None:
    (found,) = broken([TWICE], {"A": 100, "B": 64})
    assert (found.rule.id, found.repair) == ("twice", (("A", "128"),))


def test_a_rule_on_variables_without_a_value_is_left_out() -> None:
    assert broken([TWICE], {"A": 1}) == []


def test_a_rule_holds_only_in_its_releases() -> None:
    values = {"A": 100, "C": 0}
    assert [bool(broken([HALF], values, release)) for release in ("1.9", "2.0", "3.0", "3.1")] == [
        False,
        True,
        True,
        False,
    ]
    assert broken([HALF], values) == []


def test_repairs_go_on_until_nothing_is_broken() -> None:
    mended = repaired([HALF, TWICE], {"A": "1"}, lambda changed: {"B": "64", "C": "0", **changed}, "2.5")
    assert mended == {"A": "128", "C": "64"}


def test_repairs_leave_alone_what_no_setting_concerns() -> None:
    assert repaired([TWICE], {"D": "1"}, lambda changed: {"A": "1", "B": "64", **changed}) == {"D": "1"}


def test_rules_that_contradict_each_other_end() -> None:
    up = Rule("up", "A > B", RuleKind.RISK, "", (("A", "B + 1"),))
    down = Rule("down", "A < B", RuleKind.RISK, "", (("B", "A + 1"),))
    assert repaired([up, down], {"A": "1"}, lambda changed: {"B": "1", **changed})["A"] != "1"


def test_settings_are_read_as_numbers_where_they_are_numbers() -> None:
    assert numbers({"A": "64KB", "B": "-1", "C": "off", "D": ""}) == {"A": 65536, "B": -1, "C": "off", "D": ""}


def test_every_rule_of_every_stack_can_be_read_and_names_known_parameters() -> None:
    for stack in catalogue.stacks():
        known = catalogue.load(stack)
        for rule in known.rules:
            assert rule.message
            assert rule.names <= known.parameters.keys()
            assert {name for name, _ in rule.repair} <= known.parameters.keys()
            assert all(parse(text).names <= rule.names for _, text in rule.repair)


def test_rule_names_are_unique() -> None:
    names = [rule.id for rule in XLIO.rules]
    assert len(names) == len(set(names)) > 10


@pytest.mark.parametrize(
    ("settings", "repair"),
    [
        ({"XLIO_TX_WRE": "100"}, {"XLIO_TX_WRE": "128"}),
        ({"XLIO_RX_WRE": "8", "XLIO_RX_WRE_BATCHING": "8"}, {"XLIO_RX_WRE": "16"}),
        ({"XLIO_RX_WRE_BATCHING": "1024"}, {"XLIO_RX_WRE": "2048"}),
        ({"XLIO_QP_COMPENSATION_LEVEL": "1", "XLIO_RX_WRE_BATCHING": "4"}, {"XLIO_QP_COMPENSATION_LEVEL": "4"}),
        ({"XLIO_RX_WRE": "32768"}, {"XLIO_RX_WRE": "2048"}),
        ({"XLIO_TIMER_RESOLUTION_MSEC": "200"}, {"XLIO_TCP_TIMER_RESOLUTION_MSEC": "200"}),
        ({"XLIO_BUFFER_BATCHING_MODE": "0"}, {"XLIO_TX_BUFS_BATCH_TCP": "1"}),
        ({"XLIO_TSO": "auto", "XLIO_RING_MIGRATION_RATIO_TX": "20"}, {"XLIO_RING_MIGRATION_RATIO_TX": "-1"}),
        ({"XLIO_DISABLE_FLOW_TAG": "1", "XLIO_MC_FORCE_FLOWTAG": "1"}, {"XLIO_MC_FORCE_FLOWTAG": "0"}),
        (
            {"XLIO_UTLS_HIGH_WMARK_DEK_CACHE_SIZE": "100", "XLIO_UTLS_LOW_WMARK_DEK_CACHE_SIZE": "512"},
            {"XLIO_UTLS_LOW_WMARK_DEK_CACHE_SIZE": "50"},
        ),
        ({"XLIO_UTLS_HIGH_WMARK_DEK_CACHE_SIZE": "100"}, {}),
        (
            {"XLIO_TCP_CTL_THREAD": "delegate", "XLIO_RING_ALLOCATION_LOGIC_RX": "0"},
            {
                "XLIO_RING_ALLOCATION_LOGIC_RX": "20",
                "XLIO_RING_ALLOCATION_LOGIC_TX": "20",
                "XLIO_PROGRESS_ENGINE_INTERVAL": "0",
            },
        ),
        ({"XLIO_STRQ": "off", "XLIO_RX_WRE": "64"}, {"XLIO_RX_WRE": "2048"}),
        ({"XLIO_RX_POLL": "1000"}, {}),
        ({"XLIO_TSO": "off", "XLIO_RING_MIGRATION_RATIO_TX": "20"}, {}),
    ],
)
def test_xlio_settings_are_repaired_as_the_library_would(settings: dict[str, str], repair: dict[str, str]) -> None:
    mended = XLIO.repaired(settings, "3.61.2")
    changed = {name: value for name, value in mended.items() if settings.get(name) != value}
    assert changed == repair
    assert XLIO.broken(mended, "3.61.2") == []


def test_too_little_memory_to_start_cannot_be_repaired_but_is_found() -> None:
    settings = {"XLIO_MEMORY_LIMIT": "16MB"}
    assert XLIO.repaired(settings, "3.61.2") == settings
    assert [one.rule.id for one in XLIO.broken(settings, "3.61.2")] == ["mem_start"]
    assert XLIO.broken({"XLIO_MEMORY_LIMIT": "256MB"}, "3.61.2") == []


def test_defaults_break_no_rule_that_concerns_a_setting() -> None:
    assert [XLIO.broken({}, release) for release in XLIO.releases] == [[]] * len(XLIO.releases)


@pytest.mark.parametrize(("text", "place"), [("$a", 1), ("a == $", 6), ("a and ?", 7)])
def test_the_character_that_cannot_be_read_is_counted_from_one(text: str, place: int) -> None:
    with pytest.raises(UsageError, match=f"cannot be read at character {place}$"):
        parse(text)


@pytest.mark.parametrize(("text", "value"), [("a / 1", 7), ("a % 1", 0), ("a % 4", 3), ("a / 2", 3)])
def test_a_number_is_divided_by_any_but_zero(text: str, value: int) -> None:
    assert parse(text).value({"a": 7}) == value
    with pytest.raises(UsageError, match="cannot be evaluated"):
        parse(f"{text[:-1]}0").value({"a": 7})
