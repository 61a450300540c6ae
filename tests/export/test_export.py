"""Handing a model on: ONNX files, a page for browsers, the hub, its card; and files that should not be trusted."""

from __future__ import annotations

import functools
import http.server
import json
import random
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import ganvas as command

import ganvas
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.export import hub, model_card
from ganvas.export import onnx as exporting
from ganvas.images import tensors as im
from ganvas.images.spec import ImageSpec
from ganvas.networks import NETWORKS, build

pytestmark = pytest.mark.long
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def model(run: Path) -> ganvas.Model:
    return ganvas.load(run)


# -------------------- ONNX


def test_the_generator_draws_the_same_elsewhere(model: ganvas.Model, exported: Path) -> None:
    from ganvas.core import seeds

    files = json.loads((exported / "files.json").read_text())
    assert [*files] == ["generator.onnx", "detector.onnx"]
    assert all(difference <= 1e-4 for difference in files.values())
    session = onnxruntime.InferenceSession(exported / "generator.onnx")
    z, labels = seeds.latents(range(11), model.latent_dim), torch.arange(11) % 2
    found = session.run(None, {"z": z.numpy(), "labels": labels.numpy()})[0]
    assert np.abs(found - torch.cat(list(model.draw(range(11)))).numpy()).max() <= 1e-4
    card = json.loads({p.key: p.value for p in onnx.load(exported / "generator.onnx").metadata_props}["ganvas"])
    assert card["classes"] == ["0", "1"]
    assert card["latent_dim"] == model.latent_dim
    assert card["range"] == [-1, 1]


def test_the_detector_gives_the_same_verdicts_elsewhere(model: ganvas.Model, exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported / "detector.onnx")
    pictures = torch.cat([model.sample(60), 2 * torch.rand(20, 1, 12, 12) - 1])
    found = session.run(None, {"images": pictures.numpy()})[0]
    verdicts = model.detect(pictures)
    assert np.abs(found - np.array([v.probability for v in verdicts])).max() <= 1e-4
    card = json.loads({p.key: p.value for p in onnx.load(exported / "detector.onnx").metadata_props}["ganvas"])
    no, yes = card["thresholds"]["0.05"]
    assert ["no" if p < no else "yes" if p >= yes else "not sure" for p in np.asarray(found).tolist()] == [
        v.kind for v in verdicts
    ]


ONCE = (
    (0, "classic-mlp"),
    (0, "pyramid"),
    (3, "projected"),
    (3, "classic-dcgan"),
    (3, "dcgan"),
)  # each network, but the run's own


@pytest.mark.parametrize(
    ("classes", "name"),
    [
        pytest.param(classes, name, marks=[] if (classes, name) in ONCE else [pytest.mark.slow])
        for classes in (0, 3)
        for name in NETWORKS
    ],
)
def test_every_generator_can_be_exported(classes: int, name: str, tmp_path: Path) -> None:
    assert difference(NETWORKS[name].Config(), ImageSpec(1, 12, classes), tmp_path) <= 1e-4


def test_scanned_digits_have_the_very_same_values_elsewhere(tmp_path: Path) -> None:
    config = NETWORKS["shuffle"].Config(head="scanned", subpixels=9)
    assert difference(config, ImageSpec(1, 28, 3), tmp_path) <= 1e-6


def test_flat_drawings_are_flat_elsewhere(tmp_path: Path) -> None:
    assert difference(NETWORKS["pyramid"].Config(flat=True), ImageSpec(3, 12, 3), tmp_path) <= 1e-4  # pyright: ignore


def difference(config: Any, spec: ImageSpec, place: Path) -> float:
    """By how much the exported generator, with random weights, differs from torch."""
    torch.manual_seed(0)
    generator, discriminator = build(config, spec)
    names, card = tuple(map(str, range(spec.classes))), {"recipe": "x", "images": 1}
    model = ganvas.Model(place, generator.eval(), discriminator.eval(), spec, config.latent_dim, names, card)
    (file,) = exporting.export(model, place)
    return file.difference


