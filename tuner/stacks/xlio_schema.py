"""The schema of XLIO's JSON configuration, which a release ships, as what it adds to the catalogue.

It is a JSON Schema (draft 7): nested `properties` whose leaves have a type or `oneOf` two, with `default`, `minimum`,
`maximum`, `enum`, `title`; the description names the variable ("Maps to XLIO_X environment variable").

Its defaults are those of the registry, which the library partly replaces at its start (3.70.2 says 32768 for XLIO_RX_WRE and
uses 128), and some descriptions name a variable that nothing reads. So what the catalogue knows of a release stays, and a
default that other settings decide is never taken from a schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tuner import catalogue
from tuner.catalogue import overlays, places
from tuner.catalogue.overlays import MOST_BYTES, Overlay
from tuner.catalogue.parameters import Kind, Parameter, Type
from tuner.catalogue.releases import parse as parse_releases
from tuner.catalogue.releases import reached
from tuner.errors import Finding, error, warning
from tuner.stacks.json_keys import FIRST, Key, KeyType, keys
from tuner.stacks.xlio_json import RULES, STACK
from tuner.terminal_text import shown

_DEEPEST: Final = 16
_MOST_KEYS: Final = 5000
_MOST_TEXT: Final = 200
_MOST_CHOICES: Final = 100
_VARIABLE: Final = re.compile(r"Maps to ((?:XLIO_)?[A-Z][A-Z0-9_]{2,60}) environment variable", re.ASCII)
_TYPES: Final = {
    KeyType.BOOLEAN: Type.BOOL,
    KeyType.INTEGER: Type.INT,
    KeyType.STRING: Type.STRING,
    KeyType.MEMORY: Type.SIZE,
    KeyType.ENUM: Type.ENUM,
}
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """One key of a schema: how its value is read, its default, and the variable that its description names."""

    key: str
    type: KeyType
    default: bool | int | str | None
    title: str
    variable: str
    min: int | None = None
    max: int | None = None
    power_of_two: bool = False
    words: Mapping[str, int] = field(default_factory=dict, hash=False)


def read_schema(text: str, where: str, release: str) -> tuple[Overlay, list[Finding]]:
    """Return what the schema of `release` adds to the catalogue, and everything that is wrong with it or doubtful.

    Untrusted: no text raises. Nothing is added where there are errors.
    """
    empty = Overlay(STACK, release, {}, {}, {})
    findings: list[Finding] = list(_release_problems(release))
    tree = None if findings else _tree(text, where, findings)
    if tree is None:
        return empty, findings
    leaves = list(_leaves(tree, "", where, findings))
    if not leaves:
        findings.append(error(where, "has no keys: it is not a schema of a configuration"))
    if len(leaves) > _MOST_KEYS or any(found.severity == "error" for found in findings):
        return empty, findings
    return _overlay(leaves, release, where, findings), findings


def _release_problems(release: str) -> Iterator[Finding]:
    try:
        parse_releases(f"=={release}")
    except ValueError:
        yield error("--stack-version", f"{shown(release)!r} is not a release", "write for example 3.80.0")
        return
    if not reached(release, FIRST):
        yield error("--stack-version", f"{release} reads no JSON configuration", f"{FIRST} is the first that does")


def _tree(text: str, where: str, findings: list[Finding]) -> Mapping[str, Any] | None:
    if len(text) > MOST_BYTES:
        findings.append(error(where, f"is larger than {MOST_BYTES} characters"))
        return None
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as reason:
        findings.append(error(where, f"is not JSON that can be read: {shown(str(reason))[:_MOST_TEXT]}"))
        return None
    if not isinstance(tree, dict) or not isinstance(tree.get("properties"), dict):
        findings.append(
            error(where, "is not a JSON Schema: it has no properties", "import the file that the library ships")
        )
        return None
    return tree


def _leaves(
    node: Mapping[str, Any], prefix: str, where: str, findings: list[Finding], depth: int = 0
) -> Iterator[Leaf]:
    if depth > _DEEPEST:
        findings.append(error(f"{where}: {shown(prefix)[:_MOST_TEXT]}", "is nested too deeply"))
        return
    for name, child in node["properties"].items():
        path = f"{prefix}{name}"
        # A slip of 3.60 to 3.70: `additionalProperties` stands among the properties of one object.
        if not isinstance(child, dict) or path == RULES:
            continue
        if isinstance(child.get("properties"), dict):
            yield from _leaves(child, f"{path}.", where, findings, depth + 1)
        else:
            leaf = _leaf(path, child)
            if leaf is None:
                message = "has a form that is not known: it is left out"
                findings.append(warning(f"{where}: {shown(path)[:_MOST_TEXT]}", message))
            else:
                yield leaf


def _leaf(path: str, node: Mapping[str, Any]) -> Leaf | None:
    forms = [form for form in node.get("oneOf", [node]) if isinstance(form, dict)] if _has_forms(node) else []
    by_type: dict[str, dict[str, object]] = {str(f["type"]): f for f in forms if isinstance(f.get("type"), str)}
    integer = by_type.get("integer", {})
    kind = _kind(by_type, node)
    if kind is None or not re.fullmatch(r"[A-Za-z0-9_.]{1,200}", path):
        return None
    description = node.get("description")
    variable = _VARIABLE.search(description) if isinstance(description, str) else None
    return Leaf(
        key=path,
        type=kind,
        default=_default(kind, by_type),
        title=shown(str(node.get("title", "")))[:_MOST_TEXT],
        variable=variable[1] if variable else "",
        min=_integer(integer.get("minimum")),
        max=_integer(integer.get("maximum")),
        power_of_two=any("power" in key.casefold() and node[key] is True for key in node),
        words=_words(by_type) if kind is KeyType.ENUM else {},
    )


def _has_forms(node: Mapping[str, Any]) -> bool:
    return isinstance(node.get("oneOf", []), list)


def _kind(by_type: Mapping[str, Mapping[str, Any]], node: Mapping[str, Any]) -> KeyType | None:
    types = by_type.keys()
    if types == {"integer", "string"}:
        if node.get("x-memory-size") is True:
            return KeyType.MEMORY
        return KeyType.ENUM if _words(by_type) else None
    single = {"boolean": KeyType.BOOLEAN, "integer": KeyType.INTEGER, "string": KeyType.STRING}
    return single.get(next(iter(types))) if len(types) == 1 else None


def _words(by_type: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    words, numbers = (by_type.get(name, {}).get("enum") for name in ("string", "integer"))
    if (
        not isinstance(words, list)
        or not isinstance(numbers, list)
        or not 0 < len(words) == len(numbers) <= _MOST_CHOICES
    ):
        return {}
    fit = all(isinstance(word, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,60}", word) for word in words)
    return dict(zip(words, numbers, strict=True)) if fit and all(_integer(n) is not None for n in numbers) else {}


def _default(kind: KeyType, by_type: Mapping[str, Mapping[str, Any]]) -> bool | int | str | None:
    value = by_type["string" if kind in {KeyType.ENUM, KeyType.STRING} else next(iter(by_type))].get("default")
    if kind is KeyType.BOOLEAN:
        return value if isinstance(value, bool) else None
    if kind in {KeyType.INTEGER, KeyType.MEMORY}:
        return _integer(value)
    return shown(value)[:_MOST_TEXT] if isinstance(value, str) and value else "" if value == "" else None


def _integer(value: object) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
    return value if fits and isinstance(value, int) else None


def _overlay(leaves: list[Leaf], release: str, where: str, findings: list[Finding]) -> Overlay:
    known = catalogue.load(STACK).parameters
    names = {key.key: name for name, key in keys(release).items()}
    own = release in _shipped()
    parameters, defaults, other = dict[str, Any](), dict[str, str](), dict[str, Any]()
    for leaf in leaves:
        name = names.get(leaf.key) or leaf.variable or leaf.key
        old = keys(release).get(name)
        key = _key(name, leaf, old)
        if name not in known:
            parameters[name] = _fields(leaf)
        elif not own and (value := _other_default(key, leaf, known[name], release)) is not None:
            defaults[name] = value
        if old is None or (_differ(old, key) and not own):
            other[name] = _row(key)
    gone = sorted(set(keys(release)) - {names.get(leaf.key) or leaf.variable for leaf in leaves})
    findings += [
        warning(f"{where}: {name}", f"has no key in {release}: what became of it the schema does not say")
        for name in gone
    ]
    return Overlay(STACK, release, parameters, defaults, other)


def _shipped() -> frozenset[str]:
    """Return the releases that the catalogue knows by itself: their defaults and keys are the library's own."""
    added = {each.release for each in overlays.found(STACK, places.overlays())}
    return frozenset(catalogue.load(STACK).releases) - added


