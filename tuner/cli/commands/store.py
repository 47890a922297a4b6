"""`tuner store`: the database itself: where it is damaged or somebody else's, of an earlier release, or to be elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner import database_url
from tuner.cli import options
from tuner.cli.screen.output import print_json
from tuner.errors import UsageError
from tuner.results import Results

if TYPE_CHECKING:
    from tuner.store.copying import Copied
    from tuner.store.repair import Examined

To = Annotated[Path, typer.Option("--to", metavar="DIR", help="The results folder that the new store is made in.")]
Source = Annotated[str, typer.Argument(metavar="FROM", help="A results folder, or the URL of a store.")]
Target = Annotated[str, typer.Argument(metavar="TO", help="The same; made where there is none.")]


@options.made_from_options(where=options.where)
def check(json: options.Json = False, *, where: Results) -> None:
    """Say what of a store can be read, and what is damaged.

    Every value of every session is read. Nothing is written. Exit status 0: all of it can be read; 1: it is damaged.

    \b
    Example:
      tuner store check --results DIR
    """
    from tuner.store.repair import examined

    _tell(examined(where), json=json)


@options.made_from_options(where=options.where)
def salvage(to: To, json: options.Json = False, *, where: Results) -> None:
    """Copy what can be read of a damaged store into a new one.

    The damaged one stays as it is. Trials and runs are numbered anew where some are lost; `tuner sessions judge` then
    computes a session's answer from those that are left.

    \b
    Example:
      tuner store salvage --results damaged --to salvaged
    """
    from tuner.store.repair import salvage as salvaged

    _tell(salvaged(where, Results(to)), json=json, to=str(Results(to).database))


def copy(source: Source, target: Target, json: options.Json = False) -> None:
    """Copy sessions into another store, a file or a server.

    A session that is there already is brought up to date if it went on in the first store, and left as it is if it went
    on in both. Profiles and reports in results folders are not copied: `tuner report` makes reports again. Exit status 0:
    all is there; 1: something was left out, which is named.

    \b
    Examples:
      tuner store copy results postgresql+psycopg://tuner@db/fleet
      tuner store copy postgresql+psycopg://tuner@db/fleet backup
    """
    from tuner.store import Store
    from tuner.store.copying import Outcome, copied

    read_from, written_to = _named(source), _named(target)
    if read_from.url == written_to.url:
        raise UsageError("both are the same store", advice="tuner store copy FROM TO")
    known = Store.reading(read_from)  # first, so that nothing is made where there is nothing to copy
    store = Store(written_to.url)
    found = list(copied(known, store))
    _tell_copied(found, store.where, json=json)
    raise typer.Exit(1 if any(each.outcome is Outcome.LEFT_OUT for each in found) else 0)


@options.made_from_options(where=options.where)
def upgrade(json: options.Json = False, *, where: Results) -> None:
    """Bring a store of an earlier release to the present format.

    A file is upgraded by the first command that writes to it, too. A server is upgraded by this command alone, because
    earlier releases cannot use it any more. In a database that holds tables of other programs, it makes the store's own
    beside them, which no other command does.

    \b
    Examples:
      tuner store upgrade
      tuner store upgrade --store postgresql+psycopg://tuner@db/fleet
    """
    from tuner.store.database import upgraded

    before, now = upgraded(where)
    shown = database_url.shown(where.url) if where.store else str(where.database)
    if json:
        print_json({"store": shown, "before": before or None, "format": now})
    elif before == now:
        typer.echo(f"{shown} has format {now}, the present one")
    else:
        typer.echo(f"{shown}: format {before} → {now}" if before else f"{shown}: made the tables, format {now}")


def _named(name: str) -> Results:
    return Results(Path(), database_url.checked(name)) if "://" in name else Results(Path(name))


def _tell_copied(found: Sequence[Copied], to: str, *, json: bool) -> None:
    if json:
        print_json({"copied_to": to, "sessions": list(map(asdict, found))})
        return
    for each in found:
        what = each.why or f"{each.trials} trials, {each.runs} runs"
        typer.echo(f"{each.outcome}: session {each.session}, {what}")
    typer.echo(f"wrote {to}", err=True)


def _tell(found: Examined, *, json: bool, to: str | None = None) -> None:
    counted = [{"session": each.id, "trials": each.trials, "runs": each.runs} for each in found.kept]
    if json:
        copied = {} if to is None else {"copied_to": to}
        print_json({"sessions": counted, "damaged": list(map(asdict, found.wrong))} | copied)
    else:
        verb = "can be read" if to is None else "copied"
        lines = [f"{verb}: session {row['session']}, {row['trials']} trials, {row['runs']} runs" for row in counted]
        typer.echo("\n".join([*lines, *(f"damaged: {each.message}" for each in found.wrong)] or ["no session"]))
        if to is not None:
            typer.echo(f"wrote {to}", err=True)
    raise typer.Exit(1 if found.wrong and to is None else 0)
