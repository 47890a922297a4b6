"""Sessions started and stopped from a page: only with the token, only as a form may ask, and by a process that strangers cannot talk to."""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

import command_line
import fake
import many_trials
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import served

from tuner.errors import TunerError, UsageError
from tuner.records import State
from tuner.results import Results
from tuner.serve import doorman
from tuner.serve import starting as starting_of
from tuner.serve.doorman import Doorman, Handed
from tuner.serve.gate import Gate
from tuner.serve.server import Address, listening
from tuner.serve.starting import OBJECTIVES, Asking, Started, Starter, wish
from tuner.store import Store

ASKED = {"stack": "kernel", "profile": "latency", "objective": "latency", "budget_s": "600"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stack", "nix"),
        ("profile", "../latency"),
        ("profile", "--store=x"),
        ("profile", "/etc/passwd.toml"),
        ("profile", ""),
        ("objective", "max rate where p99 < 50us"),
        ("budget_s", "1"),
        ("budget_s", "99999"),
        ("budget_s", "60s"),
        ("budget_s", "٦٠"),
    ],
)
def test_a_form_cannot_ask_for_more_than_its_fields_offer(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name.partition("_")[0]):
        wish(ASKED | {name: value})


@given(st.dictionaries(st.sampled_from([*ASKED, "x"]), st.text(max_size=70)))
def test_whatever_a_form_says_no_word_of_it_is_an_option_or_a_path(told: dict[str, str]) -> None:
    try:
        wanted = wish(ASKED | told)
    except UsageError:
        return
    argv = wanted.argv(Results(Path("results")))
    assert re.fullmatch(r"\w[\w-]*", argv[4], re.ASCII)
    assert wanted.objective in OBJECTIVES


@dataclass(frozen=True)
class Starting:
    """A server that starts sessions."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def ask(self, path: str, form: dict[str, str] | None = None, token: str | None = None) -> tuple[int, str]:
        headers = {"authorization": f"Bearer {self.token if token is None else token}"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET" if form is None else "POST", path, urlencode(form) if form else None, headers)
            answer = connection.getresponse()
            return answer.status, html.unescape(answer.read().decode())

    def until(self, path: str, words: str) -> str:
        """Return a page once it has some words."""
        while True:
            _, text = self.ask(path)
            if found := re.search(words, text):
                return found[0]
            time.sleep(0.2)


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment with a benchmark that only says what the real one would."""
    fake.install(folder)
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(folder), "TUNER_LOCKS": str(folder)}


