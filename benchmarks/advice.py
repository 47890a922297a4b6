"""Is the advice the best that was seen? Whole tunings on a simulated host, whose truth is known.

The recommended profile is what `best.toml` holds, the baseline where there is none. It loses what the best profile that the
session measured among its finalists and known profiles truly performs better, in percent of that one's performance.

    .venv/bin/python benchmarks/advice.py [--sessions 200] [--rows NAME,…] [--budgets 90s,180s,…] [--processes 2]
                                          [--hours 1] [--kept FILE] [--write]

The rows are those of `truths.py`. A session takes two to ten seconds of computing, all rows and budgets with 200 sessions ten
hours of a core. So what was computed is kept (`advice_kept.py`), and the next call goes on where this one ended: first sessions of all
cells, smallest budgets first, then the next ones. With `--hours 0` nothing is computed and the table is made of what is kept. The same sessions have the
same noise, whatever the code makes of it.
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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import advice_kept
import beliefs
import joblib  # type: ignore[import-untyped]  # ships none
import simulation
from advice_kept import Kept, Session
from advised import MUCH, Advice, Files, advised
from decisions import mean, share
from promises import PROMISES, Word, percent
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none
from truths import TRUTHS

from tuner.results import Results
from tuner.session.measuring.clock import seconds

SESSIONS: Final = 200
BUDGETS: Final = "90s,180s,300s,600s"
PAGE: Final = Path(__file__).parents[1] / "docs" / "advice.md"
KEPT: Final = Path(__file__).with_name("data") / "advice.jsonl"
ROUND: Final = 4
"""Sessions of a cell that are computed before those of the next cell."""
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
        mean([one.loss for one in found]),
        f"{100 * max(one.loss for one in found):.2f} %",
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


Rows = Mapping[Case, Sequence[Advice]]


def verdicts(rows: Rows) -> str:
    """Return what is shown of each promise, over all sessions and row by row, as Markdown."""
    every = [one for found in rows.values() for one in found]
    lines = [
        "| promise | in all sessions | which | rows: holds, or never seen | too few to say | does not hold |",
        f"|{'---|' * 6}",
    ]
    lines += [f"| {what} | {_judged(what, every, rows)} |" for what in PROMISES]
    rising = [truth for truth in dict.fromkeys(case.truth for case in rows) if not _falls(rows, truth)]
    return "\n".join([*lines, f"\nWorthless settings do not fall with the budget in {_listed(rising)}.\n"])


def _judged(what: str, every: Sequence[Advice], rows: Rows) -> str:
    """Return the cells of one promise."""
    promise = PROMISES[what]
    words = {case: promise.word(found) for case, found in rows.items()}
    broken = [f"{case.truth} {case.budget_s:g} s" for case, word in words.items() if word is Word.BROKEN]
    counts = (str(sum(word in each for word in words.values())) for each in ((Word.HOLDS, Word.UNSEEN), (Word.UNSAID,)))
    return " | ".join([percent(promise.figure(every)), promise.word(every), *counts, _listed(broken)])


def _listed(failing: Sequence[str]) -> str:
    return f"{len(failing)}: {', '.join(failing)}" if failing else "none"


def _falls(rows: Rows, truth: str) -> bool:
    """Return whether sessions with the largest budget have fewer worthless settings than those with the least, or none."""
    mine = {case.budget_s: found for case, found in rows.items() if case.truth == truth}
    of = {budget_s: statistics.fmean(one.worthless for one in found) for budget_s, found in mine.items()}
    return of[max(of)] < of[min(of)] or of[max(of)] == 0.0 or len(of) == 1


def in_turn(cases: Sequence[Case], sessions: int) -> Iterator[Session]:
    """Yield the sessions of all cases, the first of each before the next ones, smallest budgets first."""
    for first in range(0, sessions, ROUND):
        for case in sorted(cases, key=lambda case: case.budget_s):
            for number in range(first, min(first + ROUND, sessions)):
                yield Session(case.truth, case.budget_s, number)


def advise(session: Session) -> Advice:
    """Return what a session recommends."""
    return Case(session.truth, session.budget_s).advise(session.number)


def play(missing: Sequence[Session], processes: int, until_s: float) -> Iterator[tuple[Session, Advice]]:
    """Yield what sessions recommend, until so many seconds of the monotonic clock; those that have begun are ended."""
    # No process is forked: threads of a numerical library would not be there in the child.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for first in range(0, len(missing), processes):
            if time.monotonic() >= until_s:
                return
            together = missing[first : first + processes]
            yield from zip(together, pool.map(advise, together), strict=True)


def completed(wanted: Sequence[Session], processes: int, hours: float, path: Path) -> dict[Session, Kept]:
    """Return what is kept of the sessions, after as many of the missing ones as the hours allow; each is kept as it comes."""
    known = advice_kept.read(path)
    missing = [session for session in wanted if session not in known]
    until_s = time.monotonic() + 3600 * hours
    for done, (session, found) in enumerate(play(missing, processes, until_s), start=1):
        known[session] = Kept(found, advice_kept.code())
        advice_kept.append(path, session, known[session])
        said = f"{session.truth} {session.budget_s:g} s {session.number}: lost {100 * found.loss:.2f} %"
        print(f"{said} ({found.cpu_s:.1f} s); {len(missing) - done} left", file=sys.stderr)
    return {session: known[session] for session in wanted if session in known}


def by_case(cases: Sequence[Case], found: Mapping[Session, Kept]) -> Rows:
    """Return the advice of each case, without cases of which there is none."""
    rows = {case: [kept.advice for session, kept in found.items() if _of(case, session)] for case in cases}
    return {case: advice for case, advice in rows.items() if advice}


def _of(case: Case, session: Session) -> bool:
    return (case.truth, case.budget_s) == (session.truth, session.budget_s)


def page(cases: Sequence[Case], found: Mapping[Session, Kept], command: str) -> str:
    """Return the whole of the page."""
    rows = by_case(cases, found)
    empty = [f"{case.truth} {case.budget_s:g} s" for case in cases if case not in rows]
    counts = sorted(map(len, rows.values()))
    now = sum(kept.code == advice_kept.code() for kept in found.values())
    return "\n".join(
        [
            "# Advice\n",
            f"Made {datetime.now(UTC):%Y-%m-%d} by `{command}`: {counts[0]} to {counts[-1]} simulated sessions a row, {len(found)}",
            f"together, {now} of them by the code as it is and {len(found) - now} by earlier states of it. They are kept in",
            f"`benchmarks/data/{KEPT.name}`; `benchmarks/advice.py` goes on where it ended.\n",
            f"Rows of which no session was computed yet: {_listed(empty)}.\n",
            "Truths: `benchmarks/truths.py`; noise: `benchmarks/simulation.py`. The recommended profile is what `best.toml`",
            "holds, the baseline where there is none; its loss is what the best finalist or known profile that was measured",
            "truly performs better, in percent of that one's performance. Counts with exact binomial 95 % intervals, means with",
            "standard errors. Worthless settings are those of the recommended profile without which it would be as good.\n",
            *table(rows),
            "\n## What is promised\n",
            "A promise holds where the whole 95 % interval (exact for shares, Student's t for means of thirty or more) is within its bound,",
            "does not hold where the whole interval is outside, and between the two there are too few sessions to say. Of what must",
            "never happen one case is too many. Of so many rows a few are outside by chance: one in forty.\n",
            verdicts(rows),
            "## What was believed\n",
            "Of each finalist and known profile's log gain: the posterior (`beliefs` in the JSON) against the truth.\n",
            believed(rows),
        ]
    )


def believed(rows: Rows) -> str:
    """Return how well what was believed in all rows was calibrated."""
    return beliefs.section([belief for found in rows.values() for one in found for belief in one.beliefs])


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
    parser.add_argument(
        "--hours", type=float, default=math.inf, help="begin no session after so long; 0: of what is kept"
    )
    parser.add_argument(
        "--kept", type=Path, default=KEPT, help=f"where sessions are kept, {KEPT.name} beside this file"
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} too")
    found = parser.parse_args(arguments)
    if unknown := [name for name in found.rows.split(",") if name not in TRUTHS]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(TRUTHS)}")
    return found


def main() -> None:
    """Compute what is missing, print the table and what it shows, and write the page where that is asked for."""
    asked = _parsed(sys.argv[1:])
    cases = [Case(name, seconds(text)) for name in asked.rows.split(",") for text in asked.budgets.split(",")]
    found = completed(list(in_turn(cases, asked.sessions)), asked.processes, asked.hours, asked.kept)
    rows = by_case(cases, found)
    if not rows:
        sys.exit(f"{asked.kept} holds none of these sessions: give --hours")
    print(*table(rows), "", verdicts(rows), believed(rows), sep="\n")
    if asked.write:
        command = shlex.join([".venv/bin/python", "benchmarks/advice.py", *sys.argv[1:]])
        PAGE.write_text(page(cases, found, command), encoding="utf-8")


if __name__ == "__main__":
    main()
