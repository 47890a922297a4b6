"""The effective configuration is what the real libraries said of themselves: every recorded banner is predicted.

The recordings in `data/banners` were made without a card; `INDEX.tsv` names the variables of each. Those in
`data/effective` are 1,600 random environments given to four real libraries, and what their banners showed; a number in
place of that is how the program ended.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuner import catalogue
from tuner.catalogue import presets
from tuner.catalogue.effective import Effective, Origin, effective
from tuner.catalogue.reading import Fate
from tuner.catalogue.rules import broken, numbers
from tuner.cli.main import program
from tuner.errors import Severity, UsageError
from tuner.session.setup.readback import refusal
from tuner.stacks import banner
from tuner.stacks.shown import QUIRKS, Quirk, agrees, understood
from tuner.stacks.verification import FORCED, NOT_PREDICTED, verify

LIBRARIES: Final = ("xlio-3.40.2", "xlio-3.61.2", "xlio-3.70.2", "vma-9.8.84")
ENVIRONMENTS: Final = Path(__file__).parent / "data" / "effective"
RECORDED: Final = Path(__file__).parent / "data" / "banners"
STACKS: Final = ("kernel", "vma", "xlio")
XLIO: Final = catalogue.load("xlio")

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
    found = in_effect(variables, release, stack)
    told = shown(name)
    assert told
    assert not unlike(found, told, variables)


@pytest.mark.parametrize(("library", "variables", "name"), cases(), ids=[name for _, _, name in cases()])
def test_what_a_recorded_banner_does_not_show_is_the_default(
    library: str, variables: dict[str, str], name: str
) -> None:
    stack, _, release = library.partition("-")
    plain, found = in_effect({}, release, stack).values(), in_effect(variables, release, stack).values()
    visible = shown(f"{library}-trace_details.txt").keys() - shown(name).keys() - UNMARKED
    assert {each: found[each] for each in visible} == {each: plain[each] for each in visible}


def unlike(
    found: Effective, told: Mapping[str, str | None], variables: Mapping[str, str]
) -> dict[str, tuple[str | None, str]]:
    """Return what a banner shows other than predicted: the text, and the value."""
    known = catalogue.load(found.stack)
    values = {name: found.settings[name].value for name in told}
    return {
        name: (text, values[name])
        for name, text in told.items()
        if text is not None
        and not agrees(known.parameters[name], values[name], text, found.release, variables.get(name))
    }


@cache
def random_cases(name: str) -> dict[str, Any]:
    """Return the environments given to a real library, and what its banner showed: `default`, and what differed from it."""
    return dict(json.loads(gzip.decompress((ENVIRONMENTS / f"{name}.json.gz").read_bytes())))


def mispredicted(library: str, kind: str) -> list[tuple[dict[str, str], dict[str, tuple[str | None, str]]]]:
    told = random_cases(library)
    wrong = []
    for variables, showed in told[kind]:
        found = in_effect(variables, told["release"], told["stack"])
        if isinstance(showed, dict):
            missing = {name for name, text in showed.items() if text is None}
            idle = found.settings[f"{told['stack'].upper()}_PROGRESS_ENGINE_INTERVAL"].value == "0"
            differing = unlike(found, told["default"] | showed, variables)
            assert {name.partition("_")[2] for name in missing} == ({"PROGRESS_ENGINE_WCE_MAX"} if idle else set())
            wrong += [(variables, differing)] if differing else []
        else:
            assert Fate.FATAL in {each.fate for each in found.settings.values()}
    return wrong


@pytest.mark.parametrize("kind", ["plausible", "odd"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_real_library_made_of_a_random_environment_is_predicted(library: str, kind: str) -> None:
    assert len(random_cases(library)[kind]) == {"plausible": 250, "odd": 150}[kind]
    assert mispredicted(library, kind) == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_verify_is_never_surprised_by_a_real_library(library: str) -> None:
    told = random_cases(library)
    known = catalogue.load(told["stack"])
    for variables, showed in (row for kind in ("plausible", "odd") for row in told[kind]):
        if isinstance(showed, dict):
            texts = {name: text for name, text in (told["default"] | showed).items() if text is not None}
            read = banner.Banner(tag="X", release=told["release"], shown=texts)
            found = verify(known, variables, read, {})
            assert [str(each) for each in found if not each.predicted] == []
            assert [str(each) for each in found if Fate.OVERRIDDEN in {each.status, *each.why.split(": ")}] == []


@pytest.mark.parametrize(
    ("name", "asked", "showing", "status"),
    [
        ("XLIO_SKIP_POLL_IN_RX", "2", "Epoll Only", Fate.APPLIED),
        ("XLIO_TCP_CTL_THREAD", "with_wakeup", "With Wakeup", Fate.APPLIED),
        ("XLIO_TCP_CTL_THREAD", "no_wakeup", "No Wakeup", Fate.APPLIED),
        ("XLIO_MEMORY_LIMIT", "100000000", "95 MB", Fate.APPLIED),
        ("XLIO_MEMORY_LIMIT", "100000000", "94 MB", NOT_PREDICTED),
        ("XLIO_TX_BUF_SIZE", "128KB", "128 KB", FORCED),
    ],
)
def test_a_value_that_a_banner_words_in_its_own_way_is_no_other_value(
    name: str, asked: str, showing: str, status: str
) -> None:
    (found,) = verify(XLIO, {name: asked}, banner.Banner(tag="X", release="3.40.2", shown={name: showing}), {})
    assert found.status == status


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: str(quirk.name))
def test_every_quirk_of_a_banner_has_its_cause_and_is_seen_in_a_recording(quirk: Quirk) -> None:
    assert quirk.cause
    rows = [(told, row) for told in map(random_cases, LIBRARIES) for row in (*told["plausible"], *told["odd"])]
    assert any(_shows(quirk, told, *row) for told, row in rows if isinstance(row[1], dict))


def _shows(quirk: Quirk, told: Mapping[str, Any], variables: dict[str, str], showed: Mapping[str, str | None]) -> bool:
    """Return whether a banner shows something else than is in effect, of a variable that the quirk concerns."""
    known = catalogue.load(told["stack"])
    lines = told["default"] | showed if quirk.shown else showed
    names = [name for name in lines if quirk.holds_for(known.parameters[name], told["release"])]
    if not names:
        return False
    found = in_effect(variables, told["release"], told["stack"])
    said = understood(known.parameters[names[0]], str(lines[names[0]]), told["release"])
    return said != found.settings[names[0]].value


@pytest.mark.parametrize("size", ["4096", "16GB", "1K"])
def test_a_hugepage_size_that_makes_the_library_abort_is_said(size: str) -> None:
    found = in_effect({"XLIO_HUGEPAGE_SIZE": size}, "3.70.2").settings["XLIO_HUGEPAGE_SIZE"]
    assert found.fate is Fate.FATAL
    assert "aborts the program" in found.why
    assert in_effect({"XLIO_HUGEPAGE_SIZE": size}, "3.61.2").settings["XLIO_HUGEPAGE_SIZE"].fate is Fate.APPLIED
    problems = XLIO.check({"XLIO_HUGEPAGE_SIZE": size}, str, "3.70.2")
    assert [each.severity for each in problems if "aborts" in each.message] == [Severity.ERROR]
    shown_as_set = banner.Banner(tag="X", release="3.70.2", shown={"XLIO_HUGEPAGE_SIZE": "4 KB"})
    (verified,) = verify(XLIO, {"XLIO_HUGEPAGE_SIZE": size}, shown_as_set, {})
    assert verified.status == Fate.FATAL
    assert "aborts" in str(refusal("xlio", {"XLIO_HUGEPAGE_SIZE": size}, "3.70.2"))


def test_a_size_beyond_all_numbers_is_taken_into_the_account_of_the_memory() -> None:
    done = CliRunner().invoke(program(), ["profiles", "effective", "--env", "XLIO_MEMORY_LIMIT=-1"])
    assert done.exit_code == 0, done.output
    assert "18446744073709551615" in done.stdout


def test_an_obsolete_variable_has_no_effect() -> None:
    found = in_effect({"VMA_HUGETBL": "1"}, None, "vma").settings["VMA_HUGETBL"]
    assert (found.fate, found.why) == (Fate.INERT, "no effect: the library only complains about it")


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
        ({"XLIO_MEMORY_LIMIT": "1.5G"}, "XLIO_MEMORY_LIMIT", "2147483648", Origin.DEFAULT, "is not a size"),
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
        ({"XLIO_WORKER_THREADS": "2"}, "XLIO_SELECT_POLL", "-1", Origin.RULE, "polls for ever"),
        ({"XLIO_WORKER_THREADS": "4", "XLIO_SELECT_POLL": "100"}, "XLIO_SELECT_POLL", "-1", Origin.RULE, "sets XLIO_SELECT_POLL to -1"),
        ({"XLIO_WORKER_THREADS": "2"}, "XLIO_CQ_MODERATION_ENABLE", "1", Origin.DEFAULT, "the default"),
        ({"XLIO_RX_WRE": "16384"}, "XLIO_QP_COMPENSATION_LEVEL", "1024", Origin.RULE, "XLIO_RX_WRE / 2"),
        ({"XLIO_SPEC": "none", "XLIO_NGINX_WORKERS_NUM": "2"}, "XLIO_MEMORY_LIMIT", str(8 << 30), Origin.PRESET, "nginx"),
        ({"XLIO_TX_BUF_SIZE": "1MB"}, "XLIO_TX_BUF_SIZE", "262144", Origin.RULE, "must not exceed 262144"),
        ({"XLIO_UTLS_HIGH_WMARK_DEK_CACHE_SIZE": "16"}, "XLIO_UTLS_LOW_WMARK_DEK_CACHE_SIZE", "512", Origin.DEFAULT, ""),
        ({"XLIO_PROGRESS_ENGINE_WCE_MAX": "0"}, "XLIO_PROGRESS_ENGINE_INTERVAL", "0", Origin.RULE, "nothing to drain"),
        ({"XLIO_STRQ": "off", "XLIO_STRQ_NUM_STRIDES": "4096"}, "XLIO_STRQ_NUM_STRIDES", "2048", Origin.DEFAULT, "read only where"),
        ({"XLIO_MEMORY_LIMIT": "-1"}, "XLIO_MEMORY_LIMIT", str((1 << 64) - 1), Origin.EXPLICIT, "nothing checks that"),
        ({"XLIO_MEMORY_LIMIT": "-1"}, "XLIO_MEMORY_LIMIT", str((1 << 64) - 1), Origin.EXPLICIT, "'-1' is read as 18446744073709551615: in 64 bits, without a sign"),
        ({"XLIO_TCP_SEND_BUFFER_SIZE": "4gb"}, "XLIO_TCP_SEND_BUFFER_SIZE", "0", Origin.EXPLICIT, "'4gb' is read as 0: in 32 bits"),
        ({"XLIO_MAX_TSO_SIZE": "5GB"}, "XLIO_MAX_TSO_SIZE", str(1 << 30), Origin.EXPLICIT, "'5GB' is read as 1073741824: in 32 bits"),
        ({"XLIO_TCP_SEND_BUFFER_SIZE": "+3"}, "XLIO_TCP_SEND_BUFFER_SIZE", "3", Origin.EXPLICIT, "as set"),
        ({"XLIO_WORKER_THREADS": "-1"}, "XLIO_WORKER_THREADS", "65535", Origin.EXPLICIT, "in 16 bits, without a sign"),
        ({"XLIO_DISABLE_FLOW_TAG": "-1"}, "XLIO_DISABLE_FLOW_TAG", "0", Origin.EXPLICIT, "only a number above 0 switches it on"),
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
        with pytest.raises(UsageError, match="is not a known release of xlio"):
            XLIO.read_as(wrong)


@pytest.mark.parametrize(
    ("word", "fate"), [("ultra_latency", Fate.DEFAULTED), ("ultra-latency", Fate.APPLIED), ("latency", Fate.APPLIED)]
)
def test_the_line_of_doca_has_the_words_from_before_it_branched(word: str, fate: Fate) -> None:
    assert in_effect({"XLIO_SPEC": word}, "3.941.0").settings["XLIO_SPEC"].fate is fate


def test_ring_logic_30_with_migrating_sockets_is_a_caution_for_multicast() -> None:
    def cautions(settings: dict[str, str]) -> list[str]:
        values = numbers(in_effect(settings, "3.10.5").values())
        return [one.rule.id for one in broken(XLIO.rules, values, "3.10.5") if one.rule.id == "ring_per_cpu"]

    moving = {"XLIO_RING_ALLOCATION_LOGIC_RX": "30"}
    assert cautions(moving) == ["ring_per_cpu"]
    assert cautions(moving | {"XLIO_RING_MIGRATION_RATIO_RX": "-1"}) == []
    assert cautions({"XLIO_RING_ALLOCATION_LOGIC_RX": "31"}) == []


def test_a_switch_that_is_off_as_written_has_nothing_to_explain() -> None:
    off, below = (
        in_effect({"XLIO_DISABLE_FLOW_TAG": value}).settings["XLIO_DISABLE_FLOW_TAG"] for value in ("0", "-1")
    )
    assert (off.value, off.why) == ("0", "as set")
    assert "only a number above 0" in below.why


@pytest.mark.parametrize(
    ("stack", "name", "low", "high"), [("vma", "VMA_RX_WRE_BATCHING", "1", "1024"), ("onload", "EF_ACCEPTQ_MIN_BACKLOG", "0", "65535")]
)  # fmt: skip
def test_a_number_out_of_range_becomes_the_nearest_in_it(stack: str, name: str, low: str, high: str) -> None:
    found = [in_effect({name: value}, None, stack).settings[name] for value in ("-3", "7", "99999")]
    assert [each.value for each in found] == [low, "7", high]
    assert [each.fate for each in found] == [Fate.CLAMPED, Fate.APPLIED, Fate.CLAMPED]


def test_a_text_of_onload_stays_the_text_that_it_is() -> None:
    assert in_effect({"EF_LOG_FILE": "7th"}, None, "onload").settings["EF_LOG_FILE"].value == "7th"
