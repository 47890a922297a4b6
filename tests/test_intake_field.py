"""Files in the forms in which people have settings say what the programs that read them would make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import fake
import pytest
import yaml
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.errors import TunerError, UsageError

FIELD: Final = Path(__file__).parent / "data" / "field"


def imported(file: str, *options: str) -> dict[str, Any]:
    """Return the answer of `tuner import FILE --json`."""
    arguments = ["import", str(FIELD / file), "--json", *options]
    result = CliRunner().invoke(program(), arguments)
    if isinstance(result.exception, TunerError):
        raise result.exception
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def told(answer: dict[str, Any]) -> str:
    """Return everything that is said of a file as one text."""
    rows = [f"{row['where']}: {row['text']}: {row['why']}" for row in answer["skipped"]]
    return "\n".join(rows + [f"{row['where']}: {row['message']} ({row['suggestion']})" for row in answer["findings"]])


def refused(file: str, *options: str) -> str:
    """Return what is said of a file that nothing is taken from."""
    with pytest.raises(UsageError) as refusal:
        imported(file, *options)
    return "\n".join([refusal.value.message, *map(str, refusal.value.findings), refusal.value.advice])


VMA: Final = {"VMA_SPEC": "latency", "VMA_RX_POLL": "-1"}
FEED: Final = {"VMA_MEM_ALLOC_TYPE": "2", "VMA_FORK": "1", "VMA_RX_POLL": "-1", "VMA_SELECT_POLL": "-1"}
UNIT: Final = {
    "EF_POLL_USEC": "100000",
    "EF_INT_DRIVEN": "0",
    "EF_NAME": "feed",
    "EF_TCP_FASTSTART_INIT": "0",
    "EF_SCALABLE_FILTERS": "ens1f0=passive",
}
SAY: Final[dict[str, tuple[str, dict[str, str], str | None]]] = {
    "forms/a2_exports.sh": ("sh", FEED, "libvma.so"),
    "forms/a3_semicolon.env": (
        "sh",
        {"VMA_RX_POLL": "-1", "VMA_SPEC": "latency", "VMA_LOG_FILE": "/tmp/vma.log"},  # noqa: S108 # a value
        None,
    ),
    "forms/a_feed.sh": ("sh", FEED | {"VMA_TRACELEVEL": "3", "VMA_APPLICATION_ID": "FEED"}, "libvma.so"),
    "forms/b_oneliner.sh": ("sh", {"VMA_RX_POLL": "0", "VMA_SELECT_POLL": "0", "VMA_SPEC": "latency"}, "libvma.so"),
    "forms/q_sudoenv.sh": ("sh", {"VMA_RX_POLL": "-1"}, "libvma.so"),
    "forms/q_cont.sh": ("sh", {"XLIO_SPEC": "latency", "XLIO_MEM_ALLOC_TYPE": "ANON"}, "/opt/x/lib/libxlio.so"),
    "forms/q_declare.sh": ("sh", VMA, None),
    "forms/q_dockerrun.sh": ("sh", VMA, "libvma.so"),
    "forms/q_opts.sh": ("sh", {"XLIO_SPEC": "latency", "XLIO_RX_POLL": "-1"}, None),
    "forms/q_script.sh": ("sh", {"XLIO_TRACELEVEL": "DETAILS", "XLIO_RX_POLL": "-1"}, "/usr/lib/libxlio.so"),
    "forms/c_Dockerfile": ("dockerfile", VMA | {"VMA_TRACELEVEL": "1"}, "libvma.so"),
    "forms/r4_Dockerfile": ("dockerfile", {"XLIO_SPEC": "nginx"}, "libxlio.so"),
    "forms/d_compose.yaml": ("compose", VMA, "libvma.so"),
    "forms/d2_compose.yaml": ("compose", VMA, "libvma.so"),
    "forms/d4_compose.yaml": ("compose", {"VMA_SPEC": "latency"}, "libvma.so"),
    "forms/e_unit.service": ("systemd", VMA | {"VMA_TRACELEVEL": "2"}, "/usr/lib64/libvma.so"),
    "forms/e2_dropin.conf": ("systemd", VMA | {"VMA_TRACELEVEL": "2"}, "/usr/lib64/libvma.so"),
    "forms/f_envdump.txt": ("dump", VMA, "libvma.so"),
    "forms/h_environ": ("environ", VMA, "libvma.so"),
    "forms/g_crlf.env": ("env", VMA, "libvma.so"),
    "forms/g2_bom.env": ("docker", {"VMA_SPEC": "latency"}, "libvma.so"),
    "forms/i_hash.env": (
        "sh",
        {"VMA_LOG_FILE": "/tmp/vma#1.log", "VMA_TRACELEVEL": "3", "VMA_RX_POLL": "-1#forever"},  # noqa: S108 # a value
        None,
    ),
    "forms/u_apos.env": ("env", {"VMA_SPEC": "latency"}, "libvma.so"),
    "forms/u_other.sh": ("sh", {"VMA_SPEC": "latency"}, "libvma.so"),
    "forms/u_sysd.env": ("sh", VMA, "libvma.so"),
    "forms/q_mixed.env": ("env", {"XLIO_RX_POLL": "-1"}, "/usr/lib64/libxlio.so"),
    "forms/q_two.env": ("env", {"VMA_SPEC": "latency"}, "libvma.so"),
    "forms/r_deploy.yaml": ("kubernetes", {"XLIO_SPEC": "latency", "XLIO_MEMORY_LIMIT": "512MB"}, "libxlio.so"),
    "forms/r2_pod.yaml": ("kubernetes", {"XLIO_RX_POLL": "-1"}, "libxlio.so"),
    "onload/01-comment-backslash.conf": ("systemd", {"EF_POLL_USEC": "100000", "EF_INT_DRIVEN": "0"}, None),
    "onload/14-unit.service": ("systemd", UNIT, None),
    "onload/14-comment-in-continuation.conf": ("systemd", {"EF_POLL_USEC": "100000", "EF_INT_DRIVEN": "0"}, None),
    "onload/14-linenumber.conf": (
        "systemd",
        {"EF_POLL_USEC": "100000", "EF_INT_DRIVEN": "0", "EF_NAME": "feed"},
        None,
    ),
    "onload/15-deployment.yaml": (
        "kubernetes",
        {"EF_POLL_USEC": "100000", "EF_INT_DRIVEN": "0"},
        "/opt/onload/usr/lib64/libonload.so",
    ),
    "onload/15-multidoc.yaml": ("kubernetes", {"EF_POLL_USEC": "100000", "EF_TCP_FASTSTART_INIT": "0"}, None),
    "onload/15-passthrough.yaml": ("compose", {"EF_POLL_USEC": "100000"}, "libonload.so"),
    "onload/15-pod.yaml": ("kubernetes", {"EF_POLL_USEC": "100000", "EF_INT_DRIVEN": "0"}, None),
    "onload/15-two-services.yaml": (
        "compose",
        {"EF_POLL_USEC": "100000", "EF_INT_DRIVEN": "0", "EF_TCP_FASTSTART_INIT": "0"},
        "libonload.so",
    ),
    "onload/15.Dockerfile": (
        "dockerfile",
        {"EF_POLL_USEC": "100000", "EF_TCP_FASTSTART_INIT": "0", "EF_TCP_FASTSTART_IDLE": "0"},
        "libonload.so",
    ),
    "onload/15-exports.sh": (
        "sh",
        {
            "EF_LOG_VIA_IOCTL": "1",
            "EF_SPIN_USEC": "-1",
            "EF_POLL_USEC": "-1",
            "EF_SELECT_SPIN": "1",
            "EF_NAME": "STACK_A",
            "EF_TCP_FASTSTART_INIT": "0",
            "EF_TCP_FASTSTART_IDLE": "0",
            "EF_MAX_ENDPOINTS": "1024",
        },
        None,
    ),
    "onload/16-one-unknown.env": ("env", {"EF_POLL_USEC": "100000"}, None),
    "onload/18-semicolon.env": (
        "sh",
        {
            "EF_POLL_USEC": "100000",
            "EF_NAME": "STACK_A",
            "EF_SHARE_WITH": "-1",
            "EF_UL_EPOLL": "3",
            "EF_RXQ_SIZE": "4096",
        },
        None,
    ),
    "onload/20-deployment.yaml": ("kubernetes", {"EF_POLL_USEC": "5"}, None),
    "onload/21-app.env": ("env", {"EF_NAME": "feed"}, None),
}


@pytest.mark.parametrize("file", SAY)
def test_a_file_says_exactly_these_settings_and_this_library(file: str) -> None:
    answer = imported(file)
    assert (answer["form"], answer["settings"], answer["library"]) == SAY[file]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (
            "forms/a_feed.sh",
            ["line 4", "under a condition: if in line 2", "VMA_QP_LOGIC=0", "has no variable VMA_QP_LOGIC"],
        ),
        ("forms/b_oneliner.sh", ["./app", "the command that it starts"]),
        ("forms/q_sudoenv.sh", ["VMA_RX_NO_CSUM", "./server -I eth1"]),
        ("forms/q_opts.sh", ["is part of XLIO_OPTS"]),
        (
            "forms/q_script.sh",
            ["line 2: ulimit -l unlimited", "echo 1750", "numactl -C 6,7 ./nfs -p 0", "IBV_FORK_SAFE"],
        ),
        ("forms/d_compose.yaml", ["line 8: TZ=UTC"]),
        (
            "forms/d2_compose.yaml",
            [
                "${TRACE:-1}",
                "1 unless TRACE is set",
                "line 8: TZ",
                "is taken from the environment of whoever starts Compose",
            ],
        ),
        (
            "forms/d4_compose.yaml",
            ["line 7: VMA_TRACELEVEL", "is taken from the environment of whoever starts Compose"],
        ),
        ("forms/e_unit.service", ["line 10: /etc/default/feed", "--follow"]),
        ("forms/g_crlf.env", ["'latency\\\\r' for a shell", "'-1\\\\r' for a shell"]),
        ("forms/g2_bom.env", ["byte order mark", "systemd would not set VMA_SPEC", "a shell would not set VMA_SPEC"]),
        ("forms/i_hash.env", ["'3 # info' for systemd and docker"]),
        ("forms/q_mixed.env", ["line 1: VMA_SPEC=latency", "is not read by xlio, the library that is loaded"]),
        ("forms/q_two.env", ["/usr/lib/libjemalloc.so.2"]),
        ("forms/r_deploy.yaml", ["NODE", "valueFrom"]),
        ("forms/r2_pod.yaml", ["API server refuses", 'write "-1" in quotes']),
        ("onload/14-unit.service", ["/etc/sysconfig/onload", "line 12", "onload --profile=latency"]),
        ("onload/15-deployment.yaml", ["envFrom: onload-latency-profile", "EF_NAME: valueFrom"]),
        ("onload/15-passthrough.yaml", ["line 5: TZ"]),
        ("onload/16-one-unknown.env", ["EF_TCP_NODELAY=1", "EF_UDP_RECV_MCAST_UL_ONLY=1", "--keep-unknown"]),
        ("onload/18-semicolon.env", ["EF_UL_EPOLL is not exported here"]),
        ("onload/20-deployment.yaml", ["line 13: EF_NAME: valueFrom"]),
    ],
)
def test_what_was_not_taken_and_what_is_doubtful_is_said(file: str, words: list[str]) -> None:
    text = told(imported(file))
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    "file", ["forms/e_unit.service", "forms/e2_dropin.conf", "forms/f_envdump.txt", "forms/h_environ"]
)
def test_what_is_another_programs_is_not_named_line_by_line(file: str) -> None:
    assert [row for row in imported(file)["skipped"] if "--follow" not in row["why"]] == []


@pytest.mark.parametrize("file", ["forms/q_none.env", "forms/q_empty.env", "onload/21-compose.yaml"])
def test_a_file_without_a_setting_of_a_stack_says_so_and_nothing_is_written(file: str, tmp_path: Path) -> None:
    assert "has no setting of a stack" in refused(file, "-o", str(tmp_path / "p.toml"))
    assert list(tmp_path.iterdir()) == []


def test_variables_that_the_loaded_library_does_not_read_are_no_profile() -> None:
    text = refused("forms/q_wronglib.env")
    assert "VMA_SPEC=latency" in text
    assert "is not read by xlio, the library that is loaded" in text


def test_blanks_around_the_equals_sign_are_named_with_what_was_meant() -> None:
    text = refused("forms/q_spaced_equals.env")
    assert "write VMA_SPEC=latency without blanks" in text
    assert "line 2" in text


def test_names_that_no_release_has_are_left_out_and_a_name_is_suggested_only_where_one_is_near() -> None:
    answer = imported("forms/j_guide.env")
    read = {"VMA_SPEC": "latency", "VMA_RX_POLL": "100000", "VMA_RX_BUFS": "200000", "VMA_MEM_ALLOC_TYPE": "2"}
    read |= {"VMA_RX_SKIP_OS": "1", "VMA_TCP_TIMESTAMP_OPTION": "0", "VMA_RX_POLL_INIT": "-1"}
    assert answer["settings"] == read
    why = {row["text"].partition("=")[0]: row["why"] for row in answer["skipped"]}
    unknown = ["VMA_IGMP_ENABLE", "VMA_HUGETLB", "VMA_STRQ", "VMA_FORK_SAFE", "VMA_RX_POLL_NUM"]
    assert list(why) == unknown
    assert "did you mean VMA_HUGETBL?" in why["VMA_HUGETLB"]
    assert "xlio has XLIO_STRQ" in why["VMA_STRQ"]
    assert [name for name in unknown if "(" in why[name]] == ["VMA_HUGETLB", "VMA_STRQ"]


def test_an_unknown_name_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "kept.toml"
    answer = imported("onload/16-one-unknown.env", "--keep-unknown", "-o", str(path))
    assert set(answer["settings"]) == {"EF_POLL_USEC", "EF_TCP_NODELAY", "EF_UDP_RECV_MCAST_UL_ONLY"}
    assert "EF_TCP_NODELAY" in path.read_text()


def test_the_consumer_that_is_asked_for_decides() -> None:
    shell = imported("onload/17-comment.env", "--from", "sh")
    systemd = imported("onload/17-comment.env", "--from", "env")
    assert shell["settings"] == {"EF_NAME": "abc", "EF_SPIN_USEC": "100000"}
    assert systemd["settings"] == {"EF_NAME": "abc # c", "EF_SPIN_USEC": "100000   # spin"}
    assert "'abc # c' for systemd and docker" in told(shell)
    assert "'abc' for a shell" in told(systemd)


def test_export_is_a_part_of_the_name_for_systemd() -> None:
    text = refused("forms/a3_semicolon.env", "--from", "env")
    assert "reads `export` as part of the name" in text


def test_the_carriage_return_is_an_unknown_word_for_a_shell() -> None:
    answer = imported("forms/g_crlf.env", "--from", "sh")
    assert answer["settings"] == {"VMA_RX_POLL": "-1\r"}
    assert "'latency\\r' is not a valid value for VMA_SPEC" in told(answer).replace("\\\\", "\\")
    assert "it ends in a carriage return" in told(answer)
    assert "CR LF" in told(answer)


def test_a_service_that_is_asked_for_is_read_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services:\n  a: {environment: {VMA_RX_POLL: 1}}\n  b: {environment: {VMA_RX_POLL: 2}}\n")
    assert imported(str(path), "--service", "b")["settings"] == {"VMA_RX_POLL": "2"}
    assert "for several programs: a, b" in refused(str(path))
    assert "choose one with --service NAME" in refused(str(path))
    assert "it has: a, b" in refused(str(path), "--service", "c")


def test_a_sidecar_is_read_where_it_is_asked_for() -> None:
    assert "has no setting of a stack" in refused("onload/15-deployment.yaml", "--container", "sidecar")


def test_named_files_are_read_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "feed").write_text("VMA_RX_POLL=5\nVMA_SPEC=latency\n")
    unit = tmp_path / "a.service"
    unit.write_text(f"[Service]\nEnvironmentFile=-{tmp_path}/feed\nEnvironment=VMA_RX_POLL=7\n")
    assert imported(str(unit), "--follow")["settings"] == {"VMA_RX_POLL": "5", "VMA_SPEC": "latency"}  # systemd.exec(5)
    assert "--follow" in told(imported(str(unit)))


def effective(file: str, *options: str) -> dict[str, Any]:
    """Return the answer of `tuner profiles effective --env-file FILE --json`."""
    arguments = ["profiles", "effective", "--env-file", str(FIELD / file), "--json", *options]
    result = CliRunner().invoke(program(), arguments)
    if isinstance(result.exception, TunerError):
        raise result.exception
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def explicit(answer: dict[str, Any]) -> set[str]:
    return {name for name, each in answer["settings"].items() if each["from"] == "explicit"}


def test_effective_reads_the_same_files() -> None:
    answer = effective("forms/a3_semicolon.env")
    assert (answer["stack"], explicit(answer)) == ("vma", {"VMA_RX_POLL", "VMA_SPEC", "VMA_LOG_FILE"})
    assert answer["settings"]["VMA_AVOID_SYS_CALLS_ON_TCP_FD"]["why"] == "VMA_SPEC=latency"
    assert effective("forms/e_unit.service")["stack"] == "vma"
    assert effective("forms/d_compose.yaml")["settings"]["VMA_RX_POLL"]["value"] == "-1"


def test_effective_says_that_nothing_is_in_force_under_another_library() -> None:
    answer = effective("forms/q_wronglib.env")
    assert (answer["stack"], explicit(answer)) == ("xlio", set())
    said = [f"{row['where']}: {row['message']}" for row in answer["findings"]]
    assert "VMA_SPEC: is not read: /usr/lib64/libxlio.so is loaded" in said
    assert any("nothing is in force" in line for line in said)


@pytest.mark.parametrize("release", ["2.1.1", "3.21.2", "3.40.2", "3.50.1", "3.61.2"])
def test_a_long_environment_is_read_whole_for_every_release(release: str) -> None:
    text = (FIELD / "forms/m_spdk.env").read_text()
    names = {line.partition("=")[0] for line in text.splitlines()}
    answer = effective("forms/m_spdk.env", "--stack-version", release)
    assert explicit(answer) <= names
    assert names <= answer["settings"].keys() | answer["ignored"].keys()


def test_the_inline_configuration_of_an_environment_stays_what_it_is_for_effective() -> None:
    assert {"XLIO_USE_NEW_CONFIG", "XLIO_INLINE_CONFIG"} <= explicit(effective("forms/n2_inline.env"))


def test_the_inline_configuration_is_imported_as_the_variables_that_it_stands_for() -> None:
    answer = imported("forms/n2_inline.env")
    wanted = {"XLIO_MEMORY_LIMIT": "4294967296", "XLIO_LOG_FILE": "/tmp/xlio.log", "XLIO_TCP_NODELAY": "1"}  # noqa: S108 # a value
    assert (answer["form"], answer["settings"], answer["library"]) == ("xlio-inline", wanted, "libxlio.so")


@pytest.mark.parametrize(
    ("release", "limit", "error"),
    [("3.61.2", "4294967296", ""), ("3.70.2", "4294967296", "separates by `;`"), ("3.50.1", "2147483648", "")],
)
def test_effective_reads_the_inline_configuration_as_the_release_does(release: str, limit: str, error: str) -> None:
    answer = effective("forms/n2_inline.env", "--stack-version", release)
    assert answer["settings"]["XLIO_MEMORY_LIMIT"]["value"] == limit
    errors = [
        row["message"] for row in answer["findings"] if row["severity"] == "error" and "memory" not in row["where"]
    ]
    assert len(errors) == (1 if error else 0)
    assert error in "".join(errors)


def test_the_configuration_of_xlio_is_imported_with_sizes_and_processors_as_the_release_reads_them() -> None:
    answer = imported("forms/o_cfg.json")
    assert (answer["form"], answer["stack"], answer["library"]) == ("xlio-json", "xlio", None)
    assert answer["settings"] == {
        "XLIO_MEMORY_LIMIT": "4294967296",
        "XLIO_MEM_ALLOC_TYPE": "2",
        "XLIO_TCP_NODELAY": "1",
        "XLIO_INTERNAL_THREAD_AFFINITY": "0-1",
        "XLIO_SPEC": "latency",
    }


def test_the_patch_of_a_profile_clears_value_from_beside_each_value() -> None:
    arguments = ["export", str(FIELD / "onload/20-profile.toml"), "--to", "kubernetes-patch", "--service", "feed"]
    result = CliRunner().invoke(program(), arguments)
    assert result.exit_code == 0, result.output
    patch = yaml.safe_load(result.stdout)
    wanted = {"LD_PRELOAD": "libonload.so", "EF_NAME": "feed", "EF_POLL_USEC": "100000"}
    rows = [{"name": name, "value": value, "valueFrom": None} for name, value in wanted.items()]
    assert patch == {"spec": {"template": {"spec": {"containers": [{"name": "feed", "env": rows}]}}}}
    target = yaml.safe_load((FIELD / "onload/20-deployment.yaml").read_text())
    (container,) = target["spec"]["template"]["spec"]["containers"]
    # What `kubectl patch` makes of it: entries of one name are merged, and null takes a field away.
    merged = {row["name"]: row for row in container["env"]} | {row["name"]: row for row in rows}
    assert all("valueFrom" not in {k: v for k, v in row.items() if v is not None} for row in merged.values())


def test_run_and_export_take_such_a_file_in_place_of_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "start.sh"
    path.write_text("export LD_PRELOAD=libtuner_kernel.so XLIO_RX_POLL=7\nexport OTHER=1\n./server\n")
    shown = CliRunner().invoke(program(), ["run", str(path), "--print", "--json"])
    assert json.loads(shown.stdout)["environment"]["XLIO_RX_POLL"] == "7"
    assert "left out: ./server" in shown.stderr
    exported = CliRunner().invoke(program(), ["export", str(path), "--to", "docker"])
    assert "XLIO_RX_POLL=7\n" in exported.stdout
    assert "OTHER" not in exported.stdout


def test_a_file_that_no_profile_can_be_made_of_is_refused_by_run(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("PORT=80\n")
    result = CliRunner().invoke(program(), ["run", str(path), "--print"])
    assert isinstance(result.exception, UsageError)
    assert "has no setting of a stack" in result.exception.message


def test_a_session_starts_from_such_a_file_and_doubts_what_was_left_out(tmp_path: Path) -> None:
    path = tmp_path / "start.sh"
    path.write_text("export LD_PRELOAD=libtuner_kernel.so XLIO_RX_POLL=-1\nexport XLIO_MSS=$MTU\n./server\n")
    words = ["measure", str(path), "--sockperf", str(fake.install(tmp_path)), "--runs", "1", "--json"]
    result = CliRunner().invoke(program(), [*words, "--results", str(tmp_path / "results")])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["settings"] == {"XLIO_RX_POLL": "-1"}
    assert "line 2: left out: XLIO_MSS=$MTU: depends on $MTU" in result.stderr
    assert "./server" not in result.stderr
