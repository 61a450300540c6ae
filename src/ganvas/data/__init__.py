"""Images to train on: the sets that come with Ganvas, the user's own, and the order in which they are seen."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganvas import images as im
from ganvas import seeds
from ganvas.data import idx
from ganvas.errors import UserError, unknown
from ganvas.files import cannot
from ganvas.spec import ImageSpec

STACKED = (128_000, 10_000)  # pictures of stacked MNIST that are trained on, and that are held out
HELD_OUT = 0.1  # share of the training images that is held out where the data set has no test images


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, C, H, W] and labels int64 [N] (None: unlabelled)."""

    images: Tensor
    labels: Tensor | None


@dataclass(frozen=True)
class ImageData:
    """A data set in memory: what is trained on, what is held out, names and fingerprint (SHA-256 of both splits)."""

    name: str
    train: Split
    held_out: Split
    class_names: tuple[str, ...]
    fingerprint: str
    licence: str = "not stated"

    @property
    def spec(self) -> ImageSpec:
        _, channels, height, _ = self.train.images.shape
        return ImageSpec(channels, height, len(self.class_names))

    def unlabelled(self) -> ImageData:
        """The same images without their labels."""
        train, held_out = Split(self.train.images, None), Split(self.held_out.images, None)
        return ImageData(self.name, train, held_out, (), self.fingerprint, self.licence)

    def examples(self, columns: int = 10, rows: int = 10) -> Tensor:
        """Real images for a sheet, uint8 [n, C, H, W]: one class a row where there are classes."""
        pool = self.train
        if pool.labels is None:
            return pool.images[: rows * columns]
        picked = [(pool.labels == c).nonzero().flatten()[:columns] for c in range(len(self.class_names))]
        full = [p if len(p) == columns else p[torch.arange(columns) % len(p)] for p in picked if len(p)]
        return pool.images[torch.cat(full)]


@dataclass(frozen=True)
class Batch:
    """Images float [B, C, H, W] in [-1, 1], labels int64 [B] or None, and the number of the training step.

    With several processes (ranks) it is one of `ranks` equal parts of the step's batch.
    """

    images: Tensor
    labels: Tensor | None
    step: int
    rank: int = 0
    ranks: int = 1
    random: torch.Generator | None = None  # for numbers of the whole batch, the same on all ranks (None: PyTorch's own)

    def draw(self, function: Callable[..., Tensor], *shape: int) -> Tensor:
        """This part's rows [B, *shape] of random numbers that are drawn for the whole batch, on the CPU.

        Args:
            function: torch.randn or torch.rand.
        """
        count = len(self.images)
        whole = function(count * self.ranks, *shape, generator=self.random)
        return whole[count * self.rank : count * (self.rank + 1)]


def mnist() -> ImageData:
    """MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey, inside the package. Source: LeCun and Cortes."""
    licence = "CC BY-SA 3.0 (Yann LeCun and Corinna Cortes)"
    return from_idx(Path(__file__).parent / "mnist", "mnist", licence)


def stacked_mnist() -> ImageData:
    """Stacked MNIST: 128,000 + 10,000 colour pictures of three digits, one a channel: 1,000 kinds, none of them named.

    The digits are drawn uniformly with replacement from all 70,000 of MNIST, test images included, as the published
    figures have it: it measures how many kinds a generator draws, not how well it does on unseen digits. Source:
    Metz et al. 2017, section 3.3; Srivastava et al. 2017, section 4.2; Lin et al. 2018, section 4.2 (the 128,000).
    """
    digits = mnist()
    pool, random = torch.cat([digits.train.images, digits.held_out.images])[:, 0], seeds.generator(0, "stacked-mnist")
    train, held_out = (pool[torch.randint(len(pool), (count, 3), generator=random)] for count in STACKED)
    fingerprint = _fingerprint(train.numpy(), held_out.numpy())
    return ImageData("stacked-mnist", Split(train, None), Split(held_out, None), (), fingerprint, digits.licence)


DATASETS: dict[str, Callable[[], ImageData]] = {
    "mnist": mnist,
    "stacked-mnist": stacked_mnist,
}


def load(source: str) -> ImageData:
    """Load a data set by name, or a folder of IDX files by path.

    Raises:
        UserError: no such name or path, or the files are damaged or do not fit each other.
    """
    if source in DATASETS:
        return DATASETS[source]()
    try:
        path = Path(source).expanduser()
        there = path.exists() or (path.parent.is_dir() and any(path.parent.glob(path.name + "*")))
    except OSError as error:
        raise cannot("read", Path(source), error) from error
    except (RuntimeError, ValueError) as error:  # no such user after ~, or no path at all
        raise UserError(f"Cannot read {source}: {error}.") from error
    if not there:
        if "/" in source or path.suffix:
            raise UserError(f"There is no file or folder {source}.")
        raise unknown("data set or folder", source, DATASETS)
    if path.is_file():
        raise UserError(f"{source} is a file; --data takes a folder of IDX files (or a prefix: folder/emnist-letters).")
    return from_idx(path, path.resolve().name)


