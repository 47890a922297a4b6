"""What other installed packages add: optimizers, stacks, benchmarks and export forms, by entry points.

A name is looked up only when nothing of this package has it, so that no cheap command reads what is installed, and nothing of
another package is imported before it is asked for. A package that somebody installed is a program they chose to have, as this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tuner.errors import Finding, TunerError, UsageError
from tuner.terminal_text import shown

if TYPE_CHECKING:  # takes as long to load as all else of a cheap command
    from importlib.metadata import Distribution, EntryPoint

_MOST_TOLD: Final = 200
_ADVICE: Final = "mend or remove the package; docs/plugins.md says what a plug-in is"


class Group(StrEnum):
    """What a package can add: the names of the groups of entry points."""

    OPTIMIZERS = "tuner.optimizers"
    STACKS = "tuner.stacks"
    BENCHMARKS = "tuner.benchmarks"
    EXPORTS = "tuner.exports"


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point of another package, which is not imported yet."""

    group: Group
    name: str
    points: tuple[EntryPoint, ...]
    """One; several where packages claim the same name."""

    @property
    def package(self) -> str:
        """The package and its release, as `pip` names them."""
        return " and ".join(f"{each.dist.name} {each.dist.version}" if each.dist else "?" for each in self.points)

    def load(self) -> object:
        """Import what the entry point names; raise `UsageError` saying whose it is and what is wrong with it."""
        if len(self.points) > 1:
            raise self.broken("is claimed by more than one package", "remove all but one of them")
        try:
            found: object = self.points[0].load()
        except (Exception, SystemExit) as reason:  # whatever a stranger's module does wrong is said of its package
            raise self.failed("cannot be loaded", reason) from reason
        return found

    def broken(self, what: str, advice: str = _ADVICE, findings: Iterable[Finding] = ()) -> UsageError:
        """Return the error that says what is wrong with this plug-in."""
        told = shown(what)[:_MOST_TOLD]
        message = f"plug-in {self.name} ({self.group}) of {self.package} {told}"
        return UsageError(message, findings=findings, advice=advice)

    def failed(self, what: str, reason: BaseException) -> UsageError:
        """Return the error that says what the plug-in could not do, with everything that its own exception says."""
        findings = reason.findings if isinstance(reason, TunerError) else ()
        return self.broken(f"{what}: {type(reason).__name__}: {reason}", findings=findings)

    @property
    def folder(self) -> Path | None:
        """The folder of the module, which is found without running it where it is a package's own; None where it is not there."""
        from importlib.util import find_spec

        try:
            spec = find_spec(self.points[0].module)
        except (ImportError, ValueError):
            return None
        return Path(spec.origin).parent if spec and spec.origin else None


def every(group: Group) -> Mapping[str, Plugin]:
    """Return what other packages add to a group, by name; nothing of it is imported.

    Raises:
        UsageError: what a package says of itself is damaged.

    """
    points: dict[str, list[EntryPoint]] = {}
    for each in _entry_points(group):
        points.setdefault(each.name, []).append(each)
    return {name: Plugin(group, name, tuple(points[name])) for name in sorted(points)}


def _entry_points(group: Group) -> Iterable[EntryPoint]:
    from importlib.metadata import distributions, entry_points

    try:
        return entry_points(group=group.value)
    except Exception as reason:  # whatever a stranger's file makes of the reader
        damaged = [str(each.locate_file("")) for each in distributions() if not _is_readable(each)]
        where = f" (in {shown(damaged[0])})" if damaged else ""
        message = f"the entry points of an installed package cannot be read{where}: {shown(str(reason))[:_MOST_TOLD]}"
        raise UsageError(message, advice=_ADVICE) from reason


def _is_readable(package: Distribution) -> bool:
    try:
        return package.entry_points is not None
    except (ValueError, TypeError, AttributeError, LookupError, OSError):
        return False


def find(group: Group, name: str) -> Plugin | None:
    """Return what is installed under this name, None where nothing is."""
    return _known(group).get(name)


@cache  # a process reads the list of installed packages once; `forget` is for who installs one meanwhile
def _known(group: Group) -> Mapping[str, Plugin]:
    return every(group)


def forget() -> None:
    """Look again for installed packages at the next question."""
    _known.cache_clear()
