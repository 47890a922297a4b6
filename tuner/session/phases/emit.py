"""Emit: the profile that a session ends with, as a file in the session's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tuner.profiles.files import save
from tuner.profiles.profile import Place, Profile
from tuner.records import Role, Trial
from tuner.results import BEST
from tuner.session.answer.answers import Answer, MinimiseAnswer, TuneAnswer
from tuner.session.answer.parts import Decision
from tuner.session.answer.words import compared
from tuner.session.measuring.evidence import Evidence
from tuner.version import __version__


def emit(evidence: Evidence, answer: Answer, path: Path) -> Answer:
    """Write the profile that an answer ends with, if it ends with one; return the answer with its path."""
    if not isinstance(answer, TuneAnswer | MinimiseAnswer) or not emits(answer):
        return answer
    save(_profile(evidence, answer), path, overwrite=True, follow=False)
    return with_path(answer, str(path))


def emits(answer: TuneAnswer | MinimiseAnswer) -> bool:
    """Return whether an answer ends with a profile that is worth a file."""
    return answer.verdict in {Decision.IMPROVED, Decision.MINIMISED, Decision.MINIMAL}


def with_path(answer: Answer, path: str | None) -> Answer:
    """Return an answer that says where its profile was written, if it ends with one."""
    if not isinstance(answer, TuneAnswer | MinimiseAnswer) or not emits(answer):
        return answer
    return replace(answer, winner=replace(answer.winner, path=path))


def _profile(evidence: Evidence, answer: TuneAnswer | MinimiseAnswer) -> Profile:
    winner = answer.winner.described
    return Profile(
        name=BEST,
        stack=answer.task.stack,
        settings=winner.settings,
        summary=f"Best for {answer.task.objective} in session {answer.session}.",
        reasons=_reasons(evidence, answer),
        origin=_origin(evidence, answer),
        place=Place.SESSION,
    )


def _origin(evidence: Evidence, answer: TuneAnswer | MinimiseAnswer) -> dict[str, str]:
    baseline = evidence.baseline.profile
    return {
        "session": answer.session,
        "tuner": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "found_as": answer.winner.described.profile,
        "objective": answer.task.objective,
        "workload": "; ".join(workload.key() for workload in answer.task.workloads),
        "baseline": baseline,
        "verdict": compared(answer.winner.described.profile, answer.gain, baseline) if answer.gain else answer.why,
        **({"sockets": answer.circumstances.sockets} if answer.circumstances.sockets else {}),
    }


def _reasons(evidence: Evidence, answer: TuneAnswer | MinimiseAnswer) -> Mapping[str, str]:
    """Return what each setting is worth, where that was measured, and in a tuning where it comes from."""
    worths = {worth.name: worth.why for worth in answer.minimised.kept} if answer.minimised else {}
    if isinstance(answer, MinimiseAnswer):
        return worths
    return {
        name: f"{worths[name]}; {origin}" if name in worths else origin
        for name, origin in _origins(evidence, _original(evidence, answer)).items()
        if name in answer.winner.described.settings
    }


def _original(evidence: Evidence, answer: TuneAnswer) -> Trial:
    """Return the trial that won, before its settings were minimised."""
    judged = next(each.described for each in answer.finalists if each.gain)
    return evidence.ledger.find(judged.settings) or evidence.baseline


def _origins(evidence: Evidence, winner: Trial) -> dict[str, str]:
    """Return where each setting of the winner comes from."""
    if winner.role in {Role.BASELINE, Role.KNOWN}:
        return dict.fromkeys(winner.settings, f"as in profile {winner.profile}")
    kept = winner.settings.items() & evidence.plan.fixed.items()
    return {
        name: f"kept from profile {evidence.plan.start}" if (name, value) in kept else "found by the search"
        for name, value in winner.settings.items()
    }
