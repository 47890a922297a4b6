"""The comparison of searches is fair: the truth of its landscapes is the truth, and everybody pays for the same runs."""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

import landscapes
import pytest
import rivals
import search
from landscapes import Fate, stepped, synthetic

LEVELS = {"POLL": ("0", "-1", "100"), "ACK": ("0", "1")}
ROUNDS = 3


def run(values: tuple[str, str], turn: int, block: int, latency_us: float | None, role: str) -> dict[str, object]:
    status = "failed" if latency_us is None else "ok"
    row = dict(zip(LEVELS, values, strict=True))
    return {
        **row,
        "round": turn,
        "block": block,
        "role": role,
        "status": status,
        "latency_p50_us": latency_us,
        "wall_s": 1.3,
    }


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A recorded table: polling halves the latency, an ACK with 100 fails now and then, rounds drift."""
    rows = []
    for turn in range(ROUNDS):
        drift = 1.0 + 0.1 * turn
        rows.append(run(("0", "0"), turn, turn, 40.0 * drift, "baseline"))
        for poll in LEVELS["POLL"]:
            for ack in LEVELS["ACK"]:
                fails = turn == 1 and (poll, ack) == ("100", "1")
                latency_us = drift * (20.0 if poll == "-1" else 40.0)
                rows.append(run((poll, ack), turn, turn, None if fails else latency_us, "candidate"))
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_recorded_table_is_searched_in_exactly_its_levels(table: Path) -> None:
    found = landscapes.recorded(table)
    assert {d.parameter: set(d.values) for d in found.space.dimensions} == {n: set(v) for n, v in LEVELS.items()}
    assert found.space.defaults == {"POLL": "0", "ACK": "0"}


def test_the_truth_of_a_recorded_configuration_is_the_median_of_its_runs(table: Path) -> None:
    found = landscapes.recorded(table)
    assert found.gain({"POLL": "-1"}) == pytest.approx(math.log(2)) == found.best
    assert found.gain({}) == pytest.approx(0.0)


def test_what_the_workload_never_reaches_makes_no_configuration_of_its_own(table: Path) -> None:
    table.write_text(table.read_text().replace("ACK", "XLIO_TCP_NODELAY", 1))
    found = landscapes.recorded(table)
    assert set(found.runs) == {(level,) for level in LEVELS["POLL"]}
    assert found.gain({"XLIO_TCP_NODELAY": "1"}) == found.gain({})


def test_runs_of_one_turn_are_recorded_runs_of_one_round(table: Path) -> None:
    found, rng = landscapes.recorded(table), random.Random(1)
    shown = {turn: found.measured({"POLL": "-1"}, rng, turn) - found.measured({}, rng, turn) for turn in range(ROUNDS)}
    assert list(shown.values()) == pytest.approx([math.log(2)] * ROUNDS)


def test_a_configuration_that_failed_once_does_not_run(table: Path) -> None:
    found = landscapes.recorded(table)
    assert found.fate({"POLL": "100", "ACK": "1"}) is Fate.CRASHES
    assert found.fate({"POLL": "100"}) is Fate.RUNS


@pytest.mark.parametrize("size", search.SIZES)
def test_the_best_of_a_synthetic_landscape_is_not_beaten_by_what_runs(size: int) -> None:
    land, rng = synthetic(size, 7), random.Random(1)
    drawn = [land.space.sample(rng) for _ in range(300)]
    fates = [land.fate(settings) for settings in drawn]
    assert set(fates) == {Fate.RUNS, Fate.CRASHES, Fate.HANGS}
    assert (
        max(land.gain(settings) for settings, fate in zip(drawn, fates, strict=True) if fate is Fate.RUNS) < land.best
    )
    assert land.gain({}) == 0.0
    assert land.fate({}) is Fate.RUNS


def test_the_best_of_a_stepped_landscape_is_where_all_steps_are_taken_and_nothing_is_better() -> None:
    land, rng = stepped(3), random.Random(1)
    drawn = [land.space.sample(rng) for _ in range(1000)]
    assert {land.fate(settings) for settings in drawn} == {Fate.RUNS, Fate.CRASHES, Fate.HANGS}
    assert max(land.gain(settings) for settings in drawn) < land.best == pytest.approx(landscapes.HIGHEST)
    assert (land.gain({}), land.fate({})) == (0.0, Fate.RUNS)
    goods = {c.dimension.parameter: c for step in land.steps for c in step.conditions}
    best = {
        name: next(t for t in c.dimension.texts() if c.holds({name: t}, land.space.defaults))
        for name, c in goods.items()
    }
    assert land.gain(best) == pytest.approx(land.best)
    assert land.fate(best) is Fate.RUNS


def test_a_step_of_three_needs_all_three() -> None:
    land = stepped(5)
    three = next(step for step in land.steps if len(step.conditions) == 3)
    names = [c.dimension.parameter for c in three.conditions]
    good = {
        c.dimension.parameter: next(
            t for t in c.dimension.texts() if c.holds({c.dimension.parameter: t}, land.space.defaults)
        )
        for c in three.conditions
    }
    parts = [land.gain({name: good[name] for name in names if name != left}) for left in names]
    assert land.gain(good) > 0.0
    assert max(parts) <= 0.0


def test_a_hang_costs_as_many_runs_as_its_time_out() -> None:
    land, rng = synthetic(8, 1), random.Random(1)
    hanging = next(s for s in iter(lambda: land.space.sample(rng), None) if land.fate(s) is Fate.HANGS)
    bench = search.Bench(land, 20, random.Random(1))
    assert bench.latency_us(hanging) is None
    assert bench.latency_us({}) is not None
    assert bench.left == 20 - search.HANG_RUNS - 1


@pytest.mark.parametrize("rival", [search.OURS, "random", "Optuna TPE"])
def test_nobody_makes_more_runs_than_it_was_given_and_what_it_recommends_runs(rival: str) -> None:
    gains = search.outcome(search.played(rival, "8", 40, 3)).gains
    assert all(gain > -math.inf for gain in gains)


def test_a_session_on_a_bench_recommends_what_it_chose_or_the_defaults() -> None:
    bench = search.Bench(synthetic(8, 2), 40, random.Random(1))
    recommended, chosen = search.ours(bench, 2)
    assert chosen
    assert recommended in ({}, chosen)


def test_a_rival_is_either_here_or_named_as_missing() -> None:
    assert {*rivals.present(), *rivals.absent()} == set(rivals.EVERY)
    assert "random" in rivals.present()
