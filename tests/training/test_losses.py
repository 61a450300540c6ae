"""Losses and penalties against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganvas.training import losses
from ganvas.training.losses import LOSSES

REAL, FAKE = [2.0, -1.0, 0.5], [-0.5, 1.5, 0.25]
PAIRWISE = {"wasserstein", "relativistic"}


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def log_sigmoid(x: float) -> float:
    return math.log(1 / (1 + math.exp(-x)))


def logistic() -> float:
    return -mean([log_sigmoid(r) for r in REAL]) - mean([math.log(1 - 1 / (1 + math.exp(-f))) for f in FAKE])


BY_HAND: dict[str, tuple[float, float]] = {
    "nonsaturating": (logistic(), -mean([log_sigmoid(f) for f in FAKE])),
    "minimax": (logistic(), mean([math.log(1 - 1 / (1 + math.exp(-f))) for f in FAKE])),
    # max(0, 1 - r): 0, 2, 0.5; max(0, 1 + f): 0.5, 2.5, 1.25
    "hinge": (2.5 / 3 + 4.25 / 3, -1.25 / 3),
    # (r - 1)^2: 1, 4, 0.25; f^2: 0.25, 2.25, 0.0625; (f - 1)^2: 2.25, 0.25, 0.5625
    "least-squares": (5.25 / 6 + 2.5625 / 6, 3.0625 / 6),
    "wasserstein": (1.25 / 3 - 1.5 / 3, -1.25 / 3),
    "relativistic": (
        mean([math.log(1 + math.exp(f - r)) for r, f in zip(REAL, FAKE, strict=True)]),
        mean([math.log(1 + math.exp(r - f)) for r, f in zip(REAL, FAKE, strict=True)]),
    ),
}


def logits() -> tuple[Tensor, Tensor]:
    return torch.tensor(REAL, requires_grad=True), torch.tensor(FAKE, requires_grad=True)


def test_every_loss_is_worked_out_here() -> None:
    assert set(BY_HAND) == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_values(name: str) -> None:
    real, fake = logits()
    objective = LOSSES[name]
    assert objective.d_loss(real, fake).item() == pytest.approx(BY_HAND[name][0], abs=1e-6)
    assert objective.g_loss(real, fake).item() == pytest.approx(BY_HAND[name][1], abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_each_network_pulls_the_right_way(name: str) -> None:
    """A step against the gradient: D lifts real logits and lowers fakes, G lifts fakes."""
    real, fake = (torch.tensor(x, requires_grad=True) for x in ([0.5, -0.25], [0.25, 0.5]))
    d_real, d_fake = torch.autograd.grad(LOSSES[name].d_loss(real, fake), (real, fake))
    assert (d_real < 0).all()
    assert (d_fake > 0).all()
    (g_fake,) = torch.autograd.grad(LOSSES[name].g_loss(real, fake), fake)
    assert (g_fake < 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_expert_pays_less_than_a_fooled_one(name: str) -> None:
    high, low = torch.full((4,), 1.0), torch.full((4,), 0.0)
    objective = LOSSES[name]
    assert objective.d_loss(high, low) < objective.d_loss(low, high)
    assert objective.g_loss(low, high) < objective.g_loss(high, low)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_large_logits_stay_finite(name: str, size: float) -> None:
    real, fake = torch.full((3,), size, requires_grad=True), torch.full((3,), -size, requires_grad=True)
    for loss in (LOSSES[name].d_loss, LOSSES[name].g_loss):
        value = loss(real, fake)
        assert torch.isfinite(value)
        gradients = torch.autograd.grad(value, (real, fake), allow_unused=True)
        assert all(bool(torch.isfinite(g).all()) for g in gradients if g is not None)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(3,), (3, 1, 2, 2)])
def test_logits_of_a_patch_discriminator(name: str, shape: tuple[int, ...]) -> None:
    """A scalar for either shape, and the same one where all the patches of an image say the same."""
    real, fake = (torch.tensor(x).view(3, *[1] * (len(shape) - 1)).expand(shape) for x in (REAL, FAKE))
    objective = LOSSES[name]
    for value, expected in zip(
        (objective.d_loss(real, fake), objective.g_loss(real, fake)), BY_HAND[name], strict=True
    ):
        assert value.shape == ()
        assert value.item() == pytest.approx(expected, abs=1e-6)
    for share in losses.accuracy(objective, real, fake):
        assert share.shape == ()
        assert 0 <= share.item() <= 1


# -------------------- penalties

W = torch.tensor([[1.0, -2.0], [0.5, 0.0]])  # |w|^2 = 1 + 4 + 0.25 = 5.25


def linear(images: Tensor) -> Tensor:
    return (images * W).sum((1, 2, 3)) + 7


def squares(images: Tensor) -> Tensor:
    return images.square().sum((1, 2, 3))


def test_squared_gradient_of_a_linear_discriminator() -> None:
    images = torch.randn(5, 1, 2, 2).requires_grad_(True)
    assert losses.squared_gradient(linear(images), images).item() == 5.25


def test_squared_gradient_is_a_mean_over_images() -> None:
    """The gradient of |x|^2 is 2x: 4 |x|^2 an image."""
    images = torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]).view(2, 1, 2, 2).requires_grad_(True)
    assert losses.squared_gradient(squares(images), images).item() == (4 * 1 + 4 * 3) / 2


def test_squared_gradient_of_patches_adds_their_gradients() -> None:
    images = torch.randn(3, 1, 2, 2).requires_grad_(True)
    assert losses.squared_gradient(3 * images, images).item() == 4 * 9


def test_squared_gradient_reaches_the_weights() -> None:
    """R1 of w x is w^2 a pixel: its gradient is 2w a pixel."""
    weight = torch.tensor(3.0, requires_grad=True)
    images = torch.randn(2, 1, 2, 2).requires_grad_(True)
    losses.squared_gradient((weight * images).sum((1, 2, 3)), images).backward()
    assert weight.grad is not None
    assert weight.grad.item() == 4 * 2 * 3


def random_points(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(6, 1, 2, 2, generator=random), torch.randn(6, 1, 2, 2, generator=random)
    return real, fake, torch.rand(6, 1, 1, 1, generator=random)


def test_gradient_penalty_of_a_linear_discriminator() -> None:
    assert losses.gradient_penalty(linear, *random_points(0)).item() == pytest.approx(
        (math.sqrt(5.25) - 1) ** 2, rel=1e-5
    )


@pytest.mark.parametrize(("mix", "norm"), [(0.0, 6.0), (1.0, 2.0), (0.5, 4.0)])
def test_gradient_penalty_looks_between_real_and_fake(mix: float, norm: float) -> None:
    """|x|^2 has gradient 2|x|: real images of norm 1, fakes of norm 3 (mix 1 is the real image)."""
    real, fake = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    real[:, 0, 0, 0], fake[:, 0, 0, 0] = 1.0, 3.0
    found = losses.gradient_penalty(squares, real, fake, torch.full((2, 1, 1, 1), mix)).item()
    assert found == pytest.approx((norm - 1) ** 2, rel=1e-5)


def test_gradient_penalty_is_finite_where_the_gradient_vanishes() -> None:
    weight = torch.zeros((), requires_grad=True)
    value = losses.gradient_penalty(lambda x: (weight * x).sum((1, 2, 3)), *random_points(1))
    value.backward()
    assert value.item() == pytest.approx(1, abs=1e-4)
    assert weight.grad is not None
    assert torch.isfinite(weight.grad)


def test_gradient_penalty_leaves_the_generator_alone() -> None:
    real, fake, mix = random_points(2)
    fake.requires_grad_(True)
    weight = torch.ones((), requires_grad=True)
    losses.gradient_penalty(lambda x: weight * squares(x), real, fake, mix).backward()
    assert fake.grad is None
    assert weight.grad is not None


# -------------------- accuracy


@pytest.mark.parametrize("name", ["nonsaturating", "minimax", "hinge"])
def test_accuracy_at_zero(name: str) -> None:
    real, fake = torch.tensor([0.1, 3.0, -0.1, 2.0]), torch.tensor([-0.1, 0.1, -2.0, -3.0])
    assert [a.item() for a in losses.accuracy(LOSSES[name], real, fake)] == [0.75, 0.75]


def test_accuracy_of_least_squares_is_at_a_half() -> None:
    real, fake = torch.tensor([0.6, 0.4, 1.2, 0.1]), torch.tensor([0.4, 0.6, -1.0, 0.2])
    assert [a.item() for a in losses.accuracy(LOSSES["least-squares"], real, fake)] == [0.5, 0.75]


@pytest.mark.parametrize("name", sorted(PAIRWISE))
@pytest.mark.parametrize("shift", [-50.0, 0.0, 50.0])
def test_accuracy_of_pairs_has_no_zero_point(name: str, shift: float) -> None:
    real, fake = torch.tensor([3.0, 1.0, 0.0, 2.0]) + shift, torch.tensor([2.0, 2.0, -1.0, 1.0]) + shift
    assert [a.item() for a in losses.accuracy(LOSSES[name], real, fake)] == [0.75, 0.75]


def test_which_losses_judge_pairs() -> None:
    assert {name for name, objective in LOSSES.items() if objective.threshold is None} == PAIRWISE


@pytest.mark.parametrize("name", sorted(PAIRWISE))
def test_pairwise_losses_see_only_differences(name: str) -> None:
    real, fake = logits()

    def same_when_shifted(loss: Callable[[Tensor, Tensor], Tensor]) -> bool:
        return loss(real, fake).item() == pytest.approx(loss(real + 5, fake + 5).item(), abs=1e-5)

    assert same_when_shifted(LOSSES[name].d_loss)
    assert same_when_shifted(LOSSES[name].g_loss) == (name == "relativistic")  # the critic's own G loss is -D(G(z))


def test_even_charbonnier_lets_plain_pictures_count_like_busy_ones() -> None:
    """Its gradient is that of each picture's own mean over that mean, but for pictures better than `even`."""
    true = torch.zeros(3, 1, 4, 4)
    made = torch.tensor([0.5, 0.05, 0.00001])[:, None, None, None].expand(3, 1, 4, 4).clone().requires_grad_(True)
    loss = losses.charbonnier(made, true, 1e-6, 0.01)
    (gradient,) = torch.autograd.grad(loss, made)
    pull = gradient.flatten(1).sum(1)
    weights = torch.tensor([1 / 0.51, 1 / 0.06, 1 / 0.01001])
    torch.testing.assert_close(pull, weights / weights.sum(), rtol=1e-2, atol=0)
    torch.testing.assert_close(losses.charbonnier(made, true, 1e-6, 1e6), losses.charbonnier(made, true, 1e-6))


