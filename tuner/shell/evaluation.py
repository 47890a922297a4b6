"""What the commands of a text would do to the state of a shell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tuner.errors import Skipped
from tuner.shell import patterns
from tuner.shell.commands import DECLARING, ORDINARY, SPECIAL, first_doubt, forget, known
from tuner.shell.expansion import fields, pattern, text
from tuner.shell.grammar import commands
from tuner.shell.machine import MOST_STEPS, Shell, Way
from tuner.shell.state import Cell, Doubt, State, Status, Text, either
from tuner.shell.syntax import (
    Apart,
    Block,
    Branch,
    Case,
    Command,
    Fault,
    For,
    Foreign,
    Function,
    Joined,
    Joint,
    Literal,
    Loop,
    Pipeline,
    Redirect,
    Redirected,
    Simple,
    Unreadable,
    Word,
)
from tuner.shell.words import NAME

_DEEPEST: Final = 60
_ENDLESS: Final = "it is too deep or too long to be followed"
_MOST_ROUNDS: Final = 20
_LOOP: Final = {Way.BREAK: None, Way.CONTINUE: None}
_RETURN: Final = {Way.RETURN: None}
_QUIET_TARGETS: Final = frozenset({"/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty"})
_WORDS_OF_ONE: Final = frozenset({"cat"})


def run(written: str, file: str, shell: Shell) -> None:
    """Do what a text says, as a shell does that reads it with `.`; `file` names it in places.

    A syntax error ends the shell (dash), or leaves out what is behind it (bash, mostly).
    """
    outer, mark = (shell.file, shell.line), len(shell.jumps)
    shell.file, shell.line = file, 1
    try:
        for command in commands(written):
            execute(command, shell)
            if shell.ended:
                break
    except Fault as fault:
        shell.line = fault.line
        shell.faults.append(Skipped(shell.place, file, fault.why))
        shell.may_end(f"syntax error: {fault.why}")
        shell.leave(Way.RETURN)
    shell.land(shell.landed(mark, _RETURN))
    shell.file, shell.line = outer


def execute(command: Command, shell: Shell) -> None:
    """Do one command, and leave its status in the shell. Nothing is done where the shell has ended."""
    if shell.ended or shell.steps > MOST_STEPS:
        return
    shell.depth += 1
    shell.steps += 1
    if shell.depth > _DEEPEST or shell.steps > MOST_STEPS:
        _give_up(shell)
    else:
        _DOES[type(command)](command, shell)
    shell.depth -= 1


def _give_up(shell: Shell) -> None:
    """Leave out what is behind a text that may never end, or that ends a shell because it calls itself too often."""
    shell.steps = MOST_STEPS + 1
    shell.status = forget(shell, "a function or loop", _ENDLESS)
    shell.may_end(_ENDLESS)


def _block(block: Block, shell: Shell) -> None:
    shell.status = True if not block.commands else shell.status
    for part in block.commands:
        execute(part, shell)


def _branch(branch: Branch, shell: Shell) -> None:
    execute(branch.condition, shell)
    _choose(shell, branch.then, branch.otherwise)


def _define(function: Function, shell: Shell) -> None:
    shell.now.functions[function.name] = function.body
    shell.status = True


def _redirected(command: Redirected, shell: Shell) -> None:
    shell.line = command.line
    doubt = _blocked(command.redirects, shell)
    if doubt is None:
        execute(command.command, shell)
    else:
        shell.fork(doubt, lambda: execute(command.command, shell), lambda: None)


def _foreign(command: Foreign, shell: Shell) -> None:
    shell.line = command.line
    why = "only some shells accept it"
    if command.anything:
        shell.status = forget(shell, command.source, why)
        return
    shell.skip(command.source, why)
    shell.status = _doubtful(command.names, command.source, shell)


def _doubtful(names: Sequence[str], source: str, shell: Shell) -> Doubt:
    """Note that some variables may have been changed by what is left out."""
    doubt = shell.doubt(f"{source} is left out, but could have set it")
    for name in names:
        shell.assign(name, doubt)
    return doubt


def _choose(shell: Shell, then: Command, otherwise: Command) -> None:
    """Do one of two commands by the status, both in thought where that is not known."""
    if shell.ended:
        return
    status = shell.status
    if isinstance(status, Doubt):
        shell.fork(status, lambda: execute(then, shell), lambda: execute(otherwise, shell))
    else:
        execute(then if status else otherwise, shell)


def _joined(command: Joined, shell: Shell) -> None:
    execute(command.left, shell)
    status = shell.status
    if shell.ended:
        return
    if isinstance(status, Doubt):
        shell.fork(status, lambda: execute(command.right, shell), lambda: None)
        shell.status = status
    elif status == (command.joint is Joint.AND):
        execute(command.right, shell)


def _pipeline(command: Pipeline, shell: Shell) -> None:
    alone = len(command.commands) == 1
    for part in command.commands:
        if alone:
            execute(part, shell)
        else:
            _apart(part, shell)
    if command.negated and not isinstance(shell.status, Doubt):
        shell.status = not shell.status


def _aside(command: Apart, shell: Shell) -> None:
    _apart(command.body, shell)
    shell.status = True if command.background else shell.status


def _apart(body: Command, shell: Shell) -> None:
    """Do something in a copy of the shell, of which only the status stays."""
    before, mark = shell.now.copy(), len(shell.jumps)
    execute(body, shell)
    if shell.jumps[mark:]:
        shell.status = shell.doubt("it ends in more than one way")
    del shell.jumps[mark:]
    shell.state = before
    if shell.steps > MOST_STEPS:  # what is behind it is not followed either, and may set anything
        shell.now.forget(shell.doubt(_ENDLESS))
        shell.may_end(_ENDLESS)


def _case(command: Case, shell: Shell) -> None:
    """Do the first arm that fits; where that is not known, all that may be the first."""
    shell.line = command.subject.line
    subject, mark = text(command.subject, shell), len(shell.jumps)
    ended: State | None = None
    doubt: Doubt | None = None
    shell.status = True
    for arm in command.arms:
        found = _fits(subject, arm.patterns, shell)
        if isinstance(found, Doubt):
            doubt, before = doubt or found, shell.now.copy()
            execute(arm.body, shell)
            ended, shell.state = either(ended, shell.state, found), before
        elif found:
            execute(arm.body, shell)
            break
    if doubt is not None:
        shell.state, shell.status = either(ended, shell.state, doubt), doubt
        for jump in shell.jumps[mark:]:
            jump.doubt = jump.doubt or doubt


def _fits(subject: Text, words: Sequence[Word], shell: Shell) -> bool | Doubt:
    """Return whether a text fits one of several patterns; `*` fits also what is not known."""
    doubt: Doubt | None = None
    for word in words:
        shell.line = word.line
        wanted = pattern(word, shell)
        if isinstance(wanted, Doubt):
            doubt = doubt or wanted
        elif wanted == (None,):
            return doubt or True
        elif isinstance(subject, Doubt):
            doubt = doubt or subject
        elif patterns.matches(wanted, subject):
            return doubt or True
    return doubt or False


def _loop(command: Loop, shell: Shell) -> None:
    mark = len(shell.jumps)
    while (status := _status_of(command.condition, shell)) is not None and shell.steps <= MOST_STEPS:
        if isinstance(status, Doubt):
            _rounds(command, status, shell)
            break
        if status == command.until:
            shell.status = True
            break
        execute(command.body, shell)
        _go_on(mark, shell)
        if _may_have_left(mark, shell):
            _rounds(command, shell.jumps[mark].doubt or shell.doubt("the loop may have ended"), shell)
            break
    shell.land(shell.landed(mark, _LOOP))


def _status_of(command: Command, shell: Shell) -> Status | None:
    """Do a command and return its status, None where the shell has ended or ends with it."""
    execute(command, shell)
    return None if shell.ended else shell.status


def _may_have_left(mark: int, shell: Shell) -> bool:
    """Return whether a loop goes on of which nobody knows whether it was left: it could go on for ever so."""
    return not shell.ended and len(shell.jumps) > mark


def _go_on(mark: int, shell: Shell) -> None:
    """Land the `continue` of this loop at the end of its body."""
    own = [jump for jump in shell.jumps[mark:] if jump.way is Way.CONTINUE and jump.levels <= 1]
    shell.jumps[mark:] = [jump for jump in shell.jumps[mark:] if jump not in own]
    shell.land(own)


def _rounds(command: Loop | For, doubt: Doubt, shell: Shell) -> None:
    """Do a loop's body as often as it changes what is known, where nobody knows how often it is run."""
    mark = len(shell.jumps)
    ended = shell.now.copy()
    for _ in range(_MOST_ROUNDS):
        before = shell.now.copy()
        if isinstance(command, For):
            shell.assign(command.name, doubt)
        execute(command.body, shell)
        _go_on(mark, shell)
        if isinstance(command, Loop):
            execute(command.condition, shell)
        joined = either(before, shell.state, doubt)
        shell.state = joined.copy() if joined else None
        if shell.state is None or shell.state == before:
            break
    else:
        shell.now.forget(doubt)
    shell.state = either(ended, shell.state, doubt)
    for jump in shell.jumps[mark:]:
        jump.doubt = jump.doubt or doubt
    shell.status = doubt


