"""`tuner profiles effective`: what a library will really use for a profile or an environment, and why."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tuner import catalogue
from tuner.catalogue import facts, rules
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.effective import AS_SET, Effective, InEffect, Origin
from tuner.catalogue.parameters import size_words
from tuner.catalogue.reading import Fate
from tuner.cli.options import AnyStack, Json, Release, Rings
from tuner.cli.screen.output import print_json, table
from tuner.errors import Finding, UsageError, warning
from tuner.hosts.local import LocalHost
from tuner.profiles.library import load, shelves
from tuner.profiles.profile import Profile
from tuner.session.setup.memory_account import account
from tuner.stacks.configured import configured

if TYPE_CHECKING:
    from tuner.errors import Skipped
    from tuner.intake.taken import Taken

# The sum of the memory says the same with figures.
_SUMMED: Final = "mem_start"


def effective(
    profile: Annotated[
        str | None, typer.Argument(metavar="[PROFILE]", help="A name, STACK/NAME, a path to a .toml, or default.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A variable, over the profile. Repeatable.")
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="FILE", help="A file that sets variables, in any form that `import` reads."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="FORM", help="The form of the file: sh, env (systemd), docker, …")
    ] = None,
    stack: AnyStack = None,
    stack_version: Release = None,
    every: Annotated[bool, typer.Option("--all", help="Also what has its default.")] = False,
    rings: Rings = 1,
    json: Json = False,
) -> None:
    """Show the values that a library will really use, and why.

    They follow from the defaults, the preset, what is set, and what the library makes of it. Nothing is refused: a
    bad value is explained (`true` is read as 0, `1K` as 1), because an inherited environment may contain it. The
    memory that xlio and vma take at start is added up and compared with what this host has. Without --stack-version
    the newest release is used. `tuner profiles lint` reports mistakes.

    \b
    Examples:
      tuner profiles effective xlio/latency --stack-version 3.40.2
      tuner profiles effective --env XLIO_SPEC=latency --env XLIO_TCP_NODELAY=true
      tuner profiles effective --env-file /etc/default/myserver --stack vma --all
    """
    if profile is None and not env and env_file is None:
        raise UsageError("nothing to look at", advice="name a profile, or give --env NAME=VALUE or --env-file FILE")
    given, base = _pairs(env or ()), _profile(profile, stack)
    stack = base.stack if base is not None else stack
    file = _read(env_file, source, stack) if env_file is not None else None
    asked = dict(file.settings if file is not None else {}) | given
    name = stack or (file.stack if file is not None else None) or facts.owner(asked) or facts.first()
    findings, settings = _file_findings(file) if file is not None else [], _settings(base, name, asked)
    known = catalogue.load(name)
    release = known.taken(stack_version)
    made = configured(known, settings, release.release)
    found = made.found
    memory = account(found, rings, LocalHost().room())
    remarks = [warning("--stack-version", text) for text in (release.remark, _unread(known, release.release)) if text]
    told = [
        *remarks,
        *findings,
        *made.findings,
        *doubts(known, found),
        *(Finding(**each) for each in memory["findings"]),
    ]
    if json:
        print_json(record(found, told, memory))
    else:
        typer.echo("\n".join([*_page(found, told, every=every), *_memory(memory["lines"])]))


def _unread(known: Catalogue, release: str) -> str:
    """Return what is not known of a release, empty where all is."""
    if known.is_read_whole(release):
        return ""
    return (
        f"what {known.stack} {release} makes of values is not known: limits and rules are those of {known.read_in[-1]}"
    )


def record(found: Effective, findings: Iterable[Finding], memory: Mapping[str, Any]) -> dict[str, object]:
    """Return what is in effect as JSON."""
    settings = {
        name: {"value": each.value, "from": each.origin, "why": each.why} | ({"fate": each.fate} if each.fate else {})
        for name, each in found.settings.items()
    }
    return {
        "stack": found.stack,
        "version": found.release,
        "settings": settings,
        "ignored": dict(found.ignored),
        "memory": {name: each for name, each in memory.items() if name not in {"version", "findings", "lines"}},
        "findings": [asdict(finding) for finding in findings],
    }


def doubts(known: Catalogue, found: Effective) -> list[Finding]:
    """Return what will not start or may do harm with the values in effect, but for their memory."""
    broken = rules.broken(known.rules, rules.numbers(found.values()), found.release)
    told = [one.rule for one in broken if not one.rule.kind.is_fix and one.rule.id != _SUMMED]
    return [warning(each.id, each.message) for each in told]


def _memory(lines: Iterable[str]) -> list[str]:
    return [f"{'memory' if number == 0 else '      '}  {line}" for number, line in enumerate(lines)]


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    if wrong := [text for text in texts if "=" not in text]:
        raise UsageError(f"cannot read {wrong[0]}", advice="write --env NAME=VALUE")
    return dict(text.partition("=")[::2] for text in texts)


def _read(path: Path, form: str | None, stack: str | None) -> Taken:
    """Return what a file sets, whether the library that is loaded reads it or not."""
    from tuner.intake.taken import Asked, taken

    return taken(path, Asked(form=form, stack=stack, keep_unknown=True, as_set=True))


def _file_findings(file: Taken) -> list[Finding]:
    """Return what is said of a file: what of it is not in force, and what was left out."""
    unread = [warning(name, f"is not read: {file.library or file.stack} is loaded") for name in file.unread]
    nothing = [] if file.settings else [warning("environment", f"nothing is in force: {_none(file)} {file.stack}")]
    left_out = [
        warning(each.where, f"left out: {each.text}: {each.why}") for each in file.skipped if _counts(each, file)
    ]
    return [*nothing, *unread, *file.findings, *left_out]


def _none(file: Taken) -> str:
    return "none of it is read by" if file.unread or file.skipped else "it sets no variable of"


def _counts(entry: Skipped, file: Taken) -> bool:
    """Return whether what was left out may have been a setting: what is another program's is left alone."""
    return (
        not any(entry.text.startswith(f"{name}=") for name in file.unread) and "is not a variable of" not in entry.why
    )


