"""A calibration lengthens runs where that lets more be judged, and never a run whose length somebody chose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import fake
import pytest
from sessions import PLAN, Ticking, polling_helps, tune

from tuner import stacks
from tuner.hosts.host import Command
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.hosts.simulated import Words
from tuner.records import Kind, Role
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.runs.workload import Workload
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.journal import Journal
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.progress import Silent
from tuner.session.measuring.session import Session
from tuner.session.phases.calibrate import calibrate
from tuner.session.phases.run_length import with_run_length
from tuner.session.setup.plan import Plan, WhyLonger
from tuner.session.setup.prepare import plan
from tuner.session.setup.request import Request, Setup, Task
from tuner.session.tuning import begin
from tuner.store import Store

OPEN = replace(PLAN, adaptable=True, budget_s=300.0, blocks=60)


def lengthened(folder: Path, host: SimulatedHost, made: Plan = OPEN) -> Plan:
    """Return the plan as it is after its calibration on this host."""
    host.wall_s = 1.0
    store = Store(Results(folder).url)
    journal = Journal(store, Ledger(begin(store, made, {"doubts": []})))
    journal.enter(made.baseline.profile, made.baseline.settings, Role.BASELINE)
    rig = Rig(on_one(host), stacks.named(made.stack), tuple(map(Path, made.preloads)), made.program)
    evidence = Evidence(made, journal.ledger)
    session = Session(evidence, journal, rig, Clock(made.budget_s, 0.0, 0.0, Ticking(host)), Silent())
    calibrate(session)
    return with_run_length(evidence)


def slowly(environment: Mapping[str, str]) -> float:
    """343 observations a run: 3.4 beyond its p99."""
    return 800.0 * polling_helps(environment) / 36.0


def test_runs_are_lengthened_where_a_percentile_would_not_be_judged(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(slowly), OPEN)
    kept = Plan.from_dict(Store(Results(tmp_path).url).session(found["session"]).plan)
    assert kept.workloads[0].duration_s == 2
    assert [(each.why, each.metric) for each in kept.lengthened] == [(WhyLonger.PERCENTILE, "latency_p99_us")]
    assert found["workload"]["duration_s"] == 2
    durations = [run.evidence["client"]["argv"] for run in Store(Results(tmp_path).url).runs(found["session"])]
    assert list(dict.fromkeys(argv[argv.index("-t") + 1] for argv in durations)) == ["1", "2"]


def test_runs_stay_short_where_everything_can_be_judged(tmp_path: Path) -> None:
    kept = lengthened(tmp_path, SimulatedHost(polling_helps))
    assert kept == OPEN


@pytest.mark.parametrize("budget_s", [60.0, 3000.0])
def test_no_length_is_chosen_that_would_not_do_or_is_not_needed(tmp_path: Path, budget_s: float) -> None:
    made = replace(OPEN, budget_s=budget_s, blocks=6 if budget_s < 100 else 200)
    kept = lengthened(tmp_path, SimulatedHost(slowly), made)
    assert kept.workloads[0].duration_s == 1


class FewMessages(SimulatedHost):
    """A host whose latencies are spread so widely that runs differ by the number of their messages alone."""

    def client(self, command: Command) -> Words:
        words = super().client(command)
        wide = re.sub(
            r"(percentile 75.000 = )([\d.]+)", lambda found: f"{found[1]}{1.19 * float(found[2]):.3f}", words.stdout
        )
        return replace(words, stdout=wide)


def test_few_messages_that_make_all_the_noise_make_runs_longer(tmp_path: Path) -> None:
    kept = lengthened(tmp_path, FewMessages(polling_helps, noise=0.002))
    assert kept.workloads[0].duration_s > 1
    assert [each.why for each in kept.lengthened] == [WhyLonger.MESSAGES]


def test_noise_between_runs_asks_for_more_runs_and_not_for_longer_ones(tmp_path: Path) -> None:
    kept = lengthened(tmp_path, FewMessages(polling_helps, noise=0.05))
    assert kept.workloads[0].duration_s == 1


def test_a_duration_that_was_asked_for_stays(tmp_path: Path) -> None:
    host, program = on_one(LocalHost()), str(fake.install(tmp_path))
    asked = plan(
        Request(kind=Kind.TUNE, budget_s=90.0, task=Task(workload={"duration_s": 1}), setup=Setup(program)), host, ()
    )
    assert asked.adaptable is False
    assert plan(Request(kind=Kind.TUNE, budget_s=90.0, setup=Setup(program)), host, ()).adaptable is True


def test_a_session_that_goes_on_keeps_the_length_it_had(tmp_path: Path) -> None:
    host = SimulatedHost(slowly)
    host.latency = stopping(host, 40, slowly)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, host, OPEN)
    row = Store(Results(tmp_path).url).sessions()[0]
    kept = Plan.from_dict(row.plan)
    assert kept.workloads == (Workload(duration_s=2),)
    host.latency = slowly
    found = tune(tmp_path, host, kept, row.id)
    assert found["workload"]["duration_s"] == 2
