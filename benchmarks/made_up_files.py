"""What `tuner.intake` takes out of made-up files, held against the programs that read such files.

    python benchmarks/made_up_files.py [FILES]

Shell files are sourced by bash (`env -i bash -c '. FILE; env -0'`), environment files read by systemd's own parser
(`load_env_file` of its shared library), units by `systemd-analyze verify`, which prints what it understood. Counted are
claims that are wrong, and variables that the program has and nothing was said of; both must be 0.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tuner.intake import unit
from tuner.intake.environment import pairs
from tuner.intake.form import Source, is_name
from tuner.intake.shell import followed
from tuner.intake.shell_state import Sure
from tuner.intake.shell_words import Unreadable

NAMES: Final = ("A", "B", "C", "VMA_X", "XLIO_Y")
VALUES: Final = (
    *("1", "-1", "lat", "'a b'", '"x y"', "$'t\\tq\\x41\\u00e9'", "a\\ b", "", "x'y'\"z\"", "#no", "a#b", "~", "~/x"),
    *("$A", '"$B"', "${C}", "${C:-d}", '"a$VMA_X"', "$(echo q)", "`echo w`", "$((1+2))", "{a,b}", "*", "a*b", "x=y"),
    *(
        '"it\'s"',
        "'\"'",
        "a\\\nb",
        '"l1\nl2"',
        "${A:=z}",
        "$1",
        '"$@"',
        "é",
        "\\$A",
        "'$A'",
        '"\\$A\\""',
        "a:~/b",
        "!x",
    ),
    *("$", '"$"', "%s", "[x]", "a;", '"#"', "'\\'", '"a\\b"', "${B+x}", '"${C:?}"'[:0], "$$"[:1]),
)
CONDITIONS: Final = (
    *("true", "false", '[ -n "$A" ]', "test x = y", "[[ -z $B ]]", "A=5", "export B=6", "! true", "(exit 0)"),
    "grep -q x /dev/null",
)
SYSTEMD: Final = sorted(map(str, Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so")))
_PIECES: Final = (
    "A",
    "B",
    "C_1",
    "=",
    "=",
    " ",
    "\t",
    "\n",
    "\n",
    "\\",
    "'",
    '"',
    "#",
    ";",
    "x",
    "y z",
    "$",
    "é",
    "\\\n",
    "A=",
    "\nB=",
)
_WORDS: Final = (
    "A=1",
    "B=x y",
    '"A=b c"',
    "'B=d e'",
    "A=a\\tb",
    '"B=\\x41\\101"',
    "C_1=%%",
    "B=a%%b",
    "A=it's'",
    "bad",
    "1A=3",
    "A=",
    '""',
)
_MOST_DEEP: Final = 2
_LIMIT_S: Final = 3.0


def shell_file(chance: random.Random) -> str:
    """Return a text of a shell with assignments in every place in which they may stand."""
    text = _commands(chance, 0, chance.randrange(1, 9))
    return text.replace("\n", " \n") if chance.random() < 0.2 else text  # blanks at lines' ends


def environment_file(chance: random.Random) -> str:
    """Return an environment file; a comment never ends in a backslash, of which versions of systemd make two things."""
    text = "".join(chance.choices(_PIECES, k=chance.randrange(1, 25)))
    return "\n".join(line.rstrip("\\") if line.lstrip()[:1] in {"#", ";"} else line for line in text.split("\n"))


def unit_file(chance: random.Random) -> str:
    """Return a unit with several lines of `Environment=`."""
    rows = ["[Service]", "Type=oneshot", "ExecStart=/bin/true"]
    for _ in range(chance.randrange(1, 5)):
        between = chance.choice([" ", "  ", " \\\n", " \\\n# c\n ", "\t"])
        key = chance.choice(["Environment=", "Environment = ", "  Environment="])
        rows.append(key + between.join(chance.choices(_WORDS, k=chance.randrange(4))))
        if chance.random() < 0.1:  # now and then
            rows.append(
                chance.choice(["Environment=", "; c", "UnsetEnvironment=A", "[Install]\nWantedBy=a.target\n[Service]"])
            )
    return "\n".join(rows) + "\n"


def in_bash(text: str, folder: Path) -> dict[str, str]:
    """Return what a program inherits from bash after it has sourced a text."""
    path = folder / "file"
    path.write_text(text)
    script = '. "$1" >/dev/null 2>&1 </dev/null; exec /usr/bin/env -0'
    argv = [shutil.which("bash") or "bash", "-c", script, "x", str(path)]
    done = subprocess.run(
        argv, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, capture_output=True, check=False, timeout=_LIMIT_S
    )
    entries = (entry.partition("=") for entry in done.stdout.decode(errors="replace").split("\0") if entry)
    return {name: value for name, _, value in entries if name in NAMES}


def refused_by_bash(text: str) -> bool:
    """Return whether bash finds a fault in the syntax of a text."""
    argv = [shutil.which("bash") or "bash", "-n"]
    return subprocess.run(argv, input=text.encode(), capture_output=True, check=False, timeout=20).returncode != 0


def in_systemd(text: str, folder: Path) -> dict[str, str]:
    """Return what systemd reads out of an environment file."""
    path = folder / "env"
    path.write_bytes(text.encode())
    read = ctypes.POINTER(ctypes.c_char_p)()
    if ctypes.CDLL(SYSTEMD[-1]).load_env_file(None, os.fsencode(path), ctypes.byref(read)) < 0:
        raise ValueError(text)
    return dict(entry.decode().split("=", 1) for entry in (_strings(read) if bool(read) else ()))


def _strings(read: ctypes._Pointer[ctypes.c_char_p]) -> Iterator[bytes]:
    at = 0
    while (entry := read[at]) is not None:
        yield entry
        at += 1


def in_units(texts: list[str], folder: Path) -> list[dict[str, str]]:
    """Return what systemd understands of the environment of each unit."""
    paths = [folder / f"u{number:05}.service" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    environment = {"SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_LOG_LEVEL": "debug", "HOME": str(folder)}
    argv = [shutil.which("systemd-analyze") or "", "verify", *map(str, paths)]
    done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=300)
    found: dict[str, dict[str, str]] = {path.name: {} for path in paths}
    current: dict[str, str] = {}
    for line in (done.stdout + done.stderr).decode(errors="replace").split("\n"):
        if line.startswith("\t-> Unit "):
            current = found.get(line.removeprefix("\t-> Unit ").rstrip(":"), {})
        elif line.startswith("\t\tEnvironment: "):
            name, _, value = line.removeprefix("\t\tEnvironment: ").partition("=")
            current[name] = value
    return [found[path.name] for path in paths]


def shell_faults(text: str, folder: Path) -> Iterator[str]:
    """Yield what is claimed of a shell's text and is wrong, and what bash has and nothing is said of."""
    refused = refused_by_bash(text)
    try:
        state, walk = followed(text)
    except Unreadable as reason:
        if not refused:
            yield f"cannot be read: {reason.why}"
        return
    if refused:
        return
    try:
        there = in_bash(text, folder)
    except subprocess.TimeoutExpired:  # functions that call each other, loops that share a counter
        return
    for name in NAMES:
        known = state.get(name)
        sure = known.known if known.exported is Sure.YES else None
        if sure is not None and not sure.elements and there.get(name) != sure.text:
            yield f"{name} is {there.get(name)!r}, not {sure.text!r}"
        elif name in there and known.exported is Sure.NO and not walk.unbounded:
            yield f"{name} is {there[name]!r}, and nothing is said of it"


