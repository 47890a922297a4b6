"""Words to texts: variables, `~`, `${name:-word}`, sums, and the splitting of what is not quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tuner.shell import arithmetic, patterns
from tuner.shell.machine import Shell, Unknown
from tuner.shell.state import Doubt, Text
from tuner.shell.syntax import Arithmetic, Literal, Parameter, Part, Unreadable, Word

_BLANKS: Final = " \t\n"
_BRACES: Final = re.compile(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}")
_GLOB: Final = re.compile(r"[*?]|\[.*\]", re.DOTALL)
_FILES: Final = "names of files would be looked up: put it in quotes"
_DIFFERENT: Final = "shells read it differently"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A text that a part of a word became: literal or not (then it is split), protected by quotes or not."""

    text: str
    quoted: bool
    literal: bool


def text(word: Word, shell: Shell, *, assigned: bool = False) -> Text:
    """Return what a word says where it is neither split nor looked up as a file, or the doubt about it.

    In what is `assigned` a `~` also counts behind a `:`.
    """
    try:
        return "".join(piece.text for piece in _pieces(word, shell, everywhere=assigned))
    except Unknown as reason:
        return reason.doubt


def fields(word: Word, shell: Shell) -> list[Text]:
    """Return the texts that a word becomes as part of a command: none, one, or several; or the doubt about it."""
    try:
        if _is_all_arguments(word):
            return list(_arguments(shell))
        pieces = list(_pieces(word, shell))
        _refuse_braces(word, shell)
        return list(_split(pieces, shell))
    except Unknown as reason:
        return [reason.doubt]


def pattern(word: Word, shell: Shell) -> patterns.Pattern | Doubt:
    """Return the pattern that a word is, or the doubt about it."""
    try:
        return patterns.pattern((piece.text, piece.quoted) for piece in _pieces(word, shell))
    except Unknown as reason:
        return reason.doubt
    except patterns.Unclear as reason:
        return shell.doubt(f"{word.source}: {_DIFFERENT}: {reason}")


def _is_all_arguments(word: Word) -> bool:
    match word.parts:
        case (Literal("", True), Parameter("@", True, "")):
            return True
    return False


def _arguments(shell: Shell) -> tuple[str, ...]:
    arguments = shell.now.arguments
    if isinstance(arguments, Doubt):
        raise Unknown(arguments)
    return arguments


def _refuse_braces(word: Word, shell: Shell) -> None:
    for part in word.parts:
        if isinstance(part, Literal) and not part.quoted and _BRACES.search(part.text):
            raise Unknown(shell.doubt(f"{word.source}: {_DIFFERENT}: put it in quotes"))


def _split(pieces: Sequence[_Piece], shell: Shell) -> Iterator[str]:
    """Yield the fields of a word: what expansions brought in is split at blanks, quoted and literal text is not."""
    current, begun, open_text = "", False, ""
    for piece in pieces:
        if piece.quoted or piece.literal:
            current, begun = current + piece.text, True
            open_text += "" if piece.quoted else piece.text
            continue
        _refuse_separators(piece.text, shell)
        for number, part in enumerate(re.split(rf"[{_BLANKS}]+", piece.text)):
            if number and begun:
                yield _no_files(current, open_text, shell)
            if number:
                current, begun, open_text = "", False, ""
            current, begun, open_text = current + part, begun or part != "", open_text + part
    if begun:
        yield _no_files(current, open_text, shell)


def _refuse_separators(expanded: str, shell: Shell) -> None:
    separators = shell.now.cells.get("IFS")
    if separators is not None and not expanded.isalnum() and expanded:
        raise Unknown(shell.doubt("IFS is changed, so words are split differently"))


def _no_files(field: str, unquoted: str, shell: Shell) -> str:
    if _GLOB.search(unquoted):
        raise Unknown(shell.doubt(f"{field}: {_FILES}"))
    return field


