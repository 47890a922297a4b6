"""Where the readers of one file of NAME=value do not agree: a shell, systemd's EnvironmentFile=, docker's --env-file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tuner.errors import Finding, warning
from tuner.intake import environment, shell
from tuner.intake.form import Assigned, Form, Source, shown

_READERS: Final = {"sh": shell.read, "env": environment.read_env, "docker": environment.read_docker}
_CALLED: Final = {"sh": "a shell", "env": "systemd", "docker": "docker"}


def differences(source: Source, form: Form, kept: Mapping[str, Assigned]) -> Iterator[Finding]:
    """Yield what the other readers of such a file would take, where that is something else than what was taken."""
    if form.name not in _READERS or not environment.plain(source.text):
        return
    others = {name: _values(source, name) for name in _READERS if name != form.name}
    for other, values in others.items():
        unset = [name for name in kept if name not in values]
        if unset:
            message = f"{_CALLED[other]} would not set {', '.join(unset)} from this file"
            yield warning(kept[unset[0]].where, message, f"use --from {other} to read the file in the same way")
    for name, each in kept.items():
        takers = [other for other, values in others.items() if values.get(name, each.value) != each.value]
        for text in dict.fromkeys(others[other][name] for other in takers):
            who = " and ".join(_CALLED[other] for other in takers if others[other][name] == text)
            message = f"{name} is {shown(each.value)!r} for {_CALLED[form.name]}, and {shown(text)!r} for {who}"
            yield warning(each.where, message, f"use --from {takers[0]} to read it in the same way")


def _values(source: Source, reader: str) -> dict[str, str]:
    reading = _READERS[reader](source)
    return {each.name: each.value for group in reading.groups for each in group.assigned}
