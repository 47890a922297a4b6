"""The URL of a database: which kinds there are, the file that one names, and how one is shown without its secrets.

Nothing here loads a database's library, because every command knows of `--store`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit, urlunsplit

from tuner.errors import UsageError

_SQLITE: Final = "sqlite:///"
_POSTGRESQL: Final = "postgresql+psycopg://"
_ALIASES: Final = ("postgresql://", "postgres://", "postgresql+psycopg2://")
_SECRETS: Final = frozenset({"password", "sslpassword"})
"""What libpq takes as a parameter of a URL and nobody else should see."""
_EXAMPLES: Final = f"write {_POSTGRESQL}USER@HOST/DATABASE, or {_SQLITE}PATH for a file"
# What stands between the user and the host, up to the last `@` of the word: a password may hold one unquoted.
_WITH_PASSWORD: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]*):[^\s'\"]*@")
_SECRET_PARAMETER: Final = re.compile(r"([?&](?:ssl)?password=)[^\s&'\"]*")


def checked(url: str) -> str:
    """Return a URL as the store opens it; raise `UsageError` for one of no kind that it knows."""
    for alias in _ALIASES:
        if url.startswith(alias):
            return _with_port(_POSTGRESQL + url.removeprefix(alias))
    if url.startswith(_POSTGRESQL):
        return _with_port(url)
    if url.startswith(_SQLITE) and file_of(url) is not None:
        return url
    raise UsageError(f"{hidden(url)!r} is not the URL of a store", advice=_advice(url))


def of_file(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return f"{_SQLITE}{quote(os.fsencode(path))}"


def file_of(url: str) -> Path | None:
    """Return the SQLite file that a URL names, None for another kind of database."""
    stated = url.removeprefix(_SQLITE).partition("?")[0] if url.startswith(_SQLITE) else ""
    name = os.fsdecode(unquote_to_bytes(os.fsencode(stated)))
    return Path(name) if name and name != ":memory:" else None


def shown(url: str) -> str:
    """Return a URL without its password, as a person may type it again: the password then comes from libpq's own places."""
    parts = urlsplit(url)
    account, at, host = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _SECRETS]
    plain = parts._replace(netloc=account.partition(":")[0] + at + host, query=urlencode(query, safe="/"))
    # Python leaves out the empty authority of kinds that it does not know: the host is in the query, or libpq's own.
    return urlunsplit(plain) if plain.netloc else f"{plain.scheme}://{urlunsplit(plain._replace(scheme=''))}"


def hidden(text: str) -> str:
    """Return text in which no URL has a password, for whatever may be shown, logged or kept."""
    return _SECRET_PARAMETER.sub(r"\1***", _WITH_PASSWORD.sub(r"\1:***@", text))


def _with_port(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(f"{hidden(url)!r} has a host in brackets that is no address", advice=_EXAMPLES) from None
    try:
        _ = parts.port
    except ValueError:
        raise UsageError(f"{hidden(url)!r} has a port that is no number", advice=_EXAMPLES) from None
    return url


def _advice(url: str) -> str:
    return f"for a file: {of_file(Path(url))}" if "://" not in url and url else _EXAMPLES
