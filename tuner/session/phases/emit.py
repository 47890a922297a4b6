"""Emit: the winner as a profile file, and a summary that people read, in the session's own folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuner import __version__
from tuner.judging.statistics import Estimate, Gain, gain, summarise
from tuner.profiles.files import save
from tuner.profiles.profile import Place, Profile
from tuner.records import Phase, Role, Trial
from tuner.results import BEST
from tuner.session.answer.pareto_front import front_of
from tuner.session.measuring import quarantine
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.session import Session
from tuner.session.phases.calibrate import calibration_json, doubts
from tuner.session.phases.minimise import Minimised, Worth, unseen
from tuner.session.phases.verdict import Answer, Verdict, spoken


@dataclass(frozen=True, slots=True)
class Emitted:
    """The profile that a session ends with: its own gain over the baseline, and that in words."""

    trial: Trial
    gain: Gain | None
    why: str
    reasons: Mapping[str, str]


def emit(session: Session, verdict: Verdict, shorter: Minimised | None, folder: Path) -> dict[str, Any]:
    """Write the winner's profile if there is one, minimised if it was, and return the verdict in its JSON form."""
    emitted = _emitted(session, verdict, shorter)
    path = _write_best(session, emitted, folder) if verdict.answer is Answer.IMPROVED else None
    answer = _answer(session, verdict, emitted, shorter, path)
    return answer | ({"pareto": front_json(session.ledger)} if session.plan.objective.name == "balanced" else {})


def _emitted(session: Session, verdict: Verdict, shorter: Minimised | None) -> Emitted:
    winner = verdict.winner or session.baseline
    origins = _reasons(session, winner)
    if shorter is None:
        return Emitted(winner, verdict.gain_of(winner), verdict.why, origins)
    reasons = {worth.name: f"{worth.why}; {origins[worth.name]}" for worth in shorter.kept}
    if shorter.gain is None or not shorter.dropped:
        return Emitted(winner, verdict.gain_of(winner), verdict.why, reasons)
    why = f"{winner.profile} without {_names(shorter.dropped)} is {spoken(shorter.gain)} as {session.baseline.profile}"
    return Emitted(shorter.profile, shorter.gain, f"{why}; with: {verdict.why}", reasons)


def _names(worths: Sequence[Worth]) -> str:
    return ", ".join(worth.name for worth in worths)


def _write_best(session: Session, emitted: Emitted, folder: Path) -> Path:
    winner = emitted.trial
    origin = {
        "session": session.ledger.session,
        "tuner": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "found_as": winner.profile,
        "objective": session.plan.objective.name,
        "workload": "; ".join(workload.key() for workload in session.plan.workloads),
        "baseline": session.baseline.profile,
        "verdict": f"{spoken(emitted.gain)} as {session.baseline.profile}" if emitted.gain else emitted.why,
    }
    path = folder / f"{BEST}.toml"
    summary = f"Best for {session.plan.objective.name} in session {session.ledger.session}."
    profile = Profile(
        name=BEST,
        stack=session.plan.stack,
        settings=winner.settings,
        summary=summary,
        reasons=emitted.reasons,
        origin=origin,
        place=Place.SESSION,
    )
    save(profile, path, overwrite=True)
    return path


def _reasons(session: Session, winner: Trial) -> dict[str, str]:
    """Return where each setting of the winner comes from."""
    if winner.role in {Role.BASELINE, Role.KNOWN}:
        return dict.fromkeys(winner.settings, f"as in profile {winner.profile}")
    kept = winner.settings.items() & session.plan.fixed.items()
    return {
        name: f"kept from profile {session.plan.start}" if (name, value) in kept else "found by the search"
        for name, value in winner.settings.items()
    }


def _answer(
    session: Session, verdict: Verdict, emitted: Emitted, shorter: Minimised | None, path: Path | None
) -> dict[str, Any]:
    ledger = session.ledger
    found = [*verdict.doubts, *doubts(session), *(unseen(shorter) if shorter else ())]
    known = [trial for trial in ledger.trials if trial.role is Role.KNOWN and ledger.tried(trial.number)]
    host = quarantine.found_in(ledger.runs)
    return {
        "session": ledger.session,
        "verdict": verdict.answer.value,
        "why": _why(emitted.why, host),
        "stack": session.plan.stack,
        "objective": session.plan.objective.name,
        "workload": session.plan.workloads[0].to_dict(),
        "workloads": [workload.to_dict() for workload in session.plan.workloads],
        "baseline": described(ledger, session.baseline),
        "winner": described(ledger, emitted.trial) | {"path": str(path) if path else None},
        "known": [described(ledger, trial) for trial in known],
        "gain": _gain_json(emitted.gain),
        "gain_over_start": _gain_json(verdict.over_start),
        "finalists": [
            described(ledger, trial) | {"gain": _gain_json(verdict.gain_of(trial))} for trial in verdict.finalists
        ],
        "doubts": [asdict(doubt) for doubt in found],
        "minimised": _minimised_json(shorter) if shorter else None,
        "trials": ledger.counts(),
        "runs": len(ledger.runs),
        "calibration": calibration_json(session),
        **host,
        "time": _time(session),
    }


