"""The memory of a configuration is a sum that is shown, and what does not fit is said with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue import memory
from tuner.catalogue.effective import effective
from tuner.catalogue.room import Room
from tuner.errors import Finding, Severity

MIB = 1 << 20


def in_effect(settings: dict[str, str], release: str = "3.61.2", stack: str = "xlio") -> dict[str, str]:
    return effective(catalogue.load(stack), settings, release).values()


def found(settings: dict[str, str], rings: int = 1, room: Room | None = None) -> list[Finding]:
    return memory.findings("xlio", "3.61.2", in_effect(settings), rings, room)


# The vendor's figures for a ring's posted buffers, by release and preset.
@pytest.mark.parametrize(
    ("release", "settings", "buffer_bytes", "ring_bytes"),
    [
        ("3.20.8", {}, 8 * MIB, 64 * MIB),
        ("3.20.8", {"XLIO_SPEC": "latency"}, 2 * MIB, 16 * MIB),
        ("3.20.8", {"XLIO_SPEC": "ultra-latency"}, 4 * MIB, 32 * MIB),
        ("3.40.2", {}, MIB // 8, 16 * MIB),
        ("3.61.2", {"XLIO_SPEC": "latency"}, MIB // 8, MIB // 2),
    ],
)
def test_a_ring_takes_what_its_strides_and_requests_make(
    release: str, settings: dict[str, str], buffer_bytes: int, ring_bytes: int
) -> None:
    values = in_effect(settings, release)
    assert memory.receive_buffer_bytes(values, "XLIO_") == buffer_bytes
    assert buffer_bytes * int(values["XLIO_RX_WRE"]) == ring_bytes


def test_worker_threads_take_256_mib_for_sends_at_start() -> None:
    parts = memory.summed("xlio", "3.61.2", in_effect({"XLIO_WORKER_THREADS": "2"})).parts
    assert [part.bytes for part in parts if part.what == "send pool"] == [1024 * (262144 + 128)]


def test_what_does_not_fit_is_an_error_with_its_sum_and_a_value_that_fits() -> None:
    (one,) = found({"XLIO_MEMORY_LIMIT": "16MB"})
    assert (one.severity, one.where) == (Severity.ERROR, "XLIO_MEMORY_LIMIT")
    assert "2 × XLIO_RX_WRE 128 × 131072 bytes a buffer = 33,554,432 bytes" in one.message
    assert "together 59,768,832 bytes of 16,777,216" in one.message
    assert found({"XLIO_MEMORY_LIMIT": "67108864"}) == []
    assert "67108864" in one.suggestion


@given(st.integers(1, 64), st.integers(1, 256), st.integers(1, 1 << 26))
def test_a_grown_limit_always_fits(batches: int, posted: int, limit: int) -> None:
    settings = {"XLIO_TX_BUFS_BATCH_TCP": batches, "XLIO_RX_WRE": posted, "XLIO_MEMORY_LIMIT": limit}
    values = in_effect({name: str(number) for name, number in settings.items()})
    more = memory.grown("xlio", "3.61.2", values)
    assert not memory.grown("xlio", "3.61.2", values | more)


def test_rings_beyond_the_limit_are_a_warning() -> None:
    assert found({}, rings=100) == []
    (one,) = found({}, rings=200)
    assert (one.severity, "200 rings do not fit" in one.message) == (Severity.WARNING, True)


def test_memory_on_the_card_is_counted_over_all_rings() -> None:
    settings = {"XLIO_RING_DEV_MEM_TX": "16000"}
    assert found(settings, rings=16) == []
    assert [one.where for one in found(settings, rings=17)] == ["XLIO_RING_DEV_MEM_TX"]


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (Room(memlock_bytes=8 << 20), "may be locked (ulimit -l)"),
        (Room(hugepage_bytes=2 << 30), "are free as hugepages"),
        (Room(available_bytes=4 << 30), "are available for two processes"),
        (Room(queue_entries=16384), "XLIO_TX_WRE"),
    ],
)
def test_what_the_host_lacks_is_said(room: Room, said: str) -> None:
    (one,) = found({}, room=room)
    assert said in str(one)
    assert found({}, room=Room(1 << 40, 1 << 40, 1 << 40, 1 << 20)) == []


def test_pages_that_are_not_huge_need_no_hugepages() -> None:
    assert found({"XLIO_MEM_ALLOC_TYPE": "0"}, room=Room(hugepage_bytes=0)) == []


def test_vma_takes_its_pools_at_once() -> None:
    taken = memory.summed("vma", "9.8.84", in_effect({}, "9.8.84", "vma"))
    assert taken.limit is None
    assert taken.total == 200000 * 1536 + 200000 * 1638
    assert memory.summed("kernel", "0.1.0", {}).total == 0


def test_the_block_is_divided_among_the_workers_of_nginx() -> None:
    values = effective(catalogue.load("xlio"), {"XLIO_NGINX_WORKERS_NUM": "8"}, "3.40.2").values()
    whole = memory.summed("xlio", "3.40.2", values)
    assert (whole.limit, whole.workers, whole.share) == (32 << 30, 8, 4 << 30)
    assert "34.4 GB in all; the master takes no buffers" in whole.lines()[-1]
    assert whole.to_dict()["worker_bytes"] == 4 << 30


def test_the_buffers_of_each_worker_must_fit_into_its_part() -> None:
    settings = {"XLIO_NGINX_WORKERS_NUM": "8", "XLIO_MEMORY_LIMIT": "256MB"}
    values = effective(catalogue.load("xlio"), settings, "3.40.2").values()
    assert [found.where for found in memory.findings("xlio", "3.40.2", values)] == ["XLIO_MEMORY_LIMIT"]
    enough = memory.grown("xlio", "3.40.2", values)
    assert memory.summed("xlio", "3.40.2", values | enough).fits
