"""The keys of XLIO's JSON configuration: which variable each stands for, and which values it takes.

Facts are in `catalogue/xlio.json.toml`. JSON mode is strict where the environment is lax: what is out of range or of
another type ends the program at its start.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from tuner import catalogue
from tuner.catalogue import overlays, places
from tuner.catalogue.parameters import Parameter, as_integer
from tuner.catalogue.releases import in_window, reached

Plain = bool | int | str

FIRST: Final = "3.60.0"
"""The first release that reads a JSON configuration."""
_MEMORY: Final = re.compile(r"[0-9]{1,19}[KMGkmg]?B?", re.ASCII)


class KeyType(StrEnum):
    """What JSON value a key takes; `memory` is an integer, or text such as 4GB."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    STRING = "string"
    MEMORY = "memory"
    ENUM = "enum"


@dataclass(frozen=True, slots=True)
class Key:
    """One key in the releases from `since` to `last`, and the variable `name` that it stands for.

    `words` are those of an enumeration with their numbers, `truth` the values of the variable for false and true,
    `names` the values of the variable whose word is another than their own.
    """

    name: str
    key: str
    type: KeyType
    min: int | None = None
    max: int | None = None
    power_of_two: bool = False
    words: Mapping[str, int] = field(default_factory=dict, hash=False)
    truth: tuple[str, str] = ("0", "1")
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    since: str = FIRST
    last: str | None = None

    def plain(self, text: str, parameter: Parameter) -> Plain:
        """Return the JSON value for the canonical text of the variable; raise `ValueError` with the reason."""
        match self.type:
            case KeyType.BOOLEAN:
                return self._truth_of(text)
            case KeyType.ENUM:
                return self._word_of(text, parameter)
            case KeyType.STRING:
                return text
            case _:
                return self._within(_number(text))

    def text(self, value: object, parameter: Parameter, release: str) -> str:
        """Return the text of the variable for a JSON value; raise `ValueError` with the reason."""
        match self.type:
            case KeyType.BOOLEAN if isinstance(value, bool):
                return self.truth[value]
            case KeyType.ENUM if isinstance(value, int | str) and not isinstance(value, bool):
                return self._value_of(value, parameter, release)
            case KeyType.STRING if isinstance(value, str):
                return value
            case KeyType.INTEGER if isinstance(value, int) and not isinstance(value, bool):
                return str(self._within(value))
            case KeyType.MEMORY if isinstance(value, int | str) and not isinstance(value, bool):
                return str(self._within(_bytes(value)))
        raise ValueError(f"must be {self.takes()}, is {_type_of(value)}")

    def takes(self) -> str:
        """Return what the key takes, in words."""
        if self.type is KeyType.ENUM:
            return "one of " + ", ".join(self.words)
        word = {KeyType.BOOLEAN: "true or false", KeyType.MEMORY: "a whole number or text such as 4GB"}
        return word.get(self.type, "text" if self.type is KeyType.STRING else "a whole number")

    def _truth_of(self, text: str) -> bool:
        if text not in self.truth:
            raise ValueError(
                f"{text} cannot be expressed: the key takes true ({self.truth[1]}) or false ({self.truth[0]})"
            )
        return text == self.truth[1]

    def _word_of(self, text: str, parameter: Parameter) -> str:
        choice = next((c for c in parameter.choices if c.value == text), None)
        spellings = (text, *(choice.also if choice else ()))
        named = [self.names[text]] if text in self.names else []
        same = [word for word in spellings if word in self.words]
        numbers = [word for word, number in self.words.items() if str(number) in spellings]
        found = [*named, *same, *numbers]
        if not found:
            raise ValueError(f"{text} cannot be expressed: the key takes {self.takes()}")
        return found[0]

    def _value_of(self, value: int | str, parameter: Parameter, release: str) -> str:
        word = next((w for w, number in self.words.items() if value in {w, number}), None)
        if word is None:
            raise ValueError(f"{value!r} is not a valid value: it takes {self.takes()}")
        for choice in parameter.choices_in(release):
            if _says(self, choice.value, parameter) == word:
                return choice.value
        raise ValueError(f"{word} has no value of {self.name} in the environment")

    def _within(self, number: int) -> int:
        if self.min is not None and number < self.min:
            raise ValueError(f"{number} is less than the least, {self.min}")
        if self.max is not None and number > self.max:
            raise ValueError(f"{number} is more than the most, {self.max}")
        if self.power_of_two and number & (number - 1):
            raise ValueError(f"{number} is not a power of two")
        return number


def _says(key: Key, value: str, parameter: Parameter) -> Plain | None:
    try:
        return key.plain(value, parameter)
    except ValueError:
        return None


def every_key() -> tuple[Key, ...]:
    """Return the keys of all releases, as the data file and a user's own releases have them."""
    return _every_key(places.overlays())


@cache
def _every_key(folder: Path | None) -> tuple[Key, ...]:
    data = tomllib.loads((catalogue.FOLDER / "xlio.json.toml").read_text(encoding="utf-8"))
    shipped = tuple(_key(name, row) for name, rows in data.items() for row in rows)
    added = overlays.found("xlio", folder)
    return (*shipped, *(_key(name, _added(row, each.release)) for each in added for name, row in each.keys.items()))


def keys(release: str) -> Mapping[str, Key]:
    """Return the keys of a release by variable; none before the first release that has any."""
    return _keys(release, places.overlays())


@cache
def _keys(release: str, folder: Path | None) -> Mapping[str, Key]:
    return {key.name: key for key in _every_key(folder) if in_window(release, key.since, key.last)}


def has_json(release: str) -> bool:
    """Return whether a release reads a JSON configuration."""
    return reached(release, FIRST)


def _key(name: str, row: Mapping[str, Any]) -> Key:
    shaped = {"type": KeyType(row["type"]), **({"truth": tuple(row["truth"])} if "truth" in row else {})}
    return Key(name=name, **{**row, **shaped})


def _added(row: Mapping[str, Any], release: str) -> dict[str, object]:
    """Return a row of an overlay as one of the data file."""
    truth = {"truth": (row["false"], row["true"])} if "true" in row else {}
    return {name: value for name, value in row.items() if name not in {"true", "false"}} | truth | {"since": release}


def _number(text: str) -> int:
    number = as_integer(text)
    if number is None:
        raise ValueError(f"{text!r} is not a number")
    return number


def _bytes(value: int | str) -> int:
    if isinstance(value, int):
        return value
    if not _MEMORY.fullmatch(value):
        raise ValueError(f"{value!r} is not a size: write digits, then K, M or G and B, without blanks and points")
    digits = value.rstrip("KMGkmgB")
    return int(digits) << {"": 0, "K": 10, "M": 20, "G": 30}[value[len(digits) :].upper().rstrip("B")]


def _type_of(value: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "null" if value is None else "an object")
