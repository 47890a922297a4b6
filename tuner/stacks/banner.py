"""What a stack's start-up banner says: that it is there, which release, and what is in effect.

XLIO, VMA and the kernel stack's library print one line a setting: level, label padded to 30 columns, value
padded to 26, and the variable in brackets. Labels may be longer than their column, so the value is what
stands behind the last run of two blanks, or behind the last blank. Early releases write parts of it to
stdout, so both streams are read. Colour codes are printed to pipes and files too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_LINE: Final = re.compile(
    r"^ ?(?:Time: *[\d.]+ )?(?:Pid: *\d+ )?(?:Tid: *\d+ )?(?P<brand>XLIO|VMA) +(?P<level>[A-Z]+) *: *(?P<text>.*?)\s*$"
)
_SETTING: Final = re.compile(r"^(?P<shown>.*?)(?P<gap>\s*)\[(?P<name>[A-Za-z0-9_.]+)(?:, Reason: [^\]]*)?\]$")
# A value has 26 columns and a blank behind it: a gap as wide as that has swallowed an empty value.
_EMPTY_COLUMNS: Final = 27
_VERSION: Final = re.compile(r"^(?P<tag>[A-Z_]+_VERSION): *(?P<release>\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Banner:
    """What was read: the version line's tag and release, shown settings, warnings and errors in its own words.

    `tag` is empty where no banner was printed.
    """

    tag: str = ""
    release: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def read(text: str) -> Banner:
    """Return the banner found in the output of a process (the last one where several were printed)."""
    lines = [match for raw in text.splitlines() if (match := _LINE.match(_COLOUR.sub("", raw)))]
    tag, release = _last_version(lines)
    shown = dict(found for line in lines if (found := _setting(line["text"])))
    warnings = tuple(line["text"] for line in lines if line["level"] == "WARNING" and _says_something(line["text"]))
    errors = tuple(line["text"] for line in lines if line["level"] in {"ERROR", "PANIC"})
    return Banner(tag, release, shown, warnings, errors)


def _last_version(lines: list[re.Match[str]]) -> tuple[str, str]:
    found = [match for line in lines if (match := _VERSION.match(line["text"]))]
    return (found[-1]["tag"], found[-1]["release"]) if found else ("", "")


def _setting(text: str) -> tuple[str, str] | None:
    match = _SETTING.match(text)
    if match is None:
        return None
    if len(match["gap"]) >= _EMPTY_COLUMNS:
        return match["name"], ""
    parts = re.split(r" {2,}", match["shown"]) if "  " in match["shown"] else match["shown"].rsplit(" ", 1)
    return match["name"], parts[-1].strip() if len(parts) > 1 else ""


def _says_something(text: str) -> bool:
    return bool(text.strip("*- "))
