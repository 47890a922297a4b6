"""Whatever stands where a command is told of a file: each command, each option that takes a path, each odd thing.

    .venv/bin/python benchmarks/odd_files.py [--part 1/1] [--only WORD]… [--user]

Every case is one command in a folder of its own, in a fork of this process that has loaded all before. What counts: that it ends
within `LIMIT_S`, with one of the program's exit statuses, with words where that is not 0, without a traceback or a bug, without a
character that steers a terminal, with no process left, and with no file that nobody asked for. `--user` carries them out as an ordinary user, who may not read everything.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import fake

from tuner.cli.tree import COMMANDS as COMMANDS_OF
from tuner.cli.tree import Command, Noun

LIMIT_S: Final = 20.0
STATUSES: Final = frozenset({0, 1, 2, 3, 75, 126, 127})
MOST_BYTES: Final = 1 << 20
"""Of what a command says."""
NOBODY: Final = 65534
_SPARSE_BYTES: Final = 20 << 30
_LONG: Final = 300
_STEERS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNFORESEEN: Final = ("bug in tuner", "Traceback", "Exception ignored", "no file named", "Errno")

_LATE: Final = (
    "tuner.python.functions",
    "tuner.session.tuning",
    "tuner.store.repair",
    "tuner.report.files",
    "tuner.serve.server",
    "tuner.cli.screen.failure",
)
"""What commands load when they need it."""

Maker = Callable[[Path], str]


def _made(act: Callable[[Path], object], name: str = "odd.toml") -> Maker:
    def make(folder: Path) -> str:
        act(folder / name)
        return name

    return make


def _linked(target: str) -> Maker:
    return _made(lambda path: path.symlink_to(target))


def _listening(path: Path) -> None:
    back = Path.cwd()
    os.chdir(path.parent)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as here:
        here.bind(path.name)
    os.chdir(back)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(_SPARSE_BYTES)


def _locked(path: Path) -> None:
    path.write_text("a = 1\n", encoding="utf-8")
    path.chmod(0)


def _closed_folder(path: Path) -> None:
    path.mkdir(mode=0)


def _in_closed_folder(folder: Path) -> str:
    (folder / "closed").mkdir(mode=0o500)
    return "closed/odd.toml"


def _below_a_file(folder: Path) -> str:
    (folder / "file").touch()
    return "file/odd.toml"


def _named(name: str) -> Maker:
    return lambda _folder: name


def _terminal(_folder: Path) -> str:
    controller, terminal = os.openpty()
    os.set_inheritable(controller, True)  # noqa: FBT003 - its parameters have no names
    return os.ttyname(terminal)


THINGS: Final[Mapping[str, Maker]] = {
    "pipe": _made(os.mkfifo),
    "endless device": _linked("/dev/zero"),
    "full device": _linked("/dev/full"),
    "null device": _named("/dev/null"),
    "terminal": _terminal,
    "folder": _made(Path.mkdir),
    "socket": _made(_listening),
    "link to nothing": _linked("nowhere/at-all"),
    "link to itself": _linked("odd.toml"),
    "link to a folder": _linked("."),
    "unreadable": _made(_locked),
    "closed folder": _made(_closed_folder),
    "in a closed folder": _in_closed_folder,
    "empty": _made(Path.touch),
    "binary": _made(lambda path: path.write_bytes(bytes(range(256)) * 64)),
    "text": _made(lambda path: path.write_text("a colourful fish\n\x1b]0;x\x07 = [\n", encoding="utf-8")),
    "20 GB": _made(_sparse),
    "below a file": _below_a_file,
    "not there": _named("missing/odd.toml"),
    "too long": _named("x" * _LONG + ".toml"),
    "far too long": _named("y/" * 3000 + "odd.toml"),
    "steering name": _made(Path.mkdir, "odd\x1b]0;pwned\x07\n\u202e.toml"),
    "no UTF-8": _made(Path.touch, os.fsdecode(b"odd\xff\xfe.toml")),
    "no name": _named(""),
    "dash": _named("-"),
    "folder of the kernel": _named("/proc/"),
    "own standard output": _named("/proc/self/fd/1"),
    "own standard input": _named("/dev/stdin"),
    "of the kernel": _named("/proc/kmsg"),
    "own memory": _named("/proc/self/mem"),
}
"""What may stand where a file is meant, each put into a folder; the path that names it."""

_STACK: Final = ("--stack", "xlio", "--allow-os-sockets")
_QUICK: Final = ("--sockperf", "./sockperf", "--duration", "1")
_TUNE: Final = ("tune", "latency", "--budget", "4s", *_QUICK)
_MEASURE: Final = ("measure", "latency", "--runs", "1", *_QUICK)
_COMPARE: Final = ("compare", "default", "latency", "--budget", "4s", *_QUICK)
_MINIMISE: Final = ("minimise", "latency", "--budget", "4s", *_QUICK)
_CHECK: Final = ("check", "--sockperf", "./sockperf")
_SESSIONS: Final = frozenset({"tune", "measure", "compare", "minimise", "check-regression", "check"})
_MEASURING: Final = (_TUNE, _MEASURE, _COMPARE, _MINIMISE)
_FORMS: Final = ("env", "shell", "systemd", "compose", "docker", "kubernetes", "ansible", "dockerfile")

COMMANDS: Final[Sequence[Sequence[str]]] = (
    *(
        (*words, option, "{}", *further)
        for words in _MEASURING
        for option, further in (
            ("--results", ()),
            ("--store", ()),
            ("--lib", ()),
            ("--preload", ()),
            ("--conf", ()),
            ("--conf", (*_STACK, "--lib", "/bin/true")),
            ("--playback", ("--mode", "playback")),
            ("--feed", ("--workload", "redis")),
            ("--pairs", ()),
            ("--sockperf", ()),
            ("--workload", ()),
            ("--server-profile", ()),
        )
    ),
    *(
        (*_MEASURE, "--pairs", "pairs.toml", "--cluster", "tls://127.0.0.1:1", f"--cluster-{each}", "{}")
        for each in ("ca", "cert", "key")
    ),
    *((*_MEASURE, "--store", f"sqlite:///{each}") for each in ("{}", "{}/tuner.db")),
    ("measure", "{}", *_MEASURE[2:]),
    ("compare", "default", "{}", *_COMPARE[3:]),
    ("minimise", "{}", *_MINIMISE[2:]),
    ("tune", "{}", *_TUNE[2:]),
    (*_TUNE, "--baseline", "{}"),
    *(
        (*_CHECK, option, "{}")
        for option in ("--results", "--lib", "--preload", "--conf", "--playback", "--feed", "--sockperf")
    ),
    ("check-regression", "{}", *_QUICK),
    *(("check-regression", "latency", *_QUICK, option, "{}") for option in ("--results", "--lib", "--sockperf")),
    ("verify", "{}"),
    ("verify", "latency", "--lib", "{}"),
    ("report", "--format", "json", "-o", "{}"),
    ("report", "--format", "json", "--results", "{}"),
    ("report", "--format", "json", "{}"),
    ("history", "latency", "-o", "{}"),
    ("history", "{}"),
    ("history", "latency", "--results", "{}"),
    ("serve", "--port", "99999", "--results", "{}"),
    ("serve", "--address", "{}"),
    ("export", "{}", "--to", "env"),
    *(("export", "latency", "--to", form, "-o", "{}") for form in _FORMS),
    ("export", "latest", "--to", "env", "--results", "{}"),
    *(("import", "{}", "--from", form) for form in _FORMS),
    ("import", "{}"),
    ("import", "app.env", "-o", "{}"),
    *(("apply", "latency", "--target", f"{form}:{{}}", "--yes") for form in _FORMS),
    ("apply", "{}", "--target", "env:app.env", "--yes"),
    ("apply", "latest", "--target", "env:app.env", "--yes", "--results", "{}"),
    ("apply", "--undo", "{}", "--yes"),
    ("recommend", "-o", "{}"),
    ("recommend", "--results", "{}"),
    ("recommend", "--playback", "{}", "--mode", "playback"),
    ("recommend", "--feed", "{}", "--workload", "redis"),
    ("recommend", "--workload", "{}"),
    ("run", "{}", "--", "true"),
    ("run", "latency", "--lib", "{}", "--", "true"),
    ("run", "latency", "--", "{}"),
    ("run", "latency", "--no-verify", "--", "{}"),
    ("run", "latest", "--results", "{}", "--", "true"),
    ("profiles", "json", "{}"),
    ("profiles", "import", "{}"),
    ("profiles", "import", "xlio.json", "-o", "{}"),
    ("profiles", "translate", "{}", "--to", "vma"),
    ("profiles", "translate", "xlio/latency", "--to", "vma", "-o", "{}"),
    ("profiles", "show", "{}"),
    ("profiles", "lint", "{}"),
    ("profiles", "lint", "latency", "--lib", "{}"),
    ("profiles", "diff", "{}", "latency"),
    ("profiles", "new", "{}"),
    ("profiles", "effective", "{}"),
    ("profiles", "effective", "--env-file", "{}"),
    ("profiles", "migrate", "{}", "--to", "3.40.2"),
    ("profiles", "migrate", "xlio/latency", "--to", "3.40.2", "--output", "{}"),
    ("params", "import-schema", "{}", "--stack-version", "9.9.9"),
    ("params", "import-schema", "schema.json", "--stack-version", "9.9.9", "-o", "{}"),
    ("sessions", "list", "--results", "{}"),
    ("sessions", "list", "--store", "{}"),
    ("sessions", "list", "--store", "sqlite:///{}"),
    ("sessions", "show", "--results", "{}"),
    ("sessions", "show", "{}"),
    ("sessions", "resume", "--results", "{}"),
    ("sessions", "resume", "{}"),
    ("sessions", "resume", "--lib", "{}"),
    ("sessions", "gc", "--results", "{}"),
    ("sessions", "judge", "--results", "{}"),
    ("store", "check", "--results", "{}"),
    ("store", "copy", "{}", "copied"),
    ("store", "copy", "results", "{}"),
    ("store", "copy", "results", "sqlite:///{}"),
    ("store", "upgrade", "--results", "{}"),
    ("store", "salvage", "--to", "{}"),
    ("store", "salvage", "--to", "salvaged", "--results", "{}"),
    ("recipes", "show", "{}"),
    ("recipes", "new", "{}"),
    *(("conf", verb, "{}") for verb in ("lint", "explain", "new")),
    ("conf", "match", "{}", "--program", "x"),
    ("onload", "import", "{}"),
    ("onload", "import", "my.opf", "-o", "{}"),
    ("onload", "export", "onload/latency", "-o", "{}"),
    ("onload", "export", "{}"),
    ("onload", "probe", "--lib", "{}"),
    ("lab", "status", "{}"),
)
"""Command lines; `{}` is the path of the odd thing."""


SHORT: Final = (
    ("run latency --lib {} -- true", "own standard output"),
    ("run latency --lib {} -- true", "text"),
    ("report --format json -o {}", "pipe"),
    ("report --format json -o {}", "full device"),
    ("export latency --to env -o {}", "no name"),
    ("export latency --to env -o {}", "folder of the kernel"),
    ("recommend --playback {} --mode playback", "pipe"),
    ("recommend --feed {} --workload redis", "folder"),
    ("serve --address {}", "too long"),
    ("serve --address {}", "steering name"),
    ("apply latency --target env:{} --yes", "link to itself"),
    ("store copy results sqlite:///{}", "no UTF-8"),
    ("store copy results sqlite:///{}", "of the kernel"),
    ("sessions list --results {}", "socket"),
    ("import {}", "20 GB"),
    ("conf lint {}", "terminal"),
)
"""Cases that once ended badly, and one of some other kinds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a case ended: as a wait status says, None where it hung; what it said and left."""

    status: int | None
    out: str
    err: str
    took_s: float
    left: tuple[str, ...] = ()

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it."""
        if self.status is None:
            yield f"hung for {LIMIT_S:.0f} s"
        elif self.status not in STATUSES:
            yield f"exit status {self.status}"
        elif self.status and not (self.err + self.out).strip():
            yield "an exit without words"
        elif self.status and "error:" not in self.err.lower() and not self.out.strip():
            yield "an exit without a reason"
        said = self.out + self.err
        yield from (f"says {word!r}" for word in _UNFORESEEN if word in said)
        if steering := _STEERS.search(said.replace("\r", "")):
            yield f"steers the terminal: {steering[0]!r}"
        yield from (f"left {each}" for each in self.left)


