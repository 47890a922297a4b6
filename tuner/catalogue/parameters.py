"""One setting of a stack: its type, its allowed values, its default by release.

Values travel as the text that stands in the environment, because that is what a stack reads.
Text is checked strictly here: the libraries themselves read `true` as 0 and `1K` as 1 without a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from tuner.catalogue.releases import Window, in_window, is_aside, window_words

SIZE_UNITS: Final = {
    "": 1,
    "B": 1,
    "K": 1 << 10,
    "KB": 1 << 10,
    "M": 1 << 20,
    "MB": 1 << 20,
    "G": 1 << 30,
    "GB": 1 << 30,
}
# The libraries read a number into a C int; what does not fit wraps around without a word.
LARGEST_INT: Final = 2**31 - 1
# A leading 0 makes a size octal for the libraries, so that it is no way to write one.
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})([A-Za-z]{0,2})")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")  # 2**64 - 1 has 20 digits
_CPUSET = re.compile(r"-1|0[xX][0-9a-fA-F]+|[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*")
# What people call the special values of a number, by the meanings that the catalogues give those.
_SPECIAL_WORDS: Final = {
    **dict.fromkeys(("infinite", "infinity", "inf", "forever", "for ever"), ("for ever",)),
    **dict.fromkeys(("unlimited", "no limit"), ("no limit",)),
    **dict.fromkeys(("off", "disabled", "disable"), ("off",)),
    "never": ("never", "never look at the kernel"),
}
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "on", "true", "yes", "enable", "enabled"), "1"),
    **dict.fromkeys(("0", "off", "false", "no", "disable", "disabled"), "0"),
}


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


class FileUse(StrEnum):
    """What the library does with the file or folder that a variable names."""

    WRITES = "writes"
    READS = "reads"


@dataclass(frozen=True, slots=True)
class Choice:
    """One allowed value of an enumeration, its other spellings, what it means, and the releases that know it.

    `also` are spellings that the stack reads too, in any case; `words` are names that only people use for it.
    """

    value: str
    meaning: str = ""
    also: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    since: str = ""
    last: str | None = None

    def exists_in(self, release: str | None) -> bool:
        """Return whether `release` (the newest when None) knows this value."""
        return in_window(release, self.since, self.last)


@dataclass(frozen=True, slots=True)
class Default:
    """A built-in default and the first release that has it.

    Some defaults depend on other settings. One with `when` takes the place of the plain one where that condition
    holds; one with `formula` has that value instead where the settings are not the defaults (`XLIO_RX_WRE / 2`).
    `last` is the last release that has it, needed only beside `when`. A `derived` one is worked out when everything
    else is known, so that it takes the place of a preset's value too; the others stand under the preset.
    """

    since: str
    value: str
    when: str = ""
    formula: str = ""
    last: str | None = None
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of a stack. The fields are those of the catalogue files; absent facts are None or empty.

    `defaults` are in the order of releases. `special` maps a value to its meaning (`-1`: for ever).
    `since` and `last` are the first and the last release that read the variable; `last` None means it still does, and
    `gaps` are releases between them that do not.
    `file` is what the stack does with the file or folder that the value names, None where it names none.
    Text has a regular expression as its `pattern`, which `form` says in words; its `max` is the most bytes that are
    read, and more than `documented_max` are read although no document promises it. `scope` is what has the setting:
    the process, or the stack that a process made and others may join. `read_when` is the condition over other settings
    without which the stack leaves the variable unread.
    `on_invalid` is what the stack does with a bad value; `vendor_slip` where the vendor's table is wrong; `equivalent`
    the variable of the stack `Facts.equivalents` that means the same; `successor` the variable that took its place; `inert` why nothing comes of it
    from `inert_since` on, although it is read.
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
    pattern: str = ""
    form: str = ""
    documented_max: int | None = None
    scope: str = ""
    read_when: str = ""
    choices: tuple[Choice, ...] = ()
    special: tuple[tuple[str, str], ...] = ()
    since: str = ""
    last: str | None = None
    gaps: tuple[Window, ...] = ()
    alias_of: str = ""
    equivalent: str = ""
    successor: str = ""
    inert_since: str = ""
    inert: str = ""
    json_path: str = ""
    file: FileUse | None = None
    on_invalid: str = ""
    constraints: tuple[str, ...] = ()
    vendor_slip: str = ""
    note: str = ""
    source: str = ""

    def default(self, release: str | None = None) -> str | None:
        """Return the built-in default in `release` (the newest when None), or None when there is none.

        It is the value while every other setting has its default too.
        """
        plain = [d for d in self.defaults if not d.when]
        if release is None:
            newest = [d.value for d in plain if not is_aside(d.since)]
            return newest[-1] if newest else None
        known = [d.value for d in plain if in_window(release, d.since, None)]
        return known[-1] if known and self.exists_in(release) else None

    def exists_in(self, release: str) -> bool:
        """Return whether `release` reads this variable."""
        return in_window(release, self.since, self.last) and not any(gap.holds(release) for gap in self.gaps)

    def is_inert(self, release: str) -> bool:
        """Return whether nothing comes of this variable in `release`, although it may be read."""
        return bool(self.inert) and in_window(release, self.inert_since, None)

    @property
    def window(self) -> str:
        """The releases that read this variable, in words; empty where they are all."""
        gaps = ", ".join(window_words(gap.since, gap.last) for gap in self.gaps)
        return window_words(self.since, self.last) + (f", but not {gaps}" if gaps else "")

    def choices_in(self, release: str | None) -> tuple[Choice, ...]:
        """Return the allowed values of an enumeration in `release` (the newest when None)."""
        return tuple(choice for choice in self.choices if choice.exists_in(release))

    def allowed(self, release: str | None = None) -> str:
        """Return what values are allowed in `release` (the newest when None), in words."""
        if self.choices:
            return "one of " + ", ".join(c.value for c in self.choices_in(release))
        if self.type is Type.BOOL:
            return "0 or 1"
        return _range_words(self)

    def problem(self, text: str, release: str | None = None) -> str | None:
        """Return why `text` is not a value of this parameter in `release`, or None when it is one.

        Without a release every value that some release knows is one.
        """
        if "\0" in text or "\n" in text or "\r" in text:
            return "must be one line without NUL"
        if text in {value for value, _ in self.special}:
            return None
        if self.choices:
            return self._choice_problem(text, release)
        return _type_problem(self, text)

    def canonical(self, text: str, release: str | None = None) -> str:
        """Return the one spelling of what a person may write as `text`: `on` as 1, `4KB` as 4096, `cubic` as 1.

        It is what the stack reads in `release` (the newest when None), and canonical itself.
        Raise `ValueError` with the allowed values when `text` means no value or more than one.
        """
        written = text.strip()
        known = self._canonical(written, release)
        problem = self.problem(known, release)
        if problem is not None:
            raise ValueError(f"{text!r} {problem}")
        return known

    def choice(self, text: str, release: str | None = None) -> Choice | None:
        """Return the value of an enumeration that `text` spells, one of `release` (the newest when None) first."""
        # Numbers moved: TCP_CTL_THREAD=1 meant another value before 3.20 than after.
        ordered = sorted(self.choices, key=lambda choice: not choice.exists_in(release))
        return next((c for c in ordered if _spells(text, (c.value, *c.also, *c.words))), None)

    def spellings(self, release: str | None = None) -> tuple[str, ...]:
        """Return every spelling of the values of an enumeration, canonical ones first."""
        known = self.choices_in(release)
        return tuple(dict.fromkeys([c.value for c in known] + [s for c in known for s in (*c.also, *c.words)]))

    def _choice_problem(self, text: str, release: str | None) -> str | None:
        readers = [choice for choice in self.choices if _spells(text, (choice.value, *choice.also))]
        if not readers:
            return f"must be {self.allowed(release)}"
        if release is None or any(choice.exists_in(release) for choice in readers):
            return None
        return f"is not read by {self.stack} {release}: must be {self.allowed(release)}"

    def _canonical(self, text: str, release: str | None) -> str:
        if text in {value for value, _ in self.special}:
            return text
        if self.choices:
            choice = self.choice(text, release)
            return text if choice is None else choice.value
        special = self._special_called(text)
        if special is not None:
            return special
        return _BOOLEANS.get(text.casefold(), text) if self.type is Type.BOOL else self._digits(text)

    def _special_called(self, text: str) -> str | None:
        """Return the special value that people call `text`, such as the one that means "for ever"."""
        meanings = _SPECIAL_WORDS.get(text.casefold(), ())
        return next((value for value, meaning in self.special if meaning in meanings), None)

    def _digits(self, text: str) -> str:
        """Return a number or a size as the number alone, and what is neither as it is."""
        counts = self.type is Type.INT and self.unit != "bytes"
        if self.type not in {Type.INT, Type.SIZE} or (counts and not _INTEGER.fullmatch(text)):
            return text
        number = as_integer(text)
        return text if number is None else str(number)


@lru_cache(1 << 12)
def as_integer(text: str) -> int | None:
    """Return the number that an integer, boolean or size text stands for, or None when it is no number."""
    if _INTEGER.fullmatch(text):
        return int(text)
    match = _SIZE.fullmatch(text)
    if match is None or match[2].upper() not in SIZE_UNITS:
        return None
    return int(match[1]) * SIZE_UNITS[match[2].upper()]


def size_words(text: str) -> str:
    """Return a number of bytes in the largest unit that divides it (`2147483648` as `2 GB`), other text unchanged."""
    number = as_integer(text)
    if not number:
        return text
    unit = next((unit for unit in ("GB", "MB", "KB") if number % SIZE_UNITS[unit] == 0), "")
    return f"{number // SIZE_UNITS[unit]} {unit}" if unit else text


def _spells(text: str, spellings: tuple[str, ...]) -> bool:
    return text.casefold() in {spelling.casefold() for spelling in spellings}


def _range_words(parameter: Parameter) -> str:
    noun = {
        "int": "a whole number",
        "size": "a size such as 65536 or 64KB",
        "cpuset": "CPUs such as 0,2-3 or 0x5, or -1",
    }
    words = parameter.form or noun.get(parameter.type, "text")
    if parameter.type is Type.STRING:
        return words + (f" of at most {parameter.max} bytes" if parameter.max is not None else "")
    low, high = parameter.min, parameter.max
    if low is not None and high is not None:
        words += f" from {low} to {high}"
    elif low is not None:
        words += f" of {low} or more"
    elif high is not None:
        words += f" up to {high}"
    return words + (", a power of two" if parameter.power_of_two else "") + _outside_words(parameter)


def _outside_words(parameter: Parameter) -> str:
    numbers = [(value, as_integer(value)) for value, _ in parameter.special]
    outside = [value for value, number in numbers if number is not None and _out_of_range(parameter, number)]
    return f", or {' or '.join(outside)}" if outside else ""


def _type_problem(parameter: Parameter, text: str) -> str | None:
    return None if _fits(parameter, text) else f"must be {parameter.allowed()}"


def _fits(parameter: Parameter, text: str) -> bool:
    match parameter.type:
        case Type.INT:
            return _fits_integer(parameter, text)
        case Type.BOOL:
            return text in {"0", "1"}
        case Type.SIZE:
            return _fits_size(parameter, text)
        case Type.CPUSET:
            return _CPUSET.fullmatch(text) is not None
        case Type.STRING:
            return _fits_text(parameter, text)
        case _:
            return True


def _fits_text(parameter: Parameter, text: str) -> bool:
    long = parameter.max is not None and len(text.encode()) > parameter.max
    return not long and (not parameter.pattern or re.fullmatch(parameter.pattern, text) is not None)


def _fits_integer(parameter: Parameter, text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and not _out_of_range(parameter, int(text))


def _fits_size(parameter: Parameter, text: str) -> bool:
    number = as_integer(text) if _SIZE.fullmatch(text) else None
    return number is not None and not _out_of_range(parameter, number)


def _out_of_range(parameter: Parameter, number: int) -> bool:
    low = parameter.min if parameter.min is not None else -LARGEST_INT
    high = parameter.max if parameter.max is not None else (LARGEST_INT if parameter.type is Type.INT else 2**63)
    odd = parameter.power_of_two and (number <= 0 or number & (number - 1) != 0)
    return number < low or number > high or odd
