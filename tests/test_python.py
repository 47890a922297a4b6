"""`import tuner`: every option of a command under its name, typed answers, and nothing printed, ended or lost."""

from __future__ import annotations

import contextlib
import copy
import doctest
import inspect
import math
import pickle
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from sessions import Ticking, polling_helps

import tuner
from tuner.cli.group import Listed
from tuner.cli.main import program
from tuner.python import functions, options
from tuner.records import State
from tuner.report.frames import own_column
from tuner.runs.recipe import Recipe
from tuner.runs.simulated import SimulatedHost

KEPT = Path(__file__).parent / "data" / "api.txt"
COMMANDS = {
    "tune": ("tune",),
    "compare": ("compare",),
    "check_regression": ("check-regression",),
    "history": ("history",),
    "measure": ("measure",),
    "minimise": ("minimise",),
    "recommend": ("recommend",),
    "resume": ("sessions", "resume"),
}
OURS = {"progress", "at"}
"""What functions have and commands have not: a command is watched by its terminal, in the user's own folders."""
NO_FUNCTION = {
    "history": {"format", "output"},
    "recommend": {"server", "client", "output"},  # which are printed, and written
}
NO_EXAMPLE = {"__version__", "Answer"}
"""What has no docstring of its own: a text, and a union."""
RECIPE = 'name = "mine"\n[client]\ncommand = "true"\n'


def workspace(folder: Path, host: SimulatedHost | None = None) -> tuner.Workspace:
    """Return a workspace on a simulated host, in simulated time."""
    host = host or SimulatedHost(polling_helps)
    host.wall_s = 1.0
    return tuner.Workspace(folder, host=host, now=Ticking(host))


