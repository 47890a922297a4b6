"""Is what a session shows whole, on terminals of several sizes? And what does showing it cost?

Runs a real session in tmux at each size, with colour and without, keeps what stood on the screen every second, and
looks for broken, wrapped and left-over lines. Then takes the CPU time of `tuner` itself in sessions with and without
the view, in turn.

    .venv/bin/python benchmarks/terminal.py [FOLDER] [--budget 30s] [--cost ROUNDS]
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TUNER = str(Path(sys.executable).parent / "tuner")
TMUX = shutil.which("tmux") or "tmux"
PHASES = ("begin", "calibrate", "search", "choose", "confirm", "minimise")
LABELS = (*PHASES, "best", "trials", "now", "failed", "stopping", "measured")
CASES = ((80, 24, ""), (80, 24, "1"), (200, 50, ""), (200, 50, "1"))


def tmux(socket: str, *words: str) -> str:
    """Return what a tmux command of a server of ours prints."""
    done = subprocess.run([TMUX, "-L", socket, *words], capture_output=True, text=True, check=False)
    return done.stdout


def recording(folder: Path, case: tuple[int, int, str], budget: str) -> list[str]:
    """Return the screens of one session, one a second, the last with everything above it; `case` ends with NO_COLOR."""
    columns, rows, no_color = case
    socket = f"tuner-terminal-{os.getpid()}"
    command = f"NO_COLOR={no_color} {shlex.quote(TUNER)} tune latency --budget {budget}; echo ended; sleep 60"
    size = ("-x", str(columns), "-y", str(rows))
    tmux(socket, "-f", "/dev/null", "new-session", "-d", *size, "-c", str(folder), f"sh -c {shlex.quote(command)}")
    screens: list[str] = []
    while not screens or ("\nended" not in screens[-1] and alive(socket)):
        time.sleep(1)
        screens.append(tmux(socket, "capture-pane", "-p", "-e"))
    screens.append(tmux(socket, "capture-pane", "-p", "-e", "-S", "-"))
    tmux(socket, "kill-server")
    return screens


def alive(socket: str) -> bool:
    """Return whether the server still has its session."""
    return bool(tmux(socket, "list-sessions"))


def faults(screen: str, columns: int) -> list[str]:
    """Return what is wrong with a screen: a second view, a line of it that is no whole line, one that is too long."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen).split("\n")
    starts = [at for at, line in enumerate(lines) if re.match(rf"({'|'.join(PHASES)}) .* left", line)]
    found = [f"{len(starts)} views"] if len(starts) > 1 else []
    for at in starts:
        view = [line for line in lines[at:] if line.strip()]
        found += [f"broken: {line!r}" for line in view if not re.match(rf"({'|'.join(LABELS)}|) {{2,}}\S", line)]
        found += [f"{len(view)} lines of a view"] if len(view) > 8 else []
    return found + [f"too long: {line!r}" for line in lines if len(line) > columns]


def check(folder: Path, budget: str) -> list[str]:
    """Record every case into `folder`, and return a line of findings a case."""
    told = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as work:
            screens = recording(Path(work), case, budget)
        name = f"{case[0]}x{case[1]}{'-no-color' if case[2] else ''}"
        (folder / f"{name}.txt").write_text("\n===== one second later\n".join(screens), encoding="utf-8")
        wrong = [fault for screen in screens for fault in faults(screen, case[0])]
        coloured = bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", "".join(screens)))
        views = sum(any(f"{phase} " in screen and " left, " in screen for phase in PHASES) for screen in screens)
        told.append(
            f"{name}: {len(screens)} screens, {views} with a view, coloured: {coloured}, faults: {wrong or 'none'}"
        )
    return told


def cpu_s(budget: str, *, view: bool) -> float:
    """Return the CPU seconds of `tuner` itself in one session; those of sockperf and its launchers do not count."""
    code = (
        "import os, resource, sys\nfrom tuner.cli.main import main\n"
        f"sys.argv = ['tuner', 'tune', 'latency', '--budget', '{budget}', '--optimizer', 'random']\n"
        "try:\n    main()\nfinally:\n    mine = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    open('cpu', 'w').write(str(mine.ru_utime + mine.ru_stime))\n"
    )
    with tempfile.TemporaryDirectory() as work:
        here, there = pty.openpty()
        errors = there if view else subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, "-c", code], cwd=work, stdout=subprocess.DEVNULL, stderr=errors)
        os.close(there)
        while view and _drain(here):
            pass
        process.wait()
        os.close(here)
        return float((Path(work) / "cpu").read_text(encoding="utf-8"))


def _drain(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other side is closed
        return b""


def cost(rounds: int, budget: str) -> str:
    """Return what the view costs in CPU time."""
    pairs = [(cpu_s(budget, view=True), cpu_s(budget, view=False)) for _ in range(rounds)]
    shown, hidden = (statistics.median(column) for column in zip(*pairs, strict=True))
    return f"CPU time of tuner in a session of {budget}, median of {rounds}: with the view {shown:.2f} s, without {hidden:.2f} s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=".", type=Path)
    parser.add_argument("--budget", default="30s")
    parser.add_argument("--cost", default=0, type=int)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.cost:
        print(cost(asked.cost, "20s"))
    else:
        print("\n".join(check(asked.folder, asked.budget)))
