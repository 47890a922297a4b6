"""A session that is gone on with starts what its user has or names, never what its store says."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import Ticking, polling_helps

from tuner import api
from tuner.errors import TunerError, UsageError
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.progress import Progress, Silent
from tuner.session.setup.resumption import Named
from tuner.session.workspace import Ongoing, Workspace
from tuner.stacks.preloads import faststart_library

BEFORE = 8


class Noted(Silent):
    """Remembers what was told."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def note(self, line: str) -> None:
        """Remember a line."""
        self.told.append(line)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def at(tmp_path: Path, told: list[str]) -> Workspace:
    """Return a workspace with a comparison that was interrupted after some runs."""
    host = SimulatedHost(polling_helps)
    host.wall_s = 1.0

    def stopping(environment: Mapping[str, str]) -> float:
        if len(host.runs) >= BEFORE:
            raise KeyboardInterrupt
        return polling_helps(environment)

    @contextmanager
    def watched(_session: Ongoing) -> Iterator[Progress]:
        yield Noted(told)

    host.latency = stopping
    at = Workspace(tmp_path, host=host, now=Ticking(host), watch=watched)
    with pytest.raises(KeyboardInterrupt):
        api.compare("default", "latency", at=at)
    host.latency = polling_helps
    return at


def alter(at: Workspace, changes: Mapping[str, Any]) -> None:
    """Replace parts of the plan in the store, as somebody who hands it on could."""
    with closing(sqlite3.connect(at.results.database)) as store:
        ((plan,),) = store.execute("select plan from sessions")
        store.execute("update sessions set plan = ?", (json.dumps(json.loads(plan) | changes),))
        store.commit()


def started(at: Workspace) -> list[str]:
    assert isinstance(at.host, SimulatedHost)
    return [run.client.argv[0] for run in at.host.runs[BEFORE:]]


def test_the_stored_program_is_not_started_and_the_difference_is_told(at: Workspace, told: list[str]) -> None:
    alter(at, {"sockperf": "/evil/sockperf"})
    api.resume(at=at)
    assert set(started(at)) == {"/usr/bin/sockperf"}
    assert any("began with /evil/sockperf and goes on with /usr/bin/sockperf" in line for line in told)


def test_a_program_that_is_named_again_is_started(at: Workspace, told: list[str]) -> None:
    alter(at, {"sockperf": "/mine/sockperf"})
    api.resume(named=Named("/mine/sockperf"), at=at)
    assert set(started(at)) == {"/mine/sockperf"}
    assert not any("began with" in line for line in told)


def test_a_stored_library_is_not_loaded_and_the_difference_is_told(at: Workspace, told: list[str]) -> None:
    [stored] = at.store().sessions()
    alter(at, {"preloads": ["/evil/libtuner_kernel.so", *stored.plan["preloads"][1:]]})
    api.resume(at=at)
    assert isinstance(at.host, SimulatedHost)
    assert not any("/evil" in value for run in at.host.runs for value in run.client.environment.values())
    assert any("began with /evil/libtuner_kernel.so" in line for line in told)


def test_further_libraries_are_loaded_only_when_they_are_named_again(at: Workspace, tmp_path: Path) -> None:
    [stored] = at.store().sessions()
    library = tmp_path / "more.so"
    library.write_bytes(faststart_library().read_bytes())
    first, *rest = stored.plan["preloads"]
    alter(at, {"preloads": [first, str(library), *rest]})
    with pytest.raises(UsageError, match="further libraries") as caught:
        api.resume(at=at)
    assert caught.value.advice == f"name them again: --preload {library}"
    assert started(at) == []
    api.resume(named=Named(preload=(library,)), at=at)
    assert isinstance(at.host, SimulatedHost)
    assert str(library) in at.host.runs[-1].client.environment["LD_PRELOAD"].split(":")


@pytest.mark.parametrize(
    "changes",
    [
        {"baseline": {"profile": "default", "settings": {"LD_AUDIT": "/evil.so"}}},
        {"known": [{"profile": "latency", "settings": {"LD_PRELOAD": "/evil.so"}}]},
        {"fixed": {"PATH": "/evil"}},
        {"server_profile": {"profile": "default", "settings": {"LD_PRELOAD": "/evil.so"}}},
        {
            "baseline": {"profile": "same", "settings": {"LD_AUDIT": "/evil.so"}},
            "known": [{"profile": "same", "settings": {}}],
        },
        {"ends": {"server": "ssh://evil", "client": "ssh://evil", "program": "/evil", "preloads": ["/evil.so"]}},
        {"further": {"LD_AUDIT": "/evil.so"}},
        {"stack": "../../evil"},
        {"stack": "evil"},
    ],
)
def test_a_plan_that_no_user_could_have_asked_for_starts_nothing(at: Workspace, changes: Mapping[str, Any]) -> None:
    alter(at, changes)
    with pytest.raises(TunerError):
        api.resume(at=at)
    assert started(at) == []


@pytest.mark.parametrize(
    "change",
    [
        {"further_args": ["--load-vma=/evil.so"]},
        {"further_args": ["--full-log", "/etc/passwd"]},
        {"address": "evil.example"},
        {"server_cpus": "1 /evil"},
        {"message_bytes": -1},
    ],
)
def test_a_workload_that_no_user_could_have_asked_for_starts_nothing(at: Workspace, change: Mapping[str, Any]) -> None:
    [stored] = at.store().sessions()
    alter(at, {"workloads": [stored.plan["workloads"][0] | change]})
    with pytest.raises(TunerError):
        api.resume(at=at)
    assert started(at) == []


def test_a_stored_trial_of_other_variables_starts_nothing(at: Workspace) -> None:
    with closing(sqlite3.connect(at.results.database)) as store:
        store.execute("update trials set settings = ? where number = 1", (json.dumps({"LD_PRELOAD": "/evil.so"}),))
        store.commit()
    with pytest.raises(UsageError) as caught:
        api.resume(at=at)
    assert "trial 1: LD_PRELOAD" in str(caught.value.findings[0])
    assert started(at) == []


def test_another_release_of_the_library_is_refused(at: Workspace) -> None:
    alter(at, {"release": "9.9.9"})
    with pytest.raises(UsageError, match=r"began with release 9\.9\.9"):
        api.resume(at=replace(at))
