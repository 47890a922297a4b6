"""What a form is: how it writes a profile that is to be deployed. What reads it back is `tuner.intake`.

A form refuses a value that it cannot carry. Values are data for every reader of the file: no shell, YAML parser or
service manager may find a meaning in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Finding, UsageError, error
from tuner.profiles.profile import Profile
from tuner.stacks.inheritance import PRELOAD
from tuner.version import __version__

NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
WRITTEN: Final = "# Written by tuner "
"""How the last line of a heading begins: what stands in a file under it is ours."""
LINE_BREAKS: Final = re.compile(r"[\n\r]")

_VARIABLE: Final = re.compile(NAME, re.ASCII)
# Linux passes no longer string to a program (MAX_ARG_STRLEN of linux/binfmts.h, with its final NUL).
_MOST_BYTES: Final = 128 * 1024 - 1


@dataclass(frozen=True, slots=True)
class Deployment:
    """A profile that is to be deployed, with all that it extends.

    `library` is what to preload: a path, or a name that the loader looks for; empty for none. `prefix` is what the
    variables of its stack begin with. `target` names what it is for: a service, a unit or a container. `defaults` are
    the values of the stack where nothing is set, `release` the one it will run with.
    """

    profile: Profile
    library: str = ""
    prefix: str = ""
    target: str = "app"
    defaults: Mapping[str, str] = field(default_factory=dict, hash=False)
    release: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables to set, the library first."""
        preload = {PRELOAD: self.library} if self.library else {}
        return preload | dict(self.profile.settings)

    def heading(self, *more: str) -> list[str]:
        """Return comment lines on what this is and where it comes from, and `more`, for formats where # begins one."""
        origin = self.profile.origin or {}
        facts = [f"verdict: {origin['verdict']}"] if origin.get("verdict") else []
        facts += [f"session: {origin['session']}"] if origin.get("session") else []
        first = f"{self.profile.stack}/{self.profile.name}: {self.profile.summary}".removesuffix(": ")
        return [f"# {_plain(line)}" for line in (first, *facts, *more)] + [f"{WRITTEN}{__version__}."]


class Unsure(Exception):  # no error of the user's: whoever catches it says what to merge by hand
    """Why an edit of somebody's file is not certain to mean what it should."""


@dataclass(frozen=True, slots=True)
class Editor:
    """How a form puts a profile into a file of others.

    `foreign` takes out what an earlier profile added. `insert` puts a deployment into what is left, and changes no
    line of others beyond the values of the profile's own variables. Both raise `Unsure` or `UsageError`.
    """

    foreign: Callable[[str], str]
    insert: Callable[[str, Deployment], str]


@dataclass(frozen=True, slots=True)
class Form:
    """One deployable form.

    `file_name` is what its file is usually called. `render` writes a deployment whose values it can carry, and
    `unfit` says of a value why it cannot (None when it can). `stacks` are those it is for, empty for
    all; `mode` is the permission of a new file. Without `preloads` the file holds the settings alone: who uses it
    preloads the library. `editor` is None for a form that is always a whole file; `by_hand` says how people merge it
    themselves. `reader` is the form of `tuner.intake` that reads it, empty where it has the same name.
    """

    name: str
    summary: str
    file_name: str
    render: Callable[[Deployment], str]
    unfit: Callable[[str], str | None] = lambda _: None
    stacks: tuple[str, ...] = ()
    mode: int = 0o644
    preloads: bool = True
    editor: Editor | None = None
    by_hand: str = "see docs/exports.md"
    reader: str = ""

    def write(self, deployment: Deployment) -> str:
        """Return the text of the file; raise `UsageError` with every value that cannot be carried."""
        stack = deployment.profile.stack
        if self.stacks and stack not in self.stacks:
            advice = f"see `tuner profiles translate --to {self.stacks[0]}`"
            raise UsageError(f"the form {self.name} is not for stack {stack}", advice=advice)
        findings = [found for name, value in self.carried(deployment).items() for found in self._problems(name, value)]
        if findings:
            message = f"{deployment.profile.source} cannot be written in the form {self.name}"
            raise UsageError(message, findings=findings, advice="take another form: `tuner export --list`")
        return self.render(deployment)

    def carried(self, deployment: Deployment) -> Mapping[str, str]:
        """Return the variables that the file says."""
        return deployment.variables if self.preloads else deployment.profile.settings

    def _problems(self, name: str, value: str) -> Iterator[Finding]:
        reason = _problem(name, value) or self.unfit(value)
        if reason:
            yield error(f"settings.{_plain(name)}", reason)


def no_line_breaks(value: str) -> str | None:
    """Return why a form whose entries are lines cannot carry `value`, or None when it can."""
    return "holds a line break, which this form cannot carry" if LINE_BREAKS.search(value) else None


def _problem(name: str, value: str) -> str | None:
    if not _VARIABLE.fullmatch(name):
        return "is not a valid name for an environment variable"
    if "\0" in value:
        return "holds NUL, which no environment can carry"
    try:
        size = len(f"{name}={value}".encode())
    except UnicodeEncodeError:
        return "is not UTF-8 text"
    return f"is {size} bytes long: Linux passes at most {_MOST_BYTES}" if size > _MOST_BYTES else None


def _plain(text: str) -> str:
    """Return text that no format can take for more than one line of a comment."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in words).rstrip("\\")
