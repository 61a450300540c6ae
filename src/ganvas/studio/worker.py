"""The worker: a process that holds the models and does all that needs torch or decodes uploads.

A request that takes too long or kills the process fails alone; the next one gets a fresh worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from ganvas.core import own
from ganvas.core.errors import UserError

TIMEOUT = 120.0  # seconds for one request, once the process is ready for it
READY = "ready"
SAFE_PATH = "PYTHONSAFEPATH"  # the variable that does what Python's option -P does
QUEUE = 8  # requests that may wait for the worker
MEMORY = 4_000_000_000  # bytes on top of what the process uses after its start
STUDIO = " The studio needs this option when it is started."  # after an error that names --code
NICE = 5  # a training has priority


class Busy(Exception):
    """Too many requests wait: try again in a moment."""

    def __init__(self, text: str = "Too many requests at once. Try again in a moment.") -> None:
        super().__init__(text)


class Broken(Exception):
    """The worker died during this request, or was too slow."""


def serve(connection: Connection, memory: int, threads: int) -> None:
    """The process's loop: receives (function's name, arguments), sends (error's type or None, result or message).

    First it sends READY, when all is imported.
    """
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    with contextlib.suppress(AttributeError, OSError):  # the first: Windows
        os.nice(NICE)
    import torch

    from ganvas.studio import requests

    if threads:
        torch.set_num_threads(threads)
    if memory:
        _limit_memory(memory)
    connection.send(READY)
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send((None, requests.FUNCTIONS[name](**arguments)))
        except UserError as error:
            connection.send((UserError, f"{error}{STUDIO if isinstance(error, own.NotGiven) else ''}"))
        except MemoryError:
            connection.send((UserError, "That needs more memory than one request may have."))
        except Exception as error:
            connection.send((Broken, f"Something went wrong ({type(error).__name__}: {error})."))


def _limit_memory(extra: int) -> None:
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + extra, now + extra))
    except (ImportError, OSError, ValueError):  # a system without such limits
        return


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Processes that are started meanwhile import nothing from the working folder, which may hold others' runs."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


class Worker:
    """The server's side: one request at a time, a few may wait. Its calls block: use them from a thread.

    Args:
        memory: bytes that the process may use on top of what it has after its start; 0: no limit (a GPU needs that).
        threads: threads of torch; 0: as many as there are cores. One is faster for small work during a training: two
            would wait for each other, and one of them for the training.
    """

    def __init__(self, timeout: float = TIMEOUT, memory: int = MEMORY, threads: int = 0) -> None:
        self.timeout, self.memory, self.threads, self.closed = timeout, memory, threads, False
        self.turn, self.waiting, self.count = threading.Lock(), 0, threading.Lock()
        self.process: Any = None
        self.connection: Any = None
        self.ready = False

    @property
    def free(self) -> bool:
        """Is the process ready, and does nobody wait for it? Then it answers at once."""
        return self.ready and not self.waiting

    def call(self, function: str, timeout: float | None = None, **arguments: Any) -> Any:
        """Call a function of `requests.FUNCTIONS` in the process, within so many seconds (None: the worker's limit).

        Raises:
            UserError: the function raised it.
            Busy: too many requests wait already.
            Broken: the worker died, or it took too long.
        """
        with self.slot():
            return self.call_in_slot(function, timeout, **arguments)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot of the queue for one request. Raises Busy where none is free."""
        with self.count:
            if self.waiting >= QUEUE:
                raise Busy
            self.waiting += 1
        try:
            yield
        finally:
            with self.count:
                self.waiting -= 1

    def call_in_slot(self, function: str, timeout: float | None = None, **arguments: Any) -> Any:
        """The same as `call`, for a caller that holds a slot."""
        with self.turn:
            return self._send(function, arguments, timeout or self.timeout)

    def warm(self) -> None:
        """Start the process before anybody asks for something: the first answer then comes at once."""
        with contextlib.suppress(Broken, EOFError, OSError), self.turn:
            self._ready()

    def rest(self) -> None:
        """End the process until somebody asks again: it frees its memory."""
        with self.turn:
            self._end()

    def close(self) -> None:
        """End the process for good."""
        self.closed = True
        self._end()

    def _end(self) -> None:
        if self.process is not None:  # whoever waits for it wakes when it is gone
            self.process.kill()
            self.process.join()
        if self.connection is not None:
            self.connection.close()
        self.process = self.connection = None
        self.ready = False

    def _start(self) -> None:
        """Start a process, and wait until it has imported all, however long a busy machine takes, or is dead."""
        context = multiprocessing.get_context("spawn")
        server_end, process_end = context.Pipe()
        self.process = context.Process(
            target=serve, args=(process_end, self.memory, self.threads), daemon=True, name="ganvas-studio-worker"
        )
        with safe_path():
            self.process.start()
        process_end.close()
        self.connection = server_end
        if server_end.recv() != READY:
            raise EOFError
        self.ready = True

    def _ready(self) -> None:
        """Start the process where none is running."""
        if self.closed:
            raise Broken("The studio is shutting down.")
        if self.process is None or not self.process.is_alive():
            self._end()
            self._start()

    def _send(self, name: str, arguments: dict[str, Any], timeout: float) -> Any:
        try:
            self._ready()
            self.connection.send((name, arguments))
            if not self.connection.poll(timeout):
                self._end()
                raise Broken(f"That took longer than {timeout:.0f} seconds and was given up.")
            error_type, result = self.connection.recv()
        except (EOFError, OSError) as error:
            self._end()
            raise Broken("The worker died during this request; the next one gets a new worker.") from error
        if error_type is not None:
            raise error_type(result)
        return result
