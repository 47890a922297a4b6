"""Text on its way from or to a terminal: what is for the terminal and not for the reader is taken out or made visible.

Other programs' output may colour itself; names and values that somebody else wrote may try to move the cursor, to
change the title, or to show their letters in another order than they have (Unicode Technical Report 36).
"""

from __future__ import annotations

import re
from typing import Final

# C0, DEL and C1: what a value of one line may not hold.
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# ECMA-48: control sequences (CSI), strings to the terminal (OSC, DCS, SOS, PM, APC) up to their end, other escapes.
# A string that has no end in its line is none, so that a stray escape takes no text with it.
_SEQUENCE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\n\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Beside control characters: line and paragraph separator, and the marks, embeddings, overrides and isolates of
# bidirectional text.
_UNSHOWN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return what a program said without the sequences that only steer a terminal: colours, titles, the cursor."""
    return _SEQUENCE.sub("", text)


def shown(text: str) -> str:
    """Return text of one line as it may be put on a terminal: nothing steers it, and it is visible when it is empty."""
    return _UNSHOWN.sub("?", text) or '""'
