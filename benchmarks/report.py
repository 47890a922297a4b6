"""How long a report takes to make and to open, and how large it is: 200 and 1,000 trials, and the session kept here.

    .venv/bin/python benchmarks/report.py [FOLDER]

makes the sessions without measuring anything (`many_trials.py`), and leaves pages and screenshots in FOLDER.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
VIEWS = {"desktop": (1280, False), "phone": (390, False), "dark": (1280, True)}


def main(folder: Path) -> None:
    """Print one line a session; the first is warmed up for nobody."""
    import browser
    import many_trials

    from tuner.results import Results
    from tuner.store import Store

    shutil.copytree(ROOT / "results" / "example", folder / "example", dirs_exist_ok=True)
    stores = {"example": Store(Results(folder / "example").url)}
    stores |= {f"{count} trials": many_trials.stored(folder / str(count), count) for count in (200, 1000)}
    made = {name: _made(name, store, folder) for name, store in stores.items()}
    if browser.CHROMIUM is None:
        print("no Chromium is installed here: nothing was opened")
        return
    with browser.chromium() as started:
        for name, path in made.items():
            for view, (width, dark) in VIEWS.items():
                shot = folder / f"{path.stem}-{view}.png"
                seen = browser.opened(started, path, width, dark=dark, shot=shot)
                wrong = [*seen.complaints, *seen.requests, *seen.violations]
                print(f"{name:12} {view:8} opened in {seen.load_s:.2f} s, wrong: {wrong or 'nothing'}")


def _made(name: str, store: object, folder: Path) -> Path:
    from tuner.report import files
    from tuner.store import Store

    assert isinstance(store, Store)  # noqa: S101 - for the type checker
    path = folder / f"{name.replace(' ', '-')}.html"
    began = time.perf_counter()
    files.write_html(store, store.session("latest"), path)
    took_s = time.perf_counter() - began
    print(f"{name:12} made in {took_s:.2f} s, {path.stat().st_size / 1e6:.2f} MB")
    return path


if __name__ == "__main__":
    named = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="reports-"))
    named.mkdir(parents=True, exist_ok=True)
    main(named)
    print(f"pages and screenshots are in {named}")
