"""The experts of the games: trained in the background, one for each model, and kept on disk."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.studio.worker import Broken, Busy, Worker

SECONDS = 1_800.0  # that the training of an expert may take
KEPT = 30  # experts on disk; the oldest are removed


class Experts:
    """Experts by the mark of their model.

    Args:
        home: the folder below which they are kept.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "experts"
        self.worker = Worker(threads=1)  # apart from the others, so that nobody waits for it
        self.learning: set[str] = set()
        self.failed: dict[str, str] = {}  # why, by mark
        self.lock = threading.Lock()

    def file(self, mark: str) -> Path:
        """Where the expert of a model is kept."""
        return self.folder / f"{mark}.safetensors"

    def teach(self, mark: str, path: str, data: str) -> None:
        """Begin to train the expert of a model, unless there is one or it is being trained.

        Args:
            path: the model's file.
            data: the folder whose pictures may be read.
        """
        with self.lock:
            if mark in self.learning or self.file(mark).is_file():
                return
            self.learning.add(mark)
            self.failed.pop(mark, None)
        threading.Thread(target=self._teach, args=(mark, path, data), daemon=True, name="ganvas-expert").start()

    def _teach(self, mark: str, path: str, data: str) -> None:
        try:
            file = str(self.file(mark))
            self.worker.call("use", SECONDS, path=path, ability="play.teach", data=data, file=file)
            self._remove_old()
        except (UserError, Broken, Busy) as error:
            self.failed[mark] = str(error)
        except Exception as error:  # a thread's error would be seen by nobody
            self.failed[mark] = f"Something went wrong ({type(error).__name__}: {error})."
        finally:
            with self.lock:
                self.learning.discard(mark)
                idle = not self.learning
            if idle:
                self.worker.rest()

    def state(self, mark: str) -> dict[str, Any]:
        """`state`: ready, learning, failed or none; `share` that is done while it learns; `why` it failed."""
        if self.file(mark).is_file():
            return {"state": "ready"}
        if mark in self.learning:
            share = 0.0
            with contextlib.suppress(OSError, ValueError):  # not begun, or just being written
                share = float(self.file(mark).with_suffix(".share").read_text(encoding="ascii"))
            return {"state": "learning", "share": share}
        return {"state": "failed", "why": self.failed[mark]} if mark in self.failed else {"state": "none"}

    def _remove_old(self) -> None:
        with contextlib.suppress(OSError):
            files = sorted(self.folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
            for path in files[:-KEPT]:
                os.unlink(path)
