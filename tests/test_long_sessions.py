"""A long session costs as much a trial as a short one: what a block moves is what is looked at again, and what is kept is bounded."""

from __future__ import annotations

import random
import statistics
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simulation
from hypothesis import given
from hypothesis import strategies as st

from tuner.judging.objective import objective
from tuner.judging.statistics import pooled_sd, promise
from tuner.measurement import Measurement
from tuner.records import Phase, Role, Run, Status, Trial
from tuner.search.history import History, Observation
from tuner.search.optimizer import Outcome
from tuner.session.measuring import metrics
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.gains import Gains
from tuner.session.measuring.journal import Journal
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.slim import slim
from tuner.session.phases import beliefs, standings
from tuner.session.phases.baseline_shift import seen
from tuner.session.phases.search import MOST_LOOKS, deserving
from tuner.session.setup.marks import Marks

DISTURBED = {"steal_share": 0.5}


def run(
    number: int, trial: int, block: int, phase: Phase, us: float, status: Status = Status.OK, **evidence: object
) -> Run:
    measured = Measurement(latency_p50_us=us, latency_p99_us=2 * us) if status is Status.OK else None
    return Run(status, "", "", 1.0, measured, evidence, number=number, trial=trial, block=block, phase=phase)


def session(blocks: int, seed: int) -> Iterator[tuple[Ledger, Run]]:
    """Yield a ledger after each run of a session that calibrates and searches: failures, disturbed blocks and second looks."""
    rng, number = random.Random(seed), 0
    ledger = Ledger("s", [Trial(0, "default", Role.BASELINE, {})])
    for block in range(blocks):
        calibrating = block < 3
        trials = [0] if calibrating else _of_block(ledger, rng)
        telemetry = {"telemetry": {"wall_s": 1.0, **DISTURBED}} if rng.random() < 0.2 else {}
        for trial in [0, *trials] if calibrating else trials:
            status = Status.FAILED if trial and rng.random() < 0.05 else Status.OK
            phase = Phase.CALIBRATE if calibrating else Phase.SEARCH
            made = run(number, trial, block, phase, rng.lognormvariate(3.0, 0.1), status, **telemetry)
            ledger.add_run(made)
            number += 1
            yield ledger, made


def _of_block(ledger: Ledger, rng: random.Random) -> list[int]:
    """Return the baseline, two new trials and one that was measured before, in random order."""
    known = len(ledger.trials)
    for trial in (known, known + 1):
        ledger.add_trial(Trial(trial, f"candidate-{trial}", Role.CANDIDATE, {"XLIO_RX_POLL": str(trial)}))
    again = [rng.randrange(1, known)] if known > 1 else []
    trials = [0, known, known + 1, *again]
    rng.shuffle(trials)
    return trials


def computed_anew(evidence: Evidence) -> tuple[list[Trial], float, list[Trial]]:
    """Return the ranking, the spread and who deserves another look as everything that was measured says."""
    others = [
        trial
        for trial in evidence.ledger.trials[1:]
        if evidence.ledger.status(trial.number, {Phase.SEARCH}) is Status.OK
    ]
    gains = {trial: seen(evidence.gains, trial.number) for trial in others}
    sd = pooled_sd(gains.values(), evidence.gains.over_itself())
    order = sorted((trial for trial in others if gains[trial]), key=lambda trial: -promise(gains[trial], sd)[0])
    bar = promise(gains[order[0]], sd)[0] if order else 0.0
    again = [trial for trial in order if promise(gains[trial], sd)[1] >= bar and len(gains[trial]) < MOST_LOOKS]
    return order, sd, again


@pytest.mark.parametrize("seed", range(4))
def test_standings_kept_as_blocks_come_are_those_computed_anew(seed: int) -> None:
    evidence: Evidence | None = None
    for ledger, made in session(40, seed):
        evidence = evidence or Evidence(simulation.PLAN, ledger)
        if made.number % 3 == 0:
            order, sd, again = computed_anew(evidence)
            assert list(standings.ranked(evidence)) == order
            assert standings.spread(evidence) == pytest.approx(sd, rel=1e-12)
            assert list(deserving(evidence)) == again
    assert evidence
    means = [statistics.fmean(seen(evidence.gains, trial.number)) for trial in computed_anew(evidence)[0]]
    assert standings.standings(evidence).apart == pytest.approx(statistics.stdev(means), rel=1e-9)


