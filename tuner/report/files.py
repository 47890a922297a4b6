"""Reports as files: one session's or several's, as HTML, Markdown with its plots beside it, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner import atomic_file
from tuner.json_text import written
from tuner.records import StoredSession
from tuner.report import comparison, drawing, markdown, page
from tuner.report.charts import Spec, charts
from tuner.report.content import content
from tuner.report.drawing import DrawnAs, Picture
from tuner.report.rows import Row
from tuner.report.shortened import shortened
from tuner.store import Store
from tuner.terminal_text import safe


def write_html(store: Store, session: StoredSession, path: Path) -> None:
    """Write a session's report as one HTML file."""
    atomic_file.write(path, page.page(content(store, session)), follow=False)


def found(store: Store, sessions: Sequence[StoredSession]) -> Row:
    """Return the report of a session, or the comparison of several, as JSON.

    Raises:
        UsageError: the sessions measured different things.

    """
    if len(sessions) == 1:
        return content(store, sessions[0])
    comparison.check(sessions)
    return comparison.comparison([content(store, session) for session in sessions])


def as_html(report: Mapping[str, Any], frame: page.Frame = page.ALONE) -> str:
    """Return what `found` returned as one HTML document."""
    if "sessions" not in report:
        return page.page(report, frame)
    values = {"c": report, "tables": comparison.tables(report)}
    return page.rendered("comparison.html.j2", comparison.plots(report), values, frame)


def as_json(report: Mapping[str, Any]) -> str:
    """Return what `found` returned as indented JSON."""
    return written(report) + "\n"


def as_markdown(report: Mapping[str, Any], path: Path | None, drawn_as: DrawnAs) -> str:
    """Return what `found` returned as Markdown; with a path to be, the plots are written into a folder beside it."""
    if "sessions" in report:
        return safe(comparison.page(report))
    return safe(markdown.page(report, {} if path is None else _pictures(charts(shortened(report)), path, drawn_as)))


def _pictures(plots: Mapping[str, tuple[str, Spec]], path: Path, drawn_as: DrawnAs) -> dict[str, tuple[str, str]]:
    folder = path.with_suffix("").name + "-plots"
    made = drawing.pictures([Picture(spec, drawn_as) for _, spec in plots.values()])
    drawn = {name: picture.data for name, picture in zip(plots, made, strict=True) if picture.data}
    for name, data in drawn.items():
        atomic_file.write(path.parent / folder / f"{name}.{drawn_as}", data)
    return {name: (plots[name][0], f"{folder}/{name}.{drawn_as}") for name in drawn}
