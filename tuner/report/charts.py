"""The plots of a report as Vega-Lite specifications: plain data, drawn by `drawing.py`.

Each mark carries its words in `description`, which the page shows at the pointer. Colours are those of `PALETTE`, which
the page swaps for its own when it is dark. Colour is never alone: roles differ in shape or in a label too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tuner.figures import plain, shown
from tuner.records import Role
from tuner.report.rows import Row

INK, MUTED, GRID, ACCENT, WARN, SOFT, PAPER = (
    "#16191d",
    "#5c656e",
    "#e3e6ea",
    "#0b62a4",
    "#b3450c",
    "#a9b1ba",
    "#fdfdfc",
)
PALETTE: Final = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    ACCENT: "accent",
    WARN: "warn",
    SOFT: "soft",
    PAPER: "paper",
}
FONT: Final = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
COLOUR_OF_ROLE: Final = {Role.BASELINE: INK, "winner": ACCENT, "start": WARN}
# The upper end of what a reader compares: below this many trials each mark has room for its interval.
MOST_INTERVALS: Final = 300

Spec = Row


def charts(content: Mapping[str, Any]) -> dict[str, tuple[str, Spec]]:
    """Return the plots that a report's content allows, by name: a sentence that says what is seen, and the plot."""
    makers: dict[str, Callable[[Mapping[str, Any]], tuple[str, Spec] | None]] = {
        "percentiles": percentiles,
        "distributions": distributions,
        "course": course,
        "worth": worth,
        "tradeoff": tradeoff,
        "noise": noise,
    }
    made = ((name, make(content)) for name, make in makers.items())
    return {name: found for name, found in made if found is not None}


def percentiles(content: Mapping[str, Any]) -> tuple[str, Spec] | None:
    """Return latency by percentile on a scale of nines, one colour a finalist."""
    series = content["curves"]["series"]
    rows = [row for each in series for row in _curve_rows(each)]
    if not rows:
        return None
    merged = content["curves"]["source"] == "histograms"
    line: Spec = {"type": "line", "strokeWidth": 2.5 if merged else 1, "opacity": 1 if merged else 0.55}
    layers: list[Spec] = [
        {"mark": line | {"interpolate": "linear"}, "encoding": {"detail": {"field": "curve"}}},
        {"mark": {"type": "point", "filled": True, "size": 18, "opacity": 0.8}, "encoding": _told()},
        _labels(series),
    ]
    nines = max(row["nines"] for row in rows)
    ticks = [-math.log10(1 - p / 100) for p in (0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999)]
    words = (
        "datum.value < 0.01 ? '0' : datum.value < 0.4 ? '50' : format(100 - pow(10, 2 - datum.value), '.6~f') + ' %'"
    )
    x = _axis("nines", "percentile", scale={"domain": [0, nines * 1.22]})
    x["axis"] |= {"values": [tick for tick in ticks if tick <= nines * 1.05], "labelExpr": words}
    y = _axis("us", _latency_title(content), scale={"type": "log", "nice": False, "padding": 12})
    spec = _layered(rows, layers, {"x": x, "y": y, "color": _colours(series)}, 300)
    return f"Latency by percentile of {_listed(series)}; both axes are logarithmic.", spec


def _curve_rows(series: Mapping[str, Any]) -> Iterator[Row]:
    for at, points in enumerate(series["curves"]):
        for percentile, us in points:
            told = f"{series['profile']}: {shown(us)} µs at {percentile:.6g} %"
            nines = -math.log10(1 - percentile / 100)
            curve = f"{series['profile']} {at}"
            yield {"nines": nines, "us": us, "profile": series["profile"], "curve": curve, "told": told}


def _labels(series: Sequence[Mapping[str, Any]]) -> Spec:
    ends = [(each, _end(each)) for each in series if each["curves"]]
    rows = [{"nines": nines, "us": us, "profile": each["profile"]} for each, (nines, us) in ends]
    mark = {"type": "text", "align": "left", "dx": 8, "fontWeight": 600, "fontSize": 12}
    return {"data": {"values": _apart(rows)}, "mark": mark, "encoding": {"text": {"field": "profile"}}}


