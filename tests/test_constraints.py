"""Every known constraint of XLIO and VMA has its place, and something that breaks it is found, repaired or predicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tuner import catalogue
from tuner.catalogue import memory
from tuner.catalogue.effective import effective
from tuner.catalogue.room import Room
from tuner.catalogue.rules import broken, numbers
from tuner.profiles.lint import lint
from tuner.profiles.profile import Profile
from tuner.session.phases.propose import repairer

Settings = dict[str, str]
Probe = Callable[[], object]


def _check(settings: Settings, release: str = "3.61.2", stack: str = "xlio") -> object:
    return catalogue.load(stack).check(settings, str, release)


def _becomes(settings: Settings, name: str, value: str, release: str = "3.61.2") -> bool:
    return effective(catalogue.load("xlio"), settings, release).settings[name].value == value


def _memory(settings: Settings, rings: int = 1, room: Room | None = None, release: str = "3.61.2") -> object:
    values = effective(catalogue.load("xlio"), settings, release).values()
    return memory.findings("xlio", release, values, rings, room)


def _rule(name: str, settings: Settings, release: str = "3.61.2", stack: str = "xlio") -> bool:
    known = catalogue.load(stack)
    values = numbers(known.effective(settings, release))
    return name in {one.rule.id for one in broken(known.rules, values, release)}


def _lint(settings: Settings, release: str) -> object:
    found = lint(Profile("p", "xlio", settings, "x", reasons=dict.fromkeys(settings, "x")), release)
    return [finding for finding in found if "no effect" in finding.message]


# What breaks each, in the order of the facts: a rule, a range, a derived default, a sum, or the reading of text.
PROBES: Final[dict[str, Probe]] = {
    "tx_wre_vs_batch": lambda: _rule("tx_wre_vs_batch", {"XLIO_TX_WRE": "100"}),
    "rx_wre_vs_batch": lambda: _rule("rx_wre_vs_batch", {"XLIO_RX_WRE_BATCHING": "100"}),
    "tx_batch_range": lambda: _check({"XLIO_TX_WRE_BATCHING": "65"}),
    "rx_batch_range": lambda: _check({"XLIO_RX_WRE_BATCHING": "1025"}),
    "qp_comp": lambda: _rule("qp_comp", {"XLIO_QP_COMPENSATION_LEVEL": "1", "XLIO_RX_WRE_BATCHING": "8"}),
    "strq_cqe": lambda: _rule("strq_cqe", {"XLIO_STRQ_NUM_STRIDES": "65536"}),
    "strides_pow2": lambda: _check({"XLIO_STRQ_NUM_STRIDES": "1000"}),
    "stride_size_pow2": lambda: _check({"XLIO_STRQ_STRIDE_SIZE_BYTES": "100"}),
    "strq_min_buffer": lambda: _rule("strq_min_buffer", {"XLIO_MTU": "60000", "XLIO_STRQ_NUM_STRIDES": "512"}),
    "rx_wre_device": lambda: _memory({}, room=Room(queue_entries=4), release="3.21.2"),
    "tx_wre_device": lambda: _memory({}, room=Room(queue_entries=16384)),
    "inline": lambda: _check({"XLIO_TX_MAX_INLINE": "885"}),
    "vma_inline_tx": lambda: _rule(
        "vma_inline_tx", {"VMA_TX_MAX_INLINE": "500", "VMA_TX_WRE": "4000"}, "9.8.84", "vma"
    ),
    "rx_poll": lambda: _check({"XLIO_RX_POLL": "-2"}),
    "select_poll": lambda: _check({"XLIO_SELECT_POLL": "100000001"}),
    "prefetch": lambda: _check({"XLIO_RX_PREFETCH_BYTES": "31"}),
    "prefetch_bp": lambda: _check({"XLIO_RX_PREFETCH_BYTES_BEFORE_POLL": "2045"}),
    "cq_batch": lambda: _rule("cq_batch_old", {"XLIO_CQ_POLL_BATCH_MAX": "129"}, "3.30.5"),
    "tcp_timer": lambda: _rule("tcp_timer", {"XLIO_TIMER_RESOLUTION_MSEC": "200"}),
    "poll_vs_moderation": lambda: _becomes({"XLIO_RX_POLL": "-1"}, "XLIO_CQ_AIM_INTERVAL_MSEC", "0"),
    "moderation_cap": lambda: _rule("moderation_cap", {"XLIO_CQ_MODERATION_COUNT": "131073"}),
    "os_force": lambda: _becomes({"XLIO_SELECT_POLL_OS_FORCE": "1"}, "XLIO_SELECT_SKIP_OS", "1", "3.40.2"),
    "delegate": lambda: _rule("delegate", {"XLIO_TCP_CTL_THREAD": "delegate"}),
    "tso_migration": lambda: _rule("tso_migration", {"XLIO_RING_MIGRATION_RATIO_TX": "5"}),
    "batching_mode": lambda: _rule("batching_mode", {"XLIO_BUFFER_BATCHING_MODE": "0"}),
    "utls_marks": lambda: _rule("utls_marks", {"XLIO_UTLS_LOW_WMARK_DEK_CACHE_SIZE": "1024"}),
    "flowtag": lambda: _rule("flowtag", {"XLIO_DISABLE_FLOW_TAG": "1", "XLIO_MC_FORCE_FLOWTAG": "1"}),
    "socketxtreme": lambda: _rule("socketxtreme", {"XLIO_SOCKETXTREME": "1"}, "3.21.2"),
    "worker_threads": lambda: _becomes({"XLIO_WORKER_THREADS": "1"}, "XLIO_TX_BUF_SIZE", "262144"),
    "thread_mode": lambda: _rule("thread_mode", {"XLIO_THREAD_MODE": "0"}, "3.21.2"),
    "affinity": lambda: _rule("affinity", {"XLIO_INTERNAL_THREAD_AFFINITY": "0"}),
    "progress_zero": lambda: _rule("progress_zero", {"XLIO_PROGRESS_ENGINE_INTERVAL": "0"}),
    "os_ratio_zero": lambda: _rule("os_ratio_zero", {"XLIO_SELECT_POLL_OS_RATIO": "0"}),
    "dev_mem": lambda: _memory({"XLIO_RING_DEV_MEM_TX": "16384"}, rings=17),
    "mem_start": lambda: _rule("mem_start", {"XLIO_MEMORY_LIMIT": "16MB"}),
    "mem_rings": lambda: _memory({}, rings=1000),
    "hugepages": lambda: _memory({}, room=Room(hugepage_bytes=0)),
    "memlock": lambda: _memory({}, room=Room(memlock_bytes=8 << 20)),
    "ram": lambda: _memory({}, room=Room(available_bytes=1 << 30)),
    "legacy_pools": lambda: _rule("legacy_pools", {"XLIO_RX_BUFS": "4"}, "3.20.3"),
    "legacy_estimate": lambda: _lint({"XLIO_RX_BUFS": "100000"}, "3.21.2"),
    "unix_bool": lambda: _check({"XLIO_TCP_NODELAY": "true"}),
    "int_format": lambda: _check({"XLIO_RX_POLL": "1K"}),
    "size_format": lambda: _check({"XLIO_MEMORY_LIMIT": "1.5G"}),
    "unknown_name": lambda: _check({"XLIO_RX_POL": "1"}),
    "json_space": lambda: _check({"XLIO_MEMORY_LIMIT": "4 GB"}),
}


def test_there_are_46_of_them() -> None:
    assert len(PROBES) == 46


@pytest.mark.parametrize("name", PROBES)
def test_what_breaks_a_constraint_does_not_pass_unseen(name: str) -> None:
    assert PROBES[name]()


@pytest.mark.parametrize(
    ("settings", "release"),
    [
        ({"XLIO_TX_WRE": "3"}, "3.61.2"),
        ({"XLIO_STRQ_NUM_STRIDES": "65536"}, "3.61.2"),
        ({"XLIO_CQ_MODERATION_COUNT": "999999999"}, "3.61.2"),
        ({"XLIO_TCP_CTL_THREAD": "delegate"}, "3.61.2"),
        ({"XLIO_MEMORY_LIMIT": "16777216"}, "3.61.2"),
        ({"XLIO_THREAD_MODE": "0"}, "3.61.2"),
        ({"XLIO_SELECT_POLL_OS_FORCE": "1", "XLIO_SELECT_POLL_OS_RATIO": "0", "XLIO_SELECT_SKIP_OS": "0"}, "3.40.2"),
    ],
)
def test_a_candidate_that_would_run_as_something_else_is_repaired_or_turned_down(
    settings: Settings, release: str
) -> None:
    mended = repairer(catalogue.load("xlio"), release)(settings)
    if mended is not None:
        found = effective(catalogue.load("xlio"), mended, release)
        assert {name: found.settings[name].value for name in mended} == mended
        assert not found.ignored
