"""A block is data in and runs out: nothing else is needed to measure one, so that it can be measured anywhere."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from tuner import stacks
from tuner.hosts.pair import on_one
from tuner.judging import slo
from tuner.records import Run, Status
from tuner.runs import rate_search
from tuner.runs.block import KEY, RateSearch, Step, Turn, Watch, measure, shuffled
from tuner.runs.rate_search import Start
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Mode, Workload

STEP: Final = Step(0, {}, Workload())
SEARCH: Final = RateSearch(3, Start(), 0.01, partial(slo.holds, slo.parse("max rate where p99 < 100us")))
LOADED: Final = replace(STEP, workload=Workload(mode=Mode.UNDER_LOAD, reply_every=1), search=SEARCH)


def rig(host: SimulatedHost) -> Rig:
    return Rig(on_one(host), stacks.named("kernel"), (Path("/usr/lib/libtuner_kernel.so"),), "/usr/bin/sockperf")


def hangs_when_asked(environment: Mapping[str, str]) -> float:
    return math.inf if "XLIO_RX_POLL" in environment else 36.0


def always(step: Step) -> Turn:
    return lambda: step


def watched(started: list[int] | None = None, goes_on: bool = True) -> Watch:
    return Watch(lambda step: None if started is None else started.append(step.trial), lambda: goes_on)


def test_each_turn_is_a_run_of_its_trial_and_is_told_before_it_starts() -> None:
    started: list[int] = []
    turns = [always(replace(STEP, trial=trial, index=trial % 2)) for trial in (2, 0, 1)]
    runs = list(measure(rig(SimulatedHost(hangs_when_asked)), turns, watched(started)))
    assert [(run.trial, run.workload, run.status) for run in runs] == [
        (2, 0, Status.OK),
        (0, 0, Status.OK),
        (1, 1, Status.OK),
    ]
    assert started == [2, 0, 1]


def test_a_turn_is_asked_only_when_the_runs_before_it_were_taken() -> None:
    taken: list[Run] = []

    def turns() -> Iterator[Turn]:
        for at in range(3):
            yield lambda at=at: replace(STEP, trial=at) if len(taken) == at else None  # type: ignore[misc]

    for run in measure(rig(SimulatedHost(hangs_when_asked)), turns(), watched()):
        taken += [run]
    assert [run.trial for run in taken] == [0, 1, 2]


def test_a_trial_that_failed_is_not_measured_again_and_nobody_is_skipped_for_it() -> None:
    hanging = replace(STEP, trial=1, settings={"XLIO_RX_POLL": "1"})
    turns = [always(hanging), always(STEP), lambda: None, always(hanging), always(STEP)]
    runs = list(measure(rig(SimulatedHost(hangs_when_asked)), turns, watched()))
    assert [(run.trial, run.status) for run in runs] == [(1, Status.TIMEOUT), (0, Status.OK), (0, Status.OK)]


def test_a_run_that_lacks_what_is_needed_failed() -> None:
    step = replace(STEP, needed=("latency_p50_us", "bandwidth_mbytes_per_s"))
    (run,) = measure(rig(SimulatedHost(hangs_when_asked)), [always(step)], watched())
    assert (run.status, run.measurement) == (Status.FAILED, None)
    assert run.reason == "sockperf did not report bandwidth_mbytes_per_s"


def test_a_search_over_the_load_is_its_runs_which_say_so_and_lead_to_its_answer() -> None:
    host = SimulatedHost(lambda _: 10.0, noise=0.0, capacity_mps=lambda _: 50_000.0)
    runs = list(measure(rig(host), [always(LOADED)], watched()))
    assert {run.evidence[KEY]["series"] for run in runs} == {3}
    probes = [
        rate_search.Probe(said["offered_mps"], said["long"], SEARCH.holds(run.metrics(), said["offered_mps"]))
        for run in runs
        if (said := run.evidence[KEY])
    ]
    assert rate_search.following(probes, SEARCH.start) is None
    assert 30_000 < runs[rate_search.answer(probes)].evidence[KEY]["offered_mps"] < 50_000


def test_a_search_ends_with_a_failure_or_when_it_may_not_go_on() -> None:
    host = SimulatedHost(lambda _: 10.0, capacity_mps=lambda _: 50_000.0)
    assert len(list(measure(rig(host), [always(LOADED)], watched(goes_on=False)))) == 1
    (run,) = measure(rig(SimulatedHost(lambda _: math.inf)), [always(LOADED)], watched())
    assert run.status is Status.TIMEOUT


@given(st.text(), st.integers(1, 4), st.lists(st.integers(), unique=True, max_size=6))
def test_the_order_follows_from_its_seed_and_holds_every_turn_under_every_workload_together(
    seed: str, workloads: int, turns: list[int]
) -> None:
    order = shuffled(seed, workloads, turns)
    assert order == shuffled(seed, workloads, turns)
    assert sorted(order) == [(index, turn) for index in range(workloads) for turn in sorted(turns)]
    changes = sum(one[0] != next_one[0] for one, next_one in pairwise(order))
    assert changes == (workloads - 1 if turns else 0)


def test_what_is_asked_and_what_comes_back_can_be_sent_to_another_process() -> None:
    sent = pickle.loads(pickle.dumps(LOADED))  # noqa: S301 - written one line above
    host = SimulatedHost(lambda _: 10.0, noise=0.0, capacity_mps=lambda _: 50_000.0)
    runs = list(measure(rig(host), [always(sent)], watched()))
    assert pickle.loads(pickle.dumps(runs)) == runs  # noqa: S301 - the same