def environment_faults(text: str, folder: Path) -> Iterator[str]:
    """Yield what is taken otherwise out of an environment file than systemd takes it."""
    mine = {name: value for _, name, value, _ in pairs(text)}
    theirs = in_systemd(text, folder)
    names = {name for name in (*mine, *theirs) if is_name(name)}
    yield from (
        f"{name}: {mine.get(name)!r}, not {theirs.get(name)!r}" for name in names if mine.get(name) != theirs.get(name)
    )


def unit_faults(texts: list[str], folder: Path) -> Iterator[str]:
    """Yield what is taken otherwise out of units than systemd understands them."""
    for text, theirs in zip(texts, in_units(texts, folder), strict=True):
        mine = {each.name: each.value for each in unit.read(Source(text, "u")).groups[0].assigned}
        unset = {"A"} if "UnsetEnvironment=A" in text else set()
        shown = {name: value for name, value in theirs.items() if name not in unset}
        if {name: value for name, value in mine.items() if name not in unset} != shown:
            yield f"{mine}, not {theirs}: {text!r}"


def _commands(chance: random.Random, depth: int, count: int) -> str:
    return "\n".join(_command(chance, depth) for _ in range(count))


def _command(chance: random.Random, depth: int) -> str:
    plain = chance.choice(_PLAIN)(chance)
    if depth > _MOST_DEEP or chance.random() < 0.7:  # most commands are plain
        return plain
    inner = [_commands(chance, depth + 1, chance.randrange(1, 4)) for _ in range(3)]
    return chance.choice(_COMPOUND)(chance, *inner)


