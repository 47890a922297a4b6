"""A configuration counts as applied only when the library says so itself; everything else is named.

XLIO and VMA are stood in for by a library that prints a recorded banner of the real one; no card is here.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import command_line
import fake
import pytest
from sessions import PLAN, polling_helps, tune

from tuner import catalogue
from tuner.hosts.host import Command, ProcessResult
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.setup.plan import Contender
from tuner.session.setup.readback import refusal
from tuner.stacks import banner, library
from tuner.stacks.verification import Verified, verify
from tuner.store import Store

RECORDED = Path(__file__).parent / "data" / "banners"
SOURCE = """
#include <stdio.h>
__attribute__((constructor)) static void banner(void)
{
    FILE *from = fopen(RECORDING, "r");
    for (int c; from && (c = getc(from)) != EOF;)
        putc(c, stderr);
    if (from)
        fclose(from);
}
"""
DETAILS = {name: (RECORDED / f"{name}-trace_details.txt").read_text(encoding="utf-8") for name in ("xlio-3.61.2", "xlio-3.40.2", "vma-9.8.84")}  # fmt: skip
FORCED: dict[str, str | None] = {"XLIO_TRACELEVEL": "info"}


def without_errors(text: str) -> str:
    """Return a recorded banner as a host with a card prints it."""
    return "\n".join(line for line in text.splitlines() if " ERROR" not in line) + "\n"


def showing(text: str, changes: Mapping[str, str]) -> str:
    """Return a banner with other values for some variables."""
    lines = []
    for line in text.splitlines():
        name = next((each for each in changes if line.endswith(f"[{each}]")), None)
        label = line.partition(": ")[2][:30]
        lines.append(f" XLIO INFO   : {label} {changes[name]:<26} [{name}]" if name else line)
    return "\n".join(lines) + "\n"


@cache
def stand_in(folder: Path) -> Path:
    """Return a library that prints the file `banner.txt` beside it when it is loaded."""
    (folder / "stand_in.c").write_text(SOURCE, encoding="utf-8")
    path, text = folder / "libstandin.so", folder / "banner.txt"
    command = ["cc", "-shared", "-fPIC", f'-DRECORDING="{text}"', "-o", str(path), str(folder / "stand_in.c")]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in(tmp_path_factory.mktemp("lib"))


def verified(folder: Path, lib: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    lib.with_name("banner.txt").write_text(text, encoding="utf-8")
    return command_line.run(folder, "verify", *more, "--lib", str(lib))


def profile(folder: Path, stack: str, settings: Mapping[str, str]) -> str:
    lines = [f'{name} = "{value}"' for name, value in settings.items()]
    (folder / "mine.toml").write_text("\n".join(['name = "mine"', f'stack = "{stack}"', "[settings]", *lines]), encoding="utf-8")  # fmt: skip
    return "mine.toml"


def became(
    settings: Mapping[str, str], changes: Mapping[str, str] = {}, release: str = "3.61.2"
) -> dict[str, Verified]:
    read = banner.read(showing(DETAILS[f"xlio-{release}"], changes))
    return {each.name: each for each in verify(catalogue.load("xlio"), settings, read, FORCED)}


@pytest.mark.parametrize(
    ("settings", "changes", "status", "predicted"),
    [
        ({"XLIO_RX_POLL": "-1"}, {"XLIO_RX_POLL": "-1"}, "applied", True),
        ({"XLIO_MEMORY_LIMIT": "4GB"}, {"XLIO_MEMORY_LIMIT": "4 GB"}, "applied", True),
        ({"XLIO_TX_WRE_BATCHING": "999"}, {"XLIO_TX_WRE_BATCHING": "64"}, "clamped", True),
        ({"XLIO_RX_POLL": "-5"}, {}, "defaulted", True),
        ({"XLIO_SPEC": "multi_ring_latency"}, {}, "defaulted", True),
        ({"XLIO_BF": "1"}, {}, "ignored", True),
        ({"XLIO_RX_POL": "1"}, {}, "ignored", True),
        ({"XLIO_TX_WRE": "3"}, {"XLIO_TX_WRE": "128"}, "forced by a rule, as predicted", True),
        ({"XLIO_RX_POLL": "7"}, {}, "defaulted", False),
        ({"XLIO_RX_POLL": "7"}, {"XLIO_RX_POLL": "9"}, "not as predicted", False),
        ({"XLIO_TCP_NODELAY": "true"}, {}, "clamped", True),
        ({"XLIO_TCP_PUSH_FLAG": "0"}, {}, "not shown", True),
        ({"XLIO_TRACELEVEL": "debug"}, {}, "not shown", True),
    ],
)
def test_each_setting_is_told_what_became_of_it(
    settings: dict[str, str], changes: dict[str, str], status: str, predicted: bool
) -> None:
    (found,) = became(settings, changes).values()
    assert (found.status, found.predicted) == (status, predicted)
    assert found.fine == (status in {"applied", "not shown", "forced by a rule, as predicted"})


def test_a_value_that_a_known_rule_replaces_is_verified_and_the_rule_is_named(tmp_path: Path, lib: Path) -> None:
    text = showing(DETAILS["xlio-3.61.2"], {"XLIO_TX_WRE": "128"})
    named = profile(tmp_path, "xlio", {"XLIO_TX_WRE": "3"})
    done = verified(tmp_path, lib, text, named)
    assert done.returncode == 0
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("XLIO_TX_WRE ")]
    assert "forced by a rule, as predicted" in row
    assert "128 is in effect: XLIO_TX_WRE must be at least twice XLIO_TX_WRE_BATCHING" in row
    other = verified(tmp_path, lib, showing(text, {"XLIO_TX_WRE": "99"}), named, "--json")
    assert (other.returncode, json.loads(other.stdout)["settings"][0]["status"]) == (1, "not as predicted")


def test_a_profile_that_the_library_applies_is_verified(tmp_path: Path, lib: Path) -> None:
    text = showing(DETAILS["xlio-3.61.2"], {"XLIO_RX_POLL": "-1", "XLIO_TSO": "Disabled"})
    done = verified(tmp_path, lib, text, profile(tmp_path, "xlio", {"XLIO_RX_POLL": "-1", "XLIO_TSO": "off"}), "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["version"], answer["applied"]) == (0, "3.61.2", True)
    assert [each["status"] for each in answer["settings"]] == ["applied", "applied"]


def test_a_profile_that_comes_out_differently_ends_with_1_and_the_reason(tmp_path: Path, lib: Path) -> None:
    settings = {"XLIO_RX_POLL": "-1", "XLIO_THREAD_MODE": "0"}
    done = verified(tmp_path, lib, DETAILS["xlio-3.61.2"], profile(tmp_path, "xlio", settings))
    assert done.returncode == 1
    assert "defaulted" in done.stdout
    assert "does not read it: from 2.0.6 to 3.40.0" in done.stdout


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"LD_AUDIT": "/tmp/a.so"}, "LD_AUDIT is not a variable of xlio"),  # noqa: S108 # a value
        ({"XLIO_NONE": "1"}, "xlio has no parameter XLIO_NONE"),
        ({"XLIO_LOG_FILE": "a\\u0000b"}, "settings.XLIO_LOG_FILE"),
    ],
)
def test_a_profile_that_sets_what_is_no_setting_is_not_given_to_a_library(
    settings: dict[str, str], says: str, tmp_path: Path, lib: Path
) -> None:
    done = verified(tmp_path, lib, DETAILS["xlio-3.61.2"], profile(tmp_path, "xlio", settings))
    assert done.returncode == 2
    assert says in done.stderr


def test_vma_is_verified_by_its_own_banner(tmp_path: Path, lib: Path) -> None:
    named = profile(tmp_path, "vma", {"VMA_RX_POLL": "100000"})
    done = verified(tmp_path, lib, DETAILS["vma-9.8.84"], named, "--json")
    assert (done.returncode, json.loads(done.stdout)["version"]) == (0, "9.8.84")


def test_the_library_of_another_stack_is_named(tmp_path: Path, lib: Path) -> None:
    done = verified(tmp_path, lib, DETAILS["vma-9.8.84"], profile(tmp_path, "xlio", {"XLIO_RX_POLL": "1"}))
    assert done.returncode == 1
    assert "is the library of stack vma, not of xlio (use --stack vma)" in done.stderr


def test_a_release_that_is_not_known_is_read_and_doubted(tmp_path: Path, lib: Path) -> None:
    text = DETAILS["xlio-3.61.2"].replace("3.61.2-0", "9.9.9-0")
    done = verified(tmp_path, lib, text, profile(tmp_path, "xlio", {"XLIO_RX_POLL": "100000"}))
    assert (done.returncode, "xlio 9.9.9 is not in the catalogue: it is read as 3.70.2" in done.stdout) == (0, True)


def test_a_library_that_prints_nothing_is_not_loaded(tmp_path: Path, lib: Path) -> None:
    done = verified(tmp_path, lib, "", profile(tmp_path, "xlio", {"XLIO_RX_POLL": "1"}))
    assert (done.returncode, "printed no XLIO_VERSION line" in done.stderr) == (1, True)


def test_the_kernel_stack_is_really_verified(tmp_path: Path) -> None:
    done = command_line.run(tmp_path, "verify", "kernel/latency", "--json")
    assert done.returncode == 0, done.stderr
    assert {each["status"] for each in json.loads(done.stdout)["settings"]} == {"applied"}


class Pc(SimulatedHost):
    """A host of a known architecture."""

    def machine(self) -> str:
        return "x86_64"


def header(kind: int = 3, machine: int = 62, bits: int = 2, order: int = 1) -> bytes:
    numbers = b"".join(each.to_bytes(2, "little" if order == 1 else "big") for each in (kind, machine))
    return b"\x7fELF" + bytes([bits, order]) + bytes(10) + numbers + bytes(44)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header(), None),
        (header(order=2), None),
        (b"", "is not an ELF file"),
        (b"INPUT(libxlio.so.3)", "is not an ELF file"),
        (header(machine=183), "is built for aarch64 (64 bit), and programs here are x86_64"),
        (header(machine=3, bits=1), "is built for i386 (32 bit)"),
        (header(machine=999), "is built for machine 999"),
        (header(kind=1), "not a shared library"),
        (header(bits=7), "makes no sense"),
    ],
)
def test_a_file_that_cannot_be_preloaded_is_known_before_the_loader_only_warns(
    tmp_path: Path, content: bytes, said: str | None
) -> None:
    (tmp_path / "lib.so").write_bytes(content)
    found = library.problem(tmp_path / "lib.so", Pc(lambda _: 36.0))
    assert (found is None) if said is None else (found is not None and said in found.message)


def test_a_library_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none.so", "does not exist"), (tmp_path, "is not a file")):
        found = library.problem(path, Pc(lambda _: 36.0))
        assert found is not None
        assert said in found.message


@dataclass
class Talking(SimulatedHost):
    """A host whose kernel library shows `RX_POLL` as it was set, or as `stuck` when that is given."""

    stuck: str = ""

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        value = self.stuck or command.environment.get("XLIO_RX_POLL", "0")
        text = " XLIO INFO   : TUNER_KERNEL_VERSION: 0.1.0\n"
        text += f" XLIO INFO   : {'Rx Poll Loops':<30} {value:<26} [XLIO_RX_POLL]\n"
        assert command.environment["XLIO_TRACELEVEL"] == "details"
        return ProcessResult(0, "", text, 0.0)


@pytest.mark.parametrize(("stuck", "noted"), [("", False), ("5", True)])
def test_what_the_library_says_of_each_configuration_is_kept_with_its_runs(
    tmp_path: Path, stuck: str, noted: bool
) -> None:
    plan = replace(PLAN, budget_s=20.0, release="0.1.0")
    answer = tune(tmp_path, Talking(polling_helps, stuck=stuck), plan)
    runs = Store(Results(tmp_path).url).runs(answer["session"])
    told = [run for run in runs if "read_back" in run.evidence]
    assert bool(told) == noted
    assert all("XLIO_RX_POLL" in run.evidence["read_back"][0] for run in told)


def test_a_known_profile_that_the_release_would_not_run_is_invalid_and_never_run(tmp_path: Path) -> None:
    odd = Contender("odd", {"XLIO_RX_POLL": "abc"})
    plan = replace(PLAN, budget_s=20.0, release="0.1.0", known=(*PLAN.known, odd))
    host = SimulatedHost(polling_helps)
    answer = tune(tmp_path, host, plan)
    assert answer["trials"]["invalid"] == 1
    assert not any(run.client.environment.get("XLIO_RX_POLL") == "abc" for run in host.runs)


@pytest.mark.parametrize(
    ("settings", "release", "why"),
    [
        ({"XLIO_RX_POLL": "-1"}, "3.61.2", None),
        ({"XLIO_THREAD_MODE": "0"}, "3.21.2", None),
        ({"XLIO_THREAD_MODE": "0"}, "3.61.2", "does not read XLIO_THREAD_MODE"),
        ({"XLIO_MEMORY_LIMIT": "16777216"}, "3.61.2", "the library will not start"),
        ({"XLIO_SPEC": "multi_ring_latency"}, "3.61.2", "ignored by xlio 3.61.2"),
        ({"XLIO_THREAD_MODE": "0"}, None, None),
    ],
)
def test_what_would_run_as_something_else_is_refused(
    settings: dict[str, str], release: str | None, why: str | None
) -> None:
    found = refusal("xlio", settings, release)
    assert (found is None) if why is None else (found is not None and why in found)


def test_a_session_begins_with_the_release_of_the_library(tmp_path: Path, lib: Path) -> None:
    lib.with_name("banner.txt").write_text(without_errors(DETAILS["xlio-3.40.2"]), encoding="utf-8")
    program = fake.install(tmp_path, noise=0.01)
    named = profile(tmp_path, "xlio", {"XLIO_USE_NEW_CONFIG": "0"})
    options = ["--runs", "1", "--allow-os-sockets", "--lib", str(lib), "--sockperf", str(program)]
    done = command_line.run(tmp_path, "measure", named, *options)
    assert done.returncode == 2
    assert "xlio 3.40.2 would not run this as written" in done.stderr
    assert "tuner profiles migrate mine --to 3.40.2" in done.stderr
