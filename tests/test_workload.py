"""What a workload refuses, how it is compared, and that it survives JSON."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import Severity, UsageError
from tuner.runs.recipe import End, OwnMetric, Recipe
from tuner.runs.workload import Mode, Multiplexer, Protocol, Workload, from_dict
from tuner.runs.workload_checks import problems

GROUP: dict[str, Any] = {"address": "239.1.1.1", "protocol": Protocol.UDP}
texts = st.text()
workloads = st.builds(
    Workload,
    mode=st.sampled_from(Mode),
    protocol=st.sampled_from(Protocol),
    message_bytes=st.integers(),
    rate_mps=st.none() | st.integers(),
    multiplexer=st.sampled_from(Multiplexer),
    address=st.text(),
    playback=st.none() | st.text(),
    receivers=st.integers(0, 9),
    mc_rx_if=texts,
    mc_ttl=st.none() | st.integers(),
    full_rtt=st.booleans(),
    client_port=st.none() | st.integers(),
    feed=st.lists(texts).map(tuple),
    further_args=st.lists(texts).map(tuple),
)


def test_the_default_workload_has_no_problem() -> None:
    assert problems(Workload()) == []


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
        ({"address": "224.0.0.1"}, "workload.protocol", "tcp has no multicast"),
        ({"receivers": 3}, "workload.receivers", "127.0.0.1 is not a multicast group"),
        ({"mc_ttl": 3}, "workload.mc_ttl", "127.0.0.1 is not a multicast group"),
        ({**GROUP, "receivers": 3}, "workload.mc_rx_if", "3 receivers by the addresses from which they answer"),
        ({**GROUP, "receivers": 3, "mc_rx_if": "10.0.0.1,10.0.0.2"}, "workload.mc_rx_if", "2 interfaces for 3"),
        ({**GROUP, "mc_tx_if": "eth0"}, "workload.mc_tx_if", "'eth0' is not an IP address"),
        ({"range_bytes": 60}, "workload.range_bytes", "from 4 to 124"),
        ({"client_port": 7000, "multiplexer": Multiplexer.EPOLL}, "workload.client_port", "no port can be given"),
        ({"client_port": 65536}, "workload.client_port", "must be from 1 to 65535"),
        ({"client_address": "here"}, "workload.client_address", "'here' is not an IP address"),
        ({"protocol": Protocol.UDP, "tcp_avoid_nodelay": True}, "workload.tcp_avoid_nodelay", "no TCP_NODELAY"),
        ({"client_cpus": "1", "sender_affinity": "2"}, "workload.sender_affinity", "CPUs 2 are not among"),
    ],
)
def test_what_sockperf_would_refuse_is_said_before_it_runs(change: dict[str, Any], where: str, words: str) -> None:
    found = [p for p in problems(replace(Workload(), **change)) if p.where == where]
    assert any(words in p.message and p.severity is Severity.ERROR for p in found)


def test_all_problems_come_at_once() -> None:
    bad = Workload(message_bytes=1, duration_s=0, connections=2, address="nowhere")
    assert len(problems(bad)) == 4


def test_a_workload_that_cannot_give_a_p99_is_warned_about() -> None:
    rare = Workload(mode=Mode.UNDER_LOAD, rate_mps=20_000, reply_every=100)
    (doubt,) = problems(rare)
    assert doubt.severity is Severity.WARNING
    assert "about 110 observations" in doubt.message
    assert problems(replace(rare, reply_every=10)) == []


def test_a_feed_file_is_needed_for_all_but_one_plain_socket() -> None:
    assert not Workload().needs_feed
    assert Workload(multiplexer=Multiplexer.EPOLL).needs_feed
    assert Workload(multiplexer=Multiplexer.POLL, connections=3).ports_needed == 3


@pytest.mark.parametrize("field", [f.name for f in fields(Workload) if f.name != "rehearsed_s"])
def test_workloads_that_differ_in_anything_that_counts_have_different_keys(field: str) -> None:
    base = Workload(mode=Mode.PLAYBACK, playback="a.csv")
    others: dict[str, Any] = {
        "mode": Mode.UNDER_LOAD,
        "protocol": Protocol.UDP,
        "multiplexer": Multiplexer.POLL,
        "address": "127.0.0.2",
        "playback": "b.csv",
        "rate_mps": 7,
        "feed": ("U:10.0.0.1:7",),
        "further_args": ("--no-rdtsc",),
        "full_rtt": True,
        "recipe": Recipe("one", End(("true",)), ()),
    }
    assert replace(base, **{field: others.get(field, 77)}).key() != base.key()


def test_keys_of_workloads_that_the_last_release_knew_are_what_they_were() -> None:
    was = "ping-pong tcp 64B 1s recvfrom rate=max burst=1 connections=1 server-threads=1 127.0.0.1"
    assert Workload().key() == f"{was} server-cpus=any client-cpus=any"


@pytest.mark.parametrize(("short", "mode"), [("pp", "ping-pong"), ("ul", "under-load"), ("tp", "throughput")])
def test_a_mode_may_be_named_shortly(short: str, mode: str) -> None:
    assert from_dict({"mode": short}) == from_dict({"mode": mode})


def test_the_highest_rate_is_called_max() -> None:
    assert from_dict({"rate_mps": "max"}) == Workload(rate_mps=None)


@pytest.mark.parametrize(
    ("text", "each"), [("10.0.0.1", ("10.0.0.1",) * 3), ("a,b,c", ("a", "b", "c")), ("", ("",) * 3)]
)
def test_an_interface_is_for_all_receivers_or_for_one(text: str, each: tuple[str, ...]) -> None:
    assert Workload(receivers=3, mc_rx_if=text).receiver_interfaces == each


def test_reply_every_does_not_count_where_each_message_is_answered() -> None:
    assert Workload(reply_every=3).key() == Workload(reply_every=4).key()


@given(workloads)
def test_a_workload_survives_json(workload: Workload) -> None:
    assert from_dict(json.loads(json.dumps(workload.to_dict()))) == workload


@given(workloads)
def test_any_workload_can_be_asked_for_its_problems(workload: Workload) -> None:
    assert all(problem.where.startswith("workload.") for problem in problems(workload))


def test_what_is_not_said_keeps_its_default() -> None:
    assert from_dict({"mode": "throughput"}) == Workload(mode=Mode.THROUGHPUT)


def test_a_malformed_workload_names_everything_that_is_wrong_with_the_nearest_match() -> None:
    bad = {
        "mode": "ping-pnog",
        "messages_bytes": 5,
        "burst": True,
        "address": 7,
        "duration_s": 1.5,
        "full_rtt": 1,
        "feed": "a",
    }
    with pytest.raises(UsageError) as caught:
        from_dict(bad)
    found = {finding.where: finding for finding in caught.value.findings}
    assert set(found) == {f"workload.{name}" for name in bad}
    assert found["workload.mode"].suggestion == "did you mean ping-pong?"
    assert found["workload.messages_bytes"].suggestion == "did you mean message_bytes?"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"rehearsed_s": True}, "is not a number of seconds"),
        ({"rehearsed_s": -1}, "is not a number of seconds"),
        ({"rehearsed_s": float("inf")}, "is not a number of seconds"),
        ({"recipe": "redis"}, "is not a recipe"),
        ({"recipe": {"name": "x"}}, "must be a command"),
        ({"playback": 3}, "is not text"),
    ],
)
def test_a_field_of_another_kind_is_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_dict(wrong)
    assert any(words in str(finding) for finding in caught.value.findings)


OWN = Recipe("mine", client=End(("client", "{address}"), cpus=3), metrics=(OwnMetric("rps", regex="rps=(.+)"),))


def test_a_recipe_says_the_traffic_and_what_is_asked_of_it_besides_is_named() -> None:
    asked = Workload(recipe=OWN, message_bytes=100, address="239.1.1.1")
    told = {problem.where: problem.message for problem in problems(asked)}
    assert told["workload.message_bytes"] == "is for the recipe's own commands to say"
    assert "which no recipe knows" in told["workload.address"]


def test_a_recipe_says_its_cpus_and_what_a_latency_is() -> None:
    plain = Workload(recipe=OWN)
    assert plain.threads == (1, 3)
    assert plain.latency_is == ""
    assert Workload(recipe=replace(OWN, server=End(("server",), cpus=2))).threads == (2, 3)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"message_bytes": 20, "range_bytes": 10}, "workload.range_bytes", "sizes would be from 10 to 30"),
        ({"mode": Mode.PLAYBACK, "playback": "a", "message_bytes": 50, "range_bytes": 5}, "workload.range_bytes", "from its file"),
        ({"connections": 2, "multiplexer": Multiplexer.EPOLL, "client_port": 5}, "workload.client_port", "need a feed file"),
        ({"tcp_avoid_nodelay": True, "protocol": Protocol.UDP}, "workload.tcp_avoid_nodelay", "has no TCP_NODELAY"),
    ],
)  # fmt: skip
def test_what_a_client_could_not_be_asked_for_is_said(change: dict[str, Any], where: str, words: str) -> None:
    assert any(words in problem.message for problem in problems(Workload(**change)) if problem.where == where)
