"""A minimised profile holds what earns its place, with what it is worth, and nothing else; it is proved like any other."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import PLAN, nothing_helps, polling_helps, tune

from tuner.profiles.files import read
from tuner.records import Kind, Phase
from tuner.results import Results
from tuner.runs.simulated import Latency, SimulatedHost, stopping
from tuner.runs.workload import Multiplexer, Workload
from tuner.session.phases import suspects
from tuner.session.phases.minimise import LARGE
from tuner.session.setup.plan import Contender, Plan
from tuner.store import Store

SETTINGS = {
    "XLIO_RX_POLL": "-1",
    "XLIO_RX_POLL_YIELD": "1",
    "XLIO_TCP_QUICKACK": "1",
    "XLIO_SELECT_POLL": "-1",
    "XLIO_TCP_NODELAY": "1",
    "XLIO_RX_BYTES_MIN": "65536",
}
MINE = Contender("mine", SETTINGS)
MINIMISE = replace(PLAN, kind=Kind.MINIMISE, known=(MINE,), start="mine", budget_s=180.0, blocks=40)


def worth(**gains: float) -> Latency:
    """Return a host's latency where each setting of `SETTINGS` that is named helps so many times, on its own."""

    def latency(environment: Mapping[str, str]) -> float:
        active = [gain for name, gain in gains.items() if environment.get(name) == SETTINGS[name]]
        return 36.0 / math.prod(active)

    return latency


def minimised(folder: Path, latency: Latency, plan: Plan = MINIMISE, noise: float = 0.03) -> dict[str, Any]:
    return tune(folder, SimulatedHost(latency, noise=noise, rng=random.Random(plan.seed)), plan)


def kept(found: Mapping[str, Any]) -> dict[str, Any]:
    return {row["name"]: row for row in found["minimised"]["kept"]}


def test_what_matters_is_kept_with_its_true_gain_and_the_rest_is_dropped(tmp_path: Path) -> None:
    found = minimised(tmp_path, worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.1))
    assert found["verdict"] == "minimised"
    stays = kept(found)
    assert set(stays) == {"XLIO_RX_POLL", "XLIO_TCP_QUICKACK"}
    assert stays["XLIO_RX_POLL"]["gain"]["ratio"] == pytest.approx(1.3, rel=0.03)
    assert stays["XLIO_TCP_QUICKACK"]["gain"]["ratio"] == pytest.approx(1.1, rel=0.03)
    assert found["gain"]["ratio"] == pytest.approx(1.43, rel=0.05)


def test_every_setting_that_stays_has_its_gain_above_it_in_the_file(tmp_path: Path) -> None:
    found = minimised(tmp_path, worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.1))
    emitted = read(Path(found["winner"]["path"]))
    assert dict(emitted.settings) == found["winner"]["settings"]
    assert {name: row["why"] for name, row in kept(found).items()} == dict(emitted.reasons)
    assert all("× better with it" in reason and "blocks" in reason for reason in emitted.reasons.values())
    assert all(row["gain"]["low"] > 1 for row in kept(found).values())


def test_what_was_dropped_says_what_was_seen_of_it(tmp_path: Path) -> None:
    found = minimised(tmp_path, worth(XLIO_RX_POLL=1.3))
    dropped = {row["name"]: row["why"] for row in found["minimised"]["dropped"]}
    assert set(dropped) == set(SETTINGS) - {"XLIO_RX_POLL"}
    assert all("×" in why and "blocks" in why for why in dropped.values())


def test_two_settings_that_help_only_together_both_stay(tmp_path: Path) -> None:
    def together(environment: Mapping[str, str]) -> float:
        both = "XLIO_RX_POLL" in environment and "XLIO_TCP_QUICKACK" in environment
        return 24.0 if both else 36.0

    assert set(kept(minimised(tmp_path, together))) == {"XLIO_RX_POLL", "XLIO_TCP_QUICKACK"}


def test_of_two_settings_of_which_either_would_do_one_stays(tmp_path: Path) -> None:
    def either(environment: Mapping[str, str]) -> float:
        return 24.0 if "XLIO_RX_POLL" in environment or "XLIO_TCP_QUICKACK" in environment else 36.0

    found = minimised(tmp_path, either)
    assert len(kept(found)) == 1
    assert found["gain"]["ratio"] == pytest.approx(1.5, rel=0.05)


