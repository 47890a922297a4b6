"""What the library says about its settings, and what the sockets get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preload_builds import LIMIT_S, run

import tuner
from tuner.stacks.banner import Banner, read
from tuner.stacks.kernel import STACK as KERNEL
from tuner.stacks.preloads import kernel_library

LATENCY: Final = {"XLIO_RX_POLL": "-1", "XLIO_SELECT_POLL": "-1", "XLIO_TCP_NODELAY": "1"}
NGINX: Final = {"XLIO_TCP_SEND_BUFFER_SIZE": "2 MB"}


def banner(**variables: str) -> Banner:
    """Return what a process that does nothing says at start-up."""
    done = run(["/bin/true"], variables)
    assert (done.returncode, done.stdout) == (0, "")
    return read(done.stderr)


def in_effect(**variables: str) -> dict[str, str]:
    """Return the settings that the banner shows, without the level of the log."""
    shown = dict(banner(**variables).shown)
    del shown["XLIO_TRACELEVEL"]
    return shown


def test_the_banner_proves_the_stack_without_claiming_to_be_xlio() -> None:
    done = run(["/bin/true"], {})
    proof = KERNEL.proof(done.stderr, done.stdout)
    assert proof.loaded
    assert proof.banner == Banner("TUNER_KERNEL_VERSION", tuner.__version__, {"XLIO_TRACELEVEL": "INFO"})
    assert "XLIO_VERSION" not in done.stderr
    assert "kernel sockets, not XLIO" in done.stderr


def test_a_setting_stands_in_xlios_columns() -> None:
    done = run(["/bin/true"], {"XLIO_RX_POLL": "5"})
    assert f" XLIO INFO   : {'Rx Poll Loops':30} {'5':26} [XLIO_RX_POLL]" in done.stderr.splitlines()


def test_details_show_every_setting() -> None:
    shown = in_effect(XLIO_TRACELEVEL="details")
    del shown["XLIO_LOG_FILE"]  # has no value here
    assert shown == {
        "XLIO_SPEC": "none",
        "XLIO_TX_MC_LOOPBACK": "kernel default",
        "XLIO_TCP_SEND_BUFFER_SIZE": "kernel default",
        "XLIO_RX_BYTES_MIN": "0",
        "XLIO_RX_POLL": "0",
        "XLIO_RX_POLL_YIELD": "0",
        "XLIO_SELECT_POLL": "0",
        "XLIO_TCP_NODELAY": "0",
        "XLIO_TCP_QUICKACK": "0",
        "XLIO_MSS": "0",
        "XLIO_TCP_CC_ALGO": "0 (kernel default)",
    }


@pytest.mark.parametrize(
    ("variable", "text", "shown"),
    [
        ("XLIO_RX_POLL", "-1", "-1"),
        ("XLIO_RX_POLL", "100000000", "100000000"),
        ("XLIO_RX_POLL_YIELD", "3", "3"),
        ("XLIO_SELECT_POLL", "100", "100"),
        ("XLIO_TCP_NODELAY", "1", "1"),
        ("XLIO_TCP_QUICKACK", "1", "1"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "262144", "256 KB"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "1mb", "1 MB"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "1G", "1 GB"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "1000B", "1000"),
        ("XLIO_RX_BYTES_MIN", "65536", "65536"),
        ("XLIO_MSS", "88", "88"),
        ("XLIO_MSS", "32767", "32767"),
        ("XLIO_TCP_CC_ALGO", "1", "1 (CUBIC)"),
        ("XLIO_TX_MC_LOOPBACK", "0", "Disabled"),
        ("XLIO_TX_MC_LOOPBACK", "1", "Enabled"),
    ],
)
def test_a_value_is_shown_as_it_takes_effect(variable: str, text: str, shown: str) -> None:
    said = banner(**{variable: text})
    assert said.shown == {"XLIO_TRACELEVEL": "INFO", variable: shown}
    assert said.warnings == ()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("XLIO_RX_POLL", "-2"),
        ("XLIO_RX_POLL", "100000001"),
        ("XLIO_RX_POLL", "99999999999999999999"),
        ("XLIO_RX_POLL", ""),
        ("XLIO_RX_POLL", "-"),
        ("XLIO_RX_POLL", "1K"),
        ("XLIO_RX_POLL", "0x10"),
        ("XLIO_RX_POLL", " 1"),
        ("XLIO_RX_POLL", "1 "),
        ("XLIO_RX_POLL", "+1"),
        ("XLIO_RX_POLL", "1.5"),
        ("XLIO_RX_POLL_YIELD", "-1"),
        ("XLIO_SELECT_POLL", "abc"),
        ("XLIO_TCP_NODELAY", "true"),
        ("XLIO_TCP_NODELAY", "2"),
        ("XLIO_TCP_QUICKACK", "on"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "0"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "1TB"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "1 MB"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "9999999999G"),
        ("XLIO_TCP_SEND_BUFFER_SIZE", "MB"),
        ("XLIO_RX_BYTES_MIN", "-1"),
        ("XLIO_RX_BYTES_MIN", "64KB"),
        ("XLIO_MSS", "87"),
        ("XLIO_MSS", "32768"),
        ("XLIO_TCP_CC_ALGO", "3"),
        ("XLIO_TX_MC_LOOPBACK", "-1"),
        ("XLIO_SPEC", "lattency"),
        ("XLIO_TRACELEVEL", "loud"),
    ],
)
def test_a_bad_value_is_told_and_the_default_is_used(variable: str, text: str) -> None:
    said = banner(**{variable: text})
    assert said.shown == {"XLIO_TRACELEVEL": "INFO"}
    assert len(said.warnings) == 1
    assert said.warnings[0].startswith(f"{variable}={text} is not ")


@pytest.mark.parametrize("variable", ["XLIO_RX_POL", "XLIO_RX_POLLL", "XLIO_TX_WRE", "XLIO_", "XLIO_LOG_DETAILS"])
def test_what_is_not_honoured_is_told(variable: str) -> None:
    assert banner(**{variable: "1"}).warnings == (f"{variable} is not honoured by the kernel stack",)


def test_going_without_congestion_control_is_told_and_not_shown() -> None:
    said = banner(XLIO_TCP_CC_ALGO="2")
    assert said.shown == {"XLIO_TRACELEVEL": "INFO"}
    assert said.warnings[0].startswith("XLIO_TCP_CC_ALGO=2 is not honoured")


@pytest.mark.parametrize(
    ("spec", "sets"),
    [
        ("latency", {**LATENCY, "XLIO_SPEC": "latency"}),
        ("LATENCY", {**LATENCY, "XLIO_SPEC": "latency"}),
        ("ultra_latency", {**LATENCY, "XLIO_SPEC": "ultra_latency"}),
        ("ultra-latency", {**LATENCY, "XLIO_SPEC": "ultra_latency"}),
        ("multi_ring_latency", {"XLIO_RX_POLL": "-1", "XLIO_SELECT_POLL": "-1", "XLIO_SPEC": "multi_ring_latency"}),
        ("nginx", {**NGINX, "XLIO_SPEC": "nginx"}),
        ("nginx_dpu", {**NGINX, "XLIO_SPEC": "nginx_dpu"}),
        ("nvme_bf3", {"XLIO_TCP_NODELAY": "1", "XLIO_SPEC": "nvme_bf3"}),
        ("none", {}),
    ],
)
def test_a_preset_sets_its_part(spec: str, sets: dict[str, str]) -> None:
    assert in_effect(XLIO_SPEC=spec) == sets


def test_an_explicit_value_beats_the_preset() -> None:
    shown = in_effect(XLIO_SPEC="latency", XLIO_RX_POLL="7", XLIO_TCP_NODELAY="0")
    assert shown == {"XLIO_SPEC": "latency", "XLIO_RX_POLL": "7", "XLIO_SELECT_POLL": "-1"}


@pytest.mark.parametrize(
    ("level", "lines", "warnings"),
    [
        ("none", 0, 0),
        ("-1", 0, 0),
        ("PANIC", 0, 0),
        ("1", 0, 0),
        ("warn", 0, 1),
        ("Warning", 0, 1),
        ("2", 0, 1),
        ("info", 1, 1),
        ("3", 1, 1),
        ("details", 1, 1),
        ("finer", 1, 1),
    ],
)
def test_the_level_decides_what_is_said(level: str, lines: int, warnings: int) -> None:
    said = run(["/bin/true"], {"XLIO_TRACELEVEL": level, "XLIO_BOGUS": "1"}).stderr
    assert said.count("TUNER_KERNEL_VERSION") == lines
    assert said.count(" XLIO WARNING: ") == warnings


def test_the_log_goes_to_a_file_named_for_the_process(tmp_path: Path) -> None:
    script = "import os; print(os.getpid())"
    done = run([sys.executable, "-S", "-c", script], {"XLIO_LOG_FILE": f"{tmp_path}/log.%d.%d", "XLIO_BOGUS": "1"})
    assert done.stderr == ""
    said = read((tmp_path / f"log.{done.stdout.strip()}.%d").read_text())
    assert said.tag == "TUNER_KERNEL_VERSION"
    assert said.shown["XLIO_LOG_FILE"] == f"{tmp_path}/log.{done.stdout.strip()}.%d"
    assert said.warnings == ("XLIO_BOGUS is not honoured by the kernel stack",)


def test_a_log_file_that_cannot_be_opened_is_told_on_standard_error(tmp_path: Path) -> None:
    said = banner(XLIO_LOG_FILE=f"{tmp_path}/missing/log")
    assert said.warnings == (f"XLIO_LOG_FILE={tmp_path}/missing/log cannot be written, this is standard error",)
    assert said.tag == "TUNER_KERNEL_VERSION"


def test_the_log_takes_no_descriptor_from_the_program(tmp_path: Path) -> None:
    script = "import os; print(os.open('/dev/null', 0))"
    done = run([sys.executable, "-S", "-c", script], {"XLIO_LOG_FILE": f"{tmp_path}/log"})
    plain = run([sys.executable, "-S", "-c", script], {}, [])
    assert done.stdout == plain.stdout


def test_a_reader_that_went_away_ends_no_program() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            ["/bin/true"], env={"LD_PRELOAD": str(kernel_library())}, stderr=writer, check=False, timeout=LIMIT_S
        )
    finally:
        os.close(writer)
    assert done.returncode == 0


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=600))
def test_no_value_can_forge_a_line_or_reach_the_terminal(value: str) -> None:
    done = run(["/bin/true"], {"XLIO_RX_POLL": f"x{value}", "XLIO_BOGUS": value})
    assert done.returncode == 0
    assert done.stderr.isascii()
    assert all(line.startswith(" XLIO ") and line.isprintable() for line in done.stderr.split("\n")[:-1])
    assert read(done.stderr).warnings[1:] == ("XLIO_BOGUS is not honoured by the kernel stack",)


SOCKETS: Final = """
import json, socket as s
def options(k):
    tcp = k.type == s.SOCK_STREAM
    level, loop = (s.IPPROTO_IP, s.IP_MULTICAST_LOOP) if k.family == s.AF_INET else (s.IPPROTO_IPV6, s.IPV6_MULTICAST_LOOP)
    found = {"rcvbuf": k.getsockopt(s.SOL_SOCKET, s.SO_RCVBUF), "sndbuf": k.getsockopt(s.SOL_SOCKET, s.SO_SNDBUF)}
    if tcp:
        found |= {"nodelay": k.getsockopt(s.IPPROTO_TCP, s.TCP_NODELAY), "mss": k.getsockopt(s.IPPROTO_TCP, s.TCP_MAXSEG),
                  "congestion": k.getsockopt(s.IPPROTO_TCP, s.TCP_CONGESTION, 16).rstrip(bytes(1)).decode()}
    else:
        found |= {"loop": k.getsockopt(level, loop)}
    return found
