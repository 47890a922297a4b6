"""Everything that a report says, as JSON, computed from the store alone; its pages and plots only show this."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tuner import __version__
from tuner.figures import plain
from tuner.judging.metrics import HIGHER_IS_BETTER
from tuner.judging.objective import objective
from tuner.measure import workload
from tuner.measure.chosen import BENCHMARK
from tuner.records import Role, Run, State, Status, StoredSession, Trial
from tuner.report import course, evidence
from tuner.report.curves import curves
from tuner.report.held import held
from tuner.report.tables import failure_rows, phase_rows
from tuner.session.answer import counters, proposals
from tuner.session.answer.pareto_front import front_of
from tuner.session.measuring import quarantine
from tuner.session.measuring.ledger import Ledger
from tuner.session.phases.calibrate import words
from tuner.session.phases.emit import described
from tuner.store import Store

# More finalists than these cannot be told apart in one plot.
MOST_CURVES: Final = 4
# What a run's own line shows.
OF_A_RUN: Final = ("latency_p50_us", "latency_p99_us", "rate_mps", "cpu_s")

Row = dict[str, Any]


def content(store: Store, session: StoredSession) -> Row:
    """Return a session's report as JSON-ready values: one key a section, each with its `why` where it can be empty."""
    ledger = Ledger(store, session.id, objective(session.plan["objective"]))
    answer = session.verdict or {}
    cast = _cast(ledger, session, answer)
    failed_headers, failed = failure_rows(ledger.trials, ledger.runs)
    phase_headers, phases = phase_rows(ledger.trials, ledger.runs)
    return {
        "report": 1,
        "tuner": __version__,
        **_about(session),
        "verdict": _verdict(ledger, session, answer),
        "profiles": _profiles(ledger, cast),
        "winner": _winner(answer),
        "curves": curves(ledger, _finalists(cast)),
        "course": course.course(ledger),
        "proposals": list(proposals.sentences(answer["proposals"])) if "proposals" in answer else [],
        "worth": _worth(ledger, answer),
        "interactions": _interactions(ledger, answer),
        "tradeoff": _tradeoff(ledger, cast),
        "held": held(ledger),
        "counted": counters.found_in(ledger.runs, session.plan["stack"]),
        "noise": _noise(ledger, answer),
        "failures": {"headers": failed_headers, "rows": failed},
        "phases": {"headers": phase_headers, "rows": phases},
        "doubts": [dict(each) for each in (*session.facts.get("doubts", ()), *answer.get("doubts", ()))],
        "facts": _facts(ledger, session),
        "evidence": evidence.launches(ledger.trials, ledger.runs),
        "runs": [_run(ledger, run) for run in ledger.runs],
    }


def _about(session: StoredSession) -> Row:
    plan = session.plan
    return {
        "session": session.id,
        "created_at": session.created_at,
        "state": session.state,
        "kind": plan["kind"],
        "stack": plan["stack"],
        "objective": plan["objective"],
        "judges": objective(plan["objective"]).summary,
        "workloads": [workload.from_dict(each).key() for each in plan["workloads"]],
        "spent_s": session.spent_s,
        "budget_s": plan["budget_s"],
    }


def _verdict(ledger: Ledger, session: StoredSession, answer: Mapping[str, Any]) -> Row:
    """Return the verdict: its word, a headline that is read from far, the sentence with its interval, and the gain."""
    word = str(answer.get("verdict", "")) or ("measured" if answer else session.state)
    baseline = ledger.trials[0].profile if ledger.trials else session.plan["baseline"]["profile"]
    gain = answer.get("gain")
    why = str(answer.get("why", "")) or _unfinished(session, answer)
    return {"answer": word, "headline": _headline(word, gain, baseline), "why": why, "gain": gain, "baseline": baseline}


