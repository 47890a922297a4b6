"""A report opened in Chromium from disk: what it complained of, what it asked the network for, and what axe-core found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Chromium's own sandbox does not start for root, who opens no page here but ours.
ARGUMENTS: Final = ["--no-sandbox"] if os.geteuid() == 0 else []


@dataclass(frozen=True, slots=True)
class Seen:
    """One opening of a page: seconds until it was loaded, and everything that was wrong."""

    load_s: float
    wider_by_px: int
    complaints: tuple[str, ...]
    requests: tuple[str, ...]
    violations: tuple[str, ...]


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def opened(
    browser: Any, path: Path, width: int = 1280, *, dark: bool = False, unfolded: bool = False, shot: Path | None = None
) -> Seen:
    """Return what was seen of a file at a width in pixels; axe-core reads what is folded only when it is unfolded."""
    return visited(browser, path.resolve().as_uri(), width, dark=dark, unfolded=unfolded, shot=shot)


def visited(
    browser: Any, url: str, width: int = 1280, *, dark: bool = False, unfolded: bool = False, shot: Path | None = None
) -> Seen:
    """Return what was seen of a page as `opened` does; `requests` are those to other hosts than its own."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda failure: complaints.append(str(failure)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url, wait_until="load")
    timing = "performance.getEntriesByType('navigation')[0].loadEventStart / 1000"
    load_s, wider = page.evaluate(timing), page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if shot is not None:
        page.screenshot(path=shot)
    if unfolded:
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    violations = _violations(page)
    page.close()
    own = url[: url.find("/", len("http://"))] if url.startswith("http:") else "file:"
    outside = tuple(each for each in requests if not each.startswith((own, "data:")))
    return Seen(load_s, wider, tuple(complaints), outside, violations)


def _violations(page: Any) -> tuple[str, ...]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return tuple(f"{rule['id']}: {node['html']}: {node['failureSummary']}" for rule in found for node in rule["nodes"])
