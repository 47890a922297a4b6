"""The options of a workload that is somebody's own commands: a recipe's file, or the commands themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tuner.errors import UsageError

if TYPE_CHECKING:  # loaded where a recipe is asked for
    from tuner.runs.recipe import Recipe

COMMAND: Final = "command"
"""What `--workload` says where the commands are options."""
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
    commands = {"--server-cmd": server_cmd, "--client-cmd": client_cmd, "--metric": metric, "--ready": ready}
    commands |= {"--other-cmd": other_cmd}
    given = [option for option, value in commands.items() if value]
    if workload in {None, COMMAND}:
        if not given and workload is None:
            return {}
        return {"recipe": _of_options((server_cmd, client_cmd, other_cmd), metric or [], ready)}
    if given:
        raise UsageError(
            f"{', '.join(given)} beside --workload {workload}", advice="say it in the recipe, or --workload command"
        )
    return {"recipe": _trusted(str(workload), trust=trust)}


def _of_options(commands: tuple[str | None, str | None, str | None], metrics: list[str], ready: str | None) -> Recipe:
    from tuner.runs import recipe_file

    server, client, other = commands

    if client is None:
        raise UsageError("a workload of commands needs --client-cmd", advice="see docs/workloads.md")
    named = dict(_metric(text) for text in metrics)
    if len(named) < len(metrics):
        raise UsageError("a --metric is named twice", advice="give each its own name")
    data: dict[str, object] = {"client": {"command": client}, "metrics": named}
    if server is not None:
        data["server"] = {"command": server, **({"ready": ready} if ready else {"ready_port": True})}
    if other is not None:  # two programs as they are: no library, as nobody tunes anything
        data |= {"other": {"command": other}, "client": {"command": client, "stack": False}}
    return recipe_file.recipe_of(data, "command line")


def _metric(text: str) -> tuple[str, dict[str, str]]:
    name, sign, expression = text.partition("=")
    if not sign or not expression:
        raise UsageError(
            f"--metric {text!r} is not NAME=REGEX", advice="write for example --metric 'rps=([0-9.]+) requests'"
        )
    return name.strip(), {"regex": expression}


def named_or_read(name: str) -> tuple[Recipe, str]:
    """Return a recipe of this package or of a file, and its text; raise `UsageError` where there is none.

    A file comes first; where there is none, `recipes/redis.toml` and `redis.toml` are the package's own too.
    """
    from tuner.errors import did_you_mean
    from tuner.runs import recipe_file, shipped_recipes

    ours = shipped_recipes.texts()
    path, short = Path(name), Path(name).name.removesuffix(shipped_recipes.SUFFIX)
    if not path.exists() and short in ours:
        return shipped_recipes.every()[short], ours[short]
    if not path.exists() and "/" not in name:
        advice = did_you_mean(short, ours) or "name a file, or see `tuner recipes list`"
        raise UsageError(f"there is no recipe {name!r}", advice=advice)
    text = recipe_file.text_of_file(path)
    return recipe_file.of_text(text, str(path)), text


def _trusted(name: str, *, trust: bool) -> Recipe:
    """Return the recipe of a name or file; raise `UsageError` where it is not trusted, after it was shown."""
    from tuner.cli.recipe_trust import Trusted
    from tuner.runs import shipped_recipes

    found, text = named_or_read(name)
    trusted = Trusted.of(os.environ)
    if found.fingerprint in {*trusted.fingerprints(), *(each.fingerprint for each in shipped_recipes.every().values())}:
        return found
    if trust:
        trusted.add(found.fingerprint, str(Path(name).absolute()))
        return found
    typer.echo(text, err=True)
    raise UsageError(f"recipe {name} starts programs, and you have not trusted it yet", advice="read it, then: --trust")
