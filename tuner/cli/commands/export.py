"""`tuner export`: a profile in a form in which it is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuner import atomic_file
from tuner.cli import deployable, options
from tuner.cli.screen.output import print_json, table
from tuner.errors import UsageError


@options.made_from_options(choice=deployable.choice)
def export(
    profile: Annotated[
        str | None, typer.Argument(metavar="PROFILE", help="A name, STACK/NAME, a path to a .toml, default, or latest.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="FORM", help="The form; see --list.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", "--out", metavar="FILE", help="Write this file instead of stdout.")
    ] = None,
    every: Annotated[bool, typer.Option("--list", help="List the forms and stop.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    json: options.Json = False,
    *,
    choice: deployable.Choice,
) -> None:
    """Write a profile for systemd, Docker, Kubernetes, others.

    Other forms are environment files, Ansible variables and scripts; `--list` shows all of them. The stack's
    library is included as LD_PRELOAD. If a form cannot represent a value, that is an error and nothing is written.
    `tuner apply` does the same to a file in use, with a way back; `tuner import` reads every form.

    \b
    Examples:
      tuner export --list
      tuner export latency --to env
      tuner export latest --to systemd --service web -o tuner.conf
      tuner export xlio/latency --to kubernetes --lib /usr/lib64/libxlio.so
    """
    if every:
        _list(json=json)
        return
    if profile is None or to is None:
        raise UsageError("name a profile and a form", advice="tuner export PROFILE --to FORM; see --list")
    deployed(profile, to, out, choice, force=force, json=json)


def deployed(
    profile: str, to: str, out: Path | None, choice: deployable.Choice, *, force: bool, json: bool = False
) -> None:
    """Write a profile in the form called `to` to a file or to stdout."""
    from tuner.export import form

    wanted = form(to)
    found = choice.deployment(profile, wanted)
    text = wanted.write(found)
    if out is not None:
        advice = f"{atomic_file.FORCE}, or `tuner apply`, which keeps what is there"
        atomic_file.save(out, text, overwrite=force, mode=wanted.mode, advice=advice)
    if json:
        answer = {"profile": found.profile.name, "stack": found.profile.stack, "form": wanted.name}
        print_json(answer | {"path": str(out) if out else None, "environment": found.variables, "text": text})
    else:
        typer.echo(str(out) if out else text, nl=out is not None)


def _list(*, json: bool) -> None:
    from tuner.export import forms, further

    others, broken = further()

    rows = [
        {"form": form.name, "file": form.file_name.format(name="NAME"), "summary": form.summary, "stacks": form.stacks}
        for form in (*forms().values(), *others.values())
    ]
    for reason in broken:
        typer.echo(f"warning: {reason.message}", err=True)
    if json:
        print_json(rows)
    else:
        typer.echo(table(("FORM", "FILE", "WHAT IT IS"), [tuple(map(str, row.values()))[:3] for row in rows]))
