"""A banner says what is there and what is in effect, whatever it is mixed with. The recordings are of real libraries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.stacks import banner

RECORDED = Path(__file__).parent / "data" / "banners"


def recording(name: str) -> banner.Banner:
    return banner.read((RECORDED / f"{name}.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "tag", "release"),
    [
        ("xlio-3.40.2-default", "XLIO_VERSION", "3.40.2"),
        ("xlio-3.61.2-noshim_default", "XLIO_VERSION", "3.61.2"),
        ("vma-9.8.84-spec_multi_ring_latency", "VMA_VERSION", "9.8.84"),
    ],
)
def test_a_recorded_banner_names_its_library_and_release(name: str, tag: str, release: str) -> None:
    found = recording(name)
    assert (found.tag, found.release) == (tag, release)


def test_a_recorded_banner_shows_what_a_preset_changed() -> None:
    shown = recording("xlio-3.40.2-spec_latency").shown
    assert shown["XLIO_RX_POLL"] == "-1"
    assert shown["XLIO_SELECT_POLL"] == "-1"
    assert shown["XLIO_TSO"] == "Disabled"
    assert shown["XLIO_SPEC"] == "Latency"
    assert "XLIO_TX_PREFETCH_BYTES" not in shown


def test_the_details_level_shows_every_setting_also_behind_long_labels() -> None:
    shown = recording("xlio-3.40.2-trace_details").shown
    assert len(shown) > 100
    assert shown["XLIO_STRQ_STRIDES_COMPENSATION_LEVEL"] == "32768"
    assert shown["XLIO_MEMORY_LIMIT"] == "2 GB"


def test_an_empty_value_is_not_the_last_word_of_its_label() -> None:
    shown = recording("xlio-3.40.2-trace_details").shown
    assert shown["XLIO_LOG_FILE"] == ""
    assert shown["XLIO_STATS_FILE"] == ""


def test_a_library_without_a_card_says_so_in_its_errors() -> None:
    assert recording("xlio-3.61.2-noshim_default").errors


def test_output_without_a_banner_is_no_banner() -> None:
    assert banner.read("sockperf: == version #3.7-no.git ==\nsockperf: Test ended\n") == banner.Banner()


@given(st.text())
def test_any_text_is_read_without_an_exception(text: str) -> None:
    assert isinstance(banner.read(text), banner.Banner)


_LABEL = st.text("ABCDEFGHabcdefgh ()", min_size=1, max_size=29).map(str.strip).filter(bool)
_VALUE = st.text("0123456789ABCabc-", min_size=1, max_size=12)
_NAME = st.from_regex(r"XLIO_[A-Z0-9_]{1,20}", fullmatch=True)


@given(st.dictionaries(_NAME, st.tuples(_LABEL, _VALUE), max_size=8))
def test_settings_printed_in_the_banners_form_are_read_back(settings: dict[str, tuple[str, str]]) -> None:
    lines = [f"\x1b[0m XLIO INFO   : {label:<30} {value:<26} [{name}]" for name, (label, value) in settings.items()]
    expected = {name: value for name, (_, value) in settings.items()}
    assert banner.read("\n".join(lines)).shown == expected


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.txt")), ids=lambda path: path.stem)
def test_every_setting_of_a_recording_is_read_also_when_its_blanks_and_lines_fell_together(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    shown = banner.read(text).shown
    assert len(shown) == len(set(re.findall(r"\[((?:XLIO|VMA)_[A-Z0-9_]+)\]$", plain, re.MULTILINE)))
    collapsed = re.sub(r" {2,}", " ", plain)
    wrapped = re.sub(r" (\[(?:XLIO|VMA)_)", r"\n\1", collapsed)
    assert banner.read(collapsed).shown == shown
    assert banner.read(wrapped).shown == shown


def test_a_value_that_was_wrapped_in_its_middle_is_joined() -> None:
    text = (
        "XLIO INFO : Ring allocation logic TX 20\n(Ring per thread) [XLIO_RING_ALLOCATION_LOGIC_TX]\nother output [X]\n"
    )
    assert banner.read(text).shown == {"XLIO_RING_ALLOCATION_LOGIC_TX": "20 (Ring per thread)"}


def test_of_several_processes_the_last_banner_counts_and_each_can_be_had() -> None:
    first, second = (
        (RECORDED / f"xlio-3.40.2-{name}.txt").read_text(encoding="utf-8") for name in ("spec_latency", "default")
    )
    found = banner.every(first + second)
    assert [each.shown.get("XLIO_RX_POLL") for each in found] == ["-1", None]
    assert banner.read(first + second).shown == found[1].shown
    assert found[0].pid != found[1].pid


def test_processes_that_print_at_the_same_time_are_told_apart_by_their_numbers() -> None:
    lines = ["Pid: {pid} Tid: {pid} XLIO INFO   : XLIO_VERSION: 3.61.2-0 Release"]
    lines += [
        "Pid: {pid} Tid: {pid} XLIO INFO   : Rx Poll Loops                  {pid}                        [XLIO_RX_POLL]"
    ]
    text = "\n".join(line.format(pid=pid) for line in lines for pid in (11, 22))
    assert [(each.pid, each.shown["XLIO_RX_POLL"]) for each in banner.every(text)] == [(11, "11"), (22, "22")]


def test_a_line_that_was_cut_names_its_setting() -> None:
    line = f" XLIO INFO   : {'Conf File':<30} {'/' + 'a' * 400}"
    found = banner.read(" XLIO INFO   : XLIO_VERSION: 3.40.2-0 Release\n" + line)
    assert (found.cut, dict(found.shown)) == (("XLIO_CONFIG_FILE",), {})


def test_a_reason_beside_a_json_key_is_kept() -> None:
    line = " XLIO INFO   : RX ring elements count         128   [performance.rings.rx.ring_elements_count, Reason: Profile]"
    found = banner.read(line)
    assert dict(found.reasons) == {"performance.rings.rx.ring_elements_count": "Profile"}


def test_a_release_in_an_unknown_form_is_still_a_banner() -> None:
    found = banner.read(" XLIO INFO   : XLIO_VERSION: next-dev\n")
    assert (found.tag, found.release) == ("XLIO_VERSION", "")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_exception(data: bytes) -> None:
    text = data.decode(errors="replace")
    banner.every(" XLIO INFO   : XLIO_VERSION: 3.61.2\n" + text + "\n XLIO INFO   : " + text)


def test_the_value_of_a_variable_that_nobody_knows_is_what_stands_apart_or_else_the_last_word() -> None:
    assert banner._value("XLIO_NO_SUCH", "Some new thing      on demand", " ") == "on demand"
    assert banner._value("XLIO_NO_SUCH", "Some new thing 7", " ") == "7"
    assert banner._value("XLIO_NO_SUCH", "Alone", " ") == ""
