"""One benchmark is known, at one place: everybody else asks what it is called, what it reports, and which way is better."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest
from sessions import PLAN

import tuner
from tuner.judging import metrics
from tuner.judging.metrics import EVERY, HIGHER_IS_BETTER, SHORT
from tuner.judging.objective import OBJECTIVES
from tuner.judging.slo import METRICS as LIMITED
from tuner.measurement import CORRECTED_LATENCIES, LATENCIES, Measurement
from tuner.runs import sockperf
from tuner.runs.chosen import BENCHMARK
from tuner.runs.workload import Mode, Workload
from tuner.session.setup.plan import Plan

PACKAGE: Final = Path(tuner.__file__).parent
MENTIONS: Final = {
    "cli/session_options.py": "--sockperf PATH, and what other options do to it",
    "cli/traffic_options.py": "--sockperf-args, and what Nagle's algorithm is set to without an option",
    "python/options.py": "`sockperf=` and `sockperf_args=`, the same options for programs",
    "runs/chosen.py": "the benchmark that sessions measure with",
    "runs/full_log.py": "its log of every message",
    "runs/simulated.py": "its words, for hosts that do not exist",
    "runs/sockperf.py": "its arguments and its output",
    "runs/sockperf_options.py": "the names of its own options",
}


def test_the_benchmark_is_named_only_where_it_is_known() -> None:
    sources = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert {name for name, text in sources.items() if "sockperf" in text.lower()} == MENTIONS.keys()
    assert len(MENTIONS) <= 8


def test_every_number_that_a_run_can_be_judged_by_is_a_metric_with_its_unit_and_direction() -> None:
    numbers = {
        field.name: 1
        for field in fields(Measurement)
        if field.name not in {"histogram", "histogram_corrected", "own", "samples"}
    }
    reported = set(Measurement(**numbers).metrics())  # type: ignore[arg-type]
    assert {metric.name for metric in EVERY} == reported | {metrics.HELD_RATE}
    assert len({metric.name for metric in EVERY}) == len(EVERY)
    for metric in EVERY:
        assert metric.unit
        assert metric.higher_is_better == ("rate" in metric.name or "bandwidth" in metric.name)


def test_objectives_and_limits_speak_of_metrics_that_there_are() -> None:
    named = {term.metric for objective in OBJECTIVES.values() for term in objective.terms} | set(LIMITED.values())
    assert named <= {metric.name for metric in BENCHMARK.metrics(Workload())}
    assert HIGHER_IS_BETTER.isdisjoint({*LATENCIES, *CORRECTED_LATENCIES})


def test_short_tables_show_what_they_always_did() -> None:
    assert SHORT == (
        "held_rate_mps",
        "latency_p50_us",
        "latency_p99_us",
        "latency_p99_corrected_us",
        "latency_p99_9_us",
        "latency_p99_9_corrected_us",
        "rate_mps",
        "cpu_s",
    )


def test_a_plan_keeps_its_program_under_the_name_of_the_benchmark() -> None:
    stored = json.loads(json.dumps(PLAN.to_dict()))
    assert stored["sockperf"] == PLAN.program
    assert "program" not in stored
    assert Plan.from_dict(stored) == PLAN


@pytest.mark.parametrize("argv", [["-i", "127.0.0.1", "-p", "5001"], ["--port", "5001"], ["-f", "feed.txt"]])
def test_ports_are_found_and_hidden_in_commands_and_files_alike(argv: list[str]) -> None:
    files = {"feed.txt": "T:127.0.0.1:5001\nT:[::1]:5002\n"}
    hidden = " ".join([*BENCHMARK.without_ports(argv, ()), BENCHMARK.file_without_ports(files["feed.txt"], ())])
    found = BENCHMARK.ports(argv, files, ())
    assert found == [*(["5001"] if "5001" in argv else []), "5001", "5002"]
    assert re.findall(r"500\d", hidden) == []
    assert hidden.count("PORT") == len(found)


def test_the_log_adds_to_what_was_printed() -> None:
    import io

    from tuner.runs.simulated import full_log

    workload = Workload(mode=Mode.UNDER_LOAD, rate_mps=1000, reply_every=1)
    found = sockperf.with_log(Measurement(latency_p50_us=3.0), io.BytesIO(full_log(3.0, 1000)), workload)
    assert found.latency_p50_us == 3.0
    assert found.latency_p50_corrected_us is not None
    assert math.isclose(found.latency_p50_corrected_us, 3.0, rel_tol=0.2)
