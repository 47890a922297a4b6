"""Would the tests notice? Small mistakes are put into the modules that decide and parse, one at a time, and their tests are run.

A mistake changes one comparison, one operator, one number or one `and`/`or`. It is killed where a test fails, and survives where
none does: then a test is missing, or what was changed does not matter: why is said in `data/survivors.toml`. The package is
copied; nothing here is changed. The exit status is not 0 where a survivor is not explained.

    .venv/bin/python benchmarks/mutants.py [MUTANTS] [SEED] [--kept FILE] [--only BEGINNING …]     about 4 s each

`--kept` keeps what became of each mistake in a file as it is found: what was ended goes on with as many others as are missing, and
tries those that no test noticed again, because a test may have been added. `--only` takes the modules whose paths begin so.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
EXPLAINED: Final = Path(__file__).parent / "data" / "survivors.toml"
MUTANTS: Final = 200
MISTAKEN: Final = (ast.Compare, ast.BinOp, ast.BoolOp, ast.Constant)
LIMIT_S: Final = 180.0
TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "judging/statistics.py": ("test_statistics.py",),
    "judging/pair_means.py": ("test_statistics.py",),
    "judging/objective.py": ("test_objective.py",),
    "judging/slo.py": ("test_slo.py",),
    "judging/effects.py": ("test_joint.py",),
    "judging/joint.py": ("test_joint.py",),
    "judging/noise.py": ("test_noise.py",),
    "judging/power.py": ("test_noise.py",),
    "judging/own_goal.py": ("test_own_goal.py",),
    "judging/pair_effects.py": ("test_pair_effects.py",),
    "runs/sockperf.py": ("test_sockperf.py", "test_benchmark.py"),
    "stacks/banner.py": ("test_banner.py", "test_banner_forms.py"),
    "store/shape.py": ("test_foreign_stores.py",),
    "report/shortened.py": ("test_long_reports.py",),
    "conf/rules.py": ("test_conf.py",),
    "conf/match.py": ("test_conf.py",),
    "stacks/counters.py": ("test_counters.py",),
    "stacks/xlio_json.py": ("test_xlio_json.py",),
    "catalogue/expressions.py": ("test_rules.py",),
    "catalogue/reading.py": ("test_effective.py",),
    "catalogue/releases.py": ("test_releases.py",),
    "hosts/telemetry.py": ("test_telemetry.py",),
    "session/measuring/culprits.py": ("test_culprits.py",),
    "session/setup/budget_shares.py": ("test_shares.py",),
    "terminal_text.py": ("test_terminal_text.py",),
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
    """A mistake: how it is called, the module that it is in, and the text of the module with it."""

    name: str
    module: str
    text: str


def mutants(module: str) -> Iterator[Mutant]:
    """Yield every mistake that can be made in a module."""
    return (mutant(module, at) for at, _ in places(module))


def names(module: str) -> set[str]:
    """Return how the mistakes that can be made in a module are called."""
    return {name_of(module, node) for _, node in places(module)}


def name_of(module: str, node: ast.expr) -> str:
    """Return how the mistake in a node is called: what is changed, in which line; lines move, so their numbers are not in it."""
    changed = deepcopy(node)
    changed_in_place(changed)
    around = text_of(module).splitlines()[node.lineno - 1].strip()
    return f"{module}: `{ast.unparse(node)} → {ast.unparse(changed)}` in `{around}`"


def places(module: str) -> Iterator[tuple[int, ast.expr]]:
    """Yield the places, in the order of a walk, at which a mistake can be made in a module, with what stands there.

    None of them is in a decorator: that a record is frozen is held by the types.
    """
    tree = ast.parse(text_of(module))
    decorators = (each for node in ast.walk(tree) for each in getattr(node, "decorator_list", ()))
    held = {id(node) for each in decorators for node in ast.walk(each)}
    for at, node in enumerate(ast.walk(tree)):
        if isinstance(node, MISTAKEN) and id(node) not in held and changed_in_place(deepcopy(node)):
            yield at, node


def mutant(module: str, at: int) -> Mutant:
    """Return the mistake that can be made in a place of a module."""
    tree = ast.parse(text_of(module))
    node = next(each for place, each in enumerate(ast.walk(tree)) if place == at)
    assert isinstance(node, ast.expr), "a place is one of an expression"  # noqa: S101 - for the types
    name = name_of(module, node)
    changed_in_place(node)
    return Mutant(name, module, ast.unparse(tree))


@cache
def text_of(module: str) -> str:
    """Return the text of a module as it is."""
    return (ROOT / "tuner" / module).read_text(encoding="utf-8")


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


def explained() -> Mapping[str, str]:
    """Return why mistakes that no test notices do not matter, by their names."""
    return tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))


def section(tried: Mapping[str, bool], reasons: Mapping[str, str]) -> str:
    """Return the section of the page: the counts of each module, and the mistakes that no test noticed."""
    lines = ["| module | mutants | killed | survived | of them not explained |", "|---|---|---|---|---|"]
    for module in TESTS:
        mine = {name: dead for name, dead in tried.items() if name.startswith(f"{module}: ")}
        alive = [name for name, dead in mine.items() if not dead]
        if mine:
            unknown = sum(name not in reasons for name in alive)
            lines.append(f"| {module} | {len(mine)} | {len(mine) - len(alive)} | {len(alive)} | {unknown} |")
    survivors = [f"- {name}. {reasons.get(name, '')}" for name, dead in tried.items() if not dead]
    return "\n".join([*lines, "", *survivors])


def read(kept: Path | None) -> dict[str, bool]:
    """Return what became of mistakes that can still be made, by their names, as a file has it; none where there is no file."""
    if kept is None or not kept.exists():
        return {}
    found = dict(map(json.loads, kept.read_text(encoding="utf-8").splitlines()))
    possible = {name for module in {name.partition(":")[0] for name in found} for name in names(module)}
    return {name: dead for name, dead in found.items() if name in possible}


def chosen(count: int, seed: int, found: Mapping[str, bool], modules: Sequence[str]) -> dict[str, Mutant]:
    """Return the mistakes that are to be tried: those of before that no test noticed, and random others up to so many in all."""
    alive = {name for name, dead in found.items() if not dead}
    again = [
        each for module in {name.partition(":")[0] for name in alive} for each in mutants(module) if each.name in alive
    ]
    every = [(module, at) for module in modules for at, _ in places(module)]
    random.Random(seed).shuffle(every)  # noqa: S311 - no secret
    made = {each.name: each for each in again}
    for module, at in every:
        if len(found.keys() | made.keys()) >= count:
            break
        each = mutant(module, at)
        if each.name not in found:
            made[each.name] = each
    return made


def tried_out(tried: Mapping[str, Mutant], kept: Path | None) -> dict[str, bool]:
    """Return which of some mistakes a test notices."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="tuner-mutants-") as folder:
        copied(Path(folder))
        for name, each in tried.items():
            found[name] = killed(each, Path(folder))
            print(f"{len(found)} of {len(tried)}: {found[name]} {name}", file=sys.stderr)
            if kept:
                with kept.open("a", encoding="utf-8") as file:
                    print(json.dumps([name, found[name]]), file=file)
    return found


def main() -> int:
    """Try so many mistakes, chosen at random."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("mutants", type=int, nargs="?", default=MUTANTS)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--kept", type=Path, metavar="FILE")
    parser.add_argument("--only", nargs="*", default=[""], metavar="BEGINNING")
    asked = parser.parse_args()
    modules = [module for module in TESTS if module.startswith(tuple(asked.only))]
    before = read(asked.kept)
    found = {**before, **tried_out(chosen(asked.mutants, asked.seed, before, modules), asked.kept)}
    reasons = explained()
    print(section(found, reasons))
    if before:
        print(
            f"\n{len(before)} of them were tried by earlier starts of this command, and again where no test noticed them."
        )
    return int(any(not dead and name not in reasons for name, dead in found.items()))


if __name__ == "__main__":
    sys.exit(main())
