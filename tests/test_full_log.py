"""The full log gives the latencies that sockperf printed, and puts back the wait that its time stamps leave out."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import stacks
from tuner.errors import UsageError
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.runs import histogram, sockperf
from tuner.runs.benchmark import ParseError
from tuner.runs.full_log import observed, read, waits_ns
from tuner.runs.run import Rig
from tuner.runs.simulated import full_log
from tuner.runs.workload import Mode, Workload
from tuner.stacks.preloads import faststart_library

DATA: Final = Path(__file__).parent / "data" / "sockperf"
LOADED: Final = Workload(mode=Mode.UNDER_LOAD, rate_mps=20_000, reply_every=1)


def test_the_log_of_the_real_program_has_the_percentiles_that_it_printed() -> None:
    log = (DATA / "3.7--full-log.csv").read_bytes()
    workload = replace(LOADED, rate_mps=2000)
    found = observed(io.BytesIO(log), workload, 0)
    printed = sockperf.parse(log.decode("utf-8"), "Total 2000 messages received and handled\n", workload)
    halves = read(io.BytesIO(log)).latencies_ns()
    assert len(halves) == printed.observations
    assert np.sort(halves)[round(0.99 * len(halves)) - 1] / 1e3 == pytest.approx(printed.latency_p99_us, abs=0.002)
    merged = histogram.decode(found["histogram"])
    assert histogram.percentile(merged, 100) / 1e3 == pytest.approx(printed.latency_max_us or 0, rel=1e-3)
    assert found["latency_p99_corrected_us"] >= (printed.latency_p99_us or 0)


def test_a_stall_of_the_sender_is_put_back_into_the_messages_that_waited_for_it() -> None:
    log = full_log(10.0, 20_000, stall=(50, 1000.0))
    found = observed(io.BytesIO(log), LOADED, 0)
    raw = np.percentile(read(io.BytesIO(log)).latencies_ns(), 90) / 1e3
    assert raw == pytest.approx(10.0, rel=0.01)
    # 1000 µs of stall at one message in 50 µs: 20 of 200 messages waited, the last hardly.
    assert found["latency_max_corrected_us"] == pytest.approx(1010.0, rel=0.02)
    assert 400 < found["latency_p99_corrected_us"] < 1010
    assert found["latency_p50_corrected_us"] == pytest.approx(10.0, rel=0.01)
    assert histogram.decode(found["histogram_corrected"]).get_total_count() == 200


@given(
    rate_mps=st.integers(1_000, 1_000_000),
    burst=st.integers(1, 8),
    reply_every=st.integers(1, 12),
    drift_ns=st.floats(-0.9, 0.9),
    data=st.data(),
)
def test_the_waits_are_found_again_whatever_the_shape_of_the_load(
    rate_mps: int, burst: int, reply_every: int, drift_ns: float, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, burst - 1))
    numbers = np.arange(400) * reply_every + first
    due = (numbers // burst) * (1e9 * burst / rate_mps + drift_ns)
    late = np.zeros(400)
    late[100:110] = 5e6
    workload = Workload(mode=Mode.UNDER_LOAD, rate_mps=rate_mps, burst=burst, reply_every=reply_every)
    waits = waits_ns(np.round(1e9 + due + late).astype(np.int64), workload)
    # Of which cycle the first row is cannot always be told: an interval at most is in doubt.
    assert np.abs(waits - late).max() <= 1e9 * burst / rate_mps + 1000 * abs(drift_ns)
    if burst == 1:
        assert np.abs(waits - late).max() < 10


def test_lost_answers_do_not_count_as_waits() -> None:
    numbers = np.delete(np.arange(500), [100, 101, 300])
    sent = 10**9 + numbers * 50_000
    assert waits_ns(sent, LOADED, dropped=3).max() < 10
    assert waits_ns(sent, LOADED, dropped=0).max() > 50_000


def test_without_a_constant_rate_nothing_is_corrected() -> None:
    found = observed(io.BytesIO(full_log(10.0, 20_000)), Workload(), 0)
    assert set(found) == {"histogram"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"sockperf: nothing\n",
        b"packet, txTime(sec), rxTime(sec), latency(usec)\n",
        b"packet, txTime(sec)\n1, x, y\n",
        b"packet, txTime(sec)\n\n\n---\n",
    ],
)
def test_a_log_without_rows_is_a_parse_error(text: bytes) -> None:
    with pytest.raises(ParseError, match="full log"):
        read(io.BytesIO(text))


@settings(max_examples=25)
@given(values=st.lists(st.integers(1, 60 * 10**9), min_size=1, max_size=50))
def test_a_histogram_keeps_three_digits_and_comes_back_from_its_stored_form(values: list[int]) -> None:
    made = histogram.record(np.array(values, dtype=np.int64))
    back = histogram.decode(histogram.encode(made, "half round trip"))
    assert back.get_total_count() == len(values)
    for percent in (50.0, 90.0, 100.0):
        assert histogram.percentile(back, percent) == histogram.percentile(made, percent)
    assert histogram.percentile(back, 100.0) == pytest.approx(max(values), rel=1.1e-3, abs=1)


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(1, 10**6), min_size=1, max_size=30), min_size=1, max_size=4))
def test_merged_histograms_are_the_histogram_of_all(groups: list[list[int]]) -> None:
    apart = histogram.merge(histogram.record(np.array(group, dtype=np.int64)) for group in groups)
    whole = histogram.record(np.array([value for group in groups for value in group], dtype=np.int64))
    assert [histogram.percentile(apart, p) for p in (1, 50, 99, 100)] == [
        histogram.percentile(whole, p) for p in (1, 50, 99, 100)
    ]
    steps = [(each.value_iterated_to, each.count_added_in_this_iter_step) for each in whole.get_recorded_iterator()]
    assert list(histogram.recorded(whole)) == steps


@pytest.mark.parametrize("stored", [{}, {"encoded": "?"}, {"encoded": "aGVsbG8="}, {"encoded": ""}])
def test_what_is_no_histogram_is_a_usage_error(stored: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="not a stored histogram"):
        histogram.decode(stored)


@pytest.mark.serial
@pytest.mark.skipif(shutil.which("sockperf") is None, reason="needs sockperf")
def test_the_real_program_under_load_gives_raw_and_corrected_figures_and_histograms() -> None:
    kernel = stacks.named("kernel")
    library = kernel.locate("")
    assert library is not None
    rig = Rig(on_one(LocalHost()), kernel, (library, faststart_library()), str(shutil.which("sockperf")))
    run = rig.execute({}, replace(LOADED, rate_mps=2000), full_log=True)
    assert run.measurement is not None, run.reason
    assert run.measurement.latency_p99_corrected_us is not None
    assert run.measurement.histogram is not None
    whole = histogram.decode(run.measurement.histogram)
    assert whole.get_total_count() == run.measurement.observations