def prepared(place: Path) -> Path:
    """Return a folder with what all cases need: a benchmark, a store with one session, files to be read."""
    base = place / "base"
    base.mkdir()
    fake.install(base, slow_s=0.02)
    (base / "app.env").write_text("XLIO_RX_POLL=-1\n", encoding="utf-8")
    (base / "xlio.json").write_text('{"performance": {"polling": {"blocking_rx_poll_usec": -1}}}\n', encoding="utf-8")
    (base / "pairs.toml").write_text('[pairs.a]\nserver = "local"\nclient = "local"\n', encoding="utf-8")
    (base / "my.opf").write_text("onload_set EF_POLL_USEC 100000\n", encoding="utf-8")
    schema = Path(__file__).parents[1] / "tests" / "data" / "schemas"
    shutil.copy(min(schema.rglob("*.json")), base / "schema.json")
    ended = carried_out(("measure", "latency", "--runs", "1", *_QUICK, "--json"), base)
    if ended.status:
        raise RuntimeError(ended.err)
    return base


def carried_out(words: Sequence[str], folder: Path, *, user: bool = False) -> Ended:
    """Return how a command ended that was carried out in a folder, by a fork of this process."""
    out, err = folder.with_name(f"{folder.name}.out"), folder.with_name(f"{folder.name}.err")
    began_s = time.monotonic()
    child = os.fork()
    if not child:
        _be(words, folder, (out, err), user=user)
    status = _waited(child)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    said, told = (each.read_bytes()[:MOST_BYTES].decode(errors="surrogateescape") for each in (out, err))
    out.unlink()
    err.unlink()
    return Ended(status, said, told, took_s=time.monotonic() - began_s)


