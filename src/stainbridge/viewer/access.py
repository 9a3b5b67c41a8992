"""What a request must bring: a known host and the token of this run."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Access:
    """What a request must bring."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """The secret of this run."""
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    """Names that the server is reached by; any other may be another site that points here."""
    any_address: bool = False
    """Whether every IP address is a known host: one cannot be made to point here."""
    cookie: str = "stainbridge"
    """The name of the cookie that holds the token."""

    def knows_host(self, header: str) -> bool:
        """Return whether a Host header names this server."""
        name = _host_name(header)
        if name is None:
            return False
        return name in self.hosts or (self.any_address and _is_address(name))

    def allows(self, headers: Mapping[str, str], query: str) -> bool:
        """Return whether the token is in the cookie, the Authorization header or the query."""
        offered = [_cookie(headers.get("cookie", ""), self.cookie)]
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        offered.append(credentials if scheme.lower() == "bearer" else "")
        offered += parse_qs(query).get("token", [])
        own = self.token.encode()
        return any(secrets.compare_digest(one.encode("utf-8", "replace"), own) for one in offered)


def _host_name(header: str) -> str | None:
    """Return the name in a Host header; None where it is not a host and a port."""
    if not header or set(header) & set("/\\@?# \t"):
        return None
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie(header: str, name: str) -> str:
    try:
        cookies = SimpleCookie(header)
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""
