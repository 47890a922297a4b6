"""The rule file that a session carries: checked before the first run, and asked what it does to the benchmark itself."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Final

from tuner import catalogue
from tuner.catalogue import facts
from tuner.conf.lint import MAX_BYTES, lint
from tuner.conf.match import Address, Answer, Socket, answer
from tuner.conf.rules import parse
from tuner.conf.words import OFFLOADED
from tuner.errors import Finding, UsageError, doubt, error
from tuner.profiles.profile import errors_in
from tuner.runs.chosen import BENCHMARK
from tuner.runs.workload import Protocol, Workload
from tuner.session.setup.plan import Plan, RuleFile
from tuner.untrusted import text_of

_ENDS: Final = {Protocol.TCP: ("tcp_server", "tcp_client"), Protocol.UDP: ("udp_receiver", "udp_sender")}


def carried(path: Path | None, stack: str) -> RuleFile | None:
    """Return the rule file that a session of `stack` carries; raise `UsageError` with every error in it."""
    if path is None:
        return None
    if not facts.load(stack).rule_file:
        message = f"the {stack} stack reads no offload rules"
        readers = " or ".join(each.name for each in facts.every() if each.rule_file)
        raise UsageError(message, findings=[error("--conf", message, f"leave it out, or choose --stack {readers}")])
    text = text_of(path, MAX_BYTES, "a rule file")
    found = [text] if isinstance(text, Finding) else lint(text, str(path))
    if errors_in(found) or isinstance(text, Finding):
        raise UsageError(
            f"{path} is not read as it is meant", findings=errors_in(found), advice="see `tuner conf lint`"
        )
    return RuleFile(str(path.absolute()), text)


def unchanged(conf: RuleFile | None) -> str | None:
    """Return the path of a session's rule file; raise `UsageError` when it no longer says what was checked."""
    if conf is None:
        return None
    if text_of(Path(conf.path), MAX_BYTES, "a rule file") != conf.text:
        raise UsageError(f"{conf.path} has changed since the session began", advice="start a new session")
    return conf.path


def doubts(plan: Plan) -> list[Finding]:
    """Return what a session's rule file does to the benchmark's own sockets: those that it leaves to the kernel."""
    if plan.conf is None:
        return []
    reading = parse(plan.conf.text)
    asked = (socket for workload in plan.workloads for socket in _sockets(plan, workload))
    found = {socket.role: answer(reading, socket) for socket in asked}
    return [_doubt(plan.conf, role, each) for role, each in found.items() if not each.offloaded]


def _sockets(plan: Plan, workload: Workload) -> Iterator[Socket]:
    """Yield the sockets of the benchmark's two ends; their port is chosen when they start."""
    variable = facts.load(plan.stack).application_id
    id_ = plan.baseline.settings.get(variable, catalogue.load(plan.stack).find(variable).default(plan.release) or "")
    try:
        ip = IPv4Address(workload.address)
    except AddressValueError:
        ip = None
    for role in _ENDS[workload.protocol]:
        yield Socket(Path(plan.program).name, role, Address(ip, None), id_)


def _doubt(conf: RuleFile, role: str, found: Answer) -> Finding:
    line = found.rule.line if found.rule else 0
    ports = found.rule.first.ports if found.rule else None
    sure = "leaves" if ports is None else "may leave"
    what = (
        f"line {line} of {conf.path} {sure} {BENCHMARK.name}'s own {role} sockets to the kernel: that would be measured"
    )
    return doubt(what, f"put `use {OFFLOADED} {role} *:*` for {BENCHMARK.name} before it, or measure without --conf")
