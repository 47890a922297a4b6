"""Pages of a store: live, for reading only, for this host alone, and nothing that a store says can do more than be read."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import command_line
import many_trials
import postgres
import pytest
import stores
from command_line import Tuner
from hypothesis import given
from hypothesis import strategies as st
from served import Going, Served, compared, served

from tuner import exclusive
from tuner.errors import TunerError
from tuner.records import Run, State
from tuner.report import drawing
from tuner.results import Results
from tuner.serve import gate, manners, server
from tuner.serve.app import Site
from tuner.serve.gate import Asked, Gate
from tuner.serve.reader import Reader, Seen
from tuner.serve.reports import Crowded, Made, Reports, Waiting
from tuner.serve.watch import Watch
from tuner.store import Store
from tuner.store.copying import copied

EXAMPLE = Path(__file__).parents[1] / "results" / "example"
EVIL = '</script><img src=x onerror="alert(1)"> {{ 7 * 7 }} \u202e'
GATE = Gate(8750, frozenset({"box.example"}), token="secret")  # noqa: S106 - of a test


def got(path: str = "/", **headers: str) -> Asked:
    return Asked("GET", path, {"host": "127.0.0.1:8750", **{k.replace("_", "-"): v for k, v in headers.items()}})


# --- who may ask


@pytest.mark.parametrize("host", ["127.0.0.1:8750", "localhost:8750", "[::1]:8750", "box.example", "BOX.example:443"])
def test_the_names_of_the_server_are_its_own(host: str) -> None:
    assert GATE.is_mine(host)


@pytest.mark.parametrize(
    "host", ["", "evil.example:8750", "127.0.0.1:80", "127.0.0.1", "127.0.0.1:8750@evil", "10.0.0.1:8750", "[::2]:8750"]
)
def test_a_request_by_another_name_is_refused(host: str) -> None:
    found = GATE.refusal(got(host=host, authorization="Bearer secret"))
    assert found is not None
    assert found.status == http.HTTPStatus.MISDIRECTED_REQUEST


@given(st.text(max_size=80))
def test_no_host_but_its_own_is_taken_whatever_is_written(host: str) -> None:
    assert not GATE.is_mine(host) or re.fullmatch(
        r"(127\.0\.0\.1|localhost|\[::1\]):0*8750|box\.example(:\d+)?", host, re.IGNORECASE | re.ASCII
    )


def test_on_all_addresses_any_address_is_its_own_and_no_name_is() -> None:
    every = Gate(8750, frozenset(), any_address=True)
    assert every.is_mine("10.1.2.3:8750")
    assert every.is_mine("[fe80::1]:8750")
    assert not every.is_mine("rebound.example:8750")


def test_nothing_is_told_without_the_token_and_all_with_it() -> None:
    assert GATE.refusal(got("/sessions/x")) is not None
    assert GATE.refusal(got(authorization="Bearer wrong")) is not None
    assert GATE.refusal(got(authorization="Bearer secret")) is None
    assert GATE.refusal(got(cookie=GATE.cookie().partition(";")[0])) is None
    assert GATE.refusal(got(cookie="tuner-8750=" + "0" * 64)) is not None
    assert GATE.refusal(got("/login")) is None
    assert GATE.refusal(got("/assets/serve.css")) is None


def test_the_cookie_is_not_the_token_and_goes_to_no_other_site() -> None:
    assert "secret" not in GATE.cookie()
    assert {"HttpOnly", "SameSite=Strict"} <= set(GATE.cookie().split("; "))


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, True),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}, False),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "cors", "sec_fetch_dest": "empty"}, False),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}, False),
    ],
)
def test_a_page_of_another_site_gets_nothing(headers: dict[str, str], *, taken: bool) -> None:
    assert (Gate(8750, frozenset()).refusal(got(**headers)) is None) is taken


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, False),
        ({"origin": "http://127.0.0.1:8750"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://127.0.0.1:8750", "sec-fetch-site": "cross-site"}, False),
        ({"authorization": "Bearer secret"}, True),
    ],
)
def test_a_form_is_taken_from_a_page_of_ours_only(headers: dict[str, str], *, taken: bool) -> None:
    cookie = {"cookie": GATE.cookie().partition(";")[0]}
    asked = Asked("POST", "/stop", {"host": "127.0.0.1:8750", **cookie, **headers})
    assert (GATE.refusal(asked) is None) is taken


# --- what is read


def test_a_session_under_way_is_read_on_and_never_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going = Going.begun(tmp_path)
    going.measure(20)
    reader = Reader(Results(tmp_path))
    first = reader.look().live[going.session]
    assert first.runs == 20
    read: list[int] = []
    runs = Store.runs

    def counted(self: Store, session: str, first: int = 0) -> tuple[Run, ...]:
        read.append(first)
        return runs(self, session, first)

    monkeypatch.setattr(Store, "runs", counted)
    going.measure(4)
    assert reader.look().live[going.session].runs == 24
    assert min(read) == 19
    fresh = Reader(Results(tmp_path)).look().live[going.session]
    assert fresh == reader.look().live[going.session]


def test_what_leads_has_its_interval_and_says_whether_it_is_confirmed(tmp_path: Path) -> None:
    going = Going.begun(tmp_path)
    reader = Reader(Results(tmp_path))
    assert reader.look().live[going.session].standings == ()
    going.measure(many_trials.CALIBRATION_BLOCKS * 2 + 12)
    (leader,) = reader.look().live[going.session].standings
    assert leader.phase == "search"
    going.measure(len(going.runs))
    live = reader.look().live[going.session]
    assert live.standings[0].phase == "confirm"
    assert live.standings[0].gain.low < live.standings[0].gain.ratio < live.standings[0].gain.high
    assert live.culprits.startswith("1 of ")


def test_a_file_that_nobody_wrote_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(EXAMPLE / "tuner.db", tmp_path)
    os.utime(tmp_path / "tuner.db", (1e9, 1e9))
    reader = Reader(Results(tmp_path))
    seen = reader.look()
    monkeypatch.setattr(Store, "stamps", lambda _: pytest.fail("it was read"))
    assert reader.look() is seen


def test_a_session_whose_process_is_gone_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    going = Going.begun(tmp_path)
    results = Results(tmp_path)
    results.of(going.session).mkdir()
    reader = Reader(results)
    with exclusive.held(results.lock(going.session), "test"):
        assert reader.look().lost == frozenset()
    assert reader.look().lost == {going.session}


def test_a_store_that_goes_away_is_told_and_found_again(tmp_path: Path) -> None:
    many_trials.stored(tmp_path, 6)
    reader = Reader(Results(tmp_path))
    known = reader.look()
    (tmp_path / "tuner.db").rename(tmp_path / "elsewhere")
    gone = reader.look()
    assert "there is no store" in gone.trouble
    assert gone.sessions == known.sessions
    (tmp_path / "elsewhere").rename(tmp_path / "tuner.db")
    assert reader.look().trouble == ""


def test_looking_writes_nothing(tmp_path: Path) -> None:
    many_trials.stored(tmp_path, 6)
    before = {each.name: (each.stat().st_mtime_ns, each.stat().st_size) for each in tmp_path.iterdir()}
    Reader(Results(tmp_path)).look()
    assert {each.name: (each.stat().st_mtime_ns, each.stat().st_size) for each in tmp_path.iterdir()} == before


def test_one_altered_value_never_ends_the_pages_in_a_bug(tmp_path: Path) -> None:
    many_trials.stored(tmp_path / "done", 6)
    going = Going.begun(tmp_path / "done")
    going.measure(30)
    Store(Results(tmp_path / "done").url).compact()
    for seed in range(25):
        folder = tmp_path / str(seed)
        folder.mkdir()
        shutil.copy(tmp_path / "done" / "tuner.db", folder)
        altered = stores.alter(folder / "tuner.db", random.Random(seed))
        try:
            site = _site(folder)
        except TunerError:
            continue
        seen = site.watch._look()
        for glance in seen.sessions.values():
            assert b"parts" in site.fragment(seen, glance.id), altered
        shutil.rmtree(folder)


def _site(folder: Path) -> Site:
    return Site(Reader(Results(folder)), GATE)


# --- one look for all


def test_fifty_who_watch_are_served_by_one_look_a_second() -> None:
    looks: list[Seen] = []

    def look() -> Seen:
        looks.append(Seen(trouble=str(len(looks))))
        return looks[-1]

    async def watched() -> None:
        watch = Watch(look)

        async def one() -> list[Seen]:
            heard = []
            async for seen in watch.changes():
                heard.append(seen)
                if len(heard) == 2:
                    break
            return heard

        heard = await asyncio.gather(*[one() for _ in range(50)])
        assert all(each == looks[:2] for each in heard)
        watch.close()

    asyncio.run(watched())
    assert len(looks) <= 4


def test_watchers_end_when_the_server_does_and_nobody_is_looked_for_without_them() -> None:
    looks: list[int] = []

    def look() -> Seen:
        looks.append(1)
        return Seen()

    async def watched() -> None:
        watch = Watch(look)
        heard = asyncio.create_task(_all(watch))
        await asyncio.sleep(0.05)
        watch.close()
        assert len(await asyncio.wait_for(heard, 5)) == 1

    asyncio.run(watched())
    assert len(looks) == 1


async def _all(watch: Watch) -> list[Seen]:
    return [seen async for seen in watch.changes()]


# --- reports


def test_a_report_is_made_once_and_the_oldest_are_forgotten() -> None:
    reports, made = Reports(most_bytes=25), list[str]()

    def make(name: str) -> Callable[[], str]:
        def page() -> str:
            made.append(name)
            return name * 10

        return page

    for name in "aabca":
        found = reports.page(name, make(name), 30.0)
        assert isinstance(found, Made)
        assert found.page == (name * 10).encode()
    assert made == ["a", "b", "c", "a"]


def test_a_report_that_fails_says_why_and_is_tried_again() -> None:
    reports = Reports()

    def fail() -> str:
        raise TunerError("no")

    found = reports.page("x", fail, 30.0)
    assert isinstance(found, Made)
    assert found.why_not is not None
    assert isinstance(reports.page("x", lambda: "yes", 30.0), Made)


def test_only_so_many_reports_wait() -> None:
    reports, go = Reports(), list[int]()

    def slow() -> str:
        while not go:
            time.sleep(0.01)
        return "x"

    assert isinstance(reports.page(0, slow, 0.05), Waiting)
    answers = [reports.page(number, slow, 0.0) for number in range(1, 12)]
    assert isinstance(answers[-1], Crowded)
    go.append(1)


# --- manners


def test_a_process_that_makes_way_leaves_measured_cpus_and_takes_idle_time_where_there_are_no_others() -> None:
    code = (
        "import os; from tuner.serve import manners as m; usable = os.sched_getaffinity(0); m.step_back()\n"
        "one = min(usable); m.make_way({one}, usable); a = m.manners({one}); m.make_way(usable, usable); b = m.manners(usable)\n"
        "print(a.apart or len(usable) == 1, a.nice >= 10, b.idle, b.allowed == usable)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "True", "True", "True"]


def test_the_cpu_of_this_process_is_one_that_it_may_use() -> None:
    found = manners.manners()
    assert found.cpu in found.allowed


# --- pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    for session in ("20260102-a", "20260202-b"):
        many_trials.stored(folder, 12, session=session, word=EVIL)
    Store(Results(folder).url).close_session("20260202-b", State.DONE, 91.0, None)
    with served(Results(folder)) as running:
        yield running


def test_every_page_escapes_what_others_wrote(pages: Served) -> None:
    for path in ("/", "/?q=kernel", "/sessions/20260102-a", "/sessions/20260102-a/report"):
        found = pages.whole(path)
        assert found.status == http.HTTPStatus.OK, path
        assert "<img src=x" not in found.text, path
        assert "\u202e" not in found.text, path
        assert "49 " not in found.text or "{{" in found.text, path


@pytest.mark.parametrize("path", ["/", "/nix", "/sessions/20260102-a", "/assets/serve.js", "/compare"])
def test_every_answer_tells_the_browser_to_be_strict(pages: Served, path: str) -> None:
    found = pages.ask(path)
    assert {name: found.headers.get(name) for name in gate.HEADERS} == dict(gate.HEADERS)
    assert "unsafe" not in found.headers["content-security-policy"]


class Tags(HTMLParser):
    """What of a page asks for something or is carried out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        asks = [value for name, value in attrs if name in {"src", "href", "action", "srcset", "data"} and value]
        away = [value for value in asks if not value.startswith(("/", "#", "?", "data:,")) or value.startswith("//")]
        inside = [name for name in given if name == "style" or name.startswith("on")]
        inside += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []
        self.wrong += [*away, *inside]


