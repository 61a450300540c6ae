"""What the server holds between requests."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ganvas.data import DATASETS
from ganvas.errors import UserError
from ganvas.run import Run
from ganvas.studio.games import Games
from ganvas.studio.jobs import Jobs
from ganvas.studio.watching import Runs, Watch
from ganvas.studio.working import Worker

Name = Annotated[str, Field(pattern=r"^[\w.-]{1,120}$")]


class Studio:
    """What the server holds between requests."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root, self.data = root.resolve(), data.resolve()
        self.runs, self.jobs = Runs(self.root), Jobs(self.root)
        self.games = Games(self.root / ".studio")
        self.worker = Worker()  # for what a person waits for at every click
        self.long, self.looking = (
            Worker(),
            Worker(),
        )  # for games and mending, which take longer; for folders of pictures
        self.watches: dict[str, Watch] = {}
        self.ending = threading.Event()  # the server is about to end

    def close(self) -> None:
        for worker in (self.worker, self.long, self.looking):
            worker.close()

    def watch(self, run: Run) -> Watch:
        name = run.folder.name
        if name not in self.watches or not self.watches[name].run.folder.exists():
            self.watches[name] = Watch(run, self.ending)
        return self.watches[name]

    def inside(self, path: str) -> Path:
        """A path below the data's root.

        Raises:
            UserError: it leads out of it, also by links, or there is nothing.
        """
        try:
            place = (self.data / path).resolve()
            there = place.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"{path[:80]!r} is no path here.") from error
        if not place.is_relative_to(self.data) or not there:
            raise UserError(f"There is no {path or 'folder'} below {self.data.name}/, the folder that may be used.")
        return place

    def source(self, text: str) -> str:
        """A data set's name, or a path below the data's root."""
        return text if text in DATASETS else str(self.inside(text))
