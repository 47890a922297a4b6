"""The agent as one text that a Python on another host runs: its modules, and the beginning that imports them from there."""

from __future__ import annotations

import base64
import functools
import json
import zlib
from pathlib import Path
from typing import Final

MODULES: Final = (
    "tuner.errors",
    "tuner.exclusive",
    "tuner.temporary",
    "tuner.terminal_text",
    "tuner.untrusted",
    "tuner.catalogue.room",
    "tuner.hosts.activity",
    "tuner.hosts.agent",
    "tuner.hosts.cpus",
    "tuner.hosts.descriptors",
    "tuner.hosts.facts",
    "tuner.hosts.guardian",
    "tuner.hosts.host",
    "tuner.hosts.reaper",
    "tuner.hosts.keeping",
    "tuner.hosts.links",
    "tuner.hosts.local",
    "tuner.hosts.processes",
    "tuner.hosts.reach",
    "tuner.hosts.resident",
    "tuner.hosts.telemetry",
    "tuner.hosts.terminal",
    "tuner.hosts.turns",
    "tuner.hosts.wire",
)
"""All that the agent imports of this package: by their sources it starts processes by the same code as here."""
_PACKAGES: Final = ("tuner", "tuner.catalogue", "tuner.hosts")
_ROOT: Final = Path(__file__).parents[1]


def text(token: str, deadline_s: float) -> bytes:
    """Return the agent that calls its folder by `token` and ends after `deadline_s`, whatever happens."""
    packed, sizes = _packed()
    begin = (_ROOT / "hosts" / "unpack.py").read_bytes()
    return begin + f"\nbegin({packed!r}, {sizes!r}, {deadline_s!r}, {token!r})\n".encode("ascii")


def command(size: int) -> str:
    """Return the words for a shell of another host, whichever that is, that run a text of `size` bytes from its input."""
    return f"exec python3 -c 'import sys;exec(sys.stdin.buffer.read({size}))'"


@functools.cache
def _packed() -> tuple[bytes, dict[str, int]]:
    texts = dict.fromkeys(_PACKAGES, "") | {name: _source(name) for name in MODULES}
    packed = base64.b85encode(zlib.compress(json.dumps(texts).encode()))
    return packed, {name: len(text) for name, text in texts.items()}


def _source(name: str) -> str:
    path = _ROOT.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").read_text(encoding="utf-8")