# -------------------- images of any rank


def weighted(points: Tensor) -> Tensor:
    """D(x) = sum of i * x_i, i = 1, 2, ...: the same gradient everywhere."""
    flat = points.reshape(len(points), -1)
    return flat @ torch.arange(1.0, flat.shape[1] + 1)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 2), (3, 1, 2, 2), (3, 1, 2, 2, 1)])
@pytest.mark.parametrize("mix", [(3,), (3, 1), (3, 1, 1, 1)])
def test_gradient_penalty_of_any_rank(shape: tuple[int, ...], mix: tuple[int, ...]) -> None:
    """By hand: the gradient is (1, 2, 3, 4), of norm sqrt(30); of a single number 1, where nothing is to be paid."""
    wanted = (math.sqrt(30) - 1) ** 2 if len(shape) > 1 else 0.0
    found = losses.gradient_penalty(weighted, torch.zeros(shape), torch.ones(shape), torch.rand(mix))
    assert found.item() == pytest.approx(wanted, abs=1e-5)


def test_gradient_penalty_of_rank_2_mixes_row_by_row() -> None:
    """D(x) = |x|^2 / 2, whose gradient is the point itself: row 0 at (0.5, 1), row 1 at (3, 0)."""
    real, fake = torch.tensor([[2.0, 4.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [9.0, 9.0]])
    found = losses.gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake, torch.tensor([0.25, 1.0]))
    assert found.item() == pytest.approx(((math.sqrt(1.25) - 1) ** 2 + 4) / 2, abs=1e-5)


