"""Settings as XLIO's JSON configuration or its inline text, and back.

Both forms are strict: what has no key, or what a key cannot say, is a finding, never left out in silence. Read by
XLIO from 3.60.0 on, where `launched_with` is in the environment. Facts: the public loaders of XLIO (json_loader,
inline_loader) and runs of 3.61.2; that 3.70 reads `;` and shortened keys is read in its code and was not run.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tuner import catalogue
from tuner.catalogue.parameters import Parameter, Type
from tuner.catalogue.releases import reached
from tuner.errors import Finding, did_you_mean, error, warning
from tuner.json_text import written
from tuner.stacks.json_keys import FIRST, Key, KeyType, Plain, every_key, has_json, keys
from tuner.terminal_text import CONTROL, shown

STACK: Final = "xlio"
SWITCH: Final = "XLIO_USE_NEW_CONFIG"
FILE: Final = "XLIO_CONFIG_FILE"
INLINE: Final = "XLIO_INLINE_CONFIG"
RULES: Final = "acceleration_control.rules"
MOST_BYTES: Final = 1 << 20
_AFFINITY: Final = "performance.threading.cpu_affinity"
_SEMICOLONS: Final = "3.70.0"
_INLINE_VALUE: Final = re.compile(r"[A-Za-z0-9._/-]+", re.ASCII)
_INLINE_LIST: Final = re.compile(r"[A-Za-z0-9._/,-]+", re.ASCII)
_INLINE_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9._]*", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_ONE_CPU: Final = re.compile(r"([0-9]{1,19})-\1", re.ASCII)


def to_json(settings: Mapping[str, str], release: str) -> tuple[str, list[Finding]]:
    """Return the JSON configuration that says `settings` in `release`, and what it cannot say.

    The text holds what could be said; an error among the findings means that something is missing in it.
    """
    said, findings = _said(settings, release, "settings")
    tree: dict[str, Any] = {}
    for key, value in said:
        *folders, leaf = key.key.split(".")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = value
    return written(tree, indent=4) + "\n", findings


def from_json(text: str, where: str, release: str) -> tuple[dict[str, str], list[Finding]]:
    """Return the settings that a JSON configuration says in `release`, and everything that is wrong with it.

    Untrusted: no text raises. `where` names the file in findings.
    """
    reading = _Reading(where, release)
    if not reading.possible():
        return {}, reading.findings
    tree = reading.tree(text)
    if tree is not None:
        for path, value in reading.leaves(tree, ""):
            reading.take(path, value)
    return reading.settings, reading.findings


def to_inline(settings: Mapping[str, str], release: str) -> tuple[str, list[Finding]]:
    """Return `settings` as the text of XLIO_INLINE_CONFIG in `release`, and what it cannot say."""
    said, findings = _said(settings, release, "settings")
    parts = []
    for key, value in said:
        word = _inline_word(key, value)
        if (reason := _unsayable(key, value, word, release)) is not None:
            findings.append(error(f"settings.{key.name}", reason, "use the JSON file"))
        else:
            parts.append(f"{key.key}={word}")
    return separator(release).join(parts), findings


def from_inline(text: str, where: str, release: str) -> tuple[dict[str, str], list[Finding]]:
    """Return the settings that the text of XLIO_INLINE_CONFIG says in `release`, and what is wrong with it."""
    reading = _Reading(where, release)
    if not reading.possible():
        return {}, reading.findings
    seen: set[str] = set()
    for number, part in enumerate(text.split(separator(release)), 1):
        pair = _pair(_trimmed(part, release), f"{where}: part {number}", reading.findings)
        if pair is not None:
            reading.take_pair(*pair, seen)
    return reading.settings, reading.findings


def _trimmed(part: str, release: str) -> str:
    """Return a part without the blanks that a release leaves out: from 3.70 on those around the value too."""
    key, sign, value = part.partition("=")
    return key.strip() + sign + value.strip(" \t") if separator(release) == ";" else part


def separator(release: str) -> str:
    """Return what stands between the parts of an inline configuration in `release`."""
    return ";" if reached(release, _SEMICOLONS) else ","


def launched_with(path: str) -> dict[str, str]:
    """Return the environment that makes the library read the JSON file at `path`."""
    return {SWITCH: "1", FILE: path}


def _said(settings: Mapping[str, str], release: str, where: str) -> tuple[list[tuple[Key, Plain]], list[Finding]]:
    if not has_json(release):
        return [], [_too_old(where, release)]
    said, findings = list[tuple[Key, Plain]](), list[Finding]()
    for name, text in settings.items():
        made = _one_said(name, text, release, f"{where}.{shown(name)}")
        if isinstance(made, Finding):
            findings.append(made)
        else:
            said.append(made)
    return said, findings


def _one_said(name: str, text: str, release: str, where: str) -> tuple[Key, Plain] | Finding:
    known = catalogue.load(STACK).parameters
    key = keys(release).get(name)
    if key is None:
        window = _window(name, release)
        hint = did_you_mean(name, known) if name not in known else "it has no effect in JSON mode"
        return error(where, f"{name} has no key in the JSON configuration{window}", hint)
    parameter = known[name]
    try:
        return key, key.plain(_canonical(parameter, text, release), parameter)
    except ValueError as reason:
        return error(where, f"{name}={shown(text)}: {reason}", _same(parameter, text))


def _canonical(parameter: Parameter, text: str, release: str) -> str:
    if CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    # Free text is no value with spellings: blanks around it are part of it.
    return text if parameter.type is Type.STRING else parameter.canonical(text, release)


def _same(parameter: Parameter, text: str) -> str:
    """Return which value means the same, where the catalogue says so of one that JSON has no word for."""
    meaning = next((choice.meaning for choice in parameter.choices if choice.value == text), "")
    return f"here it is {meaning}" if meaning.startswith("the same") else ""


def _window(name: str, release: str) -> str:
    spans = [key for key in every_key() if key.name == name]
    return f" of {release}: it is there from {spans[0].since} to {spans[-1].last or 'now'}" if spans else ""


def _too_old(where: str, release: str) -> Finding:
    return error(where, f"xlio {release} reads no JSON configuration", f"{FIRST} is the first release that does")


@dataclass(slots=True)
class _Reading:
    """What has been read of a configuration so far."""

    where: str
    release: str
    settings: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def possible(self) -> bool:
        if not has_json(self.release):
            self.findings.append(_too_old(self.where, self.release))
        return not self.findings

    def tree(self, text: str) -> dict[str, object] | None:
        """Return the object that the text is, None with a finding when it is none."""
        if len(text) > MOST_BYTES:
            self.findings.append(error(self.where, f"is larger than {MOST_BYTES} characters"))
            return None
        try:
            found = json.loads(text, object_pairs_hook=self._object, parse_constant=_no_constant)
        except (ValueError, RecursionError) as reason:
            self.findings.append(error(self.where, f"is not JSON that can be read: {shown(str(reason))[:200]}"))
            return None
        if not isinstance(found, dict):
            self.findings.append(error(self.where, "must be an object", 'write {"performance": {…}}'))
            return None
        return found

    def leaves(self, tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
        for name, value in tree.items():
            path = f"{prefix}{name}"
            if "." in name:
                self.wrong(path, f"key {shown(name)} must not contain a dot", "write one object inside the other")
            elif isinstance(value, dict) and path not in self._by_key():
                yield from self.leaves(value, f"{path}.")
            else:
                yield path, value

    def take(self, path: str, value: object) -> None:
        """Take one key and its value, or say what is wrong with them."""
        if path == RULES:
            message = "offload rules are not settings and are not imported"
            self.findings.append(warning(f"{self.where}: {path}", message, "see `tuner conf`"))
            return
        key = self._by_key().get(path)
        if key is None:
            self.wrong(path, self._unknown(path), did_you_mean(path, self._by_key()))
            return
        try:
            self.settings[key.name] = self._text(key, value)
        except ValueError as reason:
            self.wrong(path, str(reason), _as_text(path, value))

    def take_pair(self, key: str, value: Plain, seen: set[str]) -> None:
        """Take one part of an inline configuration, whose key may be shortened where the release allows it."""
        full = self._full(key)
        if full in seen:
            self.wrong(key, f"{full} is here twice: the library does not start")
        elif full == _AFFINITY and separator(self.release) == ",":
            self.wrong(key, "is not read from an inline configuration by this release", "use the JSON file")
        elif full is not None:
            seen.add(full)
            one = _ONE_CPU.fullmatch(value) if full == _AFFINITY and isinstance(value, str) else None
            self.take(full, one[1] if one else value)

    def wrong(self, path: str, message: str, suggestion: str = "") -> None:
        self.findings.append(error(f"{self.where}: {shown(path)}", message, suggestion))

    def _full(self, key: str) -> str | None:
        found = [path for path in self._by_key() if path == key or path.endswith(f".{key}")]
        if key in found or len(found) == 0 or separator(self.release) == ",":
            return key
        if len(found) > 1:
            self.wrong(key, f"is short for {' and '.join(found)}", "write the whole key")
            return None
        return found[0]

    def _text(self, key: Key, value: object) -> str:
        parameter = catalogue.load(STACK).parameters[key.name]
        text = key.text(value, parameter, self.release)
        problem = parameter.problem(text, self.release)
        if problem is not None:
            raise ValueError(f"{text!r} {problem}")
        return text

    def _by_key(self) -> Mapping[str, Key]:
        return {key.key: key for key in keys(self.release).values()}

    def _unknown(self, path: str) -> str:
        other = next((key for key in every_key() if key.key == path), None)
        if other is None:
            return "unknown key: the library does not start with it"
        return f"{self.release} does not know this key: it is there from {other.since} to {other.last or 'now'}"

    def _object(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, object]:
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        for name in twice:
            self.wrong(name, "appears twice in one object: which one counts is undefined")
        return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _pair(part: str, where: str, findings: list[Finding]) -> tuple[str, Plain] | None:
    key, _, value = part.partition("=")
    if not part.strip():
        findings.append(error(where, "is empty: the library does not start", "leave out separators at the ends"))
    elif part.count("=") != 1 or not key.strip() or not value:
        findings.append(error(where, f"{shown(part)!r} is not key=value"))
    elif not _INLINE_KEY.fullmatch(key.strip()):
        findings.append(error(where, f"{shown(key)!r} is not a key"))
    elif not _INLINE_LIST.fullmatch(value):
        findings.append(error(where, f"{shown(value)!r} has characters that are not read here", "use the JSON file"))
    else:
        return key.strip(), _inline_value(value)
    return None


def _inline_value(text: str) -> Plain:
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if _INTEGER.fullmatch(text) else text


def _inline_word(key: Key, value: Plain) -> str:
    """Return a value as it is written inline; one CPU becomes a range of one, for a bare number would be no text."""
    word = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{word}-{word}" if key.key == _AFFINITY and word.isdecimal() else word


def _as_text(path: str, value: object) -> str:
    number = path == _AFFINITY and isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return (
        f'write {value}-{value} inline, "{value}" in JSON: the library does not start with a number' if number else ""
    )


def _unsayable(key: Key, value: Plain, word: str, release: str) -> str | None:
    """Return why an inline configuration of `release` cannot say a value, None when it can."""
    commas = separator(release) == ","
    if key.key == _AFFINITY and commas:
        return f"{key.name} is not read from an inline configuration before {_SEMICOLONS}"
    if not (_INLINE_VALUE if commas else _INLINE_LIST).fullmatch(word):
        return f"{shown(word)!r} cannot stand in an inline configuration"
    if key.type is KeyType.STRING and not isinstance(_inline_value(word), str):
        return f"{word!r} would be read as {type(_inline_value(word)).__name__}, and {key.key} takes text"
    return None if _inline_value(word) in {value, f"{value}-{value}"} else f"{word!r} would be read as something else"
