"""Forms that one stack alone has, and the forms of this program: read by the modules that know their languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tuner import catalogue
from tuner.catalogue import places
from tuner.errors import Finding, Severity, Skipped, UsageError
from tuner.intake import environment
from tuner.intake.form import NAME, PRELOAD, Assigned, Form, Group, Reading, Scope, Source, lines, only, shown
from tuner.stacks.onload.folders import Folders
from tuner.stacks.onload.opf import read_opf
from tuner.stacks.xlio_json import INLINE, STACK, SWITCH, from_inline, from_json, separator

_DIFFERENCE: Final = re.compile(rf"[+ ]({NAME})=(.*)", re.DOTALL)
_OPF: Final = re.compile(r"^\s*onload_(?:set|import)\b", re.MULTILINE)


def _of(settings: Mapping[str, str], findings: Iterable[Finding], source: Source) -> Reading:
    """Return the reading of another module: its errors are what was left out, its warnings what has to be said."""
    skipped = [Skipped(each.where, "", _why(each)) for each in findings if each.severity is Severity.ERROR]
    said = tuple(each for each in findings if each.severity is not Severity.ERROR)
    assigned = tuple(Assigned(name, value, source.where) for name, value in settings.items())
    return Reading((Group(assigned, tuple(skipped)),), said)


def _why(finding: Finding) -> str:
    return f"{finding.message} ({finding.suggestion})" if finding.suggestion else finding.message


def _read_opf(source: Source) -> Reading:
    """Return what a profile sets, with those that it imports from the wrapper's folders."""
    found = read_opf(source.text, source.where, Folders(places.home()).imported)
    assigned = tuple(Assigned(name, value, source.where) for name, value in found.settings.items())
    skipped = tuple(Skipped(each.where, shown(each.text), each.why) for each in found.skipped)
    left_out = {each.where for each in skipped}
    said = tuple(each for each in found.findings if each.where not in left_out)
    return Reading((Group(assigned, skipped),), said)


def _read_json(source: Source) -> Reading:
    settings, findings = from_json(source.text, source.where, catalogue.load(STACK).releases[-1])
    return _of(settings, findings, source)


def _read_inline(source: Source) -> Reading:
    """Return what the inline configuration in an environment file says."""
    found = {each.name: each.value for each in environment.read_env(source).groups[0].assigned}
    if INLINE not in found:
        raise UsageError(f"{source.where} sets no {INLINE}")
    settings, findings = from_inline(found[INLINE], source.where, _release_of(found[INLINE]))
    preload = {PRELOAD: found[PRELOAD]} if PRELOAD in found else {}
    return _of(preload | settings, findings, source)


def _release_of(inline: str) -> str:
    """Return the newest release that takes the separator of an inline configuration; one pair has none."""
    written_with = ";" if ";" in inline or inline.count("=") == 1 else ","
    releases = catalogue.load(STACK).releases
    return next(release for release in reversed(releases) if separator(release) == written_with)


def _read_diff(source: Source) -> Reading:
    found = ((number, _DIFFERENCE.fullmatch(line)) for number, line in lines(source.text))
    return only([Assigned(match[1], match[2], source.line(number)) for number, match in found if match])


def _read_inspected(source: Source) -> Reading:
    """Return what `docker inspect` says of each container."""
    try:
        entries = json.loads(source.text)
    except (ValueError, RecursionError) as reason:
        raise UsageError(f"{source.where} is not valid JSON") from reason
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return Reading(tuple(_inspected(entry, source) for entry in found))


def _inspected(entry: dict[str, Any], source: Source) -> Group:
    config = entry.get("Config")
    listed = config.get("Env") if isinstance(config, dict) else None
    pairs = (text.partition("=") for text in (listed if isinstance(listed, list) else ()) if isinstance(text, str))
    assigned = tuple(Assigned(name, value, f"{source.where}: Config.Env") for name, _, value in pairs)
    return Group(
        assigned, (), str(entry.get("Name", "")).lstrip("/") or shown(str(entry.get("Id", ""))), Scope.CONTAINER
    )


def _is_json(source: Source) -> int:
    text = source.text.lstrip("\ufeff \t\r\n")
    own = re.search(r'"(?:core|network|performance|profiles|monitor|acceleration_control)"\s*:', text)
    return 90 if text.startswith("{") and own else 0


def _is_inspected(source: Source) -> int:
    text = source.text.lstrip()
    return 95 if text.startswith("[") and '"Config"' in text and '"Env"' in text else 0


def _is_inline(source: Source) -> int:
    rows = source.text.split("\n")
    return (
        45
        if any(row.startswith(f"{INLINE}=") for row in rows) and any(row.startswith(f"{SWITCH}=1") for row in rows)
        else 0
    )


FORMS: Final = (
    Form(
        "opf",
        "profile of Onload's wrapper",
        lambda source: 95 if source.name.endswith(".opf") or _OPF.search(source.text) else 0,
        _read_opf,
        stack="onload",
    ),
    Form("xlio-json", "XLIO's JSON configuration", _is_json, _read_json, stack=STACK),
    Form(
        "xlio-inline",
        "environment file with XLIO's inline configuration",
        _is_inline,
        _read_inline,
        stack=STACK,
        rewrites=True,
    ),
    Form(
        "diff",
        "unified diff of the defaults and a profile",
        lambda source: 90 if re.search(r"^--- .*\n\+\+\+ .*\n@@ ", source.text, re.MULTILINE) else 0,
        _read_diff,
    ),
    Form("inspect", "output of `docker inspect`", _is_inspected, _read_inspected, names_others=False),
)
