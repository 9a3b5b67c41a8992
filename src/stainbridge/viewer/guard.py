"""Who may ask: a token, known hosts, no other site's page; and the headers of every answer."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stainbridge.viewer.access import Access

#: The largest body of a request, in bytes: annotations of a slide with a million cells fit.
MAX_BODY_BYTES = 256 * 2**20
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
#: The hash of the one style sheet that OpenSeadragon 6.1.1 adds to a page.
OPENSEADRAGON_STYLE = "sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE="
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' '{OPENSEADRAGON_STYLE}'; "
    "img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses what may not ask, before anything else sees it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refuse(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        answer = self._app if refusal is None else refusal
        await answer(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._access.knows_host(host):
            return _error(421, "another host: use the address that stainbridge view printed")
        if not self._access.allows(headers, scope["query_string"].decode("latin-1")):
            return _error(401, "no token, or a wrong one: open the link that was printed")
        origin = headers.get("origin")
        is_foreign = origin is not None and origin.partition("://")[2] != host
        if is_foreign and scope["method"] not in SAFE_METHODS:
            return _error(403, "another site's page may not change anything here")
        if "transfer-encoding" in headers:
            return _error(411, "say how long the body is")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return _error(413, f"too large; at most {MAX_BODY_BYTES // 2**20} MiB are taken")
        return None


def _error(status: int, line: str) -> JSONResponse:
    return JSONResponse({"error": line}, status)
