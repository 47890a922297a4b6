"""`tuner conf`: check, explain, ask and write the file of offload rules (libxlio.conf, libvma.conf)."""

from __future__ import annotations

from dataclasses import asdict
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Annotated, Final

import typer

from tuner import atomic_file
from tuner.cli.options import Json
from tuner.cli.screen.output import print_json
from tuner.conf import match as rule_match
from tuner.conf.explain import Explained
from tuner.conf.explain import explain as explained
from tuner.conf.lint import MAX_BYTES
from tuner.conf.lint import lint as findings_of
from tuner.conf.match import TWO_ENDED, Address, Answer, Socket
from tuner.conf.rules import documented, parse
from tuner.conf.words import DEFAULT_ID, DOCUMENTED_OFFLOADED, ID_VARIABLE
from tuner.conf.write import write
from tuner.errors import Finding, UsageError, did_you_mean
from tuner.profiles.profile import errors_in
from tuner.terminal_text import shown
from tuner.untrusted import text_of

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file that the library reads, usually in /etc.")]
_ROLES: Final = {
    ("tcp", "server"): "tcp_server",
    ("tcp", "client"): "tcp_client",
    ("udp", "sender"): "udp_sender",
    ("udp", "receiver"): "udp_receiver",
    ("udp", "connect"): "udp_connect",
    ("udp", "server"): "udp_receiver",
    ("udp", "client"): "udp_sender",
}


def lint(file: File, json: Json = False) -> None:
    """Check a file of offload rules.

    Finds what the library's parser refuses, drops or reads as something else, and rules that do nothing. The exit
    status is 1 when there are errors; warnings leave it 0.

    \b
    Examples:
      tuner conf lint /etc/libxlio.conf
      tuner conf lint libxlio.conf --json
    """
    found = findings_of(_text(file), str(file))
    errors = errors_in(found)
    if json:
        print_json({"findings": [asdict(one) for one in found]})
    else:
        typer.echo("\n".join([*map(str, found), f"errors: {len(errors)}, warnings: {len(found) - len(errors)}"]))
    if errors:
        raise typer.Exit(1)


def explain(file: File, json: Json = False) -> None:
    """Explain what each rule does, and which have no effect.

    A rule has no effect if another one comes first, or if the library stops reading before it.

    \b
    Examples:
      tuner conf explain /etc/libxlio.conf
    """
    rules = explained(_text(file), file.name)
    if json:
        print_json({"rules": [asdict(rule) for rule in rules]})
    elif not rules:
        typer.echo("no rules: every socket is offloaded")
    else:
        typer.echo("\n".join(line for rule in rules for line in _lines(rule)))


def match(
    file: File,
    program: Annotated[str, typer.Option("--program", metavar="NAME", help="The program, without its path.")],
    to: Annotated[
        str, typer.Option("--to", metavar="ADDR:PORT", help="Where it listens, receives, connects or sends.")
    ],
    role: Annotated[str, typer.Option("--role", help="server or client; for udp also sender, receiver, connect.")],
    proto: Annotated[str, typer.Option("--proto", help="tcp or udp.")] = "tcp",
    id_: Annotated[str, typer.Option("--id", metavar="ID", help=f"The value of {ID_VARIABLE}.")] = DEFAULT_ID,
    other: Annotated[
        str | None, typer.Option("--from", metavar="ADDR:PORT", help="The client's own address, for rules with two.")
    ] = None,
    json: Json = False,
) -> None:
    """Show whether a socket would be offloaded, and why.

    The answer names the line that decides: as the library parses the file, and as the vendor documents it. Exit
    status 0: offloaded; 3: left to the kernel.

    \b
    Examples:
      tuner conf match /etc/libxlio.conf --program redis-server --role server --to 192.168.1.5:11111
      tuner conf match libxlio.conf --program nginx --proto udp --role client --to 8.8.8.8:53 --json
    """
    text = _text(file)
    asked = Socket(program, _role(proto, role), _address(to, "--to"), id_, _address(other, "--from") if other else None)
    if asked.other and asked.role not in TWO_ENDED:
        raise UsageError(f"--from is ignored for {asked.role}", advice="leave it out")
    real = rule_match.answer(parse(text), asked)
    promised = rule_match.answer(documented(text), asked)
    if json:
        print_json(_record(real) | {"documented": _record(promised), "differ": real.offloaded != promised.offloaded})
    else:
        typer.echo(_answer_text(real, promised))
    if not real.offloaded:
        raise typer.Exit(3)