def _why(why: str, host: Mapping[str, Any]) -> str:
    """Return the reason of a verdict, and what must be said of a host that never calmed down."""
    return "; ".join(filter(None, [why, quarantine.sentence(host["host"])]))


def comparison(session: Session, verdict: Verdict, other: Trial) -> dict[str, Any]:
    """Return what a comparison found: both profiles, and how many times better the second is than the first."""
    host = quarantine.found_in(session.ledger.runs)
    return {
        "session": session.ledger.session,
        "verdict": verdict.answer.value,
        "why": _why(verdict.why, host),
        "a": described(session.ledger, session.baseline),
        "b": described(session.ledger, other),
        "gain": _gain_json(verdict.gain_of(other)),
        "doubts": [asdict(doubt) for doubt in verdict.doubts],
        **host,
        "time": _time(session),
    }


def minimisation(session: Session, shorter: Minimised, folder: Path) -> dict[str, Any]:
    """Write the minimised profile, and return what was dropped and what the rest is worth as JSON.

    The answer is `failed`, and nothing is written, when no setting could be judged and none dropped.
    """
    baseline, original = session.baseline.profile, shorter.original.profile
    kept = f"{len(shorter.kept)} of {len(shorter.original.settings)} settings of {original} stay"
    gained = f"; that is {spoken(shorter.gain)} as {baseline}" if shorter.gain else ""
    failed = not shorter.dropped and all(worth.gain is None for worth in shorter.kept)
    reasons = {worth.name: worth.why for worth in shorter.kept}
    emitted = Emitted(shorter.profile, shorter.gain, f"{kept}{gained}", reasons)
    path = None if failed else _write_best(session, emitted, folder)
    ledger = session.ledger
    host = quarantine.found_in(ledger.runs)
    why = f"no setting of {original} could be judged: {shorter.kept[0].why}" if failed else emitted.why
    return {
        "session": ledger.session,
        "verdict": "failed" if failed else "minimised" if shorter.dropped else "minimal",
        "why": _why(why, host),
        "stack": session.plan.stack,
        "objective": session.plan.objective.name,
        "workload": session.plan.workloads[0].to_dict(),
        "workloads": [workload.to_dict() for workload in session.plan.workloads],
        "baseline": described(ledger, session.baseline),
        "known": [described(ledger, shorter.original)],
        "winner": described(ledger, shorter.profile) | {"path": str(path) if path else None},
        "gain": _gain_json(shorter.gain),
        "minimised": _minimised_json(shorter),
        "trials": ledger.counts(),
        "runs": len(ledger.runs),
        **host,
        "time": _time(session),
    }


def _minimised_json(shorter: Minimised) -> dict[str, Any]:
    return {
        "from": shorter.original.profile,
        "kept": [_worth_json(worth) for worth in shorter.kept],
        "dropped": [_worth_json(worth) for worth in shorter.dropped],
        "gain_of_original": _gain_json(shorter.cost),
        "blocks": shorter.blocks,
    }


def _worth_json(worth: Worth) -> dict[str, Any]:
    return {"name": worth.name, "value": worth.value, "gain": _gain_json(worth.gain), "why": worth.why}


def front_json(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the profiles that none other beats in latency, rate and CPU together, as JSON."""
    return [described(ledger, trial) for trial in front_of(ledger)]


def _time(session: Session) -> dict[str, Any]:
    by_phase = {
        phase: round(sum(run.wall_s for run in session.ledger.runs if run.phase == phase), 3) for phase in Phase
    }
    spent = {"wall_s": round(session.clock.spent_s(), 3), "runs_s": round(session.ledger.runs_s, 3)}
    return spent | {"budget_s": session.plan.budget_s, "runs_by_phase_s": by_phase}


def described(ledger: Ledger, trial: Trial) -> dict[str, Any]:
    """Return a profile with its metrics in the JSON form of `measure` and `tune`."""
    return profile_json(trial.profile, trial.settings, ledger.samples(trial.number)) | {
        "search_gain": _gain_json(_gain(ledger.gains(trial.number, Phase.SEARCH))),
        "status": ledger.status(trial.number).value,
    }


def profile_json(name: str, settings: Mapping[str, str], samples: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return a profile, its settings, and each metric's median with its interval and number of runs."""
    metrics = {metric: _estimate_json(found) for metric, found in summarise(samples).items()}
    return {"profile": name, "settings": dict(settings), "metrics": metrics}


def _estimate_json(found: Estimate) -> dict[str, Any]:
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "runs": found.count,
        "confidence": round(found.confidence, 4),
    }


def _gain(gains: Sequence[float]) -> Gain | None:
    return gain(gains) if gains else None


def _gain_json(found: Gain | None) -> dict[str, Any] | None:
    """Return a gain as JSON; an interval of one block is unbounded, which JSON says with null."""
    if found is None:
        return None
    bounded = found.blocks > 1
    return {
        "ratio": found.ratio,
        "low": found.low if bounded else None,
        "high": found.high if bounded else None,
        "confidence": found.confidence,
        "blocks": found.blocks,
    }
