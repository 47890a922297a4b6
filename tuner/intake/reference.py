"""A profile by its name, or out of whatever file holds settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import Finding, UsageError, warning
from tuner.intake.profile import intake, unusable
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
        raise UsageError(f"{reference} sets what {found.profile.stack} would not take", findings=errors)
    left_out = (warning(each.where, f"left out: {each.text}: {each.why}") for each in found.skipped)
    return Meant(found.profile, (*found.findings, *left_out))


def is_file(reference: str) -> bool:
    """Return whether a reference is a file of settings and not the name or the file of a profile."""
    return not reference.endswith(".toml") and ("/" in reference or "." in reference) and Path(reference).is_file()
