"""Packs: made once, taken up where a crash left them, drawn from without reading them all, and checked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ganvas

from ganvas import cli
from ganvas.core import memmap
from ganvas.core.errors import UserError
from ganvas.core.memmap import Stored
from ganvas.images import data
from ganvas.images.data import Split, pack
from ganvas.images.data.dataset import HELD_OUT
from ganvas.images.decode import Shape
from ganvas.images.spec import ImageSpec
from ganvas.sources import journal
from ganvas.sources.listing import Listing
from ganvas.training.batches import Batches

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (3, 8, 8), np.uint8)


def listed(count: int, seen: list[int] | None = None) -> Listing:
    def read(numbers: Sequence[int]) -> Iterator[np.ndarray]:
        for i in numbers:
            if seen is not None:
                seen.append(i)
            yield picture(i)

    labels = [str(i % 4) for i in range(count)]
    return Listing("noise", "noise", [f"{i}.png" for i in range(count)], [], read, labels)


def make(place: Path, count: int = 200) -> Path:
    assert [step.done for step in pack.write(listed(count), Shape(8, 3), place)][-1] == count
    return place


def all_pictures(dataset: data.ImageData) -> set[bytes]:
    return {x.numpy().tobytes() for split in (dataset.train, dataset.held_out) for x in split.images[:]}


def test_a_pack_holds_every_picture_once_with_its_label(tmp_path: Path) -> None:
    dataset = data.load(str(make(tmp_path / "p")))
    assert all_pictures(dataset) == {picture(i).tobytes() for i in range(200)}
    assert 0 < len(dataset.held_out.images) < 3 * HELD_OUT * 200
    labels = {picture(i).tobytes(): i % 4 for i in range(200)}
    assert dataset.train.labels is not None
    for x, label in zip(dataset.train.images[:], dataset.train.labels.tolist(), strict=True):
        assert labels[x.numpy().tobytes()] == label
    assert len(dataset.some(5, 4)) == 20
    card = json.loads((tmp_path / "p" / "pack.json").read_text())
    assert card["train"] + card["held_out"] == 200
    assert json.loads((tmp_path / "p" / "names.json").read_text())[7] == "7.png"
    assert {p.name for p in (tmp_path / "p").iterdir()} == {
        "pack.json",
        "names.json",
        "index.safetensors",
        "pixels-000.bin",
    }


def test_several_shards_are_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    single = data.load(str(make(tmp_path / "one")))
    monkeypatch.setattr(journal, "SHARD", 64 * 192)
    monkeypatch.setattr(memmap, "FRESH", 10_000)  # the maps' memory is given back all the time
    parts = data.load(str(make(tmp_path / "many")))
    assert len(list((tmp_path / "many").glob("pixels-*.bin"))) == 4
    assert parts.fingerprint == single.fingerprint
    index = torch.randperm(len(single.train.images))[:70]
    for chosen in (slice(3, 90), index, torch.arange(len(single.train.images)) % 3 == 0, index[:0]):
        assert torch.equal(parts.train.images[chosen], single.train.images[chosen])
    assert torch.equal(torch.cat([p[:] for p in parts.train.images.split(50)]), single.train.images[:])
    assert parts.train.images.shape == single.train.images[:].shape


def test_batches_from_the_disk_are_those_from_memory(tmp_path: Path) -> None:
    dataset = data.load(str(make(tmp_path / "p")))
    assert isinstance(dataset.train.images, Stored)
    memory = data.ImageData(
        "memory", Split(dataset.train.images[:], dataset.train.labels), dataset.held_out, dataset.class_names, ""
    )
    one, other = Batches(dataset, 48, 3, CPU), Batches(memory, 48, 3, CPU)
    for seen in (0, 48, 96, 144, 192, 48, 7, 55, 4800, 4848):
        a, b = one.at(seen), other.at(seen)
        assert torch.equal(a.real, b.real)
        assert a.labels is not None
        assert b.labels is not None
        assert torch.equal(a.labels, b.labels)
    assert torch.equal(one.held_out(5).real, other.held_out(5).real)
    assert torch.equal(one.seen(9).real, other.seen(9).real)


def test_an_interrupted_packing_goes_on(tmp_path: Path) -> None:
    seen: list[int] = []
    steps = pack.write(listed(200, seen), Shape(8, 3), tmp_path / "p")
    while next(steps).done < 96:
        pass
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    with open(tmp_path / "p.part" / "journal.jsonl", "a") as file:
        file.write('{"start": 128, "dige')  # what a kill leaves
    assert not (tmp_path / "p").exists()
    seen.clear()
    steps = list(pack.write(listed(200, seen), Shape(8, 3), tmp_path / "p"))
    assert steps[0].done == 96
    assert min(seen) == 96
    assert data.load(str(tmp_path / "p")).fingerprint == data.load(str(make(tmp_path / "q"))).fingerprint
    assert all_pictures(data.load(str(tmp_path / "p"))) == {picture(i).tobytes() for i in range(200)}


def test_an_interrupted_packing_of_other_pictures_begins_anew(tmp_path: Path) -> None:
    steps = pack.write(listed(100), Shape(8, 3), tmp_path / "p")
    while next(steps).done < 64:
        pass
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    make(tmp_path / "p", 200)
    assert len(all_pictures(data.load(str(tmp_path / "p")))) == 200


def test_the_second_start_takes_the_pack_from_the_cache(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data.load(str(blobs), Shape(8))
    pixels = first.train.images[:]
    (place,) = (tmp_path / "cache" / "ganvas" / "packs").iterdir()
    with monkeypatch.context() as patch:
        patch.delattr(pack, "write")
        assert data.load(str(blobs), Shape(8)).fingerprint == first.fingerprint
    with open(place / "pixels-000.bin", "r+b") as file:
        file.truncate(100)  # a damaged copy is made anew
    assert torch.equal(data.load(str(blobs), Shape(8)).train.images[:], pixels)


def test_a_full_disk_is_noticed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(UserError, match="has 0 MB free; the pack of 50 pictures needs"):
        list(pack.write(listed(50), Shape(8, 3), tmp_path / "p"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: (p / "pixels-000.bin").unlink(), "pixels-000.bin is cut short: it has 0 bytes of 38,400"),
        (lambda p: (p / "pixels-000.bin").write_bytes(b"x"), "it has 1 bytes of 38,400"),
        (lambda p: (p / "pack.json").write_text('{"format": 9}'), "a pack of format 9; this Ganvas reads format 1"),
        (lambda p: (p / "pack.json").write_text("{"), "pack.json is damaged"),
        (lambda p: (p / "pack.json").write_text('{"format": 1}'), "pack.json is damaged"),
        (lambda p: (p / "index.safetensors").write_bytes(b"xx"), "index.safetensors"),
    ],
)
def test_damaged_packs_are_refused(tmp_path: Path, change: object, words: str) -> None:
    change(make(tmp_path / "p"))  # pyright: ignore[reportCallIssue]
    with pytest.raises(UserError, match=words):
        data.load(str(tmp_path / "p"))


def test_a_pack_keeps_its_shape(tmp_path: Path) -> None:
    make(tmp_path / "p")
    assert data.load(str(tmp_path / "p"), Shape(8, 3)).spec.size == 8
    with pytest.raises(UserError, match="is a pack of 8 px with channels=3; size=16"):
        data.load(str(tmp_path / "p"), Shape(16))
    assert data.load(str(tmp_path / "p"), Shape()).notes == ()
    assert data.load(str(tmp_path / "p"), Shape(fit="pad", linear=True)).notes == (
        "fit=pad and linear=true: pictures of a pack stay as they are. Make another pack for that.",
    )


def test_the_command(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ganvas("data", "pack", str(blobs), "mine", "size=8", "channels=3", "labels=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "300 pictures to train on and 100 held out, 8x8 pixels, 3 channels, no classes" in done.stdout
    assert data.load(str(tmp_path / "mine")).spec == ImageSpec(3, 8)
    for arguments, words in (
        (["mine"], "already exists"),
        (["new", "sise=8"], "Did you mean 'size'"),
        (["new", "channels=2"], "channels=2: choose 1"),
        (["new", "fit=stretch"], "no choice for fit"),
        (["new", "fit=pieces"], "a pack holds whole pictures"),
        (["new", "twins=folder"], "There is no setting 'twins'"),
    ):
        with pytest.raises(UserError, match=words):
            cli.app(["data", "pack", str(blobs), *arguments], result_action="return_value")
    assert not (tmp_path / "new").exists()
