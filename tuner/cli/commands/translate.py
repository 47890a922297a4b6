"""`tuner profiles translate`: a profile of one stack as a profile of another."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli.options import STACK_NAMES, Json
from tuner.cli.screen.output import print_json, table
from tuner.errors import UsageError


def translate(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A name, STACK/NAME, or a path to a .toml.")],
    to: Annotated[str, typer.Option("--to", metavar="STACK", help=f"The stack to translate for: {STACK_NAMES}.")],
    source: Annotated[str | None, typer.Option("--from", metavar="STACK", help="The stack of the profile.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.toml", help="Write it here.")] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    json: Json = False,
) -> None:
    """Translate a profile for another stack.

    The same ideas in the names and units of the other stack. Each setting is marked good (the same thing), partial
    (the same idea: measure it) or none, with the reason.

    \b
    Examples:
      tuner profiles translate latency --from xlio --to onload
      tuner profiles translate onload/latency-best --to kernel -o profiles/kernel/mine.toml
    """
    from tuner.profiles.files import save
    from tuner.profiles.library import load, shelves
    from tuner.profiles.translation import translate as translated

    found = translated(load(profile, source, shelves(os.environ, Path.cwd())), to)
    if output is not None:
        if not found.profile.settings:
            raise UsageError(f"nothing in {profile} has an equivalent in {to}", advice="see the lines without -o")
        save(replace(found.profile, name=output.stem), output, overwrite=force)
    if json:
        print_json(_record(found, output))
        return
    rows = [(line.name, line.value, _pairs(line.becomes), line.fit, line.why) for line in found.lines]
    typer.echo(table(("SETTING", "VALUE", f"FOR {to}", "FIT", "WHY"), rows))
    for name, value in found.repaired.items():
        typer.echo(f"{name}={value}: set so that the rules of {to} hold")
    if output is not None:
        typer.echo(f"written  {output}")


def _pairs(settings: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "-"


def _record(found: Any, output: Path | None) -> dict[str, object]:
    lines = [
        {"name": line.name, "value": line.value, "becomes": dict(line.becomes), "fit": line.fit, "why": line.why}
        for line in found.lines
    ]
    return {
        "profile": found.profile.name,
        "stack": found.profile.stack,
        "settings": dict(found.profile.settings),
        "lines": lines,
        "repaired": dict(found.repaired),
        "path": str(output) if output else None,
    }
