"""What the profile of a session costs, as a table: each metric beside the objective, compared with the baseline's."""

from __future__ import annotations

from typing import Final

from tuner.figures import plain, shown
from tuner.report.rows import Row
from tuner.session.answer.costs import Beside, Difference, NotCompared
from tuner.session.answer.guarded import Guarded

HEADERS: Final = ("metric", "baseline", "this profile", "ratio", "result")


def costs(found: Beside) -> Row:
    """Return headers and one row a guard and a metric: first what got worse, last what could not be compared; no rows where nothing was."""
    rows = [
        *map(_guarded, found.guards or ()),
        *map(_compared, (*(found.costs or ()), *(found.no_costs or ()))),
        *map(_not, found.not_compared or ()),
    ]
    why = (
        "Metrics that the objective does not judge, in the blocks that measured both profiles: medians, and the ratio with an "
        "interval that holds for all rows together (95 %, Bonferroni)."
    )
    return {"why": why if rows else "", "headers": list(HEADERS), "rows": rows}


def _guarded(found: Guarded) -> list[str]:
    return [f"guard {found.guard}", "–", "–", "–", found.sentence.removeprefix(f"{found.guard} is ")]


def _compared(found: Difference) -> list[str]:
    interval = f"{found.ratio:.2f} ({found.low:.2f}–{found.high:.2f}, n = {found.blocks})"
    said = f"{found.change}, {found.remark}" if found.remark else str(found.change)
    return [_heading(found), shown(found.baseline), shown(found.winner), interval, said]


def _not(found: NotCompared) -> list[str]:
    return [_heading(found), "–", "–", "–", f"not compared: {found.why}"]


def _heading(found: Difference | NotCompared) -> str:
    return plain(found.metric) + (f" (workload {found.workload + 1})" if found.workload else "")
