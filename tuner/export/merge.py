"""A profile put into a file that is somebody's: every line that is not ours stays as it is, to the byte.

Three cases. A file that holds nothing but what this program writes is written anew. A file of others is edited where
the form knows how to (`Form.editor`), and the result is read again before anybody sees it: it must say exactly the
profile's variables and everything that it said before. Anything else is refused, with what to merge by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tuner import intake
from tuner.errors import UsageError
from tuner.export.form import WRITTEN, Deployment, Editor, Form, Unsure
from tuner.intake.form import Group, Source
from tuner.stacks.inheritance import PRELOAD

MOST_SHOWN_LINES: Final = 40


def merged(form: Form, before: str | None, deployment: Deployment) -> str:
    """Return what a file in this form holds with the profile in it; raise `UsageError` where it cannot be put in surely."""
    text = form.write(deployment)
    if not (before or "").strip() or before is None or _is_ours(form, before, deployment):
        return text
    if form.editor is None:
        message = f"the file holds more than a profile, and the form {form.name} is a whole file"
        raise UsageError(message, advice=_by_hand(form, text))
    try:
        return _edited(form, form.editor, before, deployment)
    except Unsure as reason:
        message = f"the file cannot be edited with certainty: {reason}"
        raise UsageError(message, advice=_by_hand(form, text)) from reason


def _edited(form: Form, editor: Editor, before: str, deployment: Deployment) -> str:
    foreign = editor.foreign(before)
    was = _variables(form, foreign, deployment)
    _check_preload(was, form, deployment)
    after = editor.insert(foreign, deployment)
    _check(form, was, _variables(form, after, deployment), deployment)
    return after


def _by_hand(form: Form, text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    more = [f"… ({len(lines) - MOST_SHOWN_LINES} more lines)"] if len(lines) > MOST_SHOWN_LINES else []
    shown = "\n".join(f"    {line}" for line in [*lines[:MOST_SHOWN_LINES], *more])
    return f"write it beside and merge it by hand ({form.by_hand}):\n{shown}"


def _is_ours(form: Form, before: str, deployment: Deployment) -> bool:
    """Return whether a file says only what this program would write for the variables that it sets."""
    heading, mark, body = before.partition(WRITTEN)
    if not mark or any(line and not line.startswith("#") for line in heading.split("\n")):
        return False
    try:
        found = _variables(form, before, deployment)
    except Unsure:
        return False
    library = found.pop(PRELOAD, "")
    profile = replace(deployment.profile, settings=found)
    again = form.render(replace(deployment, profile=profile, library=library))
    return _after_heading(body) == _after_heading(again.partition(WRITTEN)[2])


def _after_heading(text: str) -> str:
    return text.partition("\n")[2]


def _check(form: Form, was: Mapping[str, str], now: Mapping[str, str], deployment: Deployment) -> None:
    """Raise `Unsure` unless an edited file says the profile's variables, and else what it said before."""
    ours = form.carried(deployment)
    missed = [name for name, value in ours.items() if now.get(name) != value]
    if missed:
        raise Unsure(f"{', '.join(missed)} would not be in effect")
    changed = [name for name in was.keys() | now.keys() if name not in ours and was.get(name) != now.get(name)]
    if changed:
        raise Unsure(f"{', '.join(sorted(changed))} would change")


def _check_preload(found: Mapping[str, str], form: Form, deployment: Deployment) -> None:
    """Raise `Unsure` where the file preloads something else: whether both are meant is not ours to decide."""
    theirs, ours = found.get(PRELOAD, ""), form.carried(deployment).get(PRELOAD, "")
    if theirs and ours and theirs != ours:
        raise Unsure(f"it preloads {theirs} already; {PRELOAD}={ours}:{theirs} would preload both")


def _variables(form: Form, text: str, deployment: Deployment) -> dict[str, str]:
    """Return the variables that a text sets for the program; raise `Unsure` where it cannot be read."""
    try:
        groups = intake.form(form.reader or form.name).read(Source(text, "the file")).groups
    except UsageError as reason:
        raise Unsure(reason.message) from reason
    return {each.name: each.value for each in _of(groups, deployment.target).assigned}


def _of(groups: Sequence[Group], target: str) -> Group:
    """Return the group of a program: the one of its name, or the one that has none."""
    named = [group for group in groups if group.name == target]
    return [*named, *(group for group in groups if not group.name), *groups, Group(())][0]
