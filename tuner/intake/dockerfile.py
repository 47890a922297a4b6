"""Dockerfiles: `ENV` in both forms, by stages; what the last stage has is what the image has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Skipped, warning
from tuner.intake.form import Assigned, Form, Group, Reading, Source, is_name, lines, shown
from tuner.intake.owners import is_stacks
from tuner.intake.started import of_words

_INSTRUCTION: Final = re.compile(r"^\s*([A-Za-z]+)\s+(.*)$", re.DOTALL)
_FROM: Final = re.compile(r"^(?:--\S+\s+)*(\S+)(?:\s+[Aa][Ss]\s+(\S+))?\s*$")
_ESCAPE: Final = re.compile(r"^#\s*escape\s*=\s*([\\`])\s*$", re.IGNORECASE)
_DIRECTIVE: Final = re.compile(r"^#\s*\w+\s*=")
_HERE: Final = re.compile(r"<<-?[\"']?([A-Za-z_]\w*)[\"']?")
_VARIABLE: Final = re.compile(r"\$(?:\{[^}]*\}|[A-Za-z_][A-Za-z0-9_]*)")
_KNOWN: Final = re.compile(r"^\s*FROM\s+\S+", re.MULTILINE | re.IGNORECASE)


@dataclass(slots=True)
class _Stage:
    """What a stage has said so far, and what it begins with."""

    name: str
    variables: dict[str, Assigned] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    commands: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    def started(self) -> Group:
        """Return what the command of the container gives the program: ENTRYPOINT, with CMD behind it."""
        said = [self.commands[key] for key in ("ENTRYPOINT", "CMD") if key in self.commands]
        return of_words([word for _, words in said for word in words], said[0][0], "the command") if said else Group(())


def read(source: Source) -> Reading:
    """Return what the last stage sets, with what it has from the stages that it begins with."""
    escape = _escape(source.text)
    stages = [_Stage("")]
    for line, text in _instructions(source.text, escape):
        match = _INSTRUCTION.match(text)
        if match is None:
            continue
        word, rest = match[1].upper(), match[2].strip()
        if word == "FROM":
            stages.append(_begun(rest, stages))
        elif word == "ENV":
            _env(source.line(line), rest, escape, stages[-1])
        else:
            _other(source.line(line), word, rest, stages[-1])
    last = stages[-1]
    lost = [
        stage
        for stage in stages[1:-1]
        if any(name not in last.variables for name in stage.variables if is_stacks(name))
    ]
    findings = [
        warning(source.where, f"stage {stage.name} sets variables of a stack that the last stage does not have")
        for stage in lost
    ]
    started = last.started()
    variables = (*last.variables.values(), *started.assigned)
    return Reading((Group(variables, (*last.skipped, *started.skipped)),), tuple(findings))


def _other(where: str, word: str, rest: str, stage: _Stage) -> None:
    """Note what an instruction says of the command and of what the build alone knows."""
    name, _, value = (part.strip() for part in rest.partition("="))
    if word in {"CMD", "ENTRYPOINT"}:
        stage.commands[word] = (where, _command(rest))
    elif word == "ONBUILD" and rest[:4].upper().strip() == "ENV":
        stage.skipped.append(Skipped(where, shown(f"{word} {rest}"), "is set in an image that is built on this one"))
    elif word == "ARG":
        stage.arguments[name] = value.strip("\"'")
        if is_stacks(name):
            why = "is an argument of the build, which the container does not get"
            stage.skipped.append(Skipped(where, shown(f"{word} {rest}"), why))


def _command(rest: str) -> list[str]:
    """Return the words of a CMD or ENTRYPOINT; the form without a list is a line for a shell."""
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        words = None
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return words
    return ["/bin/sh", "-c", rest]


def _escape(text: str) -> str:
    for line in text.split("\n"):
        if match := _ESCAPE.match(line.strip()):
            return match[1]
        if not _DIRECTIVE.match(line.strip()):
            break
    return "\\"


def _instructions(text: str, escape: str) -> Iterator[tuple[int, str]]:
    """Yield each instruction as one line; comments stand between its lines, and here-documents behind it."""
    begun, first, here = "", 0, list[str]()
    for number, row in lines(text):
        line = row.removesuffix("\r")
        if here:
            here = here[1:] if line.strip("\t") == here[0] else here
            continue
        if line.lstrip().startswith("#") or (begun and not line.strip()):
            continue
        first = first or number
        stripped = line.rstrip(" \t")
        if stripped.endswith(escape):
            begun += stripped[:-1]
            continue
        yield first, begun + line
        here = _HERE.findall(line) if re.match(r"\s*(?:RUN|COPY|ADD)\b", begun + line, re.IGNORECASE) else []
        begun, first = "", 0
    if begun:
        yield first, begun


def _begun(rest: str, stages: list[_Stage]) -> _Stage:
    match = _FROM.match(rest)
    base, name = (match[1], match[2] or str(len(stages) - 1)) if match else ("", str(len(stages) - 1))
    before = next((stage for stage in reversed(stages) if stage.name.lower() == base.lower() and stage.name), None)
    if before is None:
        return _Stage(name)
    return _Stage(name, dict(before.variables), list(before.skipped), {}, dict(before.commands))


def _env(where: str, rest: str, escape: str, stage: _Stage) -> None:
    first = re.match(r"(\S+)\s+(.*)", rest, re.DOTALL)
    if first is not None and "=" not in first[1]:  # the old form: one name, and the rest of the line
        _set(where, first[1], first[2], stage)
        return
    pairs = [word.partition("=") for word in _words(rest, escape)]
    values = {name: (_resolved(value, stage), value) for name, _, value in pairs}
    for name, (known, written) in values.items():
        _put(where, name, known, written, stage)


def _set(where: str, name: str, value: str, stage: _Stage) -> None:
    text = "".join(_words(value.replace(" ", "\0"), "\\")).replace("\0", " ")
    _put(where, name, _resolved(text, stage), value, stage)


def _put(where: str, name: str, known: str | None, written: str, stage: _Stage) -> None:
    if known is None:
        stage.skipped.append(Skipped(where, shown(f"{name}={written}"), _unresolved(written, stage)))
        stage.variables.pop(name, None)
    elif is_name(name):
        stage.variables[name] = Assigned(name, known.replace("\1", "$"), where)
    else:
        stage.skipped.append(Skipped(where, shown(f"{name}={written}"), "is not NAME=value"))


def _unresolved(written: str, stage: _Stage) -> str:
    names = [match[0].strip("${}") for match in _VARIABLE.finditer(written)]
    argument = next((name for name in names if name in stage.arguments), None)
    if argument is None:
        return "uses a variable that this file does not set"
    value = stage.arguments[argument]
    default = f"; {argument} is {value} unless --build-arg sets another value" if value else ""
    return f"is computed by the build, from ARG {argument}{default}"


def _resolved(value: str, stage: _Stage) -> str | None:
    """Return a value with the variables that the stage has set, None where it uses another."""
    unknown = False

    def known(match: re.Match[str]) -> str:
        nonlocal unknown
        name = match[0].strip("${}")
        unknown |= name not in stage.variables
        return stage.variables[name].value if name in stage.variables else ""

    text = _VARIABLE.sub(known, value)
    return None if unknown else text


def _words(text: str, escape: str) -> list[str]:
    """Return the words of an `ENV`, quotes and escapes taken away; a dollar sign that is none is marked for later."""
    words, word, quote, at = list[str](), list[str](), "", 0
    started = False
    while at < len(text):
        character = text[at]
        following = text[at + 1 : at + 2]
        if character == escape and quote != "'" and following:
            plain = not quote or following in {'"', "$", escape}
            word.append(("" if plain else character) + following.replace("$", "\1"))
            at, started = at + 2, True
            continue
        at += 1
        if character in "\"'" and quote in {"", character}:
            quote, started = ("" if quote else character), True
        elif character.isspace() and not quote:
            words += ["".join(word)] if started else []
            word, started = [], False
        else:
            word.append(character.replace("$", "\1") if quote == "'" else character)
            started = True
    return [*words, "".join(word)] if started else words


def _certainty(source: Source) -> int:
    if re.search(r"(?:^|[./_-])(?:Docker|Container)file\b", source.name, re.IGNORECASE) and _KNOWN.search(source.text):
        return 95
    return (
        75 if _KNOWN.search(source.text) and re.search(r"^\s*(?:ENV|RUN|CMD|COPY)\s", source.text, re.MULTILINE) else 0
    )


FORMS: Final = (Form("dockerfile", "Dockerfile or Containerfile", _certainty, read),)
