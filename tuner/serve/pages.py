"""The pages as HTML: templates of ours, in which everything that is not ours is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlencode

from tuner.figures import plain
from tuner.report import history, page
from tuner.serve.ended import Ended
from tuner.serve.glance import Glance
from tuner.serve.live import Live
from tuner.serve.manners import Manners
from tuner.serve.reader import Seen
from tuner.serve.starting import Started
from tuner.serve.worth import Profile
from tuner.session.history import GAIN, History
from tuner.terminal_text import safe
from tuner.version import __version__

PAGE: Final = 50
"""Sessions on a page of the list."""
MOST_RUNNING: Final = 20
PROFILES: Final = 12
"""Profiles on a page of theirs, and so many judgements of each."""
PLACES: Final = (("/", "Sessions"), ("/profiles", "Profiles"))
_START: Final = ("/start", "Start")
_WIDTH, _HEIGHT, _MARGIN = 640.0, 150.0, 6.0
_FOOT: Final = "<!--foot-->"
"""What stands for the foot meanwhile; text of others is escaped and cannot be it."""
_OURS: Final = (
    "frame",
    "words",
    "running",
    "table",
    "list",
    "session",
    "state",
    "foot",
    "message",
    "login",
    "profiles",
    "start",
    "stop",
)


@dataclass(frozen=True, slots=True)
class ListView:
    """A page of the list of sessions: those that have all of some words, if there are any."""

    words: str = ""
    page: int = 1

    def of(self, seen: Seen) -> list[Glance]:
        """Return the sessions that are asked for, newest first."""
        wanted = self.words.lower().split()
        if not wanted:
            return list(seen.sessions.values())
        return [each for each in seen.sessions.values() if all(word in each.words() for word in wanted)]


@dataclass(frozen=True, slots=True)
class Starting:
    """What the page that starts sessions offers, and what became of the latest one."""

    started: Started
    stacks: tuple[str, ...]
    objectives: tuple[str, ...]
    least_s: int
    most_s: int


@dataclass(frozen=True, slots=True)
class Course:
    """The trials of a search as marks on a plane whose upper half is better than the baseline."""

    marks: tuple[tuple[float, float], ...]
    zero: float
    says: str
    width: float = _WIDTH
    height: float = _HEIGHT


def asset(name: str) -> str:
    """Return a template, style or script: of these pages, or of the report."""
    stem = name.partition(".")[0]
    if stem in _OURS or name.startswith("serve."):
        return (files("tuner.serve") / "assets" / name).read_text(encoding="utf-8")
    return page.asset(name)


@cache
def _environment() -> Any:
    made = page.environment(asset)
    made.globals |= {"cpus": _cpus, "version": __version__, "history": history_address}
    return made


def prepare() -> None:
    """Read all templates, which the first page of each kind would take the time for otherwise."""
    for name in _OURS:
        _environment().get_template(f"{name}.html.j2")


def rendered(template: str, **values: object) -> str:
    """Return a template of ours with what it is to show."""
    return safe(_environment().get_template(template).render(**values))


def _page_of(view: ListView, count: int, size: int) -> tuple[ListView, int, slice]:
    """Return the page that there is, how many there are, and which of `count` things are on it."""
    last = max(1, math.ceil(count / size))
    here = ListView(view.words, min(view.page, last))
    return here, last, slice((here.page - 1) * size, here.page * size)


def whole(template: str, manners: Manners, here: str = "", **values: object) -> str:
    """Return a page."""
    return rendered(template, **(framed(manners, here) | values))


def framed(manners: Manners, here: str = "", *, refresh: bool = False) -> dict[str, object]:
    """Return what every page shows beside its content."""
    places = (*PLACES, _START) if manners.starts else PLACES
    return {"pages": places, "here": here, "refresh": refresh, "foot": _markup(foot(manners))}


def frame() -> page.Frame:
    """Return the frame that a report is shown in; the foot is `with_foot`'s, because a report is kept for longer."""
    values = {"pages": PLACES, "here": "", "refresh": False, "foot": _markup(_FOOT)}
    return page.Frame("frame.html.j2", asset, values)


def history_page(found: History, session: str, profile: str) -> str:
    """Return the history of a profile that a session judged, with the way to those of its other metrics."""
    others = [(plain(each), history_address(session, profile, each)) for each in found.metrics]
    return history.page(found, frame(), others)


def history_address(session: str, profile: str, metric: str = GAIN) -> str:
    """Return where the history of a profile that a session judged is."""
    return f"/history?{urlencode({'s': session, 'p': profile, 'm': metric})}"


def with_foot(report: bytes, manners: Manners) -> bytes:
    """Return a report with what the foot says now."""
    return report.replace(_FOOT.encode(), foot(manners).encode(), 1)


def foot(manners: Manners) -> str:
    """Return what the foot of every page says of this server."""
    return rendered("foot.html.j2", m=manners)


