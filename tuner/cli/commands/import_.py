"""`tuner import`: a profile out of a file in which settings are deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tuner.cli import options
from tuner.cli.screen.output import print_json
from tuner.errors import Finding, UsageError, warning

Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", "--out", metavar="PROFILE.toml", help="Write the profile here, not to stdout."),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FORM", help="The form of the file, where it is not recognised: sh, env, docker, …"),
]
Service = Annotated[
    str | None, typer.Option("--service", metavar="NAME", help="The service, where the file configures several.")
]
Container = Annotated[
    str | None, typer.Option("--container", metavar="NAME", help="The container, where the file configures several.")
]
FollowFiles = Annotated[
    bool, typer.Option("--follow", help="Also read the files that the file names, e.g. by EnvironmentFile=.")
]
KeepUnknown = Annotated[
    bool,
    typer.Option("--keep-unknown/--drop-unknown", help="Keep variables of the stack that the catalogue does not have."),
]
_MOST_TOLD: Final = 40


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to read.")],
    source: From = None,
    out: Output = None,
    stack: Annotated[
        str | None,
        typer.Option("--stack", metavar="STACK", help=f"{options.STACK_NAMES}, where the file does not say it."),
    ] = None,
    service: Service = None,
    container: Container = None,
    follow: FollowFiles = False,
    keep_unknown: KeepUnknown = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a profile that exists.")] = False,
    json: options.Json = False,
) -> None:
    """Make a profile of the settings in an existing file.

    They are checked before they are written. A script, an environment file, the output of `env`, a systemd unit, a
    Dockerfile, a Compose or Kubernetes file and others: the form is recognised. Nothing in the file is run or
    expanded. What is literal is taken, what is not is named with its line, and what belongs to another program is
    left alone.

    \b
    Examples:
      tuner import start.sh
      tuner import /etc/default/app --from env -o profiles/vma/app.toml
      tuner import compose.yaml --service feed --json
    """
    from tuner import catalogue
    from tuner.catalogue import named_files
    from tuner.intake.profile import intake, unusable
    from tuner.intake.taken import Asked
    from tuner.profiles.files import save, write

    asked = Asked(source, stack, service or container, follow, keep_unknown)
    found = intake(file, asked, out.stem if out else "")
    errors = unusable(found, str(file))
    if errors and (out is not None or not json):
        raise UsageError(f"{file} has settings that {found.profile.stack} does not accept", findings=errors)
    named = named_files.told(catalogue.load(found.profile.stack), found.profile.settings)
    notes = [*found.findings, *errors, *named]
    tell(notes, (warning(each.where, f"left out: {each.text}: {each.why}") for each in found.skipped))
    if out is not None:
        save(found.profile, out, overwrite=force, unknown=found.unknown)
    if json:
        print_json(_answer(found, out, notes))
    else:
        typer.echo(str(out) if out else write(found.profile), nl=out is not None)


def tell(notes: Iterable[Finding], left_out: Iterable[Finding]) -> None:
    """Say on stderr what was found, and what was left out."""
    for line in _bounded([*map(str, notes), *map(str, left_out)]):
        typer.echo(line, err=True)


def _bounded(lines: list[str]) -> Iterator[str]:
    yield from lines[:_MOST_TOLD]
    if len(lines) > _MOST_TOLD:
        yield f"and {len(lines) - _MOST_TOLD} more: --json has all"


def _answer(found: Any, out: Path | None, notes: Iterable[Finding]) -> dict[str, object]:
    return {
        "name": found.profile.name,
        "stack": found.profile.stack,
        "settings": dict(found.settings),
        "library": found.taken.library or None,
        "form": found.taken.form,
        "skipped": [asdict(entry) for entry in found.skipped],
        "path": str(out) if out else None,
        "findings": [asdict(note) for note in notes],
    }
