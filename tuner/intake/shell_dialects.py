"""Scripts of csh and fish, their blocks written as those of POSIX, line by line: what stands in a block is conditional.

csh(1) has `if (…) then`, `endif`, `foreach`, `end`; fish ends every block with `end`. Only blocks are written anew: no
condition is worked out, and assignments (`setenv`, `set -gx`) stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_CSH: Final = re.compile(r"\A#!\S*/(?:env )?t?csh|^[ \t]*setenv[ \t]", re.MULTILINE)
_FISH: Final = re.compile(r"\A#!\S*/(?:env )?fish|^[ \t]*set[ \t]+-[gUlx]*x[gUl]*[ \t]+[A-Za-z_]", re.MULTILINE)
_POSIX: Final = re.compile(r"^[ \t]*(?:fi|done|esac)\b|;[ \t]*(?:then|do|fi|done)\b", re.MULTILINE)
_Rules = tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str], str], ...]
_IF: Final = "if condition; then"


def _rule(pattern: str, written: str, end: str = "") -> tuple[re.Pattern[str], Callable[[re.Match[str]], str], str]:
    return re.compile(pattern), lambda match: match.expand(written), end


_OF_CSH: Final[_Rules] = (
    _rule(r"if\s*\(.*\)\s*then", _IF, "fi"),
    _rule(r"else\s+if\s*\(.*\)\s*then", "elif condition; then"),
    _rule(r"if\s*\((?:[^()]|\([^()]*\))*\)\s*(.+)", rf"{_IF} \1; fi"),
    _rule(r"foreach\s+(\w+)\s*\(.*\)", r"for \1 in words; do", "done"),
    _rule(r"while\s*\(.*\)", "while condition; do", "done"),
    _rule(r"(?:set|@)\s+\w+(?:\s*=.*)?", ":"),
)
_OF_FISH: Final[_Rules] = (
    _rule(r"else\s+if\s.*", "elif condition; then"),
    _rule(r"if\s.*", _IF, "fi"),
    _rule(r"for\s+(\w+)\s+in\s.*", r"for \1 in words; do", "done"),
    _rule(r"while\s.*", "while condition; do", "done"),
    _rule(r"function\s+([A-Za-z_]\w*).*", r"\1() {", "}"),
    _rule(r"begin", "{", "}"),
    _rule(r"set\s+-x\s+(.*)", r"set -gx \1"),
)


def as_posix(text: str) -> str:
    """Return a script with the blocks of POSIX, line for line; one of another shell as it is."""
    rules = _OF_FISH if _FISH.search(text) else _OF_CSH if _CSH.search(text) else None
    if rules is None or _POSIX.search(text):
        return text
    open_blocks: list[str] = []
    return "\n".join(_line(row, rules, open_blocks) for row in text.split("\n"))


def _line(row: str, rules: _Rules, open_blocks: list[str]) -> str:
    body = row.strip()
    if body in {"end", "endif"} and open_blocks:
        return open_blocks.pop()
    for pattern, written, end in rules:
        if match := pattern.fullmatch(body):
            open_blocks += [end] if end else []
            return written(match)
    return row