def list_parts(seen: Seen, view: ListView, manners: Manners) -> dict[str, str]:
    """Return the parts of a list that change by themselves."""
    found = view.of(seen)
    here, last, part = _page_of(view, len(found), PAGE)
    running = [each for each in seen.sessions.values() if each.is_running][:MOST_RUNNING]
    return {
        "count": _counted(len(seen.sessions) + seen.unread, len(found), is_all=not view.words),
        "running": rendered("running.html.j2", seen=seen, running=running),
        "table": rendered("table.html.j2", seen=seen, rows=found[part], view=here, last=last),
        "foot": foot(manners),
    }


def session_parts(
    seen: Seen, glance: Glance, told: Ended | str | None, manners: Manners, started: Started | None = None
) -> dict[str, str]:
    """Return the parts of a session's page that change by themselves; `told` is its answer, or why that cannot be read.

    `started` is the session that was started here, if there is one.
    """
    live = seen.live.get(glance.id)
    mine = started is not None and started.running and started.session == glance.id
    ended = told if isinstance(told, Ended) and live is None else None
    state = rendered(
        "state.html.j2",
        seen=seen,
        glance=glance,
        live=live,
        lost=glance.id in seen.lost,
        course=course(live) if live else None,
        ended=ended,
        doubts=live.doubts if live else ended.doubts if ended else (),
        stop=_markup(stop_form(started)) if started and mine else "",
        unreadable=told if isinstance(told, str) else "",
    )
    return {"state": state, "foot": foot(manners)}


def list_page(seen: Seen, view: ListView, manners: Manners, store: str, events: str) -> str:
    """Return the list of sessions."""
    parts = {name: _markup(html) for name, html in list_parts(seen, view, manners).items()}
    return whole("list.html.j2", manners, "/", parts=parts, view=view, store=store, events=events)


def profiles_page(seen: Seen, every: Sequence[Profile], view: ListView, manners: Manners) -> str:
    """Return what profiles are worth where."""
    wanted = view.words.lower().split()
    found = [each for each in every if all(word in each.words() for word in wanted)] if wanted else every
    here, last, part = _page_of(view, len(found), PROFILES)
    count = f"{len(found):,} profile{'s' * (len(found) != 1)}"
    values = {"rows": found[part], "view": here, "last": last, "count": count, "unread": seen.unread, "most": PROFILES}
    return whole("profiles.html.j2", manners, "/profiles", **values)


def start_page(about: Starting, manners: Manners) -> str:
    """Return the page that starts a session."""
    stop = stop_form(about.started)
    prepared = about.started.running and not about.started.session
    values = {
        "refresh": prepared,
        "started": about.started,
        "stacks": about.stacks,
        "objectives": about.objectives,
        "stop": _markup(stop),
    }
    return whole("start.html.j2", manners, "/start", **values, least=about.least_s, most=about.most_s)


def stop_form(started: Started) -> str:
    """Return the form that stops the session that was started here."""
    return rendered("stop.html.j2", session=started.session, stops=started.stops)


def session_page(
    seen: Seen, glance: Glance, told: Ended | str | None, manners: Manners, started: Started | None = None
) -> str:
    """Return the page of a session."""
    parts = {name: _markup(html) for name, html in session_parts(seen, glance, told, manners, started).items()}
    events = f"/events/{glance.id}"
    return whole("session.html.j2", manners, parts=parts, glance=glance, events=events)


def course(live: Live) -> Course | None:
    """Return the trials of a search as they are drawn, None where there are too few to see anything."""
    points = live.points
    if len(points) < 2:  # noqa: PLR2004 - one is no course
        return None
    low, high = min(0.0, *points), max(0.0, *points)
    scale = (_HEIGHT - 2 * _MARGIN) / ((high - low) or 1.0)
    step = (_WIDTH - 2 * _MARGIN) / (len(points) - 1)
    marks = tuple(
        (round(_MARGIN + at * step, 1), round(_MARGIN + (high - each) * scale, 1)) for at, each in enumerate(points)
    )
    says = (
        f"Each mark is one profile of the search, from {math.exp(min(points)):.2f}× to {math.exp(max(points)):.2f}×; "
        f"the line is {live.baseline}. Higher is better, and nothing of it is confirmed."
    )
    return Course(marks, round(_MARGIN + high * scale, 1), says)


def _counted(every: int, found: int, *, is_all: bool) -> str:
    sessions = f"{every:,} session{'s' * (every != 1)}"
    return sessions if is_all else f"{found:,} of {sessions}"


def _cpus(numbers: Iterable[int]) -> str:
    """Return CPUs as a list, neighbours as a range."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)


def _markup(html: str) -> object:
    from markupsafe import Markup

    return Markup(html)  # noqa: S704 - a template of ours has made it


def message(
    title: str, what: str, manners: Manners, *, findings: Sequence[object] = (), advice: str = "", refresh: bool = False
) -> str:
    """Return a page with one message."""
    values = framed(manners, refresh=refresh) | {"title": title, "what": what, "findings": findings, "advice": advice}
    return rendered("message.html.j2", **values, back=("/", "All sessions"))


def login(manners: Manners, *, wrong: bool) -> str:
    """Return the form that asks for the token."""
    return rendered("login.html.j2", **framed(manners) | {"pages": ()}, wrong=wrong)
