"""Variables for Ansible: `environment: "{{ tuner_environment }}"` in a play or task.

Ansible takes a text with `{{` for a template; `!unsafe` says that it is none.
"""

from __future__ import annotations

from typing import Final

from tuner.export import yaml_text
from tuner.export.form import Deployment, Form

_VARIABLE: Final = "tuner_environment"


def _render(deployment: Deployment) -> str:
    hint = f'In a play or task: environment: "{{{{ {_VARIABLE} }}}}"'
    lines = yaml_text.mapping(_VARIABLE, deployment.variables, 0, _written)
    return "\n".join([*deployment.heading(hint), *lines]) + "\n"


def _written(value: str) -> str:
    mark = f"{yaml_text.UNSAFE} " if "{" in value else ""
    return mark + yaml_text.quoted(value)


FORMS: Final = (
    Form(
        name="ansible",
        summary='variables for Ansible: `environment: "{{ tuner_environment }}"`',
        file_name="{name}.vars.yaml",
        render=_render,
    ),
)