def test_a_block_looks_only_at_the_trials_that_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def watched(gains: Gains, trial: int) -> list[float]:
        looked_at.append(trial)
        return seen(gains, trial)

    monkeypatch.setattr(standings, "seen", watched)
    counts: list[int] = []
    evidence: Evidence | None = None
    for ledger, _ in session(120, 5):
        evidence = evidence or Evidence(simulation.PLAN, ledger)
        looked_at.clear()
        standings.incumbent(evidence)
        counts.append(len(looked_at))
    assert evidence
    assert len(evidence.ledger.trials) > 200
    assert max(counts[len(counts) // 2 :]) < 30  # a disturbed block may move a few others


def test_a_ledger_knows_the_blocks_that_count_whatever_order_they_were_disturbed_in() -> None:
    ledger = None
    for ledger, _ in session(60, 9):
        blocks = {each.block for each in ledger.runs if each.phase is Phase.SEARCH}
        assert ledger.blocks(Phase.SEARCH) == sorted(blocks - ledger.quarantined)
        assert ledger.next_block() == 1 + max(each.block for each in ledger.runs)
    assert ledger
    assert ledger.quarantined


def test_a_session_keeps_of_its_runs_what_is_compared_and_the_last_one_whole(tmp_path: Path) -> None:
    measured = Measurement(latency_p50_us=1.0, histogram={"half round trip": "x" * 1000})
    rows = [
        Run(Status.OK, "", "", 1.0, measured, {"environment": {"A": "1"}, "telemetry": {"wall_s": 1.0}}, number=at)
        for at in range(3)
    ]

    class Stored(simulation.Memory):
        def trials(self, session: str, first: int = 0) -> tuple[Trial, ...]:
            return (Trial(0, "default", Role.BASELINE, {}),)

        def one_by_one(self, session: str, most: int | None = None) -> Iterator[Run]:
            return iter(rows)

    *before, last = Journal.resumed(Stored(), "s").ledger.runs
    assert last == rows[-1]
    assert all(each.measurement == Measurement(latency_p50_us=1.0) for each in before)
    assert all(each.evidence == {"telemetry": {"wall_s": 1.0}} for each in before)


NUMBERS = st.floats(0, 1e300) | st.none()
COUNTS = st.integers(0, 1 << 70)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MEASUREMENTS = st.builds(
    Measurement,
    latency_p50_us=NUMBERS,
    latency_max_us=NUMBERS,
    rate_mps=NUMBERS,
    observations=COUNTS,
    sent=COUNTS | st.none(),
    half_round_trip=st.booleans(),
    lost_by_receiver=st.none() | st.lists(COUNTS).map(tuple),
    own=st.none() | st.dictionaries(TEXTS, st.floats(0, 1e300)),
    samples=st.none() | st.dictionaries(TEXTS, COUNTS),
)
EVIDENCE = st.dictionaries(st.sampled_from(["telemetry", "load", "pair"]), TEXTS | COUNTS | st.lists(TEXTS))


@given(st.none() | MEASUREMENTS, EVIDENCE, st.floats(0, 1e9), TEXTS)
def test_a_slim_run_says_what_the_run_said(
    measured: Measurement | None, evidence: Mapping[str, object], wall_s: float, reason: str
) -> None:
    began = "2026-01-02T03:04:05.678901+00:00"
    whole = Run(Status.OK if measured else Status.FAILED, reason, began, wall_s, measured, evidence, 2, 3, 4)
    whole = replace(whole, phase=Phase.CONFIRM, block=7)
    kept = slim(whole)
    names = ("status", "reason", "started_at", "wall_s", "workload", "number", "trial", "phase", "block")
    assert [getattr(kept, name) for name in names] == [getattr(whole, name) for name in names]
    assert kept.measurement == measured
    assert kept.metrics() == whole.metrics()
    assert kept.evidence == evidence
    assert slim(kept) is kept


def test_a_trial_and_its_run_take_less_than_1000_bytes_of_memory() -> None:
    journal, rng = Journal(simulation.Memory(), Ledger("s")), random.Random(3)
    telemetry = {"wall_s": 0.0, "foreign_share": 0.0, "steal_share": 0.0, "softirqs": 0, "context_switches": 0}
    printed = {"exit_status": 0, "stdout": "x" * 1000, "argv": ["sockperf"]}

    def measure(number: int) -> None:
        trial = journal.enter(f"candidate-{number}", {"XLIO_RX_POLL": str(number)}, Role.CANDIDATE)
        us = rng.random()
        measured = Measurement(latency_p50_us=us, latency_p99_us=2 * us, rate_mps=1 / us, observations=number)
        said = {"telemetry": {name: rng.random() for name in telemetry}, "server": printed, "client": printed}
        made = Run(Status.OK, "", "2026-01-02T03:04:05.678901+00:00", rng.random(), measured, said)
        journal.record(trial.number, Phase.SEARCH, number // 5, made, 0.0)

    for number in range(100):
        measure(number)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(100, 1100):
            measure(number)
        assert tracemalloc.get_traced_memory()[0] - before < 1000 * 1000
    finally:
        tracemalloc.stop()


@given(st.lists(st.integers(0, 300)))
def test_marks_hold_what_was_added_to_them(numbers: list[int]) -> None:
    marks = Marks()
    for number in numbers:
        marks.add(number)
    assert {number for number in range(400) if number in marks} == set(numbers)


GAINS = st.none() | st.floats(-1, 1)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from([{}, {"XLIO_RX_POLL": "1"}, {"XLIO_RX_POLL": "2"}]),
    GAINS,
    st.none() | st.floats(0, 1),
    st.booleans(),
    st.none() | st.integers(0, 9),
)


@given(st.lists(OUTCOMES))
def test_a_history_says_every_outcome_again_as_it_was_told(told: list[Outcome]) -> None:
    history = History()
    for outcome in told:
        history.tell(outcome)
    measured = [outcome.settings for outcome in told if not outcome.prior]
    kept = [outcome for outcome in told if not outcome.prior or outcome.settings not in measured]
    assert sorted(map(repr, history.outcomes())) == sorted(map(repr, kept))
    assert [each.settings for each in history.measured()] == [
        settings for at, settings in enumerate(measured) if settings not in measured[:at]
    ]


def test_what_is_told_takes_less_than_200_bytes_of_memory() -> None:
    told = [Outcome({"XLIO_RX_POLL": str(number)}, number / 1000, 0.1, block=number // 5) for number in range(1000)]
    history = History()
    tracemalloc.start()
    try:
        while told:
            history.tell(told.pop())
        assert tracemalloc.get_traced_memory()[0] < 200 * 1000
    finally:
        tracemalloc.stop()


def test_another_plan_that_judges_alike_keeps_what_is_known_of_the_measurements() -> None:
    *_, (ledger, _) = session(5, 1)
    evidence = Evidence(simulation.PLAN, ledger)
    assert evidence.replanned(replace(simulation.PLAN, budget_s=1e4)).gains is evidence.gains
    other = evidence.replanned(replace(simulation.PLAN, objective=objective("throughput")))
    assert other.gains.objective == objective("throughput")
    assert other.metrics is not evidence.metrics


def test_metrics_of_old_blocks_are_forgotten_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_REMEMBERED", 10)
    *_, (ledger, _) = session(30, 3)
    known = metrics.Metrics(ledger, objective("latency"))
    every = [(each.trial, each.block) for each in ledger.runs]
    first, again = ([dict(known.of(*part)) for part in every] for _ in range(2))
    assert first == again
    assert len(known._of) <= 10


def test_few_models_of_a_session_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beliefs, "MOST_KNOWN", 2)
    *_, (ledger, _) = session(12, 2)
    evidence = Evidence(simulation.PLAN, ledger)
    for before in range(8, 12):
        beliefs.believed(evidence, (Phase.SEARCH,), before=before)
    assert len(beliefs._KNOWN[ledger]) == 2


def test_means_of_many_profiles_are_those_of_each() -> None:
    *_, (ledger, _) = session(12, 4)
    found = beliefs.believed(Evidence(simulation.PLAN, ledger), (Phase.SEARCH,))
    assert found
    asked: Sequence[Mapping[str, str]] = [
        {"XLIO_RX_POLL": str(number)} for number in range(2 * beliefs.ASKED_AT_ONCE + 1)
    ]
    assert found.means(asked) == pytest.approx(list(found.of(asked).mean), abs=1e-12)


def test_of_thousands_of_profiles_the_baseline_tells_only_in_blocks_of_which_others_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beliefs, "MOST_PROFILES", 12)
    *_, (ledger, _) = session(60, 6)
    found = beliefs.believed(Evidence(simulation.PLAN, ledger), (Phase.SEARCH,))
    assert found
    scores = found.model.lesson.scores
    assert len(found.told) <= 1 + 12 + beliefs.MOST_AGAIN
    assert {each.block for each in scores if not each.profile} <= {each.block for each in scores if each.profile}
    assert np.isfinite(found.means([{"XLIO_RX_POLL": "1"}])[0])


def test_a_study_of_thousands_is_told_the_best_and_the_latest() -> None:
    optuna_search = pytest.importorskip("tuner.search.optuna_search")
    rows = [Observation({"A": str(at)}, None if at % 7 == 0 else float(at % 1000), None) for at in range(5000)]
    told = optuna_search._worth_telling(rows)
    assert optuna_search._worth_telling(rows[:1000]) == rows[:1000]
    assert len(told) == optuna_search.MOST_TOLD
    assert told[-1] == rows[-1]
    assert max(each.gain or 0.0 for each in told) == 999.0
