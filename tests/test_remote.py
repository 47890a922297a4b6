"""Another host by its agent: whatever ends the agent, the connection or this program, nothing is left there and the host is named."""

from __future__ import annotations

import ast
import os
import platform
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import far_hosts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import json_text
from tuner.errors import HostLost, TunerError
from tuner.exclusive import Taken
from tuner.hosts import bundle, connection, foreign, guardian, received, wire
from tuner.hosts.activity import Activity, Counted, Program
from tuner.hosts.cpus import Cpu, Topology
from tuner.hosts.facts import Facts
from tuner.hosts.host import Command, ProcessResult
from tuner.hosts.pair import Job, Pair
from tuner.hosts.remote import RemoteHost, Way
from tuner.hosts.remote_site import RemoteSite
from tuner.hosts.telemetry import Counters, Telemetry
from tuner.stacks.preloads import kernel_library

SLEEPS: Final = Command(("sh", "-c", "echo READY; sleep 60 & wait"), {"PATH": "/usr/bin:/bin"})
GONE_S: Final = 10.0


@pytest.fixture
def host() -> Iterator[RemoteHost]:
    with far_hosts.child() as made:
        yield made


def folder_of(host: RemoteHost) -> Path:
    return Path(host._connection.hello["folder"])


def agent_and_guardian(folder: Path) -> tuple[int, int]:
    """Return the numbers of the two: the guardian is the agent's child."""
    both = [number for number in guardian.inhabitants(folder) if Path(f"/proc/{number}/cwd").readlink() == folder]
    parent = {number: int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1]) for number in both}
    agent = next(number for number in both if parent[number] not in both)
    return agent, next(number for number in both if parent[number] == agent)


def await_nothing(folder: Path, limit_s: float = GONE_S) -> None:
    deadline = time.monotonic() + limit_s
    while guardian.inhabitants(folder) or folder.exists():
        assert time.monotonic() < deadline, (guardian.inhabitants(folder), folder.exists())
        time.sleep(0.02)


def ends(host: RemoteHost, number: int, by: signal.Signals) -> None:
    """Start a program, end the agent or its guardian, and wait until the host is found to be lost."""
    with pytest.raises(HostLost, match="child: ") as lost, host.site({}) as site:  # noqa: PT012 - what is lost is lost anywhere in here
        process = site.start(SLEEPS, 60.0)
        os.kill(number, by)
        process.result()
    assert "sessions resume" in lost.value.advice


@pytest.mark.parametrize("which", [0, 1], ids=["agent", "guardian"])
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP], ids=str)
def test_who_kills_or_stops_the_agent_or_its_guardian_leaves_nothing(which: int, by: signal.Signals) -> None:
    with far_hosts.child() as host:
        folder = folder_of(host)
        number = agent_and_guardian(folder)[which]
        if which == 1 and by == signal.SIGSTOP:
            os.kill(number, by)  # a guardian that sleeps is no reason to stop measuring
            assert host.machine()
        else:
            ends(host, number, by)
    await_nothing(folder) if (which, by) != (1, signal.SIGSTOP) else os.kill(number, signal.SIGCONT)
    await_nothing(folder)


def test_the_lock_of_a_turn_goes_with_the_agent_unless_somebody_else_holds_it(tmp_path: Path) -> None:
    with (
        far_hosts.child({"TUNER_LOCKS": str(tmp_path)}) as host,
        far_hosts.child({"TUNER_LOCKS": str(tmp_path)}) as other,
    ):
        with host.turn("first"):
            [lock] = tmp_path.iterdir()
            with pytest.raises(Taken, match="first"), other.turn("second"):
                pass
            folder = folder_of(other)
            other._connection.close()
            await_nothing(folder)
            assert lock.exists()
        folder = folder_of(host)
    await_nothing(folder)
    deadline = time.monotonic() + GONE_S
    while lock.exists():
        assert time.monotonic() < deadline


def test_a_host_that_was_lost_can_be_reached_again_and_has_what_was_brought(host: RemoteHost) -> None:
    library = kernel_library()
    path, folder = host.brought(library), folder_of(host)
    ends(host, agent_and_guardian(folder)[0], signal.SIGKILL)
    with pytest.raises(HostLost):
        host.machine()
    host.reconnect()
    assert host.read(path, 1 << 20) == library.read_bytes()
    assert folder_of(host) == folder  # so that what was made with its paths goes on


