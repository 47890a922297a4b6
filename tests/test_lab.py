"""A lab is two real hosts as far as ssh and the network can tell, and nothing of it stays."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import command_line
import labs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.errors import TunerError, UsageError
from tuner.hosts.lab import control, files, ssh_files, state, wires
from tuner.hosts.lab.shape import MOST_PAIRS, Shape, checked

KINDS = ("net", "mnt", "pid", "uts", "ipc")
PATIENCE_S = 15.0


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def namespaces_of(pid: int | str) -> set[str]:
    try:
        return {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in KINDS}
    except OSError:  # it has ended
        return set()


@contextmanager
def own_namespaces(lab: labs.Lab) -> Iterator[set[str]]:
    """Yield the namespaces of the lab's keeper and hosts that this process is not in.

    They are held meanwhile, because the kernel gives the number of one that is gone to the next one of anybody.
    """
    mine = namespaces_of(os.getpid())
    with ExitStack() as held:
        for pid in (lab.row["keeper"], *lab.row["hosts"].values()):
            for kind in KINDS:
                held.enter_context(Path(f"/proc/{pid}/ns/{kind}").open("rb"))
        yield {each for pid in (lab.row["keeper"], *lab.row["hosts"].values()) for each in namespaces_of(pid)} - mine


def processes_in(spaces: set[str]) -> list[str]:
    return [process.name for process in Path("/proc").glob("[0-9]*") if namespaces_of(process.name) & spaces]


@pytest.fixture(scope="module", params=[(), ("--rootless",)], ids=["as this user", "rootless"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[labs.Lab]:
    with labs.up(tmp_path_factory.mktemp("state"), *request.param) as found:
        yield found


def test_each_host_has_a_name_a_home_and_processes_of_its_own(lab: labs.Lab) -> None:
    for side in ("server", "client"):
        said = lab.ssh(f"{side}-1.lab", "hostname; pwd; ls -A /tmp; touch ~/mine /tmp/mine; cat /proc/1/stat")
        hostname, home, first, *_ = said.splitlines()
        assert hostname == f"{side}-1"
        assert home == f"/home/{lab.row['user']}"
        assert first.startswith("1 "), "its /tmp is empty at first, and its first process has the number 1"
    assert not Path("/tmp/mine").exists()  # noqa: S108 - it is a host's


def test_what_is_measured_and_ssh_go_by_different_interfaces(lab: labs.Lab) -> None:
    names = lab.ssh("server-1.lab", "ls /sys/class/net").split()
    assert sorted(names) == ["data0", "lo", "mgmt0"]
    said = lab.ssh("server-1.lab", "ip -json route get 198.18.1.2; echo $SSH_CONNECTION").splitlines()
    assert json.loads(said[0])[0]["dev"] == "data0"
    assert said[1].split()[2].startswith("198.19.")


def test_a_packet_crosses_the_measured_wire(lab: labs.Lab) -> None:
    done = lab.tuner("lab", "exec", "client-1", "--", "python3", "-c", SENT, lab.pair["address"])
    assert done.returncode != 0, "nobody listens yet"
    listening = ["ssh", "-F", lab.row["ssh_config"], "server-1.lab", f"python3 -c '{ECHO}' {lab.pair['address']}"]
    with subprocess.Popen(listening, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        done = lab.tuner("lab", "exec", "client-1", "--", "python3", "-c", SENT, lab.pair["address"])
        assert done.stdout == "198.18.1.2 said it\n", done.stderr


SENT = """import socket, sys
with socket.create_connection((sys.argv[1], 7777), 5) as one:
    print(one.recv(100).decode())"""
ECHO = """import socket, sys
with socket.create_server((sys.argv[1], 7777)) as here:
    print("ready", flush=True)
    one, (who, _) = here.accept()
    one.sendall(f"{who} said it".encode())"""


def test_arguments_and_exit_status_of_a_program_arrive_as_they_are(lab: labs.Lab) -> None:
    words = ["", "b c", "$HOME", "it's", "*", "ä\n"]
    done = lab.tuner("lab", "exec", "server-1", "--", "python3", "-c", "import sys; print(ascii(sys.argv[1:]))", *words)
    assert done.stdout == f"{words!a}\n"
    assert lab.tuner("lab", "exec", "server-1.lab", "--", "sh", "-c", "exit 7").returncode == 7


def test_this_machines_files_cannot_be_written_from_a_host(lab: labs.Lab, tmp_path: Path) -> None:
    said = lab.ssh(
        "server-1.lab", "for at in / /usr /etc /dev; do touch $at/of-a-lab 2>/dev/null || echo refused; done"
    )
    assert said.split() == ["refused"] * 4


def test_nobody_gets_in_without_the_labs_key_or_past_another_host_key(lab: labs.Lab, tmp_path: Path) -> None:
    argv = ["ssh", "-F", lab.row["ssh_config"]]
    stranger = tmp_path / "stranger"
    key = files.make_key(stranger)
    other = tmp_path / "known_hosts"
    other.write_text(f"server-1.lab {key}", encoding="ascii")
    for options, reason in (
        (["-o", f"UserKnownHostsFile={other}"], "HOST IDENTIFICATION HAS CHANGED"),
        (["-o", f"UserKnownHostsFile={tmp_path / 'none'}"], "Host key verification failed"),
    ):
        done = subprocess.run([*argv, *options, "server-1.lab", "true"], capture_output=True, text=True, check=False)
        assert done.returncode == 255
        assert reason in done.stderr
    config = tmp_path / "ssh_config"
    text = Path(lab.row["ssh_config"]).read_text(encoding="utf-8")
    config.write_text(re.sub(r"IdentityFile .*", f'IdentityFile "{stranger}"', text), encoding="utf-8")
    done = subprocess.run(["ssh", "-F", config, "server-1.lab", "true"], capture_output=True, text=True, check=False)
    assert "Permission denied (publickey)" in done.stderr


def test_an_sshd_that_is_killed_comes_back(lab: labs.Lab) -> None:
    first = hosts_now(lab)["client-1.lab"]
    listener = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()[0]
    os.kill(int(listener), signal.SIGKILL)
    wait_for(lambda: not Path("/proc", listener).exists())
    wait_for(lambda: lab.tuner("lab", "exec", "client-1", "--", "true").returncode == 0)


def test_a_host_that_dies_is_started_again_with_its_wires_and_its_key(lab: labs.Lab) -> None:
    before = hosts_now(lab)
    os.kill(before["server-1.lab"], signal.SIGKILL)
    wait_for(lambda: hosts_now(lab).get("server-1.lab") not in {None, before["server-1.lab"]})
    assert hosts_now(lab)["client-1.lab"] == before["client-1.lab"]
    assert json.loads(lab.ssh("client-1.lab", "ip -json route get 198.18.1.1"))[0]["dev"] == "data0"
    assert "198.18.1.1" in lab.ssh("server-1.lab", "ip -br address show data0")


def hosts_now(lab: labs.Lab) -> dict[str, int]:
    row = json.loads(lab.tuner("lab", "status", "--json").stdout)["labs"][0]
    return {name: pid for name, pid in row["hosts"].items() if Path(f"/proc/{pid}").exists()}


# Of a lab of its own, because it is ended.
@pytest.mark.parametrize(
    ("options", "killed"),
    [((), False), ((), True), (("--rootless",), True)],
    ids=["told to end", "keeper killed", "keeper of a rootless one killed"],
)
def test_nothing_of_a_lab_stays(tmp_path: Path, options: tuple[str, ...], killed: bool) -> None:
    with labs.up(tmp_path, "--pairs", "2", *options) as lab, own_namespaces(lab) as spaces:
        assert len(spaces) >= 4 * len(KINDS) + 1
        lab.ssh("server-2.lab", "nohup setsid sleep 1000 >/dev/null 2>&1 & sleep 0.1")
        if killed:
            os.kill(lab.row["keeper"], signal.SIGKILL)
            wait_for(lambda: not processes_in(spaces))
            assert lab.tuner("lab", "status").stdout.startswith("lab: leftovers")
        done = lab.tuner("lab", "down")
        assert done.stdout == ("lab: leftovers removed\n" if killed else "lab: ended\n")
        assert processes_in(spaces) == []
        assert not lab.folder.exists()
        assert str(lab.folder) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
        assert not {"mgmt0", "data0", "host0", "host3"} & {each.name for each in Path("/sys/class/net").iterdir()}
        assert lab.tuner("lab", "status").stdout == "no lab is up\n"


def test_a_keeper_that_is_stopped_is_killed_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "END_LIMIT_S", 0.3)
    with labs.up(tmp_path) as lab, own_namespaces(lab) as spaces:
        os.kill(lab.row["keeper"], signal.SIGSTOP)
        control.down(control.named(lab.folder.parent, "lab"))
        assert processes_in(spaces) == []
        assert not lab.folder.exists()


def test_a_lab_is_made_over_what_a_killed_one_left_but_not_over_one_that_is_up(tmp_path: Path) -> None:
    with labs.up(tmp_path) as lab:
        again = lab.tuner("lab", "up")
        assert again.returncode == 2
        assert "a lab called lab is up" in again.stderr
        os.kill(lab.row["keeper"], signal.SIGKILL)
        wait_for(lambda: not files.is_locked(lab.folder))
        assert lab.tuner("lab", "up").returncode == 0
        assert lab.tuner("lab", "exec", "server-1", "--", "true").returncode == 0


def test_a_number_that_was_used_again_is_not_taken_for_the_keeper(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        mine = state.State(Shape(), state.Known(other.pid, 1), state.boot_id(), "root", rootless=False)
        folder = tmp_path / "lab"
        with files.locked(folder) as lock:
            assert lock is not None
            state.write(mine, folder)
            found = control.found(folder)
            assert found.up
            control._tell(found, signal.SIGKILL)
            assert not mine.lives()
        assert not control.found(folder).up
        control.down(control.found(folder))
        assert other.poll() is None
        other.kill()
    assert not folder.exists()


def test_a_state_of_an_earlier_boot_names_no_process(tmp_path: Path) -> None:
    me = state.known(os.getpid())
    mine = state.State(Shape(), me, state.boot_id(), "root", rootless=False, hosts={"server-1.lab": me})
    assert mine.lives()
    assert not replace(mine, boot="another").lives()
    state.write(mine, tmp_path)
    assert state.read(tmp_path) == mine


@settings(max_examples=25)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.dictionaries(
            st.sampled_from(["shape", "keeper", "boot", "user", "rootless", "hosts", "lost", "name", "pid"]), inner
        ),
        max_leaves=10,
    )
)
def test_any_damaged_state_is_called_damaged(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / state.FILE).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(TunerError, match=r"is damaged|such a lab"):
        state.read(folder)
    (folder / state.FILE).unlink()


def test_the_hosts_of_the_largest_lab_share_no_address_and_no_name() -> None:
    hosts = Shape(pairs=MOST_PAIRS).hosts
    assert len({host.name for host in hosts}) == len(hosts) == 2 * MOST_PAIRS
    addresses = [each for host in hosts for each in (host.address, host.management, host.outside)]
    assert len(set(addresses)) == len(addresses)
    assert all(0 <= int(part) <= 255 for each in addresses for part in each.split("."))


def test_all_that_is_wrong_with_a_shape_is_said_at_once() -> None:
    with pytest.raises(UsageError) as told:
        checked(Shape("../x", 65, "5", "fast"))
    assert [finding.where for finding in told.value.findings] == ["--name", "--pairs", "--delay", "--rate"]


@pytest.mark.parametrize("name", ["spaces in it", "50%h", "quo'te"])
def test_ssh_reads_the_labs_folder_as_it_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    config = folder / "config"
    config.write_text(ssh_files.client(folder, Shape(), "me"), encoding="utf-8")
    said = subprocess.run(
        ["ssh", "-G", "-F", config, "server-1.lab"], capture_output=True, text=True, check=True
    ).stdout
    read = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    assert read["identityfile"].replace("%%", "%") == str(folder / "key")
    assert read["stricthostkeychecking"] == "true"
    assert read["user"] == "me"


def test_a_bucket_holds_what_its_rate_gives_between_two_ticks() -> None:
    assert "65536" in wires.shaping(Shape(rate="1mbit"))
    assert str(10_000_000_000 // 8 // 250) in wires.shaping(Shape(rate="10gbit"))
    assert wires.shaping(Shape(delay="50us", rate="1gbit"))[-4:] == ["delay", "50us", "rate", "1gbit"]
    assert wires.shaping(Shape()) == []


def test_a_rate_is_kept_and_what_the_kernel_lacks_is_said(tmp_path: Path) -> None:
    with labs.up(tmp_path, "--rate", "100mbit") as lab:
        assert "rate 100Mbit" in lab.ssh("client-1.lab", "tc qdisc show dev data0")
        done = lab.tuner("lab", "up", "--delay", "50us", "--name", "slow")
        if done.returncode:
            assert "this kernel has no netem, which --delay needs" in done.stderr
            assert not (lab.folder.parent / "slow").exists()
        else:
            said = lab.tuner("lab", "exec", "server-1.slow", "--", "tc", "qdisc", "show", "dev", "data0")
            assert "delay 50us" in said.stdout


def test_a_system_without_room_for_a_namespace_is_told_with_what_permits_one(tmp_path: Path) -> None:
    none = 'for each in user net mnt; do echo 0 > /proc/sys/user/max_${each}_namespaces || exit 77; done; exec "$@"'
    command = ["unshare", "-Ur", "sh", "-c", none, "sh", *command_line.STARTED, "lab", "up"]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no user namespace on this machine: {done.stderr.strip()}")
    assert done.returncode == 1
    assert "this system permits no namespaces: there are as many as may be" in done.stderr
    assert "sysctl user.max_user_namespaces" in done.stderr
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
