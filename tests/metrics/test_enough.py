"""Too few pictures, pictures that are all the same, features that are no numbers: a reason stands for the figure."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import quick, write_blobs
from torch import Tensor

from ganvas import cli
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.run import Run
from ganvas.export import model_card
from ganvas.images import data
from ganvas.images.data import ImageData
from ganvas.images.features import extractors
from ganvas.metrics import Pair, Seen, Side, copies, distances, enough
from ganvas.metrics.figures import Figure, Protocol, compare, figures_of, readable
from ganvas.report import diagnosis
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.generate.evaluate import evaluate as evaluation
from ganvas.tasks.generate.evaluate import reference
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.evaluate.metrics import METRICS, RAW
from ganvas.tasks.restore import evaluate as restore_evaluate
from ganvas.tasks.translate import colours
from ganvas.tasks.translate import evaluate as translate_evaluate

LEAST = {
    "frechet": 100,
    "kernel": 100,
    "precision": 50,
    "recall": 50,
    "density": 50,
    "coverage": 50,
    "mifid": 100,
    "classifier-score": 100,
    "label-balance": 100,
    "class-accuracy": 50,
    "class-frechet": 200,
    "near-copies-pixels": 50,
    "near-copies-features": 50,
    "fresh-expert": 200,
}
N = 240


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def noise(count: int, seed: int = 0, spread: float = 60.0) -> Tensor:
    """Grey pictures of 8 pixels around the middle level."""
    return (128 + spread * random(count, 1, 8, 8, seed=seed)).clamp(0, 255).to(torch.uint8)


def side(count: int = N, seed: int = 0, **changes: Any) -> Side:
    features, opinions = random(count, 6, seed=seed), random(count, 3, seed=seed)
    whole = Side(noise(count, seed), features, opinions, torch.arange(count) % 3, RAW)
    return dataclasses.replace(whole, **changes)


def nearest(count: int = 100, least: float = 1.0) -> copies.Nearest:
    return copies.Nearest(torch.linspace(least, 2.0, count), torch.zeros(count, dtype=torch.long))


def pair(other: Side, real: Side | None = None, held_out: copies.Nearest | None = None, **more: Any) -> Pair:
    held_out = held_out or nearest()
    seen = Seen(noise(300, 9), random(300, 6, seed=9), held_out, held_out, more.pop("angle", 0.3))
    return Pair(real or side(), other, seen, ("a", "b", "c"), **more)


# -------------------- every metric of the table


def test_each_metric_states_its_least() -> None:
    assert {name: metric.least for name, metric in METRICS.items()} == LEAST


@pytest.mark.parametrize("name", METRICS)
def test_enough_different_pictures_have_a_figure(name: str) -> None:
    assert METRICS[name].missing(pair(side(seed=1))) == ""


@pytest.mark.parametrize("name", METRICS)
def test_too_few(name: str) -> None:
    least = LEAST[name]
    few = METRICS[name].missing(pair(side(least - 1, seed=1)))
    assert few == f"it needs {least} images of each kind, and there are {least - 1}"
    if name != "class-frechet":  # of 200 images each class must have 20, too
        assert METRICS[name].missing(pair(side(least, seed=1))) == ""


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("count", [60, N])
def test_constant_pictures(name: str, count: int) -> None:
    plain = torch.full((count, 1, 8, 8), 255, dtype=torch.uint8)
    same = side(count, samples=plain, features=torch.zeros(count, 6))
    assert METRICS[name].missing(pair(same)) == f"all {count} pictures are the same"
    assert METRICS[name].missing(pair(side(seed=1), real=same)) == f"all {count} real images are the same"
    assert METRICS[name].missing(pair(same, other_is_real=True)) == f"all {count} other real images are the same"


@pytest.mark.parametrize("name", METRICS)
def test_pictures_that_come_many_times(name: str) -> None:
    again = side(samples=noise(N, 1)[torch.arange(N) % 20])
    wanted = f"only 20 of the {N} pictures differ from each other, and it needs {LEAST[name]}"
    assert METRICS[name].missing(pair(again)) == wanted


@pytest.mark.parametrize("name", METRICS)
def test_nearly_constant_pictures(name: str) -> None:
    """No two are the same, and there is next to nothing between them."""
    real = side()
    alike = side(samples=noise(N, 1, spread=3.0), features=0.05 * real.features)
    share = alike.raw_variance / real.raw_variance if METRICS[name].raw else 0.0025
    assert share < 0.01
    assert METRICS[name].missing(pair(alike)) == (
        f"the pictures are nearly all the same: they vary {share:.2%} as much as real images, and 1% is the least"
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_no_numbers(name: str, bad: float) -> None:
    features = random(N, 6, seed=1)
    features[[3, 50, 111], 2] = bad
    wanted = "" if METRICS[name].raw else f"the extractor gives no finite numbers for 3 of the {N} pictures"
    assert METRICS[name].missing(pair(side(seed=1, features=features))) == wanted
    wanted = wanted.replace("pictures", "real images")
    assert METRICS[name].missing(pair(side(seed=1), real=side(features=features))) == wanted


def test_opinions_that_are_no_numbers() -> None:
    broken = side(seed=1, logits=torch.full((N, 3), math.nan))
    found = {name for name, metric in METRICS.items() if metric.missing(pair(broken))}
    assert found == {"classifier-score", "label-balance", "class-accuracy"}


def test_an_extractor_that_sees_no_difference_between_real_images() -> None:
    blind = side(features=torch.ones(N, 6))
    assert (
        METRICS["frechet"].missing(pair(side(seed=1), real=blind))
        == "the real images are all the same to the extractor"
    )


# -------------------- what single metrics need


@pytest.mark.parametrize("name", ["near-copies-pixels", "near-copies-features"])
def test_near_copies_need_held_out_images_that_are_none(name: str) -> None:
    few, leaked = pair(side(seed=1), held_out=nearest(99)), pair(side(seed=1), held_out=nearest(100, least=0.0))
    assert METRICS[name].missing(few) == "it needs 100 held-out images, and there are 99"
    assert METRICS[name].missing(leaked) == ""  # a single one
    distance = torch.cat([torch.zeros(3), torch.ones(97)])
    many = pair(side(seed=1), held_out=copies.Nearest(distance, torch.zeros(100, dtype=torch.long)))
    wanted = "more than 1% of the held-out images are copies of training images themselves"
    assert METRICS[name].missing(many) == wanted


def test_classes_must_have_images_enough() -> None:
    lopsided = side(seed=1, labels=torch.tensor([0] * 200 + [1] * 21 + [2] * 19))
    assert METRICS["class-frechet"].missing(pair(lopsided)) == ""  # two of three classes
    alone = side(seed=1, labels=torch.zeros(N, dtype=torch.long))
    wanted = "only 1 of the 3 classes have 20 real and as many generated images"
    assert METRICS["class-frechet"].missing(pair(alone)) == wanted


def test_the_memory_informed_distance_is_held_against_held_out_images() -> None:
    assert distances.memory_informed(6.0, 0.03, 0.01) == 6  # farther than real ones: no penalty, and no gain
    assert distances.memory_informed(6.0, 0.01, 0.01) == 6
    assert distances.memory_informed(6.0, 0.004, 0.01) == pytest.approx(15)
    assert distances.memory_informed(6.0, 0.0, 0.01) > 1e9


def test_what_is_unlike_all_real_images_has_no_better_memory_informed_distance() -> None:
    """Held-out images come nearer than 0.1: with that as a fixed threshold they alone would be punished."""
    real = side()
    good = pair(side(seed=1), real, other_is_real=True, angle=0.01)
    odd = pair(side(features=3 + random(N, 6, seed=2)), real, angle=0.01)
    odd.__dict__["angle_to_seen"] = 0.4
    assert METRICS["mifid"].function(good) == pytest.approx(good.distance)
    assert METRICS["mifid"].function(odd) == pytest.approx(odd.distance)
    assert odd.distance > 20 * good.distance


def test_mifid_on_inception_needs_held_out_images_that_are_not_near() -> None:
    near, usual = (pair(side(seed=1), inception=True, angle=angle) for angle in (0.04, 0.3))
    assert METRICS["mifid"].missing(near) == (
        "held-out real images are nearer than 0.1 to training images themselves (0.040), and would count as copies"
    )
    assert METRICS["mifid"].missing(usual) == ""
    usual.__dict__["angle_to_seen"] = 0.05
    assert METRICS["mifid"].function(usual) == pytest.approx(20 * usual.distance)
    same = pair(side(seed=1), angle=0.0)
    assert METRICS["mifid"].missing(same) == "the held-out images are the training images, to the extractor"


# -------------------- ganvas evaluate


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blobs(tmp_path_factory.mktemp("real"), 400, 300)


def npz(path: Path, images: Tensor) -> Path:
    np.savez(path, images=images.numpy())
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return npz(tmp_path / "plain.npz", torch.full((60, 1, 12, 12), 255, dtype=torch.uint8))


def measured(source: Path, metrics: Any = None, **more: Any) -> dict[str, Figure]:
    events = evaluation.evaluate(source, metrics, **{"extractor": "pixels", "repeats": 2, "count": 100, **more})
    return {e.metric: e for e in events if isinstance(e, Figure)}


def test_constant_pictures_come_out_good_nowhere(place: Path, plain: Path) -> None:
    found = measured(plain, "all", data=place)
    assert list(found) == list(METRICS)
    assert {f.note for f in found.values()} == {"all 60 pictures are the same"}
    assert all(math.isnan(f.value) and math.isnan(f.floor) for f in found.values())
    assert all(f.row()["value"] is None and f.row()["note"] for f in found.values())
    with pytest.raises(UserError, match="Frechet, memory-informed cannot be measured: all 60 pictures are the same"):
        measured(plain, "mifid", data=place)


def test_the_table_says_why(place: Path, plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(plain), "--data", str(place), "--extractor", "pixels"]
    assert cli.app(arguments, result_action="return_value") == 0
    out = capsys.readouterr().out
    assert "Not measured: Frechet distance; kernel distance x 1000; precision; recall" in out
    assert "(all 60 pictures are the same)." in out
    assert "real images" not in out.split("\n\n")[0]  # no table without a figure
    good = npz(plain.with_name("good.npz"), data.load(str(place)).held_out.images[:60])
    assert cli.app([arguments[0], str(good), *arguments[2:]], result_action="return_value") == 0
    out = capsys.readouterr().out
    assert "Not measured: Frechet distance; kernel distance x 1000; Frechet, memory-informed; " in out
    assert "(it needs 100 images of each kind, and there are 60)." in out
    assert "60 pictures are few" in out


def test_an_extractor_that_gives_no_numbers(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(spec: Any) -> extractors.Extractor:
        return extractors.Extractor("broken", "x", lambda x: (torch.full((len(x), 4), math.nan), None))

    monkeypatch.setitem(extractors.EXTRACTORS, "broken", broken)
    images = data.load(str(place)).held_out.images
    found = measured(npz(tmp_path / "x.npz", images), data=place, extractor="broken")
    assert found["frechet"].note == "the extractor gives no finite numbers for 100 of the 100 real images"
    assert not found["near-copies-pixels"].note


def test_a_value_that_is_no_number_is_none(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = npz(tmp_path / "x.npz", data.load(str(place)).held_out.images)

    def fails(pair: Pair) -> float:
        raise torch.linalg.LinAlgError("it did not converge")  # pyright: ignore[reportPrivateImportUsage]

    for function in (lambda _: math.inf, fails):
        monkeypatch.setitem(METRICS, "recall", dataclasses.replace(METRICS["recall"], function=function))
        assert measured(good, data=place)["recall"].note == "the result was not a finite number"
        with pytest.raises(UserError, match="recall cannot be measured: the result was not a finite number"):
            measured(good, "recall", data=place)


def test_pictures_of_another_kind_are_not_blamed_on_the_data(tmp_path: Path) -> None:
    odd = npz(tmp_path / "x.npz", torch.zeros(60, 3, 28, 28, dtype=torch.uint8))
    with pytest.raises(UserError, match=r"3 channels; .* 28x28 and 1\. Make them match, or name other --data\."):
        measured(odd, data="mnist")


# -------------------- a run


@pytest.fixture(scope="module")
def collapsed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model draws the same picture, whatever the seed."""
    folder = tmp_path_factory.mktemp("collapsed") / "run"
    for _ in quick("mnist", place, steps=1).override({"detect": "0", "select": "0"}).run(folder):
        pass
    tensors, card = checkpoint.load(folder / "model.safetensors")
    spoilt = {k: v * 0 if k.startswith("generator") and v.is_floating_point() else v for k, v in tensors.items()}
    checkpoint.save(folder / "model.safetensors", spoilt, card)
    return folder


