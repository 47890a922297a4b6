"""Many pairs of hosts: every block counts once, wherever it was measured, and a pair that is lost costs no block."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sessions

from tuner import stacks
from tuner.errors import BaselineFailed, HostLost, HostRefused, UsageError
from tuner.hosts import pairs_file
from tuner.hosts.host import Command
from tuner.hosts.pair import on_one
from tuner.hosts.simulated import Words
from tuner.records import Kind, Phase, Run, Status
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring import pairs as measuring
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.losses import Losses
from tuner.session.measuring.pairs import Pairs, Seat, Threads, pair_of
from tuner.session.measuring.progress import Silent
from tuner.session.setup.plan import Contender, PairPlan, Plan
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

PLAN = replace(sessions.PLAN, optimizer="random", budget_s=40.0)


@dataclass
class Breaking(SimulatedHost):
    """A host that is lost in the runs with these numbers, from 1, and stays lost where it `stays`."""

    lost_in: frozenset[int] = frozenset()
    stays: bool = False
    is_lost: bool = False
    reconnected: int = 0

    def client(self, command: Command) -> Words:
        if self.is_lost or len(self.runs) in self.lost_in:
            self.is_lost = True
            raise HostLost("far: the connection ended")
        return super().client(command)

    def reconnect(self) -> None:
        self.reconnected += 1
        if self.stays and self.is_lost:
            raise HostLost("far: cannot be reached")
        self.is_lost = False


class Heard(Silent):
    """Somebody who notes what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Fleet:
    """Simulated pairs by their names, and what a session on them left."""

    hosts: Mapping[str, SimulatedHost]
    folder: Path
    plan: Plan
    heard: Heard = field(default_factory=Heard)
    session: str = ""

    def now(self) -> float:
        return sum(len(host.runs) for host in self.hosts.values()) / len(self.hosts)

    def carried_out(self) -> dict[str, Any]:
        """Return the answer of a session on all pairs, begun or gone on with; a second is as many runs as there are pairs."""
        for host in self.hosts.values():
            host.wall_s = 1.0
        own = PairPlan.of("", self.plan)
        plan = replace(self.plan, pairs=tuple(replace(own, name=name) for name in self.hosts))
        store = Store(Results(self.folder).url)
        paths = tuple(map(Path, plan.preloads))
        rigs = {
            name: Rig(on_one(host), stacks.named(plan.stack), paths, plan.program) for name, host in self.hosts.items()
        }
        self.session = self.session or begin(store, plan, {"doubts": []})
        clock = Clock(plan.budget_s, store.session(self.session).spent_s, self.now(), self.now)
        carrier = Threads(rigs)
        try:
            pairs = Pairs(carrier, {name: tuple(map(Seat.of, plan.workloads)) for name in rigs})
            made = Tuning(store, Results(self.folder), next(iter(rigs.values())), self.heard, pairs)
            return carry_out(made, plan, self.session, clock).to_dict()
        finally:
            carrier.close()

    @property
    def runs(self) -> tuple[Run, ...]:
        return Store.existing(Results(self.folder)).runs(self.session)


def hosts(
    count: int, latency: Callable[[Mapping[str, str]], float] = sessions.polling_helps
) -> dict[str, SimulatedHost]:
    return {f"p{at}": SimulatedHost(latency, rng=random.Random(at)) for at in range(count)}


def blocks_of(runs: tuple[Run, ...]) -> dict[int, list[Run]]:
    found: dict[int, list[Run]] = {}
    for run in runs:
        found.setdefault(run.block, []).append(run)
    return found


def whole(runs: list[Run]) -> bool:
    """Return whether a block has the baseline, and everything in it once (the calibration's has it twice)."""
    counts = Counter(run.trial for run in runs)
    most = 2 if runs[0].phase is Phase.CALIBRATE else 1
    return counts[0] == most and max(counts.values()) == most


def test_a_tuning_on_many_pairs_ends_with_a_verdict_and_every_block_stays_inside_one_pair(tmp_path: Path) -> None:
    fleet = Fleet(hosts(4), tmp_path, PLAN)
    answer = fleet.carried_out()
    assert answer["verdict"] == "improved"
    blocks = blocks_of(fleet.runs)
    assert all(len({pair_of(run) for run in each}) == 1 for each in blocks.values())
    assert all(map(whole, blocks.values()))
    used = Counter(pair_of(each[0]) for each in blocks.values())
    assert set(used) == set(fleet.hosts)
    assert min(used.values()) > 1


