"""Waiting for a calm host: blocks are held back as long as allowed and no longer, beside the budget, and the answer says how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sessions import PLAN, polling_helps, tune

from tuner.cli import session_options
from tuner.errors import UsageError
from tuner.hosts.activity import Used
from tuner.hosts.telemetry import Telemetry
from tuner.records import Kind
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.patience import Patience
from tuner.session.measuring.progress import Silent
from tuner.session.setup.plan import Plan
from tuner.store import Store

CALM = Telemetry(1.0, foreign_share=0.01)
BUSY = Telemetry(1.0, foreign_share=0.5, programs=(Used("python3", 4711, 0.5, 1),))


@dataclass
class Notes(Silent):
    """A watcher who writes down what is noted."""

    heard: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.heard.append(text)


@dataclass
class Day:
    """A host whose samples come one after the other, and the time that they take."""

    samples: list[Telemetry]
    now_s: float = 0.0
    then: Callable[[], None] = lambda: None

    def __call__(self) -> Sequence[Telemetry]:
        self.then()
        found = self.samples.pop(0) if self.samples else CALM
        self.now_s += found.wall_s
        return (found,)

    def clock(self) -> Clock:
        return Clock(60.0, 0.0, 0.0, lambda: self.now_s)


def test_a_calm_host_is_measured_at_once_and_nothing_is_said() -> None:
    day, notes, patience = Day([]), Notes(), Patience(600.0)
    patience.wait(day, day.clock(), notes)
    assert (day.now_s, patience.taken(), notes.heard) == (1.0, 0.0, [])


def test_a_disturbed_host_is_waited_for_and_named_and_the_budget_does_not_run() -> None:
    day, notes, patience = Day([BUSY] * 7), Notes(), Patience(600.0)
    clock = day.clock()
    patience.wait(day, clock, notes)
    assert patience.left_s == 593.0
    assert (patience.taken(), patience.taken()) == (7.0, 0.0)
    assert clock.spent_s() == 0.0
    first, last = notes.heard
    assert "up to 600 s" in first
    assert "python3 (pid 4711) 50 % of CPU 1" in first
    assert last == "the host is calm after 7 s: measuring goes on"


def test_nobody_waits_longer_than_allowed_in_all() -> None:
    day, notes, patience = Day([BUSY] * 99), Notes(), Patience(10.0)
    patience.wait(day, day.clock(), notes)
    patience.wait(day, day.clock(), notes)
    assert (len(day.samples), patience.left_s, patience.taken()) == (89, 0.0, 10.0)
    assert "though it is disturbed" in notes.heard[-1]
    assert len(notes.heard) == 2


def test_without_the_option_no_sample_is_taken() -> None:
    day = Day([BUSY])
    Patience().wait(day, day.clock(), Silent())
    assert len(day.samples) == 1


def test_who_asks_a_session_to_end_is_not_kept_waiting() -> None:
    day, patience = Day([BUSY] * 99), Patience(600.0)
    clock = day.clock()
    day.then = lambda: clock.end_in(0.0) if len(day.samples) == 96 else None
    patience.wait(day, clock, Silent())
    assert len(day.samples) == 95


@dataclass
class Restless(SimulatedHost):
    """A simulated host that is disturbed at the first samples."""

    busy: int = 5

    def sample(self, cpus: Sequence[int], span_s: float) -> Telemetry:
        self.busy -= 1
        return BUSY if self.busy >= 0 else CALM


PATIENT = replace(PLAN, wait_for_calm_s=600.0)
ALONE = replace(PATIENT, kind=Kind.MEASURE, known=(), blocks=3)


def session(folder: Path, host: Restless, plan: Plan = PATIENT) -> tuple[dict[str, object], Store]:
    return tune(folder, host, plan), Store(Results(folder).url)


def test_an_answer_says_how_long_was_waited_and_the_store_remembers(tmp_path: Path) -> None:
    found, store = session(tmp_path, Restless(polling_helps))
    assert found["waited_s"] == 5.0
    assert "held back 5 s in all until the host was calm" in str(found["why"])
    waits = [run.evidence["waited_s"] for run in store.runs(str(found["session"])) if "waited_s" in run.evidence]
    assert waits == [5.0]


def test_a_measurement_says_so_too(tmp_path: Path) -> None:
    found, _ = session(tmp_path, Restless(polling_helps), ALONE)
    assert found["waited_s"] == 5.0
    assert "held back 5 s" in str(found["why"])


def test_a_session_that_never_waited_says_nothing(tmp_path: Path) -> None:
    found, _ = session(tmp_path, Restless(polling_helps, busy=0))
    assert "waited_s" not in found
    assert "held back" not in str(found["why"])


def test_the_option_is_a_duration() -> None:
    assert session_options.setup(wait_for_calm="10m").wait_for_calm_s == 600.0
    with pytest.raises(UsageError, match="--wait-for-calm 'soon' is not a duration"):
        session_options.setup(wait_for_calm="soon")


def test_a_plan_remembers_how_long_may_be_waited_and_an_old_one_waits_for_nothing() -> None:
    plan = replace(PLAN, wait_for_calm_s=600.0).to_dict()
    assert Plan.from_dict(plan).wait_for_calm_s == 600.0
    del plan["wait_for_calm_s"]
    assert Plan.from_dict(plan).wait_for_calm_s == 0.0
