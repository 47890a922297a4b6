"""The environment of a service in somebody's Compose file, edited in the text: comments, order and anchors stay.

YAML gives the places (PyYAML's marks); only whole lines are added, and only single values are replaced. What is added
carries a mark at its end, so that a later profile takes it out again. Flow style, aliases and merged environments are left
to a second file: `docker compose -f compose.yaml -f tuner.compose.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tuner.errors import UsageError, did_you_mean
from tuner.export.form import Unsure
from tuner.intake import yaml_tree

MARK: Final = "  # set by tuner"
DEFAULT_SERVICE: Final = "app"
_OURS: Final = re.compile(rf"^.*{re.escape(MARK)}\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of text from `start` to `end` (indices of characters) that becomes `text`."""

    start: int
    end: int
    text: str


def edited(text: str, service: str, variables: Mapping[str, str], write: Callable[[str], str]) -> str:
    """Return a Compose file whose service has these variables; `write` quotes a value.

    Raises:
        UsageError: it is not YAML, or has no such service.
        Unsure: an edit in the text is not certain to mean that.

    """
    edits = _edits(text, _service(text, service), variables, write)
    for edit in sorted(edits, key=lambda each: -each.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def foreign(text: str) -> str:
    """Return a Compose file without the lines that an earlier profile added."""
    return _OURS.sub("", text)


def chosen(text: str, service: str) -> str:
    """Return the service that is meant: the one that is named, or the only one where none was named."""
    (document,) = _one(yaml_tree.documents(text, "the file"))
    services = document.get("services") if isinstance(document, yaml_tree.Mapping) else None
    names = list(services.entries) if isinstance(services, yaml_tree.Mapping) else []
    if service in names:
        return service
    if service == DEFAULT_SERVICE and len(names) == 1:
        return names[0]
    advice = did_you_mean(service, names) or f"say which with --service: {', '.join(names)}"
    raise UsageError(f"the file has no service {service!r}", advice=advice if names else "it has no services")


def _one(documents: list[yaml_tree.Tree]) -> list[yaml_tree.Tree]:
    if len(documents) != 1:
        raise Unsure(f"it holds {len(documents)} documents")
    return documents


def _service(text: str, service: str) -> Any:
    import yaml

    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return _block(
        _under(_block(_under(_block(root, "the file"), "services"), "services"), service), f"service {service}"
    )


def _under(node: Any, key: str) -> Any:
    found = [value for name, value in node.value if name.value == key]
    if len(found) != 1:
        raise Unsure(f"{key!r} stands {len(found)} times")
    return found[0]


def _block(node: Any, what: str) -> Any:
    if node is None or node.id != "mapping" or node.flow_style or not node.value:
        raise Unsure(f"{what} is not a mapping in block style")
    return node


def _edits(text: str, body: Any, variables: Mapping[str, str], write: Callable[[str], str]) -> list[Edit]:
    keys = {name.value: (name, value) for name, value in body.value}
    if "environment" not in keys:
        return [_new_environment(text, body, keys, variables, write)]
    name, environment = keys["environment"]
    if environment.start_mark.index < name.end_mark.index:
        raise Unsure("its environment is an alias")
    if environment.id == "scalar" and not environment.value:
        rows = _rows(variables, write, " " * (name.start_mark.column + 2))
        end = _line_end(text, name.end_mark.index)
        return [Edit(end, end, rows)]
    if environment.flow_style or environment.id == "scalar":
        raise Unsure("its environment is in flow style")
    return (
        _in_mapping(text, environment, variables, write)
        if environment.id == "mapping"
        else _in_list(text, environment, variables, write)
    )


def _new_environment(
    text: str, body: Any, keys: Mapping[str, Any], variables: Mapping[str, str], write: Callable[[str], str]
) -> Edit:
    if "<<" in keys:
        raise Unsure("its environment may come from what it merges with <<")
    column = body.start_mark.column
    at = _line_start(text, body.start_mark.index)
    margin = " " * column
    return Edit(at, at, f"{margin}environment:{MARK}\n{_rows(variables, write, margin + '  ')}")


def _in_mapping(text: str, environment: Any, variables: Mapping[str, str], write: Callable[[str], str]) -> list[Edit]:
    held = {name.value: value for name, value in environment.value}
    edits = [_replaced(text, held[name], write(value)) for name, value in variables.items() if name in held]
    missing = {name: value for name, value in variables.items() if name not in held}
    at = _line_start(text, environment.start_mark.index)
    return [*edits, Edit(at, at, _rows(missing, write, " " * environment.start_mark.column))]


def _in_list(text: str, environment: Any, variables: Mapping[str, str], write: Callable[[str], str]) -> list[Edit]:
    held = {item.value.partition("=")[0]: item for item in environment.value if item.id == "scalar"}
    edits = [_replaced(text, held[name], write(f"{name}={value}")) for name, value in variables.items() if name in held]
    missing = [f"{name}={value}" for name, value in variables.items() if name not in held]
    at = _line_start(text, environment.start_mark.index)
    margin = " " * environment.start_mark.column
    return [*edits, Edit(at, at, "".join(f"{margin}- {write(entry)}{MARK}\n" for entry in missing))]


def _rows(variables: Mapping[str, str], write: Callable[[str], str], margin: str) -> str:
    return "".join(f"{margin}{name}: {write(value)}{MARK}\n" for name, value in variables.items())


def _replaced(text: str, node: Any, value: str) -> Edit:
    start, end = node.start_mark.index, node.end_mark.index
    if node.id != "scalar" or "\n" in text[start:end] or text[start : start + 1] in {"&", "*", "!"}:
        raise Unsure(f"the value on line {node.start_mark.line + 1} is more than a plain text on one line")
    return Edit(start, end, value if start < end else f" {value}")


def _line_start(text: str, index: int) -> int:
    start = text.rfind("\n", 0, index) + 1
    if text[start:index].strip(" "):
        raise Unsure(f"line {text.count(chr(10), 0, index) + 1} begins with something else")
    return start


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    if end < 0:
        raise Unsure("its last line has no end")
    return end + 1
