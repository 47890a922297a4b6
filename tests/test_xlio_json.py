"""What has a key in XLIO's own configuration goes there and comes back unchanged; what has none is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuner import catalogue
from tuner.catalogue.parameters import Kind, Type
from tuner.cli.main import program
from tuner.errors import UsageError
from tuner.stacks.json_keys import KeyType, every_key, keys
from tuner.stacks.xlio_json import (
    from_inline,
    from_json,
    launched_with,
    separator,
    to_inline,
    to_json,
)

PARAMETERS = catalogue.load("xlio").parameters
RELEASES = [release for release in catalogue.load("xlio").releases if keys(release)]
NEWEST = RELEASES[-1]


def value(name: str, release: str) -> st.SearchStrategy[str]:
    """Return legal values of a variable that its key can say, in their canonical spelling."""
    key, parameter = keys(release)[name], PARAMETERS[name]
    if key.type is KeyType.BOOLEAN:
        return st.sampled_from(key.truth)
    if parameter.choices:
        return st.sampled_from([c.value for c in parameter.choices_in(release) if sayable(name, c.value, release)])
    if parameter.type is Type.STRING:
        return st.text("abc/_.-%d é", min_size=1, max_size=9)
    if parameter.type is Type.CPUSET:
        return st.sampled_from(["-1", "0", "0,2-3", "0x5"])
    low = max(x for x in (parameter.min, key.min, 0) if x is not None)
    high = min(x for x in (parameter.max, key.max, 2**31 - 1) if x is not None)
    if key.power_of_two or parameter.power_of_two:
        return st.sampled_from([str(1 << bit) for bit in range(31) if max(low, 1) <= 1 << bit <= high])
    return st.integers(low, high).map(str)


def sayable(name: str, text: str, release: str) -> bool:
    return not to_json({name: text}, release)[1]


@st.composite
def profiles(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    release = draw(st.sampled_from(RELEASES))
    parameters = [p for p in PARAMETERS.values() if p.name in keys(release) and p.exists_in(release)]
    names = draw(st.lists(st.sampled_from([p.name for p in parameters]), unique=True, max_size=8))
    return {name: draw(value(name, release)) for name in names}, release


@given(profiles())
def test_a_legal_profile_comes_back_from_json_as_it_was(made: tuple[dict[str, str], str]) -> None:
    settings, release = made
    text, findings = to_json(settings, release)
    assert findings == []
    assert from_json(text, "f", release) == (settings, [])


@given(profiles())
def test_what_an_inline_configuration_says_comes_back_and_the_rest_is_said(made: tuple[dict[str, str], str]) -> None:
    settings, release = made
    text, findings = to_inline(settings, release)
    missing = {finding.where.removeprefix("settings.") for finding in findings}
    kept = {name: text for name, text in settings.items() if name not in missing}
    if kept:
        assert from_inline(text, "f", release) == (kept, [])
    assert missing <= settings.keys()


def test_every_key_has_a_variable_and_the_catalogue_names_the_same_path() -> None:
    newest = keys(NEWEST)
    assert {name: key.key for name, key in newest.items()} == {
        p.name: p.json_path for p in PARAMETERS.values() if p.json_path and p.name in newest
    }
    assert {key.name for key in every_key()} <= PARAMETERS.keys()
    assert {p.name for p in PARAMETERS.values() if p.json_path} == {key.name for key in every_key()}


@pytest.mark.parametrize("name", sorted(keys(NEWEST)))
def test_every_key_takes_the_default_of_its_variable(name: str) -> None:
    parameter = PARAMETERS[name]
    default = parameter.default(NEWEST)
    if default is not None and parameter.kind is Kind.SETTING:
        assert sayable(name, default, NEWEST)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"XLIO_CONFIG_FILE": "/etc/x"}, "has no key"),
        ({"XLIO_RX_POL": "1"}, "has no key"),
        ({"XLIO_TX_BUFS": "1"}, "it is there from 3.60.0 to 3.60.0"),
        ({"XLIO_STRQ": "auto"}, "cannot be expressed"),
        ({"XLIO_RX_POLL": "fast"}, "must be"),
        ({"XLIO_RX_WRE_BATCHING": "2000"}, "1024"),
        ({"XLIO_STRQ_NUM_STRIDES": "3000"}, "power of two"),
        ({"XLIO_LOG_FILE": "a\nb"}, "one line"),
    ],
)
def test_what_json_cannot_say_is_said(settings: dict[str, str], says: str) -> None:
    text, findings = to_json(settings, NEWEST)
    assert json.loads(text) == {}
    assert says in findings[0].message


@pytest.mark.parametrize(
    ("key", "given_value", "says"),
    [
        ("network.protocols.tcp.quickack", 1, "must be true or false, is a whole number"),
        ("network.protocols.tcp.mss", "1460", "must be a whole number, is text"),
        ("network.protocols.tcp.mss", True, "is true or false"),
        ("network.protocols.tcp.mss", 9000, "more than the most, 8960"),
        ("core.resources.memory_limit", "4.5GB", "is not a size"),
        ("core.resources.memory_limit", "4 GB", "is not a size"),
        ("hardware_features.striding_rq.strides_num", 3000, "not a power of two"),
        ("profiles.spec", "fast", "is not a valid value"),
        ("monitor.log.level", "init", "no value of XLIO_TRACELEVEL"),
        ("network.protocols.tcp.mms", 1, "unknown key"),
        ("monitor.exit_report", "auto", "3.70.2 does not know this key"),
        ("monitor.log.file_path", None, "is null"),
    ],
)
def test_what_the_library_would_refuse_is_found(key: str, given_value: object, says: str) -> None:
    tree: Any = given_value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    settings, findings = from_json(json.dumps(tree), "f.json", NEWEST)
    assert settings == {}
    assert says in findings[0].message
    assert findings[0].where == f"f.json: {key}"


@pytest.mark.parametrize(
    ("key", "given_value", "settings"),
    [
        ("core.resources.memory_limit", "4GB", {"XLIO_MEMORY_LIMIT": "4294967296"}),
        ("core.resources.memory_limit", "4k", {"XLIO_MEMORY_LIMIT": "4096"}),
        ("profiles.spec", 1, {"XLIO_SPEC": "ultra_latency"}),
        ("hardware_features.tcp.lro", "auto", {"XLIO_LRO": "auto"}),
        ("hardware_features.tcp.lro", 1, {"XLIO_LRO": "on"}),
        ("monitor.log.level", 4, {"XLIO_TRACELEVEL": "details"}),
        ("core.resources.hugepages.enable", False, {"XLIO_MEM_ALLOC_TYPE": "0"}),
        ("performance.threading.cpu_affinity", "0,2-3", {"XLIO_INTERNAL_THREAD_AFFINITY": "0,2-3"}),
    ],
)
def test_words_numbers_and_sizes_become_values_of_the_variable(
    key: str, given_value: object, settings: dict[str, str]
) -> None:
    tree: Any = given_value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    assert from_json(json.dumps(tree), "f", NEWEST) == (settings, [])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "1", "nul", "{", '{"a":NaN}', "[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, '{"a":' + "9" * 5000 + "}",
     '{"a.b": 1}', '{"core": 5}', '{"core": {"quick_init": {"x": 1}}}', '{"core":{"quick_init":true,"quick_init":true}}'],
    ids=range(13),
)  # fmt: skip
def test_text_that_is_no_configuration_is_a_finding(text: str) -> None:
    assert from_json(text, "f", NEWEST)[1]


def test_offload_rules_are_left_out_and_said() -> None:
    settings, findings = from_json('{"acceleration_control": {"rules": [{"id": "a"}]}}', "f", NEWEST)
    assert (settings, findings[0].severity) == ({}, "warning")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([part for key in every_key() for part in key.key.split(".")]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values | st.text(max_size=30), st.sampled_from(["3.51.1", *RELEASES]))
def test_no_text_crashes_the_json_reader(tree: object, release: str) -> None:
    settings, _ = from_json(tree if isinstance(tree, str) else json.dumps(tree), "f", release)
    for name, text in settings.items():
        assert PARAMETERS[name].problem(text, release) is None


inline_text = st.lists(
    st.sampled_from([",", ";", "=", "true", "1", "-1", " ", '"', *(key.key for key in every_key())]) | st.text(max_size=2),
    max_size=12,
).map("".join)  # fmt: skip


@given(inline_text, st.sampled_from(RELEASES))
def test_no_text_crashes_the_inline_reader(text: str, release: str) -> None:
    settings, _ = from_inline(text, "f", release)
    again, findings = to_inline(settings, release)
    if settings and not findings:
        assert from_inline(again, "f", release)[0] == settings


def test_the_separator_follows_the_release_and_commas_forbid_cpu_lists() -> None:
    settings = {"XLIO_INTERNAL_THREAD_AFFINITY": "0,2"}
    assert (separator("3.61.2"), separator("3.70.0")) == (",", ";")
    assert "not read from an inline configuration" in to_inline(settings, "3.61.2")[1][0].message
    assert to_inline(settings, "3.70.0") == ("performance.threading.cpu_affinity=0,2", [])


def test_one_cpu_is_said_inline_as_a_range_because_a_number_would_end_the_start() -> None:
    settings = {"XLIO_INTERNAL_THREAD_AFFINITY": "0"}
    assert to_inline(settings, "3.70.0") == ("performance.threading.cpu_affinity=0-0", [])
    assert from_inline("cpu_affinity=0-0", "f", "3.70.0") == (settings, [])
    found, findings = from_inline("cpu_affinity=0", "f", "3.70.0")
    assert (found, [one.suggestion.startswith("write 0-0") for one in findings]) == ({}, [True])
    assert "takes text" in to_inline({"XLIO_INTERNAL_THREAD_AFFINITY": "-1"}, "3.70.0")[1][0].message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("network.protocols.tcp.mss=1,network.protocols.tcp.mss=2", "twice"),
        ("network.protocols.tcp.mss=1=2", "no key=value"),
        ("network.protocols.tcp.mss=", "is not key=value"),
        (",network.protocols.tcp.mss=1", "is empty"),
        ("mss=1", "unknown key"),
        ("performance.threading.cpu_affinity=0", "not read from"),
        ('monitor.log.file_path="a"', "characters"),
        ("network.protocols.tcp.quickack=1", "must be true or false"),
    ],
)
def test_what_the_inline_loader_refuses_is_found(text: str, says: str) -> None:
    found = from_inline(text, "f", "3.61.2")[1]
    assert any(says.removeprefix("no ") in one.message for one in found), found


def test_a_key_may_be_shortened_from_3_70_on_where_it_is_unique() -> None:
    assert from_inline("mss=1", "f", "3.70.0") == ({"XLIO_MSS": "1"}, [])
    assert "is short for" in from_inline("enable=true", "f", "3.70.0")[1][0].message


def test_an_old_release_has_no_json() -> None:
    assert "reads no JSON" in to_json({"XLIO_MSS": "1"}, "3.51.1")[1][0].message
    assert launched_with("/f") == {"XLIO_USE_NEW_CONFIG": "1", "XLIO_CONFIG_FILE": "/f"}


def run(*arguments: str) -> str:
    result = CliRunner().invoke(program(), ["profiles", *arguments])
    if isinstance(result.exception, UsageError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_profiles_json_and_import_are_inverse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("new", "mine", "--stack", "xlio", "--set", "XLIO_RX_POLL=-1", "--set", "XLIO_TSO=off")
    Path("mine.json").write_text(run("json", "mine"))
    run("import", "mine.json", "-o", "back.toml")
    assert json.loads(run("show", "./back.toml", "--json"))["settings"] == {"XLIO_RX_POLL": "-1", "XLIO_TSO": "off"}
    Path("inline").write_text(run("json", "mine", "--inline") + "\n")
    found = json.loads(run("import", "inline", "-o", "b2.toml", "--inline", "--json"))
    assert found["settings"] == {"XLIO_RX_POLL": "-1", "XLIO_TSO": "off"}
    environment = json.loads(run("json", "mine", "--inline", "--json"))["environment"]
    assert list(environment) == ["XLIO_USE_NEW_CONFIG", "XLIO_CONFIG_FILE", "XLIO_INLINE_CONFIG"]


def test_a_profile_that_json_cannot_say_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("new", "mine", "--stack", "xlio", "--set", "XLIO_STRQ=auto")
    with pytest.raises(UsageError, match="cannot be expressed"):
        run("json", "mine")
    Path("bad.json").write_text('{"network": 1}')
    with pytest.raises(UsageError, match="cannot be imported"):
        run("import", "bad.json", "-o", "x.toml")


def test_blanks_around_an_inline_value_are_left_out_from_3_70_on() -> None:
    assert from_inline("cpu_affinity = 0-0 ", "f", "3.70.0") == from_inline("cpu_affinity=0-0", "f", "3.70.0")
    assert from_inline("cpu_affinity = 0-0 ", "f", "3.61.2") != from_inline("cpu_affinity=0-0", "f", "3.61.2")


def test_what_has_no_key_is_told_from_what_is_misspelled() -> None:
    idle = next(name for name in catalogue.load("xlio").parameters if name not in keys("3.70.2"))
    _, findings = to_json({idle: "1", "XLIO_RX_POL": "1"}, "3.70.2")
    hints = {each.message.partition(" ")[0]: each.suggestion for each in findings}
    assert hints[idle] == "it has no effect in JSON mode"
    assert "XLIO_RX_POLL" in hints["XLIO_RX_POL"]
