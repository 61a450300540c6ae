"""The API of runs and trainings: lists, live events, start, stop, resume."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from ganvas import api
from ganvas.api import RECIPES
from ganvas.core import config as cf
from ganvas.core import own
from ganvas.core.errors import UserError
from ganvas.core.files import parse_json, read_bytes
from ganvas.core.run import Run
from ganvas.report import diagnosis
from ganvas.report.quantities import Rows
from ganvas.studio import ranges, shipped, stopping
from ganvas.studio.contents import as_json, files, section, settings, text
from ganvas.studio.index import PART, PARTS, RunNotFound, part_of, task_of
from ganvas.studio.jobs import fixed
from ganvas.studio.live import Cursor
from ganvas.studio.state import Name, Studio, failures
from ganvas.studio.worker import Busy
from ganvas.training.experiment import SECTIONS
from ganvas.training.losses import LOSSES

VIEWERS = 200  # connections for live events at once
LIVE = {"cache-control": "no-store", "x-accel-buffering": "no"}  # no proxy may buffer events
SHEET = 200_000_000  # bytes of a sheet of pictures or a strip of sounds, at most
FIGURES = 10_000_000  # bytes of a preview as JSON, at most
MEDIA = {".png": "image/png", ".wav": "audio/wav"}  # previews that a browser shows or plays by itself
LOG = logging.getLogger("ganvas.studio")


Settings = dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=200)]]


class Start(BaseModel):
    """A training to begin."""

    recipe: str = Field(max_length=60)
    data: str = Field(default="", max_length=400)
    to: str = Field(default="", max_length=400)
    settings: Settings = Field(default={}, max_length=500)


class Longer(BaseModel):
    """A training to resume; `images` makes it longer."""

    images: int | None = Field(default=None, ge=1, le=10**12)


def of_runs(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/runs")
    def runs() -> dict[str, Any]:
        """All runs, the newest first, the jobs, and the models that come with Ganvas."""
        return {"runs": studio.runs.all(), "jobs": studio.jobs.rows(), "models": shipped.models()}

    @app.get("/api/runs/{name}", responses=failures(404))
    def run(name: Name) -> dict[str, Any]:
        """A run with all its settings and files, and remarks on how the training is going.

        A run that has not begun has only its job, and what its page will show; a model that comes with Ganvas has no
        training.
        """
        if shipped.is_shipped(name):
            return {**shipped.summary(name), "games": studio.games.all(name), "job": None}
        job = next((job for job in studio.jobs.rows() if job["run"] == name), None)
        try:
            opened = studio.runs.run(name)
        except RunNotFound:
            if job is None:
                raise
            recipe = RECIPES.get(job["recipe"])
            part = None if recipe is None else part_of(recipe().kind.name).shown()
            return {"name": name, "begun": False, "job": job, "part": part}
        card = settings(opened)
        part = part_of(task_of(card))
        return {
            **studio.runs.summary(name),
            "begun": True,
            "place": f"{studio.root.name}/{opened.folder.relative_to(studio.root).as_posix()}",
            "part": part.shown(section(card, "task")),
            "files": files(opened),
            "settings": {key: section(card, key) for key in SECTIONS},
            "other": text(card.get("other_name")) or None,
            "licence": text(card.get("licence")) or None,
            "remarks": remarks(opened, card, opened.rows()),
            "report": opened.report.is_file(),
            "reals": (opened.samples / f"reals{part.suffix}").is_file(),
            "guess": getattr(LOSSES.get(str(section(card, "task").get("loss"))), "guess", None),
            "games": studio.games.all(name),
            "job": job,
        }


def of_standing(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/runs/{name}/together", responses=failures(404))
    def together(name: Name) -> dict[str, Any]:
        """What was measured of a training in several parts as a whole, as its task's script shows it."""
        run = studio.runs.run(name)
        card = settings(run)
        found = part_of(task_of(card)).found
        names = [text(part) for part in card["parts"][:PARTS]] if isinstance(card.get("parts"), list) else []
        try:
            return as_json(found(run, names)) if found is not None and names else {}
        except Exception as error:  # a file may hold any figures
            LOG.warning("No figures of %s", run.folder.name, exc_info=True)
            raise UserError(f"What was measured cannot be read ({type(error).__name__}).") from error

    @app.get("/api/runs/{name}/remarks", responses=failures(404))
    def current_remarks(name: Name) -> dict[str, Any]:
        """How the training is going, in plain words (`texts`), and how often the expert is right (`right`).

        The shares of `right` have the names of the log's columns, a number of 0 to 1 and its text each.
        """
        run = studio.runs.run(name)
        rows = run.rows()
        shares = diagnosis.columns(rows)
        right = {key: {"share": x, "text": diagnosis.percent(x)} for key, x in shares.items() if x is not None}
        return {"texts": remarks(run, settings(run), rows), "right": right}


