"""`$$` for a dollar sign, as Compose and Kubernetes have it in a text in which `$` begins a variable."""

from __future__ import annotations


def doubled(value: str) -> str:
    """Return `value` with each dollar sign written twice."""
    return value.replace("$", "$$")
