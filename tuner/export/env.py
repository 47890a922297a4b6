r"""An environment file: `EnvironmentFile=` of systemd, or sourced by a POSIX shell between `set -a` and `set +a`.

Inside double quotes both take a backslash before `"`, `\`, `$` and a back quote for that character, and nothing
else (systemd.exec(5); POSIX.1-2017 XCU 2.2.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from tuner.export import block
from tuner.export.form import Deployment, Editor, Form, Unsure

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./-]+", re.ASCII)
_SPECIAL: Final = re.compile(r'(["\\$`])')


def _render(deployment: Deployment) -> str:
    return written(deployment.heading(), deployment.variables)


def _insert(text: str, deployment: Deployment) -> str:
    if text.startswith("#!"):
        raise Unsure(
            "it begins with #!, as a script does: an EnvironmentFile holds NAME=value alone; sh:FILE is a script"
        )
    return block.appended(text, [*deployment.heading(), *_lines(deployment.variables)])


def written(heading: Sequence[str], variables: Mapping[str, str]) -> str:
    """Return the text of an environment file."""
    return "\n".join([*heading, *_lines(variables)]) + "\n"


def _lines(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={_quoted(value)}" for name, value in variables.items()]


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
        editor=Editor(block.without, _insert),
    ),
)
