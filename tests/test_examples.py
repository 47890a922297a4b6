"""The scripts and the notebook of `examples/` run as they are: on a simulated host, and for real where that is short."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sessions import Ticking, polling_helps

import tuner
from tuner.python import functions
from tuner.runs.simulated import SimulatedHost

EXAMPLES = Path(__file__).parents[1] / "examples"
Script = Callable[..., int]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Return what runs an example in a folder of its own, and returns its exit status; its sessions are on a simulated host."""
    meant = functions.workspace

    def simulated(given: functions.StoreOptions) -> tuner.Workspace:
        host = SimulatedHost(polling_helps)
        host.wall_s = 1.0
        return replace(meant(given), host=host, now=Ticking(host))

    def run(name: str, *words: str) -> int:
        monkeypatch.setattr(sys, "argv", [name, *words])
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    monkeypatch.setattr(functions, "workspace", simulated)
    monkeypatch.chdir(tmp_path)
    return run


def test_a_script_acts_on_a_comparison_and_another_reads_its_runs(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script("is_it_better.py") == 0
    assert script("is_it_better.py", "latency", "default") == 3
    assert "better" in capsys.readouterr().out
    assert script("read_the_runs.py") == 0
    said = capsys.readouterr().out
    assert "median_us" in said
    assert "latency" in said


def test_the_best_profile_is_written_for_a_service(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert script("tune_and_export.py", "60s") == 0
    assert "Environment=" in Path("tuner.conf").read_text(encoding="utf-8")
    assert "XLIO_RX_POLL" in capsys.readouterr().out


def test_workloads_are_compared_one_after_the_other_and_not_again(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script("overnight.py", "30s")
    first = capsys.readouterr().out
    assert [line.split()[0] for line in first.splitlines() if not line.startswith(" ")] == ["small", "large", "udp"]
    script("overnight.py", "30s")
    assert "-compare-" in first
    assert "-compare-" not in capsys.readouterr().out


def test_the_cells_of_the_notebook_run_one_after_the_other(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    text = (EXAMPLES / "tuning.ipynb").read_text(encoding="utf-8")
    cells = [each for each in json.loads(text)["cells"] if each["cell_type"] == "code"]
    assert all(not each["outputs"] for each in cells)
    names: dict[str, object] = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), "tuning.ipynb", "exec"), names)  # noqa: S102 - what a notebook is for
    assert "LD_PRELOAD=" in capsys.readouterr().out


@pytest.mark.serial
def test_two_commands_are_compared_for_real(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "my_own_command.py"), "6s"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout


def test_the_page_lists_every_example() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"}]
    assert len(names) == 6
    assert [name for name in names if f"`{name}`" not in page] == []
