"""Writes the texts of the example from its database: `python tests/example_texts.py` puts them into results/example and README.

What a session says at its end is computed again, so that the example speaks as the program does today. Of what it said
meanwhile, the lines with figures that no database holds (how long a phase may take) stay as they were recorded.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from tuner.cli.screen import answered
from tuner.errors import Finding
from tuner.hosts import facts
from tuner.profiles.files import read, save
from tuner.profiles.profile import Profile
from tuner.records import StoredSession
from tuner.report import files
from tuner.report.content import content
from tuner.report.summary import summary
from tuner.results import FOLDER, Results
from tuner.session.judgement import judge
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases import clear_lead
from tuner.session.phases.emit import emit
from tuner.session.setup.plan import Plan
from tuner.store import Store

ROOT: Final = Path(__file__).parents[1]
EXAMPLE: Final = ROOT / "results" / "example"
TERMINAL: Final = EXAMPLE / "terminal.txt"
BEST: Final = next(EXAMPLE.glob("*/best.toml"))
REPORT: Final = next(EXAMPLE.glob("*/report.html"))
README: Final = ROOT / "README.md"
BEGIN, END = "<!-- session -->\n", "<!-- /session -->"
_RECORDED: Final = ("session ", "calibrate: ", "search: ", "  best so far: ", "confirm: ", "minimise: ")
_REPORT: Final = "report "


def texts(recorded: str) -> tuple[str, str]:
    """Return the summary of the example and what its terminal shows, given what it shows now."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        FOLDER.mkdir()
        shutil.copy(EXAMPLE / "tuner.db", FOLDER)
        results = Results(FOLDER)
        store = Store.reading(results)
        session = store.session("latest")
        end = answered.lines(judge(store, session).answer, results)
        lines = recorded.splitlines()
        reported = [line for line in lines if line.startswith(_REPORT)]
        return summary(store, session), "\n".join([*_progress(session, lines), *end, *reported]) + "\n"


def report() -> Mapping[str, Any]:
    """Return the content of the example's report, as the commands beside its folder find it."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        FOLDER.mkdir()
        shutil.copy(EXAMPLE / "tuner.db", FOLDER)
        store = Store.reading(Results(FOLDER))
        return content(store, store.session("latest"))


def profile() -> Profile:
    """Return the profile that the example ends with, of the time and the release that made it."""
    recorded = read(BEST)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(EXAMPLE / "tuner.db", folder)
        store = Store.reading(Results(Path(folder)))
        session = store.session("latest")
        written = Results(Path(folder)).best(session.id)
        emit(Evidence.read(store, session), judge(store, session).answer, Results(Path(folder)))
        made, before = read(written), recorded.origin or {}
    kept = {name: before[name] for name in ("created", "tuner")}
    return replace(made, origin={**(made.origin or {}), **kept}, path=recorded.path, place=recorded.place)


def _progress(session: StoredSession, recorded: Sequence[str]) -> Iterator[str]:
    for line in recorded:
        if line.startswith("confirm: "):
            yield clear_lead.words(Plan.from_dict(session.plan).clear_lead)
        if line.startswith(_RECORDED):
            yield line
        if line.startswith("session "):
            yield from (f"  warning: {each.message} ({each.suggestion})" for each in _of_host(session))


def _of_host(session: StoredSession) -> Sequence[Finding]:
    known = {each.name: session.facts[each.name] for each in fields(facts.Facts) if each.name in session.facts}
    return facts.doubts(facts.Facts(**known), needs_hugepages=False)


def in_readme(readme: str, terminal: str) -> str:
    """Return the README with the session of today between its marks."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    pasted = "".join(f"    {line}\n" if line else "\n" for line in terminal.splitlines())
    return f"{before}{BEGIN}{pasted}{END}{after}"


if __name__ == "__main__":
    said, shown = texts(TERMINAL.read_text(encoding="utf-8"))
    next(EXAMPLE.glob("*/summary.md")).write_text(said, encoding="utf-8")
    save(profile(), BEST, overwrite=True)
    REPORT.write_text(files.as_html(report()), encoding="utf-8")
    TERMINAL.write_text(shown, encoding="utf-8")
    README.write_text(in_readme(README.read_text(encoding="utf-8"), shown), encoding="utf-8")
