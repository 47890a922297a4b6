"""A session between two hosts: the way between them, the facts of both, who must be named again, and what a lost host costs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import fake
import far_hosts
import pytest

from tuner import api
from tuner.errors import HostLost, UsageError
from tuner.hosts import guardian, path
from tuner.hosts.links import Link, Network, Route
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import Pair, on_one
from tuner.hosts.remote import RemoteHost
from tuner.hosts.simulated import Machine
from tuner.records import Run, State, Trial
from tuner.session.measuring import losses
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Progress, Silent
from tuner.session.setup.request import Setup, Task
from tuner.session.setup.resumption import Named
from tuner.session.workspace import Ongoing, Workspace

ETH0 = Link("eth0", ("10.0.0.1/24", "fe80::1/64"), up=True, mtu=1500, speed_mbps=1000)
ETH1 = Link("eth1", ("192.0.2.1/24",), up=True, mtu=9000, speed_mbps=100_000, driver="mlx5_core", numa_node=1)
LO = Link("lo", ("127.0.0.1/8",), mtu=65536)
SERVER = Network((LO, ETH0, ETH1), "one", "net:[1]", "10.0.0.1")
CLIENT = Network(
    (LO, replace(ETH0, addresses=("10.0.0.2/24",)), replace(ETH1, addresses=("192.0.2.2/24",))),
    "two",
    "net:[2]",
    "10.0.0.2",
)


@dataclass
class Networked(Machine):
    """A machine with devices, and routes by the address that they lead to."""

    name: str = "box"
    has: Network = SERVER
    routes: Mapping[str, Route] = field(default_factory=dict)
    blocked: str | None = None

    def network(self) -> Network:
        return self.has

    def route(self, address: str) -> Route | None:
        return self.routes.get(address)

    def unreached(self, protocol: str, address: str, port: int) -> str | None:
        return self.blocked


ROUTES = {"10.0.0.1": Route("eth0", "10.0.0.2"), "192.0.2.1": Route("eth1", "192.0.2.2")}


def pair(server: Network = SERVER, client: Network = CLIENT, routes: Mapping[str, Route] = ROUTES) -> Pair:
    return Pair(Networked("ssh://one", server), Networked("ssh://two", client, routes))


def test_the_way_is_the_fastest_that_is_reached_directly_and_not_the_one_of_ssh() -> None:
    found = path.between(pair(), None)
    assert (found.address, found.source, found.server.name, found.client.name) == (
        "192.0.2.1",
        "192.0.2.2",
        "eth1",
        "eth1",
    )
    assert found.doubts == ()
    assert "to 192.0.2.1 on eth1 (mlx5_core, 100 Gbit/s, MTU 9000, NUMA node 1)" in found.words()


def test_who_measures_over_the_device_of_ssh_is_told_so_at_each_end() -> None:
    said = [doubt.message for doubt in path.between(pair(), "10.0.0.1").doubts]
    assert said == [
        "the traffic to 10.0.0.1 goes over eth0 of ssh://one, by which ssh comes too",
        "the traffic to 10.0.0.1 goes over eth0 of ssh://two, by which ssh comes too",
    ]


def test_another_mtu_a_gateway_and_a_shared_kernel_are_told() -> None:
    routes = {"192.0.2.1": Route("eth0", "10.0.0.2", "10.0.0.254")}
    said = " ".join(
        doubt.message
        for doubt in path.between(pair(routes=routes, client=replace(CLIENT, machine="one")), "192.0.2.1").doubts
    )
    assert "share one machine's CPUs" in said
    assert "over the gateway 10.0.0.254" in said
    assert "the MTU is 9000 at the server and 1500 at the client" in said


def test_an_address_that_is_none_of_the_server_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"198\.51\.100\.7 is no address of ssh://one") as refused:
        path.between(pair(), "198.51.100.7")
    assert refused.value.findings[0].suggestion == "it has 10.0.0.1 (eth0), 192.0.2.1 (eth1)"


def test_an_address_without_a_route_and_one_that_both_have_are_refused() -> None:
    with pytest.raises(UsageError, match=r"ssh://two has no route to 10\.0\.0\.1 of ssh://one") as refused:
        path.between(pair(routes={}), "10.0.0.1")
    assert "ip route add" in refused.value.findings[0].suggestion
    with pytest.raises(UsageError, match="no route to any address"):
        path.between(pair(routes={}), None)
    with pytest.raises(UsageError, match="would measure itself"):
        path.between(pair(routes={"10.0.0.1": Route("lo", "10.0.0.1", own=True)}), "10.0.0.1")


def test_two_names_of_one_machine_are_measured_over_loopback_and_that_is_told() -> None:
    found = path.between(pair(client=SERVER, routes={"127.0.0.1": Route("lo", "127.0.0.1", own=True)}), None)
    assert found.address == "127.0.0.1"
    assert "server and client are one machine" in found.doubts[0].message


def test_a_firewall_is_told_with_the_command_that_lets_the_client_in() -> None:
    way = path.between(pair(), None)
    blocked = replace(pair(), client=Networked("ssh://two", CLIENT, ROUTES, "nothing comes back within 2 s"))
    path.check(pair(), way, "tcp")
    with pytest.raises(
        UsageError, match=r"no answer from 192\.0\.2\.1 of ssh://one by udp: nothing comes back"
    ) as refused:
        path.check(blocked, way, "udp")
    assert "iptables -I INPUT -s 192.0.2.2 -j ACCEPT" in refused.value.findings[0].suggestion


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("far", [False, True], ids=["here", "by an agent"])
def test_a_port_that_is_listened_on_answers_and_another_one_does_not(protocol: str, far: bool) -> None:
    with ExitStack() as open_:
        host = open_.enter_context(far_hosts.child()) if far else LocalHost()
        with host.listening(protocol, "127.0.0.1") as port:
            assert host.unreached(protocol, "127.0.0.1", port) is None
        assert host.unreached(protocol, "127.0.0.1", port) is not None


def test_one_machine_needs_no_names_and_two_have_them() -> None:
    assert [words for words, _ in on_one(LocalHost()).named()] == [""]
    assert [words for words, _ in pair().named()] == ["server ssh://one: ", "client ssh://two: "]


@pytest.fixture
def ends() -> Iterator[tuple[RemoteHost, RemoteHost]]:
    with far_hosts.child() as server, far_hosts.child() as client:
        server._way, client._way = replace(server._way, name="ssh://server"), replace(client._way, name="ssh://client")
        yield server, client


class Killing(Silent):
    """Kills an agent once, when so many runs have begun."""

    def __init__(self, host: RemoteHost, after: int) -> None:
        self.host, self.left = host, after
        self.notes: list[str] = []

    def note(self, line: str) -> None:
        self.notes.append(line)

    def measuring(self, trial: Trial, block: int, left_s: float) -> None:
        self.left -= 1
        if not self.left:
            folder = Path(self.host._connection.hello["folder"])
            for number in guardian.inhabitants(folder):
                os.kill(number, signal.SIGKILL)

    def measured(self, trial: Trial, run: Run) -> None:
        pass


def workspace(folder: Path, ends: tuple[RemoteHost, RemoteHost], progress: Progress | None = None) -> Workspace:
    @contextmanager
    def watch(_session: Ongoing) -> Iterator[Progress]:
        yield progress or Silent()

    return Workspace(folder, host=ends[0], client=ends[1], watch=watch)


def setup(folder: Path, **orders: Any) -> Setup:
    return Setup(str(fake.install(folder, **orders)), wait_for_turn=False)


def test_a_session_has_the_facts_of_both_hosts_and_a_fixed_server(
    tmp_path: Path, ends: tuple[RemoteHost, RemoteHost]
) -> None:
    at = workspace(tmp_path, ends)
    api.measure("latency", runs=1, setup=replace(setup(tmp_path), server_profile="default"), at=at)
    row = at.store().session("latest")
    assert {end: row.facts["ends"][end]["host"] for end in ("server", "client")} == {
        "server": "ssh://server",
        "client": "ssh://client",
    }
    assert row.facts["path"]["address"] == "127.0.0.1"
    assert (row.plan["ends"]["server"], row.plan["ends"]["client"]) == ("ssh://server", "ssh://client")
    assert any(doubt["what"].startswith("server and client are one machine") for doubt in row.facts["doubts"])
    run, *_ = at.store().runs(row.id)  # a disturbed block is measured once more
    assert set(run.evidence["telemetry"]) == {"server", "client"}
    assert run.evidence["environment"]["XLIO_RX_POLL"]
    assert "RX_POLL" not in run.evidence["server"]["stderr"]
    assert not any(ends[0].read(Path(path), 1) == b"" for path in row.plan["ends"]["preloads"])


def test_a_run_whose_host_was_lost_is_measured_again_and_nothing_is_lost(
    tmp_path: Path, ends: tuple[RemoteHost, RemoteHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "PAUSE_S", 0.1)
    watcher = Killing(ends[0], 2)
    at = workspace(tmp_path, ends, watcher)
    api.measure("default", runs=3, setup=setup(tmp_path, slow_s=0.3), at=at)
    blocks = [run.block for run in at.store().runs(at.store().session("latest").id)]
    assert len(blocks) == len(set(blocks)) >= 3  # a disturbed block is measured once more
    assert any(note.startswith("ssh://server: ") and "trying to reach it again" in note for note in watcher.notes)
    assert any(note.startswith("reached again") for note in watcher.notes)


def test_what_a_loss_took_is_not_the_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "PAUSE_S", 0.0)
    now_s = [0.0]
    clock = Clock(100.0, 0.0, 0.0, lambda: now_s[0])
    lost = losses.Losses(good_s=3.0)
    now_s[0] = 10.0
    lost.survived(HostLost("gone"), pair(), clock, Silent())
    assert clock.spent_s() == 3.0


def test_a_host_that_stays_lost_stops_a_session_that_can_be_gone_on_with(
    tmp_path: Path, ends: tuple[RemoteHost, RemoteHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "PATIENCE_S", 0.5)
    monkeypatch.setattr(losses, "PAUSE_S", 0.1)
    way = ends[0]._way
    ends[0]._way = replace(way, argv=("sh", "-c", "exit 1"))
    at = workspace(tmp_path, ends, Killing(ends[0], 2))
    with pytest.raises(HostLost, match="ssh://server"):
        api.measure("default", runs=3, setup=setup(tmp_path, slow_s=0.3), at=at)
    row = at.store().session("latest")
    assert (row.state, len(at.store().runs(row.id))) == (State.STOPPED, 1)
    with pytest.raises(UsageError, match="the session began with server ssh://server") as refused:
        api.resume(at=Workspace(tmp_path))
    assert "--server ssh://server --client ssh://client" in refused.value.advice
    ends[0]._way = way
    ends[0].reconnect()
    named = Named(str(tmp_path / "sockperf"), wait_for_turn=False)
    api.resume(named=named, at=workspace(tmp_path, ends))
    assert len(at.store().runs(row.id)) >= 3


def test_another_release_of_the_benchmark_at_one_end_is_refused_before_the_first_run(tmp_path: Path) -> None:
    for name, version in (("a", "sockperf, version 3.7"), ("b", "sockperf, version 3.10")):
        (tmp_path / name).mkdir()
        fake.install(tmp_path / name, version=version)
    with (
        far_hosts.child({"PATH": f"{tmp_path}/a:{os.environ['PATH']}"}) as server,
        far_hosts.child({"PATH": f"{tmp_path}/b:{os.environ['PATH']}"}) as client,
    ):
        client._way = replace(client._way, name="other")
        with pytest.raises(UsageError, match="both hosts must have the same programs") as refused:
            api.measure(runs=1, setup=Setup(wait_for_turn=False), at=workspace(tmp_path, (server, client)))
    assert "3.7 on child and 3.10 on other" in str(refused.value.findings[0])


def test_a_host_without_the_benchmark_is_named(tmp_path: Path, ends: tuple[RemoteHost, RemoteHost]) -> None:
    with pytest.raises(Exception, match=r"there is no program 'no-such-perf' on ssh://server"):
        api.measure(runs=1, setup=Setup("no-such-perf"), at=workspace(tmp_path, ends))
    assert Task().workload == {}
