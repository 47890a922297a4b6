"""Labs of tests: two hosts on this machine, where it can make them; else the test is skipped with the reason."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import command_line
import pytest

LIMIT_S = 60.0
# What a machine may lack; any other reason that no lab comes up is a fault of ours.
LACKING = (
    "a lab needs",
    "No user exists for uid",
    "this system permits no namespaces",
    "Operation not permitted",
    "Permission denied",
)


@dataclass(frozen=True)
class Lab:
    """A lab that is up: what `tuner lab up --json` said, and the environment in which commands reach it."""

    row: Mapping[str, Any]
    environment: Mapping[str, str]

    @property
    def pair(self) -> Mapping[str, str]:
        first: Mapping[str, str] = self.row["pairs"][0]
        return first

    @property
    def folder(self) -> Path:
        return Path(self.row["ssh_config"]).parent

    def tuner(self, *words: str) -> subprocess.CompletedProcess[str]:
        return command_line.run(Path.cwd(), *words, environ=self.environment, limit_s=LIMIT_S)

    def ssh(self, host: str, *words: str) -> str:
        """Return what a program prints on a host; `words` are read by the shell there."""
        argv = ["ssh", "-F", self.row["ssh_config"], host, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=LIMIT_S)
        return done.stdout


def tuner(words: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [*command_line.STARTED, *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S)


@contextmanager
def up(folder: Path, *options: str) -> Iterator[Lab]:
    """Yield a lab of its own whose state is in `folder`; it is down afterwards."""
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    made = tuner(("lab", "up", "--json", *options), environment)
    if made.returncode != 0 and any(reason in made.stderr for reason in LACKING):
        pytest.skip(f"no lab on this machine: {made.stderr.strip()}")
    assert made.returncode == 0, made.stderr
    row = json.loads(made.stdout)
    try:
        yield Lab(row, {**environment, "TUNER_SSH_CONFIG": row["ssh_config"]})
    finally:
        tuner(("lab", "down", "--all"), environment)
