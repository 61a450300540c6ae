"""The pages of sounds in a browser: what a person does there, without an error, markup from a name, or a lost sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("soundfile")
pytest.importorskip("soxr")
from test_studio import Served, quick_workers  # noqa: F401
from test_studio_pages import CHROMIUM, browser, check_access, frames, go, page, settled, tab, until  # noqa: F401
from test_studio_sounds import EACH, FOLDER, KINDS, place, studio  # noqa: F401

from ganvas.core.run import Run
from ganvas.metrics.figures import Figure, Protocol

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or Chrome"),
]
COUNT_PLAYS = (
    "window.plays = []; Audio.prototype.play = function () { plays.push(this.src); return Promise.resolve() }; 0"
)
TONE = """
  const tone = () => {
    const audio = new AudioContext(), out = audio.createMediaStreamDestination(), bell = audio.createOscillator();
    bell.connect(out);
    bell.start();
    return out.stream;
  };
"""  # what a microphone hears


def used(page: Any, selector: str, *schemes: str, where: str = "main") -> None:  # noqa: F811
    """Whoever cannot see, has it light or dark, or a phone, can use what is shown, and `where` tells of no picture."""
    page.wait_for_selector(selector)
    settled(page)
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        check_access(page)
    page.set_viewport_size({"width": 360, "height": 700})
    until(page, "innerWidth === 360")
    frames(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 362
    assert not page.evaluate(f"/picture|image/i.test(document.querySelector('{where}').innerText)")
    assert not page.evaluate("document.querySelectorAll('main [onerror]').length")
    page.set_viewport_size({"width": 1200, "height": 900})


def test_a_run_is_watched_and_heard(page: Any, studio: Served, place: Path) -> None:  # noqa: F811
    run = Run(place / "runs" / "bells")
    protocol = Protocol("none", "-", 90, "held-out", 0, 1, "none", FOLDER, "f")
    run.append(Figure("clicks", KINDS[0], 0.25, 0, 0.125, 0, "lower", True, protocol, 96).row(), run.metrics)
    go(page, studio)
    until(page, "document.querySelector('.thumb img')?.naturalWidth > 0")
    go(page, studio, "run/bells")
    used(page, ".film img.sheet[src]", "light", "dark")
    assert [KINDS[0], "25.0%", "12.5%", "lower"] == page.locator(".film tbody :is(th, td)").all_inner_texts()
    assert "variety compared with real sounds" in page.inner_text(".tiles")  # of an earlier line
    assert KINDS[0] in page.inner_text(".film")
    page.locator("input[aria-label^='Time']").fill("0")
    until(page, "document.querySelector('audio.strip').src.includes('fakes_init.wav')")
    page.evaluate("document.querySelector('audio.strip').preload = 'auto'")
    until(page, "document.querySelector('audio.strip').duration > 0.3")
    page.evaluate("document.querySelector('audio.strip').currentTime = 0.3")
    until(page, "!document.querySelector('audio.strip').seeking")
    assert page.evaluate("document.querySelector('audio.strip').currentTime") == pytest.approx(0.3, abs=0.05)


def test_sounds_are_played_and_a_map_dragged_through(page: Any, studio: Served) -> None:  # noqa: F811
    go(page, studio, "run/bells/play")
    page.wait_for_selector(".places .spectrum")
    used(page, ".sounds img", "dark")
    assert KINDS[0] in page.inner_text(".sounds")
    page.evaluate(COUNT_PLAYS)
    page.keyboard.press("s")
    until(page, "plays.length === 1")
    page.fill("#seed", "5")
    page.focus("#seed")
    page.keyboard.press("d")  # while something is typed, keys are no instrument
    page.locator("h1").click()
    until(page, "document.querySelector('.sounds li').innerText.includes('seed 5')")
    assert page.evaluate("plays.length") == 1
    with page.expect_download() as download:
        page.click(".sounds li:first-child [aria-label^=Save]")
    assert download.value.suggested_filename == "bells-seed5.wav"
    page.click(".sounds li:first-child [aria-label^=Use]")
    until(page, "document.querySelector('#from').value === '5'")

    page.focus(".map")
    page.keyboard.press("ArrowRight")
    until(page, "plays.length === 2")
    page.keyboard.press("Enter")
    until(page, "plays.length === 3")
    assert page.evaluate("plays[1] === plays[2]")
    assert "54% to the right" in page.get_attribute(".map", "aria-valuetext")
    box = page.locator(".map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 9)
    page.mouse.down()
    page.mouse.move(box["x"] + 9, box["y"] + box["height"] - 9, steps=8)
    page.mouse.up()
    until(page, "plays.length > 3 && plays.at(-1) !== plays[2]")
    page.select_option("#map-kind", KINDS[1])
    assert KINDS[0] not in page.inner_text(".map")


def test_a_recording_is_judged(page: Any, studio: Served, place: Path) -> None:  # noqa: F811
    go(page, studio, "run/bells/judge")
    page.set_input_files("input[type=file]", place / "data" / FOLDER / KINDS[1] / "0.wav")
    used(page, "#verdict", "light", "dark")
    assert "held-out sounds" in page.inner_text("main")
    page.evaluate(COUNT_PLAYS)
    page.click("#hear")
    until(page, "plays[0].startsWith('data:audio/wav')")
    page.select_option("#said", KINDS[0])  # the same recording, judged again
    until(page, "document.querySelector('.judged table')?.innerText.includes('(said)')")
    wrong = {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"\x89PNG" * 9}
    page.set_input_files("input[type=file]", files=[wrong])
    until(page, "document.querySelector('.judged .error')?.innerText.includes('a PNG picture')")
    assert [text[-17:] for text in page.wrong] == ["400 (Bad Request)"]  # of this alone
    page.wrong.clear()


def test_a_recording_comes_from_the_microphone(page: Any, studio: Served) -> None:  # noqa: F811
    go(page, studio, "run/bells/judge")
    page.evaluate(f"{TONE} navigator.mediaDevices.getUserMedia = async () => tone(); 0")
    page.click("#record")
    until(page, "parseFloat(document.querySelector('.judged .row .soft').textContent) >= 0.2")
    assert page.text_content("#record") == "Stop and judge"
    page.click("#record")
    page.wait_for_selector("#verdict")
    assert "1 channel, " in page.inner_text("main")
    refuse = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError') }; 0"
    page.evaluate(refuse)
    page.click("#record")
    until(page, "document.querySelector('#toast').innerText.includes('may not use the microphone')")


def test_a_game_is_played_and_data_are_looked_at(page: Any, studio: Served) -> None:  # noqa: F811
    go(page, studio, "run/bells/real")
    page.click("#begin")
    used(page, ".pairs li", "dark")
    for pair in page.locator(".pairs li").all():
        pair.locator("button").nth(1).click()
    page.click("#done")
    page.wait_for_selector("#score")
    check_access(page)
    go(page, studio, "data")
    page.click(f"button[aria-label='Check {FOLDER}']")
    used(page, ".stack .sheet", "light", where=".stack")
    assert f"{2 * EACH} sounds" in page.inner_text("main")
