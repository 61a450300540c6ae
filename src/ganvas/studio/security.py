"""Access control: the token, Host and Origin, limits on what is sent, and the headers that isolate the page."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "ganvas"
HEADER = "x-ganvas"  # another site's page cannot send it without a preflight request, which is never allowed
LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?", re.IGNORECASE | re.ASCII)
OPEN = frozenset({"/health"})  # paths that anyone may request
BYTES = 25_000_000  # of a request's body, at most
LARGE = f"At most {BYTES // 1_000_000} MB can be sent at once."
HELD = 16 * BYTES  # of the bodies of all unanswered requests together
FULL = "Too much is being sent at once. Try again in a moment."
VIEWER = "ganvas.view"  # in the scope of requests with the view-only token
VIEW_ONLY = "This link is for watching and playing. It cannot change anything here."
NAME = "[^/]+"
MAY_VIEW = re.compile(  # all that the view-only token opens
    rf"/|/static/.+|/api/(visitor|runs|latents|games/{NAME}/expert)|/api/runs/{NAME}"
    rf"(/(model|game|together|remarks|events|report|generator\.onnx|samples/{NAME}|sounds/games))?"
)
MAY_PLAY = re.compile(  # the same for requests with a body: what they make is kept nowhere but in the results of games
    rf"/api/(games|sounds/games)/{NAME}|/api/runs/{NAME}/(sheet|zip|point|map|write|judge|game|restore|mend|rows|"
    r"rows/file|odd|fill|sounds|sounds/(between|at|judge|game))"
)
LEAST = 100_000  # bytes of a body that must come ...
STALL = 10.0  # ... in so many seconds
LONG = 120.0  # seconds that a whole body may take
SLOW = "The request was too slow."
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(self), geolocation=()",
}


class BodyRefused(Exception):
    """A body is too large, or came too slowly."""


class Security:
    """ASGI middleware before everything else.

    Without a token only this machine is served, and only under its own names: a foreign name that was made to point
    here (DNS rebinding) is refused. With a token each request must bring it: at first in the address (`?token=`),
    which is answered with a cookie and a redirect to an address without it. With a second token, `view`, a visitor may
    watch and play, and do nothing else: what `MAY_VIEW` and `MAY_PLAY` do not name is refused.

    Bodies have limits of size and time, so that slow clients do not block others.
    """

    def __init__(self, app: App, token: str | None = None, view: str | None = None) -> None:
        self.app, self.token, self.view = app, token, view if token else None
        self.held = 0  # bytes of the bodies of unanswered requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if scope["path"] not in OPEN:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await _answer(send, *refusal)
                return
            given = _token_in(scope)
            if self.token and scope["method"] == "GET" and given is not None:
                await _answer(send, 303, "", {"location": "/", **self._cookie(given, scope, headers)})
                return
        await self._forward(scope, receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on while its body is measured."""
        clock = asyncio.get_running_loop().time
        end = clock() + LONG
        due, received, counted_from = min(end, clock() + STALL), 0, 0
        complete, started = False, False
        refusal: tuple[int, str] | None = None

        async def receive_measured() -> MutableMapping[str, Any]:
            nonlocal due, received, counted_from, complete, refusal
            if complete:  # only the client's disconnect can follow, at any time
                return await receive()
            try:
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError:
                refusal = 408, SLOW
                raise BodyRefused from None
            count = len(message.get("body", b""))
            received += count
            self.held += count
            complete = not message.get("more_body", False)
            if received - counted_from >= LEAST:
                due, counted_from = min(end, clock() + STALL), received
            if received > BYTES:
                refusal = 413, LARGE
            elif count and self.held > HELD:
                refusal = 429, FULL
            if refusal is not None:
                raise BodyRefused
            return message

        async def send_measured(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if refusal is not None and not started:
                return  # the application's answer to a broken body is not the reason
            if message["type"] == "http.response.start":
                started = True
                present = {k.lower() for k, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            with contextlib.suppress(BodyRefused):
                await self.app(scope, receive_measured, send_measured)
        finally:
            self.held -= received
        if refusal is not None and not started:
            await _answer(send, *refusal)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """The answer to a request that is refused; None where it may pass."""
        host = headers.get("host", "")
        if self.token is None:
            match = LOOPBACK.fullmatch(host)
            if match is None or int(match[1] or 0) > 65_535:
                return 403, f"This studio serves only this machine, not '{host[:100]}'."
        elif not self._has(self.token, scope, headers):
            if self.view is None or not self._has(self.view, scope, headers):
                return 401, "Open the whole address that `ganvas studio` printed, with its token."
            scope[VIEWER] = True
            allowed = {"GET": MAY_VIEW, "HEAD": MAY_VIEW, "POST": MAY_PLAY}.get(scope["method"])
            if allowed is None or not allowed.fullmatch(scope["path"]):
                return 403, VIEW_ONLY
        same_origin = headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        if scope["method"] in ("GET", "HEAD"):
            if same_origin or not scope["path"].startswith("/api/"):
                return None
            return 403, "Only the studio's own page may ask for this."
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return 403, f"A page of {origin[:200]} may not change anything here."
        if not same_origin or HEADER not in headers:
            return 403, f"Requests that change something must come from the studio's own page (header {HEADER})."
        length = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,20}", length) or int(length) > BYTES:
            return 413, LARGE
        return None

    def _cookie(self, given: str, scope: Scope, headers: dict[str, str]) -> dict[str, str]:
        """The header that lets a browser keep the token in its address; none for another, which opens nothing more."""
        token = next((token for token in (self.token, self.view) if token and _same(given, token)), None)
        if token is None:
            return {}
        secure = "; Secure" if headers.get("x-forwarded-proto", scope.get("scheme")) == "https" else ""
        pair = f"{_cookie_name(headers)}={_cookie_value(token)}"
        # Lax, not Strict, so that a link in a mail works; requests that change something need the header
        return {"set-cookie": f"{pair}; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000{secure}"}

    def _has(self, token: str, scope: Scope, headers: dict[str, str]) -> bool:
        """Does a request bring this token?"""
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        name, expected = _cookie_name(headers), _cookie_value(token)
        pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
        matches = [_same(x, token) for x in (_token_in(scope) or "", bearer)]
        return any([*matches, *(_same(value, expected) for key, _, value in pairs if key == name)])


def _token_in(scope: Scope) -> str | None:
    """The token in a request's address."""
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[-1]


def _same(one: str, other: str) -> bool:
    """Are these equal? The time that it takes does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _cookie_value(token: str) -> str:
    """The cookie's value: it opens this studio without revealing the token."""
    return hashlib.sha256(f"ganvas studio {token}".encode()).hexdigest()


def _cookie_name(headers: dict[str, str]) -> str:
    """The cookie's name: one for each port, since browsers send cookies to all ports of a host."""
    port = headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE}-{port}" if port.isdecimal() else COOKIE


async def _answer(send: Send, status: int, text: str, more: dict[str, str] | None = None) -> None:
    headers = {**HEADERS, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", **(more or {})}
    if status in (408, 413, 429):
        headers["connection"] = "close"  # do not wait for the rest of the body
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})
