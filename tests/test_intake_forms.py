"""Each form is read as data: literal values are taken, the rest is named with its line, and no text does harm."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import intake
from tuner.errors import UsageError
from tuner.intake.form import Group
from tuner.intake.taken import Asked, Taken, taken

FORMS = sorted(intake.forms())
NASTY = st.sampled_from(
    [
        *"\"'\\$`%{}()#=;&|<>!~*?[] \t,:-@\n\r\0",
        *(
            "A=",
            "VMA_RX_POLL=",
            "if ",
            "; then ",
            "fi",
            "case ",
            "esac",
            "<<E",
            "E\n",
            "services:",
            "env:",
            "- ",
            "ENV ",
        ),
        *("FROM a\n", "[Service]\n", "Environment=", "&a ", "*a ", "<<: ", "${", "$(", "{{"),
    ]
)


def groups(text: str, form: str) -> tuple[Group, ...]:
    return intake.form(form).read(intake.Source(text, "file", "file")).groups


def values(text: str, form: str) -> dict[str, str]:
    return {each.name: each.value for group in groups(text, form) for each in group.assigned}


def why(text: str, form: str) -> str:
    return "\n".join(f"{each.where}: {each.text}: {each.why}" for group in groups(text, form) for each in group.skipped)


def recognised(text: str, name: str = "file") -> str:
    return intake.recognised(intake.Source(text, name, name)).name


def taken_from(text: str, folder: Path, name: str = "file", asked: Asked | None = None) -> Taken:
    path = folder / name
    path.write_text(text)
    return taken(path, asked or Asked())


@pytest.mark.parametrize("form", FORMS)
@given(text=st.text(max_size=60) | st.lists(NASTY, max_size=30).map("".join))
@settings(max_examples=150)
def test_any_text_is_read_or_refused_and_never_a_crash(form: str, text: str) -> None:
    try:
        found = groups(text, form)
    except UsageError as refusal:
        assert refusal.message.startswith("file")  # noqa: PT017 # a refusal names the file
        return
    assert all(each.why and each.where.startswith("file") for group in found for each in group.skipped)


@given(text=st.lists(NASTY, max_size=30).map("".join))
def test_every_text_is_recognised_as_something(text: str) -> None:
    assert recognised(text) in FORMS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 50_000,
        "(" * 100_000,
        "${" * 50_000,
        '{"a":' * 50_000,
        "if a; then " * 20_000,
        "`" * 99_999,
        "- " * 50_000,
    ],
    ids=["flow", "map", "brackets", "braces", "json", "if", "ticks", "lists"],
)
def test_a_deep_text_ends_no_interpreter(form: str, text: str) -> None:
    try:
        assert all(not group.assigned for group in groups(text, form))
    except UsageError as refusal:
        assert refusal.message  # noqa: PT017 # it is refused in words


def test_aliases_are_counted_before_they_are_written_out() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UsageError, match="more than 200000 values"):
        groups("\n".join(rows), "compose")


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("x", "services:\n  a:\n    image: b\n", "compose"),
        ("x", "apiVersion: v1\nkind: Pod\n", "kubernetes"),
        ("play.yml", "- hosts: all\n  tasks: []\n", "ansible"),
        ("x", '[{"Id": "1", "Config": {"Env": ["A=1"]}}]', "inspect"),
        ("a.nomad", 'job "a" {\n', "nomad"),
        ("x", 'task "a" {\n env {\n', "nomad"),
        ("Dockerfile.prod", "FROM a\nENV A=1\n", "dockerfile"),
        ("x", "[Unit]\nDescription=a\n[Service]\nEnvironment=A=1\n", "systemd"),
        ("x", "A=1\0B=2\0", "environ"),
        ("x", "A=1\nB=2\n", "env"),
        ("x", "A=1; B=2\n", "sh"),
        ("x", "A=1 # c\n", "sh"),
        ("x", "setenv VMA_SPEC latency\n", "sh"),
        ("x", "PWD=/\nSHLVL=1\nVMA_SPEC=latency\nPS1=\\u \\$ \n", "dump"),
        ("x", "onload_set EF_POLL_USEC 5\n", "opf"),
        ("x", '{"core": {}}', "xlio-json"),
    ],
)
def test_a_form_is_recognised_by_its_text_or_its_name(name: str, text: str, form: str) -> None:
    assert recognised(text, name) == form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("export VMA_A=1 VMA_B=2;", {"VMA_A": "1", "VMA_B": "2"}),
        ("setenv VMA_A 1; setenv VMA_B 'x y'", {"VMA_A": "1", "VMA_B": "x y"}),
        ("set -a\nVMA_A=1\nset +a\n", {"VMA_A": "1"}),
        ("env -i VMA_A=1 ./app", {"VMA_A": "1"}),
        ("export VMA_B=2; env -i VMA_A=1 ./app", {"VMA_A": "1"}),
        ("sudo -E env VMA_A=1 nohup taskset -c 1 ./app &", {"VMA_A": "1"}),
        ("exec taskset 0x3 env VMA_A=1 ./app", {"VMA_A": "1"}),
        ("docker run -d -p 80:80 -eVMA_A=1 --env=VMA_B=2 --name x img -e VMA_C=3", {"VMA_A": "1", "VMA_B": "2"}),
        ("podman run --rm -e 'VMA_A=x y' img", {"VMA_A": "x y"}),
        ("mpirun -np 2 -x VMA_A=1 -x PATH ./app", {"VMA_A": "1"}),
        ("systemd-run --setenv=VMA_A=1 -E VMA_B=2 ./app", {"VMA_A": "1", "VMA_B": "2"}),
        ("OPTS=(VMA_A=1 'VMA_B=x y')\nenv \"${OPTS[@]}\" ./app", {"VMA_A": "1", "VMA_B": "x y"}),
        ("start() {\n  export VMA_A=1\n}\nstart\n", {"VMA_A": "1"}),
        ("VMA_A=$'a\\tb'", {"VMA_A": "a\tb"}),
        ("D=/opt/vma\nexport LD_PRELOAD=$D/libvma.so:$LD_PRELOAD", {"LD_PRELOAD": "/opt/vma/libvma.so"}),
        ('export LD_PRELOAD="libvma.so${LD_PRELOAD:+:$LD_PRELOAD}"', {"LD_PRELOAD": "libvma.so"}),
        ("export VMA_A=1\nunset VMA_A\n", {}),
        ("export VMA_A=1\nexport VMA_A=2\n", {"VMA_A": "2"}),
        ("cat <<'E'\nexport VMA_A=1\nE\n", {}),
        ("# export VMA_A=1\n", {}),
        ('declare -x VMA_A="1"\ndeclare -x VMA_B\n', {"VMA_A": "1"}),
        ("taskset -c 3 bash -c 'VMA_A=1 LD_PRELOAD=libvma.so ./a'", {"VMA_A": "1", "LD_PRELOAD": "libvma.so"}),
        ("su - md -c 'export VMA_A=1; ./a'", {"VMA_A": "1"}),
        ("set -gx VMA_A latency", {"VMA_A": "latency"}),
        ("true && export VMA_A=1 || export VMA_A=2", {"VMA_A": "1"}),
        ("export VMA_A=1\nunset -f VMA_A\n", {"VMA_A": "1"}),
        ("f() { export VMA_A=1; }\nunset -f f\nf\n", {}),
        ("export -f VMA_B\nexport -p\nexport VMA_A=1\n", {"VMA_A": "1"}),
        ("export VMA_A=$'\\cA\\x41\\101\\e'", {"VMA_A": "\x01AA\x1b"}),
        ("f() {\n  local VMA_B=2\n  export VMA_A=1\n}\nf\n", {"VMA_A": "1"}),
    ],
)
def test_a_shells_text_says(text: str, expected: dict[str, str]) -> None:
    found = {name: value for name, value in values(text, "sh").items() if name.startswith(("VMA", "LD"))}
    assert found == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("export VMA_A=$HOME/x", "depends on $HOME"),
        ("export VMA_A=$(nproc)", "$(nproc) is computed"),
        (
            "if x; then export VMA_A=1; else export VMA_A=2; fi",
            "which value is used is decided when the script runs: VMA_A=1 or VMA_A=2",
        ),
        ("VMA_A=1 ./a; VMA_A=2 ./b", "VMA_A=1 or VMA_A=2"),
        ("for VMA_A in 1 2; do ./a; done; export VMA_A", "a for sets it"),
        ("read VMA_A", "read sets it when it runs"),
        ("export VMA_A=~/x", "~ is the home"),
        ("export VMA_A='x\nVMA_B=2", "never ends"),
        ("docker run -e VMA_A img", "is taken from the environment of whoever starts it"),
        (". ./other.sh", "reads another file"),
        ('eval "$X"', "could set any variable"),
        ("export VMA_B=2; env -i VMA_A=1 ./app", "env -i starts the command without it"),
        ("declare -x VMA_A[1]=2", "one element of an array"),
        ('export "$X=1"', "which variables it sets is not known"),
        ('unset "$X"', "which variables it unsets is not known"),
        ("bash -c 'VMA_A=1; (('", "( is never closed"),
        ("VMA_A=1\nreadonly VMA_A\nVMA_A=2\nexport VMA_A\n", "the variable is read-only"),
        ("declare -rx VMA_A=1\nVMA_A=2\n", "the variable is read-only"),
        ("VMA_A=(x=(1))", "an array contains an array"),
        ("VMA_A=(1", "an array begins with ( and never ends"),
        ("VMA_A=$'1", "begins with $' and never ends"),
    ],
)
def test_what_a_shell_decides_is_named(text: str, words: str) -> None:
    assert words in why(text, "sh")
    assert "VMA_A" not in values(text, "sh") or "env -i" in words


def test_what_stands_under_a_condition_is_taken_and_said() -> None:
    text = "case $1 in\nstart)\n  export VMA_A=1\n;;\nesac\nf() { export VMA_B=1; }\n[ -e x ] && export VMA_C=1\n"
    (group,) = groups(text, "sh")
    said = {each.name: each.said for each in group.assigned}
    assert said == {
        "VMA_A": "is set under a condition: case in line 1",
        "VMA_B": "is set in the function f, which this script does not call",
        "VMA_C": "is set only if the previous command succeeds",
    }


def test_a_line_that_no_shell_can_read_is_named_and_the_others_are_read() -> None:
    text = "export VMA_A=1\necho it's\nexport VMA_B=2\n"
    assert values(text, "sh") == {"VMA_A": "1", "VMA_B": "2"}
    assert "line 2" in why(text, "sh")


def test_docker_reads_lines_and_nothing_else() -> None:
    text = "\ufeff# c\n  VMA_A='x' # y\r\nVMA_B\nVMA C=1\n"
    assert values(text, "docker") == {"VMA_A": "'x' # y"}
    assert "VMA_B: is taken from the environment of the process that starts" in why(text, "docker")
    assert "docker refuses the whole file" in why(text, "docker")


def test_a_unit_takes_back_names_specifiers_and_unsets() -> None:
    text = "[Service]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=%i C=100%% D=1\nUnsetEnvironment=D\nPassEnvironment=E\n"
    text += "ExecStart=/usr/bin/env VMA_A=1 /opt/app\n"
    assert values(text, "systemd") == {"C": "100%", "VMA_A": "1"}
    assert "line 4: B=%i: %i is a specifier" in why(text, "systemd")
    assert "PassEnvironment=E" in why(text, "systemd")


def test_the_last_stage_of_a_dockerfile_counts_with_what_it_begins_with() -> None:
    text = "# escape=`\nFROM a AS base\nENV A=1 B=x\\y\nFROM b AS build\nENV VMA_A=9\nFROM base\nENV C=$A D=$NO `\n# c\n E='$A'\nARG VMA_B=1\n"
    found = intake.form("dockerfile").read(intake.Source(text, "file"))
    assert {each.name: each.value for each in found.groups[0].assigned} == {"A": "1", "B": "x\\y", "C": "1", "E": "$A"}
    assert "D=$NO" in why(text, "dockerfile")
    assert "ARG VMA_B=1" in why(text, "dockerfile")
    assert "stage build" in found.findings[0].message


def test_compose_follows_anchors_and_names_what_it_fills_in() -> None:
    text = """
