"""Other hosts by OpenSSH: what `ssh://user@host:port` names, the command that gets there, and what its errors mean.

The user's own configuration, agent, jump hosts and known hosts are used (ssh_config(5)). Never is a password asked for, nor the
check of host keys turned off. Connections of this user to one host share one (ControlMaster), which ends a few seconds
after the last of them.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from tuner.database_url import hidden
from tuner.errors import HostLost, HostRefused, MissingTool, TunerError, UsageError, error
from tuner.hosts.connection import CONNECT_LIMIT_S, NotStarted
from tuner.hosts.lab import control, ssh_files
from tuner.hosts.local import LocalHost
from tuner.hosts.remote import RemoteHost, Way
from tuner.hosts.unpack import TOO_OLD

HERE: Final = "local"
"""What names this machine where another one could be named."""
CONFIGURATION: Final = "TUNER_SSH_CONFIG"
"""The variable that names a file for `ssh -F`, in place of the user's own configuration."""
_URL: Final = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]{0,63})@)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,15})?)\]|(?P<host>[A-Za-z0-9_][A-Za-z0-9._-]{0,252}))(?::(?P<port>[0-9]{1,9}))?/?"
)
_OF_LAB: Final = re.compile(r"(?:server|client)-[0-9]{1,4}\.(?P<lab>[A-Za-z0-9_-]{1,64})")
"""What `tuner lab up` calls its hosts."""
_OFFENDING: Final = re.compile(r"^Offending \S+ key in (.+):[0-9]+\s*$", re.MULTILINE)
"""Where ssh has another key of a host (sshconnect.c)."""
HIGHEST_PORT: Final = 65535
_NO_PROGRAM: Final = 127
_SAYS_CONFIGURATION_BYTES: Final = 1 << 18
_LONGEST_SOCKET: Final = 107 - 17
"""What the kernel takes as the path of a socket, less what ssh puts behind it for a moment."""
_HASH: Final = 38
"""By how much longer the hash is than `%C`, which stands for it."""
_CHANGED: Final = re.compile(r"^Host key for (\S{1,300}) has changed", re.MULTILINE)
"""By which name ssh looked for the key of a host: the HostName and the port of its configuration, or its HostKeyAlias."""
_CUT: Final = "Connection closed by"
_NOT_FORWARDED: Final = "stdio forwarding failed"
"""What the ssh of a jump host says last where that host does not reach the next one (ssh.c)."""
_OFF: Final = frozenset({"no", "off", "false"})
_OPTIONS: Final = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=2",
    "ServerAliveCountMax=3",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "EscapeChar=none",
)


Explain = Callable[[str, NotStarted], TunerError]
"""What makes an error, in words that say what to do, of a connection to a host of this name that did not come about."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host as `ssh://user@host:port` names it; user and port are None where ssh's configuration says them."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{f'{self.user}@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments of ssh that name it."""
        user = ("-l", self.user) if self.user else ()
        port = ("-p", str(self.port)) if self.port else ()
        return (*user, *port, self.host)


def target(text: str, option: str) -> Target | None:
    """Return the host that an option names, None for this machine; raise `UsageError` for what names none."""
    if text == HERE:
        return None
    found = _URL.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 1 <= port <= HIGHEST_PORT):
        raise UsageError(f"{hidden(text)!r} does not name a host", findings=[error(option, *_mistake(text))])
    return Target(found["six"] or found["host"], found["user"], port)


def _mistake(text: str) -> tuple[str, str]:
    """Return what is wrong with a text that names no host, and what to write in its place."""
    if re.match(r"ssh://[^/@]*:[^/@]*@", text):
        return "it holds a password", "leave the password out: keys are used, and none is ever asked for"
    if "," in text:
        return (
            "it names more than one host",
            "a jump host is named in ~/.ssh/config: ProxyJump, below Host and the name to write here",
        )
    user, _, host = text.removeprefix("ssh://").rstrip("/").rpartition("@")
    before = f"ssh://{user}@" if user else "ssh://"
    if _URL.fullmatch(f"{before}[{host}]") and ":" in host:
        return "an IPv6 address stands in brackets", f"did you mean {before}[{host}]?"
    if text.startswith("ssh://") and _URL.fullmatch(text):
        return (
            "its port is none",
            f"write ssh://HOST:PORT with a port of 1 to {HIGHEST_PORT}; {before}{host.rpartition(':')[0]} alone takes that of ssh's configuration",
        )
    hint = f"did you mean {before}{host}? " if "://" not in text and _URL.fullmatch(f"{before}{host}") else ""
    return "it is no address of ssh", f"{hint}write ssh://HOST, ssh://USER@HOST:PORT, or {HERE} for this machine"


