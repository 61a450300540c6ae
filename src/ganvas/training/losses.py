"""Adversarial losses as plain functions on logits, and the gradient penalties.

An objective is a pair `d_loss(real, fake)`, `g_loss(real, fake)`; both take the discriminator's raw logits for real and
generated images, of equal shape, and return a scalar, so that ordinary and relativistic objectives have the same form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from ganvas.core import distributed, own
from ganvas.core.errors import UserError


class Objective(NamedTuple):
    """A pair of losses, and what the discriminator's logit means under it.

    Attributes:
        d_loss, g_loss: logits of real and of generated samples, of equal shape -> a scalar.
        threshold: the logit above which the discriminator says 'real'; None where a single logit has no zero point, so
            that only pairs can be compared (real above fake).
        guess: the lowest d_loss of a discriminator that cannot tell real from generated; None where there is none.
        probability: whether sigmoid(logit) is the probability of being real.
    """

    d_loss: Callable[[Tensor, Tensor], Tensor]
    g_loss: Callable[[Tensor, Tensor], Tensor]
    threshold: float | None
    guess: float | None = None
    probability: bool = False

    @property
    def pairs(self) -> bool:
        """Can only pairs of a real and a generated sample be compared?"""
        return self.threshold is None


def logistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))), D = sigmoid(logit). Source: Goodfellow et al. 2014, equation 1."""
    return softplus(-real).mean() + softplus(fake).mean()


def nonsaturating_g(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(G(z)): strong gradients while the generator is still poor. Source: Goodfellow et al. 2014, section 3."""
    return softplus(-fake).mean()


def minimax_g(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 - D(G(z))): the minimax game of the theory. Source: Goodfellow et al. 2014, equation 1."""
    return -softplus(fake).mean()


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))). Source: Lim and Ye 2017; Miyato et al. 2018, equation 16."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def critic_g(real: Tensor, fake: Tensor) -> Tensor:
    """-D(G(z)). Source: Arjovsky et al. 2017; Miyato et al. 2018, equation 17."""
    return -fake.mean()


def least_squares_d(real: Tensor, fake: Tensor) -> Tensor:
    """(D(x) - 1)^2 / 2 + D(G(z))^2 / 2. Source: Mao et al. 2017, equation 9."""
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def least_squares_g(real: Tensor, fake: Tensor) -> Tensor:
    """(D(G(z)) - 1)^2 / 2. Source: Mao et al. 2017, equation 9."""
    return 0.5 * (fake - 1).square().mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) - D(x); needs the gradient penalty. Source: Arjovsky et al. 2017, equation 2."""
    return fake.mean() - real.mean()


def relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(D(G(z)) - D(x)), pair by pair. Source: Jolicoeur-Martineau 2018; Huang et al. 2024, equation 2."""
    _same_shape(real, fake)
    return softplus(fake - real).mean()


def relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(D(x) - D(G(z))), pair by pair. Source: Jolicoeur-Martineau 2018; Huang et al. 2024, equation 2."""
    _same_shape(real, fake)
    return softplus(real - fake).mean()


def _same_shape(one: Tensor, other: Tensor) -> None:
    """Raise a ValueError for different shapes: [B, 1] and [B] would silently be broadcast to [B, B]."""
    if one.shape != other.shape:
        raise ValueError(f"the shapes {tuple(one.shape)} and {tuple(other.shape)} are unlike")


def _rows(x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """[B, ...] and the indices of its dimensions except the first; [B] becomes [B, 1], so that there is one."""
    x = x if x.dim() > 1 else x[:, None]
    return x, tuple(range(1, x.dim()))


def _norms(gradient: Tensor) -> Tensor:
    """The squared norm [B] of each row of [B, ...]."""
    squares, rest = _rows(gradient.float().square())
    return squares.sum(rest)


LOSSES = {
    "nonsaturating": Objective(logistic_d, nonsaturating_g, 0.0, guess=1.386, probability=True),
    "minimax": Objective(logistic_d, minimax_g, 0.0, guess=1.386, probability=True),
    "hinge": Objective(hinge_d, critic_g, 0.0, guess=2.0),
    "least-squares": Objective(least_squares_d, least_squares_g, 0.5, guess=0.25),
    "wasserstein": Objective(wasserstein_d, critic_g, None),
    "relativistic": Objective(relativistic_d, relativistic_g, None, guess=0.693),
}


def objective(name: str) -> Objective:
    """The objective of this name, or of a loss of the user's own: a function (real, fake) -> (loss_d, loss_g).

    Such a loss may have an attribute `threshold`, as an `Objective` has; without it only pairs are compared.

    Args:
        name: of LOSSES, or a reference to code.

    Raises:
        NotGiven: this process was not given the code.
        UserError: it fails, or does not return two scalars.
    """
    if name in LOSSES:
        return LOSSES[name]
    code = own.find(name)
    value: Callable[..., Any] = code.value() if isinstance(code.value, type) else code.value
    logits = torch.tensor([0.5, -0.25, 1.0, 0.125])
    with torch.enable_grad():
        try:
            both = value(logits.clone().requires_grad_(), (-logits).requires_grad_())
        except Exception as error:
            raise UserError(
                f"{code.called} fails on logits [4]: {own.message(error)} (--debug shows where)."
            ) from error
    if not (isinstance(both, tuple | list) and len(both) == 2 and all(isinstance(x, Tensor) for x in both)):
        raise UserError(f"{code.called}(real, fake) returns {type(both).__name__}; it must return (loss_d, loss_g).")
    for loss, title in zip(both, ("loss_d", "loss_g"), strict=True):
        if loss.dim() or not loss.requires_grad:
            fault = f"has the shape {[*loss.shape]}: take its mean" if loss.dim() else "has no gradient"
            raise UserError(f"{code.called}: {title} {fault}.")
    threshold = getattr(value, "threshold", None)
    return Objective(lambda r, f: value(r, f)[0], lambda r, f: value(r, f)[1], threshold)


def squared_gradients(logits: Tensor, images: Tensor) -> Tensor:
    """The squared norm of the gradient of each image's logit, [B].

    Args:
        logits: [B] or [B, 1, h, w], computed from `images`.
        images: [B, ...], of any rank, with requires_grad.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return _norms(gradient)


