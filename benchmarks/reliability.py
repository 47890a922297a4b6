"""Make `docs/reliability.md` again: every harness that tries to break this program, run now, with its figures, its command and the date.

    .venv/bin/python benchmarks/reliability.py [--short] [HARNESS …]

The long form takes hours, the short one about twenty minutes. Harnesses that are named are run, and what the page has of the
others is kept. Nothing else should run meanwhile. The exit status is not 0 where any harness found something.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tuner.hosts import facts

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "reliability.md"
LIMIT_S: Final = 12 * 3600
PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
LONGEST_LINES: Final = 40


@dataclass(frozen=True, slots=True)
class Harness:
    """What tries to break the program: its claim, its command, and what is left of that in the short form."""

    claim: str
    command: tuple[str, ...]
    short: tuple[str, ...]


def tests(claim: str, *words: str) -> Harness:
    """Return a harness that is made of tests; both forms are the same."""
    command = (*PYTEST, *words)
    return Harness(claim, command, command)


HARNESSES: Final[Mapping[str, Harness]] = {
    "kills": Harness(
        "Killed outright or cut off from power at any moment, a session loses nothing that it reported, goes on to the same answer, "
        "and nothing of it stays.",
        ("benchmarks/kills.py", "200"),
        ("benchmarks/kills.py", "8"),
    ),
    "survival": tests(
        "What detaches itself, a killed reaper, a stop, two sessions at once: each ends in words.",
        "tests/test_survival.py",
    ),
    "apply": tests(
        "A kill at any change of the file system leaves the old or the new file, and undo works.",
        "tests/test_apply_killed.py",
    ),
    "soak": Harness(
        "How memory, store and time grow with the trials of one session; each trial costs a little more than the one before it.",
        ("benchmarks/soak.py", "20000", "random"),
        ("benchmarks/soak.py", "600", "random"),
    ),
    "fuzz": Harness(
        "No text that somebody else wrote ends a reader in anything but a message.",
        ("benchmarks/fuzz.py", "all", "--seconds", "600"),
        ("benchmarks/fuzz.py", "all", "--seconds", "10"),
    ),
    "stores": tests(
        "A store from somebody else is data: altered in any column, it ends no command in a bug.",
        "tests/test_foreign_stores.py",
        "tests/test_resumption.py",
    ),
    "files": tests(
        "Pipes, devices, endless and deep files, names with escape sequences: bounded, and told.",
        "tests/test_limits.py",
        "tests/test_safe_texts.py",
        "tests/test_named_files.py",
        "tests/test_streams.py",
    ),
    "programs": tests(
        "Programs that crash, hang, flood and fork give a reason, and end.",
        "tests/test_hosts_local.py",
        "tests/test_hangs.py",
    ),
    "library": tests(
        "The kernel stack's library keeps what plain sockets do, also under the address and undefined-behaviour sanitizers.",
        "tests/test_preload_checks.py",
    ),
}


def head() -> str:
    """Return what the figures were measured on."""
    found = facts.read()
    return "\n".join(
        [
            "# Reliability\n",
            "Every harness that tries to break this program, with what it found: `benchmarks/reliability.py`.",
            f"Host: {found.cpus} CPUs ({found.cpu_model}, {found.system}).\n",
        ]
    )


def section(name: str, *, short: bool) -> tuple[str, bool]:
    """Return the section of a harness that is run now, and whether it found nothing."""
    harness = HARNESSES[name]
    command = harness.short if short else harness.command
    print(f"{name}: {' '.join(command)}", file=sys.stderr)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    took_s = time.monotonic() - began
    words = " ".join(command).replace("-p no:cacheprovider ", "")
    line = f"`python {words}`, {datetime.now(UTC):%Y-%m-%d}, {took_s:.0f} s: exit status {done.returncode}."
    return "\n\n".join(
        [f"## {name}", harness.claim, line, said(done.stdout or done.stderr)]
    ) + "\n", not done.returncode


def said(text: str) -> str:
    """Return the end of what a harness printed: tables as they are, other lines as they stand."""
    lines = text.rstrip().splitlines()[-LONGEST_LINES:]
    if any(line.startswith("|") for line in lines):
        return "\n".join(lines)
    counts = [line for line in lines if re.search(r"\d+ (passed|failed)|inputs", line)]
    return "```\n" + "\n".join(counts or lines) + "\n```"


def kept() -> dict[str, str]:
    """Return the sections that the page has."""
    if not PAGE.is_file():
        return {}
    parts = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def main() -> int:
    """Run what is asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("names", nargs="*", metavar="HARNESS", choices=[*HARNESSES, []])
    asked = parser.parse_args()
    sections, good = kept(), True
    for name in asked.names or HARNESSES:
        sections[name], fine = section(name, short=asked.short)
        good = good and fine
        found = [sections[each] for each in HARNESSES if each in sections]
        PAGE.write_text("\n".join([head(), *found]), encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
