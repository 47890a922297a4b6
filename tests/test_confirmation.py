"""What judges a profile has not chosen it; what cannot be judged is said, with what would do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import DEFAULT, PLAN, nothing_helps, polling_helps, tune

from tuner.records import Kind, Role, Run
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Contender, Plan
from tuner.store import Store

LONG = replace(PLAN, blocks=1000, budget_s=120.0, start=None)
WITHOUT_POLLING = replace(LONG, known=(DEFAULT, Contender("buffers", {"XLIO_TCP_SEND_BUFFER_SIZE": "2097152"})))


def runs_of(folder: Path, found: Mapping[str, Any], phase: str) -> list[Run]:
    return [run for run in Store(Results(folder).url).runs(found["session"]) if run.phase == phase]


def trials_by_block(runs: list[Run]) -> list[set[int]]:
    return [{run.trial for run in runs if run.block == block} for block in sorted({run.block for run in runs})]


def polling_helps_a_little(environment: Mapping[str, str]) -> float:
    return 33.0 if environment.get("XLIO_RX_POLL", "0") != "0" else 36.0


def judged(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in found["finalists"] if row["gain"] is not None]


def test_only_the_chosen_finalist_is_judged_and_by_other_blocks_than_those_that_chose_it(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps_a_little, noise=0.1), LONG)
    choosing, judging = (runs_of(tmp_path, found, phase) for phase in ("choose", "confirm"))
    most, known = len(found["finalists"]) + 1, known_of(tmp_path, found)
    first, *later = trials_by_block(choosing)  # in the first are known profiles that the search saw once, too
    assert len(first - known) <= most
    assert len(first) <= most + budget_shares.second_looks_at_known(LONG)
    assert all(len(trials) <= most for trials in later)
    taking_part = set.union(*trials_by_block(judging))
    assert len(taking_part) <= 3
    assert len(taking_part - known) <= 2
    assert max(run.number for run in choosing) < min(run.number for run in judging)
    assert max(row["gain"]["blocks"] for row in judged(found)) == len(trials_by_block(judging))
    assert judged(found)[0]["gain"]["confidence"] == 0.95


def known_of(folder: Path, found: Mapping[str, Any]) -> set[int]:
    trials = Store(Results(folder).url).trials(found["session"])
    return {trial.number for trial in trials if trial.role is Role.KNOWN}


def test_the_best_known_profile_is_judged_beside_the_found_one_and_more_often_where_it_is_close(tmp_path: Path) -> None:
    shares = {}
    for name, latency in {"ahead": polling_helps, "close": nothing_helps}.items():
        found = tune(tmp_path / name, SimulatedHost(latency, noise=0.05), WITHOUT_POLLING)
        blocks = trials_by_block(runs_of(tmp_path / name, found, "confirm"))
        beside = [bool(trials & known_of(tmp_path / name, found)) for trials in blocks]
        assert found["best_known"]["gain"]["blocks"] == sum(beside)
        assert found["over_known"]["blocks"] == sum(beside)
        shares[name] = sum(beside) / len(beside)
    assert shares["ahead"] < shares["close"]


def test_a_known_profile_that_nothing_found_can_beat_is_judged_alone_and_recommended(tmp_path: Path) -> None:
    known = Contender("spinning", {"XLIO_RX_POLL": "-1"})
    found = tune(tmp_path, SimulatedHost(polling_helps), replace(LONG, known=(DEFAULT, known)))
    assert found["verdict"] == "improved"
    assert found["winner"]["role"] == "known"
    assert "spinning is as good as anything found" in found["why"]


def test_a_finalist_that_fails_when_it_is_judged_is_replaced_by_the_next(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    first = tune(tmp_path / "a", SimulatedHost(polling_helps))
    before = sum(len(runs_of(tmp_path / "a", first, phase)) for phase in ("calibrate", "search", "choose"))
    best = judged(first)[0]["settings"]

    def fails_later(environment: Mapping[str, str]) -> float:
        names = {name: value for name, value in environment.items() if name in best}
        return math.inf if len(host.runs) > before and names == best else polling_helps(environment)

    host.latency = fails_later
    found = tune(tmp_path / "b", host)
    assert found["verdict"] == "improved"
    assert judged(found)[0]["settings"] != best
    assert found["winner"]["status"] == "ok"


def test_where_every_finalist_fails_when_it_is_judged_the_answer_says_so(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    host.latency = lambda env: math.inf if len(host.runs) > 46 and "XLIO_RX_POLL" in env else polling_helps(env)
    found = tune(tmp_path, host, replace(PLAN, known=PLAN.known[:1], space="XLIO_RX_POLL=-1"))
    assert found["verdict"] == "not improved"
    assert "was the best profile, but failed in the confirmation: timeout" in found["why"]


def test_an_interrupted_confirmation_goes_on_with_the_profile_it_had_chosen(tmp_path: Path) -> None:
    whole = tune(tmp_path / "a", SimulatedHost(polling_helps_a_little, noise=0.1), LONG)
    host = SimulatedHost(polling_helps_a_little, noise=0.1)
    stop_at = runs_of(tmp_path / "a", whole, "confirm")[3].number
    host.latency = stopping(host, stop_at, polling_helps_a_little)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "b", host, LONG)
    stopped = Store(Results(tmp_path / "b").url).session("latest")
    again = SimulatedHost(polling_helps_a_little, noise=0.1)
    found = tune(tmp_path / "b", again, Plan.from_dict(stopped.plan), stopped.id)
    assert judged(found)[0]["settings"] == judged(whole)[0]["settings"]
    before, after = (
        set.union(*trials_by_block(runs_of(tmp_path / name, each, "confirm")))
        for name, each in (("a", whole), ("b", found))
    )
    assert before == after


def at(latency_us: float) -> Callable[[Mapping[str, str]], float]:
    """Return a host's latency, half with polling."""
    return lambda env: latency_us / (2 if env.get("XLIO_RX_POLL", "0") != "0" else 1)