def test_gradient_penalty_of_images_is_as_it_was() -> None:
    """Bit for bit, with the formula written out for rank 4."""
    torch.manual_seed(0)
    real, fake, mix = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4), torch.rand(5, 1, 1, 1)
    points = (fake + mix * (real - fake)).requires_grad_(True)
    (gradient,) = torch.autograd.grad((points**3).sum(), points)
    norm = gradient.square().sum((1, 2, 3)).add(1e-12).sqrt()
    found = losses.gradient_penalty(lambda x: (x**3).sum((1, 2, 3)), real, fake, mix)
    assert found.item() == pytest.approx((norm - 1).square().mean().item(), rel=1e-5)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 1, 3, 1)])
def test_squared_gradient_and_charbonnier_of_any_rank(shape: tuple[int, ...]) -> None:
    """The gradient of the sum of 2 x is 2 everywhere; differences of 3 and 4 give roots of 9 + 1 and 16 + 1."""
    x, many = torch.zeros(shape, requires_grad=True), math.prod(shape[1:])
    assert losses.squared_gradient((2 * x).reshape(2, -1).sum(1), x).item() == 4 * many
    made = torch.tensor([3.0, 4.0]).view(2, *[1] * (len(shape) - 1)).expand(shape)
    wanted = (math.sqrt(10) + math.sqrt(17)) / 2
    assert losses.charbonnier(made, torch.zeros(shape), 1.0).item() == pytest.approx(wanted, abs=1e-6)


