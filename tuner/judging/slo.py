"""Service level objectives: `max rate where p99 < 50us and max <= 2ms`, from text to limits, and whether a run held them.

    max rate where METRIC (< | <=) NUMBER[ns | us | ms] [and …]      METRIC: p50 p75 p90 p99 p99.9 p99.99 max mean

A number without a unit is in µs. Latencies are those corrected for stalls of the sender, half the round trip, or the round trip
where the workload asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from tuner.errors import Finding, UsageError, did_you_mean, error

EXAMPLE: Final = "max rate where p99 < 50us and p99.9 < 200us"
METRICS: Final[Mapping[str, str]] = {
    "p50": "latency_p50_corrected_us",
    "p75": "latency_p75_corrected_us",
    "p90": "latency_p90_corrected_us",
    "p99": "latency_p99_corrected_us",
    "p99.9": "latency_p99_9_corrected_us",
    "p99.99": "latency_p99_99_corrected_us",
    "max": "latency_max_corrected_us",
    "mean": "latency_mean_corrected_us",
}
"""What may be limited, and by which metric of a run it is judged."""
UNITS_US: Final[Mapping[str, float]] = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "ms": 1e3}
LEAST_RECEIVED: Final = 0.99
"""The share of the offered messages that must arrive: at less, the load was not the one that was asked."""

_START: Final = ("max", "rate", "where")
_TOKEN: Final = re.compile(r"<=|>=|[<>=]|[^\s<>=]+")
_AMOUNT: Final = re.compile(r"(?P<number>-?[0-9]{1,12}(?:\.[0-9]{1,6})?)(?P<unit>[^\d\s]*)")
# What is ordered in every sample: an earlier one is never above a later one.
_ORDER: Final = ("p50", "p75", "p90", "p99", "p99.9", "p99.99", "max")


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper bound of a latency in µs; `inclusive` where the bound itself is allowed."""

    metric: str
    limit_us: float
    inclusive: bool = False

    @property
    def measured(self) -> str:
        """The metric of a run that is compared with the limit."""
        return METRICS[self.metric]

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Return whether a run's metrics keep the limit; one that was not reported does not."""
        value = metrics.get(self.measured)
        return value is not None and (value < self.limit_us or (self.inclusive and value == self.limit_us))

    def __str__(self) -> str:
        digits = f"{self.limit_us:.9f}".rstrip("0").rstrip(".")
        return f"{self.metric} {'<=' if self.inclusive else '<'} {digits}us"


def holds(limits: Sequence[Limit], metrics: Mapping[str, float], offered_mps: int) -> bool:
    """Return whether a run at an offered rate held every limit and received at least `LEAST_RECEIVED` of it."""
    received_mps = metrics.get("rate_mps", 0.0)
    return received_mps >= LEAST_RECEIVED * offered_mps and all(limit.holds(metrics) for limit in limits)


def spoken(limits: Sequence[Limit]) -> str:
    """Return limits as the objective that `parse` reads, in its one canonical spelling."""
    return f"max rate where {' and '.join(map(str, limits))}"


def redundant(limits: Sequence[Limit]) -> list[str]:
    """Return, in words, the limits that follow from others, because a higher percentile is never below a lower one."""
    ordered = sorted((each for each in limits if each.metric in _ORDER), key=lambda each: _ORDER.index(each.metric))
    return [
        f"{lower} has no effect beside {higher}: {lower.metric} is never above {higher.metric}"
        for lower, higher in combinations(ordered, 2)
        if (higher.limit_us, higher.inclusive) <= (lower.limit_us, lower.inclusive)
    ]


def parse(text: str) -> tuple[Limit, ...]:
    """Return the limits of an objective; raise `UsageError` with everything that is wrong with it."""
    words = _TOKEN.findall(text)
    _expect_start(text, words[: len(_START)])
    clauses = _clauses(words[len(_START) :])
    findings: list[Finding] = []
    read = [_limit(clause, findings) for clause in clauses]
    limits = tuple(limit for limit in read if limit is not None)
    findings += _repeated(limits)
    if findings:
        raise UsageError(f"objective {text!r} is not understood", findings=findings, advice=f"for example {EXAMPLE!r}")
    return limits


def _expect_start(text: str, words: Sequence[str]) -> None:
    for place, wanted in enumerate(_START):
        found = words[place] if place < len(words) else "the end"
        if found.casefold() != wanted:
            what = f"objective {text!r}: {wanted!r} was expected instead of {found!r}"
            raise UsageError(what, advice=f"for example {EXAMPLE!r}")


def _clauses(words: Sequence[str]) -> list[list[str]]:
    clauses: list[list[str]] = [[]]
    for word in words:
        if word.casefold() == "and":
            clauses.append([])
        else:
            clauses[-1].append(word)
    return clauses


def _limit(clause: Sequence[str], findings: list[Finding]) -> Limit | None:
    """Return the limit of `METRIC < NUMBER UNIT`, the unit perhaps apart; what is wrong goes into the findings."""
    said = " ".join(clause) or "nothing"
    if len(clause) not in {3, 4}:
        findings.append(error(said, "is not a limit", "write METRIC < NUMBER and a unit, such as p99 < 50us"))
        return None
    metric, sign, amount = clause[0].casefold(), clause[1], "".join(clause[2:])
    wrong = [*_metric_problems(said, metric), *_sign_problems(said, sign)]
    match = _AMOUNT.fullmatch(amount)
    wrong += _amount_problems(said, amount, match)
    findings += wrong
    if wrong or match is None:
        return None
    return Limit(metric, float(match["number"]) * UNITS_US[match["unit"].lower() or "us"], sign == "<=")


def _metric_problems(said: str, metric: str) -> Iterator[Finding]:
    if metric not in METRICS:
        yield error(said, f"unknown metric {metric!r}", did_you_mean(metric, METRICS))


def _sign_problems(said: str, sign: str) -> Iterator[Finding]:
    if sign in {">", ">=", "="}:
        yield error(said, f"{sign!r} contradicts the search for the highest rate", "a limit is an upper bound: < or <=")
    elif sign not in {"<", "<="}:
        yield error(said, f"{sign!r} is not a comparison", "write < or <=")


def _amount_problems(said: str, amount: str, match: re.Match[str] | None) -> Iterator[Finding]:
    if match is None:
        yield error(said, f"{amount!r} is not a latency", "write for example 50us, 800ns or 2ms")
    elif match["unit"].lower() not in {"", *UNITS_US}:
        yield error(said, f"unknown unit {match['unit']!r}", did_you_mean(match["unit"], UNITS_US))
    elif float(match["number"]) <= 0:
        yield error(said, "no latency is 0 or less: nothing could hold it", "name a limit above 0")


def _repeated(limits: Sequence[Limit]) -> Iterator[Finding]:
    for one, other in combinations(limits, 2):
        if one.metric == other.metric:
            yield error(str(other), f"{one.metric} is limited twice, also by {one}", "keep one of the two")
