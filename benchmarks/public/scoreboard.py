"""Our search and our rule of decision on other people's data: writes `docs/scoreboard.md`, wins and losses alike.

    git clone https://github.com/ideas-labo/PromiseTune && git -C PromiseTune checkout a7b7657
    git clone https://github.com/uw-mad-dash/TUNA && git -C TUNA checkout 083ea35
    .venv/bin/python benchmarks/public/scoreboard.py FOLDER [--seeds 30] [--first-seed 400]

Fetches nothing and copies nothing. FOLDER holds `promisetune/` with a table for each system (`7z.csv`) and `published.json`
(`at_runs`, and `best_so_far[system][tuner]`: a list for each seed of what it had found after so many runs), and `tuna/samples.csv`
(`machines.py` says its columns). Our traces are kept in a file, `--kept`, so that an interrupted comparison goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import machines
import tables
from machines import Rule
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none

PAGE = Path(__file__).parents[2] / "docs" / "scoreboard.md"
OURS = "**ours**"
AT = (30, 50, 100)
"""Runs after which everybody is looked at."""

SEEDS, FIRST_SEED = 30, 400
"""The seeds of the page; those below 110 and from 200 to 339 were used while the search was made."""

DRAWS = 20
"""Draws of machines for each contest."""


@dataclass(frozen=True)
class Standing:
    """What one tuner's regrets are on one system: a list for each seed, a number for each count of `AT`."""

    regrets: tuple[tuple[float, ...], ...]

    @property
    def medians(self) -> tuple[float, ...]:
        """The median over seeds at each count of runs."""
        return tuple(statistics.median(column) for column in zip(*self.regrets, strict=True))

    @property
    def worst_deciles(self) -> tuple[float, ...]:
        """The ninth decile over seeds at each count of runs: a tenth is worse."""
        return tuple(ninth_decile(column) for column in zip(*self.regrets, strict=True))


def ninth_decile(values: Sequence[float]) -> float:
    """Return the value above which a tenth lies."""
    return sorted(values)[min(len(values) - 1, int(0.9 * len(values)))]


Board = Mapping[str, Mapping[str, Standing]]
"""Standings by tuner and system."""


@dataclass(frozen=True)
class Job:
    """One search of ours on one table."""

    path: Path
    seed: int

    @property
    def key(self) -> str:
        """Its name in the file of what was played."""
        return f"{self.path.stem}/{self.seed}"


@cache
def _table(path: Path) -> tables.Table:
    return tables.read(path)


def play(job: Job) -> list[float]:
    """Return our best costs so far at each count of runs."""
    with threadpool_limits(limits=1):
        trace = tables.best_so_far(_table(job.path), "skopt", job.seed, max(AT))
    return [trace[count - 1] for count in AT]


def played(jobs: Sequence[Job], kept: Path | None) -> dict[str, list[float]]:
    """Return what all jobs found; each is kept as it comes."""
    found: dict[str, list[float]] = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.exists() else {}
    missing = [job for job in jobs if job.key not in found]
    with ProcessPoolExecutor(2) as pool:
        for job, costs in zip(missing, pool.map(play, missing), strict=True):
            found[job.key] = costs
            print(f"{job.key}: {costs}", file=sys.stderr)
            if kept:
                kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def board(folder: Path, seeds: Sequence[int], kept: Path | None) -> Board:
    """Return the standings of ours and of every published tuner."""
    published = json.loads((folder / "published.json").read_text(encoding="utf-8"))
    at = [published["at_runs"].index(count) for count in AT]
    systems = sorted(published["best_so_far"])
    jobs = [Job(folder / f"{system}.csv", seed) for seed in seeds for system in systems]
    mine = played(jobs, kept)
    costs: dict[str, dict[str, list[list[float]]]] = {name: {} for name in published["best_so_far"][systems[0]]}
    costs[OURS] = {system: [] for system in systems}
    for job in jobs:
        costs[OURS][job.path.stem].append(mine[job.key])
    for system in systems:
        for name, traces in published["best_so_far"][system].items():
            costs[name][system] = [[trace[index] for index in at] for trace in traces]
    return {name: _standings(folder, of_systems) for name, of_systems in costs.items()}


def _standings(folder: Path, costs: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Standing]:
    return {
        system: Standing(tuple(tuple(map(_table(folder / f"{system}.csv").regret, trace)) for trace in traces))
        for system, traces in costs.items()
    }


def mean_rows(found: Board) -> Iterator[str]:
    """Yield the rows of the means over systems, the best at fifty runs first."""
    for name, standings in sorted(found.items(), key=lambda pair: _means(pair[1])[0][1]):
        medians, deciles = _means(standings)
        cells = (f"{middle:.4f} ({worst:.3f})" for middle, worst in zip(medians, deciles, strict=True))
        yield f"| {name} | {' | '.join(cells)} |"


def _means(standings: Mapping[str, Standing]) -> tuple[list[float], list[float]]:
    medians = [statistics.fmean(column) for column in zip(*(s.medians for s in standings.values()), strict=True)]
    deciles = [statistics.fmean(column) for column in zip(*(s.worst_deciles for s in standings.values()), strict=True)]
    return medians, deciles


