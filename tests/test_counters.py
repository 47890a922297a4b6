"""The counters of a stack are summed from their true forms, and each bad sign names the setting to turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stats_file import FILE, LINE

from tuner import catalogue
from tuner.catalogue.expressions import parse
from tuner.stacks.counters import CounterRule, Counts, findings, read, rules

FULL = f"""{FILE}{LINE}
\tRING_ETH=[0]
Tx Offload:          976 / 1000 [kilobytes/packets]
Rx Offload:          975 / 998 [kilobytes/packets]
Retransmissions:     7
TX Dropped Send Reqs: 4
TX buffers inflight: 2
{LINE}
\tCQ=[0]
Packets dropped:     5
Packets queue len:   0
CQE errors:          1
{LINE}
\tBUFFER_POOL(RX)=[0]
Size:                100
No buffers error:    9
{LINE}
\tTCP_SEG_POOL
Size:                100
No segments error:   3
{LINE}
\tepoll[9]
Polling CPU:99%
Rx fds ready: 0 / 500 [os/offload]
Polls [miss/hit]: 700 / 300 (30.00%)
"""
BASIC = """ fd          ------------ total offloaded -------------   --------- total os ----------
                 pkt   Kbyte   eagain   error  poll%     pkt   Kbyte  eagain   error
 12  Rx:        998                  975        3       1   95.0       2                    0       0       0
     Tx:       1000                  976        0       0              6                    0       0       1
"""
MEDIUM = """ 12  Rx:        998          9 975        3       1   95.0      0       1       2       2 0       0       0
     Tx:       1000          0 976        0       0                                     6 0       0       1
"""


def test_a_statistics_file_is_summed_over_its_sockets() -> None:
    counts = read(FILE + FILE)
    assert counts.sockets == (12, 13, 12, 13)
    assert counts.values["tx_packets"] == 2000
    sums = counts.sums
    assert (sums["offloaded_packets"], sums["os_packets"], sums["dropped_bytes"]) == (3996, 4, 256)
    assert (sums["rx_hit_percent"], sums["retransmissions"], sums["migrations"]) == (95, 14, 2)


def test_rings_add_nothing_to_what_their_sockets_count() -> None:
    sums = read(FULL).sums
    assert (sums["sent_packets"], sums["retransmissions"]) == (1000, 7)
    assert (sums["send_drops"], sums["queue_drops"], sums["no_buffers"]) == (4, 5, 9)
    assert (sums["no_segments"], sums["completion_errors"], sums["mux_hit_percent"]) == (3, 1, 30)


@pytest.mark.parametrize("text", [BASIC, MEDIUM])
def test_the_rows_of_the_short_views_are_read(text: str) -> None:
    counts = read(text)
    assert counts.sockets == (12,)
    sums = counts.sums
    assert (sums["offloaded_packets"], sums["os_packets"]) == (1998, 8)
    assert counts.values["os_errors"] == 1


def test_deltas_are_read_too() -> None:
    assert read("Rx pkt : cur 0 / max 1 / dropped/s 2\n").values == {"dropped_packets": 2}


def test_each_sign_points_at_its_setting() -> None:
    told = findings(read(FULL), "server")
    by_setting = {finding.suggestion.removeprefix("look at ").split(",")[0] for finding in told}
    assert by_setting >= {"XLIO_RX_BYTES_MIN", "XLIO_RX_WRE", "XLIO_MEMORY_LIMIT", "XLIO_TX_WRE", "XLIO_SELECT_POLL"}
    assert "XLIO_RX_POLL" not in by_setting
    assert all(finding.where == "server" for finding in told)
    assert any("VMA_TX_WRE" in finding.suggestion for finding in findings(read(FULL), "server", "vma"))


def test_a_socket_that_was_not_offloaded_is_said() -> None:
    told = findings(read("Rx OS info: 9 / 100 / 0 / 0 [kilobytes/packets/eagains/errors]\n"), "client")
    assert [finding.message for finding in told] == [
        "all of 100 packets went through the kernel: nothing was offloaded"
    ]


def test_nothing_counted_and_nothing_wrong_say_nothing() -> None:
    assert findings(read(""), "x") == []
    assert findings(Counts({"rx_packets": 10, "tx_packets": 10}), "x") == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_a_rule_reads_sums_and_turns_settings_that_exist(rule: CounterRule) -> None:
    sums = Counts({}).sums
    assert parse(rule.ok).names <= sums.keys()
    assert rule.message.format(**sums)
    assert parse(rule.ok).holds(sums)
    known = catalogue.load("xlio").parameters
    assert [name for name in rule.turn if name not in known] == []


pieces = st.lists(
    st.sampled_from([*FULL.splitlines(), *BASIC.splitlines(), "Rx poll: 1 / ", "9" * 30]) | st.text(max_size=8), max_size=20
).map("\n".join)  # fmt: skip


@given(pieces)
def test_no_text_crashes_the_reader(text: str) -> None:
    counts = read(text)
    assert all(value >= 0 for value in counts.values.values())
    findings(counts, "x")


@pytest.mark.parametrize(("polls", "percent"), [("0 / 5", 100), ("5 / 0", 0), ("0 / 0", 100), ("1 / 2", 66)])
def test_the_share_of_polls_that_found_something_is_in_whole_percent(polls: str, percent: int) -> None:
    said = FILE.replace("50 / 950 (95.00%)", polls)
    assert read(said).sums["rx_hit_percent"] == percent
