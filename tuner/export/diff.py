"""A unified diff of the stack's defaults and the profile, for a review. What it adds and keeps is the profile.

A file of the defaults, one NAME=value a line, becomes that of the profile when the diff is applied.
"""

from __future__ import annotations

from difflib import unified_diff
from typing import Final

from tuner.export.form import Deployment, Form, no_line_breaks


def _render(deployment: Deployment) -> str:
    profile, defaults = deployment.profile, deployment.defaults
    after = [f"{name}={value}\n" for name, value in deployment.variables.items()]
    before = [f"{name}={defaults[name]}\n" for name in deployment.variables if name in defaults]
    ends = f"{profile.stack}/default", f"{profile.stack}/{profile.name}"
    found = unified_diff(before, after, *ends, n=len(after))
    # Two equal sides make no diff; the settings are then said as context.
    same = [f"--- {ends[0]}\n", f"+++ {ends[1]}\n", f"@@ -1,{len(after)} +1,{len(after)} @@\n"]
    body = list(found) or ([*same, *(f" {line}" for line in after)] if after else [])
    return "".join([*(f"{line}\n" for line in deployment.heading()), *body])


FORMS: Final = (
    Form(
        name="diff",
        summary="unified diff of the stack's defaults and the profile, for a review",
        file_name="{name}.diff",
        render=_render,
        unfit=no_line_breaks,
    ),
)
