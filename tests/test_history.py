"""The history of a profile finds where its figure changed, nothing where it did not, and says what changed on the host there."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import history as benchmark
import pytest
from command_line import Tuner
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.cli.screen import history as screen
from tuner.errors import UsageError
from tuner.judging.change_points import FEWEST_SESSIONS, shifts
from tuner.records import State, StoredSession
from tuner.report import history as report
from tuner.results import Results
from tuner.session.history import GAIN, Wanted, history
from tuner.store import Store

STEP_AT = 23


def noisy(seed: int, count: int = 40, step_at: int | None = None, step: float = 0.05, sd: float = 0.02) -> list[float]:
    rng = random.Random(seed)
    after = count if step_at is None else step_at
    return [(step if at >= after else 0.0) + rng.gauss(0.0, sd) for at in range(count)]


def test_a_step_of_two_and_a_half_spreads_is_found_where_it_is() -> None:
    found = [shifts(noisy(seed, step_at=STEP_AT), [0.01] * 40) for seed in range(40)]
    near = [len(one) == 1 and abs(one[0].at - STEP_AT) <= 2 for one in found]
    assert sum(near) >= 36


def test_no_step_is_found_where_there_is_none() -> None:
    assert sum(bool(shifts(noisy(seed), [0.01] * 40)) for seed in range(60)) <= 3


def test_two_steps_are_told_apart_with_their_sizes() -> None:
    values = [*noisy(1, 15), *(each + 0.2 for each in noisy(2, 15)), *(each - 0.1 for each in noisy(3, 15))]
    first, second = shifts(values, [0.01] * 45)
    assert (first.at, second.at) == (15, 30)
    assert first.low < 0.2 < first.high
    assert second.difference == pytest.approx(-0.3, abs=0.02)


def test_one_bad_day_is_no_change() -> None:
    values = noisy(4)
    values[39] += 1.0
    values[20] += 1.0
    assert shifts(values, [0.01] * 40) == ()


def test_a_session_that_hardly_knows_its_figure_counts_less() -> None:
    values = noisy(5, 30)
    doubtful = [0.3 if at >= 26 else 0.01 for at in range(30)]
    wild = [each + (0.15 if at >= 26 else 0.0) for at, each in enumerate(values)]
    assert shifts(wild, [0.01] * 30) != ()
    assert shifts(wild, doubtful) == ()


@given(st.lists(st.floats(-5.0, 5.0), max_size=30), st.integers(0, 3))
@settings(max_examples=25)
def test_whatever_a_series_holds_its_change_points_are_inside_and_in_order(values: list[float], seed: int) -> None:
    found = [each.at for each in shifts(values, [0.1] * len(values), seed)]
    assert found == sorted(set(found))
    assert all(0 < at < len(values) for at in found)
    assert found == [] or len(values) >= FEWEST_SESSIONS
    assert shifts([3.0] * len(values), [0.1] * len(values)) == ()


def rows(count: int = 40, step_at: int | None = STEP_AT, **changes: Any) -> tuple[StoredSession, ...]:
    """Return stored comparisons, a day apart, whose figures are made up: each takes as long as one of them to make."""
    folder = Path("unused")
    first = benchmark.session(folder, "one", 0, None)
    assert first.verdict is not None
    return tuple(_made(first, at, value, step_at, changes) for at, value in enumerate(noisy(6, count, step_at, 0.06)))


def _made(first: StoredSession, at: int, value: float, step_at: int | None, changes: dict[str, Any]) -> StoredSession:
    verdict = json.loads(json.dumps(first.verdict))
    figure = verdict["b"]["metrics"]["latency_p50_us"]
    figure |= {name: 24.0 * math.exp(value) * by for name, by in (("value", 1.0), ("low", 0.98), ("high", 1.02))}
    after = step_at is not None and at >= step_at
    facts = {"hostname": "host", "system": "Linux 6.14.2" if after else "Linux 6.12.9", "tuner": "0.1.0"}
    name = f"202601{at:02}-000000-compare-kernel-latency-{at:04}"
    created = f"2026-{1 + at // 28:02}-{1 + at % 28:02}T00:00:00+00:00"
    return replace(first, id=name, created_at=created, facts=facts, verdict={**verdict, "session": name}, **changes)


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredSession, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("history"))
        return rows()


def kept(rows: tuple[StoredSession, ...]) -> Store:
    return benchmark.Kept(rows)


def test_a_change_point_has_its_dates_its_size_and_what_changed_on_the_host_there(
    stepped: tuple[StoredSession, ...],
) -> None:
    found = history(kept(stepped), Wanted(benchmark.SETTINGS, metric="latency_p50_us"))
    (change,) = found.changes
    assert (change.before, change.created_at) == (stepped[STEP_AT - 1].created_at, stepped[STEP_AT].created_at)
    assert change.low < 1.06 < change.high
    assert change.better is False
    assert [str(each) for each in change.changed] == ["kernel: Linux 6.12.9 → Linux 6.14.2"]
    said = "\n".join(screen.lines(found))
    assert re.search(
        r"between 2026-01-23 and 2026-01-24: latency_p50_us became [4-7]\.\d % higher \(worse\), 95 % CI", said
    )
    assert "kernel: Linux 6.12.9 → Linux 6.14.2" in said


def test_without_a_step_the_history_says_so(stepped: tuple[StoredSession, ...]) -> None:
    found = history(kept(stepped[:STEP_AT]), Wanted(benchmark.SETTINGS))
    assert found.metric == "latency_p50_us"
    assert found.changes == ()
    assert "no change point" in "\n".join(screen.lines(found))


def test_a_few_sessions_are_told_to_be_too_few(stepped: tuple[StoredSession, ...]) -> None:
    found = history(kept(stepped[:4]), Wanted(benchmark.SETTINGS))
    assert not found.enough
    assert "too few sessions to tell a change from chance: 6 more are needed" in "\n".join(screen.lines(found))


def test_other_traffic_and_other_hosts_are_left_out_and_counted(stepped: tuple[StoredSession, ...]) -> None:
    workload = {**stepped[0].plan["workloads"][0], "message_bytes": 999}
    other = replace(stepped[0], plan={**stepped[0].plan, "workloads": [workload]})
    elsewhere = replace(stepped[1], host="another")
    broken = replace(stepped[2], plan={"kind": "compare"})
    running = replace(stepped[3], state=State.RUNNING)
    found = history(kept((other, elsewhere, broken, running, *stepped[4:20])), Wanted(benchmark.SETTINGS))
    assert (len(found.points), found.others, found.unread) == (16, 2, 1)


def test_without_a_profile_it_is_the_one_that_most_sessions_measured(stepped: tuple[StoredSession, ...]) -> None:
    verdict = dict(stepped[0].verdict or {})
    once = replace(stepped[-1], verdict={**verdict, "a": {**verdict["b"], "profile": "once", "settings": {"X": "1"}}})
    found = history(kept((*stepped[:-1], once)), Wanted())
    assert found.profile in {"default", "poll"}
    assert len(found.points) >= len(stepped) - 1


def test_the_gain_is_a_metric_of_its_own(stepped: tuple[StoredSession, ...]) -> None:
    found = history(kept(stepped[:3]), Wanted(benchmark.SETTINGS, metric=GAIN))
    assert (found.unit, len(found.points)) == ("×", 3)
    assert found.points[0].value == pytest.approx(1.5, rel=0.2)


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (Wanted({"XLIO_NONE": "1"}), "measured this profile"),
        (Wanted(benchmark.SETTINGS, metric="latency_p50"), "did you mean latency_p50_us"),
        (Wanted(benchmark.SETTINGS, stack="xlio"), "measured this profile"),
    ],
)
def test_what_no_session_measured_is_an_error_with_the_nearest(
    stepped: tuple[StoredSession, ...], wanted: Wanted, what: str
) -> None:
    with pytest.raises(UsageError) as raised:
        history(kept(stepped), wanted)
    assert what in f"{raised.value} {raised.value.advice}"


def test_the_page_shows_the_change_with_what_changed_and_asks_nothing_of_the_network(
    stepped: tuple[StoredSession, ...],
) -> None:
    hostile = replace(stepped[-1], facts={**stepped[-1].facts, "libc": "<script>alert(1)</script>"})
    older = replace(stepped[-2], facts={**stepped[-2].facts, "libc": "glibc 2.36"})
    page = report.page(history(kept((*stepped[:-2], older, hostile)), Wanted(benchmark.SETTINGS)))
    assert "Linux 6.12.9 → Linux 6.14.2" in page
    assert "became" in page
    assert page.count("<svg") == 2
    assert "<script>alert" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_command_answers_as_table_json_and_page(
    tuner: Tuner, stepped: tuple[StoredSession, ...], tmp_path: Path
) -> None:
    store = Store(Results(tmp_path / "results").url)
    for row in stepped:
        store.add_whole(row, (), ())
    told = tuner("history", "--metric", "latency_p50_us", "--all-hosts")
    assert told.status == 0
    assert "40 sessions" in told.out
    found = tuner("history", "--json", "--metric", "latency_p50_us", "--all-hosts").json
    assert [each["session"] for each in found["changes"]] == [stepped[STEP_AT].id] or found["profile"] == "default"
    page = tuner("history", "--format", "html", "-o", "history.html", "--all-hosts")
    assert (page.out.strip(), Path("history.html").stat().st_size > 20_000) == ("history.html", True)
    wrong = tuner("history", "--format", "htm", "--all-hosts")
    assert (wrong.status, "did you mean html?" in wrong.err) == (2, True)
