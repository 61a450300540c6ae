"""The worker: a process that holds the models and does all that needs torch or decodes what strangers send.

A request that takes too long, or that kills the process, costs that request; the next one finds a fresh worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from ganvas.core.errors import UserError

TIMEOUT = 120.0  # seconds for one request
QUEUE = 8  # requests that may wait for the worker
MEMORY = 4_000_000_000  # bytes beyond what the process has after its start
NICE = 5  # a training goes first


class Busy(Exception):
    """Too many wait: come again in a moment."""

    def __init__(self, text: str = "Many are asking at once. Try again.") -> None:
        super().__init__(text)


class Broken(Exception):
    """The worker died over this request, or was too slow."""


def serve(connection: Connection, memory: int, threads: int) -> None:
    """The process: requests (function's name, arguments) in, (error's type or None, result or sentence) out."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    with contextlib.suppress(OSError):
        os.nice(NICE)
    import torch

    from ganvas.studio import requests

    if threads:
        torch.set_num_threads(threads)
    if memory:
        _limit_memory(memory)
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send((None, requests.FUNCTIONS[name](**arguments)))
        except UserError as error:
            connection.send((UserError, str(error)))
        except MemoryError:
            connection.send((UserError, "That needs more memory than one request may have."))
        except Exception as error:
            connection.send((Broken, f"That went wrong ({type(error).__name__}: {error})."))


def _limit_memory(most: int) -> None:
    try:
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + most, now + most))
    except (ImportError, OSError, ValueError):  # a system without such limits
        return


class Worker:
    """The server's side: one request at a time, a few may wait. Its calls block: use them from a thread.

    Args:
        memory: bytes that the process may take beyond what it has after its start; 0: all (a GPU needs that).
        threads: of torch; 0: as many as there are cores. With one, small work is done sooner beside a training: two
            wait for each other, and one of them for the training's.
    """

    def __init__(self, timeout: float = TIMEOUT, memory: int = MEMORY, threads: int = 0) -> None:
        self.timeout, self.memory, self.threads, self.closed = timeout, memory, threads, False
        self.turn, self.waiting, self.count = threading.Lock(), 0, threading.Lock()
        self.process: Any = None
        self.connection: Any = None

    def call(self, function: str, timeout: float | None = None, **arguments: Any) -> Any:
        """Have a function of `requests.FUNCTIONS` called, within so many seconds (None: the worker's usual ones).

        Raises:
            UserError: what it raises.
            Busy: too many wait already.
            Broken: the worker died, or it took too long.
        """
        with self.place():
            return self.call_in_place(function, timeout, **arguments)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, for the length of a request. Raises Busy where there is none."""
        with self.count:
            if self.waiting >= QUEUE:
                raise Busy
            self.waiting += 1
        try:
            yield
        finally:
            with self.count:
                self.waiting -= 1

    def call_in_place(self, function: str, timeout: float | None = None, **arguments: Any) -> Any:
        """As `call`, for those who have a place."""
        with self.turn:
            return self._send(function, arguments, timeout or self.timeout)

    def close(self) -> None:
        """End, for good."""
        self.closed = True
        self._end()

    def _end(self) -> None:
        if self.connection is not None:
            self.connection.close()
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.process = self.connection = None

    def _send(self, name: str, arguments: dict[str, Any], timeout: float) -> Any:
        if self.closed:
            raise Broken("The studio is ending.")
        if self.process is None or not self.process.is_alive():
            self._end()
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            self.process = context.Process(
                target=serve, args=(theirs, self.memory, self.threads), daemon=True, name="ganvas-studio-worker"
            )
            self.process.start()
            theirs.close()
            self.connection = ours
        try:
            self.connection.send((name, arguments))
            if not self.connection.poll(timeout):
                self._end()
                raise Broken(f"That took longer than {timeout:.0f} seconds and was given up.")
            wrong, result = self.connection.recv()
        except (EOFError, OSError) as error:
            self._end()
            raise Broken("The worker died over this request; the next one gets a fresh one.") from error
        if wrong is not None:
            raise wrong(result)
        return result
