"""Patterns of a shell (`*`, `?`, `[…]`) against a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_SET: Final = re.compile(r"\[(?P<not>!)?(?P<members>\]?[^\]]*)\]")
MOST_CHARACTERS: Final = 512
"""Of a text from which a pattern is cut: each place in it is tried."""


class Unclear(Exception):
    """A pattern that shells read differently."""


@dataclass(frozen=True, slots=True)
class _One:
    """One character that has to be, or to be in, `members` (None: any)."""

    members: frozenset[str] | None
    negated: bool = False

    def fits(self, character: str) -> bool:
        return self.members is None or (character in self.members) != self.negated


_MANY: Final = None
Pattern = tuple[_One | None, ...]


def pattern(pieces: Iterable[tuple[str, bool]]) -> Pattern:
    """Return the pattern of texts, each with whether quotes protect it; raise `Unclear` where shells differ."""
    found: list[_One | None] = []
    for text, quoted in pieces:
        found += [_One(frozenset(character)) for character in text] if quoted else _unquoted(text)
    return tuple(found)


def _unquoted(text: str) -> list[_One | None]:
    found: list[_One | None] = []
    at = 0
    while at < len(text):
        if text[at] == "[" and (members := _SET.match(text, at)):
            found.append(_set(members))
            at = members.end()
            continue
        if text[at] == "\\":
            raise Unclear("a backslash in a pattern")
        found.append({"*": _MANY, "?": _One(None)}.get(text[at], _One(frozenset(text[at]))))
        at += 1
    return found


def _set(match: re.Match[str]) -> _One:
    members = match["members"]
    if "[" in members or members.startswith("^") or "\\" in members:
        raise Unclear(f"the set {match[0]}")
    found: set[str] = set()
    for first, _, last in re.findall(r"(.)(-(.))?", members, re.DOTALL):
        found |= {chr(code) for code in range(ord(first), ord(last or first) + 1)}
    return _One(frozenset(found), negated=match["not"] is not None)


def matches(wanted: Pattern, text: str) -> bool:
    """Return whether a whole text fits, in time that grows with the product of the two lengths."""
    at = place = 0
    star, behind = -1, 0
    while at < len(text):
        one = wanted[place] if place < len(wanted) else _One(frozenset())
        if one is _MANY:
            star, behind = place, at
            place += 1
        elif one.fits(text[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            behind += 1
            at, place = behind, star + 1
        else:
            return False
    return all(one is _MANY for one in wanted[place:])


def without(wanted: Pattern, text: str, operator: str) -> str:
    """Return a text less what `#`, `##`, `%` or `%%` cut off it; raise `Unclear` for one that is too long to try."""
    if len(text) > MOST_CHARACTERS:
        raise Unclear(f"a text of more than {MOST_CHARACTERS} characters")
    for size in _sizes(len(text), longest=len(operator) == len("##")):
        front = operator.startswith("#")
        cut, kept = (text[:size], text[size:]) if front else (text[len(text) - size :], text[: len(text) - size])
        if matches(wanted, cut):
            return kept
    return text


def _sizes(length: int, *, longest: bool) -> Sequence[int]:
    sizes = range(length + 1)
    return sizes[::-1] if longest else sizes
