"""Units and drop-ins of systemd: `Environment=` and its like in [Service], as systemd.exec(5) and systemd.syntax(7) say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Skipped, nearest
from tuner.intake.environment import BOM
from tuner.intake.form import Assigned, Follow, Form, Group, Reading, Source, is_name, shown
from tuner.intake.owners import is_stacks
from tuner.intake.started import of_line

_SECTION: Final = re.compile(r"^\[(?:Service|Unit|Socket|Timer|Install|Manager|Container)\][ \t\r]*$", re.MULTILINE)
_SECTIONS: Final = frozenset({"Service", "Socket", "Mount", "Swap", "Container"})
_KNOWN: Final = frozenset({"Environment", "UnsetEnvironment", "PassEnvironment", "EnvironmentFile"})
_LETTERS: Final = dict(zip("abfnrtvs", "\a\b\f\n\r\t\v ", strict=True))
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[abfnrtvs\\\"'])", re.DOTALL)
_SPECIFIER: Final = re.compile(r"%(.?)", re.DOTALL)


@dataclass(slots=True)
class _Service:
    """What a unit has said so far."""

    source: Source
    variables: dict[str, Assigned] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    follows: list[Follow] = field(default_factory=list)
    given: dict[str, Assigned] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)

    def skip(self, line: int, text: str, why: str) -> None:
        self.skipped.append(Skipped(self.source.line(line), shown(text), why))


def read(source: Source) -> Reading:
    """Return what a unit sets; lines that are systemd's alone are left alone."""
    service = _Service(source)
    for section, line, key, value in _entries(source.text):
        if section in _SECTIONS:
            _entry(service, line, key, value)
        elif section == "Manager" and key in {"DefaultEnvironment", "ManagerEnvironment"}:
            _environment(service, line, value)
        elif key == "Environment" and section != "Manager":
            service.skip(line, f"{key}={value}", f"is in [{section}], where systemd does not read it")
    gone = [each for name, each in service.variables.items() if name in service.unset and is_stacks(name)]
    service.skipped += [
        Skipped(each.where, f"{each.name}={each.value}", "UnsetEnvironment= removes it") for each in gone
    ]
    kept = [each for name, each in service.variables.items() if name not in service.unset]
    assigned = (*kept, *service.given.values())
    return Reading((Group(assigned, tuple(service.skipped)),), (), tuple(service.follows))


def _entries(text: str) -> Iterator[tuple[str, int, str, str]]:
    """Yield section, line, key and value; a comment may stand inside a continued line."""
    section, begun, first = "", "", 0
    for number, row in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix(BOM)), 1):
        if row.lstrip(" \t").startswith(("#", ";")):
            continue
        first, begun = (first or number), begun + row
        if _continues(begun):
            begun = begun[:-1] + " "
            continue
        line = begun.strip(" \t")
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line:
            key, _, value = line.partition("=")
            yield section, first, key.strip(" \t"), value.strip(" \t")
        begun, first = "", 0


def _continues(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _entry(service: _Service, line: int, key: str, value: str) -> None:
    if key == "Environment":
        _environment(service, line, value)
    elif key == "UnsetEnvironment":
        service.unset += [word.partition("=")[0] for word in _literal_words(value)] if value else []
    elif key == "PassEnvironment" and value:
        service.skip(line, f"{key}={value}", "is taken from the environment of the service manager")
    elif key == "EnvironmentFile" and value:
        service.follows.append(Follow(value.lstrip("-"), "env", service.source.line(line), wins=True))
    elif key == "ExecStart" and value.lstrip("-@:+!|").strip():
        _exec(service, line, key, value)
    elif key not in _KNOWN and is_stacks(value.lstrip("\"'").partition("=")[0]) and nearest(key, ["Environment"]):
        service.skip(line, f"{key}={value}", "unknown key, which systemd ignores: did you mean Environment=?")


def _environment(service: _Service, line: int, value: str) -> None:
    if not value:
        service.variables.clear()  # an empty assignment takes back what stands before it
    try:
        for word in words(value):
            _assigned(service, line, word)
    except ValueError as reason:
        service.skip(line, f"Environment={value}", f"{reason}: systemd ignores the rest of the line")


def _assigned(service: _Service, line: int, word: str) -> None:
    name, equals, value = word.partition("=")
    specifier = next((found for found in _SPECIFIER.finditer(value) if found[1] != "%"), None)
    if not equals or not is_name(name):
        service.skip(line, word, "is not NAME=value, so systemd ignores it")
    elif specifier is not None:
        why = f"{specifier[0]} is a specifier, which only systemd can resolve; %% is a percent sign"
        service.skip(line, word, why)
        service.variables.pop(name, None)
    else:
        service.variables[name] = Assigned(name, value.replace("%%", "%"), service.source.line(line))


def _literal_words(value: str) -> list[str]:
    try:
        return list(words(value))
    except ValueError:
        return []


def words(value: str) -> Iterator[str]:
    """Yield the words of a line as systemd splits them: quotes anywhere, C escapes also outside quotes."""
    at = 0
    while (at := _past_blanks(value, at)) < len(value):
        word, at = _word(value, at)
        yield word


def _past_blanks(value: str, at: int) -> int:
    while value[at : at + 1] in {" ", "\t", "\n", "\r"}:
        at += 1
    return at


def _word(value: str, at: int) -> tuple[str, int]:
    text, quote = list[str](), ""
    while at < len(value) and (quote or value[at] not in " \t\n\r"):
        character = value[at]
        if character == "\\":
            piece, at = _escaped(value, at)
            text.append(piece)
            continue
        at += 1
        if character in "\"'" and quote in {"", character}:
            quote = "" if quote else character
        else:
            text.append(character)
    if quote:
        raise ValueError("a quotation is never closed")
    return "".join(text), at


def _escaped(value: str, at: int) -> tuple[str, int]:
    match = _ESCAPE.match(value, at)
    if match is None:
        raise ValueError(f"{value[at : at + 2]} is not an escape that systemd knows")
    code = match[1]
    if code in _LETTERS:
        return _LETTERS[code], match.end()
    if code[0] in "\\\"'":
        return code, match.end()
    number = int(code[1:], 16) if code[0] in "xuU" else int(code, 8)
    wide = number > 0x7F and code[0] not in "uU"  # noqa: PLR2004 # a byte that is no character
    if number == 0 or wide or 0xD800 <= number < 0xE000 or number > 0x10FFFF:  # noqa: PLR2004 # the surrogates and the end of Unicode
        raise ValueError(f"\\{code} is not a character")
    return chr(number), match.end()


def _exec(service: _Service, line: int, key: str, value: str) -> None:
    """Take what the command itself gives, e.g. `env A=1`; its quoting is near enough to a shell's for that."""
    text = value.lstrip("-@:+!|")
    if "=" in text.split()[0]:  # a program is called so: systemd knows no assignments before a command
        return
    found = of_line(text, service.source.line(line), f"{key}=")
    service.skipped += found.skipped
    for each in found.assigned:
        if "%" in each.value:
            service.skip(line, f"{each.name}={each.value}", "is computed by systemd when it starts the service")
        else:
            service.given[each.name] = each


def _certainty(source: Source) -> int:
    return 90 if _SECTION.search(source.text) else 0


FORMS: Final = (Form("systemd", "unit or drop-in of systemd", _certainty, read, also=("systemd-user",)),)
