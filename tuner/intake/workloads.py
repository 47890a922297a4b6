"""Kubernetes and lookalikes: the `env:` of every container of every document, ConfigMaps and Secrets.

In a container's `env` `$(NAME)` is a variable and `$$` a dollar sign; the texts of a ConfigMap are taken as they are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Skipped, UsageError
from tuner.intake import ansible
from tuner.intake.form import NAME, Assigned, Form, Group, Reading, Scope, Source, is_json, is_name, shown
from tuner.intake.owners import is_stacks
from tuner.intake.started import of_text, of_words
from tuner.intake.yaml_tree import Mapping, Scalar, Tree, documents, items_of, mappings, text_of

_KINDS: Final = re.compile(r'^[ \t]*-?[ \t]*["\']?(?:apiVersion|kind)["\']?[ \t]*:', re.MULTILINE)
_KEYS: Final = re.compile(r'"(?:apiVersion|kind)"\s*:')
_HELD: Final = re.compile(rf"^\s*(?:export\s+)?{NAME}=.*\n", re.ASCII | re.MULTILINE)
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers", "containerDefinitions")
_PATCH: Final = re.compile(r"^\s*containers:\s*$", re.MULTILINE)
_HELM: Final = re.compile(r"\{\{-?\s*(?:\.|if|range|with|end|include|template|toYaml|define|\$)")
_EXPANDED: Final = re.compile(r"\$\(([^)]*)\)")


@dataclass(slots=True)
class _Container:
    """What a container has said so far."""

    source: Source
    assigned: list[Assigned] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, line: int, text: str, why: str) -> None:
        self.skipped.append(Skipped(self.source.line(line), shown(text), why))


def read(source: Source) -> Reading:
    """Return what each container gets, and what each ConfigMap and Secret holds."""
    refuse_templates(source)
    trees = [tree for tree in documents(source.text, source.where) if isinstance(tree, Mapping)]
    maps = {group.name: group for tree in trees for group in _data(tree, source)}
    groups = [group for tree in trees for group in _containers(tree, source, maps)]
    used = {entry.why for group in groups for entry in group.skipped}
    free = [group for group in maps.values() if _used_by(group) not in used]
    found = [*groups, *free]
    return Reading(tuple(found)) if any(group.assigned for group in found) else Reading((*found, *_elsewhere(source)))


def _elsewhere(source: Source) -> tuple[Group, ...]:
    """Return what stands under names of a stack in other kinds of documents: generators, resources of operators."""
    return tuple(group for group in ansible.read(source).groups if group.assigned)


def refuse_templates(source: Source) -> None:
    """Raise `UsageError` for a template of Helm, which is no YAML yet."""
    match = _HELM.search(source.text)
    if match is not None:
        line = source.text.count("\n", 0, match.start()) + 1
        row = source.text.split("\n")[line - 1]
        message = f"{source.line(line)}: is a Helm template: {shown(row)}"
        raise UsageError(message, advice="read what `helm template CHART` prints")


def _data(tree: Mapping, source: Source) -> Iterator[Group]:
    """Yield the groups of ConfigMaps and Secrets, also of those in a List."""
    for mapping in mappings(tree):
        kind = text_of(mapping.get("kind"))
        if kind not in {"ConfigMap", "Secret"} and not (mapping is tree and mapping.get("data") and not kind):
            continue
        holder = _Container(source)
        for section in ("binaryData", "data", "stringData"):
            inner = mapping.get(section)
            if inner is not None and not isinstance(inner, Mapping):
                holder.skip(inner.line, section, "is not a mapping of names to strings")
            for name, value in inner.entries.items() if isinstance(inner, Mapping) else ():
                encoded = section == "binaryData" or (kind == "Secret" and section == "data")
                _datum(holder, name, value, encoded=encoded, hides=kind == "Secret")
        name = text_of(mapping.get("metadata", "name")) or kind or "data"
        yield Group(tuple(holder.assigned), tuple(holder.skipped), name, Scope.CONTAINER)


def _datum(holder: _Container, name: str, value: Tree, *, encoded: bool, hides: bool) -> None:
    if not isinstance(value, Scalar) or value.kind not in {"str", "int", "float", "timestamp"}:
        holder.skip(value.line, name, "is not a string, as data must be")
        return
    text = value.text
    if encoded:
        try:
            text = base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode()
        except ValueError:  # no base64, not even ASCII, or no text inside
            holder.skip(value.line, name, "is not base64 of a text")
            return
    if hides and is_name(name) and not is_stacks(name) and not _HELD.search(text):
        return  # nobody's business, and nothing to show
    if is_name(name) and not _HELD.search(text):
        holder.assigned.append(Assigned(name, text, holder.source.line(value.line), _number(value)))
        return
    inside = of_text(text, holder.source.line(value.line), name)
    holder.assigned += inside.assigned
    holder.skipped += inside.skipped


def _containers(tree: Mapping, source: Source, maps: dict[str, Group]) -> Iterator[Group]:
    for mapping in mappings(tree):
        for key in _CONTAINERS:
            for item in items_of(mapping.get(key)):
                if isinstance(item, Mapping):
                    yield _container(item, source, maps)


def _container(item: Mapping, source: Source, maps: dict[str, Group]) -> Group:
    holder = _Container(source)
    for entry in items_of(item.get("envFrom")):
        _from(holder, entry, maps)
    for entry in items_of(item.get("env") or item.get("environment")):
        if isinstance(entry, Mapping):
            _entry(holder, entry)
    words = [word for key in ("command", "args", "entryPoint") for word in items_of(item.get(key))]
    if words:
        _started(holder, words)
    name = text_of(item.get("name")) or "container"
    return Group(tuple(holder.assigned), tuple(holder.skipped), name, Scope.CONTAINER)


def _started(holder: _Container, words: list[Tree]) -> None:
    found = of_words([text_of(word) for word in words], holder.source.line(words[0].line), "the command")
    holder.skipped += found.skipped
    for each in found.assigned:
        if variable := _EXPANDED.search(each.value):
            why = f"{variable[0]} is computed when the container starts"
            holder.skipped.append(Skipped(each.where, shown(f"{each.name}={each.value}"), why))
        else:
            holder.assigned.append(each)


def _used_by(group: Group) -> str:
    return f"is read from {group.name}, which is also in this file"


def _from(holder: _Container, entry: Tree, maps: dict[str, Group]) -> None:
    for kind in ("configMapRef", "secretRef"):
        reference = entry.get(kind) if isinstance(entry, Mapping) else None
        if not isinstance(reference, Mapping):
            continue
        name, prefix = (
            text_of(reference.get("name")),
            text_of(entry.get("prefix") if isinstance(entry, Mapping) else None),
        )
        if name in maps:
            found = maps[name]
            holder.assigned += [
                Assigned(prefix + each.name, each.value, each.where, each.said) for each in found.assigned
            ]
            holder.skipped += found.skipped
            holder.skip(entry.line, f"envFrom: {name}", _used_by(found))
        else:
            holder.skip(entry.line, f"envFrom: {name}", f"names a {kind.removesuffix('Ref')} that is not in this file")


def _entry(holder: _Container, entry: Mapping) -> None:
    name, value = text_of(entry.get("name")), entry.get("value")
    holder.assigned = [each for each in holder.assigned if each.name != name]
    source = entry.get("valueFrom")
    cleared = source is None or (isinstance(source, Scalar) and source.kind == "null")  # a patch clears it so
    if not cleared and not (isinstance(value, Scalar) and value.text):
        kinds = ", ".join(source.entries) if isinstance(source, Mapping) else "valueFrom"
        holder.skip(entry.line, f"{name}: valueFrom {kinds}", "its value is known only in the cluster")
    elif value is None:
        holder.assigned.append(Assigned(name, "", holder.source.line(entry.line), "has no value, so it is empty"))
    elif not isinstance(value, Scalar) or value.kind in {"bool", "null"}:
        holder.skip(entry.line, f"{name}: {text_of(value)}", "is not a string: the API server refuses it")
    elif (variable := _EXPANDED.search(value.text.replace("$$", ""))) is not None:
        holder.skip(value.line, f"{name}: {value.text}", f"{variable[0]} is computed when the container starts")
    else:
        text = value.text.replace("$$", "$")
        holder.assigned.append(Assigned(name, text, holder.source.line(value.line), _number(value)))


def _number(value: Scalar) -> str:
    if value.kind == "str":
        return ""
    return f'is a number, which the API server refuses: write "{shown(value.text)}" in quotes'


def _certainty(source: Source) -> int:
    kinds = _KEYS if is_json(source.text) else _KINDS
    if len(kinds.findall(source.text)) >= 2:  # noqa: PLR2004 # apiVersion and kind
        return 85
    return 60 if _PATCH.search(source.text) or re.search(r'"?containerDefinitions"?\s*:', source.text) else 0


FORMS: Final = (
    Form(
        "kubernetes",
        "Pods, workloads, ConfigMaps and Secrets of Kubernetes, patches of them",
        _certainty,
        read,
        also=("kubernetes-patch",),
    ),
)
