"""Does the kernel stack's library leak, touch what is not its own, or race? Its checks under valgrind and the sanitizers.

Every check of `tests/preload` is played with all settings on: under valgrind with the library as it is installed, and with the
library made with the sanitizers of addresses and undefined behaviour, and with that of threads; the last takes signal handlers for its
own, so that it gets only the checks without them. A check that a tool fails without the library too, or in which the tool itself
fails, says nothing of the library: such checks are counted as not judged, with their names.

    .venv/bin/python benchmarks/memory_checks.py [CHECKS]     about 2 s each; without a number all of them
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tuner.stacks.preloads import kernel_library

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import preload_builds as builds

SETTINGS: Final = {
    "XLIO_RX_POLL": "100",
    "XLIO_SELECT_POLL": "100",
    "XLIO_RX_POLL_YIELD": "7",
    "XLIO_TCP_NODELAY": "1",
    "XLIO_TCP_QUICKACK": "1",
    "XLIO_TCP_SEND_BUFFER_SIZE": "64KB",
    "XLIO_RX_BYTES_MIN": "65536",
}
LIMIT_S: Final = 60.0
FOUND: Final = 99
"""The exit status of a program in which a tool found something."""
# valgrind hands an interrupted pselect its own copy of the mask and then refuses it; the address sanitizer gives up on a thread
# that is cancelled out of functions made with it.
FAILS_ITSELF: Final = re.compile(r'in arena "core"|AddressSanitizer: CHECK failed')
VALGRIND: Final = ("valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite", f"--error-exitcode={FOUND}")
SANITIZED: Final = {
    "ASAN_OPTIONS": f"detect_leaks=1:exitcode={FOUND}",
    "UBSAN_OPTIONS": "halt_on_error=1",
    "TSAN_OPTIONS": f"exitcode={FOUND}",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """What watches a program: its name, the command before the program's, the program, and the library with what comes before it."""

    name: str
    before: tuple[str, ...]
    program: Path
    library: tuple[Path, ...]
    runtime: tuple[Path, ...] = ()
    checks: tuple[str, ...] = tuple(builds.CHECKS)


@dataclass(slots=True)
class Found:
    """What a tool found in the checks: bytes that were leaked, checks with an error, and those that were not judged."""

    checks: int = 0
    leaked_bytes: int = 0
    wrong: list[str] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)


def tools(folder: Path) -> list[Tool]:
    """Return the tools that are here, with the program and the library made for each."""
    made = {}
    for name, options in (("plain", ()), ("addresses", builds.SANITIZE), ("threads", builds.SANITIZE_THREADS)):
        (folder / name).mkdir()
        library = builds.compile_sanitized_kernel(folder / name, options) if options else kernel_library()
        made[name] = (builds.compile_program(folder / name, *options), (library,))
    return [
        *([Tool("valgrind", VALGRIND, *made["plain"])] if shutil.which("valgrind") else []),
        Tool("addresses and undefined behaviour", (), *made["addresses"], (builds.sanitizer_runtime(),)),
        Tool("threads", (), *made["threads"], checks=tuple(builds.UNSIGNALLED)),
    ]


def played(tool: Tool, check: str, preloads: Sequence[Path]) -> tuple[bool, str]:
    """Return whether a check ended well under a tool, and what was said."""
    preload = {"LD_PRELOAD": ":".join(map(str, preloads))} if preloads else {}
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **SETTINGS, **SANITIZED, **preload}
    command = [*tool.before, str(tool.program), check]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False, "does not end"
    return not done.returncode, done.stdout + done.stderr


def leaked_bytes(said: str) -> int:
    """Return how many bytes valgrind or the address sanitizer call lost."""
    lost = re.findall(r"(?:definitely|indirectly) lost: ([\d,]+) bytes|SUMMARY: AddressSanitizer: (\d+) byte", said)
    return sum(int((first or second).replace(",", "")) for first, second in lost)


def judged(tool: Tool, wanted: int) -> Found:
    """Return what a tool finds in about so many of its checks under the library, and not without it."""
    found = Found()
    for check in tool.checks[:: max(1, len(tool.checks) // wanted)]:
        good, said = played(tool, check, [*tool.runtime, *tool.library])
        found.checks += 1
        if good:
            found.leaked_bytes += leaked_bytes(said)
        elif FAILS_ITSELF.search(said) or not played(tool, check, tool.runtime)[0]:
            found.not_judged.append(check)
        else:
            found.leaked_bytes += leaked_bytes(said)
            found.wrong.append(check)
            print(f"{tool.name}, {check}: {said[-3000:]}", file=sys.stderr)
    return found


def section(found: Mapping[str, Found]) -> str:
    """Return the section of the page."""
    head = "| under | checks | not judged | with errors | bytes leaked |\n|---|---|---|---|---|"
    rows = [
        f"| {name} | {each.checks} | {len(each.not_judged)} | {len(each.wrong)} | {each.leaked_bytes:,} |"
        for name, each in found.items()
    ]
    why = [
        f"Not judged under {name}, because the check fails there without the library too, or the tool itself: {', '.join(each.not_judged)}."
        for name, each in found.items()
        if each.not_judged
    ]
    return "\n\n".join(["\n".join([head, *rows]), *why])


def main() -> int:
    """Play so many checks under every tool."""
    wanted = int(sys.argv[1]) if sys.argv[1:] else len(builds.CHECKS)
    with tempfile.TemporaryDirectory(prefix="tuner-memory-") as folder:
        found = {tool.name: judged(tool, wanted) for tool in tools(Path(folder))}
    print(section(found))
    return int(any(each.wrong or each.leaked_bytes for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
