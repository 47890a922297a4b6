"""Several sessions side by side: the same host later, two hosts, two stacks. Workloads are never mixed.

Each session's gain is a ratio to its own baseline, measured inside its own blocks. Figures of two sessions were not
measured in the same blocks, so that their difference has no interval here; the page says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.errors import Finding, UsageError, error
from tuner.figures import interval, plain
from tuner.judging.metrics import short
from tuner.records import StoredSession
from tuner.report.charts import Spec, gains
from tuner.report.markdown import gain
from tuner.report.rows import Row
from tuner.report.tables import escaped, markdown
from tuner.session.setup.plan import Plan

Told = Mapping[str, Any]
CAUTION = (
    "Each gain is relative to the baseline of its own session. Sessions share no block: a difference between two of them may "
    "come from the day or the host, and has no confidence interval."
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the comparison: its caption, headings and cells."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


def check(sessions: Sequence[StoredSession]) -> None:
    """Raise `UsageError` with everything that differs in what the sessions measured and judged."""
    findings = [finding for other in sessions[1:] for finding in differences(sessions[0], other)]
    if findings:
        advice = "measurements of different workloads cannot be compared; leave out the others"
        raise UsageError("these sessions cannot be compared", findings=findings, advice=advice)


def differences(first: StoredSession, other: StoredSession) -> Iterator[Finding]:
    """Yield what two sessions measured and judged differently."""
    one_plan, other_plan = Plan.from_dict(first.plan), Plan.from_dict(other.plan)
    mine, theirs = one_plan.workloads, other_plan.workloads
    where = f"{other.id}: "
    if len(mine) != len(theirs):
        yield error(f"{where}workloads", f"{len(theirs)} workloads, but {len(mine)} in {first.id}")
    for a, b in zip(mine, theirs, strict=False):
        one, two = a.to_dict(), b.to_dict()
        differ = [name for name in one | two if one.get(name) != two.get(name) and name not in _OF_A_HOST]
        for name in differ:
            yield error(f"{where}workload.{name}", f"{two.get(name)!r}, but {one.get(name)!r} in {first.id}")
    if one_plan.objective != other_plan.objective:
        message = f"{other_plan.objective.name}, but {one_plan.objective.name} in {first.id}"
        yield error(f"{where}objective", message, "gains of different objectives cannot be compared")


# Where the traffic runs is the host's business and not part of what is asked of it.
_OF_A_HOST = frozenset({"server_cpus", "client_cpus", "address"})


def comparison(contents: Sequence[Told]) -> Row:
    """Return the reports of several sessions as one, as JSON: what differs in their circumstances, and their answers."""
    return {
        "report": 1,
        "tuner": contents[0]["tuner"],
        "workloads": contents[0]["workloads"],
        "objective": contents[0]["objective"],
        "why": CAUTION,
        "differs": _circumstances(contents),
        "sessions": [{key: each[key] for key in _OF_A_SESSION} for each in contents],
    }


_OF_A_SESSION = ("session", "created_at", "state", "kind", "stack", "verdict", "profiles", "winner", "doubts", "facts")


def _circumstances(contents: Sequence[Told]) -> list[Row]:
    """Return the facts in which the sessions differ: name and each session's value."""
    facts = [{"stack": each["stack"], **each["facts"]["host"], **each["facts"]["measured with"]} for each in contents]
    names = dict.fromkeys(name for each in facts for name in each if name not in _MOVING)
    values = {name: [each.get(name) for each in facts] for name in names}
    return [{"fact": name, "values": found} for name, found in values.items() if len(set(map(str, found))) > 1]


# These differ whenever somebody looks.
_MOVING = frozenset({"load_1min", "memory_available_bytes", "hugepages_free", "seed"})


def tables(compared: Told) -> list[Table]:
    """Return the tables of a comparison: the answers, the metrics of baselines and winners, and what differs."""
    sessions = compared["sessions"]
    answers = [[_label(each), each["verdict"]["answer"], _gain(each), each["verdict"]["baseline"]] for each in sessions]
    facts = [[row["fact"].replace("_", " "), *map(str, row["values"])] for row in compared["differs"]]
    names = [_label(each) for each in sessions]
    return [
        Table("Verdicts", ["session", "verdict", "gain", "as"], answers),
        *(table for role in ("baseline", "winner") if (table := _metrics(sessions, role))),
        Table(
            "Differences between the sessions",
            ["fact", *names],
            facts or [["none recorded", *[""] * len(names)]],
        ),
    ]


def _label(session: Told) -> str:
    return str(session["session"])


def _gain(session: Told) -> str:
    return gain(session["verdict"]["gain"] or {"ratio": None})


def _metrics(sessions: Sequence[Told], role: str) -> Table | None:
    found = [next((row for row in each["profiles"] if row["role"] == role), None) for each in sessions]
    metrics = [{} if row is None else row["metrics"] for row in found]
    present = short(name for row in metrics for name in row)
    if not present:
        return None
    rows = [[plain(name), *(interval(row.get(name)) for row in metrics)] for name in present]
    profiles = ["profile", *("–" if row is None else row["profile"] for row in found)]
    return Table(f"The {role}s: median and interval", ["metric", *map(_label, sessions)], [profiles, *rows])


def plots(compared: Told) -> dict[str, tuple[str, Spec]]:
    """Return the plot of the sessions' gains, by its name; none where fewer than one has a gain with an interval."""
    rows = [
        {"label": _label(each), **each["verdict"]["gain"]} for each in compared["sessions"] if each["verdict"]["gain"]
    ]
    made = gains(rows, "gain over its own baseline (×)")
    return {"gains": made} if made else {}


def page(compared: Told) -> str:
    """Return the comparison as Markdown."""
    parts = [
        "# Sessions compared\n",
        f"Measured: {escaped('; '.join(compared['workloads']))}.\n",
        f"{compared['why']}\n",
    ]
    for table in tables(compared):
        parts += [f"## {table.caption}\n", markdown(table.headers, table.rows)]
    return "\n".join(parts)
