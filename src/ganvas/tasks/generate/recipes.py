"""Recipes for drawing from noise: each public function is a recipe, and its docstring lists results.

`ganvas train NAME` runs one, with '-' for '_'. You can write your own without a fork:
put such a function in a file and run `ganvas train my_recipes.py:mine`.
"""

from __future__ import annotations

import dataclasses

from ganvas.images.data.config import DataConfig
from ganvas.networks import classic_dcgan as dcgan_2015
from ganvas.networks import classic_mlp as mlp_2014
from ganvas.networks import dcgan, projected, pyramid, shuffle
from ganvas.tasks.generate import task as generate
from ganvas.training import trainer
from ganvas.training.experiment import Experiment

EPOCH = 60_000  # images of an epoch of MNIST


def mnist() -> Experiment:
    """The flagship: class-conditional digits in minutes on two CPU cores.

    The generator draws shapes in black and white, and the digits are made from them as MNIST's were made from scans
    (docs/decisions, 26); for other pictures `head=clamp` is chosen.

    | images | Frechet distance | times the floor | class accuracy | fresh expert |
    | --- | --- | --- | --- | --- |
    | 300,000 (default), seeds 0 to 2 | 0.880, 0.842, 0.896 | 1.6, 1.6, 1.7 | 99.1, 98.9, 99.4% | 61.5, 63.1, 61.5% |
    | head=clamp (the default before) | 0.719, 0.687, 0.785 | 1.3, 1.3, 1.4 | 99.2, 99.0, 98.9% | 94.1, 94.4, 94.6% |
    | head=tanh subpixels=1 | 0.803, 0.751, 0.677 | 1.5, 1.4, 1.3 | 99.4, 99.1, 99.3% | 99.7% (seed 0) |

    A fresh expert is right in 52% of the cases where both kinds are real. A digit of this model has single pixels of
    ink away from it more often (5.2%) than real ones (2.8%).

    `ganvas train mnist [seed=1]`, then `python benchmarks/judge.py RUN`: 10,000 samples against the 10,000 test images,
    judge a00a52ab (test accuracy 99.62%), floor 0.541 (10,000 training images; 0.421 and 0.348 for the next two blocks
    of them); bf16, AMD EPYC (Zen 5, no AMX), torch 2.13.0; 2026-11-30. The whole command takes 298 to 313 s of
    processor time on one thread of two cores that others shared, 245 s with head=clamp when there was less to share:
    a step takes 1.22 times as long (median of 7 pairs, 1.10 to 1.26). With tanh, the training loop alone on two cores:
    244 s (Zen 4, bf16; 2026-11-25, once) or 536 s (Zen 3, fp32; 2026-11-22, once); 100,000 images 187 s in fp32 (Zen
    3), 80 s in bf16 (Zen 4, mean of two) and 44 s with AMX.
    """
    return Experiment(
        recipe="mnist",
        network=shuffle.Config(head="scanned", subpixels=9),
        task=generate.Config(loss="nonsaturating", r1=0.1, penalty_every=8),
        training=trainer.Config(
            images=300_000,
            batch=32,
            lr_g=3e-3,
            lr_d=1.5e-3,
            decay_from=0.5,
            ema=30_000,
            ema_ramp=0.08,
            tick_every=2_000,
            sample_every=10_000,
            sample_at=(1_000, 2_000, 3_000, 4_000, 6_000, 8_000),
        ),
    )


