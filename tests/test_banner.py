"""A banner says what is there and what is in effect, whatever it is mixed with. The recordings are of real libraries."""

from __future__ import annotations

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
