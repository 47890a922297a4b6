"""The manual is built without a warning, asks no other host, and has no dead link."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.cli import reference

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name != "commands.md")


def test_every_page_has_its_place_in_the_manual() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = [name for block in re.findall(r"```\{toctree\}(.*?)```", index, re.DOTALL) for name in block.split()]
    assert [path.stem for path in PAGES if path.stem not in {*listed, "index"}] == []


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda path: path.stem)
def test_no_link_to_a_file_is_dead(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [found.partition("#")[0] for found in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in found]
    assert [each for each in targets if each and not (page.parent / each).exists()] == []


def test_the_reference_has_every_command_with_its_options() -> None:
    page = reference.page()
    assert len(re.findall(r"^## `tuner ", page, re.MULTILINE)) > 30
    assert "| `--budget <str>` |" in page


def test_the_site_is_built_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the group manual is not installed")
    pytest.importorskip("myst_parser", reason="the group manual is not installed")
    source = tmp_path / "docs"
    source.mkdir()
    for path in [*PAGES, DOCS / "conf.py"]:
        (source / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (source / "images").symlink_to(DOCS / "images")
    (source / "commands.md").write_text(reference.page(), encoding="utf-8")
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
