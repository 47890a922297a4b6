"""The first process of a host: it makes the place a machine of its own, starts sshd, and collects whatever ends.

The place is this machine's own files, read-only, with its own /proc, /sys, /tmp, /run, home, users and name. When this
process ends, the kernel ends all others of the host.
"""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from tuner.errors import TunerError
from tuner.hosts.lab import namespaces, ssh_files
from tuner.hosts.lab.shape import SSH_PORT, LabHost

SSHD_LIMIT_S: Final = 10.0
_POLL_S: Final = 0.01
_AGAIN_S: Final = 0.25
"""Between the end of an sshd and the start of the next one, as a service manager would have it."""
_RUN: Final = Path("/run")
_OWN: Final = _RUN / "lab"
_CGROUPS: Final = Path("/sys/fs/cgroup")
_SIZE: Final = "size=256m"
_FOLDERS: Final = {"/tmp": "1777", "/var/tmp": "1777", "/dev/shm": "1777", "/var/log": "755", "/home": "755"}  # noqa: S108 - mounts of its own
_ANSWERS: Final = b"SSH-"


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in at a host, and the keys that are needed for it: the host's own one and the public one of the user.

    `uid` is also the group's number. `mapped` is whether that user stands for the one who made the lab, in a user namespace.
    """

    user: str
    uid: int
    mapped: bool
    host_key: str
    user_key: str

    @property
    def home(self) -> Path:
        """Return the home directory."""
        return Path("/home", self.user)


def live(host: LabHost, account: Account, sshd: str, line: socket.socket) -> NoReturn:
    """Be the first process of a host: tell over `line` that it is ready or why not, and stay."""
    try:
        _settle(host, account)
        if line.recv(16) != b"go":
            os._exit(1)
        server = _start(sshd, account)
        _await(server, host)
    except (OSError, TunerError) as reason:
        line.send(f"! {reason}".encode()[:1000])
        os._exit(1)
    line.send(b"ready")
    line.close()
    _collect(server, sshd, account)


def _settle(host: LabHost, account: Account) -> None:
    socket.sethostname(host.hostname)
    namespaces.keep_mounts_private()
    plain = namespaces.NO_SUID | namespaces.NO_DEVICES
    namespaces.mount("tmpfs", _RUN, "mode=755,size=16m", plain)
    _own_system_folders(plain)
    _forbid_writing_beside(_RUN, Path("/proc"), Path("/sys"))
    for folder, mode in _FOLDERS.items():
        namespaces.mount("tmpfs", Path(folder), f"mode={mode},{_SIZE}", plain)
    _own_terminals()
    _own_files(host, account)
    _permit("ip_unprivileged_port_start", "0")
    _permit("ping_group_range", "0 0")


def _forbid_writing_beside(*own: Path) -> None:
    """Have all that this machine has mounted read-only, its /dev too; not what is this host's own, nor what nobody here may look into."""
    for place in namespaces.mounted():
        if not any(place.is_relative_to(each) for each in own):
            with suppress(PermissionError, FileNotFoundError):
                namespaces.forbid_writing(place)


def _own_system_folders(plain: int) -> None:
    """Have /proc and /sys tell of this host; the control groups, which are the machine's, stay where they were."""
    namespaces.mount("proc", Path("/proc"), "", plain | namespaces.NO_PROGRAMS)
    kept = _RUN / "cgroup"
    kept.mkdir()
    has_groups = _CGROUPS.is_dir()
    if has_groups:
        namespaces.bind(_CGROUPS, kept)
    namespaces.mount("sysfs", Path("/sys"), "", plain | namespaces.NO_PROGRAMS)
    if has_groups:
        namespaces.bind(kept, _CGROUPS)
        namespaces.unmount(kept)


def _own_terminals() -> None:
    namespaces.mount("devpts", Path("/dev/pts"), "newinstance,ptmxmode=0666,mode=0620", namespaces.NO_SUID)
    namespaces.bind(Path("/dev/pts/ptmx"), Path("/dev/ptmx"))