def _key(name: str, leaf: Leaf, old: Key | None) -> Key:
    plain = Key(name, leaf.key, leaf.type, leaf.min, leaf.max, leaf.power_of_two, leaf.words)
    if old is None or old.type is not leaf.type:
        return plain
    # The file that ships does not say which values of the variable true, false and words are.
    return Key(
        name,
        leaf.key,
        leaf.type,
        leaf.min,
        leaf.max,
        leaf.power_of_two or old.power_of_two,
        leaf.words,
        old.truth,
        old.names,
    )


def _differ(old: Key, new: Key) -> bool:
    return any(getattr(old, part) != getattr(new, part) for part in ("key", "type", "min", "max", "words"))


def _row(key: Key) -> dict[str, object]:
    found = {"key": key.key, "type": key.type.value, "min": key.min, "max": key.max, "words": dict(key.words)}
    truth = {"false": key.truth[0], "true": key.truth[1]} if key.truth != ("0", "1") else {}
    power = {"power_of_two": True} if key.power_of_two else {}
    return {name: value for name, value in (found | power | truth).items() if value not in (None, {})}


def _fields(leaf: Leaf) -> dict[str, object]:
    default = {} if leaf.default is None else {"default": _text(leaf)}
    limits = {
        "min": leaf.min,
        "max": leaf.max,
        "power_of_two": leaf.power_of_two or None,
        "words": dict(leaf.words) or None,
    }
    return {
        "kind": (Kind.SETTING if leaf.variable else Kind.JSON_ONLY).value,
        "type": _TYPES[leaf.type].value,
        "summary": leaf.title,
        "json_path": leaf.key,
        "source": "the schema that the release ships",
        **default,
        **{name: value for name, value in limits.items() if value is not None},
    }


def _text(leaf: Leaf) -> str:
    if leaf.type is KeyType.BOOLEAN:
        return str(int(bool(leaf.default)))
    return str(leaf.words.get(str(leaf.default), leaf.default)) if leaf.type is KeyType.ENUM else str(leaf.default)


def _other_default(key: Key, leaf: Leaf, parameter: Parameter, release: str) -> str | None:
    """Return the default of a known variable where the schema has another one than the catalogue."""
    if leaf.default is None or _depends(parameter):
        return None
    try:
        text = key.text(leaf.default, parameter, release)
    except ValueError:
        return None
    known = catalogue.load(STACK).effective({}, release).get(parameter.name)
    return None if known is None or text == known or parameter.problem(text, release) else text


def _depends(parameter: Parameter) -> bool:
    """Return whether other settings decide the default of a parameter, so that the registry's is not in effect."""
    return any(each.when or each.formula for each in parameter.defaults)
