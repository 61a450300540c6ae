"""The worker: a process that holds the models and does all that needs torch or decodes what strangers send.

A request that takes too long, or that kills the process, costs that request; the next one finds a fresh worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from ganvas.errors import UserError

PATIENCE = 120.0  # seconds for one request
QUEUE = 8  # requests that may wait for the worker
MEMORY = 4_000_000_000  # bytes beyond what the process has after its start
NICE = 5  # a training goes first


class Busy(Exception):
    """Too many wait: come again in a moment."""


class Broken(Exception):
    """The worker died over this request, or was too slow."""


def serve(connection: Connection) -> None:
    """The process: requests (function's name, arguments) in, (is it well, result or sentence) out."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    with contextlib.suppress(OSError):
        os.nice(NICE)
    from ganvas.studio import tasks

    _limit_memory()
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send((True, getattr(tasks, name)(**arguments)))
        except UserError as error:
            connection.send((False, str(error)))
        except MemoryError:
            connection.send((False, "That needs more memory than one request may have."))
        except Exception as error:
            connection.send((False, f"That went wrong ({type(error).__name__}: {error})."))


def _limit_memory() -> None:
    try:
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
    except (ImportError, OSError, ValueError):  # a system without such limits
        return


class Worker:
    """The server's side: one request at a time, a few may wait. `call` blocks: use it from a thread."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.turn, self.waiting, self.count = threading.Lock(), 0, threading.Lock()
        self.process: Any = None
        self.connection: Any = None

    def call(self, function: Callable[..., Any] | str, patience: float | None = None, **arguments: Any) -> Any:
        """Have a function of `tasks` called.

        Raises:
            UserError: what it raises.
            Busy: too many wait already.
            Broken: the worker died, or it took too long.
        """
        name = function if isinstance(function, str) else function.__name__
        with self.count:
            if self.waiting >= QUEUE:
                raise Busy
            self.waiting += 1
        try:
            with self.turn:
                return self._ask(name, arguments, patience or self.patience)
        finally:
            with self.count:
                self.waiting -= 1

    def close(self) -> None:
        """End the process."""
        if self.connection is not None:
            self.connection.close()
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.process = self.connection = None

    def _ask(self, name: str, arguments: dict[str, Any], patience: float) -> Any:
        if self.process is None or not self.process.is_alive():
            self.close()
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            self.process = context.Process(target=serve, args=(theirs,), daemon=True, name="ganvas-studio-worker")
            self.process.start()
            theirs.close()
            self.connection = ours
        try:
            self.connection.send((name, arguments))
            if not self.connection.poll(patience):
                self.close()
                raise Broken(f"That took longer than {patience:.0f} seconds and was given up.")
            well, result = self.connection.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise Broken("The worker died over this request; the next one gets a fresh one.") from error
        if not well:
            raise UserError(result)
        return result
