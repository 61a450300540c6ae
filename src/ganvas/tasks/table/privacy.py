"""Training the generator with differential privacy: DP-SGD (Abadi et al. 2016).

Each step takes every training row with the same small probability (Poisson sampling), bounds the norm of each row's
gradient, adds normal noise to their sum, and divides by the expected number of rows. Every weight of the generator acts
on one vector a row and token, so the norm of a row's gradient follows from what goes into a layer and from the gradient
of what comes out of it, and no gradient of a single row is made: Goodfellow 2015; Li et al. 2022; Bu et al. 2023.

How much noise keeps the promise is computed by the accountant of Opacus (Gopi et al. 2021).
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import math
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as f

from ganvas.core import distributed
from ganvas.core.errors import UserError
from ganvas.tables import private
from ganvas.tables.private import Privacy
from ganvas.tasks.table.network import Generator
from ganvas.tasks.table.sums import sums
from ganvas.training.batches import Batch, Batches
from ganvas.training.trainer import Config

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

DEFAULTS = {  # that are better with so much noise
    "batch": "1024",
    "images": "1M",
    "lr_g": "8e-3",
    "width": "64",
    "dropout": "0",
    "warmup": "1",
}
SCALES = {
    "heads": 0.25,
    "numbers": 0.25,
    "given_numbers": 0.25,
    "weight0": 0.25,
}  # of gradients that would take up most of a row's norm: see `clipped`
NEAR = 0.01  # share of epsilon that may be left over
KEPT = ("images", "epoch", "lr_g", "lr_d", "seconds", "images_per_second")  # of a log row: what says nothing of rows
MISSING = "privacy= needs the package opacus, which computes how much noise is enough: pip install 'ganvas[privacy]'"
NO_DETECTOR = (
    "a model with differential privacy does not store how odd real rows usually are: that would come from single "
    "held-out rows."
)


def verify(experiment: Experiment) -> None:
    """Raise a UserError if settings do not go together with `privacy`."""
    if experiment.task.warmup < 1 and experiment.task.contest > 0:
        raise UserError(
            f"warmup={experiment.task.warmup:g}: privacy= allows no adversarial phase: its discriminator would see "
            "real rows without noise: leave warmup at 1."
        )
    if experiment.training.from_:
        raise UserError(
            f"from={experiment.training.from_}: privacy= needs a start from scratch: nothing is known about what that "
            "model saw: leave from= out."
        )


def ready() -> None:
    """Raise a UserError if a private training is not possible here."""
    if importlib.util.find_spec("opacus") is None:
        raise UserError(MISSING)
    if distributed.size() > 1:
        raise UserError("privacy= trains in one process: start it without torchrun.")


@dataclass(frozen=True)
class Plan:
    """How a training spends its budget: noise (in bounds), probability of a row in a step, steps."""

    noise: float
    rate: float
    steps: int

    @classmethod
    def of(cls, privacy: Privacy, config: Config, noise: float | None = None) -> Plan:
        """The plan that keeps the promise.

        Args:
            noise: as it was computed before.

        Raises:
            UserError: nothing keeps it.
        """
        rate, steps = min(1.0, config.batch / privacy.rows), math.ceil(config.images / config.batch)
        if noise is None:
            noise = _least(lambda sigma: cls(sigma, rate, steps).epsilon(privacy), privacy.epsilon)
        return cls(noise, rate, steps)

    def epsilon(self, privacy: Privacy, steps: int | None = None) -> float:
        """What is spent on cells and training together, with the delta that the thresholds leave."""
        from opacus.accountants import PRVAccountant

        accountant = PRVAccountant()
        done = self.steps if steps is None else steps
        accountant.history = [(1 / privacy.mu, 1.0, 1), *([(self.noise, self.rate, done)] if done else [])]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # on its choice of orders, where it is only less tight
            return float(accountant.get_epsilon(privacy.delta - privacy.singles))


def _least(epsilon_of: Any, most: float) -> float:
    """The smallest noise whose epsilon is at most `most`, to within NEAR of it.

    Raises:
        UserError: there is none.
    """
    low, high, above, below = 0.3, 1.0, math.inf, math.inf
    while (below := epsilon_of(high)) > most:
        low, above, high = high, below, high * 2
        if high > 1e5:
            raise UserError(f"privacy={most:g} cannot be kept by any noise: use fewer images, or a larger epsilon.")
    for _ in range(40):
        if most - below <= NEAR * most:
            break
        middle = (low * high) ** 0.5
        if math.isfinite(above):  # epsilon falls with the noise like a power: a guess a little on the safe side
            share = math.log(above / (most * (1 - NEAR / 2))) / math.log(above / below)
            middle = low * (high / low) ** min(max(share, 0.02), 0.98)
        found = epsilon_of(middle)
        low, above, high, below = (low, above, middle, found) if found <= most else (middle, found, high, below)
    return high


class Private:
    """A training with differential privacy: which rows a step sees, and what becomes of their gradients."""

    def __init__(
        self, privacy: Privacy, bound: float, config: Config, batches: Batches, state: dict[str, Tensor]
    ) -> None:
        """
        Args:
            bound: of the norm of a row's gradient.
            state: of the task; what a resume needs is added to it. The key of the noise is drawn from the system's
                randomness: who knew it could take the noise off. It is in snapshots, not in model files.

        Raises:
            UserError: a private training is not possible here.
        """
        ready()
        self.privacy, self.bound, self.config, self.state = privacy, bound, config, state
        self.samples, self.device = batches.data.train.samples, batches.device
        plan = Plan.of(privacy, config)
        words = np.frombuffer(os.urandom(32), np.int64)
        state |= {"key": torch.from_numpy(words.copy()), "noise": torch.tensor(plan.noise, dtype=torch.float64)}

    @property
    def plan(self) -> Plan:
        return Plan.of(self.privacy, self.config, float(self.state["noise"]))

    def random(self, what: str, step: int) -> np.random.Generator:
        """Random numbers for one purpose in one step."""
        key = self.state["key"].numpy().tobytes()
        return private.generator(hashlib.blake2b(f"{what}/{step}".encode(), key=key, digest_size=16).digest())

    def rows(self, step: int) -> Tensor:
        """The rows of a step, int64 [B, tokens]: each with the same probability, apart from all others."""
        random, count = self.random("rows", step), len(self.samples)
        number = int(random.binomial(count, self.plan.rate))
        index = np.sort(random.choice(count, number, replace=False, shuffle=False))
        return self.samples[torch.from_numpy(index)].to(self.device).long()

    def loss(self, generator: Generator, batch: Batch, given: Any) -> dict[str, Tensor]:
        """What has the noisy mean of the bounded gradients as its gradient, and the mean of -log of probabilities.

        Args:
            given: a function of a batch: which of its tokens are given, bool [B, tokens].
        """
        rows = self.rows(batch.step)
        given = given(dataclasses.replace(batch, real=rows))
        with torch.autocast(rows.device.type, enabled=False):
            losses, sums, _ = clipped(generator, rows, given, self.bound)
        weights = dict(generator.named_parameters())
        random, expected = self.random("noise", batch.step), self.config.batch
        total = torch.zeros((), device=rows.device)
        for name, summed in sums.items():
            noise = torch.from_numpy(random.standard_normal(tuple(summed.shape), np.float32)).to(summed)
            deviation = float(self.state["noise"]) * self.bound / scale_of(name)
            gradient = (summed + deviation * noise) / expected
            total = total + (weights[name] * gradient).sum()
        return {"total": total, "nll": losses.sum() / max(1, len(rows))}

    def told(self) -> dict[str, Any]:
        """What the model's card says of the training."""
        plan = self.plan
        return {
            "epsilon": round(plan.epsilon(self.privacy), 4),
            "delta": self.privacy.delta,
            "noise": round(plan.noise, 4),
            "rate": plan.rate,
            "steps": plan.steps,
            "bound": self.bound,
            "accountant": "opacus PRV",
        }


