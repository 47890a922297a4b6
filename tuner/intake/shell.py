"""Shell scripts and fragments: exports, one-liners, wrappers, `docker run -e`, `export -p`, `setenv`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tuner.errors import Finding, Skipped, warning
from tuner.intake.form import NAME, Assigned, Form, Group, Reading, Source, lines, shown
from tuner.intake.owners import is_stacks
from tuner.intake.shell_dialects import as_posix
from tuner.intake.shell_run import Given, Walk
from tuner.intake.shell_state import State, Sure, Value, Variable
from tuner.intake.shell_syntax import Body, parse
from tuner.intake.shell_words import Unreadable

_MOST_FAULTS: Final = 20
_PAIR: Final = re.compile(rf"({NAME})=(.*)", re.DOTALL | re.ASCII)
_COMMAND: Final = re.compile(
    r"^\s*(?:export|setenv|declare|typeset|set -|env |sudo |numactl |taskset |nohup |exec |docker |podman |if |for |case |source |\. |ulimit |[A-Za-z_]\w*\s*\(\))",
    re.MULTILINE,
)
_PREFIX: Final = re.compile(rf"^[ \t]*(?:{NAME}=(?:[^\s'\"#;]|'[^']*'|\"[^\"]*\")*[ \t]+)+[./A-Za-z\"$]", re.MULTILINE)
_SEMICOLON: Final = re.compile(rf"^[ \t]*{NAME}=[^\s#'\"]*[ \t]*;", re.MULTILINE)
_COMMENT: Final = re.compile(rf"^[ \t]*{NAME}=[^'\"\n]*[ \t]#", re.MULTILINE)
_ARRAY: Final = re.compile(rf"^[ \t]*{NAME}=(?:\(|\"$|'$)", re.MULTILINE)
_BY_CONDITION: Final = "which value is used is decided when the script runs"
_NOT_EXPORTED: Final = "is not exported here: a program inherits it only after `export` or `set -a`"


def certainty(source: Source) -> int:
    """Return how surely a text is a script, as `Form.certainty` says."""
    if source.text.startswith("#!") and "sh" in source.text.split("\n", 1)[0]:
        return 95
    if source.name.endswith((".sh", ".bash", ".csh", ".profile", ".bashrc")):
        return 70
    patterns = (_COMMAND, _SEMICOLON, _ARRAY, _COMMENT, _PREFIX)
    return 50 if any(pattern.search(source.text) for pattern in patterns) else 5


def read(source: Source) -> Reading:
    """Return what a shell's text sets."""
    body, faults = _parsed(source)
    walk = Walk(source)
    state = walk.follow(body)
    assigned, skipped = _folded(source, state, walk)
    findings = (*_beside(source, walk),)
    return Reading((Group(tuple(assigned), (*skipped, *faults)),), findings, tuple(walk.follows))


def followed(text: str) -> tuple[State, Walk]:
    """Return the variables at the end of a text that a shell can read, and what was met on the way."""
    walk = Walk(Source(text, "text"))
    return walk.follow(parse(text)), walk


def _parsed(source: Source) -> tuple[Body, list[Skipped]]:
    """Return the commands of a text; a line that no shell could read is named and passed."""
    rows = as_posix(source.text).split("\n")
    faults: list[Skipped] = []
    while True:
        try:
            return parse("\n".join(rows)), faults
        except Unreadable as reason:
            at = min(reason.line, len(rows)) - 1
            why = f"a shell stops reading here: {reason.why}"
            faults.append(Skipped(source.line(at + 1), shown(rows[at]), why))
            rows[at] = ""
            if len(faults) > _MOST_FAULTS:
                return Body(()), faults


def _folded(source: Source, state: State, walk: Walk) -> tuple[list[Assigned], list[Skipped]]:
    assigned: dict[str, Assigned] = {}
    skipped: list[Skipped] = list(walk.skipped)
    for name, variable in state.variables.items():
        inside = [_inside(source, name, value) for value in variable.values]
        if not any(inside):
            _take(source, name, state, assigned, skipped)
        for each in dict.fromkeys(each for held in inside for each in held):
            _take_inside([held[each] for held in inside if each in held], assigned, skipped)
    for name in dict.fromkeys(given.name for given in walk.given):
        _take_given(source, [given for given in walk.given if given.name == name], assigned, skipped)
    if walk.clears:
        kept = {given.name for given in walk.given}
        skipped += [_cleared(each) for name, each in assigned.items() if name not in kept]
        assigned = {name: each for name, each in assigned.items() if name in kept}
    return sorted(assigned.values(), key=_line_of), skipped


