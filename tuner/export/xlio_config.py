"""XLIO's JSON configuration as a file, and its inline text in an environment file that switches it on.

Both say what the release `Deployment.release` knows; a setting without a key there is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tuner.errors import Finding, UsageError
from tuner.export.env import written
from tuner.export.form import Deployment, Form
from tuner.profiles.profile import errors_in
from tuner.stacks.inheritance import PRELOAD
from tuner.stacks.xlio_json import INLINE, SWITCH, to_inline, to_json

_XLIO: Final = ("xlio",)


def _json(deployment: Deployment) -> str:
    return _sayable(deployment, *to_json(deployment.profile.settings, deployment.release))


def _inline(deployment: Deployment) -> str:
    text = _sayable(deployment, *to_inline(deployment.profile.settings, deployment.release))
    variables = {SWITCH: "1", INLINE: text} | ({PRELOAD: deployment.library} if deployment.library else {})
    return written(deployment.heading(f"For XLIO {deployment.release}."), variables)


def _sayable(deployment: Deployment, text: str, findings: Sequence[Finding]) -> str:
    if errors := errors_in(findings):
        message = f"{deployment.profile.source} cannot be expressed in the configuration of XLIO {deployment.release}"
        raise UsageError(message, findings=errors, advice="take the form env, or another --stack-version")
    return text


FORMS: Final = (
    Form(
        name="xlio-json",
        summary="XLIO's JSON configuration: XLIO_USE_NEW_CONFIG=1 XLIO_CONFIG_FILE=FILE",
        file_name="{name}.json",
        render=_json,
        stacks=_XLIO,
        preloads=False,
    ),
    Form(
        name="xlio-inline",
        summary="environment file with XLIO's inline configuration",
        file_name="{name}.inline.env",
        render=_inline,
        stacks=_XLIO,
    ),
)
