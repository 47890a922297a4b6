"""The manual's page of all commands, made of the commands themselves: `python -m tuner.cli.reference > docs/commands.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer

from tuner.cli.documented import Documented, Paragraph, commands
from tuner.cli.main import program


def page() -> str:
    """Return the page as Markdown."""
    root = typer.main.get_command(program())
    head = "# Commands\n\nMade of the commands themselves; `tuner COMMAND --help` says the same. The man page has it too: `man tuner`.\n"
    return "\n".join([head, *(line for each in commands(root, "tuner") for line in _command(each))])


def _command(found: Documented) -> Iterator[str]:
    yield f"## `{found.words}`\n\n    {found.words} {found.usage}\n"
    yield from map(_paragraph, found.help)
    if found.options:
        rows = [f"| `{_cell(term)}` | {_plain(_cell(said))} |" for term, said in found.options]
        yield "\n".join(["| option | |", "|---|---|", *rows, ""])


def _paragraph(found: Paragraph) -> str:
    if not found.verbatim:
        return f"{_plain(' '.join(found.lines))}\n"
    title, *lines = found.lines
    return "\n".join([title, "", *(f"    {line}" for line in lines), ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    """Return text in which no mark of Markdown or HTML means anything but a pair of backticks."""
    return re.sub(r"([*_<>\[\]{}])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page is what it prints
