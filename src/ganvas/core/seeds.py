"""Counted randomness: each random number follows from (seed, purpose, number), so no generator's state is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor


def key(seed: int, *what: str | int) -> int:
    """A 63-bit number that depends on the seed and on every part of `what`."""
    text = "/".join(str(part) for part in (seed, *what))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def seed_all(number: int, device: torch.device) -> None:
    """Seed PyTorch's global generators, for a CPU only that of the CPU: `torch.manual_seed` takes a millisecond."""
    (torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed)(number)


def generator(seed: int, *what: str | int) -> torch.Generator:
    """A random number generator on the CPU, for one purpose."""
    return torch.Generator().manual_seed(key(seed, *what))


def latents(seeds: Iterable[int], dim: int, candidate: int = 0, truncation: float | None = None) -> Tensor:
    """The latent vector of each seed, standard normal, [n, dim] on the CPU: a seed gives one image in any batch.

    Args:
        dim: numbers in a latent vector.
        candidate: 0 is the seed's own vector; 1 and up are alternatives to choose among.
        truncation: the limit of `truncate`; None: none.
    """
    which = (candidate,) if candidate else ()
    source, rows = torch.Generator(), []
    for seed in seeds:
        rows.append(torch.randn(dim, generator=source.manual_seed(key(seed, "latent", *which))))
    z = torch.stack(rows) if rows else torch.empty(0, dim)
    return z if truncation is None else truncate(z, truncation)


def truncate(z: Tensor, limit: float) -> Tensor:
    """Standard normal numbers -> truncated normal numbers in [-limit, limit]: more typical images, and less variety.

    Each number keeps its quantile, so a seed's image changes gradually with the limit. Source: the truncation trick of
    Brock et al. 2019, section 3.1, but without drawing again.
    """
    below = torch.special.ndtr(torch.tensor(-limit, dtype=torch.float64))
    share = below + (1 - 2 * below) * torch.special.ndtr(z.double())
    return torch.special.ndtri(share).to(z.dtype).clamp(-limit, limit)
