"""Numbers out of what a program printed: by a regular expression or by a path into JSON, from text to values or to the reason why not."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from tuner.errors import nearest
from tuner.json_text import parsed
from tuner.runs.matches import MOST, Found

LONGEST_EXPRESSION: Final = 500
MOST_SAMPLES: Final = MOST - 1
TIME_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
"""Units of time in seconds."""
MULTIPLES: Final = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
UNIT_GROUP: Final = "unit"
"""The group of a regular expression that is the number's unit where it differs from run to run: `12.3us`, `1.2ms`."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
_STEP: Final = re.compile(r"(?P<key>[^.\[\]]+)|\[(?P<index>[0-9]{1,6}|\*)\]")
_PATH: Final = re.compile(r"(?:[^.\[\]]+|\[(?:[0-9]{1,6}|\*)\])(?:\.[^.\[\]]+|\[(?:[0-9]{1,6}|\*)\])*")
# Of the text of a regular expression: what stands for one character, the heads of groups, the innermost groups with what
# repeats them, and what makes a match of a group one of several.
_ONE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_HEAD: Final = re.compile(r"\(\?(?:P<\w+>|[:>=!]|<[=!]|[aiLmsux-]+[:)])")
_GROUP: Final = re.compile(r"\((?P<inside>[^()]*)\)(?P<repeat>[*+]|\{(?:[0-9]*,[0-9]*|[5-9]|[0-9]{2,})\})?")
_SEVERAL_WAYS: Final = re.compile(r"[*+?|]|\{[0-9]*,[0-9]*\}")
_SHOWN: Final = 60


class NotFound(Exception):
    """There is no number, or not the one that was asked for; the text says why."""


def regex_problem(expression: str, groups: int) -> str:
    """Return what is wrong with a regular expression that needs so many groups, empty for nothing."""
    if len(expression) > LONGEST_EXPRESSION:
        return f"has {len(expression)} characters, at most {LONGEST_EXPRESSION} are allowed"
    if _is_nested(expression):
        return "repeats what itself repeats, which can take for ever"
    try:
        found = re.compile(expression)
    except (re.error, RecursionError, OverflowError) as reason:
        return f"is not a regular expression: {reason}"
    return "" if found.groups >= groups else "has no group, which is the number"


def _is_nested(expression: str) -> bool:
    """Return whether a group is repeated that can match one text in several ways: what fails to match may take for ever."""
    rest, before = _HEAD.sub("(", _ONE.sub("x", expression)), ""
    while rest != before:
        if any(each["repeat"] and _SEVERAL_WAYS.search(each["inside"]) for each in _GROUP.finditer(rest)):
            return True
        before, rest = rest, _GROUP.sub(_as_one, rest)
    return False


def _as_one(group: re.Match[str]) -> str:
    """Return what stands for a group in the one around it: a character, repeated where the group is not always the same."""
    return "x*" if group["repeat"] or _SEVERAL_WAYS.search(group["inside"]) else "x"


def path_problem(path: str) -> str:
    """Return what is wrong with a path into JSON, empty for nothing."""
    if len(path) > LONGEST_EXPRESSION or not _PATH.fullmatch(path):
        return f"{path[:_SHOWN]!r} is not a path into JSON"
    return ""


def groups(expression: str) -> tuple[int | str, ...]:
    """Return the groups of a metric's expression that count: the number, and the unit where there is one."""
    return (1, UNIT_GROUP) if UNIT_GROUP in re.compile(expression).groupindex else (1,)


def numbers(expression: str, found: Found, unit: str = "", *, several: bool = False) -> list[float]:
    """Return the numbers that a regular expression found, in the metric's unit; raise `NotFound` for none.

    More than one is `NotFound` too, unless there may be `several`.
    """
    if len(found) > MOST_SAMPLES:
        raise NotFound(f"matches more than {MOST_SAMPLES} times")
    if not found:
        raise NotFound(f"the regex {expression!r} matches nothing in it")
    values = [_of_match(match, unit) for match in found]
    if len(values) > 1 and not several:
        shown = ", ".join(f"{each:g}" for each in values[:3])
        more = ", …" if len(values) > 3 else ""  # noqa: PLR2004 - as many as are shown
        raise NotFound(f"the regex {expression!r} matches {len(values)} times: {shown}{more}")
    return values


def _of_match(match: Sequence[str], unit: str) -> float:
    value = number(match[0])
    return value * factor(match[1], unit) if len(match) > 1 else value


def factor(written: str, unit: str) -> float:
    """Return how many of `unit` one of a written unit is: of time, or a multiple such as `k`; raise `NotFound` for others."""
    if written in TIME_UNITS and unit in TIME_UNITS:
        return TIME_UNITS[written] / TIME_UNITS[unit]
    if written in MULTIPLES and unit not in TIME_UNITS:
        return MULTIPLES[written]
    raise NotFound(f"the unit {written[:_SHOWN]!r} is not one that {unit or 'a metric without unit'!r} can be made of")


def number(text: str) -> float:
    """Return a number as programs print it (`1234.5`, `1,234`, `1e6`); raise `NotFound` for anything else, and below 0."""
    plain = text.strip()
    if not _NUMBER.fullmatch(plain) or not any(character.isdigit() for character in plain):
        raise NotFound(f"{plain[:_SHOWN]!r} is not a number")
    return _able(float(plain.replace(",", "")))


def _able(value: float) -> float:
    if not math.isfinite(value) or value < 0.0:
        raise NotFound(f"{value:g} is not a number of 0 or more")
    return value


def led_to(path: str, text: str, *, several: bool = False) -> list[float]:
    """Return the numbers that a path leads to in a text of JSON; raise `NotFound` saying where it ends.

    `a.b[0].c` is a key, an item of a list, a key; `[*]` are all items, of which there may be `several`.
    """
    try:
        found = parsed(text)
    except ValueError as reason:
        raise NotFound(str(reason)) from reason
    reached: list[tuple[str, Any]] = [("", found)]
    for step in _STEP.finditer(path):
        reached = [after for place, value in reached for after in _after(place, value, step)]
    if len(reached) != 1 and not several:
        raise NotFound(f"the path {path!r} leads to {len(reached)} values")
    if not reached:
        raise NotFound(f"the path {path!r} leads to an empty list")
    return [_number_at(place, value) for place, value in reached[: MOST_SAMPLES + 1]]


def _after(place: str, value: Any, step: re.Match[str]) -> Sequence[tuple[str, Any]]:
    """Return what one step leads to, with its place."""
    if key := step["key"]:
        if not isinstance(value, dict):
            raise NotFound(f"{place or 'the whole'} is {_kind(value)} and has no key {key!r}")
        if key not in value:
            near = nearest(key, map(str, value))
            known = f"did you mean {near!r}?" if near else f"its keys: {', '.join(map(str, list(value)[:8]))}"
            raise NotFound(f"{place or 'the whole'} has no key {key!r}; {known[:300]}")
        return [(f"{place}.{key}".lstrip("."), value[key])]
    if not isinstance(value, list):
        raise NotFound(f"{place or 'the whole'} is {_kind(value)} and no list")
    if step["index"] == "*":
        return [(f"{place}[{index}]", each) for index, each in enumerate(value)]
    index = int(step["index"])
    if index >= len(value):
        raise NotFound(f"{place or 'the whole'} has {len(value)} items and no [{index}]")
    return [(f"{place}[{index}]", value[index])]


def _number_at(place: str, value: Any) -> float:
    if isinstance(value, str):
        return number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotFound(f"{place} is {_kind(value)} and no number")
    return _able(float(value))


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
