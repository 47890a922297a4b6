"""A new stack is a catalogue, a search space, one module and profiles: every command knows it, and nothing else changes.

The files are those that `docs/adding-a-stack.md` shows.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import command_line
import fake
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "adding-a-stack.md"
LIBRARY = """
#include <stdio.h>
__attribute__((constructor)) static void ready(void) { fputs("toy 1.1 is ready\\n", stderr); }
"""


def files() -> dict[str, str]:
    """Return the files of the page by name."""
    found = re.findall(
        r"^## `([^`]+)`.*?^```\w+\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return dict(found)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the stack, its files in `data/tuner/stacks`, its library, and another that says nothing."""
    folder = tmp_path_factory.mktemp("toy")
    for name, text in files().items():
        path = (folder if name.startswith("profiles/") else folder / "data/tuner/stacks") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, source in (("toy", LIBRARY), ("x", "int x;\n")):
        (folder / f"{name}.c").write_text(source, encoding="utf-8")
        command = ["cc", "-shared", "-fPIC", "-o", f"lib{name}.so", f"{name}.c"]
        subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder


def tuner(home: Path, *arguments: str, data: str = "data") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_DATA_HOME": str(home / data), "XDG_CONFIG_HOME": str(home / "config")}
    return command_line.run(home, *arguments, environ=environment)


def answer(home: Path, *arguments: str) -> Any:
    done = tuner(home, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def rig(home: Path) -> list[str]:
    return ["--lib", "libtoy.so", "--sockperf", str(fake.install(home, noise=0.01)), "--results", "r"]


def test_the_page_shows_every_file_of_a_stack() -> None:
    assert list(files()) == ["toy.toml", "toy.space.toml", "toy.py", "profiles/toy/quick.toml"]


def test_its_variables_are_listed_and_explained(home: Path) -> None:
    assert [each["name"] for each in answer(home, "params", "list", "--stack", "toy")] == [
        "TOY_MODE", "TOY_POLL_US", "TOY_BUFFERS",
    ]  # fmt: skip
    assert answer(home, "params", "show", "TOY_POLL_US")["stack"] == "toy"
    assert "kernel, onload, toy, vma or xlio" in " ".join(tuner(home, "params", "list", "--help").stdout.split())


def test_its_profiles_are_listed_and_judged(home: Path) -> None:
    assert [each["name"] for each in answer(home, "profiles", "list", "--stack", "toy")] == ["quick"]
    assert tuner(home, "profiles", "lint", "toy/quick").returncode == 0
    (home / "bad.toml").write_text(
        'name = "bad"\nstack = "toy"\nsummary = "x"\n[settings]\n# Because.\nTOY_POL_US = "1"\n'
    )
    done = tuner(home, "profiles", "lint", "bad.toml")
    assert (done.returncode, "did you mean TOY_POLL_US?" in done.stdout + done.stderr) == (1, True)


def test_what_is_in_effect_is_worked_out_by_its_release(home: Path) -> None:
    found = answer(home, "profiles", "effective", "--env", "TOY_POLL_US=x", "--stack-version", "1.0")
    assert (found["stack"], found["settings"]["TOY_POLL_US"]["value"]) == ("toy", "0")
    assert "TOY_BUFFERS" not in found["settings"]


def test_a_broken_file_is_told_where_its_stack_is_asked_for_and_disturbs_nothing_else(home: Path) -> None:
    stacks = home / "broken" / "tuner" / "stacks"
    stacks.mkdir(parents=True)
    (stacks / "toy.toml").write_text("[stack]\nprefix = 7\n")
    assert tuner(home, "profiles", "effective", "kernel/latency", data="broken").returncode == 0
    assert tuner(home, "params", "show", "EF_POLL_USEC", "--stack", "onload", data="broken").returncode == 0
    done = tuner(home, "params", "list", "--stack", "toy", data="broken")
    assert (done.returncode, "toy.toml" in done.stderr) == (2, True)


@pytest.mark.parametrize("form", ["env", "systemd", "docker"])
def test_it_is_exported(form: str, home: Path) -> None:
    done = tuner(home, "export", "toy/quick", "--to", form, "--lib", "/opt/libtoy.so")
    assert done.returncode == 0, done.stderr
    assert "TOY_POLL_US" in done.stdout
    assert "/opt/libtoy.so" in done.stdout


def test_a_program_is_run_under_it_once_its_library_has_shown_itself(home: Path) -> None:
    show = ["--", "sh", "-c", "echo $TOY_POLL_US"]
    done = tuner(home, "run", "toy/quick", "--lib", "libtoy.so", *show)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
    refused = tuner(home, "run", "toy/quick", "--lib", "libx.so", *show)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no line `toy … is ready`" in refused.stderr


def test_it_is_measured_and_counts_only_with_its_proof(home: Path) -> None:
    found = answer(home, "measure", "toy/quick", "--runs", "1", *rig(home))
    assert found["settings"] == {"TOY_POLL_US": "200"}
    assert found["metrics"]["latency_p50_us"]["value"] == pytest.approx(36.0, rel=0.1)
    options = [*rig(home), "--lib", "libx.so"]
    refused = tuner(home, "measure", "toy/quick", "--runs", "1", *options)
    assert (refused.returncode, "not-loaded" in refused.stderr) == (1, True)


def test_it_is_tuned_within_its_own_space_and_from_its_own_profiles(home: Path) -> None:
    asked = ["tune", "--stack", "toy", "--objective", "latency", "--budget", "12s", *rig(home)]
    done = tuner(home, *asked)
    assert done.returncode in {0, 3}, done.stderr  # whether one is better is chance: the fake knows no toy
    with sqlite3.connect(home / "r" / "tuner.db") as database:
        (plan,) = database.execute("select plan from sessions where id like '%-tune-toy-%'").fetchone()
    assert {"profile": "quick", "settings": {"TOY_POLL_US": "200"}} in json.loads(plan)["known"]
    refused = tuner(home, *asked, "--space", "TOY_MODES")
    assert (refused.returncode, "TOY_MODE" in refused.stderr) == (2, True)


def test_it_is_checked_and_verified(home: Path) -> None:
    assert "libtoy.so, toy 1.1" in tuner(home, "check", "--stack", "toy", *rig(home)).stdout
    assert answer(home, "verify", "toy/quick", "--lib", "libtoy.so")["version"] == "1.1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda module: module.chmod(0o666), "can be written by others"),
        (lambda module: module.parent.chmod(0o777), "can be written by others"),
        (lambda module: module.unlink(), "there is no"),
        (lambda module: module.write_text("STACK = 1\n"), "has no record STACK"),
        (lambda module: module.write_text("raise SystemError('no')\n"), "SystemError: no"),
    ],
)
def test_a_module_that_is_none_or_that_others_may_have_written_is_not_run(
    change: Any, says: str, home: Path, tmp_path: Path
) -> None:
    stacks = tmp_path / "tuner" / "stacks"
    stacks.mkdir(parents=True)
    for name, text in files().items():
        if "/" not in name:
            (stacks / name).write_text(text)
    module = stacks / "toy.py"
    module.write_text(f"from pathlib import Path\nPath('{tmp_path / 'ran'}').touch()\n" + module.read_text())
    change(module)
    done = tuner(home, "run", "toy/quick", "--lib", "libtoy.so", "--", "true", data=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert not (tmp_path / "ran").exists()
