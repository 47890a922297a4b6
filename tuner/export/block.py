"""A block of lines of ours at the end of a file of lines: the last assignment of a variable is the one in effect.

So no line of others has to change: for a shell, for systemd's `Environment=` and `EnvironmentFile=` (systemd.exec(5): later
settings override earlier ones) and for `docker run --env-file` the end of the file wins. The block of an earlier profile
is taken out before, and the new one goes to the end again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tuner.errors import UsageError

BEGIN: Final = "# tuner: begin"
END: Final = "# tuner: end"
_BLOCK: Final = re.compile(rf"^{BEGIN}[^\n]*\n.*?^{END}(?:\n|\Z)", re.MULTILINE | re.DOTALL)
_MARK: Final = re.compile(rf"^(?:{BEGIN}|{END})", re.MULTILINE)


def without(text: str) -> str:
    """Return a text without the block of an earlier profile; raise `UsageError` for half a block."""
    rest = _BLOCK.sub("", text)
    if _MARK.search(rest):
        advice = f"each block begins with `{BEGIN}` and ends with `{END}`: repair or remove it"
        raise UsageError("the file holds half a block of an earlier profile", advice=advice)
    return rest


def appended(text: str, lines: Iterable[str]) -> str:
    """Return a text with a block of these lines at its end, and without the block of an earlier profile."""
    rest = without(text)
    gap = "" if rest.endswith("\n") or not rest else "\n"
    return rest + gap + "\n".join([BEGIN, *lines, END]) + "\n"
