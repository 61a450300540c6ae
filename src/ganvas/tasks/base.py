"""What the training loop knows of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from ganvas.data import Batch, Batches


class Task(ABC):
    """Two networks and the losses by which they contest.

    The loop calls `discriminator_loss` and then `generator_loss` with the same batch, in that order; a dictionary of
    losses has the entry 'total', of which the loop takes the gradient, and others that it only logs.
    """

    generator: nn.Module
    discriminator: nn.Module
    learned: dict[str, nn.Module]  # what `finish` has learned, by name: part of the model from then on
    findings: dict[str, Any]  # what it found out, for the model's card
    dials: dict[str, Tensor]  # what it sets by itself as the contest goes; part of a snapshot

    @abstractmethod
    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The expert's loss on a batch of real images and as many forged ones."""

    @abstractmethod
    def generator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        """The forger's loss; None where it pauses in this step."""

    @abstractmethod
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        """The expert's accuracy ('real', 'fake') on these real images and as many forged ones, and their 'diversity'.

        The networks are used in the mode (training or evaluation) in which they are.
        """

    def heed(self, logged: dict[str, Tensor]) -> None:
        """Take note of what a step logged, means over all processes."""
        return

    def adapt(self, generator: nn.Module, train: Batch, held_out: Batch, images: int) -> dict[str, Tensor]:
        """Set the dials anew, `images` images after the last time, by some training and held-out images.

        `generator` draws for people. Returns what the log should tell.
        """
        return {}

    def finish(self, generator: nn.Module, batches: Batches, drawn: Tensor) -> Iterator[str]:
        """What is to be learned once the contest is over, a step at a time, equal for equal seeds; mostly nothing.

        `drawn`: the run's pictures of many moments, uint8 [n, C, H, W]. Yields what a person should know ('': nothing).
        """
        yield from ()

    @abstractmethod
    def preview(self, generator: nn.Module, seed: int) -> Tensor:
        """A fixed sheet of pictures of `generator`, uint8 [n, C, H, W], ten a row, one class a row."""
