"""Traffic that people have: multicast with several receivers, feed files, playbacks, round trips, sockperf's own arguments."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from command_line import Tuner
from hypothesis import given
from hypothesis import strategies as st
from recordings import outputs
from sessions import PLAN

from tuner.errors import TunerError, UsageError
from tuner.hosts.local import LocalHost
from tuner.measurement import from_dict as measurement_from_dict
from tuner.records import Phase, Role, Run, Status, Trial
from tuner.runs import sockperf, sockperf_options
from tuner.runs.benchmark import Features, ParseError
from tuner.runs.workload import Mode, Multiplexer, Protocol, Workload, fed_address
from tuner.runs.workload_checks import problems
from tuner.session.answer import words
from tuner.session.answer.described import described
from tuner.session.answer.parts import Loss
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.ledger import Ledger
from tuner.session.setup import traffic

GROUP: Final = traffic.on_interfaces(Workload(protocol=Protocol.UDP, address="239.1.1.1", receivers=3))
HELP: Final = """
 -h,-?   --help,--usage       \t-Show the help message and exit.
         --tcp                \t-Use TCP protocol (default UDP).
         --tos                \t-Allows setting tos
         --no-rdtsc           \t-Don't use register; instead use --mono clock.
"""


def test_each_receiver_answers_from_an_address_of_its_own() -> None:
    assert problems(GROUP) == []
    servers = [sockperf.server_arguments(GROUP, 5001, receiver) for receiver in range(3)]
    own = [words[words.index("--mc-tx-if") + 1] for words in servers]
    assert own == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert all("--mc-loopback-enable" in words for words in servers)
    client = sockperf.client_arguments(GROUP, 5001)
    assert client[client.index("--srv-num") + 1] == "3"
    assert client[client.index("--mc-tx-if") + 1] == "127.0.0.1"


def test_one_connection_to_one_server_is_asked_for_as_before() -> None:
    words = " ".join(sockperf.server_arguments(Workload(), 5001) + sockperf.client_arguments(Workload(), 5001))
    assert not any(option in words for option in ("--mc", "--srv-num", "--full-rtt", "--nonblocked", "-r "))


def test_a_group_means_udp_unless_another_protocol_is_asked() -> None:
    host = LocalHost()
    assert traffic.understood({"address": "239.1.1.1"}, host)["protocol"] == "udp"
    assert traffic.understood({"address": "ff15::1"}, host)["protocol"] == "udp"
    assert traffic.understood({"address": "239.1.1.1", "protocol": "tcp"}, host)["protocol"] == "tcp"
    assert "protocol" not in traffic.understood({"address": "10.0.0.1"}, host)


def test_every_address_that_the_messages_use_is_known() -> None:
    assert list(Workload().addresses()) == [("--address", "127.0.0.1")]
    own = [("--address", "239.1.1.1"), ("--mc-tx-if", "127.0.0.1"), ("--mc-rx-if", "127.0.0.2")]
    assert list(traffic.on_interfaces(replace(GROUP, receivers=1, mc_rx_if="", mc_tx_if="")).addresses()) == own
    fed = Workload(feed=("T:[::1]:5001", "T:10.0.0.1:5001"))
    assert list(fed.addresses()) == [("--feed", "::1"), ("--feed", "10.0.0.1")]


def test_interfaces_of_ones_own_stay() -> None:
    own = replace(GROUP, mc_tx_if="10.0.0.1", mc_rx_if="10.0.0.2")
    assert traffic.on_interfaces(own) == own


CASE: Final = "3.7--multicast-3-receivers"


def test_a_feed_is_as_slow_as_its_slowest_receiver() -> None:
    client, server = outputs(f"{CASE}-ping-pong")
    found = sockperf.parse(client, server, GROUP)
    medians = [float(line.rsplit(" ", 1)[1]) for line in client.splitlines() if "percentile 50.000" in line]
    assert len(medians) == 3
    assert found.latency_p50_us == max(medians)
    assert found.lost_by_receiver == (0, 0, 0)


def test_the_loss_of_each_receiver_is_known_and_the_rate_is_that_of_the_worst() -> None:
    client, server = outputs(f"{CASE}-throughput")
    lossy = server.replace("Total 3002 messages", "Total 1501 messages", 1)
    found = sockperf.parse(client, lossy, replace(GROUP, mode=Mode.THROUGHPUT))
    assert found.lost_by_receiver == (1501, 0, 0)
    assert found.rate_mps == 1501.0
    assert measurement_from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_what_each_receiver_lost_is_summed_over_the_runs_of_a_profile_and_said() -> None:
    client, server = outputs(f"{CASE}-throughput")
    group = replace(GROUP, mode=Mode.THROUGHPUT)
    once = sockperf.parse(client, server, group)
    ledger = Ledger("x", [Trial(0, "default", Role.BASELINE, {}, None)])
    for number, lost in enumerate([(3, 0, 0), (2, 0, 1)]):
        run = Run(Status.OK, "", "", 1.0, replace(once, sent=1000, lost_by_receiver=lost))
        ledger.add_run(run.placed(number, 0, Phase.CONFIRM, number))
    evidence = Evidence(replace(PLAN, workloads=(group,)), ledger)
    found = described(evidence, evidence.baseline)
    assert found.loss == (Loss(group.key(), 2000, (5, 0, 1)),)
    assert found.to_dict()["loss"] == [{"workload": group.key(), "sent": 2000, "lost": [5, 0, 1]}]
    assert words.lost(found.loss[0]) == "lost of 2,000 messages sent: 5 by receiver 1, 0 by receiver 2, 1 by receiver 3"


@pytest.mark.parametrize("mode", [Mode.PING_PONG, Mode.UNDER_LOAD])
def test_a_receiver_that_never_answered_is_no_result(mode: Mode) -> None:
    client, server = outputs(f"{CASE}-{mode}")
    with pytest.raises(ParseError):
        sockperf.parse(client, server, replace(GROUP, mode=mode, receivers=4))


@pytest.mark.parametrize("mode", [Mode.THROUGHPUT, Mode.UNDER_LOAD])
def test_a_server_that_counted_more_than_was_sent_is_no_result(mode: Mode) -> None:
    client, server = outputs(f"{CASE}-{mode}")
    more = server.replace("Total ", "Total 9", 1)
    with pytest.raises(
        ParseError, match=r"more than the [0-9]+ that the client sent: somebody else sends to this server"
    ):
        sockperf.parse(client, more, replace(GROUP, mode=mode))


def test_too_little_room_for_the_messages_is_advised_about() -> None:
    said = "sockperf: ERROR: _seqN > m_maxSequenceNo (errno=2 No such file or directory)\n"
    with pytest.raises(ParseError, match=r"_seqN > m_maxSequenceNo .*give a higher --rate"):
        sockperf.parse(said, "", Workload())


def test_comments_and_short_numbers_are_a_playback() -> None:
    assert sockperf.playback_time_s("# generated\n.5, 64\n1e-3, 64\n2., 64\n") == 2.0


@pytest.mark.parametrize("line", ["# only", ".,64", "1e, 64", "1e-3", "e3, 64", "0x1, 64", "nan, 64", "9e999, 64"])
def test_other_lines_are_no_playback(line: str) -> None:
    with pytest.raises(UsageError, match="not a playback"):
        sockperf.playback_time_s(f"{line}\n")


@given(st.floats(0, 1e6, allow_nan=False))
def test_a_time_is_read_however_it_is_written(time_s: float) -> None:
    for text in (f"{time_s:.9f}", f"{time_s:.6e}"):
        assert sockperf.playback_time_s(f"{text}, 64\n") == float(text)


def feed(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "feed.txt"
    path.write_text(text, encoding="utf-8")
    return traffic.understood({"feed": str(path)}, LocalHost())


def test_a_feed_file_says_connections_protocol_and_address(tmp_path: Path) -> None:
    found = feed(tmp_path, "# mine\n\nU:239.1.1.1:5001\n U:239.1.1.2:5002 \n")
    assert found["feed"] == ("U:239.1.1.1:5001", "U:239.1.1.2:5002")
    assert (found["protocol"], found["connections"], found["address"]) == ("udp", 2, "239.1.1.1")
    workload = Workload(protocol=Protocol.UDP, multiplexer=Multiplexer.EPOLL, connections=2, feed=found["feed"])
    assert sockperf.files(workload, ()) == {"feed.txt": "U:239.1.1.1:5001\nU:239.1.1.2:5002\n"}
    assert workload.ports_needed == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a feed file"),
        ("nothing\n", "'nothing' is not a connection"),
        ("U:here:5001\n", "'here' is not an IP address"),
        ("U:10.0.0.1:70000\n", "port 70000 must be from 1 to 65535"),
        ("U:10.0.0.1:0\n", "port 0 must be"),
        ("T:239.1.1.1:5001\n", "which TCP has not"),
        ("U:10.0.0.1:1\nU:10.0.0.1:1\n", "line 2: U:10.0.0.1:1 is there twice"),
        ("U:10.0.0.1:1\nT:10.0.0.1:2\n", "mixes TCP and UDP"),
        ("U:10.0.0.1:1\nU:239.0.0.1:2\n", "mixes multicast"),
    ],
)
def test_what_is_no_feed_file_is_refused_with_its_lines(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        feed(tmp_path, text)
    assert words in said(caught.value)


def test_connections_that_somebody_has_are_refused_before_the_first_run(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(UsageError) as caught:
            feed(tmp_path, f"U:127.0.0.1:{holder.getsockname()[1]}\n")
    assert "no server can listen there: Address already in use" in said(caught.value)


def test_a_feed_file_of_ipv6_and_sources_is_read(tmp_path: Path) -> None:
    path = tmp_path / "feed.txt"
    path.write_text("U:[ff15::1]:45901\nU:239.1.1.1:45902:127.0.0.1\n", encoding="utf-8")
    assert list(map(fed_address, traffic.feed_lines(path))) == ["ff15::1", "239.1.1.1"]


def test_a_feed_file_and_an_address_are_not_asked_together(tmp_path: Path) -> None:
    path = tmp_path / "feed.txt"
    path.write_text("U:10.0.0.1:1\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        traffic.understood({"feed": str(path), "address": "10.0.0.2", "connections": 3}, LocalHost())
    assert {finding.where for finding in caught.value.findings} == {"workload.address", "workload.connections"}


@given(st.text())
def test_any_feed_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any-feed.txt"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        lines = traffic.feed_lines(path)
    except UsageError:
        return
    assert all(line[:2] in {"T:", "U:"} for line in lines)


def said(problem: TunerError) -> str:
    return "\n".join([problem.message, *(f"{each.where}: {each.message}" for each in problem.findings)])


def refusals(*args: str, receivers: int = 1) -> list[str]:
    able = Features(
        (3, 7), client_options=sockperf_options.of_help(HELP), server_options=sockperf_options.of_help(HELP)
    )
    workload = replace(Workload(), further_args=args, receivers=receivers)
    return [finding.message for finding in sockperf.unsupported(workload, able)]


def test_the_options_of_a_help_are_read_and_not_the_words_of_its_sentences() -> None:
    assert sockperf_options.of_help(HELP) >= {"-h", "-?", "--help", "--usage", "--tcp", "--tos", "--no-rdtsc"}
    assert "--mono" not in sockperf_options.of_help(HELP)


def test_further_arguments_go_to_the_ends_that_take_them() -> None:
    workload = Workload(further_args=("--tos", "8", "--dummy-send", "9000", "-g"))
    assert sockperf.server_arguments(workload, 1)[-3:] == ("--tos", "8", "-g")
    assert sockperf.client_arguments(workload, 1)[-4:] == ("--tos", "8", "--dummy-send", "9000")
    assert refusals("--tos", "8", "--no-rdtsc") == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--tcp",), "--tcp is set by this program"),
        (("-t5",), "-t is set by this program"),
        (("-i", "10.0.0.1"), "-i is set by this program"),
        (("--mps=5",), "--mps is set by this program"),
        (("--full-rtt",), "--full-rtt is set by this program"),
        (("--daemonize",), "leaves processes behind"),
        (("--giga-size",), "changes the units"),
        (("--help",), "prints a help"),
        (("--no-rdtcs",), "of sockperf 3.7 has no --no-rdtcs"),
        (("8",), "'8' is not an option"),
    ],
)
def test_an_argument_that_would_break_a_measurement_is_refused_with_the_reason(
    args: tuple[str, ...], words: str
) -> None:
    assert any(words in message for message in refusals(*args))


def test_an_argument_that_hides_which_receiver_answered_is_refused_for_several() -> None:
    assert any("which of several receivers" in each for each in refusals("--force-unicast-reply", receivers=3))


@pytest.mark.parametrize("args", [("--sockperf-args", "'--tos"), ("--rate", "fast")])
def test_options_that_are_not_understood_are_refused_at_once(tuner: Tuner, args: tuple[str, str]) -> None:
    ended = tuner("measure", *args)
    assert ended.status == 2
    assert args[0] in ended.err


@pytest.mark.serial
@pytest.mark.long
def test_a_multicast_session_of_three_receivers_ends_with_a_verdict(tuner: Tuner) -> None:
    options = ("--address", "239.1.1.1", "--receivers", "3", "--rate", "2000", "--budget", "25s", "--json")
    ended = tuner("compare", "default", "latency", *options)
    assert ended.status in {0, 3}
    assert ended.json["verdict"] in {"improved", "not improved"}
    assert [len(loss["lost"]) for loss in ended.json["b"]["loss"]] == [3]
    report = tuner("report", "latest", "--format", "json")
    assert [len(row) for row in report.json["loss"]["rows"]] == [6, 6]
