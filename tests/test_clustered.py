"""Blocks as tasks of a Dask cluster: what is sent arrives whole, what makes no sense ends the session in words."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import sessions
import throughput

from tuner.errors import TunerError, UsageError
from tuner.judging import slo
from tuner.records import Lease
from tuner.runs.block import RateSearch, Step
from tuner.runs.rate_search import Start
from tuner.runs.time_limits import TimeLimits, Took
from tuner.session.measuring import clustered, scheduler
from tuner.session.measuring.pairs import Done, Failed, Job, Lost, Said
from tuner.session.measuring.scheduler import Cluster

STEP = Step(
    3,
    {"XLIO_RX_POLL": "-1", "A": "ü\n"},
    replace(sessions.PLAN.workloads[0], address="10.0.0.1", server_cpus="2"),
    0,
    ("latency_p50_us",),
    full_log=True,
    search=RateSearch(4, Start(1000, known=True), 0.01, partial(slo.holds, sessions.GOAL.limits)),
    limits=TimeLimits(Took(1.0, 2.0), Took(0.5, 0.5), 7),
)
JOB = Job(Lease("rack1", 5, 12), (STEP, replace(STEP, search=None)), 30.5)


def test_a_job_arrives_as_it_was_sent() -> None:
    found = clustered.job_of(json.loads(clustered.job_text(JOB)), sessions.GOAL)
    plain = [replace(step, search=None) for step in found.steps]
    assert (found.lease, found.within_s, plain) == (JOB.lease, 30.5, [JOB.steps[1]] * 2)
    search = found.steps[0].search
    assert search
    assert (search.number, search.start, search.tail_share) == (4, Start(1000, known=True), 0.01)
    assert search.holds({"latency_p99_us": 100.0}, 1000) == STEP.search.holds({"latency_p99_us": 100.0}, 1000)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{", "{}", '{"runs": 3}', '{"runs": [3]}', '{"runs": [{"number": -1}]}', '{"failed": "no"}'],
)
def test_what_no_worker_answers_ends_the_session_in_words(text: str) -> None:
    event = clustered.event_of(JOB, text)
    assert isinstance(event, Failed)
    assert "what a worker answered for pair rack1 makes no sense" in str(event.reason)


def test_a_loss_and_a_failure_of_a_worker_are_told() -> None:
    assert clustered.event_of(JOB, '{"lost": "far: gone"}') == Lost(JOB, "far: gone")
    failed = clustered.event_of(JOB, '{"failed": "no sockperf", "advice": "install it", "findings": []}')
    assert isinstance(failed, Failed)
    assert str(failed.reason) == "pair rack1: no sockperf"


def test_runs_of_a_worker_are_those_that_it_made() -> None:
    run = throughput.rig().execute({}, sessions.PLAN.workloads[0])
    event = clustered.event_of(JOB, json.dumps({"runs": [clustered.row_of(run)]}))
    assert isinstance(event, Done)
    assert event.runs == (run,)


def test_a_worker_reaches_a_pair_once_and_lets_go_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def reached(there: clustered.There) -> clustered.At:
        made.append("reached")
        at = clustered.At(throughput.rig(), sessions.PLAN.objective)
        at.connections.callback(made.append, "let go")
        return at

    monkeypatch.setattr(clustered, "reached", reached)
    monkeypatch.setattr(throughput, "RUN_S", 0.0)
    there = json.dumps(clustered.There("local", "local", sessions.PLAN).to_dict())
    job = replace(JOB, steps=(replace(STEP, search=None, workload=sessions.PLAN.workloads[0]),))
    texts = [clustered.measured(there, clustered.job_text(job)) for _ in range(2)]
    events = [clustered.event_of(JOB, text) for text in texts]
    assert [len(each.runs) for each in events if isinstance(each, Done)] == [1, 1]
    clustered.forget(there)
    clustered.forget(there)
    assert made == ["reached", "let go"]


def refused(cluster: Cluster) -> TunerError:
    """Return why a cluster is not connected to."""
    with pytest.raises(TunerError) as caught, scheduler.connected(cluster):
        pass
    return caught.value


def test_a_scheduler_that_is_none_is_told_with_the_command_that_would_start_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler, "CONNECT_S", 0.5)
    reason = refused(Cluster("tcp://127.0.0.1:9"))
    assert isinstance(reason, UsageError)
    assert "no Dask scheduler answers at tcp://" in reason.message
    assert "dask scheduler --port 8786" in reason.advice


class Future:
    """A task that never ends by itself."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.cancelled = False

    def add_done_callback(self, _: object) -> None:
        """Call nobody."""

    def cancel(self) -> None:
        """Note that nobody waits for it any more."""
        self.cancelled = True


