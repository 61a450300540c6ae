"""Images to train on: what is read, what is refused, in what order it is seen."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_idx

import ganvas.images.data
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images.data import ImageData, Split, idx
from ganvas.images.spec import ImageSpec
from ganvas.training.batches import Batch, Batches

CPU = torch.device("cpu")
MNIST = Path(ganvas.images.data.__file__).parent / "mnist"
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FINGERPRINT = (
    "b23970c9e6540c99c4d3bd9615116de76f7a139610f6c4639b69ad30a77730ee"  # of stacked MNIST: it follows from a seed
)
TRAIN, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def pictures(count: int, side: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side)).astype(np.uint8)


def some_labels(count: int, classes: int = 3, first: int = 0) -> np.ndarray:
    return (np.arange(count) % classes + first).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small whole set: 40 training and 12 test images in three classes."""
    place = tmp_path / "tiny"
    place.mkdir()
    write_idx(place / TRAIN, pictures(40))
    write_idx(place / LABELS, some_labels(40))
    write_idx(place / TEST, pictures(12, seed=1))
    write_idx(place / TEST_LABELS, some_labels(12))
    return place


# -------------------- MNIST


@pytest.fixture(scope="module")
def mnist() -> ImageData:
    return data.load("mnist")


@pytest.mark.parametrize("name", SHA256)
def test_mnist_files_are_the_originals(name: str) -> None:
    raw = gzip.decompress((MNIST / f"{name}.gz").read_bytes())
    assert hashlib.sha256(raw).hexdigest() == SHA256[name]


def test_mnist_sizes_and_labels(mnist: ImageData) -> None:
    assert mnist.spec == ImageSpec(1, 28, 10)
    assert mnist.class_names == tuple("0123456789")
    assert mnist.train.images.shape == (60_000, 1, 28, 28)
    assert mnist.held_out.images.shape == (10_000, 1, 28, 28)
    assert mnist.train.images.dtype == torch.uint8
    assert mnist.train.labels is not None
    assert mnist.held_out.labels is not None
    assert mnist.train.labels.dtype == torch.int64
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.held_out.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert mnist.train.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert "CC BY-SA 3.0" in mnist.licence


def test_mnist_examples_are_one_class_a_row(mnist: ImageData) -> None:
    sheet = mnist.examples().pictures
    assert sheet.shape == (100, 1, 28, 28)
    assert mnist.train.labels is not None
    for digit in range(10):
        first = (mnist.train.labels == digit).nonzero().flatten()[:10]
        assert torch.equal(sheet[10 * digit : 10 * digit + 10], mnist.train.images[first])


def test_without_labels(mnist: ImageData) -> None:
    bare = mnist.unlabelled()
    assert bare.spec == ImageSpec(1, 28, 0)
    assert bare.train.labels is None
    assert bare.held_out.labels is None
    assert bare.fingerprint == mnist.fingerprint
    assert torch.equal(bare.some(4, 2), mnist.train.images[torch.arange(8) * 7_500])


# -------------------- stacked MNIST


@pytest.fixture(scope="module")
def stacked() -> ImageData:
    return data.load("stacked-mnist")


def test_stacked_mnist_is_the_same_every_time(stacked: ImageData) -> None:
    assert stacked.spec == ImageSpec(3, 28, 0)
    assert stacked.train.images.shape == (128_000, 3, 28, 28)
    assert stacked.held_out.images.shape == (10_000, 3, 28, 28)
    assert stacked.train.images.dtype == torch.uint8
    assert stacked.train.labels is None
    assert stacked.held_out.labels is None
    assert stacked.fingerprint == FINGERPRINT


