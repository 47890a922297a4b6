"""Pages of `tuner serve` in a browser: no complaint, no request to others, no violation of accessibility, live and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import many_trials
import pytest
from served import Going, Served, compared, served

from tuner.results import Results

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium is installed here"),
]
EVIL = '</script><img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def going(tmp_path_factory: pytest.TempPathFactory) -> Going:
    folder = tmp_path_factory.mktemp("watched")
    for session in ("20260102-a", "20260202-b"):
        many_trials.stored(folder, 12, session=session, word=EVIL)
    going = Going.begun(folder)
    going.measure(30)
    return going


@pytest.fixture(scope="module")
def history(going: Going) -> str:
    return compared(Path(going.store.where).parent)


@pytest.fixture(scope="module")
def pages(going: Going, history: str) -> Iterator[Served]:
    with served(Results(Path(going.store.where).parent)) as running:
        for path in ("/sessions/20260102-a/report", "/compare?s=20260102-a&s=20260202-b", history):
            running.whole(path)
        yield running


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desktop", "phone in the dark"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sessions/20260303-live",
        "/sessions/20260102-a",
        "/sessions/20260102-a/report",
        "/compare?s=20260102-a&s=20260202-b",
        "/login",
        "/profiles",
        "/history",
    ],
)
def test_nothing_is_wrong_with_a_page(
    chromium: Any, pages: Served, history: str, path: str, width: int, *, dark: bool
) -> None:
    seen = browser.visited(chromium, pages.url + (history if path == "/history" else path), width, dark=dark)
    assert seen.complaints == ()
    assert seen.requests == ()
    assert seen.violations == ()
    assert seen.wider_by_px <= 0


def test_the_form_that_asks_for_the_token_has_nothing_wrong_and_lets_in_who_knows_it(
    chromium: Any, going: Going
) -> None:
    with served(Results(Path(going.store.where).parent), token="secret") as running:  # noqa: S106 - of a test
        seen = browser.visited(chromium, f"{running.url}/login", 390)
        assert (seen.complaints, seen.requests, seen.violations) == ((), (), ())
        assert seen.wider_by_px <= 0
        page = chromium.new_context().new_page()
        page.goto(running.url)
        for word, comes in (("wrong", "That is not the token."), ("secret", "Running now")):
            page.get_by_label("Token").fill(word)
            page.keyboard.press("Enter")
            page.get_by_text(comes).wait_for()
        page.context.close()


def test_a_running_session_goes_on_before_ones_eyes_and_marks_and_focus_stay(
    chromium: Any, pages: Served, going: Going
) -> None:
    page = chromium.new_page()
    page.goto(pages.url)
    page.get_by_text("live", exact=False).first.wait_for()
    page.get_by_label("Compare 20260102-a").check()
    page.get_by_label("Compare 20260202-b").check()
    before = page.inner_text("#running")
    going.measure(2)
    page.wait_for_function("before => document.getElementById('running').innerText !== before", arg=before)
    assert page.get_by_label("Compare 20260102-a").is_checked()
    assert page.evaluate("document.activeElement.value") == "20260202-b"
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Compare the marked ones").press("Enter")
    page.wait_for_url("**/compare?*")
    page.get_by_role("heading", name="2 sessions, side by side").wait_for()
    page.close()
