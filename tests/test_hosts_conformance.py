"""The laws of a host: whatever machine it is, who asks it and who starts something there can rely on these."""

from __future__ import annotations

import json
import re
import select
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Final

import far_hosts
import pytest

from tuner import stacks
from tuner.catalogue.room import Room
from tuner.errors import MissingTool, UsageError
from tuner.hosts.host import Command, Host, Process, Site, has_file
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import BEFORE, WARM_UP, Job, Pair, Place, on_one
from tuner.hosts.simulated import Machine, Words
from tuner.hosts.telemetry import Counters, between, spoiled, stored
from tuner.records import Status
from tuner.runs import run as runs
from tuner.runs.run import Rig, playback_text
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Workload

# Ready a little later than at once: until `timeout` knows its child's number it hands no signal on (coreutils 9.1), and no server
# that is measured is interrupted so soon.
SERVES: Final = "trap 'echo total; exit' INT; sleep 0.1; echo READY; while :; do sleep 0.02; done"
STUBBORN: Final = "trap '' INT TERM; sleep 0.1; echo READY; while :; do sleep 0.02; done"
SPEAKS: Final = "echo hello; echo aside >&2; printf text >left.txt; printf long >log.csv"
HANGS: Final = "exec sleep 60"
WORDS: Final = {
    SERVES: Words("READY\n", serves=True, last=lambda: "total\n"),
    STUBBORN: Words("READY\n", serves=True),
    SPEAKS: Words("hello\n", "aside\n", files={"left.txt": b"text", "log.csv": b"long"}),
    HANGS: Words(hangs=True),
}


class Playing(Machine):
    """A simulated machine that knows what these scripts do."""

    def speak(self, command: Command) -> Words:
        return WORDS.get(command.argv[-1], Words())


KINDS: Final = ("local", "simulated", "child", "ssh")
PAIRS: Final = [
    *product(("local", "simulated"), repeat=2),
    *(
        ("local", "child"),
        ("child", "local"),
        ("child", "child"),
        ("child", "ssh"),
        ("ssh", "ssh"),
        ("simulated", "child"),
    ),
]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Host]]:
    """Return one host of each kind; `child` has an agent that is a child of this process, `ssh` one behind a real sshd."""
    with ExitStack() as there:
        made: dict[str, Host] = {
            "local": LocalHost(),
            "simulated": Playing(),
            "child": there.enter_context(far_hosts.child()),
        }
        if not far_hosts.NO_SSHD:
            server = there.enter_context(far_hosts.sshd(tmp_path_factory.mktemp("sshd")))
            made["ssh"] = there.enter_context(server.host())
        yield made


def named(hosts: Mapping[str, Host], kind: str) -> Host:
    if kind not in hosts:
        pytest.skip(far_hosts.NO_SSHD)
    return hosts[kind]


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, hosts: Mapping[str, Host]) -> Host:
    return named(hosts, request.param)


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, hosts: Mapping[str, Host]) -> Pair:
    return Pair(*(named(hosts, kind) for kind in request.param))


@pytest.fixture
def site(host: Host) -> Iterator[Site]:
    with host.site({"feed.txt": "T:1\n"}) as entered:
        yield entered


def script(text: str) -> Command:
    return Command(("sh", "-c", text), {"PATH": "/usr/bin:/bin"})


def job(server: str, client: str, limit_s: float = 20.0) -> Job:
    return Job(script(server), script(client), "READY", limit_s, wanted=("left.txt", "none.txt"), log="log.csv")


def ended(site: Site, process: Process) -> Process:
    """Return a process that has ended, however long that takes within a test's own limit."""
    while not process.silent:
        assert select.select([site], [], [], 20.0)[0], "it never said anything more"
        site.hear()
    return process


def test_a_program_that_ends_by_itself_has_said_everything(site: Site) -> None:
    result = ended(site, site.start(script(SPEAKS), 20.0)).result()
    assert (result.exit_status, result.stdout, result.stderr, result.timed_out) == (0, "hello\n", "aside\n", False)
    assert result.cpu_s >= 0


def test_a_server_says_that_it_is_ready_and_lives_until_it_is_interrupted(site: Site) -> None:
    server = site.start(script(SERVES), 20.0)
    while not server.printed("READY"):
        site.hear()
    assert not server.silent
    server.signal(signal.SIGINT)
    assert ended(site, server).result().stdout == "READY\ntotal\n"


