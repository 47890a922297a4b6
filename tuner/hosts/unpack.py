"""How the agent begins on another host: the modules that were sent are imported out of this text, and nothing is installed.

This file is sent in front of them (`tuner.hosts.bundle`). It must be understood by every Python 3, so that one that is
too old says so; the modules themselves need Python 3.9. What they use of later releases is given to them here.
"""

import sys

TOO_OLD = 97
"""The exit status of a Python that is too old."""
HERE = tuple(sys.version_info[:2])


def begin(packed: bytes, sizes: object, deadline_s: float, token: str) -> None:
    """Start the agent out of the texts of its modules; end with `TOO_OLD` where this Python cannot run them."""
    if HERE < (3, 9):
        sys.stderr.write("this is Python %d.%d\n" % HERE)  # noqa: UP031 - the same
        sys.exit(TOO_OLD)
    import base64
    import json
    import zlib

    texts = json.loads(zlib.decompress(base64.b85decode(packed)))
    if {name: len(text) for name, text in texts.items()} != sizes:
        raise ValueError("the agent did not arrive whole")
    _complete()
    _serve(texts)
    from tuner.hosts.agent import main

    main(token, deadline_s)


def _complete() -> None:
    """Give an older Python what the modules use of 3.10 and 3.11."""
    import builtins
    import dataclasses
    import datetime as dt
    import enum
    import typing

    class StrEnum(str, enum.Enum):  # noqa: UP042 - it is what is missing
        __str__ = str.__str__

    if HERE < (3, 11):
        vars(typing)["Self"] = typing.Any
        vars(dt)["UTC"] = dt.timezone.utc  # noqa: UP017 - the other name is what is missing
        vars(enum)["StrEnum"] = StrEnum
    if HERE < (3, 10):
        rows_of, dataclass = zip, dataclasses.dataclass
        vars(builtins)["zip"] = lambda *rows, strict=False: rows_of(*rows)  # noqa: ARG005, PLW0108
        vars(dataclasses)["dataclass"] = lambda cls=None, slots=False, **kind: dataclass(cls, **kind)  # noqa: ARG005


def _serve(texts: object) -> None:
    """Let the texts be imported by their names."""
    import importlib.machinery

    found = dict(texts)  # type: ignore[call-overload] # no Python before 3.9 could read a closer type

    class Sent:
        """Finds and loads the modules that were sent."""

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:  # noqa: ARG004 - as Python calls it
            if name not in found:
                return None
            within = any(other.startswith(name + ".") for other in found)
            return importlib.machinery.ModuleSpec(name, Sent, is_package=within)  # type: ignore[arg-type] # it loads

        @staticmethod
        def create_module(spec: object) -> None:
            """Leave it to Python."""

        @staticmethod
        def get_source(name: str) -> object:
            return found.get(name)

        @staticmethod
        def exec_module(module: object) -> None:
            names = vars(module)
            code = compile(found[names["__name__"]], "<sent>/" + names["__name__"], "exec", dont_inherit=True)
            exec(code, names)  # noqa: S102 - our own modules, as an import does it

    sys.meta_path.insert(0, Sent)  # type: ignore[arg-type] # it finds
