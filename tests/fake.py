"""Puts a copy of the fake sockperf where a test wants it, with its orders beside it."""

from __future__ import annotations

import json
import marshal
import sys
from functools import cache
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent / "fake_sockperf"


# An absolute interpreter, because the environment that a run is given has no PATH; -IS makes it start fast, and so does what is
# compiled already: it is started twice a run.
_START: Final = f"""#!{sys.executable} -IS
import marshal
with open(__file__ + ".code", "rb") as file:
    code = marshal.load(file)
exec(code)
"""

RUN_S: Final = 0.25
"""How long a client takes unless told otherwise: a session that waits leaves the processor to the tests beside it."""


def install(folder: Path, **orders: object) -> Path:
    """Return an executable copy in `folder` that obeys `orders` (their words stand at the top of `fake_sockperf`)."""
    program = folder / "sockperf"
    program.with_name(program.name + ".code").write_bytes(_compiled())
    program.write_text(_START, encoding="utf-8")
    program.chmod(0o755)
    order(program, **{"slow_s": RUN_S} | orders)
    return program


def order(program: Path, **orders: object) -> None:
    """Replace the orders of an installed copy."""
    program.with_name(program.name + ".json").write_text(json.dumps(orders), encoding="utf-8")


@cache
def _compiled() -> bytes:
    return marshal.dumps(compile(SOURCE.read_text(encoding="utf-8"), str(SOURCE), "exec"))