def test_a_collapsed_model_keeps_the_reason(collapsed: Path) -> None:
    found = measured(collapsed)
    assert found["frechet"].note == "all 100 pictures are the same"
    model = generate_model.load(collapsed)
    rows = {row["metric"]: row for row in model.card["metrics"]}
    assert rows["frechet"]["value"] is None
    assert "Frechet distance: not measured (all 100 pictures are the same)" in model_card.figures(model)
    newest = {f.metric: f for f in figures_of(collapsed)}
    assert newest["frechet"].note == "all 100 pictures are the same"
    assert math.isnan(compare(newest["frechet"], newest["frechet"]))


def test_a_collapsed_candidate_is_not_the_best(
    collapsed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extractors, "efficientnet", extractors.pixels)  # which takes seconds
    run = Run(collapsed)
    candidate = run.candidate(16)
    candidate.write_bytes(run.model.read_bytes())
    evaluation.measure_candidate(candidate, 100)
    assert not candidate.exists()
    assert not run.best.exists()
    assert readable(run.figures())[-1].note
    assert cli.app(["compare", str(collapsed), str(collapsed)], result_action="return_value") == 0
    assert "(all 100 pictures are the same)" in capsys.readouterr().out


def test_a_value_found_before_stays_on_the_card(collapsed: Path) -> None:
    measured(collapsed)
    path = collapsed / "model.safetensors"
    row = next(row for row in generate_model.load(collapsed).card["metrics"] if row["metric"] == "frechet")
    checkpoint.annotate(path, metrics=[{**row, "value": 3.5, "note": ""}, {"metric": "no figure"}])
    measured(collapsed)
    rows = {row["metric"]: row for row in generate_model.load(collapsed).card["metrics"]}
    assert rows["frechet"]["value"] == 3.5


