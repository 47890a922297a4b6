"""The manual is built without a warning, asks no other host, and has no dead link."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from tuner import catalogue
from tuner.catalogue import facts
from tuner.catalogue.parameters import Kind
from tuner.cli import reference
from tuner.cli.group import Listed
from tuner.cli.main import program

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name not in {"commands.md", "parameters.md"})


def test_every_page_has_its_place_in_the_manual() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = [name for block in re.findall(r"```\{toctree\}(.*?)```", index, re.DOTALL) for name in block.split()]
    assert [path.stem for path in PAGES if path.stem not in {*listed, "index"}] == []


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda path: path.stem)
def test_no_link_to_a_file_is_dead(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [found.partition("#")[0] for found in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in found]
    assert [each for each in targets if each and not (page.parent / each).exists()] == []


def written(page: Path) -> list[list[str]]:
    """Return the words of each command of ours on a page, alone on a line or between backticks, as a shell would split them."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^ *(?:\$ )?(tuner [a-z].*)$|`(tuner [a-z][^`]*)`", text, re.MULTILINE)
    lines = [re.split(r" [|>&;]|  |\)$", alone or inside)[0] for alone, inside in found]
    return [shlex.split(line, comments=True) for line in lines if line.count("'") % 2 == 0]


def not_there(words: list[str]) -> list[str]:
    """Return the command or the options of a line that no command has."""
    command: Any = typer.main.get_command(program())
    words = words[1 : words.index("--")] if "--" in words else words[1:]
    for word in words:
        if not hasattr(command, "commands"):
            break
        if word not in command.commands:
            return [word]
        command = command.commands[word]
        command = command.imported() if isinstance(command, Listed) else command
    known = {"--help", *(each for param in command.params for each in (*param.opts, *param.secondary_opts))}
    return [each for each in words if re.match(r"--?[a-z]", each) and each.partition("=")[0] not in known]


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda path: path.stem)
def test_every_command_on_a_page_is_one_that_there_is_with_its_options(page: Path) -> None:
    assert {" ".join(words): wrong for words in written(page) if (wrong := not_there(words))} == {}


def test_the_pages_have_commands_to_look_at_and_a_wrong_one_is_seen() -> None:
    assert sum(len(written(page)) for page in PAGES) > 150
    assert not_there(["tuner", "tune", "latency", "--buget", "3s"]) == ["--buget"]
    assert not_there(["tuner", "tone"]) == ["tone"]


def test_the_reference_has_every_command_with_its_options() -> None:
    page = reference.page()
    assert len(re.findall(r"^## `tuner ", page, re.MULTILINE)) > 30
    assert "| `--budget <str>` |" in page


def test_the_reference_has_every_setting_of_every_stack_with_its_default() -> None:
    page = reference.parameters()
    for stack in facts.every():
        settings = [each for each in catalogue.load(stack.name).parameters.values() if each.kind is Kind.SETTING]
        assert [each.name for each in settings if f"| `{each.name}` |" not in page] == []
    assert re.search(r"^\| `XLIO_RX_POLL` \| .*-1.* \| `100000` \|", page, re.MULTILINE)


def test_the_site_is_built_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the group manual is not installed")
    pytest.importorskip("myst_parser", reason="the group manual is not installed")
    source = tmp_path / "docs"
    source.mkdir()
    for path in [*PAGES, DOCS / "conf.py"]:
        (source / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (source / "images").symlink_to(DOCS / "images")
    (source / "commands.md").write_text(reference.page(), encoding="utf-8")
    (source / "parameters.md").write_text(reference.parameters(), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        str(source),
        str(tmp_path / "site"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    pages = list((tmp_path / "site").glob("*.html"))
    asked = r'<(?:script|img)[^>]+src="https?:|<link[^>]+rel="stylesheet"[^>]+href="https?:'
    assert [path.name for path in pages if re.search(asked, path.read_text(encoding="utf-8"))] == []
    assert (tmp_path / "site" / "searchindex.js").stat().st_size > 10_000