def _for(command: For, shell: Shell) -> None:
    shell.line = command.line
    words = _listed(command, shell)
    doubt = first_doubt(words)
    mark = len(shell.jumps)
    shell.status = True
    if doubt is not None:
        _rounds(command, doubt, shell)
    for word in known(words) if doubt is None else ():
        shell.assign(command.name, word)
        execute(command.body, shell)
        _go_on(mark, shell)
        if _may_have_left(mark, shell):
            _rounds(command, shell.jumps[mark].doubt or shell.doubt("the loop may have ended"), shell)
        if shell.ended or len(shell.jumps) > mark:
            break
    shell.land(shell.landed(mark, _LOOP))


def _listed(command: For, shell: Shell) -> list[Text]:
    if command.words is not None:
        return [field for word in command.words for field in fields(word, shell)]
    arguments = shell.now.arguments
    return [arguments] if isinstance(arguments, Doubt) else list(arguments)


def _blocked(redirects: Sequence[Redirect], shell: Shell) -> Doubt | None:
    """Return why a command may not be run: a file that it reads or writes may not be there."""
    doubt: Doubt | None = None
    for redirect in redirects:
        _doubtful(redirect.names, "a here-document", shell)
        if redirect.operator.startswith("&"):
            doubt = shell.doubt(f"{redirect.operator}: only some shells accept it")
        if redirect.target is None or redirect.operator in {"<<<", "<&", ">&"}:
            continue
        target = text(redirect.target, shell)
        if target not in _QUIET_TARGETS:
            what = "a file would be opened" if redirect.operator == "<" else "a file would be written"
            shell.skip(f"{redirect.operator}{redirect.target.source}", what)
            doubt = shell.doubt(f"{what}: {redirect.target.source}")
    return doubt


