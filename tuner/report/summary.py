"""The summary of a session as Markdown, made from the store alone, so that it can always be made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tuner.errors import Finding, doubt_from_json
from tuner.figures import shown
from tuner.judging.metrics import short
from tuner.records import StoredSession
from tuner.report.costs import HEADERS, costs
from tuner.report.evidence import unread
from tuner.report.pairs import pairs
from tuner.report.tables import escaped, failure_table, markdown, phase_table, profile_table
from tuner.session.answer import answers, disturbance, proposals, words
from tuner.session.answer.answers import (
    Answer,
    CalibrateAnswer,
    CompareAnswer,
    Failure,
    MeasureAnswer,
    MinimiseAnswer,
    TuneAnswer,
)
from tuner.session.answer.parts import Described, WarmStart
from tuner.session.answer.stored import answer_of
from tuner.session.setup.plan import Plan
from tuner.store import Store
from tuner.store.outputs import left_out
from tuner.terminal_text import safe


def summary(store: Store, session: StoredSession) -> str:
    """Return the Markdown summary of a session: the verdict, the profiles, the winner, the time, the doubts."""
    return safe("\n".join(_sections(store, session)).rstrip() + "\n")


def _sections(store: Store, session: StoredSession) -> Iterator[str]:
    plan, trials, runs = Plan.from_dict(session.plan), store.trials(session.id), store.runs(session.id)
    answer = answer_of(session)
    yield f"# {session.id}\n"
    yield f"State: {session.state}. {_verdict(answer)}\n"
    yield f"Workload: {workloads(plan)}. Objective: {plan.objective.name}.\n"
    if isinstance(answer, TuneAnswer | MinimiseAnswer):
        yield from _profiles(answer)
    if answer is not None and (found := pairs(answers.on_pairs(answer)))["rows"]:
        yield "## Pairs of hosts\n"
        yield "".join(f"- {escaped(line)}.\n" for line in found["exceptions"])
        yield markdown(found["headers"], found["rows"])
    if answer is not None and (rows := costs(answers.beside(answer))["rows"]):
        yield "## What it costs\n"
        yield markdown(HEADERS, rows)
    if answer is not None and not isinstance(answer, Failure):
        yield from _noise(answer)
    if isinstance(answer, TuneAnswer) and answer.warm_start:
        yield from _warm_start(answer.warm_start)
    if isinstance(answer, TuneAnswer) and answer.proposals:
        yield "## Search\n"
        yield "".join(f"- {line}\n" for line in proposals.sentences(answer.proposals))
    yield "## Runs\n"
    yield phase_table(runs)
    if failures := failure_table(trials, runs):
        yield "## Failures\n"
        yield failures
    yield "## Warnings\n"
    of_host = list(map(doubt_from_json, session.facts.get("doubts", ())))
    yield from _doubts([*of_host, *(answers.doubts(answer) if answer else ()), *unread(left_out(runs))])


def _verdict(answer: Answer | None) -> str:
    if answer is None:
        return "No verdict yet."
    return f"Verdict: **{answers.decision(answer) or 'measured'}**. {answers.reason(answer)}"


def _profiles(answer: TuneAnswer | MinimiseAnswer) -> Iterator[str]:
    winner = answer.winner.described
    rows = [answer.baseline, *answer.known]
    if winner.profile not in {row.profile for row in rows}:
        rows.append(winner)
    latency_is = answer.task.workloads[0].latency_is
    said = f" Latency is {latency_is}, in µs." if latency_is else ""
    yield f"## Profiles\n\nMedian of the runs (confidence interval; n = runs).{said}\n"
    yield profile_table([row.to_dict() for row in rows])
    if isinstance(answer, TuneAnswer) and answer.pareto:
        yield "## Pareto front\n\nEach is better in something than every other profile, with a probability of 90 %.\n"
        yield profile_table([_on_axes(row.described, row.label).to_dict() for row in answer.pareto])
        yield "".join(f"- {escaped(row.label)}: {escaped(row.why)}\n" for row in answer.pareto if row.why)
    yield "## Winner\n"
    yield f"{winner.profile}: {answer.winner.path or 'nothing to change'}\n"
    yield "".join(f"    {name}={value}\n" for name, value in winner.settings.items()) or "    (no settings)\n"
    yield f"Time: {shown(answer.time.wall_s)} s, {shown(answer.time.runs_s)} s of it in runs.\n"


def _on_axes(row: Described, label: str) -> Described:
    return replace(row, profile=label or row.profile, metrics={name: row.metrics[name] for name in short(row.metrics)})


def _noise(answer: TuneAnswer | CompareAnswer | MeasureAnswer | MinimiseAnswer | CalibrateAnswer) -> Iterator[str]:
    host, calibration = answer.circumstances.host, answers.noise(answer)
    yield "## Noise\n"
    if calibration:
        yield "".join(f"- {line}\n" for line in words.noise(calibration)).rstrip()
    quarantined = answer.circumstances.quarantined
    yield f"- blocks disturbed by the host: {host.disturbed} of {host.blocks}; discarded: {quarantined}."
    for line in (disturbance.sentence(host), disturbance.standing_out(host), *disturbance.advice(host)):
        if line:
            yield f"- {line}"
    yield ""


def _warm_start(used: WarmStart) -> Iterator[str]:
    yield f"Warm start: the search used {used.outcomes} results of {used.sessions} earlier sessions.\n"


def _doubts(doubts: Sequence[Finding]) -> Iterator[str]:
    for doubt in doubts:
        yield f"- {doubt.message}: {doubt.suggestion}"
    if not doubts:
        yield "None."


def workloads(plan: Plan) -> str:
    """Return a plan's workloads in words."""
    return "; ".join(each.key() for each in plan.workloads)
