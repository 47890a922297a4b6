"""The programs that read the exported files take the same values out of them that the profile holds.

Each is asked where it is installed: the shells, systemd's own parsers, docker's and kubectl's clients (neither needs
a server for this; docker is given one that only listens), patch and shellcheck. Compose is asked through its schema.
"""

from __future__ import annotations

import ctypes
import http.server
import json
import os
import random
import shutil
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from tuner import export
from tuner.export import Deployment
from tuner.profiles.profile import Profile

PIECES: Final = [
    *"abc019_./ \"'\\$`%{}()#=;&|<>!~*?[]\t,:-@é☃😀\u2028",
    "$$",
    "$HOME",
    "${X}",
    "$(id)",
    "%h",
    "{{ x }}",
    "\\n",
]
COMPOSE_SCHEMA: Final = Path(__file__).parent / "data" / "schemas" / "compose_spec.json"
SYSTEMD: Final = sorted(map(str, Path("/usr/lib").glob("**/systemd/libsystemd-shared-*.so")))
SEARCH: Final = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def found(program: str) -> str:
    return shutil.which(program, path=SEARCH) or ""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not found(program), reason=f"{program} is not installed")


def hostile(count: int, *, breaks: bool = True) -> dict[str, str]:
    """Return as many variables with values of special characters, the same ones each time."""
    chance = random.Random(7)
    pieces = [*PIECES, "\n", "\r"] if breaks else PIECES
    return {f"XLIO_V{n}": "".join(chance.choices(pieces, k=chance.randrange(9))) for n in range(count)}


def written(form: str, settings: dict[str, str], folder: Path, library: str = "") -> Path:
    """Return the file that holds the settings in a form."""
    path = folder / f"{form}.file"
    wanted = export.form(form)
    profile = Profile("p", "kernel", settings, summary='It\'s "x" \\')
    text = wanted.write(Deployment(profile, library, "XLIO_", defaults=dict.fromkeys(settings, "0")))
    path.write_text(text, newline="")
    path.chmod(wanted.mode)
    return path


def output(*argv: str | Path, **environment: str) -> str:
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def printed_environment(text: str) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in text.split("\0") if entry)
    return {name: value for name, _, value in pairs if name.startswith("XLIO_")}


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in ("sh", "dash", "bash")])
@pytest.mark.parametrize("form", ["env", "sh"])
def test_a_shell_that_sources_the_file_has_exactly_these_variables(form: str, shell: str, tmp_path: Path) -> None:
    settings = hostile(1000)
    path = written(form, settings, tmp_path)
    text = subprocess.run(
        [found(shell), "-c", 'set -a; . "$1"; exec /usr/bin/env -0', "x", path],
        env={},
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.decode()
    assert printed_environment(text) == settings


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in ("dash", "bash")])
@pytest.mark.parametrize("form", ["env", "sh", "wrapper"])
def test_a_shell_finds_no_fault_in_the_file(form: str, shell: str, tmp_path: Path) -> None:
    output(found(shell), "-n", written(form, hostile(50), tmp_path, "libc.so.6"))


@needs("shellcheck")
@pytest.mark.parametrize("form", ["sh", "wrapper"])
def test_shellcheck_finds_no_fault_in_the_script(form: str, tmp_path: Path) -> None:
    path = written(form, {"XLIO_A": "it's $HOME", "XLIO_B": "-1"}, tmp_path, "libc.so.6")
    # SC2016 doubts each dollar sign in single quotes, which is the point of them here.
    output(found("shellcheck"), "--shell=sh", "--exclude=SC2016", path)


def test_the_wrapper_starts_a_command_under_the_profile_and_nothing_else_of_the_stack(tmp_path: Path) -> None:
    settings = hostile(100)
    path = written("wrapper", settings, tmp_path, "libc.so.6")
    stray = {"PATH": os.environ["PATH"], "XLIO_STRAY": "1", "KEPT": "1", "LD_PRELOAD": "libm.so.6"}
    done = subprocess.run([path, "env", "-0"], env=stray, capture_output=True, check=True, timeout=60)
    text = done.stdout.decode()
    assert printed_environment(text) == settings
    assert {"KEPT=1", "LD_PRELOAD=libc.so.6:libm.so.6"} <= set(text.split("\0"))


def test_the_wrapper_has_the_commands_exit_status_and_needs_a_command(tmp_path: Path) -> None:
    path = written("wrapper", {"XLIO_A": "1"}, tmp_path)
    status = [
        subprocess.run([path, *words], check=False, capture_output=True, timeout=60).returncode
        for words in (["sh", "-c", "exit 7"], [])
    ]
    assert status == [7, 2]


