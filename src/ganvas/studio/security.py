"""Who may come in: the token, Host and Origin, the size of what is sent, and the headers that keep a page to itself."""

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
HEADER = "x-ganvas"  # a page elsewhere cannot send it without being asked first, and it is never allowed
LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?", re.IGNORECASE | re.ASCII)
OPEN = frozenset({"/health"})  # told to everyone
BYTES = 25_000_000  # of what is sent to the server, at most
LARGE = f"At most {BYTES // 1_000_000} MB can be sent at once."
HELD = 16 * BYTES  # of what all senders together have sent and nobody has answered yet
FULL = "Many send at once. Try again."
LEAST = 100_000  # bytes of a body that must come ...
STALL = 10.0  # ... in so many seconds
LONG = 120.0  # seconds that a body may be on its way
SLOW = "It did not come in time."
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class NotTaken(Exception):
    """More was sent than is taken, or too slowly."""


class Security:
    """ASGI middleware before everything else.

    Without a token only this machine is served, and only under its own names: a foreign name that was made to point
    here (DNS rebinding) is turned away. With one, each request must bring it: at first in the address (`?token=`),
    which is answered with a cookie and an address without it.

    What is sent has limits of size and of time, so that nobody's slowness is in the way of others.
    """

    def __init__(self, app: App, token: str | None = None) -> None:
        self.app, self.token = app, token
        self.held = 0  # bytes of bodies that are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if scope["path"] not in OPEN:
            refusal = self._refused(scope, headers)
            if refusal is not None:
                await _answer(send, *refusal)
                return
            if self.token and scope["method"] == "GET" and "token" in parse_qs(scope["query_string"].decode("latin-1")):
                secure = "; Secure" if headers.get("x-forwarded-proto", scope.get("scheme")) == "https" else ""
                own = f"{_cookie(headers)}={self._pass()}"
                # Lax, not Strict: a link in a letter leads in, too; what changes something needs its header
                cookie = f"{own}; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000{secure}"
                await _answer(send, 303, "", {"location": "/", "set-cookie": cookie})
                return
        await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a request answered while its body is watched."""
        clock = asyncio.get_running_loop().time
        end = clock() + LONG
        due, seen, counted_from = min(end, clock() + STALL), 0, 0
        whole, started = False, False
        refusal: tuple[int, str] | None = None

        async def counted() -> MutableMapping[str, Any]:
            nonlocal due, seen, counted_from, whole, refusal
            if whole:  # what comes now is that the client has gone: that may take as long as it likes
                return await receive()
            try:
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError:
                refusal = 408, SLOW
                raise NotTaken from None
            count = len(message.get("body", b""))
            seen += count
            self.held += count
            whole = not message.get("more_body", False)
            if seen - counted_from >= LEAST:
                due, counted_from = min(end, clock() + STALL), seen
            if seen > BYTES:
                refusal = 413, LARGE
            elif count and self.held > HELD:
                refusal = 429, FULL
            if refusal is not None:
                raise NotTaken
            return message

        async def send_on(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if refusal is not None and not started:
                return  # what a reader of the body makes of it is not the reason
            if message["type"] == "http.response.start":
                started = True
                theirs = {k.lower() for k, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in theirs]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            with contextlib.suppress(NotTaken):
                await self.app(scope, counted, send_on)
        finally:
            self.held -= seen
        if refusal is not None and not started:
            await _answer(send, *refusal)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """The answer to a request that is not let in."""
        host = headers.get("host", "")
        if self.token is None:
            named = LOOPBACK.fullmatch(host)
            if named is None or int(named[1] or 0) > 65_535:
                return 403, f"This studio serves only this machine, not '{host[:100]}'."
        elif not self._knows(scope, headers):
            return 401, "Open the address with its token that `ganvas studio` printed."
        own = headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        if scope["method"] in ("GET", "HEAD"):
            if own or not scope["path"].startswith("/api/"):
                return None
            return 403, "Only the studio's own page may ask for this."
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return 403, f"A page of {origin[:200]} may change nothing here."
        if not own or HEADER not in headers:
            return 403, f"Requests that change something must come from the studio's own page (header {HEADER})."
        length = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,20}", length) or int(length) > BYTES:
            return 413, LARGE
        return None

    def _pass(self) -> str:
        """What the cookie holds: it opens this studio, and does not tell the token."""
        return hashlib.sha256(f"ganvas studio {self.token}".encode()).hexdigest()

    def _knows(self, scope: Scope, headers: dict[str, str]) -> bool:
        assert self.token is not None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        name, kept = _cookie(headers), self._pass().encode()
        pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
        found = [hmac.compare_digest(x.encode(), self.token.encode()) for x in (given, bearer)]
        return any([*found, *(hmac.compare_digest(value.encode(), kept) for key, _, value in pairs if key == name)])


def _cookie(headers: dict[str, str]) -> str:
    """The cookie's name: another for each port, since browsers give cookies to all ports of a host."""
    port = headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE}-{port}" if port.isdecimal() else COOKIE


async def _answer(send: Send, status: int, text: str, more: dict[str, str] | None = None) -> None:
    headers = {**HEADERS, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", **(more or {})}
    if status in (408, 413, 429):
        headers["connection"] = "close"  # the rest is not waited for
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})
