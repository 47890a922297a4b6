"""A package that somebody installs adds an optimizer, a stack, a benchmark and an export form; a broken one disturbs nothing.

The files are those that `docs/plugins.md` and `docs/adding-a-stack.md` show.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import command_line
import fake
import pytest
from sessions import Ticking, polling_helps

import tuner
from tuner import plugins
from tuner.errors import UsageError
from tuner.plugins import Group
from tuner.runs.simulated import SimulatedHost
from tuner.search import registry
from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Outcome
from tuner.search.space import SearchSpace

DOCS = Path(__file__).parents[1] / "docs"
SPACE = SearchSpace("kernel", (Dimension("ACK", Scale.CHOICE, values=("0", "1")),))
BROKEN = """
class Raises:
    def __init__(self, space, seed, repair): pass
    def ask(self): raise OSError("no disk")
    def tell(self, outcome): pass
class Numbers(Raises):
    def ask(self): return {"ACK": 1}
def neither(space, seed, repair): return 7
VALUE = 7
"""
ENTRIES = """
[tuner.optimizers]
absent = tuner_absent:Search
lacks = tuner_bad:Nothing
value = tuner_bad:VALUE
neither = tuner_bad:neither
raises = tuner_bad:Raises
numbers = tuner_bad:Numbers
[tuner.stacks]
hollow = tuner_bad:VALUE
[tuner.benchmarks]
seven = tuner_bad:VALUE
[tuner.exports]
env = tuner_bad:VALUE
seven = tuner_bad:VALUE
"""


def shown(page: str) -> dict[str, str]:
    """Return the files that a page shows, by name."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return dict(re.findall(r"^## `([^`]+)`.*?^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def installed(folder: Path, name: str, entries: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of installed packages: the one of the page, and one that is broken."""
    folder = tmp_path_factory.mktemp("site")
    stack = {f"tuner_mine/toy/{name}": text for name, text in shown("adding-a-stack.md").items()}
    stack["tuner_mine/toy/__init__.py"] = stack.pop("tuner_mine/toy/toy.py")
    files = {**shown("plugins.md"), **stack, "tuner_mine/__init__.py": "", "tuner_bad.py": BROKEN}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    groups = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]
    lines = [
        line for group, found in groups.items() for line in (f"[{group}]", *(f"{n} = {v}" for n, v in found.items()))
    ]
    installed(folder, "tuner_mine", "\n".join(lines))
    installed(folder, "tuner_bad", ENTRIES)
    return folder


