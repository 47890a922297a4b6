"""The man page, made from the commands themselves, so that it says what `--help` says.

    python -m tuner.cli.manual > docs/man/tuner.1

The macros are those of man(7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import typer

from tuner.cli.documented import Documented, Paragraph, commands, options, paragraphs
from tuner.cli.main import program
from tuner.cli.tree import HELP
from tuner.version import __version__

_ENVIRONMENT: Final = {
    "NO_COLOR": "When it is set and not empty, nothing is coloured.",
    "TERM": "With dumb, or without it, the progress of a session is plain lines.",
    "LC_ALL, LC_CTYPE, LANG": "Where they name no UTF-8, a terminal is sent ASCII.",
    "XDG_CONFIG_HOME": "Profiles are also looked for in its tuner/profiles; ~/.config when it is not set.",
    "TUNER_LOCKS": "The folder of the lock by which sessions on a host take turns; /run/lock or /tmp when it is not set.",
    "TUNER_DEBUG": "When it is set, a bug of tuner shows its traceback.",
}
_STATUSES: Final = {
    "0": "Done; of a tuning or a comparison: improved.",
    "1": "Failed, or stopped before there was an answer.",
    "2": "Wrong usage.",
    "3": "No improvement found.",
    "75": "Somebody else measures on this host (with --no-wait), or carries the session out.",
}
_SIGNALS: Final = (
    "The first SIGINT (Ctrl-C) finishes the run in flight, confirms what is best so far for up to a fifth of the budget "
    "and 15 s, and writes profile, verdict and summary; where that time is too short, nothing is claimed and "
    "tuner sessions resume goes on. The second one, SIGTERM and SIGHUP stop at once. Every finished run is kept."
)


def page() -> str:
    """Return the page as man(7) source."""
    root = typer.main.get_command(program())
    return "\n".join(_lines(root)) + "\n"


def _lines(root: Any) -> Iterator[str]:
    yield f'.TH TUNER 1 "" "stack-tuner {__version__}" "User Commands"'
    yield ".SH NAME"
    yield "tuner \\- find, confirm and write the best profile of a network stack"
    yield ".SH SYNOPSIS"
    yield from (".B tuner", ".I COMMAND", "[options]")
    yield ".SH DESCRIPTION"
    yield from _help(paragraphs(HELP))
    yield ".SH OPTIONS"
    yield from _options(options(root))
    yield ".SH COMMANDS"
    for each in commands(root, "tuner"):
        yield from _command(each)
    yield from _listed("EXIT STATUS", _STATUSES)
    yield from (".SH SIGNALS", _text(_SIGNALS))
    yield from _listed("ENVIRONMENT", _ENVIRONMENT)


def _command(found: Documented) -> Iterator[str]:
    yield f'.SS "{_text(f"{found.words} {found.usage}")}"'
    yield from _help(found.help)
    yield from _options(found.options)


def _help(found: Iterable[Paragraph]) -> Iterator[str]:
    for each in found:
        if each.verbatim:
            yield from (".PP", each.lines[0], ".RS 2", ".nf", *map(_text, each.lines[1:]), ".fi", ".RE")
        else:
            yield from (".PP", _text(" ".join(each.lines)))


def _options(found: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, said in found:
        yield from (".TP", f".B {_text(term)}", _text(said))


def _listed(section: str, items: dict[str, str]) -> Iterator[str]:
    yield f".SH {section}"
    for term, said in items.items():
        yield from (".TP", f".B {_text(term)}", _text(said))


def _text(text: str) -> str:
    r"""Return text in which nothing is a request or an escape; a hyphen of an option stays one that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("…", "...")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    typer.echo(page(), nl=False)
