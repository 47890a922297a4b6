"""What do hangs cost? A minute of real processes over XLIO's latency space, in which two presets and one candidate in ten hang.

A library that prints the version line of a release stands in for XLIO, and the tests' stand-in for sockperf ends after a
fifth of a second, with a latency that follows from its settings: polling is worth 1.4, and two settings that no preset has
1.18 and 1.11. What hangs ignores all signals but KILL.

    .venv/bin/python benchmarks/hangs.py [BUDGET] [SESSIONS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

from releases import stand_in

from tuner.profiles import library
from tuner.profiles.library import Shelf
from tuner.profiles.profile import Place
from tuner.results import Results
from tuner.search.space import load
from tuner.store import Store

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
import fake  # noqa: E402 - it is beside the tests

BUDGET: Final = "60s"
STACK, RELEASE = "xlio", "3.61.2"
RUN_S: Final = 0.2
HANGING: Final = ("latency", "multi_ring_latency")
ONE_IN: Final = 10
FACTORS: Final = {"XLIO_RX_POLL=-1": 0.7, "XLIO_STRQ=off": 0.85, "XLIO_TCP_QUICKACK=1": 0.9}
LEAST_RUNS: Final = 150


def presets() -> dict[str, dict[str, str]]:
    """Return the settings of each known profile of the stack."""
    shelves = [Shelf(Place.DIRECTORY, ROOT / "profiles")]
    found = [library.load(f"{STACK}/{item.name}", None, shelves) for item in library.listing(shelves, STACK)]
    return {each.name: dict(each.settings) for each in found}


def hangs(settings: Mapping[str, str], names: list[str], salt: int) -> bool:
    """Return whether settings are the one in ten, as the stand-in decides it."""
    mine = sorted((name, value) for name, value in settings.items() if name in names)
    return bool(mine) and zlib.crc32(repr((salt, mine)).encode()) % ONE_IN == 0


def orders(names: list[str], known: Mapping[str, Mapping[str, str]], first_salt: int) -> dict[str, object]:
    """Return what the stand-in is told: no other preset than the two hangs."""
    salt = next(each for each in count(first_salt) if not any(hangs(one, names, each) for one in known.values()))
    return {
        "slow_s": RUN_S,
        "noise": 0.03,
        "seed": first_salt,
        "factors": FACTORS,
        "hang_when": [known[name] for name in HANGING],
        "hang_one_in": {"count": ONE_IN, "names": names, "salt": salt},
    }


def truth(settings: Mapping[str, str]) -> float:
    """Return the true latency of settings in units of the defaults'."""
    found = 1.0
    for name, value in settings.items():
        found *= FACTORS.get(f"{name}={value}", 1.0)
    return found


def session(folder: Path, seed: int, budget: str) -> str:
    """Return the Markdown row of one session."""
    known = presets()
    space = load(STACK, "latency", multiplexer="recvfrom", protocol="tcp", release=RELEASE)
    names = [each.parameter for each in space.dimensions]
    program = fake.install(folder, **orders(names, known, 1000 * seed))
    command = [sys.executable, "-m", "tuner", "tune", "--objective", "latency", "--stack", STACK, "--seed", str(seed)]
    command += ["--lib", str(stand_in(folder, STACK, RELEASE)), "--sockperf", str(program), "--allow-os-sockets"]
    command += ["--budget", budget, "--json", "--results", str(folder / "results")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return row(folder, json.loads(done.stdout), known)


def row(folder: Path, answer: Mapping[str, Any], known: Mapping[str, Mapping[str, str]]) -> str:
    """Return what came of a session: its runs, its hangs and what they cost, and what it recommends against the presets."""
    runs = Store(Results(folder / "results").url).runs(answer["session"])
    states = Counter(run.status.value for run in runs)
    hung_s = [run.wall_s for run in runs if run.status.value == "timeout"]
    best = min(truth(settings) for name, settings in known.items() if name not in HANGING)
    mine = truth(answer["winner"]["settings"])
    cells = [
        answer["verdict"],
        f"{len(runs)}{'' if len(runs) >= LEAST_RUNS else ' **few**'}",
        str(states["ok"]),
        f"{states['timeout']} in {sum(hung_s):.1f} s",
        f"{answer['proposals']['proposed']} ({answer['proposals']['failed']} failed)",
        f"{1 / mine:.2f}×",
        f"{1 / best:.2f}×",
        "yes" if mine < best else "**no**",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    budget, sessions = (sys.argv[1:2] or [BUDGET])[0], int((sys.argv[2:3] or ["1"])[0])
    print("| verdict | runs | ok | hung | candidates | recommended, truly | best preset that runs | beats it |")
    print("|---|---|---|---|---|---|---|---|")
    for seed in range(1, sessions + 1):
        with tempfile.TemporaryDirectory() as place:
            print(session(Path(place), seed, budget), flush=True)


if __name__ == "__main__":
    main()
