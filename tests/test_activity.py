"""Activity names who used the watched CPUs: other programs and interrupts, never ourselves, and nobody where it is not known."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.hosts import activity, telemetry
from tuner.hosts.activity import Activity, Counted, Used, counts, program, rates, used

INTERRUPTS = """\
           CPU0       CPU1       CPU3
 36:          5       4000          7  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 24:          1          0          0  IO-APIC   5-edge      ACPI:Ged
 51:         10         20         30  GICv3  27 Level     eth0-rx-0, my driver
LOC:       1000       2000       3000   Local timer interrupts
ERR:          0
"""
SOFTIRQS = """\
                    CPU0       CPU1
      NET_RX:         10         20
     HRTIMER:          1          2
"""


def stat(pid: int, name: str, cpu: int = 0, ticks: int = 0, parent: int = 1, **more: int) -> str:
    """Return a line of /proc/PID/stat (man 5 proc_pid_stat) of 52 fields; `more` are `started` and `threads`."""
    fields = ["0"] * 50
    fields[0], fields[1], fields[11], fields[36] = "S", str(parent), str(ticks), str(cpu)
    fields[17], fields[19] = str(more.get("threads", 1)), str(more.get("started", 50))
    return f"{pid} ({name}) {' '.join(fields)}\n"


def host(root: Path, *processes: str) -> Path:
    """Write a host of these processes below `root`."""
    for text in processes:
        path = root / "proc" / text.split(" ")[0] / "stat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def seen(root: Path, *processes: str, cpus: tuple[int, ...] = (1,)) -> Activity:
    return activity.read(cpus, host(root, *processes))


def test_interrupts_are_summed_over_the_watched_cpus_and_named_by_their_driver() -> None:
    found = counts(INTERRUPTS, (1, 3))
    assert found is not None
    assert found["36"] == Counted("36", "virtio1-req.0", 4007)
    assert found["51"] == Counted("51", "eth0-rx-0, my driver", 50)
    assert found["24"].name == "ACPI:Ged"
    assert found["LOC"] == Counted("", "LOC (Local timer interrupts)", 5000)
    assert "ERR" not in found


def test_softirqs_are_named_by_their_word_and_no_cpus_are_all_cpus() -> None:
    found = counts(SOFTIRQS, ())
    assert found == {"NET_RX": Counted("", "NET_RX", 30), "HRTIMER": Counted("", "HRTIMER", 3)}


@pytest.mark.parametrize("text", ["", "\n", "CPUx\n", "CPU0 nonsense\n1: 2 3\n", "no header\n"])
def test_a_text_that_is_no_table_of_cpus_is_unknown(text: str) -> None:
    assert counts(text, ()) is None


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), max_size=40)


@given(
    name=NAMES,
    numbers=st.tuples(*[st.integers(0, 10**6)] * 4),
)
def test_a_process_is_read_whatever_its_name(name: str, numbers: tuple[int, int, int, int]) -> None:
    pid, parent, ticks, cpu = numbers
    found = program(stat(pid, name, cpu, ticks, parent))
    assert found is not None
    assert (found.pid, found.parent, found.cpu, found.threads) == (pid, parent, cpu, 1)
    assert found.cpu_s == pytest.approx(ticks / os.sysconf("SC_CLK_TCK"))
    assert found.name


def test_a_name_may_look_like_the_rest_of_the_line() -> None:
    found = program(stat(7, "a) S 9 (b) 1 2", cpu=3))
    assert found is not None
    assert (found.name, found.parent, found.cpu) == ("a) S 9 (b) 1 2", 1, 3)


def test_a_name_steers_no_terminal_and_is_short() -> None:
    found = program(stat(7, "\x1b[31mred" + "x" * 100))
    assert found is not None
    assert "\x1b" not in found.name
    assert len(found.name) <= 40


@given(st.text(max_size=120) | st.from_regex(r"\d{1,5} \(.{0,9}\) [S0-9 -]{0,120}", fullmatch=True))
def test_any_other_text_is_no_process_and_no_error(text: str) -> None:
    found = program(text)
    assert found is None or found.cpu_s >= 0.0


@given(st.text(max_size=200), st.lists(st.integers(0, 9), max_size=3))
def test_any_text_of_counts_is_read_without_an_error(text: str, cpus: list[int]) -> None:
    found = counts(text, cpus)
    assert found is None or all(each.count >= 0 for each in found.values())


def test_a_program_that_used_a_watched_cpu_is_named_with_its_share(tmp_path: Path) -> None:
    before = seen(tmp_path, stat(7, "python3", cpu=1, ticks=100), stat(8, "elsewhere", cpu=0, ticks=0))
    after = seen(tmp_path, stat(7, "python3", cpu=1, ticks=122), stat(8, "elsewhere", cpu=0, ticks=90))
    assert used(before, after, wall_s=1.0) == (Used("python3", 7, 0.22, 1),)


def test_a_program_that_moved_or_has_several_threads_is_named_without_a_cpu(tmp_path: Path) -> None:
    before = seen(tmp_path, stat(7, "mover", cpu=1), stat(8, "pool", cpu=0, threads=4))
    after = seen(tmp_path, stat(7, "mover", cpu=0, ticks=50), stat(8, "pool", cpu=0, ticks=80, threads=4))
    assert used(before, after, wall_s=1.0) == (Used("pool", 8, 0.8, None), Used("mover", 7, 0.5, None))


def test_we_and_what_we_started_are_never_named(tmp_path: Path) -> None:
    us = os.getpid()
    mine = [stat(us, "tuner", 1), stat(us + 1, "timeout", 1, parent=us), stat(us + 2, "run", 1, parent=us + 1)]
    before = seen(tmp_path, *mine)
    busy = [stat(us, "tuner", 1, 90), stat(us + 1, "timeout", 1, 90, us), stat(us + 2, "run", 1, 90, us + 1)]
    assert used(before, seen(tmp_path, *busy), wall_s=1.0) == ()


def test_a_program_that_began_meanwhile_is_named_and_one_that_was_hidden_before_is_not(tmp_path: Path) -> None:
    before = seen(tmp_path, stat(7, "old", cpu=1, started=50))
    after = seen(
        tmp_path, stat(8, "new", cpu=1, ticks=30, started=60), stat(9, "hidden", cpu=1, ticks=5000, started=40)
    )
    assert used(before, after, wall_s=1.0) == (Used("new", 8, 0.3, 1),)


def test_a_number_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    before = seen(tmp_path, stat(7, "first", cpu=1, ticks=900, started=50))
    after = seen(tmp_path, stat(7, "second", cpu=1, ticks=40, started=70))
    assert used(before, after, wall_s=1.0) == (Used("second", 7, 0.4, 1),)


def test_what_cannot_be_read_is_unknown_and_not_nobody(tmp_path: Path) -> None:
    nothing = activity.read((1,), tmp_path)
    assert (nothing.interrupts, nothing.softirqs, nothing.programs) == (None, None, None)
    assert used(nothing, nothing, wall_s=1.0) is None
    assert rates(None, nothing.interrupts, wall_s=1.0) is None


def test_a_host_of_more_processes_than_are_read_has_unknown_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "MOST_PROGRAMS", 1)
    assert seen(tmp_path, stat(7, "a")).programs is not None
    assert seen(tmp_path, stat(8, "b")).programs is None


def test_rates_are_of_what_comes_often_the_most_frequent_first() -> None:
    before, after = counts(INTERRUPTS, (1,)), counts(INTERRUPTS.replace("4000", "9000").replace("2000", "3000"), (1,))
    found = rates(before, after, wall_s=2.0)
    assert found is not None
    assert [(each.line, each.name, each.per_s) for each in found] == [
        ("36", "virtio1-req.0", 2500.0),
        ("", "LOC (Local timer interrupts)", 500.0),
    ]


def test_only_the_busiest_programs_are_kept(tmp_path: Path) -> None:
    many = [stat(pid, "worker", cpu=1) for pid in range(7, 27)]
    before = seen(tmp_path, *many)
    after = seen(tmp_path, *(stat(pid, "worker", cpu=1, ticks=pid) for pid in range(7, 27)))
    found = used(before, after, wall_s=1.0)
    assert found is not None
    assert [each.pid for each in found] == [26, 25, 24, 23, 22]


def test_a_run_keeps_the_names_in_its_telemetry(tmp_path: Path) -> None:
    host(tmp_path, stat(7, "python3", cpu=1))
    before = telemetry.read((1,), tmp_path)
    host(tmp_path, stat(7, "python3", cpu=1, ticks=50))
    after = replace(telemetry.read((1,), tmp_path), at_s=before.at_s + 1.0)
    assert telemetry.between(before, after).to_dict()["programs"] == [
        {"name": "python3", "pid": 7, "cpu_share": 0.5, "cpu": 1}
    ]


def test_this_host_is_read_and_knows_us_and_what_we_started() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        found = activity.read((), Path("/"))
        child.kill()
    assert found.programs is not None
    assert {os.getpid(), child.pid} <= found.own
    assert found.programs[child.pid].parent == os.getpid()
    assert found.softirqs is not None
