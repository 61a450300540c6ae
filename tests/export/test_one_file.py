"""A page in one file: it opens from the disk, draws there, and asks for nothing else."""

from __future__ import annotations

import base64
import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import ganvas
from ganvas import cli
from ganvas.core.errors import UserError
from ganvas.export import onnx as exporting

pytestmark = pytest.mark.long
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page(run: Path, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("alone") / "digits.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_trace", lambda _, spec: onnx.load(exported / spec.file))  # traced once
        assert cli.app(["export", str(run), "--web", str(file)], result_action="return_value") == 0
    return file


def test_all_is_inside(page: Path, run: Path, exported: Path) -> None:
    text = page.read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|from '\./""", text)
    inside = dict(re.findall(r'<script type="application/gzip" id="file:([^"]+)">([^<]+)</script>', text))
    assert gzip.decompress(base64.b64decode(inside["generator.onnx"])) == (exported / "generator.onnx").read_bytes()
    assert {"model.json", "latents.bin", exporting.RUNTIME} < set(inside)
    assert "Copyright (c) Microsoft Corporation" in text
    before = page.read_bytes()
    with pytest.raises(UserError, match="--force to overwrite it"):
        cli.app(["export", str(run), "--web", str(page)], result_action="return_value")
    assert page.read_bytes() == before


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_it_draws_from_the_disk(page: Path, run: Path) -> None:
    from playwright.sync_api import sync_playwright

    wrong: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        own = (page.as_uri(), "data:", "blob:")
        tab.on("request", lambda asked: None if asked.url.startswith(own) else wrong.append(asked.url))
        tab.goto(page.as_uri())
        tab.wait_for_selector("body[data-ready=yes]", timeout=900_000)
        drawn = tab.evaluate("ganvas.draw([0, 7], [1, 0]).then((all) => all.map((x) => Array.from(x)))")
        browser.close()
    wanted = torch.cat(list(ganvas.load(run).draw([0, 7], [1, 0]))).flatten(1).numpy()
    assert np.abs(np.array(drawn) - wanted).mean() * 127.5 <= 1
    assert not wrong
