"""Onload with a stand-in for its library: runs, the proof, the terminal rule, the names of stacks, bad libraries.

The stand-in prints a banner of the recorded shape on stderr where stderr is a terminal or EF_LOG_VIA_IOCTL is 0, tells
of unknown names to a terminal only, and notes the arguments of onload_set_stackname() in a file.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import command_line
import fake
import pytest

SOURCE = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
__attribute__((visibility("default"))) int onload_set_stackname(int who, int scope, const char *name)
{
    FILE *file = fopen(NOTES, "a");
    if (file) {
        fprintf(file, "%d %d %s\n", who, scope, name ? name : "(null)");
        fclose(file);
    }
    if (name && strcmp(name, "refused") == 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}
__attribute__((constructor)) static void start(void)
{
    const char *ioctl_log = getenv("EF_LOG_VIA_IOCTL"), *control = getenv("EF_DONT_ACCELERATE");
    int terminal = isatty(2);
    for (char **each = environ; *each; each++)
        if (terminal && strncmp(*each, "EF_TYPO", 7) == 0)
            fprintf(stderr, "oo:stand-in[%d]: Unknown option \"%s\" identified\n", (int)getpid(), *each);
    if (control && *control == '1')
        return;
    if (ioctl_log ? *ioctl_log == '0' : terminal)
        fprintf(stderr, BANNER, (int)getpid());
}
"""
FIELD = Path(__file__).parent / "data" / "field" / "onload"
BANNER = r"oo:stand-in[%d]: Using Onload 9.2.0.43 [1]\n"
FROM_GIT = r"oo:stand-in[%d]: Using Onload 6700428b 2023-06-07 master  [1]\n"
NO_DRIVER = r"citp_oo_get_cpu_khz: Failed to open /dev/onload\n"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("onload"), BANNER)


def compiled(folder: Path, banner: str) -> Path:
    """Return a library with Onload's function, which says `banner`; calls are noted in `calls` beside it."""
    source, made = folder / "stand_in.c", folder / "libonload.so"
    head = f'#define BANNER "{banner}"\n#define NOTES "{folder / "calls"}"\n'
    source.write_text(head + SOURCE, encoding="utf-8")
    options = ["-shared", "-fPIC", "-Wno-format-extra-args"]
    subprocess.run(["cc", *options, "-o", str(made), str(source)], check=True, timeout=60)
    return made


def tuner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command_line.run(folder, *arguments)


def measured(folder: Path, library: Path, profile: str, *more: str) -> subprocess.CompletedProcess[str]:
    # Its sockets would be the kernel's, which a run that is looked at in time would see.
    program = fake.install(folder, noise=0.01, no_sockets=True)
    options = ["--stack", "onload", "--lib", str(library), "--sockperf", str(program), "--results", "r"]
    return tuner(folder, "measure", profile, *options, "--runs", "1", "--json", *more)


def evidence(folder: Path) -> Any:
    with sqlite3.connect(folder / "r" / "tuner.db") as database:
        return json.loads(database.execute("select evidence from runs").fetchone()[0])


def test_a_profile_is_measured_in_an_environment_made_for_it(library: Path, tmp_path: Path) -> None:
    done = measured(tmp_path, library, "latency-best")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]["EF_CTPIO_MODE"] == "ct"
    kept = evidence(tmp_path)["environment"]
    assert (kept["EF_POLL_USEC"], kept["EF_NO_FAIL"], kept["EF_LOG_VIA_IOCTL"]) == ("100000", "0", "0")


def test_a_build_from_git_is_measured_checked_and_run(tmp_path: Path) -> None:
    library = compiled(tmp_path, FROM_GIT)
    assert measured(tmp_path, library, "latency").returncode == 0
    checked = tuner(
        tmp_path, "check", "--stack", "onload", "--lib", str(library), "--sockperf", str(fake.install(tmp_path))
    )
    assert (checked.returncode, "6700428b 2023-06-07 master" in checked.stdout) == (0, True), checked.stderr
    probed = json.loads(tuner(tmp_path, "onload", "probe", "--lib", str(library), "--json").stdout)
    assert (probed["loaded"], probed["release"]) == (True, "6700428b 2023-06-07 master")


