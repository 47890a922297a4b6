"""Make `docs/benchmarks.md` again: every section measured now, on this machine.

    .venv/bin/python benchmarks/write.py

Takes about an hour. Nothing else may run meanwhile. What other searches recommended is kept; `benchmarks/search.py` computes it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import decisions
import fast_start
import full_log
import itself
import long
import search
import settings
import start_up
import tuning

from tuner.hosts import facts

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def head() -> str:
    """Return what the figures were measured on."""
    found = facts.read()
    doubts = "; ".join(doubt.message for doubt in facts.doubts(found, needs_hugepages=False)) or "none"
    return "\n".join(
        [
            "# Benchmarks\n",
            f"Measured {datetime.now(UTC):%Y-%m-%d} on {found.cpus} CPUs ({found.cpu_model}, {found.system}). Doubts: {doubts}.",
            "Absolute times are of one machine; ratios are taken inside one run of the benchmark. Made again by `make bench`.\n",
        ]
    )


if __name__ == "__main__":
    sections = [
        head(),
        start_up.section(),
        fast_start.section(),
        full_log.section(),
        tuning.section(),
        itself.section(),
        long.section(),
    ]
    sections += [decisions.section(), settings.section(), search.section()]
    PAGE.write_text("\n".join(sections), encoding="utf-8")
    print(PAGE)
