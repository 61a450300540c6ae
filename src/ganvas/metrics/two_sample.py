"""The classifier two-sample test: a fresh network is trained to tell generated samples from real ones.

Lopez-Paz and Oquab 2017: if even a network trained for it is right only half of the time, it cannot tell the two sets
of samples apart. It is trained on half of each set and tested on the other half.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers, seeds

EPOCHS, BATCH, RATE, DECAY = 8, 64, 3e-3, 0.05
STEPS = 300  # of training at least: with few samples there are more epochs
Z = 1.96  # standard deviations of a 95% interval


@dataclass(frozen=True)
class Verdict:
    """Accuracy on test samples, their number, and the order of the fakes among them.

    `fakes`: indices of the generated test samples, from the easiest to recognise to the hardest.
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
        network: makes the classifier for such samples: float [B, ...] of mean 0 and standard deviation 1 -> logits [B],
            positive for real.
    """
    count = min(len(real), len(fake))
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(seed, "fresh expert"))
        orders = torch.randperm(len(real))[:count], torch.randperm(len(fake))[:count]
        half = count // 2
        trained = torch.cat([real[orders[0][:half]], fake[orders[1][:half]]])
        tested = torch.cat([real[orders[0][half:]], fake[orders[1][half:]]])
        mean, spread = trained.float().mean(), trained.float().std().clamp_min(1e-6)
        classifier = network(real)
        rounds = max(1, len(trained) // BATCH)
        epochs = max(epochs, -(-STEPS // rounds))
        is_real = torch.arange(len(trained)) < half

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for _ in range(epochs):
                for index in torch.randperm(len(trained)).split(BATCH)[:rounds]:
                    yield (trained[index].float() - mean) / spread, is_real[index]

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
    optimizer = optimizers.AdamW(network.parameters(), RATE, weight_decay=DECAY, fused=True)
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
