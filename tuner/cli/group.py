"""Commands that are listed from the table of `tuner.cli.tree`, and imported when they are called."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from tuner.cli import completion
from tuner.cli.tree import Command, Noun, beneath


class Listed(TyperCommand):
    """A command as lists and completions show it: its name and one line."""

    def __init__(self, name: str, entry: Command | Noun) -> None:
        super().__init__(name, help=entry.brief)
        self.entry = entry

    def imported(self) -> Any:
        """Return the command itself."""
        assert self.name is not None  # noqa: S101 # it is given above
        return _group(self.name, self.entry) if isinstance(self.entry, Noun) else _command(self.name, self.entry)


class Group(TyperGroup):
    """The program or a noun: it knows its commands by name, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        assert self.name is not None  # noqa: S101 # `typer.Typer(name=…)`
        self.commands = {name: Listed(name, entry) for name, entry in beneath(self.name).items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and remaining arguments, as typer does; here the command is imported."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed.imported() if isinstance(listed, Listed) else listed, rest


def _group(name: str, noun: Noun) -> TyperGroup:
    return get_group(typer.Typer(name=name, cls=Group, help=noun.brief, no_args_is_help=True, rich_markup_mode=None))


def _command(name: str, entry: Command) -> Any:
    function = getattr(importlib.import_module(f"tuner.cli.commands.{entry.module}"), entry.function)
    completion.attach(function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(function)
    return get_command(app)
