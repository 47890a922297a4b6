"""The program as functions: typed answers and typed errors, nothing taken from the process, nothing kept between calls."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import pytest
from sessions import Ticking, polling_helps

import tuner
from tuner import api
from tuner.catalogue import places
from tuner.errors import MissingTool, UsageError
from tuner.hosts.local import LocalHost
from tuner.profiles.library import Shelf
from tuner.profiles.profile import Place
from tuner.records import State
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.session.answer.answers import CompareAnswer
from tuner.session.measuring.progress import Progress, Silent
from tuner.session.setup.request import Search, Setup, Task
from tuner.session.workspace import Ongoing, Workspace
from tuner.store import Store

PACKAGE = Path(tuner.__file__).parent
PAGE = PACKAGE.parent / "docs" / "api.md"
# `tuner run` is no session: this process, with its own environment, becomes the program.
BECOMES = {
    "hosts/become.py": ["os.environ"],
    "hosts/agent.py": ["os.environ", "os.environ"],
    "hosts/reaper.py": ["sys.argv"] * 3,
    "hosts/lab/door.py": ["sys.argv", "sys.stderr", "sys.exit"],
    "hosts/lab/keeper.py": ["sys.argv", "sys.argv", "sys.argv", "sys.exit"],
    "hosts/unpack.py": ["sys.stderr", "sys.exit"],
    "plugins.py": ["SystemExit"],  # which a stranger's module may raise
    "python/functions.py": ["os.environ"],  # ssh is the user's own, with the agent that it names
    "session/measuring/clustered.py": ["os.environ"],  # of the worker, for its ssh
    "report/vega.py": ["sys.stdout"],
    "runs/matching.py": ["sys.stdout"],
    "temporary.py": ["sys.argv"],
}
"""The modules that are programs of their own, and those whose reason stands beside them."""
BELOW = [path for path in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "cli" not in path.parents]


def workspace(folder: Path, host: SimulatedHost | None = None) -> Workspace:
    """Return a workspace on a simulated host, in simulated time."""
    host = host or SimulatedHost(polling_helps)
    host.wall_s = 1.0
    return Workspace(folder, host=host, now=Ticking(host))


def test_tuning_returns_the_verdict_and_the_profile_that_it_wrote(tmp_path: Path) -> None:
    found = api.tune("latency", budget_s=60.0, search=Search(optimizer="random"), at=workspace(tmp_path))
    assert found.verdict is tuner.Decision.IMPROVED
    assert found.gain is not None
    assert found.gain.low > 1
    assert found.winner.path == str(tmp_path / found.session / "best.toml")
    assert Path(found.winner.path).is_file()


def test_a_comparison_says_how_many_times_b_is_better_than_a(tmp_path: Path) -> None:
    found = api.compare("default", "latency", at=workspace(tmp_path))
    assert (found.a.profile, found.b.profile) == ("default", "latency")
    assert found.gain is not None
    assert found.gain.ratio == pytest.approx(12.0, rel=0.05)


def test_measuring_makes_as_many_runs_as_asked_under_the_workload_that_was_asked(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    found = api.measure(runs=3, task=Task(workload={"message_bytes": 77}), at=at)
    assert found.metrics["latency_p50_us"].count == 3
    assert isinstance(at.host, SimulatedHost)
    assert all("77" in run.client.argv for run in at.host.runs)


def test_minimising_leaves_out_what_does_not_help(tmp_path: Path) -> None:
    found = api.minimise("latency", at=workspace(tmp_path))
    assert [worth.name for worth in found.minimised.kept] == ["XLIO_RX_POLL"]


def test_calibrating_measures_pairs_of_runs(tmp_path: Path) -> None:
    found = api.calibrate(runs=11, at=workspace(tmp_path))
    assert found.calibration is not None
    assert found.calibration.runs == 12


def test_checking_says_what_a_session_would_lack_and_measures_nothing(tmp_path: Path) -> None:
    at = workspace(tmp_path / "results")
    found = api.check(setup=Setup(lib=tmp_path / "missing.so"), at=at)
    assert [part.part for part in found.parts if not part.ok] == ["library of kernel"]
    assert not found.fit
    assert found.to_dict()["fit"] is False
    assert api.check(profile="latency", stack="xlio", at=at).memory is not None
    assert isinstance(at.host, SimulatedHost)
    assert at.host.runs == []


def test_a_finished_session_answers_again_without_a_run(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    found = api.compare("default", "latency", at=at)
    before = at.now()
    assert api.resume(found.session, at=at).to_dict() == found.to_dict()
    assert at.now() == before


def test_an_interrupted_session_keeps_its_runs_and_is_gone_on_with(tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    host.latency = stopping(host, 8, polling_helps)
    at = workspace(tmp_path, host)
    with pytest.raises(KeyboardInterrupt):
        api.compare("default", "latency", at=at)
    [kept] = at.store().sessions()
    assert kept.state is State.STOPPED
    assert len(at.store().runs(kept.id)) == 7
    found = api.resume(at=at)
    assert isinstance(found, CompareAnswer)
    assert (found.session, found.verdict) == (kept.id, tuner.Decision.IMPROVED)


def test_who_watches_is_told_and_may_end_the_session_early(tmp_path: Path) -> None:
    told: list[str] = []

    @contextmanager
    def watched(session: Ongoing) -> Iterator[Progress]:
        told.append(f"begins with {len(session.store.runs(session.id))} runs")
        ending = threading.Thread(target=session.end_early)
        ending.start()
        ending.join()
        yield Silent()
        told.append(session.store.session(session.id).state)

    found = api.tune("latency", at=replace(workspace(tmp_path), watch=watched))
    assert told == ["begins with 0 runs", State.STOPPED]
    assert found.time.stopped


@pytest.mark.parametrize("ends", [None, "unknown"])
def test_who_watches_is_left_when_the_session_ends_by_an_error(tmp_path: Path, ends: str | None) -> None:
    left: list[str] = []

    @contextmanager
    def watched(session: Ongoing) -> Iterator[Progress]:
        try:
            yield Silent()
        finally:
            left.append(session.id)

    host = SimulatedHost(lambda _: float("inf")) if ends is None else SimulatedHost(polling_helps)
    with pytest.raises(tuner.TunerError):
        api.measure(ends or "default", at=replace(workspace(tmp_path, host), watch=watched))
    assert len(left) == (1 if ends is None else 0)


def test_errors_are_typed_and_say_what_is_meant(tmp_path: Path) -> None:
    at = workspace(tmp_path)
    with pytest.raises(UsageError) as unknown:
        api.measure("latncy", at=at)
    assert "latency" in unknown.value.advice
    with pytest.raises(UsageError, match="too small"):
        api.tune(budget_s=0.5, at=at)
    with pytest.raises(MissingTool, match="preloaded"):
        api.measure(setup=Setup(preload=[tmp_path / "missing.so"]), at=at)
    with pytest.raises(UsageError, match="no sessions"):
        api.resume(at=workspace(tmp_path / "nothing"))


def test_a_request_that_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        api.tune(budget_s=0.5, at=workspace(tmp_path / "results"))
    assert not (tmp_path / "results").exists()


def test_the_store_may_be_elsewhere_than_the_results_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    at = replace(workspace(tmp_path / "results"), database=url)
    found = api.compare("default", "latency", at=at)
    assert [session.id for session in Store(url).sessions()] == [found.session]
    assert api.resume(found.session, at=at).to_dict() == found.to_dict()
    assert not (tmp_path / "results" / "tuner.db").exists()


def mine(folder: Path, poll: str) -> Shelf:
    """Return a shelf with one profile `mine`, which polls so many times."""
    path = folder / "kernel" / "mine.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'name = "mine"\nstack = "kernel"\nsummary = "Mine."\nreleases = ">=0.1.0"\n\n[settings]\nXLIO_RX_POLL = {poll}\n'
    )
    return Shelf(Place.DIRECTORY, folder)


def test_two_sessions_at_once_have_each_their_own_folders(tmp_path: Path) -> None:
    places.use(places.Places())  # whatever a command that ran in this process has named
    seen: dict[str, tuple[Mapping[str, str], places.Places]] = {}

    def session(name: str, poll: str) -> None:
        at = replace(
            workspace(tmp_path / name),
            shelves=(mine(tmp_path / f"profiles-{name}", poll),),
            data=places.Places(overlays=tmp_path / f"releases-{name}"),
            watch=watched(name),
        )
        api.measure("mine", runs=3, at=at)

    def watched(name: str) -> Any:
        @contextmanager
        def watch(ongoing: Ongoing) -> Iterator[Progress]:
            both.wait(timeout=30)
            seen[name] = (ongoing.plan.baseline.settings, places.Places(overlays=places.overlays()))
            yield Silent()

        return watch

    both = threading.Barrier(2)
    threads = [threading.Thread(target=session, args=each) for each in (("a", "1"), ("b", "2"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    wanted = {"a": "1", "b": "2"}
    assert {name: settings["XLIO_RX_POLL"] for name, (settings, _) in seen.items()} == wanted
    assert {name: found.overlays for name, (_, found) in seen.items()} == {
        name: tmp_path / f"releases-{name}" for name in wanted
    }
    assert [len(Store(f"sqlite:///{tmp_path / name / 'tuner.db'}").sessions()) for name in wanted] == [1, 1]
    assert places.overlays() is None


def test_a_users_workspace_looks_where_the_command_line_looks(tmp_path: Path) -> None:
    environment = {"HOME": "/home/me", "XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/conf"}
    found = Workspace.of_user(environment, tmp_path)
    assert [shelf.folder for shelf in found.shelves[:2]] == [tmp_path / "profiles", Path("/conf/tuner/profiles")]
    assert (found.data.overlays, found.data.stacks) == (Path("/data/tuner/catalogue"), Path("/data/tuner/stacks"))
    assert [shelf.place for shelf in Workspace().shelves] == [Place.PACKAGE]


def test_below_the_command_line_nothing_asks_the_process() -> None:
    asks = re.compile(
        r"\bimport typer|os\.environ\b|os\.getenv|os\.getcwd|\.cwd\(\)|sys\.(?:stderr|stdout|argv|exit)|SystemExit"
    )
    found = {str(path.relative_to(PACKAGE)): asks.findall(path.read_text(encoding="utf-8")) for path in BELOW}
    assert {name: what for name, what in found.items() if what} == BECOMES


def test_every_name_of_the_api_can_be_imported_and_type_checkers_see_the_same() -> None:
    assert sorted(tuner.__all__) == dir(tuner)
    assert [name for name in tuner.__all__ if not hasattr(tuner, name)] == []
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.asname: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname  # the others are only needed to say types
    }
    assert sorted(tuner.__all__) == sorted(["__version__", *map(str, typed)])
    assert {name: sys.modules[str(home)].__dict__[str(name)] for name, home in typed.items()} == {
        name: getattr(tuner, str(name)) for name in typed
    }
    with pytest.raises(AttributeError, match="has no attribute 'tun'"):
        tuner.tun  # noqa: B018 - asking for it is the test


def test_importing_the_package_loads_nothing_of_it_but_its_release() -> None:
    code = "import __future__, sys; before = set(sys.modules); import tuner; dir(tuner); print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ast.literal_eval(done.stdout) == ["tuner", "tuner.version"]


def code_of(page: str) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))


@pytest.mark.long
@pytest.mark.timeout(300)  # three sessions, each as long as its budget
def test_the_pages_code_runs(tmp_path: Path) -> None:
    fake.install(tmp_path)
    # A fake run ends at once, so a session of any budget would only repeat itself: the shortest that can be judged will do.
    code = re.sub(r'budget=(\d+|"\w+")', "budget=13", code_of(PAGE.read_text(encoding="utf-8")))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "did you mean latency?" in done.stdout
    assert (tmp_path / "nightly" / "tuner.db").is_file()


def test_a_real_call_measures_with_the_real_benchmark(tmp_path: Path) -> None:
    found = tuner.api.measure(
        runs=1, task=Task(workload={"duration_s": 1}), at=Workspace(tmp_path, host=LocalHost(turns=tmp_path))
    )
    assert 0 < found.metrics["latency_p50_us"].value < 10_000
    assert json.dumps(found.to_dict())