def test_what_should_not_matter_stays_where_it_does(tmp_path: Path) -> None:
    found = minimised(tmp_path, worth(XLIO_RX_POLL=1.3, XLIO_TCP_NODELAY=1.4))
    assert set(kept(found)) == {"XLIO_RX_POLL", "XLIO_TCP_NODELAY"}


def test_a_setting_without_which_runs_fail_stays_and_says_so(tmp_path: Path) -> None:
    def needs_yield(environment: Mapping[str, str]) -> float:
        polls = "XLIO_RX_POLL" in environment
        return math.inf if polls and "XLIO_RX_POLL_YIELD" not in environment else 24.0 if polls else 36.0

    stays = kept(minimised(tmp_path, needs_yield))
    assert set(stays) == {"XLIO_RX_POLL", "XLIO_RX_POLL_YIELD"}
    assert stays["XLIO_RX_POLL_YIELD"]["why"] == "runs fail without it"


def test_where_nothing_matters_no_setting_stays(tmp_path: Path) -> None:
    found = minimised(tmp_path, worth())
    assert kept(found) == {}
    assert read(Path(found["winner"]["path"])).settings == {}


def test_a_profile_in_which_all_matters_stays_as_it_is(tmp_path: Path) -> None:
    both = {name: SETTINGS[name] for name in ("XLIO_RX_POLL", "XLIO_TCP_QUICKACK")}
    plan = replace(MINIMISE, known=(Contender("mine", both),))
    found = minimised(tmp_path, worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.2), plan)
    assert (found["verdict"], found["minimised"]["dropped"]) == ("minimal", [])
    assert found["winner"]["settings"] == both


@pytest.mark.long
def test_on_a_noisy_host_what_helps_is_wrongly_dropped_in_few_of_50_sessions(tmp_path: Path) -> None:
    wrong = 0
    for seed in range(50):
        plan = replace(MINIMISE, budget_s=60.0, seed=seed)
        found = minimised(tmp_path / str(seed), worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.15), plan, noise=0.05)
        wrong += not {"XLIO_RX_POLL", "XLIO_TCP_QUICKACK"} <= set(kept(found))
    assert wrong <= 5


@pytest.mark.parametrize("budget_s", [30.0, 60.0, 180.0])
def test_minimising_uses_its_budget_and_no_more(tmp_path: Path, budget_s: float) -> None:
    host = SimulatedHost(worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.1), noise=0.03)
    found = tune(tmp_path, host, replace(MINIMISE, budget_s=budget_s))
    assert 0.85 * budget_s <= len(host.runs) <= budget_s
    assert found["runs"] == len(host.runs)


def test_what_the_budget_could_not_judge_stays_and_says_so(tmp_path: Path) -> None:
    found = minimised(tmp_path, worth(XLIO_RX_POLL=1.3), replace(MINIMISE, budget_s=13.0))
    unjudged = [row for row in kept(found).values() if row["gain"] is None]
    assert unjudged
    assert all(row["why"].startswith("not judged: the budget allowed") for row in unjudged)


@pytest.mark.parametrize("budget_s", [30.0, 45.0])
def test_no_setting_that_stays_has_an_interval_that_includes_no_gain(tmp_path: Path, budget_s: float) -> None:
    stays: list[dict[str, Any]] = []
    for seed in range(20):
        plan = replace(MINIMISE, budget_s=budget_s, seed=seed)
        found = minimised(tmp_path / str(seed), worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.05), plan, noise=0.05)
        stays += kept(found).values()
    assert all(row["gain"]["low"] > 1.0 for row in stays if row["gain"])
    unjudged = [row["why"] for row in stays if not row["gain"]]
    assert any(why.startswith("not judged by itself") for why in unjudged)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_too_noisy_to_be_told_from_a_large_gain_stays_and_says_so(tmp_path: Path, seed: int) -> None:
    pair = {name: SETTINGS[name] for name in ("XLIO_RX_POLL", "XLIO_TCP_QUICKACK")}
    plan = replace(MINIMISE, known=(Contender("mine", pair),), budget_s=30.0, seed=seed)
    found = minimised(tmp_path, worth(), plan, noise=0.8)
    for row in kept(found).values():
        assert row["gain"] or (row["why"].startswith("not judged:") and "too noisy" in row["why"])
    for row in found["minimised"]["dropped"]:
        interval = re.search(r"CI ([\d.]+)–([\d.]+)", row["why"])
        assert interval is not None
        assert float(interval[1]) <= 1.0
        assert float(interval[2]) <= LARGE