def _pieces(word: Word, shell: Shell, *, everywhere: bool = False) -> Iterator[_Piece]:
    for number, part in enumerate(word.parts):
        if isinstance(part, Literal) and not part.quoted:
            last = number == len(word.parts) - 1
            yield from _tilde(part.text, shell, first=number == 0, last=last, everywhere=everywhere)
        else:
            yield from _piece(part, shell)


def _tilde(text: str, shell: Shell, *, first: bool, last: bool, everywhere: bool) -> Iterator[_Piece]:
    """Yield literal text with `~` as the user's home, at its beginning or, `everywhere`, behind a `:`."""
    parts = text.split(":") if everywhere else [text]
    for number, part in enumerate(parts):
        if number:
            yield _Piece(":", quoted=False, literal=True)
        whole = last or number < len(parts) - 1 or "/" in part
        if part.startswith("~") and (first or number) and whole:
            name, _, _ = part[1:].partition("/")
            yield _Piece(_home(name, shell), quoted=True, literal=True)
            part = part[1 + len(name) :]  # noqa: PLW2901 what is left of it
        yield _Piece(part, quoted=False, literal=True)


def _home(name: str, shell: Shell) -> str:
    if name:
        raise Unknown(shell.doubt(f"~{name} is another user's home"))
    return variable("HOME", shell, "~")


def variable(name: str, shell: Shell, source: str = "") -> str:
    """Return a variable's text, empty where it is not set; raise `Unknown` where that is not known."""
    found = _known(name, shell)
    if found is None:
        raise Unknown(_asked(name, shell, source or f"${name}"))
    return found[0] or ""


def _known(name: str, shell: Shell) -> tuple[str | None] | None:
    """Return what is known of a variable (its text, or None for not set), None where only the caller knows."""
    cell = shell.now.cell(name)
    if cell is None:
        return None
    if isinstance(cell.text, Doubt):
        raise Unknown(cell.text)
    return (cell.text,)


def _asked(name: str, shell: Shell, source: str) -> Doubt:
    return shell.doubt(f"it depends on {source}, and {name} is not given", ask=name)


def _piece(part: Part, shell: Shell) -> Iterator[_Piece]:
    match part:
        case Literal(text, quoted):
            yield _Piece(text, quoted, literal=True)
        case Unreadable(source, why):
            raise Unknown(
                shell.may_end(f"{source}: {why}") if source.startswith("${") else shell.doubt(f"{source}: {why}")
            )
        case Arithmetic(formula, quoted):
            yield _Piece(_sum(formula, shell), quoted, literal=False)
        case Parameter():
            yield from _parameter(part, shell)


def _sum(formula: Word, shell: Shell) -> str:
    written = "".join(piece.text for piece in _pieces(formula, shell))
    try:
        return str(
            arithmetic.value(
                written,
                lambda name: variable(name, shell),
                lambda name, number: shell.assign(name, str(number)),
            )
        )
    except arithmetic.Unclear as reason:
        raise Unknown(shell.may_end(f"the sum {written.strip()!r} cannot be read: {reason}")) from reason
    except Unknown as reason:
        # What is not known may be no number, at which shells end.
        shell.may_end(reason.doubt.why)
        raise


def _parameter(part: Parameter, shell: Shell) -> Iterator[_Piece]:
    if part.length:
        yield _Piece(str(len(_plain(part, shell))), part.quoted, literal=False)
    elif part.operator in {"#", "##", "%", "%%"}:
        yield _Piece(_cut(part, shell), part.quoted, literal=False)
    elif part.operator:
        yield from _SUBSTITUTES[part.operator[-1]](part, shell)
    else:
        yield _Piece(_plain(part, shell), part.quoted, literal=False)


def _plain(part: Parameter, shell: Shell) -> str:
    name = part.name
    if name in {"@", "*"} or name.isdigit() or name == "#":
        return _positional(name, shell)
    if name == "?":
        if shell.status is True:
            return "0"
        raise Unknown(shell.doubt("$? is the status of a command"))
    if not (name[0].isalpha() or name[0] == "_"):
        raise Unknown(shell.doubt(f"${name} is known only to a running shell"))
    return variable(name, shell, _source(part))


