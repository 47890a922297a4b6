"""How a program gets variables on a command line: `env A=1`, `sudo A=1`, `docker run -e A=1`, `mpirun -x A=1`.

Each entry of the tables says where in its words the variables stand; the commands that only start another one
(`numactl`, `taskset`, `nohup`, …) are passed with their options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tuner.intake.shell_words import Kind, Word, assignment, literal_word

_ENV: Final = frozenset({"env", "sudo", "doas", "printenv"})
# Commands that start another, with those of their options whose value is the next word.
_STARTERS: Final[Mapping[str, frozenset[str]]] = {
    "exec": frozenset({"-a"}),
    "command": frozenset(),
    "builtin": frozenset(),
    "time": frozenset({"-f", "-o"}),
    "nohup": frozenset(),
    "setsid": frozenset(),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n", "-p"}),
    "chrt": frozenset({"-T", "-P", "-D"}),
    "taskset": frozenset(),
    "numactl": frozenset({"-C", "-N", "-m", "-p", "-i", "-l", "--cpunodebind", "--membind", "--physcpubind"}),
    "timeout": frozenset({"-s", "-k"}),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "strace": frozenset({"-e", "-o", "-p", "-s"}),
    "perf": frozenset({"-e", "-o"}),
    "cgexec": frozenset({"-g"}),
    "prlimit": frozenset(),
    "unshare": frozenset(),
    "gdb": frozenset({"-x", "-ex"}),
    "onload": frozenset({"-p"}),
    "xargs": frozenset({"-n", "-I", "-P"}),
    "ip": frozenset(),
    "su": frozenset({"-s", "-g"}),
    "runuser": frozenset({"-u", "-g"}),
    "ssh": frozenset({"-i", "-p", "-l", "-o"}),
    "ltrace": frozenset({"-e", "-o", "-p", "-s"}),
    "valgrind": frozenset(),
    "chroot": frozenset(),
    "flock": frozenset({"-w", "-E"}),
    "setpriv": frozenset({"--reuid", "--regid"}),
    "setarch": frozenset(),
    "hwloc-bind": frozenset(),
    "gosu": frozenset(),
    "su-exec": frozenset(),
    "tini": frozenset({"-p", "-e"}),
    "dumb-init": frozenset({"-r"}),
    "catchsegv": frozenset(),
}
# Words that stand between the options of a starter and the command that it starts.
_OPERANDS: Final[Mapping[str, int]] = {
    "ip": 3,
    **dict.fromkeys(("taskset", "chrt", "timeout", "perf", "ssh", "chroot", "flock", "setarch", "hwloc-bind"), 1),
    **dict.fromkeys(("gosu", "su-exec"), 1),
}
_ENV_VALUES: Final = frozenset({"-u", "--unset", "-C", "--chdir", "-g", "-h", "-p", "-r", "-t", "-D", "-R", "-T"})
_CONTAINERS: Final = frozenset({"docker", "podman", "nerdctl"})
_CONTAINER_VERBS: Final = frozenset({"run", "create", "exec"})
_CONTAINER_FLAGS: Final = re.compile(
    r"-[ditPq]+|--(?:detach|interactive|tty|rm|init|privileged|read-only|publish-all|no-healthcheck|oom-kill-disable"
    r"|sig-proxy|disable-content-trust|quiet|help)"
)
# Programs to which a text for a shell is given as one word.
_SHELLS: Final = frozenset(
    {"sh", "bash", "dash", "ksh", "zsh", "su", "runuser", "ssh", "tmux", "watch", "pdsh", "clush"}
)
_WRAPPERS: Final = frozenset({"onload"})
WRAPPED: Final = "starts the program through a wrapper, which could set other variables"
_SCRIPT: Final = re.compile(r"(?:^|[\s;&])[A-Za-z_][A-Za-z0-9_]*=\S*\s", re.ASCII)
_TABLE: Final[Mapping[str, frozenset[str]]] = {
    "mpirun": frozenset({"-x"}),
    "mpiexec": frozenset({"-x"}),
    "systemd-run": frozenset({"-E", "--setenv"}),
    "srun": frozenset({"--export"}),
    "sbatch": frozenset({"--export"}),
    "qsub": frozenset({"-v"}),
}
# Commands that set variables for others, by the verb that says so.
_SETS: Final[Mapping[str, frozenset[str]]] = {
    "kubectl": frozenset({"env"}),
    "oc": frozenset({"env"}),
    "systemctl": frozenset({"set-environment"}),
}
_NONE: Final = frozenset[str]()
_COMMAS: Final = frozenset({"srun", "sbatch", "qsub"})


@dataclass(slots=True)
class Command:
    """A command as it will start: the words that give variables, those that are passed on, what it reads or clears.

    `scripts` are texts that it gives to another shell; it is `wrapped` where a stack's own wrapper starts the program.
    """

    given: list[Word] = field(default_factory=list)
    passed: list[Word] = field(default_factory=list)
    files: list[Word] = field(default_factory=list)
    unset: list[Word] = field(default_factory=list)
    clears: bool = False
    scripts: list[str] = field(default_factory=list)
    wrapped: bool = False
    program: tuple[Word, ...] = ()


def command(words: Sequence[Word]) -> Command:
    """Return what the words of a command say of the variables of the program that it starts."""
    found = Command()
    rest = list(words)
    while rest:
        name = _base(rest[0])
        if name in _CONTAINERS:
            _container(rest, found)
        elif name in _ENV:
            rest = _env(name, rest[1:], found)
            continue
        elif name in _STARTERS:
            found.wrapped |= name in _WRAPPERS
            rest = _started(name, rest[1:])
            continue
        elif name in _TABLE:
            _listed(rest[1:], _TABLE[name], found, commas=name in _COMMAS)
        elif _SETS.get(name, _NONE) & {word.literal for word in rest}:
            found.given += [word for word in rest if _named(word)]
        elif (at := _env_within(rest)) > 0:  # some other starter
            rest = rest[at:]
            continue
        break
    found.program = tuple(rest)
    names = {_base(word) for word in words}
    texts = (word.literal or "" for word in words)
    found.scripts = [text for text in texts if names & _SHELLS and _SCRIPT.search(text)]
    return found


def _env_within(words: Sequence[Word]) -> int:
    """Return where `env NAME=value` stands among the words of a command that is not known, 0 if nowhere."""
    pairs = enumerate(pairwise(words))
    return next((at for at, (word, after) in pairs if _base(word) == "env" and _named(after)), 0)


def _base(word: Word) -> str:
    return (word.literal or "").rpartition("/")[2]


def _env(name: str, words: list[Word], found: Command) -> list[Word]:
    """Take the options and the assignments of `env` or `sudo`, and return the command behind them."""
    while words:
        text = words[0].literal or ""
        if _named(words[0]):
            found.given.append(words.pop(0))
        elif words[0].literal is None and any(_named(word) for word in words[1:]):
            words.pop(0)  # what it comes to is not known; assignments follow
        elif text in {"-u", "--unset"} and name == "env" and len(words) > 1:
            found.unset.append(words[1])
            words = words[2:]
        elif text.startswith("-") and words[0].parts[0].kind is Kind.TEXT:
            found.clears |= name == "env" and (text in {"-", "--ignore-environment"} or _has(text, "i"))
            words = words[2 if text in _ENV_VALUES or (name != "env" and text == "-u") else 1 :]
        else:
            break
    return words


def _has(option: str, letter: str) -> bool:
    return re.fullmatch(rf"-[a-z0]*{letter}[a-z0]*", option) is not None


def _started(name: str, words: list[Word]) -> list[Word]:
    """Return the command behind a starter, its options and its operands."""
    values = _STARTERS[name]
    while words and (words[0].literal or "").startswith("-"):
        words = words[2 if words[0].literal in values else 1 :]
    operands = _OPERANDS.get(name, 0)
    return words[operands:] if len(words) > operands else []


def _container(words: Sequence[Word], found: Command) -> None:
    """Take what `docker run` and its like say before the image."""
    verbs = [number for number, word in enumerate(words) if word.literal in _CONTAINER_VERBS]
    if not verbs:
        return
    rest = list(words[verbs[0] + 1 :])
    while rest and rest[0].source.startswith("-"):
        rest = _container_option(rest, found)


def _container_option(words: list[Word], found: Command) -> list[Word]:
    word, text = words[0], words[0].source
    if text.startswith(("--env=", "--env-file=")):
        option, _, _ = text.partition("=")
        _container_value(option, word.after(len(option) + 1), found)
    elif text.startswith("-e") and len(text) > len("-e"):
        _container_value("-e", word.after(len("-e")), found)
    elif not _CONTAINER_FLAGS.fullmatch(text) and "=" not in text and len(words) > 1:
        _container_value(text, words[1], found)
        return words[2:]
    return words[1:]


def _container_value(option: str, value: Word, found: Command) -> None:
    if option == "--env-file":
        found.files.append(value)
    elif option in {"-e", "--env"} or re.fullmatch(r"-[dit]+e", option):
        (found.given if _named(value) else found.passed).append(value)


def _named(word: Word) -> bool:
    return assignment(word, quoted=True) is not None


def _listed(words: Sequence[Word], options: frozenset[str], found: Command, *, commas: bool) -> None:
    """Take the values of options that name variables: one each, or several with `commas` between them."""
    values = [value for option, value in pairwise(words) if option.literal in options]
    for word in words:
        name, equals, _ = word.source.partition("=")
        if equals and name in options and name.startswith("--"):
            values.append(word.after(len(name) + 1))
    for value in values:
        texts = value.literal.split(",") if commas and value.literal is not None else []
        for each in [literal_word(text, value.line) for text in texts] or [value]:
            (found.given if _named(each) else found.passed).append(each)
