"""A drop-in for a unit of systemd: `Environment=` with systemd's own quoting (systemd.syntax(7), "Quoting").

A double-quoted word knows C escapes, and `%` begins a specifier, so that it is doubled; `$` means nothing here.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from tuner.export import block
from tuner.export.form import Deployment, Editor, Form

_SPECIAL: Final = re.compile(r'["\\%\x00-\x1f\x7f]')
_PLAIN_ESCAPES: Final = {'"': r"\"", "\\": r"\\", "%": "%%"}


def _render(hint: str, deployment: Deployment) -> str:
    return "\n".join(_lines(hint, deployment)) + "\n"


def _insert(hint: str, text: str, deployment: Deployment) -> str:
    return block.appended(text, _lines(hint, deployment))


def _lines(hint: str, deployment: Deployment) -> list[str]:
    lines = [f'Environment="{name}={_escaped(value)}"' for name, value in deployment.variables.items()]
    return [*deployment.heading(hint.format(target=deployment.target)), "[Service]", *lines]


def _escaped(value: str) -> str:
    return _SPECIAL.sub(lambda found: _PLAIN_ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}"), value)


_SYSTEM: Final = "For /etc/systemd/system/{target}.service.d/tuner.conf, then systemctl daemon-reload."
_USER: Final = "For ~/.config/systemd/user/{target}.service.d/tuner.conf, then systemctl --user daemon-reload."

FORMS: Final = (
    Form(
        name="systemd",
        summary="drop-in for a system service: /etc/systemd/system/NAME.service.d/tuner.conf",
        file_name="tuner.conf",
        render=partial(_render, _SYSTEM),
        editor=Editor(block.without, partial(_insert, _SYSTEM)),
    ),
    Form(
        name="systemd-user",
        summary="drop-in for a user's service: ~/.config/systemd/user/NAME.service.d/tuner.conf",
        file_name="tuner.conf",
        render=partial(_render, _USER),
        editor=Editor(block.without, partial(_insert, _USER)),
        reader="systemd",
    ),
)
