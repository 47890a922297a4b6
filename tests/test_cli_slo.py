"""SLOs and hopeless requests on the command line: words, the right exit status, a JSON form, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import fake
import pytest
from command_line import Tuner

GOAL = "max rate where p99 < 200us"


@pytest.fixture
def loaded(tmp_path: Path) -> str:
    """Return a fake sockperf whose server has a capacity."""
    return str(fake.install(tmp_path, noise=0.01, capacity_mps=8000))


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("max rate where p98 < 50us", ["unknown metric 'p98'", "did you mean"]),
        ("max rate where p99 < 50 parsecs", ["unknown unit 'parsecs'"]),
        ("max rate where p99 < 10us and p50 > 20us", ["contradicts the search"]),
        ("max rate where p99 < 0us and p98 < 1us", ["no latency is 0 or less", "unknown metric 'p98'"]),
        ("min rate where p99 < 50us", ["'max' was expected instead of 'min'", "for example"]),
    ],
)
def test_an_objective_that_makes_no_sense_is_a_usage_error(
    tuner: Tuner,
    loaded: str,
    objective: str,
    words: list[str],
) -> None:
    ended = tuner("tune", "--objective", objective, "--sockperf", loaded, "--json")
    assert ended.status == 2
    assert [word for word in words if word not in ended.err] == []
    said = str(ended.json["findings"]) + ended.json["error"] + ended.json["advice"]
    assert [word for word in words if word not in said.replace('"', "'").replace("\\'", "'")] == []


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--rate", "1000", "leave --rate out"), ("--mode", "ping-pong", "leave --mode out")],
)
def test_what_the_search_decides_itself_cannot_be_asked_for(
    tuner: Tuner,
    loaded: str,
    option: str,
    value: str,
    words: str,
) -> None:
    ended = tuner("measure", "--objective", GOAL, option, value, "--sockperf", loaded)
    assert ended.status == 2
    assert words in ended.err


def test_a_budget_too_small_for_a_search_over_the_load_says_what_would_do(
    tuner: Tuner,
    loaded: str,
) -> None:
    ended = tuner("tune", "--objective", GOAL, "--budget", "20s", "--sockperf", loaded)
    assert ended.status == 2
    assert "each search over the load of" in ended.err
    assert "--budget 69s is the least" in ended.err


def test_measuring_gives_the_rate_that_holds_and_both_latencies(
    tuner: Tuner,
    loaded: str,
) -> None:
    ended = tuner("measure", "--objective", GOAL, "--runs", "2", "--sockperf", loaded, "--json")
    assert ended.status == 0
    metrics = ended.json["metrics"]
    # p99 is 1.6 times the median, 36 µs / (1 − load / 8000): it holds to 0.712 of the capacity.
    assert metrics["held_rate_mps"]["value"] == pytest.approx(0.7 * 8000, rel=0.1)
    assert metrics["held_rate_mps"]["runs"] == 2
    assert metrics["latency_p99_corrected_us"]["value"] == pytest.approx(metrics["latency_p99_us"]["value"], rel=0.1)


def test_a_limit_that_follows_from_another_is_told(tuner: Tuner, loaded: str) -> None:
    goal = "max rate where p50 < 300us and p99 < 200us"
    ended = tuner("measure", "--objective", goal, "--runs", "1", "--sockperf", loaded)
    assert ended.status == 0
    assert "p50 < 300us has no effect beside p99 < 200us" in ended.err
    assert "held_rate_mps" in ended.out


@pytest.mark.parametrize(
    "command",
    [("measure", "--runs", "1"), ("tune", "--budget", "75s"), ("compare", "default", "latency", "--budget", "40s")],
)
def test_a_limit_that_no_load_holds_is_an_answer_with_status_3(
    tuner: Tuner,
    loaded: str,
    command: tuple[str, ...],
) -> None:
    ended = tuner(*command, "--objective", "max rate where p99 < 1us", "--sockperf", loaded, "--json")
    assert ended.status == 3, ended.err
    assert "no rate of 100 msg/s or more meets p99 < 1us with default" in ended.json["why"]
    assert "the lowest measured was p99" in ended.json["why"]
    if command[0] != "measure":
        assert ended.json["verdict"] == "not improved"
    kept = tuner("sessions", "show", "--json").json
    assert kept["runs"]


def test_a_budget_too_small_to_detect_anything_says_how_much_would_do(
    tuner: Tuner,
    tmp_path: Path,
) -> None:
    noisy = str(fake.install(tmp_path, noise=0.5, seed=3))
    measured = ("check", "--noise", "--runs", "8", "--sockperf", noisy)
    row = tuner(*measured, "--json").json["noise"]["budgets"][0]
    assert row["percent"] is None or row["percent"] > 10
    assert row["enough_s"] > row["budget_s"]
    assert "; for 10 % use --budget " in tuner(*measured).out


def test_a_baseline_that_fails_stops_the_session_in_words_and_json(
    tuner: Tuner,
    tmp_path: Path,
) -> None:
    broken = str(fake.install(tmp_path, crash="client"))
    ended = tuner("tune", "--budget", "13s", "--sockperf", broken, "--json")
    assert ended.status == 1
    assert ended.json["verdict"] == "failed"
    assert "the baseline (default) does not run" in ended.json["error"]
    shown = tuner("sessions", "show")
    assert "SIGSEGV" in shown.out