def from_idx(path: Path, name: str, licence: str = "not stated") -> ImageData:
    """A data set from a folder of IDX files; without test images a tenth is held out, chosen by content.

    Raises:
        UserError: the files are missing, damaged or do not fit each other.
    """
    splits = idx.find(path)
    train = _split(*splits["train"])
    test = _split(*splits["test"]) if "test" in splits else None
    names: dict[int, str] = {}
    if test is not None and (train[1] is None) != (test[1] is None):
        raise UserError(
            f"{path}: only one of training and test images has labels; add the other labels' file, or remove these."
        )
    if train[1] is not None:
        names = idx.class_names(splits["train"][0], train[1])
        train = (train[0], _renumber(train[1], names, path))
        if test is not None:
            test = (test[0], None if test[1] is None else _renumber(test[1], names, path))
    if test is None:
        train, test = _hold_out(*train)
    elif test[0].shape[1:] != train[0].shape[1:]:
        raise UserError(f"{path}: training images are {train[0].shape[1:]}, test images {test[0].shape[1:]}.")
    fingerprint = _fingerprint(*train, *test)
    as_split = [Split(_tensor(i), None if y is None else torch.from_numpy(y)) for i, y in (train, test)]
    return ImageData(name, as_split[0], as_split[1], tuple(names.values()), fingerprint, licence)


def _fingerprint(*arrays: np.ndarray | None) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _split(images: Path, labels: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
    pixels = idx.read(images)
    if pixels.ndim != 3 or pixels.shape[1] != pixels.shape[2] or not len(pixels):
        raise UserError(f"{images} holds an array of shape {pixels.shape}; square images [N, H, H] are needed.")
    if idx.is_transposed(images):
        pixels = np.ascontiguousarray(pixels.transpose(0, 2, 1))
    if labels is None:
        return pixels, None
    values = idx.read(labels)
    if values.shape != (len(pixels),):
        raise UserError(f"{labels} has labels of shape {values.shape} for {len(pixels)} images in {images.name}.")
    return pixels, values.astype(np.int64)


def _renumber(labels: np.ndarray, names: dict[int, str], path: Path) -> np.ndarray:
    values = np.array(sorted(names))
    index = np.searchsorted(values, labels).clip(max=len(values) - 1)
    if (values[index] != labels).any():
        raise UserError(f"{path}: the test images have labels that the training images do not have.")
    return index


def _hold_out(
    images: np.ndarray, labels: np.ndarray | None
) -> tuple[tuple[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray | None]]:
    digests = (hashlib.blake2b(image.tobytes(), digest_size=4).digest() for image in images)
    numbers = np.frombuffer(b"".join(digests), np.uint32)
    out = numbers < HELD_OUT * 2**32
    if not out.any() or out.all():
        raise UserError(f"{len(images)} images are too few to hold some out.")
    return (
        (images[~out], None if labels is None else labels[~out]),
        (images[out], None if labels is None else labels[out]),
    )


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images[:, None].copy())  # a copy of our own: the file's buffer is read-only


class Batches:
    """The training images in an order that follows from the seed alone: a new permutation each epoch.

    Of `ranks` processes each reads its own part of every batch.
    """

    def __init__(
        self, data: ImageData, batch: int, seed: int, device: torch.device, rank: int = 0, ranks: int = 1
    ) -> None:
        """
        Raises:
            UserError: the data set has fewer images than a batch.
        """
        self.data, self.batch, self.seed, self.device = data, batch, seed, device
        self.rank, self.ranks = rank, ranks
        self.count = len(data.train.images)
        if self.count < batch:
            raise UserError(f"batch={batch} is more than the {self.count} training images of {data.name}; choose less.")
        self._epochs: dict[int, Tensor] = {}

    def at(self, images_seen: int) -> Batch:
        """This rank's part of the batch that follows after `images_seen` images."""
        share, step = self.batch // self.ranks, images_seen // self.batch
        positions = range(images_seen + self.rank * share, images_seen + (self.rank + 1) * share)
        epochs = sorted({positions[0] // self.count, positions[-1] // self.count})
        index = torch.cat(
            [self._order(e)[max(positions[0] - e * self.count, 0) : positions[-1] + 1 - e * self.count] for e in epochs]
        )
        part = self._take(self.data.train, index, step)
        if self.ranks == 1:
            return part
        random = seeds.generator(self.seed, "step", images_seen)  # as the trainer plants it where there is one rank
        return dataclasses.replace(part, rank=self.rank, ranks=self.ranks, random=random)

    def whole(self) -> Batches:
        """The same with whole batches, for what one rank does alone."""
        return Batches(self.data, self.batch, self.seed, self.device)

    def held_out(self, count: int, start: int = 0) -> Batch:
        """The held-out images from `start` on, in a fixed order that begins anew at its end."""
        return self._fixed(self.data.held_out, count, "held out", start)

    def seen(self, count: int) -> Batch:
        """A fixed sample of the training images."""
        return self._fixed(self.data.train, count, "seen")

    def some(self, count: int) -> Tensor:
        """Up to `count` of the training images, uint8 [n, C, H, W]."""
        order = torch.randperm(self.count, generator=seeds.generator(self.seed, "some"))
        return self.data.train.images[order[:count]]

    def _fixed(self, split: Split, count: int, what: str, start: int = 0) -> Batch:
        total = len(split.images)
        order = torch.randperm(total, generator=seeds.generator(self.seed, what))
        return self._take(split, order[(start + torch.arange(min(count, total))) % total], 0)

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            order = torch.randperm(self.count, generator=seeds.generator(self.seed, "order", epoch))
            self._epochs = {e: o for e, o in self._epochs.items() if e == epoch - 1} | {epoch: order}
        return self._epochs[epoch]

    def _take(self, split: Split, index: Tensor, step: int) -> Batch:
        labels = None if split.labels is None else split.labels[index].to(self.device)
        return Batch(im.to_float(split.images[index].to(self.device)), labels, step)
