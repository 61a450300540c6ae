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

    So do those parts of a module that its `taken_together` names if a weight of one of them does.

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
    weights = {f"{part}.{name}": w for part, network in networks.items() for name, w in network.state_dict().items()}
    fresh = [name for name, weight in weights.items() if _form(tensors.get(name)) != _form(weight)]
    for group in _together(networks):
        if any(name.startswith(group) for name in fresh):
            fresh += [name for name in weights if name.startswith(group) and name not in fresh]
    matching = [name for name in weights if name not in {*fresh}]
    checkpoint.check_finite(path, {name: tensors[name] for name in matching})
    for name in matching:  # of all networks, after all were looked at
        weights[name].copy_(tensors[name])
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


def _form(weight: Tensor | None) -> tuple[bool, torch.Size] | None:
    return None if weight is None else (weight.is_floating_point(), weight.shape)


def _together(networks: dict[str, nn.Module]) -> list[tuple[str, ...]]:
    """What the names of weights begin with that are copied together or not at all."""
    return [
        tuple(".".join(filter(None, (part, name, child))) + "." for child in together)
        for part, network in networks.items()
        for name, module in network.named_modules()
        if (together := getattr(module, "taken_together", ()))
    ]


def freeze(discriminator: nn.Module, count: int, spec: Spec) -> None:
    """Freeze the weights that the discriminator's first `count` layers depend on, as the gradients show.

    Layers that are never trained do not count.

    Source: Mo et al. 2020, "Freeze the discriminator".

    Raises:
        UserError: it has fewer layers.
    """
    features = getattr(discriminator, "features", None)
    layers = [] if features is None else [layer for layer in features(spec.zeros(2)) if layer.requires_grad]
    if not layers:
        raise UserError(f"freeze={count}: this discriminator has no layers that can be frozen. Leave freeze= out.")
    if count >= len(layers):
        raise UserError(
            f"freeze={count}: this discriminator has {len(layers)} layers; freeze {len(layers) - 1} at most."
        )
    weights = [weight for weight in discriminator.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(layers[count - 1].float().sum(), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is not None:
            weight.requires_grad_(False)
