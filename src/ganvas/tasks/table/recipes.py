"""Recipes for tables: each public function is one, and its docstring its result card."""

from __future__ import annotations

from ganvas.tables.data import DataConfig
from ganvas.tasks.table import network, task
from ganvas.training import trainer
from ganvas.training.experiment import Experiment

EARLY = (2_000, 4_000, 6_000, 9_000, 13_000, 18_000, 25_000, 35_000)  # checks: small tables are soon memorised


def table() -> Experiment:
    """Draw rows like those of a table: `ganvas train table --data customers.csv`."""
    return Experiment(
        recipe="table",
        network=network.Config(),
        data=DataConfig(),
        task=task.Config(),
        training=trainer.Config(
            images=400_000,
            batch=256,
            lr_g=2e-3,
            lr_d=1e-3,
            beta1=0.9,
            beta2=0.99,
            decay_from=0.0,
            ema=5_000,
            tick_every=10_000,
            sample_every=50_000,
            sample_at=EARLY,
            precision="fp32",
        ),
    )
