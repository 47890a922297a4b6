"""What a library makes of a configuration: by what it says itself (`tuner.stacks.probe`), and by the model of its release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tuner import catalogue
from tuner.catalogue import memory, named_files
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.effective import effective
from tuner.catalogue.reading import Fate
from tuner.catalogue.room import Room
from tuner.errors import Finding, TunerError, doubt
from tuner.profiles.profile import errors_in
from tuner.records import Trial
from tuner.runs.run import Rig
from tuner.session.setup.marks import Marks
from tuner.stacks import probe
from tuner.stacks.banner import Banner
from tuner.stacks.stack import Stack
from tuner.stacks.verification import Verified, verify

# What has no effect beside the other settings is as good as left out.
_HARMLESS: Final = frozenset({Fate.APPLIED, Fate.IGNORED, Fate.INERT})


class Readback:
    """What the library says of each trial's settings. It is asked once a trial, before its first run, and not again.

    Where it prints no banner there is nothing to say, and the runs themselves show whether the stack is there.
    """

    def __init__(self) -> None:
        self._asked = Marks()
        self._differences: dict[int, Sequence[str]] = {}

    def differences(self, rig: Rig, trial: Trial) -> Sequence[str]:
        """Return which settings the library says it does not use, though the model of its release expected it to."""
        if rig.stack.recognise is not None:  # its library prints no banner of settings
            return ()
        if trial.number not in self._asked:
            self._asked.add(trial.number)
            if found := _differences(rig, dict(trial.settings)):
                self._differences[trial.number] = found
        return self._differences.get(trial.number, ())


def _differences(rig: Rig, settings: Mapping[str, str]) -> list[str]:
    try:
        banner = probe.banner(rig.stack, rig.preloads[:1], settings, rig.pair.client)
    except TunerError:
        return []
    return [str(each) for each in verified(rig.stack, settings, banner) if not each.fine]


def verified(stack: Stack, settings: Mapping[str, str], banner: Banner) -> list[Verified]:
    """Return what became of each setting, by the banner."""
    return verify(catalogue.load(stack.name), settings, banner, stack.forced)


def doubts(stack: str, release: str | None) -> list[Finding]:
    """Return what is not known of the release that a library's banner names, nothing where it names none."""
    if release is None:
        return []
    remark = catalogue.load(stack).taken(release).remark
    return [doubt(remark, "check with `tuner verify` what the library makes of a profile")] if remark else []


def refusal(stack: str, settings: Mapping[str, str], release: str | None, room: Room | None = None) -> str | None:
    """Return why these settings must not be run in `release`, None when they may.

    They may not where the library would not start, for want of memory in `room` too, would use something else than
    what stands there, or would write or read files outside of the run's own folder.
    """
    known = catalogue.load(stack)
    wrong = [str(finding) for finding in errors_in(known.check(settings, str, release))]
    wrong += [str(finding) for finding in named_files.outside(known, settings)]
    wrong += [str(finding) for finding in too_large(known, settings, release, room)]
    if wrong or release is None:
        return "; ".join(wrong) or None
    if not known.is_read_whole(known.read_as(release)):
        return None  # what its limits and rules make of a value is not known
    model = effective(known, settings, release)
    lost = {name: each for name in settings if (each := model.settings.get(name)) and each.fate not in _HARMLESS}
    return "; ".join(f"{name}: {each.fate}: {each.why}" for name, each in lost.items()) or None


def too_large(known: Catalogue, settings: Mapping[str, str], release: str | None, room: Room | None) -> list[Finding]:
    """Return why a host with this room cannot start these settings, nothing where it can or `room` is None."""
    if room is None:
        return []
    found = effective(known, settings, release)
    return memory.obstacles(found.stack, found.release, found.values(), room)
