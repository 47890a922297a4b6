"""A very small language for what must hold between settings: `XLIO_TX_WRE >= 2 * XLIO_TX_WRE_BATCHING`.

    or  and  not  == != <= >= < >  + - * / %  ( )  whole numbers  'text'  VARIABLES
    min(a, b)  max(a, b)  if(condition, then, otherwise)

Conditions are read from data files, so nothing of Python is reachable from them: no attributes, no calls but
these three, no loops. Numbers are whole, `/` rounds down, comparisons may be chained, truth is 1 and 0.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from tuner.errors import UsageError

Value = int | str
Values = Mapping[str, Value]
_Evaluate = Callable[[Values], Value]

# A condition that people wrote is far below both; they bound what a hostile file can cost.
LONGEST: Final = 1000
DEEPEST: Final = 40

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>[0-9]{1,15})(?![0-9A-Za-z_])|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|'(?P<text>[^'\n]*)'"
    r"|(?P<sign>==|!=|<=|>=|[<>+\-*/%(),]))",
    re.ASCII,
)
_COMPARE: Final[Mapping[str, Callable[[Value, Value], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": lambda a, b: _number(a) <= _number(b),
    ">=": lambda a, b: _number(a) >= _number(b),
    "<": lambda a, b: _number(a) < _number(b),
    ">": lambda a, b: _number(a) > _number(b),
}
_SUM: Final[Mapping[str, Callable[[int, int], int]]] = {"+": operator.add, "-": operator.sub}
_PRODUCT: Final[Mapping[str, Callable[[int, int], int]]] = {
    "*": operator.mul,
    "/": lambda a, b: _divided(operator.floordiv, a, b),
    "%": lambda a, b: _divided(operator.mod, a, b),
}
_FUNCTIONS: Final = {"min": 2, "max": 2, "if": 3}
_WORDS: Final = frozenset({"and", "or", "not", *_FUNCTIONS})


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as written, the variables in it, and how to evaluate it."""

    text: str
    names: frozenset[str]
    _evaluate: _Evaluate

    def value(self, values: Values) -> Value:
        """Return the value for `values`; raise `UsageError` for a missing variable, a text used as a number or x/0."""
        try:
            return self._evaluate(values)
        except KeyError as missing:
            raise UsageError(f"{self.text!r} needs a value of {missing.args[0]}") from missing
        except (TypeError, ZeroDivisionError) as reason:
            raise UsageError(f"{self.text!r} cannot be evaluated: {reason}") from reason

    def holds(self, values: Values) -> bool:
        """Return whether the value for `values` is true, which is anything but 0 and the empty text."""
        return bool(self.value(values))


@cache
def parse(text: str) -> Expression:
    """Return the expression that `text` states; raise `UsageError` with the place when it states none."""
    if len(text) > LONGEST:
        raise UsageError(f"an expression has at most {LONGEST} characters, this one {len(text)}")
    parser = _Parser(text, _tokens(text))
    evaluate = parser.disjunction()
    parser.expect_end()
    return Expression(text, frozenset(parser.names), evaluate)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            place = len(text) - len(text[place:].lstrip())
            raise UsageError(f"{text!r} cannot be read at character {place + 1}")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind)))
        place = match.end()
    return [*found, _Token("end", "", end)]


