"""The short form of `benchmarks/faults.py`: something breaks between two hosts, and nothing is lost, counted twice or left."""

from __future__ import annotations

import random
from pathlib import Path

import faults
import labs
import pytest

from tuner.hosts.lab import control

RUNS = 4


@pytest.mark.serial
@pytest.mark.parametrize("name", ["host deleted", "controller killed"])
def test_a_session_between_two_hosts_comes_to_its_answer_whatever_breaks(tmp_path: Path, name: str) -> None:
    with labs.up(tmp_path / "state", "--name", "faults") as lab:
        there = control.found(lab.folder)
        folder = tmp_path / "session"
        folder.mkdir()
        one = faults.Try(there, folder, ("measure", "default", "--runs", str(RUNS)), latest=RUNS // 2)
        found = faults.tried(one, name, random.Random(name))
        assert found.good, found
        assert sum(row[5] == "ok" for row in one.rows()) >= RUNS
