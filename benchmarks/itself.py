"""Does a real session claim an improvement where there is none? The baseline against itself, on the real kernel stack.

Sessions of `tuner tune latency` on TCP ping-pong whose space holds only settings that such a workload never reaches:
`select` is not called and nothing is multicast. Every profile is the baseline under another name, so every claim is false.

    .venv/bin/python benchmarks/itself.py [SESSIONS] [BUDGET_S]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.records import Kind
from tuner.results import Results
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Silent
from tuner.session.setup import prepare
from tuner.session.setup.request import Request, Search, Task
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

SESSIONS = 20
BUDGET_S = 30.0
NOTHING = "XLIO_SELECT_POLL=0|1|100|10000|-1, XLIO_TX_MC_LOOPBACK=0|1"


def session(folder: Path, seed: int, budget_s: float) -> Mapping[str, Any]:
    """Return what one session answered."""
    host = LocalHost()
    task = Task(objective="latency", seed=seed)
    asked = Request(kind=Kind.TUNE, budget_s=budget_s, task=task, search=Search(space=NOTHING))
    plan = prepare.plan(asked, on_one(host), ())
    plan = replace(plan, known=(plan.baseline,), start=None)
    store = Store(Results(folder).url)
    made = Tuning(store, Results(folder), prepare.rig(plan, on_one(host)), Silent())
    answer = carry_out(made, plan, begin(store, plan, {"doubts": []}), Clock.start(budget_s)).to_dict()
    print(f"seed {seed}: {answer['verdict']}: {answer['why']}", file=sys.stderr)
    return answer


def row(seed: int, answer: Mapping[str, Any]) -> str:
    """Return the Markdown row of a session: what it said of the profile that it judged."""
    judged = next((found["gain"] for found in answer["finalists"] if found["gain"]), None)
    gain = f"{judged['ratio']:.3f} ({judged['low']:.3f} to {judged['high']:.3f})" if judged else "–"
    return f"| {seed} | {answer['verdict']} | {gain} | {judged['blocks'] if judged else '–'} |"


def section(sessions: int = SESSIONS, budget_s: float = BUDGET_S) -> str:
    """Return the section of the benchmark page."""
    with tempfile.TemporaryDirectory() as folder:
        answers = {seed: session(Path(folder), seed, budget_s) for seed in range(1, sessions + 1)}
    claims = sum(answer["verdict"] == "improved" for answer in answers.values())
    judged = [found["gain"] for answer in answers.values() for found in answer["finalists"] if found["gain"]]
    covered = sum(found["low"] <= 1.0 <= found["high"] for found in judged)
    middle = statistics.median(found["ratio"] for found in judged) if judged else float("nan")
    return "\n".join(
        [
            "## The real baseline against itself\n",
            f"{sessions} sessions of {budget_s:g} s on the kernel stack in a space where nothing matters (`{NOTHING}` under TCP",
            f"ping-pong): {claims} claimed an improvement; {covered} of {len(judged)} intervals hold 1; median ratio {middle:.3f}.\n",
            "| seed | verdict | gain of the judged profile | blocks |",
            "|---|---|---|---|",
            *(row(seed, answer) for seed, answer in answers.items()),
            "\n`.venv/bin/python benchmarks/itself.py`\n",
        ]
    )


if __name__ == "__main__":
    print(section(*(kind(text) for kind, text in zip((int, float), sys.argv[1:], strict=False))))
