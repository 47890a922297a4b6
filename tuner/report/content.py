"""Everything that a report says, as JSON, computed from the store alone; its pages and plots only show this."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tuner.errors import Finding, doubt_to_json
from tuner.figures import plain as heading
from tuner.judging.statistics import Gain
from tuner.records import Role, Run, State, Status, StoredSession, Trial
from tuner.report import course, evidence
from tuner.report.advice import advice
from tuner.report.costs import costs
from tuner.report.curves import curves
from tuner.report.held import held
from tuner.report.pairs import pairs
from tuner.report.rows import Row
from tuner.report.tables import failure_rows, phase_rows
from tuner.runs import chosen
from tuner.session.answer import answers, disturbance, proposals, words
from tuner.session.answer.answers import Answer, CompareAnswer, TuneAnswer
from tuner.session.answer.circumstances import host
from tuner.session.answer.costs import Beside, beside
from tuner.session.answer.counters import pointed_at, totals
from tuner.session.answer.described import described
from tuner.session.answer.json_form import plain, to_json
from tuner.session.answer.pareto_front import OnFront, front_of
from tuner.session.answer.parts import Decision, Described, Worth
from tuner.session.answer.stored import answer_of
from tuner.session.measuring.culprits import of_disturbed
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.ledger import Ledger
from tuner.session.setup.plan import Plan
from tuner.store import Store
from tuner.version import __version__

# More finalists than these cannot be told apart in one plot.
MOST_CURVES: Final = 4
# What a run's own line shows.
OF_A_RUN: Final = ("latency_p50_us", "latency_p99_us", "rate_mps", "cpu_s")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles meanwhile: records have none, and looking through a hundred thousand again and again takes a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def content(store: Store, session: StoredSession) -> Row:
    """Return a session's report as JSON-ready values: one key a section, each with its `why` where it can be empty."""
    launches = evidence.Launches()
    seen, answer = Evidence.read(store, session, launches.take), answer_of(session)
    ledger, counted, launched = seen.ledger, totals(seen.ledger.runs), launches.found
    searched = course.searched(seen.gains)
    cast = _cast(ledger, session, answer)
    told = {role: described(seen, trial) for role, trial in cast.items()}
    return {
        "report": 1,
        "tuner": __version__,
        **_about(session, seen.plan),
        "verdict": _verdict(ledger, session, answer),
        "profiles": _profiles(told),
        "winner": _winner(answer),
        "advice": advice(answer),
        "costs": costs(_beside(seen, answer)),
        "pairs": pairs(answers.on_pairs(answer) if answer else None),
        "curves": curves(ledger, _finalists(cast)),
        "course": course.course(seen.gains, searched),
        "proposals": _proposals(answer),
        "worth": _worth(ledger, searched, answer),
        "interactions": _interactions(ledger, searched, answer),
        "tradeoff": _tradeoff(seen, cast),
        "held": held(seen),
        "loss": _loss([*told.values()]),
        "counted": _counted(counted, pointed_at(counted, seen.plan.stack)),
        "noise": _noise(seen, answer),
        "failures": _headed(*failure_rows(ledger.trials, ledger.runs)),
        "phases": _headed(*phase_rows(ledger.runs)),
        "doubts": [
            *map(dict, session.facts.get("doubts", ())),
            *map(doubt_to_json, answers.doubts(answer) if answer else ()),
            *map(doubt_to_json, evidence.unread(launches.left_out)),
        ],
        "facts": _facts(seen, session, launched),
        "evidence": evidence.launches(ledger.trials, ledger.runs, launched),
        "runs": [
            _run(ledger, run, each.ports, of_a_run(seen.plan)) for run, each in zip(ledger.runs, launched, strict=True)
        ],
    }