class Scheduling:
    """A scheduler of two workers, of whom the first has every task and says nothing more."""

    status = "running"

    def __init__(self) -> None:
        self.futures = list[Future]()
        self.options = list[dict[str, object]]()

    def scheduler_info(self, n_workers: int) -> dict[str, object]:
        """Return what it knows of its workers."""
        assert n_workers == -1
        resources = {"resources": {"pair": 1}}
        return {"workers": {"one": {**resources, "last_seen": 1.0}, "two": {**resources, "last_seen": time.time()}}}

    def submit(self, *_: object, **options: object) -> Future:
        """Give a task to the first worker."""
        self.options.append(options)
        self.futures.append(Future(str(options["key"])))
        return self.futures[-1]

    def processing(self, workers: list[str]) -> dict[str, list[str]]:
        """Return the tasks of workers."""
        return {"one": [each.key for each in self.futures]} if workers == ["one"] else {}


def test_the_block_of_a_worker_that_hangs_is_lost_and_measured_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustered, "ASK_S", 0.02)
    monkeypatch.setattr(clustered, "HANG_S", 0.3)
    client = Scheduling()
    carrier = clustered.Clustered(
        scheduler.Scheduler("tcp://s:1", client), "a", {"rack1": clustered.There("local", "local", sessions.PLAN)}
    )
    carrier.submit(JOB)
    found = [carrier.wait(2.0) for _ in range(2)]
    assert [each.why for each in found if isinstance(each, Lost)] == ["the worker one has said nothing for 0 s"]
    assert any("1 of 2 workers" in each.text for each in found if isinstance(each, Said))
    assert client.futures[0].cancelled
    carrier.submit(JOB)
    assert client.options[1]["workers"] == ["two"]
    carrier._over.set()


@pytest.mark.parametrize(("greeting", "why"), [(b"", "it hangs"), (b"SSH-2.0-OpenSSH_9.2", "it is another program")])
def test_another_program_on_the_port_is_told_from_a_scheduler(
    monkeypatch: pytest.MonkeyPatch, greeting: bytes, why: str
) -> None:
    monkeypatch.setattr(scheduler, "CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            one, _ = listener.accept()
            with one, contextlib.suppress(ConnectionResetError):  # it goes without reading all
                one.sendall(greeting)
                one.recv(1)

        threading.Thread(target=greet, daemon=True).start()
        reason = refused(Cluster(f"tcp://127.0.0.1:{listener.getsockname()[1]}"))
    assert isinstance(reason, UsageError)
    assert why in reason.message
    assert "dask scheduler --port 8786" in reason.advice


def test_a_scheduler_whose_name_is_not_known_is_told_so() -> None:
    assert "the name no-such-host.invalid is not known" in refused(Cluster("tcp://no-such-host.invalid:8786")).message


def authority(folder: Path) -> dict[str, Path]:
    """Return the files of an authority, and of a certificate that it signed, by what Dask calls them."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder.mkdir()

    def made(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    made("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    made("req", *key, "-keyout", "me.key", "-out", "me.csr", "-subj", "/CN=me")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "1", "-days", "2")
    made("x509", "-req", "-in", "me.csr", *signed, "-out", "me.pem")
    return {
        "tls_ca_file": folder / "ca.pem",
        "tls_client_cert": folder / "me.pem",
        "tls_client_key": folder / "me.key",
    }


@pytest.mark.serial
def test_a_cluster_measures_the_blocks_of_many_pairs_and_is_reached_by_tls_only_with_what_it_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(throughput, "RUN_S", 0.01)
    mine, others = authority(tmp_path / "mine"), authority(tmp_path / "others")
    with throughput.cluster(2, mine) as there:
        row = throughput.by_cluster(there, 2, 8.0)
        stranger = replace(there, certificate=others["tls_client_cert"], key=others["tls_client_key"])
        reasons = {
            "another certificate": refused(stranger).message,
            "another authority": refused(replace(there, ca=others["tls_ca_file"])).message,
            "another key": refused(replace(there, key=others["tls_client_key"])).message,
            "no files": refused(Cluster(there.address)).message,
            "no TLS": refused(Cluster(there.address.replace("tls", "tcp"))).advice,
        }
        monkeypatch.setattr(scheduler, "__version__", "9.9.9")
        other_release = refused(there)
    assert row.blocks >= 2
    assert "it does not take this program's certificate" in reasons["another certificate"]
    assert "the authority of --cluster-ca did not sign its certificate" in reasons["another authority"]
    assert "no TLS can be made of" in reasons["another key"]
    assert "which needs files" in reasons["no files"]
    assert "one that speaks TLS is tls://" in reasons["no TLS"]
    assert "workers need what is here: stack-tuner 9.9.9, Dask" in other_release.message
    assert "pip install 'stack-tuner[cluster]==9.9.9'" in other_release.findings[0].suggestion
