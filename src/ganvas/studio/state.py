"""The state that the server keeps between requests."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ganvas.core import own
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.studio import places, shipped
from ganvas.studio.contents import settings
from ganvas.studio.experts import Experts
from ganvas.studio.games import Games
from ganvas.studio.index import NAME, Runs
from ganvas.studio.jobs import Jobs
from ganvas.studio.live import Watch
from ganvas.studio.uploads import PREFIX, Uploads
from ganvas.studio.worker import STUDIO, Worker

Name = Annotated[str, Field(pattern=re.compile(f"^{shipped.MARK}?{NAME.pattern[1:]}"))]
"""Of a run, or of a model that comes with Ganvas."""


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The responses of the API's description for these error codes."""
    descriptions = {
        400: "a sentence that says what is wrong",
        404: "no such run, or nothing of that name in it",
        429: "too many at once",
        503: "the worker died or was too slow",
    }
    return {code: {"description": descriptions[code]} for code in codes}


class Studio:
    """The state of the server: runs, jobs, games and workers."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root, self.data = root.resolve(), data.resolve()
        self.runs, self.jobs = Runs(self.root), Jobs(self.root)
        self.home = self.jobs.home
        self.uploads = Uploads(self.home / "uploads")
        self.readable = places.joined(self.data, self.uploads.folder)  # for `use` with what a model was trained on
        self.games = Games(self.home, self.root / ".studio")
        self.worker = Worker(threads=1)  # for quick answers to clicks
        self.long = Worker()  # for large pictures, which take longer
        self.tries = Worker(memory=0)  # for checks of the user's folders and forecasts of trainings
        self.experts = Experts(self.home)
        self.watches: dict[str, Watch] = {}
        self.ending = threading.Event()  # the server is about to end

    def close(self) -> None:
        for worker in (self.worker, self.long, self.tries, self.experts.worker):
            worker.close()

    def watch(self, run: Run) -> Watch:
        name = str(run.folder)
        self.watches = {key: watch for key, watch in self.watches.items() if watch.viewers}
        return self.watches.setdefault(name, Watch(run, self.ending))

    def model(self, name: str) -> str:
        """The file of the model of a run, or of one that comes with Ganvas (@name).

        Raises:
            RunNotFound: there is no such run or model.
        """
        return str(shipped.file_of(name) if shipped.is_shipped(name) else self.runs.run(name).model)

    def summary(self, name: str) -> dict[str, Any]:
        """The same in short. Raises as `model`."""
        return shipped.summary(name) if shipped.is_shipped(name) else self.runs.summary(name)

    def source(self, text: str) -> str:
        """A data set's name, the path of data or an upload, checked. Raises UserError where it may not be read."""
        if text.startswith(PREFIX):
            return str(self.uploads.find(text.removeprefix(PREFIX)))
        return places.source(self.data, text)

    def check_resume(self, run: Run) -> None:
        """Check that resuming a run reads and writes only permitted places: the run may come from anyone.

        Raises:
            UserError: its settings name another place or cannot be read, a folder in it is a link, or it needs code
                that the studio was not given.
        """
        for path in (run.checkpoints, run.models):
            if path.is_symlink():  # a training removes old files in these folders
                raise UserError(f"{path.name} of this run is a link: resume it on the command line.")
        card = settings(run)
        data, training = card.get("data", {}), card.get("training", {})
        if not card or not isinstance(data, dict) or not isinstance(training, dict):
            raise UserError(f"{run.experiment.name} of this run cannot be read, so it cannot be resumed.")
        sections = [part if isinstance(part := card.get(name), dict) else {} for name in ("network", "task")]
        try:
            own.check_given(
                (section.get(key) for section, key in zip(sections, ("name", "loss"), strict=True)), run.folder
            )
        except own.NotGiven as error:
            raise UserError(f"{error}{STUDIO}") from error
        for key in ("source", "twins", "to", "columns"):
            places.check_card(self.readable, data.get(key, ""))
        base = training.get("from_", "")  # only read where there is no snapshot yet
        if base and not run.snapshots():
            place = Path(os.path.abspath(str(base)))
            if not any(place.resolve().is_relative_to(root) for root in (self.root, self.data)):
                raise UserError(f"This run begins with the model {base}: resume it on the command line.")
