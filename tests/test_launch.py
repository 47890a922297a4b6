"""A stack is launched as it was asked: opened by sockperf where that can, under a rule file, with its counters read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import command_line
import fake
import pytest
from stats_file import FILE

from tuner import stacks
from tuner.cli import session_options
from tuner.errors import UsageError
from tuner.hosts.host import Command, ProcessResult
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import Job, RunOutput, on_one
from tuner.hosts.simulated import Words
from tuner.records import Kind
from tuner.results import Results
from tuner.runs.benchmark import Features
from tuner.runs.chosen import BENCHMARK
from tuner.runs.launch import Launch, Loading, at, evidence, unsupported
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Protocol, Workload
from tuner.session.setup import prepare, rule_file
from tuner.session.setup.plan import Plan
from tuner.session.setup.request import Request, Setup, Task
from tuner.stacks.preloads import kernel_library
from tuner.store import Store

XLIO_BANNER = " XLIO INFO   : XLIO_VERSION: 3.61.2-0 Release\n"
LIBRARY = Path("/opt/libxlio.so")


class Card(SimulatedHost):
    """A simulated host whose sockperf is 3.9, and whose library writes counters."""

    def speak(self, command: Command) -> Words:
        words = replace(super().speak(command), stderr=XLIO_BANNER)
        return replace(words, files={"server.stats": FILE.encode()}) if words.serves else words

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        return ProcessResult(0, "sockperf, version 3.9\n --load-xlio --load-vma\n", XLIO_BANNER, 0.0)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return Path(shutil.copy(kernel_library(), tmp_path / "libxlio.so"))


def planned(library: Path, stack: str = "xlio", load: Loading = Loading.PRELOAD, conf: Path | None = None) -> Plan:
    setup = Setup(str(fake.install(library.parent)), library, fast_start=False, load=load, conf=conf, os_sockets=True)
    request = Request(Kind.MEASURE, budget_s=1e9, task=Task(stack), setup=setup)
    return prepare.plan(request, on_one(Card(lambda _: 3.0)), ())


def test_dlopen_takes_the_library_out_of_the_preload_and_tells_sockperf_its_path() -> None:
    host = Card(lambda _: 3.0)
    rig = Rig(on_one(host), stacks.named("xlio"), (LIBRARY, Path("/opt/more.so")), "sockperf", Launch(Loading.DLOPEN))
    rig.execute({}, Workload())
    for end in (host.runs[0].server, host.runs[0].client):
        assert end.environment["LD_PRELOAD"] == "/opt/more.so"
        assert end.argv[-1] == "--load-xlio=/opt/libxlio.so"


@pytest.mark.parametrize(
    ("stack_name", "able", "says"),
    [
        ("kernel", Features((3, 10), loads=frozenset({"--load-vma", "--load-xlio"})), "not that of kernel"),
        ("xlio", Features((3, 7), loads=frozenset({"--load-vma"})), "sockperf 3.7 has no --load-xlio"),
        ("vma", Features((3, 4)), "has no --load-vma"),
    ],
)
def test_dlopen_is_refused_with_the_reason_where_sockperf_cannot(stack_name: str, able: Features, says: str) -> None:
    assert says in unsupported(Loading.DLOPEN, stack_name, BENCHMARK, able)[0].message
    assert unsupported(Loading.PRELOAD, stack_name, BENCHMARK, able) == []
    assert unsupported(Loading.DLOPEN, "vma", BENCHMARK, Features((3, 7), loads=frozenset({"--load-vma"}))) == []


def test_the_way_of_loading_is_in_the_plan_and_an_old_plan_preloads(library: Path) -> None:
    plan = planned(library, load=Loading.DLOPEN)
    assert Plan.from_dict(plan.to_dict()) == plan
    old = plan.to_dict()
    del old["load"], old["conf"]
    assert (Plan.from_dict(old).load, Plan.from_dict(old).conf) == ("preload", None)
    with pytest.raises(UsageError, match="not a way to load"):
        session_options.setup(load="dlopn")


def conf(library: Path, text: str) -> Path:
    path = library.parent / "rules.conf"
    path.write_text(text)
    return path


def test_both_ends_run_under_the_rule_file(library: Path) -> None:
    path = conf(library, "use os tcp_server *:22\n")
    plan = planned(library, conf=path)
    host = Card(lambda _: 3.0)
    prepare.rig(Plan.from_dict(plan.to_dict()), on_one(host)).execute({"XLIO_CONFIG_FILE": "/other"}, plan.workloads[0])
    ends = (host.runs[0].server, host.runs[0].client)
    assert [end.environment["XLIO_CONFIG_FILE"] for end in ends] == [str(path)] * 2
    path.write_text("use os tcp_server *:23\n")
    with pytest.raises(UsageError, match="has changed"):
        prepare.rig(plan, on_one(host))


def test_a_rule_file_is_checked_before_the_first_run_and_refused_on_the_kernel_stack(library: Path) -> None:
    with pytest.raises(UsageError, match="not read as it is meant") as caught:
        planned(library, conf=conf(library, "use xlio tcp_server *:*\n"))
    assert "use vma" in caught.value.findings[0].suggestion
    with pytest.raises(UsageError, match="not read as it is meant"):
        planned(library, conf=library.parent / "missing.conf")
    with pytest.raises(UsageError, match="reads no offload rules"):
        planned(library, stack="kernel", conf=conf(library, ""))


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("use os tcp_server *:*\n", ["leaves sockperf's own tcp_server"]),
        ("use os tcp_client 127.0.0.0/8:5000-20000\n", ["may leave sockperf's own tcp_client"]),
        ("use os tcp_client 10.0.0.0/8:*\nuse os udp_sender *:*\n", []),
        ("application-id nginx *\nuse os tcp_server *:*\n", []),
        ("application-id * B1\nuse os tcp_server *:*\n", []),
    ],
)
def test_a_rule_that_leaves_the_benchmark_to_the_kernel_is_a_doubt(library: Path, text: str, roles: list[str]) -> None:
    plan = planned(library, conf=conf(library, text))
    workload = replace(plan.workloads[0], protocol=Protocol.TCP, address="127.0.0.1")
    found = rule_file.doubts(replace(plan, workloads=(workload,)))
    assert len(found) == len(roles)
    assert all(role in doubt.message for role, doubt in zip(roles, found, strict=True))


def test_each_end_writes_its_counters_to_its_own_file_and_the_environments_stay_equally_long() -> None:
    variables = Launch().variables("xlio", {"XLIO_RX_POLL": "1"})
    server, client = at("server", "xlio", variables), at("client", "xlio", variables)
    assert (server["XLIO_STATS_FILE"], client["XLIO_STATS_FILE"]) == ("server.stats", "client.stats")
    assert len(server["XLIO_STATS_FILE"]) == len(client["XLIO_STATS_FILE"])
    own = Launch().variables("xlio", {"XLIO_STATS_FILE": "/var/mine"})
    assert at("server", "xlio", own)["XLIO_STATS_FILE"] == "/var/mine"
    assert "XLIO_STATS_FILE" not in Launch().variables("kernel", {})


def test_the_counters_of_a_run_are_in_its_evidence_with_what_they_point_at() -> None:
    run = Rig(on_one(Card(lambda _: 3.0)), stacks.named("xlio"), (LIBRARY,), "sockperf").execute({}, Workload())
    assert run.evidence["counters"]["server"]["tx_packets"] == 1000
    assert "XLIO_RX_BYTES_MIN" in json.dumps(run.evidence["findings"])
    assert evidence("kernel", RunOutput((ProcessResult(0, "", "", 0.0),), None, "", 0.0)) == {}


def test_files_that_a_program_leaves_in_its_folder_are_read_when_wanted(tmp_path: Path) -> None:
    script = "import signal,sys,time; open('server.stats','w').write('x'*5); print('ready',flush=True); signal.pause()"
    server = Command((sys.executable, "-c", script), {"PATH": os.environ["PATH"]})
    client = Command((sys.executable, "-c", "pass"), {"PATH": os.environ["PATH"]})
    job = Job(server, client, "ready", 5.0, wanted=("server.stats", "client.stats"))
    assert on_one(LocalHost()).carry_out(job).written == {"server.stats": "xxxxx"}


STAND_IN = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void banner(void)
{
    const char *name = getenv("XLIO_STATS_FILE");
    FILE *file = name ? fopen(name, "w") : NULL;
    fputs(" XLIO INFO   : XLIO_VERSION: 3.61.2-0 Release\\n", stderr);
    if (file) {
        fputs("Rx pkt : cur 0 / max 1 / dropped 2\\n", file);
        fclose(file);
    }
}
"""


def test_a_session_answers_what_the_counters_of_its_runs_point_at(tmp_path: Path) -> None:
    source, library = tmp_path / "stand_in.c", tmp_path / "libxlio.so"
    source.write_text(STAND_IN)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    options = ["--stack", "xlio", "--runs", "2", "--json", "--allow-os-sockets", "--lib", str(library)]
    options += ["--sockperf", str(fake.install(tmp_path, noise=0.01))]
    options += ["--conf", str(conf(library, "use os tcp_server *:*\n"))]
    done = command_line.run(tmp_path, "measure", "default", *options)
    assert done.returncode == 0, done.stderr
    assert "sockperf's own tcp_server sockets to the kernel" in done.stderr
    found = json.loads(done.stdout)
    store = Store(Results(tmp_path / "results").url)
    runs = len(store.runs(store.session("latest").id))  # a block that the host spoils is measured again
    assert found["counters"]["client"] == {"dropped_packets": 2 * runs}
    assert [one["where"] for one in found["findings"]] == ["server", "client"]
