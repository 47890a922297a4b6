"""What is wrong with a rule file, where, why, and what the library's parser makes of the rest of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tuner.conf.match import TWO_ENDED
from tuner.conf.rules import ANY, STATEMENT, Endpoint, Instance, Reading, Rule, Stop, documented, parse
from tuner.conf.words import DOCUMENTED_OFFLOADED, ID_VARIABLES, LENIENT, OFFLOADED, PARSED, ROLES, Kind
from tuner.errors import Finding, did_you_mean, error, nearest, warning
from tuner.terminal_text import shown

MAX_BYTES: Final = 1 << 20
# More errors than this are one mistake repeated.
_MOST_STOPS: Final = 50
# A setting that was meant for the environment.
_VARIABLE: Final = re.compile(
    rf"\s*(?:export\s+)?((?:{'|'.join(name.partition('_')[0] for name in ID_VARIABLES.values())})_[A-Z0-9_]+)\s*=.*",
    re.ASCII,
)
_NEVER: Final = 1  # the level from which on the library prints the rules that it reads


def lint(text: str, source: str) -> list[Finding]:
    """Return what is wrong or doubtful in `text`, in the order of the file; `source` names it in findings.

    An error is what the shipped parser does not read, or reads as something else than what is written.
    """
    reading = parse(text, LENIENT)
    wrong = list(_stops(text, reading.stops[:_MOST_STOPS], source))
    doubts = [
        *(found for rule in reading.rules for found in _rule(rule, source)),
        *(found for one in reading.instances for found in _shadowed(one, source)),
        *_unreached(reading.instances, source),
        *_logs(reading, source),
        *_carriage(text, source),
    ]
    return sorted([*wrong, *doubts], key=_position)


def dead(reading: Reading) -> dict[Rule, str]:
    """Return each rule that no socket can meet, with the reason."""
    found: dict[Rule, str] = {}
    unreached = dict(_hidden(reading.instances))
    for instance in reading.instances:
        for rule in instance.rules:
            if instance in unreached:
                found[rule] = f"application-id {_named(unreached[instance])} comes first and is for the same programs"
            elif rule.matches_nothing:
                found[rule] = _nothing(rule)
            elif (earlier := _covering(instance, rule)) is not None:
                found[rule] = f"line {earlier.line} matches all that it matches, and comes first"
    return found


def lost(text: str) -> tuple[Rule, ...]:
    """Return the rules that the documents promise and the shipped parser never reaches, because it stopped before."""
    reading = parse(text)
    stopped = reading.stops[0].found.line if reading.stops else None
    read = {rule.line for rule in reading.rules}
    return tuple(r for r in documented(text).rules if stopped is not None and r.line >= stopped and r.line not in read)


def _position(finding: Finding) -> tuple[int, int]:
    numbers = re.findall(r":(\d+)", finding.where)
    return (int(numbers[-2]), int(numbers[-1])) if len(numbers) > 1 else (0, 0)


def _where(source: str, line: int, column: int) -> str:
    return f"{source}:{line}:{column}"


def _stops(text: str, stops: Iterable[Stop], source: str) -> Iterator[Finding]:
    """Say where the parser stops, and where it would stop next if that line were right."""
    gone = lost(text)
    for number, stop in enumerate(stops):
        found = stop.found
        variable = _VARIABLE.match(text.split("\n")[found.line - 1])
        message = f"syntax error at {_word(stop)}: expected {stop.expected}"
        if variable:
            message = f"{variable[1]} is an environment variable, and this is a file of offload rules"
        if not found.text.isascii() and stop.expected == STATEMENT:
            rest = f"rules lost from here on: {len(gone)}" if gone else "nothing behind this place is read"
            message = f"{_word(stop)} ends the file for the library, without a word; {rest}"
        elif number == 0:
            rest = f"; rules lost from here on: {len(gone)}" if gone else "; nothing behind this place is read"
            counted = f", and calls it line {found.counted}" if found.counted != found.line else ""
            message += f". The library stops reading here, says so on standard output only{counted}, and goes on{rest}"
        yield error(_where(source, found.line, found.column), message, _fix(text, stop))


def _word(stop: Stop) -> str:
    if stop.found.kind in {Kind.LINE, Kind.END}:
        return stop.found.kind
    return f"`{shown(stop.found.text)}`"


def _fix(text: str, stop: Stop) -> str:
    line = text.split("\n")[stop.found.line - 1]
    if (variable := _VARIABLE.match(line)) is not None:
        return f"set it in the environment of the program: export {variable[0].strip()}"
    rest = line[stop.found.column - 1 :]
    word = (re.match(r"[\w./-]+", rest) or re.match(r".?", rest) or [""])[0]
    known = _KNOWN_SLIPS.get(word)
    if known is not None:
        return known
    if stop.found.text == "\r":
        return "save the file with Unix line ends"
    if rest.count(":") > 2 and stop.expected.startswith("`."):  # noqa: PLR2004 # more than an address and a port have
        return "rules match IPv4 addresses only"
    return _like(word)


def _like(word: str) -> str:
    if re.match(r"0[0-9]", word) or re.match(r"\d", word):
        return "write numbers without leading zeros: an address as 192.168.1.0/24, a port as 5001"
    expected = [*PARSED.keywords, *ROLES]
    near = nearest(word, expected) if word else None
    return did_you_mean(word, expected) if near and near != word else ""


_KNOWN_SLIPS: Final = {
    DOCUMENTED_OFFLOADED: f"write `use {OFFLOADED}`: the documented word {DOCUMENTED_OFFLOADED} is not known to the parser that is shipped",
    "stderr": "write ystderr (it has no effect anyway)",
    "file": "write yfile NAME (it has no effect anyway)",
}


def _rule(rule: Rule, source: str) -> Iterator[Finding]:
    where = _where(source, rule.line, rule.column)
    for end in (rule.first, rule.second):
        if end is not None:
            yield from _endpoint(end, where)
    if rule.transport in {"sdp", "sa"}:
        yield warning(
            where, f"transport {rule.transport} never matches: the rule does nothing", f"write os or {OFFLOADED}"
        )
    if rule.second is not None and rule.role not in TWO_ENDED:
        yield warning(
            where, f"{rule.role} compares one address: the second one is ignored", "leave out the second address"
        )


def _endpoint(end: Endpoint, where: str) -> Iterator[Finding]:
    if end.octets and not end.legal:
        written = ".".join(map(str, end.octets))
        kept = str(Endpoint(end.network))[:-2]
        yield error(
            where,
            f"{written} is not an address: the library says so on standard output and takes {kept} instead",
            "write four numbers from 0 to 255",
        )
    if end.length is not None and not 0 <= end.length <= 32:  # noqa: PLR2004 # the bits of an address
        yield error(where, f"/{end.length} is not a prefix: the library takes /{end.prefix}", "write /0 to /32")
    if end.ports is not None:
        yield from _ports(end, where)


def _ports(end: Endpoint, where: str) -> Iterator[Finding]:
    if end.ports is None:
        return
    low, high = end.ports.written
    if end.ports.wraps:
        read = f"{end.ports.low}-{end.ports.high}" if low != high else str(end.ports.low)
        asked = f"{low}-{high}" if low != high else str(low)
        yield error(where, f"port {asked} wraps around at 65536: the library reads {read}", "ports end at 65535")
    if end.ports.low > end.ports.high:
        yield error(where, f"ports {end.ports.low}-{end.ports.high} are upside down: no port matches", "write LOW-HIGH")


def _shadowed(instance: Instance, source: str) -> Iterator[Finding]:
    for rule in instance.rules:
        if not rule.matches_nothing and (earlier := _covering(instance, rule)) is not None:
            message = f"never reached: line {earlier.line} ({earlier}) comes first and matches all that it matches"
            yield warning(_where(source, rule.line, rule.column), message, "put it before, or leave it out")


def _covering(instance: Instance, rule: Rule) -> Rule | None:
    earlier = instance.of(rule.role)
    before = earlier[: earlier.index(rule)]
    return next((one for one in before if not one.matches_nothing and _covers(one, rule)), None)


def _covers(one: Rule, other: Rule) -> bool:
    seconds = one.second is None or one.role not in TWO_ENDED or one.second.covers(other.second or Endpoint())
    return one.first.covers(other.first) and seconds


def _hidden(instances: Iterable[Instance]) -> Iterator[tuple[Instance, Instance]]:
    before: list[Instance] = []
    for instance in instances:
        cover = next((one for one in before if _takes_all(one, instance)), None)
        if cover is not None:
            yield instance, cover
        before.append(instance)


def _takes_all(one: Instance, other: Instance) -> bool:
    return one.program in {ANY, other.program} and one.id in {ANY, other.id}


def _unreached(instances: tuple[Instance, ...], source: str) -> Iterator[Finding]:
    for hidden, cover in _hidden(instances):
        message = f"application-id {_named(hidden)} is never reached: {_named(cover)} comes first, and only one counts"
        yield warning(_where(source, hidden.line or 1, 1), message, "put the narrower one first")


def _named(instance: Instance) -> str:
    line = f" (line {instance.line})" if instance.line else " (the rules before any application-id)"
    return f"{shown(instance.program)} {shown(instance.id)}{line}"


def _nothing(rule: Rule) -> str:
    return (
        f"transport {rule.transport} never matches" if rule.transport in {"sdp", "sa"} else "its ports are upside down"
    )


def _logs(reading: Reading, source: str) -> Iterator[Finding]:
    for log in reading.logs:
        where = _where(source, log.line, log.column)
        if log.what == "destination":
            yield warning(where, "a log destination has no effect", "use the variable for the log file")
        elif int(log.value) <= _NEVER:
            message = f"min-level {log.value} prints the rules that follow on the program's standard output"
            yield warning(where, message, "leave it out")


def _carriage(text: str, source: str) -> Iterator[Finding]:
    """Find an id with a carriage return: it is no error and matches nobody."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("\r") and line.strip().startswith("application-id"):
            message = "the carriage return belongs to the id here: it matches no program"
            yield error(_where(source, number, len(line)), message, "save the file with Unix line ends")
