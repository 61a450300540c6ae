"""Converting files into raw samples on the disk, a journal of what is done next to them, so a crash costs little."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.core.files import write_whole
from ganvas.sources import checks
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing, mapped
from ganvas.sources.packs import Form

CHUNK = 32  # samples per line of the journal: the most that a crash costs
SHARD = 4_000_000_000  # bytes per file of samples, about
Converted = tuple[int, np.ndarray, dict[str, Any]]
Convert = Callable[[range, Collection[Any]], Converted]


@dataclass(frozen=True)
class Journal:
    """Samples of `each` bytes that are made in the folder `work`, whose content is known by `name`."""

    form: Form
    work: Path
    name: str
    each: int
    total: int
    rows: int  # per file of samples: no chunk is spread over two

    @classmethod
    def of(cls, form: Form, work: Path, name: str, each: int, total: int) -> Journal:
        return cls(form, work, name, each, total, max(CHUNK, SHARD // each // CHUNK * CHUNK))

    def fill(self, listing: Listing, convert: Convert) -> Generator[Packing, None, list[dict[str, Any]]]:
        """Convert all that an interrupted call left, and return the entries of all chunks, in order.

        Args:
            convert: gives the first number of a chunk, its contiguous samples, and its entry: 'digests' (hex, one a
                sample), 'broken' (by number, as a text, why it cannot be used), and more that `form.fits` checks.

        Raises:
            UserError: there is no room on the disk.
            OSError: it cannot be written.
        """
        done = self._resume()
        left = [range(s, min(s + CHUNK, self.total)) for s in range(0, self.total, CHUNK) if s not in done]
        yield self._so_far(done)
        with open(self.work / "journal.jsonl", "a", encoding="utf-8") as journal:
            for start, samples, chunk in mapped(listing, left, convert):
                with open(self._shard(start // self.rows), "r+b", buffering=0) as file:
                    file.seek(start % self.rows * self.each)
                    file.write(samples.data)
                journal.write(json.dumps({"start": start, **chunk}) + "\n")
                journal.flush()
                done[start] = chunk
                yield self._so_far(done)
        return [done[s] for s in range(0, self.total, CHUNK)]

    def _so_far(self, done: Collection[int]) -> Packing:
        return Packing(min(self.total, len(done) * CHUNK), self.total, self.form.text)

    def _shard(self, number: int) -> Path:
        return self.work / f"{self.form.what}-{number:03d}.bin"

    def _resume(self) -> dict[int, dict[str, Any]]:
        """The chunks that an interrupted call finished, by their first sample; else a new journal and new files.

        The files have their full size from the beginning, but take no room on the disk where nothing is written yet.
        """
        journal, done = self.work / "journal.jsonl", {}
        lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if journal.exists() else []
        sizes = [min(self.rows, self.total - start) * self.each for start in range(0, self.total, self.rows)]
        shards = [self._shard(number) for number in range(len(sizes))]
        if lines and lines[0] == self.name and [p.stat().st_size if p.is_file() else 0 for p in shards] == sizes:
            for line in lines[1:]:
                chunk = files.json_line(line)  # None if a crash cut it short
                if chunk and self._is_done(chunk):
                    done[chunk.pop("start")] = chunk
            return done
        free = shutil.disk_usage(self.work).free
        if free < 1.02 * self.each * self.total:
            raise UserError(
                f"The disk of {self.work} has {free / 1e6:,.0f} MB free; the pack of {self.total:,} "
                f"{self.form.kind.noun} needs {self.each * self.total / 1e6:,.0f} MB. Free some space, or use a "
                f"smaller {self.form.setting}."
            )
        for old in self.work.glob("[!.]*"):
            old.unlink()
        write_whole(journal, self.name + "\n")
        for path, size in zip(shards, sizes, strict=True):
            with open(path, "wb") as file:
                file.truncate(size)
        return done

    def _is_done(self, chunk: dict[str, Any]) -> bool:
        """Is a line of the journal in order, and do the samples on the disk match its digests?"""
        start, digests, broken = (chunk.get(name) for name in ("start", "digests", "broken"))
        if type(start) is not int or start not in range(0, self.total, CHUNK):
            return False
        count = min(CHUNK, self.total - start)
        numbers = {str(number) for number in range(start, start + count)}
        if not isinstance(broken, dict) or not {*broken} <= numbers:
            return False
        if not all(isinstance(why, str) for why in broken.values()):
            return False
        if not isinstance(digests, list) or len(digests) != count or not all(isinstance(d, str) for d in digests):
            return False
        if not self.form.fits(chunk, count):
            return False
        with open(self._shard(start // self.rows), "rb") as file:
            file.seek(start % self.rows * self.each)
            return all(checks.digest(np.frombuffer(file.read(self.each), np.uint8)).hex() == d for d in digests)
