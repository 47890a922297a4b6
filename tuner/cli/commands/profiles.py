"""`tuner profiles`: list, show, check, compare and write the named sets of values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from tuner import catalogue
from tuner.cli.options import STACK_NAMES, AnyStack, Json, Release
from tuner.cli.screen.output import print_json, table
from tuner.errors import Finding, UsageError, error
from tuner.profiles.files import save
from tuner.profiles.library import Listed, Shelf, find, listing, load, locate, shelves
from tuner.profiles.profile import Place, Profile, differences, errors_in
from tuner.terminal_text import shown

Stack = AnyStack
Reference = Annotated[str, typer.Argument(metavar="PROFILE", help="A name, STACK/NAME, a path to a .toml, or default.")]


def list_(stack: Stack = None, *, json: Json = False) -> None:
    """List all profiles, and the folder of each.

    `profiles show` and --json also show the file.

    \b
    Examples:
      tuner profiles list --stack xlio
      tuner profiles list --json
    """
    if stack is not None:
        catalogue.load(stack)
    rows = listing(_shelves(), stack)
    if json:
        print_json([_row(listed) for listed in rows])
    else:
        typer.echo(table(("PROFILE", "PLACE", "SETS", "SUMMARY"), [_cells(listed) for listed in rows]))


def show(profile: Reference, stack: Stack = None, *, json: Json = False) -> None:
    """Show what a profile sets, and why.

    Includes the settings of the profile that it extends.

    \b
    Examples:
      tuner profiles show latency
      tuner profiles show xlio/ultra_latency --json
    """
    places = _shelves()
    found = replace(load(profile, stack, places), extends=find(profile, stack, places).extends)
    if json:
        print_json(_record(found))
    else:
        typer.echo(_page(found))


def lint(
    profiles: Annotated[
        list[str] | None, typer.Argument(metavar="[PROFILE…]", help="Names or paths; every profile found when absent.")
    ] = None,
    stack: Stack = None,
    stack_version: Release = None,
    lib: Annotated[
        Path | None, typer.Option("--lib", metavar="PATH", help="Check for the release of this library (with --stack).")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Check profiles for mistakes.

    Finds what a stack would ignore, replace or refuse, and settings that do nothing. The exit status is 1 when
    there are errors; warnings leave it 0.

    \b
    Examples:
      tuner profiles lint
      tuner profiles lint xlio/latency profiles/kernel/mine.toml --stack-version 3.40.2
      tuner profiles lint --stack xlio --lib /usr/lib64/libxlio.so
    """
    places = _shelves()
    if lib is not None:
        from tuner.cli.commands.verify import release_of_library

        stack_version = release_of_library(lib, stack)
    subjects = [_subject(reference, stack, places) for reference in profiles or ()]
    if not profiles:
        subjects = [listed.path for listed in listing(places, stack)]
    findings = [finding for subject in subjects for finding in _lint(subject, stack_version, places)]
    _tell(findings, len(subjects), json=json)
    if errors_in(findings):
        raise typer.Exit(1)