def of_files(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/runs/{name}/samples/{file}", responses=failures(404))
    def picture(
        request: Request,
        name: Name,
        file: Annotated[str, Field(pattern=r"^(reals|fakes_init|fakes_\d{1,9})\.(png|json|wav)$")],
    ) -> Response:
        """A preview: a sheet of pictures, a strip of sounds, or figures of samples as JSON."""
        path = studio.runs.run(name).samples / file
        kind, figures = MEDIA.get(path.suffix), None
        try:
            content = b"" if path.is_symlink() else read_bytes(path, FIGURES if kind is None else SHEET)
            figures = as_json(parse_json(content)) if kind is None else None
        except (UserError, ValueError):
            content = b""
        if not content:
            return JSONResponse({"detail": "There is no such preview."}, 404)
        headers = {"cache-control": "private, max-age=3600"}
        if kind is not None:
            return ranges.answer(request, content, kind, headers)
        return JSONResponse(figures, headers=headers)

    @app.get("/api/runs/{name}/report", responses=failures(404))
    def report(name: Name) -> Response:
        """The run's report, to keep."""
        path = studio.runs.run(name).report
        if not path.is_file():
            return JSONResponse({"detail": "There is no report yet."}, 404)
        return FileResponse(path, media_type="text/html", filename=f"{name}.html")


def of_events(app: FastAPI, studio: Studio) -> None:
    viewers = 0

    @app.get("/api/runs/{name}/events", responses=failures(404, 429))
    async def events(
        request: Request, name: Name, after: Annotated[str, Query(max_length=60)] = ""
    ) -> StreamingResponse:
        """Server-sent events: `row`, `check`, `picture`, `state`, `progress`, `again`, `gone`.

        Last-Event-ID continues from that event; `after` does the same for a new connection.
        """
        nonlocal viewers
        run = await run_in_threadpool(studio.runs.run, name)
        if viewers >= VIEWERS:
            raise Busy
        cursor = Cursor.of(request.headers.get("last-event-id") or after)

        viewers += 1
        left = False

        def leave() -> None:
            nonlocal viewers, left
            viewers -= not left
            left = True

        async def stream() -> AsyncIterator[str]:
            try:
                yield "retry: 1000\n\n"
                async for event in studio.watch(run).follow(cursor):
                    if event is None:
                        yield ": still here\n\n"
                        continue
                    kind, data, position = event
                    yield f"id: {position}\nevent: {kind}\ndata: {json.dumps(data, allow_nan=False)}\n\n"
            finally:
                leave()

        cleanup = BackgroundTask(leave)  # for a viewer who disconnects before the first event
        return StreamingResponse(stream(), media_type="text/event-stream", headers=LIVE, background=cleanup)


def remarks(run: Run, card: dict[str, Any], rows: Rows) -> list[str]:
    """How the training is going, in plain words."""
    try:
        texts = part_of(task_of(card)).remarks(rows, run.rows(run.metrics))
    except Exception as error:  # a file may hold any figures
        LOG.warning("No remarks on %s", run.folder.name, exc_info=True)
        texts = [f"The log cannot be judged: it holds values that make no sense ({type(error).__name__})."]
    return [*texts, *run.remarks()]


def of_trainings(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/recipes")
    def recipes() -> list[dict[str, Any]]:
        """The recipes with their cards, and every setting with its help and its value."""
        return [_recipe_row(name) for name in RECIPES]

    @app.post("/api/train", status_code=201, responses=failures(400, 429))
    def train(body: Start) -> dict[str, Any]:
        """Put a training into the queue."""
        data, to = _sources(studio, body)
        experiment = api.experiment(body.recipe, data, body.settings, to)
        experiment.ready()
        folder = experiment.new_folder(studio.root)
        arguments = ["train", body.recipe, "--run", str(folder)]
        arguments += [*(["--data", data] if data else []), *(["--to", to] if to else [])]
        arguments += [f"{key}={value}" for key, value in body.settings.items()]
        try:
            job = studio.jobs.add("train", folder.name, arguments)
        except (UserError, Busy):
            folder.rmdir()  # nothing is in it yet
            raise
        return {"run": folder.name, "job": job.number, "state": job.state}

    @app.post("/api/forecast", responses=failures(400, 429))
    def forecast(body: Start) -> dict[str, Any]:
        """How long a training would take, measured with a few real steps."""
        data, to = _sources(studio, body)
        return studio.tries.call("forecast", 600, recipe=body.recipe, data=data, settings=body.settings, to=to)

    @app.post("/api/runs/{name}/stop", responses=failures(400, 404))
    def stop(name: Name) -> dict[str, bool]:
        """Stop a training (it saves), or remove it from the queue."""
        if not studio.jobs.stop(name):
            run = studio.runs.run(name)
            pid = run.holder()
            if pid is None:
                raise UserError("This run is not being trained.")
            stopping.stop(pid, run.folder)
        return {"stopped": True}

    @app.post("/api/runs/{name}/resume", status_code=201, responses=failures(400, 404, 429))
    def resume(name: Name, body: Longer) -> dict[str, Any]:
        """Resume a run."""
        run, now = studio.runs.run(name), studio.runs.summary(name)
        if now["state"] == "running":
            raise UserError("This run is being trained already.")
        if PART in name or ("parts" in now and body.images is not None):
            raise UserError("A training in several parts can only be resumed as a whole, and with its original length.")
        studio.check_resume(run)
        more = [f"images={body.images}"] if body.images is not None else []
        job = studio.jobs.add("resume", name, ["resume", str(run.folder), *more])
        return {"run": name, "job": job.number, "state": "ending" if studio.jobs.waits_for_itself(job) else job.state}


def _sources(studio: Studio, body: Start) -> tuple[str | None, str | None]:
    """Both sets of data of a requested training, checked. Raises UserError where one may not be read."""
    if body.recipe not in RECIPES:
        raise UserError(f"There is no recipe '{body.recipe[:60]}'.")
    for key, value in body.settings.items():
        barred = key in (*fixed(RECIPES[body.recipe]()), "from", "network") or own.is_spoken(value)  # code is not run
        if barred or "=" in key or key.startswith("-"):
            raise UserError(f"{key} cannot be set here.")
    data, to = (studio.source(text) if text else None for text in (body.data, body.to))
    return data, to


@functools.cache
def _recipe_row(name: str) -> dict[str, Any]:
    experiment = RECIPES[name]()
    card = inspect.getdoc(RECIPES[name]) or ""
    shown = part_of(experiment.kind.name)
    rows: list[dict[str, Any]] = []
    hidden = fixed(experiment) | set(getattr(experiment.data, "families", {}).values())
    for part in SECTIONS:
        config = getattr(experiment, part)
        for field in dataclasses.fields(config):
            value, meta = getattr(config, field.name), field.metadata
            if field.name in hidden:
                continue
            told = ",".join(map(str, value)) if isinstance(value, tuple) else value
            kind = getattr(cf.types_of(config)[field.name], "__name__", "list")
            rows.append(
                {
                    "section": part,
                    "name": field.name.rstrip("_"),
                    "value": str(told).lower() if isinstance(told, bool) else told,
                    "kind": kind,
                    "help": meta.get("help", ""),
                    "choices": list(meta.get("choices") or []),
                }
            )
    return {
        "name": name,
        "about": card.splitlines()[0],
        "card": card,
        "task": experiment.kind.name,
        "two_sources": shown.two_sources,
        "samples": shown.samples,
        "source": list(shown.source),
        "check": shown.address(shown.check),
        "needs_data": not experiment.data.source,
        "settings": rows,
    }
