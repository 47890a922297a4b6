"""An optimizer of another package, held to the contract: what it does wrong is said of its package, and loses no session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from tuner.errors import TunerError, UsageError
from tuner.plugins import Plugin
from tuner.search.optimizer import Optimizer, Outcome, Repair
from tuner.search.space import SearchSpace


@dataclass(frozen=True, slots=True)
class PluginOptimizer:
    """What an entry point made, behind checks. An error ends the session with its runs kept, so that it can be resumed."""

    plugin: Plugin
    inner: Optimizer

    @classmethod
    def made(cls, plugin: Plugin, space: SearchSpace, seed: int, feasible: Repair) -> PluginOptimizer:
        """Return what the entry point makes of `(space, seed, repair)`; raise `UsageError` where that is no optimizer."""
        maker = plugin.load()
        if not callable(maker):
            raise plugin.broken("cannot be called with a space, a seed and a repair")
        try:
            inner = maker(space, seed, feasible)
        except TunerError:
            raise
        except Exception as reason:  # whatever a stranger's optimizer does wrong is said of its package
            raise plugin.failed("cannot be made", reason) from reason
        if not all(callable(getattr(inner, name, None)) for name in ("ask", "tell")):
            raise plugin.broken("has no `ask` and `tell`")
        return cls(plugin, cast("Optimizer", inner))

    def ask(self) -> dict[str, str]:
        """Return what it proposes; raise `UsageError` where that is no settings."""
        found = self._tried("ask", self.inner.ask)
        if not isinstance(found, dict) or not all(isinstance(each, str) for item in found.items() for each in item):
            raise self.plugin.broken(f"asked for {found!r}, which is no dict of texts")
        return found

    def tell(self, outcome: Outcome) -> None:
        """Tell it an outcome, whose settings it may change."""
        own = replace(outcome, settings=dict(outcome.settings))
        self._tried("tell", lambda: self.inner.tell(own))

    def _tried(self, what: str, call: Callable[[], object]) -> object:
        try:
            return call()
        except UsageError:
            raise  # nothing can be asked: part of the contract
        except Exception as reason:  # as above
            raise self.plugin.failed(f"failed to {what}", reason) from reason
