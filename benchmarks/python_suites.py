"""Do Python's own tests of sockets end under the kernel stack's library as they do without, test by test?

Each suite (`python_suite.py` plays it) is played plain, with an XLIO that polls a while, and with one that polls for ever. What became of each
test is compared: a test that ended otherwise is played again alone, plain and under the library, and counts where it differs
again while plain agrees with itself. A test that does not end plain within its limit is not played under the library.

    .venv/bin/python benchmarks/python_suites.py [--limit SECONDS_A_TEST] [--kept FILE] [SUITE …]     an hour

`--kept` keeps the outcomes of each suite in a file as they are made: what was ended goes on with the others.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import known_programs
import python_suite

SUITES: Final = (
    "test_socket", "test_select", "test_selectors", "test_epoll", "test_poll", "test_socketserver", "test_asyncio", "test_ssl",
    "test_httplib", "test_httpservers", "test_urllib2_localnet", "test_ftplib", "test_smtplib", "test_poplib", "test_imaplib",
    "test_xmlrpc", "test_docxmlrpc", "test_wsgiref", "test_logging", "test_signal", "test_fork1",
)  # fmt: skip
PASSED, FAILED, SKIPPED, HANGS = "passed", "failed", "skipped", python_suite.BEGUN
AS_SET: Final[Mapping[str, str]] = {
    "test.test_asyncio.test_base_events.TestSelectorUtils.test_set_nodelay": "it expects TCP_NODELAY off where XLIO_SPEC=latency sets it",
}
"""Tests that a setting must let fail, and why."""
LIMIT_S: Final = 60.0
SUITE_LIMIT_S: Final = 3600.0

Outcomes = Mapping[str, str]
"""What became of each test, by its name."""


@dataclass
class Compared:
    """What became of the tests of a suite: plain, and those that went otherwise under the library, by its settings."""

    plain: Outcomes
    by_luck: int = 0
    """Tests that differed once and not again."""
    otherwise: dict[str, tuple[str, ...]] = field(default_factory=dict)


def outcomes_of(lines: Sequence[str]) -> dict[str, str]:
    """Return what became of each test, of the lines that were written for it: a failure counts more than what followed."""
    said: dict[str, set[str]] = {}
    for line in lines:
        name, what, _ = json.loads(line)
        said.setdefault(name, set()).add(what)
    return {name: _outcome(words) for name, words in said.items()}


def _outcome(words: set[str]) -> str:
    if words & {FAILED, SKIPPED}:
        return FAILED if FAILED in words else SKIPPED
    return PASSED if "ended" in words else HANGS


def interpreter() -> str:
    """Return the Python of this environment itself, which knows nothing of the environment's packages."""
    return os.path.realpath(sys.executable)


def played(
    suite: str, settings: Mapping[str, str] | None, limit_s: float, named: Sequence[str] = (), hanging: Sequence[str] = ()
) -> dict[str, str]:  # fmt: skip
    """Return what became of the tests of a suite, of some of them where they are named; the hanging ones are not played."""
    with tempfile.TemporaryDirectory(prefix="tuner-suite-") as name:
        folder = Path(name)
        told = folder / "told"
        told.write_text("".join(json.dumps([each, HANGS, ""]) + "\n" for each in hanging), encoding="utf-8")
        before = -1
        while (lines := len(told.read_text(encoding="utf-8").splitlines())) > before:
            before = lines
            if _started(folder, [suite, str(told), str(limit_s), *named], settings):
                break
        return outcomes_of(told.read_text(encoding="utf-8").splitlines())