@pytest.mark.parametrize(
    ("machine", "c_library", "why"),
    [
        ("x86_64", ("glibc", "2.99"), ""),
        ("x86_64", ("glibc", "2.3"), "it needs glibc 2."),
        ("x86_64", ("", ""), "the C library there is another one"),
        ("x86_64", ("musl", "1.2"), "the C library there is musl"),
        ("aarch64", ("glibc", "2.99"), "it is built for x86_64, and programs there are aarch64"),
    ],
)
def test_a_library_is_brought_only_where_it_can_be_loaded(machine: str, c_library: tuple[str, str], why: str) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the library is built for another machine")
    said = foreign.unfit(kernel_library().read_bytes(), machine, c_library)
    assert why in said
    assert bool(said) == bool(why)


def test_what_an_agent_and_its_guardian_left_that_were_killed_together_is_swept_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale, young, link = (tmp_path / f"tuner-{number:016x}" for number in range(3))
    (stale / "tuner-run-x").mkdir(parents=True)
    monkeypatch.setattr(guardian, "_YOUNG_S", 0.05)
    link.symlink_to(tmp_path)
    time.sleep(0.1)
    with far_hosts.child({"TMPDIR": str(tmp_path)}) as host:
        assert guardian.swept_stale(tmp_path) == [stale]
        time.sleep(0.1)
        assert guardian.swept_stale(tmp_path) == []
        folder = folder_of(host)
        assert folder.is_dir()
        assert link.is_symlink()
    await_nothing(folder)  # its guardian removes it, and a moment earlier it would be swept here
    young.mkdir()
    assert guardian.swept_stale(tmp_path) == []


def test_a_new_agent_ends_the_old_one_that_was_stopped(host: RemoteHost) -> None:
    folder = folder_of(host)
    with pytest.raises(HostLost), host.site({}) as site:  # noqa: PT012 - the second start is what is lost
        site.start(SLEEPS, 60.0)
        for number in agent_and_guardian(folder):
            os.kill(number, signal.SIGSTOP)
        host._connection.give_up("cut")
        site.start(SLEEPS, 60.0)
    host.reconnect()
    assert len(guardian.inhabitants(folder)) == 2


