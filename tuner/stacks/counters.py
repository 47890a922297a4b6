"""What XLIO and VMA counted while a program ran, and which setting a count points at.

Read are the output of `xlio_stats` (views 1 to 3, totals or deltas) and the text that the library writes to
`XLIO_STATS_FILE` for each socket that closes, which is view 3 of that socket. Forms are from the public source
(stats_printer.cpp, stats_reader.cpp); no card exists here, so none was recorded. Counters have 32 bits and wrap.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from tuner import catalogue
from tuner.catalogue import facts
from tuner.catalogue.expressions import parse
from tuner.errors import Finding, warning

_N: Final = r"(\d{1,20})"
# One row a line of view 3: what stands before the numbers, and the counter of each number (empty: not used).
_LINES: Final = (
    (re.compile(rf"Tx Offload: *{_N} / {_N} / {_N} / {_N} "), ("", "tx_packets", "", "tx_errors")),
    (re.compile(rf"Rx Offload: *{_N} / {_N} / {_N} / {_N} "), ("", "rx_packets", "", "rx_errors")),
    (re.compile(rf"Tx OS info: *{_N} / {_N} / {_N} / {_N} "), ("", "os_tx_packets", "", "os_errors")),
    (re.compile(rf"Rx OS info: *{_N} / {_N} / {_N} / {_N} "), ("", "os_rx_packets", "", "os_errors")),
    (re.compile(rf"Rx byte: cur {_N} / max {_N} / dropped(?:/s)? {_N}"), ("", "", "dropped_bytes")),
    (re.compile(rf"Rx pkt : cur {_N} / max {_N} / dropped(?:/s)? {_N}"), ("", "", "dropped_packets")),
    (re.compile(rf"Rx poll: {_N} / {_N} "), ("rx_poll_misses", "rx_poll_hits")),
    (re.compile(rf"Polls \[miss/hit\](?:/s)?: {_N} / {_N} "), ("mux_poll_misses", "mux_poll_hits")),
    (re.compile(rf"Ring migrations Rx: {_N}, Tx: {_N}"), ("migrations", "migrations")),
    (re.compile(rf"TX Dropped Send Reqs: *{_N}"), ("send_drops",)),
    (re.compile(rf"Packets dropped: *{_N}"), ("queue_drops",)),
    (re.compile(rf"CQE errors: *{_N}"), ("completion_errors",)),
    (re.compile(rf"No buffers error: *{_N}"), ("no_buffers",)),
    (re.compile(rf"No segments error: *{_N}"), ("no_segments",)),
)
_SOCKET: Final = re.compile(r"\s*Fd=\[(-?\d{1,10})\]")
_RETRANSMISSIONS: Final = re.compile(rf"Retransmissions: *{_N}")
_RING: Final = re.compile(r"\s*RING_[A-Z]+=\[\d{1,10}\]")
_HEAD: Final = re.compile(r"\s*(?:CQ=\[|BUFFER_POOL|TCP_SEG_POOL|GLOBAL|epoll\[|poll$|select$)")
# Views 1 and 2: columns of a row behind `Rx:` and `Tx:`, by how many there are.
_COLUMNS: Final = {
    ("Rx:", 9): ("rx_packets", "", "", "rx_errors", "%", "os_rx_packets", "", "", "os_errors"),
    ("Tx:", 8): ("tx_packets", "", "", "tx_errors", "os_tx_packets", "", "", "os_errors"),
    ("Rx:", 13): (
        "rx_packets", "", "", "", "rx_errors", "%", "", "", "dropped_packets", "os_rx_packets", "", "", "os_errors",
    ),
    ("Tx:", 9): ("tx_packets", "", "", "", "tx_errors", "os_tx_packets", "", "", "os_errors"),
}  # fmt: skip
_ROW: Final = re.compile(r"\s*(?:(\d{1,10})\s+)?(Rx:|Tx:)((?:\s+\d{1,20}(?:\.\d{1,3})?){8,13})\s*")


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts by name, summed over what printed them, and the sockets that were in it.

    `sockets` are descriptors; a descriptor that was used twice stands twice.
    """

    values: Mapping[str, int]
    sockets: tuple[int, ...] = ()

    @property
    def sums(self) -> dict[str, int]:
        """The sums that the rules read, with percentages of polls that found something; 100 where nothing polled."""
        got = Counter(self.values)
        found = {name: got[name] for name in _PLAIN}
        return found | {
            "offloaded_packets": got["rx_packets"] + got["tx_packets"],
            "os_packets": got["os_rx_packets"] + got["os_tx_packets"],
            "sent_packets": got["tx_packets"],
            "rx_polls": got["rx_poll_misses"] + got["rx_poll_hits"],
            "rx_hit_percent": _percent(got["rx_poll_hits"], got["rx_poll_misses"]),
            "mux_polls": got["mux_poll_misses"] + got["mux_poll_hits"],
            "mux_hit_percent": _percent(got["mux_poll_hits"], got["mux_poll_misses"]),
        }


