"""A new training: three questions, few clicks, Start always in sight; what is sent from a browser, and its limits."""

from __future__ import annotations

import io
import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_blobs
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
    tab,
    until,
)

from ganvas import api
from ganvas.core.errors import UserError
from ganvas.studio import jobs, uploads
from ganvas.studio.uploads import Uploads

SIZES = {"desk": (1280, 800), "phone": (390, 844)}


@pytest.fixture(scope="module")
def studio(quick_workers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:  # noqa: F811
    place = tmp_path_factory.mktemp("new")
    for name in ("data", "pictures"):
        (place / name).mkdir()
    write_blobs(place / "data", 300, 100)
    for i in range(30):
        pixels = np.random.default_rng(i).integers(0, 255, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"pictures/{i}.png")
    served = Served(place / "runs", place)
    yield served
    served.close()


def files(folder: Path, count: int = 6) -> list[Path]:
    made = []
    for i in range(count):
        made.append(folder / f"{i}.png")
        pixels = np.random.default_rng(100 + i).integers(0, 255, (24, 24, 3), np.uint8)
        Image.fromarray(pixels).save(made[-1])
    (folder / "notes.txt").write_text("mine")
    return [*made, folder / "notes.txt"]


def in_sight(page: Any) -> None:  # noqa: F811
    """Start can be seen, and nothing scrolls sideways, wherever the page is scrolled to."""
    for y in (0, 1e6):
        page.evaluate("y => scrollTo(0, y)", y)
        frames(page)
        left, top, right, bottom, width, height, wide = page.evaluate(
            """() => {
                const { left, top, right, bottom } = document.querySelector('.new-start').getBoundingClientRect();
                return [left, top, right, bottom, innerWidth, innerHeight, document.documentElement.scrollWidth];
            }"""
        )
        assert left >= 0
        assert top >= 0
        assert right <= width
        assert bottom <= height
        assert wide <= width
    page.evaluate("scrollTo(0, 0)")


def asked_for(page: Any) -> list[dict[str, Any]]:  # noqa: F811
    """The trainings that the page asks for from now on; none is begun, and no speed is measured."""
    found: list[dict[str, Any]] = []

    def answer(route: Any) -> None:
        found.append(route.request.post_data_json)
        route.fulfill(status=201, content_type="application/json", body='{"run": "", "state": "running"}')

    page.route("**/api/train", answer)
    speed = json.dumps({"images": 1, "images_per_second": 67, "seconds": 1, "data": "none"})
    page.route("**/api/forecast", lambda route: route.fulfill(content_type="application/json", body=speed))
    return found


def remove_all(studio: Served) -> None:
    for row in studio.get("/api/uploads")["uploads"]:
        studio.post("/api/uploads/delete", {"name": row["name"]})


@pytest.mark.parametrize("size", SIZES)
def test_own_pictures_are_trained_on_after_four_clicks(
    page: Any,  # noqa: F811
    studio: Served,
    tmp_path: Path,
    size: str,
) -> None:
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    wanted = asked_for(page) if size == "phone" else None
    go(page, studio, "new")
    in_sight(page)
    page.click("label:has-text('Draw pictures like mine')")  # 1
    in_sight(page)
    with page.expect_file_chooser() as chooser:
        page.click("label:has-text('Choose files')")  # 2
    chooser.value.set_files(files(tmp_path))
    page.wait_for_selector(".new-status strong:has-text('6 pictures in files-')")
    said = page.text_content(".new-status")
    assert "Files that are not pictures are skipped: 1 .txt." in said
    assert "too few: the network would memorise them" in said
    in_sight(page)
    for scheme in ("light", "dark") if size == "desk" else ():
        page.emulate_media(color_scheme=scheme)
        check_access(page)
    page.click("label:has-text('A minute')")  # 3
    page.click(".new-start")  # 4
    until(page, "location.hash.startsWith('#/run/')")
    kept = [row["name"] for row in studio.get("/api/uploads")["uploads"]]
    if wanted is None:
        (job,) = [job for job in studio.app.state.studio.jobs.jobs if "few" in job.arguments]
        assert job.state == "running"
        assert job.arguments[4:6] == ("--data", str(studio.app.state.studio.uploads.folder / kept[0]))
        body = {"name": kept[0]}
        assert "A training uses" in json.loads(studio.ask("/api/uploads/delete", body)[2])["detail"]
        os.kill(job.pid, signal.SIGKILL)  # how a training goes on is for other tests
        end = time.monotonic() + 600
        while studio.app.state.studio.jobs.has(job.run):
            assert time.monotonic() < end
            time.sleep(0.1)
    else:
        (one,) = wanted
        assert (one["recipe"], one["data"]) == ("few", f"upload:{kept[0]}")
        assert set(one["settings"]) == {"images", "tick_every", "sample_every"}
        assert one["settings"]["images"] == "3600"  # a minute at 67 a second, with time for the rest
    remove_all(studio)


def test_answers_choose_the_recipe(page: Any, studio: Served) -> None:  # noqa: F811
    wanted = asked_for(page)
    go(page, studio, "new?goal=restore")
    page.click("label:has(input[value=superres])")
    page.click(".new-start")
    page.wait_for_selector(".new-message .error:has-text('Which undamaged pictures should it learn from?')")
    page.click(".new-place[data-path=pictures]")
    page.wait_for_selector(".new-status strong:has-text('30 pictures in pictures')")
    page.click("summary:has-text('Details')")
    page.fill("#set-images", "3k")  # a length of one's own needs no forecast
    assert page.is_checked("input[name=length][value=own]")
    assert "(1 changed)" in page.text_content("summary")
    page.click(".new-start")
    until(page, "location.hash === '#/run/'")
    assert wanted[0] == {"recipe": "superres", "data": "pictures", "to": "", "settings": {"images": "3k"}}
    go(page, studio, "new?goal=translate&data=pictures")
    page.wait_for_selector("h2:has-text('Which are of the other kind?')")
    page.locator(".new-picker").nth(1).locator(".new-place[data-path=data]").click()
    until(page, "document.querySelectorAll('.new-status strong').length === 2")
    assert page.input_value("#to") == "data"
    check_access(page)


def test_dropped_files_are_sent_and_removed(page: Any, studio: Served) -> None:  # noqa: F811
    asked_for(page)
    go(page, studio, "new?goal=restore")
    page.evaluate(
        """async () => {
            const canvas = Object.assign(document.createElement('canvas'), { width: 90, height: 80 });
            const blob = await new Promise((done) => canvas.toBlob(done));
            const data = new DataTransfer();
            for (const name of ['a.png', 'b.png', '.hidden.png', 'c.zip']) data.items.add(new File([blob, name], name));
            document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
        }"""
    )
    page.wait_for_selector(".new-status strong:has-text('2 pictures in ')")
    assert "1 archive or table was skipped: drop each alone." in page.text_content(".new-status")
    (row,) = studio.get("/api/uploads")["uploads"]
    place = studio.app.state.studio.uploads.folder / row["name"]
    assert zipfile.ZipFile(place).namelist() == ["a.png", "b.png"]
    assert str(place.parent) in page.text_content(".new-where")
    button = f"button[aria-label='Remove {row['name']}']"
    page.click(button)
    assert place.exists()  # it asks first
    page.click(button)
    page.wait_for_selector(button, state="detached")
    assert not place.exists()


def test_lengths_are_what_fits_into_the_time(page: Any, studio: Served) -> None:  # noqa: F811
    go(page, studio, "new")
    made = page.evaluate(
        """async () => {
            const { outcome, settingsOf, told } = await import('/static/lengths.js');
            const stages = [[0, 'blurs'], [4000, 'shapes'], [100000, 'all']];
            const made = [60, 600, 3600].map((seconds) => outcome(seconds, 67, stages));
            return [made, made.map((one) => told(one, 'images')), settingsOf(3600, 8), outcome(60, 0.5, [])];
        }"""
    )
    assert [one["images"] for one in made[0]] == [3600, 36000, 100000]
    assert made[1][:2] == ["3,600 images: blurs.", "36,000 images: shapes."]
    assert made[1][2] == "100,000 images, about 28 min: all. A longer training would not help."
    assert made[2] == {"images": "3600", "tick_every": "72", "sample_every": "360"}
    assert made[3]["images"] == 500


def test_every_goal_can_be_trained(studio: Served) -> None:
    goals = studio.get("/api/goals")
    assert [goal["name"] for goal in goals] == ["digits", "pictures", "restore", "translate", "table", "sounds"]
    for goal in goals:
        for name, _ in goal["recipes"]:
            steps = goal["stages"][name]
            assert [at for at, _ in steps] == sorted(at for at, _ in steps)
            assert steps[0][0] == 0
            assert {"images", "tick_every", "sample_every"} <= jobs.settable(name)
            assert api.RECIPES[name]().kind.name == goal["task"]


# ---- what is sent


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/").replace("_png", ".png"), content)
    return buffer.getvalue()


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(UserError) as error:
        call(*arguments)
    return str(error.value)


def test_uploads_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "uploads"
    kept = Uploads(folder)
    assert "a .zip of them" in refused(kept.begin, "virus.exe", 10)
    assert "at most 4 GB" in refused(kept.begin, "a.zip", 5 * 10**9)
    key = kept.begin("../../etc/My Photos: ä.ZIP", 10)
    assert "got lost" in refused(kept.add, key, 3, b"abc")
    assert kept.add(key, 0, b"abcde") == 5
    assert "got lost" in refused(kept.add, key, 0, b"abcde")
    assert "got lost" in refused(kept.add, key, 5, b"abcdefgh")  # more than was said
    assert "not complete" in refused(kept.finish, key)
    kept.add(key, 5, b"fghij")
    assert kept.finish(key).name == "My-Photos.zip"
    assert "cancelled" in refused(kept.add, key, 10, b"x")
    again = kept.begin("My Photos.zip", 1)
    kept.add(again, 0, b"x")
    assert kept.finish(again).name == "My-Photos-2.zip"
    assert {row["name"]: row["bytes"] for row in kept.rows()} == {"My-Photos.zip": 10, "My-Photos-2.zip": 1}
    monkeypatch.setattr(uploads, "TOGETHER", 20)
    assert "Remove some" in refused(kept.begin, "b.zip", 15)
    monkeypatch.setattr(uploads, "OPEN", 1)
    kept.begin("c.csv", 5)
    assert "under way" in refused(kept.begin, "d.csv", 1)
    monkeypatch.setattr(uploads, "STALE", -1.0)
    kept.begin("d.csv", 1)  # the other one had stalled
    assert len(list(folder.glob(".part-*"))) == 1
    (folder / "leads-out.zip").symlink_to(tmp_path)
    for name in ("leads-out.zip", "../secret.zip", ".part-x", "none.zip", ""):
        assert "There is no upload" in refused(kept.find, name)
    Uploads(folder)
    assert not list(folder.glob(".part-*"))  # a new studio removes what was left
    kept.remove("My-Photos.zip")
    assert [row["name"] for row in kept.rows()] == ["My-Photos-2.zip"]


def sent(studio: Served, content: bytes, name: str, task: str) -> tuple[int, dict[str, Any]]:
    key = studio.post("/api/uploads", {"name": name, "size": len(content)}, 201)["key"]
    studio.ask(f"/api/uploads/{key}/portion?offset=0", content)
    status, _, reply = studio.ask(f"/api/uploads/{key}/finish", {"task": task})
    return status, json.loads(reply)


def test_what_cannot_be_learned_from_is_not_kept(studio: Served) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 40)).save(picture, "PNG")
    for content, why in (
        (b"no zip at all", "x.zip is damaged, or no zip file"),
        (archive(__a_png=picture.getvalue()), "points out of the archive"),
        (archive(notes=b"text"), "no pictures"),
    ):
        status, reply = sent(studio, content, "x.zip", "generate")
        assert status == 400
        assert why in reply["detail"]
        assert os.sep + "uploads" not in reply["detail"]
    assert studio.get("/api/uploads")["uploads"] == []
    status, reply = sent(studio, archive(cats__a_png=picture.getvalue(), b_png=picture.getvalue()), "x.zip", "restore")
    assert (status, reply["count"], reply["path"]) == (200, 2, "upload:x.zip")
    looked = studio.post("/api/data/check", {"path": "upload:x.zip"})
    assert looked["total"] == 2
    assert looked["purposes"]["restore"]["goal"] == "restore"
    for path in ("upload:../x.zip", "upload:y.zip", "upload:"):
        assert "There is no upload" in studio.post("/api/data/check", {"path": path}, 400)["detail"]
    assert studio.ask("/api/uploads/none/portion?offset=0", b"x")[0] == 422
    remove_all(studio)
