"""What is wrong with a profile and what is doubtful about it: a long profile mostly holds settings that do nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tuner import catalogue
from tuner.catalogue import presets
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.parameters import Choice, Kind, Parameter
from tuner.errors import Finding, UsageError, warning
from tuner.profiles.files import Reading, examine
from tuner.profiles.profile import Profile, problems, resolve


def lint(
    profile: Path | Profile,
    release: str | None = None,
    find: Callable[[str, str], Profile] | None = None,
) -> list[Finding]:
    """Return what is wrong or doubtful about a profile or the file of one, for `release` when it is given.

    With `find(name, stack)` the profile is also checked together with what it extends. A bad file is a finding too.
    """
    reading = _reading(profile, release)
    if reading.profile is None:
        return list(reading.findings)
    found = [*reading.findings, *_doubts(reading.profile, release)]
    if find is not None and reading.profile.extends is not None:
        found += _together(reading.profile, release, find)
    return list(dict.fromkeys(found))


def _reading(profile: Path | Profile, release: str | None) -> Reading:
    if isinstance(profile, Path):
        return examine(profile, release=release)
    return Reading(profile, tuple(problems(profile, release)))


def _together(profile: Profile, release: str | None, find: Callable[[str, str], Profile]) -> list[Finding]:
    try:
        return problems(resolve(profile, find), release)
    except UsageError as reason:
        return list(reason.findings)


def _doubts(profile: Profile, release: str | None) -> list[Finding]:
    if not catalogue.is_stack(profile.stack):
        return []
    known = catalogue.load(profile.stack)
    return [
        *_general_doubts(profile, known, release),
        *_setting_doubts(profile, known),
        *_release_doubts(profile, known, release),
    ]


def _general_doubts(profile: Profile, known: Catalogue, release: str | None) -> Iterator[Finding]:
    if not profile.summary:
        yield warning(f"{profile.source}: summary", "is missing", "describe the profile in one line")
    if release is not None and not profile.releases.covers(release):
        yield warning(f"{profile.source}: releases", f"{profile.releases} does not cover release {release}")
    if not profile.releases.among(known.releases):
        yield warning(f"{profile.source}: releases", f"{profile.releases} covers no known release of {known.stack}")
    chosen = presets.variable(known.stack)
    if chosen in profile.settings and len(profile.settings) > 1:
        message = "is set together with other settings: which value is used depends on the release"
        yield warning(
            f"{profile.source}: settings.{chosen}", message, "list the values that it sets, or set nothing else"
        )


def _setting_doubts(profile: Profile, known: Catalogue) -> Iterator[Finding]:
    covered = profile.releases.among(known.releases)
    for name, value in profile.settings.items():
        parameter = known.parameters.get(name)
        if parameter is None or parameter.kind is not Kind.SETTING:
            continue
        where = f"{profile.source}: settings.{name}"
        if not profile.reasons.get(name):
            yield warning(where, "has no reason", "write one as a comment in the line above")
        yield from _unread(where, parameter, covered if profile.releases.bounds else ())
        if _does_nothing(profile, parameter, known, covered):
            yield warning(where, f"{value} is the default: it changes nothing", "leave it out")


def _release_doubts(profile: Profile, known: Catalogue, release: str | None) -> Iterator[Finding]:
    """Find settings that do nothing in a release that reads them, and those that changed their meaning."""
    covered = [release] if release is not None else list(profile.releases.among(known.releases))
    for name, value in profile.settings.items():
        parameter = known.parameters.get(name)
        if parameter is None or parameter.kind is not Kind.SETTING:
            continue
        where = f"{profile.source}: settings.{name}"
        idle = [each for each in covered if parameter.exists_in(each) and parameter.is_inert(each)]
        if idle:
            yield warning(where, f"has no effect from {parameter.inert_since} on: {parameter.inert}", "leave it out")
        yield from _moved(where, parameter, value, known.releases, covered)


def _moved(
    where: str, parameter: Parameter, value: str, releases: Sequence[str], covered: Sequence[str]
) -> Iterator[Finding]:
    """Find a value that means something else in other releases, where a word would say it."""
    meanings = {release: choice for release in releases if (choice := _meant(parameter, value, release))}
    now = [meanings[release] for release in covered if release in meanings]
    others = [choice for choice in meanings.values() if now and choice.meaning != now[-1].meaning]
    if not others or now[-1].value == value:
        return
    message = f"{value} means {now[-1].value} here ({now[-1].meaning}), and in other releases: {others[0].meaning}"
    yield warning(where, message, f"write {now[-1].value}")


def _meant(parameter: Parameter, value: str, release: str) -> Choice | None:
    choice = parameter.choice(value, release) if parameter.exists_in(release) else None
    return choice if choice is not None and choice.exists_in(release) else None


def _unread(where: str, parameter: Parameter, covered: Sequence[str]) -> Iterator[Finding]:
    """Find a setting that is younger than the oldest release covered; one that is gone is an error already."""
    deaf = [release for release in covered if not parameter.exists_in(release)]
    if deaf and parameter.exists_in(covered[-1]):
        span = deaf[0] if len(deaf) == 1 else f"{deaf[0]} to {deaf[-1]}"
        yield warning(where, f"is not read by {span}, which the profile covers", "narrow `releases`")


def _does_nothing(profile: Profile, parameter: Parameter, known: Catalogue, covered: Sequence[str]) -> bool:
    # What a profile extends, or a preset, may set something else: then the default does something.
    if profile.extends is not None or presets.variable(known.stack) in profile.settings:
        return False
    readers = [release for release in covered if parameter.exists_in(release)]
    return bool(readers) and all(known.changes_nothing(parameter.name, profile.settings, each) for each in readers)