def squared_gradient(logits: Tensor, images: Tensor) -> Tensor:
    """The mean over the batch of `squared_gradients`, a scalar.

    On real images this is R1, on generated ones R2. Source: Mescheder et al. 2018, equation 9.
    """
    return squared_gradients(logits, images).mean()


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """(|gradient of D at random points between real and fake| - 1)^2. Source: Gulrajani et al. 2017, equation 3.

    Args:
        discriminator: images [B, ...] -> logits [B].
        real, fake: [B, ...], of one shape and any rank.
        mix: B numbers in any shape, uniform in [0, 1].

    Raises:
        ValueError: the shapes differ, or `mix` does not have B numbers.
    """
    _same_shape(real, fake)
    if mix.numel() != len(real):
        raise ValueError(f"mix has {mix.numel()} numbers for {len(real)} images")
    mix = mix.reshape(-1, *(1 for _ in real.shape[1:]))
    points = torch.lerp(fake.detach().to(real.dtype), real.detach(), mix).requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
    norm = _norms(gradient).add(1e-12).sqrt()
    return (norm - 1).square().mean()


def accuracy(objective: Objective, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of real images classified as real and of fakes as fake; 0.5 means that D is guessing.

    If single logits have no zero point, both are the share of pairs in which the real image has the higher logit.
    """
    if objective.threshold is None:
        _same_shape(real, fake)
        right = (real > fake).float().mean()
        return right, right
    return (real > objective.threshold).float().mean(), (fake <= objective.threshold).float().mean()


def score(objective: Objective, logits: Tensor) -> Tensor:
    """D(x): the mean probability if the loss has one, else the mean logit."""
    return torch.sigmoid(logits).mean() if objective.probability else logits.mean()


def verdicts(objective: Objective, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """The values that the discriminator's step logs besides its loss."""
    accuracy_real, accuracy_fake = accuracy(objective, real, fake)
    return {
        "accuracy_real": accuracy_real,
        "accuracy_fake": accuracy_fake,
        "d_real": score(objective, real),
        "d_fake": score(objective, fake),
    }


def charbonnier(made: Tensor, clean: Tensor, smooth: float, even: float = 0) -> Tensor:
    """Mean of sqrt(difference^2 + smooth^2), a smooth absolute difference. Source: Charbonnier et al. 1994.

    Args:
        made, clean: [B, ...], of one shape and any rank.
        smooth: differences much smaller than this are squared.
        even: if not 0, an image with mean difference e is weighted by 1 / (e - smooth + even): nearly a mean of
            logarithms, as PSNR is, except for images that are better than `even` already.
    """
    _same_shape(made, clean)
    difference, rest = _rows(((made - clean).square() + smooth**2).sqrt())
    each = difference.mean(rest)
    if not even:
        return each.mean()
    weight = 1 / (each.detach() - smooth + even)
    mean = weight.mean()
    distributed.average([mean])  # of the whole batch, of which this process may have a part
    return (each * weight).mean() / mean
