"""Jobs of Nomad, and other HCL: what each task gets of `env`, of templates for its environment, and by its command.

Only what is a literal value is taken. A template overrides `env` (Nomad's `taskenv`), and a command what it inherits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Skipped
from tuner.intake.form import Assigned, Form, Group, Reading, Scope, Source, shown
from tuner.intake.owners import is_stacks
from tuner.intake.started import of_text, of_words

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n,]+)|(?P<comment>#[^\n]*|//[^\n]*|/\*.*?\*/)"
    r"|<<-?(?P<here>\w+)\n"
    r'|"(?P<text>(?:[^"\\]|\\.)*)"'
    r"|(?P<open>\{)|(?P<close>\})|(?P<equals>[=:])|(?P<begin>\[)|(?P<end>\])"
    r"|(?P<word>[^\s={}\[\]\"#,:]+)|(?P<other>.)",
    re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_TEMPLATE: Final = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")
_HCL: Final = re.compile(
    r"^\s*(?:job|group|task|env|resource|variable)\b[^=\n]*\{\s*$|^\s*(?:job|group|task)\s+\"[^\"\n]+\"\s*\{|^\s*env\s*=?\s*\{",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(slots=True)
class _Task:
    """What one task gets, in the order in which a later part overrides an earlier one."""

    env: list[Assigned] = field(default_factory=list)
    template: list[Assigned] = field(default_factory=list)
    command: list[Assigned] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(slots=True)
class _Walk:
    """The blocks that are open with the attributes of each, the list that is being read, and what each task gets."""

    source: Source
    open: list[str] = field(default_factory=list)
    attributes: list[dict[str, tuple[_Token, ...]]] = field(default_factory=list)
    listed: tuple[str, list[_Token]] | None = None
    tasks: dict[str, _Task] = field(default_factory=dict)

    @property
    def block(self) -> str:
        return self.open[-1].split(" ")[0] if self.open else ""

    @property
    def task(self) -> _Task:
        named = (block.removeprefix("task ") for block in reversed(self.open) if block.startswith("task "))
        return self.tasks.setdefault(next(named, ""), _Task())


def read(source: Source) -> Reading:
    """Return what each task gets."""
    walk, before = _Walk(source), list[_Token]()
    for token in _tokens(source.text):
        if walk.listed is not None:
            _to_list(walk, walk.listed, token)
        elif token.kind == "open":
            walk.open.append(" ".join(each.text for each in before if each.kind in {"word", "text"}))
            walk.attributes.append({})
            before = []
        elif token.kind == "close":
            _close(walk)
            before = []
        else:
            before = _next(walk, [*before, token])
    tasks = ((name, task) for name, task in walk.tasks.items() if task != _Task())
    return Reading(tuple(_group(name, task) for name, task in tasks))


def _group(name: str, task: _Task) -> Group:
    return Group((*task.env, *task.template, *task.command), tuple(task.skipped), name, Scope.SERVICE)


def _to_list(walk: _Walk, listed: tuple[str, list[_Token]], token: _Token) -> None:
    """Take an element of a list, or the list itself where it ends."""
    name, elements = listed
    if token.kind != "end":
        elements.append(token)
        return
    walk.listed = None
    if walk.attributes:
        walk.attributes[-1][name] = tuple(elements)


def _close(walk: _Walk) -> None:
    """Leave a block, and take what its attributes say together."""
    if not walk.open:
        return
    said = walk.attributes.pop()
    if walk.block == "config":
        _command(walk, [*said.get("entrypoint", ()), *said.get("command", ()), *said.get("args", ())])
    elif walk.block == "template" and [each.text for each in said.get("env", ())] == ["true"]:
        for data in said.get("data", ()):
            _template(walk, data)
    walk.open.pop()


def _command(walk: _Walk, words: list[_Token]) -> None:
    """Take what the command of a task gives its program; words that Nomad fills in are left out."""
    computed = [each for each in words if _TEMPLATE.search(each.text)]
    for each in computed:
        _leave_out(walk, each, each.text)
    said = [_unquoted(each) for each in words if each not in computed]
    where = walk.source.line(words[0].line) if words else ""
    found = of_words(said, where, "the command")
    walk.task.command += found.assigned
    walk.task.skipped += found.skipped


def _template(walk: _Walk, data: _Token) -> None:
    """Take the lines of a template that becomes the environment of a task; what it computes is left out."""
    lines = data.text.splitlines()
    for line in lines:
        if "{{" in line:
            _leave_out(walk, data, line.strip())
    literal = "\n".join(line for line in lines if "{{" not in line)
    found = of_text(literal, walk.source.line(data.line), "the template")
    walk.task.template += found.assigned
    walk.task.skipped += found.skipped


def _leave_out(walk: _Walk, token: _Token, text: str) -> None:
    if is_stacks(text.partition("=")[0].strip()):
        why = "is computed by Nomad when it places the task"
        walk.task.skipped.append(Skipped(walk.source.line(token.line), shown(text), why))


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
    """Take `NAME = value`, and return the tokens that are still waiting for more."""
    if len(tokens) < 2 or tokens[-2].kind != "equals":  # noqa: PLR2004 # an equals sign and a value
        return tokens[-4:]
    name, value = tokens[-3] if len(tokens) > 2 else tokens[0], tokens[-1]  # noqa: PLR2004 # a name, an equals sign and a value
    if value.kind == "begin":
        walk.listed = (name.text, [])
    elif walk.block == "env":
        _entry(walk, name, value)
    elif walk.attributes:
        walk.attributes[-1][name.text] = (value,)
    return []


def _entry(walk: _Walk, name: _Token, value: _Token) -> None:
    literal = value.kind == "text" or re.fullmatch(r"-?[0-9.]+|true|false", value.text)
    if literal and not _TEMPLATE.search(value.text):
        walk.task.env.append(Assigned(name.text, _unquoted(value), walk.source.line(value.line)))
    else:
        _leave_out(walk, value, f"{name.text} = {value.text}")


def _unquoted(value: _Token) -> str:
    """Return the text that a literal stands for."""
    plain = value.kind != "text"
    text = value.text if plain else re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value.text)
    return text.replace("$${", "${").replace("%%{", "%{")


def _certainty(source: Source) -> int:
    if source.name.endswith((".hcl", ".nomad", ".tf")):
        return 90
    return 70 if _HCL.search(source.text) else 0


FORMS: Final = (Form("nomad", "job of Nomad, or other HCL with `env` blocks", _certainty, read),)
