"""A drop-in for a unit of systemd: `Environment=` with systemd's own quoting (systemd.syntax(7), "Quoting").

A double-quoted word knows C escapes, and `%` begins a specifier, so that it is doubled; `$` means nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from tuner.errors import Finding, error
from tuner.export.form import NAME, Deployment, Form, Imported, unquoted

_SPECIAL: Final = re.compile(r'["\\%\x00-\x1f\x7f]')
_PLAIN_ESCAPES: Final = {'"': r"\"", "\\": r"\\", "%": "%%"}

_CONTINUED: Final = re.compile(r"\\\n")
_WORD: Final = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'\\]|\\.)+)(?=\s|\Z)""", re.DOTALL)
_QUOTE: Final = re.compile(r"""\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)|["']|%(.?)""", re.DOTALL)
_LETTERS: Final = dict(zip("abfnrtvs", "\a\b\f\n\r\t\v ", strict=True))
_NAMED: Final = re.compile(rf"({NAME})=(.*)", re.DOTALL)
_ADVICE: Final = 'write Environment="NAME=value"'
_LAST_ASCII: Final = 0x7F


def _render(hint: str, deployment: Deployment) -> str:
    lines = [f'Environment="{name}={_escaped(value)}"' for name, value in deployment.variables.items()]
    return "\n".join([*deployment.heading(hint.format(target=deployment.target)), "[Service]", *lines]) + "\n"


def _escaped(value: str) -> str:
    return _SPECIAL.sub(lambda found: _PLAIN_ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}"), value)


def _read(text: str, where: str) -> Imported:
    variables: dict[str, str] = {}
    findings: list[Finding] = []
    for number, value in _environment_lines(text, where, findings):
        if not value.strip():
            variables.clear()  # an empty assignment takes back what stands before it
        for word in _words(value):
            try:
                found = _NAMED.fullmatch(_unquoted(word))
            except ValueError as reason:
                findings.append(error(f"{where}: line {number}", str(reason)))
                continue
            if found is None:
                findings.append(unquoted(number, where, word, _ADVICE))
            else:
                variables[found[1]] = found[2]
    return Imported(variables, tuple(findings))


def _environment_lines(text: str, where: str, findings: list[Finding]) -> Iterator[tuple[int, str]]:
    section = ""
    lines = _CONTINUED.sub(" ", text).split("\n")
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line.startswith("Environment="):
            yield number, line.removeprefix("Environment=")
        else:
            findings.append(unquoted(number, where, line, "only Environment= of [Service] is read"))


def _words(value: str) -> Iterator[str]:
    at = 0
    while found := _WORD.match(value, at):
        yield found[1]
        at = found.end()
    if rest := value[at:].strip():
        yield rest


def _unquoted(word: str) -> str:
    """Return a word without its quotes and escapes; raise `ValueError` for what only systemd can work out."""
    open_quote = ""

    def literal(found: re.Match[str]) -> str:
        nonlocal open_quote
        text = found[0]
        if text[0] == "%":
            return _percent(found[2])
        if text[0] == "\\":
            return _escape(found[1])
        if open_quote not in {"", text}:
            return text
        open_quote = "" if open_quote else text
        return ""

    return _QUOTE.sub(literal, word)


def _percent(letter: str) -> str:
    if letter != "%":
        raise ValueError(f"%{letter} is a specifier, which only systemd can resolve; write %% for a percent sign")
    return "%"


def _escape(code: str) -> str:
    if code[0] in "xuU" and len(code) > 1:
        return _character(int(code[1:], 16), code)
    if code.isdigit():
        return _character(int(code, 8), code)
    if code in _LETTERS:
        return _LETTERS[code]
    if code in {"\\", '"', "'"}:
        return code
    raise ValueError(f"\\{code} is no escape that systemd knows")


def _character(number: int, code: str) -> str:
    if number == 0 or (number > _LAST_ASCII and code[0] not in "uU") or 0xD800 <= number < 0xE000 or number > 0x10FFFF:  # noqa: PLR2004 # the surrogates and the end of Unicode
        raise ValueError(f"\\{code} is no character")
    return chr(number)


FORMS: Final = (
    Form(
        name="systemd",
        summary="drop-in for a system service: /etc/systemd/system/NAME.service.d/tuner.conf",
        file_name="tuner.conf",
        render=partial(_render, "For /etc/systemd/system/{target}.service.d/tuner.conf, then systemctl daemon-reload."),
        read=_read,
    ),
    Form(
        name="systemd-user",
        summary="drop-in for a user's service: ~/.config/systemd/user/NAME.service.d/tuner.conf",
        file_name="tuner.conf",
        render=partial(
            _render, "For ~/.config/systemd/user/{target}.service.d/tuner.conf, then systemctl --user daemon-reload."
        ),
        read=_read,
    ),
)
