"""Rule files that the shipped parser reads as they are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tuner.conf.lint import lint
from tuner.conf.rules import ANY
from tuner.conf.words import DOCUMENTED_OFFLOADED, OFFLOADED, ROLES
from tuner.errors import UsageError, error

_TOKEN: Final = re.compile(r"[^\s#]+")
_TRANSPORTS: Final = {"os": "os", OFFLOADED: OFFLOADED, DOCUMENTED_OFFLOADED: OFFLOADED}


def write(rules: Sequence[str], program: str = ANY, id_: str = ANY) -> str:
    """Return a file with `rules` for a program (a pattern) and an id.

    A rule is `[os|xlio] ROLE ADDRESS:PORTS[:ADDRESS:PORTS]`; without a transport the kernel keeps the sockets, since
    everything is offloaded anyway. Raise `UsageError` with every rule that the shipped parser would not read so.
    """
    wrong = [
        error(name, f"{text!r} is not one word")
        for name, text in (("program", program), ("id", id_))
        if not _TOKEN.fullmatch(text)
    ]
    if wrong:
        raise UsageError("application-id takes two words", findings=wrong)
    text = "\n".join([f"application-id {program} {id_}", *map(_line, rules), ""])
    if findings := lint(text, "rules"):
        advice = f"a rule is [os|{DOCUMENTED_OFFLOADED}] ROLE ADDRESS:PORTS, for example 'tcp_server *:5001'"
        raise UsageError("the rules are not written: they would not do what they say", findings=findings, advice=advice)
    return text


def _line(rule: str) -> str:
    transport, _, rest = rule.strip().partition(" ")
    if transport in ROLES:
        transport, rest = "os", rule.strip()
    return f"use {_TRANSPORTS.get(transport, transport)} {rest.strip()}"
