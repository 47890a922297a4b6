"""What a workload refuses, how it is compared, and that it survives JSON."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import Severity, UsageError
from tuner.runs.workload import Mode, Multiplexer, Protocol, Workload, from_dict

workloads = st.builds(
    Workload,
    mode=st.sampled_from(Mode),
    protocol=st.sampled_from(Protocol),
    message_bytes=st.integers(),
    rate_mps=st.none() | st.integers(),
    multiplexer=st.sampled_from(Multiplexer),
    address=st.text(),
    playback=st.none() | st.text(),
)


def test_the_default_workload_has_no_problem() -> None:
    assert Workload().problems() == []


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"message_bytes": 13}, "workload.message_bytes", "13 must be from 14 to 65507"),
        ({"message_bytes": 65508}, "workload.message_bytes", "65508 must be from 14 to 65507"),
        ({"rate_mps": 0}, "workload.rate_mps", "0 must be from 1"),
        ({"burst": 0}, "workload.burst", "0 must be from 1"),
        ({"reply_every": 0}, "workload.reply_every", "0 must be from 1"),
        ({"duration_s": 0}, "workload.duration_s", "0 must be from 1"),
        ({"connections": 2}, "workload.multiplexer", "recvfrom waits for one socket"),
        ({"connections": 2, "server_threads": 2}, "workload.server_threads", "which recvfrom cannot"),
        (
            {"connections": 2, "server_threads": 3, "multiplexer": Multiplexer.EPOLL},
            "workload.server_threads",
            "3 threads must not exceed the 2 connections",
        ),
        ({"mode": Mode.PLAYBACK}, "workload.playback", "needs a file"),
        ({"playback": "a.csv"}, "workload.playback", "ping-pong takes no playback file"),
        ({"mode": Mode.PLAYBACK, "playback": "a.csv", "rate_mps": 5}, "workload.rate_mps", "from its file"),
        ({"server_cpus": "3-1"}, "workload.server_cpus", "'3-1' is not a CPU list"),
        ({"client_cpus": "all"}, "workload.client_cpus", "'all' is not a CPU list"),
        ({"address": "localhost"}, "workload.address", "'localhost' is not an IP address"),
        ({"address": "224.0.0.1"}, "workload.address", "224.0.0.1 is multicast"),
    ],
)
def test_what_sockperf_would_refuse_is_said_before_it_runs(change: dict[str, Any], where: str, words: str) -> None:
    found = [p for p in replace(Workload(), **change).problems() if p.where == where]
    assert any(words in p.message and p.severity is Severity.ERROR for p in found)


def test_all_problems_come_at_once() -> None:
    bad = Workload(message_bytes=1, duration_s=0, connections=2, address="nowhere")
    assert len(bad.problems()) == 4


def test_a_workload_that_cannot_give_a_p99_is_warned_about() -> None:
    rare = Workload(mode=Mode.UNDER_LOAD, rate_mps=20_000, reply_every=100)
    (doubt,) = rare.problems()
    assert doubt.severity is Severity.WARNING
    assert "about 110 observations" in doubt.message
    assert replace(rare, reply_every=10).problems() == []


def test_a_feed_file_is_needed_for_all_but_one_plain_socket() -> None:
    assert not Workload().needs_feed
    assert Workload(multiplexer=Multiplexer.EPOLL).needs_feed
    assert Workload(multiplexer=Multiplexer.POLL, connections=3).ports_needed == 3


@pytest.mark.parametrize("field", [f.name for f in fields(Workload)])
def test_workloads_that_differ_in_anything_that_counts_have_different_keys(field: str) -> None:
    base = Workload(mode=Mode.PLAYBACK, playback="a.csv")
    others: dict[str, Any] = {
        "mode": Mode.UNDER_LOAD,
        "protocol": Protocol.UDP,
        "multiplexer": Multiplexer.POLL,
        "address": "127.0.0.2",
        "playback": "b.csv",
        "rate_mps": 7,
    }
    assert replace(base, **{field: others.get(field, 77)}).key() != base.key()


def test_reply_every_does_not_count_where_each_message_is_answered() -> None:
    assert Workload(reply_every=3).key() == Workload(reply_every=4).key()


@given(workloads)
def test_a_workload_survives_json(workload: Workload) -> None:
    assert from_dict(json.loads(json.dumps(workload.to_dict()))) == workload


@given(workloads)
def test_any_workload_can_be_asked_for_its_problems(workload: Workload) -> None:
    assert all(problem.where.startswith("workload.") for problem in workload.problems())


def test_what_is_not_said_keeps_its_default() -> None:
    assert from_dict({"mode": "throughput"}) == Workload(mode=Mode.THROUGHPUT)


def test_a_malformed_workload_names_everything_that_is_wrong_with_the_nearest_match() -> None:
    bad = {"mode": "ping-pnog", "messages_bytes": 5, "burst": True, "address": 7, "duration_s": 1.5}
    with pytest.raises(UsageError) as caught:
        from_dict(bad)
    found = {finding.where: finding for finding in caught.value.findings}
    assert set(found) == {f"workload.{name}" for name in bad}
    assert found["workload.mode"].suggestion == "did you mean ping-pong?"
    assert found["workload.messages_bytes"].suggestion == "did you mean message_bytes?"
