"""How a library reads the text of a variable: `atoi` and `strtoul` take what they can and say nothing of the rest.

Nothing is refused here: whoever inherits an environment wants to know what it amounts to. Sources: runs of XLIO 3.40.2
and 3.61.2 and of VMA 9.8.84; src/core/util/sys_vars.cpp. The kernel stack's library is strict (tuner/preload/values.c).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from tuner.catalogue import facts
from tuner.catalogue.parameters import SIZE_UNITS, Parameter, Type
from tuner.catalogue.places import SHIPPED
from tuner.catalogue.releases import in_window
from tuner.errors import did_you_mean, nearest

_DIGITS: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)", re.ASCII)
_SIZE: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)([A-Za-z]*)", re.ASCII)
_CPUS: Final = re.compile(r"-1|0[xX][0-9a-fA-F]+|[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*", re.ASCII)
_WHOLE: Final = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+\s*", re.ASCII)
_LONG: Final = 1 << 63
_UNSIGNED: Final = 1 << 64
_WORD: Final = 1 << 32
_HALF_WORD: Final = 1 << 16


class Fate(StrEnum):
    """What became of a setting."""

    APPLIED = "applied"
    CLAMPED = "clamped"
    DEFAULTED = "defaulted"
    IGNORED = "ignored"
    OVERRIDDEN = "overridden by a rule"
    UNKNOWN = "not known for this release"
    INERT = "no effect"
    FATAL = "the library does not start"


@dataclass(frozen=True, slots=True)
class Read:
    """What a library makes of a text: the value, what became of what was written, and why (empty when as written)."""

    value: str
    fate: Fate = Fate.APPLIED
    why: str = ""


def read(parameter: Parameter, text: str, release: str, default: str) -> Read:
    """Return what `release` makes of `text`; `default` is what it falls back to."""
    if facts.load(parameter.stack).strict:
        return _strictly(parameter, text, release, default)
    if parameter.scope:
        return _scoped(parameter, text, default)
    if parameter.choices:
        return _choice(parameter, text, release, default)
    return _READERS.get(parameter.type, _as_it_is)(parameter, text, default)


def atoi(text: str) -> int:
    """Return what C's `atoi` makes of a text: the digits it begins with, or 0, wrapped to 32 bits."""
    match = _DIGITS.match(text)
    return signed(max(-_LONG, min(_LONG - 1, int(match[1][:25]))) if match else 0)


