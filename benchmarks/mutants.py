"""Would the tests notice? Small mistakes are put into the modules that decide and parse, one at a time, and their tests are run.

A mistake changes one comparison, one operator, one number or one `and`/`or`. It is killed where a test fails, and survives where
none does: then a test is missing, or what was changed does not matter. The package is copied; nothing here is changed.

    .venv/bin/python benchmarks/mutants.py [MUTANTS] [SEED]     about 4 s each
"""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
MUTANTS: Final = 200
LIMIT_S: Final = 180.0
TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "judging/statistics.py": ("test_statistics.py",),
    "judging/pair_means.py": ("test_statistics.py",),
    "judging/objective.py": ("test_objective.py",),
    "judging/slo.py": ("test_slo.py",),
    "runs/sockperf.py": ("test_sockperf.py", "test_benchmark.py"),
    "stacks/banner.py": ("test_banner.py", "test_banner_forms.py"),
    "store/shape.py": ("test_foreign_stores.py",),
    "report/shortened.py": ("test_long_reports.py",),
}
COMPARISONS: Final = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: Final = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: where it is, and the text of the module with it."""

    module: str
    line: int
    what: str
    text: str


def mutants(module: str) -> Iterator[Mutant]:
    """Yield every mistake that can be made in a module."""
    source = (ROOT / "tuner" / module).read_text(encoding="utf-8")
    for at, node in enumerate(ast.walk(ast.parse(source))):
        if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp | ast.Constant):
            tree = ast.parse(source)
            changed = next(each for place, each in enumerate(ast.walk(tree)) if place == at)
            before = ast.unparse(changed)
            if changed_in_place(changed):
                yield Mutant(module, node.lineno, f"{before} → {ast.unparse(changed)}", ast.unparse(tree))


def changed_in_place(node: ast.AST) -> bool:
    """Put a mistake into a node; return whether there is one for it."""
    match node:
        case ast.Compare(ops=[only]) if type(only) in COMPARISONS:
            node.ops = [COMPARISONS[type(only)]()]
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            node.op = OPERATORS[type(op)]()
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() | float() as value):
            node.value = value + 1
        case _:
            return False
    return True


def copied(copy: Path) -> None:
    """Copy what is here; raise `SystemExit` where tests would not see the package of the copy."""
    skipped = shutil.ignore_patterns(".venv", ".git", "build", ".*_cache", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, copy, dirs_exist_ok=True, ignore=skipped)
    where = [sys.executable, "-c", "import tuner.judging.statistics as module; print(module.__file__)"]
    found = subprocess.run(where, cwd=copy, env=environment(copy), capture_output=True, text=True, check=True).stdout
    if not Path(found.strip()).is_relative_to(copy):
        raise SystemExit(f"tests would see {found.strip()} and not the copy in {copy}")


def environment(copy: Path) -> dict[str, str]:
    """Return the environment of the tests of a copy."""
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}


def killed(mutant: Mutant, copy: Path) -> bool:
    """Return whether a test of the module fails, or does not end, with a mistake in it."""
    target = copy / "tuner" / mutant.module
    kept = target.read_text(encoding="utf-8")
    target.write_text(mutant.text, encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly"]
    try:
        tests = [f"tests/{name}" for name in TESTS[mutant.module]]
        done = subprocess.run(
            [*words, *tests], cwd=copy, env=environment(copy), capture_output=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(kept, encoding="utf-8")
    return done.returncode != 0


def section(tried: list[tuple[Mutant, bool]]) -> str:
    """Return the section of the page: the counts of each module, and the mistakes that no test noticed."""
    lines = ["| module | mutants | killed | survived |", "|---|---|---|---|"]
    for module in TESTS:
        mine = [dead for mutant, dead in tried if mutant.module == module]
        if mine:
            lines.append(f"| {module} | {len(mine)} | {sum(mine)} | {len(mine) - sum(mine)} |")
    survivors = [f"- {mutant.module}:{mutant.line}: `{mutant.what}`" for mutant, dead in tried if not dead]
    return "\n".join([*lines, "", *survivors])


def main() -> None:
    """Try so many mistakes, chosen at random."""
    count, seed = (*map(int, sys.argv[1:]), *(MUTANTS, 1)[len(sys.argv) - 1 :])
    every = [mutant for module in TESTS for mutant in mutants(module)]
    chosen = random.Random(seed).sample(every, min(count, len(every)))  # noqa: S311 - no secret
    tried = []
    with tempfile.TemporaryDirectory(prefix="tuner-mutants-") as name:
        copy = Path(name)
        copied(copy)
        for mutant in chosen:
            tried.append((mutant, killed(mutant, copy)))
            print(
                f"{len(tried)} of {len(chosen)}: {tried[-1][1]} {mutant.module}:{mutant.line} {mutant.what}",
                file=sys.stderr,
            )
    print(section(tried))


if __name__ == "__main__":
    main()
