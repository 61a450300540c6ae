"""Several processes that train as one: what the ranks that a launcher (torchrun) started exchange.

Without a launcher there is one rank, and all of this does nothing. Gradients are averaged by gloo on CPUs and by NCCL
on GPUs; messages go through gloo and through the launcher's store. Where one rank may need long by itself, the others
poll the store without a time limit; within a step, a rank that stays silent is given up.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from ganvas.core.devices import Download, upload
from ganvas.core.errors import UserError
from ganvas.core.rendezvous import meeting_place, reason

LAUNCH = (
    "RANK",
    "WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
)  # environment variables that a launcher sets for each process
SILENCE = timedelta(minutes=5)  # after which a rank that does not answer is given up
PAUSES = (0.01, 0.5)  # seconds between two questions to the store: at first, and at most
Value = TypeVar("Value")

_store: Any = None  # the launcher's, under a prefix of this attempt
_counts: dict[str, int] = {}  # how often each meeting of a name took place; the same on every rank
_requests: set[str] = set()  # of this rank
_granted: set[str] = set()  # known to all ranks
_received: list[Download] = []  # how many ranks have each request, oldest first; see `LATE`
NAMES = ("stop", "save")  # of the possible requests
LATE = 4  # messages from a GPU that are not read yet: reading the last ones would wait for all of its work


def rank() -> int:
    """The number of this process among all: 0 to size() - 1."""
    return dist.get_rank() if _store is not None else 0


def size() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _store is not None else 1


def local_rank() -> int:
    """The number of this process on its machine: its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if _store is not None else 0


def is_first() -> bool:
    """Is this the rank that writes files and prints?"""
    return rank() == 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the other processes of the launch; does nothing without a launcher, or inside another `joined`.

    Raises:
        UserError: the others cannot be reached.
    """
    global _store
    if _store is not None or not all(name in os.environ for name in LAUNCH):
        yield
        return
    try:
        store, number, count = next(rendezvous("env://", timeout=SILENCE))
        below = dist.PrefixStore  # pyright: ignore[reportPrivateImportUsage]
        store = below(meeting_place(store, number, count, SILENCE.total_seconds()), store)
        dist.init_process_group(store=below("group", store), rank=number, world_size=count, timeout=SILENCE)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"The other processes cannot be reached at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} "
            f"({reason(error)}). Start all machines with the same torchrun command."
        ) from error
    _store = store
    _received.clear()
    _requests.update(_granted)  # from before a restart
    _granted.clear()
    try:
        yield
        meet()
    except UserError:
        with contextlib.suppress(RuntimeError):
            _store.set("failed", str(number))  # for the ranks that wait
        raise
    finally:
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()
        _store = None


@contextlib.contextmanager
def _talk() -> Iterator[None]:
    """A context for communication with the other ranks: losing one becomes a UserError."""
    try:
        yield
    except RuntimeError as error:  # the store's and the group's errors are of this type
        raise UserError(
            f"Rank {rank()} has lost the others ({reason(error)}): a process has ended, or the network failed. "
            "What was saved is kept: run the same command to resume; torchrun --max-restarts 3 does so by itself."
        ) from error


def share(batch: int) -> int:
    """How many images of a step's batch each rank gets.

    Raises:
        UserError: the batch cannot be divided among the ranks.
    """
    if batch % size():
        below = batch - batch % size()
        raise UserError(
            f"batch={batch} is the batch of all {size()} processes together and must divide by {size()}: choose "
            f"{f'batch={below} or ' if below else ''}batch={below + size()}, or another number of processes."
        )
    return batch // size()


def wish(what: str) -> None:
    """Ask for something ('stop' or 'save') that all ranks must do after the same step."""
    _requests.add(what)
    if size() == 1:
        decide()


def decide() -> None:
    """Grant this rank's requests at once, where no other rank is involved."""
    _read(0)
    _granted.update(_requests)
    _requests.clear()


def granted(what: str) -> bool:
    """Do all ranks know of this request? True only once: the call clears the request."""
    _read(LATE)
    known = what in _granted
    _granted.discard(what)
    return known


def _read(late: int) -> None:
    """Read what all ranks ask for, except the last `late` messages from a GPU: the same ones on every rank."""
    while _received and (len(_received) > late or _received[0].on_cpu):
        message = _received.pop(0)
        message.wait()
        _granted.update(name for name, count in zip(NAMES, message.numbers.tolist(), strict=True) if count)


