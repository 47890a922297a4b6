"""How ssh on this machine reaches a host of a lab: its ProxyCommand, which hands over a connection and ends.

    python -m tuner.hosts.lab.door FOLDER HOST PORT

The connection is made inside the lab's own network, which nothing else on this machine sees (ssh_config(5): ProxyUseFdpass).
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Final

from tuner.errors import TunerError
from tuner.hosts.lab import namespaces, state

_LIMIT_S: Final = 5.0


def connected(folder: Path, name: str, port: int) -> socket.socket:
    """Return a connection to a port of a host; raise `TunerError` where the lab is not up or has no such host.

    This process is in the lab's network afterwards.
    """
    found = state.read(folder)
    if found is None or not found.lives():
        raise TunerError(f"the lab of {folder} is not up: tuner lab up")
    host = next((each for each in found.shape.hosts if each.name == name), None)
    if host is None:
        raise TunerError(f"the lab {found.shape.name} has no host {name}")
    user = [namespaces.NEW_USER] if found.rootless else []
    try:
        namespaces.enter(found.keeper.pid, [*user, namespaces.NEW_NETWORK])
        return socket.create_connection((host.management, port), _LIMIT_S)
    except OSError as reason:
        raise TunerError(f"{name} cannot be reached: {reason.strerror or reason}") from reason


def main() -> int:
    """Connect to a host and pass the connection to ssh, over the socket that is our standard output."""
    folder, name, port = sys.argv[1:]
    try:
        with connected(Path(folder), name, int(port)) as one, socket.socket(fileno=1) as ssh:
            one.settimeout(None)
            socket.send_fds(ssh, [b"\0"], [one.fileno()])
            ssh.detach()
    except TunerError as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
