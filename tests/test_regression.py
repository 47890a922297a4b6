"""A profile is held against what a session showed of it, or against another one: good, rotted, or not decided, and what changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import pytest
import simulation
import until_decided
from command_line import Tuner
from hypothesis import given
from hypothesis import strategies as st
from sessions import tune

from tuner.cli.screen import answered
from tuner.errors import UsageError
from tuner.profiles import library
from tuner.python.options import share
from tuner.records import Kind, State, StoredSession
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session import regression
from tuner.session.answer.answers import CompareAnswer
from tuner.session.answer.json_form import from_json
from tuner.session.setup import host_changes
from tuner.session.setup.plan import Contender, Plan, Promise
from tuner.store import Store


@pytest.fixture
def sockperf(tmp_path: Path) -> str:
    return str(fake.install(tmp_path, noise=0.02))


def held(folder: Path, truth: float, promise: Promise, max_s: float = 60.0) -> dict[str, Any]:
    def latency(environment: Any) -> float:
        return simulation.BASE_US / (truth if "XLIO_RX_POLL" in environment else 1.0)

    plan = replace(until_decided.PLAN, promise=promise, budget_s=max_s)
    host = simulation.NoisyHost(latency, simulation.Noise(), simulation.chances("held"))
    return simulation.carried_out(folder, host, plan, "held")


@pytest.mark.parametrize(
    ("truth", "outcome"), [(2.0, "good"), (1.0, "rotted"), (1.47, "undecided")], ids=["kept", "lost", "at the margin"]
)
def test_a_profile_is_good_rotted_or_undecided_by_its_interval(tmp_path: Path, truth: float, outcome: str) -> None:
    found = held(tmp_path, truth, Promise(1.5, 0.02, "earlier"))
    told = found["regression"]
    assert told["outcome"] == outcome
    assert told["at_least"] == pytest.approx(1.47)
    low, high = found["gain"]["low"], found["gain"]["high"]
    assert (outcome == "undecided") == (low <= 1.47 <= high)
    assert found["sequential"]["decided"] == (outcome != "undecided")
    answer = from_json(CompareAnswer, found, "answer")
    assert answer.to_dict() == found
    assert answered.status(answer) == {"good": 0, "rotted": 3, "undecided": 4}[outcome]
    words = {
        "good": "b is still good: ",
        "rotted": "b is not as good any more: ",
        "undecided": "whether b is still good",
    }
    assert answered.lines(answer, Results(tmp_path))[0].startswith(f"{outcome}: {words[outcome]}")
    assert "It must be above 1.47×: session earlier showed 1.5× at least, less 2 %" in "".join(
        answered.lines(answer, Results(tmp_path))
    )


def test_against_a_profile_no_session_promised_anything(tmp_path: Path) -> None:
    found = held(tmp_path, 1.2, Promise(1.0, 0.02))
    assert found["regression"]["outcome"] == "good"
    said = "".join(answered.lines(from_json(CompareAnswer, found, "answer"), Results(tmp_path)))
    assert "It must be above 0.98×: as good, less 2 %. Decided after" in said


def test_a_profile_that_does_not_run_any_more_has_rotted(tmp_path: Path) -> None:
    class Broken(simulation.NoisyHost):
        def client(self, command: Any) -> Any:
            said = super().client(command)
            return replace(said, stdout="") if "XLIO_RX_POLL" in command.environment else said

    host = Broken(lambda _: simulation.BASE_US, simulation.Noise(), simulation.chances("broken"))
    plan = replace(until_decided.PLAN, promise=Promise(1.5, 0.02, "earlier"), budget_s=30.0)
    found = simulation.carried_out(tmp_path, host, plan, "broken")
    assert found["regression"]["outcome"] == "rotted"
    assert "failed in the confirmation" in found["regression"]["why"]


def test_a_promise_is_kept_in_the_plan() -> None:
    plan = replace(until_decided.PLAN, promise=Promise(1.5, 0.02, "earlier"))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def shown_once(folder: Path) -> dict[str, Any]:
    """Return the answer of a stored comparison that showed `latency` to be better under messages of 64 bytes."""
    settings = library.load("kernel/latency", None, library.shipped()).settings
    latency = Contender("latency", dict(settings))
    workload = replace(simulation.PLAN.workloads[0], message_bytes=64)
    plan = replace(simulation.PLAN, kind=Kind.COMPARE, known=(latency,), workloads=(workload,), budget_s=40.0)
    return tune(folder, SimulatedHost(lambda env: 18.0 if "XLIO_RX_POLL" in env else 36.0), plan)


def test_a_check_measures_what_the_session_measured_and_ends_with_the_outcomes_status(
    tuner: Tuner, sockperf: str
) -> None:
    shown = shown_once(Path("results"))
    good = tuner("check-regression", "latency", "--against", "latest", "--sockperf", sockperf, "--max", "60s", "--json")
    assert (good.status, good.json["regression"]["outcome"]) == (0, "good")
    assert good.json["sequential"]["decided"], good.json["sequential"]
    assert good.json["regression"]["session"] == shown["session"]
    assert good.json["since"]["changed"] == []
    assert good.json["then"] == shown["b"]["metrics"]
    stored = Store.reading(Results(Path("results"))).session(good.json["session"])
    assert stored.plan["workloads"][0]["message_bytes"] == 64

    for arguments, what in (
        (("latency", "--margin", "120%"), "--margin '120%' is not a percentage"),
        (("latency", "--objective", "tail"), "says itself what is measured"),
        (("default",), "default has the settings of default, the baseline of session"),
    ):
        refused = tuner("check-regression", *arguments, "--against", "latest", "--sockperf", sockperf)
        assert (refused.status, what in refused.err) == (2, True), refused.err

    assert tuner("sessions", "judge", json.loads(good.out)["session"]).status == 0


def test_too_short_a_check_is_refused_because_it_could_decide_nothing(tuner: Tuner, sockperf: str) -> None:
    found = tuner("check-regression", "latency", "--against", "default", "--sockperf", sockperf, "--max", "6s")
    assert found.status == 2
    assert "6 s have time for 2 blocks, and 7 are the fewest that can decide" in found.err
    assert "--max 20s is the least" in found.err


def test_a_session_that_showed_nothing_promises_nothing(tmp_path: Path) -> None:
    found = held(tmp_path, 0.5, Promise(1.0, 0.02), 30.0)
    row = StoredSession("one", "2026-01-01", State.DONE, 1.0, {"kind": "compare"}, {}, found)
    with pytest.raises(UsageError, match="did not show that a profile is better"):
        regression.shown_by(row)


def session(release: str | None = None, **facts: Any) -> StoredSession:
    plan = {"stack": "xlio", "release": release}
    return StoredSession("one", "2026-01-01", State.DONE, 1.0, plan, facts, None)


def test_changes_are_what_both_know_and_say_otherwise() -> None:
    before = session(
        "3.40.2", system="Linux 6.12.1", nic_versions=["mlx5_core, firmware 28.1"], smt=True, load_1min=1.0
    )
    after = session(
        "3.60.0", system="Linux 6.14.0", nic_versions=["mlx5_core, firmware 28.2"], smt=True, libc="glibc 2.36"
    )
    found = host_changes.changes(before, after)
    assert [str(each) for each in found.changed] == [
        "kernel: Linux 6.12.1 → Linux 6.14.0",
        "network cards: mlx5_core, firmware 28.1 → mlx5_core, firmware 28.2",
        "library of xlio: 3.40.2 → 3.60.0",
    ]
    assert found.unknown == ("C library",)


def test_of_a_pair_both_hosts_are_told_of() -> None:
    old = session(ends={"server": {"system": "Linux 6.12"}, "client": {"system": "Linux 6.12"}})
    new = session(ends={"server": {"system": "Linux 6.14"}, "client": {"system": "Linux 6.12"}})
    assert [str(each) for each in host_changes.changes(old, new).changed] == [
        "kernel of the server: Linux 6.12 → Linux 6.14"
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2)
)


@given(st.dictionaries(st.sampled_from(["system", "cpus", "ends", "smt", "tuner", "nic_versions"]), _JSON))
def test_facts_of_a_strangers_store_are_told_and_never_a_crash(facts: dict[str, Any]) -> None:
    assert host_changes.changes(session(**facts), session(**facts)).changed == ()
    host_changes.changes(session(**facts), session())


def test_a_margin_is_a_percentage() -> None:
    assert [share(text, "--margin") for text in ("2%", "0.5 %", "10")] == [0.02, 0.005, 0.1]
    with pytest.raises(UsageError, match="is not a percentage"):
        share("-1%", "--margin")


@pytest.mark.parametrize("beginning", ["20260712", "20260712-10", "20260712-101500-tune"])
def test_a_session_may_be_named_by_the_beginning_of_its_id(beginning: str, tuner: Tuner) -> None:
    found = tuner("check-regression", "latency", "--against", beginning)
    assert "there are no sessions" in found.err