class _Parser:
    """Recursive descent, one method a level of binding; each returns the function that evaluates what it read."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.names: set[str] = set()
        self.at = 0
        self.depth = 0

    def disjunction(self) -> _Evaluate:
        parts = self.series(self.conjunction, "or")
        return parts[0] if len(parts) == 1 else lambda values: int(any(part(values) for part in parts))

    def conjunction(self) -> _Evaluate:
        parts = self.series(self.negation, "and")
        return parts[0] if len(parts) == 1 else lambda values: int(all(part(values) for part in parts))

    def series(self, level: Callable[[], _Evaluate], word: str) -> list[_Evaluate]:
        parts = [level()]
        while self.take(word):
            parts.append(level())
        return parts

    def negation(self) -> _Evaluate:
        if not self.take("not"):
            return self.comparison()
        negated = self.nested(self.negation)
        return lambda values: int(not negated(values))

    def comparison(self) -> _Evaluate:
        operands, signs = [self.sum()], []
        while sign := self.take(*_COMPARE):
            signs.append(_COMPARE[sign])
            operands.append(self.sum())
        if not signs:
            return operands[0]
        pairs = list(zip(signs, operands, operands[1:], strict=False))
        return lambda values: int(all(sign(left(values), right(values)) for sign, left, right in pairs))

    def sum(self) -> _Evaluate:
        return self.chain(self.product, _SUM)

    def product(self) -> _Evaluate:
        return self.chain(self.factor, _PRODUCT)

    def chain(self, level: Callable[[], _Evaluate], signs: Mapping[str, Callable[[int, int], int]]) -> _Evaluate:
        first, rest = level(), []
        while sign := self.take(*signs):
            rest.append((signs[sign], level()))
        return _chained(first, rest) if rest else first

    def factor(self) -> _Evaluate:
        if not self.take("-"):
            return self.atom()
        positive = self.nested(self.factor)
        return lambda values: -_number(positive(values))

    def atom(self) -> _Evaluate:
        token = self.tokens[self.at]
        if self.take("("):
            return self.closed(self.nested(self.disjunction))
        if token.kind == "name" and token.text in _FUNCTIONS:
            return self.call(token.text)
        if token.kind in {"sign", "end"} or token.text in _WORDS:
            raise self.wrong("a value is expected")
        self.at += 1
        return self.leaf(token)

    def leaf(self, token: _Token) -> _Evaluate:
        if token.kind == "name":
            self.names.add(token.text)
            return operator.itemgetter(token.text)
        constant: Value = int(token.text) if token.kind == "number" else token.text
        return lambda _: constant

    def call(self, name: str) -> _Evaluate:
        self.at += 1
        self.need("(")
        arguments = [self.nested(self.disjunction)]
        while self.take(","):
            arguments.append(self.nested(self.disjunction))
        if len(arguments) != _FUNCTIONS[name]:
            raise self.wrong(f"{name}() takes {_FUNCTIONS[name]} values")
        return self.closed(_called(name, arguments))

    def nested(self, level: Callable[[], _Evaluate]) -> _Evaluate:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"nested deeper than {DEEPEST}")
        evaluate = level()
        self.depth -= 1
        return evaluate

    def closed(self, evaluate: _Evaluate) -> _Evaluate:
        self.need(")")
        return evaluate

    def take(self, *texts: str) -> str:
        """Step over the next token and return it when it is one of `texts`, otherwise return the empty text."""
        token = self.tokens[self.at]
        if token.kind in {"sign", "name"} and token.text in texts:
            self.at += 1
            return token.text
        return ""

    def need(self, text: str) -> None:
        if not self.take(text):
            raise self.wrong(f"{text!r} is expected")

    def expect_end(self) -> None:
        if self.tokens[self.at].kind != "end":
            raise self.wrong("the expression should end")

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"{self.text!r} cannot be read at character {self.tokens[self.at].place + 1}: {what}")


def _chained(first: _Evaluate, rest: list[tuple[Callable[[int, int], int], _Evaluate]]) -> _Evaluate:
    def evaluate(values: Values) -> int:
        result = _number(first(values))
        for sign, operand in rest:
            result = sign(result, _number(operand(values)))
        return result

    return evaluate


def _called(name: str, arguments: list[_Evaluate]) -> _Evaluate:
    if name == "if":
        condition, then, otherwise = arguments
        return lambda values: then(values) if condition(values) else otherwise(values)
    pick: Callable[[int, int], int] = min if name == "min" else max
    first, second = arguments
    return lambda values: pick(_number(first(values)), _number(second(values)))


def _number(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise TypeError(f"{value!r} is not a number")


def _divided(divide: Callable[[int, int], int], left: int, right: int) -> int:
    if right == 0:
        raise ZeroDivisionError("division by 0")
    return divide(left, right)
