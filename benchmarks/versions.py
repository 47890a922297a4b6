"""Does it work with other Pythons, and with the oldest and the newest releases of what it depends on?

For each row an environment of its own is made by `uv` (the group `reliability`), with the lowest releases that `pyproject.toml`
allows or the highest that resolve, and the part of the tests that `surroundings.py` names is run in it. A Python that is not
on this machine is told.

    .venv/bin/python benchmarks/versions.py [3.11:lowest-direct …]     about two minutes each
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import rows
import surroundings

ROOT: Final = Path(__file__).parents[1]
LIMIT_S: Final = 1800.0
LOWEST, HIGHEST = "lowest-direct", "highest"
# Old releases are warned by newer ones beside them of what they will lack one day.
OPTIONS: Final = {LOWEST: ("-W", "ignore::DeprecationWarning"), HIGHEST: ()}
ASKED: Final = (f"3.11:{LOWEST}", f"3.11:{HIGHEST}", f"3.12:{HIGHEST}", f"3.13:{HIGHEST}", f"3.14:{HIGHEST}")
TOLD: Final = ("numpy", "pandas", "scipy", "sqlalchemy", "typer", "rich")
TESTED_WITH: Final = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "jsonschema", "pyte")


def python_of(release: str) -> str | None:
    """Return an interpreter of a release, on the search path or among pyenv's; None where there is none."""
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{release}.*/bin/python3"))
    found = [str(kept[-1])] if kept else [shutil.which(f"python{release}") or ""]
    works = bool(found[0]) and not subprocess.run([found[0], "-c", ""], capture_output=True, check=False).returncode
    return found[0] if works else None


def uv(*words: str) -> str:
    """Carry out a command of uv and return what it printed; raise `subprocess.CalledProcessError` where it fails."""
    program = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or "uv"
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=LIMIT_S)
    return done.stdout


def made(folder: Path, python: str, resolution: str) -> str:
    """Make an environment with this package in it; return its interpreter."""
    uv("venv", "--quiet", "--python", python, str(folder))
    inside = str(folder / "bin" / "python")
    uv("pip", "install", "--quiet", "--python", inside, "--resolution", resolution, "-e", ".[postgresql]")
    uv("pip", "install", "--quiet", "--python", inside, *TESTED_WITH)
    return inside


def releases(python: str) -> Mapping[str, str]:
    """Return the releases of what is installed in an environment."""
    lines = uv("pip", "freeze", "--python", python).splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def row(asked: str) -> tuple[str, bool]:
    """Return the row of a Python and a resolution, and whether all tests passed or there is no such Python here."""
    release, _, resolution = asked.partition(":")
    python = python_of(release)
    if python is None:
        return f"| {release} | {resolution} | | | | not on this machine |", True
    with tempfile.TemporaryDirectory(prefix="tuner-versions-") as name:
        folder = Path(name)
        try:
            inside = made(folder / "venv", python, resolution)
        except subprocess.CalledProcessError as reason:
            print(f"{asked}: {reason.stderr}", file=sys.stderr)
            return f"| {release} | {resolution} | | | | cannot be installed here |", False
        found = releases(inside)
        done = subprocess.run(
            surroundings.words(inside, *OPTIONS[resolution]), cwd=ROOT, env=surroundings.environment(folder, {}), capture_output=True, text=True,
            errors="replace", timeout=LIMIT_S, check=False,
        )  # fmt: skip
    if done.returncode:
        print(f"{asked}: {done.stdout[-6000:]}{done.stderr[-1000:]}", file=sys.stderr)
    counts = surroundings.counted(done.stdout)
    told = ", ".join(f"{each} {found[each]}" for each in TOLD if each in found)
    good = not done.returncode
    return (
        f"| {release} | {resolution} | {counts['passed']} | {counts['failed']} | {counts['skipped']} | {told} |",
        good,
    )


def main(asked: Sequence[str]) -> int:
    """Run the tests in each environment that is asked for."""
    return rows.printed("| Python | releases | tests passed | tests failed | skipped | |", asked or ASKED, row)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
