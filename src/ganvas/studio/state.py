"""What the server holds between requests."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ganvas.data import DATASETS
from ganvas.errors import UserError
from ganvas.run import Run
from ganvas.studio.events import Watch
from ganvas.studio.games import Games
from ganvas.studio.jobs import Jobs
from ganvas.studio.watching import Runs
from ganvas.studio.working import Worker

Name = Annotated[str, Field(pattern=r"^[\w.-]{1,120}$")]


def told(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What the API's description says of answers that are no success."""
    words = {
        400: "a sentence that says what is wrong",
        404: "no such run, or nothing of that name in it",
        429: "too many at once",
        503: "the worker died or was too slow",
    }
    return {code: {"description": words[code]} for code in codes}


def is_text(name: str) -> bool:
    """Can a file's name be told to a browser? On some disks there are names that are no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class Studio:
    """What the server holds between requests."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root, self.data = root.resolve(), data.resolve()
        self.runs, self.jobs = Runs(self.root), Jobs(self.root)
        self.games = Games(self.root / ".studio")
        self.worker = Worker(threads=1)  # for what a person waits for at every click
        self.long = Worker()  # for games and mending, which take longer
        self.looking = Worker(memory=0)  # for the user's own folders, and a few steps of a training
        self.watches: dict[str, Watch] = {}
        self.ending = threading.Event()  # the server is about to end

    def close(self) -> None:
        for worker in (self.worker, self.long, self.looking):
            worker.close()

    def watch(self, run: Run) -> Watch:
        name = run.folder.name
        self.watches = {known: watch for known, watch in self.watches.items() if watch.viewers}
        return self.watches.setdefault(name, Watch(run, self.ending))

    def model(self, name: str) -> str:
        """The file of a run's model. Raises NotThere where there is no such run."""
        return str(self.runs.run(name).model)

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
        if not place.is_relative_to(self.data) or not there or not is_text(str(place)):
            raise UserError(f"There is no {path or 'folder'} below {self.data.name}/, the folder that may be used.")
        return place

    def leads_out(self, path: str) -> bool:
        """Is this a link to a place that is not below the data's root?"""
        return os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(self.data)

    def source(self, text: str) -> str:
        """A data set's name, or a path below the data's root from which no link leads out.

        Raises:
            UserError: as `inside`; or a link does.
        """
        if text in DATASETS:
            return text
        place = self.inside(text)
        waiting = [str(place)]
        for start in waiting:  # folders that links lead to are read as well: they are looked at in their turn
            for folder, folders, files in os.walk(start):
                for name in (*folders, *files):
                    path = os.path.join(folder, name)
                    if self.leads_out(path):
                        raise UserError(f"{text}: {name} is a link that leads out of {self.data.name}/.")
                    if name in folders and os.path.islink(path) and os.path.realpath(path) not in waiting:
                        waiting.append(os.path.realpath(path))
        return str(place)