def _headed(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Row:
    return {"headers": headers, "rows": rows}


def _loss(told: Sequence[Described]) -> Row:
    """Return what several receivers of a multicast group lost, a row a profile and workload; no rows without several."""
    most = max((len(loss.lost) for each in told for loss in each.loss or ()), default=0)
    headers = ["profile", "workload", "sent", *(f"lost by receiver {number}" for number in range(1, most + 1))]
    rows = [
        [each.profile, loss.workload, f"{loss.sent:,}", *(f"{count:,}" for count in loss.lost)]
        for each in told
        for loss in each.loss or ()
    ]
    return {"headers": headers if rows else [], "rows": rows}


def _counted(counted: Mapping[str, Mapping[str, int]], found: Sequence[Finding]) -> Row:
    return {"counters": counted, "findings": plain(tuple(found))} if counted else {}


def _proposals(answer: Answer | None) -> list[str]:
    found = answers.searched(answer) if answer else None
    return list(proposals.sentences(found)) if found else []


def _about(session: StoredSession, plan: Plan) -> Row:
    return {
        "session": session.id,
        "created_at": session.created_at,
        "state": session.state,
        "kind": plan.kind,
        "stack": plan.stack,
        "objective": plan.objective.name,
        "judges": plan.objective.summary,
        "workloads": [each.key() for each in plan.workloads],
        "latency_is": plan.workloads[0].latency_is,
        "benchmark": chosen.called(plan.workloads[0]),
        "of_a_run": of_a_run(plan),
        "spent_s": session.spent_s,
        "budget_s": plan.budget_s,
    }


def _verdict(ledger: Ledger, session: StoredSession, answer: Answer | None) -> Row:
    """Return the verdict: its word, a headline that is read from far, the sentence with its interval, and the gain."""
    decided = answers.decision(answer) if answer else None
    word = decided or ("measured" if answer else session.state)
    baseline = ledger.trials[0].profile if ledger.trials else session.plan["baseline"]["profile"]
    gain = answers.gain(answer) if answer else None
    return {
        "answer": str(word),
        "headline": _headline(word, gain, baseline),
        "why": (answers.reason(answer) if answer else "") or _unfinished(session, answer),
        "gain": plain(gain),
        "baseline": baseline,
    }


def _headline(word: str, gain: Gain | None, baseline: str) -> str:
    if word in {Decision.IMPROVED, Decision.MINIMISED, Decision.MINIMAL} and gain:
        return words.headline(gain, baseline)
    told = {
        Decision.NOT_IMPROVED: f"No improvement over {baseline} found",
        Decision.FAILED: "The session failed",
        "measured": f"{baseline}, measured",
        State.STOPPED: "Stopped before a verdict",
        State.RUNNING: "No verdict yet",
    }
    return told.get(word, word.capitalize())


def _unfinished(session: StoredSession, answer: Answer | None) -> str:
    if answer:
        return "The profile was measured and not compared with another one."
    return f"All runs are kept. To continue: tuner sessions resume {session.id}"


def _cast(ledger: Ledger, session: StoredSession, answer: Answer | None) -> dict[str, Trial]:
    """Return the profiles that have a part to play, by their roles in the order of a table, each once."""
    named = [("baseline", trial) for trial in ledger.trials[:1]]
    final = _final(answer)
    winner = ledger.find(final.settings) if final else None
    known = [trial for trial in ledger.trials if trial.role is Role.KNOWN and ledger.tried(trial.number)]
    named += [
        ("start" if trial.profile == session.plan["start"] else f"known {trial.number}", trial) for trial in known
    ]
    rivals = answer.finalists if isinstance(answer, TuneAnswer) else ()
    finals = (ledger.find(each.described.settings) for each in rivals)
    named += [(f"finalist {trial.number}", trial) for trial in finals if trial is not None]
    if winner is not None and winner != ledger.trials[0]:
        named = [(role, trial) for role, trial in named if trial != winner] + [("winner", winner)]
    seen: dict[int, str] = {}
    return {role: trial for role, trial in named if seen.setdefault(trial.number, role) == role}


def _final(answer: Answer | None) -> Described | None:
    """Return the profile that an answer is about: the winner, or what the baseline was compared with."""
    if isinstance(answer, CompareAnswer):
        return answer.b
    winner = answers.winner(answer) if answer else None
    return winner.described if winner else None


def _beside(seen: Evidence, answer: Answer | None) -> Beside:
    """Return what the profile of an answer costs, as the runs say it: earlier releases did not store it."""
    final = _final(answer)
    trial = seen.ledger.find(final.settings) if final else None
    stored = answers.beside(answer) if answer else Beside()
    return beside(seen, trial) if trial and stored.costs is None and not stored.guards else stored


def _finalists(cast: Mapping[str, Trial]) -> list[Trial]:
    order = ["baseline", "winner", "start", *(role for role in cast if role.startswith("finalist"))]
    found = [cast[role] for role in order if role in cast]
    return (found if len(found) > 1 else [*cast.values()])[:MOST_CURVES]


def _profiles(told: Mapping[str, Described]) -> list[Row]:
    return [{"role": role.split(" ")[0]} | each.to_dict() for role, each in told.items()]


def _winner(answer: Answer | None) -> Row | None:
    found = answers.winner(answer) if answer else None
    return to_json(found) if found else None


def _settings(answer: Answer | None) -> Mapping[str, str]:
    """Return the settings of the winner, none where there is none."""
    found = answers.winner(answer) if answer else None
    return found.described.settings if found else {}


def _worth(ledger: Ledger, searched: course.Searched, answer: Answer | None) -> Row:
    """Return what each setting of the winner is worth: as minimising measured it, else by a model that says so."""
    if minimised := answers.minimisation(answer) if answer else None:
        rows = [_flat(each, kept=True) for each in minimised.kept]
        rows += [_flat(each, kept=False) for each in minimised.dropped]
        why = f"Measured: the profile with and without the setting, in the same {minimised.blocks} blocks."
        return {"source": "minimise", "why": why, "rows": rows}
    settings = _settings(answer)
    if not settings:
        return {"source": "none", "why": "Not computed: no winner with settings.", "rows": []}
    rows, why = course.model(ledger, searched, settings)
    return {"source": "model", "why": why, "rows": rows}


def _flat(worth: Worth, *, kept: bool) -> Row:
    gain = plain(worth.gain) or {"ratio": None, "low": None, "high": None}
    named = {"name": worth.name, "value": worth.value, "kept": kept, "why": worth.why}
    return named | {key: gain[key] for key in ("ratio", "low", "high")}


def _interactions(ledger: Ledger, searched: course.Searched, answer: Answer | None) -> Row:
    rows, why = course.interactions(ledger, searched, _settings(answer))
    return {"why": f"{why[:1].upper()}{why[1:]}.", "rows": rows}


def _tradeoff(seen: Evidence, cast: Mapping[str, Trial]) -> Row:
    """Return latency, rate and CPU of every profile that ran, and which of them no other clearly beats in all three."""
    if seen.plan.workloads[0].recipe:
        why = "Not drawn for a recipe: all that it reports stands in the table of profiles."
        return {"latency": "", "points": [], "why": why}
    latency = next((t.metric for t in seen.objective.terms if not t.higher_is_better), "latency_p50_us")
    roles = {trial.number: role.split(" ")[0] for role, trial in cast.items()}
    front = {each.described.profile: each for each in front_of(seen)}
    points = [
        {"profile": trial.profile, "role": roles.get(trial.number, trial.role), **_on_front(front.get(trial.profile))}
        | found
        for trial in seen.ledger.trials
        if (found := _point(seen, trial, latency))
    ]
    why = f"{heading(latency)} against messages received per second, and CPU seconds per run (client and server)."
    missing = f"Not computed: no profile reported {latency}, rate_mps and cpu_s together."
    return {"latency": latency, "points": points, "why": why if points else missing}


def _on_front(found: OnFront | None) -> Row:
    return {"front": found is not None, "label": found.label if found else "", "best_in": found.why if found else ""}


def _point(seen: Evidence, trial: Trial, latency: str) -> Row:
    """Return a profile's medians, nothing for one that lacks any."""
    if seen.ledger.status(trial.number) != Status.OK:
        return {}
    named = {"latency_us": latency, "rate_mps": "rate_mps", "cpu_s": "cpu_s"}
    values = seen.metrics.samples(trial.number)
    if not {*named.values()} <= values.keys():
        return {}
    return {name: statistics.median(values[metric]) for name, metric in named.items()}


def _noise(seen: Evidence, answer: Answer | None) -> Row:
    term, ledger = seen.objective.terms[0], seen.ledger
    why, calm = ledger.disturbed, host(seen)
    mine = [run for run in ledger.runs if run.trial == 0 and run.workload == term.workload]
    runs = [_of_baseline(run, term.metric, ledger.quarantined) for run in mine if term.metric in run.metrics()]
    calibration = answers.noise(answer) if answer else None
    return {
        "metric": term.metric,
        "words": words.noise(calibration) if calibration else [],
        "why": "" if calibration else "Not computed: this session has no calibration, so the noise is unknown.",
        "runs": runs,
        "host": to_json(calm) | {"sentence": words.not_calm(calm)},
        "disturbance": disturbance.sentence(calm),
        "unusual": disturbance.standing_out(calm),
        "advice": disturbance.advice(calm),
        "disturbed": [_disturbed(ledger, block, reasons) for block, reasons in why.items()],
    }


def _disturbed(ledger: Ledger, block: int, reasons: Sequence[str]) -> Row:
    culprits = disturbance.of_block(of_disturbed(ledger.runs_in(block)))
    found = {"block": block, "reasons": list(reasons), "culprits": culprits}
    return found | {"quarantined": block in ledger.quarantined}


def _of_baseline(run: Run, metric: str, quarantined: frozenset[int]) -> Row:
    named = {"run": run.number, "phase": run.phase, "block": run.block, "quarantined": run.block in quarantined}
    return named | {"value": run.metrics()[metric]}


def _facts(seen: Evidence, session: StoredSession, launched: Sequence[evidence.Launched]) -> Row:
    host = _of_hosts(session.facts)
    plan = session.plan
    found = evidence.versions(launched)
    measured = {"stack": plan["stack"], "in its banner": ", ".join(found["library"]) or None}
    measured |= {"preloaded": ", ".join(plan["preloads"]), **_programs(seen.plan, found["benchmark"])}
    measured |= {"optimizer": plan["optimizer"], "seed": plan["seed"], "tuner": session.facts.get("tuner")}
    return {"host": host, "measured with": measured}


def _of_hosts(facts: Mapping[str, Any]) -> Row:
    """Return what the hosts are: the one, or that of each end with the way between them."""
    ends, way = _table(facts.get("ends")), _table(facts.get("path"))
    if not ends:
        return {name: value for name, value in facts.items() if name not in {"doubts", "tuner"}}
    each = {f"{end} {name}": value for end, of_end in ends.items() for name, value in _table(of_end).items()}
    devices = {f"{end} device": _device(_table(way.get(end))) for end in ends}
    return each | devices | {"server address": way.get("address"), "client address": way.get("source")}


def _table(value: object) -> Mapping[str, Any]:
    """Return an object of JSON, an empty one for anything else: who wrote the store is not known."""
    return value if isinstance(value, Mapping) else {}


def _device(link: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in link.items() if value is not None)


def _run(ledger: Ledger, run: Run, ports: str, shown: Sequence[str]) -> Row:
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
        "ports": ports,
        "quarantined": run.block in ledger.quarantined,
        **{metric: metrics.get(metric) for metric in shown},
    }


def _programs(plan: Plan, versions: Sequence[str]) -> Row:
    """Return what was measured with: our own benchmark and what it says of itself, or a recipe and its programs."""
    recipe = plan.workloads[0].recipe
    if recipe:
        programs = {f"{end}: {name}": path for end, paths in plan.programs.items() for name, path in paths.items()}
        return {"recipe": f"{recipe.name}, SHA-256 {recipe.fingerprint}", **programs}
    name = plan.benchmark.name
    return {name: plan.program, f"{name} says": ", ".join(versions) or None, "fast start": plan.fast_start}


def of_a_run(plan: Plan) -> list[str]:
    """Return the metrics that a run's own line shows."""
    if not plan.workloads[0].recipe:
        return list(OF_A_RUN)
    return list(dict.fromkeys([*plan.objective.metrics_of(0), "cpu_s"]))


def texts(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the facts of a part of the report as name and text; what is not known is said so."""
    for name, value in about.items():
        yield name.replace("_", " "), "unknown" if value is None else str(value)
