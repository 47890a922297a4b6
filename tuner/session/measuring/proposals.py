"""What became of the candidates of a search: how many could not be run, what was in the way, whether any are left.

It travels in the evidence of the next run that is stored, or of the last one where none comes, so that whoever reads the
store knows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tuner.errors import Finding
from tuner.records import Run

EVIDENCE: Final = "proposals"


@dataclass(slots=True)
class Proposals:
    """Candidates turned down, by the setting that was in the way, an example of why for each, and the end of the space.

    `used_up` says that the optimizer has nothing left to propose. Added to while a session runs.
    """

    turned_down: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    used_up: bool = False
    _new: bool = False

    def turn_down(self, findings: Sequence[Finding]) -> None:
        """Count one candidate under the first thing that is in its way."""
        self._new = True
        self.turned_down[findings[0].where] += 1
        self.examples.setdefault(findings[0].where, findings[0].message)

    def use_up(self) -> None:
        """Note that nothing is left to propose."""
        self._new = self._new or not self.used_up
        self.used_up = True

    def taken(self) -> dict[str, Any]:
        """Return what was counted since it was last taken as JSON, nothing where nothing was, and count anew."""
        if not self._new:
            return {}
        found = self._json()
        self.turned_down.clear()
        self._new = False
        return found

    def _json(self) -> dict[str, Any]:
        rows = {where: [count, self.examples[where]] for where, count in self.turned_down.items()}
        return {"turned_down": rows, "used_up": self.used_up}

    def add(self, part: Mapping[str, Any]) -> None:
        """Count what `taken` returned."""
        self._new = True
        self.used_up = self.used_up or bool(part.get("used_up"))
        for where, (count, example) in part.get("turned_down", {}).items():
            self.turned_down[where] += count
            self.examples.setdefault(where, example)


def told(runs: Iterable[Run]) -> Proposals:
    """Return all that stored runs carry."""
    whole = Proposals()
    for run in runs:
        if EVIDENCE in run.evidence:
            whole.add(run.evidence[EVIDENCE])
    return whole
