"""Where profiles are found by name: in the working directory, in the user's configuration, in the package.

The first place that has a name wins; what it hides is still listed, with where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner import catalogue
from tuner.catalogue import facts
from tuner.catalogue import places as where
from tuner.errors import Finding, UsageError, did_you_mean
from tuner.installed import installed
from tuner.profiles import files
from tuner.profiles.files import examine, read
from tuner.profiles.profile import DEFAULT, Place, Profile, errors_in, resolve
from tuner.terminal_text import shown


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder that holds profiles as `<stack>/<name>.toml`, and which place it is."""

    place: Place
    folder: Path


@dataclass(frozen=True, slots=True)
class Location:
    """A profile's file, and the place that it was found in."""

    place: Place
    path: Path


@dataclass(frozen=True, slots=True)
class Listed:
    """A profile's file that was found; `profile` is None when it is broken, `shadowed` when an earlier place hides it."""

    name: str
    stack: str
    place: Place
    path: Path
    profile: Profile | None
    findings: tuple[Finding, ...]
    shadowed: bool


def shelves(environ: Mapping[str, str], cwd: Path) -> tuple[Shelf, ...]:
    """Return the places where profiles are looked for, the first one first."""
    found = [Shelf(Place.DIRECTORY, cwd / "profiles")]
    configuration = _configuration(environ)
    if configuration is not None:
        found.append(Shelf(Place.USER, configuration / "tuner" / "profiles"))
    return (*found, *shipped())


def shipped() -> tuple[Shelf, ...]:
    """Return the place of the profiles that come with this package, which depends on nobody's folders."""
    package = installed("profiles/shipped")
    return (Shelf(Place.PACKAGE, package),) if package is not None else ()


def find(reference: str, stack: str | None, places: Sequence[Shelf]) -> Profile:
    """Return the profile that `reference` names, as it stands in its file; for the errors see `locate`."""
    found = locate(reference, stack, places)
    if found is None:
        return Profile.defaults(_stated_stack(reference, stack) or facts.DEFAULT)
    return _of_stack(read(found.path, found.place), stack)


def locate(reference: str, stack: str | None, places: Sequence[Shelf]) -> Location | None:
    """Return where the profile is that `reference` names; None for `default`, which is no file.

    A reference is a name (`latency`), a stack and a name (`xlio/latency`), a path that ends in `.toml`, or `default`.
    Without a stack, the kernel stack's profile of a name comes first, and any other name must be unique. Raise
    `UsageError` with the nearest name and the folders looked in when there is none.
    """
    if reference.endswith(".toml"):
        return Location(Place.FILE, Path(reference))
    wanted = _stated_stack(reference, stack)
    name = reference.rpartition("/")[2]
    return None if name == DEFAULT else _named(name, wanted, places)


def load(reference: str, stack: str | None, places: Sequence[Shelf]) -> Profile:
    """Return the profile that `reference` names together with what it extends."""
    return resolve(find(reference, stack, places), lambda name, of: find(name, of, places))


def is_shipped(profile: Profile) -> bool:
    """Return whether the package has this profile, wherever this copy of it was found."""
    try:
        ours = load(f"{profile.stack}/{profile.name}", None, shipped())
    except UsageError:
        return False
    return dict(ours.settings) == dict(profile.settings)


def as_written(reference: str, stack: str | None, places: Sequence[Shelf]) -> Profile:
    """Return the profile that `reference` names as `load` does, although a release would make something else of it."""
    found = locate(reference, stack, places)
    profile = files.as_written(found.path, found.place) if found else None
    return load(reference, stack, places) if profile is None or profile.extends else _of_stack(profile, stack)


def listing(places: Sequence[Shelf], stack: str | None = None) -> tuple[Listed, ...]:
    """Return every profile file in `places`, of one stack or of all, broken and shadowed ones too."""
    seen: set[tuple[str, str]] = set()
    found = []
    for place, path in _files(places, stack):
        key = (path.parent.name, path.stem)
        found.append(_listed(place, path, shadowed=key in seen))
        seen.add(key)
    return tuple(found)


def names(places: Sequence[Shelf], stack: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return stack and name of every profile file in `places`, unread, each once."""
    return tuple(dict.fromkeys((path.parent.name, path.stem) for _, path in _files(places, stack)))


def _configuration(environ: Mapping[str, str]) -> Path | None:
    # A relative XDG_CONFIG_HOME is to be ignored (XDG Base Directory Specification, "Environment variables").
    stated = Path(environ.get("XDG_CONFIG_HOME", ""))
    if stated.is_absolute():
        return stated
    home = environ.get("HOME", "")
    return Path(home) / ".config" if home else None


def _of_stack(profile: Profile, stack: str | None) -> Profile:
    if stack is not None and profile.stack != stack:
        raise UsageError(f"{profile.source} is of stack {profile.stack}, not {stack}")
    return profile


def _stated_stack(reference: str, stack: str | None) -> str | None:
    named = reference.rpartition("/")[0]
    if named and stack and named != stack:
        raise UsageError(f"{reference} is of stack {named}, not {stack}")
    wanted = named or stack
    return catalogue.load(wanted).stack if wanted else None


def _named(name: str, stack: str | None, places: Sequence[Shelf]) -> Location:
    found: dict[str, Location] = {}
    for place, path in _files(places, stack):
        if path.stem == name:
            found.setdefault(path.parent.name, Location(place, path))
    if not found:
        raise _unknown(name, stack, places)
    if len(found) > 1 and facts.DEFAULT not in found:
        choices = ", ".join(f"{of}/{name}" for of in sorted(found))
        raise UsageError(f"several stacks have a profile {name!r}", advice=f"say which: {choices}")
    return found.get(facts.DEFAULT) or next(iter(found.values()))


def _unknown(name: str, stack: str | None, places: Sequence[Shelf]) -> UsageError:
    known = {path.stem for _, path in _files(places, stack)} | {DEFAULT}
    folders = ", ".join(str(shelf.folder / (stack or "<stack>")) for shelf in places)
    of = f" of {stack}" if stack else ""
    hint = did_you_mean(name, known)
    return UsageError(
        f"there is no profile {shown(name)!r}{of}", advice=f"{hint}; looked in {folders}".removeprefix("; ")
    )


def _files(places: Sequence[Shelf], stack: str | None) -> Iterator[tuple[Place, Path]]:
    for shelf in (*places, *_of_plugin(stack)):
        folders = [shelf.folder / stack] if stack else sorted(path for path in _inside(shelf.folder) if path.is_dir())
        for folder in folders:
            yield from ((shelf.place, path) for path in sorted(_inside(folder)) if path.suffix == ".toml")


def _of_plugin(stack: str | None) -> tuple[Shelf, ...]:
    """Return the shelf that a stack's package brings: the folder `profiles` beside its catalogue."""
    plugin = where.plugin(stack) if stack else None
    folder = plugin.folder if plugin else None
    return (Shelf(Place.PACKAGE, folder / "profiles"),) if folder else ()


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # a place that is absent, or not ours to read, holds nothing
        return []


def _listed(place: Place, path: Path, *, shadowed: bool) -> Listed:
    reading = examine(path, place)
    usable = reading.profile if not errors_in(reading.findings) else None
    return Listed(path.stem, path.parent.name, place, path, usable, reading.findings, shadowed)
