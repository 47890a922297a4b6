"""sockperf's arguments and what is read from its output, tried on recordings of the real program.

`tests/data/sockperf/<version>--<case>` holds what client and server printed and what must be read from it;
a version that ends in `-form` marks an output made by hand in the form of that release.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import DATA, outputs

from tuner import measurement as measurements
from tuner.errors import MissingTool, UsageError
from tuner.measurement import Measurement
from tuner.runs import sockperf
from tuner.runs.benchmark import Features, ParseError
from tuner.runs.sockperf import parse
from tuner.runs.workload import Mode, Multiplexer, Protocol, Workload, from_dict
from tuner.runs.workload_checks import problems

CASES: Final = sorted(path.name.removesuffix(".json") for path in DATA.glob("*.json"))
VERSION: Final = "sockperf, version 3.7-no.git\n   compiled 2021-08-23 12:14:23\n"


def expected(case: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / f"{case}.json").read_text(encoding="utf-8"))
    return loaded


def outcome(client: str, server: str, workload: Workload) -> Measurement | str:
    """Return the measurement or the reason why there is none; anything else is the failure that tests look for."""
    try:
        return parse(client, server, workload)
    except ParseError as problem:
        return problem.message


SUCCESSES: Final = [case for case in CASES if "measurement" in expected(case)]


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_output_is_read_as_it_was_meant(case: str) -> None:
    want = expected(case)
    workload = from_dict(want["workload"])
    if "error" in want:
        with pytest.raises(ParseError) as caught:
            parse(*outputs(case), workload)
        assert caught.value.message == want["error"]
    else:
        assert parse(*outputs(case), workload) == measurements.from_dict(want["measurement"])


def test_every_recording_has_an_expectation() -> None:
    recorded = {path.name.removesuffix(".client.out") for path in DATA.glob("*.client.out")}
    assert recorded == set(CASES)
    assert len(SUCCESSES) >= 10


@given(st.sampled_from(SUCCESSES), st.data())
def test_an_output_cut_off_anywhere_is_never_taken_for_less_than_it_was(case: str, data: st.DataObject) -> None:
    client, server = outputs(case)
    cut = data.draw(st.integers(0, len(client)))
    want = expected(case)
    got = outcome(client[:cut], server, from_dict(want["workload"]))
    assert got
    assert isinstance(got, str) or got == measurements.from_dict(want["measurement"])


@pytest.mark.parametrize("case", [case for case in SUCCESSES if case.startswith("3.7--")])
def test_a_last_number_that_lost_digits_is_not_believed(case: str) -> None:
    client, server = outputs(case)
    for cut in range(len(client) - 12, len(client)):
        with pytest.raises(ParseError, match="cut off"):
            parse(client[:cut], server, from_dict(expected(case)["workload"]))


@given(st.sampled_from(CASES), st.data())
def test_a_garbled_output_gives_a_measurement_or_a_reason(case: str, data: st.DataObject) -> None:
    texts = list(outputs(case))
    which = data.draw(st.integers(0, 1))
    start = data.draw(st.integers(0, len(texts[which])))
    end = data.draw(st.integers(start, min(len(texts[which]), start + 40)))
    junk = data.draw(st.text(max_size=30) | st.text("0123456789.-=; \n", max_size=30))
    texts[which] = texts[which][:start] + junk + texts[which][end:]
    got = outcome(texts[0], texts[1], from_dict(expected(case)["workload"]))
    assert got
    assert isinstance(got, str) or all(value >= 0 for value in got.metrics().values())


@given(st.text(), st.text(), st.sampled_from(Mode))
def test_any_text_at_all_gives_a_reason(client: str, server: str, mode: Mode) -> None:
    with pytest.raises(ParseError):
        parse(client, server, Workload(mode=mode))


def test_nothing_printed_is_a_reason() -> None:
    with pytest.raises(ParseError, match="printed nothing"):
        parse("", "", Workload())


def test_the_launcher_s_words_are_the_reason_when_sockperf_never_spoke() -> None:
    with pytest.raises(ParseError, match="failed to set pid 0's affinity"):
        parse("taskset: failed to set pid 0's affinity: Invalid argument\n", "", Workload())


def test_throughput_rates_what_arrived_and_not_what_was_sent() -> None:
    client, server = outputs("3.7--throughput-udp")
    got = parse(client, server, Workload(mode=Mode.THROUGHPUT))
    assert (got.sent, got.received, got.rate_mps) == (227823, 221973, 221973.0)


def test_throughput_without_the_server_s_total_is_no_measurement() -> None:
    client, _ = outputs("3.7--throughput-udp")
    with pytest.raises(ParseError, match="the server printed no total"):
        parse(client, "", Workload(mode=Mode.THROUGHPUT))


def test_throughput_of_which_nothing_arrived_has_rate_zero() -> None:
    client, _ = outputs("3.7--throughput-udp")
    server = "sockperf: No messages were received on the server.\n"
    assert parse(client, server, Workload(mode=Mode.THROUGHPUT)).rate_mps == 0.0


def test_under_load_without_the_server_s_total_has_latencies_and_no_rate() -> None:
    client, _ = outputs("3.7--under-load-tcp")
    got = parse(client, "", Workload(mode=Mode.UNDER_LOAD))
    assert got.latency_p50_us == 44.382
    assert got.rate_mps is None


def test_percentiles_out_of_order_are_not_believed() -> None:
    client, server = outputs("3.7--ping-pong-tcp")
    with pytest.raises(ParseError, match="not in order"):
        parse(client.replace("50.000 =   48.700", "50.000 =   98.700"), server, Workload())


def test_a_negative_latency_is_not_believed() -> None:
    client, server = outputs("3.7--ping-pong-tcp")
    with pytest.raises(ParseError, match="negative numbers: latency_min_us"):
        parse(client.replace("=   12.873", "=  -12.873"), server, Workload())


def test_absent_percentiles_are_absent_from_the_metrics() -> None:
    metrics = parse(*outputs("3.7--one-observation"), Workload()).metrics()
    assert "latency_p25_us" not in metrics
    assert "rate_mps" not in metrics
    assert metrics["latency_p50_us"] == 82.819


def test_cpu_seconds_count_only_when_both_ends_are_known() -> None:
    one = Measurement(client_cpu_s=0.25)
    assert "cpu_s" not in one.metrics()
    assert replace(one, server_cpu_s=0.5).metrics()["cpu_s"] == 0.75


def test_a_percentile_says_how_many_observations_lie_beyond_it() -> None:
    assert Measurement(observations=5481).observations_beyond(99.9) == pytest.approx(5.481)


optional_numbers = st.none() | st.floats(0, allow_infinity=False)


@given(
    st.builds(
        Measurement,
        latency_p50_us=optional_numbers,
        rate_mps=optional_numbers,
        observations=st.integers(0),
        received=st.none() | st.integers(0),
        half_round_trip=st.booleans(),
        server_cpu_s=optional_numbers,
    ),
)
def test_a_measurement_survives_json(measurement: Measurement) -> None:
    assert measurements.from_dict(json.loads(json.dumps(measurement.to_dict()))) == measurement


def test_a_malformed_measurement_names_everything_that_is_wrong() -> None:
    bad = {"latency_p50": 1, "rate_mps": "7", "sent": 1.5, "half_round_trip": 1, "observations": None}
    bad["latency_max_us"] = float("nan")
    with pytest.raises(UsageError) as caught:
        measurements.from_dict(bad)
    assert {finding.where for finding in caught.value.findings} == {f"measurement.{name}" for name in bad}
    assert "did you mean latency_p50_us?" in {finding.suggestion for finding in caught.value.findings}


def test_one_plain_socket_is_named_by_address_and_port() -> None:
    workload = Workload(message_bytes=200, duration_s=2)
    assert sockperf.server_arguments(workload, 5001) == ("server", "--tcp", "-i", "127.0.0.1", "-p", "5001")
    assert sockperf.client_arguments(workload, 5001) == (
        *("ping-pong", "--tcp", "-i", "127.0.0.1", "-p", "5001"),
        *("-t", "2", "-m", "200", "--mps", "max"),
    )


def test_several_sockets_are_named_in_a_feed_file() -> None:
    workload = Workload(protocol=Protocol.UDP, multiplexer=Multiplexer.SELECT, connections=3, server_threads=2)
    server = ("server", "-f", "feed.txt", "-F", "s", "--threads-num", "2")
    assert sockperf.server_arguments(workload, 0) == server
    assert "-p" not in sockperf.client_arguments(workload, 0)
    assert sockperf.files(workload, (5001, 5002, 5003)) == {
        "feed.txt": "U:127.0.0.1:5001\nU:127.0.0.1:5002\nU:127.0.0.1:5003\n",
    }


def test_rate_burst_and_replies_are_asked_for_where_they_count() -> None:
    workload = Workload(mode=Mode.UNDER_LOAD, rate_mps=9000, burst=3, reply_every=5)
    assert sockperf.client_arguments(workload, 1)[-6:] == ("--mps", "9000", "-b", "3", "--reply-every", "5")
    assert "--reply-every" not in sockperf.client_arguments(replace(workload, mode=Mode.THROUGHPUT), 1)


def test_a_playback_reads_its_file_and_takes_no_duration() -> None:
    workload = Workload(mode=Mode.PLAYBACK, playback="trace.csv")
    arguments = sockperf.client_arguments(workload, 1)
    assert arguments[-4:] == ("--data-file", "playback.csv", "--reply-every", "10")
    assert "-t" not in arguments
    assert sockperf.files(workload, (1,), "0.1, 64\n") == {"playback.csv": "0.1, 64\n"}


def test_what_an_installed_sockperf_can_do_is_read_from_its_own_words() -> None:
    assert sockperf.features(VERSION, "--load-vma") == Features((3, 7), loads=frozenset({"--load-vma"}))
    newer = sockperf.features("sockperf, version 3.10-no.git", "--histogram --load-vma --load-xlio")
    assert newer == Features((3, 10), loads=frozenset({"--load-vma", "--load-xlio"}))


@pytest.mark.parametrize("text", ["", "iperf 3.12 (cJSON 1.7.15)\n", "sockperf: command not found"])
def test_another_program_is_not_sockperf(text: str) -> None:
    with pytest.raises(MissingTool, match="not sockperf"):
        sockperf.features(text, "")


def test_ipv6_is_refused_for_a_sockperf_that_cannot() -> None:
    workload = Workload(address="::1")
    assert problems(workload) == []
    (problem,) = sockperf.unsupported(workload, Features((3, 7)))
    assert "3.7 takes IPv4 addresses only" in problem.message
    assert sockperf.unsupported(workload, Features((3, 10))) == []
    assert sockperf.feed_file(workload, (80,)) == "T:[::1]:80\n"


def test_each_receiver_has_lost_what_it_says_itself() -> None:
    case = "3.7--multicast-3-receivers-ping-pong"
    client, server = outputs(case)
    before, _, rest = client.partition("# dropped messages = 0")
    found = parse(f"{before}# dropped messages = 4{rest}", server, from_dict(expected(case)["workload"]))
    assert (found.dropped, found.lost_by_receiver) == (4, (4, 0, 0))