def test_the_user_sees_which_data_a_run_names(collapsed: Path, place: Path) -> None:
    assert sources.reading(collapsed, None) == f"reading the data that {collapsed} names: {place}"
    assert sources.reading(collapsed, place) == ""
    first = next(evaluation.evaluate(collapsed))
    assert isinstance(first, Doing)
    assert (first.text, first.stays) == (sources.reading(collapsed, None), True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "/dev/null"}, "which is neither a file nor a folder"),
        ({"source": ["mnist"]}, "invalid 'source'"),
        ({"source": 3}, "invalid 'source'"),
        ({"source": "a\0b"}, "invalid 'source'"),
        ({"twins": {}}, "invalid 'twins'"),
        (None, "not a group of settings"),
    ],
)
def test_odd_data_in_a_run(change: Any, words: str, collapsed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes((collapsed / "model.safetensors").read_bytes())
    card = json.loads((collapsed / "experiment.json").read_text())
    card["data"] = None if change is None else {**card["data"], **change}
    (folder / "experiment.json").write_text(json.dumps(card))
    with pytest.raises(UserError, match=words):
        measured(folder)


# -------------------- figures in files that anyone may have written


GOOD = Figure(
    "frechet", "Frechet", 3.0, 0.1, 1.5, 0.1, "lower", False, Protocol("d", "m", 9, "train", 0, 1, "none", "x", "f")
).row()


@pytest.mark.parametrize(
    "odd",
    [
        {"value": "3"},
        {"value": math.inf},
        {"value": 10**120},
        {"value": True},
        {"metric": 3},
        {"images": None},
        {"images": "7"},
        {"protocol": {}},
        {"protocol": None},
        {"protocol": {**GOOD["protocol"], "count": "many"}},
        {"share": 1},
        {"more": 1},
    ],
)
def test_odd_figures_are_passed_over(odd: dict[str, Any], tmp_path: Path) -> None:
    assert readable([{**GOOD, **odd}, None, 3, GOOD, {}]) == [Figure.from_row(GOOD)]
    with pytest.raises(ValueError, match=r"."):
        Figure.from_row({**GOOD, **odd})
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ({**GOOD, **odd}, GOOD)))
    assert [f.value for f in figures_of(tmp_path)] == [3.0]


