"""A PostgreSQL server of the distribution's package, private to the tests of one process and gone with it.

It runs as a user without rights, because PostgreSQL refuses root, in a folder of its own, and listens on a socket there and on
a port of the loopback that the kernel chose. Each test gets a database of its own.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USER: Final = "tuner"
PASSWORD: Final = "s3cret-word"  # noqa: S105 - of a server that is gone with the tests
_START_S: Final = 30.0
_NOBODIES: Final = ("postgres", "nobody")


def programs() -> Path | None:
    """Return the newest folder that holds the server's programs, None where none is installed."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: float(each.parent.name))
    named = shutil.which("initdb")
    folders = [Path(named).resolve().parent] if named else []
    return next((each for each in (*reversed(packaged), *folders) if (each / "postgres").is_file()), None)


def missing() -> str:
    """Return why there can be no server here, nothing where there can be one."""
    if programs() is None:
        return "PostgreSQL is not installed (.ci/tools postgresql)"
    if os.getuid() == 0 and _nobody() is None:
        return "PostgreSQL refuses root, and there is no user without rights"
    return ""


@dataclass
class Server:
    """A server that runs, and can be stopped and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = (
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            "fsync=off",
            "shared_buffers=16MB",
        )
        words = [word for each in options for word in ("-c", each)]
        data, log = str(self.folder / "data"), self.folder / "log"
        self.process = _started(log, "postgres", "-D", data, "-p", str(self.port), *words)
        until_s = time.monotonic() + _START_S
        while self._psql("select 1").returncode:
            assert time.monotonic() < until_s, log.read_text()
            assert self.process.poll() is None, log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, as a restart or a crash would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(_START_S)

    def database(self, *statements: str) -> str:
        """Return the URL of a new empty database."""
        name = f"test_{secrets.token_hex(6)}"
        self.ask(f"create database {name}")
        for each in statements:
            self.ask(each, name)
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}&port={self.port}"

    def schema(self) -> str:
        """Return the URL of a new empty schema, which takes a tenth of the time of a database."""
        name = f"test_{secrets.token_hex(6)}"
        self.ask(f"create schema {name}")
        return (
            f"postgresql+psycopg://{USER}@/postgres?host={self.folder}&port={self.port}&options=-csearch_path%3D{name}"
        )

    def over_tcp(self, url: str, password: str | None = PASSWORD) -> str:
        """Return the URL of a database by way of the network, where a password is asked for."""
        name = url.partition("@/")[2].partition("?")[0]
        secret = f":{password}" if password else ""
        return f"postgresql+psycopg://{USER}{secret}@127.0.0.1:{self.port}/{name}"

    def ask(self, statement: str, database: str = "postgres") -> str:
        """Carry out a statement and return what it answers."""
        done = self._psql(statement, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _psql(self, statement: str, database: str = "postgres") -> subprocess.CompletedProcess[str]:
        where = ["-h", str(self.folder), "-p", str(self.port), "-U", USER, "-d", database]
        command = [str(_bin() / "psql"), *where, "-AtXqc", statement]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def server() -> Iterator[Server]:
    """Run a server; over the network it takes this user's password and nothing else."""
    folder = Path(tempfile.mkdtemp(prefix="tuner-pg-"))
    try:
        if os.getuid() == 0 and (nobody := _nobody()):
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        made = _started(
            folder / "log",
            *("initdb", "-D", str(folder / "data"), "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={folder / 'password'}"),
        )
        assert made.wait(60) == 0, (folder / "log").read_text()
        running = Server(folder, _free_port())
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bin() -> Path:
    found = programs()
    assert found is not None
    return found


def _started(log: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a program of the server's, which ends when the thread does that starts it."""
    drop = ["setpriv", "--pdeathsig", "INT"]
    if os.getuid() == 0 and (nobody := _nobody()):
        drop += ["--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups"]
    command = [*drop, str(_bin() / program), *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _nobody() -> pwd.struct_passwd | None:
    known = {each.pw_name: each for each in pwd.getpwall()}
    return next((known[name] for name in _NOBODIES if name in known), None)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
