"""The grammar of a rule file: statements, rules and instances, and where a reader stops.

    file      = { statement }
    statement = application-id PROGRAM ID
              | use TRANSPORT ROLE ADDRESS : PORTS [ : ADDRESS : PORTS ]
              | log { destination WHERE | min-level NUMBER }

Source: the bison grammar of XLIO (config_parser.y). It has no recovery: the first error ends the reading. Because its
states reduce by default, a rule that is complete before the error counts, also when garbage follows on its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tuner.conf.words import DOCUMENTED, PARSED, ROLES, Dialect, Kind, Word, words

ANY: Final = "*"
STATEMENT: Final = "use, application-id or log"
"""What is expected where a statement begins."""
_MOST_DIGITS: Final = 25


@dataclass(frozen=True, slots=True)
class Range:
    """Ports from `low` to `high`, both included, as 16 bits hold them; `written` is what stands in the file."""

    low: int
    high: int
    written: tuple[int, int]

    @property
    def wraps(self) -> bool:
        """Return whether the file says a port that 16 bits cannot hold."""
        return (self.low, self.high) != self.written


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address with its prefix and ports, None for any. `network` is what the library compares with.

    `octets` and `length` are what the file says; an address that is none leaves `network` as the rule before had it.
    """

    network: int | None = None
    prefix: int = 32
    ports: Range | None = None
    octets: tuple[int, ...] = ()
    length: int | None = None

    @property
    def legal(self) -> bool:
        """Return whether the address of the file is one."""
        return all(0 <= octet <= 255 for octet in map(_short, self.octets))  # noqa: PLR2004 # an octet

    def covers(self, other: Endpoint) -> bool:
        """Return whether everything that `other` matches is matched by this one too."""
        return _network_covers(self, other) and _ports_cover(self.ports, other.ports)

    def __str__(self) -> str:
        address = (
            ANY if self.network is None else ".".join(str(self.network >> shift & 255) for shift in (24, 16, 8, 0))
        )
        length = "" if self.network is None or self.prefix == 32 else f"/{self.prefix}"  # noqa: PLR2004 # all bits
        return f"{address}{length}:{_ports_text(self.ports)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One `use` statement: which transport sockets of a role get whose addresses match."""

    line: int
    column: int
    transport: str
    role: str
    first: Endpoint
    second: Endpoint | None = None

    @property
    def matches_nothing(self) -> bool:
        """Return whether no socket can ever match: another transport than this library's, or ports upside down."""
        ranges = [end.ports for end in (self.first, self.second) if end and end.ports]
        return self.transport in {"sdp", "sa"} or any(ports.low > ports.high for ports in ranges)

    def __str__(self) -> str:
        second = f":{self.second}" if self.second else ""
        return f"use {self.transport} {self.role} {self.first}{second}"