def test_unlike_shapes_are_not_spread_over_one_another() -> None:
    """[3] beside [3, 1] would silently be nine pairs."""
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)[:, None]
    relativistic = LOSSES["relativistic"]
    for function in (relativistic.d_loss, relativistic.g_loss, lambda a, b: losses.accuracy(relativistic, a, b)):
        with pytest.raises(ValueError, match="unlike"):
            function(real, fake)
    with pytest.raises(ValueError, match="unlike"):
        losses.gradient_penalty(weighted, real, fake, torch.rand(3))
    with pytest.raises(ValueError, match="2 numbers for 3"):
        losses.gradient_penalty(weighted, real, real, torch.rand(2))
    with pytest.raises(ValueError, match="unlike"):
        losses.charbonnier(real, fake, 1.0)


@pytest.mark.parametrize("name", LOSSES)
def test_guess_is_the_lowest_loss_of_a_discriminator_that_cannot_tell(name: str) -> None:
    """It gives real and generated samples the same logit, whichever is best."""
    lowest = min(LOSSES[name].d_loss(x, x).item() for x in torch.linspace(-4, 4, 161)[:, None])
    assert lowest == pytest.approx(LOSSES[name].guess or 0, abs=1e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_probability_is_where_the_loss_is_minus_its_logarithm(name: str) -> None:
    """-log sigmoid of real logits: only then is sigmoid(logit) a probability, and the score."""
    real, fake = logits()
    objective = LOSSES[name]
    assert objective.probability == (objective.d_loss(real, fake).item() == pytest.approx(logistic(), abs=1e-6))
    wanted = torch.sigmoid(real).mean() if objective.probability else real.mean()
    assert losses.score(objective, real).item() == wanted.item()
    assert objective.pairs == (name in PAIRWISE)