def test_what_was_weighed_while_it_lived_is_in_the_result(site: Site) -> None:
    server = site.start(script(SERVES), 20.0)
    while not server.printed("READY"):
        site.hear()
    server.weigh()
    server.signal(signal.SIGINT)
    held_mb = ended(site, server).result().memory_mb
    assert held_mb is None or 0.1 < held_mb < 50  # a shell: a simulated one says nothing of its memory


def test_a_process_that_was_given_up_is_killed_and_timed_out(site: Site) -> None:
    server = site.start(script(STUBBORN), 20.0)
    while not server.printed("READY"):
        site.hear()
    server.stopped = True
    server.kill_group()
    assert ended(site, server).result().timed_out


def test_arguments_and_environment_arrive_exactly(site: Site) -> None:
    odd = ("a b", "$HOME `id` \"'\\ ;&|", "", "naïve – \udcff", "-x")
    script = "import os,sys;print(ascii(sys.argv[1:]), ascii(dict(os.environ)))"
    command = Command((sys.executable, "-ISc", script, *odd), {"ODD": " $(id)\t'\n", "LC_ALL": "C.UTF-8"})
    said = ended(site, site.start(command, 20.0)).result().stdout
    assert said in {"", f"{list(odd)!a} {dict(command.environment)!a}\n"}  # a simulated program says nothing


def test_what_cannot_be_started_is_refused_at_once(site: Site, host: Host) -> None:
    if isinstance(host, Playing):
        pytest.skip("nothing is started there")
    with pytest.raises(UsageError, match="cannot be started") as refused:
        site.start(Command(("sh", "-c", ":"), {"NO NAME": "x", "A": "b\0"}), 20.0)
    assert [finding.where for finding in refused.value.findings] == ["environment.NO NAME", "environment.A"]
    with pytest.raises(MissingTool, match="no program no-such-program"):
        site.start(Command(("no-such-program",), {}), 20.0)


def test_an_address_that_is_none_of_a_host_is_refused(host: Host) -> None:
    if isinstance(host, Playing):
        pytest.skip("it has all addresses")
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1"):
        host.free_ports(1, "tcp", "192.0.2.1")


def test_much_output_is_kept_at_both_its_ends(site: Site, host: Host) -> None:
    if isinstance(host, Playing):
        pytest.skip("it says nothing")
    result = ended(site, site.start(script("echo first; yes | head -c 3000000; echo last"), 20.0)).result()
    assert result.stdout.startswith("first\n")
    assert result.stdout.endswith("last\n")
    assert "bytes left out" in result.stdout
    assert len(result.stdout) < 1_100_000


def test_what_programs_leave_in_the_folder_can_be_read_and_a_large_file_outlives_it(host: Host) -> None:
    with host.site({}) as site:
        ended(site, site.start(script(SPEAKS), 20.0))
        assert site.written(["left.txt", "none.txt"]) == {"left.txt": "text"}
        assert site.opened("none.csv") is None
        log = site.opened("log.csv")
    assert log is not None
    with log:
        assert log.read() == b"long"


