"""How the manual is made of these pages: `make manual`. Everything that it shows lies beside it; no page asks another host."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tuner.version import __version__  # noqa: E402 - the checkout's own

project = "tuner"
author = "the stack-tuner project"
version = release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["man"]
html_theme = "alabaster"
html_theme_options = {
    "description": "The best profile of a network stack, proved by measurement",
    "page_width": "72rem",
}
html_show_sourcelink = False
# Lexers do not know what a console prints, and say so of every other line.
suppress_warnings = ["misc.highlighting_failure"]
