"""The selector: a seed stays one picture, bad drawings are passed over, and a training ends with it all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import quick
from torch import Tensor, nn

import ganvas
from ganvas.core import checkpoint, seeds
from ganvas.images.data import ImageData, Split
from ganvas.tasks.generate import rejection
from ganvas.tasks.generate.rejection import CANDIDATES, Selector, pick
from ganvas.training.batches import Batches
from ganvas.training.experiment import Experiment

pytestmark = pytest.mark.long

NUMBERS = [0, 1, 5, 77, 78, 79]


class Half(nn.Module):
    """Draws a square like the real images where the first latent is positive, and noise where it is not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        noise = torch.sin(1e3 * z[:, :1, None, None] * torch.arange(64.0).view(1, 1, 8, 8))
        return torch.where(z[:, :1, None, None] > 0, squares(len(z)), noise) * self.weight


def train(experiment: Experiment, folder: Path) -> list[ganvas.Event]:
    return list(experiment.run(folder))


def squares(n: int) -> Tensor:
    x = -torch.ones(n, 1, 8, 8)
    x[:, :, 2:6, 2:6] = 1
    return x


@pytest.fixture
def selector() -> Selector:
    torch.manual_seed(0)
    return Selector(1, 8).eval()


def kept(selector: Selector, shift: float, numbers: list[int] = NUMBERS) -> Tensor:
    selector.shift.fill_(shift)
    with torch.no_grad():
        return pick(Half(), selector, numbers, 4, None)


def test_a_selector_that_lets_all_pass_changes_nothing(selector: Selector) -> None:
    assert torch.equal(kept(selector, -1e4), Half()(seeds.latents(NUMBERS, 4)).detach())


def test_where_none_passes_the_first_is_taken(selector: Selector) -> None:
    assert torch.equal(kept(selector, 1e4), Half()(seeds.latents(NUMBERS, 4)).detach())


def test_the_first_candidate_that_passes_is_taken(selector: Selector) -> None:
    with torch.no_grad():
        drawn = [Half()(rejection.candidates(NUMBERS, 4, c)) for c in range(CANDIDATES)]
        logits = torch.stack([selector(d) for d in drawn])
    middle = float(logits.median())
    luck = torch.stack([torch.rand(CANDIDATES, generator=seeds.generator(n, "luck")) for n in NUMBERS])
    passes = torch.sigmoid(logits - middle) > luck.T
    pictures = kept(selector, middle)
    for i in range(len(NUMBERS)):
        first = next((c for c in range(CANDIDATES) if passes[c, i]), 0)
        assert torch.allclose(pictures[i], drawn[first][i], atol=1e-5)


def test_a_seed_is_one_picture_whatever_is_drawn_with_it(selector: Selector) -> None:
    with torch.no_grad():
        middle = float(selector(Half()(seeds.latents(range(100), 4))).median())
    together = kept(selector, middle)
    alone = torch.cat([kept(selector, middle, [number]) for number in NUMBERS])
    assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.equal(together, Half()(seeds.latents(NUMBERS, 4)).detach())


def test_candidates_of_a_seed_differ_and_the_first_is_the_seed_itself() -> None:
    first, second = seeds.latents([3], 4), seeds.latents([3], 4, 1)
    assert torch.equal(first, seeds.latents([3], 4, 0))
    assert not torch.equal(first, second)
    assert not torch.equal(second, seeds.latents([3], 4, 2))
    many = range(2_000)
    pairs = torch.stack([rejection.candidates(many, 1, c).flatten() for c in (0, 1)])
    assert torch.equal(pairs[0], seeds.latents(many, 1).flatten())
    assert float(torch.corrcoef(pairs)[0, 1]) == pytest.approx(rejection.NEARNESS, abs=0.03)
    assert float(pairs[1].std()) == pytest.approx(1, abs=0.06)


def test_samples_that_look_generated_are_rejected() -> None:
    real = ((squares(400) + 1) * 127.5).to(torch.uint8)
    data = ImageData("squares", Split(real, None), Split(real[:50], None), (), "f")
    batches = Batches(data, 32, 0, torch.device("cpu"))
    torch.manual_seed(0)
    selector = Selector(1, 8)
    losses = [float(loss) for loss in rejection.learn(selector, Half(), batches, 4, 6_400)]
    assert len(losses) == 200
    assert not selector.training
    assert torch.isfinite(selector.shift)
    numbers = list(range(300))
    plain = Half()(seeds.latents(numbers, 4)).detach()
    with torch.no_grad():
        chosen = pick(Half(), selector, numbers, 4, None)
    bad = [float((x != squares(300)).flatten(1).any(1).float().mean()) for x in (plain, chosen)]
    assert 0.4 < bad[0] < 0.6
    assert bad[1] < 0.75 * bad[0]  # candidates lie near their seed: some seeds are bad throughout


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 28), (3, 32), (4, 64)])
def test_a_selector_takes_every_size(channels: int, size: int) -> None:
    assert Selector(channels, size).eval()(torch.zeros(2, channels, size, size)).shape == (2,)


def tensors(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "model.safetensors")[0]


def is_told(event: ganvas.Event) -> bool:
    """Whether it is a note, but that on the head that suits these pictures."""
    return isinstance(event, ganvas.Noted) and "head=clamp" not in event.text


def test_a_training_ends_with_a_selector_even_if_that_was_interrupted(blobs: Path, tmp_path: Path) -> None:
    settings = {"select": "160"}
    whole = train(quick("mnist", blobs, steps=3).override(settings), tmp_path / "whole")
    assert sum(map(is_told, whole)) == 2
    events: Iterator[ganvas.Event] = quick("mnist", blobs, steps=3).override(settings).run(tmp_path / "cut")
    for event in events:
        if is_told(event):
            break
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not any(name.startswith("selector.") for name in tensors(tmp_path / "cut"))
    train(quick("mnist", blobs, steps=3).override(settings), tmp_path / "cut")
    a, b = tensors(tmp_path / "whole"), tensors(tmp_path / "cut")
    assert any(name.startswith("selector.") for name in a)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    events = quick("mnist", blobs, steps=3).override(settings).run(tmp_path / "last word")
    for event in events:
        if isinstance(event, ganvas.Noted) and "has learned" in event.text:
            break
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert tensors(tmp_path / "last word").keys() == a.keys()
    again = train(quick("mnist", blobs, steps=3).override(settings), tmp_path / "cut")
    assert [type(e) for e in again] == [ganvas.Started]


def test_a_model_with_a_selector_draws_with_it(blobs: Path, tmp_path: Path) -> None:
    train(quick("mnist", blobs, steps=3).override({"select": "160"}), tmp_path / "run")
    model = ganvas.load(tmp_path / "run")
    assert model.selector is not None
    with torch.inference_mode():
        expected = pick(model.generator, model.selector, range(4), model.latent_dim, model.labels(None, 4))
    assert torch.allclose(model.sample(4), expected, atol=1e-5)
    plain = model.generator(seeds.latents(range(40), model.latent_dim), model.labels(None, 40)).detach()
    assert not torch.allclose(model.sample(40), plain, atol=1e-3)
