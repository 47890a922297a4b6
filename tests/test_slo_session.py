"""An SLO session: load searches inside blocks, every run stored, an honest no where no load holds the limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import DEFAULT, LATENCY, PLAN, SLO, Ticking, tune

from tuner import stacks
from tuner.hosts.pair import on_one
from tuner.judging.metrics import HELD_RATE
from tuner.judging.objective import objective
from tuner.records import Kind, Phase
from tuner.results import Results
from tuner.runs.block import KEY
from tuner.runs.rate_search import FINE, STEP
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring import rate_searches
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.progress import Silent
from tuner.session.setup.plan import Plan
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

# p99 is 1.8 times the median, and the median 36 µs / (1 − load): the limit holds to 0.676 of the capacity.
HOLDS = 1 - 1.8 * 36.0 / 200.0


def capacity(environment: Mapping[str, str]) -> float:
    return 40_000.0 if "XLIO_RX_POLL" in environment else 10_000.0


def host(latency_us: float = 36.0, noise: float = 0.01) -> SimulatedHost:
    return SimulatedHost(lambda _environment: latency_us, noise=noise, capacity_mps=capacity)


def measured(folder: Path, simulated: SimulatedHost, plan: Plan) -> tuple[dict[str, Any], Evidence]:
    found = tune(folder, simulated, plan)
    return found, Evidence.read(Store(Results(folder).url), Store(Results(folder).url).session("latest"))


def test_a_profile_that_holds_more_load_wins_by_the_ratio_of_the_rates(tmp_path: Path) -> None:
    found = tune(tmp_path, host(), SLO)
    assert found["verdict"] == "improved"
    assert found["gain"]["low"] <= 4.0 <= found["gain"]["high"] * FINE
    assert found["gain"]["ratio"] == pytest.approx(4.0, rel=0.1)
    assert found["baseline"]["metrics"][HELD_RATE]["value"] == pytest.approx(HOLDS * 10_000, rel=0.1)
    assert found["winner"]["settings"]["XLIO_RX_POLL"]
    assert found["objective"] == "max rate where p99 < 200us"
    assert "-kernel-slo-" in found["session"]


def test_a_measurement_gives_the_rate_of_a_profile_with_its_interval(tmp_path: Path) -> None:
    plan = replace(SLO, kind=Kind.MEASURE, baseline=LATENCY, known=(), blocks=6, budget_s=1e9)
    found, evidence = measured(tmp_path, host(), plan)
    rate = found["metrics"][HELD_RATE]
    assert rate["runs"] == 6
    assert rate["low"] <= rate["value"] <= rate["high"]
    # The answer is a rate that was measured to hold: it lies up to one fine step below the truth.
    assert HOLDS * 40_000 / FINE * 0.95 <= rate["value"] <= HOLDS * 40_000 * 1.05
    assert found["metrics"]["latency_p99_corrected_us"]["value"] < 200
    assert len(evidence.ledger.runs) > 6
    assert all("offered_mps" in run.evidence[KEY] and run.evidence["client"]["argv"] for run in evidence.ledger.runs)


def test_short_runs_come_first_and_what_was_found_before_is_not_looked_for_again(tmp_path: Path) -> None:
    plan = replace(SLO, kind=Kind.MEASURE, known=(), blocks=3, budget_s=1e9)
    _, evidence = measured(tmp_path, host(noise=0.0), plan)
    first, *later = rate_searches.by_series(evidence.ledger.runs).values()
    assert [run.evidence[KEY]["long"] for run in first][:2] == [False, False]
    for series in later:
        assert all(run.evidence[KEY]["long"] for run in series)
        assert series[0].evidence["client"]["argv"].count("--full-log") == 1
        assert len(series) <= 5
    for run in first:
        argv = run.evidence["client"]["argv"]
        assert (int(argv[argv.index("-t") + 1]) > 1) is run.evidence[KEY]["long"]


def test_a_limit_that_no_load_holds_is_an_honest_no_in_words(tmp_path: Path) -> None:
    simulated = host(latency_us=500.0)
    found, evidence = measured(tmp_path, simulated, SLO)
    assert found["verdict"] == "not improved"
    assert "no rate of 100 msg/s or more meets p99 < 200us with latency, default, nginx" in found["why"] or (
        "no rate of 100 msg/s or more meets p99 < 200us with default, latency" in found["why"]
    )
    assert "the lowest measured was p99 " in found["why"]
    assert found["winner"]["profile"] == "default"
    # The search stops where the known profiles end: what nothing comes near is not found at random.
    assert {trial.role for trial in evidence.ledger.trials} == {"baseline", "known"}
    assert len(simulated.runs) == len(evidence.ledger.runs)


def test_a_baseline_that_holds_no_load_counts_as_the_least_load(tmp_path: Path) -> None:
    def only_polling(environment: Mapping[str, str]) -> float:
        return 36.0 if "XLIO_RX_POLL" in environment else 500.0

    simulated = SimulatedHost(only_polling, noise=0.01, capacity_mps=capacity)
    plan = replace(SLO, kind=Kind.COMPARE, known=(LATENCY,), budget_s=200.0)
    found = tune(tmp_path, simulated, plan)
    assert found["verdict"] == "improved"
    assert found["a"]["metrics"][HELD_RATE]["value"] == 0
    assert found["gain"]["ratio"] == pytest.approx(HOLDS * 40_000 / 100, rel=0.1)
    assert any("its rate counts as 100 msg/s" in doubt["advice"] for doubt in found["doubts"])


def test_equal_profiles_have_no_gain(tmp_path: Path) -> None:
    same = SimulatedHost(lambda _environment: 36.0, noise=0.02, capacity_mps=lambda _environment: 10_000.0)
    plan = replace(SLO, kind=Kind.COMPARE, known=(LATENCY,), budget_s=250.0)
    found = tune(tmp_path, same, plan)
    assert found["verdict"] == "not improved"
    assert found["gain"]["low"] <= 1.0 <= found["gain"]["high"]


def test_a_session_stays_inside_its_budget(tmp_path: Path) -> None:
    simulated = host()
    tune(tmp_path, simulated, replace(SLO, blocks=1000, budget_s=150.0))
    assert 110 <= len(simulated.runs) <= 165


def test_a_calibration_finds_the_spread_of_the_rate(tmp_path: Path) -> None:
    plan = replace(SLO, kind=Kind.CALIBRATE, known=(), blocks=5, budget_s=1e9)
    found = tune(tmp_path, host(noise=0.02), plan)
    spread = found["calibration"]["metrics"][HELD_RATE]
    assert found["calibration"]["blocks"] == 5
    assert spread["median"] == pytest.approx(HOLDS * 10_000, rel=0.1)
    assert 0.0 < found["calibration"]["gain_sd"] < 2 * math.log(STEP)


def test_without_a_full_log_a_run_fails_because_nothing_corrected_can_be_judged(tmp_path: Path) -> None:
    simulated = host()
    simulated.log = False
    store = Store(Results(tmp_path).url)
    plan = replace(SLO, kind=Kind.MEASURE, known=(), blocks=2, budget_s=1e9)
    rig = Rig(on_one(simulated), stacks.named("kernel"), (Path("/usr/lib/libtuner_kernel.so"),), plan.program)
    session = begin(store, plan, {"doubts": []})
    with pytest.raises(Exception, match="did not report latency_p99_corrected_us"):
        carry_out(
            Tuning(store, Results(tmp_path), rig, Silent()), plan, session, Clock(1e9, 0.0, 0.0, Ticking(simulated))
        )


def test_the_confirmation_keeps_histograms_and_the_search_none(tmp_path: Path) -> None:
    tail = objective("tail")
    plan = replace(PLAN, objective=tail, workloads=tail.workloads, known=(LATENCY, DEFAULT))
    _, evidence = measured(tmp_path, host(), plan)
    kept = {run.phase: run.measurement.histogram for run in evidence.ledger.runs if run.measurement}
    assert {phase for phase, histogram in kept.items() if histogram} == {Phase.CONFIRM}
    confirmed = next(run.measurement for run in evidence.ledger.runs if run.phase == Phase.CONFIRM and run.measurement)
    assert confirmed.histogram is not None
    assert set(confirmed.histogram) == {"unit", "kind", "encoded"}
    assert (confirmed.histogram_corrected or {})["kind"] == "corrected"
    assert confirmed.latency_p99_us is not None
    assert confirmed.latency_p99_corrected_us is not None
