r"""Files and dumps of NAME=value, as each of their readers takes them.

`EnvironmentFile=` of systemd has quotes, `\` at a line's end and comments only where a line begins (systemd.exec(5));
`docker run --env-file` has none of these (docker's documentation of `--env-file`: lines, `#` at the beginning of one);
the output of `env` and `/proc/PID/environ` are bytes as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tuner.errors import Skipped, warning
from tuner.intake.form import NAME, Assigned, Form, Reading, Source, is_name, lines, only, shown
from tuner.intake.owners import is_stacks

BOM: Final = "\ufeff"
MAYBE: Final = 2
_BLANKS: Final = " \t\n\r"
_MARKED: Final = "begins with a byte order mark: docker skips it, systemd and a shell read it as part of the name"
_LF: Final = "\n"
_EXPANDED: Final = re.compile(r"[A-Za-z_{(]")
_ESCAPED: Final = frozenset('"\\$`')
_ANY: Final = re.compile(
    rf"\s*(?:export\s+)?{NAME}\s*=(?:[^\s'\"]*|'[^']*'|\"[^\"]*\"|[^\s='\"]+[^='\"]*)\s*;?\s*(?:\s#.*)?\r?$", re.ASCII
)
# Names that stand in the environment of every login, and hardly in a file that somebody writes.
_DUMPED: Final = re.compile(r"^(?:_|PWD|OLDPWD|SHLVL|LS_COLORS|BASH_FUNC_\S+)=", re.MULTILINE)


@dataclass(slots=True)
class _Machine:
    """The reader of an environment file of systemd, one character after the other."""

    text: str
    at: int = 0
    line: int = 1
    expands: str = ""

    def next(self) -> str:
        """Return the next character and pass it, empty at the end."""
        character = self.text[self.at : self.at + 1]
        self.at += 1
        self.line += character == "\n"
        return character

    def meets(self, character: str) -> None:
        """Note a `$` or a back quote by which a shell would replace a part of the value."""
        if character == "`" or (character == "$" and _EXPANDED.match(self.text, self.at)):
            self.expands = self.expands or f"{character}{self.text[self.at : self.at + 12].split(_LF)[0]}"


def pairs(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, name and value of each assignment that systemd finds, and what in the value a shell would replace."""
    machine = _Machine(text)
    while machine.at < len(text):
        first = machine.next()
        if first in "#;":
            _comment(machine)
        elif first not in _BLANKS:
            line = machine.line
            name = _name(machine, first)
            if name is not None:
                machine.expands = ""
                yield line, name.rstrip(_BLANKS), _value(machine), machine.expands


def _comment(machine: _Machine) -> None:
    while (character := machine.next()) not in {"", "\n", "\r"}:
        if character == "\\":
            following = machine.next()
            if following in {"\n", "\r"}:  # from v254 on a comment ends with its line; before, it went on
                return


def _name(machine: _Machine, first: str) -> str | None:
    name = [first]
    while (character := machine.next()) != "=":
        if character in {"", "\n", "\r"}:
            return None
        name.append(character)
    return "".join(name)


def _value(machine: _Machine) -> str:
    """Return a value up to the end of its line; quotes open only where a word of it may begin."""
    value, solid, begins = list[str](), 0, True
    while (character := machine.next()) not in {"", "\n", "\r"}:
        if begins and character in "'\"":
            value.append(_quoted(machine, character))
            solid = len(value)
        elif character == "\\":
            following = machine.next()
            value.append("" if following in {"\n", "\r"} else following)
            begins, solid = False, len(value)
        elif not (begins and character in _BLANKS):
            machine.meets(character)
            value.append(character)
            begins = False
            solid = solid if character in _BLANKS else len(value)
    return "".join(value[:solid])


def _quoted(machine: _Machine, quote: str) -> str:
    text = list[str]()
    while (character := machine.next()) not in {"", quote}:
        if character != "\\" or quote == "'":
            if quote != "'":
                machine.meets(character)
            text.append(character)
            continue
        following = machine.next()
        if following in _ESCAPED:
            text.append(following)
        elif following not in {"", "\n"}:
            text.append("\\" + following)
    return "".join(text)


