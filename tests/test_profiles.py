"""Profiles: the record, the file, what is wrong with it, what is doubtful, and where it is found."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalogue
from tuner.catalogue import releases
from tuner.errors import Finding, Severity, UsageError
from tuner.profiles.files import MAX_BYTES, parse, read, save, write
from tuner.profiles.library import Shelf, find, listing, load, locate, shelves
from tuner.profiles.lint import lint
from tuner.profiles.profile import Difference, Place, Profile, differences, is_name, problems, resolve
from tuner.toml_text import assignment

ROOT = Path(__file__).parent.parent
SHIPPED = sorted((ROOT / "profiles").glob("*/*.toml"))
BROKEN = ROOT / "tests" / "data" / "broken_profiles"

# What each broken file must be told, and on which key.
SAID = {
    "alias": ("settings.XLIO_NGINX_WORKER_NUM", "use XLIO_NGINX_WORKERS_NUM instead"),
    "another_stack": ("settings.EF_POLL_USEC", "not a variable of kernel"),
    "bad_releases": ("releases", "'3.40 or newer' is not a range of releases: write bounds such as >="),
    "broken_rule": ("settings.XLIO_TX_WRE", "at least twice XLIO_TX_WRE_BATCHING", "set XLIO_TX_WRE=126"),
    "circle": ("extends", "goes round in a circle: circle → circle"),
    "date": ("settings.XLIO_RX_POLL", "must be text", "is a date or time"),
    "empty_variable": ('settings.""',),
    "fraction": ("settings.XLIO_RX_POLL", "1.5 is not text, a whole number"),
    "latin1": ("latin1.toml:", "is not UTF-8 text: byte 0xfc in line 3"),
    "list": ("settings.XLIO_RX_POLL", "is a list"),
    "loader": ("settings.LD_PRELOAD", "a profile sets only those of its stack"),
    "malformed": ("malformed.toml:", "is not TOML", "line 2"),
    "maybe": ("settings.XLIO_TCP_NODELAY", "'maybe' is not a valid value", "0 or 1"),
    "misspelt_choice": ("settings.XLIO_TSO", "'atuo'", "one of auto, on, off", "did you mean auto?"),
    "misspelt_stack": ("stack", "unknown stack 'kernal'", "did you mean kernel?"),
    "missing_parent": ("extends", "no profile 'latenzy' of kernel", "did you mean latency?"),
    "nested_table": ("settings.XLIO_RX_POLL", "is a table"),
    "no_stack": ("stack", "is missing"),
    "not_a_power_of_two": ("settings.XLIO_STRQ_NUM_STRIDES", "'3000'", "from 512 to 65536, a power of two"),
    "only_for_xlio": ("settings.XLIO_TX_WRE", "kernel has no parameter XLIO_TX_WRE", "xlio has it"),
    "out_of_range": ("settings.XLIO_RX_POLL", "'-2'", "from -1 to 100000000"),
    "parent_elsewhere": ("extends", "'../../secret' is not a valid profile name"),
    "path_as_name": ("name", "'../latency' is not a valid profile name"),
    "removed_variable": ("settings.XLIO_THREAD_MODE", "to 3.40.0", "remove it"),
    "search_path": ("settings.PATH", "not a variable of kernel"),
    "settings_is_text": ("settings", "must be a table, is text"),
    "settings_twice": ("settings_twice.toml:", "is not TOML", "line 8"),
    "terminal_codes": ("settings.XLIO_LOG_FILE", "without control characters"),
    "too_large_number": ("settings.XLIO_RX_POLL", "at most 64 bits"),
    "two_lines": ("settings.XLIO_LOG_FILE", "must be one line"),
    "unknown_key": ("extend", "unknown key", "did you mean extends?"),
    "unknown_variable": ("settings.XLIO_RX_POL", "did you mean XLIO_RX_POLL?"),
    "wrong_name": ("name", "'right_name' must be the name of the file, 'wrong_name'"),
}

SHELF = (Shelf(Place.PACKAGE, ROOT / "profiles"),)

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a profile below `tmp_path/profiles` and return its path."""

    def made(name: str, settings: str = "", head: str = "", stack: str = "kernel") -> Path:
        path = tmp_path / "profiles" / stack / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'name = "{name}"\nstack = "{stack}"\n{head}\n[settings]\n{settings}\n', encoding="utf-8")
        return path

    return made


