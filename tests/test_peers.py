"""The peers are those of their papers, and the tables beside them and the referee's figures are right."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.images.data import ImageData, Split
from ganvas.training.events import Started, Stepped

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))  # programs, not a package
classifier, nets, peer_training, peers = (
    importlib.import_module(name) for name in ("classifier", "peer_networks", "peer_training", "peers")
)


def size(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def pictures(count: int = 40, pixels: int = 16, seed: int = 0) -> ImageData:
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, pixels, pixels), dtype=torch.uint8, generator=random)
    split = Split(images, torch.arange(count) % 2)
    return ImageData("noise", split, split, ("a", "b"), "")


@pytest.mark.parametrize(
    ("pair", "latent", "sizes", "shape"),
    [
        (lambda: nets.mlp(), 100, (1_486_352, 1_460_225), (1, 28, 28)),
        (lambda: nets.digits(), 100, (1_164_289, 40_705), (1, 28, 28)),
        (lambda: nets.dcgan(64, 3), 100, (3_576_704, 2_765_568), (3, 64, 64)),
        (lambda: nets.dcgan(32, 3), 100, (1_068_928, 663_296), (3, 32, 32)),
        (lambda: nets.residual(3, 0), 128, (4_276_739, 1_053_825), (3, 32, 32)),
        (lambda: nets.standard(3), 128, (3_813_379, 2_935_873), (3, 32, 32)),
    ],
    ids=["mlp", "digits", "dcgan-64", "dcgan-32", "residual", "standard"],
)
def test_the_networks_have_the_size_of_the_papers(
    pair: Any, latent: int, sizes: tuple[int, int], shape: tuple[int, ...]
) -> None:
    """Counted by hand from the tables: weights, biases and batch norms."""
    generator, discriminator = pair()
    assert (size(generator), size(discriminator)) == sizes
    drawn = generator(torch.randn(2, latent))
    assert drawn.shape == (2, *shape)
    assert float(drawn.detach().abs().max()) <= 1
    assert discriminator(drawn).shape == (2,)


def test_labels_change_what_is_drawn_and_what_is_thought_of_it() -> None:
    torch.manual_seed(0)
    generator, discriminator = nets.ResidualGenerator(3, 2, width=4).eval(), nets.ResidualDiscriminator(3, 2, width=4)
    discriminator.eval()
    nn.init.normal_(generator.blocks[0].norms[0].shift.weight)
    zero, one = torch.zeros(3, dtype=torch.int64), torch.ones(3, dtype=torch.int64)
    z = torch.randn(3, 128)
    drawn = generator(z, zero)
    assert not torch.allclose(drawn, generator(z, one))
    assert not torch.allclose(discriminator(drawn, zero), discriminator(drawn, one))


def test_the_way_around_a_block_is_the_same_before_and_after_the_change_of_size() -> None:
    torch.manual_seed(0)
    grow, shrink, x = nets.Grow(4, 0), nets.Shrink(4, 4, halves=True).eval(), torch.randn(2, 4, 8, 8)
    assert torch.allclose(nets.doubled(grow.around(x)), grow.around(nets.doubled(x)), atol=1e-6)
    pool = nn.AvgPool2d(2)
    assert torch.allclose(shrink.around(pool(x)), pool(shrink.around(x)), atol=1e-6)


def test_the_layers_of_an_sngan_have_a_largest_singular_value_of_one() -> None:
    torch.manual_seed(0)
    _, discriminator = nets.standard(3)
    layer = discriminator.layers[2]
    looks = [layer.weight for _ in range(60)]  # an iteration each, in training
    assert float(torch.linalg.matrix_norm(looks[-1].detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)


TINY = peer_training.Peer("tiny", lambda px, channels, _: nets.dcgan(px, channels, 4, 8), latent=8, batch=4)
LABELLED = dataclasses.replace(
    TINY,
    make=lambda _, channels, k: (nets.ResidualGenerator(channels, k, 4, 8), nets.ResidualDiscriminator(channels, k, 4)),
    **{"d_steps": 3, "hinge": True, "labelled": True, "size": 32, "falls": True},
)


def weights(training: Any) -> Tensor:
    return torch.cat([p.detach().flatten() for p in training.generator.parameters()])


@pytest.mark.parametrize("peer", [TINY, LABELLED])
def test_a_training_continues_where_it_was_interrupted(peer: Any, tmp_path: Path) -> None:
    data = pictures()
    whole = peer_training.Training(peer, data, 0, "fp32")
    begun = weights(whole)
    whole.step()
    peer_training.put(tmp_path / "state.pt", whole.state())
    assert whole.images == 4 * peer.d_steps
    whole.step(0.5)
    second = peer_training.Training(peer, data, 0, "fp32")
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    second.step(0.5)
    assert not torch.equal(begun, weights(whole))
    assert torch.allclose(weights(whole), weights(second), atol=1e-6)
    assert whole.optimizers[0].param_groups[0]["lr"] == (1e-4 if peer.falls else 2e-4)


def test_drawings_have_the_size_of_the_data_and_change_nothing() -> None:
    training = peer_training.Training(LABELLED, pictures(), 0, "fp32")
    before = {k: v.clone() for k, v in training.generator.state_dict().items()}
    drawn, labels = training.pictures(6, 16)
    assert drawn.shape == (6, 3, 16, 16)
    assert drawn.dtype == torch.uint8
    assert labels is not None
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert all(torch.equal(v, before[k]) for k, v in training.generator.state_dict().items())


def test_what_came_after_the_last_snapshot_is_forgotten(tmp_path: Path) -> None:
    for images, seconds, file in ((10, 1.0, "a"), (20, 2.0, ""), (30, 3.0, "b")):
        peer_training.note(tmp_path, images, seconds, file)
    assert peer_training.rewind(tmp_path, 20) == 2.0
    assert [row["images"] for row in peer_training.noted(tmp_path)] == [10, 20]


def test_a_recipe_s_speed_counts_the_work_before_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock: 40 s of work before 20,000 images, then .1 s for 10 of them (1 s at first)."""
    now = [0.0]
    monkeypatch.setattr(peer_training.time, "process_time", lambda: now[0])

    class Fake:
        training = SimpleNamespace(images=20_000, batch=10)

        def run(self, folder: Path) -> Any:
            now[0] += 100  # data are read
            yield Started(0, folder)
            for _ in range(4):
                now[0] += 10
                yield Stepped(0)
            for images in range(10, 20_010, 10):
                now[0] += 1 if images <= 100 else 0.1
                yield Stepped(images)

    speed = peer_training.speed_of(Fake(), {"threads": 1, "minutes": 60})
    assert speed == pytest.approx(1 / (40 / 20_000 + 0.1 / 10))


