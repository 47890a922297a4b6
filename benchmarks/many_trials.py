"""A stored session with as many trials as a test wants, made without measuring: rows in their true form, invented values."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tuner.errors import doubt
from tuner.judging.statistics import Gain
from tuner.measurement import Measurement, from_dict
from tuner.records import Phase, Role, Run, State, Status, StoredSession, Trial
from tuner.results import Results
from tuner.runs import histogram
from tuner.runs.workload import Mode, Workload
from tuner.session.answer.answers import TuneAnswer
from tuner.session.answer.described import described
from tuner.session.answer.parts import Decision, Finalist, Winner
from tuner.session.answering import answer
from tuner.session.measuring.clock import Ending
from tuner.session.measuring.evidence import Evidence
from tuner.store import Store

ID: Final = "20260102-030405-tune-kernel-latency-abcd"
CALIBRATION_BLOCKS: Final = 5
CONFIRM_BLOCKS: Final = 8
WORKLOAD: Final = Workload(mode=Mode.PING_PONG)
PERCENTILES: Final = {"p25": 0.95, "p50": 1.0, "p75": 1.1, "p90": 1.3, "p99": 1.9, "p99_9": 4.0, "p99_99": 9.0}


def stored(
    folder: Path,
    trials: int,
    *,
    session: str = ID,
    word: str = "it did not load",
    histograms: bool = True,
    **plan: Any,
) -> Store:
    """Return the store of one finished tuning: every tenth trial fails, and the last but one wins.

    `word` stands in every text that is not ours: names, reasons, values, commands. `plan` replaces parts of the plan.
    """
    store = Store(Results(folder).url)
    rng = random.Random(7)
    rows = [Trial(0, "default", Role.BASELINE, {}), *(_trial(number, word, rng) for number in range(1, trials))]
    runs = list(_runs(rows, word, rng, histograms=histograms))
    facts = {"hostname": word, "cpus": 2, "doubts": [{"what": word, "advice": word}]}
    began = StoredSession(session, "2026-01-02T03:04:05+00:00", State.RUNNING, 0.0, _plan() | plan, facts, None)
    store.add_whole(began, rows, runs)  # in one transaction, because a test need not survive a crash
    evidence = Evidence.read(store, store.session(session))
    store.close_session(session, State.DONE, 90.0, _answer(evidence, rows[-2], word).to_dict())
    return store


def _trial(number: int, word: str, rng: random.Random) -> Trial:
    settings = {"XLIO_RX_POLL": str(rng.randrange(10_000)), "XLIO_TCP_NODELAY": str(number % 2), "XLIO_SPEC": word}
    role = Role.KNOWN if number < 4 else Role.CANDIDATE
    return Trial(number, f"{word} {number}", role, settings, word if number % 50 == 5 else None)


def _runs(rows: Sequence[Trial], word: str, rng: random.Random, *, histograms: bool) -> Iterator[Run]:
    blocks = [(Phase.CALIBRATE, (0, 0))] * CALIBRATION_BLOCKS
    blocks += [(Phase.SEARCH, (0, row.number)) for row in rows[1:] if row.invalid is None]
    blocks += [(Phase.CONFIRM, (0, rows[-2].number))] * CONFIRM_BLOCKS
    number = 0
    for block, (phase, trials) in enumerate(blocks):
        for trial in trials:
            failed = trial % 10 == 9
            level = 40.0 / (1.0 if trial == 0 else 1.0 + trial / len(rows)) * rng.lognormvariate(0.0, 0.03)
            measured = None if failed else _measurement(level, rng, kept=histograms and phase == Phase.CONFIRM)
            status = Status.FAILED if failed else Status.OK
            began = "2026-01-02T03:04:05"
            evidence = _evidence(rows[trial], word, stolen=block == 3)
            made = Run(status, word if failed else "", began, 1.3, measured, evidence)
            yield made.placed(number, trial, phase, block)
            number += 1


def _measurement(level: float, rng: random.Random, *, kept: bool) -> Measurement:
    latencies = {f"latency_{name}_us": level * factor for name, factor in PERCENTILES.items()}
    rates = {"rate_mps": 5e5 / level, "client_cpu_s": 0.4, "server_cpu_s": 0.2 + 10 / level, "observations": 200_000}
    return from_dict(latencies | rates | ({"histogram": _histogram(level, rng)} if kept else {}))


def _histogram(level: float, rng: random.Random) -> dict[str, str]:
    latencies = [int(1000 * level * rng.lognormvariate(0.0, 0.2)) for _ in range(500)]
    return histogram.encode(histogram.record(np.array(latencies)), "half round trip")


def _evidence(trial: Trial, word: str, *, stolen: bool) -> dict[str, Any]:
    common = {"PATH": "/usr/bin", "LD_PRELOAD": word}
    argv = ["/usr/bin/sockperf", "ping-pong", "-p", str(20_000 + trial.number), word]
    server = {"argv": argv, "cpus": "1", "stdout": "sockperf: == version #3.7-no.git ==", "stderr": word}
    telemetry = {"wall_s": 1.3, "steal_share": 0.5 if stolen else 0.0}
    return {"environment": common | dict(trial.settings), "server": server, "client": server, "telemetry": telemetry}


def _plan() -> dict[str, Any]:
    contender = {"profile": "default", "settings": {}}
    names = {"kind": "tune", "stack": "kernel", "preloads": ["/lib/one.so"], "sockperf": "sockperf", "seed": 0}
    judged = {"objective": "latency", "workloads": [WORKLOAD.to_dict()], "baseline": contender, "known": []}
    return (
        names | judged | {"start": "default", "fixed": {}, "space": "", "optimizer": "skopt", "budget_s": 90.0} | _REST
    )


_REST: Final = {"blocks": 200, "fast_start": True, "warm_start": None}


def _answer(evidence: Evidence, winner: Trial, word: str) -> TuneAnswer:
    """Return what the session's own evidence answers, but with a winner and texts that the test decides."""
    made = answer(evidence, Ending(90.0, stopped=False))
    assert isinstance(made, TuneAnswer)
    profile = replace(described(evidence, winner), metrics={})
    gain = Gain(1.97, 1.90, 2.05, CONFIRM_BLOCKS, 0.95)
    return replace(
        made,
        verdict=Decision.IMPROVED,
        why=f"{winner.profile} is better",
        gain=gain,
        winner=Winner(profile, word),
        finalists=(Finalist(profile, None),),
        doubts=(doubt(word, word),),
        minimised=None,
        calibration=None,
        warm_start=None,
    )
