"""Emit: the profile that a session ends with, as a file in the session's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from tuner.catalogue.releases import Releases
from tuner.profiles.files import save
from tuner.profiles.profile import Place, Profile, errors_in, problems
from tuner.records import Role, Trial
from tuner.results import BEST, MINIMAL, Results
from tuner.session.answer import words
from tuner.session.answer.answers import Answer, MinimiseAnswer, TuneAnswer
from tuner.session.answer.parts import Decision, Minimal
from tuner.session.measuring.evidence import Evidence
from tuner.version import __version__


def emit(evidence: Evidence, answer: Answer, results: Results) -> Answer:
    """Write the profiles that an answer ends with, if it ends with one; return the answer with their paths."""
    if not isinstance(answer, TuneAnswer | MinimiseAnswer) or not emits(answer):
        return answer
    best, minimal = results.best(answer.session), results.minimal(answer.session)
    release = evidence.plan.release
    save(_for(release, _best(evidence, answer)), best, overwrite=True, follow=False)
    if isinstance(answer, TuneAnswer) and answer.advice.minimal:
        shorter = _minimal(evidence, answer, answer.advice.minimal)
        save(_for(release, shorter), minimal, overwrite=True, follow=False)
    return with_paths(answer, str(best), str(minimal))


def emits(answer: TuneAnswer | MinimiseAnswer) -> bool:
    """Return whether an answer ends with a profile that is worth a file."""
    return answer.verdict in {Decision.IMPROVED, Decision.MINIMISED, Decision.MINIMAL} or answer.winner.only_believed


def with_paths(answer: Answer, best: str | None, minimal: str | None) -> Answer:
    """Return an answer that says where its profiles were written, if it ends with one."""
    if not isinstance(answer, TuneAnswer | MinimiseAnswer) or not emits(answer):
        return answer
    found = replace(answer, winner=replace(answer.winner, path=best))
    if isinstance(found, TuneAnswer) and found.advice.minimal:
        return replace(found, advice=replace(found.advice, minimal=replace(found.advice.minimal, path=minimal)))
    return found


def _for(release: str | None, profile: Profile) -> Profile:
    """Return a profile, said to be for the release that it was measured under where the newest one would not run it."""
    if release is None or not errors_in(problems(profile)):
        return profile
    return replace(profile, releases=Releases((("==", release),)))


def _best(evidence: Evidence, answer: TuneAnswer | MinimiseAnswer) -> Profile:
    winner = answer.winner.described
    return Profile(
        name=BEST,
        stack=answer.task.stack,
        settings=winner.settings,
        summary=_summary(answer),
        reasons=_reasons(evidence, answer),
        origin=_origin(evidence, answer),
        place=Place.SESSION,
    )


def _summary(answer: TuneAnswer | MinimiseAnswer) -> str:
    found = f"est for {answer.task.objective} in session {answer.session}"
    if answer.winner.only_believed:
        return f"Probably b{found}; not shown to be better than {answer.baseline.profile}."
    return f"B{found}."


def _minimal(evidence: Evidence, answer: TuneAnswer, minimal: Minimal) -> Profile:
    reasons = _reasons(evidence, answer)
    verdict = words.minimal(minimal, answer.winner.described.profile, answer.baseline.profile)
    return Profile(
        name=MINIMAL,
        stack=answer.task.stack,
        settings=minimal.settings,
        summary=f"The settings that session {answer.session} showed to contribute to {answer.task.objective}.",
        reasons={name: reasons[name] for name in minimal.settings if name in reasons},
        origin=_origin(evidence, answer) | {"verdict": verdict},
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
        "verdict": words.compared(answer.winner.described.profile, answer.gain, baseline)
        if answer.gain
        else answer.why,
        **({"sockets": answer.circumstances.sockets} if answer.circumstances.sockets else {}),
    }


def _reasons(evidence: Evidence, answer: TuneAnswer | MinimiseAnswer) -> Mapping[str, str]:
    """Return what each setting contributes, and in a tuning where it comes from."""
    if isinstance(answer, MinimiseAnswer):
        return {worth.name: worth.why for worth in answer.minimised.kept}
    contributions = {each.name: each.why for each in answer.advice.recommended}
    winner = answer.winner.described.settings
    origins = _origins(evidence, _original(evidence, answer))
    return {name: "; ".join(filter(None, (contributions.get(name), origins.get(name)))) for name in winner}


def _original(evidence: Evidence, answer: TuneAnswer) -> Trial:
    """Return the trial that won, before its settings were minimised."""
    name = answer.minimised.original if answer.minimised else answer.winner.described.profile
    return next((trial for trial in evidence.ledger.trials if trial.profile == name), evidence.baseline)


def _origins(evidence: Evidence, winner: Trial) -> dict[str, str]:
    """Return where each setting of the winner comes from."""
    if winner.role in {Role.BASELINE, Role.KNOWN}:
        return dict.fromkeys(winner.settings, f"as in profile {winner.profile}")
    kept = winner.settings.items() & evidence.plan.fixed.items()
    return {
        name: f"kept from profile {evidence.plan.start}" if (name, value) in kept else "found by the search"
        for name, value in winner.settings.items()
    }
