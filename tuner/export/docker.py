"""The file of `docker run --env-file`: NAME=value to the end of the line.

It has no quotes, so that there is nothing to escape and a line break cannot be carried.
"""

from __future__ import annotations

from typing import Final

from tuner.export import block
from tuner.export.form import Deployment, Editor, Form, no_line_breaks

# Docker's client reads lines by Go's bufio.Scanner, which fails beyond 64 KiB; the name needs room too.
_MOST_BYTES: Final = 64 * 1024 - 256


def _render(deployment: Deployment) -> str:
    return "\n".join(_lines(deployment)) + "\n"


def _insert(text: str, deployment: Deployment) -> str:
    return block.appended(text, _lines(deployment))


def _lines(deployment: Deployment) -> list[str]:
    return [*deployment.heading(), *(f"{name}={value}" for name, value in deployment.variables.items())]


def _unfit(value: str) -> str | None:
    if len(value.encode()) > _MOST_BYTES:
        return f"is longer than {_MOST_BYTES} bytes, and docker reads no longer line"
    return no_line_breaks(value)


FORMS: Final = (
    Form(
        name="docker",
        summary="file for `docker run --env-file` (no quotes, one variable a line)",
        file_name="{name}.docker.env",
        render=_render,
        unfit=_unfit,
        editor=Editor(block.without, _insert),
    ),
)