@pytest.mark.parametrize("name", ["../feed", "/feed", "a/b", "", ".", ".."])
def test_a_file_outside_the_folder_is_refused(host: Host, name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a file"), host.site({name: ""}):
        pass


def test_a_site_says_when_it_was_entered_and_how_old_it_is_also_when_it_was_left(host: Host) -> None:
    with host.site({}) as site:
        assert datetime.fromisoformat(site.started_at).year >= 2026
        young_s = site.age_s()
    assert site.age_s() >= young_s >= 0


def test_ports_are_different(host: Host) -> None:
    ports = host.free_ports(20, "tcp", "127.0.0.1")
    assert len(set(ports)) == 20
    assert [host.refusal("tcp", "127.0.0.1", port) for port in ports] == [None] * 20


def test_counters_never_go_back_and_are_calm_enough_to_be_stored(host: Host) -> None:
    before = host.counters(())
    after = host.counters(())
    for counter in fields(Counters):
        then, now = getattr(before, counter.name), getattr(after, counter.name)
        grows = counter.name not in {"load_1min", "frequency_khz", "activity"}
        assert not grows or then is None or now is None or now >= then, counter.name
    assert json.loads(json.dumps(between(before, after).to_dict()))["wall_s"] >= 0


def test_a_host_says_what_it_is(host: Host) -> None:
    numbers = [cpu.number for cpu in host.topology().cpus]
    assert numbers == sorted(set(numbers))
    assert numbers
    found = host.facts()
    assert found.hostname
    assert found.cpus >= 1
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert isinstance(host.room(), Room)
    assert host.has_card() in {True, False}
    assert re.fullmatch(r"\w+", host.machine())


def test_a_host_says_which_devices_it_has_and_how_it_reaches_them(host: Host) -> None:
    found = host.network()
    own = [address.partition("/")[0] for link in found.links for address in link.addresses]
    assert own
    assert found.at(own[0]) in found.links
    assert found.at("192.0.2.77") is None
    way = host.route(own[0])
    assert way is not None
    assert way.device in {link.name for link in found.links}
    assert found.is_where(host.network()) is (found.machine is not None)


def test_a_program_is_named_by_its_whole_path(host: Host) -> None:
    found = host.which("sh")
    assert found is not None
    assert re.fullmatch(r"/.*/sh", found)
    assert host.which(found) == found


def test_the_beginning_of_a_file_is_read(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert host.read(tmp_path / "file", 4) == b"0123"
    assert has_file(host, tmp_path / "file")
    assert not has_file(host, tmp_path)
    assert not has_file(host, tmp_path / "none")


def test_what_is_no_file_cannot_be_read(host: Host, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OSError, match=r"not a file|No such file"):
            host.read(path, 10)


def test_a_run_goes_over_any_two_hosts(pair: Pair) -> None:
    output = pair.carry_out(job(SERVES, SPEAKS))
    assert output.failure is None
    assert output.client is not None
    assert (output.server.stdout, output.client.stdout) == ("READY\ntotal\n", "hello\n")
    assert output.written == {"left.txt": "text"}
    assert output.log is not None
    with output.log:
        assert output.log.read() == b"long"


def test_a_client_that_hangs_is_a_timeout_on_any_two_hosts(pair: Pair) -> None:
    output = pair.carry_out(job(SERVES, HANGS, limit_s=0.2))
    assert output.failure == "the client did not end within 0.2 s"
    assert output.timed_out


def test_a_server_that_is_no_server_is_a_failure_in_its_own_words_on_any_two_hosts(pair: Pair) -> None:
    output = pair.carry_out(job(SPEAKS, SPEAKS))
    assert output.client is None
    assert output.failure == "the server ended before it was ready: hello\naside"


def test_a_client_may_need_no_server_on_any_two_hosts(pair: Pair) -> None:
    output = pair.carry_out(replace(job(SERVES, SPEAKS), server=None, log=""))
    assert output.failure is None
    assert output.servers == ()
    assert output.client is not None
    assert output.client.stdout == "hello\n"
    assert output.written == {"left.txt": "text"}


def test_what_comes_before_an_end_runs_in_its_folder() -> None:
    before = script("echo made >made.txt")
    server, client = script(f"cat made.txt >&2; {SERVES}"), script("cat made.txt")
    output = on_one(LocalHost()).carry_out(
        Job(server, client, "READY", 20.0, before=(before, before), warm_up=(before,))
    )
    assert output.failure is None
    assert output.client is not None
    assert (output.server.stderr, output.client.stdout) == ("made\n", "made\n")


@pytest.mark.parametrize("place", ["before", "warm_up"])
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo no room >&2; exit 3", "sh ended with status 3: no room"),
        (HANGS, "sh did not end within 0.3 s: it printed"),
    ],
)
def test_what_comes_before_an_end_and_goes_wrong_fails_the_run_in_its_own_words(
    place: str, command: str, why: str
) -> None:
    asked = Job(script(SERVES), script("true"), "READY", 20.0, before_limit_s=0.3)
    wrong = (script(command),)
    output = on_one(LocalHost()).carry_out(
        replace(asked, before=wrong) if place == "before" else replace(asked, warm_up=wrong)
    )
    assert output.client is None
    assert (output.failure or "").startswith(why)
    assert (output.failure or "").endswith(f"({BEFORE if place == 'before' else WARM_UP})")


