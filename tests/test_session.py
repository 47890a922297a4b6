"""A session finds what is there, claims nothing that is not, keeps everything, and goes on after an interruption."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import LATENCY, PLAN, nothing_helps, polling_helps, tune

from tuner import stacks
from tuner.errors import BaselineFailed, StoreError
from tuner.hosts.pair import on_one
from tuner.judging.objective import objective
from tuner.profiles.files import read
from tuner.records import Kind, Phase, Role
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import BANNER, SimulatedHost, stopping
from tuner.runs.workload import Workload
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.journal import Journal
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.progress import Silent
from tuner.session.measuring.session import Session
from tuner.session.setup.plan import ClearLead, LongerRuns, Plan, WhyLonger
from tuner.session.tuning import begin
from tuner.store import Store


def test_a_session_finds_what_helps_and_writes_it_as_a_profile(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps))
    assert found["verdict"] == "improved"
    assert found["gain"]["low"] > 10
    emitted = read(Path(found["winner"]["path"]))
    assert emitted.settings["XLIO_RX_POLL"] == "-1"
    assert emitted.origin is not None
    assert emitted.origin["session"] == found["session"]


def test_where_nothing_helps_nothing_is_claimed(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(nothing_helps))
    assert found["verdict"] == "not improved"
    assert found["winner"]["profile"] == "default"
    assert found["winner"]["path"] is None
    assert not list(tmp_path.rglob("best.toml"))


def test_a_session_stays_inside_its_budget(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    found = tune(tmp_path, host, replace(PLAN, blocks=1000))
    assert 50 <= len(host.runs) <= 60
    assert found["runs"] == len(host.runs)


def test_a_block_of_profiles_that_hang_ends_with_the_run_that_uses_up_the_budget(tmp_path: Path) -> None:
    host = SimulatedHost(lambda environment: math.inf if "XLIO_RX_POLL" in environment else 36.0)

    def spent_s() -> float:
        hung = sum(host.latency(plan.client.environment) == math.inf for plan in host.runs)
        return float(len(host.runs) + 6 * hung)

    store = Store(Results(tmp_path).url)
    journal = Journal(store, Ledger(begin(store, PLAN, {"doubts": []})))
    journal.enter("default", {}, Role.BASELINE)
    hanging = [journal.enter(f"hangs-{polls}", {"XLIO_RX_POLL": polls}, Role.KNOWN) for polls in ("1", "2", "3")]
    rig = Rig(on_one(host), stacks.named(PLAN.stack), tuple(map(Path, PLAN.preloads)), PLAN.program)
    Session(Evidence(PLAN, journal.ledger), journal, rig, Clock(10.0, 0.0, 0.0, spent_s), Silent()).measure_block(
        Phase.SEARCH, hanging
    )
    assert 10.0 < spent_s() <= 10.0 + 7.0


def test_every_block_holds_the_baseline_in_random_order(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps))
    runs = [run for run in Store(Results(tmp_path).url).runs(found["session"]) if run.phase != "calibrate"]
    blocks = {block: [run.trial for run in runs if run.block == block] for block in {run.block for run in runs}}
    assert all(trials.count(0) == 1 for trials in blocks.values())
    assert len({trials.index(0) for trials in blocks.values()}) > 1


def test_the_confirmation_uses_none_of_the_searchs_runs(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps))
    runs = Store(Results(tmp_path).url).runs(found["session"])
    confirmed = [run for run in runs if run.phase == "confirm"]
    proofs = [run for run in runs if run.phase in {"confirm", "minimise"} and run.trial == 0]
    assert found["baseline"]["metrics"]["latency_p50_us"]["runs"] == len(proofs)
    judged = next(row for row in found["finalists"] if row["gain"])
    assert judged["gain"]["blocks"] == len({run.block for run in confirmed})


def test_a_failure_is_data_and_never_a_latency(tmp_path: Path) -> None:
    def some_hang(environment: Mapping[str, str]) -> float:
        return math.inf if "XLIO_TCP_SEND_BUFFER_SIZE" in environment else polling_helps(environment)

    found = tune(tmp_path, SimulatedHost(some_hang))
    assert found["verdict"] == "improved"
    assert found["trials"]["timeout"] >= 1
    store = Store(Results(tmp_path).url)
    bad = [run for run in store.runs(found["session"]) if run.status == "timeout"]
    assert bad
    assert all(run.measurement is None and run.reason for run in bad)


def test_a_run_without_the_stacks_banner_is_not_loaded_and_not_slow(tmp_path: Path) -> None:
    def banner(environment: Mapping[str, str]) -> str:
        return "" if environment.get("XLIO_RX_POLL") == "-1" else BANNER

    found = tune(tmp_path, SimulatedHost(polling_helps, banner=banner))
    assert found["trials"]["not-loaded"] >= 1
    assert found["winner"]["settings"].get("XLIO_RX_POLL") != "-1"


def test_a_baseline_that_does_not_run_ends_the_session_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(BaselineFailed, match="not-loaded"):
        tune(tmp_path, SimulatedHost(polling_helps, banner=lambda _environment: ""))
    assert Store(Results(tmp_path).url).session("latest").state == "failed"


def test_an_interrupted_session_keeps_its_runs_and_goes_on_to_a_verdict(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    host.latency = stopping(host, 20, polling_helps)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, host)
    store = Store(Results(tmp_path).url)
    stopped = store.session("latest")
    assert stopped.state == "stopped"
    assert len(store.runs(stopped.id)) == 19
    again = SimulatedHost(polling_helps)
    found = tune(tmp_path, again, Plan.from_dict(stopped.plan), stopped.id)
    assert found["verdict"] == "improved"
    assert found["runs"] == 19 + len(again.runs)
    assert len(again.runs) <= 60 - 19 + 1


def test_a_session_is_repeatable_by_its_seed(tmp_path: Path) -> None:
    first = tune(tmp_path / "a", SimulatedHost(polling_helps))
    second = tune(tmp_path / "b", SimulatedHost(polling_helps))
    other = tune(tmp_path / "c", SimulatedHost(polling_helps), replace(PLAN, seed=2))
    assert first["finalists"] == second["finalists"]
    assert first["finalists"] != other["finalists"]


def test_two_workloads_are_measured_for_each_profile_of_a_block(tmp_path: Path) -> None:
    plan = replace(PLAN, objective=objective("balanced"), workloads=(Workload(), Workload(message_bytes=128)))
    host = SimulatedHost(polling_helps)
    found = tune(tmp_path, host, plan)
    runs = Store(Results(tmp_path).url).runs(found["session"])
    assert {run.workload for run in runs if run.trial == 0 and run.block == 0} == {0, 1}
    assert "rate_mps" in found["baseline"]["metrics"]


def test_a_comparison_judges_the_second_profile_by_the_first(tmp_path: Path) -> None:
    plan = replace(PLAN, kind=Kind.COMPARE, known=(LATENCY,), blocks=5)
    found = tune(tmp_path, SimulatedHost(polling_helps), plan)
    assert (found["a"]["profile"], found["b"]["profile"], found["verdict"]) == ("default", "latency", "improved")
    assert found["gain"]["low"] > 10


def test_a_measurement_counts_its_runs(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps), replace(PLAN, kind=Kind.MEASURE, known=(), blocks=4))
    assert found["metrics"]["latency_p50_us"]["runs"] == 4


@pytest.mark.parametrize("warm_start", [None, (), ("20260102-one", "20260102-two")])
def test_a_plan_survives_its_json_form(warm_start: tuple[str, ...] | None) -> None:
    plan = replace(PLAN, warm_start=warm_start)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_what_a_calibration_and_a_search_changed_survives_the_json_form() -> None:
    longer = (
        LongerRuns(2, WhyLonger.PERCENTILE, "latency_p99_us"),
        LongerRuns(3, WhyLonger.MESSAGES, "latency_p50_us"),
    )
    plan = replace(PLAN, lengthened=longer, clear_lead=ClearLead("candidate-7", 4.25, 7, 2, 8, 18, 0.85))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_a_plan_of_before_there_was_a_warm_start_can_be_read() -> None:
    stored = PLAN.to_dict()
    del stored["warm_start"]
    assert Plan.from_dict(stored) == PLAN


def test_a_plan_that_holds_sentences_of_an_earlier_release_means_the_same() -> None:
    longer = (
        LongerRuns(2, WhyLonger.PERCENTILE, "latency_p99_us"),
        LongerRuns(3, WhyLonger.MESSAGES, "latency_p50_us"),
    )
    lead = ClearLead("it looks odd", 9.8, 7)
    percentile = "runs of 2 s, so that latency_p99_us is observed often enough to be judged"
    messages = "runs of 3 s, because they differ by the number of their messages more than otherwise"
    obvious = "it looks odd looks 9.8 times as good or better: about 7 blocks will judge it"
    said = {
        "lengthened": f"{percentile}; {messages}",
        "obvious": f"{obvious}, and then its settings are minimised",
    }
    assert Plan.from_dict(PLAN.to_dict() | said) == replace(PLAN, lengthened=longer, clear_lead=lead)
    assert Plan.from_dict(PLAN.to_dict() | {"lengthened": "", "obvious": ""}) == PLAN


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "guess"},
        {"objective": "speed"},
        {"obvious": "it is obvious"},
        {"lengthened": [{"duration_s": 2}]},
        {"baseline": None},
        {"workloads": [{"mode": "idle"}]},
        {"of_a_later_release": 1},
    ],
)
def test_a_plan_that_no_release_wrote_is_refused_with_the_reason(wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="cannot read the session's plan"):
        Plan.from_dict(PLAN.to_dict() | wrong)
