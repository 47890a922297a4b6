"""What the README and the tutorial tell a user to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import command_line
import fake
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
# A fake run ends at once, so a session of any budget would only repeat itself: the shortest that can be judged will do.
SHORTEST = "13s"


def commands(page: str) -> list[str]:
    """Return the commands of a page's console blocks, in order; those that only take longer once."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return list({re.sub(r"--budget \w+", "--budget …", line): line for line in lines}.values())


def carried_out(words: list[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    if words[0] == "tuner":
        return command_line.run(folder, *words[1:], environ=environ)
    return subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.long
@pytest.mark.timeout(300)  # half a dozen sessions, each as long as its budget
@pytest.mark.parametrize(("page", "least"), [(README, 10), (TUTORIAL, 5)], ids=["README", "tutorial"])
def test_the_commands_of_a_page_run_one_after_the_other_in_a_new_folder(page: str, least: int, tmp_path: Path) -> None:
    fake.install(tmp_path)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "TUNER_LOCKS": str(tmp_path)}
    folder = tmp_path / "work"
    folder.mkdir()
    failed = []
    for command in commands(page):
        words = shlex.split(re.sub(r"--budget \w+", f"--budget {SHORTEST}", command))
        done = carried_out(words, folder, environment)
        if done.returncode not in ({0, 3} if words[1] in {"tune", "compare"} else {0}):
            failed.append(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    assert len(commands(page)) >= least
    assert failed == []


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_makes_words_of_the_readme_are_targets(target: str) -> None:
    assert re.search(rf"^    make {target}\b", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("name", re.findall(r"\]\(((?:docs/)?[\w-]+\.md)\)", README))
def test_a_page_that_the_readme_links_exists(name: str) -> None:
    assert (ROOT / name).is_file()


def test_the_pasted_session_is_the_one_that_is_kept_as_an_example() -> None:
    pasted = README.split("<!-- session -->")[1].split("<!-- /session -->")[0]
    kept = (ROOT / "results" / "example" / "terminal.txt").read_text(encoding="utf-8")
    assert "\n".join(line.removeprefix("    ") for line in pasted.strip("\n").splitlines()) == kept.rstrip("\n")
