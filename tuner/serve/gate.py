"""Who may ask for a page: the names that it goes by, the token, and where a request may come from.

A page of a stranger in the same browser can send requests here. It is kept out by the `Host` header, which must be a name of
this server (DNS rebinding), by `Sec-Fetch-Site` and `Origin`, which browsers set and pages cannot, and by a cookie that
goes to no other site (`SameSite=Strict`).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

LOGIN: Final = "/login"
ASSETS: Final = "/assets/"
_HTTP: Final = 80
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST: Final = re.compile(
    r"\[(?P<six>[0-9A-Fa-f:.]{2,45})\](?::(?P<port6>[0-9]{1,5}))?|(?P<name>[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
)
_COOKIE: Final = re.compile(r"(?:^|;)\s*(?P<name>tuner-[0-9]+)=(?P<value>[0-9a-f]{64})(?=;|$)")
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with `no-referrer` a browser says `Origin: null` of our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""What every answer says to a browser."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides whether it is answered; header names are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered; `login` is whether a token would help."""

    status: HTTPStatus
    why: str
    login: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of one server."""

    port: int
    names: frozenset[str]
    """The names and addresses that it goes by, in small letters, beside those of the loopback interface; of any port, because a
    proxy may stand before it."""
    any_address: bool = False
    """Whether it listens on all addresses of this host, and so goes by any of them; none of them is a name that DNS could rebind."""
    token: str | None = None
    """None where everybody may read who reaches it."""

    def refusal(self, asked: Asked) -> Refusal | None:
        """Return why a request is refused, None where it is answered."""
        host = asked.headers.get("host", "")
        if not self.is_mine(host):
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, "this server does not go by that name: see --name")
        if asked.method not in {"GET", "HEAD", "POST"}:
            return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "only GET, HEAD and POST are answered")
        if not _is_of_this_site(asked, host):
            return Refusal(HTTPStatus.FORBIDDEN, "the request comes from a page of another site")
        if self.token is None or asked.path == LOGIN or asked.path.startswith(ASSETS) or self._knows_token(asked):
            return None
        return Refusal(HTTPStatus.UNAUTHORIZED, "a token is needed; it was printed when the server began", login=True)

    def is_mine(self, host: str) -> bool:
        """Return whether a `Host` header names this server."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = (found["six"] or found["name"]).lower()
        if name in self.names:
            return True
        mine = int(found["port"] or found["port6"] or _HTTP) == self.port
        return mine and (name in _LOCAL or (self.any_address and _is_address(name)))

    def opens(self, token: str) -> bool:
        """Return whether somebody has told the token; how long that takes does not depend on how much of it is right."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def cookie(self) -> str:
        """Return the cookie of who has told the token: worth nothing after this server ends, and not the token itself."""
        return f"{self._cookie_name}={self._cookie_value()}; HttpOnly; SameSite=Strict; Path=/"

    @property
    def _cookie_name(self) -> str:
        return f"tuner-{self.port}"  # browsers give cookies to all ports of a host

    def _cookie_value(self) -> str:
        return hmac.new((self.token or "").encode(), b"cookie", hashlib.sha256).hexdigest()

    def _knows_token(self, asked: Asked) -> bool:
        scheme, _, said = asked.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.opens(said.strip())
        cookies = {found["name"]: found["value"] for found in _COOKIE.finditer(asked.headers.get("cookie", ""))}
        return hmac.compare_digest(cookies.get(self._cookie_name, ""), self._cookie_value())


def _is_of_this_site(asked: Asked, host: str) -> bool:
    """Return whether a request may come from a page that this server has given, or from no page at all."""
    origin, site = asked.headers.get("origin"), asked.headers.get("sec-fetch-site", "none")
    if asked.method == "POST":
        bearer = asked.headers.get("authorization", "").lower().startswith("bearer ")
        told = origin is not None or bearer  # every browser says where a form comes from
        return told and origin in {None, f"http://{host}", f"https://{host}"} and site in {"same-origin", "none"}
    followed = asked.headers.get("sec-fetch-mode") == "navigate" and asked.headers.get("sec-fetch-dest") == "document"
    return site in {"same-origin", "none"} or followed


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
