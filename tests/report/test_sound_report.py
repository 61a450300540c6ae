"""The report of sounds: strips to play, what is wrong with them, and no word on pictures."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from test_report import Page, row

from ganvas.core.run import Run
from ganvas.report import diagnosis
from ganvas.report import page as report
from ganvas.report.quantities import worded
from ganvas.sounds.sheets import Preview
from ganvas.tasks.sound.report import remarks


def make(folder: Path, strips: int = 8, **check: float) -> Run:
    """A run's folder without a training; the strip of each moment is another one."""
    folder.mkdir()
    run = Run(folder)
    card: dict[str, Any] = {"recipe": "sound", "data": {"source": "birds"}, "network": {"name": "spectra"}}
    card |= {"task": {"name": "sound", "loss": "nonsaturating"}, "training": {"images": 40_000}}
    spec = {"rate": 8_000, "samples": 5_376, "window": 448, "bands": 96, "classes": 0}
    run.experiment.write_text(json.dumps({**card, "spec": spec, "classes": [], "data_name": "birds"}))
    for i in range(20):
        run.append(row(2_000 * (i + 1)))
    found = {"images": 40_000, "metric": diagnosis.CHECK, "silent": 0.0, "hum": 0.0, "hiss": 0.0, "diversity": 0.9}
    run.append({**found, **check}, run.metrics)
    torch.manual_seed(0)
    for i in range(strips + 1):
        name = "reals" if i == strips else f"fakes_{10 * i:06d}" if i else "fakes_init"
        preview = Preview(torch.rand(16, 1, 8, 8), torch.rand(2, 400) - 0.5, 8_000)
        run.save_sample(name, preview.files())
    return run


def read(run: Run) -> tuple[str, Page]:
    report.write(run)
    text = run.report.read_text()
    return text, Page(text)


def played(page: Page) -> dict[str, bytes]:
    """The strips of a page, by the moment that they are of."""
    heads = "data:audio/wav;base64,"
    assert all((one["src"] or "").startswith(heads) for one in page.all("audio"))
    return {one["aria-label"] or "": base64.b64decode((one["src"] or "")[len(heads) :]) for one in page.all("audio")}


def test_the_first_some_the_newest_and_the_real_strips_are_in_the_page(tmp_path: Path) -> None:
    run = make(tmp_path / "a")
    text, page = read(run)
    strips = played(page)
    assert len(strips) == report.STRIPS + 1
    names = list(strips)
    assert names[0] == "Before the training: noise"
    assert names[-2:] == ["After 70,000 sounds", "Real sounds"]
    assert strips["After 70,000 sounds"] == (run.samples / "fakes_000070.wav").read_bytes()
    assert strips["Real sounds"] == (run.samples / "reals.wav").read_bytes()
    assert "media-src data:" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)  # nothing from elsewhere
    assert all("controls" in one for one in page.all("audio"))


def test_a_page_of_sounds_does_not_speak_of_pictures(tmp_path: Path) -> None:
    run = make(tmp_path / "a")
    text, page = read(run)
    said = page.words
    assert not re.search(r"\b(images?|pictures?)\b", said[said.index("From noise") : said.index("Next steps")])
    assert "40,000 of 40,000" in page.words
    assert "sounds seen" in text
    assert not re.search(r'(aria-label|alt)="[^"]*(image|picture)', text)


def test_faults_come_first(tmp_path: Path) -> None:
    run = make(tmp_path / "a", silent=0.25, hum=0.5, diversity=0.1)
    _, page = read(run)
    sentence = "Of the sounds drawn here 25% are silent, 50% hold one steady tone, they hardly differ"
    assert sentence in page.words
    assert "hold one steady tone; real ones" in page.words  # the figure's meaning
    texts = remarks(run.rows(), run.rows(run.metrics))
    assert texts[0].startswith(sentence)
    assert not any(re.search(r"\bimage|\bpicture", text) for text in texts)
    (tmp_path / "b").mkdir()
    calm = make(tmp_path / "b" / "run")
    assert "Of the sounds drawn" not in read(calm)[1].words


@pytest.mark.parametrize("content", [b"", b"<script>", b"RIFF", b"RIFF0000WAVX", None])
def test_what_is_no_strip_is_left_out(tmp_path: Path, content: bytes | None) -> None:
    run = make(tmp_path / "a", 2)
    for path in run.samples.glob("*.wav"):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
    _, page = read(run)
    assert not page.all("audio")
    assert "To hear" not in page.words


def test_long_strips_are_fewer_and_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path / "a")
    size = (run.samples / "reals.wav").stat().st_size
    monkeypatch.setattr(report, "HEARD", 3 * size)
    assert list(played(read(run)[1])) == ["Before the training: noise", "After 70,000 sounds", "Real sounds"]
    monkeypatch.setattr(report, "HEARD", 2 * size)
    assert list(played(read(run)[1])) == ["After 70,000 sounds", "Real sounds"]


def test_other_nouns() -> None:
    assert worded("Images: a training image, images=5; PICTURES? pictures", "sounds").startswith(
        "Sounds: a training sound"
    )
    assert worded("images=5", "sounds") == "images=5"
    assert worded("5 images", "images") == "5 images"
