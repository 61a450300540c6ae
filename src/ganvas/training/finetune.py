"""Fine-tuning: a training that begins with the weights of a trained model in place of fresh ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.locate import locate
from ganvas.core.samples import Spec


@torch.no_grad()
def take(networks: dict[str, nn.Module], source: str) -> str:
    """Put a model's weights into networks, by name: those of the same shape; the others stay fresh.

    Returns:
        What was taken, in a sentence.

    Raises:
        UserError: there is no such model, it is damaged, nothing in it fits, or a weight is not finite.
    """
    path = locate(source)
    tensors, card = checkpoint.load(path)
    fitting: list[tuple[Tensor, str]] = []  # of both networks, before any is changed
    fresh = []
    for part, network in networks.items():
        for name, weight in network.state_dict().items():
            theirs = tensors.get(f"{part}.{name}")
            kind, shape = weight.is_floating_point(), weight.shape
            if theirs is not None and (theirs.is_floating_point(), theirs.shape) == (kind, shape):
                fitting.append((weight, f"{part}.{name}"))
            else:
                fresh.append(f"{part}.{name}")
    checkpoint.check_finite(path, {name: tensors[name] for _, name in fitting})
    for weight, name in fitting:
        weight.copy_(tensors[name])
    taken = len(fitting)
    if not taken:
        network = card.get("network")
        kind = str(network.get("name"))[:40] if isinstance(network, dict) else "not known"
        raise UserError(
            f"from={source}: nothing in this model ({kind}) fits the networks of this training. Take its recipe and "
            "size, or leave from= out."
        )
    text = f"Beginning with {taken} tensors of {path}"
    return f"{text}." if not fresh else f"{text}; {len(fresh)} of other shapes begin anew: {', '.join(fresh[:4])} ..."


def freeze(discriminator: nn.Module, count: int, spec: Spec) -> None:
    """Keep the weights behind the discriminator's first `count` layers as they are.

    Source: Mo et al. 2020, "Freeze the discriminator". Which weights these are is asked of the gradients.

    Raises:
        UserError: it has fewer layers.
    """
    layers = discriminator.features(spec.zeros(2))  # pyright: ignore[reportCallIssue]
    if count >= len(layers):
        raise UserError(
            f"freeze={count}: this discriminator has {len(layers)} layers; freeze {len(layers) - 1} at most."
        )
    weights = list(discriminator.parameters())
    gradients = torch.autograd.grad(layers[count - 1].float().sum(), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is not None:
            weight.requires_grad_(False)