def _profile(name: str | None, stack: str | None) -> Profile | None:
    return load(name, stack, shelves(os.environ, Path.cwd())) if name is not None else None


def _settings(profile: Profile | None, stack: str, asked: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a stack: the profile's, and those of the environment over them."""
    prefix = facts.load(stack).prefix
    base = dict(profile.settings) if profile is not None else {}
    return base | {name: text for name, text in asked.items() if name.startswith(prefix)}


def _page(found: Effective, findings: Iterable[Finding], *, every: bool) -> list[str]:
    moved = {name: each for name, each in found.settings.items() if each.origin is not Origin.DEFAULT or each.fate}
    rest = {name: each for name, each in found.settings.items() if name not in moved} if every else {}
    # What did not come out as written stands first: it is what the reader came for.
    first = sorted(moved.items(), key=lambda row: not _odd(row[1]))
    rows = [_row(name, each) for name, each in (*first, *rest.items())]
    lines = [f"{found.stack} {found.release}", ""]
    lines += [table(("VARIABLE", "VALUE", "FROM", "WHY"), rows)] if rows else ["everything has its default"]
    lines += [f"not read: {name}: {why}" for name, why in found.ignored.items()]
    lines += [str(finding) for finding in findings]
    hidden = len(found.settings) - len(rows)
    return [*lines, *([f"{hidden} more have their defaults: add --all"] if hidden else [])]


def _odd(each: InEffect) -> bool:
    """Return whether something that was set did not come out as it was written."""
    return each.fate is not None and (each.fate is not Fate.APPLIED or not each.why.startswith(AS_SET))


def _row(name: str, each: InEffect) -> tuple[str, str, str, str]:
    mark = "!" if _odd(each) else " "
    words = size_words(each.value) if name.endswith(("LIMIT", "LIMIT_USER")) else each.value
    return f"{mark} {name}", words or "(empty)", each.origin, each.why