def test_stacked_mnist_is_made_of_all_digits_in_equal_shares(stacked: ImageData, mnist: ImageData) -> None:
    assert mnist.train.labels is not None
    assert mnist.held_out.labels is not None
    digits = torch.cat([mnist.train.images, mnist.held_out.images]).numpy()
    classes = torch.cat([mnist.train.labels, mnist.held_out.labels]).tolist()
    known = {digit.tobytes(): n for n, digit in enumerate(digits)}  # MNIST has no two equal digits
    numbers = [known[channel.tobytes()] for picture in stacked.train.images[:20_000].numpy() for channel in picture]
    assert len(set(numbers)) == pytest.approx(70_000 * (1 - np.exp(-60_000 / 70_000)), rel=0.01)
    assert sum(n >= 60_000 for n in numbers) / len(numbers) == pytest.approx(1 / 7, rel=0.03)
    triples = np.array([classes[n] for n in numbers]).reshape(-1, 3)
    for channel in range(3):
        shares = np.bincount(triples[:, channel], minlength=10) / len(triples)
        assert shares == pytest.approx(np.bincount(classes) / 70_000, abs=0.01)
    assert np.abs(np.corrcoef(triples.T) - np.eye(3)).max() < 0.03  # the channels know nothing of each other


# -------------------- IDX files


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (0, 28, 28)])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_is_read_raw_and_gzipped(tmp_path: Path, shape: tuple[int, ...], ending: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    write_idx(tmp_path / f"x{ending}", array)
    contents = idx.read(tmp_path / f"x{ending}")
    assert contents.dtype == np.uint8
    assert np.array_equal(contents, array)


def test_raw_and_gzipped_folders_are_one_set(folder: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "zipped" / "tiny"
    zipped.mkdir(parents=True)
    for path in folder.iterdir():
        (zipped / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    one, other = data.load(str(folder)), data.load(str(zipped))
    assert one.fingerprint == other.fingerprint
    assert torch.equal(one.train.images, other.train.images)


def test_folder_is_read_as_it_is(folder: Path) -> None:
    dataset = data.load(str(folder))
    assert dataset.name == "tiny"
    assert dataset.spec == ImageSpec(1, 6, 3)
    assert np.array_equal(dataset.train.images[:, 0].numpy(), pictures(40))
    assert np.array_equal(dataset.held_out.images[:, 0].numpy(), pictures(12, seed=1))
    assert dataset.train.labels is not None
    assert dataset.held_out.labels is not None
    assert np.array_equal(dataset.train.labels.numpy(), some_labels(40))
    assert np.array_equal(dataset.held_out.labels.numpy(), some_labels(12))


def test_dotted_spelling(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx"))
    assert data.load(str(folder)).spec == ImageSpec(1, 6, 3)


def test_fingerprint_follows_the_content(folder: Path) -> None:
    before = data.load(str(folder)).fingerprint
    assert before == data.load(str(folder)).fingerprint
    changed = pictures(40)
    changed[7, 0, 0] ^= 1
    write_idx(folder / TRAIN, changed)
    assert data.load(str(folder)).fingerprint != before


def test_a_set_without_labels_is_unlabelled(folder: Path) -> None:
    (folder / LABELS).unlink()
    (folder / TEST_LABELS).unlink()
    dataset = data.load(str(folder))
    assert dataset.spec.classes == 0
    assert dataset.train.labels is None
    assert dataset.held_out.labels is None


# -------------------- damage


def cut_gzip(folder: Path) -> Path:
    content = gzip.compress((folder / TRAIN).read_bytes())
    (folder / TRAIN).unlink()
    (folder / f"{TRAIN}.gz").write_bytes(content[: len(content) // 2])
    return folder / f"{TRAIN}.gz"


def broken_gzip(folder: Path) -> Path:
    content = bytearray(gzip.compress((folder / TRAIN).read_bytes()))
    content[-6] ^= 0xFF  # its checksum
    (folder / TRAIN).write_bytes(content)
    return folder / TRAIN


def gzip_head_only(folder: Path) -> Path:
    (folder / TRAIN).write_bytes(gzip.compress(b"")[:10])
    return folder / TRAIN


def cut_raw(folder: Path) -> Path:
    (folder / TRAIN).write_bytes((folder / TRAIN).read_bytes()[:-1])
    return folder / TRAIN


def cut_header(folder: Path) -> Path:
    (folder / TRAIN).write_bytes((folder / TRAIN).read_bytes()[:9])
    return folder / TRAIN


def too_long(folder: Path) -> Path:
    (folder / TRAIN).write_bytes((folder / TRAIN).read_bytes() + b"\0")
    return folder / TRAIN


def empty_file(folder: Path) -> Path:
    (folder / TRAIN).write_bytes(b"")
    return folder / TRAIN


def wrong_magic(folder: Path) -> Path:
    (folder / TRAIN).write_bytes(b"\x89PNG" + (folder / TRAIN).read_bytes()[4:])
    return folder / TRAIN


def wrong_type(folder: Path) -> Path:
    (folder / TRAIN).write_bytes(b"\0\0\x0d" + (folder / TRAIN).read_bytes()[3:])  # floats
    return folder / TRAIN


def wrong_rank(folder: Path) -> Path:
    write_idx(folder / TRAIN, pictures(40).reshape(40, 36))
    return folder / TRAIN


def not_square(folder: Path) -> Path:
    write_idx(folder / TRAIN, pictures(40).reshape(40, 4, 9))
    return folder / TRAIN


def no_images(folder: Path) -> Path:
    write_idx(folder / TRAIN, pictures(0))
    return folder / TRAIN


def product_overflows(folder: Path) -> Path:
    (folder / TRAIN).write_bytes(b"\0\0\x08\x04" + struct.pack(">4I", *[1 << 16] * 4))  # 2^64 pixels, 0 in 64 bits
    return folder / TRAIN


def too_many_dimensions(folder: Path) -> Path:
    (folder / TRAIN).write_bytes(b"\0\0\x08" + bytes([70]) + struct.pack(">70I", *[1] * 70) + b"\0")
    return folder / TRAIN


def image_file_is_a_folder(folder: Path) -> Path:
    (folder / TRAIN).unlink()
    (folder / TRAIN).mkdir()
    return folder / TRAIN


def fewer_labels(folder: Path) -> Path:
    write_idx(folder / LABELS, some_labels(39))
    return folder / LABELS


def labels_are_images(folder: Path) -> Path:
    write_idx(folder / LABELS, pictures(40))
    return folder / LABELS


def damaged_labels(folder: Path) -> Path:
    (folder / LABELS).write_bytes((folder / LABELS).read_bytes()[:-3])
    return folder / LABELS


def unknown_test_label(folder: Path) -> Path:
    write_idx(folder / TEST_LABELS, some_labels(12, first=1))
    return folder


def other_test_size(folder: Path) -> Path:
    write_idx(folder / TEST, pictures(12, side=8))
    return folder


def only_test_labels_missing(folder: Path) -> Path:
    (folder / TEST_LABELS).unlink()
    return folder


def only_train_labels_missing(folder: Path) -> Path:
    (folder / LABELS).unlink()
    return folder


def no_train_images(folder: Path) -> Path:
    (folder / TRAIN).unlink()
    return folder


def several_sets(folder: Path) -> Path:
    write_idx(folder / "kana-train-images-idx3-ubyte", pictures(40))
    return folder


def empty_folder(folder: Path) -> Path:
    for path in folder.iterdir():
        path.unlink()
    return folder


def too_few_to_hold_out(folder: Path) -> Path:
    (folder / TEST).unlink()
    write_idx(folder / TRAIN, pictures(1))
    write_idx(folder / LABELS, some_labels(1))
    return folder


DAMAGE = [
    cut_gzip,
    broken_gzip,
    gzip_head_only,
    cut_raw,
    cut_header,
    too_long,
    empty_file,
    wrong_magic,
    wrong_type,
    wrong_rank,
    not_square,
    no_images,
    product_overflows,
    too_many_dimensions,
    image_file_is_a_folder,
    fewer_labels,
    labels_are_images,
    damaged_labels,
    unknown_test_label,
    other_test_size,
    only_test_labels_missing,
    only_train_labels_missing,
    no_train_images,
    several_sets,
    empty_folder,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_damage_is_named(folder: Path, damage: Callable[[Path], Path]) -> None:
    culprit = damage(folder)
    with pytest.raises(UserError) as caught:
        data.load(str(folder))
    assert str(culprit) in str(caught.value)


def test_too_few_images_to_hold_some_out(folder: Path) -> None:
    too_few_to_hold_out(folder)
    with pytest.raises(UserError, match="1 different pictures are too few"):
        data.load(str(folder))


def test_several_sets_are_listed_to_choose_from(folder: Path) -> None:
    write_idx(folder / "kana-train-images-idx3-ubyte", pictures(40))
    write_idx(folder / "runes-train-images-idx3-ubyte", pictures(40))
    for path in (TRAIN, LABELS, TEST, TEST_LABELS):
        (folder / path).unlink()
    with pytest.raises(UserError) as caught:
        data.load(str(folder))
    assert f"{folder}/kana" in str(caught.value)
    assert f"{folder}/runes" in str(caught.value)


def test_a_file_instead_of_a_folder(folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        data.load(str(folder / TRAIN))
    assert str(folder / TRAIN) in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere/at/all", "/nowhere/at/all", "no.zip"])
def test_a_path_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        data.load(name)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["x" * 300, "/" + "x" * 300])
def test_a_name_that_is_too_long(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        data.load(name)
    assert name in str(caught.value)


def test_the_home_of_nobody() -> None:
    with pytest.raises(UserError, match="~nobody-of-that-name/images"):
        data.load("~nobody-of-that-name/images")


def test_a_name_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"'mnits'.*Did you mean 'mnist'"):
        data.load("mnits")


@pytest.fixture
def powerless(tmp_path: Path) -> Iterator[Path]:
    """A folder that everyone can reach, with the rights of an ordinary user (root may read everything)."""
    for parent in (tmp_path, *tmp_path.parents[:3]):  # pytest's own folders; a parallel run has one more
        if parent.stat().st_mode & 0o005 != 0o005:
            parent.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield tmp_path
    finally:
        if root:
            os.seteuid(0)
        for path in [tmp_path, *tmp_path.rglob("*")]:
            path.chmod(0o755)


def close(path: Path) -> None:
    """Take all rights on a path away (as its owner)."""
    me = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    path.chmod(0)
    os.seteuid(me)


@pytest.mark.parametrize("closed", ["tiny", f"tiny/{TRAIN}", f"tiny/{LABELS}"])
def test_unreadable(folder: Path, powerless: Path, closed: str) -> None:
    close(powerless / closed)
    with pytest.raises(UserError) as caught:
        data.load(str(folder))
    assert str(powerless / closed) in str(caught.value)
    assert "permission" in str(caught.value)
    assert "write" not in str(caught.value)


def test_below_an_unreadable_folder(folder: Path, powerless: Path) -> None:
    close(folder)
    with pytest.raises(UserError) as caught:
        data.load(str(folder / "inner"))
    assert str(folder) in str(caught.value)


# -------------------- EMNIST


@pytest.fixture
def emnist(tmp_path: Path) -> Path:
    """Two of EMNIST's sets in one folder, as they come: transposed, labels from 1, a mapping to characters."""
    for name, classes in (("letters", 3), ("digits", 2)):
        for part, count in (("train", 30), ("test", 9)):
            start = tmp_path / f"emnist-{name}-{part}"
            write_idx(Path(f"{start}-images-idx3-ubyte.gz"), pictures(count).transpose(0, 2, 1))
            write_idx(Path(f"{start}-labels-idx1-ubyte.gz"), some_labels(count, classes, first=1))
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
    return tmp_path


def test_emnist_set_is_chosen_by_prefix(emnist: Path) -> None:
    dataset = data.load(str(emnist / "emnist-letters"))
    assert dataset.name == "emnist-letters"
    assert dataset.spec == ImageSpec(1, 6, 3)
    assert len(dataset.train.images) == 30
    assert len(dataset.held_out.images) == 9


def test_emnist_is_turned_upright(emnist: Path) -> None:
    dataset = data.load(str(emnist / "emnist-letters"))
    assert np.array_equal(dataset.train.images[:, 0].numpy(), pictures(30))
    assert np.array_equal(dataset.held_out.images[:, 0].numpy(), pictures(9))


def test_emnist_mapping_names_the_classes(emnist: Path) -> None:
    assert data.load(str(emnist / "emnist-letters")).class_names == ("A", "B", "C")
    assert data.load(str(emnist / "emnist-digits")).class_names == ("1", "2")


def test_labels_from_one_are_numbered_from_zero(emnist: Path) -> None:
    dataset = data.load(str(emnist / "emnist-letters"))
    assert dataset.train.labels is not None
    assert dataset.held_out.labels is not None
    assert np.array_equal(dataset.train.labels.numpy(), some_labels(30))
    assert np.array_equal(dataset.held_out.labels.numpy(), some_labels(9))


def test_emnist_folder_asks_for_a_choice(emnist: Path) -> None:
    with pytest.raises(UserError) as caught:
        data.load(str(emnist))
    for name in ("emnist-letters", "emnist-digits"):
        assert str(emnist / name) in str(caught.value)
    with pytest.raises(UserError, match="emnist-kanji"):
        data.load(str(emnist / "emnist-kanji"))


@pytest.mark.parametrize("text", ["hello\n", "1\n", "1 99999999\n", "1 A\n", "\xff\xfe"])
def test_damaged_mapping(emnist: Path, text: str) -> None:
    mapping = emnist / "emnist-letters-mapping.txt"
    mapping.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError) as caught:
        data.load(str(emnist / "emnist-letters"))
    assert str(mapping) in str(caught.value)


def test_a_set_whose_name_contains_test(tmp_path: Path) -> None:
    write_idx(tmp_path / "latest-train-images-idx3-ubyte", pictures(100))
    assert data.load(str(tmp_path)).spec == ImageSpec(1, 6, 0)


# -------------------- held out


def as_set(split: Split) -> set[tuple[bytes, int]]:
    assert split.labels is not None
    return {(i.numpy().tobytes(), int(y)) for i, y in zip(split.images, split.labels, strict=True)}


def test_holding_out_follows_from_content_alone(tmp_path: Path) -> None:
    images, labels = pictures(300), some_labels(300)
    order = np.random.default_rng(5).permutation(300)
    result = []
    for name, index in (("first", np.arange(300)), ("shuffled", order)):
        (tmp_path / name).mkdir()
        write_idx(tmp_path / name / TRAIN, images[index])
        write_idx(tmp_path / name / LABELS, labels[index])
        result.append(data.load(str(tmp_path / name)))
    first, shuffled = result
    assert as_set(first.train) == as_set(shuffled.train)
    assert as_set(first.held_out) == as_set(shuffled.held_out)
    assert not as_set(first.train) & as_set(first.held_out)
    assert len(first.train.images) + len(first.held_out.images) == 300
    assert 10 <= len(first.held_out.images) <= 50  # a tenth, more or less


def test_holding_out_is_stable_when_images_are_added(tmp_path: Path) -> None:
    result = []
    for count in (200, 300):
        write_idx(tmp_path / TRAIN, pictures(300)[:count])
        write_idx(tmp_path / LABELS, some_labels(count))
        result.append(data.load(str(tmp_path)))
    assert as_set(result[0].held_out) <= as_set(result[1].held_out)


def test_a_class_whose_images_are_all_held_out(tmp_path: Path) -> None:
    """Its row of the sheet of real images cannot be filled and is left out; that must not stop a training."""
    images = pictures(200)
    share = [int.from_bytes(hashlib.blake2b(i.tobytes(), digest_size=4).digest(), "little") / 2**32 for i in images]
    labels = np.zeros(200, np.uint8)
    labels[int(np.argmin(share))] = 1
    write_idx(tmp_path / TRAIN, images)
    write_idx(tmp_path / LABELS, labels)
    sheet = data.load(str(tmp_path)).examples().pictures
    assert sheet.shape == (10, 1, 6, 6)


# -------------------- batches


def marked(count: int, held_out: int = 4) -> ImageData:
    """Images that carry their own number in their first pixel; an image's label is its number modulo 3."""

    def split(n: int) -> Split:
        images = torch.zeros(n, 1, 4, 4, dtype=torch.uint8)
        images[:, 0, 0, 0] = torch.arange(n)
        return Split(images, torch.arange(n) % 3)

    return ImageData("marked", split(count), split(held_out), ("a", "b", "c"), "")


def numbers(batch: Batch) -> list[int]:
    return ((batch.real[:, 0, 0, 0] + 1) * 127.5).round().long().tolist()


def test_each_epoch_shows_each_image_once() -> None:
    batches = Batches(marked(24), 8, seed=0, device=CPU)
    epochs = [[n for i in range(3) for n in numbers(batches.at(24 * e + 8 * i))] for e in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(24))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_batch_across_an_epoch_border() -> None:
    batches = Batches(marked(10), 4, seed=0, device=CPU)
    stream = [n for i in range(5) for n in numbers(batches.at(4 * i))]  # two epochs of ten
    assert sorted(stream[:10]) == list(range(10))
    assert sorted(stream[10:]) == list(range(10))


def test_a_batch_as_large_as_the_set() -> None:
    batches = Batches(marked(5), 5, seed=0, device=CPU)
    assert sorted(numbers(batches.at(5))) == list(range(5))
    assert sorted(numbers(batches.at(3))[2:] + numbers(batches.at(8))[:2]) == list(range(5))  # the second epoch


def test_order_follows_from_the_seed_alone() -> None:
    def first(seed: int) -> list[int]:
        return numbers(Batches(marked(50), 50, seed, CPU).at(0))

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert first(1) != list(range(50))
    torch.manual_seed(7)
    before = first(1)
    torch.manual_seed(8)
    assert first(1) == before


@pytest.mark.parametrize("seen", [0, 7, 14, 21, 28, 35, 700, 7_000_007])
def test_order_is_computable_from_any_position(seen: int) -> None:
    used = Batches(marked(30), 7, seed=3, device=CPU)
    for i in range(40):
        used.at(7 * i)
    fresh = Batches(marked(30), 7, seed=3, device=CPU)
    assert numbers(used.at(seen)) == numbers(fresh.at(seen))
    assert numbers(used.at(0)) == numbers(Batches(marked(30), 7, seed=3, device=CPU).at(0))


def test_labels_stay_with_their_images() -> None:
    batches = Batches(marked(30), 7, seed=0, device=CPU)
    for batch in [*(batches.at(7 * i) for i in range(9)), batches.held_out(4), batches.seen(30)]:
        assert batch.labels is not None
        assert batch.labels.tolist() == [n % 3 for n in numbers(batch)]


def test_what_a_batch_is() -> None:
    batch = Batches(marked(30), 7, seed=0, device=CPU).at(21)
    assert batch.step == 3
    assert batch.real.shape == (7, 1, 4, 4)
    assert batch.real.dtype == torch.float32
    assert batch.real.min() == -1
    assert Batches(marked(30).unlabelled(), 7, 0, CPU).at(0).labels is None


def test_fixed_samples() -> None:
    batches = Batches(marked(30, held_out=12), 7, seed=0, device=CPU)
    assert numbers(batches.held_out(5)) == numbers(batches.held_out(5))
    assert len(set(numbers(batches.held_out(5)))) == 5
    assert sorted(numbers(batches.held_out(999))) == list(range(12))
    assert len(set(numbers(batches.seen(9)))) == 9


def test_too_few_images_for_a_batch() -> None:
    with pytest.raises(UserError, match=r"batch=481.*16 times the 30 training images of marked"):
        Batches(marked(30), 481, 0, CPU)
    assert len(numbers(Batches(marked(30), 30, 0, CPU).at(0))) == 30