@pytest.fixture
def places(tmp_path: Path) -> tuple[Shelf, ...]:
    return (Shelf(Place.DIRECTORY, tmp_path / "profiles"), *SHELF)


def by_name(places: tuple[Shelf, ...]) -> Callable[[str, str], Profile]:
    return lambda name, stack: find(name, stack, places)


def said(findings: list[Finding]) -> str:
    return "\n".join(str(finding) for finding in findings)


def test_every_broken_file_is_described() -> None:
    assert {path.stem for path in BROKEN.glob("*.toml")} == SAID.keys() | {"many_faults"}


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_broken_profile_says_where_and_what_would_be_right(name: str) -> None:
    findings = lint(BROKEN / f"{name}.toml", find=by_name(SHELF))

    where, *words = SAID[name]
    told = [str(f) for f in findings if where in f.where + ":" and all(word in str(f) for word in words)]
    assert told, said(findings)


def test_a_file_that_is_named_by_its_path_may_have_another_name_and_lint_says_so() -> None:
    path = BROKEN / "wrong_name.toml"
    assert read(path).name == "right_name"
    with pytest.raises(UsageError, match="not a usable profile"):
        read(path, Place.DIRECTORY)


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_broken_profile_is_an_error_and_not_only_a_doubt(name: str) -> None:
    findings = lint(BROKEN / f"{name}.toml", find=by_name(SHELF))

    assert SAID[name][0] in said([f for f in findings if f.severity is Severity.ERROR])


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        read(BROKEN / "many_faults.toml")

    where = {finding.where.rpartition(": ")[2] for finding in caught.value.findings}
    assert where == {
        "sumary",
        "releases",
        "settings.XLIO_RX_POL",
        "settings.XLIO_SELECT_POLL",
        "settings.XLIO_TCP_NODELAY",
        "settings.LD_PRELOAD",
    }


@pytest.mark.parametrize("name", ["no_stack", "removed_variable", "bad_releases", "wrong_name", "only_for_xlio"])
def test_one_fault_is_said_once(name: str) -> None:
    findings = lint(BROKEN / f"{name}.toml", find=by_name(SHELF))

    assert len([f for f in findings if "has no reason" not in f.message and "summary" not in f.where]) == 1


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_profile_is_flawless(path: Path) -> None:
    profile = read(path)

    assert lint(path, find=by_name(SHELF)) == []
    assert profile.settings.keys() == profile.reasons.keys()
    assert profile.releases.covers(catalogue.load(profile.stack).releases[-1])
    assert "XLIO_SPEC" not in profile.settings


def test_the_profiles_that_people_know_are_shipped() -> None:
    names = {f"{path.parent.name}/{path.stem}" for path in SHIPPED}
    presets = ("latency", "ultra_latency", "multi_ring_latency", "nginx", "nvme_bf3")

    assert names >= {f"{stack}/{name}" for stack in ("xlio", "kernel") for name in presets}
    assert names >= {"xlio/nginx_dpu", "kernel/latency_yield"}


def test_the_removed_preset_works_in_the_newest_release_and_in_those_that_had_it() -> None:
    path = ROOT / "profiles" / "xlio" / "multi_ring_latency.toml"

    assert [lint(path, release) for release in ("3.20.3", "3.40.0", "3.40.1", "3.61.2", "3.70.2")] == [[]] * 5


def test_switches_and_numbers_become_the_text_that_the_library_reads(make: Make) -> None:
    path = make("mine", "XLIO_RX_POLL = -1\nXLIO_TCP_NODELAY = true\nXLIO_TCP_QUICKACK = false\nXLIO_MSS = '1448'")

    assert read(path).settings == {
        "XLIO_RX_POLL": "-1",
        "XLIO_TCP_NODELAY": "1",
        "XLIO_TCP_QUICKACK": "0",
        "XLIO_MSS": "1448",
    }