def mnist_best() -> Experiment:
    """The best digits from half an hour of a CPU core: a wider expert, longer, and a selector at the end.

    Seeds 0 to 2, 3 x 10,000 pictures each (+-: standard deviation; of the expert the standard error), real ones in
    brackets; `ganvas evaluate RUN --metrics all`, and `python benchmarks/judge.py RUN`:

    | with its selector | seed 0 | seed 1 | seed 2 |
    | --- | --- | --- | --- |
    | fresh expert (51.8%) | **57.6%** +- 0.5 | **57.3%** +- 0.5 | **57.3%** +- 0.5 |
    | Frechet distance, features digits (0.105) | 0.172 +- 0.005 | 0.199 +- 0.016 | 0.202 +- 0.044 |
    | Frechet distance, independent judge (floor 0.541) | 0.617, 1.1 x | 0.706, 1.3 x | 0.757, 1.4 x |
    | precision (0.867), recall (0.888) | 0.854, 0.828 | 0.850, 0.835 | 0.855, 0.837 |
    | density (0.924), coverage (0.948) | 0.904, 0.922 | 0.896, 0.917 | 0.913, 0.922 |
    | near copies by pixels, by features (1.0%) | 0.7%, 0.9% | 0.8%, 0.8% | 1.1%, 0.9% |
    | class accuracy (99.8%) | 98.5% | 98.6% | 98.8% |

    1,000,000 images and the selector in about 35 minutes of processor time of one thread of an AMD EPYC (Zen 5, bf16,
    no AMX) that four or five processes shared; torch 2.13.0; 2026-11-30. A prototype with edges=narrow: 57.8%, but more
    broken digits (class accuracy 97.7%, distance 0.264); `ganvas train mnist select=240k`, 489 s of processor time:
    59.0%, 98.8%, 0.247. With head=clamp, before: 66.2 and 70.1% (seeds 0 and 1), 72.5% anew. Twice as long does not
    help: by then the discriminator has memorised the training images (docs/log.md, 2026-11-25).
    """
    base = mnist()
    return Experiment(
        recipe="mnist-best",
        network=dataclasses.replace(base.network, edges="wide", d_half=64, d_quarter=96),
        task=dataclasses.replace(base.task, r1=0.03, select=240_000),
        training=dataclasses.replace(
            base.training, images=1_000_000, lr_g=2e-3, decay_from=0.3, tick_every=5_000, sample_every=50_000
        ),
    )


def mnist_unlabelled() -> Experiment:
    """The flagship without labels: it finds out by itself that there are ten different digits.

    200,000 images (default), seed 0, measured once: Frechet distance 4.414, 8.1 times the floor, shares of the ten
    digits between 8.8% and 11.2%; 616 s on one thread with other work running. Judge and machine as for `mnist`. If you
    have labels, use them: with them the same networks reach 2 times the floor with 100,000 images.
    """
    base = mnist()
    return Experiment(
        recipe="mnist-unlabelled",
        network=shuffle.Config(),
        data=DataConfig(labels=False),
        task=base.task,
        training=dataclasses.replace(base.training, images=200_000, lr_g=2e-3, lr_d=1e-3),
    )


def stacked_mnist() -> Experiment:
    """Mode coverage: 1,000 classes of pictures, three digits in three channels, without labels.

    560,000 images (default), seed 0, measured once: **1,000 of 1,000 classes, KL 0.0274** on 26,000 pictures (real
    pictures by the same code 0.0222, a perfect copy expected at 0.0237, chance +-0.0009; the classifier is wrong on
    0.32% of test digits). 3,613 s on one core of an AMD EPYC (Zen 3, fp32) with other work running; torch 2.13.0;
    2026-11-22. The length was changed twice in the first half of the run, while the learning rates were constant.
    `ganvas train stacked-mnist`, then `ganvas bench modes RUN`. Published: R3GAN 0.029 (Huang et al. 2024; 8 GPUs,
    7 hours).
    """
    return Experiment(
        recipe="stacked-mnist",
        network=shuffle.Config(g_full=16, d_features=128),
        data=DataConfig("stacked-mnist", labels=False),
        task=generate.Config(loss="relativistic", r1=1.0, r2=1.0),
        training=trainer.Config(
            images=560_000,
            batch=32,
            lr_g=2e-3,
            lr_d=1e-3,
            decay_from=0.5,
            ema=50_000,
            ema_ramp=0.08,
            tick_every=10_000,
            sample_every=100_000,
        ),
    )


def images() -> Experiment:
    """Your own images, grey or colour, 28 to 256 pixels: `ganvas train images --data FOLDER`.

    8,000 avatar faces of 64 pixels in colour (DiceBear's Adventurer, unlabelled, a tenth held out), images=280k (not
    the default length), seed 0, measured once: 52 minutes of processor time on one core of an AMD EPYC (AVX512-bf16, no
    AMX), with other work on both; torch 2.13.0; 2026-11-30. Frechet distance 77 (efficientnet-lite0, 5,000 drawings
    compared with the 797 held-out faces; 5,000 training faces have 19.0), with flat=false 169. docs/benchmarks.md
    compares it with the DCGAN.
    """
    return Experiment(
        recipe="images",
        network=pyramid.Config(),
        data=DataConfig(""),
        task=generate.Config(loss="relativistic", r1=1.0, r2=1.0, penalty_every=4, penalty_share=0.1),
        training=trainer.Config(
            images=500_000,
            batch=8,
            lr_g=2e-3,
            lr_d=1e-3,
            decay_from=0.5,
            ema=20_000,
            ema_ramp=0.08,
            tick_every=4_000,
            sample_every=20_000,
            sample_at=(1_000, 2_000, 4_000, 10_000),
        ),
    )


