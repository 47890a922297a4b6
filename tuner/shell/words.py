"""Words: quotes, `$name`, `${name:-word}`, `$((…))`, and what stands for a command's output."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tuner.shell.scanner import Scanner
from tuner.shell.syntax import Arithmetic, Literal, Parameter, Part, Unreadable, Word

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PLAIN: Final = re.compile(r"[^\s;&|<>()'\"\\$`]+|[^\S \t\n]+")
_IN_QUOTES: Final = re.compile(r"[^\"\\$`]+")
_IN_BRACES: Final = re.compile(r"[^}'\"\\$`]+")
_SINGLE: Final = re.compile(r"'([^']*)'")
_ANSI: Final = re.compile(r"\$'(?:[^'\\]|\\.)*'", re.DOTALL)
_BACKQUOTED: Final = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)
_SPECIAL: Final = re.compile(r"[@*#?$!0-9-]")
_BRACED: Final = re.compile(
    r"(?P<length>#(?=[A-Za-z0-9_@*]))?(?P<name>[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])"
    r"(?P<operator>:[-=?+]|[-=?+]|%%?|##?)?",
    re.ASCII,
)
_ENDS: Final = " \t\n;&|<>()"
_OUTPUT: Final = "it is the output of a command, and nothing is run"
_BASH: Final = "only some shells accept it"
_VALUES: Final = frozenset({":-", "-", ":=", "=", ":?", "?", ":+", "+"})


def word(scanner: Scanner) -> Word | None:
    """Return the word that begins here, None where an operator, a blank or the end stands."""
    begin, line = scanner.at, scanner.line
    parts: list[Part] = []
    while not scanner.ended and scanner.peek() not in _ENDS:
        parts += _piece(scanner)
    if scanner.at == begin:
        return None
    return Word(scanner.text[begin : scanner.at], _merged(parts), line)


def _piece(scanner: Scanner) -> list[Part]:
    if plain := scanner.match(_PLAIN):
        return [Literal(plain[0])]
    if scanner.ahead("'"):
        return [_single(scanner)]
    if scanner.take('"'):
        return _double(scanner)
    if scanner.take("\\"):
        return _escaped(scanner)
    return [_dollar(scanner, quoted=False)]


def _single(scanner: Scanner) -> Part:
    found = scanner.match(_SINGLE)
    if found is None:
        raise scanner.fault("a quotation does not end")
    return Literal(found[1], quoted=True)


def _escaped(scanner: Scanner) -> list[Part]:
    """Return the character behind a backslash; a line's end goes away with it, and at the very end it stands."""
    if scanner.take("\n"):
        return []
    found = scanner.peek() or "\\"
    scanner.at += 1
    return [Literal(found, quoted=True)]


def _double(scanner: Scanner) -> list[Part]:
    """Return the parts between double quotes; the first is empty, so that `""` is a word."""
    parts: list[Part] = [Literal("", quoted=True)]
    while not scanner.take('"'):
        if scanner.ended:
            raise scanner.fault("a quotation does not end")
        parts += _protected(scanner, _IN_QUOTES, '$`"\\')
    return parts


def _protected(scanner: Scanner, plain: re.Pattern[str], escapable: str) -> list[Part]:
    """Return the next part where a backslash protects only `escapable` and keeps itself before all others."""
    if text := scanner.match(plain):
        return [Literal(text[0], quoted=True)]
    if scanner.take("\\"):
        if scanner.peek() in escapable or scanner.ahead("\n"):
            return _escaped(scanner)
        return [Literal("\\", quoted=True)]
    if scanner.peek() in "$`":
        return [_dollar(scanner, quoted=True)]
    found = scanner.peek()
    scanner.at += 1
    return [Literal(found, quoted=True)]


def _dollar(scanner: Scanner, *, quoted: bool) -> Part:
    scanner.deeper()
    try:
        return _expansion(scanner, quoted=quoted)
    finally:
        scanner.higher()