@contextmanager
def starting(folder: Path) -> Iterator[Starting]:
    many_trials.stored(folder / "results", 6)
    environment = _environment(folder)
    argv = [*command_line.STARTED, "serve", "--allow-start", "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        try:
            assert process.stdout
            port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
            yield Starting(process, port, process.stdout.readline().split()[1])
        finally:
            process.kill()


def test_a_session_is_started_once_stopped_by_name_and_keeps_its_runs_when_all_ends(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    starter = Starter(results, _environment(tmp_path), Path.cwd())
    try:
        started = starter.answer({"start": ASKED})
        while not started["session"] and started["running"]:
            time.sleep(0.2)
            started = starter.answer({"state": True})
        assert started["running"], started["said"]
        assert "one at a time" in str(starter.answer({"start": ASKED})["refused"])
        assert "was not started here" in str(starter.answer({"stop": many_trials.ID})["refused"])
        assert starter.answer({"stop": started["session"]})["stops"] == 1
    finally:
        starter.end()
    assert not starter.answer({"state": True})["running"]
    assert Store.reading(results).session(str(started["session"])).state is not State.RUNNING


def test_pages_start_and_stop_only_where_the_server_may(tmp_path: Path) -> None:
    many_trials.stored(tmp_path, 6)
    form = {"content_type": "application/x-www-form-urlencoded"}
    with served(Results(tmp_path)) as running:
        assert running.ask("/start").status == http.HTTPStatus.NOT_FOUND
        assert "/start" not in running.ask("/").text
        mine, theirs = socket.socketpair()
        starter = Starter(Results(tmp_path), {}, tmp_path)
        answering = threading.Thread(target=starter.serve, args=(mine,), daemon=True)
        answering.start()
        with theirs, served(Results(tmp_path), asking=Asking(theirs)) as starting_too:
            assert "/start" in starting_too.ask("/").text
            assert starting_too.ask("/start").status == http.HTTPStatus.OK
            own = form | {"origin": starting_too.url}
            refused = starting_too.ask("/start", "POST", urlencode(ASKED | {"profile": "../x"}), **own)
            assert refused.status == http.HTTPStatus.BAD_REQUEST
            assert "no path" in refused.text
            assert starting_too.ask("/stop", "POST", "session=x", **own).status == http.HTTPStatus.BAD_REQUEST
            assert starting_too.ask("/stop", "POST", "session=x", **form).status == http.HTTPStatus.FORBIDDEN
        answering.join(30)
        mine.close()


def test_why_a_session_did_not_begin_is_shown_and_the_server_ends_with_who_starts_sessions(tmp_path: Path) -> None:
    with starting(tmp_path) as server:
        server.ask("/start", ASKED | {"profile": "nosuch"})
        server.until("/start", "there is no profile 'nosuch'")
        server.process.kill()
        with pytest.raises(OSError, match=r"refused|reset|closed"):
            server.until("/start", "never said")


@contextmanager
def _at_the_door(token: str, heard: list[dict[str, object]]) -> Iterator[tuple[int, socket.socket]]:
    """Give the port of a doorman in a thread, and where it hands connections on; what it asks goes into `heard`."""
    (mine, its), (ask, starter) = socket.socketpair(), socket.socketpair()
    listener = listening(Address(port=0))
    port = listener.getsockname()[1]

    def answer() -> None:
        for line in starter.makefile("rb"):
            heard.append(json.loads(line))
            known = heard[-1]["stop"] == "20260101-000000-mine"
            now = Started(session="20260101-000000-mine", stops=1)
            starter.sendall(json.dumps(asdict(now) if known else {"refused": "not mine"}).encode() + b"\n")

    door = Doorman(listener, its, Gate(port, frozenset(), token=token), Asking(ask))
    threads = [threading.Thread(target=each, daemon=True) for each in (answer, door.serve)]
    for each in threads:
        each.start()
    with Handed(fileno=mine.detach()) as handed, ask, starter:
        yield port, handed
        handed.shutdown(socket.SHUT_RDWR)
        threads[1].join(30)
        assert not threads[1].is_alive()
    listener.close()
    its.close()


def _asked(port: int, path: str, body: str | None, **headers: str) -> tuple[int, str, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST" if body is not None else "GET", path, body, named)
        answer = connection.getresponse()
        return answer.status, answer.getheader("location") or "", answer.read().decode()


def test_stop_is_answered_at_the_door_by_who_has_the_token_and_everything_else_is_handed_on() -> None:
    heard: list[dict[str, object]] = []
    with _at_the_door("secret", heard) as (port, handed):
        mine = "session=20260101-000000-mine"
        assert _asked(port, "/stop", mine, authorization="Bearer wrong")[0] == http.HTTPStatus.UNAUTHORIZED
        assert _asked(port, "/stop", mine, origin="http://evil.example")[0] == http.HTTPStatus.FORBIDDEN
        assert _asked(port, "/stop", mine, host="evil.example")[0] == http.HTTPStatus.MISDIRECTED_REQUEST
        assert heard == []
        own = {"authorization": "Bearer secret"}
        assert _asked(port, "/stop", mine, **own)[:2] == (http.HTTPStatus.SEE_OTHER, "/sessions/20260101-000000-mine")
        status, _, page = _asked(port, "/stop", mine, accept="text/html", **own)
        assert status == http.HTTPStatus.OK
        assert "Stop it now" in page
        assert 'value="20260101-000000-mine"' in page
        assert _asked(port, "/stop", "session=other", **own)[0] == http.HTTPStatus.BAD_REQUEST
        assert _asked(port, "/stop", "x" * 9000, **own)[0] == http.HTTPStatus.BAD_REQUEST
        assert [each["stop"] for each in heard] == ["20260101-000000-mine", "20260101-000000-mine", "other"]
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /stop HTTP/1.1\r\n")
            taken, _ = handed.accept()
            with taken:
                assert taken.recv(100) == b"GET /stop HTTP/1.1\r\n"


def test_whoever_begins_to_ask_for_stop_and_says_no_more_delays_nobody() -> None:
    heard: list[dict[str, object]] = []
    with _at_the_door("secret", heard) as (port, _), ExitStack() as stalled:
        for _ in range(doorman.MOST_STOPPING + 2):
            client = stalled.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            client.sendall(b"POST /stop HTTP/1.1\r\n")
        status, *_ = _asked(port, "/stop", "session=20260101-000000-mine", authorization="Bearer secret")
        assert status == http.HTTPStatus.SEE_OTHER
        assert len(heard) == 1


def test_what_never_asks_is_let_go_and_a_doorman_ends_with_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorman, "_SILENT_S", 0.1)
    monkeypatch.setattr(doorman, "_LOOK_S", 0.05)
    with _at_the_door("secret", []) as (port, _), socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        assert client.recv(1) == b""


def test_a_server_without_its_doorman_takes_nothing_any_more() -> None:
    mine, its = socket.socketpair()
    with Handed(fileno=mine.detach()) as handed:
        its.close()
        with pytest.raises(ConnectionAbortedError):
            handed.accept()
        assert handed.gone


def test_a_session_is_stopped_while_its_server_has_no_cpu(tmp_path: Path) -> None:
    with starting(tmp_path) as server:
        server.ask("/start", ASKED)
        session = server.until("/start", r"\d{8}-\d{6}-tune-[\w.-]+")
        pages = _forked(server.process.pid)
        os.kill(pages, signal.SIGSTOP)
        try:
            assert server.ask("/stop", {"session": session})[0] == http.HTTPStatus.SEE_OTHER
        finally:
            os.kill(pages, signal.SIGCONT)
        server.until("/start", r"asked to end|It ended with status")


def _forked(parent: int) -> int:
    """Return the child of a process that runs the same command."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    words = Path(f"/proc/{parent}/cmdline").read_bytes()
    return next(int(each) for each in children if Path(f"/proc/{each}/cmdline").read_bytes() == words)


def test_a_server_that_cannot_begin_says_so_once_and_by_its_exit_status(tmp_path: Path) -> None:
    many_trials.stored(tmp_path / "results", 6)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        argv = [*command_line.STARTED, "serve", "--allow-start", "--port", port]
        done = subprocess.run(
            argv, cwd=tmp_path, env=_environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert done.stderr.count("is taken by another program") == 1


def test_a_server_that_a_signal_ends_is_told() -> None:
    with pytest.raises(TunerError, match="SIGKILL ended the server"):
        starting_of._status(signal.SIGKILL)
    assert starting_of._status(2 << 8) == 2
