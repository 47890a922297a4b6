"""What regular expressions of others find in what programs printed: each may take for ever, and is given up (`matching.py`)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tuner.runs import matching

MOST: Final = 1_000_001
"""Matches of one expression that are looked for."""
LIMIT_S: Final = 5.0
"""Of CPU time for one expression; what is meant to be matched takes milliseconds."""
_SLOWEST: Final = 4.0
"""How much longer than that it may take on a busy machine."""
_MOST_BYTES: Final = 1 << 28


class Wanted(NamedTuple):
    """An expression, the name of the text in which lines begin and end at `^` and `$`, and the groups of each match that count."""

    expression: str
    text: str
    groups: tuple[int | str, ...] = (0,)


Found = Sequence[Sequence[str]]
"""Of each match the groups that were asked for, as far as a number or a message needs them."""


def found(wanted: Sequence[Wanted], texts: Mapping[str, str]) -> dict[Wanted, Found | None]:
    """Return what each expression finds, None where it took more than `LIMIT_S`; raise `ChildFailed` where nothing could be matched."""
    if not wanted:
        return {}
    read = {name: texts[name] for name in {each.text for each in wanted}}
    asked = {"wanted": wanted, "texts": read, "limit_s": LIMIT_S, "most": MOST}
    here = threading.current_thread() is threading.main_thread()
    answer: list[Any] = matching.answers(asked) if here else _by_a_child(asked)
    return dict(zip(wanted, answer, strict=True))


def _by_a_child(asked: Mapping[str, Any]) -> list[Any]:
    from tuner.hosts import child  # with all that starts programs, which reading an expression does not need

    limit_s = _SLOWEST * LIMIT_S * (len(asked["wanted"]) + 1)
    found: list[Any] = json.loads(
        child.answered(Path(matching.__file__), json.dumps(asked).encode(), limit_s, _MOST_BYTES, alone=True)
    )
    return found


def too_long(wanted: Wanted, texts: Mapping[str, str]) -> str:
    """Return what to say of an expression that took too long: on which text, and which of its lines is the longest."""
    lines = texts[wanted.text].split("\n")
    number, longest = max(enumerate(lines, 1), key=lambda each: len(each[1]))
    return (
        f"the regex {wanted.expression!r} took more than {LIMIT_S:g} s on {len(lines):,} lines, "
        f"the longest of which is line {number:,} with {len(longest):,} characters"
    )
