"""Take the screenshots of the studio's pages from real runs: `make screenshots` (some minutes; needs Chromium).

Trains `mnist` for 100,000 images, `denoise` on MNIST for 20,000, and of examples/orders `table` on the orders for
100,000 rows and on all tables for 30,000 rows each, in a folder of its own, opens the studio there, and writes
docs/images/studio-*.png. With names of pages, as in `docs/make_screenshots.py table rows`, only these, after the
trainings that they show.
"""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).parent / "images"
PAGES = {
    "runs": "",
    "run": "run/00000-mnist",
    "forger": "run/00000-mnist/forger",
    "expert": "run/00000-mnist/expert",
    "game": "run/00000-mnist/game",
    "mend": "restore/00001-denoise",
    "table": "run/00002-orders",
    "rows": "run/00002-orders/rows",
    "together": "run/00003-shop",
    "new": "new",
    "data": "data",
}


SHOP = Path(__file__).parents[1] / "examples/orders/make_shop.py"
WORDS = ("images=100k", "column.customer_id=skip")
RUNS = {  # by the names of the runs: the words of a training
    "00000-mnist": ("train", "mnist", "images=100k"),
    "00001-denoise": ("train", "denoise", "--data", "mnist", "degrade=noise:128", "turn=false", "images=20k"),
    "00002-orders": ("train", "table", "--data", "sqlite:///shop.db", "--table", "orders", *WORDS),
    "00003-shop": ("train", "table", "--data", "sqlite:///shop.db", "images=30k"),
}
MEASURED = ("00003-shop",)  # runs whose pages show what `ganvas evaluate` measures
TALL = {"table": 1500, "together": 1840}  # the heights of pages that show too little in 860 pixels


def main(chosen: list[str]) -> None:
    from PIL import Image
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium here: apt-get install chromium.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "work"  # its name is on the page of data
        folder.mkdir()
        ganvas = [sys.executable, "-m", "ganvas"]
        subprocess.run([sys.executable, SHOP, "shop.db"], cwd=folder, check=True)
        pages = {name: place for name, place in PAGES.items() if not chosen or name in chosen}
        for name, words in RUNS.items():
            if not chosen or any(name in place for place in pages.values()):
                subprocess.run([*ganvas, *words, "--run", f"runs/{name}"], cwd=folder, check=True)
                if name in MEASURED:
                    subprocess.run([*ganvas, "evaluate", f"runs/{name}", "--repeats", "1"], cwd=folder, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen([*ganvas, "studio", "--port", str(port)], cwd=folder)
        try:
            address = f"http://127.0.0.1:{port}/"
            wait(f"{address}health")
            with sync_playwright() as play:
                browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1180, "height": 860})
                page.set_default_timeout(180_000)
                for name, place in pages.items():
                    page.set_viewport_size({"width": 1180, "height": TALL.get(name, 860)})
                    page.goto("about:blank")  # a new address after # alone would leave the old page on for a while
                    page.goto(f"{address}#/{place}")
                    page.wait_for_selector("#main[aria-busy=false] h1")
                    page.wait_for_timeout(3000)
                    prepare(page, name)
                    path = IMAGES / f"studio-{name}.png"
                    page.screenshot(path=path)
                    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
                    print(f"docs/images/studio-{name}.png")
                browser.close()
        finally:
            server.terminate()
            server.wait()


def prepare(page: Any, name: str) -> None:
    """What a person does on the page before the picture is taken."""
    if name == "expert":
        box = page.locator(".pad").bounding_box()
        points = [(85, 80), (190, 72), (160, 140), (135, 215)]  # a seven
        page.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
        page.mouse.down()
        for x, y in points[1:]:
            page.mouse.move(box["x"] + x, box["y"] + y, steps=12)
        page.mouse.up()
        page.click("#judge")
        page.wait_for_selector("[role=meter]")
    if name == "game":
        page.click("#begin")
        page.wait_for_selector("#done")
        for i in (1, 4, 5, 9, 12):
            page.click(f".picks li:nth-child({i}) button")
    if name == "rows":
        page.fill("#where", "status=returned,total>=500")
        page.click("#draw")
        page.wait_for_timeout(500)
        page.wait_for_selector("#draw:not([disabled])")
    if name == "mend":
        page.set_input_files("input[type=file]", noisy(IMAGES / "digits.png"))
        page.wait_for_selector(".keep")
    if name == "data":
        page.click("button[aria-label='Check mnist']")
        page.wait_for_selector("img.smooth")
    page.wait_for_timeout(800)


def noisy(path: Path) -> Any:
    """A picture with noise over it, as a file to choose."""
    import numpy as np
    from PIL import Image

    clean = np.asarray(Image.open(path).convert("L"), dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, 110, clean.shape)
    buffer = io.BytesIO()
    Image.fromarray((clean + noise).clip(0, 255).astype(np.uint8)).save(buffer, "png")
    return {"name": "noisy.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def wait(address: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"{address} does not answer.")


if __name__ == "__main__":
    main(sys.argv[1:])