def test_no_page_asks_another_host_and_none_has_script_or_style_in_it(pages: Served) -> None:
    for path in ("/", "/sessions/20260102-a", "/sessions/20260102-a/report", "/compare?s=20260102-a&s=20260202-b"):
        assert Tags(pages.whole(path).text).wrong == [], path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sessions/nix", 404),
        ("/sessions/..%2f..%2fetc", 404),
        ("/sessions/" + "x" * 500, 404),
        ("/assets/report.html.j2", 404),
        ("/assets/..%2fserver.py", 404),
        ("/events/nix", 404),
        ("/history?s=nix&p=latency", 404),
        ("/history", 404),
        ("/compare?s=20260102-a", 400),
        ("/compare?" + "&".join(f"s={n}" for n in range(40)), 400),
        ("/?page=-1", 200),
        ("/?page=99999999999999999999", 200),
        ("/?q=" + "x" * 5000, 200),
        ("/?q=%ff%00", 200),
    ],
)
def test_what_is_not_there_is_said_by_a_page(pages: Served, path: str, status: int) -> None:
    found = pages.ask(path)
    assert found.status == status
    assert "<main" in found.text


def test_the_list_finds_by_all_words(pages: Served) -> None:
    assert "20260202-b" not in pages.ask("/?q=20260102+KERNEL").text
    assert "No session has all of these words" in pages.ask("/?q=kernel+solaris").text


