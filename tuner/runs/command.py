"""A recipe's commands as a `Benchmark`: their arguments, and the recipe's metrics out of what they print.

Nothing is known of the programs but what the recipe says, so everything that it asks for must be there: a run that lacks
one of its metrics has failed, and all that is missing is told with its place in the recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tuner.errors import Finding, UsageError, error
from tuner.hosts.child import ChildFailed
from tuner.hosts.pair import Place
from tuner.hosts.processes import last_words
from tuner.measurement import Measurement
from tuner.runs import matches, own_benchmark, recipe_text
from tuner.runs.benchmark import Ends, Features, Heard, ParseError
from tuner.runs.matches import Found, Wanted
from tuner.runs.metric import Metric
from tuner.runs.recipe import FOLDER_MARK, WALL, Better, OwnMetric, Recipe, Source, filled
from tuner.runs.recipe_text import NotFound
from tuner.runs.samples import SAMPLED, summed_up
from tuner.runs.workload import Workload

name: Final = "command"
_LAST_LINES: Final = 3
_SHOWN: Final = 300
_SAID: Final = "what the client printed"
"""Not the name of a file: both of its streams, in which a recipe's `failed` is looked for."""
_SIMPLER: Final = "make it simpler: fewer `.*`, and `^` where its line begins"
Matched = Mapping[Wanted, Found | None]

questions: Final[tuple[tuple[str, ...], ...]] = ()
install: Final = "install it with the package manager of this system, or put its folder into PATH"


def recipe_of(workload: Workload) -> Recipe:
    """Return the recipe of a workload that has one."""
    if workload.recipe is None:
        raise TypeError("a workload without a recipe has another benchmark")
    return workload.recipe


def metrics(workload: Workload) -> tuple[Metric, ...]:
    """Return what a recipe reports; that of which nobody said which way is better has None for it."""
    recipe = recipe_of(workload)
    own = tuple(metric for each in recipe.metrics for metric in _reported(each))
    return own if recipe.is_timed or any(each.name == WALL.name for each in own) else (*own, WALL)


def _reported(metric: OwnMetric) -> Iterator[Metric]:
    higher = None if metric.better is None else metric.better is Better.HIGHER
    if not metric.samples:
        higher = False if metric.source == Source.WALL else higher
        yield Metric(metric.name, metric.measured_in, higher, short=True)
        return
    tails = {"p50"} if higher else {"p50", "p99"}  # where higher is better, the best of a run are beyond its p99
    for word in SAMPLED:
        yield Metric(f"{metric.name}.{word}", metric.measured_in, higher, short=word in tails)


def programs(workload: Workload, named: str) -> dict[str, tuple[str, ...]]:
    """Return the programs that each end starts, its own command's first."""
    recipe = recipe_of(workload)
    of_end = {end: (each.command, *each.before) for end, each in recipe.ends.items()}
    of_end["client"] += (recipe.other,) if recipe.other else ()
    return {end: tuple(dict.fromkeys(command[0] for command in commands)) for end, commands in of_end.items()}


def features(version_text: str, client_help: str, server_help: str) -> Features:
    """Return nothing: what somebody's programs can do is theirs to say."""
    return Features(())


def unsupported(workload: Workload, able: Features) -> list[Finding]:
    """Return nothing, as above."""
    return []


def playback_time_s(text: str) -> float:
    """Raise `UsageError`: a recipe's client takes no playback of ours."""
    raise UsageError("a recipe has no playback", advice="leave --playback out")


def ends(
    workload: Workload,
    paths: Mapping[str, Mapping[str, str]],
    ports: Sequence[int],
    playback: str = "",
    *,
    full_log: bool = False,
) -> Ends:
    """Return the commands of a run; a recipe has no log of ours."""
    recipe, port = recipe_of(workload), ports[0] if ports else 0
    values = {"port": str(port), "address": workload.address, "seconds": str(workload.duration_s)}

    def made(end: str, command: Sequence[str]) -> tuple[str, ...]:
        program = paths.get(end, {}).get(command[0], command[0])
        return (program, *(filled(word, values) for word in command[1:]))

    server, ready = recipe.server, recipe.ready
    return Ends(
        client=made("client", recipe.client.command),
        servers=(made("server", server.command),) if server else (),
        before=tuple(made("server", each) for each in server.before) if server else (),
        warm_up=tuple(made("client", each) for each in recipe.client.before),
        files={name: filled(text, values) for name, text in recipe.files},
        ready=ready.text,
        ready_place=Place(recipe.protocol, workload.address, port) if ready.port else None,
        ready_file=ready.file,
        under_stack=frozenset(end for end, each in recipe.ends.items() if each.stack),
        wanted=tuple(dict.fromkeys(each.source for each in recipe.metrics if each.source not in set(Source))),
        folder_mark=FOLDER_MARK,
        ports=tuple(ports),
    )


