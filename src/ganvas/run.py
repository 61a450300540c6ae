"""A run's folder: the interface between a training and everyone else."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from ganvas import checkpoint, processes
from ganvas import images as im
from ganvas.errors import UserError, first_line
from ganvas.files import cannot, json_line, locked, make_folder, write_whole
from ganvas.naming import safe
from ganvas.spec import ImageSpec

KEEP = 3  # snapshots that are kept


LOCKS = Path("/proc/locks")


class Run:
    """Reads and writes one run's folder. Every file is written whole; log.jsonl grows a line at a time."""

    def __init__(self, folder: Path, card: dict[str, Any] | None = None, writes: bool = True) -> None:
        """
        Args:
            card: what every model file of this run says of itself besides its state.
            writes: False where another process writes: what a training writes is then passed over.
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
        """Hold the folder for one training; the system lets go of it when the process ends, however it ends.

        Raises:
            UserError: another training holds it, or the folder cannot be written.
        """
        refusal = f"Another training is at work in {self.folder}. Wait for it, stop it, or choose another --run."
        with locked(self.folder / ".lock", refusal) as file:
            with contextlib.suppress(OSError):  # for systems that do not tell who holds a lock: see `holder`
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), f"{os.getpid()} {processes.began(os.getpid())}".encode())
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), 0)

    def holder(self) -> int | None:
        """The process that trains here, 0 where its number cannot be seen from here; None: nobody does.

        Nothing is touched: a look must not be in the way of a training that begins.
        """
        path = self.folder / ".lock"
        try:
            inode, said = path.stat(), path.read_text(errors="replace").split()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            where = f"{os.major(inode.st_dev):02x}:{os.minor(inode.st_dev):02x}:{inode.st_ino}"
            for line in LOCKS.read_text().splitlines():
                words = line.split()
                if len(words) > 5 and words[1] == "FLOCK" and words[5] == where:
                    return max(0, int(words[4]))
        # no such file, or a file system whose numbers are others there (btrfs)
        pid, when = int(said[0]) if said and said[0].isdecimal() else 0, "".join(said[1:2])
        return pid if processes.is_alive(pid, when) else None

    def check_space(self, needed: int) -> None:
        """Raise a UserError where the disk has less than `needed` bytes free."""
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
        path = path or self.log
        if not self.writes:
            return
        try:
            with open(path, "a") as file:  # one write, so that lines of two processes do not mix
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise cannot("write", path, error) from error

    def rows(self, path: Path | None = None) -> list[dict[str, Any]]:
        """The log so far (or the file that `path` names); a last line half written in a crash is passed over."""
        path = path or self.log
        rows = []
        if path.is_file():
            for line in path.read_text(errors="replace").splitlines():
                row = json_line(line)
                if row is not None:
                    rows.append(row)
        return rows

    def figures(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl that an evaluation wrote, oldest first."""
        rows = self.rows(self.metrics)
        return [row for row in rows if isinstance(row.get("protocol"), dict)]

    def settings(self) -> dict[str, Any]:
        """What experiment.json says.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        path = self.experiment
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(f"{path.parent} is not a run's folder: it has no {path.name}.") from error
        except OSError as error:
            raise cannot("read", path, error) from error
        except (ValueError, RecursionError) as error:  # not UTF-8, or not JSON
            raise UserError(f"{path} is damaged: it is not JSON ({error}).") from error
        if not isinstance(card, dict):
            raise UserError(f"{path} is damaged: it is no group of settings.")
        return card

    def rewind(self, images: int) -> None:
        """Drop what was logged, drawn and saved after `images` images: a resumed training makes it again."""
        if not self.writes:
            return
        for path in (self.log, self.metrics):
            kept = [row for row in self.rows(path) if row["images"] <= images]
            write_whole(path, "".join(json.dumps(row) + "\n" for row in kept))
        for folder in (self.samples, self.models):
            for path in folder.iterdir() if folder.is_dir() else []:
                ours = re.fullmatch(r"(fakes|model)_(\d+)", path.stem)
                if ours and int(ours[2]) > images // 1000:
                    path.unlink()
        for path in [*self.folder.rglob(".*.part"), *self.checkpoints.glob("candidate_*")]:
            path.unlink(missing_ok=True)

    def save_picture(self, name: str, pictures: Tensor, columns: int = 10) -> Path:
        """Write a sheet of uint8 [n, C, H, W] below samples/."""
        path = self.samples / f"{name}.png"
        if not self.writes:
            return path
        make_folder(self.samples)
        im.save_grid(path, pictures, columns)
        return path

    def pictures(self) -> list[tuple[int, Path]]:
        """The sheets of generated pictures so far: (thousands of images seen, path), oldest first."""
        found = [(0, self.samples / "fakes_init.png")] if (self.samples / "fakes_init.png").is_file() else []
        named = ((re.fullmatch(r"fakes_(\d+)", p.stem), p) for p in sorted(self.samples.glob("fakes_*.png")))
        return found + [(int(name[1]), p) for name, p in named if name]

    def drawn(self, spec: ImageSpec) -> Tensor:
        """The generated pictures of all sheets, cut apart, uint8 [n, C, H, W]; empty where there are none."""
        sheets = [im.read(path) for _, path in self.pictures()]
        parts = [sheet.unfold(1, spec.size, spec.size).unfold(2, spec.size, spec.size) for sheet in sheets]
        return im.join((x.flatten(1, 2).transpose(0, 1) for x in parts), spec.channels, spec.size)

    def save_snapshot(self, images: int, tensors: dict[str, Tensor], card: dict[str, Any]) -> Path:
        """Write all that a resume needs, and remove the oldest snapshots."""
        path = self.checkpoints / f"snapshot_{images:012d}.safetensors"
        if not self.writes:
            return path
        make_folder(self.checkpoints)
        checkpoint.save(path, tensors, card)
        for old in self.snapshots()[KEEP:]:
            old.unlink(missing_ok=True)
        return path

    def save_model(self, path: Path, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
        """Write a model file: all that using the networks needs."""
        if not self.writes:
            return
        make_folder(path.parent)
        checkpoint.save(path, tensors, {**self.base_card, **card})

    def candidate(self, images: int) -> Path:
        """The model after so many images, while it is being measured."""
        return self.checkpoints / f"candidate_{images:012d}.safetensors"

    def is_finished(self) -> bool:
        """Is the model that of a training which came to its end?"""
        try:
            card = checkpoint.head(self.model)
        except UserError:
            return False
        return bool(card.get("finished"))

    def snapshots(self) -> list[Path]:
        """The snapshots, newest first."""
        return sorted(self.checkpoints.glob("snapshot_*.safetensors"), reverse=True)

    def last_snapshot(self) -> tuple[Path | None, dict[str, Tensor], dict[str, Any], list[str]]:
        """The newest snapshot that is whole.

        Returns:
            Its path (None: there is no snapshot), tensors and card, and a sentence for each damaged one passed over.

        Raises:
            UserError: there are snapshots, but all of them are damaged.
        """
        bad: list[str] = []
        for path in self.snapshots():
            try:
                return path, *checkpoint.load(path), bad
            except UserError as error:  # damaged, unreadable, or of a newer version
                bad.append(str(error))
        if bad:
            raise UserError(f"No snapshot in {self.checkpoints} can be read. {' '.join(bad)} Start a new run.")
        return None, {}, {}, bad


def remote_name(path: str | os.PathLike[str]) -> str:
    """'user/name' of hf://user/name (of which a Path makes hf:/user/name).

    Raises:
        UserError: it is written otherwise.
    """
    found = re.fullmatch(r"hf:/+([\w.-]+/[\w.-]+)", str(path))
    if found is None:
        raise UserError(f"{path}: a place on the hub is written hf://user/name.")
    return found[1]


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Is this a name on the hub, hf://user/name?"""
    return re.match(r"hf:/", str(path)) is not None


def locate(path: str | os.PathLike[str]) -> Path:
    """The model file that a run's folder, a model's path or a name on the hub means.

    Raises:
        UserError: there is none.
    """
    if is_remote(path):
        return _download(str(path))
    place = Path(path).expanduser()
    if place.is_dir():
        model = place / "model.safetensors"
        if model.is_file():
            return model
        if (place / "experiment.json").is_file():
            raise UserError(f"The run {place} has no model yet: it is written with the first snapshot.")
        raise UserError(f"{place} is not a run's folder: it has no model.safetensors.")
    if not place.is_file():
        raise UserError(f"There is no run or model {place}.")
    return place


def _download(name: str) -> Path:
    """The model file of hf://user/name, from the hub or from its own cache."""
    repository = remote_name(name)
    try:
        import huggingface_hub
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise UserError(f"{name} is on the hub, which needs its library: pip install 'ganvas[hub]'.") from error
    try:
        return Path(huggingface_hub.hf_hub_download(repository, "model.safetensors", library_name="ganvas"))
    except (HfHubHTTPError, HFValidationError, EntryNotFoundError, OSError, ValueError) as error:
        raise UserError(f"hf://{repository} cannot be had from the hub: {first_line(error)}") from error
