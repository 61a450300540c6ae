"""How long a training would take, estimated by a few real steps."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

import torch

from ganvas.core.progress import duration
from ganvas.core.threads import restored
from ganvas.training import finetune
from ganvas.training.experiment import Experiment
from ganvas.training.threads import Threads
from ganvas.training.trainer import Trainer

SECONDS = 3.0  # of real steps
FIRST_LOOK = 10  # after a tenth of the training its results can be foreseen


class Trial:
    """The networks and the trainer of an experiment, for a few steps that are not saved.

    Raises:
        UserError: the data does not suit the networks, or the memory is too small.
    """

    def __init__(self, experiment: Experiment, data: Any) -> None:
        """
        Args:
            data: a `core.samples.Dataset`, as the experiment loads it.
        """
        self.experiment, self.spec = experiment, data.spec
        task = experiment.build(data.spec)
        if source := experiment.training.from_:  # what comes from there need not be learned first
            finetune.take({"generator": task.generator, "discriminator": task.discriminator}, source)
        self.batches = experiment.batches(data)
        self.weights = tuple(sum(p.numel() for p in n.parameters()) for n in (task.generator, task.discriminator))
        with experiment.enough_memory(data.spec):
            self.trainer = Trainer(task, experiment.training)
        self.threads = 0  # with which `speed` has computed

    def speed(self, seconds: float | None = None) -> float:
        """Images per second of the whole training, with the work before its first step; to be called once.

        Args:
            seconds: for which each of the two is measured; None: SECONDS.

        Raises:
            UserError: the memory is too small.
        """
        trainer, batches = self.trainer, self.batches
        seconds = SECONDS if seconds is None else seconds
        with self.experiment.enough_memory(self.spec), restored():
            Threads(trainer, batches).choose()
            self.threads = torch.get_num_threads()
            trainer.step(batches.at(trainer.images))
            before, start = trainer.images, time.monotonic()
            while time.monotonic() - start < seconds:
                trainer.step(batches.at(trainer.images))
            trainer.means()  # waits for a GPU to finish
            rate = (trainer.images - before) / (time.monotonic() - start)
            images = trainer.config.images
            return images / (images / rate + self._work_before(seconds))

    def _work_before(self, seconds: float) -> float:
        """The seconds that the task's work before the first step would take; it is tried for so many."""
        trainer, share = self.trainer, 0.0
        start = time.monotonic()
        for share, _ in trainer.task.begin(trainer.config, self.batches, trainer.autocast()):
            if share and time.monotonic() - start >= seconds:
                break
        return (time.monotonic() - start) / share if share else 0.0


def words(images: int, rate: float, noun: str, memory: int) -> str:
    """How long a training of so many samples takes at this many a second, and its memory in bytes (0: not known)."""
    first, all_ = (duration(images / share / rate) for share in (FIRST_LOOK, 1))
    text = (
        f"          {rate:.0f} {noun} per second here: first results after {first}, all {images:,} {noun} after {all_}"
    )
    return text + (f"; {memory / 1e9:.1f} GB of memory" if memory else "")


def peak_memory() -> int:
    """The most bytes of memory that this process has used; 0 if the system does not say."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
