"""What earlier sessions found shapes a search, is never a measurement of it, and is the same after an interruption."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import PLAN, nothing_helps, polling_helps, tune

from tuner.judging.objective import objective
from tuner.records import State
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.runs.workload import Workload
from tuner.search.optimizer import Outcome
from tuner.session.phases.prior import MOST_SESSIONS, OTHER_DAY_SD, load_prior, with_prior_sessions
from tuner.session.setup.plan import Contender, Plan
from tuner.store import Store

WARM = replace(PLAN, seed=2, warm_start=())
FACTS: dict[str, Any] = {"doubts": []}


class Pupil:
    """An optimizer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Outcome] = []

    def tell(self, outcome: Outcome) -> None:
        self.told.append(outcome)

    def ask(self) -> dict[str, str]:
        return {}


def warm_plan(folder: Path, plan: Plan = WARM, facts: Mapping[str, Any] = FACTS) -> Plan:
    return with_prior_sessions(Store(Results(folder).url), plan, facts)


def test_a_warm_start_tells_each_trial_of_an_earlier_session_once_and_doubts_it(tmp_path: Path) -> None:
    first = tune(tmp_path, SimulatedHost(polling_helps))
    prior = load_prior(Store(Results(tmp_path).url), warm_plan(tmp_path))
    pupil = Pupil()
    prior.teach(pupil)
    trials = Store(Results(tmp_path).url).trials(first["session"])[1:]
    assert prior.sessions == 1
    assert [o.settings for o in pupil.told] == [trial.settings for trial in trials]
    assert all(o.prior and o.variance is not None and o.variance > OTHER_DAY_SD**2 for o in pupil.told)
    best = max(pupil.told, key=lambda o: o.gain or 0.0)
    assert best.settings["XLIO_RX_POLL"] == "-1"


def test_a_failure_of_an_earlier_session_is_told_as_a_failure(tmp_path: Path) -> None:
    def some_hang(environment: Mapping[str, str]) -> float:
        return float("inf") if "XLIO_TCP_SEND_BUFFER_SIZE" in environment else polling_helps(environment)

    tune(tmp_path, SimulatedHost(some_hang))
    outcomes = load_prior(Store(Results(tmp_path).url), warm_plan(tmp_path)).outcomes
    assert [o.gain for o in outcomes if "XLIO_TCP_SEND_BUFFER_SIZE" in o.settings] == [None]


def test_nothing_of_an_earlier_session_counts_as_a_measurement(tmp_path: Path) -> None:
    tune(tmp_path, SimulatedHost(polling_helps))
    plan = warm_plan(tmp_path)
    host = SimulatedHost(nothing_helps)
    found = tune(tmp_path, host, plan)
    assert found["warm_start"] == {
        "sessions": 1,
        "outcomes": len(load_prior(Store(Results(tmp_path).url), plan).outcomes),
    }
    assert found["verdict"] == "not improved"
    assert found["runs"] == len(host.runs) == len(Store(Results(tmp_path).url).runs(found["session"]))


@pytest.mark.parametrize(
    "other",
    [
        replace(WARM, objective=objective("tail")),
        replace(WARM, workloads=(Workload(message_bytes=128),)),
        replace(WARM, baseline=Contender("polling", {"XLIO_RX_POLL": "100"})),
        replace(WARM, stack="xlio"),
    ],
    ids=["objective", "workload", "baseline", "stack"],
)
def test_a_session_of_something_else_is_no_prior(tmp_path: Path, other: Plan) -> None:
    tune(tmp_path, SimulatedHost(polling_helps))
    assert warm_plan(tmp_path, other).warm_start == ()


def test_a_session_on_another_cpu_is_no_prior(tmp_path: Path) -> None:
    tune(tmp_path, SimulatedHost(polling_helps))
    assert warm_plan(tmp_path, facts={"cpu_model": "another"}).warm_start == ()


def test_only_the_latest_finished_sessions_are_used(tmp_path: Path) -> None:
    store = Store(Results(tmp_path).url)
    names = [f"session-{number}" for number in range(MOST_SESSIONS + 2)]
    for name in names:
        store.add_session(name, PLAN.to_dict(), FACTS)
        store.close_session(name, State.STOPPED if name == names[-1] else State.DONE, 1.0, None)
    assert warm_plan(tmp_path).warm_start == tuple(names[1:-1])


def test_an_earlier_session_that_cannot_be_read_is_said_and_left_out(tmp_path: Path) -> None:
    store = Store(Results(tmp_path).url)
    for name in ("whole", "damaged"):
        store.add_session(name, PLAN.to_dict(), FACTS)
        store.close_session(name, State.DONE, 1.0, None)
    with sqlite3.connect(tmp_path / "tuner.db") as database:
        database.execute("update sessions set spent_s='long' where id='damaged'")
    said: list[str] = []
    assert with_prior_sessions(store, WARM, FACTS, said.append).warm_start == ("whole",)
    assert len(said) == 1
    assert "damaged" in said[0]
    assert "tuner store check" in said[0]


def test_without_being_asked_nothing_is_recalled(tmp_path: Path) -> None:
    tune(tmp_path, SimulatedHost(polling_helps))
    assert warm_plan(tmp_path, PLAN) == PLAN
    assert tune(tmp_path, SimulatedHost(polling_helps))["warm_start"] is None


def test_a_warm_session_goes_on_from_the_same_prior_after_an_interruption(tmp_path: Path) -> None:
    tune(tmp_path, SimulatedHost(polling_helps))
    host = SimulatedHost(polling_helps)
    host.latency = stopping(host, 20, polling_helps)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, host, warm_plan(tmp_path))
    stopped = Store(Results(tmp_path).url).session("latest")
    tune(tmp_path, SimulatedHost(polling_helps))  # a session in between changes nothing
    plan = Plan.from_dict(stopped.plan)
    assert len(plan.warm_start or ()) == 1
    found = tune(tmp_path, SimulatedHost(polling_helps), plan, stopped.id)
    assert found["warm_start"]["sessions"] == 1