def reached(to: Target, environment: Mapping[str, str]) -> RemoteHost:
    """Return a host that is connected to, with the sockets of shared connections in this user's own folder; raise `TunerError` where it is not reached."""
    place = environment.get("XDG_RUNTIME_DIR") or environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return RemoteHost(way(to, environment, Path(place) / "tuner" / "ssh"))


def way(to: Target, environment: Mapping[str, str], cache: Path) -> Way:
    """Return how a host is reached; sockets of shared connections are kept in `cache`.

    Raises:
        MissingTool: there is no ssh on this machine.
        HostLost: ssh refuses its configuration.

    """
    program = LocalHost().which("ssh")
    if program is None:
        raise MissingTool("there is no program ssh", advice="apt-get install openssh-client")
    named = _configuration(to, environment)
    by = (program, *(("-F", named) if named else ()))
    told = _configured(by, to, environment)
    further = [*_OPTIONS, *_shared(told, cache, named)]
    if told.get("stricthostkeychecking") in _OFF:
        further.append("StrictHostKeyChecking=yes")
    options = [word for each in further for word in ("-o", each)]
    typed = shlex.join(["ssh", *by[1:], *to.words])
    argv, spoken = (*by, "-T", *options, *to.words), {**environment, "LC_ALL": "C"}
    explain = partial(explained, typed, to)
    if (jump := told.get("proxyjump", "none")) != "none":
        alone = (*by, "-T", "-o", "BatchMode=yes", "-o", "ControlPath=none", *to.words, "true")
        explain = partial(behind, jump, by[1:], partial(_said_alone, alone, spoken), explain)
    return Way(str(to), argv, explain, spoken)


