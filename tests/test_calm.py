"""What disturbs a host is what others do now, by name: neither the load of before nor anything that we started ourselves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tuner.hosts import calm, facts
from tuner.hosts.activity import Used
from tuner.hosts.local import LocalHost
from tuner.hosts.simulated import Machine
from tuner.hosts.telemetry import LEAST_WALL_S, Telemetry
from tuner.session.setup import preflight

BUSY = Telemetry(0.6, foreign_share=0.4, programs=(Used("python3", 12, 0.5, 1), Used("java", 13, 0.3)))


class Disturbed(Machine):
    """A machine on which others run, or did a minute ago."""

    def __init__(self, now: Telemetry) -> None:
        self.now = now

    def sample(self, cpus: object, span_s: float) -> Telemetry:
        return self.now


def test_a_program_that_runs_now_is_named_before_the_first_run() -> None:
    (found,) = preflight.host_facts("kernel", Disturbed(BUSY))["doubts"]
    assert "other programs use 40 % of the CPU time" in found["what"]
    assert "python3 (pid 12) 50 % of CPU 1" in found["what"]
    assert "java (pid 13) 30 % of a CPU" in found["what"]


def test_a_load_average_of_before_is_no_reason_for_doubt(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/loadavg").write_text("17.10 9.00 3.00 1/100 4711\n", encoding="utf-8")
    found = facts.read(tmp_path)
    assert found.load_1min == 17.1
    assert not any("load" in each.message for each in facts.doubts(found, needs_hugepages=False))


@pytest.mark.parametrize(
    "quiet", [Telemetry(0.6), Telemetry(0.6, foreign_share=0.04, programs=BUSY.programs), Telemetry(0.6, 0.4)]
)
def test_without_a_culprit_nothing_is_warned_about(quiet: Telemetry) -> None:
    assert calm.doubts(quiet) == ()


def test_steal_needs_no_name() -> None:
    (found,) = calm.doubts(Telemetry(0.6, steal_share=0.07))
    assert found.message == "the hypervisor takes 7 % of the CPU time"


def test_a_host_is_calm_where_no_run_would_be_spoiled_and_where_nothing_is_known() -> None:
    assert calm.is_calm([Telemetry(0.6), Telemetry(0.6, foreign_share=0.05)])
    assert not calm.is_calm([Telemetry(0.6), BUSY])
    assert not calm.is_calm([Telemetry(0.6, throttles=1)])


def test_a_sample_of_this_machine_takes_its_time_and_is_long_enough_to_be_judged() -> None:
    began = time.monotonic()
    found = LocalHost().sample((0,), calm.SAMPLE_S)
    assert time.monotonic() - began >= calm.SAMPLE_S
    assert found.wall_s >= LEAST_WALL_S