def _line_of(each: Assigned) -> int:
    return int(each.where.rpartition(" ")[2])


def _cleared(each: Assigned) -> Skipped:
    return Skipped(each.where, f"{each.name}={each.value}", "env -i starts the command without it")


def _take(source: Source, name: str, state: State, assigned: dict[str, Assigned], skipped: list[Skipped]) -> None:
    """Take the value that a variable ends with, or say why there is none."""
    variable = state.get(name)
    if variable.exported is Sure.NO and not is_stacks(name):
        return
    texts = {value.text for value in variable.values if not value.unknown}
    unknown = [value for value in variable.values if value.unknown]
    if unknown or len(texts) > 1:
        skipped += _lost(source, name, variable.values)
    elif texts:
        value = variable.values[-1]
        exports = any(each.exported is not Sure.NO for each in state.variables.values())
        said = "; ".join(filter(None, _doubts(variable, value, exports=exports)))
        assigned[name] = Assigned(name, value.text, source.line(value.line), said)


def _doubts(variable: Variable, value: Value, *, exports: bool) -> Iterator[str]:
    """Yield what is doubtful of a value; a text that `exports` nothing is read with `set -a` by whoever reads it."""
    if value.under:
        yield f"is set {value.under}"
    elif variable.unset:
        yield "may be unset again"
    yield variable.doubt
    if variable.exported is not Sure.YES and not value.under and exports:
        yield _NOT_EXPORTED


def _lost(source: Source, name: str, values: Iterable[Value], several: str = _BY_CONDITION) -> Iterator[Skipped]:
    written = " or ".join(dict.fromkeys(_written(name, value) for value in values))
    for value in values:
        why = value.unknown or f"{several}: {written}"
        yield Skipped(source.line(value.line), shown(_written(name, value)), why)


def _written(name: str, value: Value) -> str:
    return f"{name}={value.written or value.text}"


def _take_given(source: Source, given: list[Given], assigned: dict[str, Assigned], skipped: list[Skipped]) -> None:
    """Take what one command gets; two commands that get different values leave nothing to take."""
    name, values = given[0].name, [each.value for each in given]
    texts = {value.text for value in values}
    if any(value.unknown for value in values) or len(texts) > 1:
        assigned.pop(name, None)
        skipped += _lost(source, name, values, "commands are started with different values")
        return
    last, before = given[-1], assigned.get(name)
    held = before.said if before is not None and before.value == last.value.text else ""
    said = "; ".join(filter(None, (held, f"is set {last.how}", last.value.under)))
    assigned[name] = Assigned(name, last.value.text, source.line(last.value.line), said)


def _take_inside(ways: Sequence[Assigned], assigned: dict[str, Assigned], skipped: list[Skipped]) -> None:
    """Take an assignment that a variable holds, unless it holds one of several by a condition."""
    if len({each.value for each in ways}) == 1:
        assigned[ways[0].name] = ways[0]
        return
    several = " or ".join(f"{each.name}={each.value}" for each in ways)
    why = f"{_BY_CONDITION}: {several}"
    skipped += [Skipped(each.where, shown(f"{each.name}={each.value}"), why) for each in ways]


def _inside(source: Source, holder: str, value: Value) -> dict[str, Assigned]:
    """Return the assignments that a variable or an array holds as its text; the last of a name counts."""
    found = dict[str, Assigned]()
    for text in value.elements or value.text.split():
        match = _PAIR.fullmatch(text)
        if match and is_stacks(match[1]):
            said = "; ".join(filter(None, (f"is part of {holder}", value.under)))
            found[match[1]] = Assigned(match[1], match[2], source.line(value.line), said)
    return found


def _beside(source: Source, walk: Walk) -> Iterator[Finding]:
    for line, text in walk.starts:
        yield warning(source.line(line), f"starts a command with these variables: {shown(text)}")
    for where in walk.unbounded:
        yield warning(where, "may change any variable, so the values set before it are uncertain")
    if any(line.endswith("\r") for _, line in lines(source.text)):
        message = "lines end in CR LF: a shell keeps the carriage return at the end of each value"
        yield warning(source.where, message, "convert the file to LF, for example with dos2unix")


FORMS: Final = (
    Form("sh", "shell script, or lines of it: exports, one-liners, wrappers", certainty, read, also=("wrapper",)),
)
