"""The API of models whose samples are sounds: hear some, walk between them, judge a recording, play the game."""

from __future__ import annotations

import base64
import secrets
import threading
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ganvas.core.errors import UserError
from ganvas.core.files import json_line, make_folder
from ganvas.core.rows import append
from ganvas.studio.api_models import Place, on_body
from ganvas.studio.contents import read, size
from ganvas.studio.games import KEPT, OPEN, interval
from ganvas.studio.state import Name, Studio, failures

PAIRS = 8  # of a game
Seed = Annotated[int, Field(ge=0, le=2**53)]
Kind = Annotated[str, Field(max_length=100)]
Cut = Annotated[float, Field(gt=0, le=10)]


class Sounds(BaseModel):
    """Sounds to draw."""

    seeds: list[Seed] = Field(min_length=1, max_length=32)
    kind: Kind | None = None
    truncation: Cut | None = None


class Way(BaseModel):
    """A position on the way between two seeds."""

    ends: list[Seed] = Field(min_length=2, max_length=2)
    kinds: list[Kind] | None = Field(default=None, min_length=2, max_length=2)
    share: float = Field(ge=0, le=1)
    truncation: Cut | None = None


class Picks(BaseModel):
    """For each pair, which of the two the player takes for the recording."""

    real: list[Annotated[int, Field(ge=0, le=1)]] = Field(min_length=PAIRS, max_length=PAIRS)


class Pairs:
    """Open games in memory, results in a file of JSON lines."""

    def __init__(self, home: Path) -> None:
        self.file = home / "pairs.jsonl"
        self.open: dict[str, tuple[str, list[int]]] = {}  # the run, and where the recordings are
        self.lock = threading.Lock()

    def begin(self, run: str, real: list[int]) -> str:
        """Keep a game's solution until the player answers; returns the game's number."""
        number = secrets.token_urlsafe(12)
        with self.lock:
            while len(self.open) >= OPEN:
                del self.open[next(iter(self.open))]
            self.open[number] = run, real
        return number

    def end(self, number: str, picks: list[int]) -> dict[str, Any]:
        """The result of a game, its solution, and the results of all games of this run on this machine.

        Raises:
            UserError: there is no such game, or not any longer, or the result cannot be kept.
        """
        with self.lock:
            if number not in self.open:
                raise UserError("This game is over. Start a new one.")
            run, real = self.open[number]
            right = sum(a == b for a, b in zip(picks, real, strict=True))
            make_folder(self.file.parent)
            append(self.file, {"run": run, "images": 0, "right": right})
            self.open.pop(number)
        return {"right": right, "of": PAIRS, "real": real, "all": self.all(run)}

    def all(self, run: str) -> dict[str, Any]:
        """Over all games of a run: how often the recording was found, with a 95% interval."""
        rows = map(json_line, read(self.file, max(0, size(self.file) - KEPT), KEPT).split(b"\n"))
        found = [row["right"] for row in rows if row is not None and row.get("run") == run and _is_result(row)]
        low, high = interval(sum(found), PAIRS * len(found))
        return {"games": len(found), "right": sum(found), "of": PAIRS * len(found), "low": low, "high": high}


def _is_result(row: dict[str, Any]) -> bool:
    return type(row.get("right")) is int and 0 <= row["right"] <= PAIRS


def of_sounds(app: FastAPI, studio: Studio) -> None:
    games = Pairs(studio.home)

    @app.post("/api/runs/{name}/sounds", responses=failures(400, 404, 429, 503))
    def sounds(name: Name, body: Sounds) -> list[dict[str, Any]]:
        """Sounds of seeds, each with its spectrogram and its waveform."""
        arguments = {"numbers": body.seeds, "kind": body.kind, "truncation": body.truncation}
        found = studio.worker.call("use", path=studio.model(name), ability="sounds", **arguments)
        return [_for_page(entry) for entry in found]

    @app.post("/api/runs/{name}/sounds/between", responses=failures(400, 404, 429, 503))
    def between(name: Name, body: Way) -> dict[str, Any]:
        """The sound at a place between two seeds."""
        found = studio.worker.call("use", path=studio.model(name), ability="between", **body.model_dump())
        return _for_page(found)

    @app.post("/api/runs/{name}/sounds/at", responses=failures(400, 404, 429, 503))
    def at(name: Name, body: Place) -> dict[str, Any]:
        """The sound at a position on the map."""
        found = studio.worker.call("use", path=studio.model(name), ability="at", **body.model_dump())
        return _for_page(found)

    @app.post("/api/runs/{name}/sounds/judge", responses=failures(400, 404, 429, 503))
    async def judge(
        name: Name,
        request: Request,
        kind: Annotated[str, Query(max_length=100)] = "",
        alarm: Annotated[float, Query(gt=0, le=0.5)] = 0.05,
    ) -> dict[str, Any]:
        """The detector's verdict on the recording in the body, a file of any format that is read."""
        path = await run_in_threadpool(studio.model, name)

        def arguments(content: bytes) -> dict[str, Any]:
            return {"path": path, "ability": "judge", "content": content, "kind": kind, "alarm": alarm}

        found = await on_body(studio.worker, request, arguments)
        return {**found, "heard": _for_page(found["heard"])}

    @app.get("/api/runs/{name}/sounds/games", responses=failures(404))
    def played(name: Name) -> dict[str, Any]:
        """The results of all games with a run's sounds."""
        studio.runs.run(name)
        return games.all(name)

    @app.post("/api/runs/{name}/sounds/game", status_code=201, responses=failures(400, 404, 429, 503))
    def game(name: Name) -> dict[str, Any]:
        """Pairs of a recording and a drawn sound, in random order."""
        options = {"seed": secrets.randbelow(2**31), "count": PAIRS, "data": studio.readable}
        dealt = studio.long.call("use", 300, path=studio.model(name), ability="pairs", **options)
        shown = [[_wav(one) for one in pair] for pair in dealt["pairs"]]
        return {"game": games.begin(name, dealt["real"]), "pairs": shown, "kinds": dealt["kinds"]}

    @app.post("/api/sounds/games/{number}", responses=failures(400, 404, 429, 503))
    def answers(number: Annotated[str, Field(pattern=r"^[\w-]{1,40}$")], body: Picks) -> dict[str, Any]:
        """The result of a game."""
        return games.end(number, body.real)


def _for_page(entry: dict[str, Any]) -> dict[str, Any]:
    picture = "data:image/png;base64," + base64.b64encode(entry["picture"]).decode()
    return {**entry, "wav": _wav(entry["wav"]), "picture": picture}


def _wav(content: bytes) -> str:
    return "data:audio/wav;base64," + base64.b64encode(content).decode()
