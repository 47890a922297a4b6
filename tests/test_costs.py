"""What got worse beside the objective is told, what did not change is seldom told, and what nobody measured is no "no cost"."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import DEFAULT, LATENCY, PLAN, SLO, polling_helps, tune

from tuner.hosts.host import Command
from tuner.hosts.simulated import Words
from tuner.judging.costs import Change, Paired, compared
from tuner.records import Kind
from tuner.report.content import content
from tuner.report.markdown import page
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.answer.cost_words import MOST_TOLD, summed_up
from tuner.store import Store

COMPARE = replace(PLAN, kind=Kind.COMPARE, known=(LATENCY,), blocks=8)


class Costly(SimulatedHost):
    """A host on which polling takes a CPU for the whole test, and memory."""

    def speak(self, command: Command) -> Words:
        polls = "XLIO_RX_POLL" in command.environment
        return replace(super().speak(command), cpu_s=1.05 if polls else 0.4, memory_mb=300.0 if polls else 12.0)


def judged(folder: Path, host: SimulatedHost, plan: Any = COMPARE) -> dict[str, Any]:
    return tune(folder, host, plan)


def costs(found: Mapping[str, Any]) -> dict[str, Any]:
    return {each["metric"]: each for each in found["costs"]}


def test_cpu_and_memory_that_a_profile_takes_stand_in_the_answer_and_in_its_second_sentence(tmp_path: Path) -> None:
    found = judged(tmp_path, Costly(polling_helps))
    assert set(costs(found)) == {"cpu_s", "server_memory_mb"}
    cpu = costs(found)["cpu_s"]
    assert (cpu["winner"], cpu["baseline"], cpu["unit"], cpu["blocks"]) == (2.1, 0.8, "s", 8)
    assert (cpu["low"], cpu["ratio"], cpu["high"]) == pytest.approx((2.625, 2.625, 2.625))
    second = found["why"].split(". ", 1)[1]
    assert second.startswith(
        "Cost: server memory 300 MB instead of 12 MB; CPU 2.1 s instead of 0.8 s a run: two cores sp"
    )


def test_a_tuning_tells_the_costs_of_the_profile_that_it_emits(tmp_path: Path) -> None:
    found = tune(tmp_path, Costly(polling_helps), replace(PLAN, budget_s=180.0, blocks=40))
    assert "XLIO_RX_POLL" in found["winner"]["settings"]
    assert "cpu_s" in costs(found)
    assert "Cost: " in found["why"]
    assert json.loads(json.dumps(found)) == found


def test_what_was_not_measured_is_named_and_not_called_free(tmp_path: Path) -> None:
    found = judged(tmp_path, SimulatedHost(polling_helps))
    unknown = {each["metric"]: each["why"] for each in found["not_compared"]}
    assert unknown["server_memory_mb"] == "not measured"
    assert "as many messages" in unknown["latency_max_us"]
    assert "Not compared: " in found["why"]
    assert "server memory" in found["why"].split("Not compared: ")[1]


def test_a_slower_profile_costs_what_got_worse_with_it(tmp_path: Path) -> None:
    found = judged(tmp_path, SimulatedHost(polling_helps), replace(COMPARE, baseline=LATENCY, known=(DEFAULT,)))
    assert costs(found)["rate_mps"]["ratio"] < 0.2
    assert costs(found)["rate_mps"]["change"] == "worse"


def test_a_search_for_the_highest_rate_compares_no_latencies_of_different_rates(tmp_path: Path) -> None:
    host = SimulatedHost(lambda _: 36.0, capacity_mps=lambda environment: 40_000.0 if environment else 10_000.0)
    found = judged(tmp_path, host, replace(SLO, kind=Kind.COMPARE, known=(LATENCY,)))
    told = [each["metric"] for each in (*found["costs"], *found["no_costs"], *found["not_compared"])]
    assert set(told) == {"cpu_s", "server_memory_mb"}


def test_report_markdown_and_summary_have_the_table(tmp_path: Path) -> None:
    judged(tmp_path, Costly(polling_helps), replace(PLAN, budget_s=180.0, blocks=40))
    store = Store(Results(tmp_path).url)
    session = store.session("latest")
    found = content(store, session)
    assert [row[0] for row in found["costs"]["rows"]][:2] == ["server memory, MB", "CPU, s"]
    for text in (page(found, {}), summary(store, session)):
        assert "## What it costs" in text
        assert "| CPU, s | 0.8 | 2.1 | 2.62" in text


def test_a_metric_that_did_not_change_is_told_as_a_cost_in_few_sessions() -> None:
    rng = random.Random(14)
    for blocks in (4, 8, 16):
        told = sum(_tells_a_cost(rng, blocks) for _ in range(400))
        assert told <= 0.05 * 400


def _tells_a_cost(rng: random.Random, blocks: int) -> bool:
    """Return whether a session in which nothing differs tells a cost: six metrics whose runs now and then are outliers."""

    def values() -> tuple[float, ...]:
        return tuple(rng.lognormvariate(0.0, 0.3 if rng.random() < 0.1 else 0.05) for _ in range(blocks))

    names = ("latency_p99_9_us", "latency_p99_99_us", "latency_max_us", "rate_mps", "cpu_s", "server_memory_mb")
    return any(each.change is Change.WORSE for each in compared([Paired(name, values(), values()) for name in names]))


values = st.lists(st.floats(0.1, 1000.0), min_size=2, max_size=12)


@given(values, st.floats(1.5, 20.0))
def test_what_is_worse_by_a_factor_in_every_block_is_a_cost_and_its_reverse_a_gain(
    baseline: list[float], factor: float
) -> None:
    worse = tuple(value * factor for value in baseline)
    one, other = (
        compared(
            [Paired("cpu_s", tuple(baseline), worse), Paired("rate_mps", tuple(baseline), worse, higher_is_better=True)]
        ),
        compared(
            [Paired("cpu_s", worse, tuple(baseline)), Paired("rate_mps", worse, tuple(baseline), higher_is_better=True)]
        ),
    )
    assert [each.change for each in one] == [Change.WORSE, Change.BETTER]
    assert [each.change for each in other] == [Change.BETTER, Change.WORSE]


@given(values)
def test_a_metric_that_is_the_same_in_every_block_has_not_changed(baseline: list[float]) -> None:
    found = compared([Paired("cpu_s", tuple(baseline), tuple(baseline))])
    assert [each.change for each in found] == [Change.UNCLEAR]


def test_a_metric_of_one_block_is_not_compared() -> None:
    assert compared([Paired("cpu_s", (1.0,), (2.0,))]) == ()


def test_a_verdict_names_the_largest_costs_and_counts_the_others() -> None:
    told = summed_up([f"cost {n}" for n in range(MOST_TOLD + 2)], ["rate"], [])
    assert told == "Cost: cost 0; cost 1; cost 2; 2 more in the report"
    assert summed_up([], ["rate", "CPU"], []) == "No cost shown in rate, CPU"
    assert summed_up([], [], ["p99.9"]) == "Cost: unknown. Not compared: p99.9"
