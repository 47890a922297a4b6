"""A session that is asked to end finishes its run, proves what it has in a short time, and never claims without proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import LATENCY, PLAN, Ticking, nothing_helps, polling_helps

from tuner import stacks
from tuner.hosts.host import Command
from tuner.hosts.pair import on_one
from tuner.hosts.simulated import Words
from tuner.records import Kind, Phase
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Silent
from tuner.session.phases.early import end_early, proof_s
from tuner.session.setup.plan import Plan
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

BUDGET_S = 60.0


class Interrupted(SimulatedHost):
    """A host on which somebody types Ctrl-C during the run with a number (from 1)."""

    clock: Clock
    plan: Plan
    at: int

    def client(self, command: Command) -> Words:
        words = super().client(command)
        if len(self.runs) == self.at:
            end_early(self.plan, self.clock)
        return words


def stopped(folder: Path, at: int, plan: Plan = PLAN, host: Interrupted | None = None) -> tuple[dict[str, Any], Store]:
    """Return what a session answers that is interrupted in a run, each of which takes one second."""
    host = host or Interrupted(polling_helps)
    host.wall_s, host.at, host.plan = 1.0, at, plan
    store = Store(Results(folder).url)
    session = begin(store, plan, {"doubts": []})
    host.clock = Clock(plan.budget_s, 0.0, 0.0, Ticking(host))
    rig = Rig(on_one(host), stacks.named(plan.stack), tuple(map(Path, plan.preloads)), plan.program)
    return carry_out(Tuning(store, Results(folder), rig, Silent()), plan, session, host.clock).to_dict(), store


@pytest.mark.parametrize("at", [9, 33])
def test_what_the_search_liked_is_proved_in_a_fifth_of_the_budget(tmp_path: Path, at: int) -> None:
    found, store = stopped(tmp_path, at)
    assert found["verdict"] == "improved"
    assert found["gain"]["low"] > 10
    assert found["runs"] <= at + 0.2 * BUDGET_S + 1
    assert store.session("latest").state == "done"
    assert Path(found["winner"]["path"]).is_file()
    assert any("so the search was shorter" in doubt["what"] for doubt in found["doubts"])


def test_the_block_under_way_ends_with_its_run(tmp_path: Path) -> None:
    _, store = stopped(tmp_path, 9)
    runs = store.runs(store.session("latest").id)
    assert runs[8].phase == "search"
    assert {run.phase for run in runs[9:]} == {Phase.CONFIRM}


def test_a_no_that_was_proved_early_is_a_no(tmp_path: Path) -> None:
    found, store = stopped(tmp_path, 12, host=Interrupted(nothing_helps))
    assert found["verdict"] == "not improved"
    assert store.session("latest").state == "done"


@pytest.mark.parametrize(("at", "budget_s"), [(1, 60.0), (9, 25.0)])
def test_without_a_leader_or_time_for_three_blocks_nothing_is_measured_or_claimed(
    tmp_path: Path, at: int, budget_s: float
) -> None:
    found, store = stopped(tmp_path, at, replace(PLAN, budget_s=budget_s, known=(LATENCY,)))
    assert found["verdict"] == "failed"
    assert found["why"].startswith("not confirmed: stopped after")
    assert found["runs"] == at
    assert found["winner"]["path"] is None
    assert store.session("latest").state == "stopped"


def test_a_session_that_proved_nothing_can_go_on(tmp_path: Path) -> None:
    _, store = stopped(tmp_path, 1)
    row = store.session("latest")
    host = SimulatedHost(polling_helps, wall_s=1.0)
    rig = Rig(on_one(host), stacks.named(PLAN.stack), tuple(map(Path, PLAN.preloads)), PLAN.program)
    clock = Clock(PLAN.budget_s, row.spent_s, 0.0, Ticking(host))
    found = carry_out(Tuning(store, Results(tmp_path), rig, Silent()), PLAN, row.id, clock).to_dict()
    assert found["verdict"] == "improved"
    assert found["runs"] > 40


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TUNE])
def test_what_searches_nothing_answers_with_what_it_has(tmp_path: Path, kind: Kind) -> None:
    plan = replace(PLAN, kind=kind, known=(LATENCY,), blocks=20)
    found, store = stopped(tmp_path, 9, plan)
    runs = store.runs(store.session("latest").id)
    assert len(runs) in {9, 10}
    assert store.session("latest").state == ("done" if kind in {"compare", "minimise"} else "stopped")
    assert found["session" if kind != "measure" else "profile"]


def test_a_bug_leaves_a_session_that_can_go_on(tmp_path: Path) -> None:
    def broken(_environment: object) -> float:
        raise KeyError("x")

    with pytest.raises(KeyError):
        stopped(tmp_path, 99, host=Interrupted(broken))
    assert Store(Results(tmp_path).url).session("latest").state == "stopped"


def test_a_hurried_clock_has_time_for_the_confirmation_only() -> None:
    clock = Clock(100.0, 0.0, 0.0, lambda: 30.0)
    clock.end_in(10.0)
    assert clock.fits(10.0, Phase.CONFIRM, 0.75)
    assert not clock.fits(10.1, Phase.CONFIRM, 0.75)
    for phase in set(Phase) - {Phase.CONFIRM}:
        assert not clock.fits(0.0, phase, 0.75)
        assert clock.left_s(phase) == 0.0
    assert clock.left_s(Phase.CONFIRM, 0.75) == 10.0
    assert clock.spent_s() == 30.0


def test_a_proof_takes_at_most_a_quarter_of_a_minute() -> None:
    assert proof_s(replace(PLAN, budget_s=3600.0)) == 15.0
    assert proof_s(replace(PLAN, budget_s=20.0)) == 4.0


def test_a_plan_that_its_own_data_changed_still_has_its_proof(tmp_path: Path) -> None:
    plan = replace(PLAN, budget_s=180.0, blocks=40)
    found, store = stopped(tmp_path, 90, plan)
    session = store.session("latest")
    assert Plan.from_dict(session.plan).clear_lead
    judged = {run.block for run in store.runs(session.id) if run.phase == "confirm"}
    assert (found["verdict"], len(judged) >= 3) == ("improved", True)
    assert not [run for run in store.runs(session.id) if run.phase == "minimise"]