def _expansion(scanner: Scanner, *, quoted: bool) -> Part:
    begin = scanner.at
    if scanner.ahead("`"):
        if scanner.match(_BACKQUOTED) is None:
            raise scanner.fault("a command between backquotes does not end")
        return Unreadable(scanner.text[begin : scanner.at], _OUTPUT, quoted)
    if not quoted and scanner.match(_ANSI):
        return Unreadable(scanner.text[begin : scanner.at], _BASH, quoted)
    scanner.at += 1
    if scanner.ahead("("):
        return _bracket(scanner, begin, quoted=quoted)
    if scanner.take("{"):
        return _braced(scanner, begin, quoted=quoted)
    return _named(scanner, quoted=quoted)


def _named(scanner: Scanner, *, quoted: bool) -> Part:
    """Return `$name` and its kin, or the `$` that stands for itself."""
    if found := scanner.match(NAME) or scanner.match(_SPECIAL):
        return Parameter(found[0], quoted)
    if not quoted and scanner.ahead('"'):
        return Unreadable("$", _BASH, quoted)
    return Literal("$", quoted)


def _bracket(scanner: Scanner, begin: int, *, quoted: bool) -> Part:
    formula = _formula(scanner) if scanner.ahead("((") else None
    if formula is not None:
        return Arithmetic(formula, quoted)
    scanner.at += 1
    scanner.skip_commands(scanner)
    return Unreadable(scanner.text[begin : scanner.at], _OUTPUT, quoted)


def _formula(scanner: Scanner) -> Word | None:
    """Return what stands in `((…))`, and None (nothing read) where the brackets are those of commands."""
    begin, line = scanner.at, scanner.line
    end = _end_of_formula(scanner.text, begin + 2)
    if end is None:
        return None
    inner = Scanner(scanner.text[begin + 2 : end], scanner.skip_commands, depth=scanner.depth)
    parts: list[Part] = []
    while not inner.ended:
        parts += _protected(inner, _IN_QUOTES, '$`"\\')
    scanner.at = end + 2
    return Word(inner.text, _merged(parts), line)


def _end_of_formula(text: str, at: int) -> int | None:
    """Return where the `))` stands that ends a formula, None where its brackets do not end so."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character == ")" and depth == 0:
            return at if text.startswith("))", at) else None
        depth += {"(": 1, ")": -1}.get(character, 0)
        at += 1
    return None


def _braced(scanner: Scanner, begin: int, *, quoted: bool) -> Part:
    found = scanner.match(_BRACED)
    if found is None or (not found["operator"] and not scanner.ahead("}")) or (found["length"] and found["operator"]):
        return _beyond(scanner, begin, quoted=quoted)
    operator = found["operator"] or ""
    line, start = scanner.line, scanner.at
    parts = _brace_word(scanner, literal_quotes=quoted and operator in _VALUES)
    inner = Word(scanner.text[start : scanner.at - 1], parts, line)
    return Parameter(found["name"], quoted, operator, inner if operator else None, bool(found["length"]))


def _beyond(scanner: Scanner, begin: int, *, quoted: bool) -> Part:
    """Return an expansion that POSIX does not have, read to the brace that ends it."""
    _brace_word(scanner, literal_quotes=quoted)
    return Unreadable(scanner.text[begin : scanner.at], _BASH, quoted)


def _brace_word(scanner: Scanner, *, literal_quotes: bool) -> tuple[Part, ...]:
    """Return the parts up to the brace that ends an expansion; inside double quotes `'` may be a character as others."""
    parts: list[Part] = []
    piece: Callable[[Scanner], list[Part]] = _quoted_brace_piece if literal_quotes else _brace_piece
    while not scanner.take("}"):
        if scanner.ended:
            raise scanner.fault("the brace of ${ is missing")
        parts += piece(scanner)
    return _merged(parts)


def _quoted_brace_piece(scanner: Scanner) -> list[Part]:
    if scanner.take('"'):
        return _double(scanner)
    return _protected(scanner, _IN_BRACES, '$`"\\}')


def _brace_piece(scanner: Scanner) -> list[Part]:
    if plain := scanner.match(_IN_BRACES):
        return [Literal(plain[0])]
    return _piece(scanner)


def _merged(parts: list[Part]) -> tuple[Part, ...]:
    """Join neighbouring texts of the same kind: a word without quotes is one part."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, Literal) and isinstance(last, Literal) and part.quoted == last.quoted:
            merged[-1] = Literal(last.text + part.text, part.quoted)
        else:
            merged.append(part)
    return tuple(merged)
