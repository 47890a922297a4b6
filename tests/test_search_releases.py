"""A search is made for the release that answers: it proposes what runs there, and says what it proposed and what not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sessions import PLAN, tune, xlio_host, xlio_plan

from tuner import catalogue
from tuner.catalogue.room import Room
from tuner.errors import UsageError
from tuner.profiles.files import read
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.search.dimension import Dimension, Scale
from tuner.search.space import OBJECTIVES, SearchSpace, fitting, load
from tuner.session.measuring.progress import Silent
from tuner.session.measuring.proposals import told
from tuner.session.phases.propose import repairer
from tuner.session.setup.plan import Contender
from tuner.session.tuning import begin
from tuner.store import Store

DRAWS, RUNNABLE = 10, 3
WORKLOADS = [(m, p) for m in ("recvfrom", "select", "poll", "epoll") for p in ("tcp", "udp")]
TEN = ("2.0.6", "2.1.4", "3.0.2", "3.10.5", "3.20.8", "3.30.5", "3.40.2", "3.51.1", "3.61.2", "3.70.2")


class Noting(Silent):
    """A watcher who keeps the notes."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


def spaces(stack: str, release: str | None) -> Iterator[SearchSpace]:
    """Yield each shipped space of a release once: many workloads have the same."""
    seen = set()
    for objective_name in OBJECTIVES:
        for multiplexer, protocol in WORKLOADS:
            space = load(stack, objective_name, multiplexer=multiplexer, protocol=protocol, release=release)
            if space.dimensions not in seen:
                seen.add(space.dimensions)
                yield space


def distinct(stack: str) -> list[str]:
    """Return the releases of a stack of which something is not as in another: names, values, defaults or rules."""
    known = catalogue.load(stack)

    def facts(release: str) -> tuple[object, ...]:
        read = [p for p in known.parameters.values() if p.exists_in(release)]
        values = frozenset((p.name, choice.value) for p in read for choice in p.choices_in(release))
        rules = tuple(rule.id for rule in known.rules if rule.concerns(release))
        defaults = (known.effective({}, release), known.conditional(release))
        return frozenset(p.name for p in read), values, rules, repr(defaults), known.is_read_whole(release)

    return list({facts(release): release for release in known.releases}.values())


@pytest.mark.parametrize("stack", catalogue.stacks())
def test_of_every_shipped_space_at_every_release_at_least_three_in_ten_samples_run(stack: str) -> None:
    known = catalogue.load(stack)
    for release in (None, *distinct(stack)):
        repair = repairer(known, release)
        for space in spaces(stack, release):
            rng = random.Random(7)
            found = 0
            for _ in range(DRAWS):
                found += repair(space.sample(rng)) is not None
                if found == RUNNABLE:
                    break
            assert found == RUNNABLE, f"{stack} {release}: {', '.join(space.names)}"


@pytest.mark.parametrize("goal", OBJECTIVES)
@pytest.mark.parametrize("release", TEN)
def test_a_minute_with_each_release_and_objective_proposes_ten_candidates(
    release: str, goal: str, tmp_path: Path
) -> None:
    found = tune(tmp_path, xlio_host(release), xlio_plan(release, goal))["proposals"]
    assert found["proposed"] >= 10, found
    assert found["measured"] == found["proposed"]


def test_what_the_release_does_not_read_leaves_the_space_with_a_line_that_says_so() -> None:
    space = load("xlio", "balanced", multiplexer="recvfrom", protocol="udp", release="3.40.2")
    assert "XLIO_WORKER_THREADS" not in space.names
    assert any("XLIO_WORKER_THREADS" in line and "3.40.2" in line for line in space.left_out)
    newest = load("xlio", "balanced", multiplexer="recvfrom", protocol="udp")
    assert "XLIO_WORKER_THREADS" in newest.names


def test_a_value_that_the_release_does_not_read_leaves_its_dimension() -> None:
    known = catalogue.load("xlio")
    whole = Dimension("XLIO_MEM_ALLOC_TYPE", Scale.CHOICE, values=("0", "1", "2"))
    for release in known.releases:
        fitted = fitting(known, whole, release)
        read = tuple(v for v in whole.values if known.find(whole.parameter).problem(v, release) is None)
        assert (fitted.dimension.values if fitted.dimension else ()) == read
        assert bool(fitted.missing) == (read != whole.values)


@pytest.mark.parametrize(
    ("text", "release", "words"),
    [
        ("XLIO_WORKER_THREADS", "3.40.2", "it is read from"),
        ("XLIO_INTERNAL_THREAD_ARM_CQ=0|1", "3.70.2", "does not read XLIO_INTERNAL_THREAD_ARM_CQ"),
        ("XLIO_RX_POL", "3.40.2", "did you mean XLIO_RX_POLL?"),
        ("XLIO_SPEC=ultra_latency", "3.40.2", "must be one of"),
    ],
)
def test_a_name_or_value_in_the_space_option_that_the_release_does_not_read_is_an_error_before_the_first_run(
    text: str, release: str, words: str, tmp_path: Path
) -> None:
    store = Store(Results(tmp_path).url)
    with pytest.raises(UsageError) as caught:
        begin(store, xlio_plan(release, "latency", space=text), {"doubts": []})
    assert any(words in str(finding) for finding in caught.value.findings), caught.value.findings
    assert store.sessions() == ()


