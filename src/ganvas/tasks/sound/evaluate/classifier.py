"""A small classifier of sounds: a convolutional network on log-mel pictures, trained in a minute.

It learns from training sounds alone, with shifts, gains, noise and masked bands and moments (SpecAugment, Park et al.
2019), which makes it read what is said rather than how clean it is. All of that happens to the pictures, which are
computed once: transforming waves anew at each step took most of the time.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers, seeds
from ganvas.core.progress import Counted
from ganvas.tasks.sound.evaluate.mel import Mel

BANDS, HOP, MOST_FRAMES = 40, 0.016, 96
FEATURES = 64
WIDTHS = 16, 32, 48, 64
BATCH, LEARNING_RATE, DECAY, SMOOTHING = 64, 4e-3, 0.02, 0.05
ROUNDS, LEAST_STEPS, MOST_STEPS = 20, 600, 1_500  # times that each sound is seen, within limits of the steps
SHIFT = 0.1  # of the length, at most, either way
MASKED = 0.15  # of the bands and of the frames, at most
PORTION = 256  # sounds that are looked at together


class Classifier(nn.Module):
    """Log-mel pictures -> the probability of each class.

    Attributes:
        mel: what makes the pictures of waves; its hop is longer for long sounds, which then cost no more.
    """

    def __init__(self, rate: int, samples: int, classes: int) -> None:
        super().__init__()
        self.mel = Mel(rate, BANDS, max(HOP, samples / rate / MOST_FRAMES))
        layers: list[nn.Module] = []
        for inside, width in zip((1, *WIDTHS), WIDTHS, strict=False):
            convolution = nn.Conv2d(inside, width, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.3)
        self.foot = nn.Linear(2 * WIDTHS[-1] * (BANDS // 2 ** len(WIDTHS)), FEATURES)
        self.head = nn.Linear(FEATURES, classes)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def features(self, pictures: Tensor) -> Tensor:
        """dB [B, bands, frames] -> [B, FEATURES], which are 0 or more: what the decision is made of."""
        x = ((pictures + 50) / 25).clamp(-1.6, 3)[:, None]
        x = F.pad(x, (0, max(0, 2 ** len(WIDTHS) - x.shape[3])), value=-1.6)  # each block halves the length
        x = self.body(x.contiguous(memory_format=torch.channels_last))
        x = torch.cat([x.mean(3), x.amax(3)], 1).flatten(1)
        return self.foot(self.drop(x)).relu()

    def forward(self, pictures: Tensor) -> Tensor:
        """dB [B, bands, frames] -> logits [B, classes]."""
        return self.head(self.features(pictures))

    @torch.inference_mode()
    def look(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """Waves float [N, samples] -> features [N, FEATURES] and logits [N, classes]."""
        self.eval()
        features = torch.cat([self.features(self.mel(part)) for part in waves.split(PORTION)])
        return features, self.head(features)


def vary(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Pictures dB [B, bands, frames] as they would be shifted, louder or softer, noisier, with parts masked."""
    count, bands, frames = pictures.shape

    def some(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=random)

    moved = torch.arange(frames) - (some(-SHIFT, SHIFT) * frames).round().long()
    x = pictures.gather(2, moved.clamp(0, frames - 1).expand(-1, bands, -1))
    outside = (moved < 0) | (moved >= frames)
    x = torch.where(outside, pictures.amin((1, 2), keepdim=True), x) + some(-10, 3)
    noise = some(-110, -45) + 3 * torch.randn(x.shape, generator=random)  # dB; half of them are too soft to matter
    x = torch.logaddexp(x * (math.log(10) / 10), noise * (math.log(10) / 10)) * (10 / math.log(10))
    for size, axis in ((bands, 1), (frames, 2)):
        place = torch.arange(size).view(1, -1, 1) if axis == 1 else torch.arange(size).view(1, 1, -1)
        start, width = some(0, 1) * size, some(-MASKED, MASKED) * size  # half of them are left whole
        x = torch.where((place >= start) & (place < start + width), -100.0, x)
    return x


def learn(
    waves: Tensor, labels: Tensor, rate: int, classes: int, seed: int = 0
) -> Generator[Counted, None, Classifier]:
    """Train a classifier; yields progress and returns it.

    Args:
        waves: training sounds float [N, samples] in [-1, 1].
        labels: their classes int64 [N].
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seeds.key(seed, "classifier of sounds"))
        network = Classifier(rate, waves.shape[1], classes)
        pictures = network.mel(waves)
        random = seeds.generator(seed, "sounds that the classifier sees")
        steps = min(MOST_STEPS, max(LEAST_STEPS, ROUNDS * len(waves) // BATCH))
        yield from fit(network, pictures, labels, evenly(labels), steps, random)
    return network.eval()


def evenly(labels: Tensor) -> Tensor:
    """How often each sound is learned from, float64 [N]: those of rare classes come more often."""
    return torch.bincount(labels)[labels].double().rsqrt()


def fit(
    network: Classifier, pictures: Tensor, labels: Tensor, weights: Tensor, steps: int, random: torch.Generator
) -> Iterator[Counted]:
    """Teach a classifier for so many batches; yields progress.

    Args:
        pictures: dB [N, bands, frames], as `network.mel` makes them, of the classes `labels` int64 [N].
        weights: how often each comes, [N].
        random: chooses and varies them; what the network drops follows from torch's own generator.
    """
    optimizer = optimizers.AdamW(network.parameters(), LEARNING_RATE, weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    network.train()
    for step in range(steps):
        chosen = torch.multinomial(weights, BATCH, replacement=True, generator=random)
        with torch.autocast("cpu", torch.bfloat16, enabled=native()):
            logits = network(vary(pictures[chosen], random))
        loss = F.cross_entropy(logits.float(), labels[chosen], label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            yield Counted(step, steps, "teaching a classifier the classes")


def native() -> bool:
    """Does this processor multiply bf16 itself?"""
    caps = torch.cpu.get_capabilities()
    return bool(caps.get("avx512_bf16") or caps.get("amx_bf16"))
