"""What `tuner serve` takes: each page of a store of a thousand sessions, and what watchers cost a session that measures.

    python benchmarks/serve.py                     a store of 1,000 sessions of about 1,000 runs (1 GB), and each page's time
    python benchmarks/serve.py --watchers 50       blocks with and without 50 watchers beside a session's runs, in random order
    python benchmarks/serve.py --stop              seconds until a session has ended whose Stop was pressed in Chromium, once and twice

The second needs a quiet machine and sockperf, the third sockperf and Chromium. Its watchers are a process of their own at the lowest priority, off the measured
CPUs where it can: what they cost is not the server's, but cannot be told apart from it where there are no CPUs to spare.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import math
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import browser
import many_trials

from tuner.judging.statistics import gain
from tuner.records import State
from tuner.results import Results
from tuner.store import Store

SESSIONS: Final = 1000
TRIALS: Final = 490
"""A session of so many trials has 984 runs."""
LIMIT_S: Final = 0.3
TIMES: Final = 5
FEWEST: Final = 6
"""Pairs below which there is no interval of signed ranks."""
SOME_RUNS: Final = 8
MOST_WAITED_S: Final = 240


def many_sessions(folder: Path, sessions: int, trials: int) -> Path:
    """Return a results folder with so many sessions: one that was made, and copies of it."""
    many_trials.stored(folder, trials, session="20260101-000000-tune-kernel-latency-0000", word="a word")
    with closing(sqlite3.connect(folder / "tuner.db")) as store:
        (first,) = store.execute("select id from sessions").fetchone()
        for number in range(1, sessions):
            day = f"2026{1 + number // 100 % 12:02}{1 + number % 28:02}"
            copy, host = f"{day}-{number:06}-tune-kernel-latency-{number:04x}", f"host{number % 40}"
            _copied(store, "sessions", first, id=copy, host=host, created_at=f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00")
            _copied(store, "trials", first, session=copy)
            _copied(store, "runs", first, session=copy)
        store.commit()
        store.execute("pragma wal_checkpoint(truncate)")
    return folder


def _copied(store: sqlite3.Connection, table: str, copied: str, **other: str) -> None:
    """Copy the rows of a session in one table, with other values in some columns."""
    columns = [name for _, name, *_ in store.execute(f"pragma table_info({table})")]
    values = ", ".join("?" if name in other else name for name in columns)
    key = "id" if table == "sessions" else "session"
    given = [other[name] for name in columns if name in other]
    store.execute(f"insert into {table} select {values} from {table} where {key} = ?", [*given, copied])  # noqa: S608 - names of ours


@dataclass(frozen=True)
class Serving:
    """A server under way: its port, its process's number, and its token where it starts sessions."""

    port: int
    pid: int
    token: str = ""


@contextmanager
def serving(folder: Path, *, starts: bool = False) -> Iterator[Serving]:
    """Serve a folder by the command, and let its pages start sessions if asked to."""
    argv = [sys.executable, "-m", "tuner", "serve", "--results", str(folder), "--port", "0"]
    argv += ["--allow-start"] if starts else []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            line, token = (process.stdout.readline() if process.stdout and at <= starts else "" for at in (0, 1))
            yield Serving(int(re.findall(r":(\d+)/", line)[0]), process.pid, token.removeprefix("token: ").strip())
        finally:
            process.send_signal(signal.SIGINT)


def asked(port: int, path: str) -> tuple[int, float, int]:
    """Return the status of a page, the seconds until it was whole, and its bytes."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        began_s = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        return answer.status, time.perf_counter() - began_s, size


def pages(folder: Path) -> bool:
    """Print the time of each page, and return whether each is below the limit."""
    with serving(folder) as server:
        port, pid = server.port, server.pid
        began_s = time.perf_counter()
        while b"are being read" in _text(port, "/profiles"):
            time.sleep(1.0)
        print(
            f"all sessions were read {time.perf_counter() - began_s:.1f} s after the first page; it had {_memory_mb(pid)} MB"
        )
        ids = [each.id for each in Store.reading(Results(folder)).some(_ids(folder))[0]]
        wanted = [
            "/",
            "/?page=20",
            "/?q=host7",
            "/?q=improved&page=9",
            "/profiles",
            "/profiles?page=3",
            f"/sessions/{ids[-1]}",
        ]
        wanted += [
            f"/sessions/{ids[0]}",
            f"/sessions/{ids[-1]}/report",
            f"/compare?s={ids[-1]}&s={ids[0]}",
            "/sessions/nix",
        ]
        good = [_told(port, path) for path in wanted]
        print(f"the server had {_memory_mb(pid)} MB at the end")
    return all(good)


def _told(port: int, path: str) -> bool:
    """Print the time of a page: the first answer's, until it was made where that takes longer, and the slowest of some more."""
    began_s = time.perf_counter()
    status, first_s, size = asked(port, path)
    while status == http.HTTPStatus.ACCEPTED:
        time.sleep(0.1)
        status, _, size = asked(port, path)
    made_s = time.perf_counter() - began_s
    slowest_s = max(asked(port, path)[1] for _ in range(TIMES))
    made = f", made after {made_s:.1f} s" if made_s > first_s + 0.05 else ""
    print(
        f"{path:72} {status} {1000 * first_s:5.0f} ms, then up to {1000 * slowest_s:4.0f} ms, {size // 1024:5} KB{made}"
    )
    return max(first_s, slowest_s) < LIMIT_S


