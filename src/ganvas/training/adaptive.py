"""Two quantities that a training adjusts by itself: the weight of the penalties and the strength of the augmentation.

Both are tensors in the task's `state`, which is part of a snapshot, so that a resumed training continues with them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganvas.core import distributed
from ganvas.training.batches import Batch

GAMMA = 1e-3  # first weight of the penalties, times pixels / images per step (the rule of Karras et al. 2020)
BAND, NUDGE = 1.5, 1.05  # the penalties' share may be off by this factor; their weight then moves by that one
OVERFIT = 0.4  # D overfits where its logits of training and held-out images differ by this share of real against fake
PACE = 30_000  # images in which the augmentation's probability would go from 0 to 1
Disturb = Callable[[Tensor, Tensor, Tensor], Tensor]  # samples [B, ...], a probability, uniform numbers [B, n]


class Gamma:
    """The weight that multiplies the R1 and R2 penalties: it follows their share of the discriminator's loss."""

    def __init__(self, state: dict[str, Tensor], target: float) -> None:
        """
        Args:
            state: the task's state; 'gamma' and 'share' are added.
            target: share of the penalties in their sum with the loss of a guessing D; 0: the weight stays 1.
        """
        self.state, self.target = state, target
        state |= {"gamma": torch.tensor(1.0), "share": torch.tensor(target)}

    @property
    def weight(self) -> Tensor:
        """The present weight, a scalar."""
        return self.state["gamma"]

    def start(self, pixels: int, batch: int) -> None:
        """Set the first weight, for images of so many pixels and so many images per step."""
        if self.target:
            self.weight.fill_(GAMMA * pixels / batch)

    def update(self, logged: dict[str, Tensor]) -> None:
        """Update the running mean of the share with what a step logged."""
        if "penalty_share" in logged:
            share = logged["penalty_share"]
            self.state["share"] = torch.lerp(self.state["share"].to(share.device), share, 0.1)

    def adapt(self) -> None:
        """Raise or lower the weight where the share is out of its band."""
        if self.target:
            share, gamma = float(self.state["share"]), self.weight
            gamma *= NUDGE if share < self.target / BAND else 1 / NUDGE if share > self.target * BAND else 1


class Augment:
    """Adaptive augmentation of what D sees: its probability follows the overfitting of D.

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", section 3.
    """

    def __init__(self, state: dict[str, Tensor], most: float, disturb: Disturb, chances: int) -> None:
        """
        Args:
            state: the task's state; 'augment' is added.
            most: highest probability of each change; 0: samples stay as they are.
            disturb: what changes samples.
            chances: random numbers that it needs for each sample.
        """
        self.state, self.most, self.disturb, self.chances = state, most, disturb, chances
        state["augment"] = torch.tensor(0.0)

    def __call__(self, samples: Tensor, batch: Batch) -> Tensor:
        """Augment samples [B, ...], as many as the batch has, before D sees them."""
        if not self.most:
            return samples
        chance = batch.draw(torch.rand, self.chances)
        return self.disturb(samples, self.state["augment"].to(samples.device), chance)

    def adapt(self, train: Tensor, held_out: Tensor, fake: Tensor, images: int) -> dict[str, Tensor]:
        """Adjust the probability, `images` images after the last call; returns what is logged.

        Args:
            train, held_out, fake: mean logit of training, held-out and generated images on this rank.
        """
        logits = [train, held_out, fake]
        distributed.average(logits)
        train, held_out, fake = logits
        overfit = (train - held_out) / (train - fake).abs().clamp_min(1e-3)
        probability = self.state["augment"]
        probability.add_(images / PACE if overfit > OVERFIT else -images / PACE).clamp_(0, self.most)
        return {"overfit": overfit, "augment": probability.clone()}