def test_pairs_are_asked_for_different_candidates(tmp_path: Path) -> None:
    fleet = Fleet(hosts(4), tmp_path, PLAN)
    fleet.carried_out()
    store = Store.existing(Results(tmp_path))
    settings = [tuple(sorted(each.settings.items())) for each in store.trials(fleet.session)]
    assert len(settings) == len(set(settings))
    proposed = {trial.number for trial in store.trials(fleet.session) if trial.role == "candidate"}
    first = [each for each in blocks_of(fleet.runs).values() if each[0].phase is Phase.SEARCH][4:8]
    assert len({run.trial for each in first for run in each} & proposed) > 10


def test_a_block_of_a_pair_that_is_lost_is_measured_again_and_counts_once(tmp_path: Path) -> None:
    broken = Breaking(sessions.polling_helps, lost_in=frozenset({9, 20}))
    fleet = Fleet({**hosts(3), "far": broken}, tmp_path, PLAN)
    assert fleet.carried_out()["verdict"] == "improved"
    blocks = blocks_of(fleet.runs)
    assert all(map(whole, blocks.values()))
    assert sorted(blocks) == list(range(len(blocks)))  # none is missing
    assert broken.reconnected >= 2
    said = [line for line in fleet.heard.notes if "lost" in line]
    assert said[0].startswith("pair far was lost: far: the connection ended; its block is measured again")


def test_a_session_goes_on_without_a_pair_that_stays_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "PATIENCE_S", 0.0)
    fleet = Fleet(
        {**hosts(2), "far": Breaking(sessions.polling_helps, lost_in=frozenset({3}), stays=True)}, tmp_path, PLAN
    )
    assert fleet.carried_out()["verdict"] == "improved"
    assert any(
        line.startswith("pair far is left out from here on: far: cannot be reached; 2 of 3 go on")
        for line in fleet.heard.notes
    )
    assert {pair_of(run) for run in fleet.runs} == {"p0", "p1"}


def test_a_host_with_another_key_is_not_waited_for() -> None:
    class Changed(Breaking):
        def reconnect(self) -> None:
            raise HostRefused("far: its host key is another one than before")

    pair = on_one(Changed(sessions.polling_helps))
    began_s = time.monotonic()
    with pytest.raises(HostLost, match="another one than before"):
        Losses().survived(HostLost("far: the connection ended"), pair, Clock.start(60.0), Silent())
    assert time.monotonic() - began_s < 1.0


def test_a_session_stops_and_can_be_gone_on_with_when_all_pairs_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "PATIENCE_S", 0.0)
    broken = {f"p{at}": Breaking(sessions.polling_helps, lost_in=frozenset({20}), stays=True) for at in range(2)}
    fleet = Fleet(broken, tmp_path, PLAN)
    with pytest.raises(HostLost, match="cannot be reached"):
        fleet.carried_out()
    before = fleet.runs
    assert before
    for host in broken.values():
        host.lost_in, host.is_lost, host.stays = frozenset(), False, False
    assert fleet.carried_out()["verdict"] == "improved"
    assert fleet.runs[: len(before)] == before
    assert all(map(whole, blocks_of(fleet.runs).values()))


def test_a_pair_on_which_the_baseline_does_not_run_is_left_out(tmp_path: Path) -> None:
    hangs = SimulatedHost(lambda _: float("inf"))
    fleet = Fleet({**hosts(2), "bad": hangs}, tmp_path, PLAN)
    assert fleet.carried_out()["verdict"] == "improved"
    assert any(
        "pair bad is left out from here on: the baseline (default) does not run" in line for line in fleet.heard.notes
    )
    with pytest.raises(BaselineFailed):
        Fleet({"bad": SimulatedHost(lambda _: float("inf"))}, tmp_path / "b", PLAN).carried_out()


