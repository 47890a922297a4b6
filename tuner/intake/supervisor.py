"""Programs of supervisord: `environment=KEY="value",KEY2="value2"` and the command, as supervisord.conf(5) says."""

from __future__ import annotations

import configparser
import re
import shlex
from typing import Final

from tuner.errors import Skipped, UsageError
from tuner.intake.form import Assigned, Form, Group, Reading, Scope, Source, is_name, shown
from tuner.intake.owners import is_stacks
from tuner.intake.started import of_words

_MOST_FAULTS: Final = 5
_PROGRAM: Final = re.compile(r"^\[(?:program|fcgi-program|eventlistener):[^\]]+\]", re.MULTILINE)
_EXPANDED: Final = re.compile(r"(?<!%)%\([^)]*\)[sd]")


def read(source: Source) -> Reading:
    """Return what each program gets; what [supervisord] sets is for all of them."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", " #"), strict=False)
    try:
        parser.read_string(source.text)
    except configparser.Error as reason:
        faults = getattr(reason, "errors", ()) or [(getattr(reason, "lineno", 1), "")]
        where = ", ".join(source.line(number) for number, _ in faults[:_MOST_FAULTS])
        message = f"{where}: is neither [section] nor key=value, as supervisord reads them"
        raise UsageError(message, advice="choose another form with --from") from reason
    common = _environment(source, parser, "supervisord")
    names = [name for name in parser.sections() if ":" in name and parser.has_section(name)]
    return Reading(tuple(_program(source, parser, name, common) for name in names))


def _program(source: Source, parser: configparser.RawConfigParser, section: str, common: Group) -> Group:
    own, started = _environment(source, parser, section), _started(source, parser, section)
    return Group(
        (*common.assigned, *own.assigned, *started.assigned),
        (*common.skipped, *own.skipped, *started.skipped),
        section.partition(":")[2],
        Scope.SERVICE,
    )


def _environment(source: Source, parser: configparser.RawConfigParser, section: str) -> Group:
    assigned, skipped = list[Assigned](), list[Skipped]()
    where = _where(source, section, "environment")
    for text in _entries(parser.get(section, "environment", fallback="")):
        name, equals, value = text.partition("=")
        if not equals or not is_name(name.strip()):
            skipped.append(Skipped(where, shown(text), 'is not NAME="value" between commas'))
        elif variable := _EXPANDED.search(value):
            why = f"{variable[0]} is computed by supervisord when it starts the program"
            skipped += [Skipped(where, shown(text), why)] if is_stacks(name.strip()) else []
        else:
            assigned.append(Assigned(name.strip(), value.strip().replace("%%", "%"), where))
    return Group(tuple(assigned), tuple(skipped))


def _entries(text: str) -> list[str]:
    """Return the entries between commas, quotes taken away."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",\n", True, ""
    try:
        return [entry.strip() for entry in lexer if entry.strip()]
    except ValueError:
        return [text]


def _started(source: Source, parser: configparser.RawConfigParser, section: str) -> Group:
    try:
        words = shlex.split(parser.get(section, "command", fallback=""))
    except ValueError:
        words = []
    return of_words(words, _where(source, section, "command"), "the command")


def _where(source: Source, section: str, key: str) -> str:
    """Return the line of a key in a section, counted from 1."""
    begin = source.text.find(f"[{section}]")
    match = re.compile(rf"^{key}[ \t]*[=:]", re.MULTILINE | re.IGNORECASE).search(source.text, max(begin, 0))
    return source.line(source.text.count("\n", 0, match.start()) + 1 if match else 1)


def _certainty(source: Source) -> int:
    return 88 if _PROGRAM.search(source.text) else 0


FORMS: Final = (Form("supervisor", "programs of supervisord", _certainty, read),)