def test_nothing_is_left_where_this_program_is_killed(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import sys, far_hosts
        from test_remote import SLEEPS, folder_of
        host = far_hosts.child()
        host.site({}).__enter__().start(SLEEPS, 60.0)
        print(folder_of(host), flush=True)
        sys.stdin.read()
    """)
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent,
        text=True,
    )
    with program:
        assert program.stdout is not None
        folder = Path(program.stdout.readline().strip())
        assert guardian.inhabitants(folder)
        program.kill()
    await_nothing(folder)


def test_a_run_on_a_lost_host_is_an_error_and_the_other_end_is_left_clean(host: RemoteHost) -> None:
    with far_hosts.child() as other:
        job = Job(SLEEPS, SLEEPS, "READY", 60.0)
        agent = agent_and_guardian(folder_of(host))[0]
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {agent}"])
        with pytest.raises(HostLost, match="child"):
            Pair(host, other).carry_out(job)
        killer.wait()
        others = folder_of(other)
        deadline = time.monotonic() + GONE_S
        # The folder goes after the last process of the run.
        while len(guardian.inhabitants(others)) > 2 or list(others.glob("tuner-run-*")):
            assert time.monotonic() < deadline


def test_what_is_still_sent_to_a_process_that_ended_is_written_to_no_file_that_was_opened_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(descriptor: int, data: bytes) -> int:
        time.sleep(0.3)  # the time between looking a number up and the system call, on a machine that has much to do
        return os.write(descriptor, data)

    monkeypatch.setattr(connection, "os", SimpleNamespace(**vars(os) | {"write": late}))
    with pytest.raises(connection.NotStarted):
        connection.Connection(("sh", "-c", "exit 1"), os.environ, "0123456789abcdef")
    with ExitStack() as stack:
        files = [stack.enter_context((tmp_path / str(number)).open("w+b")) for number in range(20)]
        for thread in set(threading.enumerate()) - {threading.current_thread()}:
            thread.join(5.0)
        assert [os.fstat(each.fileno()).st_size for each in files] == [0] * len(files)


def test_a_connection_that_is_closed_while_it_says_something_writes_to_no_file_that_was_opened_since(
    tmp_path: Path, host: RemoteHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, write = threading.Event(), os.write

    def late(descriptor: int, data: bytes) -> int:
        began.set()
        time.sleep(0.3)
        return write(descriptor, data)

    assert host.which("sh")
    monkeypatch.setattr(connection, "os", SimpleNamespace(**vars(os) | {"write": late}))
    telling = threading.Thread(target=host.tell, args=("listen_no_more", {}))
    telling.start()
    assert began.wait(5.0)
    host._connection.close()
    with ExitStack() as stack:
        files = [stack.enter_context((tmp_path / str(number)).open("w+b")) for number in range(20)]
        telling.join(5.0)
        assert [os.fstat(each.fileno()).st_size for each in files] == [0] * len(files)


def test_who_rings_at_a_site_that_was_left_writes_to_no_file_that_was_opened_since(tmp_path: Path) -> None:
    quiet: Any = SimpleNamespace(entered=lambda _site: 1, left=lambda _number: None)
    with RemoteSite(quiet, {}) as site:
        number = site.fileno()
    with (tmp_path / "next").open("w+b") as following:
        assert following.fileno() == number
        site.ring(None)
        assert os.fstat(number).st_size == 0


def pythons() -> list[tuple[str, tuple[int, int]]]:
    """Return the Pythons of other releases that this machine has, in its PATH or beside each other as pyenv keeps them."""
    kept = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = {}
    for version in (6, 7, 8, 9, 10, 12, 13):
        named = [*map(str, kept.glob(f"3.{version}.*/bin/python3.{version}")), shutil.which(f"python3.{version}")]
        works = (
            path
            for path in named
            if path and subprocess.run([path, "-V"], capture_output=True, check=False).returncode == 0
        )
        found[version] = next(works, None)
    return [(path, (3, version)) for version, path in found.items() if path]


def by_python(program: str, folder: Path) -> RemoteHost:
    (folder / "python3").symlink_to(program)
    return far_hosts.child({"PATH": f"{folder}:{os.environ['PATH']}"})


@pytest.mark.parametrize(("program", "version"), pythons(), ids=str)
def test_the_agent_runs_by_python_from_3_9_on_and_an_older_one_says_its_name(
    program: str, version: tuple[int, int], tmp_path: Path
) -> None:
    if version < (3, 9):
        with pytest.raises(HostLost, match=rf"97: this is Python 3\.{version[1]}"):
            by_python(program, tmp_path)
        return
    with by_python(program, tmp_path) as host:
        assert host._connection.hello["python"].startswith(f"3.{version[1]}.")
        assert host.facts().cpus >= 1
        assert host.counters(()).busy_s is not None
        assert host.topology().cpus
        assert host.sample((), 0.01).wall_s > 0
        with host.site({"a": "b"}) as site:
            assert site.start(Command(("cat", "a"), {}), 5.0).result().stdout == "b"
            assert site.written(["a"]) == {"a": "b"}


def test_what_a_login_shell_prints_before_the_agent_is_passed_over() -> None:
    way = Way(
        "noisy", ("sh", "-c", 'echo welcome; printf "00000002 {}"; eval "$0"'), far_hosts.not_started, dict(os.environ)
    )
    with RemoteHost(way) as host:
        assert host.machine()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no such thing >&2; exit 3", "3: no such thing"),
        ("exit 0", "0: "),
        ("cat /dev/zero", "None: "),
        ('printf "tuner agent speaks\\n"; head -c 20 /dev/zero; cat', "no message"),
    ],
)
def test_what_is_no_agent_is_told_at_once(script: str, words: str) -> None:
    with pytest.raises(HostLost, match=words):
        RemoteHost(Way("odd", ("sh", "-c", script), far_hosts.not_started, dict(os.environ)))


def test_the_agent_is_sent_all_that_it_imports_and_only_standard_modules_beside() -> None:
    texts = {name: bundle._source(name) for name in bundle.MODULES}
    for name, text in texts.items():
        for other in imports(ast.parse(text)):
            assert other in texts or other.split(".")[0] in sys.stdlib_module_names, f"{name} imports {other}"
    used = {other for text in texts.values() for other in imports(ast.parse(text))}
    assert set(bundle.MODULES) - used == {"tuner.hosts.agent", "tuner.hosts.reaper"}  # a program of its own


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [
                name for name in named if bundle._ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py").exists()
            ]
            yield from modules or [node.module]


JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=40)
@given(st.lists(JSON, max_size=4), st.integers(1, 50))
def test_messages_arrive_whole_however_they_are_cut(messages: list[Any], size: int) -> None:
    data = b"".join(map(wire.framed, messages))
    incoming = wire.Incoming(json_text.parsed)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    assert [message for part in parts for message in incoming.fed(part)] == messages


@given(st.binary(max_size=60))
def test_what_is_no_message_is_refused_and_never_a_bug(data: bytes) -> None:
    incoming = wire.Incoming(json_text.parsed)
    try:
        for _ in incoming.fed(data):
            pass
    except ValueError:
        return


def test_a_message_that_would_be_too_long_is_refused_before_it_comes() -> None:
    with pytest.raises(ValueError, match="longer than"):
        list(wire.Incoming().fed(b"ffffffff "))


RECORDS: Final = st.one_of(
    st.builds(
        ProcessResult,
        links=st.lists(st.text()).map(tuple),
        memory_mb=st.none() | st.floats(0, 1e9),
        cpu_s=st.floats(0, 1e9),
        lived_s=st.floats(0, 1e9),
    ),
    st.builds(Facts, load_1min=st.none() | st.floats(0, 99)),
    st.builds(Topology, cpus=st.lists(st.builds(Cpu)).map(tuple)),
    st.builds(
        Telemetry,
        wall_s=st.floats(0, 9),
        programs=st.none(),
        **{
            name: st.none() | st.floats(0, 1)
            for name in ("foreign_share", "steal_share", "interrupts_share", "pressure_share", "load_1min")
        },
        interrupts_of=st.none(),
        softirqs_of=st.none(),
    ),
)


@given(RECORDS)
def test_a_record_arrives_as_it_was_sent(sent: Any) -> None:
    [said] = wire.Incoming().fed(wire.framed(wire.plain(sent)))
    assert received.record(type(sent), said) == sent


def test_counters_with_all_that_they_hold_arrive_as_they_were_sent() -> None:
    activity = Activity(
        (0, 1), {"17": Counted("17", "eth0", 5)}, None, {7: Program(7, 1, "x", 1, 0.5, 0)}, frozenset({7, 8})
    )
    sent = Counters(1.0, 2.0, activity=activity)
    [said] = wire.Incoming(json_text.parsed).fed(wire.framed(wire.plain(sent)))
    assert received.record(Counters, said) == sent


CHANGES: Final[dict[str, Callable[[Any], object]]] = {
    "no object": lambda said: [said],
    "more": lambda said: said | {"more": 1},
    "less": lambda said: {},
    "text": lambda said: said | {"cpus": "two"},
    "true": lambda said: said | {"cpus": True},
    "list": lambda said: said | {"hostname": ["a"]},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_none_of_a_record_is_refused(change: Callable[[Any], object]) -> None:
    said = wire.plain(Facts("a", "b", None, 2, *(None,) * 8))
    with pytest.raises(ValueError, match="Facts"):
        received.record(Facts, change(said))


@pytest.mark.parametrize(
    "said", [{"is": {"hostname": 1}}, {"is": 7}, {}, {"failed": 7}, {"failed": {"kind": "x"}}], ids=str
)
def test_an_answer_that_makes_no_sense_is_an_error_with_the_hosts_name(
    host: RemoteHost, monkeypatch: pytest.MonkeyPatch, said: dict[str, object]
) -> None:
    monkeypatch.setattr(host, "_way", replace(host._way, name="far"))
    monkeypatch.setattr(host._connection, "ask", lambda *_: said)
    with pytest.raises(TunerError, match="far: its answer makes no sense"):
        host.facts()


@pytest.mark.parametrize(
    "said",
    ["%", "eJw=", 7, wire.plain(zlib.compress(bytes(wire.CHUNK_BYTES + 1)))],
    ids=["no Base64", "no end", "a number", "too large"],
)
def test_a_part_of_a_file_that_is_none_is_an_error(
    host: RemoteHost, monkeypatch: pytest.MonkeyPatch, said: object
) -> None:
    monkeypatch.setattr(host._connection, "ask", lambda *_: {"is": said})
    with pytest.raises(TunerError, match="of another host"):
        host.read(Path("/etc/hostname"), 100)
