"""What all tests may use, and what holds for all property tests: no deadline, and CI repeats the same examples."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import postgres
import pytest
from command_line import Ended, Tuner
from hypothesis import settings

# A machine that does other work is slow, which is no fault of the code. New examples are for people who can look at
# what they find; a change that has nothing to do with them should not fail by their chance.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of this user's own in it, which others cannot enter
ENOUGH_BYTES = 4 << 30
GARBAGE = 50_000  # as the program itself has it


def in_memory() -> bool:
    """Return whether tests can keep their files in memory, and start from there what they put into it."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return False
    return not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES


# A run is on the disk before it is reported: with thousands of them tests would wait for the disk more than for anything else.
if in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# A shell starts what it puts into the background deaf to Ctrl-C, and a program hands that on to those that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with some of the tests that take longest: at first it is given an equal share, in this order."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("long")]
    others = (item for item in items if not item.get_closest_marker("long"))
    spread: list[pytest.Item] = []
    for number in range(workers):
        share = (len(items) - len(spread)) // (workers - number)
        begin = long[number::workers]
        spread += [*begin, *islice(others, max(0, share - len(begin)))]
    items[:] = [*spread, *others]


def pytest_collection() -> None:
    """Look for no cycles among what collecting makes: the tests and what they import live to the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for them from here on, and only among what tests make: the rest is more, and would be looked through each time."""
    gc.freeze()
    gc.set_threshold(GARBAGE)
    gc.enable()


@pytest.fixture
def tuner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tuner:
    """Return what carries out one command in an empty folder."""
    from tuner.cli.main import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["tuner", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Ended(int(end.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """Return a PostgreSQL server of these tests' own, which takes the password of `postgres.PASSWORD` over the network."""
    if reason := postgres.missing():
        pytest.skip(reason)
    with postgres.server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new store: a file, and a schema on a server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tuner.db"
    server: postgres.Server = request.getfixturevalue("postgresql")
    return server.schema()


@pytest.fixture(autouse=True)
def _writing_to_who_is_gone_is_an_error() -> None:
    """Undo what a test left that became another program here: Python ignores SIGPIPE, and other programs do not."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_kept_in_the_users_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["TUNER_LOCKS"] = str(tmp_path_factory.mktemp("locks"))  # tests do not wait for each other
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
