"""In which stack a new socket lands: every example and note of the guide's page on onload_set_stackname()."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.errors import Severity, UsageError
from tuner.stacks.onload.naming import Naming, Scope, Who, naming, variable_findings
from tuner.stacks.onload.stackname import Explanation, explain

FOO = 'this_thread, global, "foo"'
calls = st.sampled_from(
    [
        FOO,
        'all_threads, user, ""',
        "socket",
        "pipe",
        "listen 1",
        "accept",
        "move 2",
        "thread 2: socket",
        "p9 t3: socket",
        "this_thread, nochange, x",
        "all_threads, thread, ONLOAD_DONT_ACCELERATE",
        "nobody, nowhere, nothing",
    ]
)


def stacks(*steps: str, **variables: str) -> list[str | None]:
    """Return the stack of every socket that the steps make, None for the kernel's."""
    found = explain(steps, variables)
    return [landing.stack for landing in found.landings if landing.result.startswith(("socket", "pipe"))]


def results(*steps: str) -> list[str]:
    return [landing.result for landing in explain(steps, {}).landings]


def errors(found: Explanation) -> list[str]:
    return [one.message for one in found.findings if one.severity is Severity.ERROR]


@pytest.mark.parametrize("order", [("accept", 'this_thread, global, "bar"'), ('this_thread, global, "bar"', "accept")])
def test_an_accepted_socket_lies_where_its_listener_does(order: tuple[str, str]) -> None:
    """Note 1: both orders of the guide's example are the same."""
    assert stacks(FOO, "socket", "listen", *order) == ["foo", "foo"]


def test_a_pipe_follows_the_name_too() -> None:
    assert stacks(FOO, "pipe") == ["foo"]


def test_an_accepted_socket_stays_also_when_another_thread_accepts() -> None:
    assert stacks(FOO, "socket", "listen", 'thread 2: this_thread, global, "bar"', "thread 2: accept") == ["foo", "foo"]


@pytest.mark.parametrize(
    ("scope", "shown"), [("thread", "foo-t12"), ("process", "foo-p7"), ("user", "foo-u1000"), ("global", "foo")]
)
def test_a_scope_adds_what_shares_the_name(scope: str, shown: str) -> None:
    """Note 3: the suffix that the code writes."""
    who = "user 1000 process 7 thread 12"
    assert stacks(f'{who}: this_thread, {scope}, "foo"', f"{who}: socket") == [shown]


def test_two_processes_share_a_global_name_and_not_one_of_their_own() -> None:
    """Note 2: scope is the namespace of a name."""
    for scope, shared in (("process", False), ("global", True)):
        steps = [step for who in ("p1", "p2") for step in (f'{who}: all_threads, {scope}, "foo"', f"{who}: socket")]
        groups = {landing.group for landing in explain(steps, {}).landings if landing.accelerated}
        assert (len(groups) == 1) == shared


def test_a_thread_goes_back_to_what_all_threads_do() -> None:
    """Note 4: the call of the guide's example."""
    steps = ('thread 2: all_threads, global, "all"', FOO, "socket", 'all_threads, nochange, ""', "socket")
    assert stacks(*steps) == ["foo", "all"]


def test_this_thread_wins_over_all_threads() -> None:
    steps = ('thread 2: all_threads, global, "all"', FOO, "socket", "thread 2: socket", "thread 3: socket")
    assert stacks(*steps) == ["foo", "all", "all"]
    assert stacks(FOO, 'thread 2: all_threads, global, "all"', "socket") == ["foo"]


def test_what_the_code_does_otherwise_is_said() -> None:
    found = explain([FOO, 'all_threads, global, "bar"', "socket"], {})
    assert found.landings[-1].stack == "foo"
    assert any("the code of 8.1 to 9.2 drops it" in one.message for one in found.findings)


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({}, "-"),
        ({"EF_NAME": "foo"}, "foo"),
        ({"EF_STACK_PER_THREAD": "1"}, "-t1"),
        ({"EF_NAME": "foo", "EF_STACK_PER_THREAD": "1"}, "foo-t1"),
        ({"EF_DONT_ACCELERATE": "1"}, None),
        ({"EF_DONT_ACCELERATE": "1", "EF_STACK_PER_THREAD": "1", "EF_NAME": "foo"}, None),
        ({"EF_DONT_ACCELERATE": "0", "EF_STACK_PER_THREAD": "0"}, "-"),
    ],
)
def test_the_variables_have_their_order_of_precedence(variables: dict[str, str], shown: str | None) -> None:
    assert stacks(**variables) == [shown]


@pytest.mark.parametrize("variable", ["EF_DONT_ACCELERATE", "EF_STACK_PER_THREAD"])
def test_a_call_wins_over_every_variable(variable: str) -> None:
    assert stacks("socket", FOO, "socket", **{variable: "1", "EF_NAME": "bar"})[1] == "foo"
    assert stacks('thread 2: all_threads, global, "foo"', "socket", **{variable: "1"}) == ["foo"]