def system_rows(found: Board) -> Iterator[str]:
    """Yield a row for each system and count of runs: ours, the best published one, and our place among all."""
    for system in next(iter(found.values())):
        for index, count in enumerate(AT):
            others = {name: standings[system] for name, standings in found.items() if name != OURS}
            mine = found[OURS][system]
            middle = _against(mine.medians[index], {name: s.medians[index] for name, s in others.items()})
            worst = _against(mine.worst_deciles[index], {name: s.worst_deciles[index] for name, s in others.items()})
            yield f"| {system} | {count} | {middle} | {worst} |"


def _against(mine: float, others: Mapping[str, float]) -> str:
    best = min(others, key=lambda name: others[name])
    place = 1 + sum(value < mine for value in others.values())
    return f"{mine:.4f} | {others[best]:.4f} ({best}) | {place} of {len(others) + 1}"


def machine_rows(path: Path) -> Iterator[str]:
    """Yield a row for each workload and rule."""
    for name, contests in machines.contests(path).items():
        for rule in Rule:
            made = [one for seed in range(DRAWS) for one in machines.decisions(contests, rule, seed)]
            yield f"| {name} | {rule.value} | {_decided(made)} |"


def _decided(made: Sequence[machines.Decision]) -> str:
    claimed = [one for one in made if one.claimed is not None]
    overclaims = [100 * math.expm1(one.claimed - one.truth) for one in claimed if one.claimed is not None]
    wrong = sum(one.wrong for one in claimed)
    missed = sum(one.truth > math.log(1.01) for one in made if one.claimed is None)
    return (
        f"{len(claimed)} of {len(made)} | {wrong} ({100 * wrong / max(len(claimed), 1):.1f} %) | {missed} | "
        f"{statistics.fmean(overclaims):+.1f} % | {ninth_decile(overclaims):+.1f} %"
    )


def page(folder: Path, seeds: Sequence[int], kept: Path | None, command: str) -> str:
    """Return the scoreboard."""
    found = board(folder / "promisetune", seeds, kept)
    said = "\n".join(f"- {line}" for line in won_and_lost(found))
    return "\n".join(
        [
            "# Scoreboard\n",
            "Other people's measurements, and what other people's tuners found in them. Nothing is fetched: the",
            "originals are named in `benchmarks/public/`. Written by one command; whatever it finds stands here.\n",
            f"Measured {datetime.now(UTC):%Y-%m-%d} by `{command}`: our seeds {seeds[0]} to {seeds[-1]}.\n",
            "## Searches of published tables\n",
            "Full tables of four systems (PromiseTune, Apache-2.0), without noise, and what twelve published tuners had found",
            "after so many runs, 30 seeds each. The figure is (best so far − best of the table) ÷ (median of the table − best of",
            "the table): 0 is the best. Ours plays `--optimizer skopt`; its first run is the default, and a proposal that is no",
            "row of the table counts as the nearest row. The published figures are computed from the published traces.\n",
            "Columns that are the values of one choice (a codec, a page size: of each row one at most) are one option for ours, and what",
            "follows from another option is left out. The search was made while looking at seeds below 110, and from 200 to 339; what",
            "other seeds find was not looked at before.\n",
            "Means over systems of the median over seeds (in parentheses: of the ninth decile, the worst tenth):\n",
            "| tuner | " + " | ".join(f"{count} runs" for count in AT) + " |",
            "|---|" + "---|" * len(AT),
            *mean_rows(found),
            f"\n{said}\n",
            "Each system by itself: ours, the best of the published tuners there, and our place among all.\n",
            "| system | runs | median | best published | place | ninth decile | best published | place |",
            "|---|---|---|---|---|---|---|---|",
            *system_rows(found),
            "\n## Decisions on real machines\n",
            "Samples of configurations of PostgreSQL and nginx on ten machines (TUNA, MIT). Each configuration that all",
            "machines measured is the baseline in turn, the rest of its run the candidates; the truth is the median over all ten",
            f"machines; {DRAWS} draws of machines each. `Ours` claims only where the interval of `judging/statistics.py` is above 1; it",
            f"spends {machines.MACHINES} samples on its choice, and the truth includes those that judged. `Missed` are choices better by more than 1 % that",
            "were not claimed. The overclaim is of what was claimed: its mean, and its ninth decile.\n",
            "| workload | rule | claims | wrong | missed | overclaim | ninth decile |",
            "|---|---|---|---|---|---|---|",
            *machine_rows(folder / "tuna" / "samples.csv"),
            "",
        ]
    )


def won_and_lost(found: Board) -> Iterator[str]:
    """Yield where ours stands by the means, count by count."""
    means = {name: _means(standings) for name, standings in found.items()}
    for index, count in enumerate(AT):
        for which, word in enumerate(("median", "ninth decile")):
            others = {name: mean[which][index] for name, mean in means.items() if name != OURS}
            mine, best = means[OURS][which][index], min(others, key=lambda name: others[name])
            word_of = "ahead of or level with" if mine <= others[best] else "behind"
            yield f"{count} runs, {word}: {word_of} the best published tuner ({mine:.4f}; {best} {others[best]:.4f})"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--kept", type=Path, help="a file for what was played, from which an interrupted call goes on")
    given = parser.parse_args()
    asked = ["--seeds", str(given.seeds), "--first-seed", str(given.first_seed)]
    command = f"benchmarks/public/scoreboard.py FOLDER {shlex.join(asked)}"
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    PAGE.write_text(page(given.folder, seeds, given.kept, command), encoding="utf-8")


if __name__ == "__main__":
    main()
