"""The API that removes and renames runs."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

from ganvas.core.errors import UserError, cannot
from ganvas.core.run import Run
from ganvas.studio.index import FOLDER, PART
from ganvas.studio.state import Name, Studio, failures


class Delete(BaseModel):
    """`run` is the name once more: a request that was meant for another run deletes nothing."""

    run: str = Field(max_length=260)


class Rename(BaseModel):
    """The new name."""

    to: Annotated[str, Field(pattern=FOLDER)]


def of_upkeep(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/runs/{name}/delete", responses=failures(400, 404))
    def delete(name: Name, body: Delete) -> dict[str, Any]:
        """Remove a run's folder with all that is in it, for good; one that is being trained is refused."""
        run = _free(studio, name)
        if body.run != name:
            raise UserError(f"This is {name}, not {body.run[:120]}: no run was deleted.")
        doomed = run.folder.with_name(f".{run.folder.name}.deleted")
        _move(run, doomed.name)
        shutil.rmtree(doomed, ignore_errors=True)  # follows no link
        if os.path.lexists(doomed):
            raise UserError(
                f"Some files of {name} could not be deleted. They are in {doomed.name}: delete that folder."
            )
        studio.games.moved(name, None)
        return {"deleted": name}

    @app.post("/api/runs/{name}/rename", responses=failures(400, 404))
    def rename(name: Name, body: Rename) -> dict[str, Any]:
        """Give a run's folder another name; one that is being trained is refused."""
        run = _free(studio, name)
        _move(run, body.to)
        studio.games.moved(name, body.to)
        return {"run": body.to}


def _free(studio: Studio, name: str) -> Run:
    """The run, if it is a whole one that is not being trained or about to be."""
    run = studio.runs.run(name)
    if PART in name:
        raise UserError("This is a part of a training. Delete or rename the whole training.")
    if run.holder() is not None or studio.jobs.has(name):
        raise UserError(f"{name} is being trained, or is waiting to be. Stop it first, or remove it from the queue.")
    return run


def _move(run: Run, to: str) -> None:
    """Rename a run's folder; nothing is overwritten."""
    place = run.folder.with_name(to)
    if os.path.lexists(place):
        raise UserError(f"There is a folder {to} already. Choose another name.")
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(run.locked())  # nobody begins to train it now
            if os.name == "nt":  # which renames no folder with an open file in it
                stack.close()
            os.rename(run.folder, place)
    except OSError as error:
        raise cannot("rename", run.folder, error) from error
