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


def latents(seeds: Iterable[int], dim: int, candidate: int = 0, truncation: float | None = None) -> Tensor:
    """The latent vector of each seed, standard normal, [n, dim] on the CPU: a seed is one picture, in any batch.

    A seed has further candidates, 1 and up, for those who choose among them. `truncation`: see `truncate`.
    """
    which = (candidate,) if candidate else ()
    source, rows = torch.Generator(), []
    for seed in seeds:
        rows.append(torch.randn(dim, generator=source.manual_seed(key(seed, "latent", *which))))
    z = torch.stack(rows) if rows else torch.empty(0, dim)
    return z if truncation is None else truncate(z, truncation)


def truncate(z: Tensor, limit: float) -> Tensor:
    """Standard normal numbers -> normal numbers within [-limit, limit]: fewer odd pictures, and less variety.

    Each number keeps its rank, so that a seed's picture changes gradually with the limit. Source: the truncation trick
    of Brock et al. 2019, section 3.1, without its redrawing.
    """
    below = torch.special.ndtr(torch.tensor(-limit, dtype=torch.float64))
    share = below + (1 - 2 * below) * torch.special.ndtr(z.double())
    return torch.special.ndtri(share).to(z.dtype).clamp(-limit, limit)
