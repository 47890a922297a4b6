"""Every release that exists is known on its line, a neighbour stands in for another, and what is not known is not claimed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue.effective import effective
from tuner.catalogue.reading import Fate
from tuner.catalogue.releases import Releases, in_window, is_aside, order, reached, release_key, taken
from tuner.errors import Severity
from tuner.session.setup.readback import refusal

RECORDED = Path(__file__).parent / "data" / "releases"
XLIO, VMA = catalogue.load("xlio"), catalogue.load("vma")
KNOWN = {"xlio": XLIO, "vma": VMA}
releases = st.tuples(st.integers(0, 10), st.integers(0, 1000), st.integers(0, 200)).map(
    lambda parts: ".".join(map(str, parts))
)


def rows(stack: str) -> Iterator[tuple[str, list[tuple[str, str]], str]]:
    """Yield each recorded name with its windows, and its defaults."""
    for line in (RECORDED / f"{stack}.tsv").read_text(encoding="utf-8").splitlines()[2:]:
        name, windows, *rest = line.split("\t")
        yield (
            name,
            [(first, last) for each in windows.split() for first, _, last in [each.partition("..")]],
            "".join(rest),
        )


@pytest.mark.parametrize("stack", ["xlio", "vma"])
def test_every_name_is_read_in_just_the_releases_in_whose_source_it_stands(stack: str) -> None:
    known = KNOWN[stack]
    by_number = [each for each in sorted(known.releases, key=release_key) if "-" not in each]
    for name, windows, _ in rows(stack):
        spans = [(by_number.index(a), by_number.index(b) if b else len(by_number)) for a, b in windows]
        for at, release in enumerate(by_number):
            stands = any(first <= at <= last for first, last in spans)
            assert known.find(name).exists_in(release) == stands, (name, release)


def test_every_compiled_default_of_vma_is_that_of_its_release() -> None:
    for name, windows, defaults in rows("vma"):
        for since, value in (each.partition("=")[::2] for each in defaults.split()):
            first = max(since, windows[0][0], key=order)
            assert VMA.find(name).default(first) == value, (name, first)


def test_the_catalogue_has_the_releases_that_exist() -> None:
    assert (len(VMA.releases), VMA.releases[0], VMA.releases[-1]) == (142, "6.4.11", "9.8.84")
    assert {"3.940.1", "3.940.2", "3.941.0"} <= set(XLIO.releases)
    assert XLIO.releases[-1] == "3.70.2"


def test_the_line_of_doca_has_what_the_main_line_had_when_it_left_it() -> None:
    assert is_aside("3.940.2")
    assert not is_aside("3.70.2")
    assert reached("3.940.1", "3.40.0")
    assert not reached("3.940.1", "3.40.1")
    assert reached("3.941.0", "3.40.2")
    assert not reached("3.941.0", "3.50.0")
    assert not reached("3.70.2", "3.940.1")
    assert in_window("3.941.0", "2.0.6", "3.51.1")
    assert not in_window("3.941.0", "3.60.4", None)
    assert not in_window(None, "3.940.1", None)
    assert sorted(["3.940.1", "3.50.0", "3.40.1", "3.40.0"], key=order) == ["3.40.0", "3.940.1", "3.40.1", "3.50.0"]


@pytest.mark.parametrize(
    ("name", "release", "value"),
    [
        ("XLIO_STRQ", "3.70.2", "on"),
        ("XLIO_STRQ", "3.940.1", "off"),
        ("XLIO_RX_WRE", "3.940.1", "16000"),
        ("XLIO_RX_WRE", "3.941.0", "32768"),
        ("XLIO_TSO", "3.940.1", "auto"),
        ("XLIO_TSO", "3.940.2", "on"),
        ("XLIO_LRO", "3.941.0", "off"),
        ("XLIO_UTLS_TX", "3.940.2", "0"),
        ("XLIO_CQ_POLL_BATCH_MAX", "3.940.1", "128"),
        ("XLIO_CQ_POLL_BATCH_MAX", "3.941.0", "1024"),
        ("XLIO_PROGRESS_ENGINE_INTERVAL", "3.940.1", "0"),
        ("XLIO_QP_COMPENSATION_LEVEL", "3.941.0", "16384"),
        ("XLIO_LSO_POOL_BATCH", "3.942.0", "256"),
    ],
)
def test_a_release_of_doca_has_its_own_defaults(name: str, release: str, value: str) -> None:
    assert effective(XLIO, {}, release).values()[name] == value


def test_a_preset_is_known_by_the_word_of_its_release_and_line() -> None:
    def fate(stack: str, release: str, word: str) -> Fate | None:
        chooser = f"{stack.upper()}_SPEC"
        return effective(KNOWN[stack], {chooser: word}, release).settings[chooser].fate

    assert fate("xlio", "3.941.0", "ultra_latency") is not Fate.APPLIED
    assert fate("xlio", "3.941.0", "ultra-latency") is Fate.APPLIED
    assert fate("xlio", "3.61.2", "ultra_latency") is Fate.APPLIED
    assert fate("xlio", "3.940.1", "multi_ring_latency") is Fate.APPLIED
    assert fate("xlio", "3.940.2", "multi_ring_latency") is not Fate.APPLIED
    assert fate("vma", "9.7.2", "ultra-latency") is Fate.APPLIED
    assert fate("vma", "8.2.4", "latency") is not Fate.APPLIED
    assert fate("vma", "8.2.4", "29") is Fate.APPLIED
    assert fate("vma", "7.0.9", "latency") is Fate.UNKNOWN


def test_a_preset_sets_what_its_release_does() -> None:
    def shown(release: str, name: str, word: str = "latency") -> str:
        return effective(VMA, {"VMA_SPEC": word}, release).values()[name]

    assert (shown("9.8.70", "VMA_SELECT_POLL_OS_FORCE"), shown("9.8.71", "VMA_SELECT_POLL_OS_FORCE")) == ("1", "0")
    assert (shown("8.4.4", "VMA_TCP_NODELAY"), shown("8.2.5", "VMA_TX_WRE")) == ("1", "256")
    assert (shown("8.9.2", "VMA_TSO"), shown("8.9.2", "VMA_TX_BUFS", "7750")) == ("0", "8192")


@pytest.mark.parametrize(
    ("stack", "stated", "used", "words"),
    [
        ("xlio", "3.40.5", "3.40.5", "read as 3.40.2: which is its older neighbour"),
        ("xlio", "3.80.0", "3.80.0", "read as 3.70.2: what changed since is not known"),
        ("xlio", "3.940.9", "3.940.9", "read as 3.940.2: which is its older neighbour"),
        ("xlio", "3.942.0", "3.942.0", "read as 3.941.0: what changed since is not known"),
        ("xlio", "1.9.9", "2.0.6", "is older than 2.0.6"),
        ("vma", "6.1.7.0", "6.4.11", "is older than 6.4.11"),
        ("vma", "9.9.1", "9.9.1", "read as 9.8.84"),
        ("vma", "9.7.2", "9.7.2", ""),
    ],
)
def test_a_release_that_is_not_known_is_its_older_neighbour_on_its_line(
    stack: str, stated: str, used: str, words: str
) -> None:
    found = KNOWN[stack].taken(stated)
    assert found.release == used
    assert words in found.remark
    assert bool(found.remark) == bool(words)


@given(st.sampled_from(["xlio", "vma"]), releases)
def test_any_number_is_a_release(stack: str, stated: str) -> None:
    known = KNOWN[stack]
    if not release_key(stated):
        return
    found = known.taken(stated)
    assert bool(found.remark) == (stated not in known.releases)
    assert effective(known, {f"{stack.upper()}_RX_POLL": "-1"}, stated).values()[f"{stack.upper()}_RX_POLL"] == "-1"


@given(releases, releases)
def test_the_bounds_of_a_range_agree_with_each_other(release: str, bound: str) -> None:
    def covers(sign: str) -> bool:
        return Releases(((sign, bound),)).covers(release)

    assert covers("<") == (not covers(">="))
    assert covers(">") == (not covers("<="))
    assert covers("==") == (not covers("!="))
    if is_aside(release) == is_aside(bound):
        assert covers("==") == (covers("<=") and covers(">="))


def test_text_without_a_number_is_no_release() -> None:
    known = f"known are {XLIO.releases[0]} to {XLIO.releases[-1]}"
    with pytest.raises(ValueError, match=f"'newest' is not a known release of xlio: {known}"):
        taken("xlio", XLIO.releases, "newest")


def test_limits_that_were_read_in_another_release_are_a_warning_and_no_refusal() -> None:
    settings = {"VMA_TX_WRE": "16000"}
    (newest,) = VMA.check(settings, str, "9.8.84")
    assert newest.severity is Severity.ERROR
    older = VMA.check(settings, str, "7.0.4")
    assert [each.severity for each in older] == [Severity.WARNING]
    assert "not known for 7.0.4" in older[0].message
    assert refusal("vma", settings, "7.0.4") is None
    assert refusal("vma", settings, "9.8.84") is not None


def test_what_a_release_does_not_read_is_an_error_in_every_release() -> None:
    (found,) = VMA.check({"VMA_DEFERRED_CLOSE": "1"}, str, "9.7.2")
    assert (found.severity, "from 9.8.50 on" in found.message) == (Severity.ERROR, True)
    found, *_ = VMA.check({"VMA_SOCKETXTREME": "1"}, str, "8.8.0")
    assert "but not from 8.7.51 to 8.8.0" in found.message


@pytest.mark.parametrize("stack", ["xlio", "vma"])
def test_every_release_has_values_in_effect(stack: str) -> None:
    known = KNOWN[stack]
    for release in known.releases:
        found = effective(known, {}, release)
        assert all(known.find(name).exists_in(release) for name in found.settings)
        assert found.settings[f"{stack.upper()}_RX_POLL"].value == "100000"
