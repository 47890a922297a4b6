"""What answers say in words: gains, noise, what a budget can detect, a host that was not calm."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tuner.figures import shown
from tuner.judging.noise import Spread
from tuner.judging.power import WORTH_DETECTING
from tuner.judging.statistics import Gain
from tuner.session.answer.parts import Calibration, Detectable, HostCalm


def spoken(found: Gain) -> str:
    """Return a gain in words: ratio, interval, confidence and number of blocks."""
    interval = f"{100 * found.confidence:g} % interval {found.low:.2f} to {found.high:.2f}, {found.blocks} blocks"
    return f"{found.ratio:.2f} times as good ({interval})"


def noise(found: Calibration) -> list[str]:
    """Return a calibration in words: a line a metric, and last the smallest difference that the budget can detect."""
    lines = [f"noise of {metric}: {'; '.join(_metric(row))}" for metric, row in found.metrics.items()]
    return [*lines, detectable(found.detectable)] if found.detectable else lines


def _metric(row: Spread) -> Iterator[str]:
    yield f"{row.runs} runs, median {shown(row.median)}"
    yield f"runs differ by {_sd(row.between_runs_sd)}"
    if row.within_block_sd is not None:
        yield f"those of one block by {_sd(row.within_block_sd)}"
    if row.correlation is not None:
        helps = "quieter" if row.pairing_helps else "no quieter"
        yield f"correlation in a block {row.correlation:.2f}: a ratio inside a block is {helps} than a run"
    if row.drift is not None:
        yield f"drift from {100 * row.drift.low:+.1f} to {100 * row.drift.high:+.1f} % a minute"
    if row.hiccups:
        yield f"hiccups apart from that: {row.hiccups}"
    if row.sampling_sd is not None and row.sampling_sd < row.between_runs_sd / 2:
        yield "longer runs would not help, more runs do"


def _sd(value: float) -> str:
    return f"{shown(100 * math.expm1(value))} %"


def coarse() -> str:
    """Return the difference that every session should be able to detect."""
    return f"{100 * (WORTH_DETECTING - 1):.0f} %"


def detectable(row: Detectable) -> str:
    """Return in words what a budget can detect."""
    how = f"{100 * row.power:.0f} % power with {row.blocks} blocks to judge by"
    more = f"; --budget {math.ceil(row.enough_s)}s would do for {coarse()}" if row.enough_s else ""
    if row.percent is None:
        return f"a budget of {row.budget_s:g} s can detect no difference on this host ({how}){more}"
    between = f"{shown(row.low_percent)} to {shown(row.high_percent) if row.high_percent else '∞'} %"
    least = f"{shown(row.percent)} % ({between}) or more"
    return f"a budget of {row.budget_s:g} s can detect a difference of {least}: {how}{more}"


def undetectable(row: Detectable) -> str:
    """Return in words what a budget cannot detect."""
    least = "1000 times" if row.percent is None else f"{shown(row.percent)} %"
    return f"a budget of {row.budget_s:g} s can detect no difference below {least}"


def not_calm(host: HostCalm) -> str:
    """Return what a verdict must say of a host that did not calm down; empty when it was calm."""
    if host.calm:
        return ""
    why = ", ".join(f"{reason} ({count})" for reason, count in host.reasons.items())
    return f"the host did not calm down: {host.disturbed} of {host.blocks} blocks were disturbed: {why}"
