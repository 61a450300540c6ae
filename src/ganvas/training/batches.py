"""The order in which real samples are seen, and the batches that a step gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.memmap import Ahead, Stored
from ganvas.core.samples import Dataset, Split


@dataclass(frozen=True)
class Batch:
    """Real samples as the networks take them, labels int64 [B] or None, and the number of the training step.

    With several processes (ranks) it is one of `ranks` equal parts of the step's batch.
    """

    real: Tensor
    labels: Tensor | None
    step: int
    rank: int = 0
    ranks: int = 1
    other: Tensor | None = None  # as `real`, of the other kind, where there are two
    random: torch.Generator | None = None  # for numbers of the whole batch, the same on all ranks (None: PyTorch's own)

    def draw(self, function: Callable[..., Tensor], *shape: int) -> Tensor:
        """This part's rows [B, *shape] of random numbers that are drawn for the whole batch, on the CPU.

        Args:
            function: torch.randn or torch.rand.
        """
        count = len(self.real)
        whole = function(count * self.ranks, *shape, generator=self.random)
        return whole[count * self.rank : count * (self.rank + 1)]


class Batches:
    """The training samples in an order that follows from the seed alone: a new permutation each epoch.

    Of `ranks` processes each reads its own part of every batch.
    """

    def __init__(
        self, data: Dataset, batch: int, seed: int, device: torch.device, rank: int = 0, ranks: int = 1
    ) -> None:
        """
        Raises:
            UserError: the data set has fewer samples than a batch.
        """
        self.data, self.batch, self.seed, self.device = data, batch, seed, device
        self.rank, self.ranks = rank, ranks
        self.count = len(data.train.samples)
        if self.count < batch:
            raise UserError(
                f"batch={batch} is more than the {self.count} training images of {data.name}; choose less: "
                f"batch={max(2, self.count // 2)}."
            )
        self._epochs: dict[int, Tensor] = {}
        self._ahead = Ahead(data.train.samples) if isinstance(data.train.samples, Stored) else None
        self._other: Batches | None = None
        if data.other is not None:  # in an order of its own: nobody meets the same partner again and again
            self._other = Batches(data.other, batch, seeds.key(seed, "other"), device, rank, ranks)

    def at(self, images_seen: int) -> Batch:
        """This rank's part of the batch that follows after `images_seen` images."""
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
        random = seeds.generator(self.seed, "step", images_seen)  # as the trainer plants it where there is one rank
        return replace(part, rank=self.rank, ranks=self.ranks, random=random)

    def _index(self, images_seen: int) -> Tensor:
        share = self.batch // self.ranks
        positions = range(images_seen + self.rank * share, images_seen + (self.rank + 1) * share)
        epochs = sorted({positions[0] // self.count, positions[-1] // self.count})
        return torch.cat(
            [self._order(e)[max(positions[0] - e * self.count, 0) : positions[-1] + 1 - e * self.count] for e in epochs]
        )

    def whole(self) -> Batches:
        """The same with whole batches, for what one rank does alone."""
        return Batches(self.data, self.batch, self.seed, self.device)

    def held_out(self, count: int, start: int = 0) -> Batch:
        """The held-out samples from `start` on, in a fixed order that begins anew at its end."""
        batch = self._fixed(self.data.held_out, count, "held out", start)
        return batch if self._other is None else replace(batch, other=self._other.held_out(count, start).real)

    def seen(self, count: int, start: int = 0) -> Batch:
        """The training samples from `start` on, in a fixed order that begins anew at its end."""
        batch = self._fixed(self.data.train, count, "seen", start)
        return batch if self._other is None else replace(batch, other=self._other.seen(count, start).real)

    def some(self, count: int) -> Tensor:
        """Up to `count` training samples [n, ...] as they are stored; those on the disk stay there until indexed."""
        order = torch.randperm(self.count, generator=seeds.generator(self.seed, "some"))[:count]
        samples = self.data.train.samples
        return samples.pick(order) if isinstance(samples, Stored) else samples[order]  # pyright: ignore[reportReturnType]

    def _fixed(self, split: Split, count: int, what: str, start: int = 0) -> Batch:
        total = len(split.samples)
        order = torch.randperm(total, generator=seeds.generator(self.seed, what))
        return self._take(split, order[(start + torch.arange(min(count, total))) % total], 0)

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            order = torch.randperm(self.count, generator=seeds.generator(self.seed, "order", epoch))
            self._epochs = {e: o for e, o in self._epochs.items() if e == epoch - 1} | {epoch: order}
        return self._epochs[epoch]

    def _take(self, split: Split, index: Tensor, step: int) -> Batch:
        return self._batch(split.samples[index], split.labels, index, step)

    def _batch(self, samples: Tensor, labels: Tensor | None, index: Tensor, step: int) -> Batch:
        chosen = None if labels is None else labels[index].to(self.device)
        return Batch(self.data.decode(samples.to(self.device)), chosen, step)
