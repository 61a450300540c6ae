"""The benchmarks measure what they say: the judge's distance, the counted multiply-adds, the baseline's networks."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganvas.api import RECIPES
from ganvas.images.data import ImageData, Split
from ganvas.images.spec import ImageSpec
from ganvas.networks import classic_mlp
from ganvas.training.batches import Batches
from ganvas.training.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))  # programs, not a package
gpu, judge, plain_mlp, quality, scaling, speed = (
    importlib.import_module(name) for name in ("gpu", "judge", "plain_mlp", "quality", "scaling", "speed")
)


def gaussian(mean: list[float], root: list[list[float]], seed: int, n: int = 500) -> Tensor:
    """n rows whose mean is exactly `mean` and whose covariance (of n - 1) is exactly root^T root."""
    x = torch.randn(n, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = x - x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T
    return white @ torch.tensor(root, dtype=torch.float64) + torch.tensor(mean, dtype=torch.float64)


def test_frechet_of_two_gaussians_on_one_axis_is_known() -> None:
    a, b = gaussian([1.0], [[2.0]], 0, 500), gaussian([4.0], [[0.5]], 1, 300)
    assert judge.frechet(a, b) == pytest.approx(3.0**2 + 1.5**2, rel=1e-9)


def test_frechet_of_covariances_that_do_not_commute_is_known() -> None:
    root_a, root_b = [[2.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [-1.5, 0.5]]
    a, b = gaussian([0.0, 0.0], root_a, 0), gaussian([1.0, -2.0], root_b, 1)
    cov_a, cov_b = (torch.tensor(r, dtype=torch.float64) for r in (root_a, root_b))
    cov_a, cov_b = cov_a.T @ cov_a, cov_b.T @ cov_b
    assert not torch.allclose(cov_a @ cov_b, cov_b @ cov_a)
    product = cov_a @ cov_b  # of 2 x 2: trace of the square root = sqrt(trace + 2 sqrt(determinant))
    mixed = (product.trace() + 2 * product.det().sqrt()).sqrt()
    expected = 1 + 4 + cov_a.trace() + cov_b.trace() - 2 * mixed
    assert judge.frechet(a, b) == pytest.approx(float(expected), rel=1e-9)
    assert judge.frechet(b, a) == pytest.approx(float(expected), rel=1e-9)


def test_frechet_of_features_that_never_vary_is_the_distance_of_means() -> None:
    a, b = torch.zeros(5, 3), torch.ones(7, 3)
    assert judge.frechet(a, b) == pytest.approx(3.0)
    assert judge.frechet(a, a) == pytest.approx(0.0, abs=1e-12)


def test_the_judge_distorts_without_leaving_the_range_and_has_the_features_it_says() -> None:
    images = torch.rand(4, 1, 28, 28) * 2 - 1
    moved = judge.distort(images)
    assert moved.shape == images.shape
    assert float(moved.min()) >= -1.001
    assert float(moved.max()) <= 1.001
    assert not torch.equal(moved, images)
    features, logits = judge.Classifier().eval()(images)
    assert features.shape == (4, judge.FEATURES)
    assert logits.shape == (4, 10)


def tiny(recipe: str, **task: float) -> tuple[Trainer, Batches]:
    """A trainer of a recipe with narrow networks on 64 random images of 8 pixels, four a step."""
    base = RECIPES[recipe]()
    network = dataclasses.replace(base.network, latent_dim=5, width=3)
    training = dataclasses.replace(base.training, batch=4, precision="fp32", device="cpu")
    experiment = dataclasses.replace(
        base, network=network, training=training, task=dataclasses.replace(base.task, **task)
    )
    split = Split(torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8), None)
    digits = ImageData("noise", split, split, (), "")
    return Trainer(experiment.build(digits.spec), training), Batches(digits, 4, 0, torch.device("cpu"))


def test_the_counted_multiply_adds_of_a_small_step_are_those_of_paper_and_pencil() -> None:
    trainer, batches = tiny("classic-mlp")
    generator = [5 * 3, 3 * 6, 6 * 12, 12 * 64]  # a layer's weights: its multiply-adds an image
    expert = [64 * 12, 12 * 6, 6 * 3, 3 * 1]
    weights_and_inputs = 2 * sum(expert) - expert[0]  # nobody asks for the gradient of the images
    d_step = sum(generator) + 2 * sum(expert) + 2 * weights_and_inputs  # draw once, judge real and forged, learn
    g_step = sum(expert) + sum(expert) + 2 * sum(generator) - generator[0]  # the frozen expert passes gradients on
    assert speed.multiply_adds(trainer, batches, 3) == 4 * (d_step + g_step)


def test_the_penalty_of_every_other_step_is_counted_by_half() -> None:
    plain, _ = tiny("classic-mlp")
    once, batches = tiny("classic-mlp", r1=1.0, penalty_every=1)
    half, _ = tiny("classic-mlp", r1=1.0, penalty_every=2)
    without, every, other = (speed.multiply_adds(t, batches, 2) for t in (plain, once, half))
    assert every > without
    assert other == (without + every) / 2
    assert speed.period(RECIPES["mnist"]()) == RECIPES["mnist"]().task.penalty_every


def test_the_double_backward_of_a_convolution_is_counted() -> None:
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    images = torch.randn(4, 2, 6, 6, requires_grad=True)
    once = 4 * 36 * 2 * 3 * 9
    with speed.Counter() as counter:
        (gradient,) = torch.autograd.grad(layer(images).square().sum(), images, create_graph=True)
        assert counter.multiply_adds == 2 * once  # forward, and the gradient of the images
        gradient.square().sum().backward()
    # the gradient's own two inputs (weights, incoming gradient), then weights and images of the first pass
    assert counter.multiply_adds == 2 * once + 4 * once
    assert not counter.missed


def test_a_product_without_a_formula_is_noticed() -> None:
    with speed.Counter() as counter:
        torch.dot(torch.ones(3), torch.ones(3))
    assert counter.missed == {"aten.dot"}


def test_the_baseline_has_the_networks_of_classic_mlp() -> None:
    spec, config = ImageSpec(1, 28), classic_mlp.Config()
    pairs = (
        (plain_mlp.Generator(), classic_mlp.Generator(spec, config)),
        (plain_mlp.Discriminator(), classic_mlp.Discriminator(spec, config)),
    )
    for plain, ours in pairs:
        assert [p.shape for p in plain.parameters()] == [p.shape for p in ours.parameters()]
    training = RECIPES["classic-mlp"]().training
    assert (training.batch, config.latent_dim) == (plain_mlp.BATCH, plain_mlp.LATENT)
    assert plain_mlp.Tutorial().optimizer_g.param_groups[0]["betas"] == (training.beta1, training.beta2)


def test_the_baseline_trains_both_networks_and_sees_normalised_images() -> None:
    tutorial = plain_mlp.Tutorial()
    batch, labels = next(iter(tutorial.loader))
    assert batch.shape == (100, 1, 28, 28)
    assert (float(batch.min()), float(batch.max())) == (-1.0, 1.0)
    assert labels.shape == (100,)
    networks = (tutorial.generator, tutorial.discriminator)
    weights = [p for network in networks for p in network.parameters()]
    before = [p.clone() for p in weights]
    tutorial.step(batch)
    assert not any(torch.equal(a, b) for a, b in zip(before, weights, strict=True))


def test_a_result_goes_between_its_markers_and_nowhere_else() -> None:
    page = "a\n<!-- speed:begin -->\nold\n<!-- speed:end -->\nb\n"
    assert speed.put(page, "speed", "new") == "a\n<!-- speed:begin -->\nnew\n<!-- speed:end -->\nb\n"
    with pytest.raises(ValueError, match="quality:begin"):
        speed.put(page, "quality", "new")


def test_the_page_of_the_repository_has_the_markers() -> None:
    page = speed.PAGE.read_text()
    for name in ("speed", "quality"):
        assert speed.put(page, name, "x") != page


def row(recipe: str, images: int, distance: float, length: int = 100_000, seed: int = 0) -> dict[str, object]:
    return {"recipe": recipe, "length": length, "seed": seed, "images": images, "seconds": images / 500.0} | {
        "frechet": distance, "floor": 0.1, "matrix_rate": [130, 120]
    }  # fmt: skip


def test_the_table_says_when_a_recipe_was_as_good_as_the_classic_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "ROWS", tmp_path / "rows.jsonl")
    quality.keep([row("classic-mlp", 60_000, 9.0, 6_000_000), row("classic-mlp", 6_000_000, 5.0, 6_000_000)])
    quality.keep([row("mnist", 10_000, 8.0), row("mnist", 20_000, 4.0), row("mnist", 100_000, 0.2)])
    quality.keep([row("mnist", 10_000, 6.0, seed=1), row("mnist", 100_000, 0.4, seed=1)])
    table = quality.table()
    lines = [line for line in table.splitlines() if line.startswith("| mnist")]
    assert "40 s (20,000 images)" in lines[0]
    assert "| 2.00 |" in lines[0]
    assert "200 s (100,000 images)" in lines[1]
    assert "FD 0.300 ± 0.141 (n = 2)" in table
    assert "<svg" in quality.plot()


def test_a_curve_that_is_measured_anew_replaces_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "ROWS", tmp_path / "rows.jsonl")
    quality.keep([row("mnist", 10_000, 8.0)])
    quality.keep([row("mnist", 10_000, 7.0)])
    assert [r["frechet"] for r in quality.curves()["mnist", 100_000, 0]] == [7.0]
    assert quality.reached(quality.curves()["mnist", 100_000, 0], 6.0) is None


def test_the_time_of_a_ring_is_that_of_its_hops() -> None:
    assert scaling.ring(4_000, 1, 1e6, 1e-3) == 0
    assert scaling.ring(4_000, 4, 1e6, 1e-3) == pytest.approx(6 * (1e-3 + 1e-3))  # 6 hops of 1,000 bytes
    model = scaling.Model(0.1, (1_000, 2_000))
    assert model.step(1, (1e6, 0.0)) == 0.1
    assert model.step(2, (1e6, 0.0)) == pytest.approx(0.1 + 12_000 / 1e6)  # each rank sends its gradients' bytes twice


def test_the_picture_of_scaling_is_whole() -> None:
    picture = scaling.plot(scaling.Model(0.05, (1_000, 2_000)), 32, [(1, 640.0), (2, 1_200.0)], "mnist")
    assert picture.count("<circle") == 3
    assert picture.count("<polyline") == 1 + 2 * len(scaling.LINKS)


def test_the_run_on_a_gpu_compares_losses_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(gpu.correctness("cpu", tmp_path, ["classic-mlp"]))
    assert lines[-1] == ("| classic-mlp | 0.0e+00 | 0 |", True)
    monkeypatch.setattr(gpu, "apart", lambda *rows: 0.5)
    assert list(gpu.correctness("cpu", tmp_path, ["classic-mlp"]))[-1] == (
        "| classic-mlp | 5.0e-01 **wrong** | 0 |",
        False,
    )


def test_losses_that_are_apart() -> None:
    rows = [{"loss_d": 4.0, "d_real": 9.0}, {"loss_d": 0.5, "d_real": 1.0}]
    assert gpu.apart(rows, rows) == 0
    assert gpu.apart(rows, [{"loss_d": 5.0, "d_real": 0.0}, {"loss_d": 0.6, "d_real": 0.0}]) == pytest.approx(0.25)


def test_a_part_that_fails_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: object, **more: object) -> object:
        raise RuntimeError("CUDA error")

    for part in ("correctness", "two_processes", "throughput"):
        monkeypatch.setattr(gpu, part, fails)
    monkeypatch.setattr(gpu, "resume", lambda *arguments: iter([("It resumes.", True)]))
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--quick", "--out", str(tmp_path / "gpu.md")])
    assert gpu.main() == 1
    said = (tmp_path / "gpu.md").read_text()
    assert said == capsys.readouterr().out
    assert said.count("**Failed**: RuntimeError: CUDA error") == 4
    assert "It resumes." in said
    assert "**Something is wrong**" in said
