"""Commands: lists, pipelines, blocks, functions, redirections and here-documents, read one complete command at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tuner.shell.scanner import Scanner
from tuner.shell.syntax import (
    Apart,
    Arm,
    Assignment,
    Block,
    Branch,
    Case,
    Command,
    For,
    Foreign,
    Function,
    Joined,
    Joint,
    Loop,
    Pipeline,
    Redirect,
    Redirected,
    Simple,
    Unreadable,
    Word,
)
from tuner.shell.words import NAME, word

_RESERVED: Final = re.compile(
    r"(?:if|then|elif|else|fi|while|until|do|done|for|case|esac|\{|\}|!|\[\[|function|select|time)(?=[ \t\n;&|<>()]|\\\n|$)"
)
_REDIRECT: Final = re.compile(r"[0-9]*(?P<operator><<<|<<-|<<|<&|<>|>>|>&|>\||<|>)|(?P<both>&>>?)")
_ASSIGNMENT: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<more>\+)?=", re.ASCII)
_FUNCTION: Final = re.compile(r"[ \t]*\([ \t]*\)")
_SUM: Final = re.compile(r"\(\([^\n]*?\)\)")
_ASSIGNS: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):?=", re.ASCII)
_NOT_EVERYWHERE: Final = "only some shells accept it"


@dataclass(slots=True)
class _Reader:
    """A scanner and the here-documents whose bodies begin behind this line."""

    scanner: Scanner
    waiting: list[str] = field(default_factory=list)
    tabs: list[bool] = field(default_factory=list)


def commands(text: str) -> Iterator[Command]:
    """Yield the complete commands of a text as a shell would: those before a syntax error come before the `Fault`."""
    reader = _Reader(Scanner(text, _skip_commands))
    while True:
        _skip_lines(reader)
        if reader.scanner.ended:
            return
        yield _line(reader)


def _skip_commands(scanner: Scanner) -> None:
    """Go over the commands of `$(…)` and the bracket that ends them."""
    reader = _Reader(scanner)
    _block(reader, frozenset())
    if not scanner.take(")"):
        raise scanner.fault("the bracket of $( is missing")


def _line(reader: _Reader) -> Command:
    """Return the list of commands up to the end of its line."""
    scanner = reader.scanner
    found: list[Command] = []
    while True:
        found.append(_and_or(reader))
        scanner.skip_blanks()
        ends = _separator(reader, found)
        scanner.skip_blanks()
        if scanner.ended or scanner.ahead("\n"):
            _end_of_line(reader)
            return found[0] if len(found) == 1 else Block(tuple(found))
        if not ends:
            raise scanner.fault(f"{scanner.peek()!r} found where a command cannot continue")


def _separator(reader: _Reader, found: list[Command]) -> bool:
    """Go over `;` or `&`; what stands before `&` runs apart."""
    scanner = reader.scanner
    if scanner.ahead(";;") or scanner.ahead("&&"):
        return False
    if scanner.take(";"):
        return True
    if scanner.take("&"):
        found[-1] = Apart(found[-1], background=True)
        return True
    return False


def _block(reader: _Reader, ends: frozenset[str]) -> Block:
    """Return commands up to one of the reserved words `ends`, a `)` or a `;;`, which are not gone over."""
    scanner = reader.scanner
    found: list[Command] = []
    scanner.deeper()
    while True:
        _skip_lines(reader)
        if scanner.ended or scanner.ahead(")") or scanner.ahead(";;") or _reserved(scanner) in ends:
            break
        found.append(_and_or(reader))
        scanner.skip_blanks()
        if not _separator(reader, found) and not scanner.ahead("\n"):
            break
    scanner.higher()
    return Block(tuple(found))


def _body(reader: _Reader, *ends: str) -> Block:
    """Return the commands of a compound, of which there must be one."""
    found = _block(reader, frozenset(ends))
    if not found.commands:
        raise reader.scanner.fault("a command is missing")
    return found


def _skip_lines(reader: _Reader) -> None:
    while True:
        reader.scanner.skip_blanks()
        if not reader.scanner.ahead("\n"):
            return
        _end_of_line(reader)


def _end_of_line(reader: _Reader) -> None:
    """Go over a line's end and the here-documents that begin behind it."""
    scanner = reader.scanner
    scanner.take("\n")
    for end, tabs in zip(reader.waiting, reader.tabs, strict=True):
        _skip_document(scanner, end, tabs=tabs)
    reader.waiting.clear()
    reader.tabs.clear()


