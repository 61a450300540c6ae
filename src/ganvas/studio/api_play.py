"""The API of a model's expert: verdicts on pictures, and games against a fresh one."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ganvas.studio import shipped
from ganvas.studio.api_models import data_url, on_body
from ganvas.studio.games import NAME, PICTURES
from ganvas.studio.state import Name, Studio, failures

Number = Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]


class Answers(BaseModel):
    """For each picture, whether the player takes it for real; and the player's name, for the board."""

    real: list[bool] = Field(min_length=PICTURES, max_length=PICTURES)
    name: str = Field(default="", max_length=NAME)


def of_experts(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/runs/{name}/judge", responses=failures(400, 404, 429, 503))
    async def judge(name: Name, request: Request) -> dict[str, Any]:
        """The discriminator's verdict on the picture in the body."""
        path = await run_in_threadpool(studio.model, name)

        def arguments(content: bytes) -> dict[str, Any]:
            return {"path": path, "ability": "judge", "content": content, "data": studio.readable}

        verdict = await on_body(studio.worker, request, arguments)
        verdict["nearest"] = [data_url(x) for x in verdict["nearest"]]
        return {**verdict, "picture": data_url(verdict["picture"]), "heat": data_url(verdict["heat"])}


def of_games(app: FastAPI, studio: Studio) -> None:
    def use(path: str, step: str, **arguments: Any) -> Any:
        """A step of the ability `play`, by the worker for quick answers."""
        return studio.worker.call("use", path=path, ability=f"play.{step}", data=studio.readable, **arguments)

    @app.get("/api/runs/{name}/game", responses=failures(400, 404, 429, 503))
    def prepare(name: Name) -> dict[str, Any]:
        """Whether a fresh expert is there already. Afterwards a game is dealt quickly."""
        return {"expert": studio.experts.state(use(studio.model(name), "ready"))}

    @app.post("/api/runs/{name}/game", status_code=201, responses=failures(400, 404, 429, 503))
    def game(name: Name) -> dict[str, Any]:
        """Twenty pictures, half of them real. A fresh expert begins to learn, where there is none of this model."""
        path, seed = studio.model(name), secrets.randbelow(2**31)
        dealt = None if studio.worker.free else shipped.dealt(name)  # for the first minute of a server
        if dealt is None:
            dealt = use(path, "deal", seed=seed, count=PICTURES)
            dealt = {"seed": seed, **dealt, "pictures": [data_url(x) for x in dealt["pictures"]]}
        images = studio.summary(name)["images"]
        number = studio.games.begin(name, images, dealt["real"], dealt["mark"], dealt["seed"])
        studio.experts.teach(dealt["mark"], path, studio.readable)
        return {"game": number, "pictures": dealt["pictures"]}

    @app.post("/api/games/{number}", responses=failures(400, 404, 429, 503))
    def answers(number: Number, body: Answers) -> dict[str, Any]:
        """The result of a game, but for what the expert says."""
        return studio.games.end(number, body.real, body.name)

    @app.get("/api/games/{number}/expert", responses=failures(400, 404, 429, 503))
    def expert(number: Number) -> dict[str, Any]:
        """What the fresh expert says of the pictures of a game that is over, or how far its training is.

        `state`: ready (with `said` and how many are `right`), learning (with the `share` that is done), or failed.
        """
        over = studio.games.over(number)
        state = studio.experts.state(over.mark)
        if state["state"] != "ready":
            return state
        file = str(studio.experts.file(over.mark))
        said = use(studio.model(over.run), "answer", seed=over.seed, count=PICTURES, mark=over.mark, file=file)
        return {**state, "said": said, "right": sum(a == b for a, b in zip(said, over.real, strict=True))}
