"""Profiles with what they are worth where: every judgement of a store's sessions, by the profile that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tuner.serve.glance import Glance, Judged


@dataclass(frozen=True, slots=True)
class Place:
    """One session's judgement of a profile."""

    glance: Glance
    judged: Judged


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: the same settings of the same stack under one name; what a search found has no name that lasts."""

    stack: str
    name: str
    known: bool
    settings: Mapping[str, str] = field(hash=False)
    places: tuple[Place, ...]
    """Newest first."""

    @property
    def hosts(self) -> int:
        """Return how many hosts it was judged on."""
        return len({each.glance.host for each in self.places})

    def words(self) -> str:
        """Return what a search for a profile looks in, in small letters."""
        parts = (self.stack, self.name, *self.settings, *(each.glance.words() for each in self.places))
        return " ".join(parts).lower()


def profiles(sessions: Iterable[Glance]) -> list[Profile]:
    """Return the profiles that sessions judged, those with a name first, then by how many sessions and how new they are."""
    places: dict[object, list[Place]] = {}
    for glance in sessions:
        for judged in glance.judged:
            name = judged.profile if judged.known else None
            key = glance.stack, name, frozenset(judged.settings.items())
            places.setdefault(key, []).append(Place(glance, judged))
    found = [_profile(each) for each in places.values()]
    return sorted(found, key=lambda each: (not each.known, -len(each.places), each.stack, each.name))


def _profile(places: list[Place]) -> Profile:
    newest = places[0]
    known = newest.judged.known
    return Profile(newest.glance.stack, newest.judged.profile, known, newest.judged.settings, tuple(places))