def test_a_reason_is_the_comment_directly_above_its_setting(make: Make) -> None:
    path = make("mine", "# About all.\n\n# Poll,\n# for ever.\nXLIO_RX_POLL = -1\n\nXLIO_SELECT_POLL = -1 # no reason")

    assert read(path).reasons == {"XLIO_RX_POLL": "Poll,\nfor ever."}


def test_comments_of_other_tables_are_no_reasons() -> None:
    text = 'name = "a"\nstack = "kernel"\n[settings]\nXLIO_RX_POLL = 5\n[origin]\n# Not this.\nXLIO_RX_POLL = 5\n'

    profile = parse(text, "a.toml").profile

    assert profile is not None
    assert profile.reasons == {}


def test_the_folder_must_be_the_stack(make: Make) -> None:
    path = make("mine", "XLIO_RX_POLL = -1")
    moved = path.parent.parent / "xlio" / "mine.toml"
    moved.parent.mkdir()
    path.rename(moved)

    with pytest.raises(UsageError) as caught:
        read(moved)
    assert "'kernel' must be the name of the folder, 'xlio'" in caught.value.findings[0].message


def test_what_is_no_file_is_an_error_and_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")

    assert "does not exist" in said(lint(tmp_path / "absent.toml"))
    assert "is not a file" in said(lint(tmp_path / "pipe.toml"))
    assert "is not a file" in said(lint(tmp_path))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "huge.toml").write_text("#" * (MAX_BYTES + 1))

    assert "too large" in said(lint(tmp_path / "huge.toml"))


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = " + "9" * 5_000, "a = 0x" + "f" * 5_000])
def test_hostile_text_is_a_finding(text: str) -> None:
    assert parse(text, "hostile.toml").findings


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_text_at_all_makes_the_reader_fail(text: str) -> None:
    reading = parse(text, "any.toml")

    assert reading.findings  # nothing that hypothesis writes is a whole profile


LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)
ANY = st.text(st.characters(codec="utf-8"))
REASON = st.lists(LINE.map(str.strip).filter(bool), max_size=3).map("\n".join)
SCALAR = LINE | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
BOUNDS = st.tuples(st.sampled_from([">=", "<=", ">", "<", "==", "!="]), st.sampled_from(["3", "3.20.4", "3.60"]))
VALUES = {
    "XLIO_RX_POLL": st.integers(-1, 10**8).map(str),
    "XLIO_TCP_NODELAY": st.sampled_from("01"),
    "XLIO_TCP_SEND_BUFFER_SIZE": st.sampled_from(["65536", "64KB", "1M"]),
    "XLIO_LOG_FILE": LINE,
}


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))
    reasons = {name: draw(REASON) for name in names}
    return Profile(
        name=draw(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True).filter(lambda name: name != "default")),
        stack="kernel",
        settings={name: draw(VALUES[name]) for name in names},
        summary=draw(LINE),
        extends=draw(st.none() | st.just("latency")),
        releases=releases.Releases(tuple(draw(st.lists(BOUNDS, max_size=2)))),
        reasons={name: reason for name, reason in reasons.items() if reason},
        origin=draw(st.none() | st.dictionaries(LINE, SCALAR, max_size=3)),
    )


@given(profiles())
def test_what_is_written_is_what_is_read(profile: Profile) -> None:
    text = write(profile)

    assert parse(text, "any.toml").profile == profile
    assert list(tomllib.loads(text)["settings"]) == list(profile.settings)


@given(ANY, ANY)
def test_any_key_and_text_is_written_as_toml(key: str, value: str) -> None:
    assert tomllib.loads(assignment(key, value)) == {key: value}


@given(st.lists(BOUNDS, max_size=3))
def test_a_range_of_releases_survives_being_written(bounds: list[tuple[str, str]]) -> None:
    assert releases.parse(str(releases.Releases(tuple(bounds)))).bounds == tuple(bounds)