def _said_alone(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return what ssh says where no connection is shared: of shared ones it lets nobody hear the ssh of a jump host (sshconnect.c)."""
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments that no shell reads
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=CONNECT_LIMIT_S, env=environment
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stderr[:_SAYS_CONFIGURATION_BYTES].decode(errors="replace")


def behind(
    jump: str, options: Sequence[str], again: Callable[[], str], explain: Explain, name: str, reason: NotStarted
) -> TunerError:
    """Return why there is no agent on a host behind a jump host: where the connection was cut, the jump host says why."""
    said = again() if _CUT in reason.said else ""
    own = said.partition("kex_exchange_identification")[0].strip()
    found = _URL.fullmatch(f"ssh://{jump.partition(',')[0]}")
    if not own or found is None:
        return explain(name, reason)
    hop = Target(found["six"] or found["host"], found["user"], int(found["port"]) if found["port"] else None)
    by_hand = shlex.join(["ssh", *options, *hop.words])
    if _NOT_FORWARDED in own:
        return HostLost(
            f"{name}: its jump host {hop} does not reach it{_last(own.partition(_NOT_FORWARDED)[0])}",
            advice=f"see from there: {by_hand}",
        )
    return explained(by_hand, hop, f"{name}: its jump host {hop}", replace(reason, said=own))


def _configured(by: Sequence[str], to: Target, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what ssh's configuration says of a host (`ssh -G`)."""
    try:
        said = subprocess.run(  # noqa: S603 - a list of arguments that no shell reads
            [*by, "-G", *to.words], capture_output=True, check=False, timeout=CONNECT_LIMIT_S, env=dict(environment)
        )
    except subprocess.TimeoutExpired as reason:
        raise HostLost(f"{to}: ssh does not say how it is configured", advice="see `ssh -G`") from reason
    if said.returncode:
        words = said.stderr.decode(errors="replace").strip()
        raise HostLost(f"{to}: ssh refuses its configuration: {words}", advice="mend what it names")
    lines = said.stdout[:_SAYS_CONFIGURATION_BYTES].decode(errors="replace").splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def _configuration(to: Target, environment: Mapping[str, str]) -> str:
    """Return the file for `ssh -F`: what is named, or that of the lab whose host is meant; empty for the user's own."""
    named, of_lab = environment.get(CONFIGURATION, ""), _OF_LAB.fullmatch(to.host)
    if named or not of_lab:
        return named
    file = control.home(environment) / of_lab["lab"] / ssh_files.CONFIGURATION
    return str(file) if file.is_file() else ""


def _shared(told: Mapping[str, str], cache: Path, configuration: str) -> list[str]:
    """Return the options of a shared connection, none where the user has such connections, or no path is short enough."""
    if told.get("controlpath", "none") != "none":
        return []
    mark = hashlib.sha256(configuration.encode()).hexdigest()[:6]
    path = f"{str(cache).replace('%', '%%')}/{mark}-%C"
    if len(path) + _HASH > _LONGEST_SOCKET or re.search(r"[\s\"']", path):
        return []
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ["ControlMaster=auto", f"ControlPath={path}", "ControlPersist=5"]


def explained(typed: str, to: Target, name: str, reason: NotStarted) -> TunerError:
    """Return why there is no agent on a host, in words that say what to do; `typed` is what gets there by hand."""
    said = reason.said
    for sign, what, advice in _REASONS:
        if sign in said:
            kind, lab = (HostRefused, "") if sign in _REFUSALS else (HostLost, _of_lab(to))
            return kind(f"{name}: {what}{_quoted(said, sign)}", advice=f"{lab}{_filled(advice, typed, to, said)}")
    if reason.exit_status == TOO_OLD:
        old = said.splitlines()[-1] if said else "Python is too old"
        return HostLost(
            f"{name}: {old}, and 3.9 or later is needed", advice="put a newer python3 first in the PATH of its shells"
        )
    if reason.exit_status == _NO_PROGRAM:
        return HostLost(f"{name}: there is no python3{_last(said)}", advice=f"{typed} apt-get install python3-minimal")
    if reason.exit_status is None:
        return HostLost(
            f"{name}: no answer within {CONNECT_LIMIT_S:g} s{_last(said)}", advice=f"see what `{typed} true` does"
        )
    return HostLost(f"{name}: no agent could be started{_last(said)}", advice=f"see what `{typed} python3 -V` says")


# What OpenSSH's client says (sshconnect.c, sshconnect2.c, and the C library's words), what that means, and what mends it.
_REASONS: Final = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key is another one than before",
        "ask who runs it; where the change is right: ssh-keygen -R {place}",
    ),
    (
        "Host key verification failed",
        "its host key is not known",
        "connect once by hand and compare the fingerprint: {typed}",
    ),
    ("Permission denied (", "it does not accept our key", "{copies}, or load the right key with ssh-add"),
    (
        "Too many authentication failures",
        "it was offered too many keys",
        "name one for it in ~/.ssh/config: IdentityFile, IdentitiesOnly yes",
    ),
    ("Could not resolve hostname", "its name is not known", "name an address, or a Host of ~/.ssh/config"),
    (
        "Connection refused",
        "no sshd listens there",
        "start it there (systemctl start ssh), or name its port: ssh://HOST:PORT",
    ),
    (
        "Connection timed out",
        "it cannot be reached",
        "see whether it is up and whether a firewall is between: {typed} true",
    ),
    (
        "No route to host",
        "it cannot be reached",
        "see whether it is up and whether a firewall is between: {typed} true",
    ),
    ("Network is unreachable", "it cannot be reached", "see the routes of this machine: ip route"),
    ("No space left on device", "its disk is full", "{typed} df -h /tmp"),
    ("Connection closed", "it closed the connection", "see its log of sshd, and what {typed} true says"),
    ("Connection reset", "it closed the connection", "see its log of sshd, and what {typed} true says"),
)


_REFUSALS: Final = frozenset(sign for sign, *_ in _REASONS[:4])
"""Of these, what does not pass: the host's key, and ours."""


def _filled(advice: str, typed: str, to: Target, said: str) -> str:
    kept = _OFFENDING.search(said)
    file = f" -f {shlex.quote(kept[1])}" if kept else ""
    looked_for = _CHANGED.search(said)
    place = shlex.quote(looked_for[1] if looked_for else f"[{to.host}]:{to.port}" if to.port else to.host) + file
    port = f" -p {to.port}" if to.port else ""
    copies = f"ssh-copy-id{port} {f'{to.user}@' if to.user else ''}{to.host}"
    return advice.format(typed=typed, place=place, copies=copies)


def _of_lab(to: Target) -> str:
    """Return what to do first where a host that is not reached is called as those of a lab are, else nothing."""
    found = _OF_LAB.fullmatch(to.host)
    return f"if it is a host of a lab, that is gone: tuner lab up --name {found['lab']}; else " if found else ""


def _quoted(said: str, sign: str) -> str:
    line = next((line.strip() for line in said.splitlines() if sign in line), "")
    return f": {line}" if line and not line.startswith("@") else ""


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f": {lines[-1]}" if lines else ""
