"""Sounds from noise: a short training on tones and noises, and what comes of it."""

from __future__ import annotations

import json
import math
import shutil
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ganvas as program
from conftest import write_sounds

import ganvas
from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.sounds import decode, files, kind
from ganvas.sounds.data import DataConfig
from ganvas.tasks.sound import detect_report, nearest
from ganvas.tasks.sound.model import SoundModel, load
from ganvas.training.batches import Batches

RATE = 8_000
SETTINGS: dict[str, Any] = {"images": 96, "batch": 8, "width": 16, "d_width": 16, "features": 16, "latent_dim": 8}
SETTINGS |= {"device": "cpu", "precision": "fp32", "tick_every": 32, "sample_every": 48, "sample_at": ()}


def command(place: Path, *arguments: object, code: int = 0) -> tuple[str, str]:
    """What a command prints, and its errors."""
    done = program(*map(str, arguments), cwd=place)
    assert done.returncode == code, done.stderr
    return done.stdout, " ".join(done.stderr.replace("\u2502", " ").split())


def train(data: Path, run: Path, recipe: str = "sound", **more: Any) -> list[Any]:
    settings: Any = SETTINGS | more
    return list(ganvas.train(recipe, data=str(data), run=run, **settings))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sounds(tmp_path_factory.mktemp("sounds") / "data")


@pytest.fixture(scope="module")
def run(place: Path) -> Path:
    folder = place.parent / "run"
    train(place, folder)
    return folder


@pytest.fixture(scope="module")
def model(run: Path) -> SoundModel:
    return load(run)


def test_a_training_leaves_sheets_and_strips_from_noise_on(run: Path) -> None:
    names = sorted(path.name for path in (run / "samples").iterdir())
    moments = ("reals", "fakes_init", "fakes_000000", "fakes_000000096")
    assert names == sorted(f"{moment}{suffix}" for moment in moments for suffix in (".png", ".wav"))
    with wave.open(str(run / "samples" / "fakes_init.wav")) as strip:
        assert (strip.getframerate(), strip.getnchannels(), strip.getsampwidth()) == (RATE, 1, 2)
    checks = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"silent", "hum", "hiss", "diversity", "held_out"} <= checks[-1].keys()


def test_a_seed_is_the_same_sound_alone_among_others_and_in_another_run(
    place: Path, model: SoundModel, tmp_path: Path
) -> None:
    waves = model.sample(7, seed=3)
    assert waves.shape == (7, model.spec.samples)
    assert torch.allclose(model.sample(1, classes=[2], seed=5)[0], waves[2], atol=1e-3)
    for name in ("run", "again"):
        train(place, tmp_path / name, images=48)
    assert torch.equal(load(tmp_path / "run").sample(3), load(tmp_path / "again").sample(3))


def test_drawn_sounds_have_the_peak_that_real_ones_have(model: SoundModel) -> None:
    peaks = model.sample(6).abs().amax(1)
    assert torch.allclose(peaks, torch.full((6,), 0.9), atol=1e-4)


