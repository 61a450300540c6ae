"""The studio with clients that are slow: each has an end, and takes nothing from the others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
import uvicorn
from test_studio import OWN, a_run, welcome

from ganvas.studio import security, timeouts
from ganvas.studio import worker as working
from ganvas.studio.app import configured, create
from ganvas.studio.security import Security

HERE = {k.lower(): v for k, v in OWN.items()} | {"host": "localhost:1"}
HEAD = b"GET /api HTTP/1.1\r\nhost: localhost\r\n"
pytestmark = pytest.mark.long


@contextlib.contextmanager
def served(app: Any) -> Iterator[tuple[int, uvicorn.Server]]:
    """A server of this application, as the studio's listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(configured(app, "127.0.0.1", port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield port, server
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)


def until_closed(line: socket.socket, piece: bytes = b"") -> bytes:
    """What comes before the server closes the connection, while a piece is sent again and again."""
    received, tries = b"", 500 if piece else 0
    line.settimeout(0.02 if piece else 30)
    while True:
        try:
            part = line.recv(1_000)
            if not part:
                return received
            received += part
        except TimeoutError:
            assert tries, "it is still open"
            tries -= 1
            with contextlib.suppress(ConnectionError):
                line.sendall(piece)
        except ConnectionError:
            return received


@pytest.mark.parametrize("piece", [b"", b"x: y\r\n"])  # silent, or a line of the head now and then
@pytest.mark.parametrize("begun", [b"", HEAD])
def test_a_head_that_does_not_come_is_not_waited_for(
    begun: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(Security(welcome)) as (port, _), socket.create_connection(("127.0.0.1", port), timeout=900) as line:
        line.sendall(HEAD + b"\r\n")  # a whole one first: a connection that is kept is watched, too
        assert line.recv(1_000).startswith(b"HTTP/1.1 200 OK\r\n")
        monkeypatch.setattr(timeouts, "HEAD", 0.1)
        line.sendall(begun or HEAD[:1])
        assert b"200 OK" not in until_closed(line, piece)
        with socket.create_connection(("127.0.0.1", port), timeout=900) as other:
            other.sendall(begun)
            assert b"200 OK" not in until_closed(other, piece if begun else b"")


def test_a_request_at_work_is_not_cut_off() -> None:
    reached, go_on = threading.Event(), threading.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        reached.set()
        await asyncio.to_thread(go_on.wait, 60)
        await welcome(scope, receive, send)

    with served(Security(slow)) as (port, server), socket.create_connection(("127.0.0.1", port), timeout=900) as line:
        line.sendall(HEAD + b"\r\n")
        assert reached.wait(900)
        assert [one.head for one in server.server_state.connections] == [None]  # pyright: ignore
        go_on.set()
        assert line.recv(1_000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    part = bytes(5_000_000)

    async def large(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        length = str(4 * len(part)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for left in (3, 2, 1, 0):
            await send({"type": "http.response.body", "body": part, "more_body": left > 0})

    with served(Security(large)) as (port, server), socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.settimeout(30)
        line.connect(("127.0.0.1", port))
        line.sendall(HEAD + b"\r\n")  # who reads gets all of it
        count, head = 0, line.recv(1_000)
        assert head.startswith(b"HTTP/1.1 200 OK")
        count -= head.index(b"\r\n\r\n") + 4 - len(head)
        while count < 4 * len(part):
            count += len(line.recv(1_000_000))
        monkeypatch.setattr(timeouts, "READ", 0.05)
        line.sendall(HEAD + b"\r\n")
        assert line.recv(4) == b"HTTP"  # and no more
        for _ in range(1_500):
            if not server.server_state.connections:
                break
            time.sleep(0.02)
        assert not server.server_state.connections


# ---- bodies


async def sent(app: Any, receive: Any, path: str = "/api") -> int:
    """The status of the answer to a POST whose body comes from `receive`."""
    messages: list[Any] = []
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "scheme": "http",
        "headers": [(k.encode(), v.encode()) for k, v in HERE.items()],
    }  # fmt: skip

    async def send(message: Any) -> None:
        messages.append(message)

    await asyncio.wait_for(app(scope, receive, send), 60)
    return messages[0]["status"]


def pieces(size: int, pause: float = 0, count: int = 10**9) -> Any:
    """A body that comes in pieces with pauses; then nothing more comes, and it never ends."""
    left = count

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        await (asyncio.sleep(pause) if left >= 0 else asyncio.Event().wait())
        return {"type": "http.request", "body": bytes(size), "more_body": True}

    return receive


def whole(body: bytes = b"") -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Security(welcome)
    monkeypatch.setattr(security, "STALL", 0.05)
    for receive in (pieces(1, count=0), pieces(1_000, count=3), pieces(1, 0.001), pieces(security.LEAST, count=3)):
        assert asyncio.run(sent(app, receive)) == 408
        assert app.held == 0
    monkeypatch.setattr(security, "STALL", 60)
    monkeypatch.setattr(security, "LONG", 0.05)
    monkeypatch.setattr(security, "LEAST", 1)
    assert asyncio.run(sent(app, pieces(1, 0.001))) == 408  # quick enough, but too long on its way
    assert asyncio.run(sent(app, whole(bytes(10)))) == 200
    assert app.held == 0


def test_who_reads_on_after_a_body_waits_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of events asks whether its viewer has gone: that is no slow body."""
    monkeypatch.setattr(security, "STALL", 0.01)

    async def streams(scope: Any, receive: Any, send: Any) -> None:
        assert not (await receive())["more_body"]
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": []})

    gone = iter([(0.0, {"type": "http.request", "body": b""}), (0.1, {"type": "http.disconnect"})])

    async def receive() -> dict[str, Any]:
        after, message = next(gone)
        await asyncio.sleep(after)
        return {"more_body": False, **message}

    assert asyncio.run(sent(Security(streams), receive)) == 200


def test_all_bodies_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "HELD", 2_500)
    app = Security(welcome)

    async def scene() -> None:
        waiting = [asyncio.create_task(sent(app, pieces(1_000, count=1))) for _ in range(2)]
        while app.held < 2_000:
            await asyncio.sleep(0)
        assert await sent(app, whole(bytes(1_000))) == 429
        assert await sent(app, whole(bytes(100))) == 200
        assert await sent(app, whole()) == 200
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert app.held == 0
        assert await sent(app, whole(bytes(1_000))) == 200

    asyncio.run(scene())


def test_slow_uploads_take_no_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "runs" / "a", 1)
    app = create(tmp_path / "runs", tmp_path)
    worker = app.state.studio.worker
    monkeypatch.setattr(
        worker, "call_in_slot", lambda *_, **more: {"nearest": [], "picture": more["content"], "heat": b""}
    )
    path = "/api/runs/a/judge"

    async def scene() -> None:
        begun: list[Any] = []

        async def stuck() -> dict[str, Any]:
            begun.append(1)
            await asyncio.Event().wait()
            return {}

        slow = [asyncio.create_task(sent(app, stuck, path)) for _ in range(3 * working.QUEUE)]
        async with asyncio.timeout(30):
            while len(begun) < len(slow):
                await asyncio.sleep(0.01)
        assert await sent(app, whole(b"a picture"), path) == 200
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(scene())
    assert worker.waiting == 0
