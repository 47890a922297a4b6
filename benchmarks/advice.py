"""Is the advice the best that was seen? Whole tunings on a simulated host, whose truth is known.

The recommended profile is what `best.toml` holds, the baseline where there is none. It loses what the best profile that the
session measured among its finalists and known profiles truly performs better, in percent of that one's performance.

    .venv/bin/python benchmarks/advice.py [--sessions 200] [--rows NAME,…] [--budgets 90s,180s,…] [--processes 2] [--write]

The rows are those of `truths.py`. A session takes one to five seconds of computing, all rows and budgets with 200 sessions
hours. The same sessions have the same noise, whatever the code makes of it.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import beliefs
import joblib  # type: ignore[import-untyped]  # ships none
import simulation
from advised import MUCH, Advice, Files, advised
from decisions import mean, share
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none
from truths import TRUTHS

from tuner.results import Results
from tuner.session.measuring.clock import seconds

SESSIONS: Final = 200
BUDGETS: Final = "90s,180s,300s,600s"
PAGE: Final = Path(__file__).parents[1] / "docs" / "advice.md"
HEADERS: Final = (
    "truth",
    "budget",
    "improved",
    "mean loss",
    "worst",
    "lost more than 1 %",
    "more than 1 % below the best known",
    "false claims",
    "interval covers",
    "of `over_known`",
    "overclaim",
    "settings",
    "worthless",
    "in `minimal.toml`, interval holds 1",
    "worse tail told",
    "a cost told falsely",
    "CPU s",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table: a truth and a budget."""

    truth: str
    budget_s: float

    def advise(self, number: int) -> Advice:
        """Return what the session of a number recommends."""
        truth, name = TRUTHS[self.truth], f"{self.truth}-{self.budget_s:g}-{number}"
        plan = replace(truth.plan(), budget_s=self.budget_s)
        began_s = time.process_time()
        # Two processes share two cores: threads inside them would only wait for each other.
        with (
            tempfile.TemporaryDirectory() as folder,
            threadpool_limits(limits=1),
            joblib.parallel_config(backend="sequential"),
        ):
            answer = simulation.carried_out(Path(folder), truth.host(name), plan, name)
            written = Files.read(Results(Path(folder)).best(simulation.session_id(name)))
        return replace(advised(truth, answer, written), cpu_s=time.process_time() - began_s)