def signed(number: int) -> int:
    """Return a number as 32 bits hold it with a sign, which is how a banner shows it."""
    return (number + _WORD // 2) % _WORD - _WORD // 2


def compared(name: str, number: int) -> int:
    """Return a number as the library compares it: without a sign where it keeps it in an unsigned variable."""
    return number % _WORD if _suffix_of(name) in _listed("unsigned") else number


def size(text: str) -> int:
    """Return what the libraries make of a size: `strtoul` (a sign, 0x and leading 0 count) and a unit; 0 for anything else."""
    match = _SIZE.fullmatch(text)
    if match is None or match[3].upper() not in SIZE_UNITS:
        return 0
    digits = match[2][:30]
    octal = digits.startswith("0") and digits.isdigit()
    try:
        number = int(digits, 8 if octal else 0)
    except ValueError:  # an octal number ends before an 8, and what follows is no unit
        return 0
    if number >= _UNSIGNED:
        number = _UNSIGNED - 1
    elif match[1] == "-":
        number = -number
    return number * SIZE_UNITS[match[3].upper()] % _UNSIGNED


def copied_to(name: str) -> str | None:
    """Return the variable that an older name's value is copied to, None for names that are read themselves."""
    prefix, _, suffix = name.partition("_")
    target = _rules()["copied"].get(suffix)
    return None if target is None else f"{prefix}_{target}"


@cache
def older_names(name: str) -> tuple[str, ...]:
    """Return the older names of a variable in the order in which their values are copied: the last one wins."""
    return tuple(
        each for suffix in _rules()["copied"] if copied_to(each := f"{name.partition('_')[0]}_{suffix}") == name
    )


def replaced(name: str, value: str) -> str:
    """Return the value that the library takes instead of one that means another, whoever set it."""
    return str(_rules()["replaced"].get(_suffix_of(name), {}).get(value, value))


@cache
def _rules() -> Mapping[str, Any]:
    return tomllib.loads((SHIPPED / "libraries.reading.toml").read_text(encoding="utf-8"))


@cache
def _listed(table: str) -> frozenset[str]:
    """The variables of a list, without their prefix, or with it where only that library does so."""
    return frozenset(_rules()[table])


def _is_in(parameter: Parameter, table: str) -> bool:
    return _suffix(parameter) in _listed(table) or parameter.name in _listed(table)


def _suffix(parameter: Parameter) -> str:
    return _suffix_of(parameter.name)


def _suffix_of(name: str) -> str:
    return name.partition("_")[2]


def _strictly(parameter: Parameter, text: str, release: str, default: str) -> Read:
    problem = parameter.problem(text, release)
    if problem is None:
        choice = parameter.choice(text, release)
        return Read(choice.value if choice else parameter.canonical(text, release))
    return Read(default, Fate.IGNORED, f"{text!r} {problem}: ignored with a warning")


def _scoped(parameter: Parameter, text: str, default: str) -> Read:
    """Read an option of a process or of a stack, as its library does: each in its own way.

    A process takes whole numbers, of any size, and keeps its default for anything else. A stack takes what `atoi` makes
    of a text, of a switch the lowest bit, and brings other numbers into range.
    """
    if parameter.type not in _NUMERIC or (parameter.choices and not _numeric(parameter)):
        known = not parameter.choices or parameter.problem(text) is None
        return (
            Read(text) if known else Read(default, Fate.DEFAULTED, f"{text!r} is not a known word: the default is used")
        )
    if parameter.scope == "process" and _WHOLE.fullmatch(text) is None:
        return Read(default, Fate.DEFAULTED, f"{text!r} is not a number: the default {default} is kept")
    number = atoi(text)
    if parameter.type is Type.BOOL:
        return Read(str(number & 1), why=_reading(text, str(number & 1), {"0", "1"}))
    if parameter.scope == "process" or parameter.choices or parameter.problem(str(number)) is None:
        return Read(str(number), why=_reading(text, str(number)))
    low, high = (number if end is None else end for end in (parameter.min, parameter.max))
    near = max(low, min(high, number))
    if near == number:  # inside, and still none that it takes: a size that is no power of two
        return Read(str(number), why=_reading(text, str(number)))
    return Read(str(near), Fate.CLAMPED, f"{number} is out of range: {near} is the nearest")


def _numeric(parameter: Parameter) -> bool:
    return all(re.fullmatch(r"-?[0-9]+", choice.value) for choice in parameter.choices)


def _choice(parameter: Parameter, text: str, release: str, default: str) -> Read:
    since = _rules()["words"].get(parameter.stack, {}).get(_suffix(parameter))
    if since is None or not in_window(release, since, None):
        return _numbered(parameter, text, release, default)
    known = parameter.choices_in(release)
    found = next((c.value for c in known if text.casefold() in {s.casefold() for s in (c.value, *c.also)}), None)
    if found is None:
        spelled = [spelling for c in known for spelling in (c.value, *c.also)]
        hint = f" ({did_you_mean(text, spelled)})" if nearest(text, spelled) else ""
        return Read(
            default, Fate.DEFAULTED, f"{text!r} is not a word that {release} knows: the default is used silently{hint}"
        )
    return Read(found)


def _numbered(parameter: Parameter, text: str, release: str, default: str) -> Read:
    number = str(atoi(text))
    found = next((c.value for c in parameter.choices_in(release) if number in {c.value, *c.also}), None)
    why = _reading(text, number)
    if found is not None:
        return Read(found, why=why)
    if number in _rules()["kept"].get(parameter.name, ()):
        return Read(number, why=why or f"{number} is not one of its values, and the library takes it")
    if _is_in(parameter, "default"):
        return Read(default, Fate.DEFAULTED, why or f"{number} is not one of its values: the default")
    return Read(number, why=why or f"{number} is not one of its values, and nothing checks that")


def _number(parameter: Parameter, text: str, default: str) -> Read:
    number = atoi(text)
    meant = replaced(parameter.name, str(number))
    if meant != str(number):
        return Read(meant, Fate.CLAMPED, f"{text!r} is read as {number}, and {number} silently becomes {meant}")
    if _is_in(parameter, "sixteen_bits") and not 0 <= number < _HALF_WORD:
        number %= _HALF_WORD
        return _within(parameter, number, default, f"{text!r} is read as {number}: in 16 bits, without a sign")
    return _within(parameter, number, default, _reading(text, str(number)))


def _switch(parameter: Parameter, text: str, _default: str) -> Read:
    number = atoi(text)
    if number < 0 and _is_in(parameter, "positive"):
        return Read("0", why=f"{text!r} is read as {number}, and only a number above 0 switches it on")
    return Read(str(int(number != 0)), why=_reading(text, str(number), {"0", "1"}))


def _size(parameter: Parameter, text: str, default: str) -> Read:
    whole = size(text)
    number = whole % _WORD if _is_in(parameter, "narrow") else whole
    why = _size_reading(text, whole, number)
    if number == 0 and _is_in(parameter, "zero"):
        return Read(default, Fate.DEFAULTED, why or "0 means the default")
    return _within(parameter, number, default, why)


def _size_reading(text: str, whole: int, kept: int) -> str:
    """Return what is odd about a size of `whole` bytes, of which the variable keeps `kept`, empty where nothing is."""
    if whole == 0 and text.strip("0") != "":
        return f"{text!r} is not a size and is read as 0"
    if kept != whole:
        return f"{text!r} is read as {kept}: in 32 bits"
    return f"{text!r} is read as {kept}: in 64 bits, without a sign" if "-" in text else ""


def _within(parameter: Parameter, number: int, default: str, why: str) -> Read:
    """Return a number as the library takes it: checked, brought into range, or as it comes."""
    if parameter.problem(str(number)) is None:
        return Read(str(number), why=why)
    if _is_in(parameter, "default"):
        return Read(default, Fate.DEFAULTED, _joined(why, f"{number} is out of range: the default {default}"))
    near = _brought_in(parameter, number)
    if near != number:
        return Read(str(near), Fate.CLAMPED, _joined(why, f"{number} is out of range: {near} is the nearest"))
    return Read(str(number), why=_joined(why, f"{number} is out of range, and nothing checks that"))


def _brought_in(parameter: Parameter, number: int) -> int:
    """Return the number that a library takes instead of one out of range, the same where nothing checks it."""
    if _is_in(parameter, "clamp_unsigned"):
        return _nearest(parameter, number % _WORD)
    if _is_in(parameter, "clamp"):
        return _nearest(parameter, number)
    if _is_in(parameter, "raise") and parameter.min is not None:
        return max(parameter.min, number)
    return number


def _nearest(parameter: Parameter, number: int) -> int:
    low = parameter.min if parameter.min is not None else number
    high = parameter.max if parameter.max is not None else number
    inside = max(low, min(high, number))
    return 1 << (inside - 1).bit_length() if parameter.power_of_two else inside


def _cpus(_parameter: Parameter, text: str, _default: str) -> Read:
    if _CPUS.fullmatch(text):
        return Read(text)
    return Read("0", Fate.DEFAULTED, f"{text!r} names no CPUs: CPU 0, with a warning")


def _as_it_is(_parameter: Parameter, text: str, _default: str) -> Read:
    return Read(text)


def _reading(text: str, number: str, plain: set[str] | None = None) -> str:
    if text in (plain or {number}):
        return ""
    return f"{text!r} is read as {number}: digits up to the first other character, in 32 bits"


def _joined(first: str, second: str) -> str:
    return f"{first}; {second}" if first else second


_NUMERIC: Final = frozenset({Type.INT, Type.BOOL, Type.ENUM})
_READERS: Final = {Type.INT: _number, Type.BOOL: _switch, Type.SIZE: _size, Type.CPUSET: _cpus}
