"""Recipes for clean sounds from damaged ones: each public function is one, and its docstring its result card."""

from __future__ import annotations

from ganvas.tasks.restore_sound import network, task
from ganvas.tasks.restore_sound.data import DataConfig
from ganvas.training import trainer
from ganvas.training.experiment import Experiment


def denoise_sound() -> Experiment:
    """Remove noise from sounds: `ganvas train denoise-sound --data FOLDER`, any clean sounds of the same type.

    2,700 spoken digits of six people (8 kHz, 0.7 s), 60,000 sounds (default), seed 0, measured once: about 4 minutes of
    processor time of one thread of an AMD EPYC (AVX512-bf16), 15 with much other work running; torch 2.13.0;
    2026-11-30. `ganvas evaluate`, 300 held-out digits of the same people at an SNR of 0, 5 and 10 dB: SDR 9.82, 13.20
    and 16.88 dB (with Adam 8.44, 12.06 and 15.96); a Wiener filter with the best settings 7.49, 11.17 and 15.11, given
    the noise's spectrum 7.94, 11.66 and 15.64; the noisy input -2.47, 2.50 and 7.51. Spectral distance 7.23, 5.89 and
    5.04 dB; Wiener 9.93, 8.55 and 6.99. Frames with a clear pitch 73.8%, 74.2% and 74.7%; Wiener 61.1%, 73.0% and
    71.4%; clean 72.6%.
    """
    return Experiment(
        recipe="denoise-sound",
        network=network.Config(),
        data=DataConfig(""),
        task=task.Config("noise:0-20"),
        training=trainer.Config(
            images=60_000,
            batch=16,
            optimizer_g="muon",
            lr_g=2e-3,
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