@dataclass(frozen=True, slots=True)
class Instance:
    """The rules under one `application-id`, in the order of the file. `line` is None where none was written."""

    program: str
    id: str
    line: int | None
    rules: tuple[Rule, ...] = ()

    def of(self, role: str) -> tuple[Rule, ...]:
        """Return the rules of a role, in the order in which they are tried."""
        return tuple(rule for rule in self.rules if rule.role == role)


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a reader could not go on: the word that it found, and what it expected instead."""

    found: Word
    expected: str


@dataclass(frozen=True, slots=True)
class Log:
    """One part of a `log` statement: `destination` or `min-level`, and its value."""

    line: int
    column: int
    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of a text: instances in order, log statements, and each place where it stopped.

    The parser of the releases stops once; the documented grammar is taken line by line.
    """

    instances: tuple[Instance, ...]
    stops: tuple[Stop, ...] = ()
    logs: tuple[Log, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return all rules in the order of the file."""
        return tuple(sorted((rule for one in self.instances for rule in one.rules), key=lambda rule: rule.line))


def parse(text: str, dialect: Dialect = PARSED) -> Reading:
    """Return what a reader of `dialect` makes of `text`: nothing raises, a bad file has stops."""
    return _Reader(words(text, dialect), dialect).file()


def documented(text: str) -> Reading:
    """Return what the documented grammar makes of `text`."""
    return parse(text, DOCUMENTED)


class _Stopped(Exception):
    """The reader met a word that no rule of the grammar takes here."""


@dataclass(slots=True)
class _Open:
    """An instance to which rules are still added."""

    program: str
    id: str
    line: int | None
    rules: list[Rule] = field(default_factory=list)


class _Reader:
    def __init__(self, given: Iterator[Word], dialect: Dialect) -> None:
        self.words, self.dialect = given, dialect
        self.word = next(given)
        self.instances: list[_Open] = []
        self.current: _Open | None = None
        self.stops: list[Stop] = []
        self.logs: list[Log] = []
        # The library keeps one rule in static memory: an illegal address leaves what the rule before put there.
        self.kept = [0, 0]

    def file(self) -> Reading:
        while self._peek() != Kind.END:
            try:
                self._statement()
            except _Stopped:
                if not self.dialect.goes_on:
                    break
                self._to_next_line()
        made = tuple(Instance(one.program, one.id, one.line, tuple(one.rules)) for one in self.instances)
        return Reading(made, tuple(self.stops), tuple(self.logs))

    def _to_next_line(self) -> None:
        while self._peek() not in {Kind.LINE, Kind.END}:
            self._next()

    def _next(self) -> Word:
        """Return the word that is looked at, and look at the one behind it; the end stays."""
        word = self.word
        self.word = next(self.words, word)
        return word

    def _peek(self) -> str:
        return self.word.kind

    def _take(self, kinds: Iterable[str], expected: str) -> Word:
        if self.word.kind not in kinds:
            self.stops.append(Stop(self.word, expected))
            raise _Stopped
        return self._next()

    def _statement(self) -> None:
        readers: dict[str, Callable[[Word], None]] = {
            "application-id": self._application,
            "use": self._use,
            "log": self._log,
            Kind.LINE: lambda _word: None,
        }
        word = self._take(readers, STATEMENT)
        readers[word.kind](word)

    def _application(self, word: Word) -> None:
        program = self._take({Kind.PROGRAM}, "a program name or *").text
        self._open(program, self._take({Kind.ID}, "an id or *").text, word.line)

    def _open(self, program: str, id_: str, line: int | None) -> None:
        same = [one for one in self.instances if (one.program, one.id) == (program, id_)]
        self.current = same[0] if same else _Open(program, id_, line)
        if not same:
            self.instances.append(self.current)

    def _use(self, word: Word) -> None:
        transport = self._take(self.dialect.transports, _one_of(self.dialect.transports)).kind
        role = self._take(ROLES, "a role: " + ", ".join(ROLES)).kind
        first = self._endpoint(0)
        second = None
        if self._taken(":"):
            second = self._endpoint(1)
        rule = Rule(word.line, word.column, transport, role, first, second)
        # An address that is none is no rule by the documents; the library only says so and goes on.
        if self.dialect.literal and not (first.legal and (second is None or second.legal)):
            return
        self._add(rule)

    def _add(self, rule: Rule) -> None:
        if self.current is None:
            self._open(ANY, ANY, None)
        if self.current is not None:
            self.current.rules.append(rule)

    def _endpoint(self, place: int) -> Endpoint:
        octets, length = self._address()
        self._take({":"}, "`:` and a port")
        ports = self._ports()
        if not octets:
            return Endpoint(ports=ports)
        made = Endpoint(0, _prefix(length), ports, octets, length)
        if made.legal:
            self.kept[place] = int.from_bytes(bytes(_short(octet) for octet in octets), "big")
        return Endpoint(self.kept[place], made.prefix, ports, octets, length)

    def _address(self) -> tuple[tuple[int, ...], int | None]:
        word = self._take({Kind.NUMBER, ANY}, "an IPv4 address or *")
        if word.kind == ANY:
            return (), None
        octets = [_c_int(word.text)]
        for _ in range(3):
            self._take({"."}, "`.`: an IPv4 address has four numbers")
            octets.append(self._number())
        return tuple(octets), self._number() if self._taken("/") else None

    def _ports(self) -> Range | None:
        word = self._take({Kind.NUMBER, ANY}, "a port, PORT-PORT or *")
        if word.kind == ANY:
            return None
        second = self._take({Kind.NUMBER}, "a number") if self._taken("-") else word
        low, high = _c_int(word.text), _c_int(second.text)
        mask = -1 if self.dialect.literal else 0xFFFF  # the library has 16 bits for a port
        return Range(low & mask, high & mask, (int(word.text[:_MOST_DIGITS]), int(second.text[:_MOST_DIGITS])))

    def _taken(self, kind: str) -> bool:
        found = self._peek() == kind
        if found:
            self._next()
        return found

    def _number(self) -> int:
        return _c_int(self._take({Kind.NUMBER}, "a number").text)

    def _log(self, _word: Word) -> None:
        while self._peek() in {"destination", "min-level"}:
            what = self._next()
            value = self._destination() if what.kind == "destination" else str(self._number())
            self.logs.append(Log(what.line, what.column, what.kind, value))

    def _destination(self) -> str:
        known = {*self.dialect.destinations, self.dialect.file_word}
        word = self._take(known, _one_of(known))
        return self._take({Kind.NAME}, "a file name").text if word.kind == self.dialect.file_word else word.kind


def _one_of(known: Iterable[str]) -> str:
    return " or ".join(sorted(known))


def _c_int(text: str) -> int:
    """Return what C's atoi makes of a run of digits: a long that is cut to an int."""
    cut = min(int(text[:_MOST_DIGITS]), 2**63 - 1) & 0xFFFFFFFF
    return cut - (1 << 32) if cut >> 31 else cut


def _short(number: int) -> int:
    cut = number & 0xFFFF
    return cut - (1 << 16) if cut >> 15 else cut


def _prefix(length: int | None) -> int:
    """Return the prefix that the library takes: eight bits of the number, and 32 for more."""
    return 32 if length is None else min(length & 0xFF, 32)


def _network_covers(one: Endpoint, other: Endpoint) -> bool:
    if one.network is None:
        return True
    if other.network is None or one.prefix > other.prefix:
        return one.prefix == 0
    return one.network >> (32 - one.prefix) == other.network >> (32 - one.prefix)


def _ports_cover(one: Range | None, other: Range | None) -> bool:
    low, high = (one.low, one.high) if one else (0, 0xFFFF)
    return low <= (other.low if other else 0) and (other.high if other else 0xFFFF) <= high


def _ports_text(ports: Range | None) -> str:
    if ports is None:
        return ANY
    return str(ports.low) if ports.low == ports.high else f"{ports.low}-{ports.high}"
