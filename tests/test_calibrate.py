"""A session knows the noise of its host before it compares, and blocks that the host spoiled say nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import PLAN, nothing_helps, polling_helps, tune

from tuner.judging.objective import objective
from tuner.judging.power import normal_difference, smallest_difference
from tuner.records import Kind, Phase
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.session.answer import words
from tuner.session.answer.json_form import from_json
from tuner.session.answer.parts import Calibration, Detectable
from tuner.session.measuring.progress import Silent
from tuner.session.measuring.quarantine import quarantined
from tuner.session.setup.plan import Plan
from tuner.store import Store

ALONE = replace(PLAN, kind=Kind.CALIBRATE, known=(), start=None, budget_s=1e9, blocks=60)


def measured(folder: Path, host: SimulatedHost, plan: Plan = ALONE) -> dict[str, Any]:
    return dict(tune(folder, host, plan)["calibration"])


def test_the_noise_of_a_host_is_measured(tmp_path: Path) -> None:
    found = measured(tmp_path, SimulatedHost(nothing_helps, noise=0.05))
    p50 = found["metrics"]["latency_p50_us"]
    assert (found["blocks"], found["runs"], p50["runs"]) == (60, 120, 120)
    assert p50["between_runs_sd"] == pytest.approx(0.05, rel=0.2)
    # Median and p99 of the simulated host move together, so a gain is the difference of two runs.
    assert found["gain_sd"] == pytest.approx(0.05 * math.sqrt(2), rel=0.2)
    assert found["gain_sd_low"] < 0.05 * math.sqrt(2) < found["gain_sd_high"]


def test_a_host_that_drifts_slowly_is_one_on_which_pairing_helps(tmp_path: Path) -> None:
    rng, level = random.Random(3), [0.0]

    def drifts(_environment: Mapping[str, str]) -> float:
        level[0] = 0.98 * level[0] + rng.gauss(0, 0.02)
        return 36.0 * math.exp(level[0])

    found = measured(tmp_path, SimulatedHost(drifts, noise=0.01), replace(ALONE, blocks=150))
    p50 = found["metrics"]["latency_p50_us"]
    assert p50["pairing_helps"] is True
    assert found["gain_sd"] < p50["between_runs_sd"]


def test_hiccups_are_reported_apart(tmp_path: Path) -> None:
    host = SimulatedHost(nothing_helps, noise=0.02)
    host.latency = lambda _environment: 60.0 if len(host.runs) % 15 == 0 else 36.0
    p50 = measured(tmp_path, host)["metrics"]["latency_p50_us"]
    assert p50["hiccups"] == 8
    assert p50["between_runs_sd"] == pytest.approx(0.02, rel=0.3)


def test_a_session_says_what_its_budget_can_detect_before_it_searches(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps, noise=0.05))
    detectable = found["calibration"]["detectable"]
    sd, blocks, judged = found["calibration"]["gain_sd"], detectable["blocks"], detectable["finalists"]
    assert detectable["percent"] == pytest.approx(100 * math.expm1(smallest_difference(sd, blocks, judged)))
    assert detectable["normal_percent"] == pytest.approx(100 * math.expm1(normal_difference(sd, blocks)))
    phases = [run.phase for run in Store(Results(tmp_path).url).runs(found["session"])]
    made, looked = phases.count(Phase.CALIBRATE), phases.index(Phase.CALIBRATE)
    assert looked == 3  # the first look: the baseline and two known profiles
    assert set(phases[looked : looked + made]) == {Phase.CALIBRATE}
    assert 4 <= made <= 0.1 * PLAN.budget_s
    assert found["time"]["runs_by_phase_s"]["calibrate"] == made
    assert words.detectable(from_json(Detectable, detectable, "it")) in summary(
        Store(Results(tmp_path).url), Store(Results(tmp_path).url).session("latest")
    )


def test_what_is_said_before_the_search_is_what_the_verdict_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Silent, "statistic", lambda _self, text: said.append(text))
    monkeypatch.setattr(Silent, "phase", lambda _self, name, _seconds: said.append(name))
    found = tune(tmp_path, SimulatedHost(polling_helps, noise=0.05))
    began = said.index("calibrate")
    before = said[began + 1 : said.index("search", began)]
    kept = words.noise(from_json(Calibration, found["calibration"], "it"))
    assert before[:-1] == kept[:-1]
    # The verdict knows the noise of the blocks that judged as well.
    assert [line.split(":")[0] for line in (before[-1], kept[-1])] == ["minimum detectable effect at 60 s"] * 2


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, budget_s=29.0),
        replace(PLAN, budget_s=60.0, workloads=(replace(PLAN.workloads[0], duration_s=4),)),
        replace(PLAN, budget_s=60.0, fast_start=False),
    ],
    ids=["short session", "long runs", "slow start"],
)
def test_a_budget_too_small_for_a_calibration_has_none(tmp_path: Path, plan: Plan) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps), plan)
    assert found["calibration"] is None
    assert found["verdict"] == "improved"
    assert "calibrate" not in {run.phase for run in Store(Results(tmp_path).url).runs(found["session"])}


def test_the_confirmation_that_is_foreseen_is_about_the_one_that_is_made(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps), replace(PLAN, blocks=40))
    foreseen, made = found["calibration"]["detectable"]["blocks"], found["gain"]["blocks"]
    # The best known profile may be in fewer blocks than are foreseen, or win by those; the choosing may end early.
    assert foreseen * 2 / 3 - 1 <= made <= foreseen + 3


def test_a_session_that_goes_on_does_not_calibrate_again(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    host.latency = stopping(host, 12, polling_helps)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, host)
    stopped = Store(Results(tmp_path).url).session("latest")
    before = [run for run in Store(Results(tmp_path).url).runs(stopped.id) if run.phase == "calibrate"]
    found = tune(tmp_path, SimulatedHost(polling_helps), Plan.from_dict(stopped.plan), stopped.id)
    after = [run for run in Store(Results(tmp_path).url).runs(stopped.id) if run.phase == "calibrate"]
    assert before == after
    assert found["calibration"]["runs"] == len(after)


def test_a_block_that_the_host_spoiled_counts_for_nothing_and_is_repeated(tmp_path: Path) -> None:
    host = SimulatedHost(nothing_helps)
    struck = {30, 31}

    def looks_good_when_stolen(environment: Mapping[str, str]) -> float:
        return 1.0 if len(host.runs) in struck and environment.get("XLIO_RX_POLL") else 36.0

    host.latency = looks_good_when_stolen
    host.steal = lambda run: 0.2 if run in struck else 0.0
    found = tune(tmp_path, host, replace(PLAN, blocks=1000))
    assert found["quarantined"] == 1
    assert found["host"]["calm"] is True
    assert found["verdict"] == "not improved"
    assert "noisy host" not in found["why"]
    runs = Store(Results(tmp_path).url).runs(found["session"])
    (spoiled,) = {run.block for run in runs if run.evidence["telemetry"]["steal_share"] > 0.02}
    again = {run.trial for run in runs if run.block == spoiled + 1}
    assert {run.trial for run in runs if run.block == spoiled} == again
    assert len(runs) <= PLAN.budget_s


def test_a_host_that_never_calms_down_is_said_to_be_one(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps, steal=lambda _run: 0.3))
    blocks = len({run.block for run in Store(Results(tmp_path).url).runs(found["session"])})
    assert found["verdict"] == "improved"
    (steal,) = found["host"].pop("culprits")
    assert (steal["cause"], steal["blocks"], steal["most"]) == ("steal", blocks, pytest.approx(0.15))
    assert found["host"] == {
        "calm": False,
        "disturbed": blocks,
        "blocks": blocks,
        "reasons": {"the hypervisor took CPU time": blocks},
        "unusual": [],
    }
    assert any(f"{blocks} of {blocks} blocks were disturbed by steal" in each["what"] for each in found["doubts"])
    assert 1 <= found["quarantined"] <= 0.2 * blocks
    assert "noisy host" in found["why"]
    assert "noisy host" in summary(Store(Results(tmp_path).url), Store(Results(tmp_path).url).session("latest"))


def test_a_measurement_on_a_disturbed_host_still_counts_its_runs(tmp_path: Path) -> None:
    host = SimulatedHost(nothing_helps, steal=lambda run: 0.2 if run == 2 else 0.0)
    found = tune(tmp_path, host, replace(PLAN, kind=Kind.MEASURE, known=(), blocks=4))
    assert found["metrics"]["latency_p50_us"]["runs"] == 4
    assert (found["quarantined"], len(host.runs)) == (1, 5)


def test_at_most_a_fifth_of_the_blocks_is_left_out_and_the_choice_never_changes() -> None:
    for blocks in range(1, 60):
        often = quarantined(range(0, blocks, 3))
        assert len(often) <= max(1, blocks // 5)
        assert often <= quarantined(range(0, blocks + 1, 3))
    assert quarantined([3, 40]) == {3, 40}
    assert len(quarantined(range(0, 60, 3))) >= 10


def test_a_host_that_is_always_disturbed_is_not_measured_again_and_again() -> None:
    assert quarantined(range(100)) == {0}


def test_two_workloads_are_calibrated_each_with_its_own_metrics(tmp_path: Path) -> None:
    workloads = (PLAN.workloads[0], replace(PLAN.workloads[0], message_bytes=128))
    found = measured(
        tmp_path, SimulatedHost(nothing_helps), replace(ALONE, objective=objective("balanced"), workloads=workloads)
    )
    assert set(found["metrics"]) == {"latency_p50_us", "latency_p99_us", "rate_mps"}
    assert found["runs"] == 4 * found["blocks"]


def test_words_say_when_a_budget_detects_nothing() -> None:
    row = Detectable(30.0, 1, 1, None, None, None, None, None, power=0.8, confidence=0.95)
    assert ": none, this host is too noisy" in words.detectable(row)


def test_a_budget_that_cannot_detect_a_tenth_says_in_the_answer_which_would(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(lambda _environment: 36.0, noise=0.3), PLAN)
    row = found["calibration"]["detectable"]
    assert row["percent"] is None or row["percent"] > 10
    doubt = next(doubt for doubt in found["doubts"] if "cannot detect differences below" in doubt["what"])
    assert f"--budget {math.ceil(row['enough_s'])}s detects 10 %" in doubt["advice"]


def test_a_budget_that_detects_a_tenth_says_nothing_of_another(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(lambda _environment: 36.0, noise=0.005), PLAN)
    assert found["calibration"]["detectable"]["enough_s"] is None
    assert not any("cannot detect differences below" in doubt["what"] for doubt in found["doubts"])
