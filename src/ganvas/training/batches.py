"""Batches of real samples, in an order that follows from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganvas.core import devices, seeds
from ganvas.core.errors import UserError
from ganvas.core.memmap import Ahead, Stored
from ganvas.core.old_names import warn
from ganvas.core.samples import Dataset, Split

MOST_TIMES = 16  # that a batch may have the same sample


@dataclass(frozen=True)
class Batch:
    """A batch of one training step: real samples [B, ...], the networks' input, and labels int64 [B] or None.

    With several processes (ranks) it is one of `ranks` equal parts of the step's batch.
    """

    real: Tensor
    labels: Tensor | None
    step: int  # number of the training step
    rank: int = 0
    ranks: int = 1
    other: Tensor | None = None  # samples of the other domain, if there are two
    random: torch.Generator | None = None  # of the step, the same on all ranks (None: PyTorch's global one)
    progress: float = 0.0  # of the training when the step begins, 0 to 1

    @property
    def images(self) -> Tensor:
        """`real`, as scripts of before version 0.2 call it."""
        warn("Batch.images", "Batch.real")
        return self.real

    def draw(self, function: Callable[..., Tensor], *shape: int) -> Tensor:
        """Random numbers [B, *shape] for this part, drawn on the CPU for the whole batch, so that ranks do not matter.

        Args:
            function: torch.randn or torch.rand.
        """
        count = len(self.real)
        numbers = function(count * self.ranks, *shape, generator=self.random)
        return numbers[count * self.rank : count * (self.rank + 1)]


class Batches:
    """The training samples in an order that follows from the seed alone: a new permutation in each epoch.

    With several processes, each reads its own part of every batch.
    """

    def __init__(
        self, data: Dataset, batch: int, seed: int, device: torch.device, rank: int = 0, ranks: int = 1
    ) -> None:
        """A batch of more samples than there are has each of them several times.

        Raises:
            UserError: more than MOST_TIMES.
        """
        self.data, self.batch, self.seed, self.device = data, batch, seed, device
        self.rank, self.ranks = rank, ranks
        self.count = len(data.train.samples)
        if batch > MOST_TIMES * self.count:
            raise UserError(
                f"batch={batch} is more than {MOST_TIMES} times the {self.count} training {data.spec.noun} of "
                f"{data.name}; choose a smaller one: batch={max(2, self.count)}."
            )
        self._epochs: dict[int, Tensor] = {}
        self._ahead = Ahead(data.train.samples) if isinstance(data.train.samples, Stored) else None
        self._resident: Tensor | None = None  # the training samples on the GPU, where they fit
        self._is_first = True
        self._other: Batches | None = None
        if data.other is not None:  # in its own order, so that pairs differ in each epoch
            self._other = Batches(data.other, batch, seeds.key(seed, "other"), device, rank, ranks)

    def at(self, images_seen: int) -> Batch:
        """This rank's part of the batch that comes after `images_seen` images."""
        step, index = images_seen // self.batch, self._index(images_seen)
        if self._ahead is None:
            part = self._take(self.data.train, index, step)
        else:
            samples = self._ahead.take(index, self._index(images_seen + self.batch))
            part = self._batch(samples, self.data.train.labels, index, step)
        if self._other is not None:
            part = replace(part, other=self._other.at(images_seen).real)
        if self.ranks == 1:
            return part
        random = seeds.generator(self.seed, "step", images_seen)  # as the trainer seeds PyTorch with one rank
        return replace(part, rank=self.rank, ranks=self.ranks, random=random)

    def _index(self, images_seen: int) -> Tensor:
        """Numbers int64 [B] of the samples in this rank's part of a batch."""
        share = self.batch // self.ranks
        positions = range(images_seen + self.rank * share, images_seen + (self.rank + 1) * share)
        epochs = range(positions[0] // self.count, positions[-1] // self.count + 1)
        return torch.cat(
            [self._order(e)[max(positions[0] - e * self.count, 0) : positions[-1] + 1 - e * self.count] for e in epochs]
        )

    def whole(self) -> Batches:
        """The same data in whole batches, for work that only one rank does."""
        batches = Batches(self.data, self.batch, self.seed, self.device)
        batches._resident, batches._is_first = self._resident, self._is_first
        return batches

    def held_out(self, count: int, start: int = 0) -> Batch:
        """Up to `count` held-out samples from `start` on, in a fixed order that wraps around."""
        batch = self._fixed(self.data.held_out, count, "held out", start)
        return batch if self._other is None else replace(batch, other=self._other.held_out(count, start).real)

    def seen(self, count: int, start: int = 0) -> Batch:
        """Up to `count` training samples from `start` on, in a fixed order that wraps around."""
        batch = self._fixed(self.data.train, count, "seen", start)
        return batch if self._other is None else replace(batch, other=self._other.seen(count, start).real)

    def some(self, count: int) -> Tensor:
        """Up to `count` training samples [n, ...] as they are stored; those on the disk are read when indexed."""
        order = torch.randperm(self.count, generator=seeds.generator(self.seed, "some"))[:count]
        samples = self.data.train.samples
        return samples.pick(order) if isinstance(samples, Stored) else samples[order]  # pyright: ignore[reportReturnType]

    def _fixed(self, split: Split, count: int, name: str, start: int = 0) -> Batch:
        """Samples of a split in a fixed order that follows from the seed and `name`."""
        total = len(split.samples)
        order = torch.randperm(total, generator=seeds.generator(self.seed, name))
        return self._take(split, order[(start + torch.arange(min(count, total))) % total], 0)

    def _order(self, epoch: int) -> Tensor:
        """The permutation of an epoch; the last two are kept."""
        if epoch not in self._epochs:
            order = torch.randperm(self.count, generator=seeds.generator(self.seed, "order", epoch))
            self._epochs = {e: o for e, o in self._epochs.items() if e == epoch - 1} | {epoch: order}
        return self._epochs[epoch]

    def _take(self, split: Split, index: Tensor, step: int) -> Batch:
        resident = self._on_gpu() if split is self.data.train else None
        if resident is not None:
            return self._batch(resident[devices.upload(index, self.device)], split.labels, index, step)
        return self._batch(split.samples[index], split.labels, index, step)

    def _on_gpu(self) -> Tensor | None:
        """The training samples on the GPU; None: there is no GPU, they are too large for it, or stay on the disk."""
        if self._is_first:
            self._is_first, samples = False, self.data.train.samples
            if isinstance(samples, Tensor) and devices.fits(samples.nbytes, self.device):
                self._resident = samples.to(self.device)
        return self._resident

    def _batch(self, samples: Tensor, labels: Tensor | None, index: Tensor, step: int) -> Batch:
        chosen = None if labels is None else devices.upload(labels[index], self.device)
        return Batch(self.data.decode(devices.upload(samples, self.device)), chosen, step)
