"""The quoting of POSIX shells: what an environment file, a script and a wrapper have in common.

Only assignments of literal values are read. What a shell would expand or run is a finding, never done.
"""

from __future__ import annotations

import re
from typing import Final

from tuner.errors import Finding
from tuner.export.form import NAME, Imported, unquoted
from tuner.stacks.inheritance import PRELOAD

# Behind the value of LD_PRELOAD: what is preloaded already stays.
ONWARD: Final = f'"${{{PRELOAD}:+:${PRELOAD}}}"'

_BLANK: Final = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?(?:\n|\Z))")
_BEGIN: Final = re.compile(rf"[ \t]*(?:export[ \t]+)?({NAME})=")
_PART: Final = re.compile(
    rf"(?P<onward>{re.escape(ONWARD)})"
    r"|'(?P<single>[^']*)'"
    r'|"(?P<double>(?:[^"\\$`]|\\.)*)"'
    r"|\\(?P<escaped>.)"
    r"|(?P<plain>[^\s'\"\\$`;&|<>()#~*?\[\]{}!]+)",
    re.DOTALL,
)
_END: Final = re.compile(r"[ \t\r]*(?:[ \t]#[^\n]*)?(?:\n|\Z)")
_LINE: Final = re.compile(r"[^\n]*\n?")
_ESCAPE: Final = re.compile(r'\\([$`"\\\n])')
_ADVICE: Final = "write NAME='value': nothing is expanded or run"


def read(text: str, where: str, passed: re.Pattern[str] | None = None) -> Imported:
    """Return what the assignments in `text` set; `passed` matches what else may stand at the beginning of a line."""
    variables: dict[str, str] = {}
    findings: list[Finding] = []
    at = 0
    while at < len(text):
        skipped = _BLANK.match(text, at) or (passed.match(text, at) if passed else None)
        found = None if skipped else _assignment(text, at)
        if skipped:
            at = skipped.end()
        elif found:
            name, variables[name], at = found
        else:
            line = _LINE.match(text, at)
            assert line is not None  # noqa: S101 # the pattern matches everywhere
            findings.append(unquoted(text.count("\n", 0, at) + 1, where, line[0], _ADVICE))
            at = line.end()
    return Imported(variables, tuple(findings))


def _assignment(text: str, start: int) -> tuple[str, str, int] | None:
    """Return the name, the value and where the next line begins; None where no literal assignment stands."""
    begin = _BEGIN.match(text, start)
    if begin is None:
        return None
    at, value = begin.end(), ""
    while part := _PART.match(text, at):
        if part.lastgroup == "onward" and begin[1] != PRELOAD:
            return None
        value += _literal(part)
        at = part.end()
    end = _END.match(text, at)
    return (begin[1], value, end.end()) if end else None


def _literal(part: re.Match[str]) -> str:
    if part.lastgroup == "onward" or part["escaped"] == "\n":
        return ""
    if part["double"] is not None:
        return _ESCAPE.sub(lambda found: found[1].strip("\n"), part["double"])
    return part[part.lastgroup or 0]
