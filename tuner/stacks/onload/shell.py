"""The small part of the shell's language in which Onload's profiles say what they set. Nothing is ever executed.

Words of literal text, quotes, `$NAME`, `${NAME}` and `$((…))` of whole numbers; commands that end with a line or `;`;
tests with one comparison. Everything that would start a program, touch a file or change the shell is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tuner.catalogue.expressions import parse
from tuner.errors import UsageError

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_TOKEN: Final = re.compile(
    r"(?P<blank>[ \t\r]+)"
    r"|'(?P<single>[^'\n]*)'"
    r'|"(?P<double>(?:[^"\\\n]|\\.)*)"'
    r"|(?P<escaped>\\.)"
    r"|(?P<sum>\$\(\((?P<formula>[^()`]*(?:\([^()`]*\)[^()`]*)*)\)\))"
    rf"|\$(?:\{{(?P<braced>{_NAME})\}}|(?P<variable>{_NAME}))"
    r"|(?P<end>;(?!;))"
    r"|(?P<plain>[^\s'\"\\$`;&|<>(){}*?#]+|[{}*?#])"
)
_IN_QUOTES: Final = re.compile(
    rf"\$\{{(?P<braced>{_NAME})\}}|\$(?P<variable>{_NAME})|\$(?P<all>@)|\\(?P<escaped>[\"\\$`])|(?P<text>[^$`\\]+|\\)"
)
_REFUSED: Final[tuple[tuple[str, str], ...]] = (
    ("`", "a command between backquotes would be run"),
    ("$((", "the sum cannot be read"),
    ("$(", "a command in $(…) would be run"),
    ("$", "only $NAME and ${NAME} are read"),
    ("|", "a pipe would run commands"),
    ("&", "a second command would be run"),
    ("<", "a file would be opened"),
    (">", "a file would be written"),
    ("(", "a shell would be started"),
    (")", "a bracket closes nothing"),
    (";;", "a case ends that was not read"),
    ("'", "a quotation does not end in its line"),
    ('"', "a quotation does not end in its line"),
)
_NUMBERS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}
_TEXTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class Refused(Exception):
    """A line that is more than data; `why` says what it would do."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word: text as it stands, the name of a variable, or a sum of numbers and variables."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command, as it is written and as its parts."""

    source: str
    parts: tuple[Part, ...]

    @property
    def plain(self) -> str:
        """The text of a word that depends on nothing, empty for others."""
        return "".join(part.value for part in self.parts) if all(part.kind == "text" for part in self.parts) else ""

    def text(self, values: Mapping[str, str], *, surely: bool) -> str:
        """Return the word with its variables replaced.

        A variable that nothing set is refused, but for those of Onload in a test: `surely` says that commands were left
        out which might have set one.
        """
        return "".join(_value(part, values, surely=surely) for part in self.parts)


def commands(line: str) -> Iterator[list[Word]]:
    """Yield the commands of a line, each as its words; raise `Refused` for what is not data."""
    words: list[Word] = []
    parts: list[Part] = []
    begin = at = 0
    while at <= len(line):
        match = _TOKEN.match(line, at)
        comment = line.startswith("#", at) and not parts
        if match is None and at < len(line) and not comment:
            raise Refused(_why(line, at))
        ends = match is None or comment or match["blank"] is not None or match["end"] is not None
        if ends and parts:
            words.append(Word(line[begin:at], tuple(parts)))
            parts = []
        if (match is None or comment or match["end"] is not None) and words:
            yield words
            words = []
        if match is None or comment:
            return
        if not ends:
            begin = at if not parts else begin
            parts += _parts(match)
        at = match.end()


def test(words: Sequence[Word], text_of: Callable[[Word], str]) -> bool:
    """Return whether the test of an `if` holds: `[ -z "$X" ]`, `[ "$X" = a ]`, `[ $N -gt 3 ]`, also with `!`."""
    inner = list(words)
    if inner and inner[0].plain == "[" and inner[-1].plain == "]":
        inner = inner[1:-1]
    elif inner and inner[0].plain == "test":
        inner = inner[1:]
    else:
        raise Refused("only a test in [ … ] is read")
    negated = bool(inner) and inner[0].plain == "!"
    return _compared(inner[1:] if negated else inner, text_of) != negated


def _compared(words: Sequence[Word], text_of: Callable[[Word], str]) -> bool:
    texts = [text_of(word) for word in words]
    match texts:
        case []:
            return False
        case [only]:
            return bool(only)
        case ["-n", only]:
            return bool(only)
        case ["-z", only]:
            return not only
        case [left, sign, right] if sign in _TEXTS:
            return _TEXTS[sign](left, right)
        case [left, sign, right] if sign in _NUMBERS:
            return _NUMBERS[sign](_number(left), _number(right))
    shown = " ".join(texts)
    raise Refused(f"only one plain comparison is read: [ {shown} ]")


def _number(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII):
        raise Refused(f"{text!r} is no number")
    return int(text)


def _parts(match: re.Match[str]) -> list[Part]:
    if match["single"] is not None:
        return [Part("text", match["single"])]
    if match["double"] is not None:
        return _quoted(match["double"])
    if match["escaped"] is not None:
        return [Part("text", match["escaped"][1:])]
    if match["sum"] is not None:
        return [Part("sum", match["formula"])]
    name = match["braced"] or match["variable"]
    if name is not None:
        return [Part("variable", name)]
    if match["plain"] in {"*", "?"}:
        raise Refused("names of files would be looked up")
    return [Part("text", match["plain"])]


def _quoted(text: str) -> list[Part]:
    parts, at = [Part("text", "")], 0
    while at < len(text):
        match = _IN_QUOTES.match(text, at)
        if match is None:
            raise Refused(_why(text, at))
        name = match["braced"] or match["variable"] or match["all"]
        plain = match["escaped"] or match["text"]
        parts.append(Part("text", plain) if name is None else Part("variable", name))
        at = match.end()
    return parts


def _value(part: Part, values: Mapping[str, str], *, surely: bool) -> str:
    if part.kind == "text":
        return part.value
    if part.kind == "sum":
        return _sum(part.value, values)
    if part.value not in values and (surely or part.value == "@") and not part.value.startswith("EF_"):
        raise Refused(f"it depends on ${part.value}, which only the commands that are left out could have set")
    return values.get(part.value, "")


def _sum(formula: str, values: Mapping[str, str]) -> str:
    plain = re.sub(rf"\$(?:\{{({_NAME})\}}|({_NAME}))", lambda m: m[1] or m[2], formula)
    try:
        expression = parse(plain)
        numbers = {name: _number(values.get(name, "")) for name in expression.names}
        return str(expression.value(numbers))
    except UsageError as reason:
        raise Refused(f"the sum {formula.strip()!r} cannot be read: {reason.message}") from reason


def _why(text: str, at: int) -> str:
    return next((why for sign, why in _REFUSED if text.startswith(sign, at)), f"{text[at]!r} is not read")