def _end(series: Mapping[str, Any]) -> tuple[float, float]:
    """Return where the label of a curve stands: at the last percentile, in the middle of its runs."""
    ends = sorted(points[-1][1] for points in series["curves"])
    return -math.log10(1 - series["curves"][0][-1][0] / 100), ends[len(ends) // 2]


def _apart(rows: list[Row]) -> list[Row]:
    """Return labels moved apart where they would lie on each other on a logarithmic axis."""
    placed: list[Row] = []
    for row in sorted(rows, key=lambda row: row["us"]):
        least = placed[-1]["us"] * 1.22 if placed else 0.0
        placed.append(row | {"us": max(row["us"], least)})
    return placed


def distributions(content: Mapping[str, Any]) -> tuple[str, Spec] | None:
    """Return the distribution of all messages of each finalist over the logarithm of latency."""
    series = [each for each in content["curves"]["series"] if each["distribution"]]
    rows = [
        {"us": low, "share": 100 * share, "profile": each["profile"], "told": _bar_words(each, low, high, share)}
        for each in series
        for low, high, share in each["distribution"]
    ]
    if not rows:
        return None
    layers: list[Spec] = [
        {"mark": {"type": "area", "interpolate": "step-after", "opacity": 0.18, "line": {"strokeWidth": 1.5}}},
        {"mark": {"type": "point", "opacity": 0, "size": 60}, "encoding": _told()},
    ]
    x = _axis("us", _latency_title(content), scale={"type": "log", "nice": False})
    y = _axis("share", "% of messages", stack=None)
    spec = _layered(rows, layers, {"x": x, "y": y, "color": _colours(series, legend=True)}, 200)
    return f"Share of the messages by latency of {_listed(series)}.", spec


def _bar_words(series: Mapping[str, Any], low: float, high: float, share: float) -> str:
    return f"{series['profile']}: {100 * share:.3g} % from {shown(low)} to {shown(high)} µs"


def course(content: Mapping[str, Any]) -> tuple[str, Spec] | None:
    """Return the gain of each trial over the baseline with its interval, the best so far, and the failures."""
    rows = content["course"]
    good = [row | {"told": _trial_words(row)} for row in rows if row["ratio"]]
    bad = [row | {"told": _trial_words(row)} for row in rows if not row["ratio"]]
    if not good:
        return None
    low, high = min(row["ratio"] for row in good), max(row["ratio"] for row in good)
    bottom = low * 0.8
    layers: list[Spec] = [
        {"data": {"values": [{"ratio": 1}]}, "mark": {"type": "rule", "color": MUTED, "strokeDash": [3, 3]}},
        _step_of_the_best(rows),
    ]
    if len(good) <= MOST_INTERVALS:
        ends = {"y": {"field": "low"}, "y2": {"field": "high"}}
        layers.append({"mark": {"type": "rule", "color": SOFT, "strokeWidth": 1.5, "clip": True}, "encoding": ends})
    size = 44 if len(good) <= MOST_INTERVALS else 16
    layers.append({"mark": {"type": "point", "filled": True, "size": size, "opacity": 1}, "encoding": _course_marks()})
    if bad:
        values = [row | {"ratio": bottom} for row in bad]
        cross = {"type": "point", "shape": "cross", "angle": 45, "color": WARN, "filled": True, "size": 40}
        layers.append({"data": {"values": values}, "mark": cross, "encoding": _told()})
    x = _axis("order", "trial", scale={"nice": False, "domain": [0, rows[-1]["order"] + 1]}, axis={"tickMinStep": 1})
    domain = [min(bottom, 1.0) * 0.92, max(high, 1.0) * 1.15]
    y = _axis("ratio", "gain over the baseline (×)", scale={"type": "log", "domain": domain, "nice": False})
    said = f"Gain of {len(good)} trials in the order of the search, and the best so far"
    return f"{said}; {len(bad)} failed trials are crosses at the bottom.", _layered(good, layers, {"x": x, "y": y}, 280)


def _course_marks() -> Spec:
    known = {"test": "datum.role === 'known'", "value": INK}
    return _told() | {"color": {"condition": known, "value": ACCENT}}


def _step_of_the_best(rows: Sequence[Row]) -> Spec:
    steps = [{"order": row["order"], "ratio": row["best"]} for row in rows]
    kept = [row for at, row in enumerate(steps) if at in {0, len(steps) - 1} or row["ratio"] != steps[at - 1]["ratio"]]
    return {"data": {"values": kept}, "mark": {"type": "line", "interpolate": "step-after", "color": ACCENT}}


def _trial_words(row: Mapping[str, Any]) -> str:
    if row["ratio"] is None:
        return f"{row['profile']}: {row['status']}: {row['reason'] or 'no gain'}"
    return (
        f"{row['profile']}: gain {row['ratio']:.2f}× ({row['low']:.2f}–{row['high']:.2f}, n = {row['blocks']} blocks)"
    )


def worth(content: Mapping[str, Any]) -> tuple[str, Spec] | None:
    """Return what each setting that was judged is worth, with its interval."""
    judged = [row for row in content["worth"]["rows"] if row["ratio"] and row["high"]]
    if not judged:
        return None
    rows = [row | {"label": f"{row['name']}={row['value']}"[:48], "told": _worth_words(row)} for row in judged]
    layers: list[Spec] = [
        {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {"x": {"field": "low"}, "x2": {"field": "high"}}},
        {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1}, "encoding": _told()},
        _line_at_one("x"),
    ]
    clear = {"test": "datum.low > 1", "value": ACCENT}
    x = _axis("ratio", "gain with the setting (×)", scale={"type": "log", "zero": False, "nice": False})
    y = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 300, "grid": False}}
    color = {"condition": clear, "value": MUTED}
    spec = _layered(rows, layers, {"x": x, "y": y, "color": color}, 24 + 26 * len(rows))
    return f"Gain of {len(rows)} settings with confidence intervals; the line at 1 means no effect.", spec


