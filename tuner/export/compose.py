"""A fragment for Docker Compose, to be merged by a second `-f`. Compose replaces `$NAME` in values, and `$$` by `$`."""

from __future__ import annotations

from typing import Final

from tuner.export import compose_edit, yaml_text
from tuner.export.dollars import doubled
from tuner.export.form import Deployment, Editor, Form


def _render(deployment: Deployment) -> str:
    hint = f"docker compose -f compose.yaml -f tuner.compose.yaml up; the service is called {deployment.target}."
    lines = ["services:", f"  {yaml_text.quoted(deployment.target)}:"]
    lines += yaml_text.mapping("environment", deployment.variables, 4, _written)
    return "\n".join([*deployment.heading(hint), *lines]) + "\n"


def _written(value: str) -> str:
    return yaml_text.quoted(doubled(value))


def _insert(text: str, deployment: Deployment) -> str:
    return compose_edit.edited(text, compose_edit.chosen(text, deployment.target), deployment.variables, _written)


FORMS: Final = (
    Form(
        name="compose",
        summary="fragment for Docker Compose: `docker compose -f compose.yaml -f FILE up`",
        file_name="tuner.compose.yaml",
        render=_render,
        editor=Editor(compose_edit.foreign, _insert),
        by_hand="or keep both: docker compose -f compose.yaml -f tuner.compose.yaml up",
    ),
)
