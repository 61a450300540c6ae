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
    of an AMD EPYC (AVX512 with bf16), measured once; 2026-11-30: six Kodak photographs, whole, with noise of 25 levels
    in 8 bits: 31.00 dB and SSIM .883, BM3D told the noise 30.50 and .867. After 20,000 images, four minutes, it is as
    good as with Adam after 80,000 to 100,000. docs/benchmarks.md has the table of all restorers.
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

    As for `denoise`, images=8k (not the default length), some two minutes, six Kodak photographs: 29.54 dB and SSIM
    .878; bicubic 27.33 dB and .817.
    """
    return dataclasses.replace(denoise(), recipe="superres", task=restore.Config("down:2"))


def inpaint() -> Experiment:
    """Fill what is missing in pictures: `ganvas train inpaint --data PHOTOS`.

    With a network of half the width, 14 photographs, 400,000 images, 69 minutes on one core of an AMD EPYC (AVX512 with
    bf16) that was shared at times, measured once; 2026-11-27: 38.66 dB and SSIM .970 of the missing quarter of 976
    held-out pieces of 64 pixels; a diffusion fill 36.78 and .959.
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
