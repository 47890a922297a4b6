"""Sockets that a stack leaves to the operating system: refused before the first run, or measured by wish and named so."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from tuner.errors import Finding, UsageError, doubt, error
from tuner.runs.workload import Workload
from tuner.session.setup.plan import Plan
from tuner.stacks.stack import Stack

OPTION: Final = "--allow-os-sockets"
_ADVICE: Final = (
    "give --address the address of an interface that the card serves, with the server on another host; "
    f"{OPTION} measures the operating system's sockets all the same, and says so"
)


def check(stack: Stack, workloads: Sequence[Workload], *, allowed: bool) -> None:
    """Raise `UsageError` where the address alone says that the stack would carry no packet."""
    if allowed or not stack.facts.os_loopback:
        return
    findings = [
        _refusal(stack, option, address)
        for workload in workloads
        for option, address in workload.addresses()
        if is_loopback(address)
    ]
    if findings:
        message = f"{stack.facts.title} would not carry these sockets: the kernel would be measured under its name"
        raise UsageError(message, findings=dict.fromkeys(findings), advice=_ADVICE)


def _refusal(stack: Stack, option: str, address: str) -> Finding:
    title = stack.facts.title
    return error(option, f"{address} is a loopback address, and {title} leaves those to the operating system")


def is_loopback(text: str) -> bool:
    """Return whether a client reaches a server at this address over loopback; an unspecified address is this machine."""
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def doubts(plan: Plan) -> list[Finding]:
    """Return what has to be said of a session that was allowed to measure the operating system's sockets."""
    if not plan.os_sockets:
        return []
    what = f"os-sockets: with {OPTION} a run counts even where {plan.stack} leaves its sockets to the operating system"
    return [doubt(what, f"measure without {OPTION} before you use the result")]