def _headline(word: str, gain: Mapping[str, Any] | None, baseline: str) -> str:
    if word in {"improved", "minimised", "minimal"} and gain:
        return f"{gain['ratio']:.2f} times as good as {baseline}"
    plain = {
        "not improved": f"Nothing beats {baseline}",
        "failed": "The session failed",
        "measured": f"{baseline}, measured",
        State.STOPPED: "Stopped before a verdict",
        State.RUNNING: "No verdict yet",
    }
    return plain.get(word, word.capitalize())


def _unfinished(session: StoredSession, answer: Mapping[str, Any]) -> str:
    if answer:
        return "The profile was measured and compared with nothing."
    return f"What was measured is kept: tuner sessions resume {session.id}"


def _cast(ledger: Ledger, session: StoredSession, answer: Mapping[str, Any]) -> dict[str, Trial]:
    """Return the profiles that have a part to play, by their roles in the order of a table, each once."""
    named = [("baseline", trial) for trial in ledger.trials[:1]]
    settings = (answer.get("winner") or answer.get("b") or {}).get("settings")
    winner = ledger.find(settings) if settings is not None else None
    known = [trial for trial in ledger.trials if trial.role is Role.KNOWN and ledger.tried(trial.number)]
    named += [
        ("start" if trial.profile == session.plan["start"] else f"known {trial.number}", trial) for trial in known
    ]
    finals = (ledger.find(each["settings"]) for each in answer.get("finalists", ()))
    named += [(f"finalist {trial.number}", trial) for trial in finals if trial is not None]
    if winner is not None and winner != ledger.trials[0]:
        named = [(role, trial) for role, trial in named if trial != winner] + [("winner", winner)]
    seen: dict[int, str] = {}
    return {role: trial for role, trial in named if seen.setdefault(trial.number, role) == role}


def _finalists(cast: Mapping[str, Trial]) -> list[Trial]:
    order = ["baseline", "winner", "start", *(role for role in cast if role.startswith("finalist"))]
    found = [cast[role] for role in order if role in cast]
    return (found if len(found) > 1 else [*cast.values()])[:MOST_CURVES]


def _profiles(ledger: Ledger, cast: Mapping[str, Trial]) -> list[Row]:
    return [{"role": role.split(" ")[0]} | described(ledger, trial) for role, trial in cast.items()]


def _winner(answer: Mapping[str, Any]) -> Row | None:
    found = answer.get("winner")
    return dict(found) if found else None


def _worth(ledger: Ledger, answer: Mapping[str, Any]) -> Row:
    """Return what each setting of the winner is worth: as minimising measured it, else by a model that says so."""
    if minimised := answer.get("minimised"):
        kept = [_flat(row, kept=True) for row in minimised["kept"]]
        rows = kept + [_flat(row, kept=False) for row in minimised["dropped"]]
        why = f"Measured: the profile with the setting and without it, in the same {minimised['blocks']} blocks."
        return {"source": "minimise", "why": why, "rows": rows}
    settings = (answer.get("winner") or {}).get("settings")
    if not settings:
        return {"source": "none", "why": "Not computed: there is no winner with settings.", "rows": []}
    rows, why = course.model(ledger, settings)
    return {"source": "model", "why": why, "rows": rows}


def _flat(row: Mapping[str, Any], *, kept: bool) -> Row:
    gain = row["gain"] or {"ratio": None, "low": None, "high": None}
    named = {"name": row["name"], "value": row["value"], "kept": kept, "why": row["why"]}
    return named | {key: gain[key] for key in ("ratio", "low", "high")}


def _interactions(ledger: Ledger, answer: Mapping[str, Any]) -> Row:
    rows, why = course.interactions(ledger, (answer.get("winner") or {}).get("settings") or {})
    return {"why": f"{why[:1].upper()}{why[1:]}.", "rows": rows}


