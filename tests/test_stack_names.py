"""Outside of `stacks/` and the catalogue's data no module knows a stack by its name; what does is listed with its reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import tuner

PACKAGE = Path(tuner.__file__).parent
# `libxlio.so` names one, `FunctionLoader` none.
NAME = re.compile(r"(?<![a-z])(?:lib)?(?:xlio|vma|onload)", re.IGNORECASE)

ALLOWED = {
    "cli/commands/onload.py": "the noun `tuner onload`: that stack's own profiles, names and library",
    "cli/commands/profile_json.py": "the commands for the JSON configuration that one stack has",
    "cli/commands/schema.py": "the command for the schema of that configuration",
    "runs/sockperf_options.py": "the names of the benchmark's own options",
    "cli/tree.py": "what the nouns and commands for one stack are called, and an example in the help text",
    "cli/session_options.py": "`--stackname`, which is for a stack whose sockets lie in stacks with names",
    "python/options.py": "that option as a keyword argument",
    "conf/words.py": "words of the rule files' grammar, kept in this module only",
    "export/opf.py": "a form for one stack: the profile of its own wrapper",
    "export/xlio_config.py": "forms for one stack: its JSON configuration",
    "intake/own_forms.py": "forms that one stack alone has, as readers: its wrapper's profiles, its JSON configuration",
    "intake/shell_programs.py": "a wrapper among the commands that start another command",
    "runs/simulated.py": "the banner of the default stack's library, as a simulated run prints it",
}
"""Modules, below the package, that name a stack, and why."""


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield every name and every text of a module's code, without its docstrings, which may have examples."""
    told = {id(text) for text in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(found := getattr(node, field, None), str):
                yield found


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            if isinstance(statement, ast.Expr):
                yield statement.value


@cache
def naming() -> dict[str, list[str]]:
    """Return the texts that name a stack, by module."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith("stacks/"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[place] = [text for text in texts(tree) if NAME.search(text)]
    return {place: named for place, named in found.items() if named}


def test_no_module_names_a_stack_without_a_reason() -> None:
    assert {place: named for place, named in naming().items() if place not in ALLOWED} == {}


@pytest.mark.parametrize("place", ALLOWED)
def test_a_reason_is_there_for_a_module_that_still_names_one(place: str) -> None:
    assert naming().get(place), f"take {place} off the list"
    assert ALLOWED[place]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("X = stack == 'xlio'", ["xlio"]),
        ("from tuner.stacks.onload import naming", ["tuner.stacks.onload"]),
        ("def f(load_vma): ...", ["load_vma"]),
        ("p = 'libvma.so'", ["libvma.so"]),
        ("import jinja2\nx = jinja2.FunctionLoader", []),
        ("'''For xlio.'''\ndef f():\n    '''xlio'''", []),
    ],
)
def test_a_name_in_code_is_seen_and_one_in_a_docstring_is_not(code: str, found: list[str]) -> None:
    assert [text for text in texts(ast.parse(code)) if NAME.search(text)] == found
