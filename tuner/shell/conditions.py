"""`test` and `[`: comparisons of texts and numbers. What looks at files cannot be known."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

_NUMBERS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-lt": operator.lt,
    "-le": operator.le,
    "-gt": operator.gt,
    "-ge": operator.ge,
}
_TEXTS: Final[Mapping[str, Callable[[str, str], bool]]] = {"=": operator.eq, "!=": operator.ne}
_FILES: Final = frozenset({"-ef", "-nt", "-ot"})
_ORDERS: Final = frozenset({"<", ">"})
_FILE: Final = frozenset(f"-{letter}" for letter in "bcdefghkprstuwxLSOGN")
_UNARY: Final = frozenset({"-n", "-z", *_FILE})
_BINARY: Final = frozenset({*_NUMBERS, *_TEXTS, *_FILES, *_ORDERS, "=="})
_DECIDED: Final = 4
"""Up to so many words POSIX says what they mean."""
_LONGEST: Final = 40


class Unclear(Exception):
    """A condition that depends on more than texts, or that shells read differently."""


class _Wrong(Exception):
    """A condition that no shell understands: it does not hold, and is not what was meant."""


def holds(words: Sequence[str]) -> bool:
    """Return whether `test WORDS…` succeeds, by the number of words as POSIX says; raise `Unclear` where unknown."""
    try:
        return _held(words)
    except _Wrong:
        return False


def _held(words: Sequence[str]) -> bool:  # noqa: C901, PLR0911 POSIX has one rule for each number of words
    match words:
        case []:
            return False
        case [only]:
            return only != ""
        case ["!", only]:
            return only == ""
        case [sign, only]:
            return _unary(sign, only)
        case [left, sign, right] if sign in _BINARY:
            return _binary(left, sign, right)
        case [left, "-a", right]:
            return left != "" and right != ""
        case [left, "-o", right]:
            return left != "" or right != ""
        case ["!", *rest] if len(words) <= _DECIDED:
            return not _held(rest)
        case ["(", only, ")"]:
            return only != ""
        case ["(", *rest, ")"] if len(words) == _DECIDED:
            return _held(rest)
    return _long(list(words))


def _unary(sign: str, text: str) -> bool:
    if sign in _FILE:
        raise Unclear("it looks at the files of the host")
    if sign not in _UNARY:
        if re.fullmatch(r"-[A-Za-z]", sign):
            raise Unclear(f"{sign} is read by some shells only")
        raise _Wrong
    return (text != "") == (sign == "-n")


def _binary(left: str, sign: str, right: str) -> bool:
    if sign in _NUMBERS:
        return _NUMBERS[sign](_number(left), _number(right))
    if sign in _TEXTS:
        return _TEXTS[sign](left, right)
    if sign == "==":
        if left != right:
            return False
        raise Unclear("== is read by some shells only: write =")
    raise Unclear("it looks at the files of the host" if sign in _FILES else f"{sign} is read by some shells only")


def _number(text: str) -> int:
    found = re.fullmatch(r"[ \t\n]*([+-]?[0-9]{1,18})[ \t\n]*", text, re.ASCII)
    if found is None:
        if re.fullmatch(r"[ \t\n]*[+-]?[0-9]{19,}[ \t\n]*", text, re.ASCII):
            raise Unclear("a number is too large for some shells")
        raise _Wrong
    return int(found[1])


def _long(words: list[str]) -> bool:
    """Return whether a condition of many words holds: `-o` of `-a` of single ones, each perhaps behind `!`."""
    if len(words) > _LONGEST or "(" in words or ")" in words:
        raise Unclear("a condition of many words is read differently by shells")
    return any(_all(part) for part in _split(words, "-o"))


def _all(words: list[str]) -> bool:
    held = [_single(part) for part in _split(words, "-a")]
    return all(held)


def _single(words: list[str]) -> bool:
    if words[:1] == ["!"] and len(words) > 1:
        return not _single(words[1:])
    match words:
        case [only]:
            return only != ""
        case [sign, only] if sign in _UNARY:
            return _unary(sign, only)
        case [left, sign, right] if sign in _BINARY:
            return _binary(left, sign, right)
    raise Unclear("a condition of many words is read differently by shells")


def _split(words: list[str], sign: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == sign:
            parts.append([])
        else:
            parts[-1].append(word)
    if not all(parts):
        raise Unclear("a condition of many words is read differently by shells")
    return parts