def test_a_command_is_told_its_own_folder_and_its_file_shows_that_it_is_ready() -> None:
    text = f"sleep 0.1; echo $0 >{{}}/up; pwd >&2; {SERVES}".replace("echo READY;", "")
    server = Command(("sh", "-c", text, "{}/x"), {"PATH": "/usr/bin:/bin"}, folder_mark="{}")
    output = on_one(LocalHost()).carry_out(Job(server, script("true"), "", 20.0, ready_file="up", wanted=("up",)))
    assert output.failure is None
    assert output.written == {"up": f"{output.server.stderr.strip()}/x\n"}


LISTENS: Final = "import socket as s,sys,time;time.sleep(0.1);o=s.socket();o.bind(('127.0.0.1',int(sys.argv[1])));o.listen();time.sleep(60)"
CONNECTS: Final = "import socket as s,sys;s.create_connection(('127.0.0.1',int(sys.argv[1])));print('through')"


def test_a_server_that_says_nothing_is_ready_when_it_listens() -> None:
    host = LocalHost()
    (port,) = host.free_ports(1, "tcp", "127.0.0.1")
    server, client = (Command((sys.executable, "-c", text, str(port)), {}) for text in (LISTENS, CONNECTS))
    output = on_one(host).carry_out(Job(server, client, "", 20.0, ready_place=Place("tcp", "127.0.0.1", port)))
    assert output.client is not None
    assert output.client.stdout == "through\n"


def test_a_server_that_never_listens_is_a_timeout() -> None:
    host = LocalHost()
    (port,) = host.free_ports(1, "tcp", "127.0.0.1")
    place = Place("tcp", "127.0.0.1", port)
    output = on_one(host).carry_out(Job(script(HANGS), script("true"), "", 20.0, ready_limit_s=0.2, ready_place=place))
    assert output.timed_out
    assert output.failure == "the server was not ready within 0.2 s: it printed nothing"


def test_each_end_of_a_local_run_has_a_folder_of_its_own() -> None:
    output = on_one(LocalHost()).carry_out(
        Job(script(f"pwd >&2; {SERVES}"), script("pwd; ls"), "READY", 20.0, files={"feed.txt": "T:1\n"})
    )
    assert output.client is not None
    folder, *files = output.client.stdout.splitlines()
    assert folder != output.server.stderr.strip()
    assert files == ["feed.txt"]


@dataclass
class Stolen(SimulatedHost):
    """A simulated machine that is disturbed all the time."""

    def counters(self, cpus: object) -> Counters:
        now = float(len(self.runs))
        return Counters(now, 0.0, busy_s=0.5 * now, idle_s=0.0, steal_s=0.5 * now)


def test_two_machines_are_counted_apart_and_either_can_spoil_a_run() -> None:
    calm = SimulatedHost(lambda _: 36.0)
    workload = Workload(server_cpus="0", client_cpus="1")
    for two, spoils in ((Pair(SimulatedHost(lambda _: 36.0), calm), False), (Pair(calm, Stolen(lambda _: 36.0)), True)):
        run = Rig(two, stacks.named("kernel"), (Path("/opt/libtuner_kernel.so"),), "sockperf").execute({}, workload)
        assert run.status == Status.OK
        assert set(run.evidence["telemetry"]) == {"server", "client"}
        assert bool(spoiled(run.evidence["telemetry"])) == spoils


def test_one_machine_is_counted_once_and_stored_as_ever() -> None:
    rig = Rig(
        on_one(SimulatedHost(lambda _: 36.0)), stacks.named("kernel"), (Path("/opt/libtuner_kernel.so"),), "sockperf"
    )
    telemetry = rig.execute({}, Workload(server_cpus="0", client_cpus="1")).evidence["telemetry"]
    assert telemetry["wall_s"] == 1.0
    assert telemetry == stored(
        [between(Counters(0.0, 0.0, 0.0, None, 0.0, 0.0), Counters(1.0, 1.0, 1.0, None, 1.0, 0.0))]
    )


def test_a_playback_is_read_whole_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "playback.csv"
    path.write_text("0.1, 64\n")
    assert playback_text(path) == "0.1, 64\n"
    monkeypatch.setattr(runs, "PLAYBACK_BYTES", 7)
    with pytest.raises(UsageError, match="larger than 7 bytes"):
        playback_text(path)
    with pytest.raises(UsageError, match="cannot read the playback"):
        playback_text(tmp_path / "none.csv")
