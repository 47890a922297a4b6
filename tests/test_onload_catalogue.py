"""The catalogue of Onload catches what its library would take for something else without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import catalogue
from tuner.catalogue.parameters import Kind, Type
from tuner.errors import Finding, Severity
from tuner.profiles.files import read

ONLOAD = catalogue.load("onload")
PROFILES = Path(__file__).parent.parent / "profiles" / "onload"


def check(settings: dict[str, str], release: str | None = None) -> list[Finding]:
    return ONLOAD.check(settings, lambda name: name, release)


def errors(settings: dict[str, str], release: str | None = None) -> list[str]:
    return [found.message for found in check(settings, release) if found.severity is Severity.ERROR]


def test_every_name_that_onload_knows_is_there() -> None:
    kinds = [parameter.kind for parameter in ONLOAD.parameters.values()]
    assert (len(kinds), kinds.count(Kind.SETTING)) == (264, 246)
    assert ONLOAD.releases == ("8.1", "9.0", "9.1", "9.2")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("EF_TX_PUSH", "2"),  # cut to one bit: 0
        ("EF_UL_EPOLL", "4"),  # cut to two bits: 0
        ("EF_INT_DRIVEN", "true"),  # text of a stack's variable: 0
        ("EF_MAX_PACKETS", "4k"),  # 4
        ("EF_RXQ_SIZE", "1000"),
        ("EF_RXQ_SIZE", "65536"),
        ("EF_CTPIO_MODE", "2"),  # a word is wanted
        ("EF_POLL_USEC", ""),
        ("EF_LOG", "banner, config"),
        ("EF_INTERFACE_WHITELIST", "eth0  eth1"),
        ("EF_TCP_FORCE_REUSEPORT", "80,http"),
        ("EF_UNIX_LOG", "7g"),
    ],
)
def test_a_value_that_the_library_would_mistake_is_refused(name: str, text: str) -> None:
    assert len(errors({name: text})) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("EF_POLL_USEC", "-1"),
        ("EF_CTPIO_MODE", "CT"),
        ("EF_RXQ_SIZE", "-1"),
        ("EF_INTERFACE_WHITELIST", "eth0 eth1"),
        ("EF_TCP_FORCE_REUSEPORT", "80,443"),
        ("EF_UNIX_LOG", "0x7f"),
        ("EF_TCP_SYN_OPTS", "f"),
        ("EF_LOG", "-banner,conn_drop"),
        ("EF_SCALABLE_FILTERS", "any=rss:active:passive"),
    ],
)
def test_a_value_that_the_library_reads_is_taken(name: str, text: str) -> None:
    assert errors({name: text}) == []


@pytest.mark.parametrize("name", ["EF_TCP_SOCKBUF_MAX_FRACTION", "EF_RETRANSMIT_THRESHOLD_ORPHAN", "EF_POISON_RX_BUF"])
def test_a_listed_name_that_nothing_reads_is_no_setting(name: str) -> None:
    assert "no release reads" in errors({name: "1"})[0]


def test_a_name_that_is_gone_leads_to_its_successor() -> None:
    assert check({"EF_POLL_FAST_LOOPS": "1"})[0].suggestion == "use EF_POLL_FAST_USEC instead"


@pytest.mark.parametrize(("length", "severity"), [(8, None), (9, "warning"), (16, "warning"), (17, "error")])
def test_a_stack_name_has_eight_promised_and_sixteen_read_characters(length: int, severity: str | None) -> None:
    found = check({"EF_NAME": "n" * length})
    assert [one.severity.value for one in found] == ([severity] if severity else [])


@pytest.mark.parametrize("text", ["a b", "\x01a", "a\tb"])
def test_a_stack_name_has_no_blank_and_no_byte_one(text: str) -> None:
    assert len(errors({"EF_NAME": text})) == 1


def test_polling_changes_what_is_in_effect_elsewhere() -> None:
    plain, polls = ONLOAD.effective({}), ONLOAD.effective({"EF_POLL_USEC": "100000"})
    names = (
        "EF_INT_DRIVEN",
        "EF_SPIN_USEC",
        "EF_TCP_RECV_SPIN",
        "EF_TCP_ACCEPT_SPIN",
        "EF_BUZZ_USEC",
        "EF_HELPER_USEC",
    )
    assert [plain[name] for name in names] == ["1", "0", "0", "0", "0", "0"]
    assert [polls[name] for name in names] == ["0", "100000", "1", "0", "100", "500"]


def test_a_default_follows_its_release() -> None:
    assert [ONLOAD.find("EF_RXQ_SIZE").default(release) for release in ("8.1", "9.1", "9.2")] == ["512", "512", "-1"]
    assert [ONLOAD.find("EF_TX_DATAPATH").default(release) for release in ("9.0", "9.1", "9.2")] == [
        None,
        "express",
        "auto",
    ]


def test_a_variable_of_a_later_release_is_refused_for_an_earlier_one() -> None:
    assert "is read from 9.1 on" in errors({"EF_TX_DATAPATH": "express"}, "9.0")[0]
    assert errors({"EF_TX_DATAPATH": "express"}, "9.1") == []
    assert len(errors({"EF_TX_DATAPATH": "auto"}, "9.1")) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"EF_SPIN_USEC": "20"}, "switches no polling on"),
        ({"EF_TCP_RECV_SPIN": "1"}, "for no time at all"),
        ({"EF_SLEEP_SPIN_USEC": "50"}, "does nothing unless"),
        ({"EF_UL_EPOLL": "0", "EF_POLL_USEC": "10"}, "not compatible"),
        ({"EF_NAME": "a", "EF_STACK_PER_THREAD": "1"}, "stronger than EF_NAME"),
        ({"EF_DONT_ACCELERATE": "1", "EF_POLL_USEC": "10"}, "means nothing"),
        ({"EF_DONT_ACCELERATE": "1", "EF_STACK_PER_THREAD": "1"}, "means nothing"),
        ({"EF_UDP_PORT_HANDOVER_MIN": "1", "EF_UDP_PORT_HANDOVER_MAX": "20000"}, "measures the kernel"),
        ({"EF_LOAD_ENV": "0"}, "then the default"),
        ({"EF_TCP_CLIENT_LOOPBACK": "2"}, "need EF_TCP_SERVER_LOOPBACK=2"),
    ],
)
def test_a_combination_without_sense_is_doubted(settings: dict[str, str], words: str) -> None:
    found = check(settings)
    assert errors(settings) == []
    assert any(words in one.message for one in found)


def test_stacks_of_threads_and_scalable_filters_exclude_each_other() -> None:
    assert errors({"EF_STACK_PER_THREAD": "1", "EF_SCALABLE_FILTERS": "eth0=active"})


def test_a_value_that_would_be_changed_silently_is_repaired() -> None:
    repaired = ONLOAD.repaired({"EF_MAX_PACKETS": "2048", "EF_MAX_RX_PACKETS": "9999", "EF_DELACK_THRESH": "20"})
    assert (repaired["EF_MAX_RX_PACKETS"], repaired.get("EF_DYNAMIC_ACK_THRESH", "20")) == ("2048", "20")


def test_a_variable_says_whether_it_is_the_processs_or_the_stacks() -> None:
    assert (ONLOAD.find("EF_TCP_RECV_SPIN").scope, ONLOAD.find("EF_INT_DRIVEN").scope) == ("process", "stack")
    assert {p.type for p in ONLOAD.settings() if p.pattern} == {Type.STRING}


def test_the_vendors_profiles_are_shipped_and_the_control_run_with_them() -> None:
    names = {path.stem for path in PROFILES.glob("*.toml")}
    assert names >= {"latency", "latency-best", "safe", "throughput", "cloud", "zeromq", "redis-balanced", "control"}
    assert read(PROFILES / "control.toml").settings == {"EF_DONT_ACCELERATE": "1"}
    latency = {"EF_POLL_USEC": "100000", "EF_TCP_FASTSTART_INIT": "0", "EF_TCP_FASTSTART_IDLE": "0"}
    assert read(PROFILES / "latency.toml").settings == latency