def test_a_comparison_is_made_of_what_is_marked(pages: Served) -> None:
    found = pages.whole("/compare?s=20260102-a&s=20260202-b")
    assert found.status == http.HTTPStatus.OK
    assert "2 sessions, side by side" in found.text


def test_the_history_of_a_profile_is_a_page_with_the_change_points_of_the_command(tmp_path: Path) -> None:
    address = compared(tmp_path)
    with served(Results(tmp_path)) as running:
        assert address.replace("&", "&amp;") in running.ask("/profiles").text
        found = running.whole(address)
        assert found.status == http.HTTPStatus.OK
        assert "poll: gain over time" in found.text
        assert "too few sessions to tell a change from chance: 9 more are needed" in found.text
        assert "poll: p99, µs over time" in running.whole(f"{address}&m=latency_p99_us").text
        assert Tags(found.text).wrong == []
        unknown = running.whole(f"{address}&m=latency_p98_us")
        assert (unknown.status, "did you mean latency_p99_us?" in unknown.text) == (400, True)
        assert running.ask(f"{address}ing").status == http.HTTPStatus.NOT_FOUND


def test_a_page_whose_plot_was_not_drawn_in_time_is_shown_and_made_again_for_who_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = compared(tmp_path)
    with monkeypatch.context() as starved, served(Results(tmp_path)) as running:
        starved.setattr(drawing, "_MOST_S", 0.01)
        assert "vega did not end within 0.01 s" in running.whole(address).text
        starved.undo()
        assert "did not end" not in running.whole(address).text


