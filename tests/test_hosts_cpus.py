"""Server and client get different physical cores wherever there are two."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.hosts import cpus
from tuner.hosts.cpus import Cpu, Placement, Topology, cpu_list, parse, placement, topology


def machine(*cores: tuple[int, int]) -> Topology:
    """Return a machine whose CPUs, numbered from 0, are on these (package, core)."""
    return Topology(tuple(Cpu(number, *core) for number, core in enumerate(cores)))


FOUR_CORES = machine((0, 0), (0, 1), (0, 2), (0, 3))
TWO_CORES_WITH_SIBLINGS = machine((0, 0), (0, 1), (0, 0), (0, 1))
TWO_PACKAGES = machine((0, 0), (1, 0), (0, 1), (1, 1))


@pytest.mark.parametrize(
    ("found", "server", "client"),
    [
        (FOUR_CORES, "1", "2"),
        (TWO_CORES_WITH_SIBLINGS, "1", "0"),
        (machine((0, 0), (0, 1)), "1", "0"),
        (TWO_PACKAGES, "1", "3"),
    ],
)
def test_two_ends_get_two_cores_of_one_package_and_cpu_0_last(found: Topology, server: str, client: str) -> None:
    assert placement(found) == Placement(server, client)


def test_busy_threads_get_a_core_each_while_there_are_enough() -> None:
    assert placement(FOUR_CORES, server_threads=2, client_threads=2) == Placement("1,2", "3,0")


def test_threads_that_must_share_cores_are_a_doubt() -> None:
    got = placement(machine((0, 0), (0, 1)), server_threads=1, client_threads=2)
    assert got == Placement("1", "0", "3 busy threads share 2 physical cores")


def test_siblings_of_one_core_are_a_doubt() -> None:
    got = placement(machine((0, 0), (0, 0)))
    assert (got.server, got.client) == ("0", "1")
    assert "share one physical core" in got.note


def test_a_single_cpu_is_a_doubt() -> None:
    got = placement(Topology((Cpu(3, 0, 3),)))
    assert (got.server, got.client) == ("3", "3")
    assert "only one CPU" in got.note


def test_different_packages_are_a_doubt() -> None:
    assert "different CPU packages" in placement(machine((0, 0), (1, 0))).note


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=24),
    st.integers(1, 8),
    st.integers(1, 8),
)
def test_every_placement_is_allowed_and_apart_unless_it_says_so(
    cores: list[tuple[int, int]], server_threads: int, client_threads: int
) -> None:
    found = machine(*cores)
    got = placement(found, server_threads, client_threads)
    by_number = {cpu.number: (cpu.package, cpu.core) for cpu in found.cpus}
    server, client = ({by_number[n] for n in parse(text) or ()} for text in (got.server, got.client))
    assert server
    assert client
    assert not server & client or got.note


def test_the_topology_is_read_from_the_machine_s_files(tmp_path: Path) -> None:
    for number, core in ((0, 0), (1, 1), (2, 0)):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text("0\n", encoding="ascii")
        (folder / "core_id").write_text(f"{core}\n", encoding="ascii")
    assert topology(tmp_path, allowed={2, 1}) == Topology((Cpu(1, 0, 1), Cpu(2, 0, 0)))


def test_a_machine_that_says_nothing_is_a_doubt(tmp_path: Path) -> None:
    got = placement(topology(tmp_path, allowed=(0, 1, 2)))
    assert got == Placement("1", "2", "this machine does not say which CPUs share a core")


def test_only_cpus_that_this_process_may_use_are_considered() -> None:
    assert {cpu.number for cpu in topology().cpus} == os.sched_getaffinity(0)


@pytest.mark.parametrize(("text", "canonical"), [("0", "0"), ("2-3", "2,3"), ("3,0-1,1", "0,1,3")])
def test_a_list_of_cpus_is_understood(text: str, canonical: str) -> None:
    assert cpu_list(text, range(4)) == canonical


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-2", "0,,1", "0 1", "1;ls", "999999"])
def test_what_is_no_list_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a CPU list"):
        cpu_list(text, range(4))


def test_all_cpus_that_may_not_be_used_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        cpu_list("1,7-8", (0, 1), "--server-cpus")
    assert [finding.message for finding in caught.value.findings] == ["CPU 7 may not be used", "CPU 8 may not be used"]
    assert caught.value.findings[0].suggestion == "allowed: 0,1"


@given(st.text())
def test_any_text_is_a_list_of_cpus_or_none(text: str) -> None:
    numbers = cpus.parse(text)
    assert numbers is None or list(numbers) == sorted(set(numbers))