def _text(port: int, path: str) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def _ids(folder: Path) -> list[str]:
    every = Store.reading(Results(folder)).ids()
    return [every[0], every[len(every) // 2], every[-1]]


def _memory_mb(pid: int) -> int:
    said = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.findall(r"VmRSS:\s+(\d+)", said)[0]) // 1024


async def _watch(port: int, count: int, until: asyncio.Event) -> int:
    """Watch the list by so many connections until told to end; return how many bytes they heard."""
    heard = [0]

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        while data := await reader.read(65536):
            heard[0] += len(data)

    tasks = [asyncio.create_task(one()) for _ in range(count)]
    await until.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return heard[0]


def watch(port: int, count: int) -> None:
    """Watch until standard input ends."""
    os.nice(19)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    async def until_told() -> int:
        until = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(until.set)), daemon=True).start()
        return await _watch(port, count, until)

    print(asyncio.run(until_told()))


def watchers(folder: Path, count: int, blocks: int, runs: int) -> None:
    """Compare runs with and without watchers, in pairs whose order is random, and print the ratio with its interval.

    The measured session is in the store that is watched, so that its runs are read and told as they come.
    """
    many_trials.stored(folder, 12)
    rng, ratios = random.Random(1), []  # noqa: S311 - an order is no secret
    with serving(folder) as server:
        for block in range(blocks):
            values = {
                watched: _measured(folder, server.port, count if watched else 0, runs)
                for watched in rng.sample([True, False], 2)
            }
            ratios.append(math.log(values[False] / values[True]))
            print(
                f"block {block}: p99 {values[False]:.2f} us alone, {values[True]:.2f} us watched by {count}", flush=True
            )
    found = gain(ratios)
    print(f"alone / watched, p99: {found.ratio:.3f} ({found.low:.3f}-{found.high:.3f}), n = {found.blocks} pairs")
    if len(ratios) < FEWEST:
        print(f"too few pairs to say anything: {FEWEST} are needed")
    else:
        print("no difference was seen" if found.low < 1.0 < found.high else "THERE IS A DIFFERENCE")


def _measured(folder: Path, port: int, count: int, runs: int) -> float:
    """Return the median p99 of a measurement in µs, watched by so many."""
    watching = [sys.executable, __file__, "--watch-port", str(port), "--watchers", str(count)]
    measuring = [sys.executable, "-m", "tuner", "measure", "default", "--json", "--results", str(folder)]
    with subprocess.Popen(watching, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as beside:
        time.sleep(1.0)
        done = subprocess.run([*measuring, "--runs", str(runs)], capture_output=True, text=True, check=True)
        heard, _ = beside.communicate("")
    if count and int(heard) < count * 1000:
        raise SystemExit(f"{count} watchers heard {heard.strip()} bytes: they did not watch, as where no CPU is idle")
    return float(json.loads(done.stdout)["metrics"]["latency_p99_us"]["value"])


def stopping(folder: Path, presses: int) -> None:
    """Start a tuning from a page, press its Stop so often after some runs, and print the seconds until it has ended."""
    many_trials.stored(folder, 6)
    with serving(folder, starts=True) as server, browser.chromium() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(1000 * MOST_WAITED_S)
        page.goto(f"http://127.0.0.1:{server.port}/login")
        page.get_by_label("Token").fill(server.token)
        _pressed(page, "Let me in")
        page.goto(f"http://127.0.0.1:{server.port}/start")
        page.get_by_label("Budget").fill("900")
        _pressed(page, "Start")
        session = _begun(folder)
        page.goto(f"http://127.0.0.1:{server.port}/sessions/{session}")
        began_s = time.perf_counter()
        for _ in range(presses):  # pressed again where he is: the page that comes after the first may be late
            with page.expect_response(lambda answer: answer.url.endswith("/stop")):
                page.locator("form[action='/stop'] button").dispatch_event("click")
        asked_s = time.perf_counter() - began_s
        while Store.reading(Results(folder)).session(session).state is State.RUNNING:
            time.sleep(0.2)
        ended_s, load = time.perf_counter() - began_s, os.getloadavg()[0]
    said = f"asked to end after {asked_s:.2f} s, and the session had ended after {ended_s:.1f} s"
    print(f"Stop pressed {presses}×: {said}; load {load:.1f}", flush=True)


def _pressed(page: Any, name: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).first.click()


def _begun(folder: Path) -> str:
    """Return the session that a page started, once it has some runs."""
    until_s = time.monotonic() + MOST_WAITED_S
    while time.monotonic() < until_s:
        store = Store.reading(Results(folder))
        session = next((row.id for row in store.sessions() if row.state is State.RUNNING), None)
        if session and len(store.runs(session)) >= SOME_RUNS:
            return session
        time.sleep(0.5)
    raise SystemExit("no session began: another one may measure on this host, and pages do not wait for that")


def main() -> int:
    """Do what is asked for."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--sessions", type=int, default=SESSIONS)
    words.add_argument("--trials", type=int, default=TRIALS)
    words.add_argument("--store", type=Path, help="a results folder that was made before, or is to be kept")
    words.add_argument("--watchers", type=int, default=0)
    words.add_argument("--stop", action="store_true")
    words.add_argument("--watch-port", type=int, default=0, help=argparse.SUPPRESS)
    words.add_argument("--blocks", type=int, default=12)
    words.add_argument("--runs", type=int, default=5, help="runs of one second in each half of a block")
    asked_for = words.parse_args()
    if asked_for.watch_port:
        watch(asked_for.watch_port, asked_for.watchers)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        if asked_for.watchers:
            watchers(Path(folder), asked_for.watchers, asked_for.blocks, asked_for.runs)
            return 0
        if asked_for.stop:
            stopping(Path(folder) / "once", 1)
            stopping(Path(folder) / "twice", 2)
            return 0
        kept = asked_for.store or Path(folder)
        if not (kept / "tuner.db").exists():
            many_sessions(kept, asked_for.sessions, asked_for.trials)
        return 0 if pages(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
