"""What does not fit into this host's memory is never run, and is told with the sum."""

from __future__ import annotations

import json
import resource
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sessions import PLAN, tune
from typer.testing import CliRunner

from tuner import catalogue, stacks
from tuner.catalogue import facts as stack_facts
from tuner.catalogue.room import Room
from tuner.cli.main import program
from tuner.errors import UsageError
from tuner.hosts import facts
from tuner.hosts.pair import on_one
from tuner.profiles.library import Shelf
from tuner.profiles.profile import Place
from tuner.records import Kind
from tuner.runs.simulated import SimulatedHost
from tuner.session.phases.propose import repairer
from tuner.session.setup import multicast, preflight, prepare
from tuner.session.setup.plan import Contender, Plan
from tuner.session.setup.readback import refusal
from tuner.session.setup.request import Request, Setup, Task

MIB = 1 << 20
XLIO_BANNER = " XLIO INFO   : XLIO_VERSION: 3.61.2-0 Release\n"
# The library that the kernel stack is built as: any that the loader takes will do, for the host is simulated.
LIBRARY = stacks.named("kernel").locate("")
SETUP = Setup("/bin/true", LIBRARY, fast_start=False, os_sockets=True)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a machine with 2 GiB available, three huge pages, 8 MiB to lock, and no card."""
    files = {
        "proc/meminfo": "MemAvailable:    2097152 kB\nHugePages_Free:        1\n",
        "proc/self/status": "CapEff:\t0000000000000000\n",
        "proc/self/uid_map": "         0          0 4294967295\n",
        "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "1\n",
        "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "2\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8 * MIB, 8 * MIB))
    return tmp_path


def test_the_hosts_figures_are_read_over_all_sizes_of_huge_pages(machine: Path) -> None:
    assert facts.room(machine) == Room(2048 * MIB, 2050 * MIB, 8 * MIB)
    assert facts.room(machine / "nothing") == Room(None, None, 8 * MIB)


@pytest.mark.parametrize(
    ("capabilities", "namespace", "limit"),
    [("4000", "0 0 4294967295", None), ("3fff", "0 0 4294967295", 8 * MIB), ("4000", "0 1000 1", 8 * MIB)],
)
def test_who_may_lock_what_he_wants_has_no_limit_but_not_in_a_namespace_of_his_own(
    machine: Path, capabilities: str, namespace: str, limit: int | None
) -> None:
    (machine / "proc/self/status").write_text(f"CapEff:\t{capabilities}\n", encoding="utf-8")
    (machine / "proc/self/uid_map").write_text(namespace, encoding="utf-8")
    assert facts.room(machine).memlock_bytes == limit


def test_a_card_is_a_device_of_the_infiniband_class(machine: Path) -> None:
    assert not facts.has_card(machine)
    (machine / "sys/class/infiniband/mlx5_0").mkdir(parents=True)
    assert facts.has_card(machine)


@pytest.mark.parametrize(
    ("stack", "settings", "room", "said"),
    [
        ("xlio", {}, Room(memlock_bytes=8 * MIB), "2,147,483,648 bytes are needed and 8,388,608 may be locked"),
        ("xlio", {"XLIO_MEMORY_LIMIT": "1GB"}, Room(memlock_bytes=1 << 30), None),
        ("xlio", {}, Room(available_bytes=3 << 30), "XLIO_MEMORY_LIMIT takes 2,147,483,648 bytes at the first socket"),
        ("xlio", {}, Room(available_bytes=17 << 28), None),
        ("xlio", {}, Room(available_bytes=0, hugepage_bytes=1 << 40), None),
        ("xlio", {}, Room(hugepage_bytes=0), None),
        ("vma", {}, Room(memlock_bytes=MIB), "VMA_RX_BUFS 200000 × 1536 bytes a buffer = 307,200,000"),
        ("kernel", {}, Room(0, 0, 0), None),
        ("onload", {}, Room(0, 0, 0), None),
        ("xlio", {}, None, None),
    ],
)
def test_what_cannot_start_is_refused_with_the_sum(
    stack: str, settings: dict[str, str], room: Room | None, said: str | None
) -> None:
    found = refusal(stack, settings, catalogue.load(stack).releases[-1], room)
    assert (found is None) if said is None else (found is not None and said in found)


def test_a_proposal_that_does_not_fit_is_turned_down() -> None:
    repair = repairer(catalogue.load("xlio"), "3.61.2", Room(memlock_bytes=1 << 30))
    assert repair({"XLIO_RX_POLL": "-1"}) is None
    assert repair({"XLIO_RX_POLL": "-1", "XLIO_MEMORY_LIMIT": "536870912"}) is not None


def test_a_known_profile_that_does_not_fit_is_invalid_and_never_run(tmp_path: Path) -> None:
    small = {"XLIO_MEMORY_LIMIT": "536870912"}
    large = Contender("large", {"XLIO_RX_POLL": "-1"})
    plan = replace(
        PLAN, stack="xlio", preloads=("/opt/libxlio.so",), release="3.61.2", room=Room(memlock_bytes=1 << 30),
        baseline=Contender("small", small), known=(large,), start=None, fixed=small, budget_s=20.0, os_sockets=True,
    )  # fmt: skip
    host = SimulatedHost(lambda _: 30.0, banner=lambda _: XLIO_BANNER)
    answer = tune(tmp_path, host, plan)
    assert answer["trials"]["invalid"] == 1
    assert host.runs
    assert all(run.client.environment["XLIO_MEMORY_LIMIT"] == "536870912" for run in host.runs)


def test_the_room_is_part_of_the_plan_and_an_old_plan_has_none() -> None:
    plan = replace(PLAN, room=Room(1, 2, None))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert Plan.from_dict({name: each for name, each in plan.to_dict().items() if name != "room"}).room is None


@dataclass
class Small(SimulatedHost):
    """A host that may lock this much memory, with a card or without."""

    memlock_bytes: int = 8 * MIB
    card: bool = True

    def room(self) -> Room:
        return Room(memlock_bytes=self.memlock_bytes)

    def has_card(self) -> bool:
        return self.card


@pytest.mark.parametrize("card", [True, False])
def test_a_session_whose_start_does_not_fit_is_refused_where_there_is_a_card(card: bool) -> None:
    request = Request(kind=Kind.MEASURE, budget_s=1e9, task=Task("xlio"), setup=SETUP)
    if not card:
        assert prepare.plan(request, on_one(Small(lambda _: 30.0, card=False)), ()).room is None
        return
    with pytest.raises(UsageError, match="would not run") as refused:
        prepare.plan(request, on_one(Small(lambda _: 30.0)), ())
    assert [one.where for one in refused.value.findings] == ["default: memory"]
    assert "together" in refused.value.findings[0].message


def test_a_comparison_asks_of_both_whether_they_fit() -> None:
    shelves = (Shelf(Place.DIRECTORY, Path(__file__).parents[1] / "profiles"),)
    request = Request(Kind.COMPARE, "ultra_latency", "latency", 1e9, task=Task("xlio"), setup=SETUP)
    with pytest.raises(UsageError) as refused:
        prepare.plan(request, on_one(Small(lambda _: 30.0, memlock_bytes=1 << 30)), shelves)
    assert [one.where for one in refused.value.findings] == ["latency: memory"]


def asked(*arguments: str) -> Any:
    return CliRunner().invoke(program(), arguments)


def test_effective_shows_the_sum_beside_what_the_host_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "room", lambda: Room(1 << 40, 0, 8 * MIB))
    found = json.loads(asked("profiles", "effective", "xlio/latency", "--rings", "4", "--json").stdout)
    memory = found["memory"]
    assert memory["host"] == {"available_bytes": 1 << 40, "hugepage_bytes": 0, "memlock_bytes": 8 * MIB, "queue_entries": None}  # fmt: skip
    assert (memory["starts"], memory["rings"], memory["limit_bytes"]) == (False, 4, 1 << 31)
    assert [part["what"] for part in memory["parts"]][-2:] == ["further receive rings", "send rings"]
    assert [(one["severity"]) for one in found["findings"] if one["where"] == "memory"] == ["error", "warning"]
    page = asked("profiles", "effective", "xlio/latency").stdout
    assert (
        "this host: 1,099,511,627,776 bytes available, 0 bytes free as hugepages, 8,388,608 bytes that may be" in page
    )


def test_effective_reads_the_variables_of_each_stack() -> None:
    found = json.loads(asked("profiles", "effective", "--env", "EF_POLL_USEC=7", "--json").stdout)
    assert (found["stack"], found["settings"]["EF_POLL_USEC"]["value"]) == ("onload", "7")


@pytest.mark.parametrize("stack", [each.name for each in stack_facts.every() if each.pools])
def test_check_holds_a_profile_against_the_host(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "room", lambda: Room(1 << 40, 1 << 40, MIB))
    said = asked("check", "--stack", stack, "--profile", "latency").stdout
    line = next(line for line in said.splitlines() if "memory of latency in" in line)
    assert line.startswith("✗")
    assert "1,048,576 may be locked" in line
    assert "together" in line


def test_help_names_every_stack() -> None:
    said = " ".join(asked("measure", "--help").stdout.split())
    assert "kernel, onload, vma or xlio" in said
    assert "Offload rules for both ends (vma, xlio)" in said


@pytest.mark.parametrize(
    ("release", "system", "hangs"),
    [
        ("3.40.2", "Linux 6.18.1-generic", True),
        ("3.940.2", "Linux 6.10.0", True),
        ("3.61.1", "Linux 6.18.1", False),
        ("3.40.2", "Linux 6.9.12", False),
        ("3.40.2", "FreeBSD 14.1", False),
        (None, "Linux 6.18.1", False),
    ],
)
def test_a_library_that_hangs_on_this_kernel_is_said(release: str | None, system: str, *, hangs: bool) -> None:
    found = preflight.hangs("xlio", release, system)
    assert bool(found) is hangs
    assert preflight.hangs("vma", "9.8.84", system) == []


def test_check_says_whether_there_is_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "has_card", lambda: False)
    assert "no device that XLIO could use" in asked("check", "--stack", "xlio").stdout


def test_rings_that_lose_multicast_are_doubted_where_the_workload_is_one() -> None:
    moving = Contender("mine", {"XLIO_RING_ALLOCATION_LOGIC_RX": "30"})
    held = Contender("held", {"XLIO_RING_ALLOCATION_LOGIC_RX": "30", "XLIO_RING_MIGRATION_RATIO_RX": "-1"})
    by_preset = Contender("preset", {"XLIO_SPEC": "nvme_bf2", "XLIO_RING_MIGRATION_RATIO_RX": "100"})
    plan = replace(PLAN, stack="xlio", release="3.10.5", baseline=moving, known=(held, by_preset))
    assert multicast.doubts(plan) == []
    groups = tuple(replace(each, address="239.1.2.3") for each in PLAN.workloads)
    told = multicast.doubts(replace(plan, workloads=groups))
    assert [each.message.partition(":")[0] for each in told] == ["mine", "preset"]
    assert "multicast is lost meanwhile" in told[0].message
