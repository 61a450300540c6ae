"""Filters against closed forms, plain loops and Pillow; and that each does what it is known for."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from skimage import filters, restoration
from torch import Tensor

from ganvas.images import fidelity
from ganvas.images.fidelity import psnr
from ganvas.tasks.restore import classical
from ganvas.tasks.restore.classical import (
    FILTERS,
    bicubic,
    bilateral,
    diffusion_fill,
    gaussian,
    median,
    non_local_means,
)


def picture(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 255


def noise(like: Tensor, sigma: float, seed: int = 9) -> Tensor:
    return sigma * torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


def edge(height: int, width: int) -> Tensor:
    x = torch.full((1, 3, height, width), 40.0)
    x[..., width // 2 :] = 200
    return x


ALL: dict[str, Callable[[Tensor], Tensor]] = {
    "median": partial(median, radius=2),
    "gaussian": partial(gaussian, sigma=1.3),
    "bilateral": partial(bilateral, sigma_space=1.5, sigma_level=60),
    "non_local_means": partial(non_local_means, patch_radius=1, search_radius=4, strength=30, sigma=20),
}


@pytest.mark.parametrize("shape", [(2, 1, 13, 22), (1, 3, 22, 13), (2, 3, 2, 3), (1, 1, 1, 1)])
@pytest.mark.parametrize("name", ALL)
def test_filters_keep_shape_range_and_flat_pictures(name: str, shape: tuple[int, ...]) -> None:
    x = picture(*shape).requires_grad_()
    y = ALL[name](x)
    assert y.shape == shape
    assert y.dtype == torch.float32
    assert not y.requires_grad
    x = x.detach()
    assert float(y.min()) >= float(x.min()) - 1e-3
    assert float(y.max()) <= float(x.max()) + 1e-3
    flat = torch.full(shape, 77.0)
    torch.testing.assert_close(ALL[name](flat), flat)  # also at the borders
    torch.testing.assert_close(ALL[name](x.double())[:1], ALL[name](x[:1]))


@pytest.mark.parametrize("name", ALL)
def test_filters_know_no_direction_and_no_order_in_memory(name: str) -> None:
    x = picture(1, 3, 9, 14)
    torch.testing.assert_close(ALL[name](x.contiguous(memory_format=torch.channels_last)), ALL[name](x))
    torch.testing.assert_close(ALL[name](x.flip(2)), ALL[name](x).flip(2), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(ALL[name](x.flip(3)), ALL[name](x).flip(3), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(ALL[name](x.mT), ALL[name](x).mT, rtol=1e-4, atol=1e-3)


def test_median_removes_single_salt_pixels_wholly() -> None:
    x = torch.full((1, 3, 20, 30), 90.0)
    salted = x.clone()
    salted[:, :, 2::4, 1::4] = 255
    assert torch.equal(median(salted, 1), x)
    assert torch.equal(median(edge(20, 30), 2), edge(20, 30))


def test_median_in_bands_is_that_of_each_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical, "MEMORY", 4 * 9 * 25)
    x = picture(1, 1, 11, 9)
    y = median(x, 2)
    assert y.shape == x.shape
    for i, j in ((2, 2), (5, 4), (7, 6), (8, 3)):
        assert float(y[0, 0, i, j]) == float(x[0, 0, i - 2 : i + 3, j - 2 : j + 3].median())


def test_gaussian_of_a_point_is_the_bell() -> None:
    x = torch.zeros(1, 1, 31, 41)
    x[0, 0, 15, 20] = 1000
    rows, columns = torch.meshgrid(torch.arange(31) - 15, torch.arange(41) - 20, indexing="ij")
    bell = torch.exp(-(rows**2 + columns**2) / (2 * 1.5**2))
    bell[(rows.abs() > 6) | (columns.abs() > 6)] = 0
    torch.testing.assert_close(gaussian(x, 1.5)[0, 0], 1000 * bell / bell.sum(), rtol=1e-4, atol=1e-4)


def test_bilateral_keeps_the_edge_that_the_gaussian_blurs() -> None:
    clean = edge(24, 32)
    noisy = clean + noise(clean, 8)
    near = (..., slice(14, 18))  # two columns on either side
    kept, blurred = bilateral(noisy, 2.0, 30.0), gaussian(noisy, 2.0)
    assert float((kept - clean)[near].abs().mean()) < 4
    assert float((blurred - clean)[near].abs().mean()) > 30
    torch.testing.assert_close(bilateral(noisy, 1.0, 1e6), gaussian(noisy, 1.0), rtol=0, atol=1.5)  # its limit
    torch.testing.assert_close(bilateral(noisy, 1.0, 1e-3), noisy, rtol=0, atol=0.01)


def test_bilateral_and_non_local_means_are_their_plain_loops() -> None:
    x = picture(1, 3, 7, 8)
    one, other = torch.zeros_like(x), torch.zeros_like(x)
    for i in range(7):
        for j in range(8):
            seen = [(k, m) for k in range(7) for m in range(8) if abs(k - i) <= 2 and abs(m - j) <= 2]
            close, like = [], []
            for k, m in seen:
                d = (x[0, :, i, j] - x[0, :, k, m]).square().mean()
                close.append(torch.exp(-d / (2 * 90.0**2) - ((k - i) ** 2 + (m - j) ** 2) / (2 * 0.8**2)))
                around = [
                    (x[0, :, i + a, j + b] - x[0, :, k + a, m + b]).square().mean()
                    for a in (-1, 0, 1)
                    for b in (-1, 0, 1)
                    if all(0 <= r + a < 7 and 0 <= c + b < 8 for r, c in ((i, j), (k, m)))
                ]
                like.append(torch.exp(-(torch.stack(around).mean() - 2 * 60.0**2).clamp_min(0) / 80.0**2))
            pixels = torch.stack([x[0, :, k, m] for k, m in seen])
            for y, weights in ((one, torch.stack(close)), (other, torch.stack(like))):
                y[0, :, i, j] = (weights[:, None] * pixels).sum(0) / weights.sum()
    torch.testing.assert_close(bilateral(x, 0.8, 90.0), one, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(non_local_means(x, 1, 2, 80.0, 60.0), other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("sigma", [15, 30])
def test_non_local_means_beats_the_best_gaussian_on_stripes(sigma: int) -> None:
    clean = torch.full((1, 3, 32, 48), 60.0)
    clean[..., torch.arange(48) % 6 < 3] = 190
    noisy = clean + noise(clean, sigma)
    before = float(psnr(noisy, clean))
    blurred = max(float(psnr(setting.apply(noisy), clean)) for setting in FILTERS["Gaussian"])
    matched = float(psnr(non_local_means(noisy, 1, 7, 0.8 * sigma, sigma), clean))
    assert before < blurred < before + 3
    assert matched > before + 8


def test_every_setting_has_its_name_and_effect() -> None:
    settings = [setting for several in FILTERS.values() for setting in several]
    assert len({setting.name for setting in settings}) == len(settings)
    assert all(setting.name.startswith(name) for name, several in FILTERS.items() for setting in several)
    x = edge(14, 17)[:, :1]
    x += noise(x, 30)
    results = torch.stack([setting.apply(x) for setting in settings]).flatten(1)
    assert len(results.unique(dim=0)) == len(settings)


@pytest.mark.parametrize(("channels", "scale"), [(3, 2), (1, 3), (3, 4)])
def test_bicubic_is_that_of_pillow(channels: int, scale: int) -> None:
    small = picture(1, channels, 9, 13)
    ours = bicubic(small, scale)
    assert ours.shape == (1, channels, 9 * scale, 13 * scale)
    assert ours.max() == 255  # it overshoots
    for one, big in zip(small[0], ours[0], strict=True):
        theirs = np.array(Image.fromarray(one.numpy()).resize((13 * scale, 9 * scale), Image.Resampling.BICUBIC))
        torch.testing.assert_close(big, torch.from_numpy(theirs).clamp(0, 255), rtol=0, atol=0.01)


# filling


def test_fill_continues_a_ramp_and_keeps_known_pixels() -> None:
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(80.0), indexing="ij")
    ramp = torch.stack([rows * 2, 200 - columns, 20 + rows + columns])[None]
    mask = torch.zeros(1, 1, 96, 80)
    mask[..., 20:70, 15:55] = 1
    mask[..., 5:9, 60:75] = 1
    broken = ramp.masked_fill(mask != 0, torch.nan)
    filled = diffusion_fill(broken, mask)
    assert float((filled - ramp).abs().max()) < 1
    assert torch.equal(filled[(mask == 0).expand_as(filled)], ramp[(mask == 0).expand_as(ramp)])


def harmonic(x: Tensor, hole: Tensor) -> Tensor:
    """The exact answer for x [H, W]: one equation a missing pixel."""
    count = int(hole.sum())
    number = torch.full(hole.shape, -1)
    number[hole] = torch.arange(count)
    matrix, right = torch.zeros(count, count).double(), torch.zeros(count).double()
    for n, y in ((number, x.double()), (number.T, x.double().T)):
        for p, q, level in ((n[1:], n[:-1], y[:-1]), (n[:-1], n[1:], y[1:])):  # pixels, neighbours, neighbours' levels
            matrix.diagonal().index_add_(0, p[p >= 0], torch.ones(int((p >= 0).sum())).double())
            both, one = (p >= 0) & (q >= 0), (p >= 0) & (q < 0)
            matrix[p[both], q[both]] = -1
            right.index_add_(0, p[one], level[one])
    found = x.double().clone()
    found[hole] = torch.linalg.solve(matrix, right)
    return found


@pytest.mark.parametrize("kind", ["corner", "points", "blots"])
def test_fill_solves_laplace_in_few_rounds(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical, "ROUNDS", 60)  # plain conjugate gradients take hundreds
    x = torch.stack([picture(1, 96, 90), gaussian(picture(1, 1, 96, 90, seed=1), 3)[0]], 1)
    hole = torch.zeros(96, 90, dtype=torch.bool)
    if kind == "corner":
        hole[:48, 45:] = True  # a quarter, as far from known pixels as can be
    elif kind == "points":
        hole = picture(96, 90, seed=3) < 64
    else:
        hole = gaussian(picture(1, 1, 96, 90, seed=4), 3)[0, 0] < 123
    assert 0.15 < float(hole.float().mean()) < 0.35
    filled = diffusion_fill(x, hole[None, None].float())
    for channel in (0, 1):
        assert float((filled[0, channel] - harmonic(x[0, channel], hole)).abs().max()) < 0.1


def test_fill_of_whole_and_of_empty_pictures_in_one_batch() -> None:
    x = picture(3, 1, 11, 6)
    mask = torch.zeros(3, 1, 11, 6)
    mask[0] = 1
    mask[2, :, 4:, :3] = 1
    filled = diffusion_fill(x, mask)
    assert torch.equal(filled[0], torch.full((1, 11, 6), 127.5))
    assert torch.equal(filled[1], x[1])
    torch.testing.assert_close(filled[2:], diffusion_fill(x[2:], mask[2:]), rtol=0, atol=0.05)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 1, 1, 9), (1, 3, 2, 3), (2, 3, 17, 5)])
def test_fill_of_small_pictures_stays_between_the_known_levels(shape: tuple[int, ...]) -> None:
    x = picture(*shape)
    mask = (picture(shape[0], 1, *shape[2:], seed=5) < 150).to(torch.uint8)
    mask[..., 0, 0] = 0
    filled = diffusion_fill(x.contiguous(memory_format=torch.channels_last), mask)
    assert filled.shape == shape
    assert filled.dtype == torch.float32
    low, high = (torch.where(mask != 0, end, x).flatten(2) for end in (256.0, -1.0))
    assert (filled.flatten(2) >= low.amin(2, keepdim=True) - 0.01).all()
    assert (filled.flatten(2) <= high.amax(2, keepdim=True) + 0.01).all()


# -------------------- beside scikit-image, whose filters people know


def noisy_camera() -> tuple[Tensor, Tensor]:
    """A piece of the photographer that comes with scikit-image, and the same with noise of 25 levels."""
    clean = torch.from_numpy(skimage.data.camera()[64:160, 192:288].copy())[None, None].float()
    noise = 25 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean, (clean + noise).clamp(0, 255).round()


def test_median_and_gaussian_are_those_of_scikit_image() -> None:
    _, noisy = noisy_camera()
    plain = noisy[0, 0].numpy()
    theirs = filters.median(plain, np.ones((5, 5)), mode="nearest")
    assert torch.equal(classical.median(noisy, 2)[0, 0], torch.from_numpy(theirs).float())
    theirs = filters.gaussian(plain, 1.0, mode="nearest", preserve_range=True, truncate=4)
    inside = (slice(8, -8), slice(8, -8))  # at the border ours takes the mean of what is there
    assert (classical.gaussian(noisy, 1.0)[0, 0].numpy() - theirs)[inside] == pytest.approx(0, abs=0.01)


@pytest.mark.long
def test_the_stronger_filters_are_no_weaker_than_those_of_scikit_image() -> None:
    """A model that beats a baseline of ours would beat the library's too (figures of 25 pictures: docs/log.md)."""
    clean, noisy = noisy_camera()
    unit = noisy[0, 0].numpy().astype(np.float64) / 255
    bilateral = [
        restoration.denoise_bilateral(unit, win_size=2 * math.ceil(2.5 * s) + 1, sigma_color=t / 255, sigma_spatial=s)
        for s in classical.NEAR[:3]
        for t in classical.ALIKE
    ]
    means = [
        restoration.denoise_nl_means(
            unit, patch_size=2 * r + 1, patch_distance=7, h=s * h / 255, sigma=s / 255, fast_mode=False
        )
        for s in (15, 20, 25)
        for r, h in classical.PATCHES
    ]
    for name, theirs in (("bilateral", bilateral), ("non-local means", means)):
        ours = [setting.apply(noisy) for setting in classical.FILTERS[name]]
        best = max(float(fidelity.psnr(x.round().clamp(0, 255), clean).mean()) for x in ours)
        others = [torch.from_numpy(255 * x)[None, None].float().round().clamp(0, 255) for x in theirs]
        assert best > max(float(fidelity.psnr(x, clean).mean()) for x in others) - 0.2, name
