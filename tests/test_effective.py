"""The effective configuration is what the real libraries said of themselves: every recorded banner is predicted.

The recordings in `data/banners` were made without a card; `INDEX.tsv` names the variables of each.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue import presets
from tuner.catalogue.effective import Effective, Origin, effective
from tuner.catalogue.reading import Fate
from tuner.errors import UsageError
from tuner.stacks import banner
from tuner.stacks.shown import understood

RECORDED: Final = Path(__file__).parent / "data" / "banners"
STACKS: Final = ("kernel", "vma", "xlio")
XLIO: Final = catalogue.load("xlio")

# Where a banner says something else than what is in effect: the vendor's cause of each.
QUIRKS: Final = {
    ("xlio", "3.61.2", "XLIO_PRINT_REPORT"): "the banner knows only Enabled and Disabled and prints Enabled for auto",
}
# A value that differs from the usual default and is not marked as changed: the library compares with what it derived.
UNMARKED: Final = {"XLIO_QP_COMPENSATION_LEVEL"}


def cases() -> list[tuple[str, dict[str, str], str]]:
    with (RECORDED / "INDEX.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row["library"], json.loads(row["variables"]), row["stderr file"]) for row in rows]


def odd_values() -> list[tuple[str, str, str]]:
    lines = (RECORDED / "edge-values-3.40.2.tsv").read_text(encoding="utf-8").splitlines()[1:]
    pairs = [line.split("\t", 1) for line in lines]
    return [(*_named(left), right.partition("banner: ")[2].strip()) for left, right in pairs]


def _named(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def shown(name: str) -> dict[str, str]:
    return dict(banner.read((RECORDED / name).read_text(encoding="utf-8")).shown)


def in_effect(settings: dict[str, str], release: str | None = None, stack: str = "xlio") -> Effective:
    return effective(catalogue.load(stack), settings, release)


def test_every_recording_is_looked_at() -> None:
    assert len(cases()) == 42
    assert {name for _, _, name in cases()} == {path.name for path in RECORDED.glob("*.txt")}


@pytest.mark.parametrize(("library", "variables", "name"), cases(), ids=[name for _, _, name in cases()])
def test_a_recorded_banner_shows_what_was_predicted(library: str, variables: dict[str, str], name: str) -> None:
    stack, _, release = library.partition("-")
    known = catalogue.load(stack)
    found = in_effect(variables, release, stack)
    said = {each: understood(known.parameters[each], text, release) for each, text in shown(name).items()}
    told = {each: value for each, value in said.items() if (stack, release, each) not in QUIRKS}
    assert told
    assert {each: found.settings[each].value for each in told} == told


@pytest.mark.parametrize(("library", "variables", "name"), cases(), ids=[name for _, _, name in cases()])
def test_what_a_recorded_banner_does_not_show_is_the_default(
    library: str, variables: dict[str, str], name: str
) -> None:
    stack, _, release = library.partition("-")
    plain, found = in_effect({}, release, stack).values(), in_effect(variables, release, stack).values()
    visible = shown(f"{library}-trace_details.txt").keys() - shown(name).keys() - UNMARKED
    assert {each: found[each] for each in visible} == {each: plain[each] for each in visible}


@pytest.mark.parametrize("quirk", QUIRKS, ids=str)
def test_a_quirk_is_still_one(quirk: tuple[str, str, str]) -> None:
    stack, release, name = quirk
    said = understood(catalogue.load(stack).parameters[name], shown(f"xlio-{release}-trace_details.txt")[name], release)
    assert said != in_effect({}, release, stack).settings[name].value


@pytest.mark.parametrize(("name", "value", "line"), odd_values(), ids=[f"{n}={v}" for n, v, _ in odd_values()])
def test_an_odd_value_becomes_what_the_library_made_of_it(name: str, value: str, line: str) -> None:
    found = in_effect({name: value}, "3.40.2")
    said = banner.read(line).shown
    if said:
        assert found.settings[name].value == understood(XLIO.parameters[name], said[name], "3.40.2")
    elif name not in found.ignored:
        assert found.settings[name].value == in_effect({}, "3.40.2").settings[name].value
    else:
        assert name in {"XLIO_RX_POL", "XLIO_HUGEPAGE_LOG2", "XLIO_WORKER_THREADS"}


@pytest.mark.parametrize(
    ("settings", "name", "value", "origin", "why"),
    [
        ({"XLIO_TCP_NODELAY": "true"}, "XLIO_TCP_NODELAY", "0", Origin.EXPLICIT, "'true' is read as 0"),
        ({"XLIO_MSS": "99999999999"}, "XLIO_MSS", "1215752191", Origin.EXPLICIT, "in 32 bits"),
        ({"XLIO_RX_POLL": "-5"}, "XLIO_RX_POLL", "100000", Origin.DEFAULT, "-5 is out of range: the default"),
        ({"XLIO_MEMORY_LIMIT": "1.5G"}, "XLIO_MEMORY_LIMIT", "2147483648", Origin.DEFAULT, "is no size"),
        ({"XLIO_MEMORY_LIMIT": "0x10M"}, "XLIO_MEMORY_LIMIT", "16777216", Origin.EXPLICIT, "as set"),
        ({"XLIO_TX_WRE": "3"}, "XLIO_TX_WRE", "128", Origin.RULE, "at least twice"),
        ({"XLIO_STRQ_NUM_STRIDES": "1000"}, "XLIO_STRQ_NUM_STRIDES", "1024", Origin.EXPLICIT, "1024 is the nearest"),
        ({"XLIO_SPEC": "latency"}, "XLIO_TX_WRE", "256", Origin.PRESET, "XLIO_SPEC=latency"),
        ({"XLIO_SPEC": "latency", "XLIO_TX_WRE": "512"}, "XLIO_TX_WRE", "512", Origin.EXPLICIT, "as set"),
        ({"XLIO_SPEC": "latency"}, "XLIO_CQ_MODERATION_ENABLE", "0", Origin.RULE, "because (XLIO_RX_POLL < 0"),
        ({"XLIO_SPEC": "latency", "XLIO_CQ_MODERATION_ENABLE": "1"}, "XLIO_CQ_MODERATION_ENABLE", "1", Origin.EXPLICIT, ""),
        ({"XLIO_STRQ": "off"}, "XLIO_RX_WRE", "32768", Origin.DEFAULT, "the default where XLIO_STRQ == 'off'"),
        ({"XLIO_STRQ": "off", "XLIO_SPEC": "latency"}, "XLIO_RX_WRE", "256", Origin.PRESET, "XLIO_SPEC=latency"),
        ({"XLIO_NGINX_WORKERS_NUM": "20"}, "XLIO_MEMORY_LIMIT", str(20 * 3 << 30), Origin.PRESET, "nginx"),
        ({"XLIO_WORKER_THREADS": "2"}, "XLIO_SELECT_POLL", "-1", Origin.DEFAULT, "XLIO_WORKER_THREADS > 0"),
        ({"XLIO_TCP_CTL_THREAD": "delegate"}, "XLIO_PROGRESS_ENGINE_INTERVAL", "0", Origin.RULE, "delegated"),
    ],
)  # fmt: skip
def test_a_value_in_effect_says_where_it_comes_from(
    settings: dict[str, str], name: str, value: str, origin: Origin, why: str
) -> None:
    found = in_effect(settings, "3.61.2").settings[name]
    assert (found.value, found.origin) == (value, origin)
    assert why in found.why


def test_a_number_changed_its_meaning_with_the_release() -> None:
    meant = {r: in_effect({"XLIO_TCP_CTL_THREAD": "1"}, r).settings for r in ("3.10.5", "3.21.2")}
    assert meant["3.10.5"]["XLIO_TCP_CTL_THREAD"].value == "1"
    assert meant["3.21.2"]["XLIO_TCP_CTL_THREAD"].value == "delegate"


@pytest.mark.parametrize("release", ["3.40.2", "3.61.2"])
def test_a_preset_that_is_gone_sets_nothing(release: str) -> None:
    found = in_effect({"XLIO_SPEC": "multi_ring_latency"}, release)
    assert found.settings["XLIO_SPEC"].fate is Fate.DEFAULTED
    assert Origin.PRESET not in {each.origin for each in found.settings.values()}
    assert in_effect({"XLIO_SPEC": "multi_ring_latency"}, "3.40.0").settings["XLIO_RX_POLL"].value == "-1"


def test_what_is_not_read_is_ignored_with_its_reason() -> None:
    found = in_effect({"XLIO_BF": "1", "XLIO_RX_POL": "1", "XLIO_MAX_INLINE": "1"}, "3.61.2")
    assert "did you mean XLIO_RX_POLL?" in found.ignored["XLIO_RX_POL"]
    assert "from 2.0.6 to 3.3" in found.ignored["XLIO_BF"]
    assert "use XLIO_TX_MAX_INLINE" in found.ignored["XLIO_MAX_INLINE"]
    assert not found.ignored.keys() & found.settings.keys()


def test_the_json_configuration_makes_variables_idle() -> None:
    found = in_effect({"XLIO_USE_NEW_CONFIG": "1", "XLIO_RX_POLL": "-1"}, "3.61.2")
    assert found.settings["XLIO_RX_POLL"].value == "100000"
    assert set(found.ignored) == {"XLIO_RX_POLL"}
    assert in_effect({"XLIO_USE_NEW_CONFIG": "true", "XLIO_RX_POLL": "-1"}, "3.61.2").ignored == {}
    assert in_effect({"XLIO_USE_NEW_CONFIG": "true", "XLIO_RX_POLL": "-1"}, "3.60.0").ignored


def test_an_older_name_sets_the_newer_one() -> None:
    found = in_effect({"XLIO_RX_SKIP_OS": "7"}, "3.21.2").settings["XLIO_RX_UDP_POLL_OS_RATIO"]
    assert (found.value, found.origin) == ("7", Origin.EXPLICIT)


def test_the_kernel_stack_ignores_what_it_cannot_read_and_keeps_the_preset() -> None:
    found = in_effect({"XLIO_SPEC": "latency", "XLIO_RX_POLL": "abc"}, None, "kernel").settings["XLIO_RX_POLL"]
    assert (found.value, found.origin, found.fate) == ("-1", Origin.PRESET, Fate.IGNORED)


@pytest.mark.parametrize("stack", STACKS)
def test_every_choice_of_a_preset_has_its_values_in_each_release_that_knows_it(stack: str) -> None:
    known = catalogue.load(stack)
    for release in known.releases:
        named = {choice.value for choice in known.find(presets.variable(stack)).choices_in(release)} - {"none"}
        assert named == {each.name for each in presets.load(stack) if presets.find(stack, each.name, release)}, release


@pytest.mark.parametrize("stack", STACKS)
def test_a_preset_sets_only_what_is_known(stack: str) -> None:
    known = catalogue.load(stack)
    # VMA's code fills this in too, where nothing reads it.
    named = {name for each in presets.load(stack) for name in (*each.settings, *each.striding, *each.plain)}
    assert named - known.parameters.keys() <= {"VMA_TX_BUFS_BATCH_TCP"}


@pytest.mark.parametrize(
    "text", ["", "3", "-1", "on", "0x10", "10K", "99999999999999999999999", " 5", "4 GB", "089", "٣"]
)
@pytest.mark.parametrize("stack", STACKS)
def test_every_variable_takes_any_text(stack: str, text: str) -> None:
    known = catalogue.load(stack)
    for parameter in known.settings():
        found = in_effect({parameter.name: text}, None, stack)
        assert parameter.name in found.settings or parameter.name in found.ignored


@given(st.dictionaries(st.sampled_from([*XLIO.parameters, "XLIO_NEW", "PATH"]), st.text(max_size=12), max_size=5))
def test_no_environment_breaks_the_model(settings: dict[str, str]) -> None:
    found = in_effect(settings, "3.40.2")
    for name in settings:
        assert name in found.ignored or name in found.settings


def test_an_unlisted_release_is_read_as_the_one_before_it() -> None:
    assert XLIO.read_as(None) == XLIO.releases[-1]
    assert in_effect({}, "3.40.9").values() == in_effect({}, "3.40.2").values()
    assert in_effect({}, "9.9").values() == in_effect({}).values()
    assert in_effect({}, "0.1").values() == in_effect({}, XLIO.releases[0]).values()
    for wrong in ("newest", ""):
        with pytest.raises(UsageError, match="is no release of xlio"):
            XLIO.read_as(wrong)
