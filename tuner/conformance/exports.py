"""What every export form must do: carry each setting or refuse it with the reason, and let no value become anything else."""

from __future__ import annotations

from typing import Final

import pytest

from tuner import export
from tuner.errors import UsageError
from tuner.export import Deployment, Form
from tuner.profiles.profile import Profile

HOSTILE: Final = ("a b", "$X", "$(reboot)", "`id`", "'\"", "%h", "{{ x }}", "a\nPATH=/evil", "#x", "\\", "x;y", "é☃😀")
"""What some reader of some form takes for more than characters."""


class ExportConformance:
    """Tests of the form that the fixture `tuner_export` names, as `--to` takes it."""

    def test_each_setting_and_the_library_stand_in_the_file(self, tuner_export: str) -> None:
        form = export.form(tuner_export)
        wanted = _deployment(form, {"A_NAME": "12345"}, "/opt/lib.so")
        text = form.write(wanted)
        assert all(name in text and value in text for name, value in form.carried(wanted).items())

    def test_the_same_profile_gives_the_same_text(self, tuner_export: str) -> None:
        form = export.form(tuner_export)
        assert form.write(_deployment(form, {"A": "1"})) == form.write(_deployment(form, {"A": "1"}))

    def test_a_profile_without_settings_and_library_is_written(self, tuner_export: str) -> None:
        form = export.form(tuner_export)
        assert isinstance(form.write(_deployment(form, {})), str)

    @pytest.mark.parametrize("value", HOSTILE)
    def test_a_hostile_value_is_written_or_refused_by_name(self, tuner_export: str, value: str) -> None:
        form = export.form(tuner_export)
        try:
            text = form.write(_deployment(form, {"A_NAME": value}))
        except UsageError as refusal:
            assert [finding.where for finding in refusal.findings] == ["settings.A_NAME"]  # noqa: PT017 # either is right
            return
        assert "A_NAME" in text
        assert "A_NAME=a\nPATH=/evil" not in text  # in quotes a value may go over lines

    @pytest.mark.parametrize(
        ("name", "value"), [("A", "a\0b"), ("A", "\ud800"), ("A B", "1"), ("A\nPATH=/evil", "1"), ("$(reboot)", "1")]
    )
    def test_what_no_environment_can_carry_is_refused(self, tuner_export: str, name: str, value: str) -> None:
        form = export.form(tuner_export)
        with pytest.raises(UsageError) as refusal:
            form.write(_deployment(form, {name: value}))
        assert refusal.value.findings

    def test_a_summary_cannot_leave_its_comment(self, tuner_export: str) -> None:
        form = export.form(tuner_export)
        evil = Profile("a", _stack(form), {"A": "1"}, summary="x\nA_EVIL=1\r[Service]\u2028evil: 1")
        text = form.write(Deployment(evil))
        assert not any(line.lstrip().startswith(("A_EVIL", "[Service]\u2028", "evil:")) for line in text.split("\n"))


def _stack(form: Form) -> str:
    return form.stacks[0] if form.stacks else "kernel"


def _deployment(form: Form, settings: dict[str, str], library: str = "") -> Deployment:
    return Deployment(Profile("conforming", _stack(form), settings), library)
