"""Profiles as TOML files, with the reason for each setting as the comment above it.

Files are untrusted: they are bounded in size, names cannot lead out of their folder, and everything that is wrong
with a file is said at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from tuner import atomic_file, catalogue
from tuner.catalogue import Catalogue, releases
from tuner.catalogue.releases import Releases
from tuner.errors import Finding, UsageError, error
from tuner.profiles.profile import Place, Profile, errors_in, problems
from tuner.terminal_text import shown
from tuner.toml_text import Table, assignment, comment, comments, parsed
from tuner.untrusted import text_of

# Below the longest string that Linux passes in an environment (128 KiB): no value can be too long to run.
MAX_BYTES: Final = 64 * 1024

_KEYS: Final = ("name", "stack", "summary", "extends", "releases", "settings", "origin")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds (None when it cannot be understood at all) and everything that is wrong with it.

    `of_form` is what is wrong with the file itself, `of_values` what a release makes of its settings, and `of_name` why
    it would not be found by its name.
    """

    profile: Profile | None
    of_form: tuple[Finding, ...]
    of_values: tuple[Finding, ...] = ()
    of_name: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong."""
        return (*self.of_form, *self.of_values, *self.of_name)


def read(path: Path, place: Place = Place.FILE) -> Profile:
    """Return the profile in the file `path`; raise `UsageError` with every error in it.

    A file that is named by its path need not have the name of its profile.
    """
    reading = examine(path, place)
    by_path = (*reading.of_form, *reading.of_values)
    errors = errors_in(by_path if place is Place.FILE else reading.findings)
    if reading.profile is None or errors:
        raise UsageError(f"{path} is not a usable profile", findings=errors)
    return reading.profile


def as_written(path: Path, place: Place = Place.FILE) -> Profile:
    """Return the profile in the file `path` although a release would make something else of its values.

    For whoever wants to see what a library makes of them. Raise `UsageError` with every error in the file where it is
    none that can be read, sets what is no variable of its stack, or extends another.
    """
    reading = examine(path, place)
    profile = reading.profile
    if profile is None or errors_in(reading.of_form) or profile.extends or not _can_be_set(profile):
        return read(path, place)
    return profile


def _can_be_set(profile: Profile) -> bool:
    """Return whether a library can be given the settings: each a variable of the stack, with text that it can hold."""
    if not catalogue.is_stack(profile.stack):
        return False
    known = profile.settings.keys() <= catalogue.load(profile.stack).parameters.keys()
    return known and not any("\0" in text for text in profile.settings.values())


def examine(path: Path, place: Place = Place.FILE, release: str | None = None) -> Reading:
    """Return the profile in the file `path` and what is wrong with it; a bad file is a finding, never an exception."""
    text = text_of(path, MAX_BYTES, "a profile")
    if isinstance(text, Finding):
        return Reading(None, (text,))
    reading = parse(text, str(path), release)
    if reading.profile is None:
        return reading
    profile = replace(reading.profile, path=path, place=place)
    of_form = (*reading.of_form, *_misplaced(profile, path))
    return replace(reading, profile=profile, of_form=of_form, of_name=_misnamed(profile, path))


def parse(text: str, source: str, release: str | None = None) -> Reading:
    """Return the profile that `text` describes and what is wrong with it; `source` names the file in findings."""
    try:
        data, reasons = _content(text)
    except ValueError as reason:
        return Reading(None, (error(source, f"is not TOML: {shown(str(reason))}"),))
    table = Table(data, source, _KEYS)
    profile = _profile(table, reasons)
    told = {finding.where for finding in table.findings}
    more = tuple(finding for finding in problems(profile, release, source) if finding.where not in told)
    return Reading(profile, tuple(table.findings), more)


def write(profile: Profile) -> str:
    """Return the profile as the text of a file; reading that gives the same profile back."""
    head = {"summary": profile.summary, "extends": profile.extends, "releases": str(profile.releases)}
    lines = [assignment("name", profile.name), assignment("stack", profile.stack)]
    lines += [assignment(key, value) for key, value in head.items() if value]
    lines += ["", "[settings]"]
    for name, value in profile.settings.items():
        lines += [*comment(profile.reasons.get(name, "")), assignment(name, value)]
    if profile.origin is not None:
        lines += ["", "[origin]", *(assignment(key, value) for key, value in profile.origin.items())]
    return "\n".join(lines) + "\n"


def save(
    profile: Profile,
    path: Path,
    *,
    overwrite: bool = False,
    unknown: frozenset[str] = frozenset(),
    follow: bool = True,
) -> None:
    """Write the profile to `path` in one step, so that nobody ever reads half a file.

    `unknown` are settings that are kept although the catalogue does not have them, `follow` says whether links are
    followed. Raise `UsageError` when the file
    could not be read back but for these, and when `path` exists and `overwrite` is not set.
    """
    text = write(profile)
    findings = errors_in((*parse(text, str(path)).findings, *_misnamed(profile, path), *_misplaced(profile, path)))
    kept = {f"{path}: settings.{name}" for name in unknown}
    if errors := [finding for finding in findings if finding.where not in kept]:
        raise UsageError(f"profile {profile.name} is not written: it could not be used", findings=errors)
    atomic_file.save(path, text, overwrite=overwrite, follow=follow)


@lru_cache(maxsize=128)  # a profile is read where it lies and where it is installed, and again by who extends it
def _content(text: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    return parsed(text), comments(text, "settings")


def _profile(table: Table, reasons: Mapping[str, str]) -> Profile:
    stack = table.text("stack", required=True)
    settings = _settings(table)
    if catalogue.is_stack(stack):
        known = catalogue.load(stack)
        settings = {name: _as_read(known, name, text) for name, text in settings.items()}
    return Profile(
        name=table.text("name", required=True),
        stack=stack,
        settings=settings,
        summary=table.text("summary"),
        extends=table.text("extends") or None,
        releases=_releases(table),
        reasons={name: reasons[name] for name in settings if reasons.get(name)},
        origin=table.scalars("origin") if "origin" in table.data else None,
    )


def _settings(table: Table) -> dict[str, str]:
    found = {}
    for name, value in table.scalars("settings").items():
        if isinstance(value, float):
            table.wrong(f"settings.{name}", f"{value} is not text, a whole number, true or false")
        else:
            found[name] = value if isinstance(value, str) else str(int(value))
    return found


def _as_read(known: Catalogue, name: str, text: str) -> str:
    """Return what the stack reads for what a person wrote (`on`, `64k`), the text itself where that is not clear."""
    if known.is_value(name, text) or name not in known.parameters:
        return text
    try:
        return known.parameters[name].canonical(text)
    except ValueError:
        return text


def _releases(table: Table) -> Releases:
    try:
        return releases.parse(table.text("releases"))
    except ValueError as reason:
        table.wrong("releases", str(reason))
        return Releases()


def _misnamed(profile: Profile, path: Path) -> tuple[Finding, ...]:
    if not profile.name or profile.name == path.stem:
        return ()
    return (error(f"{path}: name", f"{shown(profile.name)!r} must be the name of the file, {path.stem!r}"),)


def _misplaced(profile: Profile, path: Path) -> tuple[Finding, ...]:
    folder = path.absolute().parent
    if not profile.stack or folder.parent.name != "profiles" or folder.name == profile.stack:
        return ()
    return (error(f"{path}: stack", f"{shown(profile.stack)!r} must be the name of the folder, {folder.name!r}"),)
