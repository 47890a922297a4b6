"""`tuner run` starts a program as `env` does, adds nothing of its own, and says when the stack cannot get into it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import command_line
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import Severity
from tuner.hosts.become import files, inherited
from tuner.hosts.program import Image, Machine, image_of, images
from tuner.stacks.kernel import BANNER_PID
from tuner.stacks.preloads import kernel_library
from tuner.stacks.program import Caller, obstacles

FIELD = Path(__file__).parent / "data" / "field" / "onload"
HERE = Machine(os.uname().machine, 64)
ME = Caller(1000, 1000)
OURS = ("LD_PRELOAD", BANNER_PID)


def run(
    folder: Path, *command: str, env: dict[str, str] | None = None, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    words = [*command_line.STARTED, "run", "kernel/latency", *options, "--", *command]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("program") / "dynamic")


def compiled(path: Path, *options: str) -> Path:
    done = subprocess.run(
        ["cc", *options, "-o", path, FIELD / "13-static.c"], capture_output=True, timeout=60, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot compile with {options}: {done.stderr.decode()[-200:]}")
    return path


def test_a_text_that_no_interpreter_begins_is_read_by_a_shell() -> None:
    done = run(FIELD, "./22-noshebang", options=("--no-verify",))
    assert (done.returncode, done.stdout) == (0, "ran\n")


@pytest.mark.parametrize("text", ['echo "$0|$*"\n', '#!/bin/sh\necho "$0|$*"\n', '#!/usr/bin/env sh\necho "$0|$*"\n'])
def test_a_script_is_told_the_same_as_under_env(tmp_path: Path, text: str) -> None:
    script(tmp_path / "named", text)
    for name, path in (("./named", "/usr/bin:/bin"), ("named", f"{tmp_path}:/usr/bin"), ("named", ":/usr/bin:/bin")):
        env = {"PATH": path}
        plain = subprocess.run(
            ["/usr/bin/env", name, "a", "b c"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        assert run(tmp_path, name, "a", "b c", env=env, options=("--no-verify",)).stdout == plain.stdout


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("nosuch", 127),
        ("./nosuch", 127),
        ("./plain", 126),
        ("plain", 126),
        ("./lost", 127),
        ("/", 126),
        ("./plain/x", 126),
        ("", 127),
    ],
)
def test_what_cannot_be_started_ends_as_under_env(tmp_path: Path, name: str, status: int) -> None:
    script(tmp_path / "plain", "echo\n", 0o644)
    script(tmp_path / "lost", "#!/no/such/interpreter\n")
    env = {"PATH": f"/usr/bin:{tmp_path}"}
    plain = subprocess.run(
        ["/usr/bin/env", "--", name], cwd=tmp_path, env=env, capture_output=True, timeout=20, check=False
    )
    assert run(tmp_path, name, env=env, options=("--no-verify",)).returncode == plain.returncode == status


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C"}, {"LC_CTYPE": "C.UTF-8"}, {"LANG": "C"}, {"LC_ALL": "C"}])
def test_nothing_is_added_to_the_environment(tmp_path: Path, given: dict[str, str]) -> None:
    env = {"PATH": os.environ["PATH"], **given}
    done = run(tmp_path, "env", env=env, options=("--no-verify",))
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    ours = {name: seen.pop(name) for name in list(seen) if name.startswith("XLIO_") or name in OURS}
    assert (seen, "LD_PRELOAD" in ours) == (env, True)


def test_a_locale_that_the_user_changed_since_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "environ"
    started.write_bytes(b"LC_CTYPE=C\0A=b\0")
    for value, kept in (("de_DE.UTF-8", "de_DE.UTF-8"), ("C.UTF-8", "C")):
        monkeypatch.setenv("LC_CTYPE", value)
        assert inherited(started)["LC_CTYPE"] == kept
    monkeypatch.setenv("LC_CTYPE", "C.UTF-8")
    assert inherited(tmp_path / "absent")["LC_CTYPE"] == "C.UTF-8"


def test_a_static_program_is_refused_unless_nothing_is_verified(tmp_path: Path) -> None:
    compiled(tmp_path / "static", "-static")
    refused = run(tmp_path, "./static")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "cannot be preloaded: it is statically linked" in refused.stderr
    started = run(tmp_path, "./static", options=("--no-verify",))
    assert (started.returncode, started.stdout[:3]) == (0, "fd ")
    assert "warning: static: cannot be preloaded" in started.stderr.replace("./", "")


def test_a_script_of_a_static_interpreter_is_refused_too(tmp_path: Path) -> None:
    static = compiled(tmp_path / "static", "-static")
    script(tmp_path / "a", f"#!{static}\n")
    script(tmp_path / "b", "#!/usr/bin/env static\n")
    for name in ("./a", "./b"):
        done = run(tmp_path, name, env={"PATH": f"/usr/bin:{tmp_path}"})
        assert "statically linked" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to another user")
@pytest.mark.parametrize(
    ("mode", "words"), [(0o4755, "set-user-ID (user 1234)"), (0o2755, "set-group-ID (group 1234)")]
)
def test_a_program_with_the_rights_of_another_is_refused(program: Path, tmp_path: Path, mode: int, words: str) -> None:
    other = tmp_path / "other"
    shutil.copy(program, other)
    os.chown(other, 1234, 1234)
    other.chmod(mode)
    done = run(tmp_path, "./other")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot be preloaded: it is {words}" in done.stderr


@pytest.mark.parametrize(
    ("image", "errors", "warnings"),
    [
        (Image(Path("/p"), HERE, interpreted=True), 0, 0),
        (Image(Path("/p"), HERE, interpreted=False), 1, 0),
        (Image(Path("/lib64/ld-linux-x86-64.so.2"), HERE, interpreted=False), 0, 0),
        (Image(Path("/p"), Machine("i386", 32), interpreted=True), 1, 0),
        (Image(Path("/p"), HERE, interpreted=True, owner=0), 1, 0),
        (Image(Path("/p"), HERE, interpreted=True, owner=1000), 0, 1),
        (Image(Path("/p"), HERE, interpreted=True, group=0), 1, 0),
        (Image(Path("/p"), HERE, interpreted=True, capable=True), 1, 0),
        (Image(Path("/p"), Machine("aarch64", 64), interpreted=False, owner=0, group=0, capable=True), 5, 0),
    ],
)
def test_everything_that_keeps_a_library_out_is_told_at_once(image: Image, errors: int, warnings: int) -> None:
    found = [one.severity for one in obstacles(image, HERE, ME)]
    assert (found.count(Severity.ERROR), found.count(Severity.WARNING)) == (errors, warnings)
    root = [
        one.severity
        for one in obstacles(Image(Path("/p"), HERE, interpreted=True, owner=0, capable=True), HERE, Caller(0, 0))
    ]
    assert root == [Severity.WARNING, Severity.WARNING]


def test_a_program_is_read_as_what_it_is(program: Path) -> None:
    image = image_of(program)
    assert image == Image(program, HERE, interpreted=True)
    library = image_of(kernel_library())
    assert library is not None
    assert library.machine == HERE
    assert [one.path for one in images([str(program)], None)] == [program]


@pytest.mark.parametrize(("bits", "order"), [(32, "<"), (32, ">"), (64, "<"), (64, ">")])
@pytest.mark.parametrize("interpreted", [True, False])
def test_headers_of_every_kind_are_read(tmp_path: Path, bits: int, order: str, interpreted: bool) -> None:
    wide = bits == 64
    head = bytearray(64)
    head[:6] = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2])
    struct.pack_into(f"{order}H", head, 18, 183)
    struct.pack_into(f"{order}Q" if wide else f"{order}I", head, 32 if wide else 28, 64)
    size = 56 if wide else 32
    struct.pack_into(f"{order}HH", head, 54 if wide else 42, size, 2)
    segments = b"".join(struct.pack(f"{order}I", kind).ljust(size, b"\0") for kind in (1, 3 if interpreted else 2))
    file = tmp_path / "program"
    file.write_bytes(bytes(head) + segments)
    assert image_of(file) == Image(file, Machine("aarch64", bits), interpreted)


@given(st.binary(max_size=200))
def test_any_file_is_read_without_an_exception(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(b"\x7fELF" + data)
    image_of(file)


def test_names_are_looked_for_in_the_order_of_the_path() -> None:
    assert list(files("a", "/x::/y/")) == ["/x/a", "a", "/y//a"]
    assert list(files("./a", "/x")) == ["./a"]
    assert list(files("a", None)) == ["/bin/a", "/usr/bin/a"]


def test_one_banner_is_printed_whatever_a_program_starts(tmp_path: Path, program: Path) -> None:
    path = script(tmp_path / "two", f"#!/bin/sh\n{program}\n{program}\ntrue\n")
    done = run(tmp_path, str(path), options=("--no-verify",))
    assert done.returncode == 0
    assert done.stderr.count("TUNER_KERNEL_VERSION") == 1
    children = [line for line in done.stderr.splitlines() if str(program) in line and str(path) not in line]
    assert children == []


def test_a_profile_that_makes_the_library_write_a_file_is_named(tmp_path: Path) -> None:
    text = 'name = "logs"\nstack = "kernel"\nsummary = "Logs"\n[settings]\n# asked for\nXLIO_LOG_FILE = "/tmp/where"\n'
    script(tmp_path / "logs.toml", text, 0o644)
    words = [*command_line.STARTED, "run", "./logs.toml", "--print"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "names /tmp/where: the library writes there" in done.stderr
