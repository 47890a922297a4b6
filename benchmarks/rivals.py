"""Searches as their users call them: single runs, the defaults known to them, and the best single run recommended.

Each is asked for settings, told one run's latency, and has its own word for a run that failed. Their settings are those
of their documents' first example. MLOS takes part twice: with the FLAML that it takes by itself, and with its SMAC.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions, version
from typing import Any, Protocol

from tuner.search.registry import make
from tuner.search.space import SearchSpace

IN_RANGE = "range"
CRASHED_TIMES = 10
"""What a failed run counts as where a library takes only numbers: so many times the latency of the defaults."""

Settings = Mapping[str, str]


class Bench(Protocol):
    """Makes the runs that a rival is given."""

    @property
    def space(self) -> SearchSpace:
        """What can be searched."""
        ...

    @property
    def left(self) -> int:
        """The runs that are left."""
        ...

    def latency_us(self, settings: Settings) -> float | None:
        """Return what one run measures, None where it fails."""
        ...

    def luckiest(self) -> Settings:
        """Return the settings of the best single run."""
        ...


@dataclass(frozen=True)
class Rival:
    """A search: the module without which it cannot take part, the distributions that decide what it does, and itself."""

    module: str
    distributions: tuple[str, ...]
    recommend: Callable[[Bench, int], Settings]

    @property
    def version(self) -> str:
        """The versions of its distributions; empty for what is the project's own."""
        return " ".join(f"{name}-{version(name)}" for name in self.distributions)


def at_random(bench: Bench, seed: int) -> Settings:
    """Return the best single run of random search."""
    optimizer = make("random", bench.space, seed, lambda settings: settings)
    bench.latency_us({})
    while bench.left > 0:
        bench.latency_us(optimizer.ask())
    return bench.luckiest()


def gp_minimize(bench: Bench, seed: int) -> Settings:
    """Return the best single run of scikit-optimize's own function, as most people would call it."""
    from skopt import gp_minimize as minimize
    from skopt.space import Categorical, Integer

    dimensions = bench.space.dimensions
    parts: list[Any] = []
    for d in dimensions:
        parts += [Categorical([*d.singles, *([IN_RANGE] if d.steps else [])])] if d.singles else []
        parts += [Integer(d.low, d.high, prior="log-uniform")] if d.steps else []
    crashed_us = CRASHED_TIMES * _defaults_us(bench)

    def cost(point: list[Any]) -> float:
        found = bench.latency_us(_settings(bench.space, iter(point)))
        return crashed_us if found is None else found

    def used_up(_found: object) -> bool:
        return bench.left <= 0

    minimize(cost, parts, n_calls=bench.left, n_initial_points=10, random_state=seed, callback=[used_up])
    return bench.luckiest()


def _defaults_us(bench: Bench) -> float:
    found = bench.latency_us({})
    if found is None:
        raise RuntimeError("the defaults do not run on this landscape")
    return found


def _settings(space: SearchSpace, values: Iterator[Any]) -> dict[str, str]:
    settings = {}
    for d in space.dimensions:
        single = str(next(values)) if d.singles else IN_RANGE
        number = int(next(values)) if d.steps else 0
        settings[d.parameter] = single if single != IN_RANGE else d.at(d.position(number))
    return settings


def optuna_tpe(bench: Bench, seed: int) -> Settings:
    """Return the best single run of Optuna's default sampler."""
    import optuna

    return _optuna(bench, optuna.samplers.TPESampler(seed=seed))


def optuna_gp(bench: Bench, seed: int) -> Settings:
    """Return the best single run of Optuna's Gaussian process.

    The kept sessions without CPU time were computed with its acquisition function, `LogEI.eval_acqf_no_grad`, compiled: the
    same kernels of torch in the same order, called from C++, which is not part of this repository. The sessions with CPU time (8 parameters: seeds 0 to
    20; 16: 0 and 1; 30: 0; the table) are the library's own; those of parameters recommended the same in the compiled form.
    """
    import optuna

    return _optuna(bench, optuna.samplers.GPSampler(seed=seed))


def _optuna(bench: Bench, sampler: Any) -> Settings:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def cost(trial: optuna.Trial) -> float:
        found = bench.latency_us(_settings(bench.space, _suggested(trial, bench.space)))
        if found is None:
            raise optuna.TrialPruned
        return found

    bench.latency_us({})
    study = optuna.create_study(sampler=sampler)
    while bench.left > 0:
        study.optimize(cost, n_trials=1)
    return bench.luckiest()