def _line_at_one(channel: str) -> Spec:
    """Return the line of no effect across a plot whose other axis is a list."""
    where = {channel: {"field": "one", "type": "quantitative"}, "y" if channel == "x" else "x": None}
    values = [{"one": 1.0}]
    mark = {"type": "rule", "strokeDash": [3, 3]}
    return {"data": {"values": values}, "mark": mark, "encoding": where | {"color": {"value": MUTED}}}


def _worth_words(row: Mapping[str, Any]) -> str:
    return f"{row['name']}={row['value']}: gain {row['ratio']:.2f}× ({row['low']:.2f}–{row['high']:.2f})"


def tradeoff(content: Mapping[str, Any]) -> tuple[str, Spec] | None:
    """Return latency against rate, CPU as the size of the mark, and the handful of profiles that are each better in something."""
    found = content["tradeoff"]
    rows = [row | {"told": _point_words(row), "on": "front" if row["front"] else "beaten"} for row in found["points"]]
    if len(rows) < 2:  # noqa: PLR2004 - one profile trades nothing off
        return None
    color = {"field": "on", "scale": {"domain": ["front", "beaten"], "range": [ACCENT, SOFT]}, "legend": None}
    named = [row for row in rows if row["role"] in COLOUR_OF_ROLE or row["front"]]
    text = {"mark": {"type": "text", "align": "left", "dx": 9, "fontSize": 11, "color": INK}}
    size = {"field": "cpu_s", "type": "quantitative", "title": "CPU s per run", "scale": {"range": [30, 260]}}
    point = {
        "mark": {"type": "point", "filled": True, "opacity": 0.75},
        "encoding": _told() | {"color": color, "size": size},
    }
    layers = [point, text | {"data": {"values": _apart_in_rate(named)}, "encoding": {"text": {"field": "profile"}}}]
    x = _axis(
        "latency_us", f"{plain(found['latency'])} (left is better)", scale={"type": "log", "nice": False, "padding": 60}
    )
    y = _axis("rate_mps", "messages received per second", scale={"type": "log", "nice": False, "padding": 24})
    said = f"Latency against rate of {len(rows)} profiles; {sum(row['front'] for row in rows)} are on the Pareto front."
    return said, _layered(rows, layers, {"x": x, "y": y}, 280)


def _apart_in_rate(rows: Sequence[Row]) -> list[Row]:
    placed: list[Row] = []
    for row in sorted(rows, key=lambda row: row["rate_mps"]):
        least = placed[-1]["rate_mps"] * 1.12 if placed else 0.0
        placed.append(row | {"rate_mps": max(row["rate_mps"], least)})
    return placed


