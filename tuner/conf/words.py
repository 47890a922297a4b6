"""The words of a rule file, cut as the library's scanner cuts them.

Source: the flex scanner of XLIO (config_scanner.l), whose longest match wins and, of equally long ones, the first.
The scanner that the releases ship differs from that file in one word: it knows `vma` where the other has `xlio`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Final


class Kind(StrEnum):
    """What a word is to the grammar; keywords and single characters are their own kind, as text."""

    NUMBER = "a number"
    PROGRAM = "a program name"
    ID = "an application id"
    NAME = "a file name"
    LINE = "the end of the line"
    END = "the end of the file"


@dataclass(frozen=True, slots=True)
class Word:
    """One word: `kind` is a `Kind`, a keyword or a single character. `line` and `column` count from 1.

    `counted` is the line that the library would name: it counts a line twice that ends in a comment.
    """

    kind: str
    text: str
    line: int
    column: int
    counted: int


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a reader takes for keywords, whether it goes on behind a bad line, and takes numbers as they are written."""

    name: str
    keywords: frozenset[str]
    transports: frozenset[str]
    destinations: frozenset[str]
    file_word: str
    goes_on: bool
    literal: bool


OFFLOADED: Final = "vma"
"""The word of the shipped parser for a stack that takes a socket."""
DOCUMENTED_OFFLOADED: Final = "xlio"
"""The documented word for the same, which the shipped parser does not know."""
ID_VARIABLES: Final = {"xlio": "XLIO_APPLICATION_ID", "vma": "VMA_APPLICATION_ID"}
"""The variable whose value an instance's id is compared with, by the library that reads the file."""
ID_VARIABLE: Final = " or ".join(f"{name} (lib{library})" for library, name in ID_VARIABLES.items())
"""Both of them in words: nothing in a file says which library will read it."""
DEFAULT_ID: Final = "XLIO_DEFAULT_APPLICATION_ID"
"""The default of XLIO."""
ROLES: Final = ("tcp_server", "tcp_client", "udp_sender", "udp_receiver", "udp_connect")
_COMMON: Final = frozenset(
    {"application-id", "log", "destination", "min-level", "syslog", "use", "tcp", "udp", "os", "sdp", "sa", *ROLES}
)
PARSED: Final = Dialect(
    name="parsed",
    keywords=_COMMON | {OFFLOADED, "ystderr", "yfile"},
    transports=frozenset({"os", OFFLOADED, "sdp", "sa", "*"}),
    destinations=frozenset({"ystderr", "syslog"}),
    file_word="yfile",
    goes_on=False,
    literal=False,
)
DOCUMENTED: Final = Dialect(
    name="documented",
    keywords=_COMMON | {OFFLOADED, DOCUMENTED_OFFLOADED, "stderr", "file"},
    transports=frozenset({"os", OFFLOADED, DOCUMENTED_OFFLOADED, "*"}),
    destinations=frozenset({"stderr", "syslog"}),
    file_word="file",
    goes_on=True,
    literal=True,
)
LENIENT: Final = replace(PARSED, name="without its errors", goes_on=True)
"""What is parsed, as if each bad line ended where it is bad."""

_COMMENT_LINE: Final = re.compile(r"[ \t]*#[^\n]*")
_COMMENT: Final = re.compile(r"#[^\n]*")
_BLANKS: Final = re.compile(r"[ \t]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]*|0", re.ASCII)
_FREE_TEXT: Final = re.compile(r"[^ \t\n]+")
# What follows these words is free text, up to a blank.
_AFTER: Final = {"application-id": Kind.PROGRAM, Kind.PROGRAM: Kind.ID}


def with_id(id_: str, source: str) -> str:
    """Return an id with the variable that it is compared with: its library's where the name of a file says which."""
    named = [name for library, name in ID_VARIABLES.items() if f"lib{library}" in source]
    if len(named) == 1:
        return f"{named[0]}={id_}"
    return " or ".join(f"{name}={id_} (lib{library})" for library, name in ID_VARIABLES.items())


def words(text: str, dialect: Dialect) -> Iterator[Word]:
    """Yield the words of `text` up to and with its end, as they are asked for; no text is wrong here."""
    return _Scanner(text, dialect).words()


class _Scanner:
    """Where the scanner is in its text. Free text is expected where `free` names its kind."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.dialect = dialect
        self.keyword = _keyword(dialect.keywords)
        self.at, self.line, self.start, self.counted = 0, 1, 0, 1
        self.free: Kind | None = None

    def words(self) -> Iterator[Word]:
        while self.at < len(self.text):
            yield from self._next()
        yield self._word(Kind.END, "")

    def _next(self) -> Iterator[Word]:
        if self._skipped():
            return
        kind, text = self._longest()
        self.at += len(text)
        self.counted += kind is Kind.LINE
        found = self._word(kind, text, len(text))
        self._expect(kind)
        if kind is Kind.LINE:
            self.line, self.start, self.free = self.line + 1, self.at, None
        yield found

    def _skipped(self) -> bool:
        """Skip blanks and comments, except where free text is as long as the comment."""
        if self.text[self.at] not in " \t#":
            return False
        line = _COMMENT_LINE.match(self.text, self.at) if self.at == self.start else None
        comment = _COMMENT.match(self.text, self.at)
        free = _FREE_TEXT.match(self.text, self.at) if self.free else None
        found = line or comment or _BLANKS.match(self.text, self.at)
        if found is None or (comment and not line and free and len(free[0]) >= len(comment[0])):
            return False
        self.counted += comment is not None and line is None
        self.at = found.end()
        return True

    def _longest(self) -> tuple[str, str]:
        if self.text[self.at] == "\n":
            return Kind.LINE, "\n"
        keyword = self.keyword.match(self.text, self.at)
        number = _NUMBER.match(self.text, self.at)
        free = _FREE_TEXT.match(self.text, self.at) if self.free else None
        if free and self.free and self._free_wins(len(free[0]), len(keyword[0]) if keyword else 0, keyword):
            return self.free, free[0]
        if keyword:
            return keyword[0], keyword[0]
        return (Kind.NUMBER, number[0]) if number else (self.text[self.at], self.text[self.at])

    def _free_wins(self, length: int, keyword: int, found: re.Match[str] | None) -> bool:
        # `application-id` stands before the rules of free text in the scanner, every word before that of file names.
        earlier = found is not None and (found[0] == "application-id" or self.free is Kind.NAME)
        return length > keyword or (length == keyword and not earlier)

    def _expect(self, kind: str) -> None:
        if kind == self.dialect.file_word:
            self.free = Kind.NAME
        elif kind in _AFTER:
            self.free = _AFTER[kind]
        elif kind in {Kind.ID, Kind.NAME}:
            self.free = None

    def _word(self, kind: str, text: str, behind: int = 0) -> Word:
        return Word(kind, text, self.line, self.at - behind - self.start + 1, self.counted)


@cache
def _keyword(known: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(map(re.escape, known), key=len, reverse=True)))
