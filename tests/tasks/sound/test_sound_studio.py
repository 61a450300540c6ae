"""What the studio does with a model of sounds: draws some, walks between two, deals pairs for the game."""

from __future__ import annotations

import dataclasses
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.core.errors import UserError
from ganvas.sounds.data import SoundData, Split
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import network
from ganvas.tasks.sound.detect import Detector, Verdict
from ganvas.tasks.sound.model import SoundModel
from ganvas.tasks.sound.studio import draw, judge, pairs
from ganvas.tasks.sound.task import SoundTask

SPEC = SoundSpec.of(8_000, 3_000, 2)
SMALL = network.Config(latent_dim=8, width=16, d_width=8, features=16)


def fresh(place: Path, classes: tuple[str, ...] = ("high", "low")) -> SoundModel:
    """A model that has learned nothing."""
    torch.manual_seed(0)
    spec = dataclasses.replace(SPEC, classes=len(classes))
    networks = network.Generator(spec, SMALL).eval(), network.Discriminator(spec, SMALL).eval()
    place.write_bytes(b"")
    return SoundModel(place, *networks, spec, 8, classes, {"classes": list(classes), "images": 0})


def samples_of(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8_000, 1, 2)
        return np.frombuffer(file.readframes(10**6), "<i2")


def test_a_seed_gives_the_sound_that_the_model_gives(tmp_path: Path) -> None:
    model = fresh(tmp_path / "model")
    found = draw.sounds(model, [5, 6, 7], None, None)
    assert [(entry["seed"], entry["kind"]) for entry in found] == [(5, "high"), (6, "low"), (7, "high")]
    expected = model.draw_waves([5, 6, 7])
    for entry, sound in zip(found, expected, strict=True):
        assert np.abs(samples_of(entry["wav"]) / 32_767 - sound.numpy()).max() < 1e-3
        assert Image.open(io.BytesIO(entry["picture"])).width == 96
        assert len(entry["wave"]) == draw.POINTS
        assert max(high for _, high in entry["wave"]) == pytest.approx(float(sound.max()), abs=1e-3)
    assert {entry["kind"] for entry in draw.sounds(model, [1, 2], "low", None)} == {"low"}
    for numbers, kind in (([], None), (list(range(33)), None), ([1], "middle")):
        with pytest.raises(UserError):
            draw.sounds(model, numbers, kind, None)


def test_the_way_begins_and_ends_at_its_seeds(tmp_path: Path) -> None:
    model = fresh(tmp_path / "model")
    (first,) = draw.sounds(model, [3], "high", None)
    (second,) = draw.sounds(model, [4], "low", None)
    ways = [draw.between(model, [3, 4], ["high", "low"], share) for share in (0, 0.5, 1)]
    assert np.abs(samples_of(ways[0]["wav"]).astype(int) - samples_of(first["wav"])).max() < 40
    assert np.abs(samples_of(ways[2]["wav"]).astype(int) - samples_of(second["wav"])).max() < 40
    assert ways[1]["wav"] not in (first["wav"], second["wav"])
    with pytest.raises(UserError, match="between 0 and 1"):
        draw.between(model, [3, 4], None, 1.5)
    plain = fresh(tmp_path / "plain", ())
    assert draw.sounds(plain, [3], None, None)[0]["kind"] is None
    assert draw.between(plain, [3, 3], None, 0.5)["wav"]


def data(labels: bool = True) -> SoundData:
    """Recordings that are known by their first sample: their number, in class number % 2."""
    waves = torch.zeros(12, SPEC.samples, dtype=torch.int16)
    waves[:, 0] = torch.arange(12, dtype=torch.int16) + 20_000
    split = Split(waves, torch.arange(12) % 2 if labels else None)
    return SoundData("made", SPEC, split, split, ("high", "low"), "0" * 64)


def test_pairs_hold_a_recording_and_a_drawn_sound_of_its_class(tmp_path: Path, monkeypatch: Any) -> None:
    model, asked = fresh(tmp_path / "model"), []
    monkeypatch.setattr(pairs, "data_of", lambda _: SoundTask.Data(source="/somewhere"))
    monkeypatch.setattr(pairs, "trained_on", lambda *_: data())
    dealt = pairs.pairs(model, 1, 8, asked.append)
    assert asked == ["/somewhere"]
    first = [[int(samples_of(wav)[0]) for wav in pair] for pair in dealt["pairs"]]
    for heads, place, kind in zip(first, dealt["real"], dealt["kinds"], strict=True):
        number = heads[place] - 20_000
        assert number in range(12)
        assert kind == model.class_names[number % 2]
        assert heads[1 - place] - 20_000 not in range(12)
    assert set(dealt["real"]) == {0, 1}
    assert pairs.pairs(model, 1, 8, asked.append) == dealt
    with pytest.raises(UserError, match="too few"):
        pairs.pairs(model, 1, 13, asked.append)


def test_recordings_that_may_not_be_read_are_not_dealt(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(place: object) -> None:
        raise UserError(f"{place} may not be read")

    monkeypatch.setattr(pairs, "data_of", lambda _: SoundTask.Data(source="/secret"))
    monkeypatch.setattr(pairs, "trained_on", lambda *_: pytest.fail("it was read"))
    with pytest.raises(UserError, match="/secret may not be read"):
        pairs.pairs(fresh(tmp_path / "model"), 1, 8, refuse)


def test_a_verdict_is_said_with_its_figures(tmp_path: Path) -> None:
    detector = Detector(4, 2, 99, 49)
    detector.oddities.copy_(torch.arange(1.0, 100))
    none = judge.said(Verdict(0.01, "no", "high"), detector)
    assert none == (
        "No: it is not like the sounds that this model learned.",
        ["None of the 99 held-out sounds are as odd or odder."],
    )
    assert judge.said(Verdict(0.02, "no"), detector)[1] == ["1 of the 99 held-out sounds is as odd or odder."]
    assert judge.said(Verdict(1.0, "yes", "high"), detector)[0].endswith("most of all like high.")
    assert judge.said(Verdict(0.5, "yes", "high", "high", 0.5), detector)[0] == "Yes: it sounds like high."
    title, words = judge.said(Verdict(0.5, "another class", "high", "low", 0.04), detector)
    assert title == "It is one of these sounds, but it sounds like high, not low."
    assert words[1] == "1 of the held-out sounds with a right class suits it as badly."
    assert judge.limit(detector, 0.05) == 95.0  # 4 of 99 are odder: as the 5th of 100, a new one is not called
    with pytest.raises(UserError, match="no detector: it is trained when a training ends"):
        judge.judge(fresh(tmp_path / "model"), b"", None, 0.05)
