"""The page of a run in a browser, while it is trained: what moves, and what is left out where there is no expert."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
from test_studio import Served, a_run
from test_studio_pages import browser, frames, go, until, watched  # noqa: F401
from test_studio_pages import pytestmark as pytestmark

from ganvas.core.run import Run

TILES = "[...document.querySelectorAll('.tiles dd')].map((x) => x.textContent).join('|')"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("live")
    a_run(place / "runs" / "00000-live")
    restores = a_run(place / "runs" / "00001-denoise")
    card = {"recipe": "denoise", "training": {"images": 100}, "task": {"name": "restore", "lively": 0}}
    restores.experiment.write_text(json.dumps(card))
    restores.append({"images": 8, "loss_g": 0.1, "psnr": 21.5, "seconds": 1, "images_per_second": 8, "epoch": 1})
    restores.append({"images": 8, "metric": "fidelity", "psnr": 22.0, "psnr_damaged": 20.5}, restores.metrics)
    served = Served(place / "runs", place)
    yield served
    served.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:  # noqa: F811
    found = browser.new_page()
    found.set_default_timeout(600_000)
    wrong: list[str] = []
    found.on("pageerror", lambda error: wrong.append(str(error)))
    watched(found)
    yield found
    found.close()
    assert not wrong


def test_figures_move_from_the_first_step_on(page: Any, studio: Served) -> None:
    run = Run(studio.app.state.studio.root / "00000-live")
    trains, ends = threading.Event(), threading.Event()

    def train() -> None:
        with run.locked():
            trains.set()
            ends.wait(600)

    trainer = threading.Thread(target=train, daemon=True)
    trainer.start()
    trains.wait(600)
    go(page, studio, "run/00000-live")
    until(page, "document.querySelector('#main').innerText.includes('Starting: reading the pictures')")
    assert page.evaluate(TILES).startswith("0 of 100|–|–|")
    for images, left in ((8, "46 s"), (16, "42 s")):
        run.save_progress({"images": images, "epoch": 0.1, "seconds": 3, "images_per_second": 2.0})
        until(page, f"{TILES}.startsWith('{images} of 100|0.1|2|') && {TILES}.endsWith('|{left}')")
    assert page.evaluate("document.querySelector('.bar i').style.width") == "16%"
    assert "Starting" not in page.inner_text("#main")
    run.append({"images": 24, "epoch": 0.2, "seconds": 5, "images_per_second": 4, "accuracy_real": 0.7,
                "accuracy_fake": 0.6, "loss_d": 1, "loss_g": 1})  # fmt: skip
    until(page, f"{TILES}.startsWith('24 of 100')")
    until(page, "document.querySelector('.tug').innerText.replace(/\\s+/g, ' ') === 'Real 70% Forged 60% Held out –'")
    until(page, "document.querySelectorAll('.u-legend td').length > 0")
    lines = "[...document.querySelectorAll('.u-legend td')].every((x) => getComputedStyle(x).borderTopWidth === '0px')"
    assert page.evaluate(lines)
    ends.set()
    trainer.join(600)
    until(page, "document.querySelector('.pill').textContent === 'stopped'")
    assert page.evaluate(TILES).endswith("|–")


def test_without_an_expert_the_page_speaks_of_none(page: Any, studio: Served) -> None:
    go(page, studio, "run/00001-denoise")
    until(page, "document.querySelector('.remarks').innerText.includes('dB')")
    until(page, "document.querySelectorAll('.chart canvas').length === 1")
    frames(page)
    told = page.inner_text("#main")
    assert "How well does it restore?" in told
    for word in ("Expert", "expert is right", "winning", "Held out", "asleep"):
        assert word not in told.replace("an expert (discriminator)", "")


def test_a_run_is_deleted_after_a_question(page: Any, studio: Served) -> None:
    folder = studio.app.state.studio.root / "00001-denoise"
    go(page, studio)
    for answer in ("Cancel", "Delete"):
        page.click("summary[aria-label='More for 00001-denoise']")
        page.click(".menu[open] button:has-text('Delete')")
        page.wait_for_selector("dialog[open]")
        assert page.inner_text("dialog h2") == "Delete 00001-denoise?"
        assert page.evaluate("document.activeElement.textContent") == "Cancel"
        page.click(f"dialog button:has-text('{answer}')")
        until(page, "!document.querySelector('dialog')")
        assert folder.exists() == (answer == "Cancel")
    until(page, "!document.querySelector('#name-00001-denoise')")
