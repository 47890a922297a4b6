"""Profiles of this package under the release that is there: carried to it, where it would not run them as they are.

They are written for the newest release. Whoever asks for `latency` under an old one means what is possible there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuner import catalogue
from tuner.errors import Finding, doubt
from tuner.profiles import library
from tuner.profiles.migration import Edition, edition, migrate
from tuner.profiles.profile import Profile
from tuner.session.setup.contest import Contest, distinct
from tuner.session.setup.plan import Plan
from tuner.session.setup.readback import refusal


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a profile sets no more, or sets otherwise, under the release of a session."""

    profile: str
    without: tuple[str, ...]
    instead: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        lost = [f"without {', '.join(self.without)}"] if self.without else []
        changed = [f"with {', '.join(f'{name}={text}' for name, text in self.instead)}"] if self.instead else []
        return f"{self.profile} {' and '.join(lost + changed)}"


def fitted(found: Contest, release: str | None) -> Contest:
    """Return who takes part as the library's release runs it; a profile of the user's stays as it is."""
    if release is None:
        return found
    known = tuple(_fitted(profile, release) for profile in found.known)
    start = _fitted(found.start, release) if found.start else None
    return replace(found, start=start, baseline=_fitted(found.baseline, release), known=distinct(known))


def changes(before: Contest, after: Contest) -> tuple[Fitted, ...]:
    """Return how the profiles of a contest differ from what they were."""
    now = {profile.name: profile for profile in (*after.known, *after.named)}
    pairs = {each.name: (each, now[each.name]) for each in (*before.named, *before.known) if each.name in now}
    return tuple(_change(was, new) for was, new in pairs.values() if was.settings != new.settings)


def doubts(plan: Plan) -> list[Finding]:
    """Return, in one line, which profiles a session runs otherwise than they are written."""
    if not plan.fitted:
        return []
    what = f"{plan.stack} {plan.release} does not run every profile of this package as it is: {'; '.join(plan.fitted)}"
    return [doubt(what, "see `tuner profiles migrate` for the reasons")]


def _fitted(profile: Profile, release: str) -> Profile:
    if refusal(profile.stack, profile.settings, release) is None or not library.is_shipped(profile):
        return profile
    carried, _ = migrate(profile, _written_for(profile), edition(profile.stack, release))
    return replace(profile, settings=carried.settings)


def _written_for(profile: Profile) -> Edition:
    """Return the newest release that a profile covers."""
    releases: Sequence[str] = catalogue.load(profile.stack).releases
    return edition(profile.stack, next(reversed(profile.releases.among(releases)), releases[-1]))


def _change(was: Profile, now: Profile) -> Fitted:
    without = tuple(name for name in was.settings if name not in now.settings)
    instead = tuple((name, text) for name, text in now.settings.items() if was.settings.get(name) != text)
    return Fitted(was.name, without, instead)
