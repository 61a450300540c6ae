"""Every page of the studio in a browser: what a person does there, without an error, and for those who cannot see."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import moved, quick, write_blobs
from PIL import Image

pytest.importorskip("fastapi")
from test_studio import Served, quick_workers  # noqa: F401

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or Chrome"),
]
WAIT = 600_000  # milliseconds: on however busy a machine


@pytest.fixture(scope="module")
def studio(
    run: Path,
    exported: Path,
    quick_workers: None,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("pages")
    (place / "trained-on").mkdir()
    moved(run, write_blobs(place / "trained-on", 600, 400), place / "runs" / "00000-blobs")
    (place / "data").mkdir()
    write_blobs(place / "data", 300, 100)
    (place / "pictures").mkdir()
    for i in range(30):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (20, 24, 3), np.uint8)).save(
            place / f"pictures/{i}.png"
        )
    for number, recipe in ((1, "denoise"), (2, "inpaint")):
        for _ in quick(recipe, place / "data", steps=2).run(place / "runs" / f"0000{number}-{recipe}"):
            pass
    (place / "cats & dogs, 100% Bäume").mkdir()
    served = Served(place / "runs", place)
    version = (place / "runs" / "00000-blobs" / "model.safetensors").stat().st_mtime_ns
    shutil.copytree(exported, served.app.state.studio.home / "onnx" / f"00000-blobs@{version}")  # traced once
    yield served
    served.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def tab(browser: Any, studio: Served) -> Iterator[Any]:
    """The tab in which most of the tests have their page, one after the other; what goes wrong in it."""
    found = browser.new_page(accept_downloads=True)
    found.set_default_timeout(WAIT)
    found.wrong = []
    found.on("console", lambda m: found.wrong.append(m.text) if m.type == "error" else None)
    found.on("pageerror", lambda e: found.wrong.append(str(e)))
    own = (f"http://127.0.0.1:{studio.port}/", "data:", "blob:", "about:")
    found.on("request", lambda r: None if r.url.startswith(own) else found.wrong.append(r.url))
    watched(found)
    yield found
    found.close()


@pytest.fixture
def page(tab: Any) -> Iterator[Any]:
    """A page whose errors, and requests to others, are the test's."""
    tab.set_viewport_size({"width": 1200, "height": 900})
    yield tab
    if tab.url.startswith("http"):
        tab.evaluate("localStorage.clear()")
    tab.unroute_all(behavior="ignoreErrors")
    tab.emulate_media(color_scheme="null")
    tab.goto("about:blank")
    wrong, tab.wrong[:] = [*tab.wrong], []
    tab.asked.clear()
    assert not wrong


def go(page: Any, studio: Served, address: str = "") -> None:
    page.goto(f"http://127.0.0.1:{studio.port}/#/{address}")
    page.wait_for_selector("#main[aria-busy=false] h1")


def watched(page: Any) -> None:
    """Keep in mind which requests of a page have no answer yet, for `settled`."""
    page.asked = set()
    page.on("request", lambda r: None if r.url.endswith("/events") else page.asked.add(r))  # which has no end
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda r: page.asked.discard(r))


def settled(page: Any) -> None:
    """Wait until all is shown that a page has asked for, 300 milliseconds at most."""
    calm, end = 0, time.monotonic() + 0.3
    while calm < 2 and time.monotonic() < end:
        frames(page)
        calm = 0 if page.asked else calm + 1


def frames(page: Any, count: int = 2) -> None:
    """Wait until a page has been drawn so many times."""
    script = "async (count) => { for (; count; count -= 1) await new Promise(requestAnimationFrame); }"
    page.evaluate(script, count)


def until(page: Any, expression: str) -> None:
    """Wait until JavaScript says yes; the page's own policy forbids what Playwright waits with."""
    end = time.monotonic() + WAIT / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(20)


