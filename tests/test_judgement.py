"""An answer is a function of what is stored: computed again from the database alone it is the same, and a changed one is seen."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import judged
import pytest
from sessions import PLAN, polling_helps, tune
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.records import Kind, Phase, State, StoredSession
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.session.answer.answers import Failure
from tuner.session.judgement import RELEASE, SENTENCES, judge
from tuner.session.tuning import begin
from tuner.store import Store

EXAMPLE = Path(__file__).parents[1] / "results" / "example"
OF_AN_EARLIER_RELEASE = Path(__file__).parent / "data" / "sessions"
CASES = (0, 1, 2, 3, 5, 6, 10, 13, 15, 17, 22, 25, 32)


def asked(folder: Path, *more: str) -> tuple[int, str]:
    """Return the exit status of `tuner sessions judge` and what it prints."""
    arguments = ["sessions", "judge", "--results", str(folder), *more]
    done = CliRunner().invoke(program(), arguments)
    return done.exit_code, done.output


def restored(store: Store, session: StoredSession, answer: Mapping[str, Any] | None, state: State = State.DONE) -> None:
    """Store another answer of a session."""
    store.close_session(session.id, state, session.spent_s, answer)


def test_the_cases_have_all_kinds_objectives_and_endings() -> None:
    cases = [judged.case(number) for number in CASES]
    assert {case.plan.kind for case in cases} == set(Kind)
    assert {case.plan.objective.name for case in cases} == set(judged.OBJECTIVES)
    assert {case.ending for case in cases} == set(judged.ENDINGS)


@pytest.mark.parametrize("number", CASES)
def test_a_stored_answer_is_what_the_stored_runs_say(number: int) -> None:
    _, found = judged.judged(number)
    assert found.stored
    assert found.differences == ()
    assert found.reworded == ()
    assert found.equal


def as_told(value: Any, stored: Any) -> Any:
    """Return of an answer what a stored one says too, but for what the release that measured said in its own words."""
    if isinstance(stored, dict):
        return {name: as_told(value.get(name), each) for name, each in stored.items() if name not in SENTENCES}
    if isinstance(stored, list) and len(value) == len(stored):
        return [as_told(mine, other) for mine, other in zip(value, stored, strict=True)]
    return value


def test_the_example_is_judged_as_it_was_without_starting_a_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_arguments: object, **_named: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess.Popen, "__init__", refused)
    shutil.copy(EXAMPLE / "tuner.db", tmp_path)
    status, said = asked(tmp_path, "--json")
    found = json.loads(said)
    assert (status, found["equal"], found["stored"], found["differences"]) == (0, True, True, [])
    assert found["session"] == found["answer"]["session"]
    stored = Store.reading(Results(tmp_path)).session("latest").verdict or {}
    again = {name: found["answer"][name] for name in stored if name != "time"} | {"time": stored["time"]}
    assert as_told(again, stored) == as_told(stored, stored)
    assert found["reworded"] == []


def test_a_session_of_an_earlier_release_is_judged_by_the_rules_of_today(tmp_path: Path) -> None:
    shutil.copy(OF_AN_EARLIER_RELEASE / "tuner.db", tmp_path)
    _, said = asked(tmp_path, "--json")
    found = json.loads(said)
    assert found["stored"]
    assert found["answer"]["baseline"]["profile"] == "default"
    assert {field.rpartition(".")[2] for field in found["reworded"]} <= {"why", "what", "advice"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder with one finished tuning, minimised."""
    folder = tmp_path_factory.mktemp("finished")
    tune(folder, SimulatedHost(polling_helps), replace(PLAN, budget_s=180.0, blocks=40))
    return folder


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("verdict",), "not improved"),
        (("why",), "nothing beats it"),
        (("gain", "ratio"), 100.0),
        (("runs",), 3),
        (("known", 0, "metrics", "latency_p99_us", "value"), 1.0),
        (("trials", "failed"), 7),
        (("host", "calm"), False),
        (("doubts",), [{"what": "something", "advice": "nothing"}] * 9),
        (("time", "wall_s"), 1.0),
        (("invented",), None),
    ],
)
def test_a_changed_answer_is_seen_and_the_field_is_named(
    finished: Path, tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    store = Store(Results(tmp_path).url)
    session = store.session("latest")
    answer = json.loads(json.dumps(session.verdict))
    inner = answer
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    restored(store, session, answer)
    status, said = asked(tmp_path, "--json")
    fields = {each["field"] for each in json.loads(said)["differences"]}
    assert status == 1
    assert fields == {place_of(place)}
    assert place_of(place) in asked(tmp_path)[1]


def place_of(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place).removeprefix(".")


def test_an_answer_that_lacks_a_field_or_is_none_at_all_is_another_one(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    store = Store(Results(tmp_path).url)
    session = store.session("latest")
    answer = dict(session.verdict or {})
    del answer["winner"]
    restored(store, session, answer)
    assert "winner" in {each.field for each in judge(store, store.session("latest")).differences}
    restored(store, session, {"nonsense": 1})
    assert judge(store, store.session("latest")).equal is False


def test_another_releases_words_are_no_difference_and_are_named(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    store = Store(Results(tmp_path).url)
    session = store.session("latest")
    store.add_session("old", session.plan, {name: fact for name, fact in session.facts.items() if name != RELEASE})
    for trial in store.trials(session.id):
        store.add_trial("old", trial)
    for run in store.runs(session.id):
        store.add_run("old", run, session.spent_s)
    answer = json.loads(json.dumps(session.verdict)) | {"session": "old", "why": "it was said so once"}
    del answer["proposals"]
    restored(store, store.session("old"), answer)
    found = judge(store, store.session("old"))
    assert (found.equal, found.reworded) == (True, ("why",))
    answer["gain"]["ratio"] = 2.0
    restored(store, store.session("old"), answer)
    assert [each.field for each in judge(store, store.session("old")).differences] == ["gain.ratio"]


def test_a_session_without_an_answer_is_judged_by_what_it_has(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    host.latency = stopping(host, 40, polling_helps)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, host)
    status, said = asked(tmp_path)
    assert status == 0
    assert "no answer yet" in said
    found = json.loads(asked(tmp_path, "--json")[1])
    assert (found["equal"], found["stored"]) == (None, False)
    assert found["answer"]["runs"] == len(Store(Results(tmp_path).url).runs(found["session"]))


def test_a_session_that_measured_nothing_cannot_be_judged(tmp_path: Path) -> None:
    session = begin(Store(Results(tmp_path).url), PLAN, {})
    status, said = asked(tmp_path)
    assert status != 0
    assert session not in said


def test_a_baseline_that_does_not_run_is_the_answer_again(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="does not run"):
        tune(tmp_path, SimulatedHost(lambda _environment: float("inf")))
    store = Store(Results(tmp_path).url)
    found = judge(store, store.session("latest"))
    assert isinstance(found.answer, Failure)
    assert found.equal


def test_judging_writes_nothing(finished: Path) -> None:
    store = Store(Results(finished).url)
    before = (store.sessions(), store.trials(store.session("latest").id), store.runs(store.session("latest").id))
    assert asked(finished)[0] == 0
    assert before == (
        store.sessions(),
        store.trials(store.session("latest").id),
        store.runs(store.session("latest").id),
    )


def test_every_run_of_a_minimising_says_for_which_step_it_was_made(finished: Path) -> None:
    store = Store(Results(finished).url)
    runs = [run for run in store.runs(store.session("latest").id) if run.phase is Phase.MINIMISE]
    steps = [run.evidence["step"] for run in runs]
    assert len(set(steps)) > 1
    assert steps == sorted(steps)
