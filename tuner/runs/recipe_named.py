"""The recipe that somebody means: one of this package, of an installed one, of a file, or of commands as they are typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tuner import plugins
from tuner.errors import UsageError, did_you_mean
from tuner.plugins import Group
from tuner.runs import recipe_file, shipped_recipes
from tuner.runs.own_benchmark import OwnBenchmark
from tuner.runs.recipe import Recipe

COMMAND: Final = "command"
"""What `--workload` says where the commands are options."""


@dataclass(frozen=True, slots=True)
class Commands:
    """A workload of commands as they are typed: `metrics` maps names to regular expressions."""

    server: str | None = None
    client: str | None = None
    other: str | None = None
    metrics: Mapping[str, str] | Sequence[str] = ()
    ready: str | None = None

    @property
    def given(self) -> list[str]:
        """The options that were given."""
        named = {"--server-cmd": self.server, "--client-cmd": self.client, "--metric": self.metrics}
        named |= {"--ready": self.ready, "--other-cmd": self.other}
        return [option for option, value in named.items() if value]

    def recipe(self) -> Recipe:
        """Return the recipe that the commands are; raise `UsageError` with what is wrong with it."""
        if self.client is None:
            raise UsageError("a workload of commands needs --client-cmd", advice="see docs/workloads.md")
        named = {name: {"regex": expression} for name, expression in _metrics(self.metrics).items()}
        data: dict[str, object] = {"client": {"command": self.client}, "metrics": named}
        if self.server is not None:
            data["server"] = {"command": self.server, **({"ready": self.ready} if self.ready else {"ready_port": True})}
        if self.other is not None:  # two programs as they are: no library, as nobody tunes anything
            data |= {"other": {"command": self.other}, "client": {"command": self.client, "stack": False}}
        return recipe_file.recipe_of(data, "command line")


@dataclass(frozen=True, slots=True)
class Named:
    """A recipe that has a name or a file. `installed` are those that came with a package, which who installed it trusts."""

    recipe: Recipe
    text: str
    installed: bool


def asked(name: str | None, commands: Commands) -> Named | None:
    """Return the recipe of `--workload` and its commands, None where neither is given; raise `UsageError` for a wrong one."""
    given = commands.given
    if name in {None, COMMAND}:
        return None if name is None and not given else Named(commands.recipe(), "", installed=True)
    if given:
        raise UsageError(
            f"{', '.join(given)} beside --workload {name}", advice="say it in the recipe, or --workload command"
        )
    return named(str(name))


def named(name: str) -> Named:
    """Return a recipe by its name or file; raise `UsageError` where there is none.

    A file comes first; where there is none, `recipes/redis.toml` and `redis.toml` are the package's own too.
    """
    ours = shipped_recipes.texts()
    path, short = Path(name), Path(name).name.removesuffix(shipped_recipes.SUFFIX)
    if path.exists():
        text = recipe_file.text_of_file(path)
        found = recipe_file.of_text(text, str(path))
        return Named(found, text, installed=is_shipped(found))
    if short in ours:
        return Named(shipped_recipes.every()[short], ours[short], installed=True)
    if plugin := plugins.find(Group.BENCHMARKS, name):
        return Named(_of_plugin(plugin), f"# of {plugin.package}\n", installed=True)
    if "/" not in name:
        known = {*ours, *plugins.every(Group.BENCHMARKS)}
        advice = did_you_mean(short, known) or "name a file, or see `tuner recipes list`"
        raise UsageError(f"there is no recipe {name!r}", advice=advice)
    recipe_file.text_of_file(path)
    raise UsageError(f"{name} is no recipe")  # it came between two looks: what reads it says more


def is_shipped(recipe: Recipe) -> bool:
    """Return whether this package has a recipe that says the same."""
    return recipe.fingerprint in {each.fingerprint for each in shipped_recipes.every().values()}


def _of_plugin(plugin: plugins.Plugin) -> Recipe:
    found = plugin.load()
    if isinstance(found, Recipe):
        return found
    if isinstance(found, OwnBenchmark):
        return replace(found.recipe, reader=plugin.name) if found.read else found.recipe
    raise plugin.broken(f"is a {type(found).__name__}, and no Recipe or OwnBenchmark")


def _metrics(stated: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    if isinstance(stated, Mapping):
        return dict(stated)
    found = dict(map(_metric, stated))
    if len(found) < len(stated):
        raise UsageError("a --metric is named twice", advice="give each its own name")
    return found


def _metric(text: str) -> tuple[str, str]:
    name, sign, expression = text.partition("=")
    if not sign or not expression:
        raise UsageError(
            f"--metric {text!r} is not NAME=REGEX", advice="write for example --metric 'rps=([0-9.]+) requests'"
        )
    return name.strip(), expression
