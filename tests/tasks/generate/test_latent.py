"""Writing, walking, inverting: the generator on its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.images import tensors as im
from ganvas.tasks.generate.latent import walk as walks
from ganvas.tasks.generate.latent import write as lettering


@pytest.fixture(scope="module")
def model(run: Path) -> ganvas.Model:
    return ganvas.load(run)


def test_truncation_keeps_within_its_limit_and_its_order() -> None:
    z = seeds.latents(range(200), 64)
    tight = seeds.latents(range(200), 64, truncation=0.7)
    assert tight.abs().max() <= 0.7
    assert torch.equal(z.argsort(1), tight.argsort(1))
    assert torch.allclose(seeds.truncate(z, 50.0), z, atol=1e-4)
    # the standard deviation of a normal variable within +-0.7: sqrt(1 - 2 a phi(a) / (2 Phi(a) - 1))
    assert float(tight.std()) == pytest.approx(0.3914, abs=0.01)


def test_truncated_pictures(model: ganvas.Model) -> None:
    free, tight = model.sample(64, classes=0), model.sample(64, classes=0, truncation=0.1)
    assert tight.std(0).mean() < 0.5 * free.std(0).mean()
    with pytest.raises(UserError, match="above 0"):
        model.sample(1, truncation=0)


# -------------------- text


def test_a_text_has_its_characters_in_order(model: ganvas.Model) -> None:
    written = ganvas.write(model, "0110")
    assert written.dtype == torch.uint8
    assert written.shape[:3] == (1, 1, 12)
    assert torch.equal(written, ganvas.write(model, "0110"))
    assert not torch.equal(written, ganvas.write(model, "0110", seed=1))
    assert ganvas.write(model, "01 10").shape[3] > written.shape[3]
    assert ganvas.write(model, "01-10").shape[3] > written.shape[3]


@pytest.mark.parametrize("mark", [m for m in lettering.MARKS if m != " "])
def test_marks_are_drawn_in_ink(model: ganvas.Model, mark: str) -> None:
    cell = lettering._mark(mark, model, -1.0, 1.0)
    assert cell.shape[:2] == (1, 12)
    assert cell.max() > 0.2
    assert cell[:, 0].max() == -1.0


def test_what_cannot_be_written(model: ganvas.Model) -> None:
    with pytest.raises(UserError, match="cannot write 'x'; it knows 0 and 1, spaces"):
        ganvas.write(model, "0x")
    with pytest.raises(UserError, match="nothing to write in ' - '"):
        ganvas.write(model, " - ")


# -------------------- walks


def test_slerp_meets_its_ends_and_keeps_the_length() -> None:
    a, b = seeds.latents([1, 2], 64)
    assert torch.allclose(walks.slerp(a, b, 0.0), a, atol=1e-5)
    assert torch.allclose(walks.slerp(a, b, 1.0), b, atol=1e-5)
    assert float(walks.slerp(a, b, 0.5).norm()) == pytest.approx(float((a.norm() + b.norm()) / 2), rel=1e-4)
    assert torch.allclose(walks.slerp(a, a, 0.3), a, atol=1e-5)
    assert torch.isfinite(walks.slerp(a, -a, 0.5)).all()


def test_a_walk_passes_through_its_seeds(model: ganvas.Model) -> None:
    frames = list(ganvas.walk(model, [3, 5, 9], frames=4))
    assert len(frames) == 12
    assert {f.shape for f in frames} == {(2, 1, 12, 12)}  # a tile a class
    for place, seed in ((0, 3), (4, 5), (8, 9)):
        wanted = im.to_uint8(torch.cat(list(model.draw([seed, seed], [0, 1]))))
        assert (frames[place].int() - wanted.int()).abs().max() <= 1
    assert len(list(ganvas.walk(model, [3, 5, 9], frames=4, loop=False))) == 9


def test_a_walk_between_classes_meets_both(model: ganvas.Model) -> None:
    frames = list(ganvas.walk(model, [3], ["0", "1"], frames=5, loop=False))
    for frame, kind in ((frames[0], 0), (frames[-1], 1)):
        assert (frame.int() - im.to_uint8(model.sample(1, classes=kind, seed=3)).int()).abs().max() <= 1
    steps = [float((a.float() - b.float()).abs().mean()) for a, b in itertools.pairwise(frames)]
    assert max(steps) < 0.6 * sum(steps)  # no single step makes the whole way


def test_walks_that_go_nowhere(model: ganvas.Model) -> None:
    with pytest.raises(UserError, match="at least two pictures"):
        ganvas.walk(model, [3])
    with pytest.raises(UserError, match="at least 1"):
        ganvas.walk(model, [3, 4], frames=0)
    with pytest.raises(UserError, match="no class"):
        ganvas.walk(model, [3, 4], ["7"])


@pytest.mark.parametrize("ending", [".webp", ".gif", ".mp4"])
def test_animations_have_their_frames(model: ganvas.Model, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"walk{ending}"
    assert list(walks.save(path, ganvas.walk(model, [0, 1], frames=3), rate=10, scale=4)) == [1, 2, 3, 4, 5, 6]
    if ending == ".mp4":
        import av

        with av.open(str(path)) as film:
            assert sum(1 for _ in film.decode(video=0)) == 6
    else:
        with Image.open(path) as film:
            assert film.n_frames == 6  # pyright: ignore[reportAttributeAccessIssue]
            assert film.size == (96, 48)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_walk_saves_itself_and_what_is_written_and_found_shows_itself(model: ganvas.Model, tmp_path: Path) -> None:
    for _ in range(2):  # what is there is overwritten
        path = ganvas.walk(model, [3, 5], frames=2).save(tmp_path / "walk.gif")
        with Image.open(path) as film:
            assert getattr(film, "n_frames", 1) > 1
    assert ganvas.write(model, "01")._repr_png_() is not None
    pictures = model.sample(2)
    found = ganvas.invert(model, pictures.pil(), [0, 1], steps=1)
    assert found.pictures._repr_png_() is not None
    assert found.distance.shape == (2,)


def test_animations_that_cannot_be_written(model: ganvas.Model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="webp"):
        list(walks.save(tmp_path / "x.avi", iter([])))
    with pytest.raises(UserError, match="above 0"):
        list(walks.save(tmp_path / "x.gif", iter([]), rate=0))
    saving = walks.save(tmp_path / "x.mp4", ganvas.walk(model, [0, 1], frames=30), scale=2)
    next(saving)
    saving.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert list(tmp_path.iterdir()) == []


def test_a_time_lapse_shows_every_sheet(run: Path, tmp_path: Path) -> None:
    sheets = Run(run).previews()
    frames = list(walks.training_sheets(Run(run)))
    assert len(frames) == len(sheets) + walks.HOLD - 1
    with Image.open(sheets[1][1]) as picture:
        assert np.array_equal(np.array(picture), frames[1][0, 0].numpy())
    (tmp_path / "samples").mkdir()
    with pytest.raises(UserError, match="needs two"):
        next(walks.training_sheets(Run(tmp_path)))


# -------------------- inversion


def test_inversion_finds_a_picture_that_the_generator_draws(model: ganvas.Model) -> None:
    wanted = model.sample(4, classes=[0, 1, 0, 1], seed=50).clone()
    inverted = ganvas.invert(model, wanted)
    apart = (wanted - model.sample(4, classes=[0, 1, 0, 1], seed=900)).square().flatten(1).mean(1).sqrt()
    assert (inverted.distance < 0.5 * apart).all()
    again = model.generator(inverted.latents, inverted.labels)
    assert torch.allclose(again, inverted.pictures, atol=1e-5)
    assert torch.allclose(inverted.distance, (inverted.pictures - wanted).square().flatten(1).mean(1).sqrt(), atol=1e-5)


def test_inversion_as_a_class_that_was_named(model: ganvas.Model) -> None:
    inverted = ganvas.invert(model, model.sample(2, classes=0).clone(), classes="1", steps=8)
    assert inverted.labels is not None
    assert inverted.labels.tolist() == [1, 1]
    with pytest.raises(UserError, match="no class"):
        ganvas.invert(model, model.sample(2).clone(), classes=5)
