"""Onload's profiles (`.opf`) as data: read as the vendor's wrapper would, without running anything, and written.

For Onload such a file is a text of `/bin/sh`, which its wrapper reads with `.`; `tuner/shell` says what it would do. Here
are the wrapper's own commands. `onload_set` sets and exports what is not set yet, so the first value wins, and the
caller's environment before all; `--force-profiles` turns that round: there the last one wins. `onload_import` reads
another profile. Facts: the wrapper of Onload 8.1 to 9.2, and what it was seen to do.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tuner.errors import Finding, Skipped, UsageError, error, warning
from tuner.shell.commands import first_doubt, forget, known
from tuner.shell.evaluation import run
from tuner.shell.machine import Hosted, Shell, Way
from tuner.shell.state import Cell, Doubt, State, Status, Text, either

MAX_CHARACTERS: Final = 64 * 1024
MOST_IMPORTS: Final = 8
PREFIX: Final = "EF_"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
# Variables of the wrapper itself that a profile may use; --verbose only changes what is printed.
_WRAPPER: Final = {"verbose": "false", "os": "linux", "me": "onload"}
_PRINTS: Final = ("log", "err", "rawecho", "prefix")
_NOT_PRELOADED: Final = frozenset({"LD_PRELOAD", "LD_AUDIT"})


@dataclass(frozen=True, slots=True)
class Source:
    """A profile's text, how messages name it, and where it comes from if that says more."""

    name: str
    text: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What profiles set: `settings` of Onload as a profile of ours holds them, and what is left out, with line and reason.

    `environment` is every variable that the program would get from them, as it is, also those that are not Onload's.
    `findings` say what is left out too, and what was assumed. `complete` is whether nothing else can be set than what
    `settings` and `skipped` name: code that is left out may set anything. `imported` says of each profile that was
    imported where it came from.
    """

    settings: Mapping[str, str]
    environment: Mapping[str, str]
    skipped: tuple[Skipped, ...]
    findings: tuple[Finding, ...]
    complete: bool
    imported: Mapping[str, str]


Importer = Callable[[str], Source | None]
"""Gives the profile that `onload_import` or `.` names, None where there is none."""


def read_opf(
    text: str,
    where: str,
    importer: Importer,
    environment: Mapping[str, str] | None = None,
    *,
    force: bool = False,
) -> Reading:
    """Return what one profile sets for a caller with this `environment`; see `read_profiles`."""
    return read_profiles([Source(where, text)], importer, environment, force=force)


def read_profiles(
    sources: Sequence[Source],
    importer: Importer,
    environment: Mapping[str, str] | None = None,
    *,
    force: bool = False,
) -> Reading:
    """Return what profiles set one after another, as `onload -p A,B` reads them, and what could not be known.

    Nothing is ever executed. Variables of the `environment` that are not given are asked for where something depends on
    them, but for those of Onload, which count as not set. `force` reads as `--force-profiles` does.
    """
    given = environment or {}
    reader = _Reader(importer, force)
    shell = Shell(_state(given, force=force), _hosted(reader))
    for source in sources:
        if not shell.ended:
            _run(source, shell)
    return _reading(_final(shell), given, shell, reader)


def to_opf(settings: Mapping[str, str], name: str) -> str:
    """Return settings as the text of a profile that Onload's wrapper and `read_opf` read back exactly.

    Raise `UsageError` naming the profile for what the wrapper cannot set: an empty value, a quotation mark, a line break.
    """
    wrong = [finding for variable, value in settings.items() for finding in _unwritable(variable, value)]
    if wrong:
        raise UsageError(f"{name} cannot be written as a profile of Onload", findings=wrong)
    return "".join(f"onload_set {variable} {shlex.quote(value)}\n" for variable, value in settings.items())


def _unwritable(variable: str, value: str) -> Iterator[Finding]:
    if not _VARIABLE.fullmatch(variable) or not variable.startswith(PREFIX):
        yield error(variable, "is not a variable of Onload", "an .opf sets names that begin with EF_")
    if not value:
        yield error(variable, "is empty, which onload_set cannot set", "leave it out")
    elif "'" in value or not value.isprintable():
        yield error(variable, f"{value!r} contains a quotation mark or a control character", "remove it")


@dataclass(slots=True)
class _Reader:
    """Where imports come from, whether the last setting wins, the profiles that are open, and what is only told."""

    importer: Importer
    force: bool
    told: list[Finding] = field(default_factory=list)
    imported: dict[str, str] = field(default_factory=dict)
    open_profiles: tuple[str, ...] = ()


def _state(environment: Mapping[str, str], *, force: bool) -> State:
    wrapper = {**_WRAPPER, "profileforce": str(force).lower()}
    state = State(PREFIX, {name: Cell(value) for name, value in wrapper.items()})
    state.cells |= {name: Cell(value, exported=True) for name, value in environment.items()}
    state.arguments = Doubt("the command line", "it depends on the program that is started and its arguments")
    return state


def _hosted(reader: _Reader) -> dict[str, Hosted]:
    printing: dict[str, Hosted] = dict.fromkeys(_PRINTS, _print)
    return {
        **printing,
        "vlog": _print_aloud,
        "onload_set": partial(_set, reader),
        "onload_import": partial(_import, reader),
        ".": partial(_source, reader),
        "fail": _fail,
        "isloaded": _depends,
        "nodrivers": _depends,
    }


def _print(_shell: Shell, _arguments: Sequence[Text], _source: str) -> Status:
    return True


def _print_aloud(_shell: Shell, _arguments: Sequence[Text], _source: str) -> Status:
    """The wrapper's own word for what is printed with -v only; without, it fails, and so does what ends with it."""
    return False


