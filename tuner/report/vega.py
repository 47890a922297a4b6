"""The program that draws: pictures in, as JSON on its input; SVG, PNG or why not out, as JSON on its output.

It runs as a child of its own (`drawing.py`), which has V8 and Rust in it: a picture that they cannot draw may end it, and takes
nothing else along. No network is used: a specification that names an address is data that nobody fetches.
"""

from __future__ import annotations

import base64
import ctypes
import json
import resource
import signal
import sys
from typing import Any, Final

_VERSION: Final = "5.20"
_CPU_S: Final = 60
_ANSWER_BYTES: Final = 1 << 28
_DIE_WITH_PARENT: Final = 1
"""`PR_SET_PDEATHSIG` of prctl(2)."""


def main() -> None:
    """Draw what the input asks for."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    for limit, most in (
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_FSIZE, _ANSWER_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    json.dump([_drawn(each) for each in json.load(sys.stdin)], sys.stdout)


def _drawn(picture: dict[str, Any]) -> dict[str, str]:
    import vl_convert

    spec = json.dumps(picture["spec"])
    try:
        if picture["kind"] == "svg":
            return {"svg": vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[])}
        made = vl_convert.vegalite_to_png(spec, vl_version=_VERSION, allowed_base_urls=[], scale=2)
        return {"png": base64.b64encode(bytes(made)).decode()}
    except Exception as reason:  # noqa: BLE001 - whatever it is, it is the answer
        return {"error": str(reason)[:200]}


if __name__ == "__main__":
    main()
