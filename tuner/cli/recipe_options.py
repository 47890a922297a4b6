"""The options of a workload that is somebody's own commands: a recipe's file, or the commands themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.errors import UsageError

if TYPE_CHECKING:  # loaded where a recipe is asked for
    from tuner.runs.recipe_named import Named

RecipeName = Annotated[
    str | None,
    typer.Option(
        "--workload",
        metavar="RECIPE",
        help="Measure another benchmark: a recipe's name (`tuner recipes list`), its file, or command for --client-cmd.",
    ),
]
ServerCommand = Annotated[
    str | None,
    typer.Option("--server-cmd", metavar="CMD", help="The server's command; {port} {address} {folder} {seconds}."),
]
ClientCommand = Annotated[
    str | None, typer.Option("--client-cmd", metavar="CMD", help="The client's command. No shell reads it.")
]
OtherCommand = Annotated[
    str | None,
    typer.Option(
        "--other-cmd", metavar="CMD", help="compare: a command in place of the client's, instead of profiles."
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric", metavar="NAME=REGEX", help="A number that the client prints: the first group. Repeatable."
    ),
]
ReadyText = Annotated[
    str | None,
    typer.Option("--ready", metavar="TEXT", help="What the server prints when it is ready; else its {port} shows it."),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Start what this recipe says, now and later. Read it first: it starts programs.")
]


def recipe(
    workload: RecipeName = None,
    server_cmd: ServerCommand = None,
    client_cmd: ClientCommand = None,
    metric: Metrics = None,
    ready: ReadyText = None,
    other_cmd: OtherCommand = None,
    trust: Trust = False,
) -> dict[str, object]:
    """Return the recipe that is asked for, by the name that a workload has for it; nothing where none is.

    Raise `UsageError` for one that is wrong, or that nobody trusted yet.
    """
    if not any((workload, server_cmd, client_cmd, metric, ready, other_cmd)):
        return {}
    from tuner.runs.recipe_named import Commands, asked

    found = asked(workload, Commands(server_cmd, client_cmd, other_cmd, metric or [], ready))
    if found is None:
        return {}
    if not found.installed:
        _check_trust(found, str(workload), trust=trust)
    return {"recipe": found.recipe}


def _check_trust(found: Named, name: str, *, trust: bool) -> None:
    """Raise `UsageError` where the recipe of a file is not trusted, after it was shown."""
    from tuner.cli.recipe_trust import Trusted

    trusted = Trusted.of(os.environ)
    if found.recipe.fingerprint in trusted.fingerprints():
        return
    if trust:
        trusted.add(found.recipe.fingerprint, str(Path(name).absolute()))
        return
    typer.echo(found.text, err=True)
    raise UsageError(f"recipe {name} starts programs, and you have not trusted it yet", advice="read it, then: --trust")
