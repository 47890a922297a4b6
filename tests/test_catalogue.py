"""The data files: complete, consistent, and what is said about settings that are wrong."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from vendor_names import VENDOR_NAMES

from tuner import catalogue
from tuner.catalogue.expressions import parse
from tuner.catalogue.parameters import Kind, Type
from tuner.catalogue.releases import is_aside, order, release_key, window_words
from tuner.errors import Finding, Severity, UsageError

XLIO = catalogue.load("xlio")
KERNEL = catalogue.load("kernel")
ONLOAD = catalogue.load("onload")
VMA = catalogue.load("vma")
OBJECTIVES = ("latency", "tail", "throughput", "balanced")

SPACES = [
    (stack, objective, row)
    for stack in ("xlio", "kernel", "vma", "onload")
    for objective, rows in tomllib.loads((catalogue.FOLDER / f"{stack}.space.toml").read_text(encoding="utf-8")).items()
    for row in rows
]


def check(settings: dict[str, str], release: str | None = None, stack: str = "xlio") -> list[Finding]:
    return catalogue.load(stack).check(settings, lambda name: f"my.toml: settings.{name}", release)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize("name", ["LOG_COLORS", *(f"XLIO_{name}" for name in VENDOR_NAMES.split())])
def test_every_name_of_the_vendor_document_is_found(name: str) -> None:
    found = XLIO.find(name)
    assert found.summary
    if found.kind is Kind.ALIAS:
        assert XLIO.find(found.alias_of).kind is Kind.SETTING


def test_the_catalogue_of_xlio_is_complete() -> None:
    kinds = [p.kind for p in XLIO.parameters.values()]
    assert (len(kinds), kinds.count(Kind.SETTING), kinds.count(Kind.ALIAS)) == (171, 155, 12)
    assert (XLIO.releases[0], XLIO.releases[-1], len(XLIO.releases)) == ("2.0.6", "3.70.2", 52)


def test_releases_stand_oldest_first() -> None:
    for stack in catalogue.stacks():
        releases = list(catalogue.load(stack).releases)
        assert releases == sorted(releases, key=order)


@pytest.mark.parametrize(
    "parameter",
    [parameter for known in (XLIO, KERNEL, VMA, ONLOAD) for parameter in known.parameters.values()],
    ids=lambda p: p.name,
)
def test_an_entry_is_explained_and_consistent(parameter: Any) -> None:
    assert parameter.summary.endswith((".", "!"))
    assert parameter.source
    if parameter.kind is not Kind.SETTING:
        return
    assert parameter.group
    assert parameter.since
    assert parameter.type is Type.ENUM or not parameter.choices
    assert parameter.type is not Type.ENUM or len(parameter.choices) > 1
    since = [(is_aside(d.since), release_key(d.since)) for d in parameter.defaults if not d.when]
    assert since == sorted(set(since))
    assert all(parameter.problem(value) is None for value, _ in parameter.special)


@pytest.mark.parametrize("stack", ["xlio", "kernel", "vma", "onload"])
def test_every_default_is_a_value_in_its_release(stack: str) -> None:
    known = catalogue.load(stack)
    for release in filter(known.is_read_whole, known.releases):
        for name, value in known.effective({}, release).items():
            assert known.find(name).problem(value, release) is None, (name, release)
    for parameter in known.settings():
        for default in parameter.defaults:
            assert parameter.problem(default.value) is None or not known.is_read_whole(default.since)
            assert parse(default.when).names <= known.parameters.keys() if default.when else True
            assert parse(default.formula).names <= known.parameters.keys() if default.formula else True


@pytest.mark.parametrize(
    ("name", "release", "default"),
    [
        ("XLIO_TX_WRE", "2.1.1", "2048"),
        ("XLIO_TX_WRE", "2.1.2", "32768"),
        ("XLIO_RING_ALLOCATION_LOGIC_RX", "3.31.1", "0"),
        ("XLIO_RING_ALLOCATION_LOGIC_RX", "3.31.2", "20"),
        ("XLIO_STRQ_NUM_STRIDES", "3.21.2", "16384"),
        ("XLIO_STRQ_NUM_STRIDES", "3.40.2", "2048"),
        ("XLIO_STRQ", "3.70.2", "on"),
        ("XLIO_RX_WRE", "3.21.2", "8"),
        ("XLIO_RX_WRE", "3.61.2", "128"),
        ("XLIO_UTLS_RX", "3.21.2", "0"),
        ("XLIO_STATS_FD_NUM", "3.30.3", "0"),
        ("XLIO_TCP_CTL_THREAD", "3.10.5", "0"),
        ("XLIO_TCP_CTL_THREAD", "3.20.1", "disable"),
        ("XLIO_HUGEPAGE_SIZE", "3.21.2", None),
        ("XLIO_BF", "3.40.2", None),
        ("XLIO_DOCA_RX", "3.70.2", None),
    ],
)
def test_defaults_follow_the_releases(name: str, release: str, default: str | None) -> None:
    assert XLIO.find(name).default(release) == default


def test_a_preset_name_belongs_to_its_releases() -> None:
    spec = XLIO.find("XLIO_SPEC")
    names = {
        release: {c.value for c in spec.choices_in(release)} for release in ("2.0.6", "3.40.0", "3.40.2", "3.61.2")
    }
    assert "rti" in names["2.0.6"]
    assert {"multi_ring_latency", "ultra-latency", "nvme_bf2"} < names["3.40.0"]
    assert names["3.40.2"] == {"none", "latency", "ultra-latency", "nginx", "nginx_dpu", "nvme_bf3"}
    assert names["3.61.2"] == {"none", "latency", "ultra_latency", "nginx", "nginx_dpu", "nvme_bf3"}


@pytest.mark.parametrize(
    ("settings", "release", "effective"),
    [
        ({}, "3.61.2", {"XLIO_RX_WRE": "128", "XLIO_QP_COMPENSATION_LEVEL": "64", "XLIO_RX_WRE_BATCHING": "1"}),
        (
            {"XLIO_STRQ": "off"},
            "3.61.2",
            {"XLIO_RX_WRE": "32768", "XLIO_QP_COMPENSATION_LEVEL": "16384", "XLIO_RX_WRE_BATCHING": "1024"},
        ),
        (
            {"XLIO_STRQ": "0"},
            "3.21.2",
            {"XLIO_RX_WRE": "16000", "XLIO_QP_COMPENSATION_LEVEL": "256", "XLIO_STRQ": "off"},
        ),
        ({"XLIO_RX_WRE": "512"}, "3.40.2", {"XLIO_QP_COMPENSATION_LEVEL": "256"}),
        ({"XLIO_RX_WRE": "512"}, "3.21.2", {"XLIO_QP_COMPENSATION_LEVEL": "1"}),
        ({"XLIO_RX_POLL": "-1"}, "3.61.2", {"XLIO_CQ_MODERATION_ENABLE": "0"}),
        ({"XLIO_RX_POLL": "-1", "XLIO_CQ_MODERATION_ENABLE": "1"}, "3.61.2", {"XLIO_CQ_MODERATION_ENABLE": "1"}),
        ({"XLIO_SELECT_POLL_OS_FORCE": "1"}, "3.40.2", {"XLIO_SELECT_POLL_OS_RATIO": "1", "XLIO_SELECT_SKIP_OS": "1"}),
        ({"XLIO_SELECT_POLL_OS_FORCE": "1"}, "3.61.2", {"XLIO_SELECT_POLL_OS_RATIO": "10", "XLIO_SELECT_SKIP_OS": "4"}),
        ({"XLIO_WORKER_THREADS": "2"}, "3.61.2", {"XLIO_SELECT_POLL": "-1", "XLIO_CQ_MODERATION_ENABLE": "0"}),
        ({"XLIO_MEMORY_LIMIT": "1GB"}, None, {"XLIO_MEMORY_LIMIT": "1073741824"}),
    ],
)
def test_what_is_in_effect_are_the_defaults_and_what_is_set(
    settings: dict[str, str], release: str | None, effective: dict[str, str]
) -> None:
    found = XLIO.effective(settings, release)
    assert {name: found.get(name) for name in effective} == effective


def test_what_a_release_does_not_read_has_no_default_in_effect() -> None:
    assert "XLIO_BF" in XLIO.effective({}, "3.21.2")
    assert not {"XLIO_BF", "XLIO_DOCA_RX"} & XLIO.effective({}).keys()


def test_a_value_that_is_none_stands_as_written_and_changes_nothing_else() -> None:
    found = XLIO.effective({"XLIO_RX_POLL": "abc", "XLIO_RX_WRE": "x", "PATH": "y"}, "3.61.2")
    assert (found["XLIO_RX_POLL"], found["XLIO_RX_WRE"], found["PATH"]) == ("abc", "x", "y")
    assert (found["XLIO_CQ_MODERATION_ENABLE"], found["XLIO_QP_COMPENSATION_LEVEL"]) == ("1", "64")


def test_sound_settings_have_no_findings() -> None:
    assert check({"XLIO_RX_POLL": "-1", "XLIO_STRQ": "off", "XLIO_MEMORY_LIMIT": "1GB"}, "3.61.2") == []
    assert check({}) == []


@pytest.mark.parametrize(
    ("name", "value", "message", "suggestion"),
    [
        ("XLIO_RX_POL", "1", "xlio has no parameter XLIO_RX_POL", "did you mean XLIO_RX_POLL?"),
        (
            "RX_POLL",
            "1",
            "RX_POLL is not a variable of xlio: a profile sets only those of its stack",
            "did you mean XLIO_RX_POLL?",
        ),
        ("LD_PRELOAD", "x.so", "LD_PRELOAD is not a variable of xlio: a profile sets only those of its stack", ""),
        ("PATH", "/bin", "PATH is not a variable of xlio: a profile sets only those of its stack", ""),
        ("EF_POLL_USEC", "1", "EF_POLL_USEC is not a variable of xlio: a profile sets only those of its stack", ""),
        (
            "XLIO_NGINX_WORKER_NUM",
            "2",
            "XLIO_NGINX_WORKER_NUM is a spelling that no release reads, not a setting",
            "use XLIO_NGINX_WORKERS_NUM instead",
        ),
        ("XLIO_VERSION", "3", "XLIO_VERSION is a mark in the start-up banner, not a setting", "remove it"),
        (
            "XLIO_TSO",
            "of",
            "'of' is not a valid value for XLIO_TSO: it must be one of auto, on, off",
            "did you mean off?",
        ),
        ("XLIO_TCP_NODELAY", "true", "'true' is not a valid value for XLIO_TCP_NODELAY: it must be 0 or 1", "write 1"),
        (
            "XLIO_RX_BYTES_MIN",
            "64KB",
            "'64KB' is not a valid value for XLIO_RX_BYTES_MIN: it must be a whole number of 0 or more",
            "write 65536",
        ),
        (
            "XLIO_TCP_CC_ALGO",
            "cubic",
            "'cubic' is not a valid value for XLIO_TCP_CC_ALGO: it must be one of 0, 1, 2",
            "write 1",
        ),
        (
            "XLIO_STRQ_NUM_STRIDES",
            "1000",
            "'1000' is not a valid value for XLIO_STRQ_NUM_STRIDES: it must be a whole number from 512 to 65536, a power of two",
            "",
        ),
    ],
)
def test_a_wrong_setting_is_an_error_with_its_remedy(name: str, value: str, message: str, suggestion: str) -> None:
    found = only(check({name: value}))
    assert found == Finding(Severity.ERROR, f"my.toml: settings.{name}", message, suggestion)


def test_everything_wrong_is_told_at_once() -> None:
    found = check({"XLIO_RX_POL": "1", "XLIO_TSO": "of", "XLIO_TX_WRE": "100", "PATH": "x"})
    assert [finding.severity for finding in found].count(Severity.ERROR) == 4
    assert len(found) == 4


@pytest.mark.parametrize(("release", "severity"), [(None, Severity.WARNING), ("3.61.2", Severity.ERROR)])
def test_what_a_release_does_not_read_is_an_error_there_and_a_warning_in_general(
    release: str | None, severity: Severity
) -> None:
    found = only(check({"XLIO_THREAD_MODE": "0"}, release))
    assert (found.severity, found.suggestion) == (severity, "remove it")
    assert found.message.endswith("does not read XLIO_THREAD_MODE: it is read from 2.0.6 to 3.40.0")
    assert check({"XLIO_THREAD_MODE": "0"}, "3.21.2") == []


@pytest.mark.parametrize(("release", "severity"), [(None, Severity.WARNING), ("3.40.2", Severity.ERROR)])
def test_a_preset_that_is_ignored_without_a_word_is_told(release: str | None, severity: Severity) -> None:
    found = only(check({"XLIO_SPEC": "multi_ring_latency"}, release))
    assert found.severity is severity
    assert "XLIO_SPEC=multi_ring_latency is known until 3.40.0 and ignored by" in found.message
    assert check({"XLIO_SPEC": "multi_ring_latency"}, "3.40.0") == []


def test_a_value_that_the_library_would_replace_is_an_error_where_it_is_set() -> None:
    found = only(check({"XLIO_TX_WRE": "100"}))
    assert (found.severity, found.where) == (Severity.ERROR, "my.toml: settings.XLIO_TX_WRE")
    assert found.suggestion == "set XLIO_TX_WRE=128"


def test_a_rule_that_only_changes_what_was_left_out_is_a_warning() -> None:
    found = only(check({"XLIO_BUFFER_BATCHING_MODE": "0"}))
    assert (found.severity, found.suggestion) == (Severity.WARNING, "set XLIO_TX_BUFS_BATCH_TCP=1")


def test_what_cannot_start_is_an_error() -> None:
    assert only(check({"XLIO_MEMORY_LIMIT": "16MB"})).severity is Severity.ERROR


def test_a_rule_is_not_held_against_a_bad_value() -> None:
    assert only(check({"XLIO_TX_WRE": "lots"})).suggestion == ""


def test_the_json_mode_that_ignores_every_variable_is_told() -> None:
    assert "ignore every other variable" in only(check({"XLIO_USE_NEW_CONFIG": "1"}, "3.61.2")).message


def test_a_variable_that_only_another_stack_reads_names_that_stack() -> None:
    found = only(check({"XLIO_STRQ": "on"}, stack="kernel"))
    assert (found.message, found.suggestion) == (
        "kernel has no parameter XLIO_STRQ",
        "xlio has it, kernel would ignore it",
    )


ANY_SETTINGS = st.dictionaries(
    st.sampled_from([*XLIO.parameters, "PATH"]), st.text(max_size=12) | st.integers().map(str), max_size=6
)


@limits(deadline=None)
@given(ANY_SETTINGS, st.sampled_from([None, "3.40.2", "3.20.4"]))
def test_what_is_kept_between_calls_changes_no_answer(settings: dict[str, str], release: str | None) -> None:
    fresh = replace(XLIO)
    assert fresh.effective(settings, release) == XLIO.effective(settings, release)
    assert fresh.repaired(settings, release) == XLIO.repaired(settings, release)
    XLIO.effective(settings, release).clear()
    assert fresh.effective(settings, release) == XLIO.effective(settings, release)


@limits(deadline=None)
@given(ANY_SETTINGS)
def test_no_settings_break_the_check(settings: dict[str, str]) -> None:
    assert XLIO.effective(settings, "3.40.2").keys() >= settings.keys()
    assert XLIO.repaired(settings, "3.40.2").keys() >= settings.keys()
    unsound = {f.where for f in check(settings, "3.40.2") if f.severity is Severity.ERROR}
    for name, value in settings.items():
        known = XLIO.parameters.get(name)
        bad = known is None or known.kind is not Kind.SETTING or known.problem(value) is not None
        assert not bad or f"my.toml: settings.{name}" in unsound


def test_an_unknown_stack_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as raised:
        catalogue.load("xlo")
    assert raised.value.advice == "did you mean xlio?"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="XLIO has no such variable: XLIO_TX_WER") as raised:
        XLIO.find("XLIO_TX_WER")
    assert raised.value.advice == "did you mean XLIO_TX_WRE?"


def test_the_kernel_stack_has_the_settings_that_its_library_honours() -> None:
    names = (
        "RX_POLL RX_POLL_YIELD SELECT_POLL TCP_NODELAY TCP_QUICKACK TCP_SEND_BUFFER_SIZE RX_BYTES_MIN MSS TCP_CC_ALGO"
    )
    names += " TX_MC_LOOPBACK SPEC TRACELEVEL LOG_FILE"
    assert set(KERNEL.parameters) == {f"XLIO_{name}" for name in names.split()}
    unset = {p.name for p in KERNEL.settings() if p.default() is None}
    assert unset == {"XLIO_TCP_SEND_BUFFER_SIZE", "XLIO_TX_MC_LOOPBACK"}
    assert KERNEL.find("XLIO_RX_POLL").default() == "0"


@pytest.mark.parametrize("stack", ["xlio", "kernel", "vma", "onload"])
def test_every_objective_has_a_search_space_without_repetition(stack: str) -> None:
    for objective in OBJECTIVES:
        names = [row["parameter"] for where, goal, row in SPACES if (where, goal) == (stack, objective)]
        assert len(names) > 3
        assert len(names) == len(set(names))
    assert {goal for where, goal, _ in SPACES if where == stack} == set(OBJECTIVES)


@pytest.mark.parametrize(
    ("stack", "objective", "row"), SPACES, ids=lambda v: v["parameter"] if isinstance(v, dict) else v
)
def test_a_dimension_has_valid_values_of_a_known_parameter(stack: str, objective: str, row: dict[str, Any]) -> None:
    parameter = catalogue.load(stack).find(row["parameter"])
    texts = [str(row[key]) for key in ("low", "high") if key in row] + row.get("special", []) + row.get("values", [])
    assert len(texts) >= 2
    assert {text: parameter.problem(text) for text in texts} == dict.fromkeys(texts)
    assert {text: parameter.canonical(text) for text in texts} == {text: text for text in texts}
    assert row["priority"] in {1, 2, 3}
    assert row["why"]


@pytest.mark.parametrize(
    ("stack", "objective", "row"), SPACES, ids=lambda v: v["parameter"] if isinstance(v, dict) else v
)
def test_a_dimension_has_the_shape_of_its_scale(stack: str, objective: str, row: dict[str, Any]) -> None:
    words = {"parameter", "scale", "low", "high", "special", "values", "step", "power_of_two", "priority", "why"}
    assert set(row) <= words | {"multiplexers", "protocols", "requires"}
    if row["scale"] == "choice":
        assert len(set(row["values"])) == len(row["values"]) > 1
        return
    assert row["scale"] in {"log", "linear"}
    assert row["low"] < row["high"]
    assert row["scale"] == "linear" or row["low"] > 0
    assert not [text for text in row.get("special", []) if row["low"] <= int(text) <= row["high"]]
    if row.get("power_of_two"):
        assert {bound & (bound - 1) for bound in (row["low"], row["high"])} == {0}
    assert (row["high"] - row["low"]) % row.get("step", 1) == 0


@pytest.mark.parametrize(
    ("stack", "objective", "row"), SPACES, ids=lambda v: v["parameter"] if isinstance(v, dict) else v
)
def test_the_conditions_of_a_dimension_name_what_exists(stack: str, objective: str, row: dict[str, Any]) -> None:
    known = catalogue.load(stack)
    assert set(row.get("multiplexers", [])) <= {"recvfrom", "select", "poll", "epoll"}
    assert set(row.get("protocols", [])) <= {"tcp", "udp"}
    for name, value in row.get("requires", {}).items():
        assert known.find(name).problem(value) is None


def test_the_catalogue_imports_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "scipy", "skopt", "sklearn", "sqlalchemy", "rich"}
    code = f"import sys, tuner.cli.commands.params as p; p.catalogue.load('xlio'); print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


@given(data=st.data())
def test_what_changes_something_has_everything_in_effect_that_the_whole_has(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(["XLIO_STRQ", "XLIO_RX_WRE", "XLIO_TSO", "XLIO_RX_POLL"]), unique=True))
    settings = {name: data.draw(st.sampled_from(VALUES[name]), label=name) for name in names}
    kept = XLIO.changing(settings, "3.40.2")
    assert XLIO.effective(kept, "3.40.2") == XLIO.effective(settings, "3.40.2")
    assert not any(XLIO.changes_nothing(name, kept, "3.40.2") for name in kept)


VALUES = {
    "XLIO_STRQ": ["on", "off"],
    "XLIO_RX_WRE": ["128", "32768", "64"],
    "XLIO_TSO": ["auto", "on", "off"],
    "XLIO_RX_POLL": ["100000", "-1"],
}


@pytest.mark.parametrize(
    ("since", "last", "words"),
    [("", None, ""), ("3.1", None, "from 3.1 on"), ("", "3.2", "until 3.2"), ("3.1", "3.2", "from 3.1 to 3.2")],
)
def test_a_window_of_releases_has_one_wording(since: str, last: str | None, words: str) -> None:
    assert window_words(since, last) == words


@pytest.mark.parametrize(
    ("stack", "name", "near"),
    [
        ("vma", "VMA_QP_LOGIC", None),
        ("vma", "VMA_STRQ", None),
        ("xlio", "XLIO_TX_WER", "XLIO_TX_WRE"),
        ("vma", "VMA_HUGETLB", "VMA_HUGETBL"),
    ],
)
def test_a_name_is_suggested_only_where_one_is_near_behind_the_prefix(stack: str, name: str, near: str | None) -> None:
    assert catalogue.load(stack).near(name) == near