def read_env(source: Source) -> Reading:
    """Return what systemd takes from an environment file."""
    assigned, skipped = list[Assigned](), list[Skipped]()
    for line, name, value, expands in pairs(source.text):
        if expands and is_name(name):
            why = f"{expands} is text for systemd, and a shell would replace it; nothing is expanded here"
            skipped.append(Skipped(source.line(line), shown(f"{name}={value}"), why))
        elif is_name(name):
            assigned.append(Assigned(name, value, source.line(line)))
        else:
            skipped.append(Skipped(source.line(line), shown(f"{name}={value}"), _misnamed(name)))
    return only(assigned, skipped)


def _misnamed(name: str) -> str:
    if name.startswith(BOM):
        return "begins with a byte order mark, which systemd reads as part of the name: save the file without it"
    if name.startswith("export "):
        return "systemd reads `export` as part of the name: a line of an EnvironmentFile is NAME=value"
    return "is not a valid name of a variable, so systemd ignores it"


def read_docker(source: Source) -> Reading:
    """Return what docker's client takes from the file of `--env-file`."""
    assigned, skipped = list[Assigned](), list[Skipped]()
    for number, whole in lines(source.text.removeprefix(BOM)):
        line = whole.removesuffix("\r").lstrip(" \t\v\f\r\x85\xa0")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            skipped.append(
                Skipped(
                    source.line(number),
                    shown(line),
                    "is taken from the environment of the process that starts the container",
                )
            )
        elif any(character in name for character in " \t"):
            why = "docker refuses the whole file: a name must not contain blanks" + _without_blanks(line)
            skipped.append(Skipped(source.line(number), shown(line), why))
        else:
            assigned.append(Assigned(name, value, source.line(number)))
    reading = only(assigned, skipped)
    return replace(reading, findings=(warning(source.line(1), _MARKED),)) if source.text.startswith(BOM) else reading


def _without_blanks(line: str) -> str:
    meant = re.match(rf"({NAME})\s*=\s*(\S+)\s*$", line, re.ASCII)
    return f"; did you mean {meant[1]}={meant[2]}?" if meant else ""


def read_environ(source: Source) -> Reading:
    """Return what a process has in `/proc/PID/environ`."""
    found = [entry.partition("=") for entry in source.text.split("\0")]
    return only([Assigned(name, value, source.where) for name, equals, value in found if equals])


def read_dump(source: Source) -> Reading:
    """Return what `env` or `printenv` printed; a line that is no NAME=value goes on with the value above it."""
    assigned: list[Assigned] = []
    for number, line in lines(source.text):
        name, equals, value = line.removesuffix("\r").partition("=")
        if equals and re.fullmatch(rf"{NAME}|BASH_FUNC_\S+", name):
            assigned.append(Assigned(name, value, source.line(number)))
        elif assigned and line and not is_stacks(assigned[-1].name):
            last = assigned[-1]
            assigned[-1] = Assigned(last.name, f"{last.value}\n{line}", last.where)
    return only(assigned)


def _is_environ(source: Source) -> int:
    return 100 if "\0" in source.text else 0


def _is_dump(source: Source) -> int:
    rows = [line for _, line in lines(source.text) if line.strip()]
    plain = sum(1 for line in rows if re.match(rf"{NAME}=|BASH_FUNC_", line))
    names = len(set(_DUMPED.findall(source.text)))
    return (
        75 if names and plain * 2 > len(rows) and not re.search(r"^\s*(?:#|export )", source.text, re.MULTILINE) else 0
    )


def _is_env(source: Source) -> int:
    text = source.text.removeprefix(BOM)
    rows = [line for _, line in lines(text) if line.strip() and not line.lstrip().startswith(("#", ";"))]
    plain = sum(1 for line in rows if re.match(rf"\s*{NAME}=", line))
    return 40 if rows and plain * 2 >= len(rows) else MAYBE


def _is_docker(source: Source) -> int:
    """Only docker passes over the mark at the beginning."""
    return 45 if source.text.startswith(BOM) and _is_env(source) > MAYBE else 1


def plain(text: str) -> bool:
    """Return whether each line of a text is an assignment, a comment or empty: several programs read such files."""
    rows = (line for _, line in lines(text.removeprefix(BOM)))
    return all(not line.strip() or line.lstrip().startswith("#") or _ANY.match(line) for line in rows)


FORMS: Final = (
    Form("env", "NAME=value lines as systemd's EnvironmentFile= reads them", _is_env, read_env),
    Form("docker", "file of `docker run --env-file`", _is_docker, read_docker),
    Form("environ", "/proc/PID/environ", _is_environ, read_environ, names_others=False),
    Form("dump", "output of `env` or `printenv`", _is_dump, read_dump, names_others=False),
)