@pytest.mark.parametrize("release", ["6700428b 2023-06-07 master ", "<dev-snapshot>"])
def test_run_takes_the_banner_of_any_release_for_proof(tmp_path: Path, release: str) -> None:
    source, library = FIELD / "12-banner.c", tmp_path / "libonload.so"
    words = ["cc", "-shared", "-fPIC", f'-DREL="{release}"', "-o", str(library), str(source)]
    subprocess.run(words, check=True, timeout=60)
    done = tuner(tmp_path, "run", "latency", "--stack", "onload", "--lib", str(library), "--", "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_the_control_run_counts_without_a_stack(library: Path, tmp_path: Path) -> None:
    done = measured(tmp_path, library, "control")
    assert done.returncode == 0, done.stderr
    assert "Using Onload" not in evidence(tmp_path)["server"]["stderr"]


def test_run_starts_a_program_under_the_control_profile(library: Path, tmp_path: Path) -> None:
    started = ["run", "control", "--stack", "onload", "--lib", str(library), "--", "echo", "hello"]
    done = tuner(tmp_path, *started)
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_a_missing_driver_is_not_loaded_in_the_librarys_words(tmp_path: Path) -> None:
    done = measured(tmp_path, compiled(tmp_path, NO_DRIVER), "latency")
    assert done.returncode == 1
    assert "not-loaded" in done.stderr
    assert "Failed to open /dev/onload" in done.stderr


def test_a_library_of_another_stack_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("int x;\n", encoding="utf-8")
    other = tmp_path / "libvma.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(other), str(tmp_path / "x.c")], check=True, timeout=60)
    done = measured(tmp_path, other, "latency")
    assert done.returncode == 1
    assert "has no onload_set_stackname" in done.stderr


def test_the_programs_stack_is_named_before_its_first_socket(library: Path, tmp_path: Path) -> None:
    calls = library.with_name("calls")
    calls.unlink(missing_ok=True)
    done = measured(tmp_path, library, "latency", "--stackname", "web", "--stackname-scope", "user")
    assert done.returncode == 0, done.stderr
    assert set(calls.read_text().splitlines()) == {"1 3 web"}
    assert evidence(tmp_path)["environment"]["LD_PRELOAD"].startswith(f"{library}:")


def test_a_name_that_onload_refuses_makes_the_run_not_loaded(library: Path, tmp_path: Path) -> None:
    done = measured(tmp_path, library, "latency", "--stackname", "refused")
    assert done.returncode == 1
    assert "File name too long" in done.stderr


def test_a_name_is_checked_before_anything_runs(library: Path, tmp_path: Path) -> None:
    long = measured(tmp_path, library, "latency", "--stackname", "n" * 17)
    assert (long.returncode, "ENAMETOOLONG" in long.stderr) == (2, True)
    kernel = tuner(tmp_path, "measure", "--stackname", "n", "--sockperf", str(fake.install(tmp_path)))
    assert (kernel.returncode, "--stack onload" in kernel.stderr) == (2, True)


def test_our_library_does_nothing_where_onload_is_not(tmp_path: Path) -> None:
    from tuner.stacks.onload.naming import naming
    from tuner.stacks.preloads import stackname_library

    variables = {"LD_PRELOAD": str(stackname_library()), **naming("all_threads", "user", "web").variables()}
    done = subprocess.run(["/bin/true"], env=variables, capture_output=True, text=True, check=True, timeout=20)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_probe_hears_what_is_only_said_to_a_terminal(library: Path, tmp_path: Path) -> None:
    done = tuner(tmp_path, "onload", "probe", "--lib", str(library), "--env", "EF_TYPO=1", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["loaded"], found["release"]) == (0, True, "9.2.0.43")
    assert [one["where"] for one in found["findings"]] == ["EF_TYPO"]


def test_check_says_whether_the_library_makes_a_stack(library: Path, tmp_path: Path) -> None:
    program = str(fake.install(tmp_path))
    done = tuner(tmp_path, "check", "--stack", "onload", "--lib", str(library), "--sockperf", program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Onload 9.2.0.43" in done.stdout


@pytest.mark.skipif(shutil.which("sockperf") is None, reason="needs the real sockperf, whose sockets are looked at")
def test_a_stack_whose_sockets_stayed_with_the_kernel_is_not_loaded(library: Path, tmp_path: Path) -> None:
    options = ["--stack", "onload", "--lib", str(library), "--runs", "1", "--results", "r"]
    done = tuner(tmp_path, "measure", "latency", *options)
    assert done.returncode == 1
    assert "the sockets are the kernel's (socket:[" in done.stderr
    assert "EF_TCP_SERVER_LOOPBACK" in done.stderr
    assert evidence(tmp_path)["client"]["sockets"]
