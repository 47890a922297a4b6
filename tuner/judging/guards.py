"""Guards: limits that a profile must keep beside its objective, such as `p99.9 < 1.1x` or `memory < 500MB`.

METRIC < N.Nx    at most so many times the baseline's value (METRIC > N.Nx where higher is better: the rate)
METRIC < VALUE   at most this value, with a unit

A profile is measured against a guard by its *excess* in each block: the natural logarithm of its value over the limit,
turned so that above 0 breaks the guard.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.judging import slo
from tuner.judging.metrics import HIGHER_IS_BETTER, UNITS

GUARDABLE: Final[Mapping[str, str]] = {
    **{name: metric.replace("_corrected", "") for name, metric in slo.METRICS.items()},
    "rate": "rate_mps",
    "cpu": "cpu_s",
    "memory": "server_memory_mb",
}
"""What may be guarded, and by which metric of a run."""
GUARD_EXAMPLE: Final = "p99.9 < 1.1x"
RELATIVE: Final = "x"

# By the unit of the metric: what may be written, and how many of the metric's units that is.
_UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "µs": slo.UNITS_US,
    "msg/s": {"msg/s": 1.0},
    "s": {"s": 1.0, "ms": 1e-3},
    "MB": {"MB": 1.0, "GB": 1e3},
}
_TOKEN: Final = re.compile(r"<=|>=|[<>=]|[^\s<>=]+")
_AMOUNT: Final = re.compile(r"(?P<number>-?[0-9]{1,12}(?:\.[0-9]{1,6})?)(?P<unit>[^\d\s]*)")


@dataclass(frozen=True, slots=True)
class Guard:
    """A limit of one metric; `relative` ones are multiples of the baseline's value, others have the metric's own unit."""

    name: str
    limit: float
    relative: bool

    @property
    def metric(self) -> str:
        """The metric of a run."""
        return GUARDABLE[self.name]

    @property
    def is_floor(self) -> bool:
        """Whether it is a lower bound, because higher values of its metric are better."""
        return self.metric in HIGHER_IS_BETTER

    @property
    def unit(self) -> str:
        """The unit of its limit, as it is written."""
        return RELATIVE if self.relative else next(iter(_written(self.metric)))

    def excess(self, baseline: Mapping[str, float], profile: Mapping[str, float]) -> float | None:
        """Return by which log ratio a profile's metrics in a block are beyond the limit, None where one is missing."""
        reference = baseline.get(self.metric, 0.0) if self.relative else 1.0
        value = profile.get(self.metric, 0.0)
        if value <= 0.0 or reference <= 0.0:
            return None
        beyond = math.log(value / (reference * self.limit))
        return -beyond if self.is_floor else beyond

    def value(self, excess: float) -> float:
        """Return the value, in the unit of the limit, that has this excess."""
        return self.limit * math.exp(-excess if self.is_floor else excess)

    def __str__(self) -> str:
        digits = f"{self.limit:.9f}".rstrip("0").rstrip(".")
        return f"{self.name} {'>' if self.is_floor else '<'} {digits}{self.unit}"


def _written(metric: str) -> Mapping[str, float]:
    """Return the units in which a limit of a metric may be written, the metric's own first."""
    units = _UNITS[UNITS[metric]]
    return dict(sorted(units.items(), key=lambda each: each[1] != 1.0))


def parse(texts: Sequence[str]) -> tuple[Guard, ...]:
    """Return the guards of some texts, each of one limit or several joined by `and`; raise `UsageError` with all problems."""
    findings: list[Finding] = []
    clauses = [clause for text in texts for clause in re.split(r"\sand\s", text)]
    read = [_guard(clause, findings) for clause in clauses]
    found = tuple(guard for guard in read if guard is not None)
    findings += _repeated(found)
    if findings:
        raise UsageError(
            "a guard is not understood", findings=findings, advice=f"for example --guard {GUARD_EXAMPLE!r}"
        )
    return found


def _guard(text: str, findings: list[Finding]) -> Guard | None:
    """Return the guard of `METRIC < NUMBER UNIT`, the unit perhaps apart; what is wrong goes into the findings."""
    words, said = _TOKEN.findall(text), " ".join(text.split()) or "nothing"
    if len(words) not in {3, 4}:
        findings.append(error(said, "is not a guard", f"write METRIC < LIMIT, such as {GUARD_EXAMPLE} or p99.9 < 50us"))
        return None
    name, sign, amount = words[0].casefold(), words[1], "".join(words[2:])
    if name not in GUARDABLE:
        findings.append(error(said, f"unknown metric {name!r}", did_you_mean(name, GUARDABLE)))
        return None
    match = _AMOUNT.fullmatch(amount)
    wrong = [*_sign_problems(said, name, sign), *_amount_problems(said, name, amount, match)]
    findings += wrong
    return None if wrong or match is None else _made(name, float(match["number"]), match["unit"].casefold())


def _made(name: str, number: float, unit: str) -> Guard:
    units = {written.casefold(): times for written, times in _written(GUARDABLE[name]).items()}
    return Guard(name, number, relative=True) if unit == RELATIVE else Guard(name, number * units[unit], relative=False)


def _sign_problems(said: str, name: str, sign: str) -> Iterator[Finding]:
    right = ">" if GUARDABLE[name] in HIGHER_IS_BETTER else "<"
    if sign not in {right, f"{right}="}:
        which = "higher is better, so that a guard is a lower" if right == ">" else "a guard is an upper"
        yield error(said, f"{sign!r} does not fit {name}: {which} bound", f"write {name} {right} …")


def _amount_problems(said: str, name: str, amount: str, match: re.Match[str] | None) -> Iterator[Finding]:
    units = [RELATIVE, *_written(GUARDABLE[name])]
    known = {unit.casefold() for unit in units}
    if match is None:
        yield error(said, f"{amount!r} is not a limit", f"write for example 1.1x or 50{units[1]}")
    elif match["unit"].casefold() not in known:
        what = f"unknown unit {match['unit']!r}" if match["unit"] else "the limit has no unit"
        advice = did_you_mean(match["unit"], units) if match["unit"] else f"allowed: {', '.join(units)}"
        yield error(said, what, f"{advice}; {RELATIVE} is times the baseline's value")
    elif float(match["number"]) <= 0:
        yield error(said, "no value is 0 or less", "name a limit above 0")


def _repeated(guards: Sequence[Guard]) -> Iterator[Finding]:
    for one, other in combinations(guards, 2):
        if (one.name, one.relative) == (other.name, other.relative):
            yield error(str(other), f"{one.name} is guarded twice, also by {one}", "keep one of the two")