@pytest.fixture
def here(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have the packages installed in this process."""
    monkeypatch.syspath_prepend(site)
    plugins.forget()
    yield site
    plugins.forget()
    for name in [name for name in sys.modules if name.startswith(("tuner_mine", "tuner_bad"))]:
        del sys.modules[name]


def typed(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "HOME": str(folder), "TUNER_LOCKS": str(folder)}
    command = [*command_line.STARTED, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_package_of_the_page_passes_the_suites(site: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(site / "test_mine.py")]
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) > 50


def test_its_optimizer_searches_where_it_is_named(here: Path, tmp_path: Path) -> None:
    host = SimulatedHost(polling_helps)
    host.wall_s = 1.0
    at = tuner.Workspace(tmp_path, host=host, now=Ticking(host))
    found = tuner.tune(objective="latency", budget="60s", optimizer="climb", at=at)
    assert found.verdict is tuner.Decision.IMPROVED
    assert found.proposals is not None
    assert found.proposals.measured > 0


def test_its_benchmark_measures_and_its_reader_reads(site: Path, tmp_path: Path) -> None:
    done = typed(site, tmp_path, "measure", "--workload", "sleep", "--runs", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["late_us"]["value"] == 0xAB


def test_its_form_is_listed_and_written_and_what_is_broken_is_said(site: Path, tmp_path: Path) -> None:
    listed = typed(site, tmp_path, "export", "--list")
    assert "a table of names and values" in listed.stdout
    assert "plug-in seven (tuner.exports) of tuner_bad 1.0 is no Form called seven" in listed.stderr
    written = typed(site, tmp_path, "export", "latency", "--to", "csv", "--lib", "x.so")
    assert written.stdout.startswith('name,value\n"LD_PRELOAD","x.so"\n')


def test_its_stack_has_variables_profiles_and_a_library(site: Path, tmp_path: Path) -> None:
    shown = typed(site, tmp_path, "params", "list", "--stack", "toy", "--json")
    assert [each["name"] for each in json.loads(shown.stdout)] == ["TOY_MODE", "TOY_POLL_US", "TOY_BUFFERS"]
    exported = typed(site, tmp_path, "export", "toy/quick", "--to", "env", "--lib", "/opt/libtoy.so")
    assert "TOY_POLL_US=200" in exported.stdout
    lacking = typed(site, tmp_path, "measure", "toy/quick", "--sockperf", str(fake.install(tmp_path)))
    assert lacking.returncode == 1
    assert "install Toy" in lacking.stderr


def test_help_and_cheap_commands_import_no_plug_in_and_do_not_look_for_any(site: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tuner.cli.main import main\nsys.argv = ['tuner', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint(*sys.modules)"
    )
    for words in (["--help"], ["tune", "--help"], ["params", "list"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found = done.stdout.splitlines()[-1].split()
        assert [name for name in found if name.startswith(("tuner_", "importlib.metadata"))] == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent", "cannot be loaded: ModuleNotFoundError: No module named 'tuner_absent'"),
        ("lacks", "cannot be loaded: AttributeError"),
        ("value", "cannot be called with a space"),
        ("neither", "has no `ask` and `tell`"),
    ],
)
def test_an_optimizer_that_is_none_is_told_with_its_package(here: Path, name: str, says: str) -> None:
    with pytest.raises(UsageError) as told:
        registry.make(name, SPACE, 1, lambda settings: settings)
    assert told.value.message.startswith(f"plug-in {name} (tuner.optimizers) of tuner_bad 1.0 ")
    assert says in told.value.message


@pytest.mark.parametrize(("name", "says"), [("raises", "failed to ask: OSError: no disk"), ("numbers", "no dict of")])
def test_an_optimizer_that_fails_in_a_search_is_told_with_its_package(here: Path, name: str, says: str) -> None:
    optimizer = registry.make(name, SPACE, 1, lambda settings: settings)
    optimizer.tell(Outcome({"ACK": "1"}, 0.1))
    with pytest.raises(UsageError, match=says) as told:
        optimizer.ask()
    assert "of tuner_bad 1.0" in told.value.message


def test_a_name_that_two_packages_claim_is_nobodys(
    site: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "tuner_rival", "[tuner.optimizers]\nclimb = tuner_bad:Raises\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.forget()
    with pytest.raises(UsageError, match="is claimed by more than one package") as told:
        registry.make("climb", SPACE, 1, lambda settings: settings)
    assert "tuner_mine 1.0" in told.value.message
    assert "tuner_rival 1.0" in told.value.message


def test_a_stack_without_a_catalogue_and_a_benchmark_without_a_recipe_are_told(site: Path, tmp_path: Path) -> None:
    hollow = typed(site, tmp_path, "params", "list", "--stack", "hollow")
    assert (hollow.returncode, "there is no hollow.toml beside its module" in hollow.stderr) == (2, True)
    seven = typed(site, tmp_path, "measure", "--workload", "seven")
    assert (seven.returncode, "is a int, and no Recipe" in seven.stderr) == (2, True)


def test_an_unknown_name_is_told_with_the_nearest_of_all(here: Path) -> None:
    with pytest.raises(UsageError) as told:
        registry.make("clim", SPACE, 1, lambda settings: settings)
    assert "climb" in told.value.advice
    assert set(plugins.every(Group.EXPORTS)) == {"csv", "env", "seven"}


def test_damaged_metadata_of_a_package_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "damaged", "")
    (tmp_path / "damaged-1.0.dist-info" / "entry_points.txt").write_bytes(b"[tuner.exports]\n\xff = a:b\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.forget()
    try:
        with pytest.raises(UsageError, match=f"cannot be read .in {re.escape(str(tmp_path))}"):
            plugins.find(Group.EXPORTS, "nope")
    finally:
        plugins.forget()
