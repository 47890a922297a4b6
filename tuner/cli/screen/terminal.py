"""What the terminal can show: how wide it is, whether it draws over itself, colours, and characters beyond ASCII."""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

PLAIN: Final = "tuner-plain"
# One character for one, so that what is aligned stays aligned.
_PLAIN_FORMS: Final = str.maketrans("µ×–—−…→✓✗≥≤±·▁▂▃▄▅▆▇█“”’", 'ux---~>+x><~._.,-=+*#""\'')
_USUAL: Final = (80, 24)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal: `draws` is whether the cursor can be moved, `colours` whether colour is wanted there."""

    stream: TextIO
    draws: bool
    colours: bool

    def size(self) -> tuple[int, int]:
        """Return its columns and rows now; 80 and 24 where it does not say."""
        try:
            columns, rows = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return _USUAL
        return columns or _USUAL[0], rows or _USUAL[1]


def terminal(stream: TextIO, environ: Mapping[str, str]) -> Terminal | None:
    """Return the terminal that a stream is, None where it is none; see https://no-color.org for `NO_COLOR`."""
    if not stream.isatty():
        return None
    draws = environ.get("TERM", "dumb") not in {"", "dumb", "unknown"}
    return Terminal(stream, draws, draws and not environ.get("NO_COLOR"))


def columns(stream: TextIO) -> int:
    """Return how many characters a line of a stream may have, 0 (no limit) where it is no terminal."""
    found = terminal(stream, {})
    return found.size()[0] if found else 0


def speaks_unicode(environ: Mapping[str, str]) -> bool:
    """Return whether the locale's character set holds more than ASCII.

    Python makes `LC_CTYPE=C.UTF-8` out of an absent or a C locale by itself (PEP 538), so that this value says nothing of
    the terminal; `LANG` then does.
    """
    made_by_python = environ.get("LC_CTYPE") == "C.UTF-8" and not environ.get("LC_ALL")
    names = ("LC_ALL", "LANG") if made_by_python else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environ[name] for name in names if environ.get(name)), "C")
    return "utf" in locale.partition(".")[2].casefold()


def adapt(stream: TextIO, environ: Mapping[str, str]) -> None:
    """Let a terminal without UTF-8 get ASCII: `us` for `µs`, `x` for `×`. What goes into files and pipes stays UTF-8."""
    if stream.isatty() and not speaks_unicode(environ) and hasattr(stream, "reconfigure"):
        codecs.register(_plain)
        stream.reconfigure(encoding=PLAIN)


def _plain(name: str) -> codecs.CodecInfo | None:
    # A codec and no error handler for "ascii", because typer takes that name for a mistake and writes UTF-8 instead.
    if name.replace("_", "-") != PLAIN:
        return None
    decoder = codecs.lookup("ascii").incrementaldecoder
    return codecs.CodecInfo(
        _encode, codecs.ascii_decode, incrementalencoder=_Encoder, incrementaldecoder=decoder, name=PLAIN
    )


def _encode(text: str, _errors: str = "strict") -> tuple[bytes, int]:
    return text.translate(_PLAIN_FORMS).encode("ascii", "replace"), len(text)


class _Encoder(codecs.IncrementalEncoder):
    def encode(self, text: str, final: bool = False) -> bytes:  # noqa: ARG002 - the codec's protocol
        return _encode(text)[0]
