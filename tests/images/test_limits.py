"""No file fills the memory: what is read is bounded, whatever the file states; pipes are not waited for."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.images import data, decode, originals, sheets
from ganvas.images import files as image_files
from ganvas.images.data import idx, pictures
from ganvas.images.features import extractors
from ganvas.images.spec import ImageSpec
from ganvas.sources import archives, listing
from ganvas.sources.listing import Listing

BOMB = bytes(48_000_000)
LITTLE = 12_000_000  # bytes of memory that reading a small file may take at most


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """The most memory that was held at a time since the beginning of the test's body, in bytes."""
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[1] - start
    tracemalloc.stop()


def png(number: int) -> bytes:
    """About 900 bytes."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def as_zip(place: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(place, "w", kind) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return place


def as_tar(place: Path, members: dict[str, bytes], **more: Any) -> Path:
    with tarfile.open(place, "w:gz" if place.suffix == ".gz" else "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.pax_headers = more
            file.addfile(info, io.BytesIO(content))
    return place


# -------------------- archives and folders


@pytest.mark.parametrize("form", ["x.zip", "x.tar", "x.tar.gz", "x"])
def test_a_file_that_is_too_large_is_named_and_the_others_are_read(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"{i:02}.png": png(i) for i in range(30)} | {"large.png": b"\x89PNG" + bytes(5_000)}
    place = tmp_path / form
    if form == "x":
        place.mkdir()
        for name, content in members.items():
            (place / name).write_bytes(content)
    else:
        (as_zip if form == "x.zip" else as_tar)(place, members)
    monkeypatch.setattr(pictures, "PICTURES", replace(pictures.PICTURES, most_bytes=4_000))
    dataset = data.load(str(place))
    assert len(dataset.train.images) + len(dataset.held_out.images) == 30
    assert "1 of 31 pictures could not be read and are left out: large.png (" in dataset.notes[-1]
    assert "5,004 bytes" in dataset.notes[-1]
    assert "4,000 at most" in dataset.notes[-1]


def test_a_member_that_is_larger_than_it_states_is_unpacked_no_further(tmp_path: Path, peak: Callable[[], int]) -> None:
    path = as_zip(tmp_path / "x.zip", {"bomb.png": BOMB})
    raw = path.read_bytes()
    assert len(raw) < 100_000
    path.write_bytes(raw.replace(struct.pack("<I", len(BOMB)), struct.pack("<I", 1_000)))
    tracemalloc.reset_peak()
    members, read = archives.of_zip(path, pictures.PICTURES)
    (contents,) = read([*members])
    assert peak() < LITTLE
    assert isinstance(contents, Exception)


def test_a_member_that_unfolds_beyond_measure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "UNFOLDED", 100_000)
    members = {f"{i:02}.png": png(i) for i in range(30)} | {"bomb.png": bytes(1_000_000)}
    dataset = data.load(str(as_zip(tmp_path / "x.zip", members)))
    assert "bytes unfold to 1,000,000: no picture is packed so small" in dataset.notes[-1]
    stored = data.load(str(as_zip(tmp_path / "y.zip", members, zipfile.ZIP_STORED)))
    assert "bomb.png (it is not a picture)" in stored.notes[-1]


def test_headers_and_lists_of_members_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {f"{i}.png": b"x" for i in range(11)}
    path = as_tar(tmp_path / "head.tar.gz", {"a.png": b"x"}, comment="x" * 1_100_000)
    with pytest.raises(UserError, match=r"head\.tar\.gz is damaged, or no tar file \(it has more than 1,000,000 bytes"):
        data.load(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(archives, "LISTED", 400)
        with pytest.raises(UserError, match=r"x\.zip is damaged, or no zip file \(it has more than 400 bytes"):
            data.load(str(as_zip(tmp_path / "x.zip", few)))
    monkeypatch.setattr(archives, "MEMBERS", 10)
    folders = tmp_path / "folders.tar"
    with tarfile.open(folders, "w") as file:
        for _ in range(11):
            folder = tarfile.TarInfo("a")
            folder.type = tarfile.DIRTYPE
            file.addfile(folder)
    for place in (as_zip(tmp_path / "x.zip", few), as_tar(tmp_path / "x.tar", few), folders):
        with pytest.raises(UserError, match=r"has more than 10 members\. Unpack it, and name the folder"):
            data.load(str(place))


def test_a_sparse_member_states_its_true_size(tmp_path: Path, peak: Callable[[], int]) -> None:
    """A file of holes, as GNU tar keeps it: a little of the archive, gigabytes when it is read."""
    head = bytearray(tarfile.TarInfo("hole.png").tobuf(tarfile.GNU_FORMAT))
    head[156:157] = b"S"
    head[483:495] = b"%011o\0" % 4_000_000_000
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    (tmp_path / "x.tar").write_bytes(bytes(head) + bytes(1_024))
    members, read = archives.of_tar(tmp_path / "x.tar", pictures.PICTURES)
    assert list(members) == ["hole.png"]
    (contents,) = read([*members])
    assert "it has 4,000,000,000 bytes; a picture has 500,000,000 at most" in str(contents)
    assert peak() < LITTLE


@pytest.mark.parametrize("size", [10, 100, 1_000])
def test_few_of_large_pictures_are_in_memory_at_a_time(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "HELD", 4_000)
    lock, held, most = threading.Lock(), [0], [0]

    def read(numbers: Sequence[int]) -> Iterator[bytes]:
        for number in numbers:
            with lock:
                held[0] += 1
                most[0] = max(most[0], held[0])
            yield bytes([number]) * size

    def work(numbers: range, result: Any) -> list[int]:
        seen = []
        for one in result:
            seen.append(one[0])
            with lock:
                held[0] -= 1
        return seen

    total = 90
    chunks = [range(i, min(i + 32, total)) for i in range(0, total, 32)]
    pics = Listing("x", "x", [str(i) for i in range(total)], [], read)
    assert [n for part in listing.mapped(pics, chunks, work) for n in part] == list(range(total))
    if size == 1_000:
        assert most[0] <= 6  # HELD, one more, and the one that shows it
    elif size == 100:
        assert most[0] <= 72


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    place = tmp_path / "a"
    place.mkdir()
    for i in range(30):
        (place / f"{i:02}.png").write_bytes(png(i))
    os.mkfifo(place / "pipe.png")
    assert "pipe.png (Cannot read" in data.load(str(place)).notes[-1]
    assert originals.place(tmp_path, place / "pipe.png") == tmp_path / "pipe.png"
    (tmp_path / "b").mkdir()
    for name in ("b/x.npz", "b/x.npy", "b/x.zip", "b/x.tar", "b/train-images-idx3-ubyte"):
        os.mkfifo(tmp_path / name)
    for read in (
        lambda: image_files.fit(place / "pipe.png", ImageSpec(1, 8)),
        lambda: originals.read(place / "pipe.png"),
        lambda: sheets.read(place / "pipe.png"),
        lambda: image_files.load(tmp_path / "b" / "x.npz"),
        lambda: image_files.load(tmp_path / "b" / "x.npy"),
        lambda: archives.of_zip(tmp_path / "b" / "x.zip", pictures.PICTURES),
        lambda: archives.of_tar(tmp_path / "b" / "x.tar", pictures.PICTURES),
        lambda: idx.read(tmp_path / "b" / "train-images-idx3-ubyte"),
    ):
        with pytest.raises(UserError, match="it is a pipe or a device"):
            read()


# -------------------- IDX files


def test_an_idx_file_is_unpacked_no_further_than_its_head_states(tmp_path: Path, peak: Callable[[], int]) -> None:
    head = b"\0\0\x08\x03" + struct.pack(">3I", 10, 8, 8)
    (tmp_path / "x.gz").write_bytes(gzip.compress(head + BOMB, 1))
    tracemalloc.reset_peak()
    with pytest.raises(UserError, match=r"more than 640 bytes for the shape \(10, 8, 8\)"):
        idx.read(tmp_path / "x.gz")
    assert peak() < LITTLE
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 1 << 20, 1 << 10, 1 << 10)))
    with pytest.raises(UserError, match="unpack to 1,099,511,627,776: such files are made to exhaust the memory"):
        idx.read(tmp_path / "x.gz")


def test_an_idx_file_that_does_not_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 10, 8, 8) + bytes(640))
    assert idx.read(tmp_path / "x").shape == (10, 8, 8)
    monkeypatch.setattr(files, "memory_left", lambda: 600)
    with pytest.raises(UserError, match="of memory, and"):
        idx.read(tmp_path / "x")


# -------------------- single files


def test_single_files_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.png").write_bytes(png(0))
    monkeypatch.setattr(decode, "BYTES", 100)
    monkeypatch.setattr(sheets, "BYTES", 100)
    monkeypatch.setattr(extractors, "INCEPTION_BYTES", 100)
    for read in (
        lambda: image_files.fit(tmp_path / "x.png", ImageSpec(3, 16)),
        lambda: image_files.load(tmp_path),
        lambda: originals.read(tmp_path / "x.png"),
        lambda: sheets.read(tmp_path / "x.png"),
        lambda: extractors.load(str(tmp_path / "x.png"), ImageSpec(3, 16)),
    ):
        with pytest.raises(UserError, match="such a file has 100 at most"):
            read()


@pytest.mark.parametrize(
    "error", [SyntaxError("x"), struct.error("x"), MemoryError(), EOFError(), ValueError("x"), RecursionError()]
)
def test_whatever_pillow_raises_is_a_sentence(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.png").write_bytes(png(0))

    def refuse(*_: object, **__: object) -> None:
        raise error

    for where, name in ((Image, "open"), (Image.Image, "load")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, refuse)
            if name == "load":
                patch.setattr(Image.Image, "__array_interface__", property(refuse))
                patch.setattr("PIL.ImageFile.ImageFile.load", refuse)
            for read in (
                lambda: image_files.fit(tmp_path / "x.png", ImageSpec(3, 16)),
                lambda: image_files.load(tmp_path),
                lambda: originals.read(tmp_path / "x.png"),
                lambda: sheets.read(tmp_path / "x.png"),
            ):
                with pytest.raises(UserError, match=r"x\.png cannot be read as a picture"):
                    read()
            assert originals.place(tmp_path / "out", tmp_path / "x.png").name == "x.png"


def test_a_picture_of_many_pixels_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.png").write_bytes(png(0))
    monkeypatch.setattr(sheets, "PIXELS", 200)
    with pytest.raises(UserError, match=r"x\.png cannot be read as a picture"):
        sheets.read(tmp_path / "x.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match="not a picture that Ganvas wrote"):
        sheets.read(tmp_path / "deep.png")


def test_every_kind_of_packing_is_read_alike(tmp_path: Path) -> None:
    members = {f"{i:02}.png": png(i) for i in range(30)}
    kinds = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    zips = [data.load(str(as_zip(tmp_path / f"{kind}.zip", members, kind))).fingerprint for kind in kinds]
    assert len({*zips}) == 1
    (tmp_path / "x.tar.bz2").write_bytes(bz2.compress(as_tar(tmp_path / "x.tar", members).read_bytes()))
    assert data.load(str(tmp_path / "x.tar.bz2")).fingerprint == zips[0]
    assert data.load(str(tmp_path / "x.tar")).fingerprint == zips[0]


def tarred(count: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for i in range(count):
            info = tarfile.TarInfo(f"{i}.png")
            info.size = 700
            file.addfile(info, io.BytesIO(b"x" * 700))
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda raw: raw[:1536] + b"\xff" * 512 + raw[2048:], "the header of a member is invalid"),
        (lambda raw: raw[: 3 * 1536], "ends without its end marker"),
        (lambda raw: raw[:1536] + bytes(512) + raw[2048:], "there is more after its end marker"),
    ],
)
def test_a_tar_that_is_damaged_loses_nothing_silently(
    tmp_path: Path, change: Callable[[bytes], bytes], told: str
) -> None:
    """Python takes a damaged head for the archive's end: what comes after it would be missing without a word."""
    (tmp_path / "good.tar").write_bytes(tarred(6))
    assert len(pictures.find(tmp_path / "good.tar").names) == 6
    (tmp_path / "bad.tar").write_bytes(change(tarred(6)))
    with pytest.raises(UserError, match=f"bad.tar is damaged.*{told}"):
        pictures.find(tmp_path / "bad.tar")


