"""Do the tests pass wherever they are run? A chosen part of them in random order, as an ordinary user, without a network, and so on.

The part is the fast tests of reading, deciding and writing (`TESTS`): what locale, time zone, user and order could change. Each
row of the table is one run of it in one surrounding, made with what util-linux has (`unshare`); one that cannot be made on this
machine is told with its reason.

    .venv/bin/python benchmarks/surroundings.py [NAME …]     about a minute each
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import rows

ROOT: Final = Path(__file__).parents[1]
LIMIT_S: Final = 1800.0
TESTS: Final = (
    "test_banner", "test_banner_forms", "test_clock", "test_configured", "test_counters", "test_culprits", "test_deploy",
    "test_facts", "test_objective", "test_profiles", "test_releases", "test_shares", "test_slo", "test_sockperf",
    "test_streams", "test_terminal_text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surrounding:
    """Where tests are run: a command before that of the tests, variables, and more options of pytest."""

    before: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


def shell(text: str) -> tuple[str, ...]:
    """Return a command that carries out a text and then the words behind it."""
    return ("sh", "-c", f'{text} && exec "$@"', "sh")


SURROUNDINGS: Final[Mapping[str, Surrounding]] = {
    "as it is": Surrounding(),
    "random order": Surrounding(options=("-p", "shuffled")),
    "two at once": Surrounding(options=("-n", "2")),
    "ordinary user": Surrounding(("unshare", "--user", "--map-user=1000", "--map-group=1000")),
    "no network": Surrounding(("unshare", "--net", *shell("ip link set lo up"))),
    "read-only home": Surrounding(("unshare", "--mount", *shell('mount -t tmpfs -o ro none "$HOME"'))),
    "LANG=C": Surrounding(variables={"LANG": "C", "LC_ALL": "C"}),
    "LANG=tr_TR.UTF-8": Surrounding(variables={"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}),
    "TZ=Asia/Kathmandu": Surrounding(variables={"TZ": "Asia/Kathmandu"}),
    "TZ=Pacific/Chatham": Surrounding(variables={"TZ": "Pacific/Chatham"}),
}


def words(python: str = sys.executable, *options: str) -> list[str]:
    """Return the command that runs the part of the tests."""
    files = [f"tests/{name}.py" for name in TESTS]
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not serial", *options, *files]


def environment(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what tests are given: a home of their own, nothing of the caller's language, and the variables."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "XDG_", "TZ"))}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    more = {"HOME": str(home), "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "benchmarks"), "LOCPATH": ""}
    locales = {"LOCPATH": str(folder)} if locale_made(folder, variables.get("LANG", "")) else {}
    return {name: value for name, value in {**mine, **more, **locales, **variables}.items() if value}


def locale_made(folder: Path, name: str) -> bool:
    """Make a locale in a folder if it is one that has to be made; return whether."""
    language, _, charset = name.partition(".")
    if not charset:
        return False
    made = ["localedef", "-i", language, "-f", charset, str(folder / name)]
    subprocess.run(made, capture_output=True, check=True)
    return True


def counted(said: str) -> dict[str, int]:
    """Return how many tests passed, failed and were skipped, as pytest's last line has it."""
    last = next((line for line in reversed(said.splitlines()) if re.search(r"\d+ (?:passed|failed|error)", line)), "")
    found = {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|skipped|error)", last)}
    return {
        "passed": found.get("passed", 0),
        "failed": found.get("failed", 0) + found.get("error", 0),
        "skipped": found.get("skipped", 0),
    }


def row(name: str) -> tuple[str, bool]:
    """Return the row of a surrounding, and whether all tests passed there or it cannot be made here."""
    here = SURROUNDINGS[name]
    with tempfile.TemporaryDirectory(prefix="tuner-surroundings-") as folder:
        try:
            made = environment(Path(folder), here.variables)
        except (OSError, subprocess.CalledProcessError) as reason:
            return f"| {name} | | | | cannot be made here: {reason} |", True
        if (
            here.before
            and subprocess.run([*here.before, "true"], env=made, capture_output=True, check=False).returncode
        ):
            return f"| {name} | | | | cannot be made here: {here.before[0]} refuses |", True
        command = [*here.before, *words(sys.executable, *here.options)]
        done = subprocess.run(
            command, cwd=ROOT, env=made, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    found = counted(done.stdout)
    if done.returncode:
        print(f"{name}: {done.stdout[-6000:]}{done.stderr[-1000:]}", file=sys.stderr)
    return f"| {name} | {found['passed']} | {found['failed']} | {found['skipped']} | |", not done.returncode


def main() -> int:
    """Run the tests in each surrounding that is asked for."""
    names = sys.argv[1:] or list(SURROUNDINGS)
    return rows.printed("| surrounding | tests passed | tests failed | skipped | |", names, row)


if __name__ == "__main__":
    shutil.which("unshare") or sys.exit("unshare, of util-linux, is not here")
    sys.exit(main())
