"""Do servers and clients that everybody knows do under the kernel stack's library what they do without?

Each pair of a server and a client is run plain, with an XLIO that polls a while, and with one that polls for ever; both programs
have the library. It is looked whether the client ends well and prints what it should, and what lives on of both after the
server was asked to end. What is not installed is told.

    .venv/bin/python benchmarks/known_programs.py [NAME …]     two minutes
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import rows

from tuner.stacks.preloads import kernel_library

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import postgres

LIMIT_S: Final = 180.0
GONE_WITHIN_S: Final = 3.0
SETTINGS: Final[Mapping[str, Mapping[str, str] | None]] = {
    "plain": None,
    "polls a while": {"XLIO_RX_POLL": "100", "XLIO_SELECT_POLL": "100"},
    "polls for ever": {"XLIO_SPEC": "latency", "XLIO_RX_POLL_YIELD": "1", "XLIO_TCP_QUICKACK": "1"},
}
NGINX: Final = """daemon off; master_process on; worker_processes 2; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
uwsgi_temp_path {folder}; scgi_temp_path {folder}; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}
"""
HAPROXY: Final = """defaults
  mode http
  timeout client 5s
  timeout connect 5s
  timeout server 5s
frontend all
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain string ok
"""
SSHD: Final = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/key
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PidFile none
"""
SSH: Final = (
    "ssh -F none -i {folder}/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p {port} "
    "root@127.0.0.1 seq 200000"
)
AB: Final = "ab -n 2000 -c 8 http://127.0.0.1:{port}/big"


@dataclass(frozen=True, slots=True)
class Pair:
    """A server, and a client that ends; what the client must print, files beside them, and what is done first, plain."""

    server: str
    client: str
    prints: str
    files: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()


PAIRS: Final[Mapping[str, Pair]] = {
    "redis, redis-benchmark": Pair(
        "redis-server --port {port} --bind 127.0.0.1 --save '' --dir {folder}",
        "redis-benchmark -h 127.0.0.1 -p {port} -t set,get -n 5000 -c 8 -q", r"GET: [\d.]+ requests",
    ),
    "nginx, ab": Pair("nginx -p {folder} -c {folder}/conf", AB, r"Failed requests: +0\n", {"conf": NGINX}),
    "nginx, wrk": Pair(
        "nginx -p {folder} -c {folder}/conf", "wrk -d 1 -c 8 -t 1 http://127.0.0.1:{port}/big", r"[1-9]\d* requests in",
        {"conf": NGINX},
    ),
    "nginx, curl": Pair(
        "nginx -p {folder} -c {folder}/conf", "curl -sS http://127.0.0.1:{port}/big", "^x{{3000000}}$", {"conf": NGINX},
    ),
    "nginx, wget": Pair(
        "nginx -p {folder} -c {folder}/conf", "wget -q -O - http://127.0.0.1:{port}/big", "^x{{3000000}}$", {"conf": NGINX},
    ),
    "haproxy, ab": Pair("haproxy -db -f {folder}/conf", AB, r"Failed requests: +0\n", {"conf": HAPROXY}),
    "iperf3, TCP": Pair("iperf3 -s -p {port}", "iperf3 -c 127.0.0.1 -p {port} -t 1", "receiver"),
    "iperf3, UDP": Pair("iperf3 -s -p {port}", "iperf3 -c 127.0.0.1 -p {port} -t 1 -u -b 50M", "receiver"),
    "sshd, ssh": Pair(
        "{sshd} -D -e -f {folder}/conf", SSH, "\n200000\n", {"conf": SSHD}, ("ssh-keygen -q -t ed25519 -N '' -f {folder}/key",),
    ),
    "PostgreSQL, pgbench": Pair(
        "{nobody} {postgresql}/postgres -D {folder}/data -p {port} -c unix_socket_directories={folder}",
        "sh -c 'pgbench -q -i -s 1 -h 127.0.0.1 -p {port} -U all postgres && pgbench -T 2 -c 4 -h 127.0.0.1 -p {port} -U all postgres'",
        r"number of failed transactions: 0|tps = [1-9]", {},
        ("chown -R nobody {folder}", "{nobody} {postgresql}/initdb -D {folder}/data -U all -A trust"),
    ),
}  # fmt: skip


def places(folder: Path, port: int) -> dict[str, str]:
    """Return what the words of pairs name."""
    return {
        "folder": str(folder),
        "port": str(port),
        "sshd": shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "sshd",
        "postgresql": str(postgres.programs() or "postgresql"),
        "nobody": "setpriv --reuid=nobody --clear-groups" if os.getuid() == 0 else "",
    }


