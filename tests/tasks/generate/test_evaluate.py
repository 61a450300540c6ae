"""ganvas evaluate and compare: figures with floors and protocols, the cache of real images, pictures in files."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import quick, write_idx
from PIL import Image
from torch import Tensor

from ganvas import cli
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing, Written
from ganvas.core.run import Run
from ganvas.core.terminal import Console
from ganvas.images import data
from ganvas.images import files as image_files
from ganvas.images.data import ImageData
from ganvas.images.features import extractors
from ganvas.metrics import figures as fg
from ganvas.metrics import two_sample
from ganvas.metrics.figures import Figure, Protocol, compare, figures_of
from ganvas.metrics.show import Measuring
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.generate.evaluate import evaluate as evaluation
from ganvas.tasks.generate.evaluate import plan, reference
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.evaluate.metrics import METRICS
from ganvas.tasks.generate.task import GenerateTask

pytestmark = pytest.mark.long

QUICK = "frechet,precision"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or writes the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "ganvas"


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 + 300 images of MNIST as IDX files."""
    folder, mnist = tmp_path_factory.mktemp("mini"), data.mnist()
    for name, split, count in (("train", mnist.train, 600), ("t10k", mnist.held_out, 300)):
        index = torch.randperm(len(split.images), generator=torch.Generator().manual_seed(0))[:count]
        assert split.labels is not None
        write_idx(folder / f"{name}-images-idx3-ubyte", split.images[index, 0].numpy())
        write_idx(folder / f"{name}-labels-idx1-ubyte", split.labels[index].numpy().astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def real(mini: Path) -> ImageData:
    return data.load(str(mini))


@pytest.fixture(scope="module")
def trained(mini: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    for _ in quick("mnist", mini, steps=2).run(folder):
        pass
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """That run, to be changed at will."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def save(path: Path, images: Tensor, **more: np.ndarray) -> Path:
    np.savez(path, images=images.numpy(), **more)  # pyright: ignore[reportArgumentType]
    return path


@pytest.fixture(scope="module")
def replay(real: ImageData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memoriser: 300 training images as they are."""
    return save(tmp_path_factory.mktemp("replay") / "replay.npz", real.train.images[:300])


def measured(source: Path, metrics: Any = QUICK, **more: Any) -> dict[str, Figure]:
    events = evaluation.evaluate(source, metrics, **{"repeats": 2, "count": 100, **more})
    return {e.metric: e for e in events if isinstance(e, Figure)}


def refused(words: str, source: Path, metrics: Any = QUICK, **more: Any) -> None:
    with pytest.raises(UserError, match=words):
        measured(source, metrics, **more)


# every metric on real digits


def test_every_metric_has_a_finite_value_and_a_floor(
    real: ImageData, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distinguish = two_sample.distinguish

    def quickly(real: Tensor, fake: Tensor, network: Any, _: int) -> two_sample.Verdict:
        return distinguish(real[:200, :, ::2, ::2], fake[:200, :, ::2, ::2], network, epochs=1)

    monkeypatch.setattr(two_sample, "distinguish", quickly)
    monkeypatch.setattr(two_sample, "STEPS", 20)
    assert real.held_out.labels is not None
    labels = real.held_out.labels.numpy()
    path = save(tmp_path / "real.npz", real.held_out.images, labels=labels)
    figures = measured(path, "all", data=mini, count=300)
    assert list(figures) == list(METRICS)
    for name, figure in figures.items():
        assert not figure.note
        assert math.isfinite(figure.value), name
        assert math.isfinite(figure.floor), name
        assert figure.better == METRICS[name].better
        assert figure.title == METRICS[name].title
    assert figures["frechet"].value == pytest.approx(0, abs=1e-4)  # the reference itself, in another order
    assert figures["precision"].value == figures["recall"].value == figures["coverage"].value == 1
    assert figures["class-accuracy"].value > 0.95
    assert figures["class-frechet"].value == pytest.approx(0, abs=1e-4)
    assert figures["label-balance"].value == pytest.approx(0, abs=1e-6)
    assert figures["frechet"].floor > figures["frechet"].value


def test_a_memoriser_is_caught_and_held_out_images_are_not(real: ImageData, mini: Path, replay: Path) -> None:
    names = "near-copies-pixels,near-copies-features,mifid"
    caught = measured(replay, names, data=mini, count=300)
    for name in ("near-copies-pixels", "near-copies-features"):
        assert caught[name].value == 1
        assert caught[name].floor == pytest.approx(0.01, abs=0.005)
    assert caught["mifid"].value > 100 * caught["mifid"].floor
    fresh = save(replay.with_name("fresh.npz"), data.mnist().held_out.images[-300:])
    innocent = measured(fresh, names, data=mini, count=300)
    for name in ("near-copies-pixels", "near-copies-features"):
        assert innocent[name].value < 0.06
        assert innocent[name].spread == pytest.approx(
            math.sqrt(innocent[name].value * (1 - innocent[name].value) / 300)
        )


def test_sheets_pair_each_picture_with_its_training_image(mini: Path, replay: Path, tmp_path: Path) -> None:
    events = list(evaluation.evaluate(replay, "near-copies-pixels", data=mini, count=60, out=tmp_path / "sheets"))
    written = [e for e in events if isinstance(e, Written)]
    assert {w.path.name for w in written} == {"nearest_by_pixels.png", "nearest_by_features.png"}
    assert all(w.text.startswith("those of each class") for w in written)
    for sheet in written:
        with Image.open(sheet.path) as picture:
            pixels = np.asarray(picture)
        cells = pixels.reshape(4, 56, 10, 56).transpose(0, 2, 1, 3).reshape(20, 2, 56, 56)
        assert (cells[:, 0] == cells[:, 1]).all()
        assert cells.any()


# a run


def test_a_run_gets_lines_figures_a_report_and_sheets(run: Path) -> None:
    before = len((run / "metrics.jsonl").read_text().splitlines())
    events = list(evaluation.evaluate(run, None, count=100, repeats=2))
    figures = [e for e in events if isinstance(e, Figure)]
    lines = (run / "metrics.jsonl").read_text().splitlines()[before:]
    assert [json.loads(line)["metric"] for line in lines] == [f.metric for f in figures]
    assert [f.metric for f in figures] == [name for name, m in METRICS.items() if not m.slow]
    for text, figure in zip(lines, figures, strict=True):
        row = json.loads(text, parse_constant=pytest.fail)  # JSON has no NaN
        assert row["protocol"] == vars(figure.protocol)
        assert row["images"] == 32
    by_name = {f.metric: f for f in figures}
    assert by_name["class-frechet"].note == "it needs 200 images of each kind, and there are 100"
    for name in ("frechet", "kernel", "precision", "label-balance", "class-accuracy"):
        assert by_name[name].spread >= 0
        assert by_name[name].floor_spread >= 0
    assert by_name["frechet"].times_floor > 10  # two steps of training
    assert 0 < by_name["frechet"].floor < 20
    p = by_name["frechet"].protocol
    assert (p.extractor, p.count, p.split, p.seed, p.repeats) == ("digits", 100, "held-out", 0, 2)
    assert p.labels == "as often as in the data"
    shares = [e.share for e in events if isinstance(e, Doing)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert (run / "evaluation" / "nearest_by_pixels.png").is_file()
    newest = figures_of(run)
    assert [f.row() for f in newest] == [f.row() for f in figures]


def test_an_evaluation_says_beforehand_what_it_will_do_and_then_how_far_it_is(
    replay: Path, mini: Path, empty_cache: Path
) -> None:
    assert not empty_cache.exists()
    events = list(evaluation.evaluate(replay, QUICK, data=mini, count=300))
    doing = [e for e in events if isinstance(e, Doing)]
    announced = next(e for e in doing if e.stays and e.text.startswith("measuring"))
    assert announced.text.startswith("measuring 2 metrics of 300 pictures of 28x28 pixels with digits: ")
    looking = [e.text for e in doing if e.text.startswith("looking at real images")]
    assert looking[-1] == "looking at real images with digits: 900 of 900"
    assert len(looking) == 5  # 600 and 300 images, 250 at a time
    assert [e.text for e in doing[-2:]] == ["Frechet distance", "precision"]
    kinds = [type(e) for e in events if isinstance(e, Figure) or e in doing[-2:]]
    assert kinds == [Doing, Figure, Doing, Figure]  # each as soon as it is known
    assert [e.share for e in doing] == sorted(e.share for e in doing)


def test_a_plan_in_words() -> None:
    p = dataclasses.replace(protocol(), count=10_000, repeats=3, extractor="efficientnet-lite0")
    text = plan.Plan(100.0, 61.0, 20.0).words(p, 32, 12, 60_000)
    assert text == (
        "measuring 12 metrics of 3 x 10,000 pictures of 32x32 pixels with efficientnet-lite0: about 3m05s, of which "
        "about 1m40s for the features of 60,000 real images, kept for the next time."
    )
    quick = plan.Plan(0.0, 1.0, 1.0)
    assert quick.words(dataclasses.replace(p, repeats=1), 32, 1, 0).endswith("lite0: a few seconds.")
    assert quick.share("real", 0.0) < quick.share("pictures", 0.5) < quick.share("metrics", 0.5) < 1


@pytest.mark.usefixtures("wide")
def test_ctrl_c_keeps_what_was_measured(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setitem(METRICS, "precision", dataclasses.replace(METRICS["precision"], function=stopped))
    assert command(*shrink(run)) == 130
    captured = capsys.readouterr()
    assert "Frechet distance" in captured.out
    assert "Frechet distance: " in captured.err  # shown as soon as it was known
    assert "Stopped after 1 metric" in captured.err
    assert [f.metric for f in figures_of(run)] == ["frechet"]
    assert [row["metric"] for row in checkpoint.head(run / "model.safetensors")["metrics"]] == ["frechet"]
    assert "Frechet distance" in (run / "report.html").read_text()


def test_figures_repeat_and_depend_on_the_seed(run: Path) -> None:
    once, twice, other = (measured(run, "frechet", seed=s)["frechet"] for s in (0, 0, 1))
    assert once.row() == twice.row()
    assert once.value != other.value
    assert len(Run(run).rows(run / "metrics.jsonl")) >= 3
    assert [f.protocol.seed for f in figures_of(run)] == [1]  # the newest one of each metric


def test_rows_and_figures_are_one(run: Path) -> None:
    figure = measured(run, "frechet", repeats=1)["frechet"]
    assert math.isnan(figure.spread)
    again = Figure.from_row(json.loads(json.dumps(figure.row(), allow_nan=False)))
    assert math.isnan(again.spread)
    assert again.row() == figure.row()
    assert again.protocol == figure.protocol


def test_classes_are_drawn_as_often_as_they_come(run: Path) -> None:
    images = data.load(str(source_of(run)))
    assert images.train.labels is not None
    lopsided = dataclasses.replace(
        images, train=data.Split(images.train.images[:50], torch.tensor([3] * 40 + [7] * 10))
    )
    drawn, labels = sources.sample(generate_model.load(run), lopsided, 200, 0, 0)
    assert labels is not None
    assert drawn.shape == (200, 1, 28, 28)
    assert set(labels.tolist()) == {3, 7}
    assert 0.7 < float((labels == 3).double().mean()) < 0.9
    after, others = sources.sample(generate_model.load(run), lopsided, 200, 0, 1)
    assert not torch.equal(after, drawn)
    assert others is not None


def source_of(run: Path) -> str:
    return json.loads((run / "experiment.json").read_text())["data"]["source"]


def test_what_cannot_be_measured(run: Path) -> None:
    refused("Frechet distance per class cannot be measured: it needs 200 images", run, "class-frechet")
    refused("classifier score cannot be measured: this extractor", run, "classifier-score", extractor="pixels")
    figures = measured(run, None, extractor="pixels")
    assert figures["classifier-score"].note.startswith("this extractor does not know the classes")
    assert math.isnan(figures["classifier-score"].value)
    assert figures["class-frechet"].note.startswith("it needs 200")
    assert math.isfinite(figures["frechet"].value)


def test_pictures_without_classes(mini: Path, replay: Path) -> None:
    refused(
        "class accuracy cannot be measured: the pictures were not asked for by class",
        replay,
        "class-accuracy",
        data=mini,
    )
    assert measured(replay, None, data=mini)["class-accuracy"].note


def test_a_time_limit_passes_over_what_is_left(run: Path) -> None:
    figures = measured(run, None, time_limit=0)
    notes = {f.note for f in figures.values() if "it needs" not in f.note}
    assert notes == {"skipped: the time limit of 0 s had run out"}
    assert all(math.isnan(f.value) for f in figures.values())


def test_numbers_and_names_that_make_no_sense(run: Path, mini: Path) -> None:
    refused("Did you mean 'frechet'", run, "frechte")
    refused("Did you mean 'held-out'", run, split="heldout")
    refused("--count 49 is too few", run, count=49)
    refused("--repeats 0", run, repeats=0)
    refused("Did you mean 'digits'", run, extractor="digit")
    refused("no/such/run", Path("no/such/run"))


def test_data_that_does_not_fit(run: Path, blobs: Path, replay: Path, tmp_path: Path) -> None:
    refused("28x28 pixels and 1 channels.*12x12", run, data=blobs)
    refused("28x28 pixels and 1 channels.*12x12", replay, data=blobs)
    refused("--data mnist", replay)
    changed = json.loads((run / "experiment.json").read_text())
    changed["data"]["source"] = str(blobs)
    (run / "experiment.json").write_text(json.dumps(changed))
    refused("other images now", run)
    alone = tmp_path / "alone.safetensors"
    shutil.copy(run / "model.safetensors", alone)
    refused("which does not exist here. Name these images with --data", alone)


def test_a_damaged_experiment(run: Path, mini: Path) -> None:
    (run / "experiment.json").write_text("{")
    refused("damaged", run)
    assert measured(run, "frechet", data=mini)


def test_a_model_on_its_own(run: Path, mini: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    shutil.copy(run / "model.safetensors", alone)
    figure = measured(alone, "frechet", data=mini)["frechet"]
    assert figure.value == measured(run, "frechet", data=mini)["frechet"].value
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_generator_gone_wrong(run: Path) -> None:
    tensors, card = checkpoint.load(run / "model.safetensors")
    spoilt = {
        k: torch.full_like(v, math.nan) if k.startswith("generator") and v.is_floating_point() else v
        for k, v in tensors.items()
    }
    checkpoint.save(run / "model.safetensors", spoilt, card)
    refused(r"model\.safetensors cannot be used: generator\..* not numbers", run, seed=5)


def test_the_split_that_is_compared_with(run: Path) -> None:
    figure = measured(run, "frechet", split="train")["frechet"]
    assert figure.protocol.split == "train"
    assert figure.value != measured(run, "frechet")["frechet"].value


def test_more_pictures_than_real_images(run: Path) -> None:
    assert measured(run, "precision", count=10_000, repeats=1)["precision"].protocol.count == 300


# comparing


def protocol(**changes: Any) -> Protocol:
    base = Protocol("digits", "abc", 100, "held-out", 0, 3, "none", "mnist", "f" * 8)
    return dataclasses.replace(base, **changes)


def figure(value: float = 3.0, **changes: Any) -> Figure:
    base = Figure("frechet", "Frechet distance", value, 0.1, 1.5, 0.1, "lower", False, protocol())
    return dataclasses.replace(base, **changes)


def test_equal_protocols_give_the_ratio() -> None:
    assert compare(figure(3.0), figure(2.0)) == pytest.approx(1.5)
    assert math.isnan(compare(figure(3.0), figure(0.0)))
    assert figure(3.0).times_floor == pytest.approx(2)
    assert math.isnan(figure(3.0, better="near").times_floor)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Protocol)])
def test_unlike_protocols_are_refused_by_name(name: str) -> None:
    old = getattr(protocol(), name)
    new = old + 7 if isinstance(old, int) else "other"
    with pytest.raises(UserError, match=rf"differ in {name} \({old} and {new}\)\."):
        compare(figure(), figure(protocol=protocol(**{name: new})))


def test_all_differences_are_named_and_metrics_first() -> None:
    other = figure(protocol=protocol(seed=1, count=50))
    with pytest.raises(UserError, match=r"count \(100 and 50\), seed \(0 and 1\)"):
        compare(figure(), other)
    with pytest.raises(UserError, match=r"metric \(frechet and kernel\)"):
        compare(figure(), figure(metric="kernel"))


def test_a_run_without_figures(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ganvas evaluate"):
        figures_of(run)
    with pytest.raises(UserError, match="no metrics yet"):
        figures_of(tmp_path / "nothing")


def test_only_inception_gives_fid() -> None:
    base = reference.Reference  # the title rests on the protocol alone: a note stands for the values
    titles = [
        evaluation.measure("frechet", [], base, protocol(extractor=name), note="-").title  # pyright: ignore[reportArgumentType]
        for name in ("inception", "digits", "efficientnet-lite0", "net.pt (2047 features)")
    ]
    assert titles == ["FID", "Frechet distance", "Frechet distance", "Frechet distance"]
    kernel = evaluation.measure("kernel", [], base, protocol(extractor="inception"), note="-")  # pyright: ignore[reportArgumentType]
    assert "FID" not in kernel.title


# the cache of real images


class Counted:
    """The extractor of pixels, which counts the pictures it is shown."""

    def __init__(self, spec: Any) -> None:
        self.seen = 0
        base = extractors.pixels(spec)

        def portion(images: Tensor) -> tuple[Tensor, Tensor | None]:
            self.seen += len(images)
            return base.portion(images)

        self.extractor = dataclasses.replace(base, portion=portion)


@pytest.fixture
def tiny(blobs: Path) -> ImageData:
    return data.load(str(blobs))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganvas"


def test_real_images_are_looked_at_once(tiny: ImageData, empty_cache: Path) -> None:
    counted = Counted(tiny.spec)
    first = reference.ReferenceFeatures(tiny, counted.extractor, 0)
    assert counted.seen == 400
    assert first.path.parent == empty_cache
    second = reference.ReferenceFeatures(tiny, counted.extractor, 0)
    assert counted.seen == 400
    assert first.tensors.keys() == second.tensors.keys()
    assert all(torch.equal(first.tensors[k], second.tensors[k]) for k in first.tensors)


def test_a_second_evaluation_reads_no_real_images_anew(
    replay: Path, mini: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(data.load(str(mini)).spec)
    monkeypatch.setattr(extractors, "load", lambda *_: counted.extractor)
    first = measured(replay, None, data=mini, count=60)
    probe = counted.seen - 900 - 60
    assert probe == 42  # black pictures
    assert list(empty_cache.iterdir())
    counted.seen = 0
    again = measured(replay, None, data=mini, count=60)
    assert counted.seen == probe + 60  # the pictures alone
    assert {n: f.row() for n, f in again.items()} == {n: f.row() for n, f in first.items()}


def test_floors_are_kept_too(tiny: ImageData, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = reference.ReferenceFeatures(tiny, extractors.pixels(tiny.spec), 0)
    values = features.reference(100, "held-out", 3).floor("frechet")
    assert len(values) == 3
    features.save()
    broken = dataclasses.replace(METRICS["frechet"], function=lambda _: pytest.fail("taken again"))
    monkeypatch.setitem(METRICS, "frechet", broken)
    again = reference.ReferenceFeatures(tiny, extractors.pixels(tiny.spec), 0)
    assert again.reference(100, "held-out", 3).floor("frechet") == values


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda _: b""])
def test_a_damaged_cache_is_made_anew(spoil: Any, tiny: ImageData, empty_cache: Path) -> None:
    counted = Counted(tiny.spec)
    path = reference.ReferenceFeatures(tiny, counted.extractor, 0).path
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    reference.ReferenceFeatures(tiny, counted.extractor, 0)
    assert counted.seen == 800
    assert path.read_bytes() == whole


def test_what_gives_other_figures_is_another_file(tiny: ImageData, empty_cache: Path) -> None:
    base = extractors.pixels(tiny.spec)
    different = [
        (tiny, base, 0),
        (tiny, base, 1),
        (dataclasses.replace(tiny, fingerprint="0" * 64), base, 0),
        (dataclasses.replace(tiny, class_names=("a", "b")), base, 0),
        (tiny, dataclasses.replace(base, mark="other"), 0),
        (tiny, dataclasses.replace(base, name="other"), 0),
    ]
    assert len({reference.ReferenceFeatures(*d).path for d in different}) == len(different)
    assert len(list(empty_cache.iterdir())) == len(different)


def test_a_cache_that_cannot_be_written_is_no_error(
    tiny: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    features = reference.ReferenceFeatures(tiny, extractors.pixels(tiny.spec), 0)
    features.save()
    assert features.reference(100, "held-out", 1).floor("frechet")[0] > 0


def test_blocks_are_other_images_and_share_none(tiny: ImageData, empty_cache: Path) -> None:
    features = reference.ReferenceFeatures(tiny, extractors.pixels(tiny.spec), 0)
    base = features.reference(90, "held-out", 3)
    assert [len(b) for b in base.blocks] == [90, 90, 90]
    rows = torch.cat([base.real.features, *(b.features for b in base.blocks)])
    assert len(rows.unique(dim=0)) == 360
    assert len(features.reference(90, "held-out", 9).blocks) == 3  # 300 training images hold no fourth
    assert len(features.reference(50, "train", 9).blocks) == 2


# pictures in files


def write(folder: Path, images: Tensor, suffix: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        array = image.numpy()
        Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0)).save(folder / f"{i:04d}.{suffix}")
    return folder


def random(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_folder_of_pictures(channels: int, tmp_path: Path) -> None:
    images = random(5, channels, 9, 9)
    pictures = image_files.load(write(tmp_path / "p", images))
    assert torch.equal(pictures.images, images)
    assert pictures.labels is None
    assert image_files.is_pictures(tmp_path / "p")


def test_a_sub_folder_is_a_class(real: ImageData, mini: Path, tmp_path: Path) -> None:
    assert real.held_out.labels is not None
    for c in (3, 7):
        write(tmp_path / "p" / str(c), real.held_out.images[real.held_out.labels == c])
    pictures = image_files.load(tmp_path / "p").named(real.class_names)
    assert pictures.labels is not None
    assert set(pictures.labels.tolist()) == {3, 7}
    count = len(pictures.images)
    assert count >= 50
    assert measured(tmp_path / "p", "class-accuracy", data=mini, count=count)["class-accuracy"].value > 0.9
    (tmp_path / "p" / "3").rename(tmp_path / "p" / "5")  # all threes are now called fives
    wrong = measured(tmp_path / "p", "class-accuracy", data=mini, count=count)["class-accuracy"].value
    assert wrong == pytest.approx(float((real.held_out.labels == 7).sum()) / count, abs=0.06)
    (tmp_path / "p" / "5").rename(tmp_path / "p" / "boots")
    assert image_files.load(tmp_path / "p").named(real.class_names).labels is None


def test_folders_that_cannot_be_read(mini: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused("holds no pictures", tmp_path / "empty", data=mini)
    folder = write(tmp_path / "p", random(3, 1, 28, 28))
    refused("3 pictures of .* are too few: at least 50", folder, data=mini)
    write(folder / "wide", random(1, 1, 20, 20))
    refused(r"0000\.png is a picture of 20x20 pixels and 1 channel .*28x28", folder, data=mini)
    shutil.rmtree(folder / "wide")
    (folder / "0001.png").write_bytes((folder / "0001.png").read_bytes()[:200])
    refused(r"0001\.png cannot be read as a picture", folder, data=mini)
    (folder / "0001.png").write_text("no picture")
    refused(r"0001\.png cannot be read as a picture", folder, data=mini)
    refused("8x8 pixels and 3 channels", write(tmp_path / "q", random(60, 3, 8, 8)), data=mini)


def test_pictures_that_are_not_square(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="square"):
        image_files.load(write(tmp_path / "p", random(2, 1, 8, 9)))


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 8, 8, 1), (6, 8, 8, 3), (6, 3, 8, 8), (6, 4, 8, 8)])
def test_npz_of_any_usual_shape(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = random(*shape).numpy()
    np.savez(tmp_path / "x.npz", samples=array)
    loaded = image_files.load(tmp_path / "x.npz").images.numpy()
    if array.ndim == 3:
        assert (loaded[:, 0] == array).all()
    else:
        last = shape[-1] in (1, 3)
        assert (loaded == (array.transpose(0, 3, 1, 2) if last else array)).all()


def test_floats_of_both_ranges(tmp_path: Path) -> None:
    images = random(4, 1, 8, 8)
    images[0, 0, 0, :2] = torch.tensor([0, 255], dtype=torch.uint8)
    for name, floats in (("unit", images.numpy() / 255.0), ("signed", images.numpy() / 127.5 - 1)):
        np.savez(tmp_path / f"{name}.npz", images=floats.astype(np.float32))
        assert torch.equal(image_files.load(tmp_path / f"{name}.npz").images, images)


def values(**arrays: Any) -> dict[str, np.ndarray]:
    return {k: np.asarray(v) for k, v in arrays.items()}


GREY = np.zeros((4, 8, 8))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (values(images=np.where(np.arange(4)[:, None, None] == 2, np.nan, GREY)), "not numbers"),
        (values(images=GREY + np.inf), "not numbers"),
        (values(images=GREY - 1.5), r"must be in \[-1, 1\] or \[0, 1\]"),
        (values(images=GREY.astype(int) - 1), "goes from -1 to -1: values below 0 are not pixels"),
        (values(images=GREY[:, :, :5]), "square ones are needed"),
        (values(images=GREY[:0]), "has the shape"),
        (values(labels=np.arange(4)), "no array of images"),
        (values(), "no array of images"),
    ],
)
def test_npz_that_holds_no_pictures(arrays: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match=words):
        image_files.load(tmp_path / "x.npz")


def test_npz_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("no archive")
    for name, words in (("x.npz", "x.npz cannot be read"), ("missing.npz", "missing.npz: it does not exist")):
        with pytest.raises(UserError, match=words):
            image_files.load(tmp_path / name)


def test_labels_of_an_npz(tmp_path: Path) -> None:
    pictures = image_files.load(save(tmp_path / "x.npz", random(4, 1, 8, 8), labels=np.array([1, 0, 1, 2])))
    named = pictures.named(("2", "1", "0"))
    assert named.labels is not None
    assert named.labels.tolist() == [1, 2, 1, 0]
    assert pictures.named(("0", "1")).labels is None
    with pytest.raises(UserError, match="'labels' has 3 labels for the 4 pictures of 'images'"):
        image_files.load(save(tmp_path / "y.npz", random(4, 1, 8, 8), labels=np.arange(3)))


def test_some_pictures_keep_their_labels() -> None:
    images = torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1).expand(-1, 1, 2, 2)
    base = image_files.Pictures(images, torch.arange(50), tuple(map(str, range(50))))
    some, labels = base.some(20, 3)
    assert labels is not None
    assert some[:, 0, 0, 0].tolist() == labels.tolist()
    assert len(set(labels.tolist())) == 20
    assert torch.equal(some, base.some(20, 3)[0])
    assert not torch.equal(some, base.some(20, 4)[0])


# the command line


def command(*arguments: str) -> int:
    return cli.app(list(arguments), result_action="return_value")


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")


def shrink(run: Path, *more: str) -> list[str]:
    return ["evaluate", str(run), "--metrics", QUICK, "--count", "100", "--repeats", "2", *more]


@pytest.mark.usefixtures("wide")
def test_the_table_of_figures(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*shrink(run)) == 0
    out = capsys.readouterr().out
    figures = {f.metric: f for f in figures_of(run)}
    row = next(line for line in out.splitlines() if line.startswith("Frechet distance"))
    assert f"{figures['frechet'].times_floor:.2f}" in row
    assert "lower" in row
    assert "±" in row
    assert "2 x 100 pictures from seed 0 on" in out
    assert "as many of mini" in out
    assert "extractor digits" in out
    assert "FID" not in out


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("value", "words"),
    [(0.662, "66.2% of the time (95% interval 65.3% to 67.1%); 50% would"), (0.505, "49.6% to 51.4%); it cannot tell")],
)
def test_the_fresh_expert_is_told_with_its_interval(
    value: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Measuring(Console(), "pictures", "real images")
    display.show(Figure("fresh-expert", "fresh expert", value, 0.0046, 0.52, math.nan, "lower", True, protocol()))
    display.table("a run")
    assert words in capsys.readouterr().out


def test_figures_are_whole_where_the_terminal_is_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    display = Measuring(Console(), "pictures", "real images")
    title = "the share of pictures that are taken for what was asked"
    display.show(Figure("share", title, 0.996, 0.002, 0.997, 0.001, "higher", True, protocol()))
    display.table("a run")
    out = capsys.readouterr().out
    assert "99.6% ± 0.2%" in out
    assert "99.7% ± 0.1%" in out


@pytest.mark.usefixtures("wide")
def test_a_task_without_a_command_gives_its_own_figures(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))

    def measure(model: Any, data: Any, count: int, seed: int) -> Iterator[Figure]:
        assert (model.path, data.name, count, seed) == (run / "model.safetensors", "mini0", 70, 3)
        yield fg.figure("distance", 2.0, data, count, seed, floor=0.5)
        yield fg.figure("share", math.nan, data, count, seed, title="a share", share=True, note="there is too little")

    monkeypatch.setattr(GenerateTask, "evaluate", None)
    with pytest.raises(UserError, match="the task generate has no metrics"):
        command("evaluate", str(run))
    monkeypatch.setattr(GenerateTask, "measure", measure)
    with pytest.raises(UserError, match="leave out --metrics, --time-limit"):
        command("evaluate", str(run), "--metrics", "distance", "--time-limit", "3")
    assert command("evaluate", str(run), "--count", "70", "--seed", "3") == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split() == ["distance", "2", "0.5", "4.00", "lower"]
    assert "Not measured: a share (there is too little)." in out
    assert "1 x 70 samples from seed 3 on" in out
    distance, share = figures_of(run)
    assert (distance.value, distance.images, distance.protocol.count) == (2.0, 32, 70)
    assert math.isnan(share.value)
    card = checkpoint.head(run / "model.safetensors")
    assert [row["metric"] for row in card["metrics"]] == ["distance", "share"]
    assert "distance" in (run / "report.html").read_text()


