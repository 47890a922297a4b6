"""Every check holds on plain sockets, and under the library whatever it is told: only the time may differ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest
from preload_builds import (
    CHECKS,
    SANITIZE,
    SANITIZE_THREADS,
    UNSIGNALLED,
    compile_library,
    compile_program,
    compile_sanitized_kernel,
    run,
    run_quietly,
    sanitizer_runtime,
)

from tuner.stacks.preloads import kernel_library

# Polling for ever yields, because here both ends may share a processor with other tests.
EVER: Final = {"XLIO_RX_POLL": "-1", "XLIO_SELECT_POLL": "-1", "XLIO_RX_POLL_YIELD": "1"}
SETTINGS: Final = {
    "unset": {},
    "zero": {"XLIO_RX_POLL": "0", "XLIO_SELECT_POLL": "0"},
    "100": {"XLIO_RX_POLL": "100", "XLIO_SELECT_POLL": "100", "XLIO_RX_POLL_YIELD": "10"},
    "ever": EVER,
    "all": {
        "XLIO_RX_POLL": "2000",
        "XLIO_SELECT_POLL": "2000",
        "XLIO_RX_POLL_YIELD": "7",
        "XLIO_TCP_NODELAY": "1",
        "XLIO_TCP_QUICKACK": "1",
        "XLIO_TCP_SEND_BUFFER_SIZE": "64KB",
        "XLIO_RX_BYTES_MIN": "65536",
        "XLIO_MSS": "1000",
        "XLIO_TX_MC_LOOPBACK": "0",
    },
}
# The sanitizer's runtime cannot follow a thread that is cancelled out of instrumented functions, with or without us.
SANITIZED: Final = [name for name in CHECKS if "cancelled" not in name]
RECEIVES: Final = (
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "__read_chk",
    "__recv_chk",
    "__recvfrom_chk",
)
WATCHES: Final = (
    "select",
    "pselect",
    "poll",
    "ppoll",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "__poll_chk",
    "__ppoll_chk",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(tmp_path_factory.mktemp("checks"))


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    directory = tmp_path_factory.mktemp("sanitized")
    return compile_program(directory, *SANITIZE), [sanitizer_runtime(), compile_sanitized_kernel(directory)]


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(tmp_path_factory.mktemp("witness"), "witness.c")


@pytest.mark.parametrize("check", CHECKS)
def test_on_plain_sockets(program: Path, check: str) -> None:
    run_quietly([program, check], {}, [])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("check", CHECKS)
def test_under_the_library(program: Path, check: str, settings: dict[str, str]) -> None:
    run_quietly([program, check], settings)


@pytest.mark.parametrize("check", SANITIZED)
def test_with_sanitizers(sanitized: tuple[Path, list[Path]], check: str) -> None:
    program, preloads = sanitized
    settings = {**SETTINGS["all"], "XLIO_RX_POLL": "100", "ASAN_OPTIONS": "detect_leaks=0"}
    run_quietly([program, check], settings, preloads)


def test_no_thread_races_with_another_in_the_library(tmp_path: Path) -> None:
    program = compile_program(tmp_path, *SANITIZE_THREADS)
    library = compile_sanitized_kernel(tmp_path, SANITIZE_THREADS)
    for check in UNSIGNALLED[::3]:  # all of them take a minute on a busy machine
        run_quietly([program, check], {**SETTINGS["all"], "XLIO_RX_POLL": "100"}, [library])


def test_the_sanitized_library_is_put_to_work(sanitized: tuple[Path, list[Path]]) -> None:
    program, preloads = sanitized
    done = run([program, "the_sender_is_named"], {"XLIO_RX_POLL": "100", "ASAN_OPTIONS": "detect_leaks=0"}, preloads)
    assert done.returncode == 0
    assert "[XLIO_RX_POLL]" in done.stderr


def looks(program: Path, witness: Path, way: str, **settings: str) -> tuple[int, int, int, int]:
    """Return how often one wait looked, slept, yielded and asked the kernel about its socket."""
    printed = run_quietly([program, "look"], {"WAY": way, **settings}, [kernel_library(), witness])
    found = [int(word) for word in printed.split()]
    return found[0], found[1], found[2], found[3]


@pytest.mark.parametrize("way", RECEIVES + WATCHES)
def test_without_settings_a_call_is_passed_on_and_nothing_else(program: Path, witness: Path, way: str) -> None:
    assert looks(program, witness, way) == (0, 1, 0, 0)


@pytest.mark.parametrize("way", RECEIVES)
def test_a_receive_looks_as_often_as_it_is_told_and_then_sleeps(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_RX_POLL="100", XLIO_RX_POLL_YIELD="10")
    assert seen[:3] == (100, 1, 9)


@pytest.mark.parametrize("way", RECEIVES)
def test_a_receive_that_polls_for_ever_never_sleeps(program: Path, witness: Path, way: str) -> None:
    assert looks(program, witness, way, XLIO_RX_POLL="-1", SENDS_AT="5000")[:3] == (5000, 0, 0)


@pytest.mark.parametrize("way", RECEIVES)
def test_data_that_is_there_costs_one_look(program: Path, witness: Path, way: str) -> None:
    assert looks(program, witness, way, XLIO_RX_POLL="100", SENDS_AT="1") == (1, 0, 0, 0)


@pytest.mark.parametrize("way", ["recv", "recvfrom", "recvmsg", "recvmmsg"])
def test_a_receive_of_all_is_peeked_for_and_then_waited_for(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_RX_POLL="-1", SENDS_AT="50", FLAGS=str(0x100))
    assert seen[:2] == (50, 1)


@pytest.mark.parametrize("way", ["recv", "recvfrom", "recvmsg", "recvmmsg"])
def test_a_receive_of_all_within_a_time_limit_is_not_polled(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_RX_POLL="-1", LIMIT_S="60", FLAGS=str(0x100))
    assert seen[:2] == (1, 1)


@pytest.mark.parametrize("way", RECEIVES)
def test_a_time_limit_that_outlasts_the_polls_is_slept_out(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_RX_POLL="100", LIMIT_S="60")
    assert seen[:2] == (101, 1)


@pytest.mark.parametrize("way", WATCHES)
def test_a_watch_that_polls_for_ever_never_sleeps(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_SELECT_POLL="-1", XLIO_RX_POLL_YIELD="100", SENDS_AT="1000")
    assert seen[:3] == (1000, 0, 9)


@pytest.mark.parametrize("way", ["pselect", "ppoll", "epoll_pwait", "epoll_pwait2", "__ppoll_chk"])
def test_a_masked_watch_polls_too(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_SELECT_POLL="-1", MASKED="1", SENDS_AT="1000")
    assert (seen[0] >= 1000, seen[1]) == (True, 0)


@pytest.mark.parametrize("way", WATCHES)
def test_a_watch_looks_and_then_sleeps(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_SELECT_POLL="200")
    assert (seen[0] > 0, seen[1]) == (True, 1)


@pytest.mark.parametrize("way", [*RECEIVES, *(way for way in WATCHES if not way.startswith("epoll"))])
def test_unix_sockets_are_not_polled(program: Path, witness: Path, way: str) -> None:
    seen = looks(program, witness, way, XLIO_RX_POLL="-1", XLIO_SELECT_POLL="-1", SOCKET="unix")
    assert seen[:3] == (1, 1, 0)


@pytest.mark.parametrize("settings", [{}, EVER], ids=["unset", "ever"])
def test_calls_before_the_constructor_work(tmp_path: Path, settings: dict[str, str]) -> None:
    early = compile_library(tmp_path, "early.c")
    done = run(["/bin/true"], settings, [kernel_library(), early])
    assert (done.returncode, done.stdout) == (0, "early\n")
    assert done.stderr.count("TUNER_KERNEL_VERSION") == 1


def test_what_the_program_opened_in_the_place_of_standard_error_gets_no_line_of_ours(tmp_path: Path) -> None:
    code = (
        "import os, socket\n"
        "os.close(2)\n"
        f"assert os.open({str(tmp_path / 'own')!r}, os.O_CREAT | os.O_WRONLY) == 2\n"
        "socket.socket()\n"  # of which the kernel cuts the buffer
    )
    told = run([sys.executable, "-c", "import socket; socket.socket()"], {"XLIO_RX_BYTES_MIN": "1000000000"})
    assert "XLIO_RX_BYTES_MIN=1000000000 was cut to" in told.stderr
    done = run([sys.executable, "-c", code], {"XLIO_RX_BYTES_MIN": "1000000000"})
    assert done.returncode == 0
    assert (tmp_path / "own").read_bytes() == b""