def words(text: str, named: Mapping[str, str]) -> list[str]:
    """Return a command as words, started by a shell so that quotes mean what they say."""
    return ["sh", "-c", f"exec {text.format(**named)}"]


def environment(settings: Mapping[str, str] | None) -> dict[str, str]:
    """Return the environment of both programs; plain without settings."""
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}
    return (
        path
        if settings is None
        else {**path, "LD_PRELOAD": str(kernel_library()), "XLIO_TRACELEVEL": "none", **settings}
    )


def is_listening(port: int) -> bool:
    """Return whether a TCP socket of this host listens on a port, without touching it."""
    tables = (Path("/proc/net", name).read_text(encoding="ascii").splitlines()[1:] for name in ("tcp", "tcp6"))
    rows = (line.split() for table in tables for line in table)
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


@contextmanager
def serving(
    pair: Pair, folder: Path, port: int, settings: Mapping[str, str] | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server of a pair in a process group of its own until the block ends."""
    named = places(folder, port)
    (folder / "big").write_text("x" * 3_000_000, encoding="ascii")
    for name, text in pair.files.items():
        (folder / name).write_text(text.format(**named), encoding="utf-8")
    for first in pair.first:
        subprocess.run(words(first, named), env=environment(None), capture_output=True, check=True, timeout=LIMIT_S)
    with (folder / "said").open("wb") as said, subprocess.Popen(
        words(pair.server, named), env=environment(settings), stdout=said, stderr=said, start_new_session=True
    ) as server:  # fmt: skip
        try:
            until_s = time.monotonic() + 30.0
            while not is_listening(port) and server.poll() is None and time.monotonic() < until_s:
                time.sleep(0.02)
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def left(group: int) -> int:
    """Return how many processes of a group live three seconds after they were asked to end."""
    until_s = time.monotonic() + GONE_WITHIN_S
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
    while (living := _living(group)) and time.monotonic() < until_s:
        time.sleep(0.02)
    return living


def _living(group: int) -> int:
    found = 0
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, _, owner = entry.joinpath("stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            found += entry.name.isdigit() and int(owner) == group and state != "Z"
    return found


def played(pair: Pair, settings: Mapping[str, str] | None) -> tuple[str, int]:
    """Return what went wrong with a pair, empty for nothing, and how many processes lived on."""
    with tempfile.TemporaryDirectory(prefix="tuner-programs-") as name, socket.socket() as probe:
        folder = Path(name)
        folder.chmod(0o755)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        with serving(pair, folder, port, settings) as server:
            try:
                done = subprocess.run(
                    words(pair.client, places(folder, port)), env=environment(settings), capture_output=True, text=True,
                    errors="replace", timeout=LIMIT_S, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return "the client does not end", left(server.pid)
            good = not done.returncode and re.search(pair.prints.format(), done.stdout)
            said = (folder / "said").read_text(encoding="utf-8", errors="replace")[-500:]
            wrong = "" if good else f"exit status {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}; {said}"
            return wrong, left(server.pid)


def is_here(pair: Pair) -> bool:
    """Return whether the programs of a pair are installed."""
    named = places(Path(), 0)
    server = pair.server.format(**named).removeprefix(named["nobody"]).split()[0]
    client = pair.client.removeprefix("sh -c '").split()[0]
    return all(shutil.which(each, path=environment(None)["PATH"]) for each in (server, client))


def row(name: str) -> tuple[str, bool]:
    """Return the row of a pair, and whether nothing is wrong under the library."""
    if not is_here(PAIRS[name]):
        return f"| {name} | not installed here | | | |", True
    found = {how: played(PAIRS[name], settings) for how, settings in SETTINGS.items()}
    wrong, lived = {how: each[0] for how, each in found.items()}, sum(each[1] for each in found.values())
    bad = [how for how in SETTINGS if how != "plain" and wrong[how] and not wrong["plain"]]
    for how in filter(wrong.get, SETTINGS):
        print(f"{name}, {how}: {wrong[how]}", file=sys.stderr)
    plain = "goes wrong plain too" if wrong["plain"] else "as plain"
    return f"| {name} | {plain} | {len(SETTINGS) - 1} | {len(bad)} | {lived} |", not bad and not lived


def main() -> int:
    """Play what is asked for."""
    return rows.printed(
        "| known programs | under the library | settings | went otherwise | processes left |",
        sys.argv[1:] or PAIRS,
        row,
    )


if __name__ == "__main__":
    sys.exit(main())
