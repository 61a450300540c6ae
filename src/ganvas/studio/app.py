"""The studio's server: pages, a small API, and live events of runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import inspect
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from ganvas import __version__, api, doctor, tasks
from ganvas import config as cf
from ganvas.data import DATASETS, listing
from ganvas.errors import UserError
from ganvas.experiment import SECTIONS
from ganvas.recipes import RECIPES
from ganvas.run import Run
from ganvas.studio.games import PICTURES, Games
from ganvas.studio.guard import BYTES, Guard
from ganvas.studio.jobs import Jobs
from ganvas.studio.watching import Cursor, NotThere, Runs, Watch, section, settings
from ganvas.studio.working import Broken, Busy, Worker

STATIC = Path(__file__).parent / "static"
WEB = Path(__file__).parent.parent / "web"
RUNTIME = {"ort.wasm.bundle.min.mjs": "text/javascript", "ort-wasm-simd-threaded.wasm": "application/wasm"}
VIEWERS = 200  # of live events at once
SEEDS = 4_096  # whose latent vectors a page can ask for
LISTED = 500  # entries of a folder that are shown
Name = Annotated[str, Field(pattern=r"^[\w.-]{1,120}$")]


class Start(BaseModel):
    """A training to begin."""

    recipe: str = Field(max_length=60)
    data: str = Field(default="", max_length=400)
    to: str = Field(default="", max_length=400)
    settings: dict[str, str] = Field(default={}, max_length=60)


class Longer(BaseModel):
    """A training to go on with; `images` makes it longer."""

    images: int | None = Field(default=None, ge=1, le=10**12)


class Draw(BaseModel):
    """Pictures to draw."""

    seeds: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(min_length=1, max_length=256)
    kind: str | None = Field(default=None, max_length=100)
    truncation: float | None = Field(default=None, gt=0, le=10)
    columns: int = Field(default=8, ge=1, le=64)


class Place(BaseModel):
    """A place on the map between four seeds."""

    corners: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(min_length=4, max_length=4)
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    kind: str | None = Field(default=None, max_length=100)


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


class Studio:
    """What the server holds between requests."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root, self.data = root.resolve(), data.resolve()
        self.runs, self.jobs = Runs(self.root), Jobs(self.root)
        self.games = Games(self.root / ".studio")
        self.worker, self.long = Worker(), Worker()  # a second one, so that a check of data keeps nobody waiting
        self.watches: dict[str, Watch] = {}

    def watch(self, run: Run) -> Watch:
        name = run.folder.name
        if name not in self.watches or not self.watches[name].run.folder.exists():
            self.watches[name] = Watch(run)
        return self.watches[name]

    def inside(self, path: str) -> Path:
        """A path below the data's root.

        Raises:
            UserError: it leads out of it, also by links, or there is nothing.
        """
        try:
            place = (self.data / path).resolve()
            there = place.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"{path[:80]!r} is no path here.") from error
        if not place.is_relative_to(self.data) or not there:
            raise UserError(f"There is no {path or 'folder'} below {self.data.name}/, the folder that may be used.")
        return place

    def source(self, text: str) -> str:
        """A data set's name, or a path below the data's root."""
        return text if text in DATASETS else str(self.inside(text))


