"""The manual's page of all commands, made of the commands themselves: `python -m tuner.cli.reference > docs/commands.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from tuner.cli.group import Listed
from tuner.cli.main import program


def page() -> str:
    """Return the page as Markdown."""
    root = typer.main.get_command(program())
    head = "# Commands\n\nMade of the commands themselves; `tuner COMMAND --help` says the same. The man page has it too: `man tuner`.\n"
    return "\n".join([head, *_commands(root, "tuner")])


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, listed in group.commands.items():
        command = listed.imported() if isinstance(listed, Listed) else listed
        words = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from _commands(command, words)
        else:
            usage = " ".join(command.collect_usage_pieces(typer.Context(command, info_name=name)))
            yield f"## `{words}`\n\n    {words} {usage}\n"
            yield from _help(command.help or "")
            yield from _options(command)


def _help(text: str) -> Iterator[str]:
    r"""Yield paragraphs; one that begins with the line \b keeps its lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in paragraph.split("\n")]
        if lines[0] == "\b":
            yield "\n".join([lines[1], "", *(f"    {line}" for line in lines[2:]), ""])
        else:
            yield f"{_plain(' '.join(lines))}\n"


def _options(command: Any) -> Iterator[str]:
    context = typer.Context(command)
    records = [found for parameter in command.params if (found := parameter.get_help_record(context))]
    if records:
        rows = [f"| `{_cell(term)}` | {_plain(_cell(' '.join(said.split())))} |" for term, said in records]
        yield "\n".join(["| option | |", "|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    """Return text in which no mark of Markdown or HTML means anything but a pair of backticks."""
    return re.sub(r"([*_<>\[\]{}])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page is what it prints
