"""sockperf as a `Benchmark`: the arguments that it takes and the text that it prints.

Forms of 3.7 were recorded from the program; those up to 3.10 are read from its public sources. sockperf's exit
status is 0 also when it failed, so what it printed decides.
"""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from tuner import terminal_text
from tuner.errors import MOST_LISTED, Finding, MissingTool, TunerError, UsageError, error, limit_of
from tuner.measurement import LATENCIES, Measurement
from tuner.runs import sockperf_options
from tuner.runs.benchmark import Ends, Features, Heard, ParseError
from tuner.runs.metric import Metric
from tuner.runs.workload import LONGEST_DURATION_S, Mode, Multiplexer, Protocol, Workload

if TYPE_CHECKING:
    from tuner.hosts.host import ProcessResult

name: Final = "sockperf"
install: Final = "apt-get install sockperf (Debian, Ubuntu), dnf install sockperf (Fedora, RHEL), or --sockperf PATH"
questions: Final = (("--version",), ("ping-pong", "--help"), ("server", "--help"))
ready: Final = "to block on socket(s)"
"""What each thread of the server prints once it listens; sockperf flushes the line also into a pipe."""
FEED_FILE: Final = "feed.txt"
PLAYBACK_FILE: Final = "playback.csv"
log_file: Final = "full-log.csv"
"""The names of the files that the arguments mean by default: they lie in the folder in which sockperf is started."""
_METRICS: Final = (
    Metric("latency_min_us", "µs"),
    Metric("latency_p25_us", "µs"),
    Metric("latency_p50_us", "µs", short=True),
    Metric("latency_p50_corrected_us", "µs"),
    Metric("latency_p75_us", "µs"),
    Metric("latency_p75_corrected_us", "µs"),
    Metric("latency_p90_us", "µs"),
    Metric("latency_p90_corrected_us", "µs"),
    Metric("latency_p99_us", "µs", short=True),
    Metric("latency_p99_corrected_us", "µs", short=True),
    Metric("latency_p99_9_us", "µs", short=True),
    Metric("latency_p99_9_corrected_us", "µs", short=True),
    Metric("latency_p99_99_us", "µs"),
    Metric("latency_p99_99_corrected_us", "µs"),
    Metric("latency_p99_999_us", "µs"),
    Metric("latency_max_us", "µs"),
    Metric("latency_max_corrected_us", "µs"),
    Metric("latency_mean_us", "µs"),
    Metric("latency_mean_corrected_us", "µs"),
    Metric("latency_std_us", "µs"),
    Metric("rate_mps", "msg/s", higher_is_better=True, short=True),
    Metric("bandwidth_mbytes_per_s", "MB/s", higher_is_better=True),
)
_OLDEST: Final = (3, 7)
"""Earlier releases write other words and have no warm-up field: they are refused and never misread."""
_IPV6_SINCE: Final = (3, 8)
"""3.7 calls IPv6 addresses invalid, later releases take them."""
# Numbers as strtod reads them (`.5`, `1e-3`), which sockperf calls for a time.
_PLAYBACK: Final = re.compile(
    r"\s*(?P<time_s>(?:[0-9]{1,8}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(?:[eE][+-]?[0-9]{1,3})?)\s*,\s*[0-9]{1,5}\s*"
)
# Ports in a feed file (`T:127.0.0.1:30001`) and behind `-p` or `--port` of a command.
_FEED_PORT: Final = re.compile(r"(?<=:)\d{2,5}$", re.MULTILINE)
_PORT_OPTIONS: Final = frozenset({"-p", "--port"})


def metrics(workload: Workload) -> tuple[Metric, ...]:
    """Return what sockperf can report, in the order in which tables show it."""
    return _METRICS


def programs(workload: Workload, named: str) -> dict[str, tuple[str, ...]]:
    """Return sockperf's path or name: one program is both ends."""
    return {"server": (named,), "client": (named,)}


