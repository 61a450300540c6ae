"""Precision, recall, density and coverage by hand and by plain loops; nearest rows; the copy check."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.metrics import copies, neighbours
from ganvas.metrics.neighbours import Neighbourhood
from ganvas.tasks.generate import copies as pixels


def look(real: Tensor, other: Tensor) -> Neighbourhood:
    return neighbours.neighbourhood(real, other, neighbours.radii(real), neighbours.radii(other)[0])


def line(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).unsqueeze(1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loops(real: Tensor, other: Tensor, small: int = 3, wide: int = 5) -> Neighbourhood:
    """The papers' formulas, one pair of points at a time."""

    def away(a: list[float], b: list[float]) -> float:
        return math.dist(a, b)

    def radius(points: list[list[float]], i: int, k: int) -> float:
        return sorted(away(points[i], p) for j, p in enumerate(points) if j != i)[k - 1]

    r, o = real.tolist(), other.tolist()
    small_r, wide_r = [radius(r, i, small) for i in range(len(r))], [radius(r, i, wide) for i in range(len(r))]
    small_o = [radius(o, j, small) for j in range(len(o))]
    precise = sum(any(away(p, q) <= small_r[i] for i, p in enumerate(r)) for q in o)
    recalled = sum(any(away(p, q) <= small_o[j] for j, q in enumerate(o)) for p in r)
    hits = sum(away(p, q) <= wide_r[i] for i, p in enumerate(r) for q in o)
    covered = sum(min(away(p, q) for q in o) <= wide_r[i] for i, p in enumerate(r))
    return Neighbourhood(precise / len(o), recalled / len(r), hits / (wide * len(o)), covered / len(r))


def same(found: Neighbourhood, wanted: Neighbourhood) -> None:
    assert vars(found) == pytest.approx(vars(wanted))


def test_radii_on_a_line() -> None:
    small, wide = neighbours.radii(line(0, 1, 2, 3, 4, 5))
    assert small.sqrt().tolist() == pytest.approx([3, 2, 2, 2, 2, 3])
    assert wide.sqrt().tolist() == pytest.approx([5, 4, 3, 3, 4, 5])


def test_half_of_the_line_is_recalled() -> None:
    # the two outliers' balls reach down to 2.7, so 3, 4 and 5 are recalled; the four at 2.5 ... 2.8 have balls of 0.3
    found = look(line(0, 1, 2, 3, 4, 5), line(2.5, 2.6, 2.7, 2.8, 100, 101))
    same(found, Neighbourhood(precision=4 / 6, recall=3 / 6, density=4 * 6 / (5 * 6), coverage=1.0))


def test_one_ball_is_hit() -> None:
    # -4 lies in 0's wide ball (5), not in its small one (3), nor in any other
    found = look(line(0, 1, 2, 3, 4, 5), line(-4, -130, -131, -132, -133, -134))
    assert found.precision == 0
    assert found.density == pytest.approx(1 / 30)
    assert found.coverage == pytest.approx(1 / 6)


def test_in_the_plane() -> None:
    square = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5], [9, 9], [9, 10]])
    same(look(square, square + 0.25), loops(square, square + 0.25))


@pytest.mark.parametrize("portion", [8, 1_000])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.7, 0.6), (1.5, 1.0), (0.0, 3.0)])
def test_random_sets_as_the_loops_say(
    shift: float, scale: float, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "PORTION", portion)
    real, other = random(31, 3), random(23, 3, seed=1) * scale + shift
    same(look(real, other), loops(real, other))
    same(look(other, real), loops(other, real))


def test_a_set_and_itself() -> None:
    x = random(60, 4)
    found = look(x, x)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    same(found, loops(x, x))
    assert found.density == pytest.approx((5 + 1) / 5)  # five neighbours and the point itself in each ball


def test_sets_that_are_far_apart() -> None:
    found = look(random(30, 4), random(30, 4, seed=1) + 100)
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_squared_distances_are_never_negative() -> None:
    x = 1000 + random(40, 6)
    assert neighbours.squared(x, x).min() >= 0
    a, b = random(7, 3).double(), random(9, 3, seed=1).double()
    assert torch.allclose(neighbours.squared(a, b), torch.cdist(a, b).square())