def test_the_weights_that_drew_the_nearest_sounds_are_kept(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distances = iter((2.0, 2.1, 5.0))  # after 32, 64 and 96 sounds; 2.1 is about as near as 2
    monkeypatch.setattr(nearest, "apart", lambda *_: next(distances))
    events = train(place, tmp_path / "run", sample_every=32, keep_models=True)
    kept, last = (load(tmp_path / "run" / "models" / f"model_0000000{n}.safetensors") for n in (64, 96))
    ours = load(tmp_path / "run").generator.state_dict()
    assert all(torch.equal(value, kept.generator.state_dict()[name]) for name, value in ours.items())
    assert not all(torch.equal(value, last.generator.state_dict()[name]) for name, value in ours.items())
    told = [getattr(event, "text", "") for event in events]
    assert any("after 64 sounds are kept" in text and "distance 2.10, now 5.00" in text for text in told)


def test_noise_is_further_from_real_sounds_than_they_are_from_each_other(place: Path) -> None:
    data = last(DataConfig(str(place)).loading())
    batches = Batches(data, 8, 0, torch.device("cpu"))
    near, far = (
        nearest.apart(lambda z, labels, x=x: x[: len(z)], batches, data.spec, 8)  # pyright: ignore[reportArgumentType]
        for x in (batches.seen(100).real, torch.rand_like(batches.seen(100).real) * 2 - 1)
    )
    assert near < 1e-6 < 1 < far


def test_the_recipe_for_few_disturbs_as_much_as_overfitting_asks(place: Path, tmp_path: Path) -> None:
    train(place, tmp_path / "run", "sound-few")
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all("augment" in row and "overfit" in row for row in rows[1:])


def test_sounds_are_written_as_folder_zip_and_strip(run: Path, tmp_path: Path) -> None:
    out, _ = command(tmp_path, "sample", run, "--count", "5", "--out", tmp_path / "some", "--form", "flac")
    assert "Drew 5 sounds" in out
    assert sorted(p.relative_to(tmp_path / "some").as_posix() for p in (tmp_path / "some").rglob("*.flac")) == [
        "down/seed000000.flac",
        "down/seed000003.flac",
        "noise/seed000001.flac",
        "noise/seed000004.flac",
        "up/seed000002.flac",
    ]
    command(tmp_path, "sample", run, "--seeds", "4,4", "--class", "up", "--out", tmp_path / "two.zip")
    with zipfile.ZipFile(tmp_path / "two.zip") as archive:
        assert archive.namelist() == ["up/seed000004.wav", "up/seed000004-2.wav"]
    command(tmp_path, "sample", run, "--seeds", "0-3", "--out", tmp_path / "four.wav")
    with wave.open(str(tmp_path / "four.wav")) as strip:
        assert strip.getnframes() == 4 * load(run).spec.samples + 3 * round(files.GAP * RATE)


def test_a_data_set_is_scaled_and_read_again(run: Path, tmp_path: Path) -> None:
    out, _ = command(tmp_path, "expand", run, "--out", "more", "--count", "3", "--form", "flac")
    assert "9 sounds: more" in out
    assert "Near copies cannot be recognised: it needs 20 held-out sounds" in out
    assert "the model has no detector" in out
    assert "No trial of whether they help" in out
    again = kind.find(str(tmp_path / "more"))
    assert [again.labels.count(name) for name in ("down", "noise", "up")] == [3, 3, 3] if again.labels else False
    seed = next((tmp_path / "more" / "up").iterdir()).stem.removeprefix("seed")
    command(tmp_path, "sample", run, "--seeds", seed, "--class", "up", "--out", "one", "--form", "flac")
    one = f"up/seed{seed}.flac"
    assert np.allclose(*(decode.read((tmp_path / at / one).read_bytes()).wave for at in ("one", "more")), atol=2e-3)
    assert "already exists" in command(tmp_path, "expand", run, "--out", "more", code=2)[1]
    command(tmp_path, "expand", run, "--out", "more", "--count", "1", "--force")
    assert len([*(tmp_path / "more").rglob("*.*")]) == 3


def test_classes_are_learned_from_a_table_beside_the_sounds(place: Path, tmp_path: Path) -> None:
    (tmp_path / "flat" / "clips").mkdir(parents=True)
    rows = ["slice_file_name;fold;class"]
    for i, path in enumerate(sorted(place.rglob("*.wav"))):
        shutil.copy(path, tmp_path / "flat" / "clips" / f"{i}.wav")
        rows.append(f"{i}.wav;1;{path.parent.name}")
    table = tmp_path / "flat" / "labels.csv"
    table.write_text("\n".join(rows) + "\n")
    out, _ = command(tmp_path, "data", "check", "flat")
    assert "Classes   3: down 12, noise 12, up 12" in out
    assert "skipped" not in out
    train(tmp_path / "flat", tmp_path / "run", images=16)
    assert load(tmp_path / "run").class_names == ("down", "noise", "up")
    command(tmp_path, "sample", "run", "--class", "noise", "--count", "2", "--out", "two")
    assert len([*(tmp_path / "two" / "noise").iterdir()]) == 2
    _, error = command(tmp_path, "train", "sound", "--data", "flat/labels.csv", code=2)
    assert error.endswith("of the sounds next to it, name their folder: ganvas train sound --data flat")
    table.write_text("\n".join([*rows, "none.wav;1;up"]) + "\n")
    out, _ = command(tmp_path, "data", "check", "flat")
    assert "names 1 file that is not there (the first: none.wav, line 38)" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.mp3"], "Ganvas writes NAME.wav"),
        (["--count", "0"], "at least 1 sound is needed"),
        (["--class", "four"], "four"),
        (["--truncation", "0"], "it must be above 0"),
        (["--count", "1001", "--out", "x.wav"], "1,001 sounds are too many for one file"),
        (["--where", "a=b"], "say --class NAME"),
    ],
)
def test_what_cannot_be_drawn_is_said(run: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    _, error = command(tmp_path, "sample", run, *arguments, code=2)
    assert words in error
    assert not any(tmp_path.iterdir())


def test_nothing_is_overwritten_unasked_and_no_foreign_folder_ever(run: Path, tmp_path: Path) -> None:
    command(tmp_path, "sample", run, "--count", "2", "--out", tmp_path / "a")
    assert "is not empty" in command(tmp_path, "sample", run, "--count", "2", "--out", tmp_path / "a", code=2)[1]
    command(tmp_path, "sample", run, "--count", "1", "--out", tmp_path / "a", "--force")
    assert len([*(tmp_path / "a").rglob("*.wav")]) == 1
    (tmp_path / "a" / "mine.txt").write_text("mine")
    assert "mine.txt" in command(tmp_path, "sample", run, "--count", "1", "--out", tmp_path / "a", "--force", code=2)[1]


def test_a_model_that_draws_no_numbers_says_so(run: Path) -> None:
    broken = load(run)
    generator: Any = broken.generator
    generator.head.weight.fill_(torch.nan)
    with pytest.raises(UserError, match=r"not numbers \(seed 5\)"):
        broken.sample(2, seed=5)


def test_info_says_what_the_sounds_are(run: Path, tmp_path: Path) -> None:
    out, _ = command(tmp_path, "info", run)
    assert "0.34 s at 8 kHz, one channel" in out
    assert "windows of 56 ms" in out


def test_a_training_that_is_left_before_its_first_check_goes_on(place: Path, run: Path, tmp_path: Path) -> None:
    settings: Any = SETTINGS | {"save_seconds": 0.0}
    for event in ganvas.train("sound", data=str(place), run=tmp_path / "run", **settings):
        if event.images >= 32:
            break
    train(place, tmp_path / "run", save_seconds=0.0)
    one, other = (load(folder).generator.state_dict() for folder in (run, tmp_path / "run"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_distances_that_are_not_known_can_be_saved() -> None:
    assert nearest.shorter(nearest.NONE, math.inf) == nearest.NONE
    assert nearest.shorter(nearest.NONE, 3.0) == 3.0
    assert nearest.shorter(2.0, math.nan) == 2.0
    assert nearest.shorter(2.0, 1.0) == 1.0


def test_two_sounds_are_enough_to_begin(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(2):
        files.save(tmp_path / "data" / f"{i}.wav", 0.1 * rng.standard_normal(RATE // 2).astype(np.float32), RATE)
    train(tmp_path / "data", tmp_path / "run", images=16, sample_every=16, detect=0)
    assert load(tmp_path / "run").draw_waves(range(2), None).isfinite().all()


def test_a_model_that_draws_harmonics_apart_is_exported(place: Path, tmp_path: Path) -> None:
    train(place, tmp_path / "run", harmonics="yes", detect=0)
    command(tmp_path, "export", "run", "--out", "onnx", "--web", "page")
    assert (tmp_path / "onnx" / "generator.onnx").is_file()


def test_each_class_is_among_those_that_are_looked_at() -> None:
    labels = torch.cat([torch.zeros(1_000), torch.arange(1, 11).repeat(2)]).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    found = detect_report.of_each_class(order, labels)
    assert torch.equal(found.sort().values, torch.arange(len(labels)))
    assert set(labels[found[:28]].tolist()) == set(range(11))
    assert torch.equal(found[28:], torch.tensor([i for i in order.tolist() if i in set(found[28:].tolist())]))
