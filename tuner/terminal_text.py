"""Text on its way from or to a terminal: what is for the terminal and not for the reader is taken out or made visible.

Other programs' output may colour itself; names and values that somebody else wrote may try to move the cursor, to
change the title, or to show their letters in another order than they have (Unicode Technical Report 36).
"""

from __future__ import annotations

import re
from typing import Final

# C0, DEL, C1, line and paragraph separator, and the marks, embeddings, overrides and isolates of bidirectional text: what
# a value of one line may not hold.
_STEERING: Final = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
CONTROL: Final = re.compile(f"[\x00-\x1f{_STEERING}]")
# ECMA-48: control sequences (CSI), strings to the terminal (OSC, DCS, SOS, PM, APC) up to their end, other escapes.
# A string that has no end in its line is none, so that a stray escape takes no text with it.
_SEQUENCE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\n\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Halves of a character (a file's name that is no UTF-8, JSON's escapes) are no text either.
_HALVES: Final = "\ud800-\udfff"
_UNSHOWN: Final = re.compile(f"[\x00-\x1f{_STEERING}{_HALVES}]")
_UNSAFE: Final = re.compile(f"[\x00-\x08\x0b-\x1f{_STEERING}{_HALVES}]")


def plain(text: str) -> str:
    """Return what a program said without the sequences that only steer a terminal: colours, titles, the cursor."""
    return _SEQUENCE.sub("", text)


def shown(text: str) -> str:
    """Return text of one line as it may be put on a terminal: nothing steers it, and it is visible when it is empty."""
    return _UNSHOWN.sub("?", text) or '""'


def safe(text: str) -> str:
    """Return text of any number of lines as it may leave this program, for a screen, a log or a document.

    Line ends and tabs stay. Whatever else steers a terminal or turns letters round becomes a question mark, one for each,
    so that what is aligned stays aligned.
    """
    return _UNSAFE.sub("?", text)


def escaped(text: str) -> str:
    """Return JSON or TOML with everything that `safe` takes away as an escape of four digits, which both read back."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
