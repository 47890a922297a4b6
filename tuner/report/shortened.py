"""What the pages show of a long session: as much as a reader, a browser and the drawing library can take. JSON has all.

What tells something stays, and of the rest evenly many; each section whose rows were left out says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from tuner.records import Phase, Role
from tuner.report.rows import Row

MOST_MARKS: Final = 1000
"""Of one drawing; trials in their table, too."""
MOST_RUNS: Final = 2000
MOST_CURVES_OF_ONE: Final = 50
MOST_LISTED: Final = 200

Content = Mapping[str, Any]


def shortened(content: Content) -> Row:
    """Return a report's content as its pages show it; `left_out` says what is not shown, by the name of the section."""
    left_out: dict[str, str] = {}
    parts = (_course, _tradeoff, _noise, _failures, _runs)
    short = {name: value for part in parts for name, value in part(content, left_out).items()}
    return {**content, **short, "curves": _curves(content["curves"]), "left_out": left_out}


def places(count: int, most: int, telling: Collection[int] = ()) -> list[int]:
    """Return which of so many rows are shown, ascending: all, or those that tell something and evenly many of the others."""
    if count <= most:
        return [*range(count)]
    first = _evenly(sorted(telling), most)
    told = frozenset(telling)
    return sorted([*first, *_evenly([at for at in range(count) if at not in told], most - len(first))])


def _evenly(rows: Sequence[int], most: int) -> list[int]:
    return [*rows] if len(rows) <= most else [rows[at * len(rows) // most] for at in range(most)]


def _said(shown: int, of: int, what: str, which: str) -> str:
    return f"Shown are {shown:,} of {of:,} {what}: {which}; all of them: `tuner report --format json`."


def _course(content: Content, left_out: dict[str, str]) -> Row:
    rows = content["course"]
    better = {at for at, (before, row) in enumerate(pairwise(rows), 1) if row["best"] > before["best"]}
    known = {at for at, row in enumerate(rows) if row["role"] == Role.KNOWN}
    shown = places(len(rows), MOST_MARKS, better | known)
    if len(shown) < len(rows):
        left_out["course"] = _said(len(shown), len(rows), "trials", "known profiles, new bests, evenly many others")
    return {"course": [rows[at] for at in shown]}


def _tradeoff(content: Content, left_out: dict[str, str]) -> Row:
    rows = content["tradeoff"]["points"]
    telling = {at for at, row in enumerate(rows) if row["front"] or row["role"] not in {Role.CANDIDATE, Role.REDUCED}}
    shown = places(len(rows), MOST_MARKS, telling)
    if len(shown) < len(rows):
        left_out["tradeoff"] = _said(len(shown), len(rows), "profiles", "the Pareto front and evenly many others")
    return {"tradeoff": {**content["tradeoff"], "points": [rows[at] for at in shown]}}


def _noise(content: Content, left_out: dict[str, str]) -> Row:
    found = content["noise"]
    runs, blocks = found["runs"], found["disturbed"]
    shown = places(len(runs), MOST_MARKS, {at for at, row in enumerate(runs) if row["quarantined"]})
    listed = places(len(blocks), MOST_LISTED, {at for at, row in enumerate(blocks) if row["quarantined"]})
    if len(shown) < len(runs):
        left_out["noise"] = _said(len(shown), len(runs), "runs of the baseline", "discarded ones, evenly many others")
    if len(listed) < len(blocks):
        left_out["disturbed"] = _said(
            len(listed), len(blocks), "disturbed blocks", "discarded ones, evenly many others"
        )
    return {"noise": {**found, "runs": [runs[at] for at in shown], "disturbed": [blocks[at] for at in listed]}}


def _failures(content: Content, left_out: dict[str, str]) -> Row:
    found = content["failures"]
    shown = places(len(found["rows"]), MOST_LISTED)
    if len(shown) < len(found["rows"]):
        left_out["failures"] = _said(len(shown), len(found["rows"]), "reasons", "evenly many")
    return {"failures": {**found, "rows": [found["rows"][at] for at in shown]}}


def _runs(content: Content, left_out: dict[str, str]) -> Row:
    rows, evidence = content["runs"], content["evidence"]
    shown = places(len(rows), MOST_RUNS, {at for at, row in enumerate(rows) if row["phase"] != Phase.SEARCH})
    if len(shown) == len(rows):
        return {}
    left_out["runs"] = _said(len(shown), len(rows), "runs", "those that are not of the search, evenly many others")
    of_runs = [evidence["of_runs"][at] for at in shown]
    environments, commands = ({of[kind] for of in of_runs} for kind in (0, 1))
    needed = {
        "environments": [each for each in evidence["environments"] if each["number"] in environments],
        "commands": [each for each in evidence["commands"] if each["number"] in commands],
    }
    return {"runs": [rows[at] for at in shown], "evidence": {**evidence, **needed, "of_runs": of_runs}}


def _curves(found: Content) -> Row:
    series = []
    for each in found["series"]:
        shown = places(len(each["curves"]), MOST_CURVES_OF_ONE)
        series.append({**each, "curves": [each["curves"][at] for at in shown]})
    most = max((len(each["curves"]) for each in found["series"]), default=0)
    why = f"{found['why']} At most {MOST_CURVES_OF_ONE} lines a profile are drawn, evenly many of its runs."
    return {**found, "series": series, "why": why if most > MOST_CURVES_OF_ONE else found["why"]}
