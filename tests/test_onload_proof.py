"""Onload counts only where its banner and the names of the sockets' descriptors say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import Severity
from tuner.hosts.descriptors import socket_links
from tuner.hosts.local import LocalHost
from tuner.stacks.library import lacks
from tuner.stacks.onload.proof import STACK as ONLOAD
from tuner.stacks.onload.proof import complaints, library_problem, notices, version
from tuner.stacks.stack import Seen, environment

BANNER = "oo:sockperf[4711]: Using Onload 9.2.0.43 [3]\noo:sockperf[4711]: Copyright (c) 2002-2026\n"
CONTROL = {"EF_DONT_ACCELERATE": "1"}


def reason(stderr: str, settings: dict[str, str] | None = None, *links: str) -> str:
    return ONLOAD.proof(stderr, "", Seen(settings or {}, links)).reason


def test_each_stack_that_is_announced_is_read() -> None:
    text = (
        BANNER
        + "oo:a b[1]: Sharing Onload 9.2.0 [7,web-t12]\noo:old[2]: Importing OpenOnload 7.1.2.141 [6]\nnoise: Using\n"
    )
    found = [(one.process, one.pid, one.verb, one.product, one.release, one.stack, one.name) for one in notices(text)]
    assert found == [
        ("sockperf", 4711, "Using", "Onload", "9.2.0.43", 3, ""),
        ("a b", 1, "Sharing", "Onload", "9.2.0", 7, "web-t12"),
        ("old", 2, "Importing", "OpenOnload", "7.1.2.141", 6, ""),
    ]


@pytest.mark.parametrize(
    ("said", "release", "stack", "name"),
    [
        ("Using Onload 6700428b 2023-06-07 master  [1]", "6700428b 2023-06-07 master", 1, ""),
        ("Using Onload <dev-snapshot> [2,web]", "<dev-snapshot>", 2, "web"),
        ("Using OpenOnload 201811-u1 [3]", "201811-u1", 3, ""),
        ("Sharing Onload v8.1.2-5-gdeadbee [my branch] [4,a-t1]", "v8.1.2-5-gdeadbee [my branch]", 4, "a-t1"),
        ("Using Onload  [5]", "", 5, ""),
        ("Using Onload [6]", "", 6, ""),
    ],
)
@pytest.mark.parametrize("front", ["", "feed-1  | ", "Jun 07 10:11:12 host feed[12]: ", "> ", "\x1b[33mfeed |\x1b[0m "])
def test_a_banner_may_name_any_release(front: str, said: str, release: str, stack: int, name: str) -> None:
    proof = ONLOAD.proof(f"{front}oo:feed[7]: {said}\n", "")
    (notice,) = notices(f"{front}oo:feed[7]: {said}\n")
    assert (proof.loaded, proof.banner.release) == (True, release)
    assert (notice.process, notice.release, notice.stack, notice.name) == ("feed", release, stack, name)


@pytest.mark.parametrize(
    "said",
    [
        "oo:feed[7]: Using Onload 9.2.0",
        "oo:feed[7]: Used Onload 9.2.0 [1]",
        "foo:feed[7]: Using Onload 9 [1]",
        "Using Onload 9 [1]",
    ],
)
def test_what_only_resembles_a_banner_is_none(said: str) -> None:
    assert notices(said) == ()


@given(st.text(), st.text())
def test_no_output_is_too_strange_to_be_judged(stderr: str, stdout: str) -> None:
    assert ONLOAD.proof(stderr, stdout).loaded == bool(notices(f"{stdout}\n{stderr}"))
    assert isinstance(complaints(stderr), list)


def test_a_stack_with_accelerated_sockets_is_proof() -> None:
    proof = ONLOAD.proof(BANNER, "", Seen({}, ("onload:[stack:3]", "onload:[udp:3:12]")))
    assert (proof.loaded, proof.banner.release) == (True, "9.2.0.43")


@pytest.mark.parametrize("link", ["socket:[12345]", "onload:[os_sock:3:2]"])
def test_sockets_that_stayed_with_the_kernel_are_no_proof_though_a_stack_was_made(link: str) -> None:
    said = reason(BANNER, {}, "onload:[stack:3]", link)
    assert link in said
    assert "EF_TCP_SERVER_LOOPBACK" in said


@pytest.mark.parametrize(
    "said",
    [
        "citp_oo_get_cpu_khz: Failed to open /dev/onload",
        "oo:sockperf[1]: netif_tcp_helper_alloc_u: ENODEV.",
        "oo:sockperf[1]: ERROR: Driver/Library version mismatch detected.",
        "tuner: onload_set_stackname(0, 2, foo) failed: File name too long",
        "ERROR: ld.so: object 'libonload.so' from LD_PRELOAD cannot be preloaded: ignored.",
    ],
)
def test_the_reason_is_in_the_librarys_own_words(said: str) -> None:
    assert reason(f"{said}\n") == said


def test_a_control_run_is_right_without_a_stack_and_wrong_with_one() -> None:
    assert reason("", CONTROL) == ""
    assert "a stack was created anyway" in reason(BANNER, CONTROL)
    assert "ld.so" in reason("ERROR: ld.so: object 'x' cannot be preloaded\n", CONTROL)


def test_a_run_is_loud_about_sockets_that_are_not_accelerated() -> None:
    variables = environment(
        ONLOAD, [Path("/x/libonload.so")], {"EF_LOG": "-banner", "EF_LOG_FILE": "/x", "EF_NAME": "a"}
    )
    assert (variables["EF_LOG_VIA_IOCTL"], variables["EF_NO_FAIL"], variables["EF_NAME"]) == ("0", "0", "a")
    assert not {"EF_LOG", "EF_LOG_FILE"} & variables.keys()


def test_a_debug_build_is_not_measured() -> None:
    said = "Onload 9.2.0.43\nCopyright\nBuilt: Jan  1 2026 12:00:00 (%s)\nBuild profile header: <ci/x.h>\n"
    assert "debug build" in library_problem(said % "debug")
    assert (library_problem(said % "release"), version(said)) == ("", "9.2.0.43")
    assert version("Onload 6700428b 2023-06-07 master \nCopyright\n") == "6700428b 2023-06-07 master"


def test_what_is_only_said_to_terminals_becomes_findings() -> None:
    text = """oo:sockperf[1]: Unknown option "EF_FOO=1" identified