def _be(words: Sequence[str], folder: Path, streams: tuple[Path, Path], *, user: bool) -> None:
    """Be the command, as a process that a shell has started would be; this never returns."""
    try:
        os.setsid()
        for number, path in enumerate((Path("/dev/null"), *streams)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), number)
        os.chdir(folder)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - as long as the process
        if user:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os.environ |= {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "TUNER_LOCKS": str(folder / "tmp")}
        tempfile.tempdir = None
        sys.argv = ["tuner", *words]
        _commanded()
    except BaseException:  # noqa: BLE001 - it is written where the case is judged
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(99)


def _commanded() -> None:
    from tuner.cli import entry

    try:
        entry.main()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))


def _waited(child: int) -> int | None:
    """Return the exit status of a child, negative for a signal; None where it was killed because it hung."""
    until_s = time.monotonic() + LIMIT_S
    while time.monotonic() < until_s:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def case(words: Sequence[str], thing: str, base: Path, *, user: bool = False) -> Ended:
    """Return how one command ended with an odd thing where a file is meant."""
    folder = base.with_name("case")
    shutil.copytree(base, folder, symlinks=True)
    (folder / "tmp").mkdir(exist_ok=True)
    path = THINGS[thing](folder)
    if user:
        for each in (folder, *folder.rglob("*")):
            os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
    try:
        ended = carried_out([word.replace("{}", path) for word in words], folder, user=user)
        return Ended(ended.status, ended.out, ended.err, ended.took_s, tuple(_left(folder)))
    finally:
        _removed(folder)


