"""The studio's server: pages, a small API, and live events of runs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ganvas import __version__
from ganvas.core import registry
from ganvas.core.errors import UserError
from ganvas.studio import api_data, api_models, api_play, api_restore, api_rows, api_runs, api_sounds, api_upkeep
from ganvas.studio.contents import as_json
from ganvas.studio.index import RunNotFound, Unfit, part_of
from ganvas.studio.security import VIEWER, BodyRefused, Security
from ganvas.studio.state import Studio
from ganvas.studio.timeouts import TimedProtocol
from ganvas.studio.worker import Broken, Busy

LOG = logging.getLogger("ganvas.studio")
STATIC = Path(__file__).parent / "static"
WEB = Path(__file__).parent.parent / "export" / "web"
RUNTIME = {"ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript"}
KINDS |= {".svg": "image/svg+xml"}
JSON_BYTES = 200_000  # bytes of JSON in a request, at most


class Answer(JSONResponse):
    """JSON that can always be written: foreign files may hold undefined numbers and halves of characters."""

    def render(self, content: Any) -> bytes:
        return super().render(as_json(content))


class Route(APIRoute):
    """Errors for people: 400 with a message, 404 where a run is gone, 429 for too many requests at once."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **{**more, "response_model": None, "response_class": Answer})

    def get_route_handler(self) -> Callable[[Request], Any]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                if self.body_field is not None and len(await request.body()) > JSON_BYTES:
                    return _error(413, f"At most {JSON_BYTES // 1000} kB of JSON can be sent at once.")
                return await handler(request)
            except UserError as error:
                return _error(400, str(error))
            except Unfit as error:
                return _error(404, f"This run cannot be shown. {error}")
            except (RunNotFound, FileNotFoundError):
                return _error(404, "There is no such run. It may have been deleted.")
            except Busy as error:
                return _error(429, str(error), {"retry-after": "1"})
            except Broken as error:
                return _error(503, str(error), {"retry-after": "1"})
            except OSError as error:
                return _error(503, f"The disk is not responding properly ({error.strerror}).", {"retry-after": "1"})
            except (HTTPException, RequestValidationError, BodyRefused):
                raise
            except ClientDisconnect:
                return Response(status_code=400)  # nobody receives it
            except Exception:
                LOG.exception("%s %s", request.method, request.url.path)
                return _error(
                    500, "Something went wrong in the studio. Details are in the terminal where it was started."
                )

        return handle


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return Answer({"detail": text}, status, headers)


def create(root: Path, data: Path, token: str | None = None, view: str | None = None) -> FastAPI:
    """The server of a folder of runs.

    Args:
        data: the folder whose pictures may be viewed and trained on.
        token: that visitors need; None: this machine alone is served.
        view: a second token, with which visitors may only watch and play.
    """
    studio = Studio(root, data)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
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
            studio.close()

    app = FastAPI(
        title="Ganvas Studio", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.router.route_class = Route

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        """What is wrong with a request, without its content, which may not be text."""
        return Answer({"detail": [{k: e[k] for k in ("type", "loc", "msg")} for e in error.errors()]}, 422)

    app.state.studio = studio
    _pages(app, view if token else None)
    api_runs.of_runs(app, studio)
    api_runs.of_standing(app, studio)
    api_runs.of_files(app, studio)
    api_runs.of_events(app, studio)
    api_runs.of_trainings(app, studio)
    api_upkeep.of_upkeep(app, studio)
    api_models.of_models(app, studio)
    api_play.of_experts(app, studio)
    api_play.of_games(app, studio)
    api_restore.of_pictures(app, studio)
    api_data.of_data(app, studio)
    api_data.of_goals(app)
    api_data.of_uploads(app, studio)
    api_rows.of_rows(app, studio)
    api_sounds.of_sounds(app, studio)
    app.add_middleware(Security, token=token, view=view)  # pyright: ignore[reportArgumentType]
    return app


def configured(app: FastAPI, host: str, port: int, **more: Any) -> uvicorn.Config:
    """The server's configuration."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=TimedProtocol,
        ws="none",
        access_log=False,  # the first request's address holds the token
        log_level="warning",
        server_header=False,
        **more,
    )


def serve(app: FastAPI, host: str, port: int) -> bool:
    """Listen until Ctrl-C or SIGTERM; False: the address is not available."""

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:  # the worker's imports take seconds
                threading.Thread(target=app.state.studio.worker.warm, daemon=True).start()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.studio.ending.set()  # connections for live events would stay open forever
            super().handle_exit(sig, frame)

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = Server(configured(app, host, port, timeout_graceful_shutdown=2))
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # SystemExit: uvicorn cannot start
        server.run()
    return server.started


def _pages(app: FastAPI, view: str | None) -> None:
    files = {path.name for path in STATIC.iterdir() if path.is_file()}
    toy = {path.name for path in (STATIC / "toy").iterdir()}

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Is the server alive?"""
        return {"status": "ok", "version": __version__}

    @app.get("/api/visitor")
    async def visitor(request: Request) -> dict[str, Any]:
        """May this visitor only watch and play (`view`)? For the others: the address for such visitors (`link`)."""
        only = bool(request.scope.get(VIEWER))
        return {"view": only, "link": f"/?token={quote(view)}" if view and not only else None}

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _file(request, STATIC / "index.html")

    @app.get("/static/{name}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        if name not in files:
            return _error(404, "There is no such file.")
        return _file(request, STATIC / name)

    @app.get("/static/toy/{name}", include_in_schema=False)
    async def toy_file(request: Request, name: str) -> Response:
        return _file(request, STATIC / "toy" / name) if name in toy else _error(404, "There is no such file.")

    @app.get("/static/tasks/{task}/{name}", include_in_schema=False)
    def script(request: Request, task: str, name: str) -> Response:
        path = _scripts().get((task, name))
        return _error(404, "There is no such file.") if path is None else _file(request, path)

    @app.get("/static/ort/{name}", include_in_schema=False)
    async def runtime(request: Request, name: str) -> Response:
        if name not in RUNTIME:
            return _error(404, "There is no such file.")
        if name.endswith(".wasm"):
            return _file(request, WEB / f"{name}.gz", {"content-type": "application/wasm", "content-encoding": "gzip"})
        return _file(request, WEB / name)


@functools.cache
def _scripts() -> dict[tuple[str, str], Path]:
    """The scripts of the tasks' own pages, by task and name."""
    scripts = {}
    for part in map(part_of, registry.names()):
        if part.scripts is not None:
            scripts |= {(part.name, path.name): path for path in part.scripts.glob("*.js")}
    return scripts


def _file(request: Request, path: Path, more: dict[str, str] | None = None) -> Response:
    """A file of the page; a browser that has it already gets 304."""
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "no-cache", **(more or {})}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=KINDS.get(path.suffix, "application/octet-stream"), headers=headers)
