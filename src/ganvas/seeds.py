"""Counted randomness: every random number follows from (seed, what for, which one), so nothing needs to be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor


def key(seed: int, *what: str | int) -> int:
    """A 63-bit number that depends on the seed and on each part of `what`."""
    text = "/".join(str(part) for part in (seed, *what))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def plant(number: int, device: torch.device) -> None:
    """Seed PyTorch's own random numbers: on a CPU only its own, for `torch.manual_seed` takes a millisecond there."""
    (torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed)(number)


def generator(seed: int, *what: str | int) -> torch.Generator:
    """A random number generator of the CPU for one purpose."""
    return torch.Generator().manual_seed(key(seed, *what))


def latents(seeds: Iterable[int], dim: int, candidate: int = 0) -> Tensor:
    """The latent vector of each seed, standard normal, [n, dim] on the CPU: a seed is one picture, in any batch.

    A seed has further candidates, 1 and up, for those who choose among them.
    """
    which = (candidate,) if candidate else ()
    rows = [torch.randn(dim, generator=generator(seed, "latent", *which)) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, dim)
