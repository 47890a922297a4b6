"""Sessions started and stopped from a page: only with the token, only as a form may ask, and by a process that strangers cannot talk to."""

from __future__ import annotations

import html
import http.client
import os
import re
import signal
import subprocess
import sys
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

from tuner.errors import UsageError
from tuner.records import State
from tuner.results import Results
from tuner.serve.starting import OBJECTIVES, wish
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


@contextmanager
def starting(folder: Path) -> Iterator[Starting]:
    fake.install(folder)
    many_trials.stored(folder / "results", 6)
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(folder), "TUNER_LOCKS": str(folder)}
    argv = [sys.executable, "-m", "tuner", "serve", "--allow-start", "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        try:
            assert process.stdout
            port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
            yield Starting(process, port, process.stdout.readline().split()[1])
        finally:
            process.kill()


@pytest.mark.serial
@pytest.mark.timeout(300)  # where a session measures on all CPUs, the server takes only idle time
def test_a_session_is_started_and_stopped_from_a_page_and_ends_with_the_server(tmp_path: Path) -> None:
    with starting(tmp_path) as server:
        assert server.ask("/start", ASKED, token="wrong")[0] == http.HTTPStatus.UNAUTHORIZED  # noqa: S106 - of a test
        assert server.ask("/start", ASKED | {"profile": "../x"})[0] == http.HTTPStatus.BAD_REQUEST
        assert server.ask("/start", ASKED)[0] == http.HTTPStatus.SEE_OTHER
        session = server.until("/start", r"(?<=/sessions/)[\w-]+-tune-kernel-latency-\w+")
        server.until(f"/sessions/{session}", ">Stop<")
        assert "one at a time" in server.ask("/start", ASKED)[1]
        assert server.ask("/stop", {"session": many_trials.ID})[0] == http.HTTPStatus.BAD_REQUEST
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
    store = Store.reading(Results(tmp_path / "results"))
    assert store.session(session).state is State.STOPPED


@pytest.mark.serial
def test_why_a_session_did_not_begin_is_shown_and_the_server_ends_with_who_starts_sessions(tmp_path: Path) -> None:
    with starting(tmp_path) as server:
        server.ask("/start", ASKED | {"profile": "nosuch"})
        server.until("/start", "there is no profile 'nosuch'")
        server.process.kill()
        with pytest.raises(OSError, match=r"refused|reset|closed"):
            server.until("/start", "never said")
