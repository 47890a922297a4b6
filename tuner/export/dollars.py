"""`$$` for a dollar sign, as Compose and Kubernetes have it in a text in which `$` begins a variable."""

from __future__ import annotations

import re

_DOLLAR = re.compile(r"\$(.?)", re.DOTALL)


def doubled(value: str) -> str:
    """Return `value` with each dollar sign written twice."""
    return value.replace("$", "$$")


def single(value: str, begins: str) -> str:
    """Return the literal value; raise `ValueError` where `$` and a character of `begins` make a variable."""

    def literal(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        if found[1] and found[1] in begins:
            raise ValueError("uses another variable: only literal values are imported, with $$ for a dollar sign")
        return found[0]

    return _DOLLAR.sub(literal, value)
