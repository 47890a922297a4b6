"""Jobs of Nomad, and other HCL: `env { NAME = "value" }` of each task. Only what is a literal value is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Skipped
from tuner.intake.form import Assigned, Form, Group, Reading, Scope, Source, shown
from tuner.intake.owners import is_stacks

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n,]+)|(?P<comment>#[^\n]*|//[^\n]*|/\*.*?\*/)"
    r"|<<-?(?P<here>\w+)\n"
    r'|"(?P<text>(?:[^"\\]|\\.)*)"'
    r"|(?P<open>\{)|(?P<close>\})|(?P<equals>[=:])"
    r"|(?P<word>[^\s={}\"#,:]+)|(?P<other>.)",
    re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_TEMPLATE: Final = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")
_HCL: Final = re.compile(r"^\s*(?:job|group|task|env|resource|variable)\b[^=\n]*\{\s*$|^\s*env\s*=?\s*\{", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(slots=True)
class _Walk:
    """The blocks that are open, and what each task sets."""

    source: Source
    open: list[str] = field(default_factory=list)
    assigned: dict[str, list[Assigned]] = field(default_factory=dict)
    skipped: dict[str, list[Skipped]] = field(default_factory=dict)

    @property
    def task(self) -> str:
        return next((block.removeprefix("task ") for block in reversed(self.open) if block.startswith("task ")), "")


def read(source: Source) -> Reading:
    """Return what each task gets."""
    walk, before = _Walk(source), list[_Token]()
    for token in _tokens(source.text):
        if token.kind == "open":
            walk.open.append(" ".join(each.text for each in before if each.kind in {"word", "text"}))
            before = []
        elif token.kind == "close":
            walk.open = walk.open[:-1]
            before = []
        else:
            before = _next(walk, [*before, token])
    names = dict.fromkeys((*walk.assigned, *walk.skipped))
    groups = (Group(tuple(walk.assigned.get(n, ())), tuple(walk.skipped.get(n, ())), n, Scope.SERVICE) for n in names)
    return Reading(tuple(groups))


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while match := _TOKEN.match(text, at):
        end, kind, found = match.end(), match.lastgroup or "", match[match.lastgroup or 0]
        if kind == "here":
            body = re.compile(rf"(.*?)^\s*{re.escape(found)}\s*$", re.DOTALL | re.MULTILINE).match(text, end)
            end, kind, found = (body.end(), "text", body[1]) if body else (len(text), "text", "")
        if kind not in {"space", "comment"}:
            yield _Token(kind, found, line)
        line += text.count("\n", at, end)
        at = end


def _next(walk: _Walk, tokens: list[_Token]) -> list[_Token]:
    """Take `NAME = value` inside an `env` block, and return the tokens that are still waiting for more."""
    if len(tokens) < 2 or tokens[-2].kind != "equals":  # noqa: PLR2004 # an equals sign and a value
        return tokens[-4:]
    name, value = tokens[-3] if len(tokens) > 2 else tokens[0], tokens[-1]  # noqa: PLR2004 # a name, an equals sign and a value
    if walk.open and walk.open[-1].split(" ")[0] == "env":
        _entry(walk, name, value)
    return []


def _entry(walk: _Walk, name: _Token, value: _Token) -> None:
    where, literal = (
        walk.source.line(value.line),
        value.kind == "text" or re.fullmatch(r"-?[0-9.]+|true|false", value.text),
    )
    if literal and not _TEMPLATE.search(value.text):
        text = (
            re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value.text)
            if value.kind == "text"
            else value.text
        )
        text = text.replace("$${", "${").replace("%%{", "%{")
        walk.assigned.setdefault(walk.task, []).append(Assigned(name.text, text, where))
    elif is_stacks(name.text):
        why = "is computed by Nomad when it places the task"
        walk.skipped.setdefault(walk.task, []).append(Skipped(where, shown(f"{name.text} = {value.text}"), why))


def _certainty(source: Source) -> int:
    if source.name.endswith((".hcl", ".nomad", ".tf")):
        return 90
    return 70 if _HCL.search(source.text) else 0


FORMS: Final = (Form("nomad", "job of Nomad, or other HCL with `env` blocks", _certainty, read),)