def test_a_session_that_begins_and_goes_on_comes_by_itself(tmp_path: Path) -> None:
    many_trials.stored(tmp_path, 6)
    with served(Results(tmp_path)) as running, running.stream("/events") as stream:
        assert "20260303-live" not in _parts(stream)["running"]
        going = Going.begun(tmp_path)
        going.measure(12)
        while "20260303-live" not in (parts := _parts(stream))["running"]:
            pass
        assert "20260303-live" in parts["table"]
        going.store.close_session(going.session, State.STOPPED, 20.0, None)
        while "20260303-live" in _parts(stream)["running"]:
            pass


def test_pages_of_a_server_show_what_those_of_a_file_do_and_what_begins_there_live(
    postgresql: postgres.Server, tmp_path: Path
) -> None:
    history = compared(tmp_path)
    shared = Results(tmp_path, postgresql.schema())
    assert [str(each.outcome) for each in copied(Store(Results(tmp_path).url), Store(shared.url))]
    session = history.partition("s=")[2].partition("&")[0]
    with served(Results(tmp_path)) as of_file, served(shared) as of_server, of_server.stream("/events") as stream:
        for path in ("/profiles", f"/sessions/{session}", f"/sessions/{session}/report", history):
            there, here = (_main(each.whole(path).text) for each in (of_server, of_file))
            assert there == here, path
        assert "20260303-live" not in _parts(stream)["running"]
        going = Going.begun(tmp_path, into=Store(shared.url))
        going.measure(2)
        while "20260303-live" not in _parts(stream)["running"]:
            pass


