"""Libraries of releases that people have, by stand-ins that print their banners: they are verified, and tuned to a verdict."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import command_line
import fake
import pytest

from tuner.catalogue import facts
from tuner.profiles.files import read, save

FIELD = Path(__file__).parent / "data" / "field"
RELEASES = [("vma", "9.7.2"), ("vma", "7.0.9"), ("xlio", "3.940.2"), ("vma", "9.9.1")]


def stand_in(folder: Path, stack: str, release: str) -> Path:
    """Return a library that prints the banner of the field's stand-in as one of a stack's release."""
    source, library = folder / "stand_in.c", folder / f"lib{stack}.so"
    text = (FIELD / "standin_vma972.c").read_text(encoding="utf-8")
    source.write_text(text.replace("9.7.2", release).replace("VMA", facts.load(stack).title), encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def profile(folder: Path, stack: str) -> Path:
    """Return the field's profile as one of a stack: both settings are in the banner; `THREAD_MODE` is gone in 3.940.2."""
    mine = read(FIELD / "vma_mine.toml")
    names = ("RX_POLL", "THREAD_MODE") if stack == "vma" else ("RX_POLL",)
    prefix = facts.load(stack).prefix
    settings = {f"{prefix}{name}": mine.settings[f"VMA_{name}"] for name in names}
    path = folder / "mine.toml"
    save(replace(mine, name="mine", stack=stack, settings=settings, summary="Mine."), path, overwrite=True)
    return path


def tuner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command_line.run(folder, *arguments, "--json")


@pytest.mark.parametrize(("stack", "release"), RELEASES)
def test_verify_names_the_settings_in_effect(stack: str, release: str, tmp_path: Path) -> None:
    library = stand_in(tmp_path, stack, release)
    done = tuner(tmp_path, "verify", str(profile(tmp_path, stack)), "--lib", str(library))
    found = json.loads(done.stdout)
    assert (done.returncode, found["version"], found["applied"]) == (0, release, True)
    shown = {each["name"].partition("_")[2]: each["shown"] for each in found["settings"]}
    assert shown["RX_POLL"] == "-1"
    assert shown.get("THREAD_MODE", "2") == "2"
    assert any("read as 9.8.84" in words for words in found["warnings"]) == (release == "9.9.1")


@pytest.mark.parametrize(("stack", "release"), RELEASES)
def test_a_tuning_ends_with_a_verdict_and_says_what_it_proposed(stack: str, release: str, tmp_path: Path) -> None:
    library, sockperf = stand_in(tmp_path, stack, release), fake.install(tmp_path, noise=0.01)
    options = [
        "--stack",
        stack,
        "--lib",
        str(library),
        "--sockperf",
        str(sockperf),
        "--budget",
        "12s",
        "--allow-os-sockets",
    ]
    done = tuner(tmp_path, "tune", "--objective", "latency", *options, "--optimizer", "random")
    assert done.returncode in {0, 3}, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] in {"improved", "not improved"}
    assert found["proposals"]["measured"] == found["proposals"]["proposed"]
    assert found["trials"]["not-loaded"] == 0
    assert ("read as 9.8.84" in done.stderr) == (release == "9.9.1")


def test_a_profile_of_ours_is_measured_under_an_earlier_release(tmp_path: Path) -> None:
    library, sockperf = stand_in(tmp_path, "vma", "9.7.2"), fake.install(tmp_path, noise=0.01)
    done = tuner(
        tmp_path,
        "measure",
        "vma/latency",
        "--lib",
        str(library),
        "--sockperf",
        str(sockperf),
        "--runs",
        "1",
        "--allow-os-sockets",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]["VMA_RX_POLL"] == "-1"


@pytest.mark.parametrize(
    ("stack", "release", "words"),
    [
        ("vma", "7.0.9", "latency without VMA_TX_WRE_BATCHING, VMA_TCP_NODELAY, VMA_RING_DEV_MEM_TX"),
        ("xlio", "3.940.2", "latency with XLIO_RX_WRE=2048"),
    ],
)
def test_a_profile_of_ours_is_run_as_an_earlier_release_takes_it_and_that_is_said_in_one_line(
    stack: str, release: str, words: str, tmp_path: Path
) -> None:
    library, sockperf = stand_in(tmp_path, stack, release), fake.install(tmp_path, noise=0.01)
    options = ["--stack", stack, "--lib", str(library), "--sockperf", str(sockperf), "--allow-os-sockets"]
    done = tuner(tmp_path, "measure", "latency", *options, "--runs", "1")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "does not run every profile of this package as it is" in line]
    assert len(lines) == 1
    assert words in lines[0]
    assert "VMA_TCP_NODELAY" not in json.loads(done.stdout)["settings"]


def test_a_profile_of_the_users_is_refused_where_the_release_does_not_read_it(tmp_path: Path) -> None:
    library, sockperf = stand_in(tmp_path, "vma", "7.0.9"), fake.install(tmp_path, noise=0.01)
    mine = replace(read(FIELD / "vma_mine.toml"), name="mine", settings={"VMA_TCP_NODELAY": "1"})
    save(mine, tmp_path / "mine.toml", overwrite=True)
    options = ["--lib", str(library), "--sockperf", str(sockperf), "--runs", "1", "--allow-os-sockets"]
    done = tuner(tmp_path, "measure", "mine.toml", *options)
    assert done.returncode == 2
    assert "tuner profiles migrate mine --to 7.0.9" in done.stderr


def test_a_sockperf_before_3_7_is_refused_at_the_start_with_what_to_install(tmp_path: Path) -> None:
    program = tmp_path / "sockperf"
    shutil.copy(FIELD / "fake_sockperf_35", program)
    program.write_text(
        f"#!{sys.executable} -IS\n{program.read_text(encoding='utf-8').partition(chr(10))[2]}", encoding="utf-8"
    )
    program.chmod(0o755)
    done = tuner(tmp_path, "measure", "latency", "--sockperf", str(program), "--runs", "1")
    assert done.returncode != 0
    assert "sockperf 3.5 is too old" in done.stderr
    assert "install sockperf 3.7 or later" in done.stderr
    assert not list(tmp_path.glob("results/**/tuner.db"))