def test_a_percentile_with_few_observations_beyond_it_is_left_out_with_a_doubt(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(at(2000.0)), replace(PLAN, budget_s=90.0, seed=2))
    assert [doubt["what"].split()[0] for doubt in found["doubts"]] == ["latency_p99_us"]
    assert "100 are needed" in found["doubts"][0]["advice"]
    assert found["verdict"] == "improved"
    assert found["gain"]["ratio"] == pytest.approx(2.0, rel=0.05)


def test_observations_are_counted_over_all_runs_that_judge(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(at(36.0)), replace(PLAN, budget_s=90.0, seed=2))
    one_run = runs_of(tmp_path, found, "confirm")[0].measurement
    assert one_run is not None
    assert one_run.observations / 100 < 200
    assert found["doubts"] == []


def test_where_no_metric_can_be_judged_the_session_fails_with_the_reason(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(at(20_000.0)))
    assert found["verdict"] == "failed"
    assert "had enough observations" in found["why"]
    assert len(found["doubts"]) == 2


def test_a_budget_that_could_not_show_a_gain_says_how_much_would_do(tmp_path: Path) -> None:
    noisy = tune(tmp_path / "a", SimulatedHost(nothing_helps, noise=0.4))
    assert noisy["verdict"] == "not improved"
    assert "under the detection limit" in noisy["doubts"][0]["what"]
    budget_s = float(noisy["doubts"][0]["advice"].split()[1].removesuffix("s"))
    assert budget_s > PLAN.budget_s
    quiet = tune(tmp_path / "b", SimulatedHost(nothing_helps, noise=0.01))
    assert quiet["doubts"] == []


def test_few_blocks_are_a_doubt_because_their_interval_supposes_normal_noise(tmp_path: Path) -> None:
    plan = replace(PLAN, kind=Kind.COMPARE, known=PLAN.known[:1], blocks=5)
    assert (
        "assumes normally distributed noise"
        in tune(tmp_path / "a", SimulatedHost(polling_helps), plan)["doubts"][0]["what"]
    )
    assert tune(tmp_path / "b", SimulatedHost(polling_helps), replace(plan, blocks=6))["doubts"] == []


def test_a_baseline_that_fails_now_and_then_is_a_doubt(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    failing = {12, 30}

    def sometimes(environment: Mapping[str, str]) -> float:
        baseline = not any(name.startswith(("XLIO_RX", "XLIO_TCP")) for name in environment)
        if baseline and any(len(host.runs) >= at for at in failing):
            failing.remove(min(failing))
            return math.inf
        return polling_helps(environment)

    host.latency = sometimes
    found = tune(tmp_path, host)
    assert found["verdict"] == "improved"
    assert "the baseline failed in 2 of" in found["doubts"][0]["what"]


def test_the_summary_shows_the_doubts_of_the_answer(tmp_path: Path) -> None:
    from tuner.report.summary import summary

    found = tune(tmp_path, SimulatedHost(nothing_helps, noise=0.4))
    store = Store(Results(tmp_path).url)
    assert found["doubts"][0]["what"] in summary(store, store.session(found["session"]))


def test_a_budget_that_had_too_few_blocks_is_never_named_as_the_one_that_has_enough(tmp_path: Path) -> None:
    plan = replace(PLAN, kind=Kind.COMPARE, known=PLAN.known[:1], blocks=5)
    found = tune(tmp_path, SimulatedHost(nothing_helps, noise=0.01), plan)
    advice = next(each["advice"] for each in found["doubts"] if "confirmation blocks" in each["what"])
    budget_s = float(advice.split("--budget ")[1].removesuffix("s"))
    assert budget_s == pytest.approx(plan.budget_s * 6 / 5, abs=1.0)
