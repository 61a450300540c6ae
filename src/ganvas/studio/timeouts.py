"""Time limits for clients that send a request's head slowly, or read no answer; `security` limits bodies."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0  # seconds in which the whole head of a request must come
READ = 60.0  # seconds in which some of a pending answer must be read


class TimedProtocol(H11Protocol):
    """uvicorn's protocol with time limits: by itself it waits forever for the rest of a head, and for a reader."""

    head: asyncio.TimerHandle | None = None  # timer of a request's head
    reading: asyncio.TimerHandle | None = None  # timer of an answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # pyright: ignore[reportArgumentType]
        self._time_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head()
        self._stop_reading()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._time_reading()

    def resume_writing(self) -> None:
        self._stop_reading()
        super().resume_writing()

    def _time_head(self) -> None:
        """Start the timer where a head is expected (or the rest of a request that was answered already)."""
        at_work = self.cycle is not None and not self.cycle.response_complete
        if at_work:
            self._stop_head()
        elif self.head is None:
            self.head = self.loop.call_later(HEAD, self.transport.close)

    def _stop_head(self) -> None:
        if self.head is not None:
            self.head.cancel()
            self.head = None

    def _time_reading(self, before: int | None = None) -> None:
        """Drop a client that has read nothing since; `before`: bytes that were pending then."""
        waiting = self.transport.get_write_buffer_size()
        if before is not None and waiting >= before:
            self.transport.abort()
        else:
            self.reading = self.loop.call_later(READ, self._time_reading, waiting)

    def _stop_reading(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
            self.reading = None
