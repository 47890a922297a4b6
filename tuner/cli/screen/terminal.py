"""What the terminal can show: how wide it is, whether it draws over itself, colours, and characters beyond ASCII."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from tuner.terminal_text import safe

SAFE: Final = "tuner-safe"
"""The character set of our streams: UTF-8 of text that steers no terminal."""
PLAIN: Final = "tuner-plain"
"""The same in ASCII."""
_DRAWN_PLAIN: Final = "tuner-drawn-plain"
"""ASCII of what we draw ourselves, with what steers the terminal."""
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
    """Let nothing through that steers a terminal, wherever the stream leads: what is piped may end on a screen too.

    A terminal without UTF-8 gets ASCII: `us` for `µs`, `x` for `×`. What goes into files and pipes stays UTF-8.
    """
    if hasattr(stream, "reconfigure"):
        poor = stream.isatty() and not speaks_unicode(environ)
        codecs.register(_codec)
        stream.reconfigure(encoding=PLAIN if poor else SAFE)


def drawn(stream: TextIO) -> TextIO:
    """Return a stream to the same place that lets our own drawing through; whoever draws makes safe what others wrote."""
    if stream.encoding not in {SAFE, PLAIN}:
        return stream
    encoding = _DRAWN_PLAIN if stream.encoding == PLAIN else "utf-8"
    return open(stream.fileno(), "w", encoding=encoding, errors="replace", closefd=False)


def _codec(name: str) -> codecs.CodecInfo | None:
    # A codec and no error handler for "ascii", because typer takes that name for a mistake and writes UTF-8 instead.
    encode = _ENCODERS.get(name.replace("_", "-"))
    return None if encode is None else _codec_of(name.replace("_", "-"), encode)


def _codec_of(name: str, encode: Callable[[str], bytes]) -> codecs.CodecInfo:
    decoder = codecs.lookup("utf-8").incrementaldecoder

    class Encoder(codecs.IncrementalEncoder):
        def encode(self, text: str, final: bool = False) -> bytes:  # noqa: ARG002 - the codec's protocol
            return encode(text)

    return codecs.CodecInfo(
        lambda text, _errors="strict": (encode(text), len(text)),
        codecs.utf_8_decode,
        incrementalencoder=Encoder,
        incrementaldecoder=decoder,
        name=name,
    )


def _ascii(text: str) -> bytes:
    return text.translate(_PLAIN_FORMS).encode("ascii", "replace")


_ENCODERS: Final[Mapping[str, Callable[[str], bytes]]] = {
    SAFE: lambda text: safe(text).encode(),
    PLAIN: lambda text: _ascii(safe(text)),
    _DRAWN_PLAIN: _ascii,
}
