"""The program that matches regular expressions of others against what programs printed; both come as JSON on its input.

It runs as a child of its own (`matches.py`): an expression such as `.*.*.*=x` takes hours on a long line, and Python has no
limit for that. It needs the standard library only, and starts without looking at anything else.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from itertools import islice
from typing import Final

_LONGEST: Final = 300
"""Of what is answered of one match, in characters: it is a number, or is shown."""


def main() -> None:
    """Answer what the input asks: for each expression a list of its matches' groups, or null where it took too long."""
    asked = json.load(sys.stdin)
    signal.signal(signal.SIGALRM, _late)
    answers: list[list[list[str]] | None] = []
    for expression, name, groups in asked["wanted"]:
        signal.setitimer(signal.ITIMER_REAL, asked["limit_s"])
        try:
            answers.append(_found(expression, asked["texts"][name], groups, asked["most"]))
        except TimeoutError:
            answers.append(None)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    json.dump(answers, sys.stdout)


def _found(expression: str, text: str, groups: list[int | str], most: int) -> list[list[str]]:
    matches = islice(re.compile(expression, re.MULTILINE).finditer(text), most)
    return [[(match[group] or "")[:_LONGEST] for group in groups] for match in matches]


def _late(_number: int, _frame: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