citp: bad option 'EF_UL_EPOLL=yes'
onload: config: ERROR - option rxq_size (99999) larger than maximum (32768)
EF_CTPIO_MODE='2' not recognised, defaulting to 'sf-np'
citp_oo_get_cpu_khz: Failed to open /dev/onload
something else
"""
    found = complaints(text)
    assert [one.where for one in found] == ["EF_FOO", "EF_UL_EPOLL", "EF_RXQ_SIZE", "EF_CTPIO_MODE", "/dev/onload"]
    assert [one.severity for one in found[:2]] == [Severity.WARNING, Severity.ERROR]
    assert found[2].suggestion == "write 32768"


def test_the_sockets_of_the_program_that_was_launched_are_looked_at(tmp_path: Path) -> None:
    children = tmp_path / "10" / "task" / "10"
    children.mkdir(parents=True)
    (children / "children").write_text("11 ", encoding="ascii")
    descriptors = tmp_path / "11" / "fd"
    descriptors.mkdir(parents=True)
    for number, target in enumerate(["/dev/null", "onload:[udp:3:12]", "socket:[99]", "pipe:[5]"]):
        (descriptors / str(number)).symlink_to(target)
    assert socket_links(10, tmp_path) == ("onload:[udp:3:12]", "socket:[99]")
    assert socket_links(12, tmp_path) == ()


def test_a_library_of_another_stack_is_told_before_it_is_used(tmp_path: Path) -> None:
    for name, data in {"other": b"ELF", "right": b"ELF onload_set_stackname"}.items():
        (tmp_path / name).write_bytes(data)
    said = {path.name: lacks(path, "onload_set_stackname", LocalHost()) for path in tmp_path.iterdir()}
    assert said["right"] == ""
    assert "has no onload_set_stackname" in said["other"]
    assert lacks(tmp_path / "absent", "", LocalHost()) == ""