@pytest.mark.skipif(not SYSTEMD, reason="systemd's library is not installed")
def test_systemd_reads_the_environment_file_as_it_was_meant(tmp_path: Path) -> None:
    settings = hostile(1000)
    path = written("env", settings, tmp_path)
    read = ctypes.POINTER(ctypes.c_char_p)()
    assert ctypes.CDLL(SYSTEMD[-1]).load_env_file(None, os.fsencode(path), ctypes.byref(read)) >= 0
    entries, at = [], 0
    while (entry := read[at]) is not None:
        entries.append(entry.decode())
        at += 1
    assert dict(entry.split("=", 1) for entry in entries) == settings


@needs("systemd-analyze")
@pytest.mark.parametrize(("form", "manager"), [("systemd", "--system"), ("systemd-user", "--user")])
def test_systemd_takes_the_drop_in_as_it_was_meant(form: str, manager: str, tmp_path: Path) -> None:
    # Line breaks would be printed as they are, so that the lines could not be told apart.
    settings = {name: text for name, text in hostile(300).items() if "\n" not in text and "\r" not in text}
    (tmp_path / "app.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    (tmp_path / "app.service.d").mkdir()
    written(form, settings, tmp_path).rename(tmp_path / "app.service.d" / "tuner.conf")
    environment = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    unit = tmp_path / "app.service"
    program = found("systemd-analyze")
    assert output(program, manager, "verify", unit, **environment) == ""
    text = output(program, manager, "verify", unit, SYSTEMD_LOG_LEVEL="debug", **environment)
    lines = [
        line.removeprefix("\t\tEnvironment: ") for line in text.split("\n") if line.startswith("\t\tEnvironment: ")
    ]
    assert dict(line.split("=", 1) for line in lines) == settings


class Daemon(http.server.BaseHTTPRequestHandler):
    """Says yes to docker's client and keeps the environment of the container it is to create."""

    environment: Final[list[str]] = []

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.reply(b"")

    def do_GET(self) -> None:
        self.reply(b"{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.environment[:] = body["Env"]
        self.reply(b'{"Id": "1", "Warnings": []}')

    def reply(self, text: bytes) -> None:
        self.send_response(200)
        self.send_header("Api-Version", "1.43")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@needs("docker")
def test_docker_reads_the_file_as_it_was_meant(tmp_path: Path) -> None:
    settings = hostile(300, breaks=False)
    path = written("docker", settings, tmp_path)
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "socket"), Daemon) as daemon:
        threading.Thread(target=daemon.serve_forever, args=(0.05,), daemon=True).start()
        program = found("docker")
        output(program, "-H", f"unix://{tmp_path}/socket", "create", "--env-file", path, "image", HOME=str(tmp_path))
        daemon.shutdown()
    assert dict(entry.split("=", 1) for entry in Daemon.environment) == settings


def test_the_schema_of_compose_allows_the_fragment(tmp_path: Path) -> None:
    schema = jsonschema.Draft201909Validator(json.loads(COMPOSE_SCHEMA.read_text(encoding="utf-8")))
    fragment = yaml.safe_load(written("compose", hostile(1000), tmp_path, "/opt/lib $x.so").read_bytes())
    schema.validate(fragment)
    fragment["services"]["app"]["environment"]["XLIO_V0"] = ["no", "list"]
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(fragment)


@needs("kubectl")
def test_kubectl_reads_the_config_map_as_it_was_meant(tmp_path: Path) -> None:
    settings = hostile(300)
    path = written("kubernetes", settings, tmp_path)
    text = output(found("kubectl"), "label", "--local", "-f", path, "a=b", "-o", "json", HOME=str(tmp_path))
    assert json.loads(text)["data"] == settings


@needs("kubectl")
def test_kubectl_patches_the_container_that_is_named_and_keeps_its_other_variables(tmp_path: Path) -> None:
    settings = hostile(300)
    container = {"name": "app", "image": "i", "env": [{"name": "OTHER", "value": "1"}]}
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container, {"name": "side", "image": "i"}]}}
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}}
    (tmp_path / "workload.json").write_text(json.dumps(workload | {"spec": {"template": pod}}))
    patch = written("kubernetes-patch", settings, tmp_path)
    text = output(
        found("kubectl"),
        "patch",
        "--local",
        "-f",
        tmp_path / "workload.json",
        "--patch-file",
        patch,
        "-o",
        "json",
        HOME=str(tmp_path),
    )
    app, side = json.loads(text)["spec"]["template"]["spec"]["containers"]
    # The kubelet makes $$ a dollar sign when it starts the container.
    values = {entry["name"]: entry["value"].replace("$$", "$") for entry in app["env"]}
    assert values == settings | {"OTHER": "1"}
    assert "env" not in side


@needs("patch")
def test_patch_makes_the_profile_out_of_the_defaults(tmp_path: Path) -> None:
    settings = hostile(100, breaks=False)
    path = written("diff", settings, tmp_path)
    (tmp_path / "defaults").write_text("".join(f"{name}=0\n" for name in settings))
    output(found("patch"), "--silent", "--directory", tmp_path, "defaults", path)
    patched = (tmp_path / "defaults").read_bytes().decode()
    assert patched == "".join(f"{name}={value}\n" for name, value in settings.items())
