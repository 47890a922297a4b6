"""`tuner profiles`: what it prints, writes and exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.errors import UsageError
from tuner.profiles.files import read

ROOT = Path(__file__).parent.parent
HEAVY = {"numpy", "pandas", "scipy", "skopt", "sklearn", "sqlalchemy", "rich"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder that has the shipped profiles as the user's own."""
    (tmp_path / "conf" / "tuner").mkdir(parents=True)
    (tmp_path / "conf" / "tuner" / "profiles").symlink_to(ROOT / "profiles")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf"))
    return tmp_path / "work"


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(program(), ["profiles", *arguments])
    if isinstance(result.exception, UsageError):
        raise result.exception
    assert (result.exit_code, result.stderr) == (status, ""), result.output
    return result.stdout


def answer(*arguments: str, status: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", status=status))


def put(name: str, settings: str, head: str = "") -> Path:
    path = Path("profiles") / "kernel" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'name = "{name}"\nstack = "kernel"\n{head}\n[settings]\n{settings}\n')
    return path


def test_list_names_every_profile_with_its_place() -> None:
    rows = answer("list", "--stack", "xlio")

    latency = next(row for row in rows if row["name"] == "latency" and not row["shadowed"])
    assert {row["stack"] for row in rows} == {"xlio"}
    assert (latency["place"], latency["settings"], latency["errors"]) == ("user", 16, 0)
    assert latency["path"].endswith("profiles/xlio/latency.toml")
    assert latency["summary"].startswith("The vendor's latency preset")


def test_list_shows_what_is_hidden_and_what_is_broken() -> None:
    put("latency", "XLIO_RX_POLL = 1")
    put("mine", "XLIO_RX_POL = 1")

    lines = run("list", "--stack", "kernel").splitlines()

    assert any("kernel/mine" in line and "broken, errors: 1;" in line for line in lines)
    assert [("(hidden)" in line, " directory " in line) for line in lines if "kernel/latency " in line][:2] == [
        (False, True),
        (True, False),
    ]


def test_list_of_an_unknown_stack_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        run("list", "--stack", "xlo")
    assert caught.value.advice == "did you mean xlio?"


def test_show_says_what_is_set_and_why() -> None:
    page = run("show", "latency_yield")

    row = next(line for line in page.splitlines() if line.startswith("XLIO_RX_POLL_YIELD"))
    assert row.split()[:3] == ["XLIO_RX_POLL_YIELD", "1", "0"]
    assert "so that the peer on the same CPU can answer" in row
    assert page.startswith("kernel/latency_yield\n")


def test_show_gives_the_settings_with_those_it_extends() -> None:
    put("mine", "# Mine.\nXLIO_RX_POLL = 7", 'extends = "latency"')

    record = answer("show", "mine")

    assert record["settings"] == {"XLIO_RX_POLL": "7", "XLIO_SELECT_POLL": "-1", "XLIO_TCP_NODELAY": "1"}
    assert (record["extends"], record["place"], record["reasons"]["XLIO_RX_POLL"]) == ("latency", "directory", "Mine.")


def test_show_of_the_default_says_that_nothing_is_set() -> None:
    assert answer("show", "xlio/default")["settings"] == {}
    assert "xlio/default" in run("show", "default", "--stack", "xlio")


def test_show_of_an_unknown_profile_names_the_nearest_and_where_it_looked() -> None:
    with pytest.raises(UsageError) as caught:
        run("show", "latencyy")
    assert "did you mean latency?" in caught.value.advice
    assert str(Path.cwd() / "profiles") in caught.value.advice


def test_lint_without_names_passes_on_all_that_is_shipped() -> None:
    verdict = answer("lint")

    assert verdict["findings"] == []
    assert verdict["profiles"] >= len(list((ROOT / "profiles").glob("*/*.toml")))


def test_lint_fails_on_an_error_and_says_it_in_the_fixed_shape() -> None:
    path = put("mine", "# Why.\nXLIO_RX_POL = 1", 'summary = "Mine."')

    verdict = answer("lint", str(path), status=1)

    assert verdict["findings"] == [
        {
            "severity": "error",
            "where": f"{path}: settings.XLIO_RX_POL",
            "message": "kernel has no parameter XLIO_RX_POL",
            "suggestion": "did you mean XLIO_RX_POLL?",
        }
    ]
    assert "did you mean XLIO_RX_POLL?" in run("lint", "mine", status=1)
    assert "errors: 1" in run("lint", status=1)


def test_lint_passes_with_warnings() -> None:
    put("mine", "XLIO_RX_POLL = 7", 'summary = "Mine."')

    assert "has no reason" in run("lint", "mine")


