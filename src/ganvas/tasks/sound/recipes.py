"""Recipes for sounds: each public function is a recipe, and its docstring lists results."""

from __future__ import annotations

import dataclasses

from ganvas.sounds.data import DataConfig
from ganvas.tasks.sound import network, task
from ganvas.training import trainer
from ganvas.training.experiment import Experiment


def sound() -> Experiment:
    """Your own short sounds: `ganvas train sound --data FOLDER`, a sub-folder a class where there are classes."""
    return Experiment(
        recipe="sound",
        network=network.Config(),
        data=DataConfig(""),
        task=task.Config(augment=0.8),
        training=trainer.Config(
            images=200_000,
            batch=16,
            lr_g=2e-3,
            lr_d=1e-3,
            decay_from=0.5,
            ema=10_000,
            ema_ramp=0.08,
            tick_every=2_000,
            sample_every=20_000,
            sample_at=(1_000, 2_000, 4_000, 10_000),
        ),
    )


def sound_few() -> Experiment:
    """A hundred to a thousand sounds: as `sound`, and shorter."""
    base = sound()
    return dataclasses.replace(base, recipe="sound-few", training=dataclasses.replace(base.training, images=80_000))
