"""A report opens from disk in a browser without a complaint, a request or a violation of accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import many_trials
import pytest

from tuner import atomic_file
from tuner.report import files
from tuner.results import Results
from tuner.store import Store

EXAMPLE = Path(__file__).parents[1] / "results" / "example"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium is installed here"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    shutil.copy(EXAMPLE / "tuner.db", folder)
    for session in ("20260102-a", "20260202-b"):
        store = many_trials.stored(folder / "made", 12, session=session, word='</script><img src=x onerror="alert(1)">')
    made = {
        "example": Store(Results(folder).url).sessions(),
        "hostile": store.sessions()[:1],
        "compared": store.sessions(),
    }
    for name, sessions in made.items():
        found = files.found(Store(Results(folder).url) if name == "example" else store, sessions)
        atomic_file.write(folder / f"{name}.html", files.as_html(found))
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.parametrize("name", ["example", "hostile", "compared"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desktop", "phone in the dark"])
def test_nothing_is_wrong_with_a_page(
    chromium: Any, pages: dict[str, Path], name: str, width: int, *, dark: bool
) -> None:
    seen = browser.opened(chromium, pages[name], width, dark=dark, unfolded=not dark)
    assert seen.complaints == ()
    assert seen.requests == ()
    assert seen.violations == ()
    assert seen.wider_by_px <= 0


def test_marks_tell_their_words_by_keyboard_and_tables_sort_and_filter(chromium: Any, pages: dict[str, Path]) -> None:
    page = chromium.new_page()
    page.goto(pages["example"].as_uri())
    page.focus(".plot")
    page.keyboard.press("ArrowRight")
    assert "µs at" in page.inner_text("#tip")
    page.keyboard.press("Escape")
    page.click("table.profiles thead th:nth-child(2) button")
    column = [float(text.split()[0]) for text in page.locator("table.profiles tbody td:nth-child(2)").all_inner_texts()]
    assert column == sorted(column)
    page.click("#runs ~ details:last-of-type summary")
    page.fill("#filter", "confirm default")
    shown = page.locator("#all tbody tr:not([hidden])").all_inner_texts()
    assert shown
    assert all("confirm" in text for text in shown)
    page.close()


def test_a_page_is_readable_without_its_script(chromium: Any, pages: dict[str, Path]) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["example"].as_uri())
    verdict = Store(Results(pages["example"].parent).url).session("latest").verdict
    assert verdict is not None
    assert f"{verdict['gain']['ratio']:.2f}" in page.inner_text("h1")
    assert page.locator(".plot .wide svg").count() >= 4
    assert page.locator("button:visible").count() == 0
    context.close()
