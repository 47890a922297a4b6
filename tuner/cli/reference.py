"""The manual's pages that are made: of the commands (`python -m tuner.cli.reference`) and of the catalogues (`… parameters`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import typer

from tuner import catalogue
from tuner.catalogue import facts
from tuner.catalogue.parameters import Kind, Parameter
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


def parameters() -> str:
    """Return the page of all settings of all stacks as Markdown."""
    head = (
        "# Settings\n\nMade of the catalogues: every environment variable that a stack reads, with what it allows and its default in the newest\n"
        "release. `tuner params show NAME` has more of each: its risk, where it is written, the rules that it has a part in.\n"
    )
    return "\n".join([head, *(line for each in facts.every() for line in _stack(each.name))])


def _stack(name: str) -> Iterator[str]:
    known = catalogue.load(name)
    found = [each for each in known.parameters.values() if each.kind is Kind.SETTING]
    yield f"## {name}\n\n{len(found)} settings, by their groups.\n"
    for group in dict.fromkeys(each.group for each in found):
        rows = [_setting(each) for each in found if each.group == group]
        yield "\n".join(
            [
                f"### {group or 'others'} of {name}\n",
                "| setting | values | default | read by | |",
                "|---|---|---|---|---|",
                *rows,
                "",
            ]
        )


def _setting(found: Parameter) -> str:
    default = found.default()
    cells = (
        f"`{found.name}`",
        _plain(found.allowed()),
        "" if default is None else f"`{default}`" if default else "empty",
        _plain(found.window),
        _plain(found.summary),
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    """Return text in which no mark of Markdown or HTML means anything but a pair of backticks."""
    return re.sub(r"([*_<>\[\]{}])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text)


if __name__ == "__main__":
    print(parameters() if sys.argv[1:] == ["parameters"] else page(), end="")  # noqa: T201 - the page is what it prints