def test_lint_looks_at_what_a_profile_extends() -> None:
    put("mine", "", 'summary = "Mine."\nextends = "latensy"')

    findings = answer("lint", "mine", status=1)["findings"]

    assert "no profile 'latensy'" in findings[0]["message"]
    assert "did you mean latency?" in findings[0]["suggestion"]


def test_lint_tells_a_profile_that_is_not_for_the_asked_release() -> None:
    findings = answer("lint", "xlio/latency", "--stack-version", "3.40.2")["findings"]

    assert [(f["severity"], f["message"]) for f in findings] == [
        ("warning", ">=3.60.0 does not cover release 3.40.2"),
    ]


def test_diff_tells_settings_apart() -> None:
    put("mine", "XLIO_RX_POLL = 7\nXLIO_MSS = 1448\nXLIO_TCP_NODELAY = 1")

    verdict = answer("diff", "latency", "profiles/kernel/mine.toml")

    assert verdict["only_a"] == {"XLIO_SELECT_POLL": "-1"}
    assert verdict["only_b"] == {"XLIO_MSS": "1448"}
    assert verdict["different"] == {"XLIO_RX_POLL": {"a": "-1", "b": "7"}}
    rows = [line.split() for line in run("diff", "latency", "mine").splitlines()]
    assert ["XLIO_SELECT_POLL", "-1", "-"] in rows


def test_diff_of_equals_says_so() -> None:
    assert run("diff", "kernel/latency", "kernel/ultra_latency") == (
        "kernel/latency and kernel/ultra_latency set the same\n"
    )


def test_new_writes_what_can_be_read() -> None:
    told = run("new", "mine", "--stack", "kernel", "--set", "XLIO_RX_POLL=-1", "--set", "XLIO_TCP_NODELAY=yes")

    assert told == "profiles/kernel/mine.toml\n"
    assert read(Path("profiles/kernel/mine.toml")).settings == {"XLIO_RX_POLL": "-1", "XLIO_TCP_NODELAY": "1"}


def test_new_begins_with_another_profile() -> None:
    run("new", "mine", "--from", "xlio/latency", "--set", "XLIO_RX_POLL=100000", "--summary", "Sleeps.")

    base, profile = read(ROOT / "profiles/xlio/latency.toml"), read(Path("profiles/xlio/mine.toml"))
    assert profile.settings == {**base.settings, "XLIO_RX_POLL": "100000"}
    assert profile.reasons.keys() == base.reasons.keys() - {"XLIO_RX_POLL"}
    assert (profile.summary, profile.releases) == ("Sleeps.", base.releases)


def test_new_does_not_claim_the_origin_of_what_it_began_with() -> None:
    put("won", "XLIO_RX_POLL = 7\n[origin]\nsession = 'a'")

    run("new", "mine", "--from", "won")

    profile = read(Path("profiles/kernel/mine.toml"))
    assert (profile.origin, profile.summary) == (None, "kernel/won, changed by hand.")


def test_new_leaves_a_file_alone_unless_forced() -> None:
    path = put("mine", "XLIO_RX_POLL = 7")

    with pytest.raises(UsageError, match="exists"):
        run("new", "mine", "--stack", "kernel", "--set", "XLIO_RX_POLL=8")
    assert read(path).settings == {"XLIO_RX_POLL": "7"}
    run("new", "mine", "--stack", "kernel", "--set", "XLIO_RX_POLL=8", "--force")
    assert read(path).settings == {"XLIO_RX_POLL": "8"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine", "--stack", "kernel", "--set", "XLIO_RX_POL=1"), "did you mean XLIO_RX_POLL?"),
        (("mine", "--stack", "kernel", "--set", "XLIO_RX_POLL=often"), "from -1 to 100000000"),
        (("mine", "--stack", "kernel", "--set", "XLIO_RX_POLL"), "write --set NAME=VALUE"),
        (("mine", "--stack", "kernal"), "did you mean kernel?"),
        (("mine",), "add --stack"),
        (("../mine", "--stack", "kernel"), "is not a valid profile name"),
        (("default", "--stack", "kernel"), "take another name"),
        (("mine", "--from", "latencyy"), "did you mean latency?"),
    ],
)
def test_new_refuses_what_could_not_be_used(arguments: tuple[str, ...], words: str, here: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run("new", *arguments)
    assert words in "\n".join([caught.value.advice, *(str(finding) for finding in caught.value.findings)])
    assert list(here.rglob("*.toml")) == []


@pytest.mark.parametrize("command", ["list", "show", "lint", "diff", "new"])
def test_help_has_an_example(command: str) -> None:
    text = run(command, "--help")

    assert f"tuner profiles {command}" in text


def test_the_commands_import_nothing_heavy() -> None:
    code = "import sys, tuner.cli.commands.profiles; print(*{name.split('.')[0] for name in sys.modules})"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert HEAVY.isdisjoint(loaded)
