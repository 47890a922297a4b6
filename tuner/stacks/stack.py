"""What a stack is, the environment it makes of some settings, and the proof that it was there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tuner.catalogue import facts
from tuner.catalogue.facts import Facts
from tuner.errors import UsageError
from tuner.stacks.banner import Banner, read

# The size of the environment moves timings (Mytkowicz et al., ASPLOS 2009), and candidates differ in just that:
# every run gets an environment padded to a multiple of this many bytes.
ENVIRONMENT_BYTES: Final = 4096
PAD: Final = "TUNER_PAD"
_NO_VARIABLES: Final[Mapping[str, str]] = {}
_BASE: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a run really used the stack, and if not why, in the library's own words."""

    loaded: bool
    reason: str
    banner: Banner


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a process beside what it printed: its settings, and the texts of its links in `/proc/PID/fd`.

    `links` is empty where nobody looked, or could.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()


Recognise = Callable[[str, str, Seen], Proof]
_NOTHING_SEEN: Final = Seen()


@dataclass(frozen=True, slots=True)
class Stack:
    """A way to run a program's sockets: what has to be done for it, beside the facts in its catalogue."""

    name: str
    """The stack as `--stack` takes it: the name of its catalogue and of its module."""
    version_tag: str
    """What the first line of its banner starts with."""
    locate: Callable[[str], Path | None]
    """Finds the library in what `ldconfig -p` prints, or without that where the text is empty; None: it is not there."""
    forced: Mapping[str, str | None]
    """The variables that a run sets itself, so that its proof can be read; None: the variable is not set at all."""
    advice: str
    """How its library comes onto a host: the advice where it is missing."""
    recognise: Recognise | None = None
    """The proof of a stack whose banner is its own: given stderr, stdout and what was seen of the process."""
    library_problem: Callable[[str], str] | None = None
    """Says what is wrong with a library from what it prints when it is run; empty for nothing."""
    mark: str = ""
    """A name that only this stack's library holds."""
    smallest: tuple[str, ...] = ("true",)
    """The least program under which the library says what it is."""
    told: tuple[str, ...] = ()
    """Variables by which a library of ours is told something of a run, beside the stack's own settings."""
    excluded_settings: frozenset[str] = frozenset()
    """Profiles that set one of these are measured only when they are named."""

    @property
    def facts(self) -> Facts:
        """What is true of it in every release."""
        return facts.load(self.name)

    def proof(self, stderr: str, stdout: str, seen: Seen = _NOTHING_SEEN) -> Proof:
        """Return whether the output of a process shows that this stack was loaded and accelerates."""
        if self.recognise is not None:
            return self.recognise(stderr, stdout, seen)
        banner = read(stdout + "\n" + stderr)
        if banner.tag != self.version_tag:
            return Proof(
                loaded=False, reason=loader_words(stderr) or f"no {self.version_tag} line in the output", banner=banner
            )
        if banner.errors:
            return Proof(loaded=False, reason="; ".join(banner.errors[:3]), banner=banner)
        return Proof(loaded=True, reason="", banner=banner)


def environment(
    stack: Stack, preloads: Sequence[Path], settings: Mapping[str, str], further: Mapping[str, str] = _NO_VARIABLES
) -> dict[str, str]:
    """Return the whole environment of a process: the allow-list, the libraries, the settings, and padding.

    `further` are variables for libraries of ours. Nothing is inherited: a stray variable would silently measure
    something else.
    """
    forced = {name: value for name, value in stack.forced.items() if value is not None}
    kept = {name: value for name, value in settings.items() if name not in stack.forced}
    variables = {**_BASE, "LD_PRELOAD": ":".join(map(preloadable, preloads)), **kept, **forced, **further}
    used = sum(len(name.encode()) + len(value.encode()) + 2 for name, value in variables.items())
    spare = -(used + len(PAD) + 2) % ENVIRONMENT_BYTES
    return {**variables, PAD: "x" * spare}


def preloadable(library: Path) -> str:
    """Return the path of a library as `LD_PRELOAD` takes it; raise `UsageError` for one that the loader would split."""
    text = str(library.absolute())
    if any(character in text for character in ": ;\t\n"):
        advice = "put it at a path without blanks, colons and semicolons"
        raise UsageError(f"the loader cannot preload {text!r}", advice=advice)
    return text


def loader_words(stderr: str) -> str:
    """Return what ld.so said about a library that it could not preload; it only warns and goes on."""
    return next((line.strip() for line in stderr.splitlines() if line.startswith("ERROR: ld.so")), "")


def from_loader_cache(cache: str, soname: str) -> Path | None:
    """Return the library that `ldconfig -p` lists for `soname` or for a version of it, or None."""
    for line in cache.splitlines():
        name, arrow, path = line.strip().partition(" => ")
        if arrow and name.split(" ")[0].startswith(soname):
            return Path(path)
    return None
