"""What can go wrong, in words a user can act on.

    TunerError                      exit status 1: something failed
    ├── UsageError                  exit status 2: what was asked for cannot be done as asked
    ├── MissingTool                 a program or library that a measurement needs is not there
    ├── BaselineFailed              the baseline does not run: nothing after it could be believed
    ├── HostLost                    another host cannot be reached, or does not answer any more
    │   └── HostRefused             it is another one than before, or does not let us in: waiting mends nothing
    ├── Busy                        exit status 75: somebody else measures here or goes on with the session
    ├── ProgramNotFound         exit status 127, ProgramNotExecutable 126: as `env` says of what it cannot start
    └── StoreError                  the results cannot be read or written

The library raises; only `tuner.cli` exits. An error carries findings, so that everything that is
wrong is said at once, each with its place and what to do next.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# A longer list of what is known is no help on one screen.
MOST_LISTED: Final = 12


class Severity(StrEnum):
    """How bad a finding is: an error stops the command, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where it is, what it is, and what would be right.

    `where` names the file and key (`profiles/xlio/my.toml: settings.XLIO_RX_POLL`; empty for a doubt about a measurement), `message` the value
    and what is allowed, `suggestion` the next step (empty when there is none to give).

    >>> for each in tuner.Profile.of("kernel", {"XLIO_RX_POLL": "1"}).lint():
    ...     print(each)
    warning: profile mine: summary: is missing (describe the profile in one line)
    warning: profile mine: settings.XLIO_RX_POLL: has no reason (write one as a comment in the line above)
    """

    severity: Severity
    where: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f" ({self.suggestion})" if self.suggestion else ""
        place = f"{self.where}: " if self.where else ""
        return f"{self.severity}: {place}{self.message}{hint}"


class TunerError(Exception):
    """Base of every error that this package raises on purpose.

    `message` is one sentence; `findings` are the single things that are wrong; `advice` is what to do next.

    >>> try:
    ...     tuner.measure("latncy")
    ... except tuner.TunerError as reason:
    ...     print(reason.message, reason.advice, sep="; ")
    there is no profile 'latncy'; did you mean latency?...
    """

    def __init__(self, message: str, *, findings: Iterable[Finding] = (), advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.findings = tuple(findings)
        self.advice = advice
        # Shown under the message where the error ends a Python program (PEP 678).
        self.__notes__ = [*map(str, self.findings), *([f"→ {advice}"] if advice else [])]


class UsageError(TunerError):
    """The request itself is wrong: an unknown name, a bad value, a malformed file.

    >>> tuner.tune("latency", buget="60s")
    Traceback (most recent call last):
    tuner.errors.UsageError: tuner.tune cannot be called so
    error: buget: is not an option (did you mean budget?)
    → see help(tuner.tune)
    """


class MissingTool(TunerError):
    """A program or library that is needed is not there, or is not what its name says.

    >>> issubclass(tuner.MissingTool, tuner.TunerError)
    True
    """


class BaselineFailed(TunerError):
    """The baseline could not be measured, so that no comparison is possible.

    >>> issubclass(tuner.BaselineFailed, tuner.TunerError)
    True
    """


class HostLost(TunerError):
    """Another host does not answer any more, or cannot take a run: nothing is known of what it was doing.

    >>> issubclass(tuner.HostLost, tuner.TunerError)
    True
    """


class HostRefused(HostLost):
    """Another host is reached and is not the one that it was, or does not let us in: to wait mends nothing."""


class Busy(TunerError):
    """Somebody else has the host or the session; later it can be had.

    >>> try:
    ...     answer = tuner.measure("latency", no_wait=True)
    ... except tuner.Busy:
    ...     answer = None  # another session measures on this host: try again later
    """


class ProgramNotFound(TunerError):
    """The program that is to be started is not there."""


class ProgramNotExecutable(TunerError):
    """The program that is to be started is there and cannot be started."""


class StoreError(TunerError):
    """The results cannot be read or written.

    >>> Path("results").mkdir()
    >>> said = Path("results/tuner.db").write_text("no database")
    >>> tuner.open_store("results").sessions()
    Traceback (most recent call last):
    tuner.errors.StoreError: ...
    """


@dataclass(frozen=True, slots=True)
class Skipped:
    """What a reader did not take from somebody's file: the place, the text that stands there, and why."""

    where: str
    text: str
    why: str


def error(where: str, message: str, suggestion: str = "") -> Finding:
    """Return a finding that stops the command."""
    return Finding(Severity.ERROR, where, message, suggestion)


def warning(where: str, message: str, suggestion: str = "") -> Finding:
    """Return a finding that is told and does not stop the command."""
    return Finding(Severity.WARNING, where, message, suggestion)


def doubt(what: str, advice: str) -> Finding:
    """Return a reason to distrust a measurement, and what to do about it: a warning that has no place in a file."""
    return warning("", what, advice)


def doubt_to_json(found: Finding) -> dict[str, str]:
    """Return a doubt as answers and facts hold it."""
    return {"what": found.message, "advice": found.suggestion}


def doubt_from_json(data: Mapping[str, object]) -> Finding:
    """Return the doubt that `doubt_to_json` wrote; raise `TypeError` or `KeyError` for anything else."""
    what, advice = data["what"], data["advice"]
    if not (isinstance(what, str) and isinstance(advice, str)):
        raise TypeError("what and advice are text")
    return doubt(what, advice)


_NO_ROOM_FOR_LIBRARY: Final = ("failed to map segment", "cannot allocate memory")
"""What the loader says of a library that there is no memory for (glibc, elf/dl-map-segments.h and dl-error)."""


def of_memory(reason: BaseException) -> bool:
    """Return whether an error says that there is no memory left for this process."""
    if isinstance(reason, ImportError):
        return any(words in str(reason).lower() for words in _NO_ROOM_FOR_LIBRARY)
    return isinstance(reason, MemoryError) or (isinstance(reason, OSError) and reason.errno == errno.ENOMEM)


_LIMITS: Final[Mapping[int, str]] = {
    errno.EMFILE: "raise the limit that this process has (`ulimit -n`)",
    errno.EFBIG: "raise the limit that files of this process have (`ulimit -f`)",
    errno.EAGAIN: "raise the limit of processes: this user's (`ulimit -u`), or the container's",
}
"""By which limit of a process the system refuses something (getrlimit(2))."""


def limit_of(reason: OSError) -> str:
    """Return what to do where the system refused something by a limit, else an empty text."""
    return _LIMITS.get(reason.errno or 0, "")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, ignoring case, or None when nothing is near."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean X?" for the nearest known word, or a list of what is known when none is near."""
    names = sorted(set(known))
    match = nearest(word, names)
    if match is not None:
        return f"did you mean {match}?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= MOST_LISTED else ""