def test_a_range_covers_its_bounds_and_what_is_between() -> None:
    range_ = releases.parse(" >= 3.20.4 , <3.40,!=3.31.0")

    covered = [r for r in ("3.20.3", "3.20.4", "3.31.0", "3.31.2", "3.40.0", "3.9.9") if range_.covers(r)]
    assert covered == ["3.20.4", "3.31.2"]
    assert releases.parse("").covers("0.0.1")


@given(st.text(max_size=30))
def test_text_is_a_range_of_releases_or_a_value_error(text: str) -> None:
    try:
        range_ = releases.parse(text)
    except ValueError:
        return
    assert releases.parse(str(range_)) == range_


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "A", "a b", "a\n", "a.toml", "a" * 65, "ä"])
def test_a_name_cannot_lead_anywhere(name: str) -> None:
    assert not is_name(name)
    assert [f.where for f in problems(Profile(name, "kernel"), source="x")] == ["x: name"]


def test_the_default_profile_has_nothing_wrong_and_its_name_is_taken() -> None:
    assert problems(Profile.defaults("kernel")) == []
    assert "take another name" in said(problems(Profile("default", "kernel")))


def test_own_settings_override_what_is_extended(make: Make, places: tuple[Shelf, ...]) -> None:
    make("base", "# Base.\nXLIO_RX_POLL = 100\n# Kept.\nXLIO_SELECT_POLL = 7", 'releases = ">=0.1.0"')
    make("middle", "XLIO_RX_POLL = 200", 'extends = "base"')
    make("mine", "# Own.\nXLIO_MSS = 1448", 'extends = "middle"\nreleases = "<9"')

    whole = load("mine", "kernel", places)

    assert list(whole.settings.items()) == [("XLIO_RX_POLL", "200"), ("XLIO_SELECT_POLL", "7"), ("XLIO_MSS", "1448")]
    assert whole.reasons == {"XLIO_SELECT_POLL": "Kept.", "XLIO_MSS": "Own."}
    assert (str(whole.releases), whole.extends, whole.name) == (">=0.1.0,<9", None, "mine")


def test_a_circle_of_profiles_is_said_in_full(make: Make, places: tuple[Shelf, ...]) -> None:
    make("a", "", 'extends = "b"')
    make("b", "", 'extends = "c"')
    make("c", "", 'extends = "b"')

    with pytest.raises(UsageError) as caught:
        load("a", "kernel", places)
    assert "circle: a → b → c → b" in caught.value.findings[0].message


def test_a_broken_parent_is_blamed_with_its_own_faults(make: Make, places: tuple[Shelf, ...]) -> None:
    make("base", "XLIO_RX_POLL = -9")
    make("mine", "", 'extends = "base"')

    with pytest.raises(UsageError) as caught:
        load("mine", "kernel", places)
    assert "base.toml: settings.XLIO_RX_POLL" in caught.value.findings[1].where


def test_a_parent_of_another_stack_is_refused() -> None:
    child = Profile("mine", "kernel", extends="latency")

    with pytest.raises(UsageError) as caught:
        resolve(child, lambda name, _: Profile(name, "xlio"))
    assert "latency is of stack xlio, not kernel" in caught.value.findings[0].message


def test_constraints_hold_for_the_resolved_profile_and_not_for_its_part(make: Make, places: tuple[Shelf, ...]) -> None:
    make("base", "# Why.\nXLIO_TX_WRE_BATCHING = 4", 'summary = "Base."', stack="xlio")
    fits = make("fits", "# Why.\nXLIO_TX_WRE = 64", 'extends = "base"\nsummary = "Fits."', stack="xlio")
    fails = make("fails", "# Why.\nXLIO_TX_WRE = 4", 'extends = "base"\nsummary = "Fails."', stack="xlio")

    assert lint(fits, find=by_name(places)) == []
    assert "at least twice XLIO_TX_WRE_BATCHING" in said(lint(fails, find=by_name(places)))