def _own_files(host: LabHost, account: Account) -> None:
    (_RUN / "sshd").mkdir(mode=0o755)
    _OWN.mkdir(mode=0o755)
    _put(_OWN / "host_key", account.host_key, 0o600)
    _put(_OWN / "sshd_config", ssh_files.server(host, _OWN / "host_key"), 0o644)
    account.home.mkdir(mode=0o700)
    (account.home / ".ssh").mkdir(mode=0o700)
    _put(account.home / ".ssh" / "authorized_keys", account.user_key, 0o600)
    _own_etc()
    for name, text in _system_files(host, account).items():
        _put(_OWN / name, text, 0o644)
        if (at := Path("/etc", name)).exists():
            namespaces.bind(_OWN / name, at)


def _own_etc() -> None:
    """Have a view of /etc that is this host's own, where the kernel lays one file system over another for us.

    What is bound to a file of the machine's own /etc goes as soon as the machine puts another file there, as `useradd` does (mount_namespaces(7)).
    """
    nothing = _OWN / "nothing"
    nothing.mkdir()
    with suppress(TunerError):
        namespaces.mount(
            "overlay", Path("/etc"), f"lowerdir={nothing}:/etc", namespaces.NO_SUID | namespaces.NO_DEVICES
        )


def _system_files(host: LabHost, account: Account) -> Mapping[str, str]:
    """Return the files of /etc that are the host's own, name to text."""
    shell = next((each for each in ("/bin/bash", "/bin/sh") if Path(each).exists()), "/bin/sh")
    users = {
        "root": "0:0:root:/root:/usr/sbin/nologin",
        **_separated(),
        "nobody": "65534:65534::/nonexistent:/bin/false",
    }
    users |= {account.user: f"{account.uid}:{account.uid}::{account.home}:{shell}"}
    return {
        "passwd": "".join(f"{name}:*:{rest}\n" for name, rest in users.items()),
        "shadow": "".join(f"{name}:*:19000:0:99999:7:::\n" for name in users),
        "group": "root:x:0:\nnogroup:x:65534:\n" + (f"{account.user}:x:{account.uid}:\n" if account.uid else ""),
        "hosts": f"127.0.0.1 localhost\n{host.address} {host.hostname} {host.name}\n",
        "hostname": f"{host.hostname}\n",
    }


def _separated() -> Mapping[str, str]:
    """Return the user that sshd gives up its rights for, as this machine has it, none where there is none."""
    try:
        found = pwd.getpwnam("sshd")
    except KeyError:
        return {}
    return {"sshd": f"{found.pw_uid}:{found.pw_gid}::/run/sshd:/usr/sbin/nologin"}


def _put(path: Path, text: str, mode: int) -> None:
    path.touch(mode=mode)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _permit(name: str, value: str) -> None:
    Path("/proc/sys/net/ipv4", name).write_text(value, encoding="ascii")


def _start(sshd: str, account: Account) -> int:
    """Start the server in a session of its own; return its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        if account.mapped:
            namespaces.become(account.uid, 0, 0)
        argv = [sshd, "-D", "-e", "-f", str(_OWN / "sshd_config")]
        os.execve(sshd, argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # noqa: S606 - no shell is what is wanted
    except OSError as reason:
        os.write(2, f"cannot start {sshd}: {reason.strerror}\n".encode())
    finally:
        os._exit(1)


def _await(server: int, host: LabHost) -> None:
    """Wait until sshd answers; raise `TunerError` where it ends or stays silent."""
    deadline = time.monotonic() + SSHD_LIMIT_S
    while time.monotonic() < deadline:
        if os.waitpid(server, os.WNOHANG)[0]:
            raise TunerError("its sshd ended at once")
        try:
            with socket.create_connection((host.management, SSH_PORT), 1.0) as one:
                if one.recv(len(_ANSWERS)) == _ANSWERS:
                    return
        except OSError:
            time.sleep(_POLL_S)
    raise TunerError(f"its sshd did not answer within {SSHD_LIMIT_S:g} s")


def _collect(server: int, sshd: str, account: Account) -> NoReturn:
    """Collect what ends, for ever, and start sshd again when it was that."""
    while True:
        try:
            ended, _ = os.waitpid(-1, 0)
        except ChildProcessError:  # cannot be: sshd is there
            ended = server
        if ended == server:
            time.sleep(_AGAIN_S)
            server = _start(sshd, account)
