"""One thread for linear algebra: matrices of a session are small, and threads that wait for each other take ten times as long."""

from __future__ import annotations

from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships none


@cache
def _libraries() -> ThreadpoolController:
    """Return what limits the threads of the libraries that are loaded with this module's users; found once, as it takes time."""
    return ThreadpoolController()


def one_thread() -> Any:
    """Return a context in which linear algebra has one thread."""
    return _libraries().limit(limits=1)