def _main(page: str) -> str:
    """Return what a page says, without its foot, which names the server and its store."""
    above, foot, _ = page.partition('<div id="foot"')
    assert foot
    return above


def _parts(stream: http.client.HTTPResponse) -> dict[str, str]:
    while not (line := stream.readline().decode()).startswith("data: "):
        assert line
    found: dict[str, str] = json.loads(line.removeprefix("data: "))
    return found


def test_the_token_opens_the_pages_by_a_form_whose_cookie_is_kept(tmp_path: Path) -> None:
    many_trials.stored(tmp_path, 6)
    with served(Results(tmp_path), token="a-token") as running:  # noqa: S106 - of a test
        assert running.ask("/", accept="text/html").headers["location"] == "/login"
        assert running.ask("/events").status == http.HTTPStatus.UNAUTHORIZED
        form = {"origin": running.url, "content_type": "application/x-www-form-urlencoded"}
        assert running.ask("/login", "POST", "token=wrong", **form).status == http.HTTPStatus.FORBIDDEN
        assert running.ask("/login", "POST", "x" * 9000, **form).status == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        let_in = running.ask("/login", "POST", "token=a-token", **form)
        assert running.ask("/", cookie=let_in.headers["set-cookie"].partition(";")[0]).status == http.HTTPStatus.OK
        assert running.ask("/", authorization="Bearer a-token").status == http.HTTPStatus.OK


# --- the command


GARBAGE = (
    b"\x16\x03\x01\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
)


def test_ctrl_c_ends_the_server_though_somebody_watches_and_it_printed_nothing_of_strangers(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "tuner.db", tmp_path)
    argv = [*command_line.STARTED, "serve", "--results", str(tmp_path), "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
            for garbage in GARBAGE:
                with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as stranger:
                    stranger.sendall(garbage.replace(b"%d", b"%d" % port))
                    assert stranger.recv(100).startswith(b"HTTP/1.1 ")
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                connection.request("GET", "/events")
                assert connection.getresponse().readline()
                process.send_signal(signal.SIGINT)
                assert process.wait(60) == 0
        finally:
            process.kill()
        assert process.stderr
        assert process.stderr.read() == ""


def test_a_port_that_is_taken_and_an_address_that_is_none_are_told_in_a_sentence(tuner: Tuner) -> None:
    shutil.copytree(EXAMPLE, "results")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = tuner("serve", "--port", str(other.getsockname()[1]))
    assert taken.status == 2
    assert "is taken by another program" in taken.err
    assert "--port 0" in taken.err
    assert "no port" in tuner("serve", "--port", "70000").err
    assert "cannot listen on 192.0.2.1" in tuner("serve", "--address", "192.0.2.1").err


def test_a_store_that_is_missing_newer_or_of_others_is_told_in_a_sentence(tuner: Tuner, tmp_path: Path) -> None:
    assert "there are no sessions in" in tuner("serve").err
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "tuner.db").write_text("x" * 200)
    assert "is not a database" in tuner("serve").err


def test_without_the_extra_it_says_what_to_install(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'stack-tuner[serve]'" in tuner("serve").err


def test_only_the_address_of_this_host_needs_no_token() -> None:
    assert server._is_loopback("127.0.0.1")
    assert server._is_loopback("::1")
    assert server._is_loopback("localhost")
    assert not server._is_loopback("0.0.0.0")  # noqa: S104 - not listened on
    assert not server._is_loopback("box.example")


def test_connections_over_which_nobody_asks_keep_nobody_out_for_long() -> None:
    class Wire:
        def __init__(self) -> None:
            self.closed = False

        def close(self) -> None:
            self.closed = True

    class Connection:
        def __init__(self, cycle: object) -> None:
            self.cycle, self.transport = cycle, Wire()

    silent, asked, late = Connection(None), Connection(object()), Connection(None)
    since = server.without_silent([silent, asked], {}, 0.0)
    since = server.without_silent([silent, asked, late], since, 8.0)
    assert not silent.transport.closed
    server.without_silent([silent, asked, late], since, 10.5)
    assert [each.transport.closed for each in (silent, asked, late)] == [True, False, False]
