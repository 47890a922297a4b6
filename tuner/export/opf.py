"""A profile of Onload's own wrapper: `onload -p FILE.opf COMMAND`. The wrapper preloads the library itself."""

from __future__ import annotations

from typing import Final

from tuner.errors import error
from tuner.export.form import Deployment, Form, Imported
from tuner.stacks.onload.opf import from_opf, to_opf


def _render(deployment: Deployment) -> str:
    heading = "\n".join(deployment.heading("onload -p FILE COMMAND"))
    return f"{heading}\n{to_opf(deployment.profile.settings, deployment.profile.name)}"


def _read(text: str, where: str) -> Imported:
    """Return what one file sets; what another that it imports would set cannot be known from it."""
    asked: list[str] = []
    settings, findings = from_opf(text, where, asked.append)
    message = f"imports {', '.join(map(repr, asked))}, and one file is read here"
    hint = [error(where, message, "`tuner onload import` looks for the others too")] if asked else []
    return Imported(settings, (*findings, *hint))


def _unfit(value: str) -> str | None:
    if not value:
        return "is empty, which onload_set cannot set"
    return "holds a quotation mark or a control character" if "'" in value or not value.isprintable() else None


FORMS: Final = (
    Form(
        name="opf",
        summary="profile of Onload's wrapper: `onload -p FILE COMMAND…`",
        file_name="{name}.opf",
        render=_render,
        read=_read,
        unfit=_unfit,
        stacks=("onload",),
        preloads=False,
    ),
)
