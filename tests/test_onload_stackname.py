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
    assert "is not a call" in errors(explain(["gibberish"], {}))[0]


def test_options_that_onload_would_refuse_are_usage_errors() -> None:
    assert naming("ALL_THREADS", "ONLOAD_SCOPE_USER", "foo") == Naming(Who.ALL_THREADS, Scope.USER, "foo")
    for wrong in (("all_threads", "user", "n" * 17), ("anyone", "user", "n"), ("all_threads", "nochange", "")):
        with pytest.raises(UsageError, match="would refuse this name"):
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


def test_what_is_restored_is_what_was_saved() -> None:
    assert stacks(FOO, "save", 'this_thread, global, "bar"', "socket", "restore", "socket") == ["bar", "foo"]
    assert stacks("save", FOO, "socket", "onload_stackname_restore();", "socket", EF_NAME="web") == ["foo", "web"]
    assert stacks("save", FOO, "restore", "socket", EF_DONT_ACCELERATE="1") == [None]
    assert stacks("save", FOO, "restore", "socket", EF_STACK_PER_THREAD="1", EF_NAME="a") == ["a-t1"]


def test_saved_names_are_a_pile_of_each_thread() -> None:
    steps = (FOO, "save", 'this_thread, global, "bar"', "onload_stackname_save()", 'this_thread, global, "z"')
    assert stacks(*steps, "restore", "socket", "restore", "socket") == ["bar", "foo"]
    assert results("save", "thread 2: restore", "restore", "restore")[:4] == ["ok", "EINVAL", "ok", "EINVAL"]


def test_restoring_what_was_for_all_threads_concerns_all_threads_again() -> None:
    steps = (
        'all_threads, global, "a"',
        "save",
        'all_threads, global, "b"',
        "thread 2: socket",
        "restore",
        "thread 2: socket",
    )
    assert stacks(*steps) == ["b", "a"]


def test_saving_in_another_thread_than_chose_is_doubted() -> None:
    found = explain(['all_threads, global, "a"', "thread 2: save"], {})
    assert [one.severity for one in found.findings] == [Severity.WARNING]
    assert explain(['all_threads, global, "a"', "save"], {}).findings == ()


@pytest.mark.parametrize(
    ("share", "first", "second", "stack"),
    [
        ("0", 1000, 1000, "web"), ("0", 1000, 1001, None), ("0", 1000, 0, "web"), ("0", 0, 1000, None), ("1001", 1000, 1001, "web"),
        ("1002", 1000, 1001, None), ("-1", 1000, 1001, "web"),
    ],
)  # fmt: skip
def test_another_user_joins_a_stack_only_where_it_is_shared(
    share: str, first: int, second: int, stack: str | None
) -> None:
    variables = {"EF_NAME": "web", "EF_SHARE_WITH": share}
    found = explain([f"u{first}: socket", f"p2 u{second}: socket"], variables)
    assert [landing.stack for landing in found.landings] == ["web", stack]
    assert any("EACCES" in one.message for one in found.findings) == (stack is None)
    assert any("huge pages" in one.message for one in found.findings) == (share != "0")
    strict = explain([f"u{first}: socket", f"p2 u{second}: socket"], {**variables, "EF_NO_FAIL": "0"})
    assert (strict.landings[1].result == "EACCES") == (stack is None)


def test_stacks_of_several_users_with_names_of_their_own_do_not_meet() -> None:
    found = explain(["u1: socket", "p2 u2: socket", 'u1: this_thread, user, "a"', "u1: socket"], {})
    assert [landing.accelerated for landing in found.landings if landing.result.startswith("socket")] == [
        True,
        True,
        True,
    ]


def test_a_listener_that_shares_its_port_moves_into_a_stack_of_the_cluster() -> None:
    variables = {"EF_CLUSTER_SIZE": "2", "EF_CLUSTER_NAME": "prox"}
    steps = [step for who in ("p1", "p2", "p3") for step in (f"{who}: socket", f"{who}: reuseport")]
    found = explain([*steps[:4], "p1: listen 1", "p1: accept", *steps[4:]], variables)
    moved = [landing.stack for landing in found.landings if landing.step.verb == "reuseport"]
    assert moved == ["prox-c0", "prox-c1", "-"]
    assert next(landing for landing in found.landings if landing.step.verb == "accept").stack == "prox-c0"
    assert "one more than the 2 stacks" in errors(found)[0]
    assert stacks("socket", "reuseport") == ["-"]


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"EF_CLUSTER_NAME": "n" * 14, "EF_CLUSTER_SIZE": "2"}, "EF_CLUSTER_NAME"),
        ({"EF_CLUSTER_NAME": "abcdef", "EF_CLUSTER_SIZE": "2", "EF_SCALABLE_FILTERS": "any"}, "EF_CLUSTER_NAME"),
        ({"EF_CLUSTER_NAME": "abcde", "EF_CLUSTER_SIZE": "10", "EF_SCALABLE_FILTERS": "any"}, "EF_CLUSTER_NAME"),
        ({"EF_STACK_PER_THREAD": "1", "EF_SCALABLE_FILTERS": "any"}, "EF_STACK_PER_THREAD"),
        ({"EF_NAME": "a", "EF_SCALABLE_FILTERS": "any=rss:active"}, "EF_NAME"),
        ({"EF_SHARE_WITH": "root"}, "EF_SHARE_WITH"),
        ({"EF_CLUSTER_SIZE": "-1"}, "EF_CLUSTER_SIZE"),
    ],
)
def test_what_clusters_and_scalable_filters_refuse_is_an_error(variables: dict[str, str], where: str) -> None:
    found = [one for one in variable_findings(variables) if one.severity is Severity.ERROR]
    assert [one.where for one in found] == [f"environment: {where}"]


def test_names_by_call_do_not_go_together_with_the_second_kind_of_scalable_filters() -> None:
    variables = {"EF_SCALABLE_FILTERS": "any=rss:active:passive", "EF_SCALABLE_FILTERS_ENABLE": "2"}
    assert errors(explain(["socket"], variables)) == []
    assert "onload_set_stackname" in errors(explain([FOO], variables))[0]
    assert "onload_set_stackname" in errors(explain(["save"], variables))[0]
