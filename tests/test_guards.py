"""A guard is read or refused with all that is wrong, and a profile that is not shown to keep it is never recommended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fake
import pytest
from command_line import Tuner
from hypothesis import given
from hypothesis import strategies as st
from sessions import DEFAULT, LATENCY, PLAN, tune

from tuner.errors import UsageError
from tuner.hosts.host import Command
from tuner.hosts.simulated import Words
from tuner.judging.guards import GUARDABLE, Guard, guardable, parse
from tuner.judging.objective import objective
from tuner.records import Kind
from tuner.report.content import content
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Mode, Workload
from tuner.session.judgement import judge
from tuner.session.setup.guarded import guards_of
from tuner.session.setup.plan import Contender, Plan
from tuner.session.setup.request import Request, Task
from tuner.store import Store

TAIL = parse(["p99.9 < 1.2x"])
NODELAY = Contender("nodelay", {"XLIO_TCP_NODELAY": "1"})
GUARDED = replace(PLAN, known=(LATENCY, NODELAY, DEFAULT), guards=TAIL, budget_s=180.0, blocks=40)
_TAIL = re.compile(r"(<MAX> observation|percentile 99\.9\d*) = ([0-9.]+)")


@dataclass
class TailHost(SimulatedHost):
    """A host on which polling is twelve times as fast, but its tail is three times as long as without."""

    def client(self, command: Command) -> Words:
        words = super().client(command)
        if "XLIO_RX_POLL" not in command.environment:
            return words
        return replace(words, stdout=_TAIL.sub(lambda found: f"{found[1]} = {float(found[2]) * 40:.3f}", words.stdout))


def latency(environment: Mapping[str, str]) -> float:
    polled = 3.0 if "XLIO_RX_POLL" in environment else 36.0
    return polled / (1.5 if environment.get("XLIO_TCP_NODELAY") == "1" else 1.0)


def host() -> TailHost:
    return TailHost(latency)


def test_a_guard_that_the_fastest_profile_breaks_leaves_the_best_of_those_that_keep_it(tmp_path: Path) -> None:
    free = tune(tmp_path / "free", host(), replace(GUARDED, guards=()))
    kept = tune(tmp_path / "kept", host(), GUARDED)
    assert "XLIO_RX_POLL" in free["winner"]["settings"]
    assert "guards" not in free
    assert kept["verdict"] == "improved"
    assert "XLIO_RX_POLL" not in kept["winner"]["settings"]
    assert kept["winner"]["settings"]["XLIO_TCP_NODELAY"] == "1"
    assert [(each["guard"], each["keeping"]) for each in kept["guards"]] == [("p99.9 < 1.2x", "kept")]
    assert kept["guards"][0]["high"] < 1.2
    assert "Guard p99.9 < 1.2x is kept (" in kept["why"]
    assert any("profiles of the search break p99.9 < 1.2x and were left out" in each["what"] for each in kept["doubts"])


def test_the_search_proposes_less_of_what_breaks_a_guard_and_none_of_it_is_a_finalist(tmp_path: Path) -> None:
    found = tune(tmp_path, host(), GUARDED)
    assert found["finalists"]
    assert not any("XLIO_RX_POLL" in each["settings"] for each in found["finalists"])


def test_a_comparison_says_which_guard_failed_and_by_which_figure(tmp_path: Path) -> None:
    found = tune(tmp_path, host(), replace(GUARDED, kind=Kind.COMPARE, known=(LATENCY,)))
    assert found["verdict"] == "not improved"
    guard = found["guards"][0]
    assert guard["keeping"] == "not kept"
    assert guard["value"] == pytest.approx(40 / 18, rel=0.1)
    assert found["why"].startswith("guard p99.9 < 1.2x is not kept (2.2")
    assert "Without the guard: latency is 1" in found["why"]


def test_a_guard_that_holds_changes_no_verdict(tmp_path: Path) -> None:
    plan = replace(GUARDED, kind=Kind.COMPARE, known=(NODELAY,))
    assert tune(tmp_path, host(), plan)["verdict"] == "improved"


def test_a_guard_of_what_nobody_measured_is_not_kept(tmp_path: Path) -> None:
    plan = replace(GUARDED, kind=Kind.COMPARE, known=(NODELAY,), guards=parse(["memory < 100MB"]))
    found = tune(tmp_path, host(), plan)
    assert found["verdict"] == "not improved"
    assert found["guards"][0]["keeping"] == "not shown to be kept"
    assert any("memory < 100MB" in each["what"] for each in found["doubts"])


def test_an_absolute_guard_is_held_against_the_profile_alone(tmp_path: Path) -> None:
    plan = replace(GUARDED, kind=Kind.COMPARE, known=(NODELAY,))
    assert tune(tmp_path / "wide", host(), replace(plan, guards=parse(["p99 < 1ms"])))["verdict"] == "improved"
    narrow = tune(tmp_path / "narrow", host(), replace(plan, guards=parse(["p99 < 20us"])))
    assert narrow["verdict"] == "not improved"
    assert narrow["guards"][0]["value"] == pytest.approx(36 / 1.5 * 1.8, rel=0.1)


def test_where_everything_breaks_a_guard_the_verdict_says_so(tmp_path: Path) -> None:
    found = tune(tmp_path, host(), replace(GUARDED, guards=parse(["p99 < 1us"])))
    assert found["verdict"] == "not improved"
    assert "breaks a guard (p99 < 1us)" in found["why"]


def test_minimising_keeps_a_setting_that_only_a_guard_needs(tmp_path: Path) -> None:
    class Protected(TailHost):
        """Polling breaks the tail unless the send buffer is large, which the objective does not see."""

        def client(self, command: Command) -> Words:
            if "XLIO_TCP_SEND_BUFFER_SIZE" in command.environment:
                return SimulatedHost.client(self, command)
            return super().client(command)

    both = Contender("both", {"XLIO_RX_POLL": "-1", "XLIO_TCP_SEND_BUFFER_SIZE": "2097152"})
    plan = replace(GUARDED, kind=Kind.MINIMISE, known=(both,))
    free = tune(tmp_path / "free", Protected(latency), replace(plan, guards=()))
    kept = tune(tmp_path / "kept", Protected(latency), plan)
    assert set(free["winner"]["settings"]) == {"XLIO_RX_POLL"}
    assert set(kept["winner"]["settings"]) == {"XLIO_RX_POLL", "XLIO_TCP_SEND_BUFFER_SIZE"}
    assert "Guard p99.9 < 1.2x is kept (" in kept["why"]


def test_a_stored_session_judges_by_its_guards_again_and_its_report_shows_them(tmp_path: Path) -> None:
    tune(tmp_path, host(), replace(GUARDED, kind=Kind.COMPARE, known=(LATENCY,)))
    store = Store(Results(tmp_path).url)
    session = store.session("latest")
    found = judge(store, session)
    assert (found.equal, found.differences) == (True, ())
    assert content(store, session)["costs"]["rows"][0][0] == "guard p99.9 < 1.2x"
    assert "guard p99.9 \\< 1.2x" in summary(store, session)


def test_a_plan_keeps_its_guards_and_one_of_an_earlier_release_has_none() -> None:
    stored = json.loads(json.dumps(GUARDED.to_dict()))
    assert Plan.from_dict(stored) == GUARDED
    del stored["guards"]
    assert Plan.from_dict(stored).guards == ()


def guards() -> st.SearchStrategy[Guard]:
    limits = st.integers(1, 10**9).map(lambda thousandths: thousandths / 1000)
    return st.builds(guard, st.sampled_from(sorted(GUARDABLE)), limits, st.booleans())


def guard(name: str, limit: float, relative: bool) -> Guard:
    known = guardable()[name]
    floor = bool(known.metric.higher_is_better)
    return Guard(name, limit, relative, known.metric.name, next(iter(known.units)), floor)


@given(guards())
def test_a_guard_is_read_as_it_is_written(one: Guard) -> None:
    assert parse([str(one)]) == (one,)


@given(guards(), st.floats(0.01, 100.0), st.floats(0.01, 100.0))
def test_what_is_beyond_the_limit_has_an_excess_above_0(one: Guard, baseline: float, value: float) -> None:
    excess = one.excess({one.metric: baseline}, {one.metric: value})
    limit = one.limit * (baseline if one.relative else 1.0)
    assert excess is not None
    assert (excess > 0) is (value < limit if one.is_floor else value > limit) or abs(excess) < 1e-9
    assert one.value(excess) == pytest.approx(value / (baseline if one.relative else 1.0))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("P99.9 <= 1.1X", "p99.9 < 1.1x"),
        ("p99<50 us", "p99 < 50us"),
        ("max < 2ms", "max < 2000us"),
        ("memory < 1GB", "memory < 1000MB"),
        ("cpu < 900ms", "cpu < 0.9s"),
        ("rate > 0.95x", "rate > 0.95x"),
        ("rate > 20000msg/s", "rate > 20000msg/s"),
    ],
)
def test_units_and_spellings_are_understood(text: str, same: str) -> None:
    assert [str(each) for each in parse([text])] == [same]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["p98 < 1.1x"], ["unknown metric 'p98'", "p99"]),
        (["p99 < 50"], ["the limit has no unit", "x, us"]),
        (["p99 < 50 parsecs"], ["unknown unit 'parsecs'"]),
        (["p99 > 1.1x"], ["'>' does not fit p99"]),
        (["rate < 1.1x"], ["'<' does not fit rate", "write rate >"]),
        (["p99 < 0x"], ["no value is 0 or less"]),
        (["p99"], ["is not a guard"]),
        ([""], ["nothing"]),
        (["p99 < 1x", "p99 < 2x"], ["guarded twice"]),
        (["p98 < 1x and p99 = 2x", "cpu < 3MB"], ["unknown metric 'p98'", "'=' does not fit", "unknown unit 'MB'"]),
    ],
)
def test_everything_that_is_wrong_with_guards_is_told_at_once(texts: list[str], said: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(texts)
    told = " ".join(map(str, caught.value.findings))
    assert [each for each in said if each not in told] == []


def asked(kind: Kind, goal: str, workload: Workload, *texts: str) -> tuple[Guard, ...]:
    return guards_of(Request(kind, task=Task(guards=texts)), objective(goal), (workload,))


def test_guards_that_a_session_cannot_judge_are_refused() -> None:
    throughput = Workload(mode=Mode.THROUGHPUT)
    with pytest.raises(UsageError, match="cannot be judged"):
        asked(Kind.TUNE, "throughput", throughput, "p99 < 1.1x")
    with pytest.raises(UsageError, match="cannot be judged"):
        asked(Kind.TUNE, "max rate where p99 < 50us", Workload(), "p99.9 < 1.1x")
    with pytest.raises(UsageError, match="no effect"):
        asked(Kind.MEASURE, "latency", Workload(), "p99 < 1.1x")
    assert asked(Kind.TUNE, "throughput", throughput, "cpu < 1.1x") == parse(["cpu < 1.1x"])


def test_the_command_line_takes_guards_and_tells_what_is_wrong_with_them(tuner: Tuner, tmp_path: Path) -> None:
    program = str(fake.install(tmp_path, noise=0.01))
    wrong = tuner("tune", "latency", "--guard", "p98 < 1.1x", "--sockperf", program)
    assert wrong.status == 2
    assert "unknown metric 'p98'" in wrong.err
    arguments: list[Any] = ["--guard", "p99 < 50x", "--guard", "cpu < 50x", "--budget", "12s", "--sockperf", program]
    found = tuner("compare", "default", "latency", *arguments, "--json")
    assert [each["guard"] for each in found.json["guards"]] == ["p99 < 50x", "cpu < 50x"]
