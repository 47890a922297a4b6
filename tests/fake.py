"""Puts a copy of the fake sockperf where a test wants it, with its orders beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent / "fake_sockperf"


RUN_S: Final = 0.12
"""How long a client takes unless told otherwise: a session that waits leaves the processor to the tests beside it."""


def install(folder: Path, **orders: object) -> Path:
    """Return an executable copy in `folder` that obeys `orders` (their words stand at the top of `fake_sockperf`)."""
    program = folder / "sockperf"
    _, _, body = SOURCE.read_text(encoding="utf-8").partition("\n")
    # An absolute interpreter, because the environment that a run is given has no PATH; -IS makes it start fast.
    program.write_text(f"#!{sys.executable} -IS\n{body}", encoding="utf-8")
    program.chmod(0o755)
    order(program, **{"slow_s": RUN_S} | orders)
    return program


def order(program: Path, **orders: object) -> None:
    """Replace the orders of an installed copy."""
    program.with_name(program.name + ".json").write_text(json.dumps(orders), encoding="utf-8")
