"""The fresh expert: a new network trained to tell generated images from real ones (classifier two-sample test).

Lopez-Paz and Oquab 2017: where even a network made for it is right only half of the time, the two kinds of images are
alike to it. Half of each kind is learned from, the other half is judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds

EPOCHS, BATCH, RATE, DECAY = 8, 64, 3e-3, 0.05
STEPS = 300  # at least: with few images there are more epochs
Z = 1.96  # standard deviations of a 95% interval


@dataclass(frozen=True)
class Verdict:
    """Accuracy on images it has not learned from, of how many, and what it thought of each fake among them.

    `fakes` are the numbers of these fakes, from the one it found easiest to tell to the one it found hardest.
    """

    accuracy: float
    judged: int
    fakes: Tensor

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the accuracy."""
        return interval(self.accuracy, self.judged)


def interval(share: float, count: int) -> tuple[float, float]:
    """95% interval of a share of `count`. Source: Wilson 1927."""
    p, n = share, count
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return middle - half, middle + half


class Expert(nn.Module):
    """Pairs of 3x3 convolutions, from full size down to 7 pixels or so, and two linear layers."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside, width = channels, 24
        while True:
            for stride in (2 if layers else 1, 1):
                layers += [nn.Conv2d(inside, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                inside, size = width, -(-size // stride)
            if size <= 8:
                break
            width = min(2 * width, 96)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3))
        self.head = nn.Sequential(nn.Linear(inside * size**2, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, images: Tensor) -> Tensor:
        """float [B, C, H, W] -> logits [B], positive for real."""
        return self.head(self.body(images)).squeeze(1)


def judge(real: Tensor, fake: Tensor, seed: int = 0, epochs: int = EPOCHS) -> Verdict:
    """Train a fresh expert on half of the images, and ask it about the other half.

    Args:
        real, fake: uint8 [N, C, H, W], as many of each (the rest of the longer is left out).
    """
    count = min(len(real), len(fake))
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(seed, "fresh expert"))
        orders = torch.randperm(len(real))[:count], torch.randperm(len(fake))[:count]
        half = count // 2
        learned = torch.cat([real[orders[0][:half]], fake[orders[1][:half]]])
        asked = torch.cat([real[orders[0][half:]], fake[orders[1][half:]]])
        mean, spread = learned.float().mean(), learned.float().std().clamp_min(1e-6)
        network = Expert(real.shape[1], real.shape[2]).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        rounds = max(1, len(learned) // BATCH)
        epochs = max(epochs, -(-STEPS // rounds))
        is_real = torch.arange(len(learned)) < half

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for _ in range(epochs):
                for index in torch.randperm(len(learned)).split(BATCH)[:rounds]:
                    yield _as_input(learned[index], mean, spread), is_real[index]

        for _ in teach(network, batches(), epochs * rounds):
            pass
        with torch.inference_mode():
            logits = torch.cat([network(_as_input(x, mean, spread)) for x in asked.split(500)])
    asked_real = torch.arange(len(asked)) < count - half
    right = (logits > 0) == asked_real
    return Verdict(float(right.double().mean()), len(asked), orders[1][half:][logits[~asked_real].argsort()])


def teach(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], steps: int) -> Iterator[Tensor]:
    """Train a network to tell real from generated images; yields the loss of each step, then sets evaluation mode.

    Args:
        network: images [B, C, H, W] -> logits [B], positive for real.
        batches: images and which of them are real, bool [B]; `steps` of them.
    """
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.3)
    for images, is_real in batches:
        logits = network(images)
        loss = F.binary_cross_entropy_with_logits(logits, is_real.to(logits.dtype))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield loss.detach()
    network.eval()


def _as_input(images: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    return ((images.float() - mean) / spread).contiguous(memory_format=torch.channels_last)