def test_sockets_can_be_left_to_the_kernel_by_a_call() -> None:
    assert stacks("all_threads, process, ONLOAD_DONT_ACCELERATE", "socket", "thread 2: socket") == [None, None]
    assert stacks("this_thread, process, NULL", "socket", "thread 2: socket") == [None, "-"]


def test_the_connections_of_a_kernel_listener_are_the_kernels() -> None:
    assert stacks("socket", "listen", FOO, "accept", EF_DONT_ACCELERATE="1") == [None, None]


def test_an_empty_name_is_no_name() -> None:
    assert stacks('this_thread, global, ""', "socket", EF_NAME="bar") == ["-"]


def test_a_moved_socket_is_in_one_stack_only() -> None:
    found = explain(["socket", FOO, "move 1", "listen 1", "accept"], {})
    assert [landing.stack for landing in found.landings][-1] == "foo"


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ('this_thread, global, "12345678"', "ok"),
        ('this_thread, global, "1234567890123456"', "ok"),
        ('this_thread, global, "12345678901234567"', "ENAMETOOLONG"),
        ("this_thread, nochange, x", "EINVAL"),
        ("somebody, global, x", "EINVAL"),
        ("this_thread, everywhere, x", "EINVAL"),
        ('this_thread, global, "\x01a"', "EINVAL"),
        ('onload_set_stackname(ONLOAD_ALL_THREADS, ONLOAD_SCOPE_GLOBAL, "foo");', "ok"),
    ],
)
def test_a_call_is_taken_or_refused_as_onload_does(call: str, result: str) -> None:
    assert results(call)[0] == result
    assert bool(errors(explain([call], {}))) == (result != "ok")


def test_a_refused_call_changes_nothing() -> None:
    assert stacks(FOO, 'this_thread, global, "12345678901234567"', "socket") == ["foo"]


def test_a_name_beyond_the_documented_length_is_doubted() -> None:
    found = explain(['this_thread, global, "123456789"'], {})
    assert [one.severity for one in found.findings] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EF_NAME", "n" * 17),
        ("EF_NAME", "a b"),
        ("EF_STACK_PER_THREAD", "2"),
        ("EF_DONT_ACCELERATE", "yes"),
        ("EF_FOO", "1"),
    ],
)
def test_a_bad_variable_is_an_error_with_its_place(name: str, value: str) -> None:
    found = variable_findings({name: value})
    assert [(one.severity, one.where) for one in found] == [(Severity.ERROR, f"environment: {name}")]


def test_a_name_that_is_too_long_in_the_environment_is_cut() -> None:
    assert stacks(EF_NAME="12345678901234567") == ["1234567890123456"]


@given(st.lists(st.one_of(calls, st.text()), max_size=8))
def test_any_steps_are_explained_without_an_exception(steps: list[str]) -> None:
    found = explain(steps, {"EF_NAME": "x"})
    assert all(landing.why for landing in found.landings)


def test_an_accept_without_a_listener_is_an_error() -> None:
    assert "no socket yet" in errors(explain(["accept"], {}))[0]
    assert "is no call" in errors(explain(["gibberish"], {}))[0]


def test_options_that_onload_would_refuse_are_usage_errors() -> None:
    assert naming("ALL_THREADS", "ONLOAD_SCOPE_USER", "foo") == Naming(Who.ALL_THREADS, Scope.USER, "foo")
    for wrong in (("all_threads", "user", "n" * 17), ("anyone", "user", "n"), ("all_threads", "nochange", "")):
        with pytest.raises(UsageError, match="would not take"):
            naming(*wrong)


def test_our_library_is_told_onloads_numbers() -> None:
    told = Naming(Who.ALL_THREADS, Scope.GLOBAL, None).variables()
    assert told == {
        "TUNER_STACKNAME": "ONLOAD_DONT_ACCELERATE",
        "TUNER_STACKNAME_WHO": "1",
        "TUNER_STACKNAME_SCOPE": "4",
    }


def said(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(program(), ["onload", "stackname", *arguments])
    return done.exit_code, done.stdout


def test_the_command_answers_in_words_and_in_json() -> None:
    status, text = said("--call", FOO, "--call", "socket", "--env", "EF_NAME=bar")
    assert (status, "foo" in text) == (0, True)
    status, text = said("--call", "socket", "--env", "EF_DONT_ACCELERATE=1", "--json")
    step = json.loads(text)["steps"][0]
    assert (step["result"], step["stack"], step["accelerated"]) == ("socket 1", None, False)
    assert said("--env", f"EF_NAME={'n' * 17}")[0] == 1
