"""`tuner lab`: two hosts, or many, where there is only one machine."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import options
from tuner.cli.screen.output import print_json, table

if TYPE_CHECKING:  # loaded where a lab is made or looked at
    from tuner.hosts.lab.control import Found
    from tuner.hosts.lab.state import State

Name = Annotated[str, typer.Option("--name", metavar="NAME", help="What the lab is called.")]
Which = Annotated[str, typer.Argument(metavar="[NAME]", help="What the lab is called.")]
DEFAULT = "lab"


def up(
    pairs: Annotated[int, typer.Option("--pairs", metavar="N", help="Pairs of a server and a client.")] = 1,
    delay: Annotated[
        str, typer.Option("--delay", metavar="TIME", help="Hold back what is sent, each way: 50us, 2ms (tc netem).")
    ] = "",
    rate: Annotated[
        str, typer.Option("--rate", metavar="RATE", help="Limit what is sent, each way: 100mbit, 10gbit (tc).")
    ] = "",
    name: Name = DEFAULT,
    rootless: Annotated[
        bool, typer.Option("--rootless", help="Use a user namespace also where root could do without.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Make pairs of hosts, each with its own network and sshd.

    Each has processes, mounts and a home of its own, too; all of it is on this machine.

    A lab is for trying two hosts without two machines, and for tests. The hosts share this machine's CPUs and kernel, so
    what is measured between them says nothing of a network card. They see this machine's files read-only, and have
    /tmp, /run and home of their own. Nothing of a lab is visible outside: no interface, no address, no mount. It needs
    root or the right to make user namespaces, and openssh-server, iproute2 and util-linux.

    \b
    Examples:
      tuner lab up
      tuner lab up --pairs 4 --rate 10gbit --json
    """
    from tuner.hosts.lab import control
    from tuner.hosts.lab.shape import Shape

    made = control.up(control.home(os.environ), Shape(name, pairs, delay, rate, rootless))
    if json:
        print_json(_row(made))
        return
    typer.echo(_told(made))
    typer.echo(_advice(made), err=True)


def status(json: options.Json = False) -> None:
    """Say which labs are up, and which left something.

    \b
    Examples:
      tuner lab status
      tuner lab status --json
    """
    from tuner.hosts.lab import control

    found = control.every(control.home(os.environ))
    if json:
        print_json({"labs": [_row(each) for each in found]})
    else:
        typer.echo("\n\n".join(map(_told, found)) or "no lab is up")


def exec_(
    host: Annotated[str, typer.Argument(metavar="HOST", help="server-1, client-1, …; also server-1.NAME.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND…", help="The program and its arguments; a shell without.")
    ] = None,
    name: Name = DEFAULT,
) -> None:
    """Run a program on a host of a lab, by ssh.

    Its exit status is the program's.

    Arguments arrive as they are given here.

    \b
    Examples:
      tuner lab exec client-1 -- ping -c 3 198.18.1.1
      tuner lab exec server-1
    """
    from tuner.hosts.become import become, inherited
    from tuner.hosts.lab import control, files

    host, _, lab_name = host.partition(".")
    found = control.named(control.home(os.environ), lab_name or name)
    there = control.host_of(found, host)
    terminal = ["-t"] if not command and sys.stdin.isatty() else []
    ssh = [files.program("ssh"), "-F", str(found.ssh_config), *terminal, there.name]
    sys.stdout.flush()
    become([*ssh, *([shlex.join(command)] if command else [])], inherited())


def down(
    name: Which = DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="All labs of this user.")] = False,
    json: options.Json = False,
) -> None:
    """End a lab, or remove what a killed one left.

    \b
    Examples:
      tuner lab down
      tuner lab down --all
    """
    from tuner.hosts.lab import control

    labs = control.home(os.environ)
    there = control.every(labs)
    chosen = there if every or (name == DEFAULT and not there) else [control.named(labs, name)]
    for each in chosen:
        control.down(each)
    if json:
        print_json({"ended": [each.name for each in chosen]})
        return
    typer.echo(
        "\n".join(f"{each.name}: {'ended' if each.up else 'leftovers removed'}" for each in chosen) or "no lab is up"
    )
    for each in (other for other in there if other not in chosen):
        typer.echo(f"also there: {each.name} ({_state(each)}); to end all: tuner lab down --all", err=True)


def _state(found: Found) -> str:
    return "up" if found.up else "leftovers of a lab that was killed"


def _pairs(state: State) -> list[dict[str, str]]:
    """Return the pairs as `--server`, `--client` and `--address` take them."""
    hosts = state.shape.hosts
    return [
        {"server": f"ssh://{server.name}", "client": f"ssh://{client.name}", "address": server.address}
        for server, client in zip(hosts[::2], hosts[1::2], strict=True)
    ]


def _row(found: Found) -> dict[str, object]:
    """Return a lab as JSON has it."""
    answer: dict[str, object] = {"name": found.name, "state": "up" if found.up else "leftovers", "pairs": []}
    if not found.up or found.state is None:
        return answer
    shape = found.state.shape
    return answer | {
        "pairs": _pairs(found.state),
        "ssh_config": str(found.ssh_config),
        "user": found.state.user,
        "rootless": found.state.rootless,
        "delay": shape.delay or None,
        "rate": shape.rate or None,
        "keeper": found.state.keeper.pid,
        "hosts": {name: known.pid for name, known in found.state.hosts.items()},
        "lost": dict(found.state.lost),
    }


def _told(found: Found) -> str:
    if not found.up or found.state is None:
        return f"{found.name}: {_state(found)}; to remove them: tuner lab down {found.name}"
    shape = found.state.shape
    shaped = "".join(f", {word} {value}" for word, value in (("delay", shape.delay), ("rate", shape.rate)) if value)
    rows = [list(pair.values()) for pair in _pairs(found.state)]
    lost = [f"{name} is down: {reason}" for name, reason in found.state.lost.items()]
    each_way = f"{shaped} each way" if shaped else ""
    return "\n".join([f"{found.name}: up{each_way}", table(["server", "client", "address"], rows), *lost])


def _advice(made: Found) -> str:
    assert made.state is not None  # noqa: S101 # it is up
    pair = _pairs(made.state)[0]
    return (
        f"\ntuner tune latency --server {pair['server']} --client {pair['client']} --address {pair['address']}\n"
        f"tuner lab down{'' if made.name == DEFAULT else f' {made.name}'}"
    )