def _simple(command: Simple, shell: Shell) -> None:
    shell.line = command.line
    first = command.words[0].bare if command.words else ""
    if first in DECLARING and first not in shell.now.functions:
        _declare(first, command, shell)
        return
    arguments = [field for word in command.words for field in fields(word, shell)]
    if not arguments:
        _assign(command, shell)
        return
    doubt = _blocked(command.redirects, shell)
    if doubt is None:
        _call(arguments, command, shell)
    else:
        shell.fork(doubt, lambda: _call(arguments, command, shell), lambda: None)


def _assign(command: Simple, shell: Shell) -> None:
    shell.status = True
    _blocked(command.redirects, shell)
    for each in command.assignments:
        value = text(each.value, shell, assigned=True)
        shell.assign(each.name, value)
        if isinstance(value, Doubt) and any(isinstance(part, Unreadable) for part in each.value.parts):
            shell.status = value


def _declare(first: str, command: Simple, shell: Shell) -> None:
    """`export`, `readonly` and `local`, with or without values."""
    shell.status = True
    for word in command.words[1:]:
        for name, value in _declared(word, shell):
            _declare_one(first, name, value, shell)


def _declared(word: Word, shell: Shell) -> Iterator[tuple[str, Text | None]]:
    """Yield what a word of `export` says: a name, perhaps with a value, which shells may split differently."""
    head, equals, _ = word.source.partition("=")
    if equals and NAME.fullmatch(head):
        whole = text(word, shell, assigned=True)
        yield head, _whole(whole.partition("=")[2], word, shell) if isinstance(whole, str) else whole
        return
    split = fields(word, shell)
    doubt = first_doubt(split)
    if doubt is not None or word.bare.startswith("-"):
        forget(shell, word.source, doubt.why if doubt else "an option of shells that differ")
        return
    for each in known(split):
        name, equals, value = each.partition("=")
        if NAME.fullmatch(name):
            yield name, value if equals else None


def _whole(value: str, word: Word, shell: Shell) -> Text:
    """Return a value that some shells would split: those that do not are in doubt where there is something to split."""
    expands = any(not isinstance(part, Literal) and not part.quoted for part in word.parts)
    if expands and re.search(r"[\s*?\[]", value):
        return shell.doubt(f"{word.source}: some shells split it: put it in quotes")
    return value