def test_on_a_host_too_noisy_to_judge_most_settings_stay(tmp_path: Path) -> None:
    pair = {name: SETTINGS[name] for name in ("XLIO_RX_POLL", "XLIO_TCP_QUICKACK")}
    plan = replace(MINIMISE, known=(Contender("mine", pair),), budget_s=30.0)
    plans = [replace(plan, seed=seed) for seed in range(10)]
    whole = [
        minimised(tmp_path / str(each.seed), worth(), each, noise=0.8)["winner"]["settings"] == pair for each in plans
    ]
    assert sum(whole) >= 7


@pytest.mark.parametrize("stops_at", [5, 20, 61, 100, 130])
def test_an_interrupted_minimisation_goes_on_where_it_was(tmp_path: Path, stops_at: int) -> None:
    host = SimulatedHost(worth(), noise=0.03)
    helps = worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.1)
    host.latency = stopping(host, stops_at, helps)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, host, MINIMISE)
    stopped = Store(Results(tmp_path).url).session("latest")
    again = SimulatedHost(helps, noise=0.03)
    found = tune(tmp_path, again, Plan.from_dict(stopped.plan), stopped.id)
    assert set(kept(found)) == {"XLIO_RX_POLL", "XLIO_TCP_QUICKACK"}
    assert found["runs"] == stops_at - 1 + len(again.runs)
    assert len(again.runs) <= MINIMISE.budget_s - stops_at + 2


def test_a_finished_minimisation_told_again_ends_the_same(tmp_path: Path) -> None:
    first = minimised(tmp_path, worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.1))
    host = SimulatedHost(worth())
    again = tune(tmp_path, host, MINIMISE, first["session"])
    assert len(host.runs) <= 1
    assert again["minimised"] == first["minimised"]


def test_a_tuning_emits_its_winner_minimised_with_its_own_gain_over_the_baseline(tmp_path: Path) -> None:
    plan = replace(PLAN, known=(MINE, PLAN.baseline), start="mine", budget_s=300.0)
    found = tune(tmp_path, SimulatedHost(polling_helps), plan)
    assert found["verdict"] == "improved"
    assert "XLIO_TCP_NODELAY" not in found["winner"]["settings"]
    assert found["gain"]["low"] > 10
    runs = Store(Results(tmp_path).url).runs(found["session"])
    emitted = next(
        t for t in Store(Results(tmp_path).url).trials(found["session"]) if t.settings == found["winner"]["settings"]
    )
    blocks = {run.block for run in runs if run.trial == emitted.number and run.phase == "minimise"}
    assert found["gain"]["blocks"] == len(blocks) >= 3
    profile = read(Path(found["winner"]["path"]))
    assert all(row["gain"]["low"] > 1 for row in found["minimised"]["kept"] if row["gain"])
    assert profile.reasons["XLIO_RX_POLL"].startswith(kept(found)["XLIO_RX_POLL"]["why"])


def test_what_helped_until_it_was_proved_and_then_no_more_stays_and_says_so(tmp_path: Path) -> None:
    polls = Contender("polls", {"XLIO_RX_POLL": "-1"})
    plan = replace(PLAN, known=(polls, PLAN.baseline), start="polls", budget_s=300.0)
    helps = worth(XLIO_RX_POLL=1.3)
    whole = tune(tmp_path / "a", SimulatedHost(helps), plan)
    proved = [run.phase for run in Store(Results(tmp_path / "a").url).runs(whole["session"])].index(Phase.MINIMISE)
    host = SimulatedHost(helps)
    host.latency = lambda environment: helps(environment) if len(host.runs) <= proved else nothing_helps(environment)
    found = tune(tmp_path / "b", host, plan)
    assert found["verdict"] == "improved"
    (stays,) = kept(found).values()
    assert stays["gain"]["low"] <= 1.0
    assert stays["why"].startswith("kept, because no gain was shown without it: ")
    blocks = found["minimised"]["blocks"]
    doubts = [each["what"] for each in found["doubts"]]
    assert f"the gain of XLIO_RX_POLL was not reproduced in the last {blocks} blocks" in doubts
    assert not any("not reproduced" in each["what"] for each in whole["doubts"])
    assert read(Path(found["winner"]["path"])).reasons["XLIO_RX_POLL"].find(stays["why"].partition(": ")[2]) > 0


