"""The summary of a session as Markdown, made from the store alone, so that it can always be made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.figures import shown
from tuner.measure import workload
from tuner.records import StoredSession
from tuner.report.tables import failure_table, phase_table, profile_table
from tuner.session.answer import proposals
from tuner.session.answer.pareto_front import AXES
from tuner.session.measuring.quarantine import sentence
from tuner.session.phases.calibrate import words
from tuner.store import Store


def summary(store: Store, session: StoredSession) -> str:
    """Return the Markdown summary of a session: the verdict, the profiles, the winner, the time, the doubts."""
    return "\n".join(_sections(store, session)).rstrip() + "\n"


def _sections(store: Store, session: StoredSession) -> Iterator[str]:
    trials, runs = store.trials(session.id), store.runs(session.id)
    yield f"# {session.id}\n"
    yield f"State: {session.state}. {_verdict(session.verdict)}\n"
    yield f"Workload: {workloads(session.plan)}. Objective: {session.plan['objective']}.\n"
    if session.verdict and "baseline" in session.verdict:
        yield from _profiles(session.verdict)
    yield from _noise(session.verdict or {})
    yield from _warm_start(session.verdict or {})
    yield from _proposals(session.verdict or {})
    yield "## Runs\n"
    yield phase_table(trials, runs)
    if failures := failure_table(trials, runs):
        yield "## Failures\n"
        yield failures
    yield "## Doubts\n"
    yield from _doubts([*session.facts.get("doubts", ()), *(session.verdict or {}).get("doubts", ())])


def _verdict(verdict: Mapping[str, Any] | None) -> str:
    if verdict is None:
        return "There is no verdict yet."
    return f"Verdict: **{verdict.get('verdict', 'measured')}**. {verdict.get('why', '')}"


def _profiles(verdict: Mapping[str, Any]) -> Iterator[str]:
    baseline, winner = verdict["baseline"], verdict["winner"]
    rows = [baseline, *verdict["known"]]
    if winner["profile"] not in {row["profile"] for row in rows}:
        rows.append(winner)
    yield "## Profiles\n\nMedian of the runs (interval; runs). Latency is half the round trip, in µs.\n"
    yield profile_table(rows)
    if verdict.get("pareto"):
        yield "## Pareto front\n\nNo other profile was better in median latency, rate and CPU together.\n"
        yield profile_table(
            [{**row, "metrics": {name: row["metrics"][name] for name in AXES}} for row in verdict["pareto"]]
        )
    yield "## Winner\n"
    yield f"{winner['profile']}: {winner['path'] or 'the baseline stays'}\n"
    yield "".join(f"    {name}={value}\n" for name, value in winner["settings"].items()) or "    (no setting)\n"
    yield f"Time: {shown(verdict['time']['wall_s'])} s, of which {shown(verdict['time']['runs_s'])} s inside runs.\n"


def _noise(verdict: Mapping[str, Any]) -> Iterator[str]:
    if "quarantined" not in verdict:
        return
    yield "## Noise\n"
    if verdict.get("calibration"):
        yield "".join(f"- {line}\n" for line in words(verdict["calibration"])).rstrip()
    host = verdict["host"]
    yield f"- blocks that the host disturbed: {host['disturbed']} of {host['blocks']}; quarantined: {verdict['quarantined']}."
    if not host["calm"]:
        yield f"- {sentence(host)}"
    yield ""


def _warm_start(verdict: Mapping[str, Any]) -> Iterator[str]:
    if used := verdict.get("warm_start"):
        yield f"Warm start: {used['outcomes']} outcomes of {used['sessions']} earlier sessions shaped the search.\n"


def _proposals(verdict: Mapping[str, Any]) -> Iterator[str]:
    if found := verdict.get("proposals"):
        yield "## Search\n"
        yield "".join(f"- {line}\n" for line in proposals.sentences(found))


def _doubts(doubts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for doubt in doubts:
        yield f"- {doubt['what']}: {doubt['advice']}"
    if not doubts:
        yield "None was found on this host or in its measurements."


def workloads(plan: Mapping[str, Any]) -> str:
    """Return a plan's workloads in words."""
    return "; ".join(workload.from_dict(each).key() for each in plan["workloads"])
