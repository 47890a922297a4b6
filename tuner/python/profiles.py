"""A profile as an object: read, checked, merged with another, and written in any form in which it is deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuner import catalogue, stacks
from tuner.catalogue import places
from tuner.errors import Finding, UsageError
from tuner.export import Deployment, form
from tuner.hosts.local import LocalHost
from tuner.intake.reference import meant
from tuner.profiles import files, library, lint
from tuner.profiles.profile import Difference, differences, errors_in, problems
from tuner.profiles.profile import Profile as Record
from tuner.session.workspace import Workspace
from tuner.stacks import probe


@dataclass(frozen=True, slots=True)
class Profile:
    """A stack and values for some of its variables, with all that it extends.

    >>> mine = tuner.Profile.of("kernel", {"XLIO_RX_POLL": "100"}, name="mine")
    >>> both = tuner.Profile.read("latency", stack="kernel").merge(mine)
    >>> print(both.export("env", lib="/opt/lib.so"))
    # kernel/merged: latency with mine
    # Written by tuner ...
    LD_PRELOAD=/opt/lib.so
    XLIO_RX_POLL=100
    XLIO_SELECT_POLL=-1
    XLIO_TCP_NODELAY=1
    <BLANKLINE>
    """

    record: Record
    findings: tuple[Finding, ...] = ()
    """What is to be known of the file that it was read out of."""
    _at: Workspace = field(default_factory=Workspace, repr=False, compare=False)

    @classmethod
    def read(cls, reference: str | Path, stack: str | None = None, at: Workspace | None = None) -> Profile:
        """Return the profile of a name (`latency`, `xlio/latency`), of a `.toml`, or of any file that `tuner import` reads.

        Raise `UsageError` for a name that nothing has, and with every error in a file.
        """
        where = at or Workspace()
        with places.using(where.data):
            found = meant(str(reference), stack, where.shelves)
        return cls(found.profile, found.findings, where)

    @staticmethod
    def names(stack: str | None = None, at: Workspace | None = None) -> tuple[str, ...]:
        """Return the names of the profiles that are known, of one stack or of all, as `read` takes them."""
        where = at or Workspace()
        with places.using(where.data):
            return tuple(f"{of}/{name}" for of, name in library.names(where.shelves, stack))

    @classmethod
    def of(cls, stack: str, settings: Mapping[str, str], name: str = "mine", summary: str = "") -> Profile:
        """Return the profile of these settings; raise `UsageError` with every one that the stack would not take."""
        return cls(_usable(Record(name, stack, dict(settings), summary)))

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def stack(self) -> str:
        """The stack that it is for."""
        return self.record.stack

    @property
    def settings(self) -> Mapping[str, str]:
        """The value of each variable that it sets."""
        return self.record.settings

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        return self.record.summary

    def lint(self, release: str | None = None) -> tuple[Finding, ...]:
        """Return what is wrong or doubtful about it, for a release of its stack where one is named."""
        with places.using(self._at.data):
            return tuple(lint.lint(self.record, release))

    def merge(self, other: Profile, name: str = "merged") -> Profile:
        """Return a profile of both: where they differ, `other` counts.

        Raise `UsageError` for profiles of two stacks, and for settings that are right alone and wrong together.
        """
        if self.stack != other.stack:
            message = f"{self.name} is of stack {self.stack} and {other.name} of {other.stack}"
            raise UsageError(message, advice="see `tuner profiles translate`")
        kept = {each: text for each, text in self.record.reasons.items() if each not in other.settings}
        both = replace(
            self.record,
            name=name,
            settings={**self.settings, **other.settings},
            reasons=kept | dict(other.record.reasons),
            releases=self.record.releases.both(other.record.releases),
            summary=f"{self.name} with {other.name}",
            origin=None,
            path=None,
        )
        with places.using(self._at.data):
            return replace(self, record=_usable(both), findings=())

    def differences(self, other: Profile) -> Sequence[Difference]:
        """Return what the two set differently; None for a variable that one of them does not set."""
        return differences(self.record, other.record)

    def export(self, to: str, *, lib: str | None = None, service: str = "app", release: str | None = None) -> str:
        """Return the text of a file in the form `to` (`env`, `systemd`, `docker`, `kubernetes`, …).

        `lib` is the path of the stack's library on the target, or a name that its loader looks for; None for the one of this
        host, or where it has none for the library's name.
        Raise `UsageError` with every value that the form cannot carry.
        """
        with places.using(self._at.data):
            wanted, stack, known = form(to), stacks.named(self.stack), catalogue.load(self.stack)
            taken = known.taken(release).release
            defaults = {name: known.parameters[name].default(taken) for name in self.settings}
            deployment = Deployment(
                self.record,
                probe.preloaded(stack, lib, LocalHost())[0] if wanted.preloads else "",
                stack.facts.prefix,
                service,
                {name: value for name, value in defaults.items() if value is not None},
                taken,
            )
            return wanted.write(deployment)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write it as a `.toml` of its name, in one step; raise `UsageError` where a file is there and not to be replaced."""
        target = Path(path)
        with places.using(self._at.data):
            files.save(replace(self.record, name=target.stem), target, overwrite=overwrite)
        return target


def _usable(profile: Record) -> Record:
    if errors := errors_in(problems(profile)):
        raise UsageError(f"profile {profile.name} cannot be used", findings=errors)
    return profile
