"""A recipe: somebody's benchmark as data. Which commands are its ends, what they report, and when a run of them failed.

`tuner.runs.recipe_file` reads one from a file, `tuner.runs.command` runs it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from tuner.runs.metric import Metric

PLACEHOLDERS: Final = ("port", "address", "folder", "seconds")
"""What the commands and files of a recipe may leave open, in braces. `{{port}}` is the text `{port}`."""
FOLDER_MARK: Final = "{folder}"
OTHER: Final = "TUNER_OTHER_COMMAND"
"""The setting of what a comparison of two commands compares with the first: the other command runs in its place."""
FIRST, SECOND = "first", "second"
"""What the two commands are called."""
WALL: Final = Metric("wall_s", "s")
"""How long the client lived: known of every recipe whose client is not told how long to run."""
BOTH_ENDS: Final = frozenset({"server", "client"})
_TIME_IN_NAME: Final = re.compile(r"_(?P<unit>ns|us|ms)")
_PLACEHOLDER: Final = re.compile(r"\{\{([a-z]+)\}\}|\{([a-z]+)\}")


class Source(StrEnum):
    """Where a metric's number stands; a file that an end leaves in its folder has its own name."""

    STDOUT = "stdout"
    STDERR = "stderr"
    SERVER = "server"
    """What the server printed, on both streams."""
    WALL = "wall"
    """Nowhere: it is how long the client lived."""
    READER = "reader"
    """Wherever the program of the recipe's reader finds it."""


class Better(StrEnum):
    """Which values of a metric are better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """One number of a recipe, or several of a run (`samples`): what `regex` finds or where `json` leads to in `source`.

    `better` is None where nobody said it: such a metric is told and never judged, unless the objective says which way.
    """

    name: str
    unit: str = ""
    better: Better | None = None
    regex: str = ""
    json: str = ""
    source: str = Source.STDOUT.value
    samples: bool = False

    @property
    def measured_in(self) -> str:
        """The unit of its numbers: the one that it says, else the time that its name ends in."""
        return self.unit or (WALL.unit if self.source == Source.WALL else unit_in_name(self.name))


@dataclass(frozen=True, slots=True)
class End:
    """The command of a server or a client; `stack` says whether it runs under the stack's library, `cpus` how many it needs.

    `before` are commands that come before it and end by themselves, without the library: what a server is made ready with,
    or a client's warm-up.
    """

    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    stack: bool = True
    cpus: int = 1


@dataclass(frozen=True, slots=True)
class Ready:
    """How a server shows that it is ready: by a text that it prints, by listening on its port, by a file; all that are set."""

    text: str = ""
    port: bool = False
    file: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A benchmark of anybody's.

    `objective` is what is judged unless the user says otherwise. `duration_s` is what `{seconds}` becomes, and about what
    the client takes where it is not told. `protocol` is that of the port. `failed` are regular expressions of what the
    client prints when its run is worth nothing, `exit_statuses` those of a client that did its work. `files` are put into
    the folder of each end, name and text. `other` is a command that is compared with the client's, in its place; none for a
    recipe that compares settings. `reader` names the installed benchmark that reads the metrics that are `in = "reader"`.

    >>> from tuner.runs.recipe import End
    >>> tuner.Recipe("sleep", End(("sleep", "{seconds}")), metrics=()).duration_s
    1
    """

    name: str
    client: End
    metrics: tuple[OwnMetric, ...]
    server: End | None = None
    ready: Ready = Ready()
    summary: str = ""
    objective: str = ""
    protocol: str = "tcp"
    duration_s: int = 1
    time_limit_s: float | None = None
    ready_limit_s: float = 10.0
    failed: tuple[str, ...] = ()
    exit_statuses: tuple[int, ...] = (0,)
    files: tuple[tuple[str, str], ...] = ()
    other: tuple[str, ...] = ()
    reader: str = ""

    @property
    def ends(self) -> dict[str, End]:
        """The ends that it has, by their names."""
        return {**({"server": self.server} if self.server else {}), "client": self.client}

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Everything that it starts."""
        own = tuple(command for end in self.ends.values() for command in (*end.before, end.command))
        return (*own, self.other) if self.other else own

    def under(self, settings: Mapping[str, str]) -> Recipe:
        """Return the recipe as it runs under settings: with the other command where these say so."""
        return replace(self, client=replace(self.client, command=self.other)) if OTHER in settings else self

    @property
    def is_timed(self) -> bool:
        """Whether the client is told how long to run."""
        return "seconds" in self.left_open(self.client.command)

    @property
    def uses_port(self) -> bool:
        """Whether a port is looked for."""
        return any("port" in self.left_open((*command,)) for command in self.commands) or any(
            "port" in self.left_open((text,)) for _, text in self.files
        )

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of everything that it says."""
        said = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(said.encode()).hexdigest()

    @staticmethod
    def left_open(words: tuple[str, ...]) -> set[str]:
        """Return the placeholders in the words of a command, known ones or not."""
        return {found[2] for word in words for found in _PLACEHOLDER.finditer(word) if found[2]}

    def to_dict(self) -> dict[str, object]:
        """Return the recipe as `recipe_file.recipe_of` takes it, without what is as it is by default."""
        return dict(_tables(self))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its placeholders replaced; others in braces stay, and so do those in two pairs of braces."""

    def replaced(found: re.Match[str]) -> str:
        if found[1]:
            return f"{{{found[1]}}}" if found[1] in PLACEHOLDERS else found[0]
        return values.get(found[2], found[0])

    return _PLACEHOLDER.sub(replaced, text)


def unit_in_name(name: str) -> str:
    """Return the unit of time that a metric's name ends in (`p99_ms`), empty for none; `_s` may mean "a second" or "seconds"."""
    found = _TIME_IN_NAME.fullmatch(name[-3:])
    return found["unit"] if found else ""


def _tables(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    plain = ("name", "summary", "objective", "protocol", "duration_s", "time_limit_s", "ready_limit_s", "reader")
    defaults = Recipe("", End(()), ())
    yield from ((key, getattr(recipe, key)) for key in plain if getattr(recipe, key) != getattr(defaults, key))
    if recipe.server:
        yield "server", dict(_end(recipe.server, "prepare")) | dict(_ready(recipe.ready))
    yield "client", dict(_end(recipe.client, "warm_up")) | dict(_failing(recipe))
    if recipe.other:
        yield "other", {"command": list(recipe.other)}
    yield "metrics", {each.name: dict(_metric(each)) for each in recipe.metrics}
    if recipe.files:
        yield "files", dict(recipe.files)


def _end(end: End, before: str) -> Iterator[tuple[str, Any]]:
    yield "command", list(end.command)
    if end.before:
        yield before, [list(each) for each in end.before]
    if not end.stack:
        yield "stack", False
    if end.cpus != 1:
        yield "cpus", end.cpus


def _ready(ready: Ready) -> Iterator[tuple[str, Any]]:
    named = {"ready": ready.text, "ready_port": ready.port, "ready_file": ready.file}
    yield from ((key, value) for key, value in named.items() if value)


def _failing(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    if recipe.failed:
        yield "failed", list(recipe.failed)
    if recipe.exit_statuses != (0,):
        yield "exit_statuses", list(recipe.exit_statuses)


def _metric(metric: OwnMetric) -> Iterator[tuple[str, Any]]:
    better = metric.better.value if metric.better else ""
    named = {"unit": metric.unit, "better": better, "regex": metric.regex, "json": metric.json}
    if metric.samples:
        yield "samples", True
    yield from ((key, value) for key, value in named.items() if value)
    if metric.source != Source.STDOUT:
        yield "in", metric.source