x-env: &env {VMA_A: "1", VMA_B: "2"}
services:
  feed:
    extends: base
    env_file: [a.env]
    environment:
      <<: *env
      VMA_B: "3"
      VMA_C: "a$$b"
      VMA_D: ${D}
      VMA_E: true
"""
    assert values(text, "compose") == {"VMA_A": "1", "VMA_B": "3", "VMA_C": "a$b", "VMA_E": "true"}
    assert "VMA_D: ${D}: Compose fills it in: empty unless D is set" in why(text, "compose")
    assert "extends: base" in why(text, "compose")


def test_kubernetes_joins_maps_of_the_same_file_and_decodes_secrets(tmp_path: Path) -> None:
    secret = base64.b64encode(b"7").decode()
    text = f"""
apiVersion: v1
kind: List
items:
- {{apiVersion: v1, kind: Secret, metadata: {{name: s}}, data: {{VMA_A: {secret}}}, stringData: {{VMA_B: "8"}}}}
- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{VMA_C: "9", VMA_RX_POLL: "1"}}}}
- apiVersion: batch/v1
  kind: CronJob
  spec:
    jobTemplate:
      spec:
        template:
          spec:
            containers:
            - name: feed
              envFrom: [{{secretRef: {{name: s}}}}, {{configMapRef: {{name: c}}}}, {{configMapRef: {{name: far}}}}]
              env:
              - {{name: VMA_C, value: "10"}}
              - {{name: VMA_D, value: "$(VMA_C)1"}}
              - {{name: VMA_E, value: "a$$b"}}
