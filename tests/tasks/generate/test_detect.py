"""The discriminator as a detector: calibrated, honest about what it knows, and part of the model file."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ganvas as command
from PIL import Image

import ganvas
from ganvas.core import checkpoint, seeds
from ganvas.core.errors import UserError
from ganvas.export import model_card
from ganvas.images import data, sheets
from ganvas.images import tensors as im
from ganvas.images.shown import Pictures
from ganvas.tasks.generate import detect_files
from ganvas.tasks.generate.detect import detector as detection
from ganvas.tasks.generate.detect import outliers
from ganvas.tasks.generate.detect.detector import Detector, auroc, calibration_error, parts
from ganvas.training.events import Noted

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def model(run: Path) -> ganvas.Model:
    return ganvas.load(run)


@pytest.fixture(scope="module")
def real(run: Path) -> torch.Tensor:
    """The held-out images that nothing has learned from."""
    held_out = data.load(str(run.parent)).held_out.images
    return held_out[parts(len(held_out), 0, 800).report]


# -------------------- outliers


@pytest.mark.parametrize("name", [*outliers.LEARNED, *outliers.UNSEEN])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 16)])
def test_a_family_of_outliers(name: str, channels: int, size: int) -> None:
    given = torch.randint(0, 256, (7, channels, size, size), dtype=torch.uint8)
    given[:, :, :4] = 0
    before = given.clone()
    family = {**outliers.LEARNED, **outliers.UNSEEN}[name]
    made = family(given, seeds.generator(0, name))
    assert made.shape == given.shape
    assert made.dtype == torch.uint8
    assert torch.equal(given, before)
    assert torch.equal(made, family(given, seeds.generator(0, name)))
    assert (made != given).flatten(1).any(1).all()


def test_no_family_is_both_learned_and_asked_about() -> None:
    assert not {*outliers.LEARNED.values()} & {*outliers.UNSEEN.values()}
    assert not set(outliers.LETTERS[0]) & set(outliers.LETTERS[1])


def test_shuffled_patches_and_shifts_keep_every_pixel() -> None:
    given = torch.arange(2 * 16 * 16, dtype=torch.float).remainder(256).to(torch.uint8).view(2, 1, 16, 16)
    for family in (outliers.shuffled, outliers.shifted):
        made = family(given, seeds.generator(0, "x"))
        assert torch.equal(made.flatten(1).sort().values, given.flatten(1).sort().values)


# -------------------- figures by hand


def test_auroc_by_hand() -> None:
    assert auroc(torch.tensor([0.9, 0.8]), torch.tensor([0.1, 0.2, 0.3])) == 1.0
    assert auroc(torch.tensor([0.1]), torch.tensor([0.9])) == 0.0
    assert auroc(torch.tensor([0.5, 0.5]), torch.tensor([0.5])) == 0.5
    # pairs: 0.7 beats 0.6 and 0.1; 0.4 beats 0.1 only; 0.6 ties with 0.6: (2 + 1 + 1.5) / 6
    assert auroc(torch.tensor([0.7, 0.4, 0.6]), torch.tensor([0.6, 0.1])) == pytest.approx(4.5 / 6)
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    scores, truth = torch.rand(500).mul(20).round() / 20, torch.rand(500) < 0.4
    wanted = float(torchmetrics.binary_auroc(scores, truth.long()))
    assert auroc(scores[truth], scores[~truth]) == pytest.approx(wanted, abs=1e-6)


def test_calibration_error_by_hand() -> None:
    sure = torch.tensor([0.99] * 10)
    assert calibration_error(sure, torch.tensor([True] * 10)) == pytest.approx(0.01, abs=1e-6)
    assert calibration_error(sure, torch.tensor([True, False] * 5)) == pytest.approx(0.49, abs=1e-6)
    # one bin says 0.2 (happens: 0), one says 0.7 (happens: 1), equally often: (0.2 + 0.3) / 2
    mixed, truth = torch.tensor([0.2] * 5 + [0.7] * 5), torch.tensor([False] * 5 + [True] * 5)
    assert calibration_error(mixed, truth) == pytest.approx(0.25, abs=1e-6)


def test_held_out_images_have_one_use_each() -> None:
    split = parts(1_000, 3, 20_000)
    every = torch.cat([split.learn, split.calibrate, split.report])
    assert every.sort().values.tolist() == list(range(1_000))
    assert torch.equal(split.report, parts(1_000, 3, 20_000).report)
    assert not torch.equal(split.report, parts(1_000, 4, 20_000).report)
    assert len(parts(1_000, 3, 800).learn) == 80


def test_thresholds_follow_from_the_quantiles() -> None:
    detector = Detector(4)
    detector.real_scores.copy_(torch.linspace(0.5, 1, detection.LEVELS))
    detector.other_scores.copy_(torch.linspace(0, 0.8, detection.LEVELS))
    no, yes = detector.thresholds(0.1)
    assert no == pytest.approx(0.55)
    assert yes == pytest.approx(0.72)
    detector.other_scores.fill_(0.1)
    assert detector.thresholds(0.1)[1] == pytest.approx(0.55)  # nothing is 'not sure' then


# -------------------- what a run leaves


def test_a_run_ends_with_a_detector_that_knows_its_kind(model: ganvas.Model, real: torch.Tensor) -> None:
    assert model.detector is not None
    kinds = [v.kind for v in model.detect(real)]
    assert kinds.count("no") <= 0.15 * len(kinds)  # 5% were asked for, of 160 images
    for family in (outliers.noise, outliers.inverted, outliers.clothes):
        made = model.detect(family(real, seeds.generator(0, "test")))
        assert sum(v.kind == "no" for v in made) > 0.9 * len(made)


def test_floats_are_rounded_to_eight_bits(model: ganvas.Model, real: torch.Tensor) -> None:
    assert model.detect(real) == model.detect(im.to_float(real)) == model.detect(im.to_float(real) + 1e-4)
    assert model.detect(real[:0]) == []
    some = Pictures.of(real[:5])
    for given in (some.pixels(), real[:5].numpy(), some.pil()):
        assert model.detect(given) == model.detect(real[:5])


def test_a_verdict_does_not_depend_on_the_others(model: ganvas.Model, real: torch.Tensor) -> None:
    alone = [model.detect(x[None])[0].probability for x in real[:5]]
    assert alone == pytest.approx([v.probability for v in model.detect(real)[:5]], abs=1e-4)


def test_a_stricter_alarm_rate_calls_fewer(model: ganvas.Model, real: torch.Tensor) -> None:
    called = [sum(v.kind == "no" for v in model.detect(real, alarm)) for alarm in (0.01, 0.1, 0.5)]
    assert called == sorted(called)
    assert called[0] < called[2]
    assert abs(called[2] / len(real) - 0.5) < 0.2


def test_the_report_says_what_was_learned(run: Path, model: ganvas.Model) -> None:
    report = detect_files.report(run, model, alarm=0.1)
    rows = {row.name: row for row in report.rows}
    assert report.real == 160
    assert 0 <= report.false_alarm <= 0.25
    assert rows["own pictures, new seeds"].count == detect_files.OWN
    assert rows["noise"].auroc > 0.95
    assert not rows["noise"].learned
    assert rows["inverted"].learned
    card = model.card["detector"]
    assert {row["name"] for row in card["rows"]} == set(rows)
    assert card["real"] == 160


def test_other_models_and_pictures_in_a_report(run: Path, model: ganvas.Model, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    np.savez(tmp_path / "x.npz", images=np.zeros((5, 20, 20, 3), np.uint8))
    rows = {row.name: row for row in detect_files.report(run, model, against=[run, tmp_path, tmp_path / "x.npz"]).rows}
    assert rows[str(run)].count == detect_files.OWN
    assert rows[str(tmp_path)].count == 1
    assert rows[str(tmp_path / "x.npz")].count == 5


def test_a_report_needs_the_same_data(run: Path, model: ganvas.Model, blobs: Path) -> None:
    with pytest.raises(UserError, match="other images"):
        detect_files.report(run, model, data=blobs)


def test_the_same_run_learns_the_same_detector(run: Path, tmp_path: Path) -> None:
    from conftest import quick

    for _ in quick("mnist", run.parent, steps=60).run(tmp_path / "again"):
        pass
    assert torch.equal(
        *(
            checkpoint.load(place / "model.safetensors")[0]["detector.head.0.weight"]
            for place in (run, tmp_path / "again")
        )
    )


FEW = "96 held-out pictures, 100 needed; train on more pictures (of a folder about a tenth is held out)"


def test_a_training_without_enough_held_out_images_says_so(tmp_path: Path) -> None:
    from conftest import quick, write_blobs

    place = write_blobs(tmp_path, 300, 96)
    events = list(quick("mnist", place, steps=2).override({"detect": "800"}).run(tmp_path / "run"))
    assert [e.text for e in events if isinstance(e, Noted)][-1] == f"No detector: {FEW}."
    few = ganvas.load(tmp_path / "run")
    assert few.detector is None
    assert few.no_detector == few.card["no_detector"] == FEW
    with pytest.raises(UserError, match=re.escape(f"has no detector: {FEW}.")):
        few.detect(torch.zeros(1, 1, 12, 12, dtype=torch.uint8))
    assert model_card.facts(few)["detector"] == f"none: {FEW}"
    assert FEW in (tmp_path / "run" / "report.html").read_text()


def test_100_held_out_images_are_enough_for_one_false_alarm_in_41(blobs: Path, tmp_path: Path) -> None:
    from conftest import quick

    for _ in quick("mnist", blobs, steps=2).override({"detect": "800"}).run(tmp_path / "run"):
        pass
    model = ganvas.load(tmp_path / "run")
    assert model.no_detector == ""
    assert model.card["detector"]["calibrated"] == 40
    assert model.smallest_alarm == pytest.approx(1 / 41)
    assert model.detector_for(0.0244) is model.detector
    with pytest.raises(UserError, match=r"can promise 0\.0244 at best"):
        model.detect(torch.zeros(1, 1, 12, 12, dtype=torch.uint8), 0.024)
    older = dataclasses.replace(model, card={**model.card, "detector": {"real": 160}})  # as many calibrated it
    assert older.smallest_alarm == pytest.approx(1 / 161)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"no_detector": "96 held-out\x1b[31m"}, "96 held-out\\x1b[31m"),
        ({"no_detector": 3, "finished": False}, "it is trained at the end of a training; resume it: ganvas resume RUN"),
        ({"finished": True, "task": {"detect": 0}}, "the training had detect=0"),
        ({"finished": True, "task": "generate"}, "its training ended without one, and did not note why"),
    ],
)
def test_why_there_is_none(card: dict[str, Any], words: str) -> None:
    assert detection.why_none_in(card).startswith(words)


def test_a_new_image_is_below_the_levels_no_more_often_than_they_say() -> None:
    levels = detection._levels(torch.tensor([0.4, 0.1, 0.3, 0.2]))  # each of 5 is the lowest with a chance of 1/5
    values = [round(float(levels[round(share * (detection.LEVELS - 1))]), 3) for share in (0, 0.19, 0.2, 0.399, 0.4, 1)]
    assert values == [0, 0, 0.1, 0.1, 0.2, 0.4]
    count, called = 40, 0
    for i in range(2_000):
        scores = torch.rand(count + 1, generator=torch.Generator().manual_seed(i))
        called += int(scores[-1] < detection._levels(scores[:-1])[50])  # 5%
    assert called / 2_000 == pytest.approx(2 / 41, abs=0.015)


def test_older_reports_stay_what_they_were() -> None:
    """Their images are divided as they were when 200 were the least."""
    assert len(parts(500, 0, 160).learn) == 40


def test_wrong_questions(model: ganvas.Model) -> None:
    with pytest.raises(UserError, match="shape"):
        model.detect(torch.zeros(1, 3, 12, 12))
    for alarm in (0.0, 0.7, float("nan")):
        with pytest.raises(UserError, match="false-alarm rate"):
            model.detect(torch.zeros(1, 1, 12, 12), alarm)


# -------------------- files


@pytest.fixture
def folder(tmp_path: Path, real: torch.Tensor) -> Path:
    """Three real images, a large coloured one, and a broken file."""
    place = tmp_path / "images"
    place.mkdir()
    for i in range(3):
        sheets.save_grid(place / f"real{i}.png", real[i : i + 1], 1)
    Image.new("RGBA", (200, 100), (0, 0, 255, 80)).save(place / "wide.png")
    (place / "broken.png").write_bytes((place / "real0.png").read_bytes()[:40])
    return place


def test_detect_names_broken_files_and_what_it_converted(run: Path, folder: Path, tmp_path: Path) -> None:
    done = command("detect", str(run), "images", "--out", "sheet.png", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "broken.png cannot be read" in done.stderr
    assert "1 of 5 files was skipped" in done.stderr
    assert "200x100 to 12x12 pixels, colour with transparency to grey" in done.stdout.replace("\n", " ")
    assert (tmp_path / "sheet.png").is_file()
    done = command("detect", str(run), "images/real0.png", "images/wide.png", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["file"] for row in rows] == ["images/real0.png", "images/wide.png"]
    assert rows[0]["probability"] > rows[1]["probability"]
    assert rows[1]["verdict"] == "no"
    assert "converted" not in rows[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none"], "no file or folder"),
        (["empty"], "holds no pictures"),
        (["images/broken.png"], "cannot be read"),
        (["images/real0.png", "--alarm", "0.9"], "false-alarm rate"),
        ([], "Name at least one image"),
    ],
)
def test_mistakes(run: Path, folder: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "empty").mkdir()
    done = command("detect", str(run), *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert words in done.stderr.replace("\n", " ")
