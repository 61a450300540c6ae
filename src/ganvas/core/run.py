"""A run's folder: the interface between a training and everything else."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from ganvas.core import checkpoint, processes
from ganvas.core.errors import UserError
from ganvas.core.files import cannot, make_folder, open_regular, parse_json, part_of, read_bytes, replace, write_whole
from ganvas.core.locate import exists
from ganvas.core.locks import locked_file
from ganvas.core.naming import safe
from ganvas.core.old_names import warn
from ganvas.core.rows import LINE, append, is_figure, moment, parsed, read_end

KEEP = 3  # snapshots that are kept
CARD = 10_000_000  # bytes of experiment.json at most; it holds the names of the classes
TAIL = 32_000_000  # bytes at the end of a log that are read at most
LOCKS = Path("/proc/locks")


class Run:
    """Reads and writes the folder of one run. Files are written atomically; log.jsonl grows line by line."""

    def __init__(self, folder: Path, card: dict[str, Any] | None = None, writes: bool = True) -> None:
        """
        Args:
            card: the entries that all model files of this run share.
            writes: False if another process does the writing; then nothing is written.
        """
        self.folder, self.base_card, self.writes = folder, card or {}, writes
        self.experiment = folder / "experiment.json"
        self.log = folder / "log.jsonl"
        self.metrics = folder / "metrics.jsonl"
        self.samples = folder / "samples"
        self.checkpoints = folder / "checkpoints"
        self.models = folder / "models"
        self.model = folder / "model.safetensors"
        self.best = self.checkpoints / "best.safetensors"
        self.report = folder / "report.html"
        self.progress = folder / ".progress.json"  # how far the training is that has locked the folder

    @classmethod
    def create(cls, root: Path, name: str) -> Run:
        """Make the next numbered folder, `root/00007-name`.

        Raises:
            UserError: the folder cannot be made.
        """
        make_folder(root)
        name = safe(name)
        taken = [int(p.name[:5]) for p in root.iterdir() if p.name[:5].isdecimal()]
        number = max(taken, default=-1) + 1
        while True:
            try:
                (root / f"{number:05d}-{name}").mkdir()
                return cls(root / f"{number:05d}-{name}")
            except FileExistsError:  # another training was quicker
                number += 1
            except OSError as error:
                raise cannot("make the folder", root / f"{number:05d}-{name}", error) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for one training; the system frees it when the process ends, even if it is killed.

        Raises:
            UserError: another training has locked it, or the folder cannot be written.
        """
        refusal = f"Another training is running in {self.folder}. Wait for it, stop it, or choose another --run."
        with locked_file(self.folder / ".lock", refusal) as file:
            status = os.fstat(file.fileno())  # with the file's number, so that a copied folder does not look locked
            fields = (os.getpid(), processes.began(os.getpid()) or "-", status.st_ino, status.st_dev)
            with contextlib.suppress(OSError):  # for systems that do not say who holds a lock: see `holder`
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), " ".join(map(str, fields)).encode())
            self._forget_progress()  # that of a training that was killed
            try:
                yield
            finally:
                self._forget_progress()
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), 0)

    def holder(self) -> int | None:
        """The id of the process that trains here, 0 if it is not visible from here; None if there is none.

        This locks nothing, so that it cannot get in the way of a training that starts.
        """
        path = self.folder / ".lock"
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                return None
            text = read_bytes(path, 200).decode("ascii", "replace")
        except (OSError, UserError):
            return None
        with contextlib.suppress(AttributeError, OSError):  # the first: Windows has no such numbers
            where = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
            for line in LOCKS.read_text(encoding="ascii").splitlines():
                fields = line.split()
                if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == where:
                    return max(0, int(fields[4]))
        # there is no such file, or the file system has other numbers there (btrfs)
        match = re.fullmatch(r"(\d{1,10}) (\d{1,20}|-) (\d{1,39}) (\d{1,20})", text, re.ASCII)
        if match is None or (int(match[3]), int(match[4])) != (status.st_ino, status.st_dev):
            return None  # empty, or copied from another run
        return int(match[1]) if processes.is_alive(int(match[1]), match[2].strip("-")) else None

    def check_space(self, needed: int) -> None:
        """Raise a UserError if the disk has less than `needed` bytes free."""
        if not self.writes:
            return
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise UserError(
                f"The disk of {self.folder} has {free / 1e6:.0f} MB free; this run needs about {needed / 1e6:.0f} MB. "
                "Free some space, or choose another folder with --run."
            )

    def append(self, row: dict[str, Any], path: Path | None = None) -> None:
        """Add one line to the log (or to the file that `path` names).

        Raises:
            UserError: the system refused.
        """
        if self.writes:
            append(path or self.log, row)

    def save_progress(self, progress: dict[str, Any]) -> None:
        """Replace the progress of the training that is running; a disk that refuses does not stop the training."""
        with contextlib.suppress(OSError):
            if self.writes:
                with part_of(self.progress) as part:
                    part.write_text(json.dumps(progress), encoding="ascii")
                    replace(part, self.progress)

    def _forget_progress(self) -> None:
        with contextlib.suppress(OSError):
            self.progress.unlink(missing_ok=True)

    def rows(self, path: Path | None = None) -> list[dict[str, Any]]:
        """The rows of the log (or of the file that `path` names), oldest first, without damaged lines.

        Every row has the number `images`. Only the last TAIL bytes of a file are read. See `remarks`.
        """
        return read_end(path or self.log, TAIL)[0]

    def last_row(self) -> dict[str, Any]:
        """The last row of the log; empty if there is none."""
        return next(reversed(read_end(self.log, LINE)[0]), {})

    def remarks(self) -> list[str]:
        """Sentences on what is ignored in the log and the metrics; usually none."""
        sentences = []
        for path in (self.log, self.metrics):
            rows, bad, skipped = read_end(path, TAIL)
            bad += sum("protocol" in row and not is_figure(row) for row in rows)
            if bad:
                sentences.append(f"{path.name}: {bad:,} damaged line{'s' * (bad > 1)} skipped.")
            if skipped:
                sentences.append(f"{path.name}: only the last {TAIL:,} of its {skipped + TAIL:,} bytes are read.")
        return sentences

    def figures(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl that an evaluation wrote, oldest first."""
        return [row for row in self.rows(self.metrics) if is_figure(row)]

    def settings(self) -> dict[str, Any]:
        """The content of experiment.json.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        path = self.experiment
        if not exists(path):
            raise UserError(f"{path.parent} is not a run's folder: it has no {path.name}.")
        try:
            card = parse_json(read_bytes(path, CARD))
        except ValueError as error:  # not UTF-8, or not JSON
            raise UserError(f"{path} is damaged: it is not JSON ({error}).") from error
        if not isinstance(card, dict):
            raise UserError(f"{path} is damaged: it is not a group of settings.")
        return card

    def rewind(self, images: int) -> None:
        """Remove what was logged and saved after `images` images, because a resumed training makes it again.

        Damaged lines stay.

        Raises:
            UserError: the system refused.
        """
        if not self.writes:
            return
        for path in (self.log, self.metrics):
            if path.is_file():
                self._rewind_file(path, images)
        for folder in (self.samples, self.models):
            for path in folder.iterdir() if folder.is_dir() else []:
                seen = moment(path)
                if seen is not None and seen > images:
                    path.unlink()
        for path in [*self.folder.rglob(".*.part"), *self.checkpoints.glob("candidate_*")]:
            path.unlink(missing_ok=True)

    def _rewind_file(self, path: Path, images: int) -> None:
        """Remove the rows after `images` images, line by line, because a log may be larger than the memory."""
        try:
            with part_of(path) as part:
                with open_regular(path) as file, open(part, "wb") as out:
                    begins = True  # False for the rest of a line that is longer than LINE
                    while line := file.readline(LINE):
                        ends = line.endswith(b"\n")
                        row = parsed(line) if begins and ends else None
                        half = begins and not ends and len(line) < LINE  # cut short by a crash
                        if not half and (row is None or row["images"] <= images):
                            out.write(line)
                        begins = ends
                    out.flush()
                    os.fsync(out.fileno())
                replace(part, path)  # both are closed: Windows replaces no open file
        except OSError as error:
            raise cannot("write", path, error) from error

    def save_sample(self, name: str, files: dict[str, bytes]) -> Path:
        """Write a preview's files below samples/, by suffix; returns the path of the first.

        Raises:
            UserError: the system refused.
        """
        paths = [self.samples / f"{name}{suffix}" for suffix in files]
        if self.writes:
            make_folder(self.samples)
            for path, content in zip(paths, files.values(), strict=True):
                write_whole(path, content)
        return paths[0]

    def previews(self, suffix: str = ".png") -> list[tuple[int, Path]]:
        """The previews of the generator: (images seen, path of the file with this suffix), oldest first.

        Names in thousands of images are rounded down.
        """
        first = self.samples / f"fakes_init{suffix}"
        before = [(0, first)] if first.is_file() else []
        named = ((moment(path), path) for path in sorted(self.samples.glob(f"fakes_*{suffix}")))
        return before + sorted((seen, path) for seen, path in named if seen is not None)

    def pictures(self) -> list[tuple[int, Path]]:
        """The old name of `previews`, for scripts from before version 0.2."""
        warn("Run.pictures()", "Run.previews()")
        return self.previews()

    def save_snapshot(self, images: int, tensors: dict[str, Tensor], card: dict[str, Any]) -> Path:
        """Write a snapshot, from which a training can be resumed, and remove the oldest ones."""
        path = self.checkpoints / f"snapshot_{images:012d}.safetensors"
        if not self.writes:
            return path
        make_folder(self.checkpoints)
        checkpoint.save(path, tensors, card)
        for old in self.snapshots()[KEEP:]:
            old.unlink(missing_ok=True)
        return path

    def save_model(self, path: Path, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
        """Write a model file, with all that is needed for using the networks."""
        if not self.writes:
            return
        make_folder(path.parent)
        checkpoint.save(path, tensors, {**self.base_card, **card})

    def candidate(self, images: int) -> Path:
        """The file of the model after so many images, while it is being evaluated."""
        return self.checkpoints / f"candidate_{images:012d}.safetensors"

    def is_finished(self) -> bool:
        """Is the training of this run complete?"""
        try:
            card = checkpoint.head(self.model)
        except UserError:
            return False
        return bool(card.get("finished"))

    def snapshots(self) -> list[Path]:
        """The snapshots, newest first."""
        return sorted(self.checkpoints.glob("snapshot_*.safetensors"), reverse=True)

    def last_snapshot(
        self, take: Callable[[Path, dict[str, Tensor], dict[str, Any]], None] | None = None
    ) -> tuple[Path | None, dict[str, Tensor], dict[str, Any], list[str]]:
        """The newest snapshot that is in order and that `take` accepts (raises no UserError for).

        Returns:
            Its path (None: there is no snapshot), tensors and card, and a sentence for each snapshot that was skipped.

        Raises:
            UserError: there are snapshots, but none of them can be used.
        """
        bad: list[str] = []
        for path in self.snapshots():
            try:
                tensors, card = checkpoint.load(path)
                if take is not None:
                    take(path, tensors, card)
                return path, tensors, card, bad
            except UserError as error:  # damaged, unreadable, of a newer version, or of another training
                bad.append(str(error))
        if bad:
            raise UserError(f"No snapshot in {self.checkpoints} can be read. {' '.join(bad)} Start a new run.")
        return None, {}, {}, bad


def run_of(model: Path) -> Run | None:
    """The run that a model file is in."""
    for folder in (model.parent, model.parent.parent):
        if (folder / "experiment.json").is_file():
            return Run(folder)
    return None