"""
    path = tmp_path / "k.yaml"
    path.write_text(text)
    found = taken(path, Asked(keep_unknown=True))
    assert found.settings == {"VMA_A": "7", "VMA_B": "8", "VMA_RX_POLL": "1", "VMA_C": "10", "VMA_E": "a$b"}
    said = "\n".join(f"{each.text}: {each.why}" for each in found.skipped)
    assert "envFrom: far" in said
    assert "VMA_D: $(VMA_C)1" in said


def test_a_template_of_helm_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"line 2: is a Helm template") as refusal:
        groups("apiVersion: v1\nkind: {{ .Values.kind }}\n", "kubernetes")
    assert "helm template" in refusal.value.advice


def test_ansible_is_read_at_every_level_and_its_templates_are_named() -> None:
    text = """
- hosts: all
  environment: {VMA_A: "1"}
  vars: {feed_env: {VMA_B: "2", VMA_C: "{{ poll }}"}}
  tasks:
  - block:
    - shell: ./app
      environment: {VMA_D: 4, VMA_E: !unsafe "{{ x }}", OTHER: "{{ y }}"}
"""
    assert values(text, "ansible") == {"VMA_A": "1", "VMA_B": "2", "VMA_D": "4", "VMA_E": "{{ x }}"}
    assert "VMA_C: {{ poll }}: is a template" in why(text, "ansible")
    assert "OTHER" not in why(text, "ansible")


def test_nomad_is_read_by_tasks() -> None:
    text = """
