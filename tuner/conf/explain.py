"""A rule file in words: what each rule does, and which do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tuner.conf.lint import dead, lost
from tuner.conf.match import TWO_ENDED
from tuner.conf.rules import ANY, Endpoint, Instance, Rule, documented, parse
from tuner.conf.words import with_id
from tuner.terminal_text import shown


@dataclass(frozen=True, slots=True)
class Explained:
    """One rule in words. `state` is `works`, `dead` (no socket meets it) or `lost` (behind a syntax error)."""

    line: int
    rule: str
    programs: str
    says: str
    state: str
    why: str


_WHAT: Final = {
    "tcp_server": "TCP sockets that listen at",
    "tcp_client": "TCP sockets that connect to",
    "udp_sender": "UDP sockets that send to",
    "udp_receiver": "UDP sockets that receive at",
    "udp_connect": "UDP sockets that connect to",
}
_BEHIND: Final = "it comes after a syntax error, where the library stops reading"


def explain(text: str, source: str = "") -> list[Explained]:
    """Return each rule of a file in words, in the order of the file, with those that the library never reads.

    The name of the file, `source`, may say which library reads it.
    """
    reading = parse(text)
    reasons = dead(reading)
    gone = lost(text)
    promised = documented(text).instances
    found = [
        Explained(rule.line, str(rule), _programs(one, source), sentence(rule), *_state(reasons.get(rule, "")))
        for one in reading.instances
        for rule in one.rules
    ]
    found += [
        Explained(rule.line, str(rule), _programs(one, source), sentence(rule), "lost", _BEHIND)
        for one in promised
        for rule in one.rules
        if rule in gone
    ]
    return sorted(found, key=lambda each: each.line)


def _state(reason: str) -> tuple[str, str]:
    return "dead" if reason else "works", reason


def sentence(rule: Rule) -> str:
    """Return what a rule says, without the dot."""
    who = {"os": "the kernel keeps", "sdp": "SDP would take", "sa": "SA would take"}.get(rule.transport, "offloads")
    second = rule.second if rule.role in TWO_ENDED else None
    return f"{who} {_WHAT[rule.role]} {_end(rule.first)}" + (f", from {_end(second)}" if second else "")


def _end(end: Endpoint) -> str:
    ports = str(end).rpartition(":")[2]
    address = "any address" if end.network is None else str(end).rpartition(":")[0]
    return f"{address}, any port" if ports == ANY else f"{address}, port {ports}"


def _programs(instance: Instance, source: str) -> str:
    program = "every program" if instance.program == ANY else f"programs called {shown(instance.program)}"
    id_ = "" if instance.id == ANY else f" with {with_id(shown(instance.id), source)}"
    return program + id_
