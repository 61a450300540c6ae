"""The server's patience with clients that send the head of a request slowly; the guard sees to bodies."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0  # seconds in which the whole head of a request must come


class Patient(H11Protocol):
    """uvicorn's own protocol, with a clock: it would wait for ever for a head of which a part has come."""

    clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # pyright: ignore[reportArgumentType]
        self._mind_the_clock()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._mind_the_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_the_clock()
        super().connection_lost(exc)

    def _mind_the_clock(self) -> None:
        """Set it where a head is awaited (or the rest of a request that has been answered already)."""
        at_work = self.cycle is not None and not self.cycle.response_complete
        if at_work:
            self._stop_the_clock()
        elif self.clock is None:
            self.clock = self.loop.call_later(HEAD, self.transport.close)

    def _stop_the_clock(self) -> None:
        if self.clock is not None:
            self.clock.cancel()
            self.clock = None
