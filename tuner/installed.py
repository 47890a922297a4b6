"""What the build puts into the package beside its Python files: compiled libraries, the shipped profiles.

An editable install uses the Python files of a checkout and keeps what is built in the environment, under `lib/tuner`.
(`importlib.metadata` could say where, and takes as long as a third of typer.)
"""

from __future__ import annotations

import sys
from pathlib import Path


def installed(relative: str) -> Path | None:
    """Return the file or folder of that path in the package, None where it was not built."""
    package = sys.modules[__name__.partition(".")[0]]  # not imported: it hands on the API, which asks here
    found = (Path(folder) / relative for folder in (*package.__path__, f"{sys.prefix}/lib/tuner"))
    return next((path for path in found if path.exists()), None)
