"""Other hosts for tests: an agent that is a child of the test, and one behind a real sshd that the test starts for itself."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner.errors import HostLost, TunerError
from tuner.hosts import ssh
from tuner.hosts.connection import NotStarted
from tuner.hosts.remote import RemoteHost, Way

SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
KEYGEN: Final = shutil.which("ssh-keygen")
NO_SSHD: Final = "" if SSHD and KEYGEN and shutil.which("ssh") else "needs openssh-server and openssh-client"


def not_started(name: str, reason: NotStarted) -> TunerError:
    return HostLost(f"{name}: {reason.exit_status}: {reason.said}")


def child(environment: Mapping[str, str] | None = None) -> RemoteHost:
    """Return a host whose agent is a child of this process: all but ssh."""
    return RemoteHost(Way("child", ("sh", "-c"), not_started, {**os.environ, **(environment or {})}))


@dataclass(frozen=True, slots=True)
class Sshd:
    """A sshd of the test's own: its folder holds keys and configuration of both ends, and its log."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes ssh use the configuration of this test and nothing of the user's."""
        return {ssh.CONFIGURATION: str(self.folder / "config")}

    def host(self) -> RemoteHost:
        target = ssh.target(self.url, "--server")
        assert target is not None
        return RemoteHost(ssh.way(target, {**os.environ, **self.environment}, self.folder / "c"))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _key(path: Path) -> str:
    subprocess.run([str(KEYGEN), "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=30)
    return path.with_suffix(".pub").read_text(encoding="ascii")


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Start a sshd that lets in the one who started it, by a key, on a port of 127.0.0.1."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = Sshd(folder, _free_port())
    host_key, mine = _key(folder / "host_key"), _key(folder / "user_key")
    (folder / "authorized_keys").write_text(mine, encoding="ascii")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{found.port} {host_key}", encoding="ascii")
    (folder / "config").write_text(
        f"Host *\nIdentityFile {folder}/user_key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\nGlobalKnownHostsFile none\n",
        encoding="ascii",
    )
    (folder / "sshd_config").write_text(
        f"Port {found.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        f"SetEnv TUNER_LOCKS={folder}\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\nPermitRootLogin yes\n",
        encoding="ascii",
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # where sshd gives up its rights; its package makes it at boot
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        _await_port(found.port)
        yield found
    finally:
        server.terminate()
        server.wait(10)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, "sshd never listened"
        time.sleep(0.02)
