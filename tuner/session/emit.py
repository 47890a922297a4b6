"""Emit: the winner as a profile file, and a summary that people read, in the session's own folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuner import __version__
from tuner.measure.statistics import Estimate, Gain, gain, summarise
from tuner.profile_files import save
from tuner.profiles import Place, Profile
from tuner.session import quarantine
from tuner.session.calibrate import calibration_json
from tuner.session.ledger import CALIBRATE, CHOOSE, CONFIRM, SEARCH, Ledger
from tuner.session.session import Session
from tuner.session.verdict import Answer, Verdict, spoken
from tuner.store import TrialRow

BEST = "best"


def emit(session: Session, verdict: Verdict, folder: Path) -> dict[str, Any]:
    """Write the winner's profile if there is one, and return the verdict in its JSON form."""
    path = _write_best(session, verdict, folder) if verdict.answer is Answer.IMPROVED else None
    return _answer(session, verdict, path)


def _write_best(session: Session, verdict: Verdict, folder: Path) -> Path:
    winner = verdict.winner or session.baseline
    found = verdict.gain_of(winner)
    origin = {
        "session": session.ledger.session,
        "tuner": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "found_as": winner.profile,
        "objective": session.plan.objective,
        "workload": "; ".join(workload.key() for workload in session.plan.workloads),
        "baseline": session.baseline.profile,
        "verdict": spoken(found) if found else verdict.why,
    }
    path = folder / f"{BEST}.toml"
    summary = f"Best for {session.plan.objective} in session {session.ledger.session}."
    profile = Profile(
        name=BEST,
        stack=session.plan.stack,
        settings=winner.settings,
        summary=summary,
        reasons=_reasons(session, winner),
        origin=origin,
        place=Place.SESSION,
    )
    save(profile, path, overwrite=True)
    return path


def _reasons(session: Session, winner: TrialRow) -> dict[str, str]:
    """Return where each setting of the winner comes from; what each is worth alone was not measured."""
    if winner.role == "known":
        return dict.fromkeys(winner.settings, f"as in profile {winner.profile}")
    kept = winner.settings.items() & session.plan.fixed.items()
    return {
        name: f"kept from profile {session.plan.start}" if (name, value) in kept else "found by the search"
        for name, value in winner.settings.items()
    }


def _answer(session: Session, verdict: Verdict, path: Path | None) -> dict[str, Any]:
    winner = verdict.winner or session.baseline
    ledger = session.ledger
    known = [trial for trial in ledger.trials if trial.role == "known" and ledger.tried(trial.number)]
    host = quarantine.found_in(ledger.runs)
    return {
        "session": ledger.session,
        "verdict": verdict.answer.value,
        "why": _why(verdict, host),
        "stack": session.plan.stack,
        "objective": session.plan.objective,
        "workload": session.plan.workloads[0].to_dict(),
        "workloads": [workload.to_dict() for workload in session.plan.workloads],
        "baseline": described(ledger, session.baseline),
        "winner": described(ledger, winner) | {"path": str(path) if path else None},
        "known": [described(ledger, trial) for trial in known],
        "gain": _gain_json(verdict.gain_of(winner)),
        "gain_over_start": _gain_json(verdict.over_start),
        "finalists": [
            described(ledger, trial) | {"gain": _gain_json(verdict.gain_of(trial))} for trial in verdict.finalists
        ],
        "doubts": [asdict(doubt) for doubt in verdict.doubts],
        "trials": ledger.counts(),
        "runs": len(ledger.runs),
        "calibration": calibration_json(session),
        **host,
        "time": _time(session),
    }


def _why(verdict: Verdict, host: Mapping[str, Any]) -> str:
    """Return the reason of a verdict, and what must be said of a host that never calmed down."""
    return "; ".join(filter(None, [verdict.why, quarantine.sentence(host["host"])]))


def comparison(session: Session, verdict: Verdict, other: TrialRow) -> dict[str, Any]:
    """Return what a comparison found: both profiles, and how many times better the second is than the first."""
    host = quarantine.found_in(session.ledger.runs)
    return {
        "session": session.ledger.session,
        "verdict": verdict.answer.value,
        "why": _why(verdict, host),
        "a": described(session.ledger, session.baseline),
        "b": described(session.ledger, other),
        "gain": _gain_json(verdict.gain_of(other)),
        "doubts": [asdict(doubt) for doubt in verdict.doubts],
        **host,
        "time": _time(session),
    }


def _time(session: Session) -> dict[str, Any]:
    by_phase = {
        phase: round(sum(run.wall_s for run in session.ledger.runs if run.phase == phase), 3)
        for phase in (CALIBRATE, SEARCH, CHOOSE, CONFIRM)
    }
    spent = {"wall_s": round(session.clock.spent_s(), 3), "runs_s": round(session.ledger.runs_s, 3)}
    return spent | {"budget_s": session.plan.budget_s, "runs_by_phase_s": by_phase}


def described(ledger: Ledger, trial: TrialRow) -> dict[str, Any]:
    """Return a profile with its metrics in the JSON form of `measure` and `tune`."""
    return profile_json(trial.profile, trial.settings, ledger.samples(trial.number)) | {
        "search_gain": _gain_json(_gain(ledger.gains(trial.number, SEARCH))),
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
