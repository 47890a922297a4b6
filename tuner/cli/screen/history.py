"""The history of a profile on a screen: its sessions, oldest first, and where its figure became another one."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.cli.screen.output import table
from tuner.figures import plain, shown
from tuner.session.history import ChangePoint, History, Point, change_words, too_few


def lines(found: History) -> Iterator[str]:
    """Yield the history: what it is of, each session's figure, and its change points with what changed there."""
    where = f" on {found.host}" if found.host else ""
    yield f"{found.profile} ({found.stack}): {plain(found.metric)}{where}, {len(found.points)} sessions"
    yield from (f"  {each}" for each in found.traffic)
    yield ""
    marks = {each.session: each for each in found.changes}
    rows = [_row(each, marks.get(each.session)) for each in found.points]
    yield table(["session", found.metric, "interval", "runs", "changed since the one before"], rows)
    yield ""
    yield from _changes(found)
    yield from _left_out(found)


def _row(point: Point, change: ChangePoint | None) -> list[str]:
    mark = [f"◀ {_percent(change.ratio)}"] if change else []
    interval = f"{shown(point.low)}–{shown(point.high)}"
    said = "; ".join([*mark, *map(str, point.changed)])
    return [point.session, shown(point.value), interval, str(point.runs), said]


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f} %"


def _changes(found: History) -> Iterator[str]:
    if not found.enough:
        yield too_few(found)
    elif not found.changes:
        yield "no change point: the sessions differ no more than days do"
    for each in found.changes:
        yield change_words(each, found.metric)
        yield from (f"  {what}" for what in each.changed or ("nothing known changed on the host there",))


def _left_out(found: History) -> Iterator[str]:
    if found.others:
        yield f"left out: {found.others} sessions with other traffic, host, baseline or without this metric"
    if found.unread:
        yield f"left out: {found.unread} sessions that cannot be read (`tuner store check`)"