def features(version_text: str, client_help: str, server_help: str = "") -> Features:
    """Return what the answers to the questions say; raise `MissingTool` for another program."""
    found = re.search(r"sockperf, version ([0-9]{1,6}(?:\.[0-9]{1,6})*)", terminal_text.plain(version_text))
    if found is None:
        said = next((line for line in map(str.strip, version_text.splitlines()) if line), "nothing")
        refused = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if str(refused.strerror) in said:  # what starts it could not start it: nothing was said by whatever it is
            raise TunerError(f"sockperf cannot be started: {said[:200]}", advice=limit_of(refused))
        advice = "install sockperf 3.7 or later, or name it with --sockperf PATH"
        raise MissingTool(f"this is not sockperf: asked for its version it said {said[:200]!r}", advice=advice)
    version = tuple(int(part) for part in found[1].split("."))
    if version < _OLDEST:
        advice = f"install sockperf 3.7 or later: {install}"
        raise MissingTool(
            f"sockperf {found[1]} is too old: what it prints is not what 3.7 to 3.10 print", advice=advice
        )
    return Features(
        version=version,
        loads=frozenset(re.findall(r"--load-[a-z0-9]+", client_help)),
        client_options=sockperf_options.of_help(client_help),
        server_options=sockperf_options.of_help(server_help),
    )


def unsupported(workload: Workload, able: Features) -> list[Finding]:
    """Return what `workload` asks that this sockperf cannot do."""
    found = sockperf_options.unsupported(workload, able)
    if ":" in workload.address and able.version < _IPV6_SINCE:
        message = f"sockperf {able.release} takes IPv4 addresses only, not {workload.address}"
        found.append(error("workload.address", message, "use an IPv4 address or sockperf 3.8 or later"))
    return found


def ends(
    workload: Workload,
    paths: Mapping[str, Mapping[str, str]],
    ports: Sequence[int],
    playback: str = "",
    *,
    full_log: bool = False,
) -> Ends:
    """Return what a run starts: one server for each receiver, and the client."""
    ((there,), (here,)) = (paths[end].values() for end in ("server", "client"))
    port = ports[0] if ports else 0
    logged = full_log_arguments(workload) if full_log else ()
    servers = [(there, *server_arguments(workload, port, each)) for each in range(workload.receivers)]
    return Ends(
        client=(here, *client_arguments(workload, port), *logged),
        servers=tuple(servers),
        files=files(workload, ports, playback),
        ready=ready,
        ready_count=workload.server_threads,
        log=log_file if logged else "",
    )


def server_arguments(workload: Workload, port: int, receiver: int = 0) -> tuple[str, ...]:
    """Return what follows the program's name for the server, or for one of several receivers (from 0).

    `port` counts where the workload needs no feed file.
    """
    threads = ("--threads-num", str(workload.server_threads)) if workload.server_threads > 1 else ()
    interface = workload.receiver_interfaces[receiver]
    group = _group_arguments(workload, interface, interface)
    shared = (*_connection(workload, port), *group, *_socket_arguments(workload), *threads)
    return ("server", *shared, *sockperf_options.of_server(workload.further_args))


def client_arguments(workload: Workload, port: int) -> tuple[str, ...]:
    """Return what follows the program's name for the client; a playback reads `PLAYBACK_FILE`."""
    group = _group_arguments(workload, workload.mc_tx_if, workload.mc_tx_if)
    target = (workload.mode.value, *_connection(workload, port), *group, *_socket_arguments(workload))
    own = (*_client_only(workload), *sockperf_options.of_client(workload.further_args))
    if workload.mode is Mode.PLAYBACK:
        return (*target, "--data-file", PLAYBACK_FILE, "--reply-every", str(workload.reply_every), *own)
    return (*target, *_shape(workload), *own)


def _shape(workload: Workload) -> tuple[str, ...]:
    """Return how long, how large and how fast the client sends."""
    lasts, size = ("-t", str(workload.duration_s)), ("-m", str(workload.message_bytes))
    sizes = ("-r", str(workload.range_bytes)) if workload.range_bytes else ()
    burst = ("-b", str(workload.burst)) if workload.burst > 1 else ()
    reply = ("--reply-every", str(workload.reply_every)) if workload.mode is Mode.UNDER_LOAD else ()
    return (*lasts, *size, *sizes, "--mps", str(workload.rate_mps or "max"), *burst, *reply)


def _group_arguments(workload: Workload, receives_on: str, sends_on: str) -> tuple[str, ...]:
    """Return how one end takes part in a multicast group, nothing where there is none."""
    if not workload.is_multicast:
        return ()
    inward = ("--mc-rx-if", receives_on) if receives_on else ()
    outward = ("--mc-tx-if", sends_on) if sends_on else ()
    lifetime = ("--mc-ttl", str(workload.mc_ttl)) if workload.mc_ttl is not None else ()
    return (*inward, *outward, *lifetime, *(("--mc-loopback-enable",) if workload.mc_loopback else ()))


