"""How the processes of one attempt find each other in the launcher's store."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from ganvas.core.errors import first_line

PAUSE = 0.01  # seconds between two questions to the store


def meeting_place(store: Any, number: int, count: int, seconds: float) -> str:
    """A prefix for names in the store that only the processes which are alive now know.

    torchrun keeps one store through all restarts, so what dead processes wrote is still in it; and each machine counts
    its restarts by itself. So every process picks a random name, and rank 0 answers whoever greets it until all have
    confirmed. With rank 0 named P and rank n named Q:

        rank n                                rank 0
        set "hello n" = Q          ------->   get "hello n", again and again
        wait for "welcome Q"       <-------   set "welcome Q" = P
        set "P n" = "here"         ------->   wait for "P n"
        wait for "P all"           <-------   set "P all", once every rank has confirmed
        the place is P                        the place is P

    A greeting of a dead process is answered too, but "P n" is only ever set by a process that is alive.

    Args:
        store: of torch.distributed, shared by all processes.
        number, count: this process's rank, and how many there are.
        seconds: after which the others are given up.

    Raises:
        RuntimeError: there was no answer in time.
    """
    own_name, deadline = secrets.token_hex(8), time.monotonic() + seconds

    def wait_until(ready: Callable[[], bool]) -> None:
        while not ready():
            if time.monotonic() > deadline:
                raise RuntimeError("no answer")
            time.sleep(PAUSE)

    def has_confirmed(other: int) -> bool:
        if store.check([f"hello {other}"]):
            store.set(f"welcome {store.get(f'hello {other}').decode()}", own_name)
        return store.check([f"{own_name} {other}"])

    if number == 0:
        for other in range(1, count):
            wait_until(lambda other=other: has_confirmed(other))
        store.set(f"{own_name} all", "here")
        return own_name
    store.set(f"hello {number}", own_name)
    wait_until(lambda: store.check([f"welcome {own_name}"]))
    place = store.get(f"welcome {own_name}").decode()
    store.set(f"{place} {number}", "here")
    wait_until(lambda: store.check([f"{place} all"]))
    return place


def reason(error: Exception) -> str:
    """What the library's error says, without its own source file and its advice."""
    return re.sub(r"\[/\S+\] ?", "", first_line(error)).split(". ")[0]
