"""Fine-tuning: a training that starts from the weights of a trained model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.locate import locate
from ganvas.core.samples import Spec


@torch.no_grad()
def take(networks: dict[str, nn.Module], source: str) -> str:
    """Copy a model's weights into networks, by name; those of other shapes keep their initial values.

    Args:
        networks: by the name of their part of the model: 'generator', 'discriminator'.
        source: a run, a model file, or hf://user/name.

    Returns:
        A sentence that says what was copied.

    Raises:
        UserError: there is no such model, it is damaged, nothing in it fits, or a weight is not finite.
    """
    path = locate(source)
    tensors, card = checkpoint.load(path)
    matching: list[tuple[Tensor, str]] = []  # of all networks, before any is changed
    fresh = []
    for part, network in networks.items():
        for name, weight in network.state_dict().items():
            trained = tensors.get(f"{part}.{name}")
            form = weight.is_floating_point(), weight.shape
            if trained is not None and (trained.is_floating_point(), trained.shape) == form:
                matching.append((weight, f"{part}.{name}"))
            else:
                fresh.append(f"{part}.{name}")
    checkpoint.check_finite(path, {name: tensors[name] for _, name in matching})
    for weight, name in matching:
        weight.copy_(tensors[name])
    if not matching:
        network = card.get("network")
        kind = str(network.get("name"))[:40] if isinstance(network, dict) else "not known"
        raise UserError(
            f"from={source}: nothing in this model ({kind}) fits the networks of this training. Use its recipe and "
            "size, or leave from= out."
        )
    text = f"Starting with {len(matching)} tensors of {path}"
    return (
        f"{text}."
        if not fresh
        else f"{text}; {len(fresh)} of other shapes start with new values: {', '.join(fresh[:4])} ..."
    )


def freeze(discriminator: nn.Module, count: int, spec: Spec) -> None:
    """Freeze the weights that the discriminator's first `count` layers depend on, as the gradients show.

    Source: Mo et al. 2020, "Freeze the discriminator".

    Raises:
        UserError: it has fewer layers.
    """
    layers = discriminator.features(spec.zeros(2))  # pyright: ignore[reportCallIssue]
    if count >= len(layers):
        raise UserError(
            f"freeze={count}: this discriminator has {len(layers)} layers; freeze {len(layers) - 1} at most."
        )
    weights = [weight for weight in discriminator.parameters() if weight.requires_grad]
    layer = layers[count - 1].float().sum()
    if not layer.requires_grad:  # these layers are never trained
        return
    gradients = torch.autograd.grad(layer, weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is not None:
            weight.requires_grad_(False)