def _tradeoff(ledger: Ledger, cast: Mapping[str, Trial]) -> Row:
    """Return latency, rate and CPU of every profile that ran, and which of them no other clearly beats in all three."""
    latency = next((t.metric for t in ledger.objective.terms if t.metric not in HIGHER_IS_BETTER), "latency_p50_us")
    roles = {trial.number: role.split(" ")[0] for role, trial in cast.items()}
    unbeaten = {trial.number for trial in front_of(ledger, (latency, "rate_mps", "cpu_s"))}
    points = [
        {"profile": trial.profile, "role": roles.get(trial.number, trial.role), "front": trial.number in unbeaten}
        | found
        for trial in ledger.trials
        if (found := _point(ledger, trial, latency))
    ]
    why = f"{plain(latency)} against messages received a second, and CPU seconds a run of client and server together."
    missing = f"Not computed: no profile reported {latency}, rate_mps and cpu_s together."
    return {"latency": latency, "points": points, "why": why if points else missing}


def _point(ledger: Ledger, trial: Trial, latency: str) -> Row:
    """Return a profile's medians, nothing for one that lacks any."""
    medians = {metric: statistics.median(values) for metric, values in ledger.samples(trial.number).items()}
    if ledger.status(trial.number) != Status.OK or not {latency, "rate_mps", "cpu_s"} <= medians.keys():
        return {}
    return {"latency_us": medians[latency], "rate_mps": medians["rate_mps"], "cpu_s": medians["cpu_s"]}


def _noise(ledger: Ledger, answer: Mapping[str, Any]) -> Row:
    term = ledger.objective.terms[0]
    why = quarantine.disturbed(ledger.runs)
    found = quarantine.found_in(ledger.runs)
    mine = [run for run in ledger.runs if run.trial == 0 and run.workload == term.workload]
    runs = [_of_baseline(run, term.metric, ledger.quarantined) for run in mine if term.metric in run.metrics()]
    calibration = answer.get("calibration")
    return {
        "metric": term.metric,
        "words": words(calibration) if calibration else [],
        "why": "" if calibration else "Not computed: this session made no calibration, so that the noise is unknown.",
        "runs": runs,
        "host": found["host"] | {"sentence": quarantine.sentence(found["host"])},
        "disturbed": [
            {"block": block, "reasons": list(reasons), "quarantined": block in ledger.quarantined}
            for block, reasons in why.items()
        ],
    }


def _of_baseline(run: Run, metric: str, quarantined: frozenset[int]) -> Row:
    named = {"run": run.number, "phase": run.phase, "block": run.block, "quarantined": run.block in quarantined}
    return named | {"value": run.metrics()[metric]}


def _facts(ledger: Ledger, session: StoredSession) -> Row:
    host = {name: value for name, value in session.facts.items() if name not in {"doubts", "tuner"}}
    plan = session.plan
    found = evidence.versions(ledger.runs)
    measured = {"stack": plan["stack"], "in its banner": ", ".join(found["library"]) or None}
    measured |= {"preloaded": ", ".join(plan["preloads"]), BENCHMARK.name: plan[BENCHMARK.name]}
    measured |= {f"{BENCHMARK.name} says": ", ".join(found["benchmark"]) or None, "fast start": plan["fast_start"]}
    measured |= {"optimizer": plan["optimizer"], "seed": plan["seed"], "tuner": session.facts.get("tuner")}
    return {"host": host, "measured with": measured}


def _run(ledger: Ledger, run: Run) -> Row:
    metrics = run.metrics()
    return {
        "run": run.number,
        "profile": ledger.trials[run.trial].profile,
        "phase": run.phase,
        "block": run.block,
        "workload": run.workload,
        "status": run.status,
        "reason": run.reason,
        "started_at": run.started_at,
        "wall_s": run.wall_s,
        "ports": evidence.ports(run),
        "quarantined": run.block in ledger.quarantined,
        **{metric: metrics.get(metric) for metric in OF_A_RUN},
    }


def texts(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the facts of a part of the report as name and text; what is not known is said so."""
    for name, value in about.items():
        yield name.replace("_", " "), "not known" if value is None else str(value)
