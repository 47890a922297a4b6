r"""The log lines of XLIO and VMA in the output of a program, as they are and as people hand them on.

A line is `VMA INFO: text` or `XLIO INFO   : text`, behind `Time:`, `Pid:` and `Tid:` at higher levels of detail. In front of
it may stand whatever a container runtime, compose, the journal, a pager or a quotation put there, and in it the colours of a
terminal, as control sequences or spelled out (`ESC[0m`, `^[[0m`, `\x1b[0m`). Lines of several processes are told apart by
their process, or by what stands in front of them. Sources: vlogger.cpp of VMA 7.0 to 9.8 and XLIO 3.x; DOCA's logger by its
documentation, not seen in a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from tuner import terminal_text

# How a text that went through a program or a document writes the character that begins a colour.
_SPELLED_COLOUR: Final = re.compile(r"(?:ESC|\^\[|\\x1[bB]|\\u001[bB]|\\0?33|\\e|#033|\u241b)?\[[0-9;]*m")
_HEAD: Final = re.compile(
    r"(?<![A-Za-z0-9_/.])(?P<brand>XLIO|VMA) +(?P<level>PANIC|ERROR|WARNING|INFO|DETAILS|DEBUG|FINE|FINER|FUNC|ALL) *: ?",
    re.ASCII,
)
_DOCA_HEAD: Final = re.compile(
    r"\[[0-9:.]+\]\[(?P<pid>\d{1,9})\]\[(?P<brand>XLIO|DOCA)\]\[(?P<level>CRT|ERR|WRN|INF|DBG|TRC)\](?:\[[^\]]*\])*:? ?",
    re.ASCII,
)
_DOCA_LEVELS: Final = {"CRT": "PANIC", "ERR": "ERROR", "WRN": "WARNING", "INF": "INFO", "DBG": "DEBUG", "TRC": "FINE"}
_DETAILS: Final = re.compile(r"(?:Time: *[\d.]+ +)?(?:Pid: *(?P<pid>\d{1,9}) +)?(?:Tid: *\d+ +)?$", re.ASCII)
# The process as the journal and syslog write it: `feed[4242]:`.
_UNIT_PID: Final = re.compile(r"\w\[(?P<pid>\d{1,9})\]:?\s*$", re.ASCII)
# What differs from line to line in front of a process's lines: dates, times, line numbers.
_STAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]?|\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2}\b|^\s*\d+\s*[:|.)]?|\[ *\d+\.\d+\]",
    re.ASCII,
)
# What a quotation or a table puts behind a line.
_TRAILING: Final = re.compile(r"\s*[|`'\",]*\s*$")
_QUOTING: Final = " \t>|`'\""
# The end of a setting that was wrapped: only a variable of these libraries, since other programs print brackets too.
_WRAPPED_END: Final = re.compile(r"\[(?:XLIO|VMA)_[A-Z0-9_]+\]$", re.ASCII)
_SETTING_END: Final = re.compile(r"\[[A-Za-z0-9_.]+(?:, Reason: [^\]]*)?\]$", re.ASCII)
_MOST_WRAPPED: Final = 4


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: the library that printed it, its level, its text, and the process, None where nothing says which.

    `source` is what stands in front of it and does not change from line to line: a container, a unit.
    """

    brand: str
    level: str
    text: str
    pid: int | None
    source: str

    @property
    def origin(self) -> tuple[int | None, str]:
        """What lines of the same process have in common."""
        return self.pid, self.source


def log_lines(output: str) -> list[LogLine]:
    """Return the log lines of the libraries in an output, wrapped ones joined."""
    raw = [_unwrapped(line) for line in terminal_text.plain(output).splitlines()]
    heads = [_heads(line) for line in raw]
    found: list[LogLine] = []
    for at, matches in enumerate(heads):
        for number, match in enumerate(matches):
            last = number + 1 == len(matches)
            text = raw[at][match.end() : None if last else _before(raw[at], matches[number + 1])]
            text = _trimmed(text)
            if last and not _SETTING_END.search(text):
                text = _joined(text, raw, heads, at)
            found.append(_line(raw[at], matches, number, text))
    return found


def _unwrapped(line: str) -> str:
    """Return a line without spelled-out colours, and out of the JSON in which docker keeps it."""
    if line.startswith('{"log":'):
        try:
            kept = json.loads(line)["log"]
        except (ValueError, KeyError, RecursionError):
            kept = line
        line = terminal_text.plain(kept) if isinstance(kept, str) else line
    return _SPELLED_COLOUR.sub("", line.rstrip("\r\n"))


def _heads(line: str) -> Sequence[re.Match[str]]:
    if "VMA" not in line and "XLIO" not in line and "[DOCA]" not in line:
        return ()
    return [*_HEAD.finditer(line)] or [*_DOCA_HEAD.finditer(line)][:1]


def _before(line: str, head: re.Match[str]) -> int:
    """Return where what belongs to a head begins: its time and process stand in front of it."""
    details = _DETAILS.search(line[: head.start()])
    return details.start() if details else head.start()


def _line(raw: str, heads: Sequence[re.Match[str]], number: int, text: str) -> LogLine:
    head = heads[number]
    details = _DETAILS.search(raw[: head.start()])
    outer = raw[: _before(raw, heads[0])]
    said = head.groupdict().get("pid") or (details and details["pid"])
    unit = _UNIT_PID.search(outer)
    pid = said or (unit and unit["pid"])
    source = " ".join(_STAMP.sub(" ", outer).split())
    brand = "XLIO" if head["brand"] == "DOCA" else head["brand"]
    return LogLine(brand, _DOCA_LEVELS.get(head["level"], head["level"]), text, int(pid) if pid else None, source)


def _trimmed(text: str) -> str:
    """Return a line's text without blanks around it and what a quotation put behind its end."""
    bare = _TRAILING.sub("", text)
    return bare.strip() if bare.endswith("]") else text.strip()


def _joined(body: str, raw: Sequence[str], heads: Sequence[Sequence[re.Match[str]]], at: int) -> str:
    """Return a line's text with the lines behind it that carry its end, or as it is where none do."""
    whole = body
    for number in takewhile(lambda n: not heads[n], range(at + 1, min(at + 1 + _MOST_WRAPPED, len(raw)))):
        whole = f"{whole} {_TRAILING.sub('', raw[number]).strip(_QUOTING)}"
        if _WRAPPED_END.search(whole):
            return whole
    return body