def _started(folder: Path, words: Sequence[str], settings: Mapping[str, str] | None) -> bool:
    """Play what is missing and return whether that came to its end; nothing that it started lives on."""
    environment = {**known_programs.environment(settings), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [interpreter(), python_suite.__file__, *words]
    with (folder / "said").open("wb") as said, subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
    ) as process:  # fmt: skip
        try:
            return process.wait(SUITE_LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def differing(one: Outcomes, other: Outcomes) -> list[str]:
    """Return the tests of which another thing became."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def again(suite: str, odd: Sequence[str], settings: Mapping[str, str], limit_s: float) -> tuple[str, ...]:
    """Return those of some tests that differ again, each played alone, while plain agrees with itself."""
    found = []
    for name in odd:
        plain = [played(suite, None, limit_s, [name]) for _ in range(2)]
        if plain[0] == plain[1] and plain[0] != played(suite, settings, limit_s, [name]):
            found.append(name)
    return tuple(found)


def compared(suite: str, limit_s: float) -> Compared:
    """Play a suite with all settings."""
    found = Compared(played(suite, None, limit_s))
    hanging = [name for name, what in found.plain.items() if what == HANGS]
    for how, settings in known_programs.SETTINGS.items():
        if settings is not None:
            odd = differing(found.plain, played(suite, settings, limit_s, hanging=hanging))
            found.otherwise[how] = again(suite, odd, settings, limit_s)
            found.by_luck += len(odd) - len(found.otherwise[how])
    return found


def read(kept: Path | None) -> dict[str, Compared]:
    """Return the suites that a file has; none where there is no file."""
    if kept is None or not kept.exists():
        return {}
    rows = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    return {
        name: Compared(plain, luck, {how: tuple(names) for how, names in otherwise.items()})
        for name, plain, luck, otherwise in rows
    }


def line(name: str, found: Compared) -> str:
    """Return what was found of a suite as a line of a file."""
    return json.dumps([name, found.plain, found.by_luck, found.otherwise]) + "\n"


def section(found: Mapping[str, Compared]) -> str:
    """Return the section of the page."""
    head = (
        "| suite of Python | Python's tests | settings | skipped plain | fail plain too | do not end plain either "
        "| different once and not again | otherwise because a setting says so | ended otherwise |\n|---|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(_row(name, each) for name, each in found.items()), "", *_named(found)])


def _row(name: str, found: Compared) -> str:
    counts = Counter(found.plain.values())
    otherwise = {each for names in found.otherwise.values() for each in names}
    compared = (found.by_luck, len(otherwise & AS_SET.keys()), len(otherwise - AS_SET.keys()))
    numbers = (len(found.otherwise), *(counts[what] for what in (SKIPPED, FAILED, HANGS)), *compared)
    return f"| {name} | {len(found.plain):,} | {' | '.join(map(str, numbers))} |"


def _named(found: Mapping[str, Compared]) -> list[str]:
    plain = [
        f"- {name}: {what}, plain too"
        for each in found.values()
        for name, what in each.plain.items()
        if what in {FAILED, HANGS}
    ]
    otherwise = [
        f"- {name}: otherwise where the library {how}" + (f", because {AS_SET[name]}" if name in AS_SET else "")
        for each in found.values()
        for how, names in each.otherwise.items()
        for name in names
    ]
    return [*otherwise, *plain]


def main() -> int:
    """Play what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="SECONDS")
    parser.add_argument("--kept", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found = read(asked.kept)
    before = len(found)
    for name in asked.suites or SUITES:
        if name not in found:
            found[name] = compared(name, asked.limit)
            print(_row(name, found[name]), *_named({name: found[name]}), sep="\n", file=sys.stderr, flush=True)
            if asked.kept:
                with asked.kept.open("a", encoding="utf-8") as file:
                    file.write(line(name, found[name]))
    print(section(found))
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"\nThe suites are those of Python {version}; a test ends within {asked.limit:.0f} s.")
    if before:
        print(f"\n{before} of the suites were played by earlier starts of this command, which were ended.")
    return int(not all(map(good, found.values())))


def good(found: Compared) -> bool:
    """Return whether there are tests, and none ended otherwise but those that a setting must let fail."""
    return bool(found.plain) and not any(set(names) - AS_SET.keys() for names in found.otherwise.values())


if __name__ == "__main__":
    sys.exit(main())
