"""The classifier two-sample test: a fresh network is trained to tell generated samples from real ones.

Lopez-Paz and Oquab 2017: where even a network made for it is right only half of the time, the two sets of samples are
alike to it. Half of each set is learned from, the other half is tested on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds

EPOCHS, BATCH, RATE, DECAY = 8, 64, 3e-3, 0.05
STEPS = 300  # at least: with few samples there are more epochs
Z = 1.96  # standard deviations of a 95% interval


@dataclass(frozen=True)
class Verdict:
    """Accuracy on samples it has not learned from, of how many, and the order of the fakes among them.

    `fakes` are the numbers of these fakes, from the one it found easiest to tell to the one it found hardest.
    """

    accuracy: float
    tested: int
    fakes: Tensor

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the accuracy."""
        return interval(self.accuracy, self.tested)


def interval(share: float, count: int) -> tuple[float, float]:
    """95% interval of a share of `count`. Source: Wilson 1927."""
    p, n = share, count
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return middle - half, middle + half


def distinguish(
    real: Tensor, fake: Tensor, network: Callable[[Tensor], nn.Module], seed: int = 0, epochs: int = EPOCHS
) -> Verdict:
    """Train a fresh classifier on half of the samples, and test it on the other half.

    Args:
        real, fake: [N, ...], as many of each (the rest of the longer is left out).
        network: makes the classifier of such samples: float [B, ...] of mean 0 and standard deviation 1 -> logits [B],
            positive for real.
    """
    count = min(len(real), len(fake))
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(seed, "fresh expert"))
        orders = torch.randperm(len(real))[:count], torch.randperm(len(fake))[:count]
        half = count // 2
        learned = torch.cat([real[orders[0][:half]], fake[orders[1][:half]]])
        tested = torch.cat([real[orders[0][half:]], fake[orders[1][half:]]])
        mean, spread = learned.float().mean(), learned.float().std().clamp_min(1e-6)
        classifier = network(real)
        rounds = max(1, len(learned) // BATCH)
        epochs = max(epochs, -(-STEPS // rounds))
        is_real = torch.arange(len(learned)) < half

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for _ in range(epochs):
                for index in torch.randperm(len(learned)).split(BATCH)[:rounds]:
                    yield (learned[index].float() - mean) / spread, is_real[index]

        for _ in teach(classifier, batches(), epochs * rounds):
            pass
        with torch.inference_mode():
            logits = torch.cat([classifier((x.float() - mean) / spread) for x in tested.split(500)])
    tested_real = torch.arange(len(tested)) < count - half
    right = (logits > 0) == tested_real
    return Verdict(float(right.double().mean()), len(tested), orders[1][half:][logits[~tested_real].argsort()])


def teach(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], steps: int) -> Iterator[Tensor]:
    """Train a network to tell real from generated samples; yields the loss of each step, then sets evaluation mode.

    Args:
        network: samples [B, ...] -> logits [B], positive for real.
        batches: samples and which of them are real, bool [B]; `steps` of them.
    """
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.3)
    for samples, is_real in batches:
        logits = network(samples)
        loss = F.binary_cross_entropy_with_logits(logits, is_real.to(logits.dtype))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield loss.detach()
    network.eval()
