"""A profile: a stack and values for some of its parameters.

A profile stays data: nothing in it is executed, and what a stack would ignore or replace in silence is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from tuner import catalogue
from tuner.catalogue.releases import Releases
from tuner.errors import Finding, Severity, UsageError, did_you_mean, error
from tuner.terminal_text import shown
from tuner.toml_text import Scalar

DEFAULT: Final = "default"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
_NAME_RULE: Final = "a name is 1 to 64 of a-z 0-9 _ . -, the first a letter or digit"


class Place(StrEnum):
    """Where a profile comes from."""

    DIRECTORY = "directory"
    USER = "user"
    PACKAGE = "package"
    SESSION = "session"
    FILE = "file"
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Profile:
    """A stack and values for some of its parameters; whatever can be measured is one.

    `settings` maps each variable to the text that stands in the environment, in the order of the file. `reasons`
    holds the comment above a setting, `extends` the name of the profile whose settings come first, `releases` the
    releases of the stack that it was written for, `origin` what made it.
    """

    name: str
    stack: str
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    summary: str = ""
    extends: str | None = None
    releases: Releases = field(default_factory=Releases)
    reasons: Mapping[str, str] = field(default_factory=dict, hash=False)
    origin: Mapping[str, Scalar] | None = field(default=None, hash=False)
    path: Path | None = None
    place: Place = Place.FILE

    @classmethod
    def defaults(cls, stack: str) -> Profile:
        """Return the stack without any setting: the profile called `default`."""
        return cls(DEFAULT, stack, summary="What the stack does when nothing is set.", place=Place.BUILT_IN)

    @property
    def source(self) -> str:
        """The file of the profile, or its name when it has none, as findings say it."""
        return str(self.path or f"profile {shown(self.name)}")


@dataclass(frozen=True, slots=True)
class Difference:
    """One variable that two profiles set differently; None means that the profile does not set it."""

    name: str
    a: str | None
    b: str | None


def problems(profile: Profile, release: str | None = None, source: str = "") -> list[Finding]:
    """Return what is wrong with a profile's names and values in `release`, or else in the newest that it covers.

    Constraints between settings are left out while a profile extends another: they hold for the resolved one.
    """
    source = source or profile.source
    found = [error(f"{source}: {key}", message, hint) for key, message, hint in _wrong_words(profile)]
    if not catalogue.is_stack(profile.stack):
        return found
    known = catalogue.load(profile.stack)
    if profile.extends is not None:
        known = replace(known, rules=())
    if release is None and profile.releases.bounds:
        release = next(reversed(profile.releases.among(known.releases)), None)
    return found + known.check(profile.settings, lambda name: f"{source}: settings.{shown(name)}", release)


def resolve(profile: Profile, find: Callable[[str, str], Profile]) -> Profile:
    """Return the profile with the settings of what it extends put first and overridden by its own.

    `find(name, stack)` returns the profile of that name. Raise `UsageError` for a circle, for a parent that is
    missing or of another stack, and for settings that are right alone and wrong together.
    """
    line = [profile]
    while (name := line[0].extends) is not None:
        line.insert(0, _parent(line, name, find))
    whole = _merged(line)
    if errors := errors_in(problems(whole)):
        raise UsageError(f"{profile.source} cannot be used", findings=errors)
    return whole


def differences(a: Profile, b: Profile) -> list[Difference]:
    """Return what two profiles set differently, in the order of their settings."""
    names = dict.fromkeys((*a.settings, *b.settings))
    pairs = (Difference(name, a.settings.get(name), b.settings.get(name)) for name in names)
    return [pair for pair in pairs if pair.a != pair.b]


def errors_in(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that keep a profile from being used."""
    return tuple(finding for finding in findings if finding.severity is Severity.ERROR)


def is_name(text: str) -> bool:
    """Return whether a profile may be called `text`: such a name is no path and cannot lead out of a folder."""
    return _NAME.fullmatch(text) is not None and not text.endswith(".toml")


def _wrong_words(profile: Profile) -> Iterator[tuple[str, str, str]]:
    if not is_name(profile.name):
        yield "name", f"{shown(profile.name)!r} is not a valid profile name", _NAME_RULE
    if profile.name == DEFAULT and profile.place is not Place.BUILT_IN:
        yield "name", f"{DEFAULT!r} is the stack without settings", "take another name"
    if profile.extends is not None and not is_name(profile.extends):
        yield "extends", f"{shown(profile.extends)!r} is not a valid profile name", _NAME_RULE
    if not catalogue.is_stack(profile.stack):
        hint = did_you_mean(profile.stack, catalogue.stacks())
        yield "stack", f"unknown stack {shown(profile.stack)!r}", hint


def _parent(line: Sequence[Profile], name: str, find: Callable[[str, str], Profile]) -> Profile:
    child = line[0]
    if name in {profile.name for profile in line}:
        names = " → ".join([*(profile.name for profile in reversed(line)), name])
        raise _cannot_extend(child, f"goes round in a circle: {names}")
    try:
        parent = find(name, child.stack)
    except UsageError as reason:
        raise _cannot_extend(child, reason.message, reason.advice, reason.findings) from reason
    if parent.stack != child.stack:
        raise _cannot_extend(child, f"{name} is of stack {parent.stack}, not {child.stack}")
    return parent


def _cannot_extend(child: Profile, message: str, advice: str = "", more: Iterable[Finding] = ()) -> UsageError:
    first = error(f"{child.source}: extends", message, advice)
    return UsageError(f"{child.source} extends what cannot be used", findings=[first, *more])


def _merged(line: Sequence[Profile]) -> Profile:
    settings: dict[str, str] = {}
    reasons: dict[str, str] = {}
    covered = Releases()
    for profile in line:
        settings.update(profile.settings)
        # A parent's reason was given for the parent's value.
        kept = {name: text for name, text in reasons.items() if name not in profile.settings}
        reasons = kept | dict(profile.reasons)
        covered = covered.both(profile.releases)
    return replace(line[-1], settings=settings, reasons=reasons, extends=None, releases=covered)
