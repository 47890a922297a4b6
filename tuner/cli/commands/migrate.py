"""`tuner profiles migrate`: a profile for another release, or for the other of XLIO and VMA."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tuner import catalogue
from tuner.cli.options import AnyStack, Json
from tuner.cli.screen.output import print_json
from tuner.errors import UsageError
from tuner.profiles.files import save, write
from tuner.profiles.library import load, shelves
from tuner.profiles.migration import Edition, edition, record
from tuner.profiles.migration import migrate as migrated
from tuner.profiles.profile import Profile


def migrate(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A name, STACK/NAME or a path to a .toml.")],
    to: Annotated[str, typer.Option("--to", metavar="[STACK:]RELEASE", help="Where to: 3.61, 3.40.2, STACK:9.8.84, …")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="RELEASE", help="Written for; else the newest that it covers.")
    ] = None,
    stack: AnyStack = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this .toml instead of stdout.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    json: Json = False,
) -> None:
    """Convert a profile to another release.

    Converts names, spellings, numbers that changed their meaning, and presets that are gone. What has no equivalent
    is left out, with a message on stderr. Between XLIO and VMA, equivalent variables are used.

    \b
    Examples:
      tuner profiles migrate xlio/multi_ring_latency --to 3.61
      tuner profiles migrate mine.toml --from 3.21.2 --to 3.61.2 -o profiles/xlio/mine.toml
      tuner profiles migrate xlio/latency --to vma:9.8.84
    """
    found = load(profile, stack, shelves(os.environ, Path.cwd()))
    source, target = _source(found, since), _target(to, found.stack)
    made, notes = migrated(found, source, target)
    for remark in filter(None, (source.remark, target.remark)):
        typer.echo(f"warning: {remark}", err=True)
    for note in notes:
        typer.echo(note, err=True)
    if output is not None:
        save(replace(made, name=output.stem), output, overwrite=force)
        typer.echo(output, err=json)
    if json:
        print_json(record(made, notes, source, target))
    elif output is None:
        typer.echo(write(made), nl=False)


def _source(profile: Profile, since: str | None) -> Edition:
    if since is not None:
        return edition(profile.stack, since)
    covered = profile.releases.among(catalogue.load(profile.stack).releases)
    if not covered:
        raise UsageError(f"{profile.source} covers no known release", advice="say what it was written for with --from")
    return edition(profile.stack, covered[-1])


def _target(text: str, stack: str) -> Edition:
    named, colon, release = text.rpartition(":")
    return edition(named if colon else stack, release)