@torch.no_grad()
def average(tensors: Iterable[Tensor]) -> None:
    """Replace float tensors by their means over all ranks, in place and in one message, which also carries requests."""
    if size() == 1:
        return
    tensors = list(tensors)
    sent = set(_requests)  # a signal may add one at any moment
    flags = torch.tensor([float(name in sent) for name in NAMES])
    device = next((t.device for t in tensors if t.device.type != "cpu"), flags.device)
    with _talk():
        together = torch.cat([t.reshape(-1).float().to(device) for t in (*tensors, upload(flags, device))])
        dist.all_reduce(together)
    *means, flags = together.div_(size()).split([*(t.numel() for t in tensors), len(NAMES)])
    if tensors:
        shaped = [mean.view(t.shape) for t, mean in zip(tensors, means, strict=True)]
        torch._foreach_copy_(tensors, shaped)  # pyright: ignore[reportPrivateImportUsage]
    _received.append(Download(flags))
    _requests.difference_update(sent)


def gather(value: Value) -> list[Value]:
    """The values of all ranks, in order, on every rank."""
    if size() == 1:
        return [value]
    values: list[Any] = [None] * size()
    with _talk():
        dist.all_gather_object(values, value)
    return values


def broadcast(value: Value) -> Value:
    """The first rank's value, on every rank."""
    if size() == 1:
        return value
    box: list[Any] = [value]
    with _talk():
        dist.broadcast_object_list(box, 0)
    return box[0]


def agree(facts: dict[str, Any], what: str) -> None:
    """Make sure that all ranks have the same facts; `what` names them in the error.

    Raises:
        UserError: they differ; it names the first fact that does, and the ranks.
    """
    answers = gather(facts)
    for key in facts:
        values = [answer.get(key) for answer in answers]
        differing = [i for i, value in enumerate(values) if value != values[0]]
        if differing:
            which = f"rank{'s' * (len(differing) > 1)} {', '.join(map(str, differing))}"
            raise UserError(
                f"The ranks have different {what}: {key} is {str(values[0])[:60]} on rank 0 and "
                f"{str(values[differing[0]])[:60]} on {which}. Start all with one command, one version and the same "
                "files."
            )


@contextlib.contextmanager
def together() -> Iterator[None]:
    """A context in which a UserError on one rank is raised on all: none continues alone. There is no time limit."""
    if size() == 1:
        yield
        return
    problem = ""
    try:
        yield
    except UserError as error:
        problem = str(error)
    meet()
    problems = gather(problem)
    if any(problems):
        who = next(i for i, text in enumerate(problems) if text)
        raise UserError(problems[who] + (f" (This came from rank {who}.)" if who else ""))


@contextlib.contextmanager
def in_turn() -> Iterator[None]:
    """A context that the first rank of each machine passes before the others there, to prepare files for them."""
    if size() == 1:
        yield
        return
    key = f"turn {os.environ.get('GROUP_RANK', '0')} {_number('turn')}"
    if local_rank() != 0:
        _wait(key)
    try:
        yield
    finally:
        if local_rank() == 0:
            tell(key)


def tell(what: str) -> None:
    """Let the ranks that wait for `what` continue."""
    if _store is not None:
        with _talk():
            _store.set(what, "1")


def waiting(what: str) -> Generator[None, None, None]:
    """Yield again and again until some rank calls `tell(what)`.

    Raises:
        UserError: a rank has ended in the meantime.
    """
    pause = PAUSES[0]
    while size() > 1:
        with _talk():
            if _store.check([what]):
                return
            if _store.check(["failed"]):
                raise UserError(f"Rank {rank()} ends because rank {_store.get('failed').decode()} has ended.")
        yield
        time.sleep(pause)
        pause = min(2 * pause, PAUSES[1])


def meet() -> None:
    """Wait until all ranks are here, however long that takes."""
    if size() == 1:
        return
    key = f"meeting {_number('meeting')}"
    with _talk():
        if _store.add(f"{key} arrived", 1) == size():
            _store.set(key, "1")
    _wait(key)


def _wait(key: str) -> None:
    for _ in waiting(key):
        if "stop" in _requests:
            raise UserError("Stopped while waiting for the other processes; what was saved before is kept.")


def _number(what: str) -> int:
    _counts[what] = _counts.get(what, 0) + 1
    return _counts[what]


def once(what: str, make: Callable[[], str]) -> str:
    """What `make` returns, called once per launch: a restarted worker gets what was made before its restart."""
    if _store is None:
        return make()
    key, store = f"{what} {_number(what)}", _store
    while hasattr(store, "underlying_store"):  # without prefixes: the store that all attempts share
        store = store.underlying_store
    with _talk():
        if store.check([key]):
            return store.get(key).decode()
    made = make()
    with _talk():
        store.set(key, made)
    return made


def spread(parts: Sequence[Value], work: Callable[[Value], Tensor]) -> Iterator[Tensor]:
    """The results of `work` on each part, computed by the ranks in turn; only the first rank gets them, in order."""
    if size() == 1:
        yield from map(work, parts)
        return
    meet()
    for start in range(0, len(parts), size()):
        number = start + rank()
        result = work(parts[number]) if number < len(parts) else None
        results: list[Any] | None = [None] * size() if is_first() else None
        with _talk():
            dist.gather_object(result, results)
        yield from (tensor for tensor in results or () if tensor is not None)