def _positional(name: str, shell: Shell) -> str:
    if name == "0":
        raise Unknown(shell.doubt("$0 is known only to a running shell"))
    arguments = _arguments(shell)
    if name == "#":
        return str(len(arguments))
    if name in {"@", "*"}:
        return " ".join(arguments)
    number = int(name)
    return arguments[number - 1] if number <= len(arguments) else ""


def _source(part: Parameter) -> str:
    inner = f"{part.operator}{part.word.source}" if part.word else ""
    return f"${{{part.name}{inner}}}" if inner else f"${part.name}"


def _set(part: Parameter, shell: Shell) -> str | None:
    """Return the text of a parameter as its operator sees it: None where it counts as not set."""
    if not (part.name[0].isalpha() or part.name[0] == "_"):
        found: str | None = _plain(part, shell)
        if part.name.isdigit() and int(part.name) > len(_arguments(shell)):
            found = None
    else:
        known = _known(part.name, shell)
        if known is None:
            raise _NotGiven
        found = known[0]
    return None if found == "" and part.operator.startswith(":") else found


class _NotGiven(Exception):
    """Only the caller knows whether the variable is set."""


def _word_of(part: Parameter, shell: Shell) -> Iterator[_Piece]:
    for piece in _pieces(part.word, shell) if part.word else ():
        yield _Piece(piece.text, piece.quoted or part.quoted, literal=False)


def _default(part: Parameter, shell: Shell) -> Iterator[_Piece]:
    """`${name:-word}` and `${name:=word}`: the word, where the variable is not set. Said where nobody knows that."""
    try:
        found = _set(part, shell)
    except _NotGiven:
        found = None
        said = "".join(piece.text for piece in _word_of(part, shell))
        shell.note(_source(part), f"it is {said!r} unless {part.name} is set")
    if found is not None:
        yield _Piece(found, part.quoted, literal=False)
        return
    pieces = list(_word_of(part, shell))
    if part.operator.endswith("="):
        shell.assign(part.name, "".join(piece.text for piece in pieces))
    yield from pieces or [_Piece("", part.quoted, literal=False)]


def _alternative(part: Parameter, shell: Shell) -> Iterator[_Piece]:
    """`${name:+word}`: the word, where the variable is set."""
    found = _set_or_asked(part, shell)
    pieces = list(_word_of(part, shell)) if found is not None else []
    yield from pieces or [_Piece("", part.quoted, literal=False)]


def _required(part: Parameter, shell: Shell) -> Iterator[_Piece]:
    """`${name:?word}`: a shell ends where the variable is not set."""
    try:
        found = _set_or_asked(part, shell)
    except Unknown:
        shell.may_end(f"{_source(part)} ends the shell where {part.name} is not set")
        raise
    if found is None:
        raise Unknown(shell.may_end(f"{_source(part)} ends the shell, because {part.name} is not set"))
    yield _Piece(found, part.quoted, literal=False)


def _set_or_asked(part: Parameter, shell: Shell) -> str | None:
    try:
        return _set(part, shell)
    except _NotGiven:
        raise Unknown(_asked(part.name, shell, _source(part))) from None


_SUBSTITUTES: Final[Mapping[str, Callable[[Parameter, Shell], Iterator[_Piece]]]] = {
    "-": _default,
    "=": _default,
    "+": _alternative,
    "?": _required,
}


def _cut(part: Parameter, shell: Shell) -> str:
    found = _plain(part, shell)
    wanted = pattern(part.word, shell) if part.word else ()
    if isinstance(wanted, Doubt):
        raise Unknown(wanted)
    try:
        return patterns.without(wanted, found, part.operator)
    except patterns.Unclear as reason:
        raise Unknown(shell.doubt(f"{_source(part)} cannot be read: {reason}")) from reason
