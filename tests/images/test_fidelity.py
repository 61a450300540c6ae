"""Measures of fidelity against closed forms, a plain loop and torchmetrics."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.images import fidelity
from ganvas.images.fidelity import psnr, ssim


def picture(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 255


# the peak signal-to-noise ratio


def test_psnr_of_constant_offsets_is_a_closed_form_for_each_picture() -> None:
    clean = torch.full((3, 3, 8, 12), 100.0)
    values = psnr(clean + torch.tensor([5.0, -20.0, 0.0]).view(3, 1, 1, 1), clean)
    assert values.shape == (3,)
    assert values[:2].tolist() == pytest.approx([20 * math.log10(255 / 5), 20 * math.log10(255 / 20)])
    assert values[2] == math.inf


def test_psnr_is_of_the_mean_over_channels_not_the_mean_of_channels() -> None:
    offsets = torch.tensor([3.0, 0.0, 4.0]).view(1, 3, 1, 1)
    assert float(psnr(offsets.expand(1, 3, 5, 7), torch.zeros(1, 3, 5, 7))) == pytest.approx(
        10 * math.log10(255**2 / (25 / 3))
    )


def test_psnr_of_whole_numbers_does_not_wrap() -> None:
    black, white = torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    assert float(psnr(black, white)) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.uint8])
def test_psnr_under_a_mask_sees_those_pixels_only(dtype: torch.dtype) -> None:
    clean = picture(2, 3, 6, 9)
    restored = clean + 7
    restored[:, :, 3:] = math.nan  # what does not count may hold anything
    mask = torch.zeros(2, 1, 6, 9, dtype=dtype)
    mask[0, :, :3] = 1
    values = psnr(restored, clean, mask)
    assert float(values[0]) == pytest.approx(20 * math.log10(255 / 7), rel=1e-5)
    assert math.isnan(values[1])


def test_psnr_under_a_full_mask_is_that_without() -> None:
    a, b = picture(2, 3, 7, 5), picture(2, 3, 7, 5, seed=1)
    torch.testing.assert_close(psnr(a, b, torch.ones(2, 1, 7, 5)), psnr(a, b))


# structural similarity


def test_ssim_of_identical_pictures_is_1() -> None:
    x = picture(2, 3, 20, 31)
    torch.testing.assert_close(ssim(x, x), torch.ones(2))
    assert float(ssim(x[:1], 255 - x[:1])) < 0  # what is bright in one is dark in the other


def test_ssim_of_flat_pictures_is_its_first_factor() -> None:
    a, b, c1 = 60.0, 180.0, (0.01 * 255) ** 2
    value = ssim(torch.full((1, 3, 16, 13), a), torch.full((1, 3, 16, 13), b))
    assert float(value) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), rel=1e-4)


def plain_ssim(x: Tensor, y: Tensor, size: int) -> float:
    """[H, W] twice; equation by equation, window by window."""
    at = torch.arange(size).double() - size // 2
    w = torch.exp(-(at[:, None] ** 2 + at**2) / (2 * 1.5**2))
    w, result = w / w.sum(), []
    for i in range(x.shape[0] - size + 1):
        for j in range(x.shape[1] - size + 1):
            p, q = (z[i : i + size, j : j + size].double() for z in (x, y))
            m, n = (w * p).sum(), (w * q).sum()
            vp, vq, cov = (w * (p - m) ** 2).sum(), (w * (q - n) ** 2).sum(), (w * (p - m) * (q - n)).sum()
            light = (2 * m * n + 6.5025) / (m**2 + n**2 + 6.5025)
            result.append(light * (2 * cov + 58.5225) / (vp + vq + 58.5225))
    return float(torch.stack(result).mean())


@pytest.mark.parametrize(("height", "width", "size"), [(17, 14, 11), (11, 12, 11), (10, 13, 9), (9, 6, 5), (1, 4, 1)])
def test_ssim_is_the_mean_over_all_windows_inside(height: int, width: int, size: int) -> None:
    x = picture(1, 2, height, width)
    y = 0.6 * x + 0.4 * picture(1, 2, height, width, seed=1)
    wanted = sum(plain_ssim(x[0, c], y[0, c], size) for c in (0, 1)) / 2
    assert float(ssim(x, y)) == pytest.approx(wanted, rel=1e-4)


def test_ssim_in_bands_is_ssim_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = picture(2, 3, 41, 18), picture(2, 3, 41, 18, seed=1)
    expected = ssim(x, y)
    for rows in (1, 7, 31, 40):
        monkeypatch.setattr(fidelity, "BAND", rows)
        torch.testing.assert_close(ssim(x, y), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_agrees_with_torchmetrics(channels: int) -> None:
    functional = pytest.importorskip("torchmetrics.functional.image.ssim")
    clean = picture(3, channels, 4, 6).repeat_interleave(8, 2).repeat_interleave(8, 3)
    noisy = (clean + 30 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))).clamp(0, 255)
    everywhere = functional._ssim_update(noisy, clean, data_range=255.0, return_full_image=True)[1]
    reference = everywhere[..., 5:-5, 5:-5].mean((1, 2, 3))  # without the windows that hold padding
    torch.testing.assert_close(ssim(noisy, clean), reference, rtol=1e-4, atol=1e-5)
    assert (reference > 0.2).all()
    assert (reference < 0.8).all()
