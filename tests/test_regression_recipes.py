"""The recipes of `docs/regression.md` say what the program does: the scripts of the first are executed, the others are read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import command_line
import fake
import pytest
import yaml

PAGE = (Path(__file__).parents[1] / "docs" / "regression.md").read_text(encoding="utf-8")
PROFILE = 'stack = "kernel"\nname = "best"\nsummary = "polls"\n[settings]\nXLIO_RX_POLL = -1\n'


def recipe(heading: str) -> str:
    """Return the code below a heading of the page."""
    below = PAGE.partition(f"\n## {heading}\n")[2]
    found = re.search(r"```\w+\n(.*?)```", below, re.DOTALL)
    assert found
    return found[1]


def step(name: str) -> Mapping[str, Any]:
    steps = yaml.safe_load(recipe("GitHub Actions"))["jobs"]["regression"]["steps"]
    return next(each for each in steps if each.get("name") == name)


def carried_out(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Carry out a step as GitHub does: `bash -e` with the job's environment."""
    job = yaml.safe_load(recipe("GitHub Actions"))["jobs"]["regression"]["env"]
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {**os.environ, **job, "PATH": path, "RESULTS": f"{folder}/results", "MAX": "20s", **environment}
    argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(argv, cwd=folder, env=given, capture_output=True, text=True, check=False, timeout=240)


def test_the_steps_of_the_first_recipe_run_and_leave_what_they_upload(tmp_path: Path) -> None:
    fake.install(tmp_path, noise=0.02)
    (tmp_path / "best.toml").write_text(PROFILE, encoding="utf-8")
    checked = carried_out(step("Is the profile still good?")["run"], tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "still good" in checked.stdout or "::warning::not decided" in checked.stdout
    assert json.loads((tmp_path / "regression.json").read_text())["regression"]["outcome"] in {"good", "undecided"}
    since = carried_out(step("Since when?")["run"], tmp_path, GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    assert since.returncode == 0, since.stderr
    assert "too few sessions to tell a change from chance: 9 more are needed" in (tmp_path / "summary.md").read_text()
    uploaded = yaml.safe_load(recipe("GitHub Actions"))["jobs"]["regression"]["steps"][-1]["with"]["path"].split()
    assert [(tmp_path / each).is_file() for each in uploaded] == [True, True]


@pytest.mark.parametrize(("status", "ends"), [(0, 0), (3, 1), (4, 0), (2, 2), (75, 75)])
def test_the_first_recipe_lets_pass_what_is_good_or_not_decided_and_nothing_else(
    tmp_path: Path, status: int, ends: int
) -> None:
    program = tmp_path / "tuner"
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    program.chmod(0o755)
    assert carried_out(step("Is the profile still good?")["run"], tmp_path).returncode == ends


def test_the_recipes_of_the_others_use_options_and_statuses_that_there_are() -> None:
    gitlab = yaml.safe_load(recipe("GitLab CI"))["regression"]
    assert gitlab["allow_failure"] == {"exit_codes": [4]}
    commands = [*gitlab["script"], *gitlab["after_script"], *re.findall(r"tuner [^']+", recipe("Jenkins"))]
    options = {option for command in commands for option in re.findall(r"--[a-z]+", command)}
    told = "".join(command_line.run(Path.cwd(), name, "--help").stdout for name in ("check-regression", "history"))
    assert options
    assert {option for option in options if option not in told} == set()
    assert "status == 4" in recipe("Jenkins")