def test_a_space_of_which_hardly_anything_can_be_run_is_an_error_that_says_what_is_in_the_way(tmp_path: Path) -> None:
    plan = xlio_plan("3.61.2", "latency", space="XLIO_RX_POLL", fixed={"XLIO_MEM_ALLOC_TYPE": "7"})
    with pytest.raises(UsageError, match="almost nothing") as caught:
        begin(Store(Results(tmp_path).url), plan, {"doubts": []})
    assert "XLIO_MEM_ALLOC_TYPE" in str(caught.value.findings[0])


def test_a_space_that_is_used_up_is_told_and_its_time_goes_to_the_leaders(tmp_path: Path) -> None:
    notes: list[str] = []
    plan = replace(PLAN, space="XLIO_TCP_NODELAY", budget_s=120.0)
    found = tune(
        tmp_path, SimulatedHost(lambda env: 30.0 if "XLIO_TCP_NODELAY" in env else 36.0), plan, progress=Noting(notes)
    )
    assert found["proposals"]["used_up"]
    assert found["proposals"]["proposed"] == 1
    assert any("used up" in line for line in notes)
    searched = [
        run for run in Store(Results(tmp_path).url).runs(found["session"]) if run.phase == "search" and run.trial
    ]
    each = {trial: sum(run.trial == trial for run in searched) for trial in {run.trial for run in searched}}
    assert max(each.values()) <= 8
    proving = [run for run in Store(Results(tmp_path).url).runs(found["session"]) if run.phase in {"choose", "confirm"}]
    assert len(proving) > len(searched)


def test_every_candidate_turned_down_is_counted_with_its_reason_also_after_a_resumption(tmp_path: Path) -> None:
    plan = xlio_plan("3.61.2", "latency", known=(Contender("default", {}),), budget_s=30.0)
    plan = replace(plan, space="XLIO_MEMORY_LIMIT=64MB..128GB,XLIO_RX_POLL", room=Room(memlock_bytes=1 << 30))
    host = xlio_host("3.61.2")
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, replace(host, latency=stopping(host, 12, host.latency)), plan)
    session = Store(Results(tmp_path).url).sessions()[0].id
    before = told(Store(Results(tmp_path).url).runs(session))
    assert before.turned_down.total() > 0
    found = tune(tmp_path, xlio_host("3.61.2"), plan, session)["proposals"]
    assert found["turned_down"] >= before.turned_down.total()
    assert sum(reason["count"] for reason in found["reasons"]) == found["turned_down"]
    assert all(reason["example"] for reason in found["reasons"])
    written = summary(Store(Results(tmp_path).url), Store(Results(tmp_path).url).session(session))
    assert f"{found['proposed']} candidates were proposed" in written
    assert f"{found['turned_down']} rejected" in written


def test_a_session_without_a_candidate_doubts_itself(tmp_path: Path) -> None:
    plan = xlio_plan("3.61.2", "latency", budget_s=20.0)
    found = tune(tmp_path, xlio_host("3.61.2"), plan)
    assert found["proposals"]["measured"] == 0
    assert any("measured no candidate" in doubt["what"] for doubt in found["doubts"])


def test_many_known_profiles_leave_a_search_its_proposals(tmp_path: Path) -> None:
    plan = xlio_plan("3.40.2", "latency")
    more = tuple(Contender(f"mine-{polls}", {"XLIO_RX_POLL": str(polls)}) for polls in range(1, 21))
    found = tune(tmp_path, xlio_host("3.40.2"), replace(plan, known=(*plan.known, *more)))
    assert found["proposals"]["proposed"] >= 10
    assert len(found["known"]) >= 5


def test_a_winner_that_only_its_own_release_runs_is_written_for_that_release(tmp_path: Path) -> None:
    small = {"XLIO_MEMORY_LIMIT": "134217728", "XLIO_RX_WRE": "2048"}  # later releases do not start with this
    host = xlio_host(
        "3.940.2", lambda environment: 3.0 if environment.get("XLIO_MEMORY_LIMIT") == "134217728" else 36.0
    )
    plan = xlio_plan("3.940.2", "latency", known=(Contender("default", {}), Contender("small", small)), budget_s=30.0)
    found = tune(tmp_path, host, plan)
    assert found["verdict"] == "improved"
    written = read(Path(found["winner"]["path"]))
    assert small.items() <= written.settings.items()
    assert str(written.releases) == "==3.940.2"