def diff(a: Reference, b: Reference, stack: Stack = None, *, json: Json = False) -> None:
    """Compare two profiles setting by setting.

    Includes the settings of the profiles that they extend.

    \b
    Examples:
      tuner profiles diff xlio/latency xlio/ultra_latency
      tuner profiles diff latency profiles/kernel/mine.toml --json
    """
    places = _shelves()
    one, other = load(a, stack, places), load(b, stack, places)
    if json:
        print_json(_comparison(one, other))
    else:
        typer.echo(_comparison_table(one, other))


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the new profile.")],
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="STACK", help=f"{STACK_NAMES}; that of --from if absent.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="PROFILE", help="Begin with the settings of this profile.")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a variable. Repeatable.")
    ] = None,
    summary: Annotated[
        str, typer.Option("--summary", metavar="TEXT", help="One line that describes the profile.")
    ] = "",
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a new profile and print its path.

    The path is ./profiles/STACK/NAME.toml. The profile is checked before it is written.

    \b
    Examples:
      tuner profiles new mine --stack kernel --set XLIO_RX_POLL=-1
      tuner profiles new mine --from xlio/latency --set XLIO_RX_POLL=100000 --summary "latency with sleep"
    """
    base = load(source, stack, _shelves()) if source else None
    profile = _begun(name, base, stack)
    profile = _with(profile, _settings(assignments or (), profile.stack))
    path = Path("profiles") / profile.stack / f"{name}.toml"
    save(replace(profile, summary=summary or profile.summary), path, overwrite=force)
    typer.echo(path)


def _shelves() -> tuple[Shelf, ...]:
    return shelves(os.environ, Path.cwd())


def _row(listed: Listed) -> dict[str, object]:
    profile = listed.profile
    return {
        "name": listed.name,
        "stack": listed.stack,
        "place": listed.place,
        "path": str(listed.path),
        "settings": len(profile.settings) if profile else None,
        "summary": profile.summary if profile else None,
        "shadowed": listed.shadowed,
        "errors": len(errors_in(listed.findings)),
    }


def _cells(listed: Listed) -> tuple[str, ...]:
    name = shown(f"{listed.stack}/{listed.name}")
    if listed.profile is None:
        wrong = len(errors_in(listed.findings))
        return (name, listed.place, "-", f"broken, errors: {wrong}; see `tuner profiles lint`")
    hidden = "(hidden) " if listed.shadowed else ""
    size = str(len(listed.profile.settings))
    return (name, listed.place, size, hidden + listed.profile.summary)


def _record(profile: Profile) -> dict[str, object]:
    return {
        "name": profile.name,
        "stack": profile.stack,
        "place": profile.place,
        "path": str(profile.path) if profile.path else None,
        "summary": profile.summary,
        "extends": profile.extends,
        "releases": str(profile.releases),
        "settings": dict(profile.settings),
        "reasons": dict(profile.reasons),
        "origin": dict(profile.origin) if profile.origin is not None else None,
    }


def _page(profile: Profile) -> str:
    facts = {
        "summary": profile.summary,
        "place": profile.place,
        "path": str(profile.path or ""),
        "extends": profile.extends or "",
        "releases": str(profile.releases),
        **{f"origin {key}": str(value) for key, value in (profile.origin or {}).items()},
    }
    lines = [f"{profile.stack}/{profile.name}", *(f"  {key:<9} {value}" for key, value in facts.items() if value)]
    parameters = catalogue.load(profile.stack).parameters
    rows = [
        (name, value, parameters[name].default() or "-", " ".join(profile.reasons.get(name, "").split()))
        for name, value in profile.settings.items()
    ]
    return "\n".join([*lines, "", table(("VARIABLE", "VALUE", "DEFAULT", "WHY"), rows)] if rows else lines)


def _subject(reference: str, stack: str | None, places: Sequence[Shelf]) -> Path | Profile:
    found = locate(reference, stack, places)
    return find(reference, stack, places) if found is None else found.path


def _lint(subject: Path | Profile, release: str | None, places: Sequence[Shelf]) -> list[Finding]:
    from tuner.profiles import lint as linting

    return linting.lint(subject, release, lambda name, stack: find(name, stack, places))


def _tell(findings: Sequence[Finding], profiles: int, *, json: bool) -> None:
    if json:
        print_json({"findings": [asdict(finding) for finding in findings], "profiles": profiles})
        return
    for finding in findings:
        typer.echo(finding)
    errors = len(errors_in(findings))
    typer.echo(f"profiles: {profiles}, errors: {errors}, warnings: {len(findings) - errors}")


def _comparison(a: Profile, b: Profile) -> dict[str, object]:
    found = differences(a, b)
    return {
        "a": {"profile": a.name, "stack": a.stack},
        "b": {"profile": b.name, "stack": b.stack},
        "only_a": {one.name: one.a for one in found if one.b is None},
        "only_b": {one.name: one.b for one in found if one.a is None},
        "different": {one.name: {"a": one.a, "b": one.b} for one in found if one.a is not None and one.b is not None},
    }


def _comparison_table(a: Profile, b: Profile) -> str:
    found = differences(a, b)
    if not found:
        return f"{a.stack}/{a.name} and {b.stack}/{b.name} set the same"
    rows = [(one.name, "-" if one.a is None else one.a, "-" if one.b is None else one.b) for one in found]
    return table(("VARIABLE", f"{a.stack}/{a.name}", f"{b.stack}/{b.name}"), rows)


def _begun(name: str, base: Profile | None, stack: str | None) -> Profile:
    """Return the profile to begin with; what a session measured is not the origin of what is changed here."""
    if base is not None:
        summary = f"{base.stack}/{base.name}, changed by hand."
        return replace(base, name=name, summary=summary, origin=None, path=None, place=Place.FILE)
    if stack is None:
        raise UsageError("a new profile needs a stack", advice="add --stack, or --from a profile")
    return Profile(name, catalogue.load(stack).stack)


def _with(profile: Profile, changes: Mapping[str, str]) -> Profile:
    """Return the profile with some settings changed, without the reasons that were given for the old values."""
    reasons = {name: text for name, text in profile.reasons.items() if name not in changes}
    return replace(profile, settings={**profile.settings, **changes}, reasons=reasons)


def _settings(assignments: Iterable[str], stack: str) -> dict[str, str]:
    parts = [assignment.partition("=") for assignment in assignments]
    if wrong := [name for name, equals, _ in parts if not equals]:
        findings = [error(f"--set {name}", "has no value", "write --set NAME=VALUE") for name in wrong]
        raise UsageError("a setting is NAME=VALUE", findings=findings)
    return {name: _canonical(name, value, stack) for name, _, value in parts}


def _canonical(name: str, value: str, stack: str) -> str:
    """Return the text that the stack reads for what a person writes; what means nothing is left to the check."""
    parameter = catalogue.load(stack).parameters.get(name)
    try:
        return value if parameter is None else parameter.canonical(value)
    except ValueError:
        return value
