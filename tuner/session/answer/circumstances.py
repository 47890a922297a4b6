"""What the host and the stack did while a session measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from tuner.session.answer.counters import pointed_at, totals
from tuner.session.answer.disturbance import disturbers
from tuner.session.answer.parts import Circumstances, HostCalm
from tuner.session.measuring import quarantine
from tuner.session.measuring.culprits import Culprit, of_disturbed, unusual
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.patience import waited_s
from tuner.stacks.offload import Sockets


def circumstances(evidence: Evidence) -> Circumstances:
    """Return how calm the host was, what was left out for it, and what the stack counted."""
    counted = totals(evidence.ledger.runs)
    return Circumstances(
        quarantined=len(evidence.ledger.quarantined),
        host=host(evidence),
        counters=counted or None,
        findings=pointed_at(counted, evidence.plan.stack) if counted else None,
        waited_s=round(waited_s(evidence.ledger.runs), 1) or None,
        sockets=Sockets.OS.value if evidence.plan.os_sockets else None,
    )


def host(evidence: Evidence) -> HostCalm:
    """Return how many blocks the host disturbed, and who did."""
    runs = evidence.ledger.runs
    why = evidence.ledger.disturbed
    blocks = len({run.block for run in runs})
    counted = Counter(reason for all_of_block in why.values() for reason in all_of_block)
    found = {block: of_disturbed(evidence.ledger.runs_in(block)) for block in why}
    measured = evidence.plan.measured_cpus
    return HostCalm(
        calm=quarantine.calm(len(why), blocks),
        disturbed=len(why),
        blocks=blocks,
        reasons=dict(counted),
        culprits=disturbers(found, measured),
        unusual=disturbers(_unusual(evidence, set(why)), measured),
    )


def _unusual(evidence: Evidence, disturbed: Collection[int]) -> dict[int, list[Culprit]]:
    """Return what stood out in the baseline's runs in blocks that were not disturbed."""
    found: dict[int, list[Culprit]] = defaultdict(list)
    mine = evidence.ledger.runs_of(evidence.baseline.number) if evidence.ledger.trials else ()
    for index in range(len(evidence.plan.workloads)):
        for block, each in unusual([run for run in mine if run.workload == index]).items():
            found[block] += each
    return {block: each for block, each in found.items() if block not in disturbed}
