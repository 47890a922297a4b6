"""What every command writes to stdout in the same way: JSON, and tables of plain text."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

from tuner.figures import side_by_side
from tuner.json_text import written

if TYPE_CHECKING:  # loaded where a session is carried out
    from tuner.session.answer.parts import Condition, Decision, Described

_GAP: Final = "  "
# Below this a truncated column says nothing; each row then becomes lines of its own.
_NARROWEST: Final = 12


def verdict(decision: Decision | Condition, why: str, *profiles: Described) -> str:
    """Return a session's verdict with its reason, and its profiles side by side."""
    from tuner.judging.metrics import short

    told = [each.to_dict() for each in profiles]
    shown = short(name for row in told for name in row["metrics"])
    return wrapped(f"{decision}: {why}") + "\n\n" + table(*side_by_side(told, shown))


def print_json(answer: Any) -> None:
    """Write `answer` to stdout as indented JSON."""
    typer.echo(written(answer))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return aligned columns under `headers`, without a newline at the end.

    `width` is how many characters a line may have; the last column is cut to it, and where that is not enough, each row
    becomes several lines: its first cell, and under it the others, each behind its header. None takes the width of the
    terminal, or no limit when stdout is none.
    """
    width = _terminal_width() if width is None else width
    lines = [[_one_line(cell) for cell in row] for row in (headers, *rows)]
    columns = [max(len(line[at]) for line in lines) for at in range(len(headers))]
    before = sum(columns[:-1]) + len(_GAP) * (len(columns) - 1)
    last = max(width - before, _NARROWEST) if width else columns[-1]
    if width and before + min(columns[-1], _NARROWEST) > width:
        return "\n".join(line[:width] for row in lines[1:] for line in _stacked(lines[0], row))
    return "\n".join(_aligned(line, columns, last) for line in lines)


def wrapped(text: str, width: int | None = None, indent: str = _GAP) -> str:
    """Return `text` in lines that break between words, with `indent` from the second on; unbroken off a terminal."""
    width = _terminal_width() if width is None else width
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False) if width else text


def _terminal_width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _stacked(headers: Sequence[str], row: Sequence[str]) -> list[str]:
    longest = max(map(len, headers))
    cells = zip(headers[1:], row[1:], strict=True)
    return [row[0], *(f"{_GAP}{header:<{longest}}{_GAP}{cell}".rstrip() for header, cell in cells)]


def _one_line(cell: str) -> str:
    return " ".join(cell.split())


def _aligned(line: Sequence[str], columns: Sequence[int], last: int) -> str:
    cells = [cell.ljust(column) for cell, column in zip(line[:-1], columns[:-1], strict=True)]
    end = line[-1] if len(line[-1]) <= last else line[-1][: last - 1] + "…"
    return _GAP.join([*cells, end]).rstrip()
