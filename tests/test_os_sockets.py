"""A banner is not enough: what a library leaves to the operating system is never measured under the library's name."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import command_line
import fake
import pytest

from tuner import stacks
from tuner.catalogue import facts
from tuner.errors import UsageError
from tuner.hosts.host import ProcessResult
from tuner.hosts.pair import RunOutput
from tuner.profiles.files import read
from tuner.runs import launch
from tuner.runs.launch import Launch
from tuner.runs.workload import Workload
from tuner.session.setup import os_sockets
from tuner.stacks import counters
from tuner.stacks.offload import Sockets, carried, unproven

OFFLOADED = (
    "Fd=[5]\nTx Offload: 12 / 100 / 0 / 0 [kilobytes/packets/eagains/errors]\nRx Offload: 12 / 90 / 0 / 0 [..]\n"
)
BY_THE_OS = "Fd=[5]\nTx OS info: 12 / 100 / 0 / 0 [kilobytes/packets/eagains/errors]\n"
INACTIVE = "Fd=[5]\n- TCP, Blocked\nRx and Tx where not active\n"
STACKS = tuple(each.name for each in facts.every() if each.os_loopback)

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((constructor)) static void start(void)
{
    const char *name = getenv("%(prefix)sSTATS_FILE"), *kept = getenv("%(prefix)sSTATS_FD_NUM");
    FILE *file = name && kept && atoi(kept) ? fopen(name, "w") : NULL;
    fputs(" %(title)s INFO: %(title)s_VERSION: %(release)s-1 Release built on Nov 14 2022 17:03:52\n", stderr);
    fputs(" %(title)s INFO: Log Level                      INFO                       [%(prefix)sTRACELEVEL]\n", stderr);
    if (file) {
        fputs("%(counts)s", file);
        fclose(file);
    }
}
"""


def stand_in(folder: Path, stack: str, release: str, counts: str) -> Path:
    """Return a library that prints a banner and writes these counts, as one that keeps counts does."""
    about = facts.load(stack)
    words = {"prefix": about.prefix, "title": about.title, "release": release, "counts": counts.replace("\n", "\\n")}
    source, library = folder / "stand_in.c", folder / f"lib{stack}.so"
    source.write_text(SOURCE % words, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


# A network of its own, in which this machine has an address that is no loopback address.
APART = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec "$@"', "sh"]


def can_be_apart() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*APART, "true"], check=False, capture_output=True).returncode == 0
    )


apart = pytest.mark.skipif(
    not can_be_apart(), reason="this user may not make a network namespace, or ip(8) is not here"
)


