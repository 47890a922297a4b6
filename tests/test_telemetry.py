"""Telemetry tells what a host did, never ends a run by its own failure, and blames only what the run did not cause."""

from __future__ import annotations

import math
import os
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.hosts import telemetry
from tuner.hosts.host import Command
from tuner.hosts.local import LocalHost
from tuner.hosts.telemetry import Counters, Telemetry, between, read, spoiled

FILES = (
    "proc/stat",
    "proc/loadavg",
    "proc/net/snmp",
    "proc/net/softnet_stat",
    "proc/pressure/cpu",
    "proc/interrupts",
    "proc/softirqs",
    "proc/7/stat",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq",
)
STAT = """cpu  1000 0 100 5000 10 0 50 20 0 0
cpu0 400 0 50 2500 5 0 20 10 0 0
cpu1 600 0 50 2500 5 0 30 10 0 0
ctxt 7000
softirq 900 1 2 3
"""
SNMP = """Tcp: InSegs OutSegs RetransSegs
Tcp: 10 20 3
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 10 0 9 10 8 1
"""


def machine(root: Path, **files: str) -> Path:
    """Write the files of a machine below `root`; keywords are paths with `__` for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_every_counter_is_read_from_its_file(tmp_path: Path) -> None:
    machine(
        tmp_path,
        proc__stat=STAT,
        proc__loadavg="1.25 1.0 0.5 2/100 4711\n",
        proc__net__snmp=SNMP,
        proc__net__softnet_stat="00000001 0000000a 0\n00000001 00000010 0\n",
        proc__pressure__cpu="some avg10=1.00 avg60=0.00 avg300=0.00 total=5000\nfull avg10=0 total=1\n",
        sys__devices__system__cpu__cpu1__thermal_throttle__core_throttle_count="2\n",
        sys__devices__system__cpu__cpu1__cpufreq__scaling_cur_freq="2400000\n",
    )
    found = read((1,), tmp_path)
    assert (found.busy_s, found.idle_s, found.interrupts_s, found.steal_s) == (6.5, 25.05, 0.3, 0.1)
    assert (found.context_switches, found.softirqs, found.throttles, found.frequency_khz) == (7000, 900, 2, 2400000)
    assert (found.udp_drops, found.tcp_retransmissions, found.softnet_drops) == (9, 3, 26)
    assert (found.pressure_us, found.load_1min) == (5000, 1.25)
    assert read((), tmp_path).busy_s == 11.0


def test_a_machine_without_the_files_is_unknown_and_not_zero(tmp_path: Path) -> None:
    found = read((0, 1), tmp_path)
    unknown = {name for name in Counters.__slots__ if getattr(found, name) is None}
    assert unknown == set(Counters.__slots__) - {"at_s", "own_cpu_s", "preemptions", "activity"}
    assert set(between(found, read((0, 1), tmp_path)).to_dict()) == {"wall_s", "preemptions"}


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200) | st.from_regex(r"(cpu1?|ctxt|Udp:)( [0-9.]{1,30}){1,12}\n", fullmatch=True))
def test_whatever_the_files_hold_nothing_is_raised(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("machine")
    machine(root, **{name.replace("/", "__"): text for name in FILES})
    found = between(read((1,), root), read((1,), root))
    numbers = [value for value in asdict(found).values() if isinstance(value, int | float)]
    assert numbers
    assert all(map(math.isfinite, numbers))
    spoiled(found.to_dict())


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=5, max_size=5))
def test_shares_are_between_0_and_1(ticks: list[int]) -> None:
    busy, interrupts, idle, steal, own = (tick / 100 for tick in ticks)
    found = between(Counters(0.0, 0.0, 0.0, 0.0, 0.0, 0.0), Counters(1.0, own, busy, interrupts, idle, steal))
    shares = (found.foreign_share, found.steal_share, found.interrupts_share)
    assert all(share is None or 0.0 <= share <= 1.0 for share in shares)


def test_foreign_time_is_what_was_busy_beyond_our_own_processes() -> None:
    before = Counters(0.0, 5.0, busy_s=10.0, interrupts_s=0.0, idle_s=10.0, steal_s=0.0)
    after = Counters(1.0, 6.0, busy_s=11.5, interrupts_s=0.0, idle_s=10.5, steal_s=0.0)
    assert between(before, after).foreign_share == pytest.approx(0.25)


def test_a_counter_that_went_back_is_unknown() -> None:
    assert between(Counters(0.0, 0.0, throttles=5), Counters(1.0, 0.0, throttles=1)).throttles is None


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (Telemetry(1.3, steal_share=0.05), "hypervisor"),
        (Telemetry(1.3, foreign_share=0.2), "other programs"),
        (Telemetry(1.3, throttles=1), "throttled"),
    ],
)
def test_what_disturbs_a_run_from_outside_spoils_it_with_a_reason(happened: Telemetry, reason: str) -> None:
    (found,) = spoiled(happened.to_dict())
    assert reason in found


def test_what_a_run_causes_itself_does_not_spoil_it() -> None:
    own = Telemetry(1.3, 0.01, 0.0, interrupts_share=0.6, udp_drops=10**6, softnet_drops=9, context_switches=10**6)
    assert spoiled(own.to_dict()) == ()


def test_nothing_known_or_too_short_to_know_spoils_nothing() -> None:
    assert spoiled({}) == ()
    assert spoiled(Telemetry(1.3).to_dict()) == ()
    assert spoiled(Telemetry(telemetry.LEAST_WALL_S / 2, steal_share=0.5).to_dict()) == ()


def test_what_our_own_programs_used_is_no_foreign_time() -> None:
    burn = Command(("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"), {"PATH": "/usr/bin:/bin"})
    before = read()
    used_s = LocalHost().output_of(burn, 30.0).cpu_s
    assert used_s > 0.05
    assert read().own_cpu_s - before.own_cpu_s >= 0.9 * used_s


def test_this_machine_is_read_without_waiting() -> None:
    began = time.perf_counter()
    found = [read((0,)) for _ in range(20)]
    # Twenty in a second is 25 times the 2 ms that a reading may take: it fails for a wait, not for a slow machine.
    assert time.perf_counter() - began < 1.0
    assert found[0].context_switches is not None


def test_a_clock_that_went_back_leaves_no_time() -> None:
    now, before = (Counters(at_s, 0.0, 0.0, 0.0, 0.0, 0.0) for at_s in (5.0, 9.0))
    assert between(before, now).wall_s == 0.0
    assert between(now, before).wall_s == 4.0


def test_pressure_is_the_share_of_the_time_in_which_somebody_waited() -> None:
    before, after = (Counters(at_s, 0.0, 0.0, 0.0, 0.0, 0.0, pressure_us=us) for at_s, us in ((1.0, 0), (3.0, 500_000)))
    assert between(before, after).pressure_share == pytest.approx(0.25)


def test_our_own_time_is_that_of_all_our_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    times = iter([os.times_result((1.0, 2.0, 4.0, 8.0, 0.0)), os.times_result((2.0, 4.0, 8.0, 16.0, 0.0))])
    monkeypatch.setattr("os.times", lambda: next(times))
    before, after = read((0,), tmp_path), read((0,), tmp_path)
    assert after.own_cpu_s - before.own_cpu_s == pytest.approx(15.0, abs=1.0)
