"""The first look has a provisional figure within seconds, says that it is provisional, and costs the search nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sessions import DEFAULT, LATENCY, PLAN, SLO, polling_helps, tune

from tuner.cli.screen.view import spoken_best
from tuner.judging.statistics import Gain
from tuner.records import Phase, Role, Run, Status, Trial
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.progress import Silent
from tuner.session.phases.first_look import search_begun
from tuner.session.setup.plan import Contender, Plan
from tuner.store import Store

MANY = tuple(Contender(f"known-{at}", {"XLIO_RX_POLL": str(1000 + at)}) for at in range(9))


@dataclass
class Watcher(Silent):
    """A watcher who writes down when it hears of a leader."""

    host: SimulatedHost
    heard: list[tuple[int, str, int]] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.noted.append(text)

    def best(self, trial: Trial, gain: Gain) -> None:
        self.heard.append((len(self.host.runs), trial.profile, gain.blocks))


def watched(folder: Path, plan: Plan = PLAN) -> tuple[Watcher, Sequence[Run]]:
    host = SimulatedHost(polling_helps)
    watcher = Watcher(host)
    found = tune(folder, host, plan, progress=watcher)
    return watcher, Store(Results(folder).url).runs(found["session"])


def test_the_vendors_profile_has_a_figure_before_anything_is_calibrated(tmp_path: Path) -> None:
    watcher, runs = watched(tmp_path)
    assert watcher.heard[0] == (3, "latency", 1)
    assert "first look: latency, nginx" in watcher.noted
    assert [run.phase for run in runs[:4]] == [*[Phase.SEARCH] * 3, Phase.CALIBRATE]


def test_the_search_goes_on_with_what_was_looked_at(tmp_path: Path) -> None:
    _, runs = watched(tmp_path)
    again = [run.block for run in runs if run.phase is Phase.SEARCH and run.trial in {1, 2}]
    assert again.count(0) == 2
    assert 1 not in again


@pytest.mark.parametrize(("budget_s", "looked"), [(300.0, 5), (30.0, 3), (20.0, 1)])
def test_a_look_is_as_long_as_the_budget_and_a_few_seconds_allow(tmp_path: Path, budget_s: float, looked: int) -> None:
    plan = replace(PLAN, budget_s=budget_s, known=(LATENCY, DEFAULT, *MANY))
    _, runs = watched(tmp_path, plan)
    first = [run for run in runs if run.block == 0]
    assert len(first) == looked + 1


def test_where_a_block_takes_too_long_nothing_is_looked_at(tmp_path: Path) -> None:
    long = tuple(replace(each, duration_s=9) for each in PLAN.workloads)
    _, runs = watched(tmp_path, replace(PLAN, workloads=long, budget_s=300.0))
    assert runs[0].phase is Phase.CALIBRATE


def test_a_search_over_the_load_begins_as_ever(tmp_path: Path) -> None:
    watcher, _ = watched(tmp_path, SLO)
    assert not any(text.startswith("first look") for text in watcher.noted)


def ledger(*phases: Phase) -> Ledger:
    """Return a ledger of one run a block, in these phases."""
    trial = Trial(0, "default", Role.BASELINE, {})
    run = Run(Status.OK, "", "", 1.0, None)
    return Ledger("it", [trial], [run.placed(at, 0, phase, at) for at, phase in enumerate(phases)])


C, S = Phase.CALIBRATE, Phase.SEARCH


@pytest.mark.parametrize(
    ("phases", "begun"),
    [
        ([], False),
        ([S], False),
        ([S, C], False),
        ([S, C, C, S], True),
        ([C, C], False),
        ([C, C, S], True),
        ([S, S], True),
    ],
)
def test_a_search_has_begun_when_it_went_on_after_its_first_look(phases: list[Phase], begun: bool) -> None:
    assert search_begun(ledger(*phases)) is begun


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (Gain(3.1, 0.0, float("inf"), 1, 0.95), "latency ~3.10× (provisional, n = 1 block)"),
        (Gain(3.1, 2.5, 3.9, 4, 0.95), "latency ~3.10× (provisional, 95 % CI 2.5–3.9, n = 4 blocks)"),
    ],
)
def test_a_leader_is_called_provisional_with_what_it_rests_on(gain: Gain, said: str) -> None:
    assert spoken_best(Trial(1, "latency", Role.KNOWN, {}), gain) == said
