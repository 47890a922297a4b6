"""How many candidates does a minute propose for each release of a stack and each objective?

A library that prints nothing but the release's version line stands in for each: sockperf runs for real, on the kernel.

    .venv/bin/python benchmarks/releases.py [BUDGET] [STACK RELEASE ...]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.catalogue import facts
from tuner.search.space import OBJECTIVES

BUDGET = "60s"
RELEASES = ("xlio 2.0.6", "xlio 3.40.2", "xlio 3.61.2", "xlio 3.940.2", "vma 7.0.9", "vma 9.7.2")
LEAST = 10
SOURCE = """
#include <stdio.h>
__attribute__((constructor)) static void banner(void) {{ fputs(" {title} INFO: {title}_VERSION: {release}-0 Release\\n", stderr); }}
"""


def stand_in(folder: Path, stack: str, release: str) -> Path:
    """Return a library that says that it is this release."""
    source, library = folder / "stand_in.c", folder / f"lib{stack}.so"
    source.write_text(SOURCE.format(title=facts.load(stack).title, release=release), encoding="utf-8")
    subprocess.run([str(shutil.which("cc")), "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def tuned(folder: Path, stack: str, library: Path, goal: str, budget: str) -> dict[str, Any]:
    """Return the answer of one tuning; raise `RuntimeError` where it gave none."""
    command = [sys.executable, "-m", "tuner", "tune", "--objective", goal, "--stack", stack, "--lib", str(library)]
    command += ["--allow-os-sockets", "--budget", budget, "--json", "--results", str(folder / "results")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    if "proposals" not in answer:
        raise RuntimeError(done.stderr)
    return answer


def table(budget: str, releases: list[str]) -> Iterator[str]:
    """Yield the lines of a Markdown table, one a session."""
    yield "| stack | objective | verdict | proposed | measured | turned down | runs |\n|---|---|---|---|---|---|---|"
    for named in releases:
        stack, release = named.split()
        for goal in OBJECTIVES:
            with tempfile.TemporaryDirectory() as place:
                found = tuned(Path(place), stack, stand_in(Path(place), stack, release), goal, budget)
            counts = found["proposals"]
            cells = [named, goal, found["verdict"], *(counts[name] for name in ("proposed", "measured", "turned_down"))]
            yield f"| {' | '.join(map(str, [*cells, found['runs']]))} |" + (
                "" if counts["proposed"] >= LEAST else " **few**"
            )


if __name__ == "__main__":
    words = sys.argv[2:]
    asked = [f"{stack} {release}" for stack, release in zip(words[::2], words[1::2], strict=True)]
    for line in table(sys.argv[1] if len(sys.argv) > 1 else BUDGET, asked or list(RELEASES)):
        print(line, flush=True)