def _socket_arguments(workload: Workload) -> tuple[str, ...]:
    """Return what both ends do with their sockets."""
    blocking = ("--nonblocked",) if workload.nonblocked else ()
    return (*blocking, *(("--tcp-avoid-nodelay",) if workload.tcp_avoid_nodelay else ()))


def _client_only(workload: Workload) -> tuple[str, ...]:
    valued = (
        ("--srv-num", str(workload.receivers) if workload.receivers > 1 else ""),
        ("--sender-affinity", workload.sender_affinity),
        ("--receiver-affinity", workload.receiver_affinity),
        ("--client_ip", workload.client_address),
        ("--client_port", str(workload.client_port or "")),
    )
    named = [word for pair in valued if pair[1] for word in pair]
    # The port stays in TIME_WAIT after a run of TCP, and the next run needs it again.
    again = ("--uc-reuseaddr",) if workload.client_port and workload.protocol is Protocol.TCP else ()
    return (*named, *again, *(("--full-rtt",) if workload.full_rtt else ()))


def full_log_arguments(workload: Workload) -> tuple[str, ...]:
    """Return the client's arguments for a log of every observed message in `log_file`; throughput mode observes none."""
    return () if workload.mode is Mode.THROUGHPUT else ("--full-log", log_file)


def feed_file(workload: Workload, ports: Iterable[int]) -> str:
    """Return the text of the file in which sockperf finds its connections: its own, or one for each of `ports`."""
    if workload.feed:
        return "".join(f"{line}\n" for line in workload.feed)
    kind = "T" if workload.protocol is Protocol.TCP else "U"
    host = f"[{workload.address}]" if ":" in workload.address else workload.address
    return "".join(f"{kind}:{host}:{port}\n" for port in ports)


def playback_time_s(text: str) -> float:
    """Return the seconds that a playback lasts: the last of its lines `TIME_S, SIZE_BYTES`.

    Lines that begin with `#` are comments.

    Raises:
        UsageError: a line is of another form, with the first few that are; or there is none.

    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows = [(number, _playback_time_s(line)) for number, line in lines if not line.startswith("#")]
    wrong = [
        error(f"line {number}", "is not `seconds, bytes`", "write for example 0.001, 64")
        for number, time_s in rows
        if time_s is None
    ]
    if wrong or not rows:
        raise UsageError("this is not a playback file", findings=wrong[:MOST_LISTED])
    return max(time_s for _, time_s in rows if time_s is not None)


def _playback_time_s(line: str) -> float | None:
    """Return the time of a playback's line, None where it is none or later than a test may last."""
    found = _PLAYBACK.fullmatch(line)
    time_s = float(found["time_s"]) if found else math.inf
    return time_s if time_s <= LONGEST_DURATION_S else None


def files(workload: Workload, ports: Iterable[int], playback: str = "") -> dict[str, str]:
    """Return the files that the default arguments expect, name to text; `playback` is the text of a playback."""
    feed = {FEED_FILE: feed_file(workload, ports)} if workload.needs_feed else {}
    return feed | ({PLAYBACK_FILE: playback} if workload.mode is Mode.PLAYBACK else {})


LEAST_MEDIAN_US: Final = 0.01
"""A median below 10 ns is none: a cache line takes longer from one core to another."""


def _check_latencies(found: Measurement, workload: Workload) -> None:
    """Raise `ParseError` for latencies that cannot be: a median below what light needs, or longer than the run could last."""
    most_us = 1e6 * workload.time_limit_s
    latencies = {name: value for name, value in found.metrics().items() if name in LATENCIES}
    absurd = {name: value for name, value in latencies.items() if value > most_us}
    if (median_us := latencies.get("latency_p50_us", math.inf)) < LEAST_MEDIAN_US:
        absurd["latency_p50_us"] = median_us
    for name, value in absurd.items():
        raise ParseError(f"the benchmark reported {name} = {value:g}, which cannot be")


def measured(heard: Heard, workload: Workload) -> Measurement:
    """Return what a run reported; raise `ParseError` where it printed no complete result, or latencies that nobody asked for."""
    found = parse(_said(heard.client), "".join(map(_said, heard.servers)), workload)
    if found.observations and found.half_round_trip is workload.full_rtt:
        reported = "half round trips" if found.half_round_trip else "round trips"
        raise ParseError(f"the benchmark reported {reported}, which was not asked")
    _check_latencies(found, workload)
    return with_log(found, heard.log, workload) if heard.log else found


