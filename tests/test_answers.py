"""An answer survives its JSON form, keeps its fixed keys, and what is no answer is refused with everything that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import LATENCY, PLAN, SLO, polling_helps, tune

from tuner.errors import StoreError, UsageError
from tuner.judging.objective import objective
from tuner.judging.statistics import Estimate, Gain
from tuner.records import Kind, State, Status, StoredSession
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Workload
from tuner.session.answer import words
from tuner.session.answer.answers import OF_KIND, Failure, TuneAnswer, decision, reason
from tuner.session.answer.json_form import from_json, plain, to_json
from tuner.session.answer.parts import Decision, Described, HostCalm
from tuner.session.answer.stored import answer_of
from tuner.store import Store

EXAMPLE = Path(__file__).parents[1] / "results" / "example"
OF_AN_EARLIER_RELEASE = Path(__file__).parent / "data" / "sessions"
ALONE = replace(PLAN, known=(), start=None, budget_s=1e9, blocks=6)
PLANS = {
    Kind.TUNE: replace(PLAN, budget_s=180.0, blocks=40),
    Kind.COMPARE: replace(PLAN, kind=Kind.COMPARE, known=(LATENCY,)),
    Kind.MEASURE: replace(ALONE, kind=Kind.MEASURE),
    Kind.MINIMISE: replace(PLAN, kind=Kind.MINIMISE, known=(LATENCY,)),
    Kind.CALIBRATE: replace(ALONE, kind=Kind.CALIBRATE),
}
# The fixed shapes of `--json`, and what was there in the first release beyond them.
P = {"profile", "settings", "metrics", "search_gain", "status"}
HOST = {"quarantined", "host"}
TASK = {"stack", "objective", "workload", "workloads"}
KEYS = {
    Kind.TUNE: {
        "session",
        "verdict",
        "why",
        "baseline",
        "winner",
        "known",
        "gain",
        "gain_over_start",
        "finalists",
        "doubts",
    }
    | {"minimised", "trials", "runs", "calibration", "time", "warm_start"}
    | HOST
    | TASK,
    Kind.COMPARE: {"session", "verdict", "why", "a", "b", "gain", "doubts", "time"} | HOST,
    Kind.MEASURE: P | HOST,
    Kind.MINIMISE: {"session", "verdict", "why", "baseline", "known", "winner", "gain", "minimised", "trials", "runs"}
    | {"time"}
    | HOST
    | TASK,
    Kind.CALIBRATE: {"session", "profile", "calibration", "budgets"} | HOST | TASK,
}


@pytest.fixture(scope="module", params=list(Kind))
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    """Return a finished session of each kind."""
    folder = tmp_path_factory.mktemp(str(request.param))
    tune(folder, SimulatedHost(polling_helps), PLANS[request.param])
    return Store(Results(folder).url).session("latest")


def kind_of(session: StoredSession) -> Kind:
    return Kind(session.plan["kind"])


def test_a_stored_answer_is_read_as_the_record_of_its_kind_and_written_as_it_was(session: StoredSession) -> None:
    found = answer_of(session)
    assert found is not None
    assert type(found) is OF_KIND[kind_of(session)]
    assert json.loads(json.dumps(found.to_dict())) == session.verdict


def test_the_shapes_of_json_keep_their_keys(session: StoredSession) -> None:
    assert KEYS[kind_of(session)] <= (session.verdict or {}).keys()


def test_the_parts_of_a_tunings_answer_keep_their_keys(tmp_path: Path) -> None:
    found = tune(tmp_path, SimulatedHost(polling_helps), PLANS[Kind.TUNE])
    assert found["winner"].keys() == P | {"path", "role"}
    assert found["baseline"].keys() == P
    assert found["finalists"][0].keys() == P | {"gain"}
    assert found["gain"].keys() == {"ratio", "low", "high", "confidence", "blocks"}
    assert found["baseline"]["metrics"]["latency_p50_us"].keys() == {"value", "low", "high", "runs", "confidence"}
    assert found["trials"].keys() == {"ok", "failed", "timeout", "not-loaded", "invalid"}
    assert {"wall_s", "runs_s", "budget_s", "runs_by_phase_s"} <= found["time"].keys()
    assert found["minimised"].keys() == {"from", "kept", "dropped", "gain_of_original", "blocks"}


@pytest.mark.parametrize(
    "plan", [SLO, replace(PLAN, objective=objective("balanced"), workloads=(Workload(), Workload()))]
)
def test_answers_of_other_objectives_come_back_too(tmp_path: Path, plan: Any) -> None:
    tune(tmp_path, SimulatedHost(polling_helps, capacity_mps=lambda _environment: 10_000.0), plan)
    stored = Store(Results(tmp_path).url).session("latest")
    found = answer_of(stored)
    assert isinstance(found, TuneAnswer)
    assert json.loads(json.dumps(found.to_dict())) == stored.verdict


def test_the_answer_of_the_last_release_can_be_read() -> None:
    stored = Store.reading(Results(OF_AN_EARLIER_RELEASE)).session("latest")
    found = answer_of(stored)
    assert isinstance(found, TuneAnswer)
    assert found.verdict is Decision.IMPROVED
    assert found.proposals is None
    assert found.time.stopped is False
    written = found.to_dict()
    assert {name: written[name] for name in stored.verdict or {} if name != "time"} == {
        name: value for name, value in (stored.verdict or {}).items() if name != "time"
    }


def test_each_field_that_is_missing_is_named(session: StoredSession) -> None:
    record, answer = OF_KIND[kind_of(session)], dict(session.verdict or {})
    for name in KEYS[kind_of(session)] - {"warm_start"}:
        rest = {other: value for other, value in answer.items() if other != name}
        with pytest.raises(UsageError) as caught:
            from_json(record, rest, "answer")
        assert [finding.where for finding in caught.value.findings] == [f"answer.{name}"]


def test_everything_that_is_wrong_is_told_at_once(session: StoredSession) -> None:
    broken = StoredSession("x", "", State.DONE, 0.0, session.plan, {}, {"verdict": "improve", "host": {"calm": 1}})
    with pytest.raises(StoreError) as caught:
        answer_of(broken)
    said = [str(finding) for finding in caught.value.findings]
    assert len(said) > 4
    assert any("host.calm" in line and "true or false" in line for line in said)
    assert "sessions judge x" in caught.value.advice


def test_a_word_that_is_none_has_its_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        from_json(Failure, {"session": "x", "why": "so", "verdict": "faild"}, "answer")
    assert "did you mean failed?" in str(caught.value.findings[0])


def test_a_session_that_an_error_ended_is_a_failure_whatever_it_was_for() -> None:
    for kind in Kind:
        plan = {"kind": kind.value}
        stored = StoredSession("x", "", State.FAILED, 0.0, plan, {}, {"session": "x", "verdict": "failed", "why": "so"})
        found = answer_of(stored)
        assert isinstance(found, Failure)
        assert decision(found) is Decision.FAILED


def test_a_session_without_an_answer_has_none() -> None:
    assert answer_of(StoredSession("x", "", State.RUNNING, 0.0, {"kind": "tune"}, {}, None)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS[Kind.TUNE], "ratio", "low"]) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(data=st.dictionaries(st.sampled_from(sorted(KEYS[Kind.TUNE])), JSON), kind=st.sampled_from(Kind))
def test_whatever_is_stored_as_an_answer_is_read_or_refused(data: dict[str, Any], kind: Kind) -> None:
    refused = []
    try:
        found = answer_of(StoredSession("x", "", State.DONE, 0.0, {"kind": kind.value}, {}, data))
    except StoreError as reason:
        found, refused = None, list(reason.findings)
    assert (found is None) is bool(refused)


finite = st.floats(min_value=1e-6, max_value=1e6)
estimates = st.builds(Estimate, finite, finite, finite, st.integers(1, 99), st.sampled_from([0.95, 0.5, 0.9688]))
gains = st.builds(Gain, finite, finite, finite, st.integers(2, 99), st.just(0.95))


@given(
    st.builds(
        Described,
        profile=st.text(),
        settings=st.dictionaries(st.text(), st.text()),
        metrics=st.dictionaries(st.text(), estimates),
        search_gain=st.none() | gains,
        status=st.sampled_from(Status),
    )
)
def test_a_profile_comes_back_from_json(found: Described) -> None:
    assert from_json(Described, json.loads(json.dumps(to_json(found))), "it") == found


def test_the_interval_of_one_block_is_unbounded_in_json_and_back() -> None:
    found = Gain(1.5, 0.0, float("inf"), 1, 0.95)
    written = plain(found)
    assert (written["low"], written["high"]) == (None, None)
    assert from_json(
        Described, {"profile": "a", "settings": {}, "metrics": {}, "search_gain": written, "status": "ok"}, "it"
    ) == (Described("a", {}, {}, found, Status.OK))


def test_only_a_host_that_did_not_calm_down_is_spoken_of() -> None:
    assert words.not_calm(HostCalm(calm=True, disturbed=1, blocks=10, reasons={"noise": 1})) == ""
    said = words.not_calm(HostCalm(calm=False, disturbed=9, blocks=10, reasons={"noise": 9}))
    assert "9 of 10" in said
    assert "noise (9)" in said


@pytest.mark.parametrize("sockets", [None, "os-sockets"])
def test_an_improvement_says_that_sockets_of_the_system_were_measured(sockets: str | None) -> None:
    found = answer_of(Store.reading(Results(EXAMPLE)).session("latest"))
    assert isinstance(found, TuneAnswer)
    marked = replace(found, circumstances=replace(found.circumstances, sockets=sockets))
    assert ("os-sockets" in reason(marked)) == (sockets is not None)
    assert marked.to_dict().get("sockets") == sockets
