"""Docker Compose: `environment:` of each service, anchors and `<<` followed, what Compose itself fills in named."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Finding, Skipped
from tuner.intake.form import Assigned, Follow, Form, Group, Reading, Scope, Source, is_json, shown
from tuner.intake.started import of_words
from tuner.intake.yaml_tree import Mapping, Scalar, Sequence, Tree, documents, items_of, text_of

_SERVICES: Final = re.compile(r"^[\"']?services[\"']?:", re.MULTILINE)
_KEY: Final = re.compile(r'"services"\s*:')
_VARIABLE: Final = re.compile(r"\$(?:(\$)|\{([^{}]*)\}|([A-Za-z_][A-Za-z0-9_]*))", re.ASCII)
_OCTAL: Final = re.compile(r"[-+]?0[0-7]+")
_MOST_BASES: Final = 8
_DEFAULT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])(.*))?", re.DOTALL | re.ASCII)


@dataclass(slots=True)
class _Service:
    """What a service has said so far."""

    source: Source
    assigned: list[Assigned] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    follows: list[Follow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def skip(self, line: int, text: str, why: str) -> None:
        self.skipped.append(Skipped(self.source.line(line), shown(text), why))


def read(source: Source) -> Reading:
    """Return what each service gets."""
    groups, follows, findings = list[Group](), list[Follow](), list[Finding]()
    for tree in documents(source.text, source.where):
        services = tree.get("services") if isinstance(tree, Mapping) else None
        if not isinstance(services, Mapping):
            continue
        for name, item in services.entries.items():
            if isinstance(item, Mapping):
                service = _service(item, source, services)
                follows += service.follows
                findings += service.findings
                groups.append(Group(tuple(service.assigned), tuple(service.skipped), name, Scope.SERVICE))
    return Reading(tuple(groups), tuple(findings), tuple(follows))


def _service(item: Mapping, source: Source, services: Mapping, depth: int = 0) -> _Service:
    service = _Service(source)
    if (base := item.get("extends")) is not None:
        _extended(service, base, services, depth)
    for file in _files(item.get("env_file")):
        service.follows.append(Follow(file.text, "docker", source.line(file.line)))
    environment = item.get("environment")
    if isinstance(environment, Mapping):
        for name, value in environment.entries.items():
            _entry(service, name, value)
    for entry in items_of(environment):
        _listed(service, entry)
    words = [word for key in ("entrypoint", "command") for word in _words(item.get(key))]
    if words:
        _started(service, words)
    return service


def _extended(service: _Service, base: Tree, services: Mapping, depth: int) -> None:
    """Take what another service of this file sets; the service's own settings count before it."""
    named = base.get("service") if isinstance(base, Mapping) else base
    other = services.get(text_of(named))
    if isinstance(other, Mapping) and depth < _MOST_BASES and not (isinstance(base, Mapping) and base.get("file")):
        found = _service(other, service.source, services, depth + 1)
        service.assigned += found.assigned
        service.skipped += found.skipped
        service.follows += found.follows
    else:
        service.skip(base.line, f"extends: {text_of(named)}", "what the other service sets is not read")


def _words(tree: Tree | None) -> list[Scalar]:
    """Return the words of a command, which is a list or a line; Compose splits the line and starts no shell."""
    if not isinstance(tree, Scalar):
        return [item for item in items_of(tree) if isinstance(item, Scalar)]
    try:
        return [Scalar(word, "str", tree.line) for word in shlex.split(tree.text)]
    except ValueError:
        return []


def _started(service: _Service, words: list[Scalar]) -> None:
    found = of_words([word.text for word in words], service.source.line(words[0].line), "the command")
    service.skipped += found.skipped
    for each in found.assigned:
        _literal(service, each.name, Scalar(each.value, "str", words[0].line), each.said)


def _files(tree: Tree | None) -> list[Scalar]:
    if isinstance(tree, Sequence):
        return [file for item in tree.items for file in _files(item)]
    if isinstance(tree, Mapping):
        return _files(tree.get("path"))
    return [tree] if isinstance(tree, Scalar) else []


def _listed(service: _Service, entry: Tree) -> None:
    name, equals, value = text_of(entry).partition("=")
    if equals:
        _entry(service, name, Scalar(value, "str", entry.line))
    else:
        service.skip(entry.line, name, "is taken from the environment of whoever starts Compose")


def _entry(service: _Service, name: str, value: Tree) -> None:
    if not isinstance(value, Scalar):
        service.skip(value.line, name, "is not a string")
    elif value.kind == "!reset":
        service.assigned = [each for each in service.assigned if each.name != name]
    elif value.kind == "null":
        service.skip(value.line, name, "is taken from the environment of whoever starts Compose")
    elif value.kind == "bool" and value.text.lower() not in {"true", "false"}:
        service.skip(value.line, f"{name}: {value.text}", "is a boolean in one version of YAML and a string in another")
    else:
        _literal(service, name, value)


def _literal(service: _Service, name: str, value: Scalar, said: str = "") -> None:
    variable = next((found for found in _VARIABLE.finditer(value.text) if not found[1]), None)
    if variable is None:
        text = _number(value) if value.kind == "int" else value.text.replace("$$", "$")
        if text != value.text and value.kind == "int":
            said = f"is written as the number {value.text}: Compose gives {text}"
        service.assigned.append(Assigned(name, text, service.source.line(value.line), said))
    else:
        service.skip(value.line, f"{name}: {value.text}", f"Compose fills it in: {_filled(value.text, variable)}")


def _number(value: Scalar) -> str:
    """Return a whole number as Compose hands it on, which is in decimal digits."""
    text = value.text.replace("_", "").lower()
    try:
        return str(int(text, 8 if _OCTAL.fullmatch(text) else 0))
    except ValueError:
        return value.text


def _filled(text: str, variable: re.Match[str]) -> str:
    """Return what Compose makes of a text in which a variable stands."""
    match = _DEFAULT.fullmatch(variable[2] or variable[3])
    if match is None:
        return "its value depends on the environment of Compose"
    name, sign, default = match[1], match[2] or "", match[3] or ""
    if "-" in sign:
        return f"{text.replace(variable[0], default)} unless {name} is set"
    return f"empty unless {name} is set" if not sign and text == variable[0] else f"it depends on {name}"


def _certainty(source: Source) -> int:
    services = _KEY if is_json(source.text) else _SERVICES
    return 80 if services.search(source.text) else 0


FORMS: Final = (Form("compose", "services of Docker Compose", _certainty, read),)