def _fail(shell: Shell, _arguments: Sequence[Text], source: str) -> Status:
    shell.skip(source, "the profile ends the wrapper here: the program is not started")
    shell.leave(Way.EXIT)
    return False


def _depends(shell: Shell, _arguments: Sequence[Text], source: str) -> Status:
    return shell.doubt(f"{source}: it depends on the drivers of the host")


def _run(source: Source, shell: Shell) -> None:
    if len(source.text) > MAX_CHARACTERS:
        shell.file, shell.line = source.name, 1
        forget(shell, source.name, f"it is longer than {MAX_CHARACTERS} characters: no profile")
    else:
        run(source.text, source.name, shell)


def _final(shell: Shell) -> State:
    """Return the state in which the program would be started, or else the one in which the wrapper ends."""
    state = shell.state
    for jump in shell.jumps if state is None else ():
        state = either(state, jump.state, jump.doubt or shell.doubt("it ends in more than one way"))
    return state or State(PREFIX)


def _reading(state: State, given: Mapping[str, str], shell: Shell, reader: _Reader) -> Reading:
    own = {name: _doubt(name, cell) for name, cell in state.cells.items() if name.startswith(PREFIX)}
    unsure = [_unsure(name, doubt) for name, doubt in own.items() if doubt is not None]
    environment = {
        name: cell.text for name, cell in state.cells.items() if cell.exported and isinstance(cell.text, str)
    }
    taken, left = _taken({name: text for name, text in environment.items() if name.startswith(PREFIX)})
    others = [name for name in environment if not name.startswith(PREFIX) and name not in given]
    findings = [
        *(error(each.where, f"syntax error: {each.why}", "a shell stops reading here") for each in shell.faults),
        *(warning(each.where, _left_out(each), _HINT) for each in shell.skipped),
        *(warning(each.where, f"{each.text}: {each.why}") for each in shell.notes),
        *reader.told,
        *(finding for finding, _ in unsure),
        *left,
        *(_foreign(name, environment[name]) for name in others),
        *_end(shell),
    ]
    skipped = [
        *shell.skipped,
        *(skip for _, skip in unsure),
        *(Skipped(one.where, one.where, one.message) for one in left),
    ]
    skipped += [Skipped(name, f"{name}={environment[name]}", "it is not a variable of Onload") for name in others]
    return Reading(taken, environment, tuple(skipped), tuple(findings), state.rest is None, reader.imported)


_HINT: Final = "write what it should set as `onload_set NAME VALUE`"


def _left_out(skipped: Skipped) -> str:
    return f"{skipped.text or 'this'} is left out, nothing of a profile is executed: {skipped.why}"


def _doubt(name: str, cell: Cell) -> Doubt | None:
    """Return why nobody knows what a program gets of a variable, None where that is known."""
    if isinstance(cell.text, Doubt):
        return cell.text
    hidden = cell.exported is None and cell.text is not None
    return Doubt(name, "whether programs see it depends on what is left out") if hidden else None


def _unsure(name: str, doubt: Doubt) -> tuple[Finding, Skipped]:
    hint = f"give its value with --env {doubt.ask}=VALUE" if doubt.ask else _HINT
    return warning(doubt.where, f"{name} is left out: {doubt.why}", hint), Skipped(doubt.where, name, doubt.why)


def _foreign(name: str, value: str) -> Finding:
    more = ": it changes which libraries are loaded" if name in _NOT_PRELOADED else ""
    message = f"is {value!r} for the program unless it is given (--env), is not a variable of Onload, and is left out"
    near = name.upper()
    return warning(name, message + more, f"did you mean {near}?" if near.startswith(PREFIX) else "")


def _end(shell: Shell) -> Iterator[Finding]:
    if shell.ended:
        yield error(shell.file or "profile", "the wrapper ends before it starts the program", "see what ends it above")
    elif shell.jumps and not shell.faults:
        yield warning(shell.file or "profile", "the wrapper may end before it starts the program")


