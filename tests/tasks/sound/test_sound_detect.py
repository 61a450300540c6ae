"""The detector of sounds: what is unlike the training's sounds, wrong labels, and the command."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas.core import checkpoint, meta
from ganvas.core.errors import UserError
from ganvas.core.samples import InMemory, Rows
from ganvas.sounds import files, fit
from ganvas.sounds.fit import FULL
from ganvas.sounds.sheets import Preview
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import detect, detect_command, detect_report, network
from ganvas.tasks.sound.model import SoundModel
from ganvas.tasks.sound.task import Config, SoundTask
from ganvas.training.batches import Batches

NAMES = ("high", "low")
SPEC = SoundSpec.of(4_000, 2_000, 2, bands=32)


def recorded(labels: list[int], seed: int) -> list[np.ndarray]:
    """Decaying tones of 900 Hz and 300 Hz, about, as they are recorded."""
    random = np.random.default_rng(seed)
    t, waves = np.arange(SPEC.samples) / SPEC.rate, []
    for label in labels:
        pitch = (900, 300)[label] * random.uniform(0.9, 1.1)
        wave = sum(np.sin(2 * np.pi * pitch * k * t + random.uniform(0, 6)) / k for k in (1, 2))
        wave = wave * np.exp(-t * random.uniform(6, 9)) + 1e-4 * random.standard_normal(len(t))
        waves.append((0.9 * wave / np.abs(wave).max()).astype(np.float32))
    return waves


def tones(labels: list[int], seed: int) -> Tensor:
    """The same by the rule for every sound, waves float [n, samples]."""
    fitted = [fit.fitted(wave, SPEC.rate, SPEC.rate, SPEC.samples) for wave in recorded(labels, seed)]
    return torch.from_numpy(np.stack(fitted)).float() / FULL


@dataclass(frozen=True)
class Tones(InMemory):
    def decode(self, samples: Tensor) -> Tensor:
        return self.spec.codec.encode(samples.float() / FULL)

    def examples(self) -> Preview:
        raise NotImplementedError


def data(held: int = 60, labelled: bool = True) -> Tones:
    splits: list[Rows] = []
    for count, seed in ((120, 1), (held, 2)):
        labels = [i % 2 for i in range(count)]
        waves = (tones(labels, seed) * FULL).round().to(torch.int16)
        splits.append(Rows(waves, torch.tensor(labels) if labelled else None))
    spec = SPEC if labelled else replace(SPEC, classes=0)
    return Tones("tones", spec, splits[0], splits[1], NAMES if labelled else ())


def finished(held: int = 60, labelled: bool = True, most: int = 4_000) -> tuple[SoundTask, list[str]]:
    """A task whose networks have not been trained, after `finish`."""
    torch.manual_seed(0)
    sounds, net = data(held, labelled), network.Config(width=8, d_width=8, features=16)
    networks = network.Generator(sounds.spec, net), network.Discriminator(sounds.spec, net)
    task = SoundTask(*networks, sounds.spec, Config(detect=most), net)
    run: Any = None
    return task, list(task.finish(networks[0], Batches(sounds, 8, 3, torch.device("cpu")), run))


def model_of(task: SoundTask) -> SoundModel:
    names, findings = NAMES if task.spec.classes else (), json.loads(json.dumps(task.findings))
    card = {"classes": [*names], "finished": True, **findings}
    detector: Any = task.learned.get("detector")
    networks = task.generator, task.discriminator
    return SoundModel(Path("tones"), *networks, task.spec, task.latent_dim, names, card, detector)


@pytest.fixture(scope="module")
def model() -> SoundModel:
    return model_of(finished()[0])


def test_other_sounds_are_called(model: SoundModel) -> None:
    real = tones([0, 1] * 20, 9)
    noise = torch.rand(20, SPEC.samples, generator=torch.Generator().manual_seed(0)) - 0.5
    assert sum(v.kind == "no" for v in model.detect(real)) <= 6
    assert all(v.kind == "no" and v.p == pytest.approx(1 / 61) for v in model.detect(noise))
    assert [v.like for v in model.detect(real)] == ["high", "low"] * 20
    assert model.detect(real[:0]) == []
    quiet = model.detect(real * 0.3)
    assert [v.kind for v in quiet] == [v.kind for v in model.detect(real)]  # loudness is not judged


def test_wrong_labels_are_found(model: SoundModel) -> None:
    real = tones([0, 1] * 10, 9)
    usual = [v.kind == "yes" for v in model.detect(real)]
    right, wrong = model.detect(real, ["high", "low"] * 10), model.detect(real, [1, 0] * 10)
    assert all(v.kind != "another class" for v in right)
    assert all(v.kind == ("another class" if u else "no") for v, u in zip(wrong, usual, strict=True))
    assert sum(usual) >= 16
    assert (wrong[0].given, wrong[0].like) == ("low", "high")
    some = model.detect(real, [None, "high"] * 10)
    assert some[0].given == ""
    assert some[0].p_class is None
    assert some[1].given == "high"
    assert all(not v.given for v in model.detect(real, [None] * 20))


def test_a_rank_promises_its_share() -> None:
    known = torch.tensor([3.0, 1.0, 2.0, 4.0])
    assert detect.p_values(torch.tensor([9.0, 4.0, 2.5, 0.0]), known).tolist() == [0.2, 0.4, 0.6, 1.0]
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(4_000, 20, generator=random)
    rates = [float((detect.p_values(row[:1], row[1:]) <= 0.05).double()) for row in scores]
    assert np.mean(rates) == pytest.approx(0.05, abs=0.01)


def test_the_report_says_what_it_is_worth(model: SoundModel) -> None:
    report = model.detector_report()
    assert report is not None
    assert report.real == 60
    assert report.false_alarm <= 0.15
    rows = {row.name: row for row in report.rows}
    assert rows["noise"].auroc == 1
    assert rows["noise"].passed == 0
    assert rows["sounds played backwards"].auroc > 0.95
    assert rows["sounds played 1.5 times as fast"].auroc > 0.9
    assert report.labels is not None
    assert report.labels.found > 0.95
    assert report.labels.named == 1
    assert "noise 1.000" in "".join(model.sections()[0].lines)
    broken = replace(model, card={**model.card, "detector": {"rows": [{"name": 1}]}})
    with pytest.raises(UserError, match="damaged"):
        broken.detector_report()


def test_the_same_seed_gives_the_same_detector(model: SoundModel) -> None:
    again = model_of(finished()[0])
    assert model.detector is not None
    assert again.detector is not None
    for name, buffer in model.detector.state_dict().items():
        assert torch.equal(buffer, again.detector.state_dict()[name]), name
    assert again.card == model.card


def test_a_file_keeps_the_detector(model: SoundModel) -> None:
    assert model.detector is not None
    tensors = {f"detector.{name}": buffer for name, buffer in model.detector.state_dict().items()}
    with meta.sizes_only():
        loaded = SoundTask.extras(SPEC, tensors)["detector"]
    checkpoint.load_module("detector", loaded, tensors, Path("x"))
    assert SoundTask.extras(SPEC, {}) == {}
    parts: Any = SimpleNamespace(
        path=Path("x"),
        parts={"generator": model.generator, "discriminator": model.discriminator, "detector": loaded},
        spec=SPEC,
        config=network.Config(features=16),
        card={**model.card},
    )
    assert SoundModel.from_parts(parts).detect(tones([0], 5)) == model.detect(tones([0], 5))
    parts.config = network.Config(features=17)
    with pytest.raises(UserError, match="damaged"):
        SoundModel.from_parts(parts)


def test_without_labels_and_without_a_detector() -> None:
    plain = model_of(finished(labelled=False)[0])
    assert [v.like for v in plain.detect(tones([0, 1], 9))] == ["", ""]
    report = plain.detector_report()
    assert report is not None
    assert report.labels is None
    task, told = finished(held=detect.LEAST - 1)
    assert not task.learned
    assert [text for text in told if text] == [f"No detector: {task.findings['no_detector']}."]
    with pytest.raises(UserError, match="19 held-out sounds, 20 needed"):
        model_of(task).detect(tones([0], 9))
    assert not any(finished(most=0)[1])


def test_what_cannot_be_judged(model: SoundModel) -> None:
    real = tones([0, 1], 9)
    cases: tuple[tuple[Tensor, dict[str, Any], str], ...] = (
        (real[:, :-1], {}, "shape"),
        (real * float("nan"), {}, "not numbers"),
        (real, {"alarm": 0.01}, r"0\.0164 at best"),
        (real, {"alarm": 0.6}, "at most 0.5"),
        (real, {"classes": "middle"}, "middle"),
        (real, {"classes": ["low"]}, "1 classes were given for 2"),
    )
    for waves, options, words in cases:
        with pytest.raises(UserError, match=words):
            model.detect(waves, **options)  # pyright: ignore[reportArgumentType]


def test_sounds_that_are_made_of_others() -> None:
    wave = torch.zeros(1, 400)
    wave[0, :200] = torch.sin(torch.arange(200) * 2 * torch.pi / 20 + 1)
    back = detect_report.backwards(wave)
    assert torch.equal(back[0, :200], wave[0, :200].flip(0))
    assert not back[0, 200:].any()
    whole = torch.sin(torch.arange(400) * 2 * torch.pi / 20)[None]
    fast, slow = (torch.fft.rfft(detect_report.played(whole, f)).abs().argmax().item() for f in (2, 0.5))
    assert (fast, slow) == (40, 10)
    assert detect_report.auroc(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0])) == 0.875


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    for i, wave in enumerate(recorded([0] * 6 + [1] * 2, 9)):
        path = tmp_path / "set" / ("high" if i < 7 else "low") / f"{i}.wav"  # number 6 is in the wrong folder
        files.save(path, wave, SPEC.rate)
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, SPEC.samples)
    files.save(tmp_path / "set" / "noise.wav", noise, SPEC.rate)
    return tmp_path


def test_the_command(
    model: SoundModel, recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganvas.tasks.sound.model.load", lambda _: model)
    folder, out = recordings / "set", recordings / "new" / "found.csv"
    assert detect_command.detect(Path("m"), folder, out=out) == 0
    text = capsys.readouterr().out
    assert "9 recordings: 1 are unlike these sounds, 1 sound like a different class" in text
    assert "1 of 61" in text
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [Path(row["file"]).name for row in rows[:2]] in (["noise.wav", "6.wav"], ["6.wav", "noise.wav"])
    wrong = next(row for row in rows if row["verdict"] == "another class")
    assert (wrong["class"], wrong["like"]) == ("high", "low")
    (folder / "broken.wav").write_bytes(b"no sound at all")
    assert detect_command.detect(Path("m"), folder, json=True, class_="low", out=recordings / "x.png") == 1
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert len(lines) == 9
    assert {line["class"] for line in lines} == {"low"}
    assert "broken.wav" in printed.err
    assert (recordings / "x.png").read_bytes()[:4] == b"\x89PNG"
    assert detect_command.detect(Path("m"), report=True) == 0
    assert "sounds played backwards" in capsys.readouterr().out
    (folder / "low" / "7.wav").rename(folder / "7.wav")
    (folder / "labels.csv").write_text("file,class\n7.wav,high\n")
    odd = os.fsdecode(b"b\xffad.wav")
    with contextlib.suppress(OSError):  # not every system has such names
        (folder / "noise.wav").rename(folder / odd)
    assert detect_command.detect(Path("m"), folder, out=out, force=True) == 1
    rows = {Path(row["file"]).name: row for row in csv.DictReader(out.read_text().splitlines())}
    assert (rows["7.wav"]["class"], rows["7.wav"]["verdict"]) == ("high", "another class")
    assert rows["6.wav"]["class"] == "high"
    assert "1 of these have no label to check" in capsys.readouterr().out
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"out": out}, "found.csv"),
        ({"out": Path("a.txt")}, "NAME.csv"),
        ({"show": -1}, "--show"),
    )
    for options, words in cases:
        with pytest.raises(UserError, match=words):
            detect_command.detect(Path("m"), folder, **options)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="Name one recording"):
        detect_command.detect(Path("m"))
