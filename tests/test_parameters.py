"""What a value is, how it is spelt, and from which release on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue.parameters import Choice, Default, Parameter, Type, as_integer, size_words
from tuner.catalogue.releases import release_key

INT = Parameter("N", "s", type=Type.INT, min=-1, max=100, special=(("-1", "for ever"),))
BYTES = Parameter("B", "s", type=Type.INT, unit="bytes", min=0)
BOOL = Parameter("F", "s", type=Type.BOOL)
SIZE = Parameter("S", "s", type=Type.SIZE, min=1)
POWER = Parameter("P", "s", type=Type.INT, min=64, max=8192, power_of_two=True, special=(("0", "off"),))
CPUS = Parameter("C", "s", type=Type.CPUSET)
ENUM = Parameter(
    "E",
    "s",
    type=Type.ENUM,
    choices=(
        Choice("off", also=("0",)),
        Choice("delegate", also=("1",), since="3.20.1"),
        Choice("1", "woken", last="3.10.5"),
        Choice("2", words=("cubic",)),
    ),
)
ALL = [p for stack in catalogue.stacks() for p in catalogue.load(stack).settings()]


@pytest.mark.parametrize("text", ["0", "-1", "100", "+7"])
def test_an_integer_in_range_is_a_value(text: str) -> None:
    assert INT.problem(text) is None


@pytest.mark.parametrize("text", ["", "abc", "1.5", "0x10", "1K", "1e3", " 7", "5abc", "101", "-2", "9" * 5000, "٣"])
def test_what_the_library_would_misread_as_an_integer_is_none(text: str) -> None:
    assert INT.problem(text) == "must be a whole number from -1 to 100"


def test_an_integer_that_would_wrap_around_is_no_value() -> None:
    assert BYTES.problem("2147483647") is None
    assert BYTES.problem("2147483648") is not None


@pytest.mark.parametrize("text", ["true", "on", "yes", "2", "", "-1"])
def test_a_boolean_is_0_or_1_and_nothing_else(text: str) -> None:
    assert BOOL.problem(text) == "must be 0 or 1"
    assert BOOL.problem("0") is None
    assert BOOL.problem("1") is None


@pytest.mark.parametrize("text", ["64KB", "64k", "1G", "65536", "2MB", "7b"])
def test_a_size_may_have_a_unit(text: str) -> None:
    assert SIZE.problem(text) is None


@pytest.mark.parametrize("text", ["1.5G", "4 GB", "010", "-5", "0x10", "KB", "1TB", "0", ""])
def test_a_size_that_the_library_would_misread_is_none(text: str) -> None:
    assert SIZE.problem(text) == "must be a size such as 65536 or 64KB of 1 or more"


def test_powers_of_two_are_demanded_and_said() -> None:
    assert POWER.problem("128") is None
    assert POWER.problem("0") is None
    assert POWER.problem("100") == "must be a whole number from 64 to 8192, a power of two, or 0"


@pytest.mark.parametrize(("text", "good"), [("-1", True), ("0,2-3", True), ("0x5", True), ("a", False), ("1,", False)])
def test_cpus_are_a_list_or_a_mask(text: str, *, good: bool) -> None:
    assert (CPUS.problem(text) is None) is good


@pytest.mark.parametrize("text", ["1\n2", "1\0", "a\rb"])
@pytest.mark.parametrize("parameter", [INT, Parameter("T", "s")])
def test_a_value_is_one_line_without_nul(parameter: Parameter, text: str) -> None:
    assert parameter.problem(text) == "must be one line without NUL"


def test_a_choice_has_other_spellings_in_any_case() -> None:
    assert ENUM.problem("OFF") is None
    assert ENUM.problem("0") is None
    assert ENUM.problem("delegat") == "must be one of off, delegate, 2"


def test_a_word_that_only_people_use_is_no_value_but_has_a_canonical_one() -> None:
    assert ENUM.problem("cubic") is not None
    assert ENUM.canonical("Cubic") == "2"


def test_a_choice_belongs_to_its_releases() -> None:
    assert ENUM.problem("delegate", "3.20.1") is None
    assert ENUM.problem("delegate", "3.10.5") == "is not read by s 3.10.5: must be one of off, 1, 2"


def test_a_number_that_changed_its_meaning_is_read_as_the_release_reads_it() -> None:
    assert ENUM.canonical("1", "3.10.5") == "1"
    assert ENUM.canonical("1", "3.61.2") == "delegate"
    assert ENUM.canonical("1") == "delegate"


@pytest.mark.parametrize(
    ("parameter", "text", "canonical"),
    [
        (BOOL, "on", "1"),
        (BOOL, "True", "1"),
        (BOOL, "no", "0"),
        (BYTES, "4KB", "4096"),
        (BYTES, "64k", "65536"),
        (SIZE, "2GB", "2147483648"),
        (INT, "007", "7"),
        (INT, "+7", "7"),
        (INT, " 7 ", "7"),
        (ENUM, "OFF", "off"),
        (CPUS, "0,2-3", "0,2-3"),
    ],
)
def test_what_a_person_writes_has_one_canonical_spelling(parameter: Parameter, text: str, canonical: str) -> None:
    assert parameter.canonical(text) == canonical


@pytest.mark.parametrize(
    ("parameter", "text"),
    [(BOOL, "maybe"), (INT, "1K"), (BYTES, "4.5KB"), (ENUM, "on"), (SIZE, "lots"), (BOOL, "1\n0")],
)
def test_what_means_nothing_has_no_canonical_spelling(parameter: Parameter, text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parameter.canonical(text)


@given(parameter=st.sampled_from(ALL), text=st.one_of(st.text(max_size=30), st.integers().map(str)))
def test_canonical_gives_a_value_that_is_canonical_itself_or_refuses(parameter: Parameter, text: str) -> None:
    try:
        canonical = parameter.canonical(text)
    except ValueError:
        assert parameter.problem(text.strip()) is not None
    else:
        assert parameter.problem(canonical) is None
        assert parameter.canonical(canonical) == canonical


@given(
    parameter=st.sampled_from([p for p in ALL if p.type in {Type.INT, Type.SIZE} and not p.power_of_two]),
    data=st.data(),
)
def test_every_number_in_range_is_its_own_canonical_spelling(parameter: Parameter, data: st.DataObject) -> None:
    low, high = parameter.min or 0, min(parameter.max or 2**31 - 1, 2**31 - 1)
    text = str(data.draw(st.integers(low, high)))
    assert parameter.problem(text) is None
    assert parameter.canonical(text) == text


@given(st.integers(0, 2**40), st.sampled_from(["", "B", "K", "kb", "M", "Mb", "g", "GB"]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    factor = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}[unit[:1].lower()]
    assert as_integer(f"{number}{unit}") == number * factor


@pytest.mark.parametrize(("text", "words"), [("2147483648", "2 GB"), ("65536", "64 KB"), ("1000", "1000"), ("x", "x")])
def test_a_size_is_told_in_its_largest_whole_unit(text: str, words: str) -> None:
    assert size_words(text) == words


def test_releases_are_ordered_by_their_numbers() -> None:
    releases = ["3.9.9", "3.10.5", "3.31.2", "3.40.0", "3.50.3-ea-target-api", "3.51.0"]
    assert sorted(releases, key=release_key) == releases
    assert release_key("3.40") == release_key("3.40.0")


def test_the_default_is_that_of_the_release() -> None:
    moved = Parameter("D", "s", defaults=(Default("2.0.6", "0"), Default("3.31.2", "20")), since="2.0.6", last="3.51.1")
    assert [moved.default(r) for r in ("2.0.5", "2.0.6", "3.31.1", "3.31.2", "3.60.0")] == [None, "0", "0", "20", None]
    assert moved.default() == "20"


def test_a_default_with_a_condition_is_not_the_plain_one() -> None:
    split = Parameter("D", "s", defaults=(Default("2.0.6", "8"), Default("2.0.6", "16000", when="X == 1")))
    assert split.default("3.0.2") == "8"


def test_a_variable_exists_in_its_window() -> None:
    gone = Parameter("G", "s", since="3.10.5", last="3.51.1")
    assert [gone.exists_in(r) for r in ("3.0.2", "3.10.5", "3.51.1", "3.60.0")] == [False, True, True, False]
