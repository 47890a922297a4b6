"""Random search: the yardstick of every other optimizer, and what works when scikit-optimize does not."""

from __future__ import annotations

from tuner.search.history import History, any_new
from tuner.search.optimizer import Outcome, Repair
from tuner.search.space import SearchSpace


class RandomSearch:
    """Proposes settings drawn at random, each once. Learns nothing but what it has seen."""

    def __init__(self, space: SearchSpace, seed: int, feasible: Repair) -> None:
        self._space = space
        self._seed = seed
        self._feasible = feasible
        self._history = History()

    def tell(self, outcome: Outcome) -> None:
        """Remember the outcome, so that its settings are not proposed again."""
        self._history.tell(outcome)

    def ask(self) -> dict[str, str]:
        """Return settings not seen yet, or the best ones when all were."""
        proposal = any_new(self._space, self._feasible, self._history, self._history.rng(self._seed))
        self._history.asked(proposal)
        return dict(proposal)
