"""Every form of deployment brings a profile back unchanged, whatever its values hold, or refuses it with the reason."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import catalogue, export, intake
from tuner.conformance import ExportConformance
from tuner.errors import Skipped, UsageError
from tuner.export import Deployment, Form
from tuner.intake.form import Group
from tuner.profiles.library import Shelf, load
from tuner.profiles.profile import Place, Profile

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(f"{path.parent.name}/{path.stem}" for path in (ROOT / "profiles").rglob("*.toml"))
FORMS = list(export.forms().values())
ANY_STACK = [form for form in FORMS if not form.stacks]
LINE_FORMS = {"docker", "diff"}

# What some reader of some form takes for more than a character, more often than by chance.
SPECIAL = st.sampled_from(
    [*"\"'\\$`%{}()#=;&|<>!~*?[] \t,:-@", "$$", "${X}", "$(X)", "%h", "{{ x }}", "\\n", "é☃😀", "\u2028", "\x85"]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
VALUES = st.lists(SPECIAL | TEXT, max_size=6).map("".join)
NAMES = st.from_regex(r"XLIO_[A-Za-z0-9_]{1,12}", fullmatch=True)


def deployment(values: dict[str, str], library: str = "") -> Deployment:
    return Deployment(Profile("hostile", "kernel", values), library, "XLIO_")


def shipped(reference: str) -> Profile:
    return load(reference, None, (Shelf(Place.DIRECTORY, ROOT / "profiles"),))


def read(form: str, text: str) -> tuple[dict[str, str], tuple[Skipped, ...]]:
    """Return what a text in a form sets, and what of it was left out."""
    (group,) = intake.form(form).read(intake.Source(text, "file")).groups or (Group(()),)
    return {each.name: each.value for each in group.assigned}, group.skipped


def assert_comes_back(form: Form, wanted: Deployment) -> None:
    variables, skipped = read(form.name, form.write(wanted))
    assert variables == dict(form.carried(wanted))
    # A wrapper's own commands are named, because nobody runs them here.
    assert form.name == "wrapper" or skipped == ()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("reference", SHIPPED)
def test_every_shipped_profile_comes_back_from_every_form(form: Form, reference: str) -> None:
    profile = shipped(reference)
    if form.stacks and profile.stack not in form.stacks:
        pytest.skip(f"{form.name} is for {form.stacks}")
    release = catalogue.load(profile.stack).releases[-1]
    wanted = Deployment(profile, "/usr/lib/libx.so", "XLIO_", defaults={"XLIO_RX_POLL": "100000"}, release=release)
    assert_comes_back(form, wanted)


@given(st.dictionaries(NAMES, VALUES, max_size=3), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=1000)
def test_hostile_values_come_back_from_every_form_or_are_refused_with_the_reason(
    values: dict[str, str], summary: str
) -> None:
    whole = deployment(values, library="/opt/a lib.so")
    whole = replace(whole, profile=replace(whole.profile, summary=summary), defaults=dict.fromkeys(values, "0"))
    lines = {name: text for name, text in values.items() if "\n" not in text and "\r" not in text}
    for form in ANY_STACK:
        wanted = whole
        if form.name in LINE_FORMS and lines != values:
            with pytest.raises(UsageError) as refusal:
                form.write(whole)
            assert len(refusal.value.findings) == len(values) - len(lines)
            wanted = replace(whole, profile=replace(whole.profile, settings=lines))
        assert_comes_back(form, wanted)


@pytest.fixture(params=[form.name for form in ANY_STACK])
def tuner_export(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestEveryForm(ExportConformance):
    """All that carry any name: those of one stack refuse what is none of its variables, and have tests of their own."""


@pytest.mark.parametrize("form", ANY_STACK, ids=lambda form: form.name)
def test_a_profile_without_settings_and_library_comes_back(form: Form) -> None:
    assert_comes_back(form, deployment({}))


@pytest.mark.parametrize("form", ANY_STACK, ids=lambda form: form.name)
def test_a_very_long_value_comes_back_or_is_refused(form: Form) -> None:
    long = deployment({"XLIO_LOG_FILE": "/x y" * 16_000})
    if form.name == "docker":
        long = deployment({"XLIO_LOG_FILE": "/x y" * 16_380})
        with pytest.raises(UsageError, match="docker"):
            form.write(long)
    else:
        assert_comes_back(form, long)


@pytest.mark.parametrize("form", ANY_STACK, ids=lambda form: form.name)
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("XLIO_A", "a\0b", "NUL"),
        ("XLIO_A", "\ud800", "UTF-8"),
        ("XLIO_A", "x" * (128 * 1024), "Linux passes at most"),
        ("XLIO A", "1", "not a valid name"),
        ("XLIO_A\nPATH=/evil", "1", "not a valid name"),
        ("$(reboot)", "1", "not a valid name"),
    ],
)
def test_what_no_environment_can_carry_is_refused(form: Form, name: str, value: str, reason: str) -> None:
    with pytest.raises(UsageError) as refusal:
        form.write(deployment({name: value, "XLIO_B": value}))
    assert reason in refusal.value.findings[0].message


@pytest.mark.parametrize("form", ANY_STACK, ids=lambda form: form.name)
def test_a_summary_cannot_leave_its_comment(form: Form) -> None:
    evil = "x\nXLIO_EVIL=1\r[Service]\u2028evil: 1\x85- y\x0bz\\"
    profile = Profile("a", "kernel", {"XLIO_A": "1"}, summary=evil, origin={"verdict": evil, "session": evil})
    assert_comes_back(form, Deployment(profile))


@pytest.mark.parametrize("form", ANY_STACK, ids=lambda form: form.name)
@given(
    text=st.text(max_size=80)
    | st.lists(SPECIAL | st.sampled_from(["\n", "XLIO_A=", "Environment=", "- "])).map("".join)
)
@settings(max_examples=60)
def test_any_text_is_read_or_explained_and_never_an_exception(form: Form, text: str) -> None:
    try:
        variables, skipped = read(form.name, text)
    except UsageError as refusal:
        assert refusal.message.startswith("file")  # noqa: PT017 # some forms refuse the whole text
        return
    assert all(isinstance(value, str) for value in variables.values())
    assert all(entry.where.startswith("file") and entry.why for entry in skipped)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("env", "XLIO_A=$HOME"),
        ("env", "XLIO_A=`id`"),
        ("sh", "XLIO_A=$HOME"),
        ("sh", "XLIO_A=`id`"),
        ("sh", 'XLIO_A="open'),
        ("sh", 'export XLIO_A="$(id)"'),
        ("sh", "rm -rf /tmp/x"),
        ("sh", 'export XLIO_A=1"${LD_PRELOAD:+:$LD_PRELOAD}"'),
        ("wrapper", "exec evil"),
        ("docker", "XLIO_A"),
        ("docker", "two words=1"),
        ("systemd", "[Service]\nEnvironment=XLIO_A=%h"),
        ("systemd", '[Service]\nEnvironment="XLIO_A=\\xff"'),
        ("systemd", '[Service]\nEnvironment="XLIO_A=\\q"'),
        ("systemd", "[Unit]\nEnvironment=XLIO_A=1"),
        ("compose", "services: {a: {environment: {XLIO_A: $HOME}}}"),
        ("compose", "services: {a: {environment: {XLIO_A: yes}}}"),
        ("compose", "services: {a: {environment: {XLIO_A: }}}"),
        ("compose", "services: {a: {environment: [XLIO_A]}}"),
        ("kubernetes", "data: !!python/object/apply:os.system [id]"),
        ("kubernetes", "[" * 5000),
        ("kubernetes", "data: [1]"),
        ("kubernetes-patch", 'spec: {template: {spec: {containers: [{env: [{name: A, value: "$(B)"}]}]}}}'),
        ("kubernetes-patch", "spec: {template: {spec: {containers: [{env: [{name: A, valueFrom: {}}]}]}}}"),
        ("ansible", "{"),
        ("opf", "rm -rf /tmp/x"),
        ("xlio-json", '{"no": {"such": 1}}'),
        ("xlio-inline", "XLIO_INLINE_CONFIG=no.such=1"),
        ("xlio-inline", "XLIO_RX_POLL=1"),
    ],
)
def test_what_is_no_literal_value_is_a_finding_and_never_taken_over(form: str, text: str) -> None:
    try:
        variables, skipped = read(form, text)
    except UsageError:
        return
    assert skipped
    assert variables == {}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("systemd", "[Service]\nExecStart=/bin/evil"),
        ("compose", "services: {a: {}}"),
        ("kubernetes", "spec: [1]"),
        ("diff", "XLIO_A=1"),
    ],
)
def test_what_is_another_programs_is_left_alone(form: str, text: str) -> None:
    assert read(form, text) == ({}, ())


def test_a_command_behind_an_assignment_is_named_and_not_run() -> None:
    variables, skipped = read("sh", "XLIO_A=1; reboot")
    assert variables == {"XLIO_A": "1"}
    assert [entry.text for entry in skipped] == ["reboot"]


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        ("env", "XLIO_A=two words", "two words"),
        ("env", "XLIO_A=1 # c", "1 # c"),
        ("sh", "XLIO_A=1 # c", "1"),
        ("sh", "XLIO_B=1; XLIO_A=$XLIO_B; unset XLIO_B", "1"),
        ("sh", "# c\n\n  XLIO_A='it'\\''s'\\ \"so\"  # why\n", "it's so"),
        ("env", 'XLIO_A="a\\\nb"\r\n', "ab"),
        ("sh", "XLIO_A=1\nexport XLIO_A=-1\n", "-1"),
        ("docker", "\n # c\n  XLIO_A= x 'y' \r\n", " x 'y' "),
        ("systemd", "; c\n[Service]\nEnvironment=XLIO_A=1 \\\n 'XLIO_A=b c' \n", "b c"),
        ("systemd", '[Service]\nEnvironment=XLIO_B=1\nEnvironment=\nEnvironment="XLIO_A=\\u00e9\\101\\t%%"', "éA\t%"),
        ("compose", "services: {a: {environment: [XLIO_A=a=b]}}", "a=b"),
        ("compose", "services: {a: {environment: {XLIO_A: 010}}}", "8"),  # octal for Compose (go-yaml: a leading 0)
        ("compose", "services: {a: {environment: {XLIO_A: 1e3$}}}", "1e3$"),
        ("diff", "--- a\n+++ b\n@@ -1 +1 @@\n-XLIO_B=2\n-XLIO_A=0\n+XLIO_A=1\n", "1"),
    ],
)
def test_what_people_write_by_hand_is_read_as_its_reader_would(form: str, text: str, value: str) -> None:
    assert read(form, text) == ({"XLIO_A": value}, ())


def test_the_diff_says_what_changes_from_the_defaults() -> None:
    profile = Profile("p", "kernel", {"XLIO_A": "1", "XLIO_B": "2", "XLIO_C": "3"})
    text = export.form("diff").write(Deployment(profile, defaults={"XLIO_A": "0", "XLIO_B": "2"}))
    lines = [line for line in text.splitlines() if "XLIO" in line]
    assert lines == ["-XLIO_A=0", "+XLIO_A=1", " XLIO_B=2", "+XLIO_C=3"]


def test_an_unknown_form_is_told_with_the_nearest_name() -> None:
    with pytest.raises(UsageError) as refusal:
        export.form("sytemd")
    assert "did you mean systemd" in refusal.value.advice


def test_a_form_of_other_stacks_is_refused() -> None:
    form = replace(export.form("env"), stacks=("xlio",))
    with pytest.raises(UsageError, match="not for stack kernel") as refusal:
        form.write(deployment({}))
    assert "translate --to xlio" in refusal.value.advice


def documented(form: Form) -> Deployment:
    """Return what the page shows in a form: the profile latency of the stack that it is for."""
    stack = (form.stacks or ("kernel",))[0]
    known = catalogue.load(stack)
    profile = shipped(f"{stack}/latency")
    defaults = {name: known.parameters[name].default() or "" for name in profile.settings}
    library = "/usr/lib/libtuner_kernel.so" if stack == "kernel" else f"/usr/lib64/lib{stack}.so"
    return Deployment(profile, library, "XLIO_", defaults=defaults, release=known.releases[-1])


def test_an_onload_profile_that_imports_others_is_read_with_them() -> None:
    variables, _ = read("opf", "onload_import safe\nonload_set EF_UL_EPOLL 1\n")
    assert (variables["EF_UL_EPOLL"], variables["EF_EPOLL_MT_SAFE"]) == ("2", "0")


def test_the_documentation_shows_each_form_as_it_is_written() -> None:
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^### (\S+)\n.*?^```\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    written = {form.name: form.write(documented(form)) for form in FORMS}
    assert shown == {name: re.sub(r"by tuner \S+\.", "by tuner 0.1.0.", text) for name, text in written.items()}
