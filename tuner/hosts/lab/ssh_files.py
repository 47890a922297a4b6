"""What OpenSSH reads in a lab: the configuration of each host's server, and that of the client on this machine.

The user's own files in ~/.ssh are neither read nor written: the lab has keys, configuration and known hosts of its own.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tuner.hosts.lab.shape import SSH_PORT, LabHost, Shape

CONFIGURATION: Final = "ssh_config"
KNOWN_HOSTS: Final = "known_hosts"
USER_KEY: Final = "key"


def server(host: LabHost, key: Path) -> str:
    """Return the sshd_config(5) of a host: keys only, and only where its link to the keeper ends."""
    return f"""\
ListenAddress {host.management}:{SSH_PORT}
HostKey {key}
AuthenticationMethods publickey
AuthorizedKeysFile .ssh/authorized_keys
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
PidFile none
PrintMotd no
PrintLastLog no
X11Forwarding no
MaxSessions 64
MaxStartups 64
Subsystem sftp internal-sftp
"""


def client(folder: Path, shape: Shape, user: str) -> str:
    """Return the ssh_config(5) by which this machine reaches the hosts of the lab in `folder`."""
    knock = [sys.executable, "-P", "-m", "tuner.hosts.lab.door", str(folder)]
    door = " ".join(_percent(shlex.quote(word)) for word in knock)
    return f"""\
# Written by `tuner lab up`, gone with `tuner lab down`.
Host *.{shape.name}
    User {user}
    Port {SSH_PORT}
    ProxyCommand {door} %h %p
    ProxyUseFdpass yes
    IdentityFile {_quoted(folder / USER_KEY)}
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {_quoted(folder / KNOWN_HOSTS)}
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    UpdateHostKeys no
    BatchMode yes
"""


def known_hosts(keys: Iterable[tuple[LabHost, str]]) -> str:
    """Return the known_hosts file (man 8 sshd) of hosts with their public keys."""
    return "".join(f"{host.name} {' '.join(key.split()[:2])}\n" for host, key in keys)


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(path: Path) -> str:
    return f'"{_percent(str(path))}"'