def options_of(words: tuple[str, ...]) -> set[str]:
    """Return the options and arguments of a command, by the names under which a function has them."""
    command: Any = typer.main.get_command(program())
    for word in words:
        command = command.commands[word]
        command = command.imported() if isinstance(command, Listed) else command
    named = [next((each for each in param.opts if each.startswith("--")), param.name) for param in command.params]
    return {each.removeprefix("--").replace("-", "_") for each in named} - {"help", "json", "verbose"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_function_has_every_option_of_its_command_and_no_other(name: str) -> None:
    parameters = set(inspect.signature(getattr(tuner, name)).parameters)
    assert parameters - OURS == options_of(COMMANDS[name]) - NO_FUNCTION.get(name, set())


def test_what_a_group_of_options_declares_is_documented() -> None:
    for group in (functions.TuneOptions, functions.ResumeOptions):
        source = "".join(inspect.getsource(base) for base in (options, functions))
        for name in options.declared_in(group):
            assert f"    {name}: " in source
    documented = inspect.getsource(options).split('"""')
    assert len(documented) > 2 * len(options.declared_in(functions.TuneOptions)) - 20


def test_an_answer_says_what_was_found(tmp_path: Path) -> None:
    found = tuner.tune(
        "latency",
        stack="kernel",
        budget="60s",
        seed=1,
        optimizer="random",
        guard="p99.9 < 1.1x",
        at=workspace(tmp_path),
    )
    assert found.verdict is tuner.Decision.IMPROVED
    assert found.gain is not None
    assert found.gain.ratio == pytest.approx(12.0, rel=0.1)
    assert found.winner.settings["XLIO_RX_POLL"] == "-1"
    assert found.to_dict()["gain"]["ratio"] == found.gain.ratio


def test_options_reach_the_runs(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    tuner.measure(runs=1, message_bytes=77, protocol="udp", rate="20000", mode="ul", at=at)
    assert isinstance(at.host, SimulatedHost)
    words = at.host.runs[0].client.argv
    assert {"77", "under-load", "20000"} <= set(words)


def test_minimising_comparing_and_checking_take_their_options(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    assert [each.name for each in tuner.minimise("latency", budget=60, at=at).minimised.kept] == ["XLIO_RX_POLL"]
    assert tuner.compare("default", "latency", budget="30s", at=at).verdict is tuner.Decision.IMPROVED
    assert tuner.calibrate(runs=12, at=at).calibration is not None
    assert not tuner.check(lib=tmp_path / "missing.so", at=at).fit
    assert tuner.recommend(at=at).chosen is None


def test_every_wrong_argument_is_told_at_once_with_the_nearest_name(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {"buget": "3s", "seed": "x", "message_bytes": True, "guard": 7, "preload": "lib.so"}
    with pytest.raises(tuner.UsageError) as told:
        tuner.tune("latency", **wrong, at=workspace(tmp_path / "results"))
    assert [each.where for each in told.value.findings] == list(wrong)
    assert told.value.findings[0].suggestion == "did you mean budget?"
    assert any("did you mean budget?" in note for note in told.value.__notes__)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("budget", [math.nan, math.inf, -math.inf])
def test_a_budget_without_an_end_is_refused(budget: float, tmp_path: Path) -> None:
    with pytest.raises(tuner.UsageError, match=f"budget {budget} is not a duration"):
        tuner.tune("latency", budget=budget, at=workspace(tmp_path))


@pytest.mark.parametrize("runs", [0, -1])
def test_no_runs_are_none(runs: int, tmp_path: Path) -> None:
    for ask in (tuner.measure, tuner.calibrate):
        with pytest.raises(tuner.UsageError, match=f"runs {runs} is too few"):
            ask(runs=runs, at=workspace(tmp_path / "results"))
    assert not (tmp_path / "results").exists()


def test_python_shows_an_answer_on_one_line_which_says_what_it_is(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    compared = tuner.compare("default", "latency", budget=30, at=at)
    assert repr(compared) == f"<CompareAnswer {compared.session}: improved: {compared.why}>"
    assert re.fullmatch(r"<MeasureAnswer \S+: latency, \d+ metrics>", repr(tuner.measure("latency", runs=2, at=at)))
    assert re.fullmatch(r"<CalibrateAnswer \S+: default>", repr(tuner.calibrate(runs=4, at=at)))
    assert repr(tuner.history("latency", at=at)).startswith("<History kernel/latency, latency_p50_us: 2 sessions")
    checked = tuner.check_regression("latency", against="default", max=30, at=at)
    assert repr(checked) == f"<Checked {checked.answer.session}: {checked.outcome}: {checked.why}>"
    assert repr(tuner.open_store(tmp_path)) == f"<OpenStore {tmp_path / 'tuner.db'}>"
    assert pickle.loads(pickle.dumps(checked)) == copy.deepcopy(checked) == checked  # noqa: S301 - made here


def test_type_checkers_see_wrong_arguments_too() -> None:
    with pytest.raises(tuner.UsageError):
        tuner.tune("latency", buget="3s")  # type: ignore[call-arg] # an ignore that nothing needs would be an error
    with pytest.raises(tuner.UsageError):
        tuner.measure(seed="x")  # type: ignore[arg-type]


def test_a_recipe_is_started_where_it_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RECIPE)
    with pytest.raises(tuner.UsageError, match="not trusted it yet"):
        options.recipe({"workload": tmp_path / "mine.toml"})
    found = options.recipe({"workload": tmp_path / "mine.toml", "trust": True})["recipe"]
    assert isinstance(found, Recipe)
    assert options.recipe({"workload": found})["recipe"] is found
    assert options.recipe({"workload": "redis"})["recipe"] != found
    typed = options.recipe({"client_cmd": "true", "metric": {"a": "a=(.*)"}})["recipe"]
    assert isinstance(typed, Recipe)
    assert [each.name for each in typed.metrics] == ["a"]


def test_progress_is_told_as_events_in_their_order(tmp_path: Path) -> None:
    told: list[tuner.Event] = []
    found = tuner.compare("default", "latency", budget=30, progress=told.append, at=workspace(tmp_path))
    assert (told[0].what, told[0].text) == (tuner.What.SESSION, found.session)
    measured = [event for event in told if event.what is tuner.What.MEASURED]
    assert len(measured) == len(tuner.open_store(tmp_path).runs())
    assert all(event.run and event.run.measurement for event in measured)


def test_what_a_callback_raises_comes_through_and_the_runs_are_kept(tmp_path: Path) -> None:
    def stop(event: tuner.Event) -> None:
        if event.what is tuner.What.MEASURED and event.run and event.run.number == 3:
            raise RuntimeError("enough")

    at = workspace(tmp_path)
    with pytest.raises(RuntimeError, match="enough"):
        tuner.compare("default", "latency", progress=stop, at=at)
    [session] = at.store().sessions()
    assert (session.state, len(at.store().runs(session.id))) == (State.STOPPED, 4)
    assert tuner.resume(at=at).to_dict()["verdict"] == tuner.Decision.IMPROVED


def interrupting(number: int, times: int) -> Callable[[tuner.Event], None]:
    def interrupt(event: tuner.Event) -> None:
        if event.what is tuner.What.MEASURING and event.trial and interrupted["at"] < times:
            interrupted["runs"] += 1
            if interrupted["runs"] >= number:
                interrupted["at"] += 1
                signal.raise_signal(signal.SIGINT)

    interrupted = {"runs": 0, "at": 0}
    return interrupt


def test_the_first_interruption_gives_an_answer_that_says_so(tmp_path: Path) -> None:
    found = tuner.tune("latency", budget=600, progress=interrupting(40, 1), at=workspace(tmp_path))
    assert found.time.stopped
    assert found.verdict is tuner.Decision.IMPROVED
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_interruption_ends_at_once_and_loses_no_run(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        tuner.tune("latency", budget=600, progress=interrupting(10, 2), at=at)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    [session] = at.store().sessions()
    assert session.state is State.STOPPED
    assert len(at.store().runs(session.id)) >= 9


def test_a_handler_of_the_callers_and_other_threads_are_left_alone(tmp_path: Path) -> None:
    seen: list[Any] = []

    def look(event: tuner.Event) -> None:
        if event.what is tuner.What.PHASE:
            seen.append(signal.getsignal(signal.SIGINT))

    def compare() -> None:
        tuner.compare("default", "latency", progress=look, at=workspace(tmp_path))

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        compare()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert set(seen) == {signal.SIG_IGN}
    seen.clear()
    thread = threading.Thread(target=compare)
    thread.start()
    thread.join(timeout=60)
    assert set(seen) == {signal.default_int_handler}


def test_a_store_is_tables_with_units_in_the_names_of_columns(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    found = tuner.tune("latency", budget=40, optimizer="random", at=at)
    store = tuner.open_store(tmp_path)
    sessions, trials, runs = store.sessions(), store.trials(found.session), store.runs("latest")
    assert sessions.loc[0, "verdict"] == "improved"
    assert sessions.loc[0, "ratio"] == pytest.approx(found.gain.ratio if found.gain else 0.0)
    assert trials["runs"].sum() == len(runs) == found.runs
    assert set(trials.role) >= {"baseline", "known"}
    numbers = runs.select_dtypes("number").columns
    assert {"wall_s", "latency_p99_us", "rate_mps"} <= set(numbers)
    assert pd.api.types.is_datetime64_any_dtype(runs["started_at"])
    empty = tuner.open_store(an_empty_session(tmp_path / "empty"))
    assert list(empty.trials()) == list(trials)
    assert set(empty.runs()) <= set(runs)
    answer = store.answer()
    assert answer is not None
    assert answer.to_dict() == found.to_dict()


def an_empty_session(results: Path) -> Path:
    results.mkdir(exist_ok=True)
    workspace(results).store().add_session("20260101-000000-empty", {"kind": "tune"}, {})
    return results


def test_an_empty_session_has_tables_and_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(tuner.UsageError, match="no sessions"):
        tuner.open_store(tmp_path)
    store = tuner.open_store(an_empty_session(tmp_path))
    assert len(store.sessions()) == 1
    assert (len(store.trials()), len(store.runs()), store.answer()) == (0, 0, None)
    assert store.runs()[store.runs().status == "ok"].groupby("profile").size().empty
    assert store.trials()[store.trials().role == "baseline"].empty


def test_a_profile_is_read_merged_checked_written_and_read_again(tmp_path: Path) -> None:
    fast = tuner.Profile.read("latency", stack="kernel")
    assert fast.lint() == ()
    mine = tuner.Profile.of("kernel", {"XLIO_TCP_NODELAY": "0", "XLIO_RX_POLL_YIELD": "1"}, name="mine")
    both = fast.merge(mine)
    assert both.settings == {**fast.settings, **mine.settings}
    assert {each.name for each in both.differences(fast)} == {"XLIO_TCP_NODELAY", "XLIO_RX_POLL_YIELD"}
    assert "has no reason" in " ".join(map(str, both.lint()))
    again = tuner.Profile.read(both.save(tmp_path / "both.toml"))
    assert again.settings == both.settings
    assert "XLIO_TCP_NODELAY=0" in again.export("env", lib="x.so")
    with pytest.raises(tuner.UsageError):
        both.save(tmp_path / "both.toml")
    (tmp_path / "app.env").write_text("XLIO_RX_POLL=100\nPATH=/bin\n")
    found = tuner.Profile.read(tmp_path / "app.env", stack="kernel")
    assert found.settings == {"XLIO_RX_POLL": "100"}
    assert "kernel/latency" in tuner.Profile.names("kernel")


def test_a_profile_that_no_stack_takes_is_refused() -> None:
    with pytest.raises(tuner.UsageError) as told:
        tuner.Profile.of("kernel", {"XLIO_RX_PLL": "1", "XLIO_RX_POLL": "x"})
    assert len(told.value.findings) == 2
    with pytest.raises(tuner.UsageError, match="is of stack kernel and"):
        tuner.Profile.of("kernel", {}).merge(tuner.Profile.of("xlio", {}))


def test_a_session_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tuner.tune("latency", budget=30, optimizer="random", at=workspace(tmp_path))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", sorted({*tuner.__all__} - NO_EXAMPLE))
def test_the_example_of_every_name_of_the_api_does_what_it_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant = functions.workspace

    def simulated(given: functions.StoreOptions) -> tuner.Workspace:
        at = meant(given)
        return replace(workspace(at.folder), watch=at.watch, note=at.note)

    monkeypatch.setattr(functions, "workspace", simulated)
    monkeypatch.chdir(tmp_path)
    names = {
        "tuner": tuner,
        "Path": Path,
        **{key: getattr(contextlib, key) for key in ("contextmanager", "nullcontext")},
    }
    example = doctest.DocTestParser().get_doctest(getattr(tuner, name).__doc__, names, name, None, None)
    assert example.examples
    said: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.DocTestRunner(optionflags=flags).run(example, out=said.append)
    assert failed == 0, "".join(said)


def surface() -> str:
    """Return every name of the API with its signature, or its fields."""
    return "".join(f"{line}\n" for name in sorted(tuner.__all__) for line in told(name, getattr(tuner, name)))


def told(name: str, found: Any) -> list[str]:
    if not inspect.isclass(found):
        return [f"{name}{inspect.signature(found)}" if callable(found) else f"{name}: {type(found).__name__}"]
    if issubclass(found, StrEnum):
        return [f"{name}.{each.name} = {each.value!r}" for each in found]
    rows = [f"{name}.{each.name}: {each.type}" for each in fields(found)] if is_dataclass(found) else [name]
    methods = {key: value for key, value in vars(found).items() if not key.startswith("_")}
    for key, value in sorted(methods.items()):
        plain = getattr(value, "__func__", value)
        if inspect.isfunction(plain):
            rows.append(f"{name}.{key}{inspect.signature(plain)}")
        elif isinstance(value, property):
            rows.append(f"{name}.{key}: {inspect.signature(value.fget).return_annotation}" if value.fget else key)
    return [row for row in rows if "._" not in row]


def test_the_signatures_are_those_that_are_kept() -> None:
    """Where this fails: write what changed into the changelog, then `.venv/bin/python tests/test_python.py`."""
    assert surface() == KEPT.read_text(encoding="utf-8")


def test_the_page_names_everything_of_the_api() -> None:
    page = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    assert [name for name in tuner.__all__ if name not in page] == []


if __name__ == "__main__":
    KEPT.write_text(surface(), encoding="utf-8")


@pytest.mark.parametrize(
    ("metric", "unit", "column"),
    [
        ("rate", "requests/s", "rate_requests_per_s"),
        ("requests_per_s", "requests/s", "requests_per_s"),
        ("late.p99", "us", "late_us.p99"),
        ("p99_ms", "ms", "p99_ms"),
        ("hits", "%", "hits_percent"),
        ("items", "", "items"),
        ("wall_s", "s", "own_wall_s"),
        ("block", "", "own_block"),
    ],
)
def test_a_recipes_metric_is_a_column_with_its_unit_and_hides_none_of_ours(metric: str, unit: str, column: str) -> None:
    assert own_column(metric, unit) == column
