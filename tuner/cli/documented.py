"""The commands as their documents need them: the man page (`manual.py`) and the manual's page of all commands (`reference.py`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from tuner.cli.group import Listed


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of a help text, and whether its lines stay lines."""

    lines: tuple[str, ...]
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Documented:
    """A command: the words that call it, what follows them, its help and its options with what they mean."""

    words: str
    usage: str
    help: tuple[Paragraph, ...]
    options: tuple[tuple[str, str], ...]


def commands(group: Any, path: str) -> Iterator[Documented]:
    """Yield all commands of a group and of the groups in it, in their order."""
    for name, listed in group.commands.items():
        command = listed.imported() if isinstance(listed, Listed) else listed
        words = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            usage = " ".join(command.collect_usage_pieces(typer.Context(command, info_name=name)))
            yield Documented(words, usage, tuple(paragraphs(command.help or "")), tuple(options(command)))


def paragraphs(text: str) -> Iterator[Paragraph]:
    r"""Yield the paragraphs of a help text; one that begins with the line \b keeps its lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        first, *others = (line.strip() for line in paragraph.split("\n"))
        yield Paragraph(tuple(others), verbatim=True) if first == "\b" else Paragraph((first, *others))


def options(command: Any) -> Iterator[tuple[str, str]]:
    """Yield each option of a command as it is written, and what it means."""
    context = typer.Context(command)
    for parameter in command.params:
        if record := parameter.get_help_record(context):
            term, said = record
            yield term, " ".join(said.split())
