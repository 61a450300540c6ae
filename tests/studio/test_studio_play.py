"""The studio's pages to restore pictures and to ask the expert, in a browser."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from test_studio_pages import (  # noqa: F401
    Served,
    browser,
    check_access,
    frames,
    go,
    page,
    pytestmark,
    quick_workers,
    studio,
    tab,
    until,
)


def photo(path: Path, seed: int, size: tuple[int, int] = (30, 40)) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)).save(path)
    return path


def divider(page: Any) -> tuple[int, str]:  # noqa: F811
    """Where the divider is, and how much of the picture before is hidden."""
    at = int(page.get_attribute(".divider", "aria-valuenow"))
    return at, page.evaluate("document.querySelector('.over').style.clipPath")


def test_a_picture_is_restored_and_compared(page: Any, studio: Served, tmp_path: Path) -> None:  # noqa: F811
    go(page, studio, "mend/00001-denoise")  # the old address
    until(page, "location.hash === '#/restore/00001-denoise'")
    page.wait_for_selector("text=Drop a photo to see it before and after.")
    page.set_input_files("input[type=file]", photo(tmp_path / "old.jpg", 0))
    page.wait_for_selector(".divider")
    until(page, "document.querySelector('.split img').naturalWidth === 40")
    assert divider(page)[0] == 50
    box = page.locator(".split").bounding_box()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 20, steps=4)
    page.mouse.up()
    at, hidden = divider(page)
    assert (at, hidden[:12]) == (20, "inset(0px 80")
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 20)
    assert divider(page)[0] == 20  # only a pressed button drags
    page.keyboard.press("ArrowRight")
    assert divider(page)[0] == 25
    page.keyboard.press("Home")
    assert divider(page)[0] == 0
    page.click("button:has-text('1:1')")
    until(page, "Math.round(document.querySelector('.split').getBoundingClientRect().width) === 40")
    check_access(page)
    page.click("button:has-text('Fit')")
    until(page, "document.querySelector('.split').getBoundingClientRect().width > 40")
    with page.expect_download() as download:
        page.click("button:has-text('Download JPEG')")
    assert download.value.suggested_filename == "old-restored.jpg"
    with Image.open(download.value.path()) as kept:
        assert (kept.format, kept.size) == ("JPEG", (40, 30))
    page.set_viewport_size({"width": 390, "height": 844})
    until(page, "innerWidth === 390")
    frames(page)
    assert page.locator(".drop").bounding_box()["y"] < page.locator(".split").bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_several_pictures_are_restored_one_after_another(
    page: Any,  # noqa: F811
    studio: Served,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    files = [photo(tmp_path / "Fähre.png", 1), broken, photo(tmp_path / "other" / "Fähre.png", 2)]
    go(page, studio, "restore/00001-denoise")
    page.set_input_files("input[type=file]", files)
    page.wait_for_selector("text=2 of 3 pictures restored.")
    assert page.locator(".split").count() == 2
    assert "cannot be read as a picture" in page.text_content(".error")
    assert all("400" in text for text in page.wrong)  # the browser's own note of it
    page.wrong.clear()
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as file:
        assert file.testzip() is None
        assert file.namelist() == ["Fähre-restored.png", "Fähre-restored-2.png"]
        with Image.open(io.BytesIO(file.read("Fähre-restored-2.png"))) as picture:
            assert picture.size == (40, 30)
    check_access(page)