def _left(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if re.match(r"\.tuner-|tuner-(run|store|bug)-|.*\.part$", name):
                yield str(Path(place, name).relative_to(folder))


def _removed(folder: Path) -> None:
    for place, folders, _ in os.walk(folder):
        for name in folders:
            with contextlib.suppress(OSError):
                Path(place, name).chmod(0o700)
    shutil.rmtree(folder)


def _loaded() -> None:
    """Load what commands load, once for all cases."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for command in _modules(COMMANDS_OF):
        importlib.import_module(f"tuner.cli.commands.{command}")
    for name in _LATE:
        importlib.import_module(name)


def _modules(entries: Mapping[str, Command | Noun]) -> Iterator[str]:
    for entry in entries.values():
        if isinstance(entry, Noun):
            yield from _modules(entry.commands)
        else:
            yield entry.module


def _wanted(asked: argparse.Namespace) -> list[tuple[Sequence[str], str]]:
    """Return the cases that were asked for."""
    if asked.short:
        return [(words.split(" "), thing) for words, thing in SHORT]
    at, of = map(int, asked.part.split("/"))
    every = [(words, thing) for words in COMMANDS for thing in THINGS if asked.sessions == (words[0] in _SESSIONS)]
    return [
        each for each in every[at - 1 :: of] if all(only in f"{' '.join(each[0])} / {each[1]}" for only in asked.only)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the cases, print what is wrong with any of them and the counts; return how many were wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="commands or things that hold this word")
    parser.add_argument("--part", default="1/1", help="the first of so many parts of the cases")
    parser.add_argument("--user", action="store_true", help="as an ordinary user")
    parser.add_argument("--sessions", action="store_true", help="the commands that measure, instead of all others")
    parser.add_argument("--short", action="store_true", help="a few cases of all, for the tests")
    parser.add_argument("--say", action="store_true", help="print what each case says")
    asked = parser.parse_args(arguments)
    wanted = _wanted(asked)
    _loaded()
    wrong, statuses = 0, collections.Counter[str]()
    with tempfile.TemporaryDirectory(prefix="odd-", dir="/dev/shm") as name:
        place = Path(name)
        place.chmod(0o755)
        base = prepared(place)
        for words, thing in wanted:
            ended = case(words, thing, base, user=asked.user)
            statuses[str(ended.status)] += 1
            problems = list(ended.problems())
            wrong += bool(problems)
            if problems or asked.say:
                print(f"## {' '.join(words)} / {thing}: {ended.status} in {ended.took_s:.1f} s: {'; '.join(problems)}")
                print(
                    f"out: {ended.out[:1500]!r}\nerr: {ended.err[-2500:]!r}"
                    if problems
                    else f"err: {ended.err[-900:]}",
                    flush=True,
                )
    print(f"cases: {len(wanted)}; exit statuses: {dict(sorted(statuses.items()))}; wrong: {wrong}")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main()))