def _taken(settings: Mapping[str, str]) -> tuple[dict[str, str], list[Finding]]:
    """Return the values as a profile of ours can hold them, and what is left out or was changed for that."""
    taken: dict[str, str] = {}
    findings = []
    for name, value in settings.items():
        plain = value.rstrip("\r")
        kept = "the wrapper keeps the carriage return at the end of a line with CRLF"
        if plain == value:
            taken[name] = value
        elif re.fullmatch(r"-?[0-9]+", plain):
            taken[name] = plain
            findings.append(warning(name, f"{kept}: Onload reads {value!r} as {plain}", "convert the file: dos2unix"))
        else:
            findings.append(warning(name, f"is left out: {kept}, as a part of {value!r}", "convert the file: dos2unix"))
        if value.startswith("~"):
            findings.append(warning(name, f"the ~ of {value!r} is not expanded to a home directory", "write $HOME"))
    return taken, findings


def _set(reader: _Reader, shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    """`onload_set`, which fails where it leaves a variable as it is."""
    if not arguments:
        return False
    name = arguments[0]
    if isinstance(name, Doubt):
        return forget(shell, source, name.why)
    variable, value = _assignment(arguments, shell, source, reader)
    if not _VARIABLE.fullmatch(variable):
        shell.skip(source, f"{variable!r} is not the name of a variable")
        return shell.doubt(source)
    cell = shell.now.cell(variable)
    present = cell.text if cell is not None else None
    if present and not reader.force:
        return _keep(variable, present, value, shell, reader)
    shell.assign("VAR", variable)
    shell.assign("VAL", value)
    shell.assign(variable, value, export=True)
    return True


def _keep(variable: str, present: Text, value: Text, shell: Shell, reader: _Reader) -> Status:
    """Leave a variable that is set, or may be. What is in doubt stays so."""
    if isinstance(present, Doubt):
        shell.now.put(variable, Cell(present, exported=None))
        return present
    if present != value:
        message = f"{variable} keeps {present!r}: onload_set changes only what is not set yet"
        reader.told.append(warning(shell.place, message, "--force-profiles of Onload lets the last one win"))
    return False


def _assignment(arguments: Sequence[Text], shell: Shell, source: str, reader: _Reader) -> tuple[str, Text]:
    """Return name and value as the wrapper takes them: NAME VALUE, or fields 1 and 2 of NAME=VALUE."""
    first = str(arguments[0])
    doubt = first_doubt(arguments[1:2])
    if doubt is not None:
        return first, doubt
    if len(arguments) > 1 and arguments[1]:
        return first, _quotable(str(arguments[1]), shell, source)
    if "\\" in first or "\n" in first:
        return first.partition("=")[0], shell.doubt(f"{source}: shells differ in how they print it")
    name, equals, rest = first.partition("=")
    value = rest.partition("=")[0] if equals else first
    if "=" in rest or not equals:
        why = (
            "cuts it at the second ="
            if equals
            else "reads the name as the value, because the value is empty or missing"
        )
        message = f"the wrapper {why}: {name} is {value!r}"
        reader.told.append(warning(shell.place, message, "write `onload_set NAME VALUE`, with a value"))
    return name, _quotable(value, shell, source)


def _quotable(value: str, shell: Shell, source: str) -> Text:
    if "'" in value:
        return shell.doubt(f"{source}: the wrapper can set a quotation mark only where /bin/sh is bash")
    return value


def _import(reader: _Reader, shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    """`onload_import`, which ends with what is printed with -v only, and so fails."""
    if not arguments or arguments[0] == "":
        return forget(shell, source, "onload_import without the name of a profile")
    name = arguments[0]
    if isinstance(name, Doubt):
        return forget(shell, source, name.why)
    done = _read_other(reader, shell, name, arguments[1:], source)
    return done if isinstance(done, Doubt) else False


def _source(reader: _Reader, shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    """`. FILE`: read as an import is where it is a path; else a shell would look for it in PATH."""
    doubt = first_doubt(arguments)
    names = known(arguments)
    if doubt is not None or not names:
        return forget(shell, source, doubt.why if doubt else "it names no file")
    if "/" not in names[0]:
        return forget(shell, source, f"a shell looks for {names[0]} in PATH")
    own = shell.now.arguments
    return _read_other(reader, shell, names[0], [own] if isinstance(own, Doubt) else list(own), source)


def _read_other(reader: _Reader, shell: Shell, name: str, arguments: Sequence[Text], source: str) -> Status:
    if name in reader.open_profiles or len(reader.open_profiles) >= MOST_IMPORTS:
        line = " → ".join([*reader.open_profiles, name])
        return forget(shell, source, f"imports form a circle, or are nested too deeply: {line}")
    found = reader.importer(name)
    if found is None:
        return forget(shell, source, f"there is no profile {name!r} here, and what it sets is not known")
    outer, open_profiles = shell.now.arguments, reader.open_profiles
    shell.now.arguments = first_doubt(arguments) or tuple(known(arguments))
    reader.open_profiles = (*open_profiles, name)
    reader.imported[name] = found.origin or found.name
    _run(Source(f"{shell.place}: {found.name}", found.text), shell)
    reader.open_profiles = open_profiles
    if not shell.ended:
        shell.now.arguments = outer
    return shell.status