def scale_of(name: str) -> float:
    """By which the gradient of a weight counts in a row's norm."""
    return SCALES.get(name.partition(".")[0], 1.0)


def clipped(
    generator: Generator, rows: Tensor, given: Tensor, bound: float
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """The loss of each row, the sum of the rows' bounded gradients for each weight, and the norms before.

    A row's norm is that of its gradients times `scale_of` each, and noise is divided by it: as if the weights were that
    many times as small: the layers with the longest vectors must not use up the others' share.

    The prior of each token stays as it is: it is a constant of the columns' cells.

    Args:
        rows: int64 [B, tokens].
        given: bool [B, tokens].
        bound: a row's gradient is shortened to this norm where it is longer.

    Returns:
        losses float [B]; gradients by the name of the weight; norms float [B].
    """
    inner, losses = _forward(generator, rows, given)
    found = torch.autograd.grad(losses.sum(), list(inner.outs.values()))
    with torch.no_grad():
        grads = dict(zip(inner.outs, found, strict=True))
        known = grads.pop("known")  # [tokens, B, width]
        before = sums(known, after=True)  # of the networks that come after a token's
        heard = torch.bmm(known, generator.weight0.transpose(1, 2))
        behind = sums(heard) * given.T[..., None]  # of the networks that come before a given token's
        squares = known.square().sum((0, 2)) + 2 * behind.square().sum((0, 2)) + before.square().sum((0, 2))
        squares += SCALES["weight0"] ** 2 * (inner.after.square().sum(2) * known.square().sum(2)).sum(0)
        for i in generator.numbers.last:
            squares += SCALES["numbers"] ** 2 * inner.features[i].square().sum(1) * before[i].square().sum(1)
            squares += SCALES["given_numbers"] ** 2 * inner.features[i].square().sum(1) * behind[i].square().sum(1)
        for i in range(len(generator.sizes)):
            for name in ("1", "2"):
                squares += (inner.ins[name][i].square().sum(1) + 1) * grads[name][i].square().sum(1)
            last = inner.ins["h"][i].square().sum(1) * grads[f"h{i}"].square().sum(1)
            squares += SCALES["heads"] ** 2 * last
        norms = squares.sqrt()
        factor = (bound / norms.clamp_min(1e-12)).clamp_max(1.0)[:, None]
        return losses.detach(), _sums(generator, rows, inner, grads, known, before, behind, factor), norms


@dataclass
class _Inner:
    """What a forward pass leaves behind: what goes into layers [tokens, B, width], what comes out of them, the features
    [B, n] of each number by its last token, and what given tokens after each one say, [tokens, B, width]."""

    ins: dict[str, Tensor]
    outs: dict[str, Tensor]
    features: dict[int, Tensor]
    after: Tensor


def _forward(generator: Generator, rows: Tensor, given: Tensor) -> tuple[_Inner, Tensor]:
    """As `Generator.logits`, and the loss [B] of each row: gradients are of what layers give, not of their weights."""

    weights = {name: weight.detach() for name, weight in generator.named_parameters()}
    with torch.no_grad():
        after = generator.after(rows, given)
        known = generator.told(sums(generator.of(rows)), after)
    known.requires_grad_()
    hidden = generator.drop(f.silu(known))
    first = torch.baddbmm(weights["bias1"][:, None], hidden, weights["weight1"])
    inner = generator.drop(f.silu(first))
    second = torch.baddbmm(weights["bias2"][:, None], inner, weights["weight2"])
    last = hidden + f.silu(second)
    logits = [last[i] @ weights[f"heads.{i}"] for i in range(len(generator.sizes))]
    priors = [generator._prior(i, rows).detach() for i in range(len(logits))]
    each = [
        f.cross_entropy(x + p, rows[:, i], reduction="none")
        for i, (x, p) in enumerate(zip(logits, priors, strict=True))
    ]
    losses = torch.stack(each, 1).masked_fill(given, 0.0).sum(1)
    ins = {"1": hidden.detach(), "2": inner.detach(), "h": last.detach()}
    outs = {"known": known, "1": first, "2": second, **{f"h{i}": x for i, x in enumerate(logits)}}
    features = {last: generator.numbers.features(k, rows) for last, k in generator.numbers.last.items()}
    return _Inner(ins, outs, features, after), losses


def _sums(
    generator: Generator,
    rows: Tensor,
    inner: _Inner,
    grads: dict[str, Tensor],
    known: Tensor,
    before: Tensor,
    behind: Tensor,
    factor: Tensor,
) -> dict[str, Tensor]:
    """The sum over the rows of factor times gradient, by the name of the weight.

    Raises:
        RuntimeError: the generator has a weight of which nothing is known here.
    """
    known, before, behind = (x * factor for x in (known, before, behind))
    total: dict[str, Tensor] = {"start": known.sum(1), "given": behind.sum(1)}
    total["weight0"] = inner.after.transpose(1, 2) @ known
    index = (rows + generator.first.to(rows.device)).T.flatten()
    for name, of in (("values", before), ("given_values", behind)):
        table = torch.zeros_like(generator.values.weight)
        total[f"{name}.weight"] = table.index_add_(0, index, of.reshape(-1, of.shape[2]))
    for i, k in generator.numbers.last.items():
        total[f"numbers.weights.{k}"] = inner.features[i].T @ before[i]
        total[f"given_numbers.weights.{k}"] = inner.features[i].T @ behind[i]
    for name in ("1", "2"):
        out = grads[name] * factor
        total[f"weight{name}"] = inner.ins[name].transpose(1, 2) @ out
        total[f"bias{name}"] = out.sum(1)
    for i in range(len(generator.sizes)):
        total[f"heads.{i}"] = inner.ins["h"][i].T @ (grads[f"h{i}"] * factor)
    unknown = {n for n, _ in generator.named_parameters() if not n.startswith("priors.")} ^ total.keys()
    if unknown:
        raise RuntimeError(f"privacy: the gradients of {sorted(unknown)} are not bounded")
    return total
