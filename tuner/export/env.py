r"""An environment file: `EnvironmentFile=` of systemd, or sourced by a POSIX shell between `set -a` and `set +a`.

Inside double quotes both take a backslash before `"`, `\`, `$` and a back quote for that character, and nothing
else (systemd.exec(5); POSIX.1-2017 XCU 2.2.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from tuner.export.form import Deployment, Form

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./-]+", re.ASCII)
_SPECIAL: Final = re.compile(r'(["\\$`])')


def _render(deployment: Deployment) -> str:
    return written(deployment.heading(), deployment.variables)


def written(heading: Sequence[str], variables: Mapping[str, str]) -> str:
    """Return the text of an environment file."""
    lines = [f"{name}={_quoted(value)}" for name, value in variables.items()]
    return "\n".join([*heading, *lines]) + "\n"


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _SPECIAL.sub(r"\\\1", value) + '"'


FORMS: Final = (
    Form(
        name="env",
        summary="environment file for systemd's EnvironmentFile= and for `set -a; . FILE` in a shell",
        file_name="{name}.env",
        render=_render,
    ),
)
