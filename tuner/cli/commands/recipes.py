"""`tuner recipes`: benchmarks of others that a session can measure with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import options
from tuner.cli.recipe_trust import Trusted
from tuner.cli.screen.output import print_json, table
from tuner.runs import recipe_named, shipped_recipes

if TYPE_CHECKING:
    from tuner.runs.recipe import Recipe

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help="A name of `tuner recipes list`, or a file.")]


def list_(json: options.Json = False) -> None:
    """List the recipes of this package: what each measures.

    \b
    Examples:
      tuner recipes list
      tuner recipes list --json
    """
    found = shipped_recipes.every()
    if json:
        print_json(
            [{"name": name, "summary": each.summary, "objective": each.objective} for name, each in found.items()]
        )
    else:
        rows = [[name, each.objective, each.summary] for name, each in found.items()]
        typer.echo(table(["RECIPE", "JUDGES", "SUMMARY"], rows))


def show(recipe: RecipeArgument, json: options.Json = False) -> None:
    """Show a recipe as it is written, and whether it is trusted.

    \b
    Examples:
      tuner recipes show redis
      tuner recipes show my-server.toml --json
    """
    named = recipe_named.named(recipe)
    found, trusted = named.recipe, named.installed or named.recipe.fingerprint in Trusted.of(os.environ).fingerprints()
    if json:
        print_json(_told(found) | {"trusted": trusted})
        return
    typer.echo(f"# SHA-256 of what it says: {found.fingerprint}, {'trusted' if trusted else 'not trusted yet'}")
    typer.echo(named.text, nl=False)


def _told(recipe: Recipe) -> dict[str, object]:
    return {"recipe": recipe.to_dict(), "sha256": recipe.fingerprint}


def new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; one that is there stays as it is.")],
) -> None:
    """Write a recipe to begin with.

    It is the one for redis, with its comments. `docs/workloads.md` has every key.

    \b
    Example:
      tuner recipes new my-server.toml
    """
    from tuner import atomic_file

    atomic_file.save(path, shipped_recipes.texts()["redis"], overwrite=False, advice="take another name")
    typer.echo(f"wrote {path}; change it, then: tuner check --workload {path} --trust")