def test_a_file_that_differs_from_torch_is_not_written(
    model: ganvas.Model, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_trace", lambda _, spec: onnx.load(exported / spec.file))  # traced once
    monkeypatch.setattr(exporting, "CLOSE", 0.0)
    with pytest.raises(UserError, match="differs from torch"):
        exporting.export(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_export_says_what_is_missing(run: Path, tmp_path: Path) -> None:
    done = command("export", str(run), cwd=tmp_path)
    assert done.returncode == 2
    assert "--web DIR" in done.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    done = command("export", str(run), "--web", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "mine" / "index.html").read_text() == "mine"


# -------------------- the page


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(model: ganvas.Model, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_trace", lambda _, spec: onnx.load(exported / spec.file))  # traced once
        exporting.web(model, folder)
    handler = functools.partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_the_page_draws_walks_and_writes_in_a_browser(site: str, model: ganvas.Model) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(request.url))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site)
        page.wait_for_selector("body[data-ready=yes]", timeout=900_000)
        drawn = page.evaluate("ganvas.draw([0, 7, 999], [1, 0, 1]).then((all) => all.map((x) => Array.from(x)))")
        wanted = torch.cat(list(model.draw([0, 7, 999], [1, 0, 1]))).flatten(1).numpy()
        assert np.abs(np.array(drawn) - wanted).mean() * 127.5 <= 1
        # what the sheet shows is what Python draws, level by level
        page.click("#classes button[value='1']")
        page.fill("#seed", "40")
        page.press("#seed", "Enter")
        page.wait_for_timeout(300)
        shown = page.evaluate(
            "Array.from(document.querySelector('#sheet').getContext('2d').getImageData(0, 0, 12, 12).data)"
        )
        levels = np.array(shown).reshape(12, 12, 4)[..., 0]
        assert np.abs(levels - im.to_uint8(model.sample(1, classes=1, seed=40))[0, 0].numpy().astype(int)).mean() <= 1
        place = "document.querySelector('#step').toDataURL()"
        before = page.evaluate(place)
        page.evaluate("document.querySelector('#share').value = 0.9; document.querySelector('#share').oninput()")
        page.wait_for_function(f"{place} !== {json.dumps(before)}")
        page.fill("#text", "0110")
        page.wait_for_timeout(300)
        wide = page.evaluate("document.querySelector('#written').width")
        page.fill("#text", "01100110")
        page.wait_for_function(f"document.querySelector('#written').width > {wide}")
        browser.close()
    assert wrong == []
    assert all(url.startswith((site, "data:", "blob:")) for url in asked)


# -------------------- the card and the hub


def test_figures_become_part_of_the_model(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    before, _ = checkpoint.load(tmp_path / "run" / "model.safetensors")
    for _ in ganvas.evaluate(tmp_path / "run", ["frechet", "recall"], "pixels", count=200, repeats=1):
        pass
    after, card = checkpoint.load(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {row["metric"] for row in card["metrics"]} == {"frechet", "recall"}
    done = command("info", "run", cwd=tmp_path)
    assert "Frechet distance: " in done.stdout
    assert "extractor pixels" in done.stdout
    assert "Its limits: " in done.stdout


def test_figures_do_not_touch_a_model_that_is_being_trained(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    with Run(tmp_path / "run").locked():
        for _ in ganvas.evaluate(tmp_path / "run", ["frechet"], "pixels", count=200, repeats=1):
            pass
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


def test_push_to_a_folder_is_what_would_be_uploaded(run: Path, model: ganvas.Model, tmp_path: Path) -> None:
    done = command("push", str(run), "page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "page").iterdir()) == ["README.md", "model.safetensors"]
    assert torch.equal(ganvas.load(tmp_path / "page").sample(2), model.sample(2))
    text = (tmp_path / "page" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: ganvas\n")
    assert "AUROC against" in text


class FakeHub(ModuleType):
    """Enough of huggingface_hub: repositories are folders."""

    def __init__(self, root: Path) -> None:
        super().__init__("huggingface_hub")
        self.root = root
        self.HfApi = lambda **_: self

    def create_repo(self, name: str, exist_ok: bool) -> None:
        (self.root / name).mkdir(parents=True, exist_ok=exist_ok)

    def upload_folder(self, repo_id: str, folder_path: str, commit_message: str) -> None:
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)

    def hf_hub_download(self, name: str, file: str, library_name: str, cache_dir: Path | None) -> str:
        if not (self.root / name / file).is_file():
            raise FileNotFoundError(f"{name} is not there")
        return str(self.root / name / file)


def test_push_and_load_by_a_hubs_name(model: ganvas.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.errors

    fake = FakeHub(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", huggingface_hub.errors)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    assert hub.push(model, "hf://someone/digits") == "hf://someone/digits"
    assert torch.equal(ganvas.load("hf://someone/digits").sample(2), model.sample(2))
    assert torch.equal(
        ganvas.load(Path("hf://someone/digits")).sample(2), model.sample(2)
    )  # as the command line has it
    assert "hf://someone/digits" in (tmp_path / "someone" / "digits" / "README.md").read_text()
    with pytest.raises(UserError, match="cannot be downloaded"):
        ganvas.load("hf://someone/else")
    for name in ("hf://digits", "hf://a/b/c"):
        with pytest.raises(UserError, match="hf://user/name"):
            hub.push(model, name)
        with pytest.raises(UserError, match="hf://user/name"):
            ganvas.load(name)


# -------------------- files that should not be trusted


def test_a_card_that_asks_for_too_much_is_refused_at_once(model: ganvas.Model, tmp_path: Path) -> None:
    tensors, card = checkpoint.load(model.path)
    for where, value in (("latent_dim", 10**14), ("g_quarter", 10**9), ("d_features", 10**12), ("latent_dim", "64")):
        bad = {**card, "network": {**card["network"], where: value}}
        checkpoint.save(tmp_path / "bad.safetensors", tensors, bad)
        with pytest.raises(UserError):
            ganvas.load(tmp_path / "bad.safetensors")
    checkpoint.save(tmp_path / "bad.safetensors", tensors, {**card, "spec": {**card["spec"], "size": 4 * 10**8}})
    with pytest.raises(UserError):
        ganvas.load(tmp_path / "bad.safetensors")


def test_no_card_makes_anything_but_a_sentence(model: ganvas.Model, tmp_path: Path) -> None:
    """A hostile card has a right digest: whoever writes the card can compute it."""
    tensors, card = checkpoint.load(model.path)
    dice, odd = random.Random(0), [None, -1, 0, 1.5, 10**30, "x", [], [[]], {}, {"a": 1}, True, "../../etc", [None] * 3]
    path = tmp_path / "odd.safetensors"
    refused = 0
    for _ in range(90):
        changed = json.loads(json.dumps(card))
        place = changed
        while True:
            key = dice.choice(list(place))
            if not isinstance(place[key], dict) or not place[key] or dice.random() < 0.3:
                break
            place = place[key]
        if dice.random() < 0.3:
            del place[key]
        else:
            place[key] = dice.choice(odd)
        checkpoint.save(path, tensors, changed)
        try:
            odd_model = ganvas.load(path)
            odd_model.sample(1)
            model_card.markdown(odd_model, "x")
        except UserError:
            refused += 1
    assert refused > 20


def test_the_function_and_the_folder_of_its_name_do_not_hide_each_other() -> None:
    """`ganvas.export(model, folder)` works also after something has imported a module of the folder."""
    import ganvas.export.hub

    assert callable(ganvas.export)
    with pytest.raises(TypeError, match=r"export\(\) missing 2 required positional arguments"):
        ganvas.export()  # pyright: ignore[reportCallIssue]
