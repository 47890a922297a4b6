"""Plots drawn by Vega-Lite: SVG for a page or a file, PNG where a picture of dots is wanted.

The library (vl-convert) is native code that ends its process where it fails, so it has one of its own (`vega.py`).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tuner.hosts import child
from tuner.hosts.child import ChildFailed
from tuner.json_text import parsed
from tuner.report.charts import PALETTE, Spec
from tuner.report.rows import Row
from tuner.terminal_text import safe

WIDE: Final = 860
NARROW: Final = 320
_PROGRAM: Final = Path(__file__).with_name("vega.py")
_MOST_S: Final = 120.0
_MOST_BYTES: Final = 1 << 27
# What XML 1.0 has no characters for.
_NO_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TIP: Final = re.compile(r' aria-label="([^"]*)"( role="graphics-symbol")?( aria-roledescription="[^"]*")?')
_ROLES: Final = re.compile(r' (?:role|aria-label|aria-roledescription|aria-hidden)="[^"]*"')
_HEX: Final = re.compile("|".join(PALETTE), re.IGNORECASE)
_GEOMETRY: Final = re.compile(r' (?:d|transform|x|y|x1|y1|x2|y2|width|height)="[^"]*"')
_LONG: Final = re.compile(r"(\.\d{2})\d+")


class DrawnAs(StrEnum):
    """What a plot is drawn as."""

    SVG = "svg"
    PNG = "png"


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as it is to be drawn: of this width in pixels, an SVG in the colours of a light page or a PNG on white."""

    spec: Spec
    kind: DrawnAs = DrawnAs.SVG
    width: int = WIDE

    def asked(self) -> Row:
        """Return what `vega.py` is asked for, as JSON; no text in it holds what an XML document may not."""
        look = {"background": "white", "padding": 12} if self.kind is DrawnAs.PNG else {}
        return {"kind": self.kind, "spec": _harmless(self.spec | look | {"width": self.width})}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture, or why there is none."""

    data: bytes = b""
    why_not: str = ""


def pictures(wanted: Sequence[Picture]) -> list[Drawn]:
    """Return plots drawn, twice as many dots as pixels where they are PNG.

    They are drawn in a child (`vega.py`), which may fail: then each says why there is no picture.
    """
    if not wanted:
        return []
    question = json.dumps([each.asked() for each in wanted]).encode()
    try:
        answer = parsed(child.answered(_PROGRAM, question, _MOST_S, _MOST_BYTES))
    except (ChildFailed, ValueError) as reason:
        return [Drawn(why_not=str(reason))] * len(wanted)
    return list(map(_drawn, answer))


def _drawn(found: Mapping[str, str]) -> Drawn:
    if "png" in found:
        return Drawn(base64.b64decode(found["png"]))
    return Drawn(found.get("svg", "").encode(), found.get("error", ""))


def _harmless(value: Any) -> Any:
    """Return a part of a specification with text that an XML document may hold: what others wrote is in it."""
    if isinstance(value, str):
        return _NO_XML.sub("?", safe(value))
    if isinstance(value, Mapping):
        return {name: _harmless(each) for name, each in value.items()}
    return [_harmless(each) for each in value] if isinstance(value, list | tuple) else value


def for_page(drawn: str, *, tips: bool = True) -> str:
    """Return an SVG for a page that names it itself: its colours are the page's, its marks have `data-tip`.

    Without `tips` it is a picture and nothing else, as for a second size of the same plot.
    """
    marked = _TIP.sub(_tip if tips else "", drawn)
    plain = _ROLES.sub("", marked)
    short = _GEOMETRY.sub(lambda found: _LONG.sub(r"\1", found.group()), plain)
    return _HEX.sub(lambda found: f"var(--{PALETTE[found.group().lower()]})", short)


def _tip(found: re.Match[str]) -> str:
    return f' data-tip="{found.group(1)}"' if ": " in found.group(1) and found.group(2) else ""


def drawn(charts: Mapping[str, tuple[str, Spec]]) -> dict[str, Row]:
    """Return each plot for a page: what it shows in words, its SVG for a wide page and for a phone, or why it has none."""
    specs = [spec for _, spec in charts.values()]
    made = pictures([Picture(spec, width=width) for spec in specs for width in (WIDE, NARROW)])
    return {
        name: {
            "says": says,
            "why_not": wide.why_not or narrow.why_not,
            "wide": for_page(wide.data.decode()),
            "narrow": for_page(narrow.data.decode(), tips=False),
        }
        for (name, (says, _)), wide, narrow in zip(charts.items(), made[::2], made[1::2], strict=True)
    }
