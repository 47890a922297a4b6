"""`tuner store`: the database itself, where it is damaged or somebody else's."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import options
from tuner.cli.screen.output import print_json
from tuner.results import Results

if TYPE_CHECKING:
    from tuner.store.repair import Examined

To = Annotated[Path, typer.Option("--to", metavar="DIR", help="The results folder that the new store is made in.")]


def check(results: options.Results = options.RESULTS, json: options.Json = False) -> None:
    """Say what of a store can be read, and what is damaged.

    Every value of every session is read. Nothing is written. Exit status 0: all of it can be read; 1: it is damaged.

    \b
    Example:
      tuner store check --results DIR
    """
    from tuner.store.repair import examined

    _tell(examined(_existing(results)), json=json)


def salvage(to: To, results: options.Results = options.RESULTS, json: options.Json = False) -> None:
    """Copy what can be read of a damaged store into a new one.

    The damaged one stays as it is. Trials and runs are numbered anew where some are lost; `tuner sessions judge` then
    computes a session's answer from those that are left.

    \b
    Example:
      tuner store salvage --results damaged --to salvaged
    """
    from tuner.store.repair import salvage as salvaged

    _tell(salvaged(_existing(results), Results(to)), json=json, to=str(Results(to).database))


def _existing(results: Path) -> Path:
    from tuner.store import Store

    return Path(Store.reading(Results(results)).where)


def _tell(found: Examined, *, json: bool, to: str | None = None) -> None:
    counted = [{"session": each.session.id, "trials": len(each.trials), "runs": len(each.runs)} for each in found.kept]
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
