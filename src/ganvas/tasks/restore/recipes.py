"""Recipes for clean pictures from degraded ones: each public function is one, and its docstring its result card."""

from __future__ import annotations

import dataclasses

from ganvas.images.data.config import DataConfig
from ganvas.tasks.restore import task as restore
from ganvas.tasks.restore import unet
from ganvas.training import trainer
from ganvas.training.experiment import Experiment


def denoise() -> Experiment:
    """Remove noise from pictures: `ganvas train denoise --data PHOTOS`, of 25 levels, or `degrade=noise:0-50`.

    432 photographs of 481x321 pixels, images=160k (not the default length), 29 minutes of processor time of one thread
    of an AMD EPYC (AVX512 with bf16), measured once; 2026-11-30: the 24 Kodak photographs, whole, with noise of 25
    levels in 8 bits: 32.05 dB and SSIM .879, BM3D told the noise 31.35 and .864 (in the median .53 dB above). After
    20,000 images, four minutes, it is as good as with Adam after 100,000. docs/benchmarks.md has all restorers.
    """
    return Experiment(
        recipe="denoise",
        network=unet.Config(width=64, depth=2),
        data=DataConfig("", fit="pieces"),
        task=restore.Config("noise:25", smooth=0.03),
        training=trainer.Config(
            images=60_000,
            batch=16,
            optimizer_g="muon",
            lr_g=3e-3,
            lr_d=1e-3,
            beta1=0.9,
            beta2=0.999,
            decay_from=0.3,
            clip_g=0.3,
            ema=5_000,
            tick_every=2_000,
            sample_every=20_000,
            sample_at=(1_000, 2_000, 5_000, 10_000),
        ),
    )


def derain() -> Experiment:
    """Remove rain from pictures: `ganvas train derain --data PHOTOS`.

    With a network of half the width, images=30k, 14 photographs, 6 minutes on one CPU core, three held-out photographs:
    35.52 dB and SSIM .894; the rainy pictures 21.16 dB, a median 25.40.
    """
    return dataclasses.replace(denoise(), recipe="derain", task=restore.Config("rain", turn=False))


def superres() -> Experiment:
    """Enlarge pictures to twice their size (or four times: `degrade=down:4`): `ganvas train superres --data PHOTOS`.

    As for `denoise`, images=8k (not the default length), some two minutes, 24 Kodak photographs: 31.35 dB and SSIM
    .897; bicubic 29.26 dB and .850.
    """
    return dataclasses.replace(denoise(), recipe="superres", task=restore.Config("down:2"))


def inpaint() -> Experiment:
    """Fill what is missing in pictures: `ganvas train inpaint --data PHOTOS`.

    As for `denoise`, images=80k (not the default length), 20 minutes, the missing quarter of 24 Kodak photographs in
    squares of 64 pixels: 24.23 dB and SSIM .936; a diffusion fill 22.61 and .921.
    """
    base = denoise()
    return dataclasses.replace(
        base,
        recipe="inpaint",
        network=unet.Config(width=64, depth=3),
        data=dataclasses.replace(base.data, size=64),
        task=restore.Config("holes:25", even=2e-3, smooth=0.3),
        training=dataclasses.replace(base.training, images=100_000, lr_g=2e-3, clip_g=0.02),
    )
