"""`tuner apply`: a profile into a file in use, shown first, and with a way back."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import deployable, options
from tuner.cli.screen.output import print_json
from tuner.errors import UsageError

if TYPE_CHECKING:
    from tuner.deploy import Change


@options.made_from_options(choice=deployable.choice)
def apply(
    profile: Annotated[
        str | None,
        typer.Argument(metavar="PROFILE", help="As for `tuner export`; with --undo the file, if not the last."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="FORM:FILE", help="What to write where, e.g. env:/etc/default/app."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put back the file that was there before.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --undo: also where the file was changed since.")] = False,
    json: options.Json = False,
    *,
    choice: deployable.Choice,
) -> None:
    """Write a profile into a file in use, with a way back.

    Shows the difference, asks, keeps the previous file, and replaces it in one step. Lines that are not the
    profile's stay as they are: an environment file, a script or a drop-in gets a block at its end, a Compose file
    the variables of one service (--service). A file that cannot be edited with certainty is left alone, and what to
    merge by hand is shown. The previous file stays beside the new one; `--undo` puts it back. Mode and owner stay;
    a symbolic link is never followed. Nothing is changed without a yes.

    \b
    Examples:
      tuner apply latest --target env:/etc/default/app
      tuner apply latency --target systemd:/etc/systemd/system/app.service.d/tuner.conf --yes
      tuner apply --undo
      tuner apply --undo /etc/default/app --yes
    """
    if undo:
        _undo(Path(profile) if profile else None, yes=yes, force=force, json=json)
        return
    if profile is None or target is None:
        raise UsageError("name a profile and a target", advice="tuner apply PROFILE --target FORM:FILE")
    _apply(profile, target, choice, yes=yes, json=json)


def _apply(profile: str, target: str, choice: deployable.Choice, *, yes: bool, json: bool) -> None:
    from tuner import catalogue, deploy
    from tuner.catalogue import named_files
    from tuner.export import form
    from tuner.export.merge import merged

    name, colon, path = target.partition(":")
    if not (colon and path):
        raise UsageError(f"{target!r} is not a target", advice="write FORM:FILE, e.g. env:/etc/default/app")
    wanted = form(name)
    found = choice.deployment(profile, wanted)
    change = deploy.planned(Path(path), lambda before: merged(wanted, before, found))
    what = f"{found.profile.stack}/{found.profile.name} as {wanted.name}"
    _show(change, f"{change.path} already holds {what}", json=json)
    answer = {"path": str(change.path), "profile": found.profile.name, "form": wanted.name, "diff": change.diff()}
    if change.before == change.after:
        _tell(answer | {"changed": False, "backup": None}, json=json)
        return
    for finding in named_files.told(catalogue.load(found.profile.stack), found.profile.settings):
        typer.echo(finding, err=True)
    if others := deploy.other_names(change.path):
        said = f"{change.path} has {others} other name{'s' if others > 1 else ''} (hard links), which keep what it holds now"
        typer.echo(f"warning: {said}", err=True)
    _ask(f"Write {change.path}?", yes=yes)
    done = deploy.put(change, deploy.Journal.of(os.environ), what, wanted.mode)
    _tell(answer | {"changed": True, "backup": done.backup or None}, json=json)
    typer.echo(f"wrote {change.path}; to undo: tuner apply --undo {change.path}", err=True)


def _undo(path: Path | None, *, yes: bool, force: bool, json: bool) -> None:
    from tuner import deploy

    journal = deploy.Journal.of(os.environ)
    if journal.torn:
        typer.echo(f"warning: {journal.path} ends in a line that was cut off: that line is ignored", err=True)
    applied = deploy.last(journal, path)
    change = deploy.undoing(applied, force=force)
    _show(change, f"{change.path} is as it was before", json=json)
    _ask(f"{'Remove' if change.after is None else 'Put back'} {change.path}?", yes=yes)
    kept = deploy.undo(applied, change, journal)
    done = {"path": str(change.path), "undone": applied.what, "diff": change.diff(), "changed": True}
    _tell(done | {"kept": str(kept) if kept else None}, json=json)
    if kept:
        typer.echo(f"the file had been edited since; that version is kept: {kept}", err=True)
    typer.echo(f"{'removed' if change.after is None else 'put back'} {change.path}", err=True)


def _show(change: Change, same: str, *, json: bool) -> None:
    """Show the difference: on stdout it is the answer, beside JSON it goes where the question is asked."""
    typer.echo(change.diff() or f"{same}\n", nl=False, err=json)


def _ask(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was changed: there is no terminal to ask on", advice="add --yes")
    if not typer.confirm(question, err=True):
        typer.echo("nothing was changed", err=True)
        raise typer.Exit(1)


def _tell(answer: dict[str, object], *, json: bool) -> None:
    if json:
        print_json(answer)