def test_a_fault_of_an_extending_profile_is_said_once(make: Make, places: tuple[Shelf, ...]) -> None:
    path = make("mine", "# Why.\nXLIO_RX_POLL = -9", 'extends = "latency"\nsummary = "Mine."')

    assert [f.where for f in lint(path, find=by_name(places))] == [f"{path}: settings.XLIO_RX_POLL"]


def test_what_fits_alone_and_fails_together_is_refused(make: Make, places: tuple[Shelf, ...]) -> None:
    make("small", "XLIO_MEMORY_LIMIT = '128MB'", stack="xlio")
    path = make("mine", "XLIO_RX_WRE = 1024", 'extends = "small"', stack="xlio")

    assert read(path).settings == {"XLIO_RX_WRE": "1024"}
    with pytest.raises(UsageError) as caught:
        load("xlio/mine", None, places)
    assert "XLIO_MEMORY_LIMIT" in caught.value.findings[0].message


def test_differences_are_said_setting_by_setting() -> None:
    a = Profile("a", "kernel", {"XLIO_RX_POLL": "1", "XLIO_MSS": "0", "XLIO_TCP_NODELAY": "1"})
    b = Profile("b", "kernel", {"XLIO_TCP_NODELAY": "1", "XLIO_RX_POLL": "-1", "XLIO_SELECT_POLL": "5"})

    assert differences(a, b) == [
        Difference("XLIO_RX_POLL", "1", "-1"),
        Difference("XLIO_MSS", "0", None),
        Difference("XLIO_SELECT_POLL", None, "5"),
    ]
    assert differences(a, a) == []


def test_a_saved_profile_is_found_again(tmp_path: Path, places: tuple[Shelf, ...]) -> None:
    profile = Profile("mine", "kernel", {"XLIO_RX_POLL": "-1"}, "Mine.", origin={"session": "7", "gain": 1.42})
    path = tmp_path / "profiles" / "kernel" / "mine.toml"

    save(profile, path)

    assert find("mine", None, places) == replace(profile, path=path, place=Place.DIRECTORY)
    assert [file.name for file in path.parent.iterdir()] == ["mine.toml"]


def test_a_file_that_exists_is_replaced_only_when_told(make: Make) -> None:
    path = make("mine", "XLIO_RX_POLL = 1")
    profile = Profile("mine", "kernel", {"XLIO_RX_POLL": "2"})

    with pytest.raises(UsageError, match="exists and was not changed"):
        save(profile, path)
    assert read(path).settings == {"XLIO_RX_POLL": "1"}
    save(profile, path, overwrite=True)
    assert read(path).settings == {"XLIO_RX_POLL": "2"}


@pytest.mark.parametrize(
    "profile",
    [
        Profile("other", "kernel"),
        Profile("mine", "xlio"),
        Profile("mine", "kernel", {"LD_PRELOAD": "evil.so"}),
        Profile("mine", "kernel", {"XLIO_LOG_FILE": "a\nb"}),
        Profile("mine", "kernel", origin={"why": "a\nb"}),
    ],
)
def test_what_could_not_be_read_back_is_not_written(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "profiles" / "kernel" / "mine.toml"

    with pytest.raises(UsageError, match="not written"):
        save(profile, path)
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "profiles").write_text("in the way")

    with pytest.raises(UsageError, match="cannot write"):
        save(Profile("mine", "kernel"), tmp_path / "profiles" / "kernel" / "mine.toml")


def test_places_come_in_the_order_directory_user_package(tmp_path: Path) -> None:
    stated = shelves({"XDG_CONFIG_HOME": "/conf", "HOME": "/home/me"}, tmp_path)
    relative = shelves({"XDG_CONFIG_HOME": "conf", "HOME": "/home/me"}, tmp_path)

    assert [shelf.place for shelf in stated] == [Place.DIRECTORY, Place.USER, Place.PACKAGE]
    assert stated[0].folder == tmp_path / "profiles"
    assert stated[1].folder == Path("/conf/tuner/profiles")
    assert relative[1].folder == Path("/home/me/.config/tuner/profiles")
    assert [shelf.place for shelf in shelves({}, tmp_path)] == [Place.DIRECTORY, Place.PACKAGE]


