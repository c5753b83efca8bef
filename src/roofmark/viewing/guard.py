"""The guard: who may ask, and what a page may do once it is in a browser.

In: a request. Out: the answer with its headers, or a refusal. The server listens on a loopback
address alone; three kinds of asker get through to it all the same, and are refused here: a web page
whose name was rebound to 127.0.0.1 (its Host is not ours), a web page that fetches from it (the
browser says so), and another account of the same machine (the kernel says whose connection it is).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may do: our own scripts and styles, nothing inline, no other address."""
REPORT_POLICY = "sandbox allow-scripts; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
"""A report names its own scripts by digest; here it also loses this origin, so it reads no page."""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_PROC = Path("/proc/net/tcp")


class Guard:
    """Refuse who may not ask; put headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        why = refusal(Headers(scope=scope), scope)
        answer = PlainTextResponse(f"refused: {why}\n", status_code=403) if why else self._app
        await answer(scope, receive, send_with_headers)


def refusal(headers: Headers, scope: Mapping[str, Any]) -> str:
    """Return why a request is refused, or ""."""
    host = headers.get("host", "").rpartition(":")
    if (host[0] or host[2]) not in _NAMES:
        return f"this is {HOST} or localhost, and was asked under another name"
    site, mode = headers.get("sec-fetch-site", ""), headers.get("sec-fetch-mode", "")
    if site in ("cross-site", "same-site") and mode != "navigate":
        return "another web page asked"
    owner = owner_of(scope.get("client"))
    # The administrator reads everything anyway, and relays such as WSL's run under that account.
    if owner not in (None, 0, os.getuid()):
        return "another account of this machine asked"
    return ""


def owner_of(client: tuple[str, int] | None) -> int | None:
    """Return the account that made a loopback connection, or None where the system does not say."""
    if client is None or client[0] != HOST:
        return None
    # Source: proc(5), /proc/net/tcp: local address in hexadecimal, bytes of the host's order, is
    # the second field, the user the eighth.
    place = f"0100007F:{client[1]:04X}"
    try:
        lines = _PROC.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    owners = (line.split() for line in lines[1:])
    return next((int(each[7]) for each in owners if each[1] == place), None)