def test_a_comparison_on_many_pairs_measures_its_blocks_on_all(tmp_path: Path) -> None:
    plan = replace(PLAN, kind=Kind.COMPARE, known=(Contender("fast", {"XLIO_RX_POLL": "-1"}),), blocks=12)
    fleet = Fleet(hosts(3), tmp_path, plan)
    assert fleet.carried_out()["verdict"] == "improved"
    assert len(blocks_of(fleet.runs)) == 12
    assert {pair_of(run) for run in fleet.runs} == set(fleet.hosts)


def test_a_block_is_closed_once_and_only_under_a_lease_that_holds(tmp_path: Path) -> None:
    store = Store(Results(tmp_path).url)
    session = begin(store, PLAN, {})
    run = Run(Status.FAILED, "no", "2026-01-01T00:00:00", 1.0, None)
    from tuner.records import Role, Trial

    store.add_trial(session, Trial(0, "default", Role.BASELINE, {}))
    first = store.lease(session, "a", 0)
    store.end_lease(session, first)
    second = store.lease(session, "b", 0)
    again = store.lease(session, "a", 1)
    assert again.fence > first.fence
    assert not store.add_block(session, first, [run], 1.0)
    assert store.runs(session) == ()
    assert store.add_block(session, second, [run], 1.0)
    assert store.add_block(session, second, [run], 1.0)  # whose answer was lost: it was carried out
    assert len(store.runs(session)) == 1


def test_threads_cancel_a_block_after_its_run_in_flight() -> None:
    began, goes_on = threading.Event(), threading.Event()

    def latency(_environment: Mapping[str, str]) -> float:
        began.set()
        assert goes_on.wait(10)
        return 36.0

    from tuner.records import Lease
    from tuner.runs.block import Step

    plan = PLAN
    rig = Rig(on_one(SimulatedHost(latency)), stacks.named(plan.stack), tuple(map(Path, plan.preloads)), plan.program)
    carrier = Threads({"a": rig})
    steps = tuple(Step(0, {}, plan.workloads[0]) for _ in range(3))
    carrier.submit(measuring.Job(Lease("a", 1, 0), steps, 60.0))
    assert began.wait(10)
    carrier.cancel()
    goes_on.set()
    event = carrier.wait(10)
    carrier.close()
    assert isinstance(event, measuring.Done)
    assert len(event.runs) == 1


GOOD = """
[pairs.rack1]
server = "ssh://me@box1"
client = "ssh://me@box2:2222"
address = "10.0.0.1"
[pairs.here]
server = "local"
client = "ssh://box3"
"""


def test_a_file_of_pairs_names_hosts_and_addresses() -> None:
    first, second = pairs_file.of_text(GOOD, "pairs.toml")
    assert (first.name, str(first.server), str(first.client), first.address) == (
        *("rack1", "ssh://me@box1", "ssh://me@box2:2222", "10.0.0.1"),
    )
    assert (second.server, str(second.client), second.address) == (None, "ssh://box3", None)


def test_all_that_is_wrong_with_a_file_of_pairs_is_told_at_once_with_its_place() -> None:
    text = """
[pairs.a]
server = "box1"
clinet = "ssh://box2"
[pairs.b]
server = "ssh://box3"
client = "ssh://BOX3"
address = "10.0.0"
[pairs.c]
server = "ssh://x@box3"
client = "ssh://box4"
[pairs.d]
server = "ssh://y@box4"
client = "local"
[pears]
"""
    with pytest.raises(UsageError) as caught:
        pairs_file.of_text(text, "p.toml")
    said = "\n".join(map(str, caught.value.findings))
    for words in (
        "p.toml: pears: unknown key (did you mean pairs?)",
        "p.toml: pairs.a.clinet: unknown key (did you mean client?)",
        "p.toml: pairs.a.server: 'box1' does not name a host (did you mean ssh://box1?",
        "p.toml: pairs.a.client: is missing",
        "p.toml: pairs.b.address: '10.0.0' is no address",
        "p.toml: pairs.d: shares box4 with pair c",
    ):
        assert words in said


@pytest.mark.parametrize(
    "text", ["", "pairs = 3", "[pairs]", "[pairs.'a b']\nserver='local'\nclient='local'", "[pairs]\na=1", "["]
)
def test_what_names_no_pair_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        pairs_file.of_text(text, "p.toml")
