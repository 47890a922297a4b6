"""Data files as TOML gives them, kept in a form that is read faster.

`tomllib` takes some forty times as long as `json`, and parsing the catalogues was most of what a cheap command took.
What a file said is kept as JSON in the folder for that (`places.cache`), behind the text that it was parsed from: it
counts only where the file holds that very text now, so what is old, cut off or not ours is parsed again.
"""

from __future__ import annotations

import json
import os
from binascii import crc32
from contextlib import suppress
from pathlib import Path
from typing import Final

from tuner import atomic_file, toml_text
from tuner.catalogue import places
from tuner.errors import Finding
from tuner.toml_text import Toml
from tuner.untrusted import text_of

MOST_BYTES: Final = 1 << 25
# What cannot stand in TOML, so that no text goes on where another ends.
_END: Final = "\0"


def parsed(path: Path, text: str, part: str = "") -> Toml:
    """Return what `text` says, which is the data file `path` or a `part` of it.

    Raise `ValueError` where it is not TOML.
    """
    folder = places.cache()
    if folder is None:
        return toml_text.parsed(text)
    kept = folder / f"{path.stem}{part}-{crc32(os.fsencode(path.absolute())):08x}.json"
    known = _kept(kept, text)
    return _keep(kept, text, toml_text.parsed(text)) if known is None else known


def _kept(kept: Path, text: str) -> Toml | None:
    found = text_of(kept, MOST_BYTES, "a parsed file")
    if isinstance(found, Finding) or not found.startswith(text + _END):
        return None
    with suppress(ValueError, RecursionError):
        data = json.loads(found[len(text) + len(_END) :])
        return data if isinstance(data, dict) else None
    return None


def _keep(kept: Path, text: str, data: Toml) -> Toml:
    """Return `data`, which is kept unless there is no room, no permission, or a date, which JSON has not."""
    with suppress(OSError, TypeError, RecursionError):
        atomic_file.write(kept, text + _END + json.dumps(data, ensure_ascii=False), mode=0o600)
    return data