job "feed" {
  # env { VMA_X = "0" }
  task "app" {
    env { VMA_A = "1"
      VMA_B = "${NOMAD_CPU}"
      VMA_C = -1 }
    template { data = <<EOH
VMA_Y = "1"
EOH
    }
  }
  task "side" { env = { "VMA_A" = "2" } }
}
"""
    found = {group.name: {each.name: each.value for each in group.assigned} for group in groups(text, "nomad")}
    assert found == {"app": {"VMA_A": "1", "VMA_C": "-1"}, "side": {"VMA_A": "2"}}
    assert "VMA_B = ${NOMAD_CPU}" in why(text, "nomad")


def test_what_the_command_and_the_templates_of_a_nomad_task_give_is_read_and_overrides_its_env() -> None:
    text = """
job "feed" {
  task "app" {
    config {
      command = "env"
      args = [
        "VMA_A=2", # the command wins
        "VMA_B=${attr.poll}",
        "./app", "-x",
      ]
    }
    template { data = <<-EOH
      VMA_C=3
      VMA_D={{ key "level" }}
      EOH
      env = true
    }
    env { VMA_A = "1"
      VMA_C = "1" }
  }
  task "sh" { config { command = "/bin/sh"
    args = ["-c", "VMA_A=4 exec ./app"] } }
  task "docker" { config { image = "x"
    args = ["env", "VMA_A=5", "./app"] } }
  task "plain" { config { args = ["VMA_A=6", "./app"] } }
}
"""
    found = {group.name: {each.name: each.value for each in group.assigned} for group in groups(text, "nomad")}
    assert found == {"app": {"VMA_A": "2", "VMA_C": "3"}, "sh": {"VMA_A": "4"}, "docker": {"VMA_A": "5"}}
    assert "VMA_B=${attr.poll}: is computed by Nomad" in why(text, "nomad")
    assert 'VMA_D={{ key "level" }}: is computed by Nomad' in why(text, "nomad")


@pytest.mark.parametrize("line", ["env ${OPTS} ./app {", "task foo {", "env -i A=1 {"])
def test_a_script_is_no_job_of_nomad_for_a_word_and_a_brace(line: str) -> None:
    source = intake.Source(f"export VMA_A=1\n{line} }}\n", "x.sh", "x.sh")
    assert intake.recognised(source).name == "sh"


def test_docker_inspect_is_read_by_containers() -> None:
    text = json.dumps([{"Name": "/feed", "Config": {"Env": ["VMA_A=1", "PATH=/bin"]}}])
    assert values(text, "inspect") == {"VMA_A": "1", "PATH": "/bin"}


def test_variables_of_two_stacks_need_a_library_or_a_word(tmp_path: Path) -> None:
    text = "VMA_RX_POLL=1\nXLIO_RX_POLL=2\n"
    with pytest.raises(UsageError, match="of vma, xlio"):
        taken_from(text, tmp_path)
    assert taken_from(text, tmp_path, asked=Asked(stack="xlio")).settings == {"XLIO_RX_POLL": "2"}
    assert taken_from(text + "LD_PRELOAD=/x/libvma.so.9\n", tmp_path).settings == {"VMA_RX_POLL": "1"}


def test_a_library_at_a_path_that_is_not_known_still_decides_the_stack(tmp_path: Path) -> None:
    found = taken_from('export XLIO_RX_POLL=1\nexport LD_PRELOAD="$D/libtuner_kernel.so"\n', tmp_path)
    assert (found.stack, found.settings, found.library) == ("kernel", {"XLIO_RX_POLL": "1"}, "")


def test_a_task_of_ecs_is_read_by_its_containers() -> None:
    text = '{"containerDefinitions": [{"name": "a", "environment": [{"name": "VMA_A", "value": "1"}]}]}'
    assert recognised(text) == "kubernetes"
    assert values(text, "kubernetes") == {"VMA_A": "1"}


def test_a_value_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(b"VMA_LOG_FILE=/x\xff\nVMA_RX_POLL=1\n")
    found = taken(tmp_path / "e", Asked())
    assert found.settings == {"VMA_RX_POLL": "1"}
    assert [each.why for each in found.skipped] == ["is not UTF-8 text"]


def test_a_pipe_and_a_file_beyond_all_bounds_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        taken(tmp_path, Asked())
    with pytest.raises(UsageError, match="does not exist"):
        taken(tmp_path / "none", Asked())
    (tmp_path / "large").write_bytes(b"A" * (1024 * 1024 + 1))
    with pytest.raises(UsageError, match="too large"):
        taken(tmp_path / "large", Asked())


ONE_COMMAND = "LD_PRELOAD=libvma.so VMA_SPEC=latency"


@pytest.mark.parametrize(
    "text",
    [
        'O=(LD_PRELOAD=libvma.so)\nO+=(VMA_SPEC=latency)\nenv "${O[@]}" ./app\n',
        'A=()\nA+=(-e VMA_SPEC=latency)\nA+=(-e LD_PRELOAD=libvma.so)\ndocker run "${A[@]}" --rm image\n',
        'RUN="env LD_PRELOAD=libvma.so VMA_SPEC=latency"\n$RUN taskset -c 1 ./app\n',
        "O='VMA_SPEC=latency'\nenv $O LD_PRELOAD=libvma.so ./app\n",
        "env $MORE LD_PRELOAD=libvma.so VMA_SPEC=latency ./app\n",
        "stdbuf -oL timeout 60 perf stat -e cycles -- env LD_PRELOAD=libvma.so VMA_SPEC=latency ./app\n",
        "some-launcher --cores 3 env LD_PRELOAD=libvma.so VMA_SPEC=latency ./app\n",
        "gosu feed env LD_PRELOAD=libvma.so VMA_SPEC=latency ./app\n",
        "srun --export=ALL,LD_PRELOAD=libvma.so,VMA_SPEC=latency ./app\n",
        f"alias fast='{ONE_COMMAND}'\n",
        f"ssh a '{ONE_COMMAND} ./a'\n" * 6 + "export VMA_SPEC=latency\n",
    ],
)
def test_what_a_command_is_given_is_found_behind_lists_launchers_and_aliases(text: str) -> None:
    assert values(text, "sh") == {"LD_PRELOAD": "libvma.so", "VMA_SPEC": "latency"}


def test_what_lists_hold_by_a_condition_is_no_setting() -> None:
    text = 'if a; then O="VMA_SPEC=latency"; else O="VMA_SPEC=none"; fi\nexport VMA_RX_POLL=-1\n'
    assert values(text, "sh") == {"VMA_RX_POLL": "-1"}
    assert "VMA_SPEC=latency or VMA_SPEC=none" in why(text, "sh")


def test_each_command_keeps_its_own_line() -> None:
    text = f"VMA_RX_POLL=-1 ./a\n\nssh a '{ONE_COMMAND} ./a'\n"
    found = {each.name: each.where for group in groups(text, "sh") for each in group.assigned}
    assert found == {"VMA_RX_POLL": "file: line 1", "LD_PRELOAD": "file: line 3", "VMA_SPEC": "file: line 3"}


def test_the_default_of_an_expansion_and_the_wrapper_of_a_stack_are_named() -> None:
    assert "latency unless VMA_SPEC is set" in why("export VMA_SPEC=${VMA_SPEC:-latency}\n", "sh")
    assert "through a wrapper" in why("EF_POLL_USEC=1 taskset -c 3 onload -p latency ./app\n", "sh")


def test_a_library_that_was_named_before_is_what_is_preloaded() -> None:
    assert values("LD_PRELOAD=libvma.so\nenv LD_PRELOAD=$LD_PRELOAD ./app\n", "sh") == {"LD_PRELOAD": "libvma.so"}


UNIT = "[Service]\nEnvironment=VMA_RX_POLL=-1\n"
STARTED = {
    "systemd": [
        UNIT + f"ExecStart=/bin/bash -c '{ONE_COMMAND} exec /opt/app'\n",
        UNIT + f"ExecStart=/usr/bin/env {ONE_COMMAND} /opt/app\n",
    ],
    "dockerfile": [
        f"FROM a\nENV VMA_RX_POLL=-1\nCMD {ONE_COMMAND} ./app\n",
        'FROM a\nENV VMA_RX_POLL=-1\nENTRYPOINT ["env", "LD_PRELOAD=libvma.so"]\nCMD ["env", "VMA_SPEC=latency", "./app"]\n',
    ],
    "compose": [
        f"services:\n  a:\n    environment: [VMA_RX_POLL=-1]\n    command: env {ONE_COMMAND} ./app\n",
        (
            "services:\n  a:\n    environment: [VMA_RX_POLL=-1]\n    entrypoint: [env, LD_PRELOAD=libvma.so]\n"
            "    command: [env, VMA_SPEC=latency, ./app]\n"
        ),
    ],
    "kubernetes": [
        (
            "kind: Pod\nspec:\n  containers:\n  - name: a\n    env: [{name: VMA_RX_POLL, value: '-1'}]\n"
            f"    command: [sh, -c]\n    args: ['{ONE_COMMAND} exec ./app']\n"
        ),
    ],
}


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in STARTED.items() for text in texts])
def test_what_the_command_gives_counts_beside_what_the_service_is_given(form: str, text: str) -> None:
    assert values(text, form) == {"VMA_RX_POLL": "-1", "LD_PRELOAD": "libvma.so", "VMA_SPEC": "latency"}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("systemd", "[Service]\nExecStart=VMA_SPEC=latency /opt/app\n"),
        ("systemd", "[Service]\nExecStartPre=/usr/bin/env VMA_SPEC=latency /opt/check\n"),
        ("systemd", "[Service]\nExecStart=\nExecStart=@\n"),
        ("dockerfile", 'FROM a\nCMD ["VMA_SPEC=latency", "./app"]\n'),
        ("dockerfile", "FROM a AS b\nCMD VMA_SPEC=latency ./app\nFROM c\n"),
        ("compose", "services:\n  a:\n    command: VMA_SPEC=latency ./app\n"),
    ],
)
def test_what_no_program_of_the_service_gets_from_a_command_is_not_taken(form: str, text: str) -> None:
    assert values(text, form) == {}


def test_a_wrapper_in_a_command_and_what_a_command_leaves_open_are_named() -> None:
    assert "wrapper" in why("services:\n  a:\n    command: onload --profile=latency ./app\n", "compose")
    pod = "kind: Pod\nspec:\n  containers:\n  - name: a\n    command: [env, VMA_SPEC=$(MODE), ./app]\n"
    assert "$(MODE) is computed" in why(pod, "kubernetes")
    assert "specifier" in why("[Service]\nEnvironment=VMA_SPEC=%i\n", "systemd")
    assert "by systemd" in why("[Service]\nExecStart=/usr/bin/env VMA_SPEC=%i /opt/app\n", "systemd")


def test_what_is_taken_away_later_or_stands_under_a_wrong_key_is_named() -> None:
    assert "UnsetEnvironment=" in why(UNIT + "UnsetEnvironment=VMA_RX_POLL\n", "systemd")
    assert "did you mean Environment=?" in why("[Service]\nEnviroment=VMA_SPEC=latency\n", "systemd")
    assert why("[Service]\nPassEnvironment=VMA_SPEC\n", "systemd").endswith("service manager")


def test_an_argument_of_the_build_is_named_with_its_default() -> None:
    text = "FROM a\nARG POLL=-1\nENV VMA_RX_POLL=${POLL} VMA_SPEC=$MORE\nONBUILD ENV VMA_MTU=1500\n"
    assert "POLL is -1 unless --build-arg" in why(text, "dockerfile")
    assert "does not set" in why(text, "dockerfile")
    assert "ONBUILD ENV VMA_MTU=1500" in why(text, "dockerfile")


def test_values_of_secrets_that_are_no_stacks_are_never_shown(tmp_path: Path) -> None:
    hidden = base64.b64encode(b"hunter2").decode()
    text = f"apiVersion: v1\nkind: Secret\ndata:\n  VMA_SPEC: bGF0ZW5jeQ==\n  A: {hidden}\nstringData: {{B: hunter2}}\n"
    assert "hunter2" not in str(taken_from(text, tmp_path, "s.yaml"))
    assert "hunter2" not in str(taken_from("VMA_SPEC=latency\nDB_PASSWORD=hunter2\n", tmp_path, "a.env"))


@pytest.mark.parametrize(("written", "meant"), [("VMA_SPCE", "VMA_SPEC"), ("vma_spec", "VMA_SPEC")])
def test_a_slip_in_a_name_is_named_with_what_was_meant(written: str, meant: str, tmp_path: Path) -> None:
    found = taken_from(f"{written}=latency\nVMA_RX_POLL=-1\n", tmp_path, "a.env")
    assert [f"did you mean {meant}?" in each.why for each in found.skipped] == [True]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("form", ["compose", "kubernetes"])
def test_the_json_of_a_form_is_read_as_its_yaml(form: str, indent: int | None) -> None:
    container = {"name": "a", "env": [{"name": "VMA_SPEC", "value": "latency"}]}
    data = {
        "compose": {"services": {"a": {"environment": {"VMA_SPEC": "latency"}}}},
        "kubernetes": {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}},
    }
    text = json.dumps(data[form], indent=indent)
    assert recognised(text) == form
    assert values(text, form) == {"VMA_SPEC": "latency"}


def test_lines_of_assignments_are_no_yaml() -> None:
    assert recognised("VMA_SPEC = latency\nVMA_RX_POLL: -1\nLD_PRELOAD=libvma.so\n", "a.env") != "ansible"


def test_a_file_that_only_loads_a_library_is_said_to_do_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="loads the library of vma but sets none of its variables"):
        taken_from("LD_PRELOAD=libvma.so\n", tmp_path, "a.env")


def test_text_in_utf_16_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_bytes("VMA_SPEC=latency\n".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-16"):
        taken(tmp_path / "a.env", Asked())


def test_a_service_has_what_the_service_that_it_extends_has() -> None:
    text = "services:\n  a:\n    environment: {VMA_SPEC: latency, VMA_MTU: 1500}\n"
    text += "  b:\n    extends: {service: a}\n    environment: {VMA_MTU: 9000}\n"
    text += "  c:\n    extends: {service: c}\n    environment: {VMA_SPEC: none}\n"
    found = {group.name: {each.name: each.value for each in group.assigned} for group in groups(text, "compose")}
    assert found["b"] == {"VMA_SPEC": "latency", "VMA_MTU": "9000"}
    assert found["c"] == {"VMA_SPEC": "none"}
    assert "is not read" in why("services:\n  a:\n    extends: {file: b.yaml, service: a}\n", "compose")


def test_compose_hands_on_whole_numbers_in_decimal_digits() -> None:
    text = "services:\n  a:\n    environment: {A: 0x10, B: 200_000, C: 010, D: '0x10', E: -1, F: !reset null}\n"
    assert values(text, "compose") == {"A": "16", "B": "200000", "C": "8", "D": "0x10", "E": "-1"}


def test_what_compose_could_not_hand_on_is_named_and_the_rest_is_read() -> None:
    text = """
