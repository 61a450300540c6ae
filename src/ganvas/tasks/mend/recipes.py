"""Recipes for clean sounds from damaged ones: each public function is one, and its docstring its result card."""

from __future__ import annotations

from ganvas.tasks.mend import network, task
from ganvas.tasks.mend.data import DataConfig
from ganvas.training import trainer
from ganvas.training.experiment import Experiment


def denoise_sound() -> Experiment:
    """Take noise out of sounds: `ganvas train denoise-sound --data FOLDER`, any clean sounds of the kind.

    TODO
    """
    return Experiment(
        recipe="denoise-sound",
        network=network.Config(),
        data=DataConfig(""),
        task=task.Config("noise:0-20"),
        training=trainer.Config(
            images=60_000,
            batch=16,
            lr_g=1e-3,
            lr_d=5e-4,
            beta1=0.9,
            beta2=0.999,
            decay_from=0.3,
            ema=5_000,
            tick_every=2_000,
            sample_every=20_000,
            sample_at=(1_000, 2_000, 5_000, 10_000),
        ),
    )