def tuner(
    folder: Path, library: Path, stack: str, *arguments: str, within: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    program = fake.install(folder, noise=0.01, slow_s=0)
    words = [*arguments, "--stack", stack, "--lib", str(library), "--sockperf", str(program), "--json"]
    if not within:
        return command_line.run(folder, *words, limit_s=100)
    command = [*within, *command_line.STARTED, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)


def test_the_stacks_that_leave_loopback_to_the_system_are_named_in_their_catalogues() -> None:
    assert set(STACKS) == {"vma", "xlio"}


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 # nothing listens there
        ("::", True),
        ("10.0.0.1", False),
        ("fe80::1", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_every_address_that_is_reached_over_loopback_is_known(address: str, loopback: bool) -> None:
    assert os_sockets.is_loopback(address) is loopback


@pytest.mark.parametrize("stack", STACKS)
def test_a_loopback_address_is_refused_unless_it_is_asked_for(stack: str) -> None:
    with pytest.raises(UsageError, match="kernel would be measured") as refusal:
        os_sockets.check(stacks.named(stack), [Workload(address="127.0.0.2")], allowed=False)
    assert "127.0.0.2" in str(refusal.value.findings[0])
    assert "--address" in refusal.value.advice
    assert "--allow-os-sockets" in refusal.value.advice
    os_sockets.check(stacks.named(stack), [Workload(address="127.0.0.2")], allowed=True)
    os_sockets.check(stacks.named(stack), [Workload(address="10.1.2.3")], allowed=False)


@pytest.mark.parametrize("stack", ["kernel", "onload"])
def test_stacks_that_take_loopback_are_not_refused(stack: str) -> None:
    os_sockets.check(stacks.named(stack), [Workload()], allowed=False)


@pytest.mark.parametrize(
    ("text", "sockets"),
    [
        (OFFLOADED, Sockets.OFFLOADED),
        (BY_THE_OS + OFFLOADED, Sockets.OFFLOADED),
        (BY_THE_OS, Sockets.OS),
        (INACTIVE, Sockets.OS),
        ("", Sockets.UNKNOWN),
        ("garbage\n", Sockets.UNKNOWN),
        (None, Sockets.UNKNOWN),
    ],
)
def test_who_carried_the_packets_follows_from_the_librarys_counts(text: str | None, sockets: Sockets) -> None:
    assert carried(None if text is None else counters.read(text)) is sockets


@pytest.mark.parametrize(
    ("client", "server", "why"),
    [
        (OFFLOADED, OFFLOADED, ""),
        (OFFLOADED, None, ""),
        (OFFLOADED, "", ""),
        (OFFLOADED, BY_THE_OS, "server: its sockets were left to the operating system: 100 packets"),
        (INACTIVE, OFFLOADED, "client: its sockets were left to the operating system"),
        ("", OFFLOADED, "client: nothing shows"),
        (None, None, "client: nothing shows"),
    ],
)
def test_a_run_counts_only_where_the_library_carried_it(client: str | None, server: str | None, why: str) -> None:
    texts = {"client": client, "server": server}
    found = unproven({end: counters.read(text) for end, text in texts.items() if text is not None})
    assert found.startswith(why)
    assert bool(found) == bool(why)


@pytest.mark.parametrize("stack", STACKS)
def test_a_library_is_asked_to_keep_counts_and_a_profile_may_ask_for_more(stack: str) -> None:
    about = facts.load(stack)
    assert int(Launch().variables(stack, {})[about.statistics_sockets]) >= 100
    assert Launch().variables(stack, {about.statistics_sockets: "200"})[about.statistics_sockets] == "200"
    assert launch.unproven("kernel", RunOutput((ProcessResult(0, "", "", 0.0),), None, "", 0.0)) == ""


def test_the_counts_of_every_receiver_are_read_and_one_that_was_left_to_the_kernel_is_named() -> None:
    ended = ProcessResult(0, "", "", 0.0)
    files = [OFFLOADED, OFFLOADED, BY_THE_OS]
    first, *further = [{"server.stats": text} for text in files]
    written = first | {"client.stats": OFFLOADED}
    output = RunOutput((ended,), ended, "", 0.0, written=written, further_written=tuple(further))
    assert set(launch.counts(output)) == {"server", "client", "server 2", "server 3"}
    counted = launch.evidence("vma", output)["counters"]
    assert isinstance(counted, dict)
    assert set(counted) == {"server", "client", "server 2", "server 3"}
    assert launch.unproven("vma", output).startswith("server 3: its sockets were left to the operating system")


@pytest.mark.serial  # a block that the tests beside disturb is made again
@apart
@pytest.mark.parametrize(
    ("counts", "reason"),
    [(BY_THE_OS, "left to the operating system"), ("", "nothing shows that its sockets are offloaded")],
)
def test_a_library_that_is_loaded_and_leaves_sockets_to_the_kernel_ends_in_the_first_block(
    counts: str, reason: str, tmp_path: Path
) -> None:
    library = stand_in(tmp_path, "vma", "9.7.2", counts)
    done = tuner(tmp_path, library, "vma", "tune", "--budget", "60s", "--address", "192.0.2.1", within=APART)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not-loaded" in done.stderr
    assert reason in done.stderr
    (session,) = json.loads(command_line.run(tmp_path, "sessions", "list", "--json").stdout)
    shown = command_line.run(tmp_path, "sessions", "show", session["session"], "--json")
    runs = json.loads(shown.stdout)["runs"]
    assert {run["block"] for run in runs} == {0}
    assert {run["status"] for run in runs} == {"not-loaded"}


@pytest.mark.serial  # a block that the tests beside disturb is made again
@apart
@pytest.mark.parametrize(("stack", "release"), [("vma", "9.7.2"), ("xlio", "3.61.2")])
def test_a_library_that_carries_the_packets_is_measured(stack: str, release: str, tmp_path: Path) -> None:
    library = stand_in(tmp_path, stack, release, OFFLOADED)
    done = tuner(tmp_path, library, stack, "measure", "default", "--runs", "2", "--address", "192.0.2.1", within=APART)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "sockets" not in found
    assert found["counters"]["client"]["tx_packets"] == 200


def test_sockets_of_the_system_are_named_so_wherever_the_result_is_told(tmp_path: Path) -> None:
    library = stand_in(tmp_path, "vma", "9.7.2", "")
    done = tuner(tmp_path, library, "vma", "tune", "--budget", "10s", "--allow-os-sockets", "--optimizer", "random")
    assert done.returncode in {0, 3}, done.stderr
    found = json.loads(done.stdout)
    assert found["sockets"] == "os-sockets"
    assert "os-sockets" in found["why"]
    assert "os-sockets" in done.stderr
    folder = tmp_path / "results" / found["session"]
    assert "os-sockets" in (folder / "summary.md").read_text()
    assert "os-sockets" in (folder / "report.html").read_text()
    if found["verdict"] == "improved":
        origin = read(folder / "best.toml").origin
        assert origin is not None
        assert origin["sockets"] == "os-sockets"
