"""The words of a shell's language, as data: what is literal in a word, and what a shell would expand in it.

POSIX.1-2017 XCU 2.2 (quoting), 2.3 (tokens), 2.6 (expansions), and of bash(1) `$'…'` and `$"…"`. Nothing is expanded.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
MOST_NESTED: Final = 40

_VARIABLE: Final = re.compile(rf"\$(?:\{{({NAME})\}}|({NAME}))", re.ASCII)
_SPECIAL_VARIABLE: Final = re.compile(r"\$[0-9@*#?$!_-]")
_PLAIN: Final = re.compile(r"[^\s'\"\\$`;&|<>()]+|[^\S \t\n]+")
_IN_DOUBLE: Final = re.compile(r'[^"\\$`]+')
_ASSIGNMENT: Final = re.compile(rf"({NAME})(\[[^\]=]*\])?(\+?)=", re.ASCII)
_C_ESCAPE: Final = re.compile(
    r"\\(?:([abeEfnrtv\\'\"?])|x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|c(.))",
    re.DOTALL,
)
_C_LETTERS: Final = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))


class Unreadable(Exception):
    """A text that no shell could read either; `line` is where, counted from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why


class Kind(StrEnum):
    """What a part of a word is."""

    TEXT = "text"
    QUOTED = "quoted"
    VARIABLE = "variable"
    EXPANSION = "expansion"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word. `text` is the literal text, the name of a variable, or the source of another expansion.

    `in_quotes` says of an expansion that its result is not split into words.
    """

    kind: Kind
    text: str
    in_quotes: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is written, and its parts; `elements` are those of an array `NAME=(…)`."""

    source: str
    parts: tuple[Part, ...]
    line: int
    elements: tuple[Word, ...] | None = None

    @property
    def literal(self) -> str | None:
        """The text of a word in which nothing would be expanded, else None."""
        if any(part.kind not in {Kind.TEXT, Kind.QUOTED} for part in self.parts):
            return None
        return "".join(part.text for part in self.parts)

    @property
    def bare(self) -> str:
        """The text of a word without any quotes, as a keyword must be; empty for others."""
        return self.parts[0].text if len(self.parts) == 1 and self.parts[0].kind is Kind.TEXT else ""

    def after(self, characters: int) -> Word:
        """Return the word without its first unquoted characters."""
        first, *rest = self.parts
        kept = first.text[characters:]
        head = (Part(first.kind, kept),) if kept else ()
        return Word(self.source[characters:], (*head, *rest), self.line, self.elements)


@dataclass(frozen=True, slots=True)
class Assignment:
    """`NAME=value`: `appends` for `+=`, `indexed` for one element of an array."""

    name: str
    value: Word
    appends: bool = False
    indexed: bool = False


def assignment(word: Word, *, quoted: bool = False) -> Assignment | None:
    """Return the assignment that a word is, None for any other word.

    `quoted` takes `"NAME=value"` too, as programs and `export` do and a shell does not.
    """
    if not word.parts or word.parts[0].kind not in ({Kind.TEXT, Kind.QUOTED} if quoted else {Kind.TEXT}):
        return None
    match = _ASSIGNMENT.match(word.parts[0].text)
    if match is None:
        return None
    return Assignment(match[1], word.after(match.end()), bool(match[3]), bool(match[2]))


def literal_word(text: str, line: int) -> Word:
    """Return a word that means just `text`; of `NAME=value` the name stands outside quotes, as in an assignment."""
    match = _ASSIGNMENT.match(text)
    at = match.end() if match else 0
    parts = (Part(Kind.TEXT, text[:at]), Part(Kind.QUOTED, text[at:]))
    return Word(text, tuple(part for part in parts if part.text), line)


