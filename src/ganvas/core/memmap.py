"""Samples that stay on the disk: batches of them are gathered from memory maps."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ganvas.core import cache
from ganvas.core.files import cannot

FRESH = 32_000_000  # bytes gathered between two releases of the maps' memory


class Source(Protocol):
    """What gives the samples of some rows."""

    shape: tuple[int, ...]  # of a sample
    dtype: torch.dtype

    def gather(self, rows: Tensor) -> Tensor: ...


def release(maps: Sequence[mmap.mmap]) -> None:
    """Release the memory of these maps; the system keeps their pages in its own cache."""
    advice = getattr(mmap, "MADV_DONTNEED", None)  # not on Windows
    if advice is not None:
        for m in maps:
            m.madvise(advice)


class Shards:
    """Files of raw bytes, each mapped into memory as uint8 [n, *shape]."""

    dtype = torch.uint8

    def __init__(self, paths: Sequence[Path], shape: tuple[int, ...], rows: int) -> None:
        """
        Args:
            paths: files of `rows` samples each; the last one has the rest.
            shape: of a sample.

        Raises:
            UserError: a file cannot be read.
        """
        self.shape, self.rows, self.gathered = shape, rows, 0
        self.maps: list[mmap.mmap] = []
        cache.hold(self, paths[0].parent)
        for path in paths:
            try:
                with open(path, "rb") as file:
                    self.maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
            except (OSError, ValueError) as error:
                raise cannot("read", path, error if isinstance(error, OSError) else OSError(str(error))) from error
        self.parts = [torch.frombuffer(m, dtype=torch.uint8).view(-1, *shape) for m in self.maps]

    def gather(self, rows: Tensor) -> Tensor:
        """The samples of these rows, uint8 [n, *shape]."""
        if len(self.parts) == 1:
            samples = self.parts[0].index_select(0, rows)
        else:
            samples = torch.empty(len(rows), *self.shape, dtype=torch.uint8)
            homes = rows // self.rows
            for home in homes.unique().tolist():
                chosen = (homes == home).nonzero().flatten()
                samples[chosen] = self.parts[home].index_select(0, rows[chosen] - home * self.rows)
        self.gathered += samples.numel()
        if self.gathered >= FRESH:
            self.gathered = 0
            self.release()
        return samples

    def release(self) -> None:
        """Release the memory of the maps, which then no longer counts as memory of this process."""
        release(self.maps)


class Stored:
    """Some samples of a source, [N, ...]; indexing and slicing read them from the disk, as tensors."""

    def __init__(self, source: Source, rows: Tensor) -> None:
        """`rows`: int64 [N], the row of each sample in the source."""
        self.source, self.rows = source, rows
        self.shape, self.dtype = torch.Size((len(rows), *source.shape)), source.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        return self.source.gather(self.rows[index])

    def pick(self, index: Tensor) -> Stored:
        """The samples of these numbers, which stay on the disk."""
        return Stored(self.source, self.rows[index])

    def split(self, size: int) -> list[Stored]:
        """Parts of `size` samples, like `Tensor.split`."""
        return [Stored(self.source, rows) for rows in self.rows.split(size)]


class Ahead:
    """Reads the next batch in a thread while the current one is used, so that no step waits for the disk."""

    def __init__(self, samples: Stored) -> None:
        self.samples = samples
        self.pool = ThreadPoolExecutor(1, "ganvas-samples")
        self.index = torch.empty(0, dtype=torch.int64)
        self.future: Future[Tensor] | None = None

    def take(self, index: Tensor, following: Tensor) -> Tensor:
        """The samples of `index`; starts reading those of `following`."""
        is_ready = self.future is not None and torch.equal(index, self.index)
        batch = self.future.result() if is_ready and self.future is not None else self.samples[index]
        self.index, self.future = following, self.pool.submit(self.samples.__getitem__, following)
        return batch