services:
  a:
    env_file: [{path: a.env, required: false}]
    command: "env VMA_SPEC=none 'never closed"
    environment: {VMA_A: [1], VMA_B: yes, VMA_C: "${!odd}", VMA_D: "x${D:-1}", VMA_E: "${E:?}", VMA_F: 09, VMA_G: "7"}
"""
    told = why(text, "compose")
    assert values(text, "compose") == {"VMA_F": "09", "VMA_G": "7"}
    assert [each.path for each in intake.form("compose").read(intake.Source(text, "file", "file")).follows] == ["a.env"]
    for words in (
        "VMA_A: is not a string",
        "VMA_B: yes: is a boolean in one version of YAML",
        "Compose fills it in: its value depends on the environment of Compose",
        "x1 unless D is set",
        "it depends on E",
    ):
        assert words in told


def test_data_of_kubernetes_that_is_no_text_is_named() -> None:
    text = (
        "apiVersion: v1\nkind: Secret\ndata:\n  VMA_A: [1]\n  VMA_B: '%%%'\n  VMA_C: /w==\n  VMA_D: |\n    MQ\n    ==\n  VMA_E: é\n"
        "stringData: none\n"
    )
    assert values(text, "kubernetes") == {"VMA_D": "1"}
    told = why(text, "kubernetes")
    assert all(f"{name}: is not base64 of a text" in told for name in ("VMA_B", "VMA_C", "VMA_E"))
    assert "VMA_A: is not a string, as data must be" in told
    assert "stringData: is not a mapping" in told


def test_a_document_in_a_dockerfile_and_a_line_that_goes_on_to_the_end_are_read_as_docker_does() -> None:
    text = 'FROM a\nRUN <<EOF\nENV VMA_A=1\nEOF\nENV VMA_B=a\\ b VMA_C="x\\"y\\z" \\\n# said\n\n  VMA_D=1\\\n'
    assert values(text, "dockerfile") == {"VMA_B": "a b", "VMA_C": 'x"y\\z', "VMA_D": "1"}


def test_a_quotation_that_never_ends_hides_nothing_else_of_supervisor() -> None:
    text = "[program:a]\ncommand=env VMA_SPEC=none 'x\nenvironment=VMA_MTU='15\n[program:b]\nenvironment=VMA_SPEC=latency\n"
    assert values(text, "supervisor") == {"VMA_MTU": "'15", "VMA_SPEC": "latency"}


def test_what_a_task_gives_its_command_and_writes_into_files_is_read() -> None:
    text = (
        "- shell: LD_PRELOAD=libvma.so VMA_SPEC=latency ./app\n- ansible.builtin.lineinfile:\n    line: VMA_MTU=1500\n"
    )
    assert values(text, "ansible") == {"LD_PRELOAD": "libvma.so", "VMA_SPEC": "latency", "VMA_MTU": "1500"}
    assert "template" in why("- copy:\n    content: |\n      VMA_SPEC={{ mode }}\n", "ansible")


def test_other_kinds_of_documents_are_looked_through_for_names_of_a_stack() -> None:
    text = "apiVersion: x\nkind: Kustomization\nconfigMapGenerator:\n- literals: [VMA_SPEC=latency, A=b]\n"
    assert values(text, "kubernetes") == {"VMA_SPEC": "latency"}


def test_commands_that_are_given_different_values_are_said_to_be() -> None:
    assert "different values: VMA_SPEC=latency or VMA_SPEC=none" in why(
        "VMA_SPEC=latency ./a\nVMA_SPEC=none ./b\n", "sh"
    )


BLOCKS = {
    "csh": "#!/bin/csh -f\nsetenv A 1\nif ( $?X ) then\n  setenv VMA_SPEC latency\nelse if ( -e x ) then\n  setenv VMA_MTU 1500\n"
    "endif\nset path = ( $path /opt )\nforeach i ( 1 2 )\n  setenv VMA_RX_POLL -1\nend\nsetenv LD_PRELOAD libvma.so\n",
    "fish": "set -gx A 1\nif test -n x\n  set -x VMA_SPEC latency\nelse if test -e x\n  set -gx VMA_MTU 1500\nend\n"
    "for i in 1 2\n  set -gx VMA_RX_POLL -1\nend\nset -gx LD_PRELOAD libvma.so\n",
}


@pytest.mark.parametrize("shell", BLOCKS)
def test_what_stands_in_a_block_of_csh_and_fish_is_named_as_conditional(shell: str) -> None:
    (group,) = groups(BLOCKS[shell], "sh")
    said = {each.name: each.said for each in group.assigned}
    assert group.skipped == ()
    assert [name for name, words in said.items() if "under a condition" in words] == ["VMA_SPEC", "VMA_MTU"]
    assert "in a loop" in said["VMA_RX_POLL"]
    assert said["LD_PRELOAD"] == ""


SUPERVISOR = '[program:a]\ncommand=/opt/a\nenvironment=A="x,y",VMA_SPEC="latency",VMA_RX_POLL=-1\n'


def test_a_program_of_supervisor_is_read() -> None:
    text = SUPERVISOR + '[program:b]\nenvironment = VMA_SPEC=none,\n  VMA_LOG_FILE="/tmp/%(program_name)s" ; c\n'
    assert recognised(text) == "supervisor"
    found = {group.name: {each.name: each.value for each in group.assigned} for group in groups(text, "supervisor")}
    assert found == {"a": {"A": "x,y", "VMA_SPEC": "latency", "VMA_RX_POLL": "-1"}, "b": {"VMA_SPEC": "none"}}
    assert "%(program_name)s" in why(text, "supervisor")


def test_what_supervisor_starts_gets_what_its_command_says() -> None:
    text = "[program:a]\ncommand=env LD_PRELOAD=libvma.so ./a\nenvironment=VMA_SPEC=latency\n"
    assert values(text, "supervisor") == {"LD_PRELOAD": "libvma.so", "VMA_SPEC": "latency"}
    assert "between commas" in why("[program:a]\nenvironment=VMA_SPEC latency\n", "supervisor")


def test_the_default_environment_of_systemd_is_read() -> None:
    assert values("[Manager]\nDefaultEnvironment=VMA_SPEC=latency A=1\n", "systemd") == {
        "VMA_SPEC": "latency",
        "A": "1",
    }


@pytest.mark.parametrize("first", ["set -x trace", 'setenv() { export "$1=$2"; }\nsetenv A 1'])
def test_a_script_of_bash_is_none_of_another_shell(first: str) -> None:
    text = f"{first}\nif [ -e x ]; then export VMA_SPEC=latency; fi\nexport VMA_RX_POLL=-1\n"
    assert values(text, "sh").items() >= {"VMA_SPEC": "latency", "VMA_RX_POLL": "-1"}.items()


@pytest.mark.parametrize("key", ["run.sh", "env"])
def test_a_script_that_a_map_holds_is_read_as_one(key: str) -> None:
    script = "#!/bin/sh\n    export VMA_SPEC=latency;\n    LD_PRELOAD=libvma.so exec ./app $VMA_X\n"
    text = f"apiVersion: v1\nkind: Secret\nstringData:\n  {key}: |\n    {script}"
    assert values(text, "kubernetes") == {"VMA_SPEC": "latency", "LD_PRELOAD": "libvma.so"}


@pytest.mark.parametrize("start", ["kubectl set env deploy/a", "systemctl set-environment", "oc set env dc/a"])
def test_commands_that_set_variables_for_others_are_read(start: str) -> None:
    assert values(f"{start} VMA_SPEC=latency\n", "sh") == {"VMA_SPEC": "latency"}


def test_a_list_of_options_reaches_the_command_that_is_given_it() -> None:
    text = 'A=()\nA+=(-e VMA_SPEC=latency)\ndocker run "${A[@]}" --rm image\n'
    (group,) = groups(text, "sh")
    assert "for one command: docker run" in group.assigned[0].said


def test_what_supervisor_could_not_read_is_named_with_its_lines() -> None:
    with pytest.raises(UsageError, match=r"line 2, .*line 3: is neither"):
        groups("[program:x]\n%bad\nenvironment\n", "supervisor")