def _said(process: ProcessResult) -> str:
    return f"{process.stdout}\n{process.stderr}"


def parse(client_output: str, server_output: str, workload: Workload) -> Measurement:
    """Return what a run reported.

    Args:
        client_output: all that the client printed; standard error may follow standard output.
        server_output: the same of the server, interrupted by SIGINT after the client's end, which makes it print
            how many messages reached it. Of several receivers, one after the other.
        workload: what was asked, because the meaning of some numbers depends on it.

    Raises:
        ParseError: the client printed no complete result, throughput has no count of what arrived, or more arrived
            than the client sent.

    """
    client, server = _lines(client_output), _lines(server_output)
    if workload.mode is Mode.THROUGHPUT:
        return _throughput(client, server, workload)
    return _latency(client, server, workload)


def with_log(found: Measurement, log: BinaryIO, workload: Workload) -> Measurement:
    """Return a measurement with what the full log adds to it; raise `ParseError` for a log of another form."""
    from tuner.runs.full_log import observed

    return replace(found, **observed(log, workload, found.dropped or 0))


def versions(output: str) -> list[str]:
    """Return the versions that the first lines of what it printed name."""
    return re.findall(r"== version #(\S+)", output)


def ports(argv: Sequence[str], files: Mapping[str, str], given: Sequence[int] = ()) -> list[str]:
    """Return the ports that a command names, and those of its feed file."""
    named = [word for before, word in pairwise(argv) if before in _PORT_OPTIONS]
    return [*named, *(port for text in files.values() for port in _FEED_PORT.findall(text))]


def without_ports(argv: Sequence[str], given: Sequence[int] = ()) -> list[str]:
    """Return a command with `PORT` for its port."""
    return ["PORT" if before in _PORT_OPTIONS else word for before, word in zip(["", *argv], argv, strict=False)]


def file_without_ports(text: str, given: Sequence[int] = ()) -> str:
    """Return the text of a feed file with `PORT` for its ports."""
    return _FEED_PORT.sub("PORT", text)


_FEED_KINDS: Final = {Multiplexer.SELECT: "s", Multiplexer.POLL: "p", Multiplexer.EPOLL: "e", Multiplexer.RECVFROM: "r"}
# Numbers are bounded so that a garbled line is a bad line and not an endless integer.
_N = r"([0-9]{1,18})"
_X = r"(-?[0-9]{1,18}\.[0-9]{1,9})"
_FORMS: Final = {
    "total": re.compile(rf"\[Total Run\] RunTime={_X} sec;.*; SentMessages={_N}; ReceivedMessages={_N}(?:;|$)"),
    "valid": re.compile(rf"\[Valid Duration\] RunTime={_X} sec; SentMessages={_N}; ReceivedMessages={_N}$"),
    "mean": re.compile(rf"====> avg-(latency|rtt)={_X} \(std-dev={_X}[,)]"),
    "losses": re.compile(
        rf"# dropped messages = {_N}; # duplicated messages = {_N}; # out-of-order messages = {_N}$",
    ),
    "observations": re.compile(rf"Total {_N} observations;"),
    "max": re.compile(rf"---> <MAX> observation = *{_X}$"),
    "min": re.compile(rf"---> <MIN> observation = *{_X}$"),
    "sent": re.compile(rf"Total of {_N} messages sent in {_X} sec"),
    "bandwidth": re.compile(r"Summary: BandWidth is "),
}
_PERCENTILE = re.compile(rf"---> percentile *([0-9]{{1,3}}\.[0-9]{{3}}) = *{_X}$")
_PERCENTILES: Final = {
    "25.000": "latency_p25_us",
    "50.000": "latency_p50_us",
    "75.000": "latency_p75_us",
    "90.000": "latency_p90_us",
    "99.000": "latency_p99_us",
    "99.900": "latency_p99_9_us",
    "99.990": "latency_p99_99_us",
    "99.999": "latency_p99_999_us",
}
_SERVER_TOTAL = re.compile(rf"Total {_N} messages received and handled$")
_SERVER_NOTHING: Final = "No messages were received on the server."
_RECEIVER_HEAD: Final = "Printing statistics for Server No: "
_WORST_IS_MOST: Final = (*LATENCIES, "latency_mean_us", "latency_std_us", "dropped", "duplicated", "out_of_order")
_WORST_IS_LEAST: Final = ("rate_mps", "observations", "valid_time_s")
_REASONS: Final = (
    re.compile(r"ERROR: (.+)"),
    re.compile(r"(No messages were received from the server\..*)"),
    re.compile(r"(No valid observations found\..*)"),
    re.compile(r"(Test end before test start\..*)"),
    re.compile(r"(Test ends uncompleted.*)"),
    re.compile(r"(Can't open file: .+)"),
    re.compile(r"((?:illegal time or size|can't read time & size,|out-of-order timestamp) at line #.*)"),
)