@dataclass(frozen=True, slots=True)
class CounterRule:
    """A condition over the sums, what is told where it does not hold, and the settings that it points at."""

    id: str
    ok: str
    message: str
    turn: tuple[str, ...]


_PLAIN: Final = (
    "dropped_packets",
    "dropped_bytes",
    "queue_drops",
    "no_buffers",
    "no_segments",
    "send_drops",
    "retransmissions",
    "completion_errors",
    "migrations",
)


def read(text: str) -> Counts:
    """Return the counts in the output of `xlio_stats` or in a statistics file; lines of another form are left out."""
    total: Counter[str] = Counter()
    sockets: list[int] = []
    in_ring = False
    for line in text.splitlines():
        if (socket := _SOCKET.match(line)) is not None:
            sockets.append(int(socket[1]))
        in_ring = _in_ring(line, was=in_ring)
        total.update(dict(_row(line, sockets)))
        for name, number in _line(line, in_ring=in_ring):
            total[name] += number
    return Counts(dict(total), tuple(sockets))


def findings(counts: Counts, where: str, stack: str = "xlio") -> list[Finding]:
    """Return what the counts point at, each with the settings to turn; nothing where nothing was counted."""
    if not any(counts.values.values()):
        return []
    sums = counts.sums
    broken = (rule for rule in rules() if not parse(rule.ok).holds(sums))
    return [warning(where, rule.message.format(**sums), _advice(rule.turn, stack)) for rule in broken]


@cache
def rules() -> tuple[CounterRule, ...]:
    """Return the rules of the data file."""
    data = tomllib.loads((catalogue.FOLDER / "xlio.counters.toml").read_text(encoding="utf-8"))
    return tuple(CounterRule(**{**row, "turn": tuple(row["turn"])}) for row in data["rules"])


def _advice(names: Iterable[str], stack: str) -> str:
    own = [name.replace("XLIO_", facts.load(stack).prefix, 1) for name in names]
    return f"look at {', '.join(own)}" if own else ""


def _in_ring(line: str, *, was: bool) -> bool:
    """Return whether a line stands in the block of a ring, whose retransmissions the sockets count too."""
    if _SOCKET.match(line) or _HEAD.match(line):
        return False
    return True if _RING.match(line) else was


def _line(line: str, *, in_ring: bool) -> Iterator[tuple[str, int]]:
    if not in_ring and (found := _RETRANSMISSIONS.match(line)) is not None:
        yield "retransmissions", int(found[1])
    if in_ring and line.startswith(("Tx Offload", "Rx Offload")):
        return  # the sockets of the ring count these too
    for form, names in _LINES:
        if (match := form.match(line)) is not None:
            yield from ((name, int(number)) for name, number in zip(names, match.groups(), strict=True) if name)


def _row(line: str, sockets: list[int]) -> Iterator[tuple[str, int]]:
    match = _ROW.fullmatch(line)
    if match is None:
        return
    numbers = match[3].split()
    names = _COLUMNS.get((match[2], len(numbers)), ())
    if names and match[1]:
        sockets.append(int(match[1]))
    yield from (
        (name, int(number))
        for name, number in zip(names, numbers, strict=False)
        if name.strip("%") and number.isdigit()
    )


def _percent(hits: int, misses: int) -> int:
    return 100 * hits // (hits + misses) if hits + misses else 100