def test_the_first_place_wins_and_what_it_hides_is_still_listed(make: Make, places: tuple[Shelf, ...]) -> None:
    path = make("latency", "XLIO_RX_POLL = 1000")

    found = [(row.place, row.shadowed) for row in listing(places, "kernel") if row.name == "latency"]

    assert find("latency", "kernel", places).path == path
    assert found == [(Place.DIRECTORY, False), (Place.PACKAGE, True)]


def test_a_kernel_profile_comes_before_another_stack_s_in_an_earlier_place(
    make: Make, places: tuple[Shelf, ...]
) -> None:
    make("latency", "XLIO_RX_POLL = 1000", stack="xlio")

    assert find("latency", None, places).stack == "kernel"


def test_a_broken_file_is_listed_with_its_faults(make: Make, places: tuple[Shelf, ...]) -> None:
    make("mine", "XLIO_RX_POL = 1")

    row = listing(places)[0]

    assert (row.name, row.profile) == ("mine", None)
    assert "did you mean XLIO_RX_POLL?" in said(list(row.findings))


@pytest.mark.parametrize(
    ("reference", "stack", "found"),
    [
        ("latency", None, "kernel/latency"),
        ("latency", "xlio", "xlio/latency"),
        ("xlio/latency", None, "xlio/latency"),
        ("xlio/latency", "xlio", "xlio/latency"),
        ("nginx_dpu", None, "xlio/nginx_dpu"),
        ("default", None, "kernel/default"),
        ("default", "xlio", "xlio/default"),
        ("xlio/default", None, "xlio/default"),
        (str(ROOT / "profiles" / "xlio" / "nginx.toml"), None, "xlio/nginx"),
    ],
)
def test_a_profile_is_found_by_name_stack_and_path(reference: str, stack: str | None, found: str) -> None:
    profile = find(reference, stack, SHELF)

    assert f"{profile.stack}/{profile.name}" == found
    assert (locate(reference, stack, SHELF) is None) == (profile.name == "default")


