"""Whether a session's records still say what it answered, on the screen or as JSON."""

from __future__ import annotations

import json as text
from collections.abc import Iterator
from typing import Any, NoReturn

import typer

from tuner.cli.screen.output import print_json, wrapped
from tuner.session.answer import answers
from tuner.session.judgement import Difference, Judgement

MOST_SHOWN = 60


def tell(session: str, judgement: Judgement, *, json: bool) -> NoReturn:
    """Print whether the stored answer equals the computed one, what differs, and leave with the exit status."""
    if json:
        print_json({"session": session} | judgement.to_dict())
    else:
        typer.echo("\n".join(map(wrapped, _lines(session, judgement))))
    raise typer.Exit(1 if judgement.equal is False else 0)


def _lines(session: str, judgement: Judgement) -> Iterator[str]:
    yield f"session  {session}"
    yield f"computed {answers.decision(judgement.answer) or 'measured'}: {answers.reason(judgement.answer)}".rstrip(
        ": "
    )
    if judgement.equal is None:
        yield "stored   no answer yet: there is nothing to compare with"
    elif judgement.equal:
        yield "stored   the same answer"
    else:
        yield f"stored   another answer, in {len(judgement.differences)} fields:"
    yield from (f"  {_line(each)}" for each in judgement.differences)
    if judgement.reworded:
        yield f"note     worded otherwise by the release that measured: {', '.join(judgement.reworded)}"


def _line(each: Difference) -> str:
    return f"{each.field}: stored {_shown(each.stored)}, computed {_shown(each.computed)}"


def _shown(value: Any) -> str:
    said = text.dumps(value, ensure_ascii=False)
    return said if len(said) <= MOST_SHOWN else said[:MOST_SHOWN] + "…"