def measured(heard: Heard, workload: Workload) -> Measurement:
    """Return what a run reported; raise `ParseError` with everything that is missing, or that says that it failed."""
    recipe, texts = recipe_of(workload), _texts(heard)
    found = _found(recipe, texts)
    if failed := list(_failures(heard, recipe, found)):
        raise ParseError("; ".join(each.message for each in failed), findings=failed)
    missing, own, read = [], dict[str, float](), _read(heard, recipe)
    samples: dict[str, list[float]] = {}
    for metric in recipe.metrics:
        try:
            values = read[metric.name] if metric.source == Source.READER else _values(metric, texts, heard, found)
        except NotFound as reason:
            missing.append(_lacking(recipe, metric, str(reason), texts))
            continue
        except KeyError:
            missing.append(error(f"{recipe.name}: metrics.{metric.name}", "the reader did not find it"))
            continue
        if metric.samples:
            samples[metric.name] = values
        else:
            own[metric.name] = values[0]
    if missing:
        raise ParseError("; ".join(f"{each.where}: {each.message}" for each in missing), findings=missing)
    if not recipe.is_timed:
        own.setdefault(WALL.name, heard.client.lived_s)
    return summed_up(own, samples, {each.name: each.measured_in for each in recipe.metrics})


def versions(output: str) -> list[str]:
    """Return nothing: nobody knows how these programs say it."""
    return []


def ports(argv: Sequence[str], files: Mapping[str, str], given: Sequence[int]) -> list[str]:
    """Return the ports that the run was given."""
    return list(map(str, given))


def without_ports(argv: Sequence[str], given: Sequence[int]) -> list[str]:
    """Return a command with `PORT` for the ports of its run."""
    return [file_without_ports(word, given) for word in argv]


def file_without_ports(text: str, given: Sequence[int]) -> str:
    """Return a text with `PORT` for the ports of its run."""
    return re.sub(rf"(?<!\d)(?:{'|'.join(map(str, given))})(?!\d)", "PORT", text) if given else text


def _failures(heard: Heard, recipe: Recipe, found: Matched) -> Iterator[Finding]:
    client = heard.client
    if client.exit_status not in recipe.exit_statuses:
        said = _last(client.stdout + client.stderr)
        yield error(
            f"{recipe.name}: client.exit_statuses", f"the client ended with status {client.exit_status}: {said}"
        )
    for expression in recipe.failed:
        place, wanted = f"{recipe.name}: client.failed", Wanted(expression, _SAID)
        matched = found[wanted]
        if matched is None:
            yield error(place, matches.too_long(wanted, _texts(heard)), _SIMPLER)
        elif matched:
            yield error(place, f"the client said {matched[0][0]!r}")


def _texts(heard: Heard) -> dict[str, str]:
    servers = "".join(f"{each.stdout}\n{each.stderr}" for each in heard.servers)
    ours = {Source.STDOUT: heard.client.stdout, Source.STDERR: heard.client.stderr, Source.SERVER: servers}
    said = {_SAID: heard.client.stdout + heard.client.stderr}
    return {**heard.written, **{source.value: text for source, text in ours.items()}, **said}


def _found(recipe: Recipe, texts: Mapping[str, str]) -> Matched:
    """Return what the expressions of a recipe find; raise `ParseError` where nothing could be matched."""
    failed = [Wanted(expression, _SAID) for expression in recipe.failed]
    wanted = [_wanted(each) for each in recipe.metrics if each.regex and each.source in texts]
    try:
        return matches.found([*failed, *wanted], texts)
    except ChildFailed as reason:
        raise ParseError(f"{recipe.name}: its regular expressions could not be matched: {reason}") from reason


def _wanted(metric: OwnMetric) -> Wanted:
    return Wanted(metric.regex, metric.source, recipe_text.groups(metric.regex))


def _read(heard: Heard, recipe: Recipe) -> dict[str, list[float]]:
    """Return what the recipe's reader found; raise `ParseError` where that is no result, or the reader fails."""
    try:
        return own_benchmark.numbers(recipe, heard)
    except (ValueError, UsageError) as reason:
        raise ParseError(str(reason), findings=[error(f"{recipe.name}: reader", str(reason))]) from reason


def _values(metric: OwnMetric, texts: Mapping[str, str], heard: Heard, found: Matched) -> list[float]:
    if metric.source == Source.WALL:
        return [heard.client.lived_s]
    if metric.source not in texts:
        raise NotFound(f"no end left a file {metric.source}")
    if metric.json:
        return recipe_text.led_to(metric.json, texts[metric.source], several=metric.samples)
    wanted = _wanted(metric)
    matched = found[wanted]
    if matched is None:
        raise NotFound(matches.too_long(wanted, texts))
    return recipe_text.numbers(metric.regex, matched, metric.measured_in, several=metric.samples)


_SAID_BY: Final = {Source.STDOUT.value: "the client's stdout", Source.STDERR.value: "the client's stderr"}


def _lacking(recipe: Recipe, metric: OwnMetric, why: str, texts: Mapping[str, str]) -> Finding:
    """Return which metric is missing and why, with the end of the text in which it should stand."""
    place = f"{recipe.name}: metrics.{metric.name}.{'json' if metric.json else 'regex'}"
    where = _SAID_BY.get(metric.source, f"the output of {metric.source}")
    ends = f"; {where} ends: {_last(texts[metric.source])}" if metric.source in texts else ""
    advice = "samples = true takes all of them" if " times: " in why else _SIMPLER if " took more than " in why else ""
    return error(place, f"{why}{ends}", advice)


def _last(text: str) -> str:
    lines = [line.strip() for line in last_words(text).splitlines()]
    return " / ".join(lines[-_LAST_LINES:])[-_SHOWN:] or "nothing"