class Scanner:
    """Reads the words of a text; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._in_array = False

    @property
    def line(self) -> int:
        """The number of the line in which it stands."""
        return bisect_left(self._ends, self.at) + 1

    def looks_at(self, text: str) -> bool:
        """Return whether `text` comes next."""
        return self.text.startswith(text, self.at)

    def skip_blanks(self) -> None:
        """Pass blanks, continued lines and a comment."""
        while True:
            if self.looks_at("\\\n"):
                self.at += 2
            elif self.text[self.at : self.at + 1] in {" ", "\t"}:
                self.at += 1
            else:
                break
        if self.looks_at("#"):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

    def word(self) -> Word | None:
        """Return the word that begins here, None where an operator or the end stands."""
        begin, line = self.at, self.line
        parts: list[Part] = []
        elements = None
        while (part := self._part()) is not None:
            parts += part
            if self.looks_at("(") and _opens_array(parts):
                elements = self._elements()
        if self.at == begin:
            return None
        return Word(self.text[begin : self.at], _joined(parts), line, elements)

    def _part(self) -> list[Part] | None:
        """Return the next piece of a word, None where the word ends."""
        sign = self.text[self.at : self.at + 1]
        if sign == "'":
            return [Part(Kind.QUOTED, self._until("'"))]
        if sign == '"':
            return self._double()
        if sign == "\\":
            return self._escaped()
        if sign in {"$", "`"}:
            return self._dollar(in_quotes=False)
        return self._unquoted()

    def _escaped(self) -> list[Part]:
        self.at += 2
        following = self.text[self.at - 1 : self.at]
        return [] if following == "\n" else [Part(Kind.QUOTED, following or "\\")]

    def _unquoted(self) -> list[Part] | None:
        if self.looks_at("<(") or self.looks_at(">("):
            return [Part(Kind.EXPANSION, self._balanced("(", ")"))]
        match = _PLAIN.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return [Part(Kind.TEXT, match[0])]

    def _until(self, quote: str) -> str:
        begin = self.at + 1
        end = self.text.find(quote, begin)
        if end < 0:
            raise Unreadable(self.line, f"a quotation begins with {quote} and never ends")
        self.at = end + 1
        return self.text[begin:end]

    def _double(self) -> list[Part]:
        first = self.line
        parts = [Part(Kind.QUOTED, "")]
        self.at += 1
        while not self.looks_at('"'):
            if self.at >= len(self.text):
                raise Unreadable(first, 'a quotation begins with " and never ends')
            parts += self._in_double()
        self.at += 1
        return parts

    def _in_double(self) -> list[Part]:
        match = _IN_DOUBLE.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            return [Part(Kind.QUOTED, match[0])]
        if not self.looks_at("\\"):
            return self._dollar(in_quotes=True)
        following = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if following == "\n":
            return []
        return [Part(Kind.QUOTED, following if following in {"$", "`", '"', "\\"} else "\\" + following)]

    def _dollar(self, *, in_quotes: bool) -> list[Part]:
        begin = self.at
        if not in_quotes and self.looks_at("$'"):
            return [Part(Kind.QUOTED, self._ansi_c())]
        if not in_quotes and self.looks_at('$"'):
            self.at += 1
            return self._double()
        match = _VARIABLE.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            return [Part(Kind.VARIABLE, match[1] or match[2], in_quotes)]
        self._expansion()
        if self.at > begin:
            return [Part(Kind.EXPANSION, self.text[begin : self.at], in_quotes)]
        self.at += 1
        return [Part(Kind.QUOTED if in_quotes else Kind.TEXT, "$")]

    def _expansion(self) -> None:
        """Pass an expansion that is not a plain variable; stand still where `$` is only a character."""
        if self.looks_at("`"):
            self._backquoted()
        elif self.looks_at("$(") or self.looks_at("${"):
            self.at += 1
            self._balanced(*("()" if self.looks_at("(") else "{}"))
        elif match := _SPECIAL_VARIABLE.match(self.text, self.at):
            self.at = match.end()

    def _backquoted(self) -> None:
        first = self.line
        self.at += 1
        while not self.looks_at("`"):
            if self.at >= len(self.text):
                raise Unreadable(first, "a command between backquotes never ends")
            self.at += 2 if self.looks_at("\\") else 1
        self.at += 1

    def _balanced(self, opening: str, closing: str) -> str:
        """Pass a text in brackets, also with quotations and brackets in it, and return it."""
        begin, first, depth = self.at, self.line, 0
        if not self.looks_at(opening):
            self.at += 1
        while True:
            if self.at >= len(self.text):
                raise Unreadable(first, f"{opening} is never closed")
            depth += self.looks_at(opening) - self.looks_at(closing)
            self._pass_one(in_braces=opening == "{")
            if depth <= 0:
                return self.text[begin : self.at]

    def _pass_one(self, *, in_braces: bool) -> None:
        """Pass one character, or a whole quotation."""
        if self.looks_at("'") and not in_braces:
            self._until("'")
        elif self.looks_at('"'):
            self._pass_double()
        elif self.looks_at("`"):
            self._backquoted()
        else:
            self.at += 2 if self.looks_at("\\") else 1

    def _pass_double(self) -> None:
        first = self.line
        self.at += 1
        while not self.looks_at('"'):
            if self.at >= len(self.text):
                raise Unreadable(first, 'a quotation begins with " and never ends')
            self.at += 2 if self.looks_at("\\") else 1
        self.at += 1

    def _ansi_c(self) -> str:
        first, begin = self.line, self.at + 2
        self.at = begin
        while not self.looks_at("'"):
            if self.at >= len(self.text):
                raise Unreadable(first, "a quotation begins with $' and never ends")
            self.at += 2 if self.looks_at("\\") else 1
        self.at += 1
        return _c_text(self.text[begin : self.at - 1])

    def _elements(self) -> tuple[Word, ...]:
        """Return the words of an array."""
        first = self.line
        if self._in_array:
            raise Unreadable(first, "an array contains an array")
        self._in_array = True
        self.at += 1
        words: list[Word] = []
        while not self._array_ends():
            word = self.word()
            if word is None:
                raise Unreadable(first, "an array begins with ( and never ends")
            words.append(word)
        self._in_array = False
        return tuple(words)

    def _array_ends(self) -> bool:
        self.skip_blanks()
        while self.looks_at("\n"):
            self.at += 1
            self.skip_blanks()
        ends = self.looks_at(")")
        self.at += ends
        return ends


def _c_text(source: str) -> str:
    """Return what the inside of `$'…'` says; its NUL ends the text, and bytes that are no UTF-8 stay visible as such."""
    written, at = b"", 0
    for match in _C_ESCAPE.finditer(source):
        written += source[at : match.start()].encode(errors="surrogatepass") + _c_bytes(match)
        at = match.end()
    written += source[at:].encode(errors="surrogatepass")
    return written.partition(b"\0")[0].decode(errors="surrogateescape")


def _c_bytes(match: re.Match[str]) -> bytes:
    letter, two, octal, four, eight, control = match.groups()
    if letter:
        return _C_LETTERS[letter].encode()
    if control:
        return bytes([ord(control.upper()) & 0x1F])
    if two or octal:
        return bytes([int(two, 16) if two else int(octal, 8) & 0xFF])
    number = int(four or eight, 16)
    return chr(min(number, 0x10FFFF)).encode(errors="replace")


def _opens_array(parts: list[Part]) -> bool:
    if len(parts) != 1 or parts[0].kind is not Kind.TEXT:
        return False
    match = _ASSIGNMENT.fullmatch(parts[0].text)
    return match is not None and not match[2]


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Return the parts with literal neighbours of one kind put together, for a name may stand over a continued line."""
    joined: list[Part] = []
    for part in parts:
        if joined and part.kind is joined[-1].kind and part.kind in {Kind.TEXT, Kind.QUOTED}:
            joined[-1] = Part(part.kind, joined[-1].text + part.text)
        else:
            joined.append(part)
    return tuple(joined)
