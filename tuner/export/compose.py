"""A fragment for Docker Compose, to be merged by a second `-f`. Compose replaces `$NAME` in values, and `$$` by `$`."""

from __future__ import annotations

import string
from functools import partial
from typing import Any, Final

from tuner.export import yaml_text
from tuner.export.dollars import doubled, single
from tuner.export.form import Deployment, Form, Imported

_VARIABLE: Final = string.ascii_letters + "_{"


def _render(deployment: Deployment) -> str:
    hint = f"docker compose -f compose.yaml -f tuner.compose.yaml up; the service is called {deployment.target}."
    lines = ["services:", f"  {yaml_text.quoted(deployment.target)}:"]
    lines += yaml_text.mapping("environment", deployment.variables, 4, _written)
    return "\n".join([*deployment.heading(hint), *lines]) + "\n"


def _written(value: str) -> str:
    return yaml_text.quoted(doubled(value))


def _read(text: str, where: str) -> Imported:
    return yaml_text.read(text, where, _environment, partial(single, begins=_VARIABLE))


def _environment(document: Any) -> Any:
    """Return the environment of the only service: Compose takes a mapping or a list of NAME=value."""
    (service,) = document["services"].values()
    found = service["environment"]
    return [entry.split("=", 1) for entry in found] if isinstance(found, list) else found


FORMS: Final = (
    Form(
        name="compose",
        summary="fragment for Docker Compose: `docker compose -f compose.yaml -f FILE up`",
        file_name="tuner.compose.yaml",
        render=_render,
        read=_read,
    ),
)
