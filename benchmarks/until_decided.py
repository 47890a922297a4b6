"""Does a comparison that ends when it is decided keep its error, and how many blocks does it need?

Whole `tuner compare --until decided` sessions on a simulated host, and the levels at which they look after each block
(`tuner/judging/sequential.py`), which come from the distribution of Wilcoxon's signed ranks along a whole session.

    .venv/bin/python benchmarks/until_decided.py [--sessions 1000]
    .venv/bin/python benchmarks/until_decided.py --ideal [--paths 20000]
    .venv/bin/python benchmarks/until_decided.py --levels [--paths 400000]
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import decisions
import numpy as np
import simulation

from tuner.judging.sequential import LOOK_LEVELS
from tuner.judging.statistics import CONFIDENCE, MOST_EXACT, signed_rank
from tuner.records import Kind, Trial
from tuner.session.measuring.progress import Silent
from tuner.session.setup.plan import Contender

SESSIONS: Final = 1000
PATHS: Final = 400_000
BATCH: Final = 20_000
FEWEST: Final = 6
# One minute, two and ten of them: 22, 44 and 200 blocks at most.
MAXIMA_S: Final = (60.0, 120.0, 600.0)
GAINS: Final = (1.0, 1.05, 1.10, 1.20)
PLAN: Final = replace(
    simulation.PLAN,
    kind=Kind.COMPARE,
    known=(Contender("b", {"XLIO_RX_POLL": "1"}),),
    blocks=200,
    until_decided=True,
)
HEADERS: Final = (
    "--max",
    "true gain",
    "B better",
    "A better",
    "shown to be alike",
    "interval holds the truth",
    "blocks, median (of the plan)",
    "mean of the reported ratio",
)


@dataclass(frozen=True)
class Ended:
    """How one comparison ended: what its interval says, after how many blocks of how many."""

    ratio: float
    low: float
    high: float
    blocks: int
    planned: int
    decided: bool


def compared(seed: int, gain: float, max_s: float, noise: simulation.Noise | None = None) -> Ended:
    """Return how a comparison ends where B is truly `gain` times better."""

    def latency(environment: Any) -> float:
        return simulation.BASE_US / (gain if "XLIO_RX_POLL" in environment else 1.0)

    name = f"until/{gain}/{max_s:g}/{seed}"
    host = simulation.NoisyHost(latency, noise or simulation.Noise(), simulation.chances(name))
    with tempfile.TemporaryDirectory() as folder:
        found = simulation.carried_out(Path(folder), host, replace(PLAN, budget_s=max_s), name)
    judged, ended = found["gain"], found["sequential"]
    return Ended(judged["ratio"], judged["low"], judged["high"], ended["blocks"], ended["planned"], ended["decided"])


def counted(gain: float, max_s: float, sessions: int) -> list[Ended]:
    """Return how so many comparisons ended."""
    with ProcessPoolExecutor(2) as pool:
        ask = partial(compared, gain=gain, max_s=max_s)
        return list(pool.map(ask, range(1, sessions + 1), chunksize=8))


def row(gain: float, max_s: float, found: Sequence[Ended]) -> str:
    """Return the Markdown row of the comparisons of one true gain."""
    whole = len(found)
    better, worse = [one.low > 1.0 for one in found], [one.high < 1.0 for one in found]
    alike = [one.decided and one.low <= 1.0 <= one.high for one in found]
    cells = [
        f"{max_s:g} s",
        f"{100 * (gain - 1):.0f} %",
        *(decisions.share(sum(each), whole) for each in (better, worse, alike)),
        decisions.share(sum(one.low <= gain <= one.high for one in found), whole),
        f"{statistics.median(one.blocks for one in found):g} of {found[0].planned}",
        f"{statistics.fmean(one.ratio for one in found):.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def section(sessions: int = SESSIONS) -> str:
    """Return the section of the benchmark page."""
    rows = (row(gain, max_s, counted(gain, max_s, sessions)) for max_s in MAXIMA_S for gain in GAINS)
    return "\n".join(
        [
            "## Comparisons that end when they are decided\n",
            f"{sessions} simulated sessions of `tuner compare A B --until decided` a row, with the noise of the decisions above.",
            "Where there is no difference, every `better` is an error. Counts with exact binomial 95 % intervals.\n",
            f"| {' | '.join(HEADERS)} |",
            f"|{'---|' * len(HEADERS)}",
            *rows,
            "\n`.venv/bin/python benchmarks/until_decided.py`\n",
        ]
    )


class Ratios(Silent):
    """A watcher who keeps the log ratio of each block."""

    def __init__(self) -> None:
        """Keep none yet."""
        self.found: list[float] = []

    def compared(self, trial: Trial, log_gain: float | None) -> None:
        """Keep it, unless it is that of the baseline to itself."""
        self.found += [log_gain] if trial.number and log_gain is not None else []


def noise_of_blocks(sessions: int) -> np.ndarray[Any, Any]:
    """Return log ratios of blocks in which nothing differs, of sessions like those above; each with its opposite."""
    ratios = Ratios()
    for seed in range(sessions):
        host = simulation.NoisyHost(
            lambda _: simulation.BASE_US, simulation.Noise(), simulation.chances(f"ideal/{seed}")
        )
        plan = replace(PLAN, budget_s=MAXIMA_S[-1] / 2, until_decided=False)
        with tempfile.TemporaryDirectory() as folder:
            simulation.carried_out(Path(folder), host, plan, f"ideal/{seed}", ratios)
    found = np.array(ratios.found)
    return np.concatenate([found, -found])


LogDensity = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def smoothed(noise: np.ndarray[Any, Any]) -> LogDensity:
    """Return the logarithm of the density that noise has, by a histogram that is smoothed a little."""
    counts, edges = np.histogram(noise, bins=400, range=(-1.2, 1.2), density=True)
    kernel = np.exp(-((np.arange(-20, 21) / 4) ** 2) / 2)
    density = np.convolve(counts, kernel / kernel.sum(), "same") + 1e-4
    middles = (edges[1:] + edges[:-1]) / 2
    return lambda values: np.log(np.interp(values, middles, density))


def ideal(noise: np.ndarray[Any, Any], most: int, paths: int, density: LogDensity) -> tuple[float, float]:
    """Return how often, and after how many blocks in the median, the best possible test shows that B is 10 % better.

    It is Wald's: the likelihood of B being exactly 10 % better or worse by that of no difference, which no other test of the same
    error beats, with a bound for which 5 % of comparisons without a difference err. It knows what nobody knows: the gain, and the density of the noise.
    """
    rng, gained = np.random.default_rng(2), math.log(1.1)

    def likelihoods(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        up, down = ((density(values - shift) - density(values)).cumsum(axis=1) for shift in (gained, -gained))
        whole: np.ndarray[Any, Any] = np.logaddexp(up, down)
        return whole

    drawn = rng.choice(noise, (2, paths, most))
    bound = np.quantile(likelihoods(drawn[0]).max(axis=1), CONFIDENCE)
    shown = likelihoods(drawn[1] + gained) > bound
    ends = np.where(shown.any(axis=1), shown.argmax(axis=1) + 1, most)
    return float(shown.any(axis=1).mean()), float(np.median(ends))


def shown_at_half(noise: np.ndarray[Any, Any], most: int, paths: int) -> float:
    """Return how often signed ranks show a true 10 % that look once, after half of the blocks, with all the error that is allowed.

    No comparison of the same error that uses them can have ended by then more often.
    """
    drawn = np.random.default_rng(3).choice(noise, (paths, most // 2)) + math.log(1.1)
    return statistics.fmean(signed_rank(list(row), 0.0) != 0 for row in drawn.tolist())


def efficiency(density: LogDensity) -> float:
    """Return how many blocks the best test that knows the noise's shape, and not the gain, needs for each of signed ranks'.

    It is the ratio of what a block tells each of a small shift: 12 (∫f²)² to signed ranks, ∫f'²/f at most (Hodges & Lehmann 1956,
    Ann. Math. Stat. 27:324; Fisher's information).
    """
    at, step = np.linspace(-1.1, 1.1, 20_001, retstep=True)
    kernel = np.exp(
        -((np.arange(-300, 301) / 100) ** 2) / 2
    )  # less rough than the histogram, whose steps are no slopes
    shape = np.convolve(np.exp(density(at)), kernel / kernel.sum(), "same")
    shape /= shape.sum() * step
    most = float((np.gradient(shape, at) ** 2 / np.maximum(shape, 1e-9)).sum() * step)
    return 12.0 * float((shape**2).sum() * step) ** 2 / most


def ideals(paths: int) -> str:
    """Return what ideal tests of a true 10 % need, of a minute and of two."""
    noise = noise_of_blocks(20)
    variance = float(noise.var())
    known = {
        "the noise's variance, and takes it for normal": lambda values: -(values**2) / (2 * variance),
        "the noise's whole distribution": smoothed(noise),
    }
    rows = [
        f"| {most} | {what} | {100 * power:.0f} % | {blocks:g} |"
        for most in (22, 44)
        for what, density in known.items()
        for power, blocks in [ideal(noise, most, paths, density)]
    ]
    halves = [
        f"{100 * shown_at_half(noise, most, paths):.0f} % with one look after {most // 2} blocks" for most in (22, 44)
    ]
    return "\n".join(
        [
            "| most blocks | the test knows the gain, and | shows it | blocks, median |",
            "|---|---|---|---|",
            *rows,
            f"\nSigned ranks show it in {', '.join(halves)}.",
            f"The best test that knows the noise's shape and not the gain needs {efficiency(smoothed(noise)):.2f} of their blocks.",
        ]
    )


def chances_below(count: int) -> np.ndarray[Any, Any]:
    """Return the chance of at most so many, from 0, of Wilcoxon's signed ranks of so many symmetric values."""
    if count > MOST_EXACT:
        spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        middle = count * (count + 1) / 4
        normal = statistics.NormalDist(middle, spread)
        return np.array([normal.cdf(at + 1) for at in range(count * (count + 1) // 2 + 1)])
    chances = np.ones(1)
    for rank in range(1, count + 1):
        longer = np.zeros(len(chances) + rank)
        longer[: len(chances)] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    found: np.ndarray[Any, Any] = np.cumsum(chances)
    return found


def least_chances(paths: int, longest: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return, for each session in which nothing differs, the least two-sided p-value until each block (a column)."""
    noise = rng.standard_normal((paths, longest))
    below = np.zeros(paths, dtype=int)
    least = np.ones((paths, longest + 1))
    for count in range(1, longest + 1):
        below += (noise[:, :count] + noise[:, count - 1 : count] <= 0.0).sum(axis=1)
        extreme = np.minimum(below, count * (count + 1) // 2 - below)
        now = 2 * chances_below(count)[extreme] if count >= FEWEST else 1.0
        least[:, count] = np.minimum(least[:, count - 1], now)
    return least


def levels(paths: int) -> dict[int, float]:
    """Return the level of one look for each most number of blocks of `LOOK_LEVELS`, rounded down."""
    longest, rng = max(LOOK_LEVELS), np.random.default_rng(1)
    wanted = sorted(LOOK_LEVELS)
    batches = [least_chances(BATCH, longest, rng)[:, wanted] for _ in range(-(-paths // BATCH))]
    found = np.vstack(batches)
    # By three standard errors of this count less than the error that is allowed.
    allowed = (1 - CONFIDENCE) - 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / len(found))
    return {most: _below(np.sort(found[:, at]), allowed) for at, most in enumerate(wanted)}


def _below(ordered: np.ndarray[Any, Any], allowed: float) -> float:
    """Return the largest value of four digits that at most a share of `allowed` of the values is not above."""
    first_too_many = ordered[int(allowed * len(ordered))]
    return math.floor(1e4 * float(first_too_many) - 1e-5) / 1e4


def main() -> None:
    """Print the section, or the levels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--levels", action="store_true", help="compute the levels of a look again")
    parser.add_argument("--paths", type=int, default=PATHS)
    parser.add_argument("--ideal", action="store_true", help="count what tests need that know what nobody knows")
    given = parser.parse_args()
    if given.ideal:
        print(ideals(min(given.paths, BATCH)))
    else:
        print(levels(given.paths) if given.levels else section(given.sessions))


if __name__ == "__main__":
    main()
