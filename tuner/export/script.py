"""POSIX shell scripts: one that is sourced, and one that starts a command under the profile."""

from __future__ import annotations

import re
import shlex
from typing import Final

from tuner.export import block, shell_words
from tuner.export.form import Deployment, Editor, Form, Unsure
from tuner.intake.form import shown
from tuner.stacks.inheritance import PRELOAD

_PREPARE: Final = """set -eu
if [ "$#" -eq 0 ]; then
    echo "usage: $0 COMMAND [ARGUMENT...]" >&2
    exit 2
fi
"""
_CLEAR: Final = r"""for name in $(env | sed -n 's/^\({prefix}[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
"""
_ENDS: Final = re.compile(r"(?:^|[;&|({]|\b(?:then|do|else)\b)[ \t]*(?:exec|exit|return)\b", re.MULTILINE)
_STARTS: Final = re.compile(
    r"^[ \t]*(?:[A-Za-z_]\w*=\S*[ \t]+)*"
    r"(?:(?:sudo|env|nohup|setsid|numactl|taskset|nice|chrt|timeout)[ \t](?:[^\n#]*[ \t])?)?"
    r"(?:(?:\.{0,2}|\$\w+|~)/\S+|\"\$@\")",
    re.MULTILINE,
)
_EXEC: Final = 'exec "$@"\n'


def _exports(deployment: Deployment) -> list[str]:
    onward = {PRELOAD: shell_words.ONWARD}
    return [f"export {name}={shlex.quote(value)}{onward.get(name, '')}" for name, value in deployment.variables.items()]


def _script(deployment: Deployment) -> str:
    return "\n".join([*deployment.heading(), *_exports(deployment)]) + "\n"


def _insert(text: str, deployment: Deployment) -> str:
    if found := _ENDS.search(text):
        raise Unsure(f"{found[0].strip()!r} may end it before lines at its end are reached")
    if found := _STARTS.search(text):
        raise Unsure(f"it may start its program before lines at its end are reached: {shown(found[0])}")
    return block.appended(text, [*deployment.heading(), *_exports(deployment)])


def _wrapper(deployment: Deployment) -> str:
    head = ["#!/bin/sh", *deployment.heading("Starts a command under this profile: wrapper COMMAND [ARGUMENT...]")]
    # A variable of the stack that is left over would change what runs.
    clear = _CLEAR.replace("{prefix}", deployment.prefix) if deployment.prefix else ""
    exports = "\n".join(_exports(deployment))
    return "\n".join(head) + "\n" + _PREPARE + clear + (f"{exports}\n" if exports else "") + _EXEC


FORMS: Final = (
    Form(
        name="sh",
        summary="POSIX shell script of exports, to be sourced: `. FILE`",
        file_name="{name}.sh",
        render=_script,
        editor=Editor(block.without, _insert),
    ),
    Form(
        name="wrapper",
        summary="executable that starts a command under the profile: `FILE COMMAND…`",
        file_name="{name}-run",
        render=_wrapper,
        by_hand="take another file name: a wrapper is a program of its own",
        reader="sh",
        mode=0o755,
    ),
)