class Route(APIRoute):
    """Errors for people: 400 with a sentence, 404 where a run is gone, 429 where too much is asked at once."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except UserError as error:
                return JSONResponse({"detail": str(error)}, 400)
            except NotThere:
                return JSONResponse({"detail": "There is no such run (any more)."}, 404)
            except Busy:
                return JSONResponse({"detail": "Many are asking at once. Try again."}, 429, {"retry-after": "1"})
            except Broken as error:
                return JSONResponse({"detail": str(error)}, 503, {"retry-after": "1"})

        return answered


def create(root: Path, data: Path, token: str | None = None) -> FastAPI:
    """The server of a folder of runs; `data`: the folder whose pictures may be looked at and trained on."""
    studio = Studio(root, data)

    @contextlib.asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        async def tend() -> None:
            while True:
                with contextlib.suppress(UserError, OSError):
                    await asyncio.to_thread(studio.jobs.tend)
                await asyncio.sleep(0.5)

        task = asyncio.create_task(tend())
        try:
            yield
        finally:
            task.cancel()
            studio.worker.close()
            studio.long.close()

    app = FastAPI(
        title="Ganvas Studio", version=__version__, lifespan=living, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.router.route_class = Route
    app.state.studio = studio
    _pages(app)
    _of_runs(app, studio)
    _of_trainings(app, studio)
    _of_models(app, studio)
    _of_data(app, studio)
    app.add_middleware(Guard, token=token)  # pyright: ignore[reportArgumentType]
    return app


def _pages(app: FastAPI) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        """Is the server alive?"""
        return {"status": "ok", "version": __version__}

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _file(request, STATIC / "index.html")

    @app.get("/static/{name}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        path = STATIC / name
        if not re.fullmatch(r"[\w.-]+", name) or name.startswith(".") or not path.is_file():
            return JSONResponse({"detail": "There is no such file."}, 404)
        return _file(request, path)

    @app.get("/static/ort/{name}", include_in_schema=False)
    async def runtime(name: str) -> Response:
        if name not in RUNTIME:
            return JSONResponse({"detail": "There is no such file."}, 404)
        cached = {"cache-control": "max-age=86400"}
        if name.endswith(".wasm"):
            packed = (WEB / f"{name}.gz").read_bytes()
            return Response(packed, media_type=RUNTIME[name], headers={**cached, "content-encoding": "gzip"})
        return FileResponse(WEB / name, media_type=RUNTIME[name], headers=cached)


def _file(request: Request, path: Path) -> Response:
    """A file of the page; asked again, the browser is told that it has it already."""
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    return Response(content, media_type=kinds.get(path.suffix, "application/octet-stream"), headers=headers)


def _of_runs(app: FastAPI, studio: Studio) -> None:
    watching = 0

    @app.get("/api/runs")
    def runs() -> dict[str, Any]:
        """All runs, the newest first, and the jobs."""
        found = []
        for name in studio.runs.names():
            with contextlib.suppress(NotThere):
                found.append(studio.runs.summary(name))
        return {"runs": found, "jobs": studio.jobs.told()}

    @app.get("/api/runs/{name}", responses={404: {"description": "no such run"}})
    def run(name: Name) -> dict[str, Any]:
        """A run with all its settings, its networks in numbers, and remarks on how the contest stands."""
        found = studio.runs.run(name)
        card = settings(found)
        rows, checks = found.rows(), found.rows(found.metrics)
        return {
            **studio.runs.summary(name),
            "settings": {key: section(card, key) for key in SECTIONS},
            "classes": card.get("classes", []),
            "other": card.get("other_name"),
            "licence": card.get("licence"),
            "remarks": remarks(card, rows, checks),
            "report": found.report.is_file(),
            "reals": (found.samples / "reals.png").is_file(),
            "guess": doctor.GUESS.get(str(section(card, "task").get("loss"))),
            "games": studio.games.all(name),
        }

    @app.get("/api/runs/{name}/events", responses={404: {"description": "no such run"}, 429: {"description": "busy"}})
    async def events(request: Request, name: Name) -> StreamingResponse:
        """Server-sent events: `row`, `check`, `picture`, `state`, `again`, `gone`; Last-Event-ID goes on from there."""
        nonlocal watching
        found = await asyncio.to_thread(studio.runs.run, name)
        if watching >= VIEWERS:
            raise Busy
        cursor = Cursor.of(request.headers.get("last-event-id"))

        async def stream() -> AsyncIterator[str]:
            nonlocal watching
            watching += 1
            try:
                yield "retry: 1000\n\n"
                async for event in studio.watch(found).follow(cursor):
                    if event is None:
                        yield ": still here\n\n"
                        continue
                    kind, data, seen = event
                    yield f"id: {seen}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
            finally:
                watching -= 1

        return StreamingResponse(stream(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    @app.get("/api/runs/{name}/remarks", responses={404: {"description": "no such run"}})
    def said(name: Name) -> list[str]:
        """How the contest stands, in plain words."""
        found = studio.runs.run(name)
        return remarks(settings(found), found.rows(), found.rows(found.metrics))

    @app.get("/api/runs/{name}/samples/{file}", responses={404: {"description": "no such picture"}})
    def picture(
        name: Name, file: Annotated[str, Field(pattern=r"^(reals|fakes_init|fakes_\d{1,9})\.png$")]
    ) -> Response:
        """A sheet of pictures."""
        path = studio.runs.run(name).samples / file
        try:
            content = path.read_bytes()
        except OSError:
            return JSONResponse({"detail": "There is no such picture."}, 404)
        return Response(content, media_type="image/png", headers={"cache-control": "max-age=3600"})

    @app.get("/api/runs/{name}/report", responses={404: {"description": "no report"}})
    def report(name: Name) -> Response:
        """The run's report, to keep."""
        path = studio.runs.run(name).report
        if not path.is_file():
            return JSONResponse({"detail": "There is no report yet."}, 404)
        return FileResponse(path, media_type="text/html", filename=f"{name}.html")