@pytest.mark.parametrize("portion", [8, 1_000])
def test_nearest_rows(portion: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PORTION", portion)
    x, y = random(25, 5), random(40, 5, seed=1)
    distance, index = neighbours.nearest(x, y)
    wanted = [min((math.dist(a, b), j) for j, b in enumerate(y.tolist())) for a in x.tolist()]
    assert distance.tolist() == pytest.approx([d for d, _ in wanted], rel=1e-4)
    assert index.tolist() == [j for _, j in wanted]


def test_the_distance_of_a_copy_is_0_and_not_rounding() -> None:
    x = random(30, 20) + 500
    distance, index = neighbours.nearest(x[:10], x)
    assert distance.tolist() == [0.0] * 10
    assert index.tolist() == list(range(10))


def test_cosine_distances_by_hand() -> None:
    y = torch.tensor([[2.0, 0], [0, 5]])
    x = torch.tensor([[7.0, 0], [1, 1], [-1, 0], [3, 4]])
    root = math.sqrt(0.5)
    assert neighbours.cosine_to_nearest(x, y).tolist() == pytest.approx([0, 1 - root, 1, 1 - 0.8], abs=1e-6)


def test_one_product_serves_both() -> None:
    x, y = random(40, 6), random(70, 6, seed=1)
    y[5], x[3] = 2 * x[7], 0  # a row of which only the length differs; one without a direction
    distance, index, cosine = neighbours.nearest_both(x, y)
    wanted = neighbours.nearest(x, y)
    assert torch.equal(distance, wanted[0])
    assert torch.equal(index, wanted[1])
    assert torch.allclose(cosine, neighbours.cosine_to_nearest(x, y), atol=1e-6)
    assert cosine[7] == pytest.approx(0, abs=1e-6)


# copies


def pictures(*values: int, side: int = 28) -> Tensor:
    return torch.stack([torch.full((1, side, side), v, dtype=torch.uint8) for v in values])


def test_distance_of_pixels_is_euclidean_in_0_to_1() -> None:
    found = pixels.in_pixels(pictures(0, 100, 255), pictures(90, 250))
    assert found.index.tolist() == [0, 0, 1]
    assert found.distance.tolist() == pytest.approx([28 * 90 / 255, 28 * 10 / 255, 28 * 5 / 255], rel=1e-4)


def test_larger_pictures_are_compared_at_28_pixels() -> None:
    board = torch.zeros(1, 1, 56, 56, dtype=torch.uint8)
    board[..., ::2, ::2] = 200  # its mean over 2x2 is 50 all over
    assert pixels.flat(board).tolist() == pixels.flat(pictures(50)).tolist()
    assert pixels.flat(pictures(50, side=12)).shape == (1, 144)


def test_the_limit_lets_one_in_a_hundred_held_out_images_pass() -> None:
    held_out = copies.Nearest(torch.arange(1.0, 1002.0), torch.zeros(1001, dtype=torch.long))
    assert copies.limit(held_out) == pytest.approx(11)
    assert held_out.share_below(copies.limit(held_out)) == pytest.approx(11 / 1001)
    assert held_out.share_below(0.5) == 0
    assert held_out.share_below(1001) == 1


def test_pairs_begin_with_the_nearest() -> None:
    images, seen = pictures(0, 100, 200, side=4), pictures(95, 199, 30, side=4)
    found = pixels.in_pixels(images, seen)
    sheet = pixels.worst_pairs(images, found, seen, count=2)
    assert sheet[:, 0, 0, 0].tolist() == [200, 199, 100, 95]
    assert len(pixels.worst_pairs(images, found, seen)) == 6


def test_pairs_take_the_nearest_of_each_class_first() -> None:
    images, seen = pictures(10, 20, 30, 200, side=4), pictures(11, 22, 33, 150, side=4)
    found = pixels.in_pixels(images, seen)
    sheet = pixels.worst_pairs(images, found, seen, torch.tensor([0, 0, 0, 1]))
    assert sheet[::2, 0, 0, 0].tolist() == [10, 200, 20, 30]


def test_replayed_training_images_are_copies_and_new_ones_are_not() -> None:
    seen, held_out, fresh = (random(n, 64, seed=n) for n in (400, 300, 200))
    limit = copies.limit(copies.nearest(held_out, seen))
    assert copies.nearest(seen[:100], seen).share_below(limit) == 1
    assert copies.nearest(seen[:100] + 0.01 * random(100, 64), seen).share_below(limit) == 1
    assert copies.nearest(fresh, seen).share_below(limit) < 0.05