def _skip_document(scanner: Scanner, end: str, *, tabs: bool) -> None:
    while not scanner.ended:
        stop = scanner.text.find("\n", scanner.at)
        line = scanner.text[scanner.at : stop if stop >= 0 else len(scanner.text)]
        scanner.at = stop + 1 if stop >= 0 else len(scanner.text)
        if (line.lstrip("\t") if tabs else line) == end:
            return


def _reserved(scanner: Scanner) -> str:
    """Return the reserved word that comes next, empty where none does."""
    found = _RESERVED.match(scanner.text, scanner.at)
    return found[0] if found else ""


def _expect(reader: _Reader, wanted: str) -> None:
    _skip_lines(reader)
    if _reserved(reader.scanner) != wanted:
        raise reader.scanner.fault(f"{wanted} is missing")
    reader.scanner.take(wanted)


def _and_or(reader: _Reader) -> Command:
    left = _pipeline(reader)
    while True:
        reader.scanner.skip_blanks()
        joint = next((each for each in Joint if reader.scanner.ahead(each)), None)
        if joint is None:
            return left
        reader.scanner.take(joint)
        _skip_lines(reader)
        left = Joined(left, joint, _pipeline(reader))


def _pipeline(reader: _Reader) -> Command:
    scanner, line = reader.scanner, reader.scanner.line
    negated = False
    if _reserved(scanner) == "!":
        scanner.take("!")
        scanner.skip_blanks()
        negated = True
    found = [_command(reader)]
    scanner.skip_blanks()
    while scanner.ahead("|") and not scanner.ahead("||"):
        scanner.take("|")
        scanner.take("&")
        _skip_lines(reader)
        found.append(_command(reader))
        scanner.skip_blanks()
    return found[0] if len(found) == 1 and not negated else Pipeline(line, tuple(found), negated)


def _command(reader: _Reader) -> Command:
    scanner, line = reader.scanner, reader.scanner.line
    begin = scanner.at
    reserved = _reserved(scanner)
    if reserved in _COMPOUNDS or reserved in _FOREIGN or scanner.ahead("("):
        scanner.deeper()
        found = _compound(reader, begin, line)
        scanner.higher()
        redirects = _redirects(reader)
        return Redirected(line, found, redirects) if redirects else found
    if reserved == "!":
        raise scanner.fault("two ! in a row, which some shells refuse")
    if reserved and reserved != "time":
        raise scanner.fault(f"{reserved} found where a command cannot begin")
    return _simple(reader)


def _compound(reader: _Reader, begin: int, line: int) -> Command:
    scanner = reader.scanner
    reserved = _reserved(scanner)
    if scanner.match(_SUM):
        return _foreign(scanner, begin, line)
    if scanner.take("("):
        body = _body(reader)
        if not scanner.take(")"):
            raise scanner.fault("the bracket of ( is missing")
        return Apart(body)
    scanner.take(reserved)
    if reserved in _FOREIGN:
        return _FOREIGN[reserved](reader, begin, line)
    return _COMPOUNDS[reserved](reader)


def _while(reader: _Reader) -> Command:
    return _loop(reader, until=False)


def _until(reader: _Reader) -> Command:
    return _loop(reader, until=True)


def _loop(reader: _Reader, *, until: bool) -> Command:
    line = reader.scanner.line
    condition = _body(reader, "do")
    return Loop(line, until, condition, _do(reader))


def _group(reader: _Reader) -> Command:
    body = _body(reader, "}")
    _expect(reader, "}")
    return body


def _foreign(scanner: Scanner, begin: int, line: int) -> Foreign:
    source = scanner.text[begin : scanner.at]
    names = tuple(dict.fromkeys(NAME.findall(source))) if source.startswith("((") else ()
    return Foreign(line, source, names)


def _double_bracket(reader: _Reader, begin: int, line: int) -> Foreign:
    scanner = reader.scanner
    while not scanner.ended:
        _skip_lines(reader)
        if _reserved_end(scanner):
            return _foreign(scanner, begin, line)
        if word(scanner) is None:
            scanner.at += 1
    raise scanner.fault("]] is missing")


