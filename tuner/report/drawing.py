"""Plots drawn by Vega-Lite: SVG for a page or a file, PNG where a picture of dots is wanted. No network is used.

The library (vl-convert) has Vega in it and runs it in this process; a specification that names an address is data that
nobody fetches, because no address is allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from tuner.report.charts import PALETTE, Spec
from tuner.report.rows import Row

WIDE: Final = 860
NARROW: Final = 320
_VERSION: Final = "5.20"
_TIP: Final = re.compile(r' aria-label="([^"]*)"( role="graphics-symbol")?( aria-roledescription="[^"]*")?')
_ROLES: Final = re.compile(r' (?:role|aria-label|aria-roledescription|aria-hidden)="[^"]*"')
_HEX: Final = re.compile("|".join(PALETTE), re.IGNORECASE)
_GEOMETRY: Final = re.compile(r' (?:d|transform|x|y|x1|y1|x2|y2|width|height)="[^"]*"')
_LONG: Final = re.compile(r"(\.\d{2})\d+")


def svg(spec: Spec, width: int = WIDE) -> str:
    """Return a plot as an SVG document of this width in pixels, in the colours of a light page."""
    import vl_convert

    return str(
        vl_convert.vegalite_to_svg(json.dumps(spec | {"width": width}), vl_version=_VERSION, allowed_base_urls=[])
    )


def png(spec: Spec, width: int = WIDE) -> bytes:
    """Return a plot as a PNG on white, of twice this width in dots."""
    import vl_convert

    shown = spec | {"width": width, "background": "white", "padding": 12}
    made = vl_convert.vegalite_to_png(json.dumps(shown), vl_version=_VERSION, allowed_base_urls=[], scale=2)
    return bytes(made)


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
    """Return each plot for a page: what it shows in words, and its SVG for a wide page and for a phone."""
    return {
        name: {"says": says, "wide": for_page(svg(spec)), "narrow": for_page(svg(spec, NARROW), tips=False)}
        for name, (says, spec) in charts.items()
    }