@pytest.mark.parametrize(
    ("reference", "stack", "words"),
    [
        (
            "latenci",
            "kernel",
            ("no profile 'latenci' of kernel", "did you mean latency?", "looked in", "profiles/kernel"),
        ),
        ("zzz", None, ("no profile 'zzz'", "looked in")),
        ("xlio/latency", "kernel", ("is of stack xlio, not kernel",)),
        ("xlo/latency", None, ("unknown stack 'xlo'", "did you mean xlio?")),
        ("../xlio/latency", None, ("unknown stack '../xlio'",)),
        ("kernel/../xlio/latency", None, ("unknown stack",)),
        (str(ROOT / "profiles" / "xlio" / "nginx.toml"), "kernel", ("is of stack xlio, not kernel",)),
    ],
)
def test_a_reference_to_nothing_says_what_is_near(reference: str, stack: str | None, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        find(reference, stack, SHELF)
    assert all(word in f"{caught.value.message}; {caught.value.advice}" for word in words), caught.value.advice


def test_a_name_that_two_other_stacks_have_must_say_which(tmp_path: Path) -> None:
    for stack in ("vma", "xlio"):
        (tmp_path / stack).mkdir()
        shutil.copy(ROOT / "profiles" / "xlio" / "nginx.toml", tmp_path / stack / "nginx.toml")

    with pytest.raises(UsageError) as caught:
        find("nginx", None, (Shelf(Place.DIRECTORY, tmp_path),))
    assert caught.value.advice == "say which: vma/nginx, xlio/nginx"


def test_a_place_that_is_absent_holds_nothing(tmp_path: Path) -> None:
    assert listing((Shelf(Place.USER, tmp_path / "absent"),)) == ()


@pytest.mark.parametrize(
    ("settings", "head", "words"),
    [
        ("# Why.\nXLIO_RX_POLL = 100000", "", "settings.XLIO_RX_POLL: 100000 is the default"),
        ("# Why.\nXLIO_MEMORY_LIMIT = '2GB'", "", "settings.XLIO_MEMORY_LIMIT: 2GB is the default"),
        (
            "# Why.\nXLIO_STRQ = 'off'\n# Why.\nXLIO_RX_WRE = 32768",
            'releases = ">=3.40.1"',
            "32768 is the default",
        ),
        ("XLIO_RX_POLL = -1", "", "settings.XLIO_RX_POLL: has no reason"),
        ("# Why.\nXLIO_SPEC = 'latency'\n# Why.\nXLIO_RX_POLL = 5", "", "depends on the release"),
        ("# Why.\nXLIO_MEMORY_LIMIT = '1GB'", 'releases = ">=3.10.5"', "not read by 3.10.5 to 3.20.3"),
        ("# Why.\nXLIO_RX_POLL = -1", 'releases = ">=99"', "covers no known release of xlio"),
        ("# Why.\nXLIO_RX_POLL = -1", "", "summary: is missing"),
    ],
)
def test_a_doubt_is_a_warning_and_no_error(settings: str, head: str, words: str, make: Make) -> None:
    findings = lint(make("mine", settings, head, stack="xlio"))

    assert words in said(findings)
    assert {finding.severity for finding in findings} == {Severity.WARNING}


@pytest.mark.parametrize(
    ("settings", "head"),
    [
        ("# Why.\nXLIO_RX_POLL = 100000\n# Why.\nXLIO_SPEC = 'latency'", ""),
        ("# Why.\nXLIO_RX_POLL = 100000", 'extends = "latency"'),
        ("# Why.\nXLIO_RING_ALLOCATION_LOGIC_RX = 20", 'releases = ">=3.20.3"'),
        ("# Why.\nXLIO_RX_WRE = 16\n# Why.\nXLIO_QP_COMPENSATION_LEVEL = 64", 'releases = ">=3.40.1"'),
    ],
    ids=["over a preset", "over a parent", "in old releases", "over a default that follows another setting"],
)
def test_a_default_that_changes_something_is_not_called_idle(settings: str, head: str, make: Make) -> None:
    assert "is the default: it changes nothing" not in said(lint(make("mine", settings, head, stack="xlio")))


def test_a_release_that_a_profile_was_not_written_for_is_told() -> None:
    path = ROOT / "profiles" / "xlio" / "latency.toml"

    assert ">=3.60.0 does not cover release 3.40.2" in said(lint(path, "3.40.2"))
    assert lint(path, "3.61.2") == []


def test_a_profile_without_a_file_is_checked_like_one() -> None:
    findings = lint(Profile("mine", "xlio", {"XLIO_RX_POL": "1"}))

    assert "profile mine: settings.XLIO_RX_POL" in said(findings)


@pytest.mark.parametrize(
    ("name", "written", "read_as"),
    [
        ("XLIO_TCP_NODELAY", "on", "1"),
        ("XLIO_TCP_NODELAY", "yes", "1"),
        ("XLIO_FORK", "disabled", "0"),
        ("XLIO_RX_POLL", "infinite", "-1"),
        ("XLIO_RING_LIMIT_PER_INTERFACE", "unlimited", "0"),
        ("XLIO_GRO_STREAMS_MAX", "off", "0"),
        ("XLIO_RX_BYTES_MIN", "64k", "65536"),
        ("XLIO_TCP_CC_ALGO", "cubic", "1"),
        ("XLIO_MEMORY_LIMIT", "4GB", "4GB"),
        ("XLIO_RX_POLL", "1K", "1K"),
        ("XLIO_TCP_NODELAY", "maybe", "maybe"),
    ],
)
def test_what_a_person_writes_becomes_what_the_library_reads(name: str, written: str, read_as: str) -> None:
    text = f'name = "p"\nstack = "xlio"\n[settings]\n{name} = "{written}"\n'
    profile = parse(text, "p.toml").profile
    assert profile is not None
    assert profile.settings[name] == read_as
    assert parse(write(profile), "p.toml").profile == profile
