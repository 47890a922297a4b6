"""Ordinary programs, which know nothing of the library, do under it what they do without."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from preload_builds import LIMIT_S, run_quietly

from tuner.stacks.preloads import faststart_library, kernel_library

PROGRAMS_FILE: Final = Path(__file__).parent / "preload" / "programs.py"
PROGRAMS: Final = re.findall(r'^    "(\w+)": ', PROGRAMS_FILE.read_text(), re.MULTILINE)
SETTINGS: Final = {
    "unset": {},
    "100": {"XLIO_RX_POLL": "100", "XLIO_SELECT_POLL": "100"},
    "ever": {"XLIO_SPEC": "latency", "XLIO_RX_POLL_YIELD": "1", "XLIO_TCP_QUICKACK": "1"},
}
CURL: Final = shutil.which("curl")


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_python_program(program: str, settings: dict[str, str]) -> None:
    assert run_quietly([sys.executable, PROGRAMS_FILE, program], settings) == ""


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_bound(protocol: str, port: int) -> bool:
    """Whether a socket of this host has the port, without touching it."""
    return f":{port:04X} " in Path(f"/proc/net/{protocol}").read_text()


@contextmanager
def process(command: list[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program under the library beside the test, and see to its end whatever happens."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **settings, "LD_PRELOAD": str(kernel_library())}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.fixture(params=sorted(SETTINGS))
def web_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Serve a file under the library; give its address, the settings, and what is in it."""
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    settings = SETTINGS[request.param]
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with process(command, settings) as server:
        assert server.stdout is not None
        port = re.search(r"port (\d+)", server.stdout.readline())
        assert port is not None
        yield f"http://127.0.0.1:{port[1]}/file", settings, content


@pytest.mark.skipif(CURL is None, reason="there is no curl to try")
def test_curl_fetches_a_file(web_server: tuple[str, dict[str, str], bytes], tmp_path: Path) -> None:
    address, settings, content = web_server
    run_quietly(["curl", "-sS", "-o", tmp_path / "copy", address], settings)
    assert (tmp_path / "copy").read_bytes() == content


def test_the_urllib_fetches_a_file(web_server: tuple[str, dict[str, str], bytes]) -> None:
    address, settings, content = web_server
    script = f"import urllib.request as r, hashlib; print(hashlib.sha256(r.urlopen('{address}').read()).hexdigest())"
    assert run_quietly([sys.executable, "-c", script], settings).strip() == hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["tcp", "udp"])
def sockperf_arguments(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Run a sockperf server that polls for ever; give the arguments with which a client reaches it."""
    protocol = str(request.param)
    port = free_port(socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    arguments = ["-i", "127.0.0.1", "-p", str(port), *(["--tcp"] if protocol == "tcp" else [])]
    with process(["sockperf", "server", *arguments], SETTINGS["ever"]) as server:
        while not is_bound(protocol, port):
            assert server.poll() is None
        yield arguments
        server.send_signal(signal.SIGINT)
        printed, _ = server.communicate(timeout=LIMIT_S)
    assert "messages received and handled" in printed


@pytest.mark.serial
def test_sockperf_ends_although_both_ends_poll_for_ever(sockperf_arguments: list[str]) -> None:
    command = ["sockperf", "ping-pong", *sockperf_arguments, "-t", "1"]
    printed = run_quietly(command, SETTINGS["ever"], [kernel_library(), faststart_library()])
    assert re.search(r"percentile 50\.000 =\s+[\d.]+", printed)
    assert "Test ended" in printed