def test_weights_are_kept_once_for_each_share_of_the_time() -> None:
    moments = [0.0, 1.9, 2.1, 3.0, 4.5, 31.0, 33.0, 64.0]
    kept = [after for before, after in itertools.pairwise(moments) if peer_training.due(before, after, 64)]
    assert kept == [2.1, 4.5, 31.0, 33.0, 64.0]


def row(who: str, seconds: float, frechet: float | None, **more: Any) -> dict[str, Any]:
    own = {"data": "d", "minutes": 1.0, "threads": 1, "who": who, "seed": 0, "set": {}, "format": "fp32", "note": ""}
    own |= {
        "machine": "m",
        "rates": [7, 9],
        "extractor": "e",
        "count": 5,
        "floor": 1.0,
        "precision": 0.5,
        "recall": 0.25,
    }
    return {**own, "images": int(seconds * 10), "seconds": seconds, "frechet": frechet, **more}


def test_the_table_says_who_is_better_at_the_same_time_and_sooner_at_the_same_distance() -> None:
    lines = [
        row("images", 4, 50.0),
        row("images", 15.5, 30.0),
        row("images", 61, 20.0, named=0.7, nyquist=[1, 1, 1.25]),
    ]
    lines += [row("dcgan", 60, 40.0), row("dcgan", 15, 90.0), row("sngan", 60, 10.0)]
    lines += [row("tutorial-mlp", 60, None, note="all the same"), row("images", 60, 25.0, set={"width": "64"})]
    text = peers.page(lines)
    cells = {line.split(" | ")[0][2:]: line.strip("| ").split(" | ")[1:] for line in text.splitlines() if "| " in line}
    assert cells["images"] == [
        "0",
        "610",
        "61",
        "–",
        "30.0",
        "20.0",
        "–",
        "–",
        "0.50, 0.25",
        "70.0%",
        "1.00, 1.00, 1.25",
    ]
    assert cells["dcgan"][2:8] == ["60", "–", "90.0", "40.0", "2.00", "16 s: 3.9 times as soon"]
    assert cells["sngan"][5:8] == ["10.0", "0.50", "not reached"]
    assert cells["images width=64"][5] == "25.0"
    assert cells["tutorial-mlp"][5:8] == ["–", "–", "–"]
    assert "–: tutorial-mlp, seed 0, at the end: all the same." in text
    assert "matrix product 7 to 9 GFLOP/s" in text


