"""The API that applies a model to the user's pictures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool

from ganvas.studio.api_models import data_url, on_body
from ganvas.studio.security import BYTES
from ganvas.studio.state import Name, Studio, failures


def of_pictures(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/runs/{name}/mend", include_in_schema=False)  # its old name
    @app.post("/api/runs/{name}/restore", responses=failures(400, 404, 429, 503))
    async def restore(
        name: Name,
        request: Request,
        to: Annotated[str, Query(pattern="^[abAB]$")] = "b",
        mask: Annotated[int, Query(ge=0, le=BYTES)] = 0,
    ) -> dict[str, Any]:
        """The model applied to the picture in the body; the last `mask` bytes of the body are a mask of its holes.

        `form` is that of `after`: jpeg for a JPEG, else png.
        """
        path = await run_in_threadpool(studio.model, name)

        def arguments(content: bytes) -> dict[str, Any]:
            cut = max(0, len(content) - mask)
            holes = content[cut:] if mask else None
            return {"path": path, "ability": "apply", "content": content[:cut], "to": to.lower(), "mask": holes}

        result = await on_body(studio.long, request, arguments)
        form = result.get("form", "png")
        return {**result, "form": form, "before": data_url(result["before"]), "after": data_url(result["after"], form)}
