"""`$((…))`: whole numbers of 64 bits, with the operators that POSIX takes from C."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_TOKEN: Final = re.compile(
    r"[ \t\n]*(?:(?P<number>0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19})(?![0-9A-Za-z_#])|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign><<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>?:()=]))",
    re.ASCII,
)
_LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>"), ("+", "-"),
    ("*", "/", "%"),
)  # fmt: skip
_ASSIGNS: Final = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "|=", "^="})
_DEEPEST: Final = 20
_BITS: Final = 64


class Unclear(Exception):
    """A sum that cannot be read, or that shells read differently."""


def _shift(left: int, right: int, how: Callable[[int, int], int]) -> int:
    if not 0 <= right < _BITS:
        raise Unclear("it shifts by more bits than there are")
    return how(left, right)


def _divided(left: int, right: int) -> int:
    if right == 0:
        raise Unclear("it divides by 0")
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


_OPERATORS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "|": operator.or_,
    "^": operator.xor,
    "&": operator.and_,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: _shift(a, b, operator.lshift),
    ">>": lambda a, b: _shift(a, b, operator.rshift),
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "%": lambda a, b: a - _divided(a, b) * b,
}


@dataclass(slots=True)
class _Reader:
    tokens: list[tuple[str, str]]
    text_of: Callable[[str], str]
    assign: Callable[[str, int], None]
    at: int = 0
    depth: int = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise Unclear("it is incomplete")
        self.at += 1
        return self.tokens[self.at - 1]


def value(text: str, text_of: Callable[[str], str], assign: Callable[[str, int], None]) -> int:
    """Return what a formula comes to; raise `Unclear` where it is none, or shells differ.

    `text_of` gives the text of a variable (empty counts as 0), `assign` takes what the formula assigns.
    """
    reader = _Reader(_tokens(text), text_of, assign)
    if not reader.tokens:
        raise Unclear("it is empty, which some shells refuse")
    found = _assignment(reader, live=True)
    if reader.at < len(reader.tokens):
        raise Unclear(f"{reader.peek()!r} is not expected")
    return found


def number(text: str) -> int:
    """Return a constant or a variable's text as a number: decimal, `0x…` or octal behind a 0."""
    plain = text.strip(" \t\n")
    sign = -1 if plain.startswith("-") else 1
    digits = plain.lstrip("+-")
    if plain == "":
        return 0
    if len(plain) - len(digits) > 1 or not re.fullmatch(
        r"0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,21}|[1-9][0-9]{0,18}", digits
    ):
        raise Unclear(f"{text!r} is not a number")
    base = 16 if digits[:2].lower() == "0x" else 8 if digits.startswith("0") else 10
    return _wrapped(sign * int(digits, base))


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip(" \t\n"):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unclear(f"{text[at:].strip()[:20]!r} is not expected")
        found.append((match.lastgroup or "", match[0].strip(" \t\n")))
        at = match.end()
    for (_, left), (_, right) in pairwise(found):
        if left == right and left in "+-":
            raise Unclear(f"{left}{right} is read by some shells only")
    return found


def _assignment(reader: _Reader, *, live: bool) -> int:
    """Return an expression; without `live` it stands where a shell would not come, and assigns nothing."""
    start = reader.at
    if reader.tokens[start : start + 1] and reader.tokens[start][0] == "name":
        name = reader.take()[1]
        if reader.peek() in _ASSIGNS:
            return _assigned(reader, name, reader.take()[1], live=live)
        reader.at = start
    condition = _binary(reader, 0, live=live)
    if reader.peek() != "?":
        return condition
    reader.take()
    first = _deeper(reader, live=live and condition != 0)
    if reader.take()[1] != ":":
        raise Unclear("the : of ? is missing")
    second = _deeper(reader, live=live and condition == 0)
    return first if condition else second


def _assigned(reader: _Reader, name: str, sign: str, *, live: bool) -> int:
    right = _deeper(reader, live=live)
    if live and sign != "=":
        right = _wrapped(_OPERATORS[sign[:-1]](number(reader.text_of(name)), right))
    if live:
        reader.assign(name, right)
    return right


def _deeper(reader: _Reader, *, live: bool) -> int:
    reader.depth += 1
    if reader.depth > _DEEPEST:
        raise Unclear("it is nested too deeply")
    found = _assignment(reader, live=live)
    reader.depth -= 1
    return found


def _binary(reader: _Reader, level: int, *, live: bool) -> int:
    if level == len(_LEVELS):
        return _unary(reader, live=live)
    left = _binary(reader, level + 1, live=live)
    while reader.peek() in _LEVELS[level]:
        sign = reader.take()[1]
        if sign in {"&&", "||"}:
            decided = (left == 0) == (sign == "&&")
            right = _binary(reader, level + 1, live=live and not decided)
            left = int(left != 0) if decided else int(right != 0)
        else:
            right = _binary(reader, level + 1, live=live)
            left = _wrapped(_OPERATORS[sign](left, right)) if live else 0
    return left


def _unary(reader: _Reader, *, live: bool) -> int:
    kind, text = reader.take()
    if kind == "number":
        return number(text)
    if kind == "name":
        return number(reader.text_of(text)) if live else 0
    if text == "(":
        found = _deeper(reader, live=live)
        if reader.take()[1] != ")":
            raise Unclear("a bracket is missing")
        return found
    if text not in "+-~!":
        raise Unclear(f"{text!r} is not expected")
    reader.depth += 1
    if reader.depth > _DEEPEST:
        raise Unclear("it is nested too deeply")
    inner = _unary(reader, live=live)
    reader.depth -= 1
    return {"+": inner, "-": _wrapped(-inner), "~": ~inner, "!": int(inner == 0)}[text]


def _wrapped(found: int) -> int:
    half = 1 << (_BITS - 1)
    return (found + half) % (1 << _BITS) - half