def _connection(workload: Workload, port: int) -> tuple[str, ...]:
    if workload.needs_feed:
        return ("-f", FEED_FILE, "-F", _FEED_KINDS[workload.multiplexer])
    protocol = ("--tcp",) if workload.protocol is Protocol.TCP else ()
    return (*protocol, "-i", workload.address, "-p", str(port))


def _lines(text: str) -> list[str]:
    """Return the complete lines: without its line feed, the last one may have lost digits."""
    return [line.rstrip() for line in terminal_text.plain(text).split("\n")[:-1]]


def _find(lines: list[str], form: str) -> re.Match[str]:
    pattern = _FORMS[form]
    found = next((match for line in lines if (match := pattern.search(line))), None)
    if found is None:
        raise ParseError(_reason(lines, form))
    return found


def _latency(client: list[str], server: list[str], workload: Workload) -> Measurement:
    answered = workload.mode is Mode.PING_PONG
    parts = _parts(client, workload.receivers)
    total = _TotalRun.of(parts[0], None if answered else _arrived(server, workload.receivers))
    total.check_arrivals()
    return _slowest([_receiver(part, index, total, workload) for index, part in enumerate(parts)], total, workload)


@dataclass(frozen=True, slots=True)
class _TotalRun:
    """What is said of a whole run: the client's seconds and counts, and what each receiver counted, None where unknown."""

    seconds: float
    sent: int
    answers: int
    arrived: tuple[int, ...] | None

    @staticmethod
    def of(client: list[str], arrived: tuple[int, ...] | None) -> _TotalRun:
        # The smallest observation is printed last: where it is missing, the output was cut off or there was no result.
        _find(client, "min")
        total = _find(client, "total")
        return _TotalRun(float(total[1]), int(total[2]), int(total[3]), arrived)

    def lost(self) -> tuple[int, ...] | None:
        return None if self.arrived is None else tuple(self.sent - arrived for arrived in self.arrived)

    def check_arrivals(self) -> None:
        for counted in self.arrived or ():
            if counted > self.sent:
                message = f"the server counted {counted} messages, more than the {self.sent} that the client sent"
                raise ParseError(f"{message}: somebody else sends to this server; choose an address of your own")


def _parts(client: list[str], receivers: int) -> list[list[str]]:
    """Return what is printed of each receiver, each with the lines about the whole run before it."""
    if receivers == 1:
        return [client]
    heads = [index for index, line in enumerate(client) if _RECEIVER_HEAD in line]
    if len(heads) < receivers:
        raise ParseError(_reason(client, "min"))
    ends = [*heads[1:], len(client)]
    return [client[: heads[0]] + client[begin:end] for begin, end in zip(heads, ends, strict=True)]


def _receiver(client: list[str], index: int, total: _TotalRun, workload: Workload) -> Measurement:
    """Return what one receiver's part says; `index` is its place."""
    smallest = float(_find(client, "min")[1])
    valid, mean = _find(client, "valid"), _find(client, "mean")
    dropped, duplicated, out_of_order = (int(number) for number in _find(client, "losses").groups())
    answered = workload.mode is Mode.PING_PONG
    arrived = None if total.arrived is None else total.arrived[index]
    measurement = Measurement(
        **_percentiles(client, smallest, float(_find(client, "max")[1])),
        latency_mean_us=float(mean[2]),
        latency_std_us=float(mean[3]),
        observations=int(_find(client, "observations")[1]),
        sent=total.sent,
        received=total.answers if answered else arrived,
        dropped=dropped,
        duplicated=duplicated,
        out_of_order=out_of_order,
        rate_mps=_valid_rate(valid) if answered else _rate(arrived, total.seconds),
        run_time_s=total.seconds,
        valid_time_s=float(valid[1]),
        half_round_trip=mean[1] == "latency",
    )
    return _believable(measurement)


