"""The studio before any training: the models that come with Ganvas, which are requested like runs and are none."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
from test_studio import Served, quick_workers  # noqa: F401

from ganvas.core import shipped
from ganvas.core.model import load
from ganvas.studio.games import PICTURES
from ganvas.studio.index import RunNotFound
from ganvas.tasks.generate.studio import game

pytestmark = pytest.mark.long
DIGITS = "/api/runs/%40mnist"
OURS = "@mnist"


@pytest.fixture(scope="module")
def studio(quick_workers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:  # noqa: F811
    place = tmp_path_factory.mktemp("fresh")
    (place / "runs").mkdir()
    served = Served(place / "runs", place)
    yield served
    served.close()


def levels(address: str) -> np.ndarray:
    """The pixels of a picture in an address that holds it."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))).astype(int)


def test_a_game_is_dealt_before_the_worker_has_started(studio: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    state, taught = studio.app.state.studio, []
    monkeypatch.setattr(state.experts, "teach", lambda *given: taught.append(given))
    assert state.worker.process is None
    dealt = studio.post(f"{DIGITS}/game", {}, 201)
    assert state.worker.process is None  # nobody had to wait for it
    opened = state.games.open[dealt["game"]]
    model = load("mnist", "cpu")
    again = game.deal(model, opened.seed, PICTURES, lambda _: None)
    assert (opened.mark, opened.real) == (again["mark"], again["real"])
    assert [given[:2] for given in taught] == [(again["mark"], str(shipped.shipped("mnist")))]
    for address, content in zip(dealt["pictures"], again["pictures"], strict=True):
        assert np.abs(levels(address) - np.asarray(Image.open(io.BytesIO(content))).astype(int)).mean() < 1
    end = studio.post(f"/api/games/{dealt['game']}", {"real": opened.real})
    assert (end["you"], end["all"]["games"]) == (PICTURES, 1)
    assert studio.get(DIGITS)["games"]["games"] == 1


def test_all_games_that_come_dealt_are_those_of_the_model() -> None:
    games = json.loads(shipped.games("mnist").read_text())["games"]
    mark = game.ready(load("mnist", "cpu"), lambda _: None)
    assert {entry["mark"] for entry in games} == {mark}
    assert len({entry["seed"] for entry in games}) == len(games) > 3
    assert all(sum(entry["real"]) == PICTURES / 2 == len(entry["pictures"]) / 2 for entry in games)
    assert "mnist.games.json" in (shipped.FOLDER / "NOTICE").read_text()


def test_the_pages_work_without_a_run(studio: Served) -> None:
    listed = studio.get("/api/runs")
    assert listed["runs"] == []
    first = listed["models"][0]
    assert (first["name"], first["title"]) == (OURS, "MNIST digits (comes with Ganvas)")
    about = studio.get(DIGITS)
    assert about["shipped"]
    assert about["licence"].startswith("CC BY-SA 3.0")
    assert [page["address"] for page in about["part"]["pages"]] == ["forger", "expert", "game"]
    assert studio.get(f"{DIGITS}/model")["detector"]
    assert studio.picture(f"{DIGITS}/write", {"text": "2026"}).std() > 10
    assert studio.picture(f"{DIGITS}/sheet", {"seeds": [0, 1]}).shape[0] >= 28
    status, _, content = studio.ask(f"{DIGITS}/judge", (shipped.FOLDER / "NOTICE").read_bytes())
    assert (status, b"cannot be read as a picture" in content) == (400, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("delete", {"run": OURS}),
        ("rename", {"to": "mine"}),
        ("resume", {}),
        ("stop", {}),
        ("events", None),
        ("report", None),
        ("remarks", None),
        ("together", None),
        ("samples/reals.png", None),
    ],
)
def test_what_is_done_to_runs_is_not_done_to_them(studio: Served, path: str, body: Any) -> None:
    assert studio.ask(f"{DIGITS}/{path}", body)[0] == 404
    assert shipped.shipped("mnist") is not None


@pytest.mark.parametrize(
    "name", ["@nothing", "@mnist~a", "@..", "@../models/mnist", "@", "@@mnist", "@NOTICE", "mnist"]
)
def test_names_of_no_model(studio: Served, name: str) -> None:
    state = studio.app.state.studio
    with pytest.raises(RunNotFound):
        state.model(name)
    with pytest.raises(RunNotFound):
        state.summary(name)


def test_a_run_of_the_same_name_is_another(studio: Served, run: Path) -> None:
    state = studio.app.state.studio
    place = state.root / "mnist"
    shutil.copytree(run, place)
    try:
        assert state.model("mnist") == str(place / "model.safetensors")
        assert state.model(OURS) == str(shipped.shipped("mnist"))
        answer = studio.get("/api/runs")
        assert [entry["name"] for entry in answer["runs"]] == ["mnist"]
        assert answer["models"][0]["name"] == OURS
        assert studio.get("/api/runs/mnist")["images"] != studio.get(DIGITS)["images"]
    finally:
        shutil.rmtree(place)


def test_a_restorer_is_offered_where_one_comes(
    studio: Served, tmp_path: Path, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conftest import quick

    for _ in quick("denoise", blobs, steps=2).run(tmp_path / "run"):
        pass
    (tmp_path / "models").mkdir()
    shutil.copy(tmp_path / "run" / "model.safetensors", tmp_path / "models" / "restore.safetensors")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "models")
    (tmp_path / "models" / "broken.safetensors").write_bytes(b"not a model")
    (entry,) = studio.get("/api/runs")["models"]
    assert (entry["title"], entry["abilities"]) == ("Photo restorer (comes with Ganvas)", ["apply"])
    assert (entry["model"], entry["error"]) == (True, None)
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40), np.uint8)).save(buffer, "PNG")
    status, _, content = studio.ask("/api/runs/%40restore/restore", buffer.getvalue())
    assert (status, json.loads(content)["form"]) == (200, "png")


def test_a_page_is_made_once_and_handed_out_as_a_file(studio: Served) -> None:
    state = studio.app.state.studio
    version = shipped.shipped("mnist").stat().st_mtime_ns  # pyright: ignore[reportOptionalMemberAccess]
    old, kept = (state.home / "pages" / f"{OURS}@{number}" for number in (1, version))
    for folder in (old, kept):
        folder.mkdir(parents=True)
        (folder / "page.html").write_text(f"a page of {folder.name}")
    status, headers, content = studio.ask(f"{DIGITS}/page", {})
    assert (status, content.decode()) == (200, f"a page of {kept.name}")
    assert headers["content-disposition"] == 'attachment; filename="mnist.html"'
    assert not old.exists()
    assert studio.ask("/api/runs/nothing/page", {})[0] == 404
