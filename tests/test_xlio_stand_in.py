"""The xlio stack with a stand-in for its library: it counts only while the banner says that it is there and works."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import command_line
import fake
import pytest

SOURCE = """
#include <stdio.h>
__attribute__((constructor)) static void banner(void)
{
    fputs(" XLIO INFO   : XLIO_VERSION: 3.61.2-0 Release\\n", stderr);
    fputs("%s", stderr);
}
"""
NO_CARD = " XLIO ERROR  : XLIO does not detect IB capable devices\\n"


def stand_in(folder: Path, more: str) -> Path:
    """Return a library that prints XLIO's version line, and `more`, when it is loaded."""
    source, library = folder / "stand_in.c", folder / "libxlio.so"
    source.write_text(SOURCE % more, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def measured(folder: Path, library: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = fake.install(folder, noise=0.01)
    options = ["--stack", "xlio", "--runs", "1", "--json", "--lib", str(library), "--sockperf", str(program)]
    options += ["--allow-os-sockets"]  # the stand-in carries no packet
    return command_line.run(folder, "measure", "latency", *options, *more)


def test_a_library_that_prints_its_banner_is_measured_under_the_profiles_variables(tmp_path: Path) -> None:
    done = measured(tmp_path, stand_in(tmp_path, ""))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["settings"]["XLIO_RX_POLL"] == "-1"
    assert found["metrics"]["latency_p50_us"]["value"] == pytest.approx(3.0, rel=0.1)


def test_a_library_that_finds_no_card_is_not_loaded_in_its_own_words(tmp_path: Path) -> None:
    done = measured(tmp_path, stand_in(tmp_path, NO_CARD))
    assert done.returncode == 1
    assert "not-loaded" in done.stderr
    assert "does not detect IB capable devices" in done.stderr


def test_a_further_library_goes_behind_the_stacks(tmp_path: Path) -> None:
    library = stand_in(tmp_path, "")
    (tmp_path / "more").mkdir()
    further = stand_in(tmp_path / "more", "")
    done = measured(tmp_path, library, "--preload", str(further), "--no-fast-start", "--results", "r")
    assert done.returncode == 0, done.stderr
    import sqlite3

    with sqlite3.connect(tmp_path / "r" / "tuner.db") as database:
        evidence = json.loads(database.execute("select evidence from runs").fetchone()[0])
    assert evidence["environment"]["LD_PRELOAD"] == f"{library}:{further}"
