"""One setting of a stack: its type, its allowed values, its default by release.

Values travel as the text that stands in the environment, because that is what a stack reads.
Text is checked strictly here: the libraries themselves read `true` as 0 and `1K` as 1 without a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SIZE_UNITS: Final = {"": 1, "B": 1, "K": 1 << 10, "KB": 1 << 10, "M": 1 << 20, "MB": 1 << 20, "G": 1 << 30, "GB": 1 << 30}
_SIZE = re.compile(r"([0-9]+)([A-Za-z]*)")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_CPUSET = re.compile(r"-1|0[xX][0-9a-fA-F]+|[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*")


class Kind(StrEnum):
    """Whether a name is a setting of its own or a name that only looks like one."""

    SETTING = "setting"
    ALIAS = "alias"
    BANNER_TAG = "banner-tag"
    VALUE = "value"
    NONEXISTENT = "nonexistent"
    JSON_ONLY = "json-only"


class Type(StrEnum):
    """How the text of a value is read."""

    INT = "int"
    BOOL = "bool"
    ENUM = "enum"
    SIZE = "size"
    STRING = "string"
    CPUSET = "cpuset"


@dataclass(frozen=True, slots=True)
class Choice:
    """One allowed value of an enumeration, its other spellings, and what it means."""

    value: str
    meaning: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Default:
    """A built-in default and the first release that has it."""

    since: str
    value: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of a stack. The fields are those of the catalogue files; absent facts are None or empty.

    `defaults` are in the order of releases. `special` maps a value to its meaning (`-1`: for ever).
    `since` and `last` are the first and the last release that read the variable; `last` None means it still does.
    """

    name: str
    stack: str
    kind: Kind = Kind.SETTING
    type: Type = Type.STRING
    summary: str = ""
    unit: str = ""
    group: str = ""
    risk: str = ""
    defaults: tuple[Default, ...] = ()
    min: int | None = None
    max: int | None = None
    power_of_two: bool = False
    choices: tuple[Choice, ...] = ()
    special: tuple[tuple[str, str], ...] = ()
    since: str = ""
    last: str | None = None
    alias_of: str = ""
    json_path: str = ""
    on_invalid: str = ""
    constraints: tuple[str, ...] = ()
    vendor_slip: str = ""
    source: str = ""

    def default(self, release: str | None = None) -> str | None:
        """Return the built-in default in `release` (the newest when None), or None when there is none."""
        if release is None:
            return self.defaults[-1].value if self.defaults else None
        known = [d.value for d in self.defaults if release_key(d.since) <= release_key(release)]
        return known[-1] if known else None

    def exists_in(self, release: str) -> bool:
        """Return whether `release` reads this variable."""
        after = not self.since or release_key(self.since) <= release_key(release)
        before = self.last is None or release_key(release) <= release_key(self.last)
        return after and before

    def allowed(self) -> str:
        """Return what values are allowed, in words."""
        if self.choices:
            return "one of " + ", ".join(c.value for c in self.choices)
        if self.type is Type.BOOL:
            return "0 or 1"
        return _range_words(self)

    def problem(self, text: str) -> str | None:
        """Return why `text` is not a value of this parameter, or None when it is one."""
        if "\0" in text or "\n" in text:
            return "a value must be one line without NUL"
        if text in {value for value, _ in self.special}:
            return None
        if self.choices:
            return None if self._canonical(text) is not None else f"must be {self.allowed()}"
        return _type_problem(self, text)

    def _canonical(self, text: str) -> str | None:
        folded = text.casefold()
        matches = (c.value for c in self.choices if folded in {c.value.casefold(), *(a.casefold() for a in c.also)})
        return next(matches, None)


def release_key(release: str) -> tuple[int, ...]:
    """Return the sort key of a release such as `3.40.2` (`3.50.3-ea` sorts as 3.50.3)."""
    return tuple(int(part) for part in re.findall(r"\d+", release.split("-")[0]))


def as_integer(text: str) -> int | None:
    """Return the number that an integer, boolean or size text stands for, or None when it is no number."""
    if _INTEGER.fullmatch(text):
        return int(text)
    match = _SIZE.fullmatch(text)
    if match is None or match[2].upper() not in SIZE_UNITS:
        return None
    return int(match[1]) * SIZE_UNITS[match[2].upper()]


def _range_words(parameter: Parameter) -> str:
    noun = {"int": "a whole number", "size": "a size such as 65536 or 64KB", "cpuset": "CPUs such as 0,2-3 or 0x5, or -1"}
    words = noun.get(parameter.type, "text")
    low, high = parameter.min, parameter.max
    if low is not None and high is not None:
        words += f" from {low} to {high}"
    elif low is not None:
        words += f" of {low} or more"
    elif high is not None:
        words += f" up to {high}"
    return words + (", a power of two" if parameter.power_of_two else "")


def _type_problem(parameter: Parameter, text: str) -> str | None:
    must = f"must be {parameter.allowed()}"
    match parameter.type:
        case Type.INT:
            return must if not _INTEGER.fullmatch(text) or _out_of_range(parameter, int(text)) else None
        case Type.BOOL:
            return None if text in {"0", "1"} else must
        case Type.SIZE:
            number = as_integer(text)
            return must if number is None or _out_of_range(parameter, number) else None
        case Type.CPUSET:
            return None if _CPUSET.fullmatch(text) else must
        case _:
            return None


def _out_of_range(parameter: Parameter, number: int) -> bool:
    below = parameter.min is not None and number < parameter.min
    above = parameter.max is not None and number > parameter.max
    odd = parameter.power_of_two and (number <= 0 or number & (number - 1) != 0)
    return below or above or odd
