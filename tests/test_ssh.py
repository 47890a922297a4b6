"""Hosts by ssh: what names one, that no password is asked for and no host key passed over, and what each failure advises."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import far_hosts
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import HostLost, TunerError, UsageError
from tuner.hosts import ssh
from tuner.hosts.connection import NotStarted
from tuner.hosts.remote import RemoteHost
from tuner.hosts.ssh import Target

needs_sshd = pytest.mark.skipif(bool(far_hosts.NO_SSHD), reason=far_hosts.NO_SSHD)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ssh://box", Target("box")),
        ("ssh://me@box.example:2222", Target("box.example", "me", 2222)),
        ("ssh://[fe80::1%eth0]:22", Target("fe80::1%eth0", None, 22)),
        ("ssh://box/", Target("box")),
        ("local", None),
    ],
)
def test_a_host_is_named_by_a_url(text: str, named: Target | None) -> None:
    assert ssh.target(text, "--server") == named


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("box", "did you mean ssh://box?"),
        ("me@box", "did you mean ssh://me@box?"),
        ("ssh://me:secret@box", "leave the password out"),
        ("ssh://box:70000", "a port of 1 to 65535; ssh://box alone"),
        ("ssh://me@fd00::1", "did you mean ssh://me@[fd00::1]?"),
        ("ssh://jump,ssh://box", "ProxyJump"),
        ("ssh://-oProxyCommand=x", "write ssh://HOST"),
        ("ssh://box:99999", "write ssh://HOST"),
        ("ssh://box:0", "write ssh://HOST"),
        ("ssh://box/path", "write ssh://HOST"),
        ("", "write ssh://HOST"),
        ("http://box", "write ssh://HOST"),
    ],
)
def test_what_names_no_host_is_refused_with_what_was_meant(text: str, advice: str) -> None:
    with pytest.raises(UsageError, match="does not name a host") as refused:
        ssh.target(text, "--server")
    assert advice in refused.value.findings[0].suggestion
    assert "secret" not in refused.value.findings[0].suggestion


@given(st.text(max_size=40))
def test_any_text_names_a_host_or_is_refused_and_no_word_of_it_is_an_option(text: str) -> None:
    try:
        found = ssh.target(f"ssh://{text}", "--server")
    except UsageError:
        return
    assert found is not None
    assert not found.host.startswith("-")
    assert not (found.user or "").startswith("-")
    assert ssh.target(str(found), "--server") == found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[far_hosts.Sshd]:
    with far_hosts.sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


def refused(server: far_hosts.Sshd) -> TunerError:
    with pytest.raises(HostLost) as found:
        server.host()
    return found.value


@needs_sshd
def test_the_commands_of_ssh_never_ask_and_never_pass_a_key_over(server: far_hosts.Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\nStrictHostKeyChecking no\n", encoding="ascii")
    way = ssh.way(Target("box"), {**os.environ, ssh.CONFIGURATION: str(config)}, tmp_path)
    said = subprocess.run([*way.argv[:-1], "-G", "box"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "batchmode yes" in said
    assert "stricthostkeychecking true" in said
    assert "permitlocalcommand no" in said
    assert "forwardagent no" in said


@needs_sshd
def test_a_host_whose_key_is_not_known_or_another_one_is_refused(server: far_hosts.Sshd) -> None:
    known = server.folder / "known_hosts"
    right = known.read_text(encoding="ascii")
    try:
        known.write_text("", encoding="ascii")
        unknown = refused(server)
        assert "its host key is not known" in unknown.message
        assert f"ssh -F {server.folder}/config -l" in unknown.advice
        far_hosts._key(server.folder / "other_key")
        other = (server.folder / "other_key.pub").read_text(encoding="ascii")
        known.write_text(f"[127.0.0.1]:{server.port} {other}", encoding="ascii")
        changed = refused(server)
        assert "another one than before" in changed.message
        assert f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f /" in changed.advice
        assert known.read_text(encoding="ascii").endswith(other)
    finally:
        known.write_text(right, encoding="ascii")


@needs_sshd
def test_a_key_that_is_not_accepted_is_told_with_the_command_that_brings_it_there(server: far_hosts.Sshd) -> None:
    keys = server.folder / "authorized_keys"
    right = keys.read_text(encoding="ascii")
    try:
        keys.write_text("", encoding="ascii")
        found = refused(server)
    finally:
        keys.write_text(right, encoding="ascii")
    assert "does not accept our key" in found.message
    assert f"ssh-copy-id -p {server.port}" in found.advice


@needs_sshd
def test_a_port_on_which_nobody_listens_and_a_name_that_is_none_are_told(
    server: far_hosts.Sshd, tmp_path: Path
) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        for to, words in (
            (Target("127.0.0.1", None, one.getsockname()[1]), "no sshd listens there"),
            (Target("no-such-host.invalid"), "name is not known"),
        ):
            with pytest.raises(HostLost, match=words):
                RemoteHost(ssh.way(to, {**os.environ, **server.environment}, tmp_path))


@pytest.mark.parametrize(
    ("status", "said", "words", "advice"),
    [
        (127, "bash: line 1: exec: python3: not found", "there is no python3", "apt-get install python3"),
        (97, "this is Python 3.6", "this is Python 3.6, and 3.9 or later is needed", "newer python3"),
        (None, "", "no answer within 20 s", "see what `ssh box true` does"),
        (
            255,
            "ssh: connect to host box port 22: Connection timed out",
            "it cannot be reached: ssh: connect",
            "firewall",
        ),
        (255, "ssh: connect to host box port 22: No route to host", "it cannot be reached", "firewall"),
        (1, "OSError: [Errno 28] No space left on device: '/tmp/x'", "its disk is full", "ssh box df -h /tmp"),
        (
            126,
            "bash: line 1: /usr/bin/python3: Permission denied",
            "no agent could be started: bash",
            "ssh box python3 -V",
        ),
        (255, "me@box: Permission denied (publickey).", "it does not accept our key: me@box", "ssh-copy-id box"),
        (3, "what is this\n", "no agent could be started: what is this", "ssh box python3 -V"),
    ],
)
def test_each_failure_says_what_mends_it(status: int | None, said: str, words: str, advice: str) -> None:
    found = ssh.explained("ssh box", Target("box"), "ssh://box", NotStarted(status, said))
    assert words in found.message
    assert found.message.startswith("ssh://box: ")
    assert advice in found.advice


def test_a_changed_key_is_removed_by_the_name_under_which_ssh_keeps_it() -> None:
    said = "@ REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key for [10.0.0.1]:2222 has changed and you have requested strict checking."
    found = ssh.explained("ssh alias", Target("alias"), "ssh://alias", NotStarted(255, said))
    assert found.advice.endswith("ssh-keygen -R '[10.0.0.1]:2222'")


@pytest.mark.parametrize(
    ("said", "words", "advice"),
    [
        (
            "me@10.0.0.9: Permission denied (publickey).",
            "its jump host ssh://me@jump:22: it does not accept our key",
            "ssh-copy-id -p 22 me@jump",
        ),
        (
            "channel 0: open failed: connect failed: Network is unreachable\nstdio forwarding failed",
            "its jump host ssh://me@jump:22 does not reach it: channel 0",
            "ssh -F x -l me -p 22 jump",
        ),
    ],
)
def test_what_fails_at_a_jump_host_is_told_of_it(said: str, words: str, advice: str) -> None:
    closed = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535"
    explain = partial(ssh.explained, "ssh box", Target("box"))
    lost = NotStarted(255, closed)
    found = ssh.behind("me@jump:22,other", ["-F", "x"], lambda: f"{said}\n{closed}", explain, "ssh://box", lost)
    assert f"ssh://box: {words}" in found.message
    assert advice in found.advice
    silent = ssh.behind("me@jump:22", [], lambda: closed, explain, "ssh://box", lost)
    assert silent.message.startswith("ssh://box: it closed the connection")


@pytest.mark.parametrize(
    ("host", "said", "names_lab"),
    [
        ("server-1.mine", "ssh: Could not resolve hostname server-1.mine: Name or service not known", True),
        ("client-2.mine", "ssh: connect to host 198.18.0.2 port 22: Connection refused", True),
        ("server-1.mine", "me@server-1.mine: Permission denied (publickey).", False),
        ("box.mine", "ssh: Could not resolve hostname box.mine: Name or service not known", False),
    ],
)
def test_a_host_of_a_lab_that_is_gone_is_told_how_the_lab_is_made_again(
    host: str, said: str, *, names_lab: bool
) -> None:
    found = ssh.explained(f"ssh {host}", Target(host), f"ssh://{host}", NotStarted(255, said))
    assert ("tuner lab up --name mine; else " in found.advice) is names_lab
