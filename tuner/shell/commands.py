"""The shell's own commands, and those of the system that only print. Everything else is left out by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tuner.shell import conditions
from tuner.shell.machine import Shell, Way
from tuner.shell.state import Doubt, Status, Text
from tuner.shell.words import NAME

Builtin = Callable[[Shell, Sequence[Text], str], Status]
"""Is given the arguments, and the command as it is written."""

DECLARING: Final = frozenset({"export", "readonly", "local"})
_NOT_EVERYWHERE: Final = frozenset({"declare", "typeset", "let", "mapfile", "readarray", "source", "shopt", "[["})


def first_doubt(texts: Sequence[Text]) -> Doubt | None:
    """Return the first thing in a list that is not known, None where all is."""
    return next((each for each in texts if isinstance(each, Doubt)), None)


def known(texts: Sequence[Text]) -> list[str]:
    """Return the texts of a list of which `first_doubt` says that all are known."""
    return [each for each in texts if isinstance(each, str)]


def forget(shell: Shell, source: str, why: str) -> Doubt:
    """Leave a command out that may change every variable."""
    shell.skip(source, why)
    doubt = shell.doubt(f"{source} is left out, but could have set it")
    shell.now.forget(doubt)
    return doubt


def _true(_shell: Shell, _arguments: Sequence[Text], _source: str) -> Status:
    return True


def _false(_shell: Shell, _arguments: Sequence[Text], _source: str) -> Status:
    return False


def _test(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    doubt = first_doubt(arguments)
    if doubt is not None:
        return doubt
    try:
        return conditions.holds(known(arguments))
    except conditions.Unclear as reason:
        return shell.doubt(f"{source}: {reason}")


def _bracket(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    if arguments and arguments[-1] == "]":
        return _test(shell, arguments[:-1], source)
    return first_doubt(arguments) or False


def _unset(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    doubt = first_doubt(arguments)
    if doubt is not None:
        return forget(shell, source, doubt.why)
    for name in known(arguments):
        if name == "-f":
            shell.now.functions = {}
        elif NAME.fullmatch(name):
            shell.assign(name, None, export=False)
    return True


def _jump(way: Way) -> Builtin:
    def leave(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
        doubt = first_doubt(arguments)
        number = known(arguments)[0] if arguments and doubt is None else ""
        if way in {Way.BREAK, Way.CONTINUE}:
            shell.leave(way, int(number) if number.isdecimal() and len(number) < len("1000") else 1)
        else:
            shell.status = doubt or (int(number) == 0 if number.isdecimal() else shell.status)
            if way is Way.EXIT:
                shell.skip(source, "it ends here, and with it the shell that reads it")
            shell.leave(way)
        return shell.status

    return leave


def _shift(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    own = shell.now.arguments
    count = arguments[0] if arguments else "1"
    if isinstance(own, tuple) and isinstance(count, str) and count.isdecimal() and int(count) <= len(own):
        shell.now.arguments = own[int(count) :]
        return True
    doubt = shell.may_end(f"{source}: there may be fewer arguments")
    shell.now.arguments = doubt
    return doubt


def _set(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    """`set -- WORDS` gives the arguments; `set -e` and `-u` would end the shell where something fails."""
    options = [each for each in arguments if isinstance(each, str)]
    if len(options) != len(arguments):
        shell.now.arguments = first_doubt(arguments) or ()
        return True
    if options[:1] == ["--"]:
        shell.now.arguments = tuple(options[1:])
        return True
    if options and not options[0].startswith(("-", "+")):
        shell.now.arguments = tuple(options)
    elif any(re.search("[eunC]", option) or option == "-o" for option in options):
        shell.skip(source, "it changes how the following commands run; they are read as if it were not there")
    return True


def _read(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    if first_doubt(arguments) is not None:
        return forget(shell, source, "its words cannot be known")
    doubt = shell.doubt(f"{source} reads it while the profile is used")
    for name in known(arguments):
        if NAME.fullmatch(name):
            shell.assign(name, doubt)
    return doubt


def _cd(shell: Shell, _arguments: Sequence[Text], source: str) -> Status:
    doubt = shell.doubt(f"{source}: it depends on the folders of the host")
    for name in ("PWD", "OLDPWD"):
        shell.assign(name, doubt)
    return doubt


def _exec(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    if not arguments:
        return True
    shell.skip(source, "the shell would be replaced by another program here")
    shell.leave(Way.EXIT)
    return True


def _printf(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    if arguments and arguments[0] == "-v":
        return forget(shell, source, "only some shells accept it")
    return True


def _trap(shell: Shell, _arguments: Sequence[Text], source: str) -> Status:
    shell.skip(source, "its commands would be run later")
    return True


def _differs(shell: Shell, _arguments: Sequence[Text], source: str) -> Status:
    return forget(shell, source, "only some shells have this command")


def _options(shell: Shell, arguments: Sequence[Text], source: str) -> Status:
    shell.skip(source, "it reads the arguments of the program")
    doubt = shell.doubt(f"{source} is left out, but could have set it")
    for name in ("OPTARG", "OPTIND", *known(arguments)[1:2]):
        shell.assign(name, doubt)
    return doubt


SPECIAL: Final[Mapping[str, Builtin]] = {
    ":": _true,
    "break": _jump(Way.BREAK),
    "continue": _jump(Way.CONTINUE),
    "return": _jump(Way.RETURN),
    "exit": _jump(Way.EXIT),
    "unset": _unset,
    "shift": _shift,
    "set": _set,
    "exec": _exec,
    "trap": _trap,
}
"""Those that a function of the same name does not hide."""

ORDINARY: Final[Mapping[str, Builtin]] = {
    "true": _true,
    "false": _false,
    "test": _test,
    "[": _bracket,
    "echo": _true,
    "printf": _printf,
    "umask": _true,
    "wait": _true,
    "read": _read,
    "cd": _cd,
    "getopts": _options,
    "alias": _differs,
    **dict.fromkeys(_NOT_EVERYWHERE, _differs),
}
"""Those that a function of the same name hides."""