def test_power_at_the_nyquist_frequencies_is_that_of_the_patterns_drawn() -> None:
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    lines = (rows % 2 * 255).to(torch.uint8).expand(2, 3, 8, 8)
    squares = ((rows + columns) % 2 * 255).to(torch.uint8).expand(2, 3, 8, 8)
    assert classifier.nyquist(lines).tolist() == pytest.approx([32**2 / 7, 0, 0], abs=1e-4)
    assert classifier.nyquist(lines.mT).tolist() == pytest.approx([0, 32**2 / 7, 0], abs=1e-4)
    assert classifier.nyquist(squares).tolist() == pytest.approx([0, 0, 32**2], abs=1e-4)


def test_the_referee_is_the_same_again_and_its_shares_are_by_class(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier.save(tmp_path / "r.pt", classifier.Network(2).eval(), ("a", "b"))
    referee, images = classifier.load(tmp_path / "r.pt"), pictures(6, 32).train.images
    seen = referee(images).argmax(1)
    assert torch.equal(referee(images.flip(-1)), referee(images))
    assert referee.features(images).shape == (6, 256)
    assert referee.fingerprint == classifier.load(tmp_path / "r.pt").fingerprint
    assert referee.named(images, seen).nansum() == len(set(seen.tolist()))
    assert math.isnan(float(referee.named(images[:1], torch.tensor([0]))[1]))


def test_training_pictures_of_the_referee_are_mirrored_where_told_to() -> None:
    ramp = torch.arange(16, dtype=torch.uint8).expand(2, 3, 16, 16)
    seen = classifier.disturbed(ramp, torch.tensor([True, False]))
    assert seen.shape == ramp.shape
    steps = seen[:, 0, 0].int().diff()[:, 2:-2]  # without what the border reflects
    assert steps.tolist() == [[-1] * 11, [1] * 11]


def test_the_patches_of_the_referee_are_white() -> None:
    network, images = classifier.Network(2), pictures(30, 32).train.images // 2 + torch.arange(32, dtype=torch.uint8)
    network.whiten(images)
    network.patches.bias.data.zero_()
    found = network.patches(classifier.normal(images)).transpose(0, 1).flatten(1)
    assert torch.allclose(found[:12].cov(), torch.eye(12), atol=0.1)
    assert torch.allclose(found[12:], -found[:12], atol=1e-5)


def test_slow_weights_keep_their_share() -> None:
    layer = nn.Linear(1, 1)
    layer.weight.data.fill_(4.0)
    slow = {"weight": torch.ones(1, 1), "bias": torch.zeros(1)}
    classifier.average(layer, slow, 0.75)
    assert layer.weight.item() == slow["weight"].item() == 1.75
