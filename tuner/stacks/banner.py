"""What a stack's start-up banner says: that it is there, which release, and what is in effect.

XLIO, VMA and the kernel stack's library print one line a setting: level, label padded to 30 columns, value
padded to 26, and the variable in brackets. Labels may be longer than their column, and blanks are collapsed and lines
wrapped in texts that went through a document, so a known label is cut off first; behind an unknown one the value is
what stands behind the last run of two blanks, or behind the last blank. Early releases write parts of it to stdout, so
both streams are read. Where several processes printed one, the last counts. `log_lines` finds the lines.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from typing import Final

from tuner.catalogue.catalogue import FOLDER
from tuner.stacks.log_lines import LogLine, log_lines

_SETTING: Final = re.compile(
    r"^(?P<shown>.*?)(?P<gap>\s*)\[(?P<name>[A-Za-z0-9_.]+)(?:, Reason: (?P<reason>[^\]]*))?\]$", re.ASCII
)
# A value has 26 columns and a blank behind it: a gap as wide as that has swallowed an empty value.
_EMPTY_COLUMNS: Final = 27
# A release that is written in another way is no reason to miss the banner: it is an unknown one. VMA 6.1 to 6.3 say only
# "Version".
_VERSION: Final = re.compile(
    r"^(?P<tag>(?:XLIO|VMA|TUNER_KERNEL)_VERSION|Version): *(?P<release>\d+(?:\.\d+)*)?", re.ASCII
)
_PID: Final = re.compile(r"^Pid: *(\d{1,9})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Banner:
    """What was read: the version line's tag and release, shown settings, warnings and errors in its own words.

    `tag` is empty where no banner was printed. `reasons` are those that a release gives beside a value, `cut` the
    settings whose line lost its end, `pid` the process that printed it, None where it does not say.
    """

    tag: str = ""
    release: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    cut: tuple[str, ...] = ()
    pid: int | None = field(default=None, compare=False)


def read(text: str) -> Banner:
    """Return the banner found in the output of a process (the last one where several were printed)."""
    lines = log_lines(text)
    banners = _blocks(lines)
    last = banners[-1] if banners else _banner(lines)
    warnings = tuple(line.text for line in lines if line.level == "WARNING" and _says_something(line.text))
    errors = tuple(line.text for line in lines if line.level in {"ERROR", "PANIC"})
    return Banner(last.tag, last.release, last.shown, warnings, errors, last.reasons, last.cut, last.pid)


def every(text: str) -> tuple[Banner, ...]:
    """Return each banner of an output in the order of their version lines: one for every process under the preload."""
    return tuple(_blocks(log_lines(text)))


def _blocks(lines: Sequence[LogLine]) -> list[Banner]:
    """Return a banner for each version line, of the lines behind it that the same process printed."""
    starts = [at for at, line in enumerate(lines) if _VERSION.match(line.text)]
    found = []
    for at, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        # Two processes that print at the same time are told apart by what each line says of its process or its source.
        same = [line for line in lines[at + 1 :] if line.origin == lines[at].origin]
        block = [*takewhile(lambda line: not _VERSION.match(line.text), same)] or lines[at + 1 : end]
        found.append(_banner([lines[at], *block]))
    return found


def _banner(lines: Sequence[LogLine]) -> Banner:
    version = _VERSION.match(lines[0].text) if lines else None
    shown, reasons = dict[str, str](), dict[str, str]()
    for name, value, reason in (found for line in lines if (found := _setting(line.text))):
        shown[name] = value
        reasons |= {name: reason} if reason else {}
    tag, release = (_tag(lines[0]), version["release"] or "") if version else ("", "")
    return Banner(tag, release, shown, reasons=reasons, cut=tuple(_cut(lines)), pid=_pid(lines))


def _tag(line: LogLine) -> str:
    tag = line.text.partition(":")[0]
    return f"{line.brand}_VERSION" if tag == "Version" else tag


def _pid(lines: Iterable[LogLine]) -> int | None:
    for line in lines:
        match = _PID.match(line.text)
        if match or line.pid is not None:
            return int(match[1]) if match else line.pid
    return None


def _setting(text: str) -> tuple[str, str, str] | None:
    match = _SETTING.match(text)
    if match is None:
        return None
    return match["name"], _value(match["name"], match["shown"], match["gap"]), match["reason"] or ""


def _value(name: str, shown: str, gap: str) -> str:
    label = next((each for each in _labels(name) if shown == each or shown.startswith(each + " ")), None)
    if label is not None:
        return shown[len(label) :].strip()
    if len(gap) >= _EMPTY_COLUMNS:
        return ""
    parts = re.split(r" {2,}", shown) if "  " in shown else shown.rsplit(" ", 1)
    return parts[-1].strip() if len(parts) > 1 else ""


def _cut(lines: Iterable[LogLine]) -> Iterator[str]:
    """Yield the settings whose line begins with their label and lost the variable at its end."""
    for line in lines:
        if not line.text.endswith("]"):
            named = (name for label, name in _by_label().items() if line.text.startswith(label + "  "))
            yield from (f"{line.brand}_{name}" for name in list(named)[:1])


@cache
def _table() -> Mapping[str, Sequence[str]]:
    rows = tomllib.loads((FOLDER / "libraries.labels.toml").read_text(encoding="utf-8"))
    every = {**rows.pop("json"), **rows}
    return {name: sorted(labels, key=len, reverse=True) for name, labels in every.items()}


@cache
def _by_label() -> Mapping[str, str]:
    return {label: name for name, labels in _table().items() if "." not in name for label in labels}


def _labels(name: str) -> Sequence[str]:
    """Return the labels of a variable or of a JSON key, the longest first."""
    return _table().get(name if "." in name else name.partition("_")[2], ())


def _says_something(text: str) -> bool:
    return bool(text.strip("*- "))
