"""One of Python's own suites, played test by test: a line of JSON is written for each, with its name and what became of it.

A test that does not end within its limit ends the process, and stands in the file as begun: whoever started this starts it again
without those that the file has. What needs another host (Python's resource `network`) is not asked for; one suite asks for it that
needs this one only. Nothing of the package is used here: this runs under the library.

    python benchmarks/python_suite.py SUITE FILE SECONDS_A_TEST
"""

from __future__ import annotations

import faulthandler
import json
import sys
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from test import support  # type: ignore[import-not-found]  # Python's own, of which nobody wrote types

BEGUN: Final = "does not end"
NEED_THIS_HOST_ONLY: Final = ("test_socketserver",)


class Told(unittest.TestResult):
    """Writes what becomes of each test; one without a word went well."""

    def __init__(self, file: TextIO, limit_s: float) -> None:
        super().__init__()
        self.file, self.limit_s = file, limit_s

    def tell(self, test: Any, what: str, why: str = "") -> None:
        """Write a line; the last ones of a test say what became of it."""
        self.file.write(json.dumps([test.id(), what, why[-2000:]]) + "\n")
        self.file.flush()

    def startTest(self, test: Any) -> None:
        """Say that it has begun, and let it end the process when it takes too long."""
        super().startTest(test)
        self.tell(test, BEGUN)
        faulthandler.dump_traceback_later(self.limit_s, exit=True)

    def stopTest(self, test: Any) -> None:
        """Say that it has ended; what lies between tests has the same time."""
        super().stopTest(test)
        self.tell(test, "ended")
        faulthandler.dump_traceback_later(self.limit_s, exit=True)

    def addError(self, test: Any, err: Any) -> None:
        """Say it."""
        self.tell(test, "failed", "".join(traceback.format_exception(*err)))

    addFailure = addError

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """Say it of the whole test."""
        if err is not None:
            self.addError(test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        """Say it."""
        self.tell(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: Any) -> None:
        """Say it."""
        self.tell(test, "failed", "unexpected success")


def tests(suite: unittest.TestSuite) -> Iterator[Any]:
    """Return the tests of a suite."""
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from tests(each)
        else:
            yield each


def main(suite: str, path: str, limit_s: float, named: list[str]) -> None:
    """Play the tests that the file has not; of those that are named, where any is."""
    support.use_resources = ["network"] if suite in NEED_THIS_HOST_ONLY else []
    before = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
    played = {json.loads(line)[0] for line in before.splitlines()}
    with Path(path).open("a", encoding="utf-8") as file:
        told = Told(file, limit_s)
        faulthandler.dump_traceback_later(limit_s, exit=True)
        loaded = unittest.defaultTestLoader.loadTestsFromName(f"test.{suite}")
        wanted = [each for each in tests(loaded) if each.id() not in played and (not named or each.id() in named)]
        unittest.TestSuite(wanted).run(told)
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:])