def _reserved_end(scanner: Scanner) -> bool:
    return scanner.match(re.compile(r"\]\](?=[ \t\n;&|<>()]|$)")) is not None


def _foreign_function(reader: _Reader, begin: int, line: int) -> Command:
    """Return `function name { … }` as a function of which nobody knows what it does: some shells have no such word."""
    scanner = reader.scanner
    scanner.skip_blanks()
    name = word(scanner)
    scanner.match(_FUNCTION)
    _skip_lines(reader)
    _command(reader)
    if name is None or not name.bare:
        raise scanner.fault("a function has no name")
    return Function(name.bare, Foreign(line, scanner.text[begin : scanner.at], anything=True))


def _branch(reader: _Reader) -> Command:
    condition = _body(reader, "then")
    _expect(reader, "then")
    then = _body(reader, "elif", "else", "fi")
    otherwise: Command = Block(())
    _skip_lines(reader)
    if _reserved(reader.scanner) == "elif":
        reader.scanner.take("elif")
        reader.scanner.deeper()
        otherwise = _branch(reader)
        reader.scanner.higher()
        return Branch(condition, then, otherwise)
    if _reserved(reader.scanner) == "else":
        reader.scanner.take("else")
        otherwise = _body(reader, "fi")
    _expect(reader, "fi")
    return Branch(condition, then, otherwise)


def _do(reader: _Reader) -> Block:
    _expect(reader, "do")
    body = _body(reader, "done")
    _expect(reader, "done")
    return body


def _for(reader: _Reader) -> For:
    scanner, line = reader.scanner, reader.scanner.line
    scanner.skip_blanks()
    name = word(scanner)
    if name is None or not NAME.fullmatch(name.bare):
        raise scanner.fault("a loop has no name for its variable")
    words = _for_words(reader)
    return For(line, name.bare, words, _do(reader))


def _select(reader: _Reader, begin: int, line: int) -> Foreign:
    loop = _for(reader)
    return Foreign(line, reader.scanner.text[begin : reader.scanner.at], (loop.name, "REPLY"))


def _for_words(reader: _Reader) -> tuple[Word, ...] | None:
    scanner = reader.scanner
    _skip_lines(reader)
    if scanner.match(re.compile(r"in(?=[ \t\n;]|$)")) is None:
        scanner.take(";")
        return None
    words = []
    scanner.skip_blanks()
    while found := word(scanner):
        words.append(found)
        scanner.skip_blanks()
    if not scanner.take(";") and not scanner.ahead("\n"):
        raise scanner.fault("the words of a loop do not end")
    return tuple(words)


def _case(reader: _Reader) -> Case:
    scanner = reader.scanner
    scanner.skip_blanks()
    subject = word(scanner)
    _skip_lines(reader)
    if subject is None or scanner.match(re.compile(r"in(?=[ \t\n#]|$)")) is None:
        raise scanner.fault("a case has no word, or no `in`")
    arms: list[Arm] = []
    while True:
        _skip_lines(reader)
        if _reserved(scanner) == "esac":
            scanner.take("esac")
            return Case(subject, tuple(arms))
        arms.append(_arm(reader))


def _arm(reader: _Reader) -> Arm:
    scanner = reader.scanner
    scanner.take("(")
    patterns: list[Word] = []
    while True:
        scanner.skip_blanks()
        found = word(scanner)
        if found is None:
            raise scanner.fault("a pattern of a case is missing")
        patterns.append(found)
        scanner.skip_blanks()
        if scanner.take(")"):
            break
        if not scanner.take("|"):
            raise scanner.fault("a pattern of a case does not end")
    body = _block(reader, frozenset({"esac"}))
    if not scanner.take(";;") and _reserved(scanner) != "esac":
        raise scanner.fault(";; or esac is missing")
    if scanner.ahead("&"):
        raise scanner.fault("`;;&` is read by some shells only")
    return Arm(tuple(patterns), body)


