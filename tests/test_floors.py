"""A module imports only from the floors below it, and heavy or dangerous libraries have one home each."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import tuner

PACKAGE = Path(tuner.__file__).parent

# Lowest first; modules of one floor may know each other only inside the same entry.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("tuner.errors", "tuner.figures", "tuner.version", "tuner.terminal_text", "tuner.interruption"),
    ("tuner.measurement", "tuner.database_url"),
    ("tuner.records",),
    ("tuner.results",),
    (
        "tuner.toml_text",
        "tuner.json_text",
        "tuner.untrusted",
        "tuner.shell",
        "tuner.atomic_file",
        "tuner.installed",
        "tuner.temporary",
        "tuner.exclusive",
        "tuner.plugins",
    ),
    ("tuner.catalogue", "tuner.conf"),
    ("tuner.profiles",),
    ("tuner.hosts",),
    ("tuner.stacks",),
    ("tuner.runs", "tuner.intake"),
    ("tuner.judging",),
    ("tuner.search", "tuner.store"),
    ("tuner.session.setup",),
    ("tuner.session.measuring",),
    ("tuner.session.answer",),
    ("tuner.session.phases",),
    ("tuner.session",),
    ("tuner.api",),
    ("tuner.report", "tuner.export", "tuner.deploy"),
    ("tuner.serve",),
    ("tuner.python",),
    ("tuner.conformance",),
    ("tuner.cli.screen",),
    ("tuner.cli",),
    ("tuner.__main__",),
)
QUARANTINED = {
    "subprocess": ("tuner.hosts",),
    "skopt": ("tuner.search.bayesian",),
    "optuna": ("tuner.search.optuna_search",),
    "jinja2": ("tuner.report.page",),
    "hdrh": ("tuner.runs.histogram",),
    "pandas": ("tuner.report", "tuner.python.stores"),
    "vl_convert": ("tuner.report.vega",),
    "sqlalchemy": ("tuner.store",),
    "alembic": ("tuner.store.formats",),
    "distributed": ("tuner.session.measuring.scheduler",),
    "starlette": ("tuner.serve",),
    "uvicorn": ("tuner.serve.server",),
}
COMMANDS = "tuner.cli.commands"
HEAVY = {
    *("alembic", "hdrh", "jinja2", "numpy", "optuna", "pandas", "psycopg", "scipy", "skopt", "sklearn", "sqlalchemy"),
    *("dask", "distributed", "starlette", "uvicorn", "vl_convert"),
}


@cache
def modules() -> list[tuple[str, ast.Module]]:
    return [(_name(path), ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PACKAGE.rglob("*.py"))]


def _name(path: Path) -> str:
    parts = ("tuner", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imported(tree: ast.Module) -> frozenset[str]:
    modules = (node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module)
    return frozenset((*modules, *leaves(tree)))


def test_no_module_reaches_itself_by_imports_at_any_depth() -> None:
    trees = dict(modules())
    uses = {
        name: {_nearest(each, trees) for each in leaves(tree)} & trees.keys() - {name} for name, tree in trees.items()
    }
    assert [name for name in uses if name in reached(name, uses)] == []


def leaves(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports, by the longest name; imports inside functions count."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _nearest(name: str, known: Container[str]) -> str:
    """Return the module that a name stands for: itself, or the one that it is an attribute of."""
    return name if name in known else name.rpartition(".")[0]


def reached(start: str, uses: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = set(uses[start])
    while waiting:
        one = waiting.pop()
        seen.add(one)
        waiting |= uses[one] - seen
    return seen


def home(module: str) -> tuple[int, str] | None:
    """Return the floor of a module and the entry that it belongs to."""
    for floor, entries in enumerate(FLOORS):
        for entry in entries:
            if module == entry or module.startswith(entry + "."):
                return floor, entry
    return None


def test_every_module_has_a_floor() -> None:
    assert [name for name, _ in modules() if name != "tuner" and home(name) is None] == []


def test_the_architecture_page_names_every_module_that_has_a_floor() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = page.partition("\n## Floors\n")[2].partition("\n## ")[0]
    names = [entry.removeprefix("tuner.") for entries in FLOORS for entry in entries]
    assert [name for name in names if f"`{name}`" not in told and f"`{name}/`" not in told] == ["__main__"]


def test_a_module_imports_only_from_below() -> None:
    wrong = []
    for name, tree in modules():
        mine = home(name)
        for other in imported(tree):
            theirs = home(other)
            if mine and theirs and theirs[1] != mine[1] and theirs[0] >= mine[0]:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


@pytest.mark.parametrize(("library", "homes"), QUARANTINED.items())
def test_a_quarantined_library_is_imported_only_at_its_home(library: str, homes: tuple[str, ...]) -> None:
    users = {name for name, tree in modules() if any(i.split(".")[0] == library for i in imported(tree))}
    assert users
    assert [user for user in users if not user.startswith(homes)] == []


def imported_by(arguments: list[str], **environment: str) -> set[str]:
    """Return the modules that a command has imported when it ends well."""
    code = (
        "import sys\n"
        "from tuner.cli.main import main\n"
        f"sys.argv = ['tuner', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        (["--help"], ()),
        (["--version"], ()),
        ([], ()),
        (["tune", "--help"], ("tune",)),
        (["profiles", "--help"], ()),
        (["profiles", "list"], ("profiles",)),
        (["params", "show", "XLIO_RX_POLL"], ("params",)),
        (["params", "list"], ("params",)),
        (["report", "--help"], ("report",)),
        (["run", "kernel/latency", "--print"], ("run",)),
        (["export", "kernel/latency", "--to", "env"], ("export",)),
    ],
    ids=str,
)
def test_a_cheap_command_imports_no_heavy_library_and_no_other_command(
    arguments: list[str], commands: tuple[str, ...]
) -> None:
    found = imported_by(arguments)
    assert not found & HEAVY
    assert {name for name in found if name.startswith(f"{COMMANDS}.")} == {f"{COMMANDS}.{name}" for name in commands}


def test_a_store_in_a_file_loads_neither_the_driver_of_a_server_nor_what_upgrades() -> None:
    results = Path(__file__).parent / "data" / "sessions"
    assert not imported_by(["sessions", "list", "--results", str(results)]) & {"alembic", "psycopg"}


@pytest.mark.parametrize("words", ["tuner tun", "tuner params show XLIO_RX", "tuner tune lat"])
def test_completing_imports_no_heavy_library_and_only_the_command_that_is_completed(words: str) -> None:
    found = imported_by([], _TUNER_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
    assert not found & HEAVY
    wanted = {"params": {"params"}, "tune": {"tune"}}.get(words.split()[1], set())
    assert {name for name in found if name.startswith(f"{COMMANDS}.")} == {f"{COMMANDS}.{name}" for name in wanted}


def test_help_imports_neither_catalogues_nor_profiles_nor_sessions() -> None:
    mine = {name for name in imported_by(["--help"]) if name.startswith("tuner.")}
    light = {"cli", "errors", "terminal_text", "figures", "version", "interruption"}
    assert {name.split(".")[1] for name in mine} <= light


def test_no_function_is_longer_than_forty_lines() -> None:
    long = []
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                body = [
                    part
                    for part in node.body
                    if not isinstance(part, ast.Expr) or not isinstance(part.value, ast.Constant)
                ]
                length = node.end_lineno - body[0].lineno + 1 if body else 0
                if length > 40:
                    long.append(f"{name}.{node.name}: {length}")
    assert long == []


def test_no_test_module_imports_another() -> None:
    here = Path(__file__).parent
    wrong = [
        f"{path.name} imports {name}"
        for path in sorted(here.glob("*.py"))
        for name in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0].startswith("test_")
    ]
    assert wrong == []


def constants(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id.isupper():
            yield node.target.id


def test_a_constant_of_a_session_has_a_name_of_its_own() -> None:
    homes: dict[str, list[str]] = {}
    for module, tree in modules():
        for name in constants(tree) if module.startswith(("tuner.session.", "tuner.judging.")) else ():
            homes.setdefault(name, []).append(module)
    assert len(homes) > 20
    assert {name: found for name, found in homes.items() if len(found) > 1 and not name.startswith("_")} == {}


def test_phases_do_not_borrow_constants_from_each_other() -> None:
    borrowed = [
        f"{module} imports {name}"
        for module, tree in modules()
        for name in imported(tree)
        if module.startswith("tuner.session.phases.") and name.startswith("tuner.session.phases.")
        if name.rpartition(".")[2].isupper()
    ]
    assert borrowed == []


def test_few_dicts_of_anything_are_left_where_json_and_toml_enter_or_leave() -> None:
    places = [
        f"{name}:{node.lineno}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node) == "dict[str, Any]"
    ]
    assert len(places) <= 25, places
