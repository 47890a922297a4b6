"""`tuner export`, `import`, `apply` and `run`: what they print, write, refuse and exit with."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.errors import MissingTool, ProgramNotFound, TunerError, UsageError
from tuner.profiles.files import read

TUNER = [sys.executable, "-m", "tuner"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with a home of its own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith("XLIO_")]:
        monkeypatch.delenv(name)
    return tmp_path / "work"


def run(*arguments: str, status: int = 0) -> Any:
    result = CliRunner().invoke(program(), arguments)
    if isinstance(result.exception, TunerError):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def files() -> list[str]:
    return [path.name for path in Path().iterdir()]


def put_profile(settings: str = 'XLIO_RX_POLL = "7"', path: str = "mine.toml") -> str:
    Path(path).write_text(f'name = "{Path(path).stem}"\nstack = "kernel"\n[settings]\n{settings}\n')
    return path


def test_export_writes_to_stdout_or_to_a_file_of_its_mode() -> None:
    text = run("export", "latency", "--to", "wrapper").stdout
    run("export", "latency", "--to", "wrapper", "-o", "go")
    assert Path("go").read_text() == text
    assert os.access("go", os.X_OK)
    with pytest.raises(UsageError, match="exists and was not changed"):
        run("export", "latency", "--to", "env", "-o", "go")
    run("export", "latency", "--to", "env", "-o", "go", "--force")
    assert "XLIO_RX_POLL=-1\n" in Path("go").read_text()


def test_export_as_json_has_the_text_and_the_environment() -> None:
    found = json.loads(run("export", put_profile(), "--to", "docker", "--lib", "libmine.so", "--json").stdout)
    assert found["environment"] == {"LD_PRELOAD": "libmine.so", "XLIO_RX_POLL": "7"}
    assert (found["form"], found["profile"], found["path"]) == ("docker", "mine", None)
    assert found["text"].endswith("LD_PRELOAD=libmine.so\nXLIO_RX_POLL=7\n")


def test_export_lists_every_form() -> None:
    from tuner.export import forms

    assert [row["form"] for row in json.loads(run("export", "--list", "--json").stdout)] == list(forms())
    assert all(name in run("export", "--list").stdout for name in forms())


def test_a_library_that_is_not_here_is_named_for_the_host_that_has_it() -> None:
    result = run("export", "xlio/latency", "--to", "env")
    assert "LD_PRELOAD=libxlio.so\n" in result.stdout
    assert "not on this host" in result.stderr


def test_the_diff_is_against_the_defaults_of_the_release() -> None:
    text = run("export", put_profile(), "--to", "diff", "--lib", "l.so").stdout
    assert [line for line in text.splitlines() if "XLIO_" in line] == ["-XLIO_RX_POLL=0", "+XLIO_RX_POLL=7"]


@pytest.mark.parametrize("arguments", [("latency",), ("--to", "env")])
def test_export_without_a_profile_or_a_form_says_how(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as refusal:
        run("export", *arguments)
    assert "tuner export PROFILE --to FORM" in refusal.value.advice


def test_an_exported_profile_is_imported_as_it_was() -> None:
    run("export", "latency", "--to", "systemd", "-o", "tuner.conf")
    assert run("import", "tuner.conf", "--from", "systemd", "-o", "again.toml").stdout == "again.toml\n"
    original = json.loads(run("profiles", "show", "kernel/latency", "--json").stdout)
    found = read(Path("again.toml"))
    assert (found.stack, dict(found.settings)) == ("kernel", original["settings"])


def test_import_leaves_out_what_is_not_the_stacks_and_says_so() -> None:
    Path("app.env").write_text("XLIO_RX_POLL=7\nAPP_PORT=80\n")
    result = run("import", "app.env", "--from", "env", "--stack", "kernel", "--json")
    found = json.loads(result.stdout)
    assert (found["name"], found["settings"]) == ("app", {"XLIO_RX_POLL": "7"})
    assert [entry["where"] for entry in found["skipped"]] == ["app.env: line 2"]
    assert "APP_PORT" in result.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("XLIO_RX_POLL=7\nVMA_RX_POLL=7\n", "does not say which stack"),
        ("LD_PRELOAD=libtuner_kernel.so\nXLIO_RX_POL=7\n", "does not accept"),
        ("LD_PRELOAD=libtuner_kernel.so\nXLIO_RX_POLL=many\n", "does not accept"),
        ("XLIO_RX_POLL=$X\nXLIO_MSS=`x`\n", "cannot be read in the form env"),
        ("\0" * (1024 * 1024 + 1), "too large"),
    ],
)
def test_import_refuses_what_is_no_profile(text: str, reason: str) -> None:
    Path("app.env").write_text(text)
    with pytest.raises(UsageError, match=reason):
        run("import", "app.env", "--from", "env")


def test_import_tells_every_fault_of_a_file_at_once() -> None:
    Path("app.env").write_text("XLIO_RX_POLL=$X\nXLIO_MSS=`x`\n")
    with pytest.raises(UsageError) as refusal:
        run("import", "app.env", "--from", "env")
    assert [finding.where for finding in refusal.value.findings] == ["app.env: line 1", "app.env: line 2"]


def test_apply_shows_the_difference_and_changes_nothing_without_a_yes() -> None:
    Path("app.env").write_text("mine\n")
    with pytest.raises(UsageError, match="no terminal"):
        run("apply", "latency", "--target", "env:app.env")
    assert Path("app.env").read_text() == "mine\n"
    assert files() == ["app.env"]


@pytest.mark.parametrize(("answer", "status", "changed"), [(b"n\n", 1, False), (b"y\n", 0, True)])
def test_apply_does_what_is_answered_at_the_terminal(answer: bytes, status: int, changed: bool) -> None:
    terminal, end = pty.openpty()
    os.write(terminal, answer)
    words = [*TUNER, "apply", "latency", "--target", "env:app.env"]
    done = subprocess.run(words, stdin=end, capture_output=True, text=True, check=False, timeout=60)
    os.close(terminal)
    os.close(end)
    assert (done.returncode, Path("app.env").exists()) == (status, changed)
    assert "+XLIO_RX_POLL=-1" in done.stdout
    assert "Write " in done.stderr


def test_apply_and_undo_bring_back_the_file() -> None:
    Path("app.env").write_text("MINE=1\n")
    done = json.loads(run("apply", "latency", "--target", "env:app.env", "--yes", "--json").stdout)
    assert (done["changed"], Path(done["backup"]).read_text()) == (True, "MINE=1\n")
    assert "XLIO_RX_POLL=-1" in Path("app.env").read_text()
    again = json.loads(run("apply", "latency", "--target", "env:app.env", "--yes", "--json").stdout)
    assert (again["changed"], again["diff"]) == (False, "")
    with pytest.raises(UsageError, match="no terminal"):
        run("apply", "--undo", "app.env")
    assert "-XLIO_RX_POLL=-1" in run("apply", "--undo", "app.env", "--yes").stdout
    assert (files(), Path("app.env").read_text()) == (["app.env"], "MINE=1\n")


@pytest.mark.parametrize("target", ["env", "env:", "app.env", "nosuch:app.env"])
def test_apply_explains_a_target_that_is_none(target: str) -> None:
    with pytest.raises(UsageError, match=r"not a target|no form"):
        run("apply", "latency", "--target", target, "--yes")


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TUNER, "run", *arguments], env={**os.environ, **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_run_starts_the_program_in_its_place_under_the_profile() -> None:
    script = "import os, signal, sys; print(os.environ['XLIO_RX_POLL'], signal.getsignal(signal.SIGXFSZ)); sys.exit(7)"
    done = started(put_profile(), "--", sys.executable, "-c", script, XLIO_STRAY="1", KEPT="1")
    assert (done.returncode, done.stdout.split()[0]) == (7, "7")
    assert "set aside: XLIO_STRAY=1" in done.stderr
    assert "TUNER_KERNEL_VERSION" in done.stderr


def test_run_passes_the_programs_own_options_and_its_death_by_a_signal() -> None:
    done = started("default", "--", "sh", "-c", 'echo "$@"; kill -TERM $$', "x", "--json", "-h")
    assert (done.returncode, done.stdout) == (-15, "--json -h\n")


def test_a_program_that_run_starts_is_stopped_by_a_closed_pipe() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(TUNER)} run default --no-verify -- yes 2>/dev/null | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "y\n141\n"


def test_run_prints_what_it_would_set_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLIO_STRAY", "1")
    text = run("run", put_profile(), "--print", "--", "false").stdout
    assert {"unset XLIO_STRAY", "XLIO_RX_POLL=7"} <= set(text.splitlines())
    found = json.loads(run("run", put_profile(), "--json").stdout)
    assert found["environment"]["XLIO_RX_POLL"] == "7"
    assert found["set_aside"] == ["XLIO_STRAY=1"]


def test_run_refuses_a_library_that_does_not_load_as_the_stack() -> None:
    impostor = Path("libnothing.so")
    impostor.write_bytes(b"")
    done = started("latency", "--lib", str(impostor), "--", "echo", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not load here" in done.stderr
    assert started("latency", "--lib", str(impostor), "--no-verify", "--", "echo", "hello").stdout == "hello\n"


def test_run_refuses_a_missing_library_a_missing_program_and_no_program() -> None:
    with pytest.raises(MissingTool, match="was not found"):
        run("run", "latency", "--lib", "/no/such.so", "--", "true")
    with pytest.raises(ProgramNotFound, match="no program nosuchprogram"):
        run("run", "latency", "--no-verify", "--", "nosuchprogram")
    run("run", "latency", status=2)


@pytest.mark.parametrize("name", ["PATH", "LD_LIBRARY_PATH", "LD_PRELOAD"])
@pytest.mark.parametrize("command", [("run",), ("export", "--to", "env")])
def test_a_profile_sets_only_variables_of_its_stack(name: str, command: tuple[str, ...]) -> None:
    path = put_profile(f'{name} = "/tmp/evil"')
    with pytest.raises(UsageError) as refusal:
        run(*command, path)
    assert name in str(refusal.value.findings[0])


FIELD = Path(__file__).parent / "data" / "field" / "onload"


@pytest.mark.parametrize(("form", "name"), [("env", "21-app.env"), ("compose", "21-compose.yaml")])
def test_a_file_of_others_keeps_its_lines_and_comes_back_to_the_byte(form: str, name: str) -> None:
    theirs = (FIELD / name).read_bytes()
    Path(name).write_bytes(theirs)
    run("apply", "onload/latency", "--target", f"{form}:{name}", "--lib", "libonload.so", "--yes")
    after = Path(name).read_bytes()
    rest = iter(after.split(b"\n"))
    assert all(line in rest for line in theirs.split(b"\n"))
    assert b"EF_POLL_USEC" in after
    run("apply", "--undo", name, "--yes")
    assert (Path(name).read_bytes(), files()) == (theirs, [name])