def photos() -> Experiment:
    """Your own photographs, 28 to 256 pixels: what `images` trains with when it finds photographs.

    CIFAR-10, labelled, images=322k (not the default length), seed 0, measured once, one thread of an AMD EPYC
    (AVX512-bf16, no AMX); torch 2.13.0; 2026-11-30; before norms were measured anew at the end. After 49 minutes of
    processor time in all 10,000 drawings have a Frechet distance of 98.0 (efficientnet-lite0; real ones 18.8; 226 after
    10 minutes, 118 after 27) and a recall of .257 (.677): variety is what lacks most. A classifier names 68.9% of them
    as asked for, and 88.6% of the test pictures. docs/benchmarks.md has more.
    """
    base = images()
    return dataclasses.replace(
        base,
        recipe="photos",
        network=projected.Config(),
        task=dataclasses.replace(base.task, r1=0.01, r2=0.01, penalty_share=0.0, teach=0.3),
        training=dataclasses.replace(base.training, batch=16, lr_g=1e-3, lr_d=1e-3),
    )


def few() -> Experiment:
    """A hundred to two thousand images: like `images`, with adaptive augmentation for small data sets.

    Two hundred faces, images=75k (not the default length), seed 0, measured once: 32 minutes on one core of the machine
    of the `images` card. Frechet distance to faces that it never saw 401 (the two hundred themselves have 63), 0.9%
    near copies; after 40,000 images 442, where `images` on the same faces had 461 (docs/log.md, 2026-11-27).
    """
    base = images()
    return dataclasses.replace(
        base,
        recipe="few",
        task=dataclasses.replace(base.task, augment=0.8),
        training=dataclasses.replace(base.training, images=300_000),
    )


def classic_mlp() -> Experiment:
    """The tutorials' fully connected GAN: 100 epochs of MNIST, with the familiar log line.

    Pictures after 0, 1, 2, 20 and 100 epochs. In its first epochs the expert wins easily and the pictures are poor;
    that is normal here. 2,261 images per second on the machine of the `mnist` card (100 epochs: about 45 minutes), 1.93
    times the plain tutorial loop (median of 3 pairs: 2.10, 1.93, 1.72; `python benchmarks/speed.py`). After the
    100 epochs (609 s on two cores with AMX, 2026-11-24; once) the Frechet distance is 7.72 (digits features, 10,000
    pictures, floor 0.113); the flagship is below that after 9 s (docs/benchmarks.md).
    """
    return Experiment(
        recipe="classic-mlp",
        network=mlp_2014.Config(),
        data=DataConfig(labels=False),
        task=generate.Config(loss="nonsaturating", joint=True),
        training=trainer.Config(
            images=100 * EPOCH,
            batch=100,
            lr_g=2e-4,
            lr_d=2e-4,
            beta1=0.9,
            beta2=0.999,
            tick_every=10_000,
            sample_every=0,
            sample_at=(EPOCH, 2 * EPOCH, 20 * EPOCH, 100 * EPOCH),
        ),
    )


def classic_dcgan() -> Experiment:
    """The tutorials' convolutional GAN: 100 epochs; every 10 epochs accuracy, a 10x10 sheet and a saved model.

    Batches of 128 real and 128 generated images, as in the tutorials. 132 images per second on the machine of the
    `mnist` card: 100 epochs would take half a day; they have not been run and judged yet. `images=600k` is ten epochs.
    """
    return Experiment(
        recipe="classic-dcgan",
        network=dcgan_2015.Config(),
        data=DataConfig(labels=False),
        task=generate.Config(loss="nonsaturating", joint=True),
        training=trainer.Config(
            images=100 * EPOCH,
            batch=128,
            lr_g=2e-4,
            lr_d=2e-4,
            beta1=0.5,
            beta2=0.999,
            tick_every=10_000,
            sample_every=10 * EPOCH,
            keep_models=True,
        ),
    )


def classic_dcgan_64() -> Experiment:
    """The DCGAN that PyTorch's well-known example has at 64 pixels, to compare with: `--data FOLDER size=64`.

    75 images per second on one core of the machine of the `images` card; docs/benchmarks.md has results of both.
    """
    return Experiment(
        recipe="classic-dcgan-64",
        network=dcgan.Config(),
        data=DataConfig("", labels=False),
        task=generate.Config(loss="nonsaturating"),
        training=trainer.Config(
            images=500_000,
            batch=128,
            lr_g=2e-4,
            lr_d=2e-4,
            beta1=0.5,
            beta2=0.999,
            tick_every=4_000,
            sample_every=20_000,
        ),
    )
