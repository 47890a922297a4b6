"""What the build puts into the package beside its Python files: compiled libraries, the shipped profiles.

An editable install uses the Python files of a checkout and keeps the built ones apart; the package's path names both.
(`importlib.metadata` could say it too, and takes as long as a third of typer.)
"""

from __future__ import annotations

from pathlib import Path

import tuner


def installed(relative: str) -> Path | None:
    """Return the file or folder of that path in the package, None where it was not built."""
    found = (Path(folder) / relative for folder in tuner.__path__)
    return next((path for path in found if path.exists()), None)
