"""A later release's own schema brings its parameters and defaults, and nothing that it says can do harm."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_line
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue import places
from tuner.catalogue.overlays import Overlay, read, write
from tuner.catalogue.places import Places
from tuner.errors import UsageError
from tuner.stacks.json_keys import Key, KeyType, keys
from tuner.stacks.xlio_json import from_json, to_json
from tuner.stacks.xlio_schema import read_schema

RELEASE = "3.99.0"


def maps(variable: str) -> str:
    return f"What it does. Maps to {variable} environment variable. More."


def memory(default: int) -> list[dict[str, Any]]:
    pattern = "^[0-9]+[KMGkmg]?[B]?$"
    return [
        {"type": "integer", "minimum": 0, "default": default},
        {"type": "string", "default": "x", "pattern": pattern},
    ]


def leaf(**more: Any) -> dict[str, Any]:
    return {"title": "A title", **more}


SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "core": {"type": "object", "properties": {
            "resources": {"type": "object", "properties": {
                "memory_limit": leaf(oneOf=memory(4 << 30), description=maps("XLIO_MEMORY_LIMIT"), **{"x-memory-size": True}),
            }, "additionalProperties": False},
        }},
        "performance": {"type": "object", "properties": {
            "turbo": leaf(type="integer", minimum=1, maximum=64, default=8, description=maps("XLIO_TURBO")),
            "warp": leaf(type="boolean", default=True, description=maps("XLIO_WARP")),
            "mode": leaf(oneOf=[{"type": "integer", "enum": [0, 5], "default": 5},
                                {"type": "string", "enum": ["slow", "fast"], "default": "fast"}], description=maps("XLIO_MODE")),
            "hidden": leaf(type="string", default="x", description="no variable"),
            "polling": {"type": "object", "properties": {
                "blocking_poll_usec": leaf(type="integer", default=100000, description=maps("XLIO_RX_POLL")),
            }},
            "odd": {"type": "array"},
            "additionalProperties": False,
        }},
        "acceleration_control": {"type": "object", "properties": {"rules": {"type": "array"}}},
    },
}  # fmt: skip


def made(schema: object = SCHEMA, release: str = RELEASE) -> tuple[Overlay, list[str]]:
    overlay, findings = read_schema(json.dumps(schema), "s.json", release)
    return overlay, [str(found) for found in findings]


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """Put the overlay where every catalogue finds it, and take it away again."""
    folder = tmp_path / "tuner" / "catalogue"
    folder.mkdir(parents=True)
    (folder / f"xlio-{RELEASE}.toml").write_text(write(made()[0]))
    places.use(Places(overlays=folder))
    yield folder
    places.use(Places())


def test_new_parameters_other_defaults_and_moved_keys_are_told_apart() -> None:
    overlay, findings = made()
    assert overlay.parameters.keys() == {"XLIO_TURBO", "XLIO_WARP", "XLIO_MODE", "performance.hidden"}
    assert overlay.defaults == {"XLIO_MEMORY_LIMIT": "4294967296"}
    assert overlay.keys["XLIO_RX_POLL"]["key"] == "performance.polling.blocking_poll_usec"
    assert "XLIO_MEMORY_LIMIT" not in overlay.keys
    assert any("performance.odd" in found for found in findings)
    assert any("XLIO_TX_WRE" in found and "has no key" in found for found in findings)
    assert not any("rules" in found for found in findings)


def test_an_overlay_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "xlio-3.99.0.toml"
    path.write_text(write(made()[0]))
    assert read(path) == made()[0]


def test_the_catalogue_knows_the_new_release(installed: Path) -> None:
    known = catalogue.load("xlio")
    assert known.releases[-1] == RELEASE
    assert known.parameters["XLIO_TURBO"].default(RELEASE) == "8"
    assert known.parameters["XLIO_TURBO"].default("3.70.2") is None
    assert known.parameters["XLIO_MEMORY_LIMIT"].default(RELEASE) == "4294967296"
    assert known.parameters["XLIO_MEMORY_LIMIT"].default("3.70.2") == "2147483648"
    where = known.check({"XLIO_TURBO": "65", "XLIO_MODE": "fast"}, lambda name: name, RELEASE)
    assert [found.where for found in where] == ["XLIO_TURBO"]


def test_the_new_release_reads_its_new_keys(installed: Path) -> None:
    settings = {"XLIO_TURBO": "9", "XLIO_WARP": "0", "XLIO_MODE": "5", "XLIO_RX_POLL": "7", "XLIO_STRQ": "off"}
    text, findings = to_json(settings, RELEASE)
    assert findings == []
    assert json.loads(text)["performance"]["mode"] == "fast"
    assert json.loads(text)["performance"]["polling"] == {"blocking_poll_usec": 7}
    assert from_json(text, "f", RELEASE) == (settings, [])
    assert to_json({"XLIO_TURBO": "9"}, "3.70.2")[1]


@pytest.mark.parametrize(
    ("text", "release", "says"),
    [
        ("{", RELEASE, "is not JSON"),
        ("[]", RELEASE, "is not a JSON Schema"),
        ('{"properties": {}}', RELEASE, "has no keys"),
        ("[" * 100_000, RELEASE, "is not JSON"),
        ('{"properties":{"a":' * 40 + "{}" + "}}" * 40, RELEASE, "nested too deeply"),
        ("{}", "newest", "is not a release"),
        ("{}", "3.51.1", "reads no JSON"),
    ],
    ids=range(7),
)
def test_what_is_no_schema_is_a_finding(text: str, release: str, says: str) -> None:
    overlay, findings = read_schema(text, "s", release)
    assert not overlay.parameters
    assert any(says in found.message for found in findings)


bits = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["integer", "string", "boolean"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["properties", "type", "oneOf", "default", "enum", "title", "minimum", "description", "a", "é"]),
        inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(bits)
def test_no_schema_crashes_the_reader_and_what_it_gives_can_be_stored(tree: object) -> None:
    overlay, _ = read_schema(json.dumps({"properties": {"a": tree}}), "s", RELEASE)
    import tomllib

    data = tomllib.loads(write(overlay))
    assert data["release"] == RELEASE


def tuner(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "XDG_DATA_HOME": str(home), "HOME": str(home)}
    return command_line.run(home, *arguments, environ=environment)


def test_import_schema_makes_the_commands_know_the_release(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    done = tuner(tmp_path, "params", "import-schema", "schema.json", "--stack-version", RELEASE, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["new"] == ["XLIO_MODE", "XLIO_TURBO", "XLIO_WARP", "performance.hidden"]
    shown = tuner(tmp_path, "params", "show", "XLIO_TURBO")
    assert "from 1 to 64" in shown.stdout
    assert "8 from 3.99.0 on" in shown.stdout
    assert "XLIO_TURBO" in tuner(tmp_path, "params", "list").stdout


def test_a_broken_overlay_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "tuner" / "catalogue" / "xlio-4.0.toml"
    path.parent.mkdir(parents=True)
    path.write_text('stack = "xlio"\nrelease = "4.0"\n[parameters.X]\nkind = "setting"\ntype = "thing"\n')
    done = tuner(tmp_path, "params", "list")
    assert (done.returncode, "xlio-4.0.toml" in done.stderr) == (2, True)
    with pytest.raises(UsageError):
        read(tmp_path)


def own_schema(release: str) -> dict[str, Any]:
    """Return a schema of a known release whose defaults are not the library's, with names that nothing reads."""
    tree: dict[str, Any] = {}
    for name, key in keys(release).items():
        *folders, last = key.key.split(".")
        place = tree
        for each in folders:
            place = place.setdefault(each, {"properties": {}})["properties"]
        variable = {"XLIO_MAX_TSO_SIZE": "XLIO_TSO_MAX_SIZE"}.get(name, name)
        place[last] = leaf(**_form(key), description=maps(variable))
    return {"properties": tree}


