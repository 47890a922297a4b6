"""What the optimizer is told while its proposals are measured, and when it is asked for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from sessions import PLAN, Ticking

from tuner import stacks
from tuner.hosts.pair import on_one
from tuner.judging.objective import objective
from tuner.records import Phase, Role
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Workload
from tuner.search.optimizer import Outcome
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.journal import Journal
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.progress import Silent
from tuner.session.measuring.session import Session
from tuner.session.phases.search import search
from tuner.session.setup.plan import Plan
from tuner.session.tuning import begin
from tuner.store import Store

POLL = "XLIO_RX_POLL"


@dataclass
class Counting:
    """An optimizer that proposes one number after the other and notes what happens to it."""

    proposals: int = 10_000
    asked: list[str] = field(default_factory=list)
    told: list[tuple[str, float | None, int | None]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def tell(self, outcome: Outcome) -> None:
        polls = outcome.settings.get(POLL, "default")
        self.told.append((polls, outcome.gain, outcome.block))
        self.seen.append(f"told {polls} {'failed' if outcome.gain is None else 'ran'}")

    def ask(self) -> dict[str, str]:
        polls = str(1 + len(self.asked) % self.proposals)
        self.asked.append(polls)
        self.seen.append(f"asked {polls}")
        return {POLL: polls}


def odd_ones_hang(environment: Mapping[str, str]) -> float:
    return math.inf if int(environment.get(POLL, "0")) % 2 else 36.0


def searched(folder: Path, optimizer: Counting, plan: Plan = PLAN, session: str | None = None) -> Ledger:
    host = SimulatedHost(odd_ones_hang)
    host.wall_s = 1.0
    store = Store(Results(folder).url)
    session = session or begin(store, plan, {"doubts": []})
    journal = Journal(store, Ledger.read(store, session))
    ledger = journal.ledger
    journal.enter("default", {}, Role.BASELINE)
    rig = Rig(on_one(host), stacks.named(plan.stack), tuple(map(Path, plan.preloads)), plan.program)
    clock = Clock(plan.budget_s, ledger.runs_s, Ticking(host)(), Ticking(host))
    search(Session(Evidence(plan, ledger), journal, rig, clock, Silent()), optimizer)
    return ledger


def test_a_failure_is_told_before_the_optimizer_is_asked_again(tmp_path: Path) -> None:
    optimizer = Counting()
    searched(tmp_path, optimizer)
    odd = [polls for polls in optimizer.asked[:-1] if int(polls) % 2]
    assert len(odd) > 3
    for polls in odd:
        assert optimizer.seen[optimizer.seen.index(f"asked {polls}") + 1] == f"told {polls} failed"


def test_a_gain_waits_for_its_block(tmp_path: Path) -> None:
    optimizer = Counting()
    searched(tmp_path, optimizer)
    runs = [each for each in optimizer.seen if "failed" not in each and each != "told default ran"]
    stretches = [list(each) for told, each in groupby(runs, lambda each: each.startswith("told")) if told]
    assert max(map(len, stretches)) > 1


def test_each_outcome_is_told_once(tmp_path: Path) -> None:
    optimizer = Counting()
    searched(tmp_path, optimizer)
    outcomes = [(polls, block) for polls, _, block in optimizer.told]
    assert len(outcomes) == len(set(outcomes)) > 10


def test_nothing_is_asked_that_the_budget_does_not_measure(tmp_path: Path) -> None:
    optimizer = Counting()
    ledger = searched(tmp_path, optimizer, replace(PLAN, known=()))
    assert len(optimizer.asked) == len(ledger.trials) - 1
    assert all(ledger.tried(trial.number) for trial in ledger.trials)


def test_an_optimizer_that_repeats_itself_has_each_proposal_measured_once_a_block(tmp_path: Path) -> None:
    ledger = searched(tmp_path, Counting(proposals=2))
    runs = [(run.block, run.trial) for run in ledger.runs]
    assert len(runs) == len(set(runs)) > 10


def test_two_workloads_of_a_block_have_the_same_proposals(tmp_path: Path) -> None:
    plan = replace(PLAN, workloads=(Workload(), Workload(message_bytes=512)), objective=objective("latency"))
    ledger = searched(tmp_path, Counting(), plan)
    for block in ledger.blocks(Phase.SEARCH):
        ran = {index: {run.trial for run in ledger.runs_in(block) if run.workload == index} for index in (0, 1)}
        failed = {run.trial for run in ledger.runs_in(block) if run.status != "ok"}
        assert ran[0] | failed == ran[1] | failed


def test_a_session_that_goes_on_tells_what_it_had_told_in_the_same_order(tmp_path: Path) -> None:
    first, again = Counting(), Counting()
    ledger = searched(tmp_path, first)
    searched(tmp_path, again, session=ledger.session)
    assert again.told[: len(first.told)] == first.told
