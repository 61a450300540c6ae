"""The data doctor for sounds."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command import ganvas
from PIL import Image

from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.sounds import check, sheets
from ganvas.sounds.survey import _Clipping
from ganvas.tasks.sound import data_check, recipes
from ganvas.tasks.sound.data_check import Forecast
from ganvas.training import forecast

RATE = 8_000


def sound(seed: int, seconds: float = 0.4, rate: int = RATE) -> np.ndarray:
    """A tone that glides, with overtones: each seed another."""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    hertz = random.uniform(150, 400) * (1 + random.uniform(-0.8, 1.5) * t)
    phase = 2 * np.pi * np.cumsum(hertz) / rate
    strengths = random.uniform(0, 1, 6) ** 2
    wave = sum(s * np.sin((k + 1) * phase) for k, s in enumerate(strengths)) * np.hanning(len(t)) ** random.uniform(
        0.3, 2
    )
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def write(place: Path, wave: np.ndarray, rate: int = RATE, **how: Any) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(place, wave, rate, **how)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty good sounds of two classes."""
    for i in range(60):
        write(tmp_path / "set" / ("low" if i % 2 else "high") / f"{i:02}.wav", sound(i))
    return tmp_path / "set"


@pytest.fixture(autouse=True)
def _untimed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the test of the forecast measures one."""
    monkeypatch.setattr(forecast, "SECONDS", 0.05)
    if "forecast" not in request.node.name:
        monkeypatch.setattr(data_check, "forecast", lambda checked, _: Forecast(checked.recipe, 1_000, 10.0))


def checked(place: Path, file: Path | None = None, **settings: str) -> tuple[str, dict[str, Any]]:
    lines, found = last(data_check.check(str(place), settings, file))
    assert json.loads(json.dumps(found)) == found
    return "\n".join(lines), found


def opened(place: Path) -> Image.Image:
    return Image.open(io.BytesIO(place.read_bytes()))


def test_good_sounds_have_no_findings(folder: Path) -> None:
    text, found = checked(folder)
    assert found["findings"] == []
    assert "60 sounds in" in text
    assert "60 WAV, 16 bits; 60 at 8 kHz" in text
    assert "Classes   2: high 30, low 30" in text
    assert "No problems found." in text
    assert text.splitlines()[-1].endswith(f"train sound-few --data {folder}")
    assert (found["total"], found["recipe"], found["shape"]["rate"]) == (60, "sound-few", RATE)
    assert found["changed"] == {"mixed_down": 0, "resampled": 0, "cut": 0, "padded": 60}


def test_every_trouble_is_named(folder: Path) -> None:
    low = folder / "low"
    write(low / "clipped.wav", np.clip(sound(100) * 30, -0.99, 0.99))
    write(low / "silent.wav", np.zeros(4_000))
    write(low / "offset.wav", sound(101) + 0.2)
    (low / "copy.wav").write_bytes((low / "01.wav").read_bytes())
    write(low / "loud.flac", sound(3) * 1.5)
    write(low / "high.wav", sound(102, 0.4, 44_100), 44_100)
    write(low / "stereo.wav", np.stack([sound(103)] * 2, 1))
    write(low / "long.wav", sound(104, 6))
    (low / "film.mp3").write_bytes(b"\0\0\0\x20ftypisom" + bytes(50))
    (low / "empty.ogg").write_bytes(b"")
    write(low / "nan.wav", np.array([0, np.nan, 0]), subtype="FLOAT")
    write(folder / "rare" / "one.wav", sound(105))
    (folder / "notes.md").write_text("mine")
    text, found = checked(folder, seconds="0.5")
    by_text = {f["text"]: f["level"] for f in found["findings"]}

    def level(*words: str) -> int:
        return next(level for said, level in by_text.items() if all(word in said for word in words))

    assert level("3 of 72 files cannot be read", "low/empty.ogg (it is empty)", "an MP4 video", "NaN") == 0
    assert level("1 sounds are silent", "low/silent.wav") == 1
    assert level("1 of 68 sounds are clipped", "low/clipped.wav (") == 1
    assert level("1 of 68 sounds have a constant offset", "low/offset.wav (+0.20)") == 2
    assert level("1 file is a copy of another", "low/01.wav = low/copy.wav") == 1
    assert level("1 sounds are copies of others in a different rate", "low/loud.flac ~ low/03.wav") == 1
    assert level("1 of 68 sounds are resampled to 8,000") == 2
    assert level("1 of 68 sounds are mixed down") == 2
    assert level("1 of 68 sounds are cut at", "the longest has 5.") == 2
    assert level("Classes with too few sounds", "rare (1)") == 1
    assert level("1 .md") == 2
    levels = [f["level"] for f in found["findings"]]
    assert levels == sorted(levels)
    assert list(found["clipped"]) == ["low/clipped.wav"]
    assert found["changed"] == {"mixed_down": 1, "resampled": 1, "cut": 1, "padded": 67}
    assert text.splitlines()[-1].endswith("seconds=0.5")


def test_a_forecast_of_the_training_that_fits(folder: Path) -> None:
    text, found = checked(folder, labels="false", bands="32", window="256")
    expected, images = found["forecast"], recipes.sound_few().training.images
    assert (expected["recipe"], expected["images"], expected["note"]) == ("sound-few", images, "")
    assert expected["images_per_second"] > 0
    assert "Forecast  recipe sound-few, 0.4" in text
    assert "sounds per second here: first results after " in text
    assert f", all {images:,} sounds after " in text


def test_nothing_to_learn_from_has_no_forecast(tmp_path: Path) -> None:
    for i in range(2):
        write(tmp_path / "silent" / f"{i}.wav", np.zeros(100))
    text, found = checked(tmp_path / "silent")
    assert found["forecast"]["note"]
    assert "No time was measured: there are no sounds." in text
    assert "ganvas train" not in text


def test_noise_around_the_sounds_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(12):
        wave = np.concatenate([np.zeros(1_600), sound(i), np.zeros(1_600)])
        clean = np.concatenate([np.zeros(1_600), sound(i, 1.0), np.zeros(1_600)])
        write(tmp_path / "noisy" / f"{i}.wav", wave + 0.01 * random.standard_normal(len(wave)))
        write(tmp_path / "clean" / f"{i}.wav", clean + 0.0003 * random.standard_normal(len(clean)))
    text, found = checked(tmp_path / "noisy")
    assert "12 of 12 sounds begin and end in noise, about 27 dB" in text
    assert next(f["level"] for f in found["findings"] if "in noise" in f["text"]) == 1
    assert "in noise" not in checked(tmp_path / "clean")[0]


def test_nothing_is_changed(folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    checked(folder)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_the_sheet(folder: Path, tmp_path: Path) -> None:
    text, found = checked(folder, tmp_path / "sheet.png")
    assert found["sheet"] == str(tmp_path / "sheet.png")
    assert "sheet.png" in text
    picture = opened(tmp_path / "sheet.png")
    assert picture.size == (sheets.COLUMNS * sheets.WIDE, 2 * sheets.HIGH)
    cells = np.asarray(picture.convert("L"), float)[: sheets.HIGH]
    low, high = cells[-16:], cells[:16]
    assert low.mean() > high.mean() + 10  # the tones are low
    with pytest.raises(UserError, match=r"Choose NAME\.png"):
        checked(folder, tmp_path / "sheet.jpg")
    with pytest.raises(UserError, match="nothing may be changed"):
        checked(folder, folder / "sheet.png")


def test_unlabelled_sounds_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for i in range(12):
            out = io.BytesIO()
            soundfile.write(out, sound(i), RATE, format="FLAC")
            file.writestr(f"{i}.flac", out.getvalue())
    _, found = checked(tmp_path / "set.zip", tmp_path / "sheet.png")
    assert found["classes"] == {}
    assert [f["text"] for f in found["findings"]] == ["12 sounds are too few: the network would memorise them."]
    assert opened(tmp_path / "sheet.png").size == (sheets.COLUMNS * sheets.WIDE, 2 * sheets.HIGH)


def test_a_class_without_a_usable_sound_is_named(folder: Path) -> None:
    write(folder / "quiet" / "a.wav", np.zeros(RATE))
    write(folder / "quiet" / "b.wav", np.zeros(RATE // 2))
    found = last(check.look(str(folder), {})).findings
    text = next(f.text for f in found if f.level == 0)
    assert text == "Classes without a usable sound: quiet. Training refuses them."
    assert not any("too few" in f.text for f in found)
    assert not any(f.level == 0 for f in last(check.look(str(folder), {"labels": "false"})).findings)


def test_all_the_same_or_all_broken(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path / "same" / f"{i}.wav", sound(0))
        (tmp_path / "broken").mkdir(exist_ok=True)
        (tmp_path / "broken" / f"{i}.wav").write_bytes(b"RIFF")
    assert "All 3 sounds are the same" in checked(tmp_path / "same")[0]
    text, found = checked(tmp_path / "broken", tmp_path / "sheet.png")
    assert "0.wav (it is cut off: it has 4 bytes)" in text
    assert "There is nothing to learn from." in text
    assert found["sheet"] is None
    assert not (tmp_path / "sheet.png").exists()


def test_wrong_settings_and_places(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no setting 'rat'.*Did you mean 'rate'"):
        checked(folder, rat="8000")
    with pytest.raises(UserError, match="seconds"):
        checked(folder, seconds="100")
    with pytest.raises(UserError, match="There is no file"):
        checked(tmp_path / "nowhere")
    assert checked(folder, rate="16000")[1]["changed"]["resampled"] == 60


@pytest.mark.parametrize("level", [0.3, 0.99, 1.0, 1.4])
def test_clipping_is_seen_at_any_level(level: float) -> None:
    """Waves that were cut off at full scale, and those that were made softer afterwards."""
    count = _Clipping()
    wave = np.rint(np.clip(sound(0) * 20, -1, 1) * min(level, 1) * 32_767).astype(np.float32) / 32_768 * max(level, 1)
    count(wave[:, None])
    assert count.share(RATE, "16 bits") > 0.1
    assert count.share(RATE, "8 bits") == 0


@pytest.mark.parametrize("hertz", [40, 100, 440, 3_000])
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_whole_waves_are_not_called_clipped(hertz: float, rate: int) -> None:
    for size in (0.1, 0.3, 0.95, 32_767 / 32_768):
        count = _Clipping()
        wave = size * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)
        count((np.rint(wave * 32_768).clip(-32_768, 32_767).astype(np.float32) / 32_768)[:, None])
        assert count.share(rate, "16 bits") < check.CLIPPED, size


def test_clipping_in_one_of_two_channels() -> None:
    count = _Clipping()
    count(np.stack([sound(0), np.clip(sound(0) * 20, -1, 1)], 1))
    assert 0.05 < count.share(RATE, "16 bits") < 0.5


def test_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    result = ganvas("data", "check", "set", "--out", "sheet.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "60 sounds in set" in result.stdout
    assert (tmp_path / "sheet.png").exists()
    again = ganvas("data", "check", "set", "--out", "sheet.png", cwd=tmp_path)
    assert again.returncode == 2
    assert "sheet.png already exists" in again.stderr
    found = json.loads(ganvas("data", "check", "set", "--json", "seconds=0.2", cwd=tmp_path).stdout)
    assert found["total"] == 60
    refused = ganvas("data", "check", "set", "--columns", "columns.toml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--columns is for other data" in refused.stderr
