"""A profile out of what was taken from a file: values as the library reads them, and what it would not take left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner import catalogue
from tuner.catalogue import reading
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.reading import Fate
from tuner.errors import Finding, Skipped, UsageError, error, warning
from tuner.intake.form import shown
from tuner.intake.taken import Asked, Taken, taken
from tuner.profiles.profile import Place, Profile, errors_in, problems

_NO_NAME: Final = re.compile(r"[^a-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Intake:
    """A profile, the settings as they stand in the file, everything that was left out, and what has to be said."""

    profile: Profile
    settings: Mapping[str, str]
    taken: Taken
    skipped: tuple[Skipped, ...]
    findings: tuple[Finding, ...]

    @property
    def unknown(self) -> frozenset[str]:
        """The names that are kept although the catalogue does not have them."""
        return frozenset(self.settings) - catalogue.load(self.profile.stack).parameters.keys()


def intake(path: Path, asked: Asked, name: str = "") -> Intake:
    """Return the profile that a file says; raise `UsageError` where it says nothing that a stack would take."""
    found = taken(path, asked)
    known = catalogue.load(found.stack)
    read = {key: as_read(known, key, text) for key, text in found.settings.items()}
    refused = {key: why for key, (value, why) in read.items() if value is None}
    kept = {key: value for key, (value, _) in read.items() if value is not None}
    skipped = [Skipped(found.places[key], shown(f"{key}={found.settings[key]}"), why) for key, why in refused.items()]
    if not kept:
        told = [error(each.where, f"{each.text!r}: {each.why}") for each in skipped]
        raise UsageError(f"{path} has only settings that {found.stack} does not accept", findings=told)
    reasons = {
        key: f"Written as {shown(found.settings[key])!r}: {why}" for key, (value, why) in read.items() if value and why
    }
    told = [warning(found.places[key], f"{key}: {why}") for key, (value, why) in read.items() if value and why]
    profile = Profile(
        name or name_for(path), found.stack, kept, f"Imported from {path.name!r}.", reasons=reasons, place=Place.FILE
    )
    return Intake(
        profile,
        {key: found.settings[key] for key in kept},
        found,
        (*found.skipped, *skipped),
        (*found.findings, *told),
    )


def unusable(found: Intake, source: str) -> tuple[Finding, ...]:
    """Return what keeps the profile from being used, but for names that the caller wanted kept."""
    marks = tuple(f"settings.{name}" for name in found.unknown)
    return tuple(
        each for each in errors_in(problems(found.profile, source=source)) if not each.where.endswith(marks or ("\0",))
    )


def name_for(path: Path) -> str:
    """Return a name that a profile may have, after a file's."""
    return _NO_NAME.sub("-", path.stem.lower()).strip("-._") or "imported"


def as_read(known: Catalogue, name: str, text: str) -> tuple[str | None, str]:
    """Return what a profile holds for a text, and why that is not plainly the text.

    That is what the library makes of it, the text itself where that is no value either, None where it is ignored.
    """
    parameter = known.parameters.get(name)
    if parameter is None or (problem := parameter.problem(text)) is None:
        return text, ""
    release = known.releases[-1]
    read = reading.read(parameter, text, release, parameter.default(release) or "")
    told = f"{shown(text)!r} is not a valid value for {name}: it {problem}{_carriage_return(text)}"
    if read.fate not in {Fate.APPLIED, Fate.CLAMPED}:
        return None, told
    return (read.value, read.why or told) if parameter.problem(read.value) is None else (text, told)


def _carriage_return(text: str) -> str:
    return "; it ends in a carriage return, because the lines of the file end in CR LF" if text.endswith("\r") else ""
