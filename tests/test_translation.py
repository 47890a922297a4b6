"""A profile that is translated holds only what its new stack reads, and says how well each line fits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuner import catalogue
from tuner.catalogue.expressions import parse
from tuner.cli.main import program
from tuner.profiles.files import read
from tuner.profiles.library import Shelf, load
from tuner.profiles.lint import lint
from tuner.profiles.profile import Place, Profile
from tuner.profiles.translation import Fit, Line, _table, translate

ROOT = Path(__file__).parent.parent
SHELF = [Shelf(Place.DIRECTORY, ROOT / "profiles")]
SHIPPED = sorted(f"{path.parent.name}/{path.stem}" for path in (ROOT / "profiles").glob("*/*.toml"))


def lines(settings: dict[str, str], source: str, to: str) -> dict[str, Line]:
    return {line.name: line for line in translate(Profile("mine", source, settings), to).lines}


@pytest.mark.parametrize("to", ["onload", "xlio", "vma", "kernel"])
def test_every_shipped_profile_becomes_a_flawless_one(to: str) -> None:
    for reference in SHIPPED:
        found = translate(load(reference, None, SHELF), to)
        assert lint(found.profile) == [], reference
        assert {line.name for line in found.lines} == set(load(reference, None, SHELF).settings)
        assert all(line.why for line in found.lines)


@pytest.mark.parametrize("pair", _table().rows, ids="-".join)
def test_a_row_of_the_table_names_what_exists(pair: tuple[str, str]) -> None:
    source, target = (catalogue.load(stack) for stack in pair)
    for row in _table().rows[pair]:
        assert row.reads in source.parameters
        assert {name for name in row.set if name not in target.parameters} == set()
        for text in (*row.set.values(), *([row.when] if row.when else [])):
            assert parse(text).names <= {row.reads}
        assert bool(row.set) == (row.fit is not Fit.NONE)


def test_the_same_idea_gets_its_other_unit() -> None:
    found = lines({"XLIO_SELECT_POLL": "500", "XLIO_TCP_NODELAY": "1", "XLIO_RX_POLL": "200"}, "xlio", "onload")
    assert (found["XLIO_SELECT_POLL"].fit, found["XLIO_SELECT_POLL"].becomes["EF_SPIN_USEC"]) == (Fit.GOOD, "500")
    assert found["XLIO_TCP_NODELAY"].becomes == {"EF_FORCE_TCP_NODELAY": "1"}
    assert found["XLIO_RX_POLL"].fit is Fit.PARTIAL


def test_what_an_earlier_line_set_stays() -> None:
    found = lines({"XLIO_SELECT_POLL": "500", "XLIO_RX_POLL": "-1"}, "xlio", "onload")
    assert "EF_SPIN_USEC=500 stays" in found["XLIO_RX_POLL"].why


def test_a_setting_without_a_counterpart_is_told_and_left_out() -> None:
    found = lines({"XLIO_TSO": "off", "XLIO_STRQ": "off"}, "xlio", "onload")
    assert {name: (line.fit, dict(line.becomes)) for name, line in found.items()} == {
        "XLIO_TSO": (Fit.NONE, {}),
        "XLIO_STRQ": (Fit.NONE, {}),
    }


def test_stacks_of_one_family_are_translated_by_their_names() -> None:
    found = lines({"XLIO_RX_POLL": "-1", "XLIO_TX_WRE": "256"}, "xlio", "kernel")
    assert found["XLIO_RX_POLL"].becomes == {"XLIO_RX_POLL": "-1"}
    assert found["XLIO_TX_WRE"].fit is Fit.NONE


def test_onload_reaches_the_kernel_stack_by_way_of_xlio() -> None:
    found = translate(Profile("mine", "onload", {"EF_POLL_USEC": "-1", "EF_CTPIO": "0"}), "kernel")
    assert found.profile.settings == {"XLIO_RX_POLL": "-1", "XLIO_SELECT_POLL": "-1"}
    assert [line.fit for line in found.lines] == [Fit.GOOD, Fit.NONE]


def test_the_command_writes_a_profile_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["profiles", "translate", "latency", "--from", "xlio", "--to", "onload"]
    done = CliRunner().invoke(program(), [*arguments, "-o", "profiles/onload/mine.toml", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert read(tmp_path / "profiles/onload/mine.toml").settings == told["settings"]
    assert {line["fit"] for line in told["lines"]} == {"good", "partial", "none"}
    assert "EF_SPIN_USEC" in CliRunner().invoke(program(), arguments).stdout
