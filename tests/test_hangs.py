"""A hang is cheap: it costs little more than a run, is not repeated unless the host was disturbed, and is told in words."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import PLAN, polling_helps, tune, tune_by_what_runs_take, xlio_host, xlio_plan

from tuner import stacks
from tuner.catalogue.room import Room
from tuner.hosts.host import Command
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import Job, on_one
from tuner.records import Phase, Role, Run, Status, Trial
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.runs.time_limits import ENOUGH_RUNS, GENEROUS, LEAST_ROOM_S, Took, learned
from tuner.runs.workload import Workload
from tuner.session.measuring import overdue
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.ledger import Ledger
from tuner.session.setup.plan import Contender
from tuner.store import Store

SECONDS = st.floats(0.0, 30.0)
TOOKS = st.lists(st.builds(Took, SECONDS, st.floats(-1.0, 30.0)), min_size=ENOUGH_RUNS, max_size=40)
WORKLOAD = Workload()
NAMES = ("XLIO_RX_POLL", "XLIO_STRQ", "XLIO_TCP_QUICKACK", "XLIO_RX_WRE", "XLIO_TX_WRE", "XLIO_TSO", "XLIO_LRO")


def runs(folder: Path, session: str) -> tuple[Run, ...]:
    return Store(Results(folder).url).runs(session)


@given(TOOKS, st.booleans())
def test_a_run_is_never_waited_for_longer_than_while_nothing_was_known(tooks: list[Took], has_run: bool) -> None:
    limits = learned(tooks, patient=has_run)
    assert limits.client_limit_s(WORKLOAD) <= GENEROUS.client_limit_s(WORKLOAD) == WORKLOAD.time_limit_s
    assert limits.ready_limit_s(WORKLOAD) <= GENEROUS.ready_limit_s(WORKLOAD) == WORKLOAD.ready_limit_s


@given(TOOKS)
def test_a_run_has_at_least_the_least_room_beyond_what_most_take(tooks: list[Took]) -> None:
    limits = learned(tooks)
    half = sorted(each.beyond_s for each in tooks)[(len(tooks) - 1) // 2]
    least_s = min(WORKLOAD.time_limit_s, WORKLOAD.duration_s + half + LEAST_ROOM_S)
    assert limits.client_limit_s(WORKLOAD) >= least_s - 1e-9


@given(TOOKS, st.floats(0.0, 5.0))
def test_a_profile_that_has_run_or_that_allocates_more_is_waited_for_longer(tooks: list[Took], more_s: float) -> None:
    new = learned(tooks)
    for patient in (learned(tooks, patient=True), new.with_more(more_s)):
        assert patient.client_limit_s(WORKLOAD) >= new.client_limit_s(WORKLOAD)
        assert patient.ready_limit_s(WORKLOAD) >= new.ready_limit_s(WORKLOAD)


def test_where_starts_vary_a_run_has_more_room() -> None:
    steady, varied = [0.2] * 10, [0.2] * 8 + [1.0, 1.4]
    limits = [learned([Took(0.1, each) for each in row]).client_limit_s(WORKLOAD) for row in (steady, varied)]
    assert limits[0] == pytest.approx(1.95)
    assert limits[1] > 4.0


def test_no_run_says_nothing_of_what_runs_take() -> None:
    assert learned([]) is GENEROUS


def test_few_runs_give_new_ones_the_room_of_those_that_must_not_be_taken_for_hangs() -> None:
    few, many = learned([Took(0.1, 0.2)] * (ENOUGH_RUNS - 1)), learned([Took(0.1, 0.2)] * ENOUGH_RUNS, patient=True)
    assert few.client_limit_s(WORKLOAD) == many.client_limit_s(WORKLOAD) == pytest.approx(1.2 + 3 * LEAST_ROOM_S)


def test_a_long_test_is_not_waited_for_in_proportion() -> None:
    limits = learned([Took(0.1, 0.25)] * 10)
    assert limits.client_limit_s(Workload(duration_s=10)) == pytest.approx(11.0)


def test_what_runs_took_is_read_back_as_it_was_stored() -> None:
    took = Took(0.1234, -0.8)
    assert Took.read(took.to_dict()) == took


@given(st.none() | st.text() | st.dictionaries(st.sampled_from(["ready_s", "beyond_s"]), st.none() | st.text()))
def test_what_somebody_else_stored_in_its_place_says_nothing(stored: object) -> None:
    assert Took.read(stored) is None


def test_one_gigabyte_more_than_the_baseline_gives_a_profile_a_second_more_where_the_stack_takes_memory() -> None:
    plan = xlio_plan("3.61.2", "latency", room=Room(available_bytes=1 << 40))
    large = Trial(1, "large", Role.CANDIDATE, {"XLIO_MEMORY_LIMIT": str(3 * 10**9)})
    took = {"took": Took(0.1, 0.2).to_dict()}
    ledger = Ledger("s", [Trial(0, "small", Role.BASELINE, {"XLIO_MEMORY_LIMIT": str(10**9)}), large])
    for number in range(10):
        ledger.add_run(Run(Status.OK, "", "", 1.2, None, took, number=number))
    limits = [
        overdue.time_limits(Evidence(each, ledger), large, 0).client_limit_s(WORKLOAD)
        for each in (replace(plan, room=None), plan)
    ]
    assert limits == pytest.approx([1.95, 3.95])


def test_the_first_runs_of_a_session_have_the_generous_limit_and_later_ones_what_runs_take(tmp_path: Path) -> None:
    host = SimulatedHost(some_hang)
    host.wall_s = 0.25
    found = tune_by_what_runs_take(tmp_path, host, replace(PLAN, budget_s=30.0))
    late = [run for run in runs(tmp_path, found["session"]) if run.status is Status.TIMEOUT]
    assert late
    assert {run.reason.partition(" here")[0] for run in late} <= {
        "given up after 2.5 s: runs take 0.2 s",
        "given up after 1.0 s: runs take 0.2 s",
    }
    assert {1.0} <= {run.wall_s for run in late} <= {1.0, 2.5}


def some_hang(environment: Mapping[str, str]) -> float:
    return math.inf if "XLIO_TCP_QUICKACK" in environment else polling_helps(environment)


def test_a_run_that_nothing_is_known_of_is_waited_for_until_it_hangs_for_sure() -> None:
    rig = Rig(on_one(SimulatedHost(lambda _: math.inf)), stacks.named("kernel"), (Path("/l.so"),), "sockperf")
    run = rig.execute({}, WORKLOAD)
    assert (run.status, run.wall_s) == (Status.TIMEOUT, WORKLOAD.time_limit_s)
    assert run.reason == "the client did not end within 6.5 s"


def test_a_server_that_is_late_says_what_servers_take_here() -> None:
    limits = learned([Took(0.1, 0.2)] * 10)
    late = "the server was not ready within 0.85 s: it printed nothing"
    assert limits.given_up(late, WORKLOAD, ready=False) == f"{late}; servers take 0.1 s here (n = 10)"


def test_two_presets_and_one_candidate_in_ten_that_hang_leave_a_minute_its_runs_and_its_winner(tmp_path: Path) -> None:
    plan = xlio_plan("3.61.2", "latency", blocks=200)
    hanging = {"latency", "multi_ring_latency"}
    presets = [dict(known.settings) for known in plan.known]
    stuck = [dict(known.settings) for known in plan.known if known.profile in hanging]

    def truth_us(settings: Mapping[str, str]) -> float:
        polls = 0.7 if settings.get("XLIO_RX_POLL") == "-1" else 1.0
        return 36.0 * polls * (0.8 if settings.get("XLIO_STRQ") == "off" else 1.0)

    def latency_us(environment: Mapping[str, str]) -> float:
        mine = {name: value for name, value in environment.items() if name in NAMES}
        preset = any(each.items() <= environment.items() for each in presets if each)
        unlucky = not preset and zlib.crc32(repr(sorted(mine.items())).encode()) % 10 == 0 and bool(mine)
        if unlucky or any(each.items() <= environment.items() for each in stuck):
            return math.inf
        return truth_us(environment)

    host = xlio_host("3.61.2", latency_us)
    host.wall_s = 0.25
    found = tune_by_what_runs_take(tmp_path, host, replace(plan, start="latency", fixed={"XLIO_RX_POLL": "-1"}))
    mine = runs(tmp_path, found["session"])
    hung = [run for run in mine if run.status is Status.TIMEOUT]
    assert len(mine) >= 150
    assert len(hung) >= 5
    assert max(Counter(run.trial for run in hung).values()) == 1
    assert found["verdict"] == "improved"
    able = [settings for known, settings in zip(plan.known, presets, strict=True) if known.profile not in hanging]
    assert truth_us(found["winner"]["settings"]) < min(map(truth_us, able))


def test_a_hang_while_the_host_was_calm_is_not_repeated_with_its_block(tmp_path: Path) -> None:
    found, mine = disturbed_once(tmp_path, hangs_when_disturbed=False)
    assert [run.status for run in mine] == [Status.TIMEOUT]
    assert found["trials"]["timeout"] == 1


def test_a_hang_while_the_host_was_disturbed_is_repeated_and_forgotten_where_it_then_runs(tmp_path: Path) -> None:
    found, mine = disturbed_once(tmp_path, hangs_when_disturbed=True)
    assert [run.status for run in mine][:2] == [Status.TIMEOUT, Status.OK]
    assert found["trials"]["timeout"] == 0


def disturbed_once(folder: Path, *, hangs_when_disturbed: bool) -> tuple[dict[str, Any], list[Run]]:
    """Return a session in which one known profile hangs once in a block that is disturbed, and that profile's runs.

    The disturbance comes with the hang itself, or with the run after it.
    """
    struck: list[int] = []

    def latency_us(environment: Mapping[str, str]) -> float:
        if not struck and environment.get("XLIO_RX_POLL") == "77":
            struck.append(len(host.runs) + 1)
            host.stolen_s += 0.2 if hangs_when_disturbed else 0.0
            return math.inf
        return 36.0

    host = SimulatedHost(latency_us)
    host.steal = lambda run: 0.2 if run in struck and not hangs_when_disturbed else 0.0
    plan = replace(PLAN, known=(Contender("default", {}), Contender("odd", {"XLIO_RX_POLL": "77"}), *others()))
    found = tune(folder, host, replace(plan, start=None))
    trial = next(each.number for each in Store(Results(folder).url).trials(found["session"]) if each.profile == "odd")
    return found, [run for run in runs(folder, found["session"]) if run.trial == trial]


def others() -> list[Contender]:
    return [Contender(f"other-{polls}", {"XLIO_RX_POLL": str(polls)}) for polls in range(1, 4)]


def test_a_client_that_ignores_being_asked_to_end_costs_little_more_than_its_limit() -> None:
    stubborn = Command(("sh", "-c", "trap '' INT TERM; while :; do sleep 0.02; done"), {"PATH": "/usr/bin:/bin"})
    serves = Command(("sh", "-c", "trap exit INT; echo READY; while :; do sleep 0.02; done"), stubborn.environment)
    output = on_one(LocalHost()).carry_out(Job(serves, stubborn, "READY", time_limit_s=0.2))
    assert output.timed_out
    assert output.client is not None
    assert output.client.lived_s >= 0.2
    assert output.ready_s > 0.0


def test_a_session_in_which_everything_hangs_judges_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    plan = replace(PLAN, space="XLIO_RX_POLL,XLIO_TCP_QUICKACK")
    names = {"XLIO_RX_POLL", "XLIO_TCP_QUICKACK", "XLIO_TCP_NODELAY", "XLIO_TCP_SEND_BUFFER_SIZE"}

    def only_the_baseline_runs(environment: Mapping[str, str]) -> float:
        return math.inf if any(name in environment for name in names) else 36.0

    found = tune(tmp_path, SimulatedHost(only_the_baseline_runs), plan)
    assert found["verdict"] == "failed"
    assert "nothing was compared" in found["why"]
    assert "given up" in found["why"]
    assert all(run.phase in {Phase.CALIBRATE, Phase.SEARCH} for run in runs(tmp_path, found["session"]))
