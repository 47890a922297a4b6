"""A profile by its name, or out of whatever file holds settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tuner.errors import Finding, UsageError, warning
from tuner.intake.owners import is_stacks
from tuner.intake.profile import Intake, intake, unusable
from tuner.intake.taken import Asked
from tuner.profiles.library import Shelf, load
from tuner.profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class Meant:
    """The profile that was meant, and what is said of a file that it was read out of."""

    profile: Profile
    findings: tuple[Finding, ...] = ()


def meant(reference: str, stack: str | None, places: Sequence[Shelf]) -> Meant:
    """Return the profile that `reference` names, as `profiles.library.load` does, or what a file of settings says."""
    if not is_file(reference):
        return Meant(load(reference, stack, places))
    path = Path(reference)
    found = intake(path, Asked(stack=stack))
    if errors := unusable(found, reference):
        raise UsageError(f"{reference} has settings that {found.profile.stack} does not accept", findings=errors)
    left_out = (warning(each.where, f"left out: {each.text}: {each.why}") for each in found.skipped)
    return Meant(found.profile, (*found.findings, *left_out))


def said_of(references: Iterable[str | None], stack: str | None) -> tuple[Finding, ...]:
    """Return what is said of the settings in those references that are files, each with its place in its words."""
    files = (reference for reference in references if reference is not None and is_file(reference))
    said = (finding for file in files for finding in _of_settings(intake(Path(file), Asked(stack=stack))))
    return tuple(replace(finding, message=f"{finding.where}: {finding.message}") for finding in said)


def _of_settings(found: Intake) -> tuple[Finding, ...]:
    lost = [each for each in found.skipped if is_stacks(each.text.partition("=")[0])]
    advice = "write its value into the file"
    return (*found.findings, *(warning(each.where, f"left out: {each.text}: {each.why}", advice) for each in lost))


def is_file(reference: str) -> bool:
    """Return whether a reference is a file of settings and not the name or the file of a profile."""
    return not reference.endswith(".toml") and ("/" in reference or "." in reference) and Path(reference).is_file()
