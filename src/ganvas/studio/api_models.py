"""The API of trained models and of the user's pictures."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ganvas.core.errors import UserError
from ganvas.core.files import make_folder
from ganvas.images import decode
from ganvas.images.data import DATASETS, listing, npz
from ganvas.studio import places
from ganvas.studio.games import PICTURES
from ganvas.studio.places import is_text
from ganvas.studio.security import BYTES
from ganvas.studio.state import Name, Studio, failures
from ganvas.studio.worker import Worker

SEEDS = 4_096  # whose latent vectors a page can ask for
LISTED = 500  # entries of a folder that are shown


class Draw(BaseModel):
    """Pictures to draw."""

    seeds: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(min_length=1, max_length=256)
    kind: str | None = Field(default=None, max_length=100)
    truncation: float | None = Field(default=None, gt=0, le=10)
    columns: int = Field(default=8, ge=1, le=64)

    def arguments(self) -> dict[str, Any]:
        """As the function takes them that draws."""
        return {"numbers": self.seeds, "kind": self.kind, "truncation": self.truncation}


class Place(BaseModel):
    """A place on the map between four seeds."""

    corners: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(min_length=4, max_length=4)
    kinds: list[Annotated[str, Field(max_length=100)]] | None = Field(default=None, min_length=4, max_length=4)
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class Text(BaseModel):
    """What to write."""

    text: str = Field(min_length=1, max_length=60)
    seed: int = Field(default=0, ge=0, le=2**53)


class Answers(BaseModel):
    """Which of the pictures the player takes for real."""

    real: list[bool] = Field(min_length=PICTURES, max_length=PICTURES)


class Folder(BaseModel):
    """A place below the folder that may be looked at."""

    path: str = Field(default="", max_length=400)


def of_models(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/runs/{name}/model", responses=failures(400, 404, 429, 503))
    def about(name: Name) -> dict[str, Any]:
        """What the model of a run can do."""
        return studio.worker.call("describe", path=studio.model(name))

    @app.post("/api/runs/{name}/sheet", responses=failures(400, 404, 429, 503))
    def sheet(name: Name, wanted: Draw) -> Response:
        """Pictures of seeds on one PNG."""
        content = _use(studio, name, "draw", columns=wanted.columns, **wanted.arguments())
        return Response(content, media_type="image/png")

    @app.post("/api/runs/{name}/zip", responses=failures(400, 404, 429, 503))
    def archive(name: Name, wanted: Draw) -> Response:
        """Pictures of seeds as PNG files in a zip."""
        content = _use(studio, name, "draw", columns=0, **wanted.arguments())
        return Response(content, media_type="application/zip")

    @app.post("/api/runs/{name}/point", responses=failures(400, 404, 429, 503))
    def point(name: Name, wanted: Place) -> Response:
        """The picture at a place of the map."""
        return Response(_use(studio, name, "walk", **wanted.model_dump()), media_type="image/png")

    @app.post("/api/runs/{name}/write", responses=failures(400, 404, 429, 503))
    def write(name: Name, wanted: Text) -> Response:
        """A text in the model's hand."""
        return Response(_use(studio, name, "write", **wanted.model_dump()), media_type="image/png")

    @app.get("/api/runs/{name}/generator.onnx", responses=failures(400, 404, 429, 503))
    def onnx(name: Name) -> Response:
        """The generator for the browser. The page adds a mark of the model's state, so the browser may keep it."""
        found = studio.runs.run(name)
        try:
            mark = found.model.stat().st_mtime_ns
        except OSError as error:
            raise UserError("This run has no model yet.") from error
        folder = studio.home / "onnx" / f"{name}@{mark}"
        for old in folder.parent.glob(f"{name}@*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
        place = studio.long.call("use", path=str(found.model), ability="export", folder=str(folder))
        return FileResponse(
            place, media_type="application/octet-stream", headers={"cache-control": "private, max-age=604800"}
        )

    @app.get("/api/latents", responses=failures(400, 429, 503))
    def latents(
        dim: Annotated[int, Query(ge=1, le=4096)] = 64, count: Annotated[int, Query(ge=1, le=SEEDS)] = 1024
    ) -> Response:
        """The latent vectors of the first seeds: float32, little-endian."""
        return Response(studio.worker.call("latents", dim=dim, count=count), media_type="application/octet-stream")


def of_pictures(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/runs/{name}/judge", responses=failures(400, 404, 429, 503))
    async def judge(name: Name, request: Request) -> dict[str, Any]:
        """What the expert says of the picture in the body."""
        path = await run_in_threadpool(studio.model, name)

        def arguments(content: bytes) -> dict[str, Any]:
            return {"path": path, "ability": "judge", "content": content, "data": str(studio.data)}

        found = await _on_body(studio.worker, request, arguments)
        found["nearest"] = [_data(x) for x in found["nearest"]]
        return {**found, "picture": _data(found["picture"]), "heat": _data(found["heat"])}

    @app.post("/api/runs/{name}/game", status_code=201, responses=failures(400, 404, 429, 503))
    def game(name: Name) -> dict[str, Any]:
        """Twenty pictures, half of them real. The first game of a model waits for its expert to learn."""
        found = studio.runs.run(name)
        options = {"seed": secrets.randbelow(2**31), "count": PICTURES, "data": str(studio.data)}
        dealt = studio.long.call("use", 300, path=str(found.model), ability="play", **options)
        images = studio.runs.summary(name)["images"]
        return {"game": studio.games.begin(name, images, dealt), "pictures": [_data(x) for x in dealt["pictures"]]}

    @app.post("/api/games/{number}", responses=failures(400, 404, 429, 503))
    def answers(number: Annotated[str, Field(pattern=r"^[\w-]{1,40}$")], wanted: Answers) -> dict[str, Any]:
        """The result of a game."""
        return studio.games.end(number, wanted.real)

    @app.post("/api/runs/{name}/mend", responses=failures(400, 404, 429, 503))
    async def apply(
        name: Name,
        request: Request,
        to: Annotated[str, Query(pattern="^[abAB]$")] = "b",
        mask: Annotated[int, Query(ge=0, le=BYTES)] = 0,
    ) -> dict[str, Any]:
        """The model applied to the picture in the body; the last `mask` bytes of the body are a mask of its holes."""
        path = await run_in_threadpool(studio.model, name)

        def arguments(content: bytes) -> dict[str, Any]:
            cut = max(0, len(content) - mask)
            holes = content[cut:] if mask else None
            return {"path": path, "ability": "apply", "content": content[:cut], "to": to.lower(), "mask": holes}

        found = await _on_body(studio.long, request, arguments)
        return {**found, "before": _data(found["before"]), "after": _data(found["after"])}


def of_data(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/data", responses=failures(400, 429, 503))
    def folder(path: Annotated[str, Query(max_length=400)] = "") -> dict[str, Any]:
        """What lies in a folder: sub-folders and archives, and how many pictures."""
        place = places.inside(studio.data, path)
        entries, count = [], 0
        if place.is_dir():
            try:
                for entry in os.scandir(place):
                    if entry.name.startswith(".") or not is_text(entry.name):
                        continue
                    path_of = Path(entry.path)
                    if places.leads_out(studio.data, entry.path):
                        continue
                    if entry.is_dir() or listing.is_archive(path_of) or npz.is_numpy(path_of):
                        entries.append({"name": entry.name, "folder": entry.is_dir()})
                    count += path_of.suffix.lower() in decode.SUFFIXES
            except OSError as error:
                raise UserError(f"{path or 'The folder'} cannot be read ({error.strerror}).") from error
        own = "" if place == studio.data else str(place.relative_to(studio.data))
        sets = sorted(DATASETS) if not own else []
        return {
            "path": own,
            "root": studio.data.name,
            "entries": sorted(entries, key=lambda entry: entry["name"])[:LISTED],
            "more": max(0, len(entries) - LISTED),
            "pictures": count,
            "sets": sets,
        }

    @app.post("/api/data/check", responses=failures(400, 429, 503))
    def check(wanted: Folder) -> dict[str, Any]:
        """What a check of a folder finds, and how its pictures would be cut."""
        place = studio.source(wanted.path)
        out = studio.home / f"check-{secrets.token_hex(8)}.png"
        make_folder(out.parent)
        try:
            found = studio.tries.call("check_data", 600, place=place, out=str(out))
        finally:
            out.unlink(missing_ok=True)
        return {**found, "sheet": _data(found["sheet"]) if found.get("sheet") else None}


def _use(studio: Studio, name: str, ability: str, **arguments: Any) -> bytes:
    """What the model of a run makes, at once."""
    return studio.worker.call("use", path=studio.model(name), ability=ability, **arguments)


async def _on_body(worker: Worker, request: Request, arguments: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    """What a model makes of the picture in a request's body; `arguments` are those of `requests.use`."""
    content = await request.body()  # first, so that who sends slowly takes no place of others; its size has a limit
    with worker.place():
        return await run_in_threadpool(worker.call_in_place, "use", **arguments(content))


def _data(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
