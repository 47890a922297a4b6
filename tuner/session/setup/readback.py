"""The library's own account of a configuration: a program that does nothing is run under it, at the level `details`.

The banner is printed before the first socket, so this needs no card. It is never part of a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tuner import catalogue
from tuner.catalogue import memory
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.effective import effective
from tuner.catalogue.memory import Room
from tuner.catalogue.reading import Fate
from tuner.errors import Finding, MissingTool, TunerError, error
from tuner.hosts.host import Command, Host
from tuner.measure.run import Rig
from tuner.profiles.profile import errors_in
from tuner.records import Trial
from tuner.stacks import STACKS, library
from tuner.stacks.banner import Banner, read
from tuner.stacks.stack import Stack, environment
from tuner.stacks.verification import Verified, verify

_PROGRAM: Final = ("true",)
_LOADER: Final = "ERROR: ld.so"


def read_back(stack: Stack, libraries: Sequence[Path], settings: Mapping[str, str], host: Host) -> Banner:
    """Return the banner that the stack's library prints under `settings`; raise `MissingTool` when it prints none."""
    variables = {**environment(stack, libraries, settings), f"{stack.prefix}TRACELEVEL": "details"}
    result = host.output_of(Command(_PROGRAM, variables))
    banner = read(f"{result.stdout}\n{result.stderr}")
    if banner.tag != stack.version_tag:
        reasons = [_other(stack, libraries[0], banner), *_said(result.stderr, banner)]
        raise MissingTool(
            f"stack {stack.name} was not loaded", findings=[each for each in reasons if each], advice=stack.advice
        )
    return banner


class Readback:
    """What the library says of each trial's settings. It is asked once a trial, before its first run, and not again.

    Where it prints no banner there is nothing to say, and the runs themselves show whether the stack is there.
    """

    def __init__(self) -> None:
        self._differences: dict[int, list[str]] = {}

    def differences(self, rig: Rig, trial: Trial) -> list[str]:
        """Return which settings the library says it does not use, though the model of its release expected it to."""
        if rig.stack.recognise is not None:  # its library prints no banner of settings
            return []
        if trial.number not in self._differences:
            self._differences[trial.number] = _differences(rig, dict(trial.settings))
        return self._differences[trial.number]


def _differences(rig: Rig, settings: Mapping[str, str]) -> list[str]:
    try:
        banner = read_back(rig.stack, rig.preloads[:1], settings, rig.pair.client)
    except TunerError:
        return []
    return [str(each) for each in verified(rig.stack, settings, banner) if not each.fine]


def checked(stack: Stack, path: Path) -> Path:
    """Return `path` when it is a library that can be preloaded here; raise `MissingTool` with the reason otherwise."""
    wrong = library.problem(path)
    if wrong is not None:
        raise MissingTool(f"the library of stack {stack.name} cannot be used", findings=[wrong], advice=stack.advice)
    return path.absolute()


def release(stack: Stack, libraries: Sequence[Path], host: Host) -> str | None:
    """Return the release that the library's banner names, None where there is no banner to read."""
    try:
        return read_back(stack, libraries, {}, host).release or None
    except TunerError:
        return None


def verified(stack: Stack, settings: Mapping[str, str], banner: Banner) -> list[Verified]:
    """Return what became of each setting, by the banner."""
    return verify(catalogue.load(stack.name), settings, banner, stack.forced)


def refusal(stack: str, settings: Mapping[str, str], release: str | None, room: Room | None = None) -> str | None:
    """Return why these settings must not be run in `release`, None when they may.

    They may not where the library would not start, for want of memory in `room` too, or would use something else than
    what stands there.
    """
    known = catalogue.load(stack)
    wrong = [str(finding) for finding in errors_in(known.check(settings, str, release))]
    wrong += [str(finding) for finding in too_large(known, settings, release, room)]
    if wrong or release is None:
        return "; ".join(wrong) or None
    model = effective(known, settings, release)
    lost = {name: each for name in settings if (each := model.settings.get(name)) and each.fate is not Fate.APPLIED}
    return "; ".join(f"{name}: {each.fate}: {each.why}" for name, each in lost.items()) or None


def too_large(known: Catalogue, settings: Mapping[str, str], release: str | None, room: Room | None) -> list[Finding]:
    """Return why a host with this room cannot start these settings, nothing where it can or `room` is None."""
    if room is None:
        return []
    found = effective(known, settings, release)
    return memory.obstacles(found.stack, found.release, found.values(), room)


def _said(stderr: str, banner: Banner) -> list[Finding]:
    loader = [line.strip() for line in stderr.splitlines() if line.startswith(_LOADER)]
    return [error("output", words) for words in (*loader, *banner.errors)][:3]


def _other(stack: Stack, path: Path, banner: Banner) -> Finding | None:
    """Return that the library is another stack's, when its banner says so."""
    theirs = next((name for name, each in STACKS.items() if each.version_tag == banner.tag), None)
    if theirs is not None:
        return error(str(path), f"is the library of stack {theirs}, not of {stack.name}", f"use --stack {theirs}")
    return error(str(path), f"printed no {stack.version_tag} line when a program started under it")
