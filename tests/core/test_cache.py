"""The cache serves these pictures and no others, is made anew whatever its damage, and keeps its limit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file
from torch import tensor

from ganvas import cli
from ganvas.core import cache
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images.data import ImageData, pack
from ganvas.images.data.pictures import find
from ganvas.images.decode import Shape
from ganvas.sources import checks

pytestmark = pytest.mark.long

WHOLE, PIECES = Shape(8, 3), Shape(8, 3, "pieces")
TIME = 1_700_000_000


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pictures(place: Path, seed: int = 0, count: int = 30) -> Path:
    """Pictures of 12 pixels, whose files have one size and one time whatever is in them."""
    place.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        array = np.random.default_rng(1_000 * seed + i).integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(array).save(place / f"{i:02}.bmp")
        os.utime(place / f"{i:02}.bmp", (TIME, TIME))
    return place


def packs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "ganvas" / "packs").iterdir())


def seen(dataset: ImageData) -> bytes:
    return b"".join(sorted(x.numpy().tobytes() for split in (dataset.train, dataset.held_out) for x in split.images[:]))


def flip(path: Path, at: int = 100) -> None:
    """Change one byte; size and time of the file stay."""
    before = path.stat()
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 255]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("shape", [WHOLE, PIECES])
def test_another_folder_s_pictures_are_never_served(tmp_path: Path, shape: Shape) -> None:
    first, second = (data.load(str(pictures(tmp_path / f"{n}" / "pics", n)), shape) for n in (1, 2))
    assert seen(first) != seen(second)
    assert first.fingerprint != second.fingerprint
    assert len(packs(tmp_path)) == 2


@pytest.mark.parametrize("shape", [WHOLE, PIECES])
def test_pictures_that_changed_in_their_place_are_read_anew(tmp_path: Path, shape: Shape) -> None:
    place = pictures(tmp_path / "pics", 1)
    before = seen(data.load(str(place), shape))
    pictures(tmp_path / "other", 2)
    shutil.copy2(tmp_path / "other" / "07.bmp", place / "07.bmp")  # of the same size and time
    changed = seen(data.load(str(place), shape))
    assert changed != before
    place.rename(tmp_path / "away")
    (tmp_path / "other").rename(place)
    assert seen(data.load(str(place), shape)) not in (before, changed)
    archive = Path(shutil.make_archive(str(tmp_path / "pics"), "tar", place))
    os.utime(archive, (TIME, TIME))
    one = seen(data.load(str(archive), shape))
    shutil.make_archive(str(tmp_path / "pics"), "tar", tmp_path / "away")
    os.utime(archive, (TIME, TIME))
    assert seen(data.load(str(archive), shape)) != one


@pytest.mark.parametrize(("shape", "file"), [(WHOLE, "pixels-000.bin"), (PIECES, "pixels.bin")])
def test_one_changed_byte_is_found_and_made_again(tmp_path: Path, shape: Shape, file: str) -> None:
    place = str(pictures(tmp_path / "pics"))
    before = data.load(place, shape)
    expected = seen(before)
    (folder,) = packs(tmp_path)
    flip(folder / file)
    again = data.load(place, shape)
    assert seen(again) == expected
    assert again.fingerprint == before.fingerprint
    assert "could not be used and is made again" in again.notes[-1]
    assert "the pixels of picture" in again.notes[-1]
    assert data.load(place, shape).notes == before.notes


def test_one_changed_byte_of_one_s_own_pack_is_an_error(tmp_path: Path) -> None:
    list(data.pack_into(str(pictures(tmp_path / "pics")), tmp_path / "own", WHOLE))
    expected = seen(data.load(str(tmp_path / "own")))
    shutil.copytree(tmp_path / "own", tmp_path / "copy")
    assert seen(data.load(str(tmp_path / "copy"))) == expected
    flip(tmp_path / "copy" / "pixels-000.bin", 12 * 192)
    with pytest.raises(
        UserError, match=r"copy is damaged: the pixels of picture 13 of 30 were changed\. Make the pack"
    ):
        data.load(str(tmp_path / "copy"))


@pytest.mark.parametrize("shape", [WHOLE, PIECES])
def test_pixels_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: Shape) -> None:
    place = str(pictures(tmp_path / "pics"))
    expected = seen(data.load(place, shape))
    checked, digest = [], checks.digest
    monkeypatch.setattr(checks, "digest", lambda pixels: checked.append(1) or digest(pixels))
    assert seen(data.load(place, shape)) == expected
    assert checked == []
    (tmp_path / "cache" / "ganvas" / "checked.json").write_text("[" * 100_000)
    steps = data.loading(place, shape, True)
    assert [step.text[:8] for step in steps] == ["Checking"]
    assert len(checked) == 30
    data.load(place, shape)
    assert len(checked) == 30


def change(**more: Any) -> Callable[[Path], None]:
    """Change fields of a pack's card; None removes one."""

    def act(place: Path) -> None:
        path = next(p for p in (place / "pack.json", place / "photos.json") if p.exists())
        card = {**json.loads(path.read_text()), **more}
        path.write_text(json.dumps({k: v for k, v in card.items() if v is not None}))

    return act