def row(case: Case, found: Sequence[Advice]) -> str:
    """Return the Markdown row of a case."""
    many = len(found)
    claims = [one.claim for one in found if one.claim]
    over_known = [one.over_known for one in found if one.over_known]
    harmed = [one for one in found if one.harmed]
    cells = [
        case.truth,
        f"{case.budget_s:g} s",
        f"{sum(one.improved for one in found)} of {many}",
        percent(statistics.fmean(one.loss for one in found)),
        percent(max(one.loss for one in found)),
        share(sum(one.loss > MUCH for one in found), many),
        share(sum(one.below_known > MUCH for one in found), many),
        share(sum(one.false_claim for one in found), many),
        share(sum(claim.covers for claim in claims), len(claims)),
        share(sum(claim.covers for claim in over_known), len(over_known)),
        mean([claim.overclaim for claim in claims]),
        f"{statistics.fmean(one.settings for one in found):.1f}",
        f"{statistics.fmean(one.worthless for one in found):.1f}",
        f"{sum(one.unshown for one in found)}",
        f"{sum(one.told for one in harmed)} of {len(harmed)}" if harmed else "–",
        f"{sum(one.told_falsely for one in found)} of {many - len(harmed)}",
        f"{statistics.fmean(one.cpu_s for one in found):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def percent(part: float) -> str:
    """Return a share in percent."""
    return f"{100 * part:.2f} %"


Rows = Mapping[Case, Sequence[Advice]]
Rule = Callable[[Sequence[Advice]], bool]


def rate(held: Iterable[bool]) -> float:
    """Return the share of what holds, nan where there is nothing."""
    every = list(held)
    return sum(every) / len(every) if every else math.nan


def average(values: Iterable[float]) -> float:
    """Return the mean, nan where there is nothing."""
    every = list(values)
    return statistics.fmean(every) if every else math.nan


def _covers_as_said(found: Sequence[Advice]) -> bool:
    covers = rate(one.claim.covers for one in found if one.claim)
    return math.isnan(covers) or 0.92 <= covers <= 0.98


def _overclaims_little(found: Sequence[Advice]) -> bool:
    overclaim = average(one.claim.overclaim for one in found if one.claim)
    return math.isnan(overclaim) or overclaim <= 0.005


RULES: Final[Mapping[str, Rule]] = {
    "mean loss at most 0.5 %": lambda found: average(one.loss for one in found) <= 0.005,
    "more than 1 % lost in at most 5 % of sessions": lambda found: rate(one.loss > MUCH for one in found) <= 0.05,
    "more than 1 % below the best known in at most 3 %": lambda found: (
        rate(one.below_known > MUCH for one in found) <= 0.03
    ),
    "false claims in at most 5 %": lambda found: rate(one.false_claim for one in found) <= 0.05,
    "intervals cover in 92 to 98 %": _covers_as_said,
    "overclaim at most 0.5 %": _overclaims_little,
    "no setting in `minimal.toml` whose interval holds 1": lambda found: not any(one.unshown for one in found),
    "a worse tail is always told": lambda found: all(one.told for one in found if one.harmed),
}
"""What must hold of the sessions of a row, by the counts themselves and not by their intervals."""


def verdicts(rows: Rows) -> str:
    """Return which rules hold, over all sessions and row by row, as Markdown."""
    every = [one for found in rows.values() for one in found]
    lines = ["| what must hold | in all sessions together | rows in which it does not |", "|---|---|---|"]
    for what, rule in RULES.items():
        failing = [f"{case.truth} {case.budget_s:g} s" for case, found in rows.items() if not rule(found)]
        lines.append(f"| {what} | {'met' if rule(every) else 'not met'} | {_listed(failing)} |")
    rising = [truth for truth in dict.fromkeys(case.truth for case in rows) if not _falls(rows, truth)]
    return "\n".join([*lines, f"| worthless settings fall with the budget | – | {_listed(rising)} |", ""])


def _listed(failing: Sequence[str]) -> str:
    return f"{len(failing)}: {', '.join(failing)}" if failing else "none"


def _falls(rows: Rows, truth: str) -> bool:
    """Return whether sessions with the largest budget have fewer worthless settings than those with the least, or none."""
    of = {case.budget_s: average(one.worthless for one in found) for case, found in rows.items() if case.truth == truth}
    return of[max(of)] < of[min(of)] or of[max(of)] == 0.0 or len(of) == 1


def played(cases: Sequence[Case], sessions: int, processes: int) -> Iterator[tuple[Case, Sequence[Advice]]]:
    """Yield what the sessions of each case recommend, one case after the other."""
    # No process is forked: threads of a numerical library would not be there in the child.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for case in cases:
            yield case, list(_told(case, pool.map(case.advise, range(sessions)), sessions))


def _told(case: Case, found: Iterable[Advice], sessions: int) -> Iterator[Advice]:
    """Yield the same with a line of progress on stderr."""
    lost = 0
    for count, one in enumerate(found, 1):
        lost += one.loss > MUCH
        print(f"\r{case.truth} {case.budget_s:g} s: {count} of {sessions}, {lost} lost > 1 %", end="", file=sys.stderr)
        yield one
    print(file=sys.stderr)


def page(rows: Rows, command: str) -> str:
    """Return the whole of the page."""
    every = [belief for found in rows.values() for one in found for belief in one.beliefs]
    sessions = max(map(len, rows.values()))
    return "\n".join(
        [
            "# Advice\n",
            f"Made {datetime.now(UTC):%Y-%m-%d} by `{command}`: {sessions} simulated sessions a row.\n",
            *(
                "Truths: `benchmarks/truths.py`; noise: `benchmarks/simulation.py`. The recommended profile is what `best.toml`",
            ),
            "holds, the baseline where there is none; its loss is what the best finalist or known profile that was measured",
            "truly performs better, in percent of that one's performance. Counts with exact binomial 95 % intervals, means with",
            "standard errors. Worthless settings are those of the recommended profile without which it would be as good.\n",
            *table(rows),
            "\n## What must hold\n",
            verdicts(rows),
            "## What was believed\n",
            "Of each finalist and known profile's log gain: the posterior (`beliefs` in the JSON) against the truth.\n",
            beliefs.section(every),
        ]
    )


def table(rows: Rows) -> list[str]:
    """Return the lines of the table."""
    return [HEAD, RULE, *(row(case, found) for case, found in rows.items())]


HEAD: Final = f"| {' | '.join(HEADERS)} |"
RULE: Final = f"|{'---|' * len(HEADERS)}"


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--rows", default=",".join(TRUTHS), help=f"of {', '.join(TRUTHS)}")
    parser.add_argument("--budgets", default=BUDGETS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} too")
    found = parser.parse_args(arguments)
    if unknown := [name for name in found.rows.split(",") if name not in TRUTHS]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(TRUTHS)}")
    return found


def main() -> None:
    """Print the table row by row, then what must hold; write the page where that is asked for."""
    asked = _parsed(sys.argv[1:])
    cases = [Case(name, seconds(text)) for name in asked.rows.split(",") for text in asked.budgets.split(",")]
    rows: dict[Case, Sequence[Advice]] = {}
    print(HEAD, RULE, sep="\n", flush=True)
    for case, found in played(cases, asked.sessions, asked.processes):
        rows[case] = found
        print(row(case, found), flush=True)
    command = shlex.join([".venv/bin/python", "benchmarks/advice.py", *sys.argv[1:]])
    print(
        "",
        verdicts(rows),
        beliefs.section([each for found in rows.values() for one in found for each in one.beliefs]),
        sep="\n",
    )
    if asked.write:
        PAGE.write_text(page(rows, command), encoding="utf-8")


if __name__ == "__main__":
    main()
