"""Runs on this machine: the environment is constructed, every wait is bounded, and no process is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import fake
import pytest

from tuner.errors import MissingTool, TunerError, UsageError
from tuner.hosts import cpus, pair, processes
from tuner.hosts.host import Command
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import Job, RunOutput, on_one
from tuner.measurement import Measurement
from tuner.runs import benchmark, sockperf
from tuner.runs.workload import Mode, Multiplexer, Protocol, Workload

HOST: Final = LocalHost()
PAIR: Final = on_one(HOST)
MARK: Final = "TUNER_TEST_MARK"


@pytest.fixture
def mark() -> str:
    """Return a word by which every process of this test can be found."""
    return uuid.uuid4().hex


def alive(mark: str) -> list[str]:
    """Return the command lines of the processes that bear `mark`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in line and folder.name != str(os.getpid()):
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def wait_until(true: Callable[[], bool], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def plan(program: Path | str, workload: Workload, ports: tuple[int, ...], environment: Mapping[str, str]) -> Job:
    return Job(
        server=Command((str(program), *sockperf.server_arguments(workload, ports[0])), environment),
        client=Command((str(program), *sockperf.client_arguments(workload, ports[0])), environment),
        ready=sockperf.ready,
        ready_count=workload.server_threads,
        time_limit_s=workload.time_limit_s,
        files=sockperf.files(workload, ports, "0.1, 64\n0.2, 64\n"),
    )


def run(
    program: Path | str,
    workload: Workload,
    environment: Mapping[str, str],
    change: Callable[[Job], Job] = lambda unchanged: unchanged,
) -> RunOutput:
    def plan_for(ports: tuple[int, ...]) -> Job:
        return change(plan(program, workload, ports, environment))

    _, output = PAIR.carry_out_on_free_ports(plan_for, workload.ports_needed, workload.protocol, workload.address)
    return output


def measure(program: Path | str, workload: Workload, environment: Mapping[str, str]) -> Measurement:
    output = run(program, workload, environment)
    assert output.failure is None
    assert output.client is not None
    return sockperf.parse(output.client.stdout, output.server.stdout, workload)


def script(text: str, environment: Mapping[str, str] | None = None) -> Command:
    """Return a small shell program: what a server or client does is of no concern to a host."""
    return Command(("sh", "-c", text), environment or {})


def shell_plan(server: str, client: str, mark: str, time_limit_s: float = 20.0) -> Job:
    environment = {MARK: mark}
    return Job(script(server, environment), script(client, environment), "READY", time_limit_s)


SERVER: Final = "trap 'echo total; exit 0' INT; echo READY; while :; do sleep 0.01; done"


def test_a_run_gives_what_both_ends_printed(tmp_path: Path) -> None:
    program = fake.install(tmp_path, noise=0)
    assert measure(program, Workload(), {}).latency_p50_us == 36.0
    assert measure(program, Workload(), {"XLIO_RX_POLL": "-1"}).latency_p50_us == 3.0


@pytest.mark.parametrize(
    "workload",
    [
        Workload(protocol=Protocol.UDP),
        Workload(mode=Mode.UNDER_LOAD, rate_mps=5000),
        Workload(mode=Mode.THROUGHPUT, protocol=Protocol.UDP),
        Workload(mode=Mode.PLAYBACK, playback="playback.csv"),
        Workload(multiplexer=Multiplexer.EPOLL, connections=4, server_threads=2),
    ],
    ids=lambda workload: str(workload.key()),
)
def test_every_kind_of_workload_runs(tmp_path: Path, workload: Workload) -> None:
    got = measure(fake.install(tmp_path), workload, {})
    assert got.rate_mps is not None
    assert got.rate_mps > 0


def test_the_environment_is_constructed_and_never_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLIO_RX_POLL", "7")
    got = HOST.output_of(Command(("env",), {"B": "two words", "A": "$HOME `x` ;"}))
    assert sorted(got.stdout.splitlines()) == ["A=$HOME `x` ;", "B=two words"]


def test_a_preloaded_library_touches_only_the_program() -> None:
    got = HOST.output_of(Command(("true",), {"LD_PRELOAD": "/nowhere/libmissing.so"}, cpus=first_cpu()))
    assert got.stderr.count("libmissing.so") == 1


def first_cpu() -> str:
    return str(min(os.sched_getaffinity(0)))


def test_a_program_runs_on_the_cpus_it_was_given() -> None:
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    got = HOST.output_of(Command((sys.executable, "-ISc", code), {}, cpus=first_cpu()))
    assert got.stdout == f"[{first_cpu()}]\n"


def test_the_files_of_a_run_lie_in_its_own_folder_which_goes_away(mark: str) -> None:
    wanted = replace(shell_plan(SERVER, "pwd; cat feed.txt; touch more", mark), files={"feed.txt": "T:1\n"})
    output = PAIR.carry_out(wanted)
    assert output.client is not None
    folder, text = output.client.stdout.splitlines()
    assert text == "T:1"
    assert not Path(folder).exists()


@pytest.mark.parametrize("name", ["../feed", "/feed", "a/b", "", ".", ".."])
def test_a_file_outside_the_run_s_folder_is_refused(mark: str, name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a file"):
        PAIR.carry_out(replace(shell_plan(SERVER, "true", mark), files={name: ""}))


def test_the_client_starts_only_when_all_threads_of_the_server_are_ready(mark: str, tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    slow = f"echo READY; sleep 0.2; touch {flag}; {SERVER}"
    output = PAIR.carry_out(replace(shell_plan(slow, f"test -e {flag} && echo later", mark), ready_count=2))
    assert output.client is not None
    assert output.client.stdout == "later\n"


def test_the_server_is_interrupted_so_that_it_prints_its_totals(mark: str) -> None:
    output = PAIR.carry_out(shell_plan(SERVER, "true", mark))
    assert output.failure is None
    assert output.server.stdout == "READY\ntotal\n"
    assert not alive(mark)


def test_cpu_seconds_are_those_of_the_program_and_not_of_its_launchers() -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass"
    got = HOST.output_of(Command((sys.executable, "-ISc", code), {}))
    assert got.cpu_s >= 0.2


def test_the_memory_of_a_server_is_its_own_and_not_that_of_who_started_it() -> None:
    held = bytearray(300_000_000)  # this process holds more than the shell that it starts
    output = PAIR.carry_out(shell_plan(SERVER, "true", uuid.uuid4().hex))
    assert output.server.memory_mb is not None
    assert 0.1 < output.server.memory_mb < len(held) / 1e7


def test_standard_input_is_empty() -> None:
    assert HOST.output_of(Command(("cat",), {})).exit_status == 0


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert HOST.output_of(script("printf 'a\\377b'")).stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_a_flood_of_output_neither_blocks_nor_fills_the_memory(tmp_path: Path) -> None:
    program = fake.install(tmp_path, flood_bytes=5_000_000, noise=0)
    output = run(program, Workload(), {})
    assert output.client is not None
    assert len(output.client.stdout) < processes.KEPT_BYTES + 100
    assert "bytes left out" in output.client.stdout
    assert sockperf.parse(output.client.stdout, output.server.stdout, Workload()).latency_p50_us == 36.0


def test_what_is_kept_of_a_stream_stays_small_while_it_grows() -> None:
    stream = processes.Stream()
    for step in range(50):
        stream.add(bytes([step]) * 100_000)
        assert len(stream.head) + len(stream.tail) <= 2 * processes.KEPT_BYTES
    text = stream.text()
    assert (text[0], text[-1]) == ("\0", "1")
    assert f"[… {5_000_000 - processes.KEPT_BYTES} bytes left out …]" in text


def test_both_streams_are_kept_apart_and_read_together() -> None:
    code = "import sys\nfor _ in range(3000): sys.stdout.write('o' * 100); sys.stderr.write('e' * 100)"
    got = HOST.output_of(Command((sys.executable, "-ISc", code), {}))
    assert (got.stdout, got.stderr) == ("o" * 300_000, "e" * 300_000)


def test_a_server_that_dies_is_a_failure_in_its_own_words(mark: str) -> None:
    output = PAIR.carry_out(shell_plan("echo cannot listen >&2; exit 1", "true", mark))
    assert output.client is None
    assert output.failure == "the server ended before it was ready: cannot listen"
    assert not output.timed_out


def test_a_banner_hides_neither_the_word_of_a_server_nor_the_signal_that_ended_it(mark: str) -> None:
    banner = "; ".join(f"echo ' XLIO INFO   : line {number}'" for number in range(9))
    said = PAIR.carry_out(shell_plan(f"echo no memory; {banner}; kill -KILL $$", "true", mark))
    assert said.failure == "the server ended before it was ready, by SIGKILL: no memory"
    nothing = PAIR.carry_out(shell_plan(f"{banner}; exit 1", "true", mark))
    assert nothing.failure == "the server ended before it was ready: it printed nothing of its own"


def test_a_server_that_never_becomes_ready_is_a_timeout(tmp_path: Path, mark: str) -> None:
    program = fake.install(tmp_path, no_ready=True)
    output = run(program, Workload(), {MARK: mark}, lambda p: replace(p, ready_limit_s=0.2))
    assert output.failure is not None
    assert output.failure.startswith("the server was not ready within 0.2 s: sockperf")
    assert output.timed_out
    assert not alive(mark)


def test_a_server_that_dies_during_the_run_ends_the_client_too(mark: str) -> None:
    output = PAIR.carry_out(shell_plan("echo READY; sleep 0.1; echo oh no", "exec sleep 60", mark))
    assert output.failure is not None
    assert "the server ended during the run" in output.failure
    assert "oh no" in output.failure
    assert not output.timed_out
    assert not alive(mark)


def test_a_client_that_crashes_is_a_failure_with_its_signal(tmp_path: Path, mark: str) -> None:
    output = run(fake.install(tmp_path, crash="client"), Workload(), {MARK: mark})
    assert output.failure == "the client was ended by SIGSEGV"
    assert not output.timed_out
    assert not alive(mark)


def test_a_client_that_hangs_is_killed_at_its_limit(tmp_path: Path, mark: str) -> None:
    program = fake.install(tmp_path, hang="client")
    output = run(program, Workload(), {MARK: mark}, lambda p: replace(p, time_limit_s=0.3))
    assert output.failure == "the client did not end within 0.3 s"
    assert output.timed_out
    assert not alive(mark)


def test_a_client_that_ends_when_asked_to_at_its_limit_is_a_timeout_all_the_same(mark: str) -> None:
    output = PAIR.carry_out(shell_plan(SERVER, "exec sleep 60", mark, time_limit_s=0.2))
    assert output.failure == "the client did not end within 0.2 s"
    assert output.timed_out


def test_a_server_that_cannot_be_stopped_is_killed(tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "STOP_LIMIT_S", 0.2)
    program = fake.install(tmp_path, hang="server", noise=0)
    output = run(program, Workload(), {MARK: mark})
    assert output.server.timed_out
    assert output.client is not None
    assert sockperf.parse(output.client.stdout, output.server.stdout, Workload()).latency_p50_us == 36.0
    assert not alive(mark)


def test_what_a_program_leaves_in_its_group_is_killed_with_it(mark: str) -> None:
    HOST.output_of(script("(trap '' INT TERM; exec sleep 60 >/dev/null 2>&1) & exit 0", {MARK: mark}))
    wait_until(lambda: not alive(mark))


def test_a_taken_port_is_replaced_by_another(tmp_path: Path) -> None:
    output = run(fake.install(tmp_path, port_taken=2), Workload(), {})
    assert output.failure is None


def test_ports_that_are_always_taken_end_in_a_failure_that_says_so(tmp_path: Path) -> None:
    program = fake.install(tmp_path, port_taken=99)
    output = run(program, Workload(), {})
    assert output.port_taken
    assert "Address already in use" in str(output.failure)
    assert (tmp_path / "sockperf.servers").read_text(encoding="ascii") == "x" * 5


def test_a_refused_client_is_a_reason_from_its_output(tmp_path: Path) -> None:
    with pytest.raises(benchmark.ParseError, match="Connection refused"):
        measure(fake.install(tmp_path, refuse=True), Workload(), {})


@pytest.mark.parametrize("lines", [0, 1, 9, 14, 20])
def test_a_client_cut_short_is_a_reason(tmp_path: Path, lines: int) -> None:
    with pytest.raises(benchmark.ParseError):
        measure(fake.install(tmp_path, truncate=lines), Workload(), {})


def test_an_interruption_leaves_no_process_behind(tmp_path: Path, mark: str, interrupted: None) -> None:
    program = fake.install(tmp_path, hang="client")

    def interrupt() -> None:
        wait_until(lambda: sum("ping-pong" in line for line in alive(mark)) >= 1)
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        run(program, Workload(), {MARK: mark})
    watcher.join()
    assert not alive(mark)
    wait_until(lambda: kept() == [])


def kept() -> list[str]:
    """Return the processes that the reaper of this process has, the dead ones that nobody has collected too."""
    mine = reaper(os.getpid())
    return Path(f"/proc/{mine}/task/{mine}/children").read_text(encoding="ascii").split()


def reaper(owner: int) -> int:
    """Return the number of the process that keeps the programs of another."""
    children = [stat.parent for stat in Path("/proc").glob("[0-9]*/stat") if str(owner) == parent(stat)]
    found = [folder for folder in children if b"tuner.hosts.reaper" in (folder / "cmdline").read_bytes()]
    assert len(found) == 1
    return int(found[0].name)


def parent(stat: Path) -> str:
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[1]
    except OSError:
        return ""


def test_a_run_that_a_ctrl_c_struck_while_it_was_born_is_made_again(tmp_path: Path, mark: str) -> None:
    struck = tmp_path / "struck"
    dies_once = f"[ -e {struck} ] || {{ touch {struck}; kill -INT $$; }}"
    output = PAIR.carry_out(shell_plan(f"{dies_once}; {SERVER}", "echo fine", mark))
    assert output.failure is None
    assert struck.exists()
    assert alive(mark) == []


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Make SIGINT what it is in a terminal, also in a test worker that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_processes_end_by_themselves_when_ours_and_their_reaper_are_killed_outright(tmp_path: Path, mark: str) -> None:
    program = fake.install(tmp_path, hang="client")
    code = textwrap.dedent(f"""
        from tuner.hosts import pair
        from tuner.hosts.host import Command
        from tuner.hosts.local import LocalHost
        pair.STOP_LIMIT_S = 0.1
        host, where = LocalHost(), ("-i", "127.0.0.1", "-p")
        port = str(host.free_ports(1, "udp", "127.0.0.1")[0])
        ends = [Command(({str(program)!r}, end, *where, port), {{{MARK!r}: {mark!r}}}) for end in ("server", "ping-pong")]
        pair.on_one(host).carry_out(pair.Job(*ends, "to block on socket(s)", time_limit_s=4.0, ready_limit_s=1.0))
    """)
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}) as ours:
        wait_until(lambda: sum("ping-pong" in line for line in alive(mark)) >= 2)
        os.kill(reaper(ours.pid), signal.SIGKILL)
        ours.kill()
    assert alive(mark)
    wait_until(lambda: not alive(mark))


def test_a_program_that_is_not_there_is_a_missing_tool() -> None:
    with pytest.raises(MissingTool, match="no program sockperff in /"):
        HOST.output_of(Command(("sockperff", "--version"), {}))
    with pytest.raises(MissingTool, match="no program /nowhere/sockperf"):
        HOST.output_of(Command(("/nowhere/sockperf", "--version"), {}))


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(MissingTool):
        HOST.output_of(Command((str(tmp_path),), {}))


def test_names_and_values_that_no_environment_can_hold_are_refused_all_at_once() -> None:
    bad = {"A=B": "1", "-u": "PATH", "": "x", "GOOD": "nul\0"}
    with pytest.raises(UsageError) as caught:
        HOST.output_of(Command(("true",), bad))
    assert {finding.where for finding in caught.value.findings} == {f"environment.{name}" for name in bad}


def test_a_program_whose_path_would_be_read_as_a_setting_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a=b"
    folder.mkdir()
    with pytest.raises(UsageError, match="cannot be started as asked"):
        HOST.output_of(Command((str(fake.install(folder)),), {}))


def test_a_short_program_that_hangs_is_ended() -> None:
    got = HOST.output_of(Command(("sleep", "60"), {}), time_limit_s=0.1)
    assert got.timed_out


def test_several_servers_each_say_their_last_words_and_none_is_left(mark: str) -> None:
    wanted = shell_plan(SERVER, "true", mark)
    output = PAIR.carry_out(replace(wanted, further=wanted.servers * 2))
    assert [server.stdout for server in output.servers] == ["READY\ntotal\n"] * 3
    assert not alive(mark)


def test_one_of_several_servers_that_cannot_start_is_a_run_that_failed(mark: str) -> None:
    wanted = shell_plan(SERVER, "true", mark)
    broken = shell_plan("echo no group >&2; exit 1", "true", mark).servers
    output = PAIR.carry_out(replace(wanted, further=broken + wanted.servers))
    assert output.failure == "the server ended before it was ready: no group"
    assert output.client is None
    assert not alive(mark)


def test_a_port_that_somebody_has_is_refused_in_the_systems_words() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        assert HOST.refusal("udp", "127.0.0.1", holder.getsockname()[1]) == "Address already in use"
    assert HOST.refusal("udp", "192.0.2.1", 5001) == "Cannot assign requested address"
    assert HOST.refusal("udp", "239.1.1.1", 0) is None


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_free_ports_are_different_and_free(protocol: str) -> None:
    ports = HOST.free_ports(20, protocol, "127.0.0.1")
    assert len(set(ports)) == 20
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", ports[0]))


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1"):
        HOST.free_ports(1, "tcp", "192.0.2.1")


def test_the_fake_has_the_words_of_the_real_program(tmp_path: Path) -> None:
    program = fake.install(tmp_path)
    version = HOST.output_of(Command((str(program), "--version"), {}))
    assert sockperf.features(version.stdout, "").version == (3, 7)
    fake.order(program, version="iperf 3.12")
    with pytest.raises(MissingTool):
        sockperf.features(HOST.output_of(Command((str(program), "--version"), {})).stdout, "")


def test_the_fake_shows_the_kernel_library_s_banner_unless_told_not_to(tmp_path: Path) -> None:
    environment = {"LD_PRELOAD": "/nowhere/libtuner_kernel.so", "XLIO_RX_POLL": "-1"}
    program = fake.install(tmp_path)
    shown = run(program, Workload(), environment).server.stderr
    assert "TUNER_KERNEL_VERSION" in shown
    assert "[XLIO_RX_POLL]" in shown
    fake.order(program, not_loaded=True)
    assert "TUNER_KERNEL_VERSION" not in run(program, Workload(), environment).server.stderr


def test_the_fake_s_noise_follows_from_its_seed(tmp_path: Path) -> None:
    def medians(folder: str, seed: int) -> list[float | None]:
        (tmp_path / folder).mkdir()
        program = fake.install(tmp_path / folder, seed=seed)
        return [measure(program, Workload(), {}).latency_p50_us for _ in range(2)]

    first = medians("a", 1)
    assert first == medians("b", 1)
    assert first != medians("c", 2)
    assert first[0] != first[1]


needs_sockperf = pytest.mark.skipif(shutil.which("sockperf") is None, reason="sockperf is not installed")


@needs_sockperf
@pytest.mark.parametrize(
    "workload",
    [
        Workload(),
        Workload(mode=Mode.THROUGHPUT, protocol=Protocol.UDP),
        Workload(mode=Mode.UNDER_LOAD, rate_mps=5000, multiplexer=Multiplexer.EPOLL, connections=4, server_threads=2),
        Workload(mode=Mode.PLAYBACK, playback="playback.csv", protocol=Protocol.UDP, reply_every=1),
    ],
    ids=lambda workload: str(workload.key()),
)
def test_the_real_program_is_started_understood_and_gone(workload: Workload, mark: str) -> None:
    placed = cpus.placement(cpus.topology())

    def on_their_cpus(p: Job) -> Job:
        ends = replace(p.servers[0], cpus=placed.server), replace(p.client, cpus=placed.client)
        steps = "".join(f"{0.001 * step:.3f}, 64\n" for step in range(1, 1000))
        return replace(p, server=ends[0], client=ends[1], files=sockperf.files(workload, ports_of(p), steps))

    output = run("sockperf", workload, {MARK: mark}, on_their_cpus)
    assert output.failure is None
    assert output.client is not None
    got = sockperf.parse(output.client.stdout, output.server.stdout, workload)
    assert got.rate_mps is not None
    assert got.rate_mps > 0
    assert got.received is not None
    assert output.client.cpu_s > 0
    assert output.server.cpu_s > 0
    assert not alive(mark)


def ports_of(p: Job) -> tuple[int, ...]:
    """Return the ports that a plan names in its feed file."""
    return tuple(int(line.rpartition(":")[2]) for line in p.files.get(sockperf.FEED_FILE, "").splitlines())


@needs_sockperf
def test_the_real_program_s_taken_port_is_noticed() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        output = PAIR.carry_out(plan("sockperf", Workload(), (holder.getsockname()[1],), {}))
    assert output.port_taken


@needs_sockperf
def test_the_installed_program_says_what_it_can_do() -> None:
    texts = [HOST.output_of(Command(("sockperf", *a), {})).stdout for a in (("--version",), ("ping-pong", "--help"))]
    found = sockperf.features(*texts)
    assert found.version >= (3, 7)


def test_a_reason_has_the_last_whole_lines_and_nothing_that_steers_a_terminal() -> None:
    said = processes.last_words(" \x1b[0;31m XLIO ERROR  : no card\x1b[0m\n\n" + "x" * 495 + "\n\x07the end\n")
    assert said == "the end"
    assert processes.last_words("\x1b[31m XLIO ERROR: no card\x1b[0m\nthe end\n") == " XLIO ERROR: no card\nthe end"
    assert processes.last_words("y" * 900) == "y" * 500 + "…"
    assert processes.last_words("\n \n") == ""


@pytest.mark.parametrize(("user", "kept_for_root", "full"), [(0, 0, True), (0, 5, False), (1000, 5, True)])
def test_a_file_on_a_full_disk_is_not_taken_for_a_whole_one(
    monkeypatch: pytest.MonkeyPatch, user: int, kept_for_root: int, full: bool
) -> None:
    room = os.statvfs_result((4096, 4096, 100, kept_for_root, 0, 10, 10, 10, 0, 255))
    with HOST.site({"log.csv": "cut o"}) as site:
        monkeypatch.setattr(os, "fstatvfs", lambda _: room)
        monkeypatch.setattr(os, "geteuid", lambda: user)
        if full:
            with pytest.raises(TunerError, match=r"no space is left in .*: what a run writes there is cut off"):
                site.opened("log.csv")
        else:
            with site.opened("log.csv") or pytest.fail("it is there") as file:
                assert file.read() == b"cut o"
