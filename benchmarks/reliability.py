"""Make `docs/reliability.md` again: every harness that tries to break this program, run now, with its figures, its command and the date.

    .venv/bin/python benchmarks/reliability.py [--short] [HARNESS[=SIZE] …]

The long form takes hours, the short one about half an hour. Harnesses that are named are run, and what the page has of the
others is kept. Kills, mutants and suites keep each finding in `build/reliability/`: what was ended goes on, what came to its end begins
anew; branches go on there as long as the package is the same. `kills=120` takes 120 in place of the number in that harness's command: its moments, inputs, mutants, seconds.
Nothing else should run meanwhile. The exit status is not 0 where any harness found something.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tuner import atomic_file
from tuner.hosts import facts

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "reliability.md"
KEPT: Final = Path("build") / "reliability"
LIMIT_S: Final = 12 * 3600
PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
LONGEST_LINES: Final = 500
LONGEST_WORDS: Final = 8000


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
        ("benchmarks/kills.py", "200", "--kept", str(KEPT / "kills")),
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
        "How memory, store and time grow with the trials of one session; each trial costs what the one before it did.",
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
    "one host": Harness(
        "Whatever fails on the host of a session, it comes to its answer or says what is the matter, and nothing measured is lost.",
        ("benchmarks/host_faults.py",),
        ("benchmarks/host_faults.py", "--only", "clock"),
    ),
    "odd files": Harness(
        "Whatever stands where a command is told of a file, it ends in words, without a bug and without characters that steer a terminal.",
        ("benchmarks/odd_files.py",),
        ("benchmarks/odd_files.py", "--short"),
    ),
    "made-up files": Harness(
        "What is read out of others' files is what the programs that read such files make of them.",
        ("benchmarks/made_up_files.py", "20000"),
        ("benchmarks/made_up_files.py", "100"),
    ),
    "shells": Harness(
        "What is read out of shell profiles without running them is what shells make of them.",
        ("benchmarks/shells.py", "20000"),
        ("benchmarks/shells.py", "100"),
    ),
    "two hosts": Harness(
        "Whatever breaks between two hosts, it is named, nothing measured is lost, and nothing stays at either end.",
        ("benchmarks/faults.py", "--times", "20"),
        ("benchmarks/faults.py", "--times", "1", "--only", "agent killed"),
    ),
    "oracle": Harness(
        "Random socket programs see the same under the kernel stack's library as on plain sockets: bytes, errors, readiness.",
        ("benchmarks/oracle.py", "--seconds", "3600"),
        ("benchmarks/oracle.py", "--seconds", "10"),
    ),
    "known programs": Harness(
        "Servers and clients that everybody knows do under the kernel stack's library what they do without.",
        ("benchmarks/known_programs.py",),
        ("benchmarks/known_programs.py",),
    ),
    "suites": Harness(
        "Python's own tests of sockets, and of what is made of them, end under the kernel stack's library as they do without.",
        ("benchmarks/python_suites.py", "--kept", str(KEPT / "suites")),
        ("benchmarks/python_suites.py", "test_select", "test_selectors", "test_epoll", "test_poll"),
    ),
    "mutants": Harness(
        "Mistakes put into the modules that decide and parse are noticed by their tests.",
        ("benchmarks/mutants.py", "400", "--kept", str(KEPT / "mutants")),
        ("benchmarks/mutants.py", "5"),
    ),
    "surroundings": Harness(
        "A part of the tests passes in random order, as an ordinary user, without a network, with a read-only home, in other languages "
        "and time zones.",
        ("benchmarks/surroundings.py",),
        ("benchmarks/surroundings.py", "random order", "ordinary user"),
    ),
    "branches": Harness(
        "The tests reach the statements and branches of the package; what they do not reach is listed.",
        ("benchmarks/branches.py", "--kept", str(KEPT / "branches")),
        ("benchmarks/branches.py", "tests/test_slo.py", "tests/test_statistics.py"),
    ),
    "versions": Harness(
        "The same part passes with other Pythons, and with the lowest and the newest releases of what the package needs.",
        ("benchmarks/versions.py",),
        ("benchmarks/versions.py", "3.11:lowest-direct"),
    ),
    "memory": Harness(
        "The kernel stack's library leaks nothing, touches nothing that is not its own, and no threads race in it.",
        ("benchmarks/memory_checks.py", "100"),
        ("benchmarks/memory_checks.py", "8"),
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


def command_of(asked: str, *, short: bool) -> tuple[str, tuple[str, ...]]:
    """Return the harness that is asked for as `NAME` or `NAME=SIZE`, and its command; raise `ValueError` where there is none."""
    name, sized, size = asked.partition("=")
    if name not in HARNESSES:
        raise ValueError(f"{name!r} is none of {', '.join(HARNESSES)}")
    harness = HARNESSES[name]
    command = harness.short if short else harness.command
    if not sized:
        return name, command
    if not size.isdecimal() or not any(word.isdecimal() for word in command):
        raise ValueError(f"{asked!r}: a size is a number, of a harness whose command has one")
    at = next(at for at, word in enumerate(command) if word.isdecimal())
    return name, (*command[:at], size, *command[at + 1 :])


def section(name: str, command: Sequence[str]) -> tuple[str, bool]:
    """Return the section of a harness that is run now by its command, and whether it found nothing."""
    print(f"{name}: {' '.join(command)}", file=sys.stderr)
    (ROOT / KEPT).mkdir(parents=True, exist_ok=True)
    began, load = time.monotonic(), os.getloadavg()[0]  # of everything that runs here, before the harness begins
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    took_s = time.monotonic() - began
    if done.returncode:
        print(done.stderr[-LONGEST_WORDS:], file=sys.stderr)
    if done.stdout and (ROOT / KEPT / name).is_file():  # it came to its end, where it prints
        (ROOT / KEPT / name).unlink()
    words = " ".join(command).replace("-p no:cacheprovider ", "")
    line = f"`python {words}`, {datetime.now(UTC):%Y-%m-%d}, {took_s:.0f} s at a load of {load:.0f}: exit status {done.returncode}."
    return "\n\n".join(
        [f"## {name}", HARNESSES[name].claim, line, said(done.stdout or done.stderr)]
    ) + "\n", not done.returncode


def said(text: str) -> str:
    """Return the end of what a harness printed: tables as they are, other lines as they stand."""
    lines = text.rstrip().splitlines()[-LONGEST_LINES:]
    if any(line.startswith("|") for line in lines):
        return "\n".join(lines)
    counts = [line for line in lines if re.search(r"\d+ (passed|failed)|inputs", line)]
    return "```\n" + "\n".join(counts or lines) + "\n```"


# The figures of the first table: what a column of a harness's table, or a word behind a number, is counted as.
COUNTED: Final[Mapping[str, str]] = {
    "moments": "moments killed",
    "of them lost": "reported runs lost",
    "stored runs changed": "stored runs changed",
    "counted twice": "runs counted twice",
    "processes after 3 s": "processes left",
    "processes left": "processes left",
    "temporary folders left": "folders left",
    "files left": "files left",
    "runs lost": "reported runs lost",
    "programs": "socket programs played",
    "different": "of them seen otherwise",
    "Python's tests": "Python's own tests played under the library",
    "ended otherwise": "of them ended otherwise",
    "mutants": "mutants tried",
    "killed": "mutants killed",
    "of them not explained": "survivors not explained",
    "inputs": "inputs fuzzed",
    "crashes and hangs": "crashes and hangs of readers",
    "bytes leaked": "bytes leaked",
    "with errors": "errors of memory and threads",
    "went otherwise": "known programs that went otherwise",
    "tests passed": "tests passed in other surroundings",
    "tests failed": "tests failed there",
}
PRINTED: Final[Mapping[str, str]] = {
    r"(\d+) passed": "tests of faults passed",
    r"(\d+) failed": "tests of faults failed",
    r"texts: (\d+)": "shell profiles read as shells do",
    r"faults injected: (\d+)": "faults of one host",
    r"not as it should be: (\d+)": "of them not as it should be",
    r"cases: (\d+)": "odd files named to commands",
    r"exit statuses: .*wrong: (\d+)": "of them not answered as they should be",
}


def figures(text: str) -> Counter[str]:
    """Return what a harness counted, by the names of the first table."""
    found: Counter[str] = Counter()
    heads: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        numbers = [cell.replace(",", "") for cell in cells]
        if cells and not any(number.isdigit() for number in numbers) and "---" not in line:
            heads = cells
        for head, number in zip(heads, numbers, strict=False):
            if head in COUNTED and number.isdigit():
                found[COUNTED[head]] += int(number)
    for pattern, what in PRINTED.items():
        for match in re.finditer(pattern, text):
            found[what] += int(match[1].replace(",", ""))
    return found


def longest_s(text: str) -> float:
    """Return how long the last process lived on after a kill, in seconds, as the table of kills says it."""
    return max((float(found) for found in re.findall(r"\| (\d+\.\d+) s \|", text)), default=0.0)


def summed(sections: Mapping[str, str]) -> str:
    """Return the first table: each figure over all harnesses that are on the page."""
    total: Counter[str] = Counter()
    for text in sections.values():
        total.update(figures(text))  # a sum of counters would drop what is 0
    rows = [
        f"| {what} | {total[what]:,} |"
        for what in dict.fromkeys([*COUNTED.values(), *PRINTED.values()])
        if what in total
    ]
    if "kills" in sections:
        rows.append(f"| seconds until the last process is gone, at most | {longest_s(sections['kills']):.2f} |")
    return "\n".join(["| figure | |", "|---|---|", *rows]) + "\n"


def not_run(sections: Mapping[str, str]) -> list[str]:
    """Return a line with the harnesses that the page says nothing of, none where it has all."""
    names = [name for name in HARNESSES if name not in sections]
    return [f"Not run on this host yet: {', '.join(names)}.\n"] if names else []


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
    parser.add_argument("names", nargs="*", metavar="HARNESS")
    asked = parser.parse_args()
    try:
        wanted = [command_of(each, short=asked.short) for each in asked.names or HARNESSES]
    except ValueError as reason:
        parser.error(str(reason))
    good = True
    for name, command in wanted:
        said, fine = section(name, command)
        good = good and fine
        sections = {**kept(), name: said}  # another start of this program may have written since
        found = [sections[each] for each in HARNESSES if each in sections]
        atomic_file.write(PAGE, "\n".join([head(), summed(sections), *not_run(sections), *found]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
