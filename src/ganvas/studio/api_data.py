"""The API of the user's data: folders, what a look and a check find in them, uploads, and what can be trained."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ganvas import api
from ganvas.core import registry
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder
from ganvas.images import decode
from ganvas.images.data import DATASETS, npz
from ganvas.sounds.decode import SUFFIXES as SOUNDS
from ganvas.sources import listing
from ganvas.studio import places
from ganvas.studio.api_models import data_url
from ganvas.studio.api_runs import Settings
from ganvas.studio.index import part_of
from ganvas.studio.places import is_utf8
from ganvas.studio.state import Studio, failures
from ganvas.studio.uploads import PREFIX, SUFFIXES

LISTED = 500  # entries of a folder that are shown


class Folder(BaseModel):
    """A place below the data folder, and settings of how to read it, for data that are not pictures."""

    path: str = Field(default="", max_length=400)
    purpose: str | None = Field(default=None, max_length=60)
    settings: Settings = Field(default={}, max_length=500)


class Look(BaseModel):
    """A place, and the task that is to learn from what is there."""

    path: str = Field(max_length=400)
    task: str = Field(max_length=60)


class For(BaseModel):
    """The task that is to learn from an upload."""

    task: str = Field(max_length=60)


class Upload(BaseModel):
    """A file that is about to be sent."""

    name: str = Field(min_length=1, max_length=300)
    size: int = Field(ge=1, le=10**12)


class Named(BaseModel):
    """An upload."""

    name: str = Field(min_length=1, max_length=100)


def of_data(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/data", responses=failures(400, 429, 503))
    def folder(path: Annotated[str, Query(max_length=400)] = "") -> dict[str, Any]:
        """The content of a folder: sub-folders, archives and tables, and how many pictures and sounds there are."""
        place = places.inside(studio.data, path)
        entries, count, sounds = [], 0, 0
        if place.is_dir():
            try:
                for entry in os.scandir(place):
                    if entry.name.startswith(".") or not is_utf8(entry.name):
                        continue
                    entry_path = Path(entry.path)
                    if places.leads_out(studio.data, entry.path):
                        continue
                    known = listing.is_archive(entry_path) or npz.is_numpy(entry_path) or _is_taken(entry.path)
                    if entry.is_dir() or known:
                        entries.append({"name": entry.name, "folder": entry.is_dir()})
                    count += entry_path.suffix.lower() in decode.SUFFIXES
                    sounds += entry_path.suffix.lower() in SOUNDS
            except OSError as error:
                raise UserError(f"{path or 'The folder'} cannot be read ({error.strerror}).") from error
        relative = "" if place == studio.data else str(place.relative_to(studio.data))
        sets = sorted(DATASETS) if not relative else []
        return {
            "path": relative,
            "root": studio.data.name,
            "entries": sorted(entries, key=lambda entry: entry["name"])[:LISTED],
            "more": max(0, len(entries) - LISTED),
            "pictures": count,
            "sounds": sounds,
            "sets": sets,
        }

    @app.post("/api/data/check", responses=failures(400, 429, 503))
    def check(body: Folder) -> dict[str, Any]:
        """What a check of a folder finds, and how its pictures would be cut; or what a check of a table finds."""
        place = studio.source(body.path)
        out = studio.home / f"check-{secrets.token_hex(8)}.png"
        make_folder(out.parent)
        try:
            result = studio.tries.call(
                "check_data", 600, place=place, out=str(out), settings=body.settings, purpose=body.purpose
            )
        finally:
            out.unlink(missing_ok=True)
        return {**result, "sheet": data_url(result["sheet"]) if result.get("sheet") else None}

    @app.post("/api/data/look", responses=failures(400, 429, 503))
    def look(body: Look) -> dict[str, Any]:
        """How much there is for a task to learn from, the recipe that fits, and what is to be said of the files."""
        return studio.long.call("glance", place=studio.source(body.path), task=body.task)


def of_goals(app: FastAPI) -> None:
    @app.get("/api/goals")
    def goals() -> list[dict[str, Any]]:
        """What one may want to train, in the order in which it is asked; each with its recipes."""
        found = []
        for name in registry.names():
            part = part_of(name)
            for goal in part.goals:
                if all(recipe in api.RECIPES for recipe, _ in goal.recipes):
                    found.append({**goal.shown(), "task": name, "two_sources": part.two_sources})
        return sorted(found, key=lambda goal: goal["order"])


def of_uploads(app: FastAPI, studio: Studio) -> None:
    uploads = studio.uploads

    @app.get("/api/uploads")
    def kept() -> dict[str, Any]:
        """The uploads, and the folder where they are."""
        return {"folder": str(uploads.folder), "prefix": PREFIX, "suffixes": SUFFIXES, "uploads": uploads.rows()}

    @app.post("/api/uploads", status_code=201, responses=failures(400))
    def begin(body: Upload) -> dict[str, str]:
        """Begin to send a file: the key for its portions."""
        return {"key": uploads.begin(body.name, body.size)}

    @app.post("/api/uploads/{key}/portion", responses=failures(400))
    async def portion(
        key: Annotated[str, Field(pattern="^[0-9a-f]{32}$")],
        request: Request,
        offset: Annotated[int, Query(ge=0, le=10**12)],
    ) -> dict[str, int]:
        """The next bytes of the file, in the body."""
        content = await request.body()
        return {"received": await run_in_threadpool(uploads.add, key, offset, content)}

    @app.post("/api/uploads/{key}/finish", responses=failures(400, 429, 503))
    def finish(key: Annotated[str, Field(pattern="^[0-9a-f]{32}$")], body: For) -> dict[str, Any]:
        """The file is complete: its path, and what a look at it finds. What cannot be used is removed."""
        place = uploads.finish(key)
        try:
            found = studio.long.call("glance", place=str(place), task=body.task)
        except UserError as error:
            uploads.remove(place.name)
            raise UserError(str(error).replace(f"{place.parent}{os.sep}", "")) from error
        return {**found, "path": f"{PREFIX}{place.name}"}

    @app.post("/api/uploads/delete", responses=failures(400))
    def delete(body: Named) -> dict[str, Any]:
        """Remove an upload; one that a training uses, or waits for, is refused."""
        if studio.jobs.reads(str(uploads.folder / body.name)):
            raise UserError(
                f"A training uses {body.name}, or is waiting to use it. Stop it first, or remove it from the queue."
            )
        uploads.remove(body.name)
        return kept()


def _is_taken(path: str) -> bool:
    """Does a task other than those of pictures take this file, by its name?"""
    return any(task.check_data is not None and task.Data.takes(path) for task in registry.importable())