def _suggested(trial: Any, space: SearchSpace) -> Iterator[Any]:
    for d in space.dimensions:
        if d.singles:
            yield trial.suggest_categorical(f"{d.parameter}.single", [*d.singles, *([IN_RANGE] if d.steps else [])])
        if d.steps:
            yield trial.suggest_int(d.parameter, d.low, d.high, log=True)


def smac(bench: Bench, seed: int) -> Settings:
    """Return the best single run of SMAC3's facade for few and expensive runs of many kinds of parameters."""
    import tempfile

    from smac import HyperparameterOptimizationFacade as Facade
    from smac import Scenario
    from smac.runhistory.dataclasses import TrialValue

    crashed_us = CRASHED_TIMES * _defaults_us(bench)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenario = Scenario(
            _configurations(bench.space, seed),
            n_trials=bench.left,
            deterministic=True,
            seed=seed,
            output_directory=folder,
        )
        facade = Facade(scenario, _never, overwrite=True, logging_level=50)
        while bench.left > 0:
            info = facade.ask()
            found = bench.latency_us(_configured(bench.space, dict(info.config)))
            facade.tell(info, TrialValue(cost=crashed_us if found is None else found))
    return bench.luckiest()


def _never(config: object, seed: int = 0) -> float:  # noqa: ARG001 - the signature that SMAC3 wants
    raise AssertionError("SMAC3 is asked and told, and measures nothing itself")


def _configurations(space: SearchSpace, seed: int) -> Any:
    from ConfigSpace import Categorical, ConfigurationSpace, Integer

    found = ConfigurationSpace(seed=seed)
    for d in space.dimensions:
        if d.singles:
            found.add(Categorical(f"{d.parameter}.single", [*d.singles, *([IN_RANGE] if d.steps else [])]))
        if d.steps:
            found.add(Integer(d.parameter, (d.low, d.high), log=True))
    return found


def _configured(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, str]:
    def flat() -> Iterator[Any]:
        for d in space.dimensions:
            if d.singles:
                yield values[f"{d.parameter}.single"]
            if d.steps:
                yield values[d.parameter]

    return _settings(space, flat())


def mlos(bench: Bench, seed: int) -> Settings:
    """Return the best single run of what MLOS takes by itself: FLAML, without an adapter of its spaces."""
    return _mlos(bench, seed, {"seed": seed})


def mlos_smac(bench: Bench, seed: int) -> Settings:
    """Return the best single run of what MLOS makes of SMAC, without an adapter of its spaces."""
    from mlos_core.optimizers import OptimizerType

    options = {"seed": seed, "max_trials": bench.left, "n_random_init": 10}
    return _mlos(bench, seed, options, optimizer_type=OptimizerType.SMAC)


def _mlos(bench: Bench, seed: int, options: Mapping[str, int], **which: Any) -> Settings:
    import pandas as pd
    from mlos_core.optimizers import OptimizerFactory

    crashed_us = CRASHED_TIMES * _defaults_us(bench)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # FLAML prints each of its trials
        warnings.simplefilter("ignore")
        optimizer = OptimizerFactory.create(
            parameter_space=_configurations(bench.space, seed),
            optimization_targets=["latency_us"],
            optimizer_kwargs=dict(options),
            **which,
        )
        while bench.left > 0:
            asked = optimizer.suggest()
            found = bench.latency_us(_configured(bench.space, asked.config.to_dict()))
            score = pd.Series({"latency_us": crashed_us if found is None else found})
            optimizer.register(observations=asked.complete(score))
    return bench.luckiest()


EVERY: Mapping[str, Rival] = {
    "random": Rival("random", (), at_random),
    "skopt.gp_minimize": Rival("skopt", ("scikit-optimize", "scikit-learn"), gp_minimize),
    "Optuna TPE": Rival("optuna", ("optuna",), optuna_tpe),
    "Optuna GP": Rival("torch", ("optuna",), optuna_gp),
    "SMAC3": Rival("smac", ("smac",), smac),
    "MLOS": Rival("flaml", ("mlos-core", "flaml"), mlos),
    "MLOS with SMAC": Rival("mlos_core", ("mlos-core", "smac"), mlos_smac),
}
"""Every rival by its name."""


def versioned() -> list[str]:
    """Return the names of the rivals whose versions are known here, so that what was kept can be told to be theirs."""
    installed = {each.metadata["Name"].lower() for each in distributions()}
    return [name for name, rival in EVERY.items() if {each.lower() for each in rival.distributions} <= installed]


def present() -> list[str]:
    """Return the names of the rivals that can search here."""
    return [name for name in versioned() if importlib.util.find_spec(EVERY[name].module)]


def absent() -> list[str]:
    """Return the names of the rivals that cannot search here."""
    return [name for name in EVERY if name not in present()]