def accepted(family, host):
    listener = s.create_server((host, 0), family=family)
    with s.create_connection(listener.getsockname()[:2]) as client:
        return options(client) | {"accepted": options(listener.accept()[0])}
made = {"tcp4": options(s.socket()), "tcp6": options(s.socket(s.AF_INET6)), "udp4": options(s.socket(type=s.SOCK_DGRAM)),
        "udp6": options(s.socket(s.AF_INET6, s.SOCK_DGRAM)), "client": accepted(s.AF_INET, "127.0.0.1")}
shrunk = s.socket(type=s.SOCK_DGRAM)
shrunk.setsockopt(s.SOL_SOCKET, s.SO_RCVBUF, 5000)
made["shrunk"] = options(shrunk)
own = s.socket()
own.setsockopt(s.IPPROTO_TCP, s.TCP_NODELAY, 0)
made["own"] = options(own)
print(json.dumps(made))
"""


def sockets(**variables: str) -> dict[str, dict[str, int | str]]:
    done = run([sys.executable, "-S", "-c", SOCKETS], {"XLIO_TRACELEVEL": "none", **variables})
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def plain_sockets() -> dict[str, dict[str, int | str]]:
    done = run([sys.executable, "-S", "-c", SOCKETS], {}, [])
    return dict(json.loads(done.stdout))


def test_without_settings_sockets_are_as_ever(plain_sockets: dict[str, dict[str, int | str]]) -> None:
    assert sockets() == plain_sockets
    assert sockets(XLIO_TCP_NODELAY="0", XLIO_RX_BYTES_MIN="0", XLIO_MSS="0", XLIO_TCP_CC_ALGO="0") == plain_sockets


def test_nodelay_is_set_until_the_program_says_otherwise() -> None:
    made = sockets(XLIO_TCP_NODELAY="1")
    assert [made[name]["nodelay"] for name in ("tcp4", "tcp6", "client", "own")] == [1, 1, 1, 0]


def test_accepted_sockets_get_the_options_too() -> None:
    script = (
        "import socket as s; l = s.create_server(('127.0.0.1', 0)); l.setsockopt(s.IPPROTO_TCP, s.TCP_NODELAY, 0); "
        "c = s.create_connection(l.getsockname()); print(l.accept()[0].getsockopt(s.IPPROTO_TCP, s.TCP_NODELAY))"
    )
    assert run([sys.executable, "-S", "-c", script], {"XLIO_TCP_NODELAY": "1"}).stdout == "1\n"
    assert run([sys.executable, "-S", "-c", script], {}).stdout == "0\n"


def test_the_send_buffer_is_fixed_for_tcp_only(plain_sockets: dict[str, dict[str, int | str]]) -> None:
    made = sockets(XLIO_TCP_SEND_BUFFER_SIZE="32KB")
    assert [made[name]["sndbuf"] for name in ("tcp4", "tcp6", "client")] == [65536] * 3
    assert made["udp4"] == plain_sockets["udp4"]


def test_the_receive_buffer_has_a_floor(plain_sockets: dict[str, dict[str, int | str]]) -> None:
    made = sockets(XLIO_RX_BYTES_MIN="20000")
    assert int(made["shrunk"]["rcvbuf"]) >= 20000 > int(plain_sockets["shrunk"]["rcvbuf"])
    assert made["udp4"] == plain_sockets["udp4"]


@pytest.mark.parametrize(
    ("variable", "sysctl"),
    [("XLIO_RX_BYTES_MIN", "net.core.rmem_max"), ("XLIO_TCP_SEND_BUFFER_SIZE", "net.core.wmem_max")],
)
def test_a_buffer_that_the_kernel_cuts_is_told_once(variable: str, sysctl: str) -> None:
    script = "import socket; [socket.socket() for _ in range(3)]"
    said = read(run([sys.executable, "-S", "-c", script], {variable: "2147483647"}).stderr).warnings
    assert len(said) == 1
    assert said[0].startswith(f"{variable}=2147483647 was cut to ")
    assert said[0].endswith(sysctl)


def test_the_segment_size_and_the_algorithm_are_set() -> None:
    assert sockets(XLIO_MSS="777")["client"]["mss"] == 777 - 12  # less the time stamp in each segment
    assert sockets(XLIO_TCP_CC_ALGO="1")["tcp6"]["congestion"] == "cubic"


@pytest.mark.parametrize("value", ["0", "1"])
def test_multicast_loopback_is_set_for_udp(value: str) -> None:
    made = sockets(XLIO_TX_MC_LOOPBACK=value)
    assert (made["udp4"]["loop"], made["udp6"]["loop"]) == (int(value), int(value))


def test_quickack_is_asked_for_again_after_each_receive() -> None:
    script = (
        "import socket as s; l = s.create_server(('127.0.0.1', 0)); c = s.create_connection(l.getsockname()); "
        "a = l.accept()[0]; a.setsockopt(s.IPPROTO_TCP, s.TCP_QUICKACK, 0); c.send(b'x'); a.recv(1); "
        "print(a.getsockopt(s.IPPROTO_TCP, s.TCP_QUICKACK))"
    )
    for polls in ("0", "100"):
        variables = {"XLIO_TCP_QUICKACK": "1", "XLIO_RX_POLL": polls}
        assert run([sys.executable, "-S", "-c", script], variables).stdout == "1\n"
    assert run([sys.executable, "-S", "-c", script], {}).stdout == "0\n"
