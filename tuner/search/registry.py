"""Which optimizers there are, by name. Nothing heavy is imported before one is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tuner import plugins
from tuner.errors import MissingTool, UsageError, did_you_mean, of_memory
from tuner.plugins import Group
from tuner.search.optimizer import Optimizer, Repair
from tuner.search.plugin_optimizer import PluginOptimizer
from tuner.search.space import SearchSpace


def _random(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    from tuner.search.random_search import RandomSearch

    return RandomSearch(space, seed, repair)


def _skopt(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    try:
        from tuner.search.bayesian import BayesianSearch
    except (ImportError, AttributeError) as problem:  # skopt dies of either when numpy has moved on
        if of_memory(problem):
            raise
        raise MissingTool(
            f"scikit-optimize cannot be loaded: {problem}",
            advice="install it with `pip install scikit-optimize`, or search with `--optimizer random`",
        ) from problem
    return BayesianSearch(space, seed, repair)


def _grid(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    from tuner.search.grid import GridSearch

    return GridSearch(space, seed, repair)


def _optuna(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    try:
        from tuner.search.optuna_search import OptunaSearch
    except (ImportError, AttributeError) as problem:
        if of_memory(problem):
            raise
        raise MissingTool(
            f"optuna cannot be loaded: {problem}",
            advice="install it with `pip install optuna`, or search with `--optimizer skopt`, grid or random",
        ) from problem
    return OptunaSearch(space, seed, repair)


OPTIMIZERS: Final[Mapping[str, Callable[[SearchSpace, int, Repair], Optimizer]]] = {
    "skopt": _skopt,
    "random": _random,
    "grid": _grid,
    "optuna": _optuna,
}
"""What makes each optimizer, by the name that `--optimizer` takes. Nothing heavy is imported before one is made."""


def make(name: str, space: SearchSpace, seed: int, feasible: Repair) -> Optimizer:
    """Return the optimizer called `name` over `space`: one of this package, or of another that is installed.

    Raises `UsageError` for an unknown name or a space without dimensions, `MissingTool` when its library is missing.
    """
    plugin = None if name in OPTIMIZERS else plugins.find(Group.OPTIMIZERS, name)
    if name not in OPTIMIZERS and plugin is None:
        known = {*OPTIMIZERS, *plugins.every(Group.OPTIMIZERS)}
        raise UsageError(f"unknown optimizer {name!r}", advice=did_you_mean(name, known))
    if not space.dimensions:
        raise UsageError(f"nothing to search on {space.stack}", advice="name the parameters with --space")
    return PluginOptimizer.made(plugin, space, seed, feasible) if plugin else OPTIMIZERS[name](space, seed, feasible)
