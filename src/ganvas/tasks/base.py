"""What the training loop knows of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from torch import Tensor, nn

from ganvas.data import Batch, Batches
from ganvas.spec import ImageSpec

CHECK = 100  # images of the check beside each sheet of pictures


class Task(ABC):
    """Two networks and the losses by which they contest; `Config` has the knobs.

    The loop calls `discriminator_loss` and then `generator_loss` with the same batch, in that order; a dictionary of
    losses has the entry 'total', of which the loop takes the gradient, and others that it only logs.
    """

    Config: ClassVar[type[Any]]
    checks: ClassVar[str] = "discriminator-accuracy"  # the name in metrics.jsonl of what `check` finds
    generator: nn.Module
    discriminator: nn.Module
    learned: dict[str, nn.Module]  # what `finish` has learned, by name: part of the model from then on
    findings: dict[str, Any]  # what it found out, for the model's card
    dials: dict[str, Tensor]  # what it sets by itself as the contest goes; part of a snapshot

    @classmethod
    @abstractmethod
    def of(cls, generator: nn.Module, discriminator: nn.Module, spec: ImageSpec, config: Any, network: Any) -> Task:
        """The task with these networks and its config; `network`: the networks' own."""

    @classmethod
    def takes(cls, config: Any) -> dict[str, Any]:
        """What the generator is given, where it is given pictures: fields of the ImageSpec."""
        return {}

    @abstractmethod
    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        """The expert's loss on a batch of real images and as many forged ones; None where it does not learn."""

    @abstractmethod
    def generator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        """The forger's loss; None where it pauses in this step."""

    @abstractmethod
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        """The expert's accuracy ('real', 'fake') on these real images and as many forged ones; nothing without one.

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
    def check(self, generator: nn.Module, batches: Batches, pictures: Tensor) -> dict[str, float]:
        """Figures that are worth a look beside each sheet of `pictures`; both networks are in evaluation mode."""

    @abstractmethod
    def preview(self, generator: nn.Module, batches: Batches) -> Tensor:
        """A fixed sheet of pictures of `generator`, uint8 [n, C, H, W], ten a row."""
