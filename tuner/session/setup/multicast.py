"""What a stack's settings do to multicast: rings that sockets move between lose messages meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tuner import catalogue
from tuner.catalogue import rules
from tuner.catalogue.effective import effective
from tuner.errors import Finding, doubt
from tuner.session.setup.plan import Plan

# The rule of the catalogues that such settings break.
_RULE: Final = "ring_per_cpu"


def doubts(plan: Plan) -> list[Finding]:
    """Return which profiles of a session with a multicast workload may lose messages while a socket moves."""
    if not any(workload.is_multicast for workload in plan.workloads):
        return []
    losing = {each.profile: why for each in (plan.baseline, *plan.known) if (why := lost(plan, each.settings))}
    return [
        doubt(f"{profile}: {why}", "choose another ring allocation for multicast") for profile, why in losing.items()
    ]


def lost(plan: Plan, settings: Mapping[str, str]) -> str:
    """Return why multicast is lost under settings in the release of a plan, empty where it is not."""
    known = catalogue.load(plan.stack)
    release = known.read_as(plan.release)
    values = rules.numbers(effective(known, settings, release).values())
    broken = rules.broken((rule for rule in known.rules if rule.id == _RULE), values, release)
    return broken[0].rule.message if broken else ""
