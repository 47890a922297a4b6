"""The recipes of this package, by their names."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from tuner.runs import recipe_file
from tuner.runs.recipe import Recipe

SUFFIX: Final = ".toml"


@cache
def texts() -> dict[str, str]:
    """Return the text of each recipe of this package."""
    folder = files("tuner") / "recipes"
    found = sorted((each for each in folder.iterdir() if each.name.endswith(SUFFIX)), key=lambda each: each.name)
    return {each.name.removesuffix(SUFFIX): each.read_text(encoding="utf-8") for each in found}


@cache
def every() -> dict[str, Recipe]:
    """Return the recipes of this package."""
    return {name: recipe_file.of_text(text, f"{name}{SUFFIX}") for name, text in texts().items()}