def _simple(reader: _Reader) -> Command:
    scanner, line, begin = reader.scanner, reader.scanner.line, reader.scanner.at
    assignments: list[Assignment] = []
    words: list[Word] = []
    redirects: list[Redirect] = []
    while True:
        scanner.skip_blanks()
        if redirect := _redirect(reader):
            redirects.append(redirect)
        elif not words and (assignment := _assignment(scanner)):
            assignments.append(assignment)
        elif found := word(scanner):
            words.append(found)
            if len(words) == 1 and not assignments and scanner.match(_FUNCTION):
                return _function(reader, found)
        else:
            break
    if not (assignments or words or redirects):
        what = repr(scanner.peek()) if not scanner.ended else "the end"
        raise scanner.fault(f"{what} found where a command is expected")
    return Simple(line, scanner.text[begin : scanner.at].rstrip(), tuple(assignments), tuple(words), tuple(redirects))


def _function(reader: _Reader, name: Word) -> Function:
    _skip_lines(reader)
    if not NAME.fullmatch(name.bare):
        raise reader.scanner.fault(f"{name.source!r} is not a valid function name")
    reader.scanner.deeper()
    body = _command(reader)
    reader.scanner.higher()
    if isinstance(body, Simple):
        raise reader.scanner.fault("the body of a function is in no brackets, which only some shells accept")
    return Function(name.bare, body)


def _assignment(scanner: Scanner) -> Assignment | None:
    begin, line = scanner.at, scanner.line
    found = scanner.match(_ASSIGNMENT)
    if found is None:
        return None
    value = word(scanner) or Word("", (), line)
    if scanner.ahead("(") and not value.parts:
        value = _array(scanner, begin, line)
    elif found["more"]:
        value = Word(value.source, (Unreadable(scanner.text[begin : scanner.at], _NOT_EVERYWHERE),), line)
    return Assignment(found["name"], value)


def _array(scanner: Scanner, begin: int, line: int) -> Word:
    """Return the words of an array, which POSIX does not have, as something unknown."""
    scanner.take("(")
    while not scanner.take(")"):
        if scanner.ended:
            raise scanner.fault("the bracket of an array is missing")
        if word(scanner) is None:
            scanner.at += 1
    source = scanner.text[begin : scanner.at]
    return Word(source, (Unreadable(source, _NOT_EVERYWHERE),), line)


def _redirects(reader: _Reader) -> tuple[Redirect, ...]:
    found: list[Redirect] = []
    while True:
        reader.scanner.skip_blanks()
        redirect = _redirect(reader)
        if redirect is None:
            return tuple(found)
        found.append(redirect)


def _redirect(reader: _Reader) -> Redirect | None:
    scanner = reader.scanner
    match = scanner.match(_REDIRECT)
    if match is None:
        return None
    operator = match["operator"] or match["both"]
    scanner.skip_blanks()
    target = word(scanner)
    if target is None and scanner.ahead("("):  # <(…) is read by some shells only
        scanner.take("(")
        scanner.skip_commands(scanner)
        return Redirect(operator, Word("(…)", (Unreadable("(…)", _NOT_EVERYWHERE),), scanner.line))
    if target is None:
        raise scanner.fault("a redirection has no target")
    if operator not in {"<<", "<<-"}:
        return Redirect(operator, target)
    return _here_document(reader, target, tabs=operator == "<<-")


def _here_document(reader: _Reader, target: Word, *, tabs: bool) -> Redirect:
    """Note that a body begins behind this line. Where its mark is not quoted, `${name:=word}` in it assigns."""
    scanner = reader.scanner
    quoted = target.bare == ""
    end = re.sub(r"\\(.)|['\"]", r"\1", target.source)
    reader.waiting.append(end)
    reader.tabs.append(tabs)
    if quoted:
        return Redirect("<<", None)
    tabs_before = r"\t*" if tabs else ""
    stop = re.compile(rf"^{tabs_before}{re.escape(end)}$", re.MULTILINE).search(scanner.text, scanner.at)
    body = scanner.text[scanner.at : stop.start() if stop else None]
    names = tuple(dict.fromkeys(_ASSIGNS.findall(body)))
    return Redirect("<<", None, names)


_COMPOUNDS: Final[Mapping[str, Callable[[_Reader], Command]]] = {
    "if": _branch,
    "while": _while,
    "until": _until,
    "for": _for,
    "case": _case,
    "{": _group,
}
_FOREIGN: Final[Mapping[str, Callable[[_Reader, int, int], Command]]] = {
    "[[": _double_bracket,
    "function": _foreign_function,
    "select": _select,
}
