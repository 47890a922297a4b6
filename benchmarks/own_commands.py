"""How often a session with somebody's own commands claims what is not there: A/A, on a simulated host and with real programs.

python benchmarks/own_commands.py simulated [SESSIONS]      whole tunings in which no setting does anything
python benchmarks/own_commands.py real [RECIPE] [SESSIONS]  `tuner compare` of the defaults with themselves, 30 s each
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import decisions
import simulation

from tuner.hosts.host import Command
from tuner.hosts.simulated import Words
from tuner.judging.objective import objective
from tuner.runs.recipe_file import of_text
from tuner.runs.workload import Workload
from tuner.session.setup.plan import Plan

RECIPE: Final = """
name = "made-up"
[server]
command = "server {port}"
ready = "listening"
[client]
command = "client {port}"
[metrics.requests_per_s]
unit = "requests/s"
better = "higher"
regex = '^rate: ([0-9.]+)'
[metrics.p99_ms]
unit = "ms"
better = "lower"
regex = '^p99: ([0-9.]+)'
"""
WORKLOAD: Final = Workload(recipe=of_text(RECIPE, "made up"))
# The same settings in two spellings: the second file says a default.
SAME: Final = (
    'stack = "kernel"\nname = "same"\nsummary = "the defaults, one of them said"\n[settings]\nXLIO_RX_POLL = 0\n'
)


@dataclass
class CommandHost(simulation.NoisyHost):
    """A host of which a server and a client of anybody's print a rate and a p99, as noisy as real runs."""

    def speak(self, command: Command) -> Words:
        """Return what one end of a run would print."""
        if command.argv[0].endswith("server"):
            return Words("listening\n", self.banner, serves=True)
        return self.client(command)

    def client(self, command: Command) -> Words:
        """Return what a client would print under a command's environment."""
        self.runs += 1
        median_us = self.latency(command.environment) * math.exp(self._common() + self._tailed(self.noise.p50))
        p99_us = 3.0 * median_us * math.exp(self._tailed(self.noise.p99))
        return Words(f"rate: {1e6 / median_us:.3f}\np99: {p99_us / 1e3:.6f}\n", self.banner)


def plan(goal: str = "max requests_per_s", **changes: Any) -> Plan:
    """Return the plan of a tuning of the made-up programs."""
    whole = objective(goal, WORKLOAD)
    programs = {"server": {"server": "/usr/bin/server"}, "client": {"client": "/usr/bin/client"}}
    made = replace(
        simulation.PLAN, objective=whole, workloads=(WORKLOAD,), programs=programs, program="/usr/bin/client"
    )
    return replace(made, guards=whole.kept, fast_start=False, **changes)


def session(folder: Path, latency: simulation.Latency, seed: str, made: Plan) -> dict[str, Any]:
    """Return the answer of a whole simulated session of a plan."""
    host = CommandHost(latency, simulation.Noise(), simulation.chances(seed))
    return simulation.carried_out(folder, host, made, seed)


def nothing_helps(seed: int) -> str:
    """Return the verdict of a session in which no setting does anything."""
    with tempfile.TemporaryDirectory() as folder:
        return str(session(Path(folder), lambda _: simulation.BASE_US, f"aa/{seed}", plan())["verdict"])


def simulated(sessions: int = 100) -> str:
    """Return how many of so many simulated sessions claimed something."""
    with ProcessPoolExecutor(2) as pool:
        verdicts = list(pool.map(nothing_helps, range(1, sessions + 1)))
    return f"simulated A/A: improved in {decisions.share(verdicts.count('improved'), sessions)}"


def real(recipe: str = "redis", sessions: int = 20) -> str:
    """Return how many of so many real comparisons of the defaults with themselves claimed something."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "same.toml").write_text(SAME, encoding="utf-8")
        ask: Callable[[int], str] = lambda seed: _compared(folder, recipe, seed)  # noqa: E731 - one line of a loop
        verdicts = [ask(seed) for seed in range(1, sessions + 1)]
    return f"real A/A ({recipe}): {', '.join(verdicts)}: improved in {decisions.share(verdicts.count('improved'), sessions)}"


def _compared(folder: str, recipe: str, seed: int) -> str:
    asked = ["compare", "default", f"{folder}/same.toml", "--workload", recipe, "--budget", "30s", "--json"]
    argv = [sys.executable, "-m", "tuner", *asked, "--seed", str(seed), "--results", f"{folder}/results"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300, cwd=folder)
    found = json.loads(done.stdout)
    gain = found.get("gain") or {}
    verdict = str(found.get("verdict") or found.get("error"))
    print(seed, verdict, gain.get("ratio"), gain.get("low"), gain.get("high"), flush=True)
    return verdict


if __name__ == "__main__":
    which, *rest = sys.argv[1:] or ["simulated"]
    if which == "simulated":
        print(simulated(*map(int, rest[:1])))
    else:
        print(real(rest[0] if rest else "redis", int(rest[1]) if rest[1:] else 20))