def check_access(page: Any) -> None:
    """No serious finding of axe-core on what is shown."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-core is not installed")
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate((Path(spec.origin).parent / "axe.min.js").read_text())
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    bad = [
        f"{v['id']}: {v['nodes'][0]['html']}" for v in result["violations"] if v["impact"] in ("serious", "critical")
    ]
    assert not bad


PAGES = ["", "new", "restore", "data", "run/00000-blobs", "run/00000-blobs/forger", "run/00000-blobs/expert"]
PAGES += ["run/00000-blobs/game", "compare/00000-blobs,00001-denoise", "run/00001-denoise", "nothing"]


@pytest.mark.parametrize("address", PAGES)
def test_every_page_can_be_used_by_everyone(page: Any, studio: Served, address: str) -> None:
    go(page, studio, address)
    settled(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        check_access(page)
    page.set_viewport_size({"width": 360, "height": 700})
    until(page, "innerWidth === 360")
    frames(page, 3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 362  # nothing sticks out on a phone
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


def test_the_first_page_is_small_and_quick(browser: Any, studio: Served) -> None:
    page = browser.new_page()  # which has nothing of it yet
    sizes: list[int] = []
    page.on("response", lambda r: sizes.append(len(r.body())) if r.status == 200 else None)
    began = time.monotonic()
    go(page, studio)
    took = time.monotonic() - began
    page.close()
    assert sum(sizes) < 300_000
    assert took < 10  # a second on a machine that does nothing else: benchmarks/studio.py


@contextlib.contextmanager
def held(studio: Served) -> Iterator[None]:
    """The training stands still: it would take time from what is looked at, and has enough to show."""
    (process,) = [job.pid for job in studio.app.state.studio.jobs.jobs if job.state == "running"]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_training_is_started_watched_stopped_and_taken_up(page: Any, studio: Served) -> None:
    go(page, studio, "new?recipe=mnist&data=data")
    page.click("summary:has-text('Details')")
    for name, value in (
        ("images", "500k"),
        ("batch", "16"),
        ("tick_every", "160"),
        ("sample_every", "320"),
        ("detect", "0"),
    ):
        page.fill(f"#set-{name}", value)
    page.click("button:has-text('Start')")
    until(page, "document.body.dataset.page === 'training' && document.querySelector('.sheet')?.naturalWidth > 0")
    until(page, "document.querySelectorAll('.chart canvas').length === 2")
    until(page, "document.querySelector('.pill').textContent === 'training now'")
    first = page.text_content(".tiles dd")
    until(page, f"document.querySelector('.tiles dd').textContent !== '{first}'")  # it moves
    until(page, "+document.querySelector('input[type=range]').max >= 1")
    with held(studio):
        page.locator("input[aria-label^='Time']").fill("0")  # back to the noise
        until(page, "document.querySelector('.sheet').src.includes('fakes_init')")
        check_access(page)
    page.click("#stop")
    until(page, "document.querySelector('#stop, #resume').textContent !== 'Stop'")
    page.evaluate("document.querySelector('#stop')?.click()")  # again: it saves all the same
    until(page, "document.querySelector('.pill').textContent === 'stopped'")
    name = page.url.rpartition("/")[2]
    before = next(r for r in studio.get("/api/runs")["runs"] if r["name"] == name)["images"]
    page.click("#resume")
    until(page, "document.querySelector('.pill').textContent === 'training now'")
    end = time.monotonic() + WAIT / 1000
    while next(r for r in studio.get("/api/runs")["runs"] if r["name"] == name)["images"] <= before:
        assert time.monotonic() < end
        time.sleep(0.2)
    page.click("#stop")
    until(page, "document.querySelector('.pill').textContent === 'stopped'")
    page.click("#nav a:has-text('Runs')")
    page.wait_for_selector(f"a[aria-label='Open {name}']")


def test_the_forger_draws_and_writes(page: Any, studio: Served) -> None:
    go(page, studio, "run/00000-blobs/forger")
    until(page, "document.querySelector('.sheet').naturalWidth === 8 * 12")
    page.select_option("#kind", "1")
    page.select_option("#count", "16")
    until(page, "document.querySelector('.sheet').naturalHeight === 2 * 12")
    with page.expect_download() as download:
        page.click("#zip")
    assert download.value.suggested_filename == "00000-blobs-seed0.zip"
    until(page, "document.querySelector('.map').style.backgroundImage.includes('blob:')")
    look = "() => document.querySelector('.big').toDataURL()"
    until(page, "document.querySelector('.big').width === 12")
    before = page.evaluate(look)
    box = page.locator(".map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + 5, steps=6)
    page.mouse.up()
    until(page, f"({look})() !== '{before}'")
    settled(page)
    by_server = page.evaluate(look)
    page.click("#local")
    page.wait_for_selector("#local", state="hidden")
    page.focus(".map")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    frames(page, 10)
    assert page.evaluate(look) != before
    assert by_server.startswith("data:image/png")
    page.fill("#text", "0110")
    page.click("button:has-text('Write')")
    until(page, "document.querySelector('.written').naturalWidth > 12")
    check_access(page)


def test_the_map_is_dragged_through_without_asking_the_server(page: Any, studio: Served) -> None:
    go(page, studio, "run/00000-blobs/forger")
    page.click("#local")
    page.wait_for_selector("#local", state="hidden")
    found = page.evaluate(
        """async () => {
            const map = document.querySelector('.map'), box = map.getBoundingClientRect();
            const canvas = document.querySelector('.big');
            const kind = CanvasRenderingContext2D.prototype, put = kind.putImageData;
            let shown = 0;
            kind.putImageData = function (...given) {
                shown += this.canvas === canvas;
                return put.apply(this, given);
            };
            performance.clearResourceTimings();
            for (let i = 1; i <= 10; i += 1) {
                const clientX = box.x + box.width * i / 11, before = shown;
                map.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY: box.y + 20, buttons: 1 }));
                for (let frame = 0; shown === before && frame < 3000; frame += 1)
                    await new Promise(requestAnimationFrame);
            }
            const asked = performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/point'));
            return [shown, asked.length];
        }"""
    )
    assert found == [10, 0]


def test_a_drawing_is_judged(page: Any, studio: Served) -> None:
    go(page, studio, "run/00000-blobs/expert")
    box = page.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 220, steps=8)
    page.mouse.up()
    page.click("#judge")
    page.wait_for_selector("[role=meter]")
    assert page.locator("figure img").count() == 2
    assert page.locator("img.small").count() == 4
    check_access(page)


def test_a_game_is_played_to_its_end(page: Any, studio: Served) -> None:
    go(page, studio, "run/00000-blobs/game")
    page.click("#begin")
    page.wait_for_selector("#done")
    for i in (0, 3, 7):
        page.click(f".picks li:nth-child({i + 1}) button")
    assert page.locator(".picks button[aria-pressed=true]").count() == 3
    assert page.locator(".picks").inner_text().split() == ["real"] * 3  # nothing is called forged before an answer
    page.click("#done")
    page.wait_for_selector("#score")
    assert "of 20 right." in page.text_content("#score")
    until(page, "document.querySelector('#expert').textContent.includes('of 20.')")
    lines = page.locator(".picks button").nth(0).inner_text().split("\n")
    assert [line.partition(":")[0] for line in lines] in (["real", "you", "expert"], ["forged", "you", "expert"])
    texts = [card.inner_text() for card in page.locator(".picks button").all()]
    assert page.locator(".picks .fooled").count() == sum(text.startswith("forged\nyou: real") for text in texts)
    assert len({round(card.bounding_box()["height"]) for card in page.locator(".picks button").all()}) == 1
    assert "On this machine: " in page.text_content("#main")
    check_access(page)


def test_what_is_painted_over_is_what_is_filled(page: Any, studio: Served, tmp_path: Path) -> None:
    Image.fromarray(np.full((120, 200, 3), 200, np.uint8)).save(tmp_path / "mine.png")
    go(page, studio, "restore/00002-inpaint")
    page.set_input_files("input[type=file]", tmp_path / "mine.png")
    box = page.locator(".paint canvas").bounding_box()
    scale = box["width"] / 200
    assert box["height"] / 120 == pytest.approx(scale, rel=0.02)
    page.mouse.move(box["x"] + 150 * scale, box["y"] + 30 * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + 150 * scale, box["y"] + 90 * scale, steps=5)
    page.mouse.up()
    page.click("#fill")
    page.wait_for_selector(".split img")
    grey = page.evaluate(
        """() => {
            const image = document.querySelector('.over img'), canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const pen = canvas.getContext('2d');
            pen.drawImage(image, 0, 0);
            const { data } = pen.getImageData(0, 0, canvas.width, canvas.height), found = [];
            for (let p = 0; p < data.length / 4; p += 1) if (data[4 * p] === 127) found.push(p);
            return [Math.min(...found.map((p) => p % 200)), Math.max(...found.map((p) => p % 200)),
                Math.floor(found[0] / 200), Math.floor(found.at(-1) / 200)];
        }"""
    )
    assert grey == pytest.approx([147, 153, 27, 93], abs=2)
    assert page.locator(".paint canvas").count() == 1  # one can go on painting


def test_a_folder_is_checked_and_trained_on(page: Any, studio: Served) -> None:
    go(page, studio, "data")
    page.click("a:has-text('pictures/')")
    page.wait_for_selector("text=Here: 30 pictures")
    page.click("button[aria-label='Check pictures']")
    page.wait_for_selector(".purposes")
    check_access(page)
    assert page.locator(".purposes button:has-text('too few')").count() == 3  # 30 small ones are enough for nothing
    page.click(".purposes button:has-text('Restore')")
    assert "too few to train a restorer" in page.text_content("#main")
    page.click("a.main:has-text('Train on them')")
    until(page, "document.querySelector('#data')?.value === 'pictures'")
    assert page.is_checked("input[value=restore]")


def test_every_name_can_be_reached_and_no_address_is_a_dead_end(page: Any, studio: Served) -> None:
    odd = studio.app.state.studio.root / "00008-Bäume"
    shutil.copytree(studio.app.state.studio.root / "00000-blobs", odd)
    go(page, studio)
    page.click("a[aria-label='Open 00008-Bäume']")
    page.wait_for_selector("#main[aria-busy=false] h1:has-text('00008-Bäume')")
    until(page, "document.activeElement.tagName === 'H1'")  # where a screen reader goes on
    go(page, studio, "data")
    page.click("a:has-text('cats & dogs')")
    page.wait_for_selector("h2:has-text('cats & dogs, 100% Bäume')")
    for address in ("run/100%", "%", "nothing/at/all"):
        go(page, studio, address)
        assert page.text_content("h1") == "There is no such page"
    go(page, studio, "new?recipe=few")
    page.click("summary:has-text('Details')")
    page.fill("#data", "pictures")
    page.focus(".skip")
    page.keyboard.press("Enter")
    assert page.input_value("#data") == "pictures"
    assert page.evaluate("document.activeElement.id") == "main"
    shutil.rmtree(odd)  # when nothing asks for its pictures any more


def test_an_older_answer_never_comes_over_a_newer_one(page: Any, studio: Served) -> None:
    go(page, studio, "run/00000-blobs/forger")
    until(page, "document.querySelector('.sheet').naturalWidth > 0")
    held: list[Any] = []
    page.route("**/sheet", lambda route: held.append(route) if not held else route.continue_())
    page.select_option("#kind", "0")
    end = time.monotonic() + WAIT / 1000
    while not held:
        assert time.monotonic() < end
        page.wait_for_timeout(10)
    page.select_option("#kind", "1")
    until(page, "document.querySelector('.sheet').alt.endsWith('class 1')")
    shown = page.evaluate("document.querySelector('.sheet').src")
    with page.expect_event("requestfinished", lambda r: r.url.endswith("/sheet")):
        held[0].continue_()
    frames(page, 10)
    assert page.evaluate("document.querySelector('.sheet').src") == shown


def test_a_game_that_could_not_be_dealt_is_dealt_again(browser: Any, studio: Served) -> None:
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    try:
        go(page, studio, "run/00000-blobs/game")
        page.route("**/game", lambda route: route.fulfill(status=502, body="<html>a proxy's page</html>"))
        page.click("#begin")
        page.wait_for_selector(".error:has-text('The studio answered with error 502.')")
        page.unroute("**/game")
        page.click("#begin")
        page.wait_for_selector("#done")
    finally:
        page.close()


def test_what_goes_wrong_is_said(browser: Any, studio: Served, tmp_path: Path) -> None:
    page = browser.new_page()  # a browser's console tells of each refusal
    try:
        go(page, studio, "new?recipe=images&data=nowhere")
        page.click("button:has-text('Start')")
        page.wait_for_selector(".error")
        assert "There is no nowhere in" in page.text_content(".error")
        Image.new("L", (40, 30)).save(tmp_path / "mine.png")
        go(page, studio, "restore/00002-inpaint")
        page.set_input_files("input[type=file]", tmp_path / "mine.png")
        page.click("#fill")
        page.wait_for_selector(".error:has-text('paint over')")
        assert page.locator(".paint canvas").count() == 1
    finally:
        page.close()


def test_names_are_text_and_never_markup(browser: Any, studio: Served) -> None:
    folder = studio.app.state.studio.root / "00009-odd"
    folder.mkdir()
    evil = "<img src=x onerror=document.title='hit'>"
    (folder / "experiment.json").write_text(
        f'{{"recipe": "{evil}", "data_name": "{evil}", "training": {{"images": 9}}}}'
    )
    page = browser.new_page()
    watched(page)
    try:
        for address in ("", "run/00009-odd"):
            go(page, studio, address)
            settled(page)
            assert page.title() != "hit"
            assert evil in page.text_content("#main")
    finally:
        page.close()
        shutil.rmtree(folder)


def test_a_run_that_cannot_be_shown_says_why(browser: Any, page: Any, studio: Served) -> None:
    folder = studio.app.state.studio.root / "00009-strange"
    folder.mkdir()
    (folder / "experiment.json").write_text("{}")
    os.mkfifo(folder / "log.jsonl")
    other = browser.new_page()  # its console tells of the refusal
    try:
        go(page, studio)
        card = page.locator(".card", has_text="00009-strange")
        assert "log.jsonl is not a file" in card.text_content()
        assert card.locator("a, button").count() == 0
        assert page.locator("a[aria-label='Open 00000-blobs']").count() == 1
        check_access(page)
        go(other, studio, "run/00009-strange")
        assert "log.jsonl is not a file" in other.text_content("[role=alert]")
    finally:
        other.close()
        shutil.rmtree(folder)
