"""JSON from and for others: what is read is bounded in depth and in the size of numbers, what is written steers no screen."""

from __future__ import annotations

import json
from typing import Any, Final

from tuner.terminal_text import escaped

DEEPEST: Final = 64
"""Lists and objects inside each other; ours have six."""
_MOST_DIGITS: Final = 19
"""Of a whole number: those that fit 64 bits, and into a floating point number without overflow."""


def parsed(text: str | bytes) -> Any:
    """Return what JSON says; raise `ValueError` for what is none, is nested too deeply, or has too long a number."""
    flat = isinstance(text, str) and text.count("[") + text.count("{") <= DEEPEST
    try:
        found = _DECODER.decode(text) if isinstance(text, str) else json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as reason:
        raise ValueError(f"it is not JSON: {reason}") from reason
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not flat and _too_deep(found):
        raise ValueError(_TOO_DEEP)
    return found


_TOO_DEEP: Final = f"it is nested more than {DEEPEST} deep"


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise ValueError(f"a whole number has more than {_MOST_DIGITS} digits")
    return int(digits)


_DECODER: Final = json.JSONDecoder(parse_int=_whole)
"""Made once: a long session has a hundred thousand texts."""


def _too_deep(found: Any) -> bool:
    level = [found]
    for _ in range(DEEPEST):
        holders = [each for each in level if isinstance(each, dict | list)]
        if not holders:
            return False
        level = [part for each in holders for part in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, dict | list) for each in level)


def written(answer: Any, indent: int = 2) -> str:
    """Return an answer as indented JSON; characters of the field (µ, ×) stay as they are, what steers a screen is escaped."""
    return escaped(json.dumps(answer, indent=indent, ensure_ascii=False))
