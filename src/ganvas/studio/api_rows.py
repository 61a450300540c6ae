"""The API of models whose samples are rows: draw some, judge and complete a person's own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ganvas.studio.api_models import on_body
from ganvas.studio.state import Name, Studio, failures

TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/octet-stream"}


class Wanted(BaseModel):
    """Rows to draw; `where` holds conditions as on the command line."""

    count: int = Field(default=100, ge=1, le=10**9)
    seed: int = Field(default=0, ge=0, le=2**53)
    where: str = Field(default="", max_length=4_000)


class WantedFile(Wanted):
    """The same as a file."""

    form: Literal["csv", "parquet"] = "csv"


def of_rows(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/runs/{name}/rows", responses=failures(400, 404, 429, 503))
    def rows(name: Name, body: Wanted) -> dict[str, Any]:
        """Rows as texts."""
        return studio.worker.call("use", path=studio.model(name), ability="rows", **body.model_dump())

    @app.post("/api/runs/{name}/rows/file", responses=failures(400, 404, 429, 503))
    def file(name: Name, body: WantedFile) -> Response:
        """Rows as a file to keep."""
        content = studio.long.call("use", path=studio.model(name), ability="file", **body.model_dump())
        headers = {"content-disposition": f'attachment; filename="rows.{body.form}"'}
        return Response(content, media_type=TYPES[body.form], headers=headers)

    @app.post("/api/runs/{name}/odd", responses=failures(400, 404, 429, 503))
    async def odd(name: Name, request: Request, alarm: Annotated[float, Query(gt=0, lt=1)] = 0.05) -> dict[str, Any]:
        """Which of the rows of the CSV file in the body are odd, and where."""
        path = await run_in_threadpool(studio.model, name)

        def arguments(content: bytes) -> dict[str, Any]:
            return {"path": path, "ability": "odd", "content": content, "alarm": alarm}

        return await on_body(studio.long, request, arguments)

    @app.post("/api/runs/{name}/fill", responses=failures(400, 404, 429, 503))
    async def fill(
        name: Name,
        request: Request,
        times: Annotated[int, Query(ge=1, le=9)] = 3,
        seed: Annotated[int, Query(ge=0, le=2**53)] = 0,
    ) -> dict[str, Any]:
        """The rows of the CSV file in the body with their empty cells filled, several times."""
        path = await run_in_threadpool(studio.model, name)

        def arguments(content: bytes) -> dict[str, Any]:
            return {"path": path, "ability": "fill", "content": content, "times": times, "seed": seed}

        return await on_body(studio.long, request, arguments)
