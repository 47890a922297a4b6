"""Recordings of sockperf: what client and server printed, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).parent / "data" / "sockperf"


def outputs(case: str) -> tuple[str, str]:
    client, server = (DATA / f"{case}.client.out", DATA / f"{case}.server.out")
    return client.read_text(encoding="utf-8"), server.read_text(encoding="utf-8")