def test_a_tuning_whose_budget_is_too_small_to_minimise_gives_it_to_the_confirmation(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps), replace(PLAN, budget_s=40.0))
    phases = {run.phase for run in Store(Results(tmp_path).url).runs(found["session"])}
    assert {"calibrate", "search", "confirm"} <= phases
    assert "minimise" not in phases
    assert found["minimised"] is None


def test_a_tuning_interrupted_while_it_minimises_goes_on_with_the_same_winner(tmp_path: Path) -> None:
    plan = replace(PLAN, known=(MINE, PLAN.baseline), start="mine", budget_s=300.0)
    whole = tune(tmp_path / "a", SimulatedHost(polling_helps), plan)
    before = [run.phase for run in Store(Results(tmp_path / "a").url).runs(whole["session"])].index(Phase.MINIMISE)
    host = SimulatedHost(polling_helps)
    host.latency = stopping(host, before + 3, polling_helps)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "b", host, plan)
    stopped = Store(Results(tmp_path / "b").url).session("latest")
    stored = Store(Results(tmp_path / "b").url).runs(stopped.id)
    found = tune(tmp_path / "b", SimulatedHost(polling_helps), Plan.from_dict(stopped.plan), stopped.id)
    later = Store(Results(tmp_path / "b").url).runs(stopped.id)[len(stored) :]
    assert {run.phase for run in later} == {"minimise"}
    assert [row["settings"] for row in found["finalists"]] == [row["settings"] for row in whole["finalists"]]
    assert found["minimised"]["from"] == whole["minimised"]["from"]


def test_a_block_of_minimising_that_the_host_spoiled_is_repeated_and_says_nothing(tmp_path: Path) -> None:
    host = SimulatedHost(worth(), noise=0.03)
    helps = worth(XLIO_RX_POLL=1.3, XLIO_TCP_QUICKACK=1.1)
    struck = range(40, 45)
    host.latency = lambda environment: 500.0 if len(host.runs) in struck and environment else helps(environment)
    host.steal = lambda run: 0.2 if run in struck else 0.0
    found = tune(tmp_path, host, MINIMISE)
    assert found["quarantined"] >= 1
    assert found["host"]["calm"] is True
    assert set(kept(found)) == {"XLIO_RX_POLL", "XLIO_TCP_QUICKACK"}
    counted = {run.block for run in Store(Results(tmp_path).url).runs(found["session"])}
    assert found["minimised"]["blocks"] == len(counted) - found["quarantined"]
    again = tune(tmp_path, SimulatedHost(helps), MINIMISE, found["session"])
    assert again["minimised"] == found["minimised"]


def test_idle_is_what_the_workload_never_uses_and_what_changes_nothing() -> None:
    spelled_out = {"XLIO_RX_POLL": "-1", "XLIO_SELECT_POLL": "-1", "XLIO_RX_POLL_YIELD": "0", "XLIO_SPEC": "latency"}
    assert suspects.idle(MINIMISE, spelled_out) == ["XLIO_SELECT_POLL", "XLIO_RX_POLL_YIELD"]
    epoll = replace(MINIMISE, workloads=(Workload(multiplexer=Multiplexer.EPOLL),))
    assert suspects.idle(epoll, spelled_out) == ["XLIO_RX_POLL", "XLIO_RX_POLL_YIELD"]


def test_a_setting_that_another_needs_is_not_left_out_alone() -> None:
    plan = replace(MINIMISE, stack="xlio")
    pair = {"XLIO_TX_WRE": "64", "XLIO_TX_WRE_BATCHING": "16"}
    assert suspects.removable(plan, pair, ["XLIO_TX_WRE"])
    assert not suspects.removable(plan, pair, ["XLIO_TX_WRE_BATCHING"])
    assert suspects.removable(plan, pair, ["XLIO_TX_WRE", "XLIO_TX_WRE_BATCHING"])
