"""Ansible: `environment:` of plays, blocks, roles and tasks, and variables that hold an environment.

Ansible takes a text with `{{` for a template, which only Ansible can evaluate; `!unsafe` says that it is none.
"""

from __future__ import annotations

import re
from typing import Final

from tuner.errors import Skipped
from tuner.intake.form import NAME, Assigned, Form, Reading, Source, is_json, only, shown
from tuner.intake.owners import is_stacks
from tuner.intake.started import of_line, of_text
from tuner.intake.yaml_tree import Mapping, Scalar, Tree, documents, items_of, mappings, text_of

_UNSAFE: Final = "!unsafe"
_COMMANDS: Final = frozenset({"shell", "command", "cmd", "raw"})
_WRITTEN: Final = frozenset({"line", "block", "content"})
_TEMPLATE: Final = re.compile(r"\{\{|\{%")
_PLAY: Final = re.compile(r"^-\s+(?:hosts|name|import_playbook|block):|^\s+(?:tasks|roles|hosts|become):", re.MULTILINE)
_LINE: Final = re.compile(rf"^(?:export )?{NAME}[ \t]*=", re.MULTILINE | re.ASCII)
_YAML: Final = re.compile(r"^[ \t]*(?:- )?[\"']?[A-Za-z_][\w.-]*[\"']?:(?:[ \t]|$)", re.MULTILINE)


def read(source: Source) -> Reading:
    """Return what stands under names of a stack, in whatever mapping or list of NAME=value, or of name and value."""
    assigned, skipped = list[Assigned](), list[Skipped]()
    for tree in documents(source.text, source.where):
        for mapping in mappings(tree):
            for name, value in _pairs(mapping):
                _entry(source, name, value, assigned, skipped)
            for key, value in mapping.entries.items():
                _text(source, key, value, assigned, skipped)
    return only(assigned, skipped)


def _pairs(mapping: Mapping) -> list[tuple[str, Tree]]:
    """Return the variables that a mapping holds: as its keys, as a list of texts, or as one entry of name and value."""
    found = [(name, value) for name, value in mapping.entries.items() if is_stacks(name)]
    name, value = text_of(mapping.get("name")), mapping.get("value")
    if is_stacks(name):
        found.append((name, value if value is not None else mapping))
    for inner in mapping.entries.values():
        for item in items_of(inner):
            name, equals, text = text_of(item).partition("=")
            if equals and is_stacks(name):
                found.append((name, Scalar(text, "str", item.line)))
    return found


def _text(source: Source, key: str, value: Tree, assigned: list[Assigned], skipped: list[Skipped]) -> None:
    """Take what a task gives its command, and what it writes into a file."""
    word, where = key.rpartition(".")[2], source.line(value.line)
    if word in _COMMANDS:
        found = of_line(text_of(value), where, key)
    elif word in _WRITTEN:
        found = of_text(text_of(value), where, key)
    else:
        return
    for each in found.assigned:
        if _TEMPLATE.search(each.value):
            text = shown(f"{each.name}={each.value}")
            skipped.append(Skipped(where, text, "is a template, which only Ansible can evaluate"))
        else:
            assigned.append(each)
    skipped += found.skipped


def _entry(source: Source, name: str, value: Tree, assigned: list[Assigned], skipped: list[Skipped]) -> None:
    text, where = text_of(value), source.line(value.line)
    if not isinstance(value, Scalar) or value.kind == "null":
        skipped.append(Skipped(where, name, "has no literal value"))
    elif value.kind == "bool" and text.lower() not in {"true", "false"}:
        skipped.append(Skipped(where, f"{name}: {text}", "is a boolean in one version of YAML and a string in another"))
    elif value.kind != _UNSAFE and _TEMPLATE.search(text):
        skipped.append(Skipped(where, shown(f"{name}: {text}"), "is a template, which only Ansible can evaluate"))
    else:
        assigned.append(Assigned(name, text, where))


def _certainty(source: Source) -> int:
    if is_json(source.text):
        return 30
    if _LINE.search(source.text):  # no YAML: a text in it would be indented
        return 0
    if not _YAML.search(source.text) and not source.name.endswith((".yml", ".yaml")):
        return 0
    if _PLAY.search(source.text):
        return 65
    return 45 if source.name.endswith((".yml", ".yaml")) else 30


FORMS: Final = (
    Form("ansible", "plays, roles and variables of Ansible, and other YAML with names of a stack", _certainty, read),
)
