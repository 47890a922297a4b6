"""YAML as a tree with line numbers, bounded before it is built: neither depth nor aliases can exhaust this process.

PyYAML's composer calls itself for each level, in C, so that a text of a few thousand brackets would end the
interpreter; its scanner does not. The events are counted first. Scalars stay as written: the versions of YAML do not
agree on what `010`, `1e3` or `yes` is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tuner.errors import UsageError
from tuner.terminal_text import shown

MOST_DEPTH: Final = 64
MOST_NODES: Final = 200_000
_MERGE: Final = "tag:yaml.org,2002:merge"
_TAGS: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as it is written; `kind` is what YAML 1.1 takes it for: str, int, float, bool, null, or another tag."""

    text: str
    kind: str
    line: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Tree, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping, what it merges with `<<` already in it; of a key that stands twice the last entry."""

    entries: dict[str, Tree]
    lines: dict[str, int]
    line: int

    def get(self, *path: str) -> Tree | None:
        """Return what stands under a path of keys, None where there is nothing."""
        found: Tree | None = self
        for key in path:
            found = found.entries.get(key) if isinstance(found, Mapping) else None
        return found


Tree = Scalar | Sequence | Mapping


def documents(text: str, where: str) -> list[Tree]:
    """Return the documents of a text; raise `UsageError` for what is not YAML or is beyond all bounds."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _bounded(yaml.parse(text, Loader=loader), where)
        nodes = list(yaml.compose_all(text, Loader=loader))
    except UnicodeEncodeError as reason:
        line = text.count("\n", 0, reason.start) + 1
        raise UsageError(f"{where} is not UTF-8 text: see line {line}", advice="save it as UTF-8") from reason
    except yaml.YAMLError as reason:
        message = shown(" ".join(str(reason).replace('in "<unicode string>", ', "in ").split()))
        raise UsageError(f"{where} is not valid YAML: {message}", advice=_advice(text)) from reason
    return [_tree(node, {}) for node in nodes if node is not None]


def text_of(tree: Tree | None) -> str:
    """Return the text of a scalar, empty for anything else."""
    return tree.text if isinstance(tree, Scalar) else ""


def items_of(tree: Tree | None) -> tuple[Tree, ...]:
    """Return the items of a list, none for anything else."""
    return tree.items if isinstance(tree, Sequence) else ()


def mappings(tree: Tree) -> Iterator[Mapping]:
    """Yield every mapping in a tree, the outer ones first."""
    if isinstance(tree, Mapping):
        yield tree
    for inner in tree.entries.values() if isinstance(tree, Mapping) else items_of(tree):
        yield from mappings(inner)


def _advice(text: str) -> str:
    return "a Helm template is read after `helm template CHART`" if "{{" in text else ""


def _bounded(events: Any, where: str) -> None:
    """Refuse what is too deep, or too large with its aliases written out."""
    count = _Count()
    for event in events:
        count.add(type(event).__name__, getattr(event, "anchor", None))
        if count.depth > MOST_DEPTH or count.values > MOST_NODES:
            most = f"{MOST_DEPTH} levels" if count.depth > MOST_DEPTH else f"{MOST_NODES} values"
            raise UsageError(f"{where}: line {event.start_mark.line + 1}: not read: more than {most}")
        if count.holds_itself:
            raise UsageError(f"{where}: line {event.start_mark.line + 1}: not read: *{event.anchor} contains itself")


@dataclass(slots=True)
class _Count:
    """The values of a text with its aliases written out, and how deep it is at this point."""

    values: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    open: list[tuple[str | None, int]] = field(default_factory=list)
    holds_itself: bool = False
    """Whether an alias stands inside of what it repeats."""

    @property
    def depth(self) -> int:
        return len(self.open)

    def add(self, event: str, anchor: str | None) -> None:
        if event == "AliasEvent":
            self.values += self.sizes.get(anchor or "", 0)
            self.holds_itself = any(name == anchor for name, _ in self.open)
        elif event == "ScalarEvent":
            self.values += 1
            self.sizes |= {anchor: 1} if anchor else {}
        elif event in {"SequenceStartEvent", "MappingStartEvent"}:
            self.values += 1
            self.open.append((anchor, self.values))
        elif event in {"SequenceEndEvent", "MappingEndEvent"}:
            name, before = self.open.pop()
            self.sizes |= {name: self.values - before + 1} if name else {}


def _tree(node: Any, known: dict[int, Tree]) -> Tree:
    """Return a node as a tree; what an alias repeats is built once."""
    if id(node) not in known:
        known[id(node)] = _built(node, known)
    return known[id(node)]


def _built(node: Any, known: dict[int, Tree]) -> Tree:
    line = node.start_mark.line + 1
    if node.id == "scalar":
        return Scalar(node.value, node.tag.removeprefix(_TAGS), line)
    if node.id == "sequence":
        return Sequence(tuple(_tree(item, known) for item in node.value), line)
    merged, own = dict[str, Tree](), dict[str, Tree]()
    numbers = dict[str, int]()
    for key, value in node.value:
        if key.tag == _MERGE:
            merged |= _merged(_tree(value, known))
        else:
            name = key.value if key.id == "scalar" else "?"
            own[name] = _tree(value, known)
            numbers[name] = key.start_mark.line + 1
    return Mapping(merged | own, dict.fromkeys(merged, line) | numbers, line)


def _merged(tree: Tree) -> dict[str, Tree]:
    """Return the entries that `<<` brings: of a list, the first mapping that has a key counts."""
    if isinstance(tree, Mapping):
        return tree.entries
    entries: dict[str, Tree] = {}
    for item in reversed(items_of(tree)):
        entries |= _merged(item)
    return entries
