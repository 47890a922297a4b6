"""What the host and the stack did while a session measured."""

from __future__ import annotations

from collections import Counter

from tuner.session.answer.counters import pointed_at, totals
from tuner.session.answer.parts import Circumstances, HostCalm
from tuner.session.measuring import quarantine
from tuner.session.measuring.evidence import Evidence
from tuner.stacks.offload import Sockets


def circumstances(evidence: Evidence) -> Circumstances:
    """Return how calm the host was, what was left out for it, and what the stack counted."""
    counted = totals(evidence.ledger.runs)
    return Circumstances(
        quarantined=len(evidence.ledger.quarantined),
        host=host(evidence),
        counters=counted or None,
        findings=pointed_at(counted, evidence.plan.stack) if counted else None,
        sockets=Sockets.OS.value if evidence.plan.os_sockets else None,
    )


def host(evidence: Evidence) -> HostCalm:
    """Return how many blocks the host disturbed, and why."""
    why = quarantine.disturbed(evidence.ledger.runs)
    blocks = len({run.block for run in evidence.ledger.runs})
    counted = Counter(reason for all_of_block in why.values() for reason in all_of_block)
    return HostCalm(quarantine.calm(len(why), blocks), len(why), blocks, dict(counted))
