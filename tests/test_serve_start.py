"""Sessions started and stopped from a page: only with the token, only as a form may ask, and by a process that strangers cannot talk to."""

from __future__ import annotations

import html
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import fake
import many_trials
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import served

from tuner.errors import UsageError
from tuner.records import State
from tuner.results import Results
from tuner.serve.starting import OBJECTIVES, Asking, Starter, wish
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
    argv = [sys.executable, "-m", "tuner", "serve", "--allow-start", "--port", "0"]
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
