"""The API of trained models."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ganvas.core.errors import UserError
from ganvas.studio.state import Name, Studio, failures
from ganvas.studio.worker import Worker

SEEDS = 4_096  # seeds whose latent vectors a page can request


class Draw(BaseModel):
    """Pictures to generate."""

    seeds: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(min_length=1, max_length=256)
    kind: str | None = Field(default=None, max_length=100)
    truncation: float | None = Field(default=None, gt=0, le=10)
    columns: int = Field(default=8, ge=1, le=64)

    def arguments(self) -> dict[str, Any]:
        """The arguments of the task's function `draw`."""
        return {"numbers": self.seeds, "kind": self.kind, "truncation": self.truncation}


class Corners(BaseModel):
    """A map between four seeds."""

    corners: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(min_length=4, max_length=4)
    kinds: list[Annotated[str, Field(max_length=100)]] | None = Field(default=None, min_length=4, max_length=4)


class Place(Corners):
    """A position on such a map."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class Text(BaseModel):
    """What to write."""

    text: str = Field(min_length=1, max_length=60)
    seed: int = Field(default=0, ge=0, le=2**53)


def of_models(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/runs/{name}/model", responses=failures(400, 404, 429, 503))
    def about(name: Name) -> dict[str, Any]:
        """What the model of a run can do."""
        return studio.worker.call("describe", path=studio.model(name))

    @app.post("/api/runs/{name}/sheet", responses=failures(400, 404, 429, 503))
    def sheet(name: Name, body: Draw) -> Response:
        """Pictures of seeds on one PNG."""
        content = _use(studio, name, "draw", columns=body.columns, **body.arguments())
        return Response(content, media_type="image/png")

    @app.post("/api/runs/{name}/zip", responses=failures(400, 404, 429, 503))
    def archive(name: Name, body: Draw) -> Response:
        """Pictures of seeds as PNG files in a zip."""
        content = _use(studio, name, "draw", columns=0, **body.arguments())
        return Response(content, media_type="application/zip")

    @app.post("/api/runs/{name}/point", responses=failures(400, 404, 429, 503))
    def point(name: Name, body: Place) -> Response:
        """The picture at a position on the map."""
        return Response(_use(studio, name, "walk", **body.model_dump()), media_type="image/png")

    @app.post("/api/runs/{name}/map", responses=failures(400, 404, 429, 503))
    def atlas(name: Name, body: Corners) -> Response:
        """The map itself: a sheet of the pictures at its positions."""
        return Response(_use(studio, name, "walk.atlas", **body.model_dump()), media_type="image/png")

    @app.post("/api/runs/{name}/write", responses=failures(400, 404, 429, 503))
    def write(name: Name, body: Text) -> Response:
        """A text written by the model."""
        return Response(_use(studio, name, "write", **body.model_dump()), media_type="image/png")

    @app.get("/api/runs/{name}/generator.onnx", responses=failures(400, 404, 429, 503))
    def onnx(name: Name) -> Response:
        """The generator for the browser. The page adds the model's version to the address, so that it may be cached."""
        model = studio.model(name)
        folder = _kept(studio, "onnx", name, model)
        path = studio.long.call("use", path=model, ability="export", folder=str(folder))
        return FileResponse(
            path, media_type="application/octet-stream", headers={"cache-control": "private, max-age=604800"}
        )

    @app.post("/api/runs/{name}/page", responses=failures(400, 404, 429, 503))
    def page(name: Name) -> Response:
        """A page that draws with the model, as one HTML file to keep."""
        model = studio.model(name)
        file = _kept(studio, "pages", name, model) / "page.html"
        studio.long.call("page", path=model, file=str(file))
        return FileResponse(file, media_type="text/html", filename=f"{name.removeprefix('@')}.html")

    @app.get("/api/latents", responses=failures(400, 429, 503))
    def latents(
        dim: Annotated[int, Query(ge=1, le=4096)] = 64, count: Annotated[int, Query(ge=1, le=SEEDS)] = 1024
    ) -> Response:
        """The latent vectors of the first seeds: float32, little-endian."""
        return Response(studio.worker.call("latents", dim=dim, count=count), media_type="application/octet-stream")


def _kept(studio: Studio, kind: str, name: str, model: str) -> Path:
    """The folder for what was made of a model; those of older versions of it are removed.

    Raises:
        UserError: there is no model yet.
    """
    try:
        version = os.stat(model).st_mtime_ns
    except OSError as error:
        raise UserError("This run has no model yet.") from error
    folder = studio.home / kind / f"{name}@{version}"
    for old in folder.parent.glob(f"{name}@*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _use(studio: Studio, name: str, ability: str, **arguments: Any) -> bytes:
    """Have the model of a run make something, with the worker for quick answers."""
    return studio.worker.call("use", path=studio.model(name), ability=ability, **arguments)


async def on_body(worker: Worker, request: Request, arguments: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    """Apply a model to what a request's body holds; `arguments` makes those of `requests.use` from it."""
    content = await request.body()  # before taking a slot, so that slow senders do not block others
    with worker.slot():
        return await run_in_threadpool(worker.call_in_slot, "use", **arguments(content))


def data_url(content: bytes, form: str = "png") -> str:
    """A picture as an address that holds it; `form`: png or jpeg."""
    return f"data:image/{form};base64,{base64.b64encode(content).decode()}"
