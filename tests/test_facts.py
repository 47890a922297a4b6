"""What is true of a stack is read from the head of its catalogue, wherever that lies, and every fault in it is named."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner import catalogue
from tuner.catalogue import facts, places
from tuner.catalogue.places import Places
from tuner.errors import UsageError

HEAD = 'releases = ["1.0"]\n[stack]\ntitle = "Toy"\nprefix = "TOY_"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Name a folder of further stacks, and take it back."""
    places.use(Places(stacks=tmp_path))
    yield tmp_path
    places.use(Places())


@pytest.mark.parametrize("stack", catalogue.stacks())
def test_the_head_is_read_as_the_whole_catalogue_would_be(stack: str) -> None:
    whole = tomllib.loads((places.SHIPPED / f"{stack}.toml").read_text(encoding="utf-8"))["stack"]
    read = facts.load(stack)
    assert {
        name: list(value) if isinstance(value, tuple) else value for name in whole for value in [getattr(read, name)]
    } == whole


@pytest.mark.parametrize("stack", catalogue.stacks())
def test_every_variable_that_a_head_names_is_one_of_the_stack(stack: str) -> None:
    told, known = facts.load(stack), catalogue.load(stack)
    names = {told.preset, told.rule_file, told.application_id, told.statistics, told.trace, told.memory_block}
    names |= {told.preset_halves, told.json_switch, *told.json_names}
    assert {name for name in names - {""} if name not in known.parameters} == set()
    assert all(parameter.name.startswith(told.prefix) for parameter in known.settings())


def test_a_prefix_belongs_to_the_stack_that_has_the_variables_and_not_to_one_that_reads_them() -> None:
    assert facts.owner(["XLIO_RX_POLL"]) == "xlio"
    assert facts.owner(["HOME", "EF_POLL_USEC"]) == "onload"
    assert facts.owner(["HOME"]) is None


def test_a_folder_adds_a_stack_also_after_the_others_were_loaded(folder: Path) -> None:
    before = catalogue.stacks()
    (folder / "toy.toml").write_text(HEAD + "[parameters.TOY_X]\nsummary = 'x'\n")
    assert catalogue.stacks() == tuple(sorted((*before, "toy")))
    assert facts.load("toy").title == "Toy"
    assert list(catalogue.load("toy").parameters) == ["TOY_X"]


def test_a_folder_replaces_no_stack_of_the_package(folder: Path) -> None:
    (folder / "xlio.toml").write_text(HEAD)
    assert facts.load("xlio").prefix == "XLIO_"


@pytest.mark.parametrize("name", ["../xlio", "", "a b", "xlio.space"])
def test_a_name_that_is_no_stack_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(UsageError, match="unknown stack"):
        facts.load(name)


def test_every_fault_of_a_head_is_named_at_once(folder: Path) -> None:
    (folder / "toy.toml").write_text('releases = []\n[stack]\ntitle = 7\nperfix = "T_"\nmigrates = [1]\n')
    with pytest.raises(UsageError) as caught:
        facts.load("toy")
    said = [str(finding) for finding in caught.value.findings]
    assert len(said) == 4
    assert sum("prefix" in line for line in said) == 2
    assert all("toy.toml: stack." in line for line in said)


@pytest.mark.parametrize(
    "text", ["= 1", HEAD, HEAD + "[parameters]\nTOY_X = 1\n", HEAD + "[parameters.TOY_X]\nstrange = 1\n"]
)
def test_a_file_that_is_no_catalogue_is_an_error_of_the_user(text: str, folder: Path) -> None:
    (folder / "toy.toml").write_text(text)
    with pytest.raises(UsageError, match=r"toy\.toml"):
        catalogue.load("toy")
