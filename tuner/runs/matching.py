"""Matching regular expressions of others against what programs printed, for a limited time: `.*.*.*=x` takes hours on a long line.

Python has no limit for that, but a signal ends a match in the main thread. For other threads this file is a program of its own
(`matches.py`), which needs the standard library only: what is asked is JSON on its input, what is answered on its output.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

_LONGEST: Final = 300
"""Of what is answered of one match, in characters: it is a number, or is shown."""


def answers(asked: Mapping[str, Any]) -> list[list[list[str]] | None]:
    """Return for each expression its matches' groups, None where that took more than `limit_s` of CPU time. In the main thread only."""
    before = signal.signal(signal.SIGVTALRM, _late)
    try:
        return [_answer(each, asked) for each in asked["wanted"]]
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _answer(wanted: tuple[str, str, tuple[int | str, ...]], asked: Mapping[str, Any]) -> list[list[str]] | None:
    expression, name, groups = wanted
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, asked["limit_s"])
        matches = islice(re.compile(expression, re.MULTILINE).finditer(asked["texts"][name]), asked["most"])
        return [[(match[group] or "")[:_LONGEST] for group in groups] for match in matches]
    except TimeoutError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _late(_number: int, _frame: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    json.dump(answers(json.load(sys.stdin)), sys.stdout)
