"""What a word of a shell comes to where the text alone decides that; else why it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tuner.intake.form import PRELOAD
from tuner.intake.shell_state import State, Value
from tuner.intake.shell_words import NAME, Kind, Part, Word, literal_word

_SPLIT: Final = re.compile(r"[^A-Za-z0-9_./:@%+,=-]", re.ASCII)
_GLOB: Final = re.compile(r"[*?\[]")
_BRACES: Final = re.compile(r"\{[^{}]*(?:,|\.\.)[^{}]*\}")
_DEFAULT: Final = re.compile(rf"\$\{{({NAME}):?[-=]([^${{}}`]*)\}}", re.ASCII)
_ELEMENTS: Final = re.compile(rf"\$\{{({NAME})\[[@*]\]\}}", re.ASCII)
_HOME: Final = re.compile(r"(?:\A|:)~")
_ASSIGNS: Final = re.compile(rf"\$\{{({NAME}):?=|\b({NAME})(?:\[[^\]]*\])?\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)", re.ASCII)
_CHANGES: Final = re.compile(rf"(?:\+\+|--)({NAME})|({NAME})(?:\+\+|--)", re.ASCII)
# What is preloaded already, as people add to it: kept by the program that starts, and no part of the settings.
_ONWARD: Final = re.compile(
    rf"[ :]*(?:\$\{{{PRELOAD}(?::?[-+][^{{}}]*(?:\{{[^{{}}]*\}})?[^{{}}]*)?\}}|\${PRELOAD}\b)[ :]*"
)


def value_of(word: Word, state: State, *, argument: bool, name: str = "") -> Value:
    """Return what `word` comes to. An `argument` is split and looked up as file names, an assigned value is not.

    `name` is the variable that gets it: what LD_PRELOAD holds already may stand in its own value.
    """
    if name == PRELOAD and not _is_known(word, state):
        word = _without_onward(word)
    text, unknown = "", _file_names(word, argument=argument)
    for part in word.parts:
        found, why = _part(part, state, argument=argument)
        text, unknown = text + found, unknown or why
    return Value("" if unknown else text, word.line, unknown, word.source)


def split_words(word: Word, state: State) -> list[Word]:
    """Return the words that a shell makes of one: `"${LIST[@]}"`, and a variable outside quotes, where both are known."""
    solid = [part for part in word.parts if part.text]
    part = solid[0] if len(solid) == 1 else None
    if part is None or part.kind not in {Kind.EXPANSION, Kind.VARIABLE}:
        return [word]
    match = _ELEMENTS.fullmatch(part.text) if part.kind is Kind.EXPANSION else None
    held = state.get(match[1] if match else part.text)
    if len(held.values) != 1 or held.unset or held.doubt or held.values[0].under:
        return [word]
    value = held.values[0]
    plain = not part.in_quotes and not value.unknown and not value.elements
    texts = value.elements if match else value.text.split() if plain else ()
    return [literal_word(text, word.line) for text in texts if text] or [word]


def written_by_expansion(words: Iterator[Word]) -> set[str]:
    """Return the variables that the expansions in words may set: `${X:=1}`, `$((X++))`."""
    names: set[str] = set()
    for word in words:
        for part in word.parts:
            if part.kind is Kind.EXPANSION:
                names |= written_in(part.text)
    return names


def written_in(formula: str) -> set[str]:
    """Return the variables that a sum or an expansion may set."""
    found = (*_ASSIGNS.findall(formula), *_CHANGES.findall(formula))
    return {name for pair in found for name in pair if name}


def _file_names(word: Word, *, argument: bool) -> str:
    plain = "".join(part.text if part.kind is Kind.TEXT else "x" for part in word.parts)
    if _HOME.search(plain):
        return "~ is the home of whoever runs it"
    if argument and (_GLOB.search(plain) or _BRACES.search(plain)):
        return "a shell would split or expand it"
    return ""


def _part(part: Part, state: State, *, argument: bool) -> tuple[str, str]:
    """Return the text of a part, and why it cannot be known (empty where it can)."""
    if part.kind in {Kind.TEXT, Kind.QUOTED}:
        return part.text, ""
    if part.kind is Kind.EXPANSION:
        return "", _worked_out(part.text)
    known = state.get(part.text).known
    if known is None or known.elements:
        return "", f"depends on ${part.text}, whose value is not certain here"
    splits = argument and not part.in_quotes
    if splits and (not known.text or _SPLIT.search(known.text) or "IFS" in state.variables):
        return "", f"${part.text} is not quoted, so a shell splits its value"
    return known.text, ""


def _worked_out(text: str) -> str:
    default = _DEFAULT.fullmatch(text)
    by_then = f": {default[2]} unless {default[1]} is set" if default and default[2] else ""
    return f"{text} is computed by a shell when it runs{by_then}"


def _without_onward(word: Word) -> Word:
    parts = [part for part in word.parts if not _is_onward(part)]
    if len(parts) == len(word.parts):
        return word
    last = max((number for number, part in enumerate(parts) if part.text), default=0)
    trimmed = [Part(p.kind, p.text.rstrip(" :") if n == last else p.text, p.in_quotes) for n, p in enumerate(parts)]
    first = next((number for number, part in enumerate(trimmed) if part.text), 0)
    trimmed = [Part(p.kind, p.text.lstrip(" :") if n == first else p.text, p.in_quotes) for n, p in enumerate(trimmed)]
    return Word(word.source, tuple(trimmed), word.line)


def _is_known(word: Word, state: State) -> bool:
    """Return whether a word is what the text has set LD_PRELOAD to."""
    return all(part.kind is Kind.VARIABLE for part in word.parts) and state.get(PRELOAD).known is not None


def _is_onward(part: Part) -> bool:
    if part.kind is Kind.VARIABLE:
        return part.text == PRELOAD
    return part.kind is Kind.EXPANSION and _ONWARD.fullmatch(part.text) is not None
