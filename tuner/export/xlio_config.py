"""XLIO's JSON configuration as a file, and its inline text in an environment file that switches it on.

Both say what the release `Deployment.release` knows; a setting without a key there is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tuner import catalogue
from tuner.errors import Finding, UsageError, error
from tuner.export import shell_words
from tuner.export.env import written
from tuner.export.form import Deployment, Form, Imported
from tuner.profiles.profile import errors_in
from tuner.stacks.inheritance import PRELOAD
from tuner.stacks.xlio_json import INLINE, SWITCH, from_inline, from_json, separator, to_inline, to_json

_XLIO: Final = ("xlio",)


def _json(deployment: Deployment) -> str:
    return _sayable(deployment, *to_json(deployment.profile.settings, deployment.release))


def _inline(deployment: Deployment) -> str:
    text = _sayable(deployment, *to_inline(deployment.profile.settings, deployment.release))
    variables = {SWITCH: "1", INLINE: text} | ({PRELOAD: deployment.library} if deployment.library else {})
    return written(deployment.heading(f"For XLIO {deployment.release}."), variables)


def _sayable(deployment: Deployment, text: str, findings: Sequence[Finding]) -> str:
    if errors := errors_in(findings):
        message = f"{deployment.profile.source} cannot be said in the configuration of XLIO {deployment.release}"
        raise UsageError(message, findings=errors, advice="take the form env, or another --stack-version")
    return text


def _read_json(text: str, where: str) -> Imported:
    settings, findings = from_json(text, where, _releases()[-1])
    return Imported(settings, tuple(findings))


def _read_inline(text: str, where: str) -> Imported:
    found = shell_words.read(text, where)
    variables = found.variables
    if found.findings or INLINE not in variables:
        return Imported({}, found.findings or (error(where, f"sets no {INLINE}"),))
    release = _release_of(variables[INLINE])
    settings, findings = from_inline(variables[INLINE], where, release)
    preload = {PRELOAD: variables[PRELOAD]} if PRELOAD in variables else {}
    return Imported(preload | settings, tuple(findings))


def _releases() -> tuple[str, ...]:
    return catalogue.load("xlio").releases


def _release_of(inline: str) -> str:
    """Return the newest release that takes the separator of an inline configuration; one pair has none."""
    written_with = ";" if ";" in inline or inline.count("=") == 1 else ","
    return next(release for release in reversed(_releases()) if separator(release) == written_with)


FORMS: Final = (
    Form(
        name="xlio-json",
        summary="XLIO's JSON configuration: XLIO_USE_NEW_CONFIG=1 XLIO_CONFIG_FILE=FILE",
        file_name="{name}.json",
        render=_json,
        read=_read_json,
        stacks=_XLIO,
        preloads=False,
    ),
    Form(
        name="xlio-inline",
        summary="environment file with XLIO's inline configuration",
        file_name="{name}.inline.env",
        render=_inline,
        read=_read_inline,
        stacks=_XLIO,
    ),
)
