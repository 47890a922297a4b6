"""The history of a profile as a page: each session's figure over time, its levels, and what changed on the host."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tuner.figures import plain, shown
from tuner.report.charts import ACCENT, CONFIG, INK, MUTED, WARN, Spec
from tuner.report.page import ALONE, Frame, rendered
from tuner.report.rows import Row
from tuner.session.history import ChangePoint, History, change_words, too_few
from tuner.version import __version__


def page(found: History, frame: Frame = ALONE, others: Sequence[tuple[str, str]] = ()) -> str:
    """Return the history as one HTML document that needs no network, or in the frame of a server's pages.

    `others` are the histories of further metrics: what they are called, and their addresses.
    """
    content = {
        "profile": found.profile,
        "stack": found.stack,
        "metric": plain(found.metric),
        "host": found.host,
        "traffic": found.traffic,
        "verdict": _verdict(found),
        "changes": [_change(each, found.metric) for each in found.changes],
        "others": found.others,
        "unread": found.unread,
        "tuner": __version__,
    }
    values = {"c": content, "rows": _rows(found), "others": others}
    return rendered("history.html.j2", {"history": plot(found)}, values, frame)


def plot(found: History) -> tuple[str, Spec]:
    """Return the plot of the figures over time: a mark and its interval a session, a line a level, a rule a change point."""
    rows = [_mark(found, at) for at in range(len(found.points))]
    levels = [row for level in _levels(found) for row in level]
    rules = [{"created_at": each.created_at} for each in found.changes]
    x: Spec = {"field": "created_at", "type": "temporal", "title": None}
    values = [bound for each in found.points for bound in (each.low, each.high)]
    domain = [min(values) / 1.02, max(values) * 1.02]
    y = _figure("value", plain(found.metric), domain)
    layers: list[Spec] = [
        {
            "data": {"values": rules},
            "mark": {"type": "rule", "color": WARN, "strokeDash": [4, 3]},
            "encoding": {"x": x},
        },
        {
            "mark": {"type": "rule", "color": MUTED},
            "encoding": {"x": x, "y": _figure("low", "", domain), "y2": {"field": "high"}},
        },
        {
            "data": {"values": levels},
            "mark": {"type": "line", "color": ACCENT, "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "detail": {"field": "level"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 40, "color": INK},
            "encoding": {"x": x, "y": y, "description": {"field": "told", "type": "nominal"}},
        },
    ]
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    spec = {"$schema": schema, "data": {"values": rows}, "height": 320, "layer": layers, "config": CONFIG}
    says = f"{plain(found.metric)} of {found.profile} in {len(found.points)} sessions over time, with intervals"
    return f"{says}; {len(found.changes)} change points.", spec


def _figure(field: str, title: str, domain: list[float]) -> Spec:
    scale = {"type": "log", "domain": domain, "nice": False}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": {"title": title or None}}


def _mark(found: History, at: int) -> Row:
    point = found.points[at]
    changed = "; ".join(map(str, point.changed))
    told = f"{point.session}: {shown(point.value)} ({shown(point.low)}–{shown(point.high)}){f'; {changed}' if changed else ''}"
    return {"created_at": point.created_at, "value": point.value, "low": point.low, "high": point.high, "told": told}


def _levels(found: History) -> Iterator[list[Row]]:
    """Yield the line of each level: the geometric mean of its sessions, from its first to its last."""
    starts = [at for at, point in enumerate(found.points) if point.session in {each.session for each in found.changes}]
    bounds = [0, *starts, len(found.points)]
    for level, (start, end) in enumerate(pairwise(bounds)):
        part = found.points[start:end]
        value = math.exp(statistics.fmean(math.log(each.value) for each in part))
        yield [{"created_at": each.created_at, "value": value, "level": level} for each in (part[0], part[-1])]


def _verdict(found: History) -> str:
    if not found.enough:
        return f"{too_few(found)}."
    return "" if found.changes else "No change point: the sessions differ no more than days do."


def _change(change: ChangePoint, metric: str) -> Row:
    return {"words": change_words(change, metric), "changed": list(map(str, change.changed))}


def _rows(found: History) -> list[list[str]]:
    return [
        [
            each.session,
            each.created_at[:16].replace("T", " "),
            shown(each.value),
            f"{shown(each.low)}–{shown(each.high)}",
            str(each.runs),
            "; ".join(map(str, each.changed)),
        ]
        for each in reversed(found.points)
    ]
