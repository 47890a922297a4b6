"""`tuner params`: look up the settings of a stack."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import typer

from tuner import catalogue
from tuner.catalogue import facts
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.parameters import Choice, Kind, Parameter, Type, size_words
from tuner.catalogue.releases import in_window, window_words
from tuner.catalogue.rules import Rule
from tuner.cli.options import AnyStack, Json, Release, release_of
from tuner.cli.screen.output import print_json, table
from tuner.errors import UsageError, did_you_mean

_LABEL: Final = 12
_WIDTH: Final = 100
_BRIEF: Final = 11

Stack = AnyStack


def list_(
    stack: AnyStack = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="Only this group, such as poll.")
    ] = None,
    json: Json = False,
) -> None:
    """List the settings of a stack.

    Also lists the names in the vendor's documents that only look like settings. Without --stack: the settings of
    xlio, which include those that the kernel stack reads.

    \b
    Examples:
      tuner params list --group poll
      tuner params list --stack kernel --json
    """
    _answer(_in_group(catalogue.load(stack or facts.first()), group), as_json=json)


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment variable that sets it.")],
    stack: Stack = None,
    json: Json = False,
    stack_version: Release = None,
) -> None:
    """Show everything about one setting. Without --stack it is looked up in xlio, then in the other stacks.

    \b
    Examples:
      tuner params show XLIO_RX_POLL
      tuner params show XLIO_TX_WRE --stack-version 3.20.8
    """
    found = _holder(name, stack)
    parameter = found.find(name)
    if json:
        print_json(record(parameter))
    else:
        typer.echo(page(parameter, found, stack_version and release_of(found, stack_version)))


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words to find in names and explanations.")],
    stack: Stack = None,
    json: Json = False,
) -> None:
    """Find settings by what they do. Every word must occur; without --stack all stacks are searched.

    \b
    Examples:
      tuner params search interrupt
      tuner params search "send buffer" --stack xlio
    """
    looked_in = [catalogue.load(stack)] if stack else _catalogues()
    parameters = (p for each in looked_in for p in each.parameters.values())
    _answer([p for p in parameters if _mentions(p, text)], as_json=json)


def record(parameter: Parameter) -> dict[str, object]:
    """Return every field of a parameter, with its default in the newest release as `default`."""
    fields = dataclasses.asdict(parameter)
    shown = {"name": parameter.name, "stack": parameter.stack, "type": parameter.type, "default": parameter.default()}
    # The equivalent stands under the name of its stack, as in the catalogue.
    equivalent = {other: parameter.equivalent} if (other := facts.load(parameter.stack).equivalents) else {}
    return shown | fields | {"special": dict(parameter.special)} | equivalent


def page(parameter: Parameter, found: Catalogue, release: str | None = None) -> str:
    """Return all about a parameter as text of labels and wrapped lines; `release` narrows defaults and values."""
    facts = [*_identity(parameter, release), *_values(parameter, release), *_unread(found, release)]
    facts += _doubts(parameter, found)
    return "\n".join([parameter.name, *(line for label, text in facts if text for line in _wrapped(label, text))])


def _identity(parameter: Parameter, release: str | None) -> Iterator[tuple[str, str]]:
    yield "stack", parameter.stack + _elsewhere(parameter)
    if parameter.kind is not Kind.SETTING:
        yield "kind", f"{parameter.kind}, not a setting" + (f": use {parameter.alias_of}" if parameter.alias_of else "")
    yield "summary", parameter.summary
    yield "group", parameter.group
    yield "scope", f"of the {parameter.scope}" if parameter.scope else ""
    yield "releases", _releases(parameter)
    if release is not None:
        yield f"in {release}", "read" if parameter.exists_in(release) else "not read: setting it does nothing"


def _values(parameter: Parameter, release: str | None) -> Iterator[tuple[str, str]]:
    if parameter.kind is not Kind.SETTING:
        return
    yield "type", parameter.type + (f", in {parameter.unit}" if parameter.unit else "")
    yield "allowed", parameter.allowed(release)
    for choice in parameter.choices_in(release) if release else parameter.choices:
        yield "", f"{choice.value} = {_choice(choice)}"
    for value, meaning in parameter.special:
        yield "special", f"{value or '(empty)'} = {meaning}"
    for line in _defaults(parameter, release):
        yield "default", line


def _unread(found: Catalogue, release: str | None) -> Iterator[tuple[str, str]]:
    if not found.is_read_whole(release):
        yield "not known", f"what is allowed, and what follows from rules, was read in {', '.join(found.read_in)} only"


def _doubts(parameter: Parameter, found: Catalogue) -> Iterator[tuple[str, str]]:
    yield "bad value", parameter.on_invalid
    yield "risk", parameter.risk
    yield from (("depends", text) for text in parameter.constraints)
    yield from (("rule", _rule(rule)) for rule in found.rules if parameter.name in rule.names)
    yield "note", parameter.note
    yield "vendor slip", parameter.vendor_slip
    yield "JSON path", parameter.json_path
    yield "source", parameter.source


def _elsewhere(parameter: Parameter) -> str:
    having = (each.stack for each in _catalogues() if parameter.name in each.parameters)
    others = [stack for stack in having if stack != parameter.stack]
    return f" (also in {', '.join(others)}: see --stack)" if others else ""


def _releases(parameter: Parameter) -> str:
    gone = ", then gone" if parameter.last is not None else ""
    return parameter.window + gone


def _choice(choice: Choice) -> str:
    spelt = ", ".join((*choice.also, *choice.words))
    window = window_words(choice.since, choice.last)
    return choice.meaning + (f" (also {spelt})" if spelt else "") + (f" [{window}]" if window else "")


def _defaults(parameter: Parameter, release: str | None) -> Iterator[str]:
    if release is not None:
        value = parameter.default(release)
        yield "none" if value is None else f"{_readable(parameter, value)} in {release}"
    for default in parameter.defaults:
        if default.when and in_window(release or default.since, default.since, default.last):
            yield f"{_readable(parameter, default.value)} where {default.when} ({window_words(default.since, default.last)})"
        elif not default.when and release is None:
            formula = f", or {default.formula} where that differs" if default.formula else ""
            yield f"{_readable(parameter, default.value)} from {default.since} on{formula}"


def _readable(parameter: Parameter, value: str) -> str:
    if value == "":
        return "(empty)"
    words = size_words(value) if parameter.type is Type.SIZE or parameter.unit == "bytes" else value
    return value if words == value else f"{value} ({words})"


def _rule(rule: Rule) -> str:
    repair = " and ".join(f"{name} = {value}" for name, value in rule.repair)
    return f"{rule.message} [{rule.id}: {rule.ok}" + (f"; repaired by {repair}]" if repair else "]")


def _wrapped(label: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, _WIDTH - _LABEL - 2, break_long_words=False, break_on_hyphens=False)
    return [f"  {label if at == 0 else '':<{_LABEL}}{line}" for at, line in enumerate(lines)]


def _answer(parameters: list[Parameter], *, as_json: bool) -> None:
    if as_json:
        print_json([record(parameter) for parameter in parameters])
    else:
        stacks = ["STACK"] if len({parameter.stack for parameter in parameters}) > 1 else []
        rows = [(p.name, *([p.stack] if stacks else []), *_row(p)) for p in parameters]
        typer.echo(table(["NAME", *stacks, "TYPE", "DEFAULT", "SUMMARY"], rows))


def _row(parameter: Parameter) -> tuple[str, ...]:
    default = parameter.default()
    marks = [parameter.kind.value] if parameter.kind is not Kind.SETTING else []
    marks += [f"until {parameter.last}"] if parameter.last else []
    about = "".join(f"({mark}) " for mark in marks) + parameter.summary
    return parameter.type, _brief("-" if default is None else default or '""'), about


def _brief(text: str) -> str:
    """Return a default in few characters; `params show` has the whole."""
    return text if len(text) <= _BRIEF else text[: _BRIEF - 1] + "…"


def _in_group(found: Catalogue, group: str | None) -> list[Parameter]:
    groups = {parameter.group for parameter in found.settings()}
    if group is not None and group not in groups:
        raise UsageError(f"{found.stack} has no group {group!r}", advice=_known(group, groups))
    return [p for p in found.parameters.values() if group in {None, p.group}]


def _known(group: str, groups: Iterable[str]) -> str:
    return f"{did_you_mean(group, groups)} known: {', '.join(sorted(groups))}".strip()


def _holder(name: str, stack: str | None) -> Catalogue:
    """Return the catalogue to look `name` up in: that of `stack`, or the first that has it, or the one of its prefix.

    Raise `UsageError` where the prefix says whose variable it would be, and that stack has none of the name.
    """
    if stack:
        return catalogue.load(stack)
    having = (found for found in _catalogues() if name in found.parameters)
    return next(having, None) or catalogue.load(facts.owner([name]) or facts.first())


def _catalogues() -> list[Catalogue]:
    first = facts.first()
    return sorted(catalogue.every(), key=lambda each: (each.stack != first, each.stack))


def _mentions(parameter: Parameter, text: str) -> bool:
    about = f"{parameter.name} {parameter.summary} {parameter.group} {parameter.json_path} {parameter.risk}".casefold()
    return all(word in about for word in text.casefold().split())
