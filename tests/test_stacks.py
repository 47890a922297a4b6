"""Every stack makes a whole environment of its own and knows the proof that it was there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import stacks
from tuner.conformance import StackConformance
from tuner.errors import UsageError
from tuner.stacks.stack import ENVIRONMENT_BYTES, Stack, environment, from_loader_cache

LIBRARY = Path("/usr/lib/libstack.so")
xlio_family = pytest.mark.parametrize(
    "one", [each for each in stacks.every() if each.recognise is None], ids=lambda s: s.name
)
every_stack = pytest.mark.parametrize("one", stacks.every(), ids=lambda one: one.name)


def size(variables: dict[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) + 2 for name, value in variables.items())


@pytest.fixture(params=[one.name for one in stacks.every()])
def tuner_stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestEveryStack(StackConformance):
    """All that this package has."""


@every_stack
@given(
    settings=st.dictionaries(
        st.sampled_from(["XLIO_RX_POLL", "XLIO_TSO", "XLIO_MSS"]), st.text("0123456789µ", max_size=40)
    )
)
def test_every_environment_has_the_same_size(one: Stack, settings: dict[str, str]) -> None:
    assert size(environment(one, [LIBRARY], settings)) == ENVIRONMENT_BYTES


@every_stack
def test_the_loaders_own_words_are_the_reason_when_it_says_them(one: Stack) -> None:
    said = "ERROR: ld.so: object '/x.so' from LD_PRELOAD cannot be preloaded (cannot open shared object file): ignored."
    assert one.proof(said + "\n", "").reason == said


@xlio_family
def test_a_banner_is_proof_unless_the_library_reports_an_error(one: Stack) -> None:
    line = f" XLIO INFO   : {one.version_tag}: 1.2.3\n"
    assert one.proof(line, "").loaded
    broken = one.proof(line + " XLIO ERROR  : does not detect IB capable devices\n", "")
    assert (broken.loaded, broken.reason) == (False, "does not detect IB capable devices")


def test_the_kernel_stack_is_never_taken_for_xlio() -> None:
    assert not stacks.named("xlio").proof(" XLIO INFO   : TUNER_KERNEL_VERSION: 0.1.0\n", "").loaded


def test_an_unknown_stack_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        stacks.named("xloi")
    assert caught.value.advice == "did you mean xlio?"


def test_a_library_is_found_in_the_loaders_cache_by_its_soname() -> None:
    cache = (
        "2 libs found in cache\n\tlibxlio.so.3 (libc6,x86-64) => /lib/libxlio.so.3\n\tlibz.so (libc6) => /lib/libz.so\n"
    )
    assert from_loader_cache(cache, "libxlio.so") == Path("/lib/libxlio.so.3")
    assert from_loader_cache(cache, "libvma.so") is None