def _declare_one(first: str, name: str, value: Text | None, shell: Shell) -> None:
    if first == "local":
        _hide(name, shell)
        cell = shell.now.cell(name)
        if value is None and (cell is None or cell.text is not None):
            value = shell.doubt(f"local {name}: shells differ in what it is before it is set")
        shell.assign(name, value)
        return
    cell = shell.now.cell(name)
    if value is None and cell is None:
        shell.now.put(name, Cell(shell.doubt(f"{name} is not given", ask=name), exported=first == "export"))
    elif value is not None:
        shell.assign(name, value, export=True if first == "export" else None)
    elif cell is not None and first == "export":
        shell.now.put(name, Cell(cell.text, exported=True))
    if first == "readonly":
        shell.fixed.add(name)


def _hide(name: str, shell: Shell) -> None:
    frames = shell.now.frames
    if frames and name not in frames[-1]:
        frames[-1][name] = shell.now.cells.get(name)


def _call(arguments: Sequence[Text], command: Simple, shell: Shell) -> None:
    name, rest = arguments[0], arguments[1:]
    if isinstance(name, Doubt):
        shell.status = forget(shell, command.source, name.why)
        return
    if name in SPECIAL or name in {"eval", "."}:
        for each in command.assignments:
            shell.assign(each.name, text(each.value, shell, assigned=True))
        shell.status = _special(name, rest, command, shell)
        return
    if command.assignments and (name in shell.now.functions or name in shell.hosted):
        _doubtful([each.name for each in command.assignments], command.source, shell)
    if name in shell.now.functions:
        call(shell.now.functions[name], rest, shell)
    else:
        shell.status = _command(name, rest, command, shell)


def _special(name: str, rest: Sequence[Text], command: Simple, shell: Shell) -> Status:
    if name in SPECIAL:
        return SPECIAL[name](shell, rest, command.source)
    if name == "." and "." in shell.hosted:
        return shell.hosted["."](shell, rest, command.source)
    doubt = first_doubt(rest)
    if doubt is not None or name == ".":
        return forget(shell, command.source, doubt.why if doubt else "what another file sets is not known")
    run(" ".join(known(rest)), shell.file, shell)
    return shell.status


def _command(name: str, rest: Sequence[Text], command: Simple, shell: Shell) -> Status:
    if name in shell.hosted:
        return shell.hosted[name](shell, rest, command.source)
    if name in ORDINARY:
        return ORDINARY[name](shell, rest, command.source)
    if name in {"command", "builtin"}:
        return _without_functions(rest, command, shell)
    if name not in _WORDS_OF_ONE or rest:
        shell.skip(command.source, f"{name!r} would be run" if name else "a command without a name would be run")
    return shell.doubt(f"{command.source}: it depends on a command, and nothing is run")


def _without_functions(words: Sequence[Text], command: Simple, shell: Shell) -> Status:
    """`command NAME …`: the shell's own command or a program, whatever functions there are."""
    if not words or words[0] in {"-v", "-V"}:
        return shell.doubt(f"{command.source}: it depends on the programs of the host")
    if words[0] in ORDINARY:
        return ORDINARY[str(words[0])](shell, words[1:], command.source)
    return forget(shell, command.source, "what it would do is not followed")


def call(body: Command, arguments: Sequence[Text], shell: Shell) -> None:
    """Call a function: its arguments are its own, and so are the variables that `local` names."""
    outer, line, mark = shell.now.arguments, shell.line, len(shell.jumps)
    shell.now.arguments = first_doubt(arguments) or tuple(known(arguments))
    shell.now.frames.append({})
    execute(body, shell)
    shell.land(shell.landed(mark, _RETURN))
    shell.line = line
    if shell.state is not None:
        for name, cell in shell.state.frames.pop().items():
            if cell is None:
                shell.state.cells.pop(name, None)
            else:
                shell.state.put(name, cell)
        shell.state.arguments = outer


_DOES: Final[Mapping[type[Any], Callable[[Any, Shell], None]]] = {
    Simple: _simple,
    Block: _block,
    Joined: _joined,
    Branch: _branch,
    Case: _case,
    Pipeline: _pipeline,
    Apart: _aside,
    Function: _define,
    Loop: _loop,
    For: _for,
    Redirected: _redirected,
    Foreign: _foreign,
}