def _slowest(each: list[Measurement], total: _TotalRun, workload: Workload) -> Measurement:
    """Return the measurement of a feed, which is as slow as the slowest of its receivers."""
    if len(each) == 1:
        return each[0]
    answered = workload.mode is Mode.PING_PONG
    lost = tuple(one.dropped or 0 for one in each) if answered else total.lost()
    highest = {name: _of_all(each, name, max) for name in _WORST_IS_MOST}
    lowest = {name: _of_all(each, name, min) for name in _WORST_IS_LEAST}
    return replace(each[0], **highest, **lowest, lost_by_receiver=lost)


def _of_all(each: list[Measurement], name: str, worst: Callable[[list[Any]], Any]) -> Any:
    """Return the worst value of all receivers, None where one has none."""
    values = [getattr(one, name) for one in each]
    return None if None in values else worst(values)


def _percentiles(lines: list[str], smallest: float, largest: float) -> dict[str, Any]:
    found = {"latency_min_us": smallest, "latency_max_us": largest}
    for match in filter(None, map(_PERCENTILE.search, lines)):
        if match[1] in _PERCENTILES:
            found.setdefault(_PERCENTILES[match[1]], float(match[2]))
    return found


def _throughput(client: list[str], server: list[str], workload: Workload) -> Measurement:
    sent = _find(client, "sent")
    _find(client, "bandwidth")
    total = _TotalRun(float(sent[2]), int(sent[1]), 0, _arrived(server, workload.receivers))
    if total.arrived is None:
        raise ParseError("the server printed no total, so nothing is known of what arrived")
    total.check_arrivals()
    least = min(total.arrived)
    rate_mps = _rate(least, total.seconds)
    measurement = Measurement(
        sent=total.sent,
        received=least,
        rate_mps=rate_mps,
        bandwidth_mbytes_per_s=None if rate_mps is None else rate_mps * workload.message_bytes / 1e6,
        run_time_s=total.seconds,
        lost_by_receiver=total.lost() if workload.receivers > 1 else None,
    )
    return _believable(measurement)


def _arrived(lines: list[str], receivers: int) -> tuple[int, ...] | None:
    """Return how many messages reached each receiver, None unless all of them say it."""
    found: list[int] = []
    for line in lines:
        if match := _SERVER_TOTAL.search(line):
            found.append(int(match[1]))
        elif _SERVER_NOTHING in line:
            found.append(0)
    return tuple(found[:receivers]) if len(found) >= receivers else None


def _valid_rate(valid: re.Match[str]) -> float | None:
    return _rate(int(valid[3]), float(valid[1]))


def _rate(messages: int | None, seconds: float) -> float | None:
    return messages / seconds if messages is not None and seconds > 0 else None


def _believable(measurement: Measurement) -> Measurement:
    """Return the measurement, or raise where no sockperf could have meant it (a clock that jumps, a garbled line)."""
    values: Mapping[str, Any] = measurement.to_dict()
    negative = [f"{name}={value}" for name, value in values.items() if isinstance(value, int | float) and value < 0]
    if negative:
        raise ParseError(f"sockperf reported negative numbers: {', '.join(negative)}")
    ordered = [value for name in LATENCIES if (value := values[name]) is not None]
    if ordered != sorted(ordered):
        raise ParseError("sockperf reported percentiles that are not in order")
    return measurement


def _reason(lines: list[str], missing: str) -> str:
    """Return why there is no result: sockperf's words, else what the output lacks."""
    text = "\n".join(lines)
    for pattern in _REASONS:
        if found := pattern.search(text):
            return f"sockperf: {found[1].strip()}{_advice(found[1])}"
    if "Usage: sockperf" in text:
        first = next(line for line in lines if line)
        return first if first.startswith("sockperf: ") else "sockperf did not understand its arguments"
    if not text.strip():
        return "sockperf printed nothing"
    if "sockperf" not in text:
        return f"sockperf printed nothing of its own; last came: {text.strip().splitlines()[-1][:200]}"
    return f"sockperf's output is cut off: it has no {_WORDS[missing]}"


def _advice(said: str) -> str:
    """Return what to do about sockperf's own words, empty where they say it."""
    if "_seqN > m_maxSequenceNo" not in said:
        return ""
    return ": it keeps room for the messages of the rate that it was asked, and met more; give a higher --rate"


_WORDS: Final = {
    "total": "total run",
    "valid": "valid duration",
    "mean": "average",
    "losses": "count of dropped messages",
    "observations": "count of observations",
    "max": "largest observation",
    "min": "smallest observation",
    "sent": "count of sent messages",
    "bandwidth": "bandwidth",
}