@pytest.mark.parametrize("value", [None, "3", True, math.nan, math.inf, 10**400, [1], {}])
def test_what_is_no_number_of_a_log(value: Any) -> None:
    assert diagnosis.number({"x": value}, "x") is None
    rows = [
        {"images": 16 * i, "loss_d": 1.0, "loss_g": 1.0, "accuracy_real": 0.7, "accuracy_fake": 0.7} for i in range(12)
    ]
    odd = {"images": 999, **dict.fromkeys(("loss_d", "loss_g", "accuracy_real", "accuracy_fake", "lr_d"), value)}
    assert diagnosis.remarks([*rows, odd, {"images": value}], [{"images": value}, {"images": 1, "diversity": value}])


# -------------------- the cache of real images


def spoilt_floors(tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    card["floors"] = {"100 held-out 3": {"frechet": ["low"]}}


def spoilt_card(tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    del card["floors"]


def spoilt_shape(tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    tensors["held.features"] = tensors["held.features"][:-1]


def spoilt_type(tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    tensors["pixels.index"] = tensors["pixels.index"].float()


def spoilt_number(tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    tensors["features.index"][0] = 10**6


def spoilt_name(tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    del tensors["angle"]


@pytest.mark.parametrize("spoil", [spoilt_floors, spoilt_card, spoilt_shape, spoilt_type, spoilt_number, spoilt_name])
def test_a_whole_cache_of_something_else_is_made_anew(
    spoil: Callable[[dict[str, Tensor], dict[str, Any]], None],
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    real = data.load(str(place))
    looks = extractors.pixels(real.spec)
    path = reference.ReferenceFeatures(real, looks, 0).path
    whole = path.read_bytes()
    tensors, card = checkpoint.load(path)
    spoil(tensors, card)
    checkpoint.save(path, tensors, card)
    again = reference.ReferenceFeatures(real, looks, 0)
    assert path.read_bytes() == whole
    assert again.reference(100, "held-out", 1).floor("frechet")[0] > 0


def test_the_limits_of_what_is_looked_at_are_part_of_the_key(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: ImageData = data.load(str(place))
    looks = extractors.pixels(real.spec)
    paths = {reference.ReferenceFeatures(real, looks, 0).path}
    monkeypatch.setattr(reference, "MOST", 150)
    paths.add(reference.ReferenceFeatures(real, looks, 0).path)
    assert len(paths) == 2


# -------------------- models that mend, and that translate


def judged(whole: Tensor, labels: Tensor | None = None) -> restore_evaluate.Answer:
    model: Any = SimpleNamespace(plan=SimpleNamespace(masked=False))
    looks = extractors.pixels(evaluation.sources.ImageSpec(1, 8))
    found = restore_evaluate._TestSet(whole, whole.float() / 127.5 - 1, labels, model, looks)
    found.prepare()
    return found.answer("x", (whole.float() * 0.9).to(torch.uint8))


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (noise(4), "it needs 5 pieces, and there are 4"),
        (torch.full((40, 1, 8, 8), 128, dtype=torch.uint8), "all 40 pieces are the same"),
        (
            torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8),
            "it needs 5 pieces with something to see in them, and there are 0",
        ),
    ],
)
def test_too_little_to_judge_a_restorer(whole: Tensor, reason: str) -> None:
    answer = judged(whole)
    assert math.isnan(answer.psnr)
    assert math.isnan(answer.ssim)
    assert answer.note.startswith(f"Not measured: PSNR and SSIM ({reason}). Not measured: Frechet distance (")


def test_a_restorer_with_pieces_enough() -> None:
    answer = judged(noise(N))
    assert 20 < answer.psnr < 40
    assert answer.frechet > 0
    assert answer.note == ""
    few = judged(noise(40), torch.arange(40) % 10)
    assert few.note == (
        "Not measured: Frechet distance (it needs 200 patches, and there are 40). "
        "Not measured: digits read (it needs 50 digits, and there are 40)."
    )


def test_too_little_to_weigh_a_translator() -> None:
    start, features = noise(N), random(N, 6)
    same = torch.full((N, 1, 8, 8), 9, dtype=torch.uint8)
    good = translate_evaluate._way("B", "translated", (start, features), (start, features + 1), (start, start, start))
    assert good.note == ""
    assert good.cycle == 100  # not infinite: that is no JSON
    assert good.middle == pytest.approx(1)
    made = translate_evaluate._way(
        "B", "translated", (same, torch.zeros(N, 6)), (start, features), (start, same, start)
    )
    assert math.isnan(made.frechet)
    assert made.note == (
        "Not measured: Frechet distance (all 240 pictures are the same). "
        "Not measured: colours (all inputs, or all outputs, have the same colours)."
    )
    few = [x[:4] for x in (start, features)]
    found = translate_evaluate._way("B", "translated", (few[0], few[1]), (start, features), (few[0], few[0], few[0]))
    assert found.note == (
        "Not measured: Frechet distance (it needs 100 pictures, and there are 4). "
        "Not measured: there and back (it needs 5 pictures, and there are 4). "
        "Not measured: colours (it needs 10 pictures, and there are 4)."
    )


def test_colours_of_few_pictures_are_not_compared() -> None:
    assert math.isnan(colours.followed(noise(9), noise(9))["middle"])
    assert colours.followed(noise(10), noise(10))["middle"] == pytest.approx(1)


def test_a_single_picture_is_too_few_and_not_all_the_same() -> None:
    assert enough.too_few(noise(1), 5, "pictures") == "it needs 5 pictures, and there are 1"
    assert enough.too_few(noise(5), 5, "pictures") == ""