@pytest.mark.usefixtures("wide")
def test_what_was_passed_over_is_said(replay: Path, mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(replay), "--data", str(mini), "--count", "60", "--extractor", "pixels"]
    assert command(*arguments) == 0
    out = capsys.readouterr().out
    assert "Not measured: " in out
    assert "does not know the classes" in out


@pytest.mark.usefixtures("wide")
def test_compare_sets_runs_side_by_side(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Path(shutil.copytree(run, tmp_path / "another"))
    for folder in (run, other):
        assert command(*shrink(folder)) == 0
    capsys.readouterr()
    assert command("compare", str(run), str(other)) == 0
    out = capsys.readouterr().out
    for text in ("run", "another", "real images", "Frechet distance", "precision"):
        assert text in out
    assert command(*shrink(other, "--seed", "1")) == 0
    with pytest.raises(UserError, match=r"seed \(0 and 1\)"):
        command("compare", str(run), str(other))
    with pytest.raises(UserError, match="at least two runs"):
        command("compare", str(run))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "nothing"], "no run or model nothing"),
        (["evaluate", "RUN", "--metrics", "fid"], "no metric 'fid'"),
        (["evaluate", "RUN", "--count", "3"], "too few"),
        (["evaluate", "."], "holds no pictures"),
        (["evaluate", "RUN", "--extractor", "net.pt"], "no file net.pt"),
        (["compare", "RUN", "RUN"], "no metrics yet"),
        (["compare"], "two runs"),
    ],
)
def test_mistakes_end_with_2_and_a_sentence(
    arguments: list[str],
    words: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ganvas", *(a.replace("RUN", str(trained)) for a in arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("ganvas: ")
    assert list(tmp_path.iterdir()) == []
