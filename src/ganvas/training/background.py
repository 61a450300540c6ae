"""Evaluation during training: a separate process on the CPU, for which the training never waits.

It has one thread where the training is on the CPU as well. Next to a training on a GPU it has half of the CPU's cores
and does not see the GPU, whose memory and time are the training's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from ganvas.core import distributed, processes
from ganvas.core.files import make_folder
from ganvas.core.processes import NEW_GROUP
from ganvas.core.run import Run

LIMIT = 900  # seconds that an evaluation may take
LEFT: list[
    subprocess.Popen[bytes]
] = []  # keeps running evaluations referenced: Python warns when one is garbage-collected


class Background:
    """At most one evaluation at a time; while one is running, others are skipped."""

    def __init__(self, run: Run, count: int, module: str, device: str = "cpu") -> None:
        """
        Args:
            count: samples that an evaluation generates.
            module: the evaluation: `python -m module MODEL COUNT SECONDS`.
            device: the type of the device of the training.
        """
        self.run, self.count, self.module = run, count, module
        self.threads = 1 if device == "cpu" else max(1, processes.cores() // 2)
        self.images = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def busy(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, images: int) -> None:
        """Start evaluating the run's candidate, the model after so many images; a running evaluation is stopped."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.run.candidate(self.images).unlink(missing_ok=True)
        command = [
            sys.executable,
            "-P",  # no module is imported from the working folder, unless this process does so
            "-m",
            self.module,
            str(self.run.candidate(images)),
            str(self.count),
            str(LIMIT),
        ]
        limits = {
            "OMP_NUM_THREADS": str(self.threads),
            "MKL_NUM_THREADS": str(self.threads),
            "CUDA_VISIBLE_DEVICES": "-1",  # none
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }
        environment = {
            k: v for k, v in os.environ.items() if k not in distributed.LAUNCH
        }  # it is not a rank of the training
        make_folder(self.run.folder / "evaluation")
        with open(self.run.folder / "evaluation" / "log.txt", "wb") as log:
            self.process = subprocess.Popen(  # in its own process group: Ctrl-C stops only the training
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                creationflags=NEW_GROUP,
                env={**environment, **limits},
            )
        LEFT.append(self.process)
        self.images = images

    def collect(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl that a finished evaluation has written; each is returned once."""
        if self.process is None or self.busy:
            return []
        self.process = None
        self.run.candidate(self.images).unlink(missing_ok=True)  # left over where the evaluation failed
        return [row for row in self.run.figures() if row["images"] == self.images]
