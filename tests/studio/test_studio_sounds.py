"""Sounds in the studio: watched, heard, played, walked between, told from recordings; with odd names."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("fastapi")
pytest.importorskip("soundfile")
pytest.importorskip("soxr")
from test_studio import Served, quick_workers  # noqa: F401
from test_studio_pages import CHROMIUM, browser, check_access, go, page, settled, tab, until  # noqa: F401

from ganvas.api import RECIPES
from ganvas.sounds import files
from ganvas.tasks.sound import network
from ganvas.tasks.sound.model import load

pytestmark = pytest.mark.long
KINDS = ("<img src=x onerror=alert(1)> & 'bell'", "hiss")
FOLDER = "bells & <more>"
EACH = 120  # of which a tenth is held out: enough for a detector


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sounds")
    random = np.random.default_rng(0)
    seconds = np.arange(1_600) / 8_000
    for kind in KINDS:
        for i in range(EACH):
            tone = np.sin(2 * np.pi * 400 * (1 + random.random()) * seconds)
            sound = (tone if kind == KINDS[0] else random.normal(size=1_600)) * np.exp(-8 * seconds) / 4
            files.save(place / "data" / FOLDER / kind / f"{i}.wav", sound, 8_000)
    experiment = RECIPES["sound"]()
    small = network.Config(latent_dim=8, width=8, d_width=8, features=16)
    data = dataclasses.replace(experiment.data, source=str(place / "data" / FOLDER), bands=32)
    training = dataclasses.replace(
        experiment.training, images=96, batch=16, device="cpu", tick_every=32, sample_every=48, sample_at=()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        for _ in dataclasses.replace(experiment, network=small, data=data, training=training).run(
            place / "runs" / "bells"
        ):
            pass
    return place


@pytest.fixture(scope="module")
def studio(place: Path, quick_workers: None) -> Iterator[Served]:  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        served = Served(place / "runs", place / "data")
        yield served
        served.close()


def samples_of(source: str) -> np.ndarray:
    head = "data:audio/wav;base64,"
    assert source.startswith(head)
    with wave.open(io.BytesIO(base64.b64decode(source[len(head) :]))) as file:
        return np.frombuffer(file.readframes(10**6), "<i2") / 32_767


def refused(studio: Served, path: str, body: Any, code: int = 400) -> str:
    status, _, content = studio.ask(path, body)
    assert status == code, content
    return str(json.loads(content)["detail"])


def test_what_is_heard_is_what_the_command_line_draws(studio: Served, place: Path) -> None:
    model = load(place / "runs" / "bells")
    found = studio.post("/api/runs/bells/sounds", {"seeds": [3, 4]})
    assert [one["kind"] for one in found] == list(KINDS)
    for one, sound in zip(found, model.draw_waves([3, 4]), strict=True):
        assert np.abs(samples_of(one["wav"]) - sound.numpy()).max() < 1e-3
    (other,) = studio.post("/api/runs/bells/sounds", {"seeds": [3], "kind": KINDS[1]})
    assert other["wav"] != found[0]["wav"]
    way = {"ends": [3, 4], "kinds": list(KINDS)}
    ends = [samples_of(studio.post("/api/runs/bells/sounds/between", {**way, "share": x})["wav"]) for x in (0, 1)]
    for one, end in zip(found, ends, strict=True):
        assert np.abs(samples_of(one["wav"]) - end).max() < 0.01
    assert "none" in refused(studio, "/api/runs/bells/sounds", {"seeds": [1], "kind": "none"})
    for body in ({"seeds": []}, {"seeds": [0] * 33}, {"seeds": [-1]}, {"seeds": [1], "kind": "x" * 101}):
        refused(studio, "/api/runs/bells/sounds", body, 422)
    refused(studio, "/api/runs/bells/sounds/between", {**way, "share": 1.1}, 422)
    refused(studio, "/api/runs/none/sounds", {"seeds": [1]}, 404)


def test_strips_are_handed_out_and_nothing_else(studio: Served, place: Path) -> None:
    status, headers, content = studio.ask("/api/runs/bells/samples/fakes_init.wav")
    assert (status, headers["content-type"]) == (200, "audio/wav")
    assert content == (place / "runs" / "bells" / "samples" / "fakes_init.wav").read_bytes()
    link = place / "runs" / "bells" / "samples" / "fakes_000777.wav"
    link.symlink_to(next((place / "data").rglob("*.wav")))
    assert studio.ask("/api/runs/bells/samples/fakes_000777.wav")[0] == 404
    link.unlink()
    assert studio.ask("/api/runs/bells/samples/other.wav")[0] == 422
    assert "media-src 'self' data:;" in headers["content-security-policy"]
    assert headers["permissions-policy"] == "camera=(), microphone=(self), geolocation=()"


def test_a_game_is_scored_by_the_server(studio: Served, place: Path) -> None:
    dealt = studio.post("/api/runs/bells/sounds/game", {}, 201)
    assert (len(dealt["pairs"]), set(dealt["kinds"]) <= set(KINDS)) == (8, True)
    assert set(dealt) == {"game", "pairs", "kinds"}  # and not the solution
    path = f"/api/sounds/games/{dealt['game']}"
    refused(studio, path, {"real": [0]}, 422)
    end = studio.post(path, {"real": [0] * 8})
    assert end["right"] == end["real"].count(0)
    assert end["all"]["games"] == 1
    assert "Start a new one" in refused(studio, path, {"real": [0] * 8})
    assert studio.get("/api/runs/bells/sounds/games") == end["all"]
    elsewhere = Served(place / "runs", place / "runs")  # where the recordings must not be read
    assert "may not read" in refused(elsewhere, "/api/runs/bells/sounds/game", {})
    elsewhere.close()


def test_a_recording_is_judged_as_the_command_line_does(studio: Served, place: Path) -> None:
    model, path = load(place / "runs" / "bells"), "/api/runs/bells/sounds/judge"
    recording = place / "data" / FOLDER / KINDS[1] / "0.wav"
    found = studio.post(f"{path}?kind={KINDS[0].replace(' ', '%20').replace('&', '%26')}", recording.read_bytes())
    heard = files.recording(recording, model.spec.rate, model.spec.samples)
    (verdict,) = model.detect(torch.from_numpy(heard.wave)[None], KINDS[0])
    assert (found["verdict"], found["oddity"]) == (verdict.kind, pytest.approx(verdict.oddity, rel=1e-4))
    assert np.abs(samples_of(found["heard"]["wav"]) - heard.wave).max() < 1e-3
    assert {one["name"] for one in found["classes"]} == set(KINDS)
    assert found["classes"][0]["distance"] == found["oddity"]
    assert found["file"] == "WAV, 16 bits, 1 channel, 8 kHz, 0.20 s"
    assert model.detector is not None
    assert f"of the {model.detector.count} held-out sounds" in found["words"][0]
    assert found["usual"] == sorted(found["usual"])
    long = files.encoded(np.sin(np.arange(61 * 8_000) / 5), 8_000)
    for content, message in (
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a PNG picture"),
        (b"", "empty"),
        (files.encoded(np.zeros(900), 8_000), "silent"),
        (long, "longer than 60 seconds"),
    ):
        text = refused(studio, path, content)
        assert message in text
        assert str(place) not in text
    assert "from 0.0" in refused(studio, f"{path}?alarm=0.000001", recording.read_bytes())
    assert "none" in refused(studio, f"{path}?kind=none", recording.read_bytes())
    refused(studio, f"{path}?alarm=0.9", recording.read_bytes(), 422)


def test_the_corners_of_the_map_are_its_seeds(studio: Served) -> None:
    asked = {"corners": [3, 5, 6, 7], "kinds": [KINDS[0]] * 4}
    (seed,) = studio.post("/api/runs/bells/sounds", {"seeds": [7], "kind": KINDS[0]})
    corner = studio.post("/api/runs/bells/sounds/at", {**asked, "x": 1, "y": 1})
    assert np.abs(samples_of(corner["wav"]) - samples_of(seed["wav"])).max() < 0.01
    middle = studio.post("/api/runs/bells/sounds/at", {**asked, "x": 0.5, "y": 0.5})
    assert np.abs(samples_of(middle["wav"]) - samples_of(seed["wav"])).max() > 0.01
    refused(studio, "/api/runs/bells/sounds/at", {**asked, "x": 2, "y": 0}, 422)


def test_a_player_can_jump_within_a_strip(studio: Served, place: Path) -> None:
    path, whole = "/api/runs/bells/samples/fakes_init.wav", place / "runs" / "bells" / "samples" / "fakes_init.wav"
    content = whole.read_bytes()
    for asked, start, end in (("bytes=100-199", 100, 200), ("bytes=50-", 50, None), ("bytes=-30", -30, None)):
        status, headers, part = studio.ask(path, headers={"Range": asked})
        assert (status, part) == (206, content[start:end])
        assert headers["content-range"].endswith(f"/{len(content)}")
    for odd in ("bytes=9-3", "bytes=0-1,4-5", "bytes=-", "rows=1-2"):
        assert studio.ask(path, headers={"Range": odd})[::2] == (200, content)
    assert studio.ask(path, headers={"Range": f"bytes={len(content)}-"})[0] == 416


def test_sounds_are_looked_at_before_a_training(studio: Served, place: Path) -> None:
    (place / "data" / FOLDER / "a.wav").write_bytes(b"")
    assert studio.get(f"/api/data?path={FOLDER.replace(' ', '%20').replace('&', '%26')}")["sounds"] == 1
    (place / "data" / FOLDER / "a.wav").unlink()
    found = studio.post("/api/data/check", {"path": FOLDER})
    assert (found["total"], found["recipe"]) == (2 * EACH, "sound-few")
    assert found["sheet"].startswith("data:image/png")
    assert str(place) not in json.dumps(found)
    assert studio.ask(found["script"])[0] == 200
