"""With XLIO_USE_NEW_CONFIG the JSON configuration is in effect and variables are not: inline over file over preset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue.effective import Origin, effective
from tuner.errors import Finding, error
from tuner.stacks.configured import ALWAYS_READ, Configured, configured
from tuner.stacks.json_keys import keys
from tuner.stacks.xlio_json import from_inline

XLIO = catalogue.load("xlio")
ON = {"XLIO_USE_NEW_CONFIG": "1"}
FIELD = "core.resources.memory_limit=4294967296, monitor.log.file_path=/tmp/xlio.log, network.protocols.tcp.nodelay.enable=true"


def made(settings: Mapping[str, str], release: str = "3.61.2", files: Mapping[str, str] | None = None) -> Configured:
    def read(path: Path) -> str | Finding:
        known = files if files is not None else {ALWAYS_READ: "{}"}
        return known.get(str(path), error(str(path), "does not exist"))

    return configured(XLIO, settings, release, read)


def value(found: Configured, name: str) -> str:
    return found.found.settings[name].value


def test_the_inline_configuration_of_the_field_is_what_counts() -> None:
    found = made(ON | {"XLIO_INLINE_CONFIG": FIELD, "XLIO_TCP_NODELAY": "0", "XLIO_RX_POLL": "7"})
    assert found.findings == ()
    assert value(found, "XLIO_MEMORY_LIMIT") == str(4 << 30)
    assert value(found, "XLIO_TCP_NODELAY") == "1"
    assert value(found, "XLIO_LOG_FILE") == "/tmp/xlio.log"  # noqa: S108 - the text of the field case
    assert found.found.settings["XLIO_MEMORY_LIMIT"].why == "as set in XLIO_INLINE_CONFIG"
    assert set(found.found.ignored) == {"XLIO_TCP_NODELAY", "XLIO_RX_POLL"}
    assert value(found, "XLIO_RX_POLL") == "100000"


def test_the_separator_of_another_release_is_said_and_what_was_meant_is_shown() -> None:
    found = made(ON | {"XLIO_INLINE_CONFIG": FIELD}, "3.70.2")
    assert value(found, "XLIO_MEMORY_LIMIT") == str(4 << 30)
    (told,) = found.findings
    assert "3.70.2 separates by `;`: the library does not start" in told.message
    assert "memory_limit=4294967296; monitor" in told.suggestion
    assert made(ON | {"XLIO_INLINE_CONFIG": FIELD.replace(",", ";")}, "3.70.2").findings == ()
    assert "separates by `,`" in made(ON | {"XLIO_INLINE_CONFIG": FIELD.replace(",", ";")}).findings[0].message


@pytest.mark.parametrize(("release", "taken"), [("3.61.2", False), ("3.70.2", True)])
def test_blanks_around_an_inline_value_are_taken_by_later_releases_only(release: str, taken: bool) -> None:
    said, findings = from_inline("performance.rings.rx.ring_elements_count = 5", "XLIO_INLINE_CONFIG", release)
    assert (said == {"XLIO_RX_WRE": "5"}, findings == []) == (taken, taken)


def test_the_file_stands_under_the_inline_text_and_over_the_preset() -> None:
    text = json.dumps({"profiles": {"spec": "latency"}, "performance": {"rings": {"tx": {"ring_elements_count": 512}}}})
    settings = ON | {"XLIO_CONFIG_FILE": "/etc/mine.json"}
    found = made(settings, files={"/etc/mine.json": text})
    assert (value(found, "XLIO_SPEC"), value(found, "XLIO_RX_POLL"), value(found, "XLIO_TX_WRE")) == (
        "latency",
        "-1",
        "512",
    )
    assert found.found.settings["XLIO_RX_POLL"].origin is Origin.PRESET
    inline = {"XLIO_INLINE_CONFIG": "performance.rings.tx.ring_elements_count=1024"}
    assert value(made(settings | inline, files={"/etc/mine.json": text}), "XLIO_TX_WRE") == "1024"


@pytest.mark.parametrize("wrong", ['"4 GB"', '"4.5GB"', "true", "-1"])
def test_a_value_of_another_type_keeps_the_library_from_starting(wrong: str) -> None:
    text = f'{{"core": {{"resources": {{"memory_limit": {wrong}}}}}}}'
    found = made(ON, files={ALWAYS_READ: text})
    assert [each.severity for each in found.findings] == ["error"]
    assert value(found, "XLIO_MEMORY_LIMIT") == str(2 << 30)


def test_a_missing_file_is_said() -> None:
    assert "without the file the library does not start" in made(ON, files={}).findings[0].message


def test_without_the_switch_the_inline_text_is_said_to_be_unread() -> None:
    found = made({"XLIO_INLINE_CONFIG": FIELD, "XLIO_RX_POLL": "7"})
    assert "is not read without XLIO_USE_NEW_CONFIG=1" in found.findings[0].message
    assert value(found, "XLIO_RX_POLL") == "7"
    assert (
        made(ON | {"XLIO_RX_POLL": "7"}, "3.51.1").found.values()
        == effective(XLIO, {"XLIO_RX_POLL": "7"}, "3.51.1").values()
    )


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["3.60.0", "3.61.2", "3.70.2"]))
def test_no_configuration_breaks_the_model(inline: str, file: str, release: str) -> None:
    found = made(ON | {"XLIO_INLINE_CONFIG": inline}, release, {ALWAYS_READ: file})
    assert found.found.settings.keys() >= {"XLIO_RX_POLL", "XLIO_MEMORY_LIMIT"}
    assert found.findings


@given(st.sampled_from(sorted(keys("3.70.2"))))
def test_every_default_said_as_json_changes_nothing(name: str) -> None:
    from tuner.stacks.xlio_json import to_json

    plain = effective(XLIO, {}, "3.70.2").values()
    if name in plain and name != "XLIO_SPEC":
        text, findings = to_json({name: plain[name]}, "3.70.2")
        if not findings:
            found = made(ON, "3.70.2", {ALWAYS_READ: text})
            assert {each: said for each, said in found.found.values().items() if plain.get(each) != said} == {
                "XLIO_USE_NEW_CONFIG": "1"
            }


def test_the_file_of_the_field_is_read_as_the_release_reads_it() -> None:
    text = (Path(__file__).parent / "data" / "field" / "forms" / "o_cfg.json").read_text()
    found = made(ON, files={ALWAYS_READ: text})
    assert found.findings == ()
    wanted = {"XLIO_MEMORY_LIMIT": str(4 << 30), "XLIO_MEM_ALLOC_TYPE": "2", "XLIO_INTERNAL_THREAD_AFFINITY": "0-1", "XLIO_SPEC": "latency"}  # fmt: skip
    assert {name: value(found, name) for name in wanted} == wanted
