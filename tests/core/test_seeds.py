"""Counted randomness: a seed is one picture, in any batch."""

from __future__ import annotations

import itertools

import torch

from ganvas.core import seeds

PINNED_KEY = 2276613576414004355
PINNED_VECTOR = [0.24877949, 0.31356987, -1.05649376]


def test_a_seed_is_one_vector_in_any_batch() -> None:
    together = seeds.latents(range(10), 16)
    assert together.shape == (10, 16)
    assert together.dtype == torch.float32
    assert torch.equal(seeds.latents([7], 16)[0], together[7])
    assert torch.equal(seeds.latents([3, 7, 3], 16), together[[3, 7, 3]])


def test_different_seeds_differ() -> None:
    vectors = seeds.latents(range(200), 8)
    assert len({tuple(v.tolist()) for v in vectors}) == 200


def test_no_seeds() -> None:
    assert seeds.latents([], 5).shape == (0, 5)


def test_vectors_are_standard_normal() -> None:
    vectors = seeds.latents(range(2000), 50)  # 100,000 numbers: the mean's own deviation is 0.003
    assert abs(vectors.mean().item()) < 0.015
    assert abs(vectors.std().item() - 1) < 0.015
    assert vectors.mean(0).abs().max() < 0.12  # of each number on its own: 2,000 each
    assert vectors.abs().max() > 3.5


def test_neighbouring_seeds_are_not_alike() -> None:
    vectors = seeds.latents(range(201), 100)
    correlation = torch.nn.functional.cosine_similarity(vectors[1:], vectors[:-1])
    assert abs(correlation.mean().item()) < 0.04


def test_global_random_numbers_play_no_part() -> None:
    torch.manual_seed(1)
    before = seeds.latents([5], 4)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(seeds.latents([5], 4), before)
    torch.set_rng_state(state)
    seeds.latents([5], 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_key_depends_on_each_part() -> None:
    parts = [
        (0,),
        (1,),
        (-1,),
        (0, "a"),
        (0, "b"),
        (1, "a"),
        (0, "a", 0),
        (0, "a", 1),
        (0, "b", 0),
        (0, 0),
        (0, "a", 10),
    ]
    keys = [seeds.key(*part) for part in parts]
    assert len(set(keys)) == len(keys)
    assert keys == [seeds.key(*part) for part in parts]
    assert seeds.key(12, 3) != seeds.key(1, 23)


def test_keys_fit_torch_and_numpy() -> None:
    keys = [seeds.key(s, "x", i) for s, i in itertools.product(range(30), range(30))]
    assert len(set(keys)) == 900
    assert all(0 <= k < 2**63 for k in keys)


def test_keys_and_vectors_are_pinned() -> None:
    """A change here changes every picture that people know by its seed."""
    assert seeds.key(0, "latent") == PINNED_KEY
    assert (seeds.latents([0], 3)[0] - torch.tensor(PINNED_VECTOR)).abs().max() < 1e-6


def test_generators_of_different_purposes_differ() -> None:
    draws = {
        torch.rand(1, generator=seeds.generator(*what)).item() for what in [(0, "a"), (0, "b"), (1, "a"), (0, "a", 1)]
    }
    assert len(draws) == 4
