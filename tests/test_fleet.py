"""What a fleet knows: only what hosts alike measured, with its evidence, and never as a claim about this host."""

from __future__ import annotations

import math
import shlex
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import pytest
from command_line import Tuner
from sessions import PLAN, nothing_helps, polling_helps, tune

from tuner.cli.screen.recommended import lines
from tuner.hosts import facts
from tuner.judging.objective import objective
from tuner.records import State, StoredSession
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Workload
from tuner.session.phases.prior import with_prior_sessions
from tuner.session.recommendation import Recommendation, recommended
from tuner.session.setup.likeness import Asked, likeness, traffic
from tuner.session.setup.plan import Contender, Plan
from tuner.store import Store

FAST: dict[str, Any] = {
    "cpu_model": "Fast 9000",
    "hypervisor": False,
    "system": "Linux 6.12.3",
    "cpus": 8,
    "doubts": [],
}
SLOW: dict[str, Any] = {**FAST, "cpu_model": "Slow 1"}
ASKED = Asked.of(PLAN)
Latency = Callable[[Mapping[str, str]], float]


def measured(fleet: Store, folder: Path, name: str, host: Mapping[str, Any], latency: Latency, **plan: Any) -> None:
    """Let a host measure in a store of its own, and copy the session into the fleet's as that host's."""
    found = tune(folder / name, SimulatedHost(latency), replace(PLAN, optimizer="random", budget_s=40.0, **plan))
    own = Store.reading(Results(folder / name))
    row = own.session(found["session"])
    known = replace(row, id=f"20260101-{name}", facts={**host, "hostname": name}, host=name)
    fleet.add_whole(known, own.trials(row.id), own.runs(row.id))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return the store of two fast hosts that polling helps, a third where nothing helps, and a slow one."""
    folder = tmp_path_factory.mktemp("fleet")
    made = Store(Results(folder).url)
    measured(made, folder, "fast1", FAST, polling_helps, seed=1)
    measured(made, folder, "fast2", {**FAST, "system": "Linux 5.10.1"}, polling_helps, seed=2)
    measured(made, folder, "fast3", FAST, nothing_helps, seed=3)
    measured(made, folder, "slow1", SLOW, nothing_helps, seed=4)
    return made


def test_what_hosts_alike_found_is_recommended_with_all_that_they_saw_of_it(fleet: Store) -> None:
    found = recommended(fleet, ASKED, FAST)
    assert [each.host for each in found.told] == ["fast1", "fast2", "fast3"]
    assert (found.hosts, found.others, found.unread) == (3, 1, 0)
    assert found.chosen is not None
    assert found.chosen.host in {"fast1", "fast2"}
    assert found.chosen.settings["XLIO_RX_POLL"] == "-1"
    ratios = {each.host: each.gain.ratio for each in found.seen if each.gain}
    assert ratios[found.chosen.host] > 5
    assert all(0.8 < ratio < 1.2 for host, ratio in ratios.items() if host == "fast3")
    assert sum(each.judged for each in found.seen) >= 1
    assert 0 < found.budget_s < 60  # for a gain of ten times
    assert not found.measured_here
    assert recommended(fleet, ASKED, {**FAST, "hostname": "fast1"}).measured_here
    assert found.agreement[0].winners == 2


def test_sessions_that_make_no_sense_have_no_say_and_are_told(fleet: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tuner.db")) as copy, closing(sqlite3.connect(fleet.where)) as whole:
        whole.backup(copy)
        copy.execute("update sessions set facts = '{' where host = 'fast2'")
        copy.commit()
    found = recommended(Store.reading(Results(tmp_path)), ASKED, FAST)
    assert [each.host for each in found.told] == ["fast1", "fast3"]
    (told,) = [line for line in lines(found, defaultdict(str)) if line.startswith("Not all sessions can be read")]
    assert "session 20260101-fast2, table sessions, column facts" in told
    assert "`tuner store check`" in told


def test_nothing_is_recommended_where_no_host_alike_measured_it(fleet: Store) -> None:
    unlike = recommended(fleet, ASKED, {**FAST, "cpu_model": "Other"})
    assert (unlike.chosen, unlike.told, unlike.others) == (None, (), 4)
    none_better = recommended(fleet, ASKED, SLOW)
    assert (none_better.chosen, len(none_better.told), none_better.improved) == (None, 1, ())
    other_traffic = replace(ASKED, traffic=(traffic(Workload(message_bytes=999)),))
    assert recommended(fleet, other_traffic, FAST) == Recommendation(other_traffic, None, (), 0, 0)
    other_baseline = replace(ASKED, baseline={"XLIO_RX_POLL": "7"})
    assert recommended(fleet, other_baseline, FAST).told == ()


def test_what_failed_on_one_host_alike_is_not_recommended(tmp_path: Path) -> None:
    made = Store(Results(tmp_path).url)
    measured(made, tmp_path, "good", FAST, polling_helps, seed=1)

    def polling_hangs(environment: Mapping[str, str]) -> float:
        return math.inf if environment.get("XLIO_RX_POLL") == "-1" else 36.0

    alone = recommended(made, ASKED, FAST)
    assert alone.chosen is not None
    measured(made, tmp_path, "bad", FAST, polling_hangs, seed=1, known=(*PLAN.known, contender(alone)))
    together = recommended(made, ASKED, FAST)
    assert together.chosen is None
    assert len(together.improved) == 1


def test_an_answer_whose_runs_are_damaged_is_told_and_not_recommended(tmp_path: Path) -> None:
    made = Store(Results(tmp_path).url)
    measured(made, tmp_path, "good", FAST, polling_helps, seed=1)
    assert recommended(made, ASKED, FAST).chosen is not None
    with closing(sqlite3.connect(tmp_path / "tuner.db")) as store:
        store.execute("update runs set status = 'x' where number = 3")
        store.commit()
    found = recommended(made, ASKED, FAST)
    assert (found.chosen, len(found.improved)) == (None, 1)


def contender(found: Recommendation) -> Contender:
    assert found.chosen is not None
    return Contender("theirs", dict(found.chosen.settings))


def test_settings_that_no_catalogue_knows_are_not_recommended(tmp_path: Path) -> None:
    made = Store(Results(tmp_path).url)
    measured(made, tmp_path, "good", FAST, polling_helps, seed=1)
    (row,) = made.sessions()
    verdict = dict(row.verdict or {})
    verdict["winner"] = {**verdict["winner"], "settings": {"LD_PRELOAD": "/srv/evil.so"}}
    made.close_session(row.id, State.DONE, 1.0, verdict)
    found = recommended(made, ASKED, FAST)
    assert (found.chosen, found.told, found.unread) == (None, (), 1)


@pytest.mark.parametrize(
    ("there", "alike", "words"),
    [
        (FAST, True, "same: CPU (Fast 9000)"),
        (SLOW, False, "different: CPU (Slow 1 there, Fast 9000 here)"),
        ({**FAST, "hypervisor": True}, False, "different: machine (virtual there, not virtual here)"),
        ({**FAST, "hypervisor": None}, True, "unknown: machine"),
        ({**FAST, "system": "Linux 5.4.0"}, True, "different: kernel (Linux 5.4 there, Linux 6.12 here)"),
        ({**FAST, "system": "Linux 6.12.99-other"}, True, "kernel (Linux 6.12)"),
        ({**FAST, "nic_drivers": ["mlx5_core"]}, True, "unknown: drivers of network cards"),
        ({"cpu_model": 3, "hypervisor": "x", "system": [], "cpus": None, "nic_drivers": 4}, False, "unknown: CPU"),
    ],
)
def test_what_differs_between_hosts_is_told_and_what_is_unknown_is_no_difference(
    there: Mapping[str, Any], alike: bool, words: str
) -> None:
    found = likeness(there, FAST)
    assert found.alike is alike
    assert words in str(found)


def pair(server: Mapping[str, Any], driver: str = "mlx5_core") -> dict[str, Any]:
    link = {"driver": driver, "speed_mbps": 25000}
    return {**FAST, "ends": {"server": server, "client": FAST}, "path": {"server": link, "client": link}}


@pytest.mark.parametrize(
    ("there", "alike", "words"),
    [
        (pair(FAST), True, "cards on the way (mlx5_core 25000 to mlx5_core 25000)"),
        (pair(SLOW), False, "CPU of the server (Slow 1 there, Fast 9000 here)"),
        (FAST, False, "hosts (one there, two here)"),
        (pair(FAST, "virtio_net"), True, "different: cards on the way"),
        ({**FAST, "ends": 3, "path": []}, False, "hosts (one there, two here)"),
    ],
)
def test_of_a_pair_both_ends_and_the_way_between_them_are_compared(
    there: Mapping[str, Any], alike: bool, words: str
) -> None:
    found = likeness(there, pair(FAST))
    assert found.alike is alike
    assert words in str(found)


def test_traffic_is_the_same_whatever_its_cpus_and_addresses_and_another_over_a_network() -> None:
    one = Workload(server_cpus="1", client_cpus="2", duration_s=3, address="127.0.0.1")
    assert traffic(one) == traffic(Workload(address="127.0.0.2"))
    assert traffic(one) != traffic(replace(one, address="10.0.0.1"))
    assert traffic(replace(one, address="10.0.0.1")) == traffic(replace(one, address="192.168.7.9"))
    assert traffic(one) != traffic(replace(one, message_bytes=65))


def test_a_warm_start_learns_from_the_same_hosts(fleet: Store) -> None:
    plan: Plan = replace(PLAN, warm_start=())
    assert with_prior_sessions(fleet, plan, FAST).warm_start == tuple(f"20260101-fast{n}" for n in (1, 2, 3))
    assert with_prior_sessions(fleet, plan, SLOW).warm_start == ("20260101-slow1",)
    assert with_prior_sessions(fleet, plan, {**FAST, "hypervisor": True}).warm_start == ()


@pytest.fixture
def here(tuner: Tuner) -> Store:
    """Return the store of the results folder, in which another host like this one measured the kernel stack."""
    made = Store(Results(Path("results")).url)
    mine = {**facts.read().to_dict(), "doubts": []}
    goal = objective("latency")
    plan = replace(PLAN, objective=goal, workloads=goal.workloads)
    found = tune(Path("other"), SimulatedHost(polling_helps), replace(plan, optimizer="random", budget_s=40.0))
    own = Store.reading(Results(Path("other")))
    row = own.session(found["session"])
    made.add_whole(
        replace(row, facts={**mine, "hostname": "other"}, host="other"), own.trials(row.id), own.runs(row.id)
    )
    return made


def test_the_words_say_where_it_was_measured_and_never_that_it_holds_here(tuner: Tuner, here: Store) -> None:
    (row,) = here.sessions()
    told = tuner("recommend", "--stack", "kernel")
    assert told.status == 0, told.err
    assert "To try on this host" in told.out
    assert "It was not measured on this host." in told.out
    assert f"session {row.id} on other: " in told.out
    assert "× its baseline there" in told.out
    assert "1 finished tuning of 1 host like this one" in told.out
    assert not any(word in told.out for word in ("improved", "is better", "faster on this host"))


def test_the_commands_that_would_make_sure_can_be_carried_out(tuner: Tuner, here: Store, tmp_path: Path) -> None:
    Path("results").rename("elsewhere")
    told = tuner("recommend", "--stack", "kernel", "--results", "elsewhere")
    commands = [line.strip() for line in told.out.partition("To be sure, on this host:\n")[2].splitlines()]
    write, compare = (shlex.split(line)[1:] for line in commands)
    assert tuner(*write).status == 0
    assert tuner("profiles", "lint", "recommended.toml").status == 0
    assert compare[:3] == ["compare", "default", "recommended.toml"]
    compare[compare.index("--budget") + 1] = "6s"  # the stand-in is quick
    compared = tuner(*compare, "--sockperf", str(fake.install(tmp_path, noise=0.01)))
    assert compared.status != 2, compared.err
    begun = Plan.from_dict(Store.reading(Results(Path("results"))).session("latest").plan)
    assert (begun.kind, begun.known[0].settings["XLIO_RX_POLL"]) == ("compare", "-1")
    assert tuner(*write).status == 2  # it is not written over


def test_json_has_the_evidence_and_what_was_not_measured(tuner: Tuner, here: Store) -> None:
    found = tuner("recommend", "--json")
    assert (found.status, found.json["measured_on_this_host"], found.json["hosts"]) == (0, False, 1)
    assert found.json["recommended"]["XLIO_RX_POLL"] == "-1"
    assert found.json["seen"][0]["judged"] is True
    other = tuner("recommend", "--message-bytes", "4000", "--json")
    assert (other.status, other.json["recommended"], other.json["sessions"]) == (3, None, [])


def test_where_nothing_is_known_the_command_that_measures_is_said(tuner: Tuner, here: Store) -> None:
    told = tuner("recommend", "--stack", "vma", "--message-bytes", "4000", "--baseline", "default")
    assert told.status == 3
    assert "no finished tuning of a host like this one was asked the same" in told.out
    assert "tuner tune --stack vma --objective latency --message-bytes 4000 --budget 3m" in told.out
    assert tuner("recommend", "--results", "nowhere").status == 2


def test_a_session_that_cannot_be_read_has_no_say(tmp_path: Path) -> None:
    made = Store(Results(tmp_path).url)
    made.add_whole(StoredSession("20260101-odd", "2026", State.DONE, 1.0, {"kind": "tune"}, FAST, {}, "h"), (), ())
    assert recommended(made, ASKED, FAST).told == ()


def test_a_report_of_all_hosts_has_the_latest_session_of_each_that_was_asked_the_same(
    tuner: Tuner, fleet: Store, tmp_path: Path
) -> None:
    url = f"sqlite:///{fleet.where}"
    made = tuner("report", "20260101-fast1", "--all-hosts", "--json", "--store", url)
    assert made.status == 0, made.err
    hosts = [each["facts"]["host"]["hostname"] for each in made.json["sessions"]]
    assert sorted(hosts) == ["fast1", "fast2", "fast3", "slow1"]
    assert tuner("report", "--all-hosts", "--store", url, "-o", "fleet.html").status == 0
    assert "slow1" in (tmp_path / "fleet.html").read_text(encoding="utf-8")
    assert tuner("report", "a", "b", "--all-hosts", "--store", url).status == 2