def _point_words(row: Mapping[str, Any]) -> str:
    front = f", on the front: {row['best_in']}" if row["front"] else ""
    measured = f"{shown(row['latency_us'])} µs, {shown(row['rate_mps'])} msg/s, {shown(row['cpu_s'])} s of CPU"
    return f"{row['profile']}: {measured}{front}"


def noise(content: Mapping[str, Any]) -> tuple[str, Spec] | None:
    """Return the baseline's runs one after the other: its noise, its drift, and the blocks that do not count."""
    found = content["noise"]
    rows = [row | {"told": _run_words(row, found["metric"])} for row in found["runs"]]
    if len(rows) < 2:  # noqa: PLR2004 - one run shows no noise
        return None
    hollow = {"test": "datum.quarantined", "value": WARN}
    shape = {"condition": hollow | {"value": "cross"}, "value": "circle"}
    marks = _told() | {"color": {"condition": hollow, "value": INK}, "shape": shape}
    layers: list[Spec] = [
        {"mark": {"type": "line", "color": SOFT, "strokeWidth": 1}},
        {"mark": {"type": "point", "filled": True, "size": 36, "opacity": 1}, "encoding": marks},
    ]
    x = _axis("run", "run of the session", scale={"nice": False})
    y = _axis("value", f"{plain(found['metric'])} of the baseline", scale={"zero": False})
    out = sum(row["quarantined"] for row in rows)
    return f"{len(rows)} runs of the baseline in order; {out} discarded ones are crosses.", _layered(
        rows, layers, {"x": x, "y": y}, 200
    )


def _run_words(row: Mapping[str, Any], metric: str) -> str:
    out = ", discarded" if row["quarantined"] else ""
    return f"run {row['run']} ({row['phase']}, block {row['block']}): {plain(metric)} {shown(row['value'])}{out}"


def gains(rows: Sequence[Mapping[str, Any]], title: str) -> tuple[str, Spec] | None:
    """Return one gain with its interval a row (`label`, `ratio`, `low`, `high`), as for sessions side by side."""
    content = {"worth": {"rows": [dict(row) | {"name": row["label"], "value": ""} for row in rows]}}
    made = worth(content)
    if made is None:
        return None
    made[1]["encoding"]["x"]["title"] = title
    return f"{title} of {len(rows)} sessions, with confidence intervals.", made[1]


def _latency_title(content: Mapping[str, Any]) -> str:
    return f"{content['latency_is'].replace('the ', '') or 'time'}, µs"


def _listed(series: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(each["profile"]) for each in series)


def _told() -> Spec:
    return {"description": {"field": "told", "type": "nominal"}}


def _colours(series: Sequence[Mapping[str, Any]], *, legend: bool = False) -> Spec:
    """Return the colour scale of profiles: the baseline ink, the first other the accent, the rest apart from these."""
    others = iter((ACCENT, WARN, MUTED, SOFT))
    names = [str(each["profile"]) for each in series]
    range_ = [INK if each["role"] == Role.BASELINE else next(others) for each in series]
    how = {"orient": "top", "title": None, "symbolType": "stroke"} if legend else None
    return {"field": "profile", "type": "nominal", "scale": {"domain": names, "range": range_}, "legend": how}


def _axis(field: str, title: str, **more: Any) -> Spec:
    axis = {"title": title} | more.pop("axis", {})
    return {"field": field, "type": "quantitative", "axis": axis} | more


def _layered(rows: Sequence[Row], layers: Sequence[Spec], encoding: Spec, height: int) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": list(rows)},
        "height": height,
        "layer": list(layers),
        "encoding": encoding,
        "config": CONFIG,
    }


CONFIG: Final[Spec] = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titlePadding": 10,
        "labelPadding": 6,
        "gridColor": GRID,
        "domain": False,
        "ticks": False,
        "tickCount": 5,
    },
    "axisX": {"grid": False, "domain": True, "domainColor": SOFT},
    "legend": {"labelColor": MUTED, "titleColor": MUTED, "titleFontWeight": "normal", "labelFontSize": 12},
    # Only points tell something; the default words of the others would name fields.
    "line": {"strokeWidth": 1.75, "aria": False},
    "rule": {"aria": False},
    "area": {"aria": False},
    "text": {"color": INK, "aria": False},
}