def _form(key: Key) -> dict[str, Any]:
    match key.type:
        case KeyType.MEMORY:
            return {"oneOf": memory(12345), "x-memory-size": True}
        case KeyType.ENUM:
            words, numbers = list(key.words), list(key.words.values())
            return {
                "oneOf": [{"type": "integer", "enum": numbers}, {"type": "string", "enum": words, "default": words[-1]}]
            }
        case KeyType.BOOLEAN:
            return {"type": "boolean", "default": True}
        case KeyType.STRING:
            return {"type": "string", "default": "x"}
    return {
        "type": "integer",
        "default": 32768,
        **{n: v for n, v in (("minimum", key.min), ("maximum", key.max)) if v is not None},
    }


@pytest.mark.parametrize("release", ["3.60.0", "3.61.2", "3.70.2"])
def test_the_schema_of_a_known_release_changes_nothing_of_it(release: str) -> None:
    overlay, findings = made(own_schema(release), release)
    assert (overlay.defaults, overlay.keys) == ({}, {})
    assert overlay.parameters == {}
    assert not any("has no key" in found for found in findings)


def test_a_default_that_other_settings_decide_is_not_taken_from_a_later_schema() -> None:
    overlay, _ = made(own_schema("3.70.2"), RELEASE)
    assert not overlay.defaults.keys() & {"XLIO_RX_WRE", "XLIO_RX_WRE_BATCHING", "XLIO_QP_COMPENSATION_LEVEL"}
    assert overlay.defaults["XLIO_MEMORY_LIMIT"] == "12345"
    assert "XLIO_TSO_MAX_SIZE" not in overlay.parameters
