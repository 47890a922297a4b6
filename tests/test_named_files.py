"""Variables that make a library write or read a file are known as such: told where profiles come in, refused in sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Tuner

from tuner import catalogue
from tuner.catalogue import named_files
from tuner.catalogue.parameters import Kind
from tuner.session.setup.readback import refusal

NAMING = [(stack, name) for stack in catalogue.stacks() for name, each in catalogue.load(stack).parameters.items() if each.file]  # fmt: skip


def test_the_catalogues_name_the_variables_of_logs_statistics_and_configurations() -> None:
    assert {
        ("kernel", "XLIO_LOG_FILE"),
        ("xlio", "XLIO_LOG_FILE"),
        ("xlio", "XLIO_STATS_FILE"),
        ("xlio", "XLIO_CONFIG_FILE"),
        ("vma", "VMA_LOG_FILE"),
        ("vma", "VMA_CONFIG_FILE"),
        ("onload", "EF_LOG_FILE"),
    } <= set(NAMING)


def test_every_variable_called_a_file_or_folder_is_one_of_them() -> None:
    called = {
        (stack, name)
        for stack in catalogue.stacks()
        for name, each in catalogue.load(stack).parameters.items()
        if name.endswith(("_FILE", "_DIR")) and each.kind is Kind.SETTING
    }
    assert called <= set(NAMING)


@pytest.mark.parametrize(("stack", "name"), NAMING)
def test_a_session_refuses_a_file_outside_of_its_own_folder(stack: str, name: str) -> None:
    known = catalogue.load(stack)
    assert [each.where for each in named_files.outside(known, {name: "/etc/x"})] == [name]
    assert [each.where for each in named_files.outside(known, {name: "../x"})] == [name]
    assert named_files.outside(known, {name: "own"}) == []
    assert named_files.outside(known, {name: ""}) == []
    assert name in (refusal(stack, {name: "/etc/x"}, None) or "")


def test_a_profile_that_names_a_file_is_told_at_import_and_apply_and_not_measured(tuner: Tuner, tmp_path: Path) -> None:
    (tmp_path / "app.env").write_text("XLIO_RX_POLL=-1\nXLIO_LOG_FILE=/var/log/x.log\n")
    ended = tuner("import", "app.env", "--stack", "kernel", "-o", "app.toml")
    assert "settings.XLIO_LOG_FILE: names /var/log/x.log: the library writes there" in ended.err
    applied = tuner("apply", "./app.toml", "--target", "env:new.env", "--yes")
    assert "names /var/log/x.log: the library writes there" in applied.err
    refused = tuner("measure", "./app.toml", "--runs", "1", "--sockperf", "/bin/true")
    assert refused.status != 0
    assert not Path("results").exists()