def new(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write it; stdout when absent.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="RULE",
            help=f"[os|{DOCUMENTED_OFFLOADED}] ROLE ADDRESS:PORTS[:ADDRESS:PORTS]. Repeatable.",
        ),
    ] = None,
    program: Annotated[str, typer.Option("--program", metavar="PATTERN", help="Only these programs.")] = "*",
    id_: Annotated[str, typer.Option("--id", metavar="ID", help=f"Only with this {ID_VARIABLE}.")] = "*",
    json: Json = False,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a file of offload rules.

    The library's parser reads it as it is meant. A rule without a transport is for the kernel (os).

    \b
    Examples:
      tuner conf new --rule 'tcp_server *:22' --rule 'udp_connect *:53'
      tuner conf new libxlio.conf --program redis-server --rule 'xlio tcp_client 10.0.0.0/8:*' --rule 'os tcp_client *:*'
    """
    text = write(rule or (), program, id_)
    if file is not None:
        atomic_file.save(file, text, overwrite=force)
    if json:
        print_json(
            {"path": str(file) if file else None, "text": text, "rules": [asdict(one) for one in explained(text)]}
        )
    else:
        typer.echo(file or text, nl=file is not None)


def _text(file: Path) -> str:
    found = text_of(file, MAX_BYTES, "a rule file")
    if isinstance(found, Finding):
        raise UsageError(f"{file} cannot be checked", findings=[found])
    return found


def _lines(rule: Explained) -> list[str]:
    state = "" if rule.state == "works" else f"\n      {rule.state}: {rule.why}"
    return [f"{rule.line:>4}  {rule.rule}\n      for {rule.programs}: {rule.says}{state}"]


def _role(proto: str, role: str) -> str:
    found = _ROLES.get((proto, role))
    if found is None:
        known = [one for kind, one in _ROLES if kind == proto]
        raise UsageError(
            f"{proto} has no role {role!r}" if known else f"no protocol {proto!r}",
            advice=did_you_mean(role, known) if known else "--proto tcp or --proto udp",
        )
    return found


def _address(text: str, option: str) -> Address:
    """Return ADDR:PORT as an address; an IPv6 address is one that no rule can match."""
    host, colon, port = text.rpartition(":")
    try:
        ip = ip_address(host.strip("[]"))
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError:
        colon, number, ip = "", -1, IPv4Address(0)
    if not colon or not 0 <= number <= 0xFFFF:  # noqa: PLR2004 # ports
        raise UsageError(f"{option} {text!r} is not an address and port", advice="write 192.168.1.5:5001 or [::1]:5001")
    return Address(ip if isinstance(ip, IPv4Address) else getattr(ip, "ipv4_mapped", None), number)


def _record(answer: Answer) -> dict[str, object]:
    rule, instance = answer.rule, answer.instance
    return {
        "offloaded": answer.offloaded,
        "line": rule.line if rule else None,
        "rule": str(rule) if rule else None,
        "application_id": {"program": instance.program, "id": instance.id, "line": instance.line} if instance else None,
        "why": answer.why,
    }


def _answer_text(real: Answer, promised: Answer) -> str:
    lines = [_said(real)]
    if (real.offloaded, real.rule and real.rule.line) != (promised.offloaded, promised.rule and promised.rule.line):
        lines.append(f"the documents promise otherwise: {_said(promised)}; see `tuner conf lint`")
    return "\n".join(lines)


def _said(answer: Answer) -> str:
    return f"{'offloaded' if answer.offloaded else 'left to the kernel'} ({shown(answer.why)})"
