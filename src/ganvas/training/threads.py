"""How many threads a training on the CPU computes with: chosen by its own steps, and anew when its speed changes."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganvas.core import distributed
from ganvas.core.threads import given, quickest
from ganvas.training.events import Noted

if TYPE_CHECKING:
    from ganvas.training.batches import Batches
    from ganvas.training.trainer import Trainer

OTHER = 2.0  # times as fast, or as slow, as expected: other programs have begun or ended
PAUSE = 60.0  # seconds at least from one choice to the next


class Threads:
    """Chooses the threads of a training at its start, and again when its speed shows that the machine is busier or
    less busy.
    """

    def __init__(self, trainer: Trainer, batches: Batches) -> None:
        self.trainer, self.batches = trainer, batches
        self.most = torch.get_num_threads()
        alone = trainer.device.type == "cpu" and distributed.size() == 1
        self.free = self.most > 1 and alone and not given()
        self.expected = 0.0  # images per second; 0: not known yet
        self.chosen = -math.inf  # when

    def choose(self) -> list[Noted]:
        """Time the next step, several times; a note if it is another number than before.

        That leaves no trace: the state is restored, and what a task notes besides is what the step itself will note.
        """
        if not self.free:
            return []
        trainer, before, start = self.trainer, torch.get_num_threads(), time.monotonic()
        tensors, card = {name: t.clone() for name, t in trainer.tensors().items()}, copy.deepcopy(trainer.card())
        count, seconds = quickest(lambda: self._step(card["images"]), self.most)
        trainer.restore(Path(), tensors, card)
        self.expected, self.chosen = trainer.config.batch / seconds, time.monotonic()
        trainer.tick_seconds += self.chosen - start  # no part of the next log line's time
        if count == before:
            return []
        used = "one thread" if count == 1 else f"{count} threads"
        text = (
            f"Computing with {used} of {self.most}, which is quickest here and now. Set OMP_NUM_THREADS to choose it."
        )
        return [Noted(trainer.images, text)]

    def _step(self, images: int) -> None:
        """The step after so many images."""
        self.trainer.images = images
        self.trainer.step(self.batches.at(images))

    def resume(self, machine: dict[str, Any]) -> None:
        """Use as many as the training had, so that it continues bit for bit; `machine`: of the snapshot."""
        known = machine.get("threads")
        if self.free and type(known) is int and 1 <= known <= self.most:
            torch.set_num_threads(known)

    def logged(self, rate: float) -> list[Noted]:
        """Choose anew if the speed of a log line, in images per second, is another one than expected."""
        factor = rate / self.expected if self.expected else 1.0
        self.expected = self.expected or rate
        if 1 / OTHER < factor < OTHER or time.monotonic() - self.chosen < PAUSE:
            return []
        if not (notes := self.choose()):  # the same number
            self.expected = rate  # what the log's lines show, with pictures and snapshots
        return notes