def remarks(card: dict[str, Any], rows: list[dict[str, Any]], checks: list[dict[str, Any]]) -> list[str]:
    """How the contest stands; of tasks in which the generator is given pictures, what the last check found."""
    if section(card, "task").get("name", "generate") == "generate":
        return doctor.remarks(rows, checks)
    last = next((c for c in reversed(checks) if c.get("metric") in ("fidelity", "round-trip")), None)
    if last is None:
        return ["Nothing was checked yet: that comes with the first picture."]
    if last["metric"] == "fidelity":
        return [
            f"Mended pieces are at {last['psnr']:.1f} dB, damaged ones at {last['psnr_damaged']:.1f} dB: higher is "
            "nearer to the true ones. 1 dB more is a fifth less of squared error."
        ]
    follow = [f"{last[key]:.2f} {where}" for key, where in _WHERE.items() if key in last]
    return [
        f"There and back pictures come to themselves at {last['cycle_a']:.1f} dB.",
        f"Colours follow the input by {', '.join(follow)} (1: the order of all pictures is kept; 0: not at all).",
    ]


_WHERE = {"middle_b": "in the middle", "border_b": "at the border"}


def _of_trainings(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/recipes")
    def recipes() -> list[dict[str, Any]]:
        """The recipes with their cards, and every setting with its help and its value."""
        return [_recipe(name) for name in RECIPES]

    @app.post("/api/train", status_code=201, responses={400: {"description": "a sentence that says what is wrong"}})
    def train(wanted: Start) -> dict[str, Any]:
        """Put a training into the queue."""
        chosen = dict(wanted.settings)
        for key in ("source", "to", "twins", "from", "from_", "device"):
            if key in chosen:
                raise UserError(f"{key} cannot be set here.")
        if wanted.recipe not in RECIPES:
            raise UserError(f"There is no recipe '{wanted.recipe[:60]}'.")
        data, to = (studio.source(text) if text else None for text in (wanted.data, wanted.to))
        experiment = api.experiment(wanted.recipe, data, chosen, to)
        experiment._source()
        name = listing.bare_name(Path(experiment.data.source))
        label = name if name == experiment.recipe else f"{name}-{experiment.recipe}"
        folder = Run.create(studio.root, re.sub(r"[^\w.-]+", "-", label)[:80]).folder
        arguments = ["train", wanted.recipe, "--run", str(folder)]
        arguments += [*(["--data", data] if data else []), *(["--to", to] if to else [])]
        arguments += [f"{key}={value}" for key, value in chosen.items()]
        job = studio.jobs.add("train", folder.name, arguments)
        return {"run": folder.name, "job": job.number, "state": job.state}

    @app.post("/api/forecast", responses={400: {"description": "a sentence that says what is wrong"}})
    def forecast(wanted: Start) -> dict[str, Any]:
        """How long a training would take: a few true steps."""
        if wanted.recipe not in RECIPES:
            raise UserError(f"There is no recipe '{wanted.recipe[:60]}'.")
        data, to = (studio.source(text) if text else None for text in (wanted.data, wanted.to))
        chosen = {k: v for k, v in wanted.settings.items() if k not in ("source", "to", "twins", "from", "device")}
        return studio.long.call("forecast", recipe=wanted.recipe, data=data, settings=chosen, to=to)

    @app.post("/api/runs/{name}/stop", responses={404: {"description": "no such run"}})
    def stop(name: Name) -> dict[str, bool]:
        """Stop a training (it saves), or take it out of the queue."""
        stopped = studio.jobs.stop(name)
        if not stopped:
            studio.runs.run(name)
            raise UserError("This training was not started here: stop it where it was started (Ctrl-C).")
        return {"stopped": True}

    @app.post("/api/runs/{name}/resume", status_code=201, responses={404: {"description": "no such run"}})
    def resume(name: Name, wanted: Longer) -> dict[str, Any]:
        """Go on with a run."""
        found = studio.runs.run(name)
        if studio.runs.summary(name)["state"] == "running":
            raise UserError("This run is being trained already.")
        more = [f"images={wanted.images}"] if wanted.images is not None else []
        job = studio.jobs.add("resume", name, ["resume", str(found.folder), *more])
        return {"run": name, "job": job.number, "state": job.state}


def _recipe(name: str) -> dict[str, Any]:
    experiment = RECIPES[name]()
    card = inspect.getdoc(RECIPES[name]) or ""
    known: list[dict[str, Any]] = []
    for home in SECTIONS:
        config = getattr(experiment, home)
        for field in dataclasses.fields(config):
            value, meta = getattr(config, field.name), field.metadata
            if field.name in ("source", "to", "twins", "from_", "device"):
                continue
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
            kind = getattr(cf.types_of(config)[field.name], "__name__", "list")
            known.append(
                {
                    "section": home,
                    "name": field.name.rstrip("_"),
                    "value": str(shown).lower() if isinstance(shown, bool) else shown,
                    "kind": kind,
                    "help": meta.get("help", ""),
                    "choices": list(meta.get("choices") or []),
                }
            )
    return {
        "name": name,
        "about": card.splitlines()[0],
        "card": card,
        "task": tasks.name_of(experiment.task),
        "needs_data": not experiment.data.source,
        "settings": known,
    }


def _of_models(app: FastAPI, studio: Studio) -> None:
    bad: dict[int | str, dict[str, Any]] = {
        400: {"description": "a sentence that says what is wrong"},
        404: {"description": "no such run"},
        429: {"description": "too many at once"},
        503: {"description": "the worker died or was too slow"},
    }

    def model(name: str) -> str:
        return str(studio.runs.run(name).model)

    @app.get("/api/runs/{name}/model", responses=bad)
    def about(name: Name) -> dict[str, Any]:
        """What the model of a run can do."""
        return studio.worker.call("describe", path=model(name))

    @app.post("/api/runs/{name}/sheet", responses=bad)
    def sheet(name: Name, wanted: Draw) -> Response:
        """Pictures of seeds on one PNG."""
        given = {"numbers": wanted.seeds, "kind": wanted.kind, "truncation": wanted.truncation}
        content = studio.worker.call("sheet", path=model(name), columns=wanted.columns, **given)
        return Response(content, media_type="image/png")

    @app.post("/api/runs/{name}/zip", responses=bad)
    def archive(name: Name, wanted: Draw) -> Response:
        """Pictures of seeds as PNG files in a zip."""
        given = {"numbers": wanted.seeds, "kind": wanted.kind, "truncation": wanted.truncation}
        content = studio.worker.call("archive", path=model(name), **given)
        return Response(content, media_type="application/zip")

    @app.post("/api/runs/{name}/point", responses=bad)
    def point(name: Name, wanted: Place) -> Response:
        """The picture at a place of the map."""
        return Response(studio.worker.call("point", path=model(name), **wanted.model_dump()), media_type="image/png")

    @app.post("/api/runs/{name}/write", responses=bad)
    def write(name: Name, wanted: Text) -> Response:
        """A text in the model's hand."""
        return Response(studio.worker.call("written", path=model(name), **wanted.model_dump()), media_type="image/png")

    @app.get("/api/runs/{name}/generator.onnx", responses=bad)
    def onnx(name: Name) -> Response:
        """The generator for the browser."""
        found = studio.runs.run(name)
        try:
            mark = found.model.stat().st_mtime_ns
        except OSError as error:
            raise UserError("This run has no model yet.") from error
        folder = studio.root / ".studio" / "onnx" / f"{name}-{mark}"
        place = studio.long.call("onnx", path=str(found.model), folder=str(folder))
        return FileResponse(place, media_type="application/octet-stream", headers={"cache-control": "no-store"})

    @app.get("/api/latents", responses={400: {"description": "a sentence that says what is wrong"}})
    def latents(
        dim: Annotated[int, Query(ge=1, le=4096)] = 64, count: Annotated[int, Query(ge=1, le=SEEDS)] = 1024
    ) -> Response:
        """The latent vectors of the first seeds: float32, little-endian."""
        return Response(studio.worker.call("table", dim=dim, count=count), media_type="application/octet-stream")

    @app.post("/api/runs/{name}/judge", responses=bad)
    async def judge(name: Name, request: Request) -> dict[str, Any]:
        """What the expert says of the picture in the body."""
        path, content = await asyncio.to_thread(model, name), await request.body()
        found = await asyncio.to_thread(studio.worker.call, "judge", path=path, content=content)
        found["nearest"] = [_data(x) for x in found["nearest"]]
        return {**found, "picture": _data(found["picture"]), "heat": _data(found["heat"])}

    @app.post("/api/runs/{name}/game", status_code=201, responses=bad)
    def game(name: Name) -> dict[str, Any]:
        """Twenty pictures, half of them real. The first game of a model waits for its expert to learn."""
        found = studio.runs.run(name)
        dealt = studio.long.call("game", path=str(found.model), seed=secrets.randbelow(2**31), patience=300)
        images = studio.runs.summary(name)["images"]
        return {"game": studio.games.begin(name, images, dealt), "pictures": [_data(x) for x in dealt["pictures"]]}

    @app.post("/api/games/{number}", responses=bad)
    def answers(number: Annotated[str, Field(pattern=r"^[\w-]{1,40}$")], wanted: Answers) -> dict[str, Any]:
        """The result of a game."""
        return studio.games.end(number, wanted.real)

    @app.post("/api/runs/{name}/mend", responses=bad)
    async def mend(
        name: Name,
        request: Request,
        to: Annotated[str, Query(pattern="^[abAB]$")] = "b",
        mask: Annotated[int, Query(ge=0, le=BYTES)] = 0,
    ) -> dict[str, Any]:
        """The picture in the body, mended or translated; the last `mask` bytes of the body are a mask of its holes."""
        path, content = await asyncio.to_thread(model, name), await request.body()
        holes = content[len(content) - mask :] if mask else None
        given = {"content": content[: len(content) - mask], "to": to.lower(), "mask": holes}
        found = await asyncio.to_thread(studio.long.call, "mend", path=path, **given)
        return {**found, "before": _data(found["before"]), "after": _data(found["after"])}


def _of_data(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/data", responses={400: {"description": "a sentence that says what is wrong"}})
    def folder(path: Annotated[str, Query(max_length=400)] = "") -> dict[str, Any]:
        """What lies in a folder: sub-folders and archives, and how many pictures."""
        place = studio.inside(path)
        entries, count = [], 0
        if place.is_dir():
            try:
                for entry in sorted(place.iterdir()):
                    inside = entry.resolve().is_relative_to(studio.data)
                    if entry.name.startswith(".") or not inside:
                        continue
                    if entry.is_dir() or listing.is_archive(entry) or entry.suffix == ".npz":
                        entries.append({"name": entry.name, "folder": entry.is_dir()})
                    count += entry.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
            except OSError as error:
                raise UserError(f"{path or 'The folder'} cannot be read ({error.strerror}).") from error
        own = "" if place == studio.data else str(place.relative_to(studio.data))
        sets = sorted(DATASETS) if not own else []
        return {"path": own, "root": studio.data.name, "entries": entries[:LISTED], "pictures": count, "sets": sets}

    @app.post("/api/data/check", responses={400: {"description": "a sentence that says what is wrong"}})
    def check(wanted: Folder) -> dict[str, Any]:
        """What the data doctor says of a folder, and how its pictures would be cut."""
        place = studio.source(wanted.path)
        out = studio.root / ".studio" / f"check-{secrets.token_hex(8)}.png"
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = studio.long.call("look", place=place, out=str(out), patience=600)
        finally:
            out.unlink(missing_ok=True)
        return {**found, "sheet": _data(found["sheet"]) if found.get("sheet") else None}


def _data(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