def write(content: bytes | str) -> Callable[[Path], None]:
    """Put something else into a pack's card."""

    def act(place: Path) -> None:
        path = next(p for p in (place / "pack.json", place / "photos.json") if p.exists())
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return act


def emptied(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()


def a_file(place: Path) -> None:
    shutil.rmtree(place)
    place.write_text("no folder")


def a_link(place: Path) -> None:
    shutil.rmtree(place)
    place.symlink_to("/no/such/folder")


def other_index(place: Path) -> None:
    if (place / "index.safetensors").exists():
        save_file({"digests": tensor([1])}, place / "index.safetensors")
    else:
        (place / "pixels.bin").unlink()


TEXTS = ("", "[]", "7", "{", "[" * 100_000, b"\xff\xfe", '{"format": 1}', '{"a": ' + "9" * 5_000)
ODD: dict[str, Sequence[Any]] = {
    "name channels licence": (None, [], 1.5, True),
    "notes broken": (None, 5, [5], {"a": 1}),
    "classes size train rows shards": ([], {}, "x", -1, 10**30),
    "sizes digests held_out names": ([], [[]], ["x"], [10**9], "x"),
    "format": (None, 2, "1", [1]),
}
DAMAGES: Sequence[Callable[[Path], None]] = [
    *map(write, TEXTS),
    *(change(**{key: value}) for keys, values in ODD.items() for key in keys.split() for value in values),
    change(fingerprint="0" * 64),
    change(shards=[{"file": "../../x", "bytes": 1}]),
    change(shards=[5]),
    change(channels=2, sizes=[[12, 12]] * 45),
    emptied,
    a_file,
    a_link,
    other_index,
]


@pytest.mark.parametrize("shape", [WHOLE, PIECES])
def test_whatever_the_damage_the_cache_is_made_anew(tmp_path: Path, shape: Shape) -> None:
    place = str(pictures(tmp_path / "pics", count=8))
    expected = data.load(place, shape)
    pixels, print_ = seen(expected), expected.fingerprint
    del expected
    (folder,) = packs(tmp_path)
    for number, damage in enumerate(DAMAGES):
        damage(folder)
        dataset = data.load(place, shape)
        assert (seen(dataset), dataset.fingerprint, dataset.name) == (pixels, print_, "pics"), number


def test_an_own_pack_that_is_damaged_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    list(data.pack_into(str(pictures(tmp_path / "pics", count=8)), tmp_path / "own", WHOLE))
    for number, damage in enumerate(DAMAGES):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(tmp_path / "own", tmp_path / "copy")
        damage(tmp_path / "copy")
        if damage in (a_link, a_file, emptied):
            shutil.rmtree(tmp_path / "copy", ignore_errors=True)
            (tmp_path / "copy").unlink(missing_ok=True)
            continue
        kept = {p.name for p in (tmp_path / "copy").iterdir()}
        with contextlib.suppress(UserError):
            assert seen(data.load(str(tmp_path / "copy"))) == seen(data.load(str(tmp_path / "own"))), number
        assert {p.name for p in (tmp_path / "copy").iterdir()} == kept


@pytest.mark.parametrize("shape", [WHOLE, PIECES])
@pytest.mark.parametrize(
    "line",
    [
        *("5", "null", "[]", '{"start": 0}', '{"start": "x", "digests": [], "broken": {}}', "[" * 100_000),
        *('{"start": 32, "digests": 5, "broken": []}', '{"size": 3, "digest": 4}', '{"size": [1, -1], "digest": "x"}'),
    ],
)
def test_odd_lines_of_a_journal_are_done_again(tmp_path: Path, shape: Shape, line: str) -> None:
    place = pictures(tmp_path / "pics", count=70)
    steps = data.loading(str(place), shape, True)
    while next(steps).done < 32:
        pass
    steps.close()
    (work,) = packs(tmp_path)
    journal = work / "journal.jsonl"
    head, *rest = journal.read_text().splitlines()
    journal.write_text("\n".join([head, *rest[:-1], line, *rest[-1:]]) + "\n")
    flip(next(work.glob("pixels*")), 5)  # what the journal tells of is no more on the disk
    dataset = data.load(str(place), shape)
    shutil.copytree(place, tmp_path / "copy" / "pics")
    assert seen(dataset) == seen(data.load(str(tmp_path / "copy" / "pics"), shape))


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    place = pictures(tmp_path / "pics")
    for name in (b"caf\xe9.bmp", b"\x1b[31m.bmp"):
        with open(os.path.join(os.fsencode(place), name), "wb") as file:
            file.write(b"no picture")
    for shape in (WHOLE, PIECES):
        dataset = data.load(str(place), shape)
        assert "2 of 32 pictures could not be read" in dataset.notes[0]
        assert "\\x1b[31m.bmp" in dataset.notes[0]
        assert dataset.notes[0].encode()
        assert data.load(str(place), shape).notes == dataset.notes
    names = json.loads((next(p for p in packs(tmp_path) if (p / "names.json").exists()) / "names.json").read_text())
    assert os.fsencode("caf\udce9.bmp") in map(os.fsencode, names)


@pytest.mark.parametrize("shape", [WHOLE, PIECES])
def test_folders_with_long_names_are_cached(tmp_path: Path, shape: Shape) -> None:
    place = pictures(tmp_path / ("🐱" * 60), count=4)
    assert data.load(str(place), shape).name == place.name
    data.load(str(place), shape)
    assert len(packs(tmp_path)) == 1


def test_what_is_said_is_of_now(tmp_path: Path) -> None:
    place = pictures(tmp_path / "pics")
    assert data.load(str(place), WHOLE).notes == ()
    (place / "film.mp4").write_bytes(b"")
    assert "1 .mp4" in data.load(str(place), WHOLE).notes[0]
    assert len(packs(tmp_path)) == 1


# -------------------- the limit


def aged(place: Path, days: int) -> None:
    os.utime(place, (TIME, TIME - 86_400 * days))


def test_the_longest_unused_goes_first_and_what_is_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = data.load(str(pictures(tmp_path / "held")), WHOLE)
    for name in ("old", "older"):
        data.load(str(pictures(tmp_path / name)), WHOLE)
    data.load(str(pictures(tmp_path / "mended")), PIECES)
    reference = tmp_path / "cache" / "ganvas" / f"reference-{'0' * 20}.safetensors"
    reference.write_bytes(b"x" * 10_000)
    (tmp_path / "cache" / "ganvas" / "mine.txt").write_text("of somebody")
    ages = {"held": 9, "older": 8, "mended": 7, "old": 6}
    for place in packs(tmp_path):
        aged(place, ages[place.name.partition("-")[0]])
    aged(reference, 1)
    assert [entry.name for entry in cache.entries()] == ["held", "older", "mended", "old", reference.stem]
    assert [entry.kind for entry in cache.entries()] == ["pack", "pack", "photographs", "pack", "reference"]
    total = sum(entry.bytes for entry in cache.entries())
    monkeypatch.setattr(cache, "MOST", total)
    dataset = data.load(str(pictures(tmp_path / "new")), WHOLE)
    assert "Removed from the cache" in dataset.notes[0]
    assert "older (pack, " in dataset.notes[0]
    assert [entry.name for entry in cache.entries()] == ["held", "mended", "old", reference.stem, "new"]
    assert seen(held)
    data.load(str(tmp_path / "mended"), PIECES)
    monkeypatch.setattr(cache, "MOST", 1)
    del dataset
    data.load(str(pictures(tmp_path / "more")), WHOLE)
    assert [entry.name for entry in cache.entries()] == ["held", "more"]
    del held
    cache.trim(tmp_path)
    assert cache.entries() == []
    assert (tmp_path / "cache" / "ganvas" / "mine.txt").exists()


def test_there_is_room_on_the_disk_before_pictures_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.load(str(pictures(tmp_path / "old")), WHOLE)
    usage = shutil.disk_usage(tmp_path)

    def tight(_: Path) -> object:
        return usage._replace(free=100 if any("old" in p.name for p in packs(tmp_path)) else 10**9)

    monkeypatch.setattr(shutil, "disk_usage", tight)
    assert "Removed from the cache" in data.load(str(pictures(tmp_path / "new")), WHOLE).notes[0]


def test_what_cannot_be_removed_stops_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.load(str(pictures(tmp_path / "old")), WHOLE)

    def refuse(place: Path, _: bool = False) -> bool:
        raise UserError(f"Cannot remove {place}.")

    monkeypatch.setattr(cache, "MOST", 1)
    monkeypatch.setattr(cache, "remove", refuse)
    assert data.load(str(pictures(tmp_path / "new")), WHOLE).notes == ()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str) -> str:
        assert cli.app(["data", "cache", *arguments], result_action="return_value") == 0
        return capsys.readouterr().out

    assert "It is empty" in told()
    dataset = data.load(str(pictures(tmp_path / "pics")), WHOLE)
    (place,) = packs(tmp_path)
    text = told()
    assert "pics (pack, 0 MB, last used 20" in text
    assert str(place) in text
    assert "0 MB in 1 entry; the cache may take" in text
    assert "Removed 0 of 1 entry" in told("--clear")
    assert seen(dataset)
    del dataset
    assert "Removed 1 of 1 entry" in told("--clear")
    assert packs(tmp_path) == []
    assert "It is empty" in told()


def test_a_key_changes_with_the_place_and_with_what_is_there(tmp_path: Path) -> None:
    images = find(pictures(tmp_path / "pics"))
    assert pack.key(images, WHOLE) == pack.key(find(tmp_path / "pics"), WHOLE)
    (tmp_path / "link").symlink_to("pics")
    assert pack.key(images, WHOLE) == pack.key(find(tmp_path / "link"), WHOLE)
    os.utime(tmp_path / "pics" / "03.bmp", (TIME, TIME))  # its time is as before, but not when it was changed
    assert pack.key(images, WHOLE) != pack.key(find(tmp_path / "pics"), WHOLE)