def _assigned(chance: random.Random) -> str:
    return f"{chance.choice(NAMES)}{chance.choice(['='] * 9 + ['+='])}{chance.choice(VALUES)}"


def _some(chance: random.Random) -> str:
    return " ".join(_assigned(chance) for _ in range(chance.randrange(1, 3)))


_PLAIN: Final[tuple[Callable[[random.Random], str], ...]] = (
    *(lambda c: f"export {_some(c)}",) * 6,
    *(_some,) * 4,
    lambda c: f"export {c.choice(NAMES)}",
    lambda c: f"unset {c.choice(NAMES)}",
    lambda c: c.choice(["set -a", "set +a", "set -o allexport", "set -- a b"]),
    lambda c: f"declare -x {_assigned(c)}",
    lambda c: f"export -n {c.choice(NAMES)}",
    lambda c: f"{c.choice(['declare ', 'typeset -x ', 'declare +x ', 'declare -l '])}{_assigned(c)}",
    lambda c: f"read {c.choice(NAMES)} <<< 'r r'",
    lambda c: f'eval "export {c.choice(NAMES)}=e"',
    lambda c: f"{_assigned(c)} true",
    lambda c: f"printf -v {c.choice(NAMES)} '%s' p",
    lambda c: f"cat >/dev/null <<{c.choice(['EOF', chr(39) + 'EOF' + chr(39), '-EOF'])}\nA=9 ' \"\nexport B=8\nEOF",
    lambda c: f"{c.choice(NAMES)}=(1 '2 3' $A)",
    lambda c: c.choice([f"(( {c.choice(NAMES)} = 3 ))", f"let {c.choice(NAMES)}=4"]),
    lambda c: f"f{c.randrange(2)}",
    lambda _: "# A=7 ' \" comment",
    lambda c: f"{c.choice(CONDITIONS)} {c.choice(['&&', '||'])} export {_assigned(c)}",
)
_COMPOUND: Final[tuple[Callable[..., str], ...]] = (
    lambda c, x, _y, _z: f"if {c.choice(CONDITIONS)}; then\n{x}\nfi",
    lambda c, x, y, z: (
        f"if {c.choice(CONDITIONS)}; then {x}\nelif {c.choice(['true', 'false'])}\nthen {y}\nelse\n{z}\nfi"
    ),
    lambda c, x, _y, _z: f"for i in {c.choice(['1 2', '', '$A', 'x'])}; do\n{x}\ndone",
    lambda c, x, y, z: f"case {c.choice(['$A', 'x', '1'])} in\n x|y) {x}\n;;\n 1) {y} ;;\n *) {z}\nesac",
    lambda c, x, _y, _z: (
        f"f{c.randrange(2)}() {{\n{x}\n{c.choice(['', 'local A=2', 'return 0', '[ x = y ] && return'])}\n}}"
    ),
    lambda _c, x, _y, _z: f"( {x}\n)",
    lambda _c, x, _y, _z: f"{{ {x}\n}}",
    lambda _c, x, _y, _z: f"{{ {x}\n}} | cat",
    lambda c, x, _y, _z: f"n=0; while [ $n -lt 2 ]; do n=$((n+1))\n{x}\n{c.choice(['', 'break', 'continue'])}\ndone",
)


def main(count: int) -> None:
    """Print what was compared, and every fault."""
    chance, counts = random.Random(13), Counter[str]()  # noqa: S311 # no secret
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(count):
            text = shell_file(chance)
            counts["shell files"] += 1
            _print(counts, "shell faults", shell_faults(text, folder), text)
        for _ in range(count if SYSTEMD else 0):
            text = environment_file(chance)
            counts["environment files"] += 1
            _print(counts, "environment faults", environment_faults(text, folder), text)
        for _ in range(0, count if shutil.which("systemd-analyze") else 0, 200):
            texts = [unit_file(chance) for _ in range(200)]
            counts["units"] += len(texts)
            _print(counts, "unit faults", unit_faults(texts, folder), "")
    print(", ".join(f"{number} {what}" for what, number in counts.items()))


def _print(counts: Counter[str], what: str, faults: Iterator[str], text: str) -> None:
    for fault in faults:
        counts[what] += 1
        print(f"{fault}\n{text}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