def test_a_zip_whose_list_is_damaged_loses_nothing_silently(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        for i in range(6):
            file.writestr(f"{i}.png", b"x")
    raw = bytearray(path.read_bytes())
    assert len(pictures.find(path).names) == 6
    second = raw.find(b"PK\1\2", raw.find(b"PK\1\2") + 4)
    raw[second + 32 : second + 34] = (2 * (46 + 5)).to_bytes(2, "little")  # a comment that swallows two members
    path.write_bytes(bytes(raw))
    with pytest.raises(UserError, match=r"x.zip is damaged.*its list names 4 members, and its end says 6"):
        pictures.find(path)


@pytest.mark.parametrize(("name", "made"), [("x.zip", "0.png"), ("x.npz", "labels.npy")])
def test_a_damaged_name_in_a_list_loses_nothing_silently(tmp_path: Path, name: str, made: str) -> None:
    """A picture or an array that the list calls otherwise would be passed over as a file of another kind."""
    path = tmp_path / name
    if name == "x.npz":
        np.savez(path, images=np.zeros((12, 8, 8), np.uint8), labels=np.arange(12))
    else:
        with zipfile.ZipFile(path, "w") as file:
            for i in range(6):
                file.writestr(f"{i}.png", b"x")
    raw = bytearray(path.read_bytes())
    at = raw.rfind(made.encode())
    raw[at + len(made) - 2] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(UserError, match=f"{name} .*File name in directory"):
        data.load(str(path))
