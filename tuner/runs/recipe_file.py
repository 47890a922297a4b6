"""Recipes from files: TOML of anybody's, with everything that is wrong told at once, each with its place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tuner import toml_text
from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.runs import recipe_units
from tuner.runs.recipe import PLACEHOLDERS, WALL, Better, End, OwnMetric, Ready, Recipe, Source
from tuner.runs.recipe_text import path_problem, regex_problem
from tuner.terminal_text import CONTROL
from tuner.untrusted import text_of

RECIPE_BYTES: Final = 1 << 16
"""The largest recipe that is read."""
MOST_METRICS: Final = 32
MOST_WORDS: Final = 256
MOST_FILES: Final = 16
LONGEST_RUN_S: Final = 3600
_NO_PORT: Final = "write {port} for its port, or say by what it is ready instead: ready, ready_file, or --ready"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_METRIC_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}")
_TOP: Final = (
    "name",
    "summary",
    "objective",
    "protocol",
    "duration_s",
    "time_limit_s",
    "ready_limit_s",
    "server",
    "client",
    "metrics",
    "files",
    "other",
    "reader",
)
_SERVER: Final = ("command", "prepare", "stack", "cpus", "ready", "ready_port", "ready_file")
_CLIENT: Final = ("command", "warm_up", "stack", "cpus", "failed", "exit_statuses")
_OTHER: Final = ("command",)
_METRIC: Final = ("unit", "better", "regex", "json", "in", "samples")
OURS: Final = frozenset({WALL.name, "cpu_s", "server_memory_mb"})
"""The names of metrics that a run has anyway."""


def read(path: Path) -> Recipe:
    """Return the recipe of a file; raise `UsageError` with everything that is wrong with it."""
    return of_text(text_of_file(path), str(path))


def text_of_file(path: Path) -> str:
    """Return the text of a file that should be a recipe; raise `UsageError` where it cannot be read whole."""
    text = text_of(path, RECIPE_BYTES, "a recipe")
    if isinstance(text, Finding):
        raise UsageError("this is not a recipe", findings=[text])
    return text


def of_text(text: str, source: str) -> Recipe:
    """Return the recipe that a text in TOML says; raise `UsageError` with everything that is wrong with it."""
    try:
        data = toml_text.parsed(text)
    except ValueError as reason:
        raise UsageError(f"{source} is not TOML: {reason}", advice="docs/workloads.md has an example") from reason
    return with_sound_units(recipe_of(data, source), source)


def with_sound_units(recipe: Recipe, source: str) -> Recipe:
    """Return a recipe that somebody wrote; raise `UsageError` for units that are not what was meant.

    A stored one is not asked: its runs are as they are.
    """
    if findings := [*recipe_units.problems(recipe.metrics, source)]:
        raise UsageError(f"{source} is not a recipe", findings=findings, advice="docs/workloads.md has the keys")
    return recipe


def recipe_of(data: Mapping[str, Any], source: str) -> Recipe:
    """Return the recipe of parsed data; raise `UsageError` with everything that is wrong with it."""
    top = toml_text.Table(data, source, _TOP)
    findings = top.findings
    found = Recipe(
        name=_matching(top, "name", _NAME, "small letters, digits, - and _") if "name" in data else "command",
        summary=top.text("summary"),
        objective=top.text("objective"),
        protocol=_one_of(top, "protocol", ("tcp", "udp"), "tcp"),
        duration_s=int(top.number("duration_s", 1, (1, LONGEST_RUN_S), whole=True)),
        time_limit_s=top.number("time_limit_s", 0.0, (0.1, LONGEST_RUN_S)) if "time_limit_s" in data else None,
        ready_limit_s=top.number("ready_limit_s", 10.0, (0.1, LONGEST_RUN_S)),
        server=_server(top, findings),
        ready=_ready(top),
        client=_end(toml_text.Table(top.table("client"), source, _CLIENT, "client"), "warm_up", findings),
        failed=_regexes(top, findings),
        exit_statuses=_statuses(top),
        metrics=_metrics(top, findings),
        files=_files(top),
        other=_other(top),
        reader=_matching(top, "reader", _NAME, "small letters, digits, - and _") if "reader" in data else "",
    )
    findings += _together(found, source) if not findings else ()
    if findings:
        raise UsageError(f"{source} is not a recipe", findings=findings, advice="docs/workloads.md has the keys")
    return found


def words(text: str) -> tuple[str, ...]:
    """Return the arguments of a command as somebody writes it; raise `ValueError` for an open quote. No shell reads it."""
    return tuple(shlex.split(text))


def _server(top: toml_text.Table, findings: list[Finding]) -> End | None:
    if "server" not in top.data:
        return None
    return _end(toml_text.Table(top.table("server"), top.source, _SERVER, "server"), "prepare", findings)


def _end(table: toml_text.Table, before: str, findings: list[Finding]) -> End:
    told = End(
        command=_command(table, "command", table.data.get("command", "")),
        before=_commands(table, before),
        stack=table.flag("stack", default=True),
        cpus=int(table.number("cpus", 1, (1, 1024), whole=True)),
    )
    findings += table.findings
    return told


def _commands(table: toml_text.Table, key: str) -> tuple[tuple[str, ...], ...]:
    value = table.data.get(key, [])
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list):
        table.wrong(key, "must be a command or a list of commands")
        return ()
    return tuple(_command(table, key, each) for each in several)


def _command(table: toml_text.Table, key: str, value: object) -> tuple[str, ...]:
    """Return the arguments of a command, written as one text or as a list of them."""
    try:
        found = words(value) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    except ValueError as reason:
        table.wrong(key, f"{value!r}: {reason}", "quote as a shell does, or write a list of arguments")
        return ()
    if not found or not all(isinstance(word, str) for word in found):
        table.wrong(key, "must be a command: a text, or a list of texts", f'write {key} = "program argument"')
        return ()
    if len(found) > MOST_WORDS:
        table.wrong(key, f"has {len(found)} arguments, at most {MOST_WORDS} are allowed")
    for word in found:
        _check_word(table, key, word)
    return found


def _check_word(table: toml_text.Table, key: str, word: str) -> None:
    if CONTROL.search(word.replace("\n", "").replace("\t", "")):
        table.wrong(key, f"{word[:60]!r} holds control characters")
    for name in sorted(Recipe.left_open((word,)) - {*PLACEHOLDERS}):
        advice = f"{did_you_mean(name, PLACEHOLDERS)} For the text itself write {{{{{name}}}}}"
        table.wrong(key, f"unknown placeholder {{{name}}}", advice)


def _ready(top: toml_text.Table) -> Ready:
    data = top.data.get("server")
    if not isinstance(data, dict):
        return Ready()
    table = toml_text.Table(data, top.source, _SERVER, "server")
    table.findings.clear()  # its keys were looked at before
    file = _matching(table, "ready_file", _FILE_NAME, "a name without folders") if "ready_file" in data else ""
    found = Ready(table.text("ready"), table.flag("ready_port", default=False), file)
    if not any((found.text, found.port, found.file, table.findings)):
        table.wrong(
            "ready", "nothing says when the server is ready", 'write ready = "what it prints" or ready_port = true'
        )
    top.findings += table.findings
    return found


def _other(top: toml_text.Table) -> tuple[str, ...]:
    if "other" not in top.data:
        return ()
    table = toml_text.Table(top.table("other"), top.source, _OTHER, "other")
    found = _command(table, "command", table.data.get("command", ""))
    top.findings += table.findings
    return found


def _regexes(top: toml_text.Table, findings: list[Finding]) -> tuple[str, ...]:
    value = top.table("client").get("failed", [])
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        top.wrong("client.failed", "must be a list of regular expressions")
        return ()
    wrong = [(each, why) for each in found if (why := regex_problem(each, groups=0))]
    findings += [error(f"{top.source}: client.failed", f"{each!r}: {why}") for each, why in wrong]
    return tuple(found)


def _statuses(top: toml_text.Table) -> tuple[int, ...]:
    value = top.table("client").get("exit_statuses", [0])
    if not isinstance(value, list) or not value or not all(type(each) is int and 0 <= each <= 255 for each in value):  # noqa: PLR2004
        top.wrong("client.exit_statuses", "must be a list of whole numbers from 0 to 255")
        return (0,)
    return tuple(value)


def _metrics(top: toml_text.Table, findings: list[Finding]) -> tuple[OwnMetric, ...]:
    data = top.table("metrics")
    if len(data) > MOST_METRICS:
        top.wrong("metrics", f"{len(data)} of them, at most {MOST_METRICS} are allowed")
    found = []
    for name, value in data.items():
        if not isinstance(value, dict):
            top.wrong(f"metrics.{name}", "must be a table", f"write [metrics.{name}]")
        else:
            table = toml_text.Table(value, top.source, _METRIC, f"metrics.{name}")
            found.append(_metric(table, name))
            findings += table.findings
    return tuple(found)


def _metric(table: toml_text.Table, name: str) -> OwnMetric:
    if not _METRIC_NAME.fullmatch(name) or name in OURS - {WALL.name}:
        why = "is a metric that every run has" if name in OURS else "is not a name of a metric"
        table.wrong("name", f"{name!r} {why}", "small letters, digits and _, such as requests_per_s or p99_ms")
    source = table.text("in") or (Source.WALL if name == WALL.name else Source.STDOUT).value
    if source not in set(Source) and not _FILE_NAME.fullmatch(source):
        table.wrong("in", f"{source!r} must be stdout, stderr, server, reader, or the name of a file in the folder")
    better = _one_of(table, "better", tuple(Better), "")
    found = OwnMetric(
        name=name,
        unit=table.text("unit"),
        better=Better(better) if better else None,
        regex=table.text("regex"),
        json=table.text("json"),
        source=source,
        samples=table.flag("samples", default=False),
    )
    _check_place(table, found)
    return found


def _check_place(table: toml_text.Table, metric: OwnMetric) -> None:
    if metric.source == Source.WALL:
        if metric.regex or metric.json or metric.samples:
            table.wrong("in", "the wall time is measured and not read", "leave regex, json and samples out")
        return
    if metric.source == Source.READER:
        if metric.regex or metric.json:
            table.wrong("in", "the reader finds it", "leave regex and json out")
        return
    if bool(metric.regex) is bool(metric.json):
        said = "both are there" if metric.regex else "neither is there"
        table.wrong("regex", f"a metric has either a regex or a json path, {said}")
    if metric.regex and (why := regex_problem(metric.regex, groups=1)):
        table.wrong("regex", why, "the first group is the number: 'rps: ([0-9.]+)'")
    if metric.json and (why := path_problem(metric.json)):
        table.wrong("json", why, "write for example end.streams[0].rate, or intervals[*].rate for samples")


def _files(top: toml_text.Table) -> tuple[tuple[str, str], ...]:
    data = top.table("files")
    for name, text in data.items():
        if not _FILE_NAME.fullmatch(name):
            top.wrong(f"files.{name}", "is not a name of a file", "letters, digits, _ . and -, and no folder")
        if not isinstance(text, str) or "\0" in text:
            top.wrong(f"files.{name}", "must be the text of the file")
    if len(data) > MOST_FILES:
        top.wrong("files", f"{len(data)} of them, at most {MOST_FILES} are allowed")
    return tuple((name, text) for name, text in data.items() if isinstance(text, str))


def _matching(table: toml_text.Table, key: str, form: re.Pattern[str], allowed: str) -> str:
    found = table.text(key, required=True)
    if found and not form.fullmatch(found):
        table.wrong(key, f"{found!r} is not a name", f"allowed: {allowed}")
    return found


def _one_of(table: toml_text.Table, key: str, known: Sequence[str], default: str) -> str:
    found = table.text(key) or default
    if found not in {*known, default}:
        table.wrong(key, f"{found!r} must be one of {', '.join(known)}", did_you_mean(found, known))
        return default
    return found


def _together(recipe: Recipe, source: str) -> Iterable[Finding]:
    """Yield what is wrong with the parts of a recipe beside each other."""
    if not recipe.metrics and recipe.is_timed:
        message = "there is none, and a client that is told how long to run says nothing by its wall time"
        yield error(f"{source}: metrics", message, "write [metrics.NAME] with a regex or a json path")
    if recipe.server is None and any(each.source == Source.SERVER for each in recipe.metrics):
        yield error(f"{source}: metrics", "one is read from the server, and there is no server")
    if not recipe.reader and any(each.source == Source.READER for each in recipe.metrics):
        yield error(f"{source}: metrics", "one is found by a reader, and none is named", "see docs/plugins.md")
    if recipe.ready.port and "port" not in Recipe.left_open(
        (*(recipe.server or recipe.client).command, *dict(recipe.files).values())
    ):
        yield error(f"{source}: server.ready_port", "the server's command names no {port}", _NO_PORT)
    if not recipe.other and not any(end.stack for end in recipe.ends.values()):
        yield error(f"{source}: client.stack", "no end runs under the stack's library: nothing could be tuned")
    clash = {name for name, _ in recipe.files} & {recipe.ready.file, *(each.source for each in recipe.metrics)}
    yield from (
        error(f"{source}: files.{name}", "is read as what an end leaves", "take another name") for name in clash
    )
