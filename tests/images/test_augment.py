"""Augmentation before the discriminator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.images import augment


def some(count: int = 6, channels: int = 3, size: int = 16) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def plan(count: int = 6, seed: int = 1) -> Tensor:
    return torch.rand(count, augment.CHANCES, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_nothing_happens_at_probability_0(channels: int) -> None:
    x = some(channels=channels)
    assert torch.allclose(augment.disturb(x, 0.0, plan()), x, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_everything_happens_at_probability_1(channels: int) -> None:
    x = some(channels=channels)
    changed = augment.disturb(x, 1.0, plan())
    assert changed.shape == x.shape
    assert (changed - x).abs().flatten(1).amax(1).min() > 0.1


def test_a_share_of_the_images_is_left_alone() -> None:
    x = some(400, 1, 8)
    same = (augment.disturb(x, 0.3, plan(400)) - x).abs().flatten(1).amax(1) < 1e-5
    assert 0.7**3 - 0.08 < float(same.float().mean()) < 0.7**3 + 0.12  # a shift of no pixel changes nothing either


def test_what_happens_follows_from_the_plan_alone() -> None:
    x = some()
    together = augment.disturb(x, 0.8, plan())
    assert torch.equal(together, augment.disturb(x, 0.8, plan()))
    assert torch.allclose(augment.disturb(x[2:4], 0.8, plan()[2:4]), together[2:4], atol=1e-6)
    assert not torch.allclose(together, augment.disturb(x, 0.8, plan(seed=2)))


def test_a_shift_moves_whole_pixels_and_repeats_the_border() -> None:
    x = torch.arange(16.0).view(1, 1, 16, 1).expand(1, 1, 16, 16)
    moved = augment.shifted(x, torch.ones(1), torch.zeros(1))
    assert moved[0, 0, :, 3].tolist() == [0, 0, *range(14)]


def test_colours_change_and_transparency_does_not() -> None:
    x = some(channels=4)
    changed = augment.coloured(x, *torch.ones(3, 6))
    assert torch.equal(changed[:, 3], x[:, 3])
    assert not torch.allclose(changed[:, :3], x[:, :3])
    brighter = augment.coloured(x, torch.ones(6), torch.zeros(6), torch.zeros(6))
    assert torch.allclose(brighter[:, :3], x[:, :3] + augment.BRIGHTNESS, atol=1e-6)


def test_a_hole_is_grey_and_half_as_wide() -> None:
    x = torch.ones(2, 1, 16, 16)
    changed = augment.cut(x, torch.zeros(2), torch.zeros(2), torch.tensor([True, False]))
    assert int((changed[0] == 0).sum()) == 64
    assert changed[0, 0, 8, 8] == 0
    assert (changed[1] == 1).all()


def test_the_generator_learns_through_it() -> None:
    x = some().requires_grad_(True)
    (gradient,) = torch.autograd.grad(augment.disturb(x, 0.7, plan()).square().sum(), x)
    assert gradient.flatten(1).abs().sum(1).min() > 0


def test_every_second_image_is_mirrored() -> None:
    x = some(200, 1, 4)
    turned = augment.mirrored(x, torch.rand(200, generator=torch.Generator().manual_seed(0)))
    as_is, mirrored = ((turned == y).flatten(1).all(1) for y in (x, x.flip(3)))
    assert bool((as_is | mirrored).all())
    assert 70 < int(mirrored.sum()) < 130
