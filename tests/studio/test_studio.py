"""The studio without a browser: who may come in, what it reads, the queue, the API, and what must not kill it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import io
import json
import multiprocessing
import multiprocessing.forkserver
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import types
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ganvas as command
from conftest import moved, quick, write_blobs
from PIL import Image

pytest.importorskip("fastapi")
import uvicorn

from ganvas.core import files, registry, seeds
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.images import sheets, uploads
from ganvas.studio import contents, games, index, jobs, live, requests, security
from ganvas.studio import worker as working
from ganvas.studio.app import configured, create
from ganvas.studio.experts import Experts
from ganvas.studio.index import RunNotFound, Runs
from ganvas.studio.jobs import Jobs
from ganvas.studio.live import Cursor
from ganvas.studio.security import Security
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.generate.studio import draw, judge

OWN = {"X-Ganvas": "1"}
pytestmark = pytest.mark.long


class Served:
    """A studio that listens at a port of this machine."""

    def __init__(self, root: Path, data: Path, token: str | None = None) -> None:
        self.app = create(root, data, token)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.server = uvicorn.Server(configured(self.app, "127.0.0.1", self.port))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        end = time.monotonic() + 900
        while not self.server.started and time.monotonic() < end:
            time.sleep(0.02)

    def close(self) -> None:
        for job in self.app.state.studio.jobs.jobs:  # trainings outlive the server, but not the tests
            if job.state == "waiting":
                self.app.state.studio.jobs.stop(job.run)
        for job in self.app.state.studio.jobs.jobs:
            if job.state == "running":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(job.pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(job.pid, 0)
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(10)

    def ask(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, method: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content; a body makes it a POST from the studio's own page."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        defaults = {**OWN, "Content-Type": kind} if body is not None else {}
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data, {**defaults, **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=900) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def get(self, path: str) -> Any:
        status, _, content = self.ask(path)
        assert status == 200, content
        return json.loads(content)

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        received, _, content = self.ask(path, body)
        assert received == status, content
        return json.loads(content)

    def picture(self, path: str, body: Any) -> np.ndarray:
        status, headers, content = self.ask(path, body)
        assert status == 200, content
        assert headers["content-type"] == "image/png"
        return np.asarray(Image.open(io.BytesIO(content)))

    def events(self, name: str, last: str | None = None) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Kind, data and id of each event; for ever."""
        headers = {"Last-Event-ID": last} if last else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/runs/{name}/events", headers=headers)
        with urllib.request.urlopen(request, timeout=900) as answer:
            fields: dict[str, str] = {}
            for raw in answer:
                line = raw.decode().rstrip("\n")
                if not line and "data" in fields:
                    yield fields["event"], json.loads(fields["data"]), fields["id"]
                if not line:
                    fields = {}
                elif not line.startswith(":"):
                    key, _, value = line.partition(": ")
                    fields[key] = value


@pytest.fixture(scope="module")
def quick_workers() -> Iterator[None]:
    """Studios whose workers are forks of one process that has imported all, where the system can do that."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        yield
        return
    context = multiprocessing.get_context("forkserver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        context.set_forkserver_preload(["quick_worker"])
        multiprocessing.forkserver.ensure_running()
        patch.undo()
        patch.setattr(working, "multiprocessing", types.SimpleNamespace(get_context=lambda _: context))
        yield


def finished(queue: Jobs, number: int, seconds: float) -> jobs.Job:
    """A job when it is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        queue.tend()
        job = next(j for j in queue.jobs if j.number == number)
        if job.state not in ("waiting", "running"):
            return job
        time.sleep(0.05)
    raise TimeoutError(f"job {number} is not over after {seconds:g} s")


@pytest.fixture(scope="module")
def root(run: Path, blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three finished runs: one that draws, one that restores, one that translates."""
    place = tmp_path_factory.mktemp("studio")
    (place / "trained-on").mkdir()
    moved(run, write_blobs(place / "trained-on", 600, 400), place / "runs" / "00000-blobs")
    for number, recipe in ((1, "denoise"), (2, "translate")):
        source = place / recipe
        shutil.copytree(blobs, source)
        for _ in quick(recipe, source, steps=2).run(place / "runs" / f"0000{number}-{recipe}"):
            pass
    return place


@pytest.fixture(scope="module")
def studio(root: Path, quick_workers: None) -> Iterator[Served]:
    (root / "pictures").mkdir()
    for i in range(120):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (20, 24, 3), np.uint8)).save(
            root / f"pictures/{i}.png"
        )
    (root.parent / "secret.txt").write_text("nobody may read this")
    (root / "leads-out").symlink_to(root.parent)
    served = Served(root / "runs", root)
    yield served
    served.close()


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


# ---- who may come in


def answer(
    app: Any, method: str = "GET", path: str = "/api", headers: dict[str, str] | None = None, body: bytes = b"",
    query: str = "",
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    """What an ASGI application says to one request."""
    sent: list[Any] = []
    given = {"host": "localhost:1", **(headers or {})}
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http",
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items()],
    }  # fmt: skip
    parts = [body[i : i + 1_000_000] for i in range(0, len(body), 1_000_000)] or [b""]

    async def receive() -> dict[str, Any]:
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    headers_sent = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], headers_sent, b"".join(m.get("body", b"") for m in sent[1:])


async def welcome(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads all that is sent and says how much it was."""
    count, more = 0, True
    while more:
        message = await receive()
        count, more = count + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(count).encode()})


@pytest.mark.parametrize("host", ["localhost", "localhost:8760", "127.0.0.1:9", "[::1]:9", "LOCALHOST:1"])
def test_this_machine_is_served_under_its_own_names(host: str) -> None:
    assert answer(Security(welcome), headers={"host": host})[0] == 200


NOT_HERE = """
evil.example evil.example:8760 127.0.0.1.evil.example localhost.evil:1 [::2]:1 [::1].evil [::1].evil:1 127.0.0.1.evil
[::1]evil [::1]: localhost: localhost:x localhost:99999 localhost:1:1 localhost:-1 localhost:+1 localhost:1@evil
evil@localhost localhost@evil localhost. localhost.:1 127.0.0.1.:1 127.1 ::1 ::1:1 localhost,evil localhost/evil
[::1 127.0.0.1%00 [::1%lo] 127.0.0.2
"""


@pytest.mark.parametrize(
    "host", [*NOT_HERE.split(), "", " localhost", "localhost:\xb2", "localhost\n", "localhost:1 ", "localh\xf6st"]
)
def test_a_name_that_was_made_to_point_here_is_turned_away(host: str) -> None:
    for method in ("GET", "POST"):
        status, headers, _ = answer(
            Security(welcome), method, headers={"host": host, **{k.lower(): v for k, v in OWN.items()}}
        )
        assert status == 403
        assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ganvas": "1", "origin": "http://evil.example"},
        {"x-ganvas": "1", "origin": "null"},
        {"x-ganvas": "1", "origin": "http://localhost:2"},
        {"x-ganvas": "1", "sec-fetch-site": "cross-site"},
        {"x-ganvas": "1", "sec-fetch-site": "same-site"},
        {"x-ganvas": "1", "origin": "http://["},
        {"origin": "http://localhost:1"},
    ],
)
def test_pages_elsewhere_change_nothing(headers: dict[str, str]) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert answer(Security(welcome), method, headers=headers)[0] == 403
    assert answer(Security(welcome), "POST", headers={"x-ganvas": "1", "origin": "http://localhost:1"})[0] == 200
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert answer(Security(welcome), path="/api/runs", headers={"sec-fetch-site": site})[0] == status
    assert (
        answer(Security(welcome), path="/", headers={"sec-fetch-site": "cross-site"})[0] == 200
    )  # a link to it is fine


def test_a_token_opens_the_studio_and_leaves_the_address() -> None:
    app = Security(welcome, "correct horse battery")
    elsewhere = {"host": "studio.example"}
    wrong = [("", {}), ("token=wrong", {}), ("token=", {}), ("", {"authorization": "Bearer no"})]
    wrong += [("", {"cookie": f"ganvas{text}"}) for text in ("=correct horse battery", "; ;=\x00")]
    for query, headers in wrong:
        assert answer(app, headers={**elsewhere, **headers}, query=query)[0] == 401
    status, headers, _ = answer(app, path="/", headers=elsewhere, query="token=correct+horse+battery")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly; SameSite=Lax" in cookie
    assert "correct" not in cookie
    assert "; Secure" not in cookie
    entry = cookie.partition(";")[0]
    for others in ("other=1", 'a={"x":1}', "a=b c", "x=\xe9", "csrf[1]=x", "ganvas=old"):
        assert answer(app, headers={**elsewhere, "cookie": f"{others}; {entry}"})[0] == 200
    for path in ("//evil.example/x", "/a\r\nset-cookie: b=1"):  # nowhere else, and nothing more
        _, headers, _ = answer(app, path=path, headers={**elsewhere, "cookie": entry}, query="token=wrong")
        assert headers["location"] == "/"
    assert answer(app, headers={**elsewhere, "authorization": "Bearer correct horse battery"})[0] == 200
    assert answer(app, "POST", headers={**elsewhere, "cookie": entry})[0] == 403  # also with it: only from its own page
    assert answer(Security(welcome, "another token"), headers={**elsewhere, "cookie": entry})[0] == 401
    secure = answer(
        app, path="/", headers={**elsewhere, "x-forwarded-proto": "https"}, query="token=correct+horse+battery"
    )
    assert "; Secure" in secure[1]["set-cookie"]
    assert answer(app, path="/health", headers=elsewhere)[0] == 200


def test_too_much_is_not_taken() -> None:
    headers = {k.lower(): v for k, v in OWN.items()}
    app = Security(welcome)
    for length in (str(security.BYTES + 1), "-1", "1e3", "many"):
        assert answer(app, "POST", headers={**headers, "content-length": length})[0] == 413
    too_much = bytes(security.BYTES + 1)  # of a length that no header gives
    assert answer(app, "POST", headers=headers, body=too_much)[0] == 413
    assert answer(app, "POST", headers=headers, body=bytes(security.BYTES))[2] == str(security.BYTES).encode()


def test_too_much_is_not_taken_by_any_page(studio: Served) -> None:
    headers = {k.lower(): v for k, v in OWN.items()}
    for path in ("/api/runs/00000-blobs/judge", "/api/runs/00000-blobs/sheet"):
        assert answer(studio.app, "POST", path, headers, bytes(security.BYTES + 1))[0] == 413


def test_every_answer_keeps_the_page_to_itself(studio: Served) -> None:
    for path in ("/", "/static/studio.js", "/api/runs", "/api/none", "/health", "/static/none.js"):
        _, headers, _ = studio.ask(path)
        policy = headers["content-security-policy"]
        assert "script-src 'self' 'wasm-unsafe-eval'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_the_page_asks_nothing_of_other_servers() -> None:
    home = Path(requests.__file__).parent
    shared = [path for path in (home / "static").rglob("*") if path.is_file()]
    for path in [*shared, *home.parent.glob("tasks/*/studio/*.js")]:
        text = path.read_text()
        if path.suffix in (".html", ".css", ".js") and not path.name.startswith("uPlot"):
            assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in text
            assert "<script>" not in text
            assert " style=" not in text
            assert "innerHTML" not in text  # names and sentences are text, never markup


def test_the_studio_asks_no_task_s_name() -> None:
    home, names = Path(requests.__file__).parent, "|".join(registry.names())
    for path in [*home.glob("*.py"), *(home / "static").rglob("*.js")]:
        if not path.name.startswith("uPlot"):
            matches = re.findall(rf"""['"`](?:{names})['"`]|ganvas\.tasks""", path.read_text())
            if path.name == "dom.js":  # an element of HTML
                matches.remove("'table'")
            if path.name == "studio.js":  # a page
                matches = [match for match in matches if match != "'restore'"]
            assert not matches, f"{path.name}: {matches}"


def test_every_task_can_do_what_its_models_say() -> None:
    for name in registry.names():
        part = index.part_of(name)
        assert part.name == name
        asked = {function.partition(".")[0] for function in part.functions}  # play.deal is a part of play
        assert asked == set(registry.find(name).Model.abilities) == set(index.abilities(name))
        assert all((part.scripts / page.script).is_file() for page in part.pages if part.scripts is not None)
        json.dumps(part.shown())


def test_a_run_of_a_task_that_is_not_installed_is_shown(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "a", 3)
    run.experiment.write_text(json.dumps({"recipe": "x", "task": {"name": "elsewhere"}, "training": {"images": 100}}))
    headers = {"host": "localhost"}
    status, _, content = answer(create(tmp_path / "runs", tmp_path), path="/api/runs/a", headers=headers)
    shown = json.loads(content)
    assert (status, shown["abilities"], shown["part"]["pages"]) == (200, [], [])
    assert shown["part"]["charts"]
    assert [file["name"] for file in shown["files"]] == ["experiment.json", "log.jsonl"]


# ---- what it reads


def test_lines_that_are_not_whole_wait(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"images": 1}\n{"images": 2}\nnot json\n{"ima')
    lines = live.lines(path, 0)
    assert [contents.parse_line(line) for line, _ in lines] == [{"images": 1}, {"images": 2}, None]
    assert lines[-1][1] == path.stat().st_size - 5
    assert contents.last_line(path) == {"images": 2}
    with open(path, "ab") as file:
        file.write(b'ges": 3}\n')
    assert [contents.parse_line(line) for line, _ in live.lines(path, lines[-1][1])] == [{"images": 3}]
    assert contents.last_line(tmp_path / "none") == {}


def a_run(folder: Path, rows: int = 0) -> Run:
    (folder / "samples").mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps({"recipe": "mnist", "training": {"images": 100}}))
    run = Run(folder)
    for i in range(rows):
        run.append({"images": 10 * i})
    return run


def test_a_viewer_goes_on_where_it_stopped(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", 3)
    (run.samples / "fakes_init.png").write_bytes(b"x")
    run.append({"images": 5, "metric": "x"}, run.metrics)
    first = live.new_events(run, Cursor())
    assert [kind for kind, _, _ in first] == ["row", "row", "row", "check", "picture"]
    for i, (_, _, seen) in enumerate(first):  # from any of them on the rest comes, once
        again = live.new_events(run, Cursor.of(str(seen)))
        assert [(k, d) for k, d, _ in again] == [(k, d) for k, d, _ in first[i + 1 :]]
    run.append({"images": 30})
    assert [d for _, d, _ in live.new_events(run, first[-1][2])] == [{"images": 30}]
    for bad in (None, "", "1-2", "a-b-c", "1-1-1-1", "-1-0-0", "9" * 20 + "-0-0"):
        assert Cursor.of(bad) == Cursor()


def test_a_run_that_was_taken_up_from_an_earlier_moment_is_told_anew(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", 5)
    seen = live.new_events(run, Cursor())[-1][2]
    run.rewind(20)
    assert [kind for kind, _, _ in live.new_events(run, seen)] == ["again", "row", "row", "row"]
    shutil.rmtree(run.folder)
    with pytest.raises(RunNotFound):
        live.new_events(run, seen)


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "../x", ".studio", "a" * 121, "none", "x\x00y", "%2e%2e", "leads"]
)
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    a_run(tmp_path / "runs" / "own")
    a_run(tmp_path / "outside")
    (tmp_path / "runs" / "leads").symlink_to(tmp_path / "outside")
    runs = Runs(tmp_path / "runs")
    assert runs.run("own").folder == tmp_path / "runs" / "own"
    with pytest.raises(RunNotFound):
        runs.run(name)


@pytest.mark.parametrize("known", [True, False])  # False: a system that does not tell who holds a lock
def test_a_training_is_seen_by_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    if not known:
        monkeypatch.setattr("ganvas.core.run.LOCKS", tmp_path / "nowhere")
    run = a_run(tmp_path / "run", 2)
    assert Runs(tmp_path).summary("run")["state"] == "stopped"
    with run.locked():
        assert Runs(tmp_path).summary("run")["state"] == "running"
    assert Runs(tmp_path).summary("run")["state"] == "stopped"


def test_a_training_of_the_command_line_is_stopped_and_a_notebooks_is_not(studio: Served, root: Path) -> None:
    run = a_run(root / "runs" / "notebook", 2)
    with run.locked():
        assert "part of another program" in studio.post("/api/runs/notebook/stop", {}, 400)["detail"]
    assert "not being trained" in studio.post("/api/runs/notebook/stop", {}, 400)["detail"]
    shutil.rmtree(run.folder)
    number = 1 + max(int(path.name[:5]) for path in (root / "runs").glob("[0-9]*"))
    place = root / "runs" / f"{number:05d}-denoise-mnist"  # which the command does not name: it has its lock open
    arguments = ["train", "mnist", "--data", "denoise", "images=1m", "batch=16", "tick_every=160", "detect=0"]
    process = subprocess.Popen([sys.executable, "-m", "ganvas", *arguments], cwd=root, stdout=subprocess.PIPE)
    try:
        log = place / "log.jsonl"
        end = time.monotonic() + 900
        while not (log.is_file() and log.stat().st_size):
            assert time.monotonic() < end
            time.sleep(0.02)
        for _ in range(2):  # asked twice it still saves
            studio.post(f"/api/runs/{place.name}/stop", {})
        assert b"Stopped and saved." in process.communicate(timeout=900)[0]
        assert process.returncode == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(place)


def test_a_run_that_was_taken_up_earlier_is_told_anew(tmp_path: Path) -> None:
    """Its log is rewound and grows again, past what a viewer has seen, or to the very same length."""
    run = a_run(tmp_path / "run", 10)
    seen = live.new_events(run, Cursor())[-1][2]
    whole = run.log.read_bytes()
    assert live.new_events(run, seen) == []
    for last in (b'{"images": 91}\n', b'{"images": 85}\n{"images": 1000}\n', b'{"images": 1000}\n', b'{"images": 9}\n'):
        other = whole[: whole.rindex(b'{"images"')] + last
        run.log.write_bytes(other)
        kinds = [kind for kind, _, _ in live.new_events(run, seen)]
        assert kinds == ["again", *["row"] * other.count(b"\n")]


def test_a_long_log_comes_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PORTION", 100)
    run = a_run(tmp_path / "run", 25)
    run.log.write_text(run.log.read_text() + "no line at all\n" * 20)
    for i in range(25, 50):
        run.append({"images": 10 * i})
    images, cursor = [], Cursor()
    while events := live.new_events(run, cursor):
        assert len(events) <= 100 / len('{"images": 0}\n')
        images += [d["images"] for kind, d, _ in events if kind == "row"]
        cursor = events[-1][2]
    assert images == [10 * i for i in range(50)]


def test_viewers_who_leave_together_take_nothing_with_them(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", 2)

    async def scene() -> None:
        watch = live.Watch(run, threading.Event())

        async def view() -> None:
            async for _ in watch.follow(Cursor()):
                pass

        for _ in range(5):
            viewers = [asyncio.create_task(view()) for _ in range(10)]
            await asyncio.sleep(0.1)
            for _ in range(2):  # a server may tell them twice
                for viewer in viewers:
                    viewer.cancel()
                await asyncio.sleep(0)
            await asyncio.gather(*viewers, return_exceptions=True)
        assert watch.viewers == 0
        stream = watch.follow(Cursor())
        assert [(await anext(stream))[0] for _ in range(3)] == ["row", "row", "state"]  # pyright: ignore[reportOptionalSubscript]
        run.append({"images": 77})
        event = await asyncio.wait_for(anext(stream), 5)
        assert event is not None
        assert event[1] == {"images": 77}
        await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue]

    asyncio.run(scene())


def test_odd_runs_spoil_nothing(studio: Served, root: Path) -> None:
    """One damaged or foreign file costs what it says, not the list of all runs."""
    folder = root / "runs" / "odd"
    run = a_run(folder, 3)
    (run.samples / "fakes_000010 (1).png").write_bytes(b"a copy")
    (run.samples / "fakes_000001.png").write_bytes(b"x")
    run.append({"images": 40, "loss_d": float("nan"), "loss_g": float("inf")})
    with open(run.log, "a") as file:
        file.write("[" * 5_000 + "\n" + '{"images": ' + "9" * 5_000 + "}\n" + '"text"\n')
    for row in ({"metric": "fidelity"}, {"metric": "frechet", "value": float("nan")}, {"metric": "round-trip"}):
        run.append({"images": 30, **row}, run.metrics)
    (root / "runs" / "loop").symlink_to("loop")
    for card in ("[" * 100_000, '{"training": {"images": 1e999}}', '{"task": {"name": "restore"}}', "\x00", "[]"):
        run.experiment.write_text(card)
        by_name = {r["name"]: r for r in studio.get("/api/runs")["runs"]}
        assert {"00000-blobs", "odd"} <= set(by_name)
        assert studio.get("/api/runs/odd")["images"] == 40
        rows = []
        for kind, data, _ in studio.events("odd"):
            if kind == "state":
                break
            rows += [data] if kind == "row" else []
        assert rows[-1] == {"images": 40, "loss_d": None, "loss_g": None}
    assert studio.ask("/api/runs/loop")[0] == 404
    (root / "runs" / "loop").unlink()
    shutil.rmtree(folder)


def test_no_link_leads_out_of_a_run_or_of_the_data(studio: Served, root: Path) -> None:
    secret = root.parent / "secret.txt"
    run = a_run(root / "runs" / "links", 1)
    (run.samples / "reals.png").symlink_to(secret)
    assert studio.ask("/api/runs/links/samples/reals.png")[0] == 404
    run.report.symlink_to(secret)
    assert studio.ask("/api/runs/links/report")[0] == 404
    shutil.rmtree(run.folder)
    inside = root / "linked" / "deep"
    inside.mkdir(parents=True)
    (inside / "labels.csv").symlink_to(secret)
    for path in ("/api/data/check", "/api/train", "/api/forecast"):
        message = studio.post(path, {"path": "linked", "recipe": "images", "data": "linked"}, 400)["detail"]
        assert "labels.csv is a link that leads out" in message
    assert [e["name"] for e in studio.get("/api/data?path=linked")["entries"]] == ["deep"]
    shutil.rmtree(root / "linked")
    os.mkdir(os.fsencode(root) + b"/no-\xff-text")
    assert "text" not in str([e["name"] for e in studio.get("/api/data")["entries"]])
    os.rmdir(os.fsencode(root) + b"/no-\xff-text")


def test_events_come_as_they_happen_to_all_viewers(studio: Served, root: Path) -> None:
    run = a_run(root / "runs" / "live", 2)
    received: list[list[Any]] = [[] for _ in range(3)]

    def view(i: int) -> None:
        for kind, data, _ in studio.events("live"):
            received[i].append((kind, data))
            if kind == "gone":
                return

    viewers = [threading.Thread(target=view, args=(i,), daemon=True) for i in range(3)]
    for viewer in viewers:
        viewer.start()

    def until_all_have(rows: int) -> None:
        end = time.monotonic() + 900
        while any(sum(kind == "row" for kind, _ in found) < rows for found in received):
            assert time.monotonic() < end, received
            time.sleep(0.01)

    until_all_have(2)
    for i in range(2, 12):
        run.append({"images": 10 * i})
        time.sleep(0.01)
    until_all_have(12)
    shutil.rmtree(run.folder)
    for viewer in viewers:
        viewer.join(10)
        assert not viewer.is_alive()
    for events in received:
        assert [d["images"] for kind, d in events if kind == "row"] == [10 * i for i in range(12)]
        assert events[-1][0] == "gone"
    assert studio.ask("/api/runs/live")[0] == 404
    assert studio.ask("/api/runs/live/events")[0] == 404


def test_a_server_that_starts_again_goes_on_without_a_gap(root: Path, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", 3)
    first = Served(tmp_path, tmp_path)
    stream = first.events("run")
    seen = [next(stream) for _ in range(3)]
    assert [(kind, data["images"]) for kind, data, _ in seen] == [("row", 0), ("row", 10), ("row", 20)]
    first.close()
    run.append({"images": 30})
    second = Served(tmp_path, tmp_path)
    try:
        assert next(second.events("run", seen[-1][2]))[1] == {"images": 30}
    finally:
        second.close()


# ---- the queue


def sleeper(seconds: float = 30) -> list[str]:
    return ["-c", f"import time; time.sleep({seconds})"]


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """A queue whose jobs are lines of Python."""
    monkeypatch.setattr(jobs, "is_allowed", lambda *_: True)
    plain = subprocess.Popen

    def start(command: list[str], **more: Any) -> Any:
        return plain([sys.executable, *command[4:]], **more)  # without -P -m ganvas

    monkeypatch.setattr(subprocess, "Popen", start)
    queued = Jobs(tmp_path)
    yield queued
    for job in queued.jobs:
        if job.state == "running":
            with contextlib.suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGKILL)
    if queued.process is not None:
        queued.process.wait()


def test_one_job_is_at_work_and_the_rest_wait(queue: Jobs) -> None:
    first = queue.add("train", "a", sleeper(0.5))
    second = queue.add("train", "b", ["-c", "print('done')"])
    assert [j.state for j in queue.jobs] == [first.state, second.state] == ["running", "waiting"]
    with pytest.raises(UserError, match="a is already being trained"):
        queue.add("resume", "a", sleeper())
    with pytest.raises(UserError, match="b is already waiting"):
        queue.add("train", "b", sleeper())
    assert finished(queue, second.number, 900).state == "done"
    assert queue.jobs[0].state == "done"
    assert queue.output(queue.jobs[1]) == "done\n"
    assert first.number == 1


def test_a_job_that_fails_says_why(queue: Jobs) -> None:
    job = queue.add("train", "a", ["-c", "import sys; print('no such recipe'); sys.exit(2)"])
    assert finished(queue, job.number, 900).state == "failed"
    assert "no such recipe" in queue.rows()[0]["words"]
    after = queue.add("train", "a", ["-c", "pass"])
    assert finished(queue, after.number, 900).state == "done"


def test_jobs_are_stopped_or_taken_out(queue: Jobs) -> None:
    for name in ("a", "b"):
        (queue.root / name).mkdir()
        queue.add("train", name, sleeper())
    assert queue.stop("b")
    assert queue.stop("a")
    assert queue.rows()[1]["state"] == "ending"
    queue.add("resume", "a", sleeper())  # it may wait for the end of the one before ...
    assert queue.stop("a")  # ... but to stop means both
    assert [finished(queue, number, 900).state for number in (1, 2, 3)] == ["stopped"] * 3
    assert not queue.stop("a")
    assert not (queue.root / "a").exists()  # nothing was in it
    assert not (queue.root / "b").exists()


def test_a_server_that_starts_again_finds_its_jobs(queue: Jobs) -> None:
    queue.add("train", "a", sleeper())
    queue.add("train", "b", ["-c", "print('Report   x')"])
    other = Jobs(queue.root)
    other.tend()
    assert [j.state for j in other.jobs] == ["running", "waiting"]
    os.kill(other.jobs[0].pid, signal.SIGKILL)
    os.waitpid(other.jobs[0].pid, 0)
    assert finished(other, 2, 900).state == "done"
    assert other.jobs[0].state == "failed"
    assert [j.state for j in Jobs(queue.root).jobs] == ["failed", "done"]


def test_a_process_that_only_has_the_number_is_not_the_job(queue: Jobs) -> None:
    queue.add("train", "a", sleeper())
    text = queue.file.read_text()
    queue.file.write_text(text.replace(queue.jobs[0].began, "1"))
    other = Jobs(queue.root)
    assert not other.stop("a")
    other.tend()
    assert other.jobs[0].state == "failed"
    queue.file.write_text("[{broken")
    assert Jobs(queue.root).jobs == []


def test_the_queue_has_an_end(queue: Jobs) -> None:
    for i in range(jobs.WAITING + 1):
        queue.add("train", f"r{i}", sleeper())
    with pytest.raises(working.Busy, match="jobs are already waiting"):
        queue.add("train", "one more", sleeper())


# ---- the worker


def test_a_worker_that_dies_costs_one_request(root: Path, quick_workers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = working.Worker()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(working, "multiprocessing", multiprocessing)  # as it begins where nobody tests it
            assert len(worker.call("latents", dim=4, count=3)) == 4 * 3 * 4  # torch is imported first
        before = worker.process.pid
        with pytest.raises(UserError, match="no model yet"):
            worker.call("describe", path=str(root / "nothing"))
        with pytest.raises(working.Broken, match="Something went wrong"):
            worker.call("latents", dim="x", count=3)
        assert worker.process.pid == before
        os.kill(before, signal.SIGKILL)
        worker.process.join()
        assert len(worker.call("latents", dim=4, count=3)) == 48
        with pytest.raises(working.Broken, match="longer than"):
            worker.call("latents", dim=64, count=2_000_000, timeout=0.01)
        assert len(worker.call("latents", dim=4, count=3)) == 48
    finally:
        worker.close()
    with pytest.raises(working.Broken, match="shutting down"):  # no new process begins while the studio ends
        worker.call("latents", dim=4, count=3)


def test_the_time_of_a_request_begins_when_the_worker_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing torch takes a minute on a busy machine."""
    called: list[str] = []
    answers = iter([working.READY, (None, 7)])

    class Line:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            return lambda *given: called.append(name) or (next(answers) if name == "recv" else True)

    class Context:
        Pipe = staticmethod(lambda: (Line(), types.SimpleNamespace(close=lambda: None)))
        Process = staticmethod(lambda **given: types.SimpleNamespace(start=lambda: called.append("start")))

    monkeypatch.setattr(working, "multiprocessing", types.SimpleNamespace(get_context=lambda _: Context))
    assert working.Worker().call("latents", dim=4, count=3) == 7
    assert called == ["start", "recv", "send", "poll", "recv"]


def test_a_worker_that_cannot_start_is_said_to_be_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = working.Worker()
    monkeypatch.setattr(working, "serve", os.getpid)  # which takes no arguments
    with pytest.raises(working.Broken, match="died during this request"):
        worker.call("latents", dim=4, count=3)
    worker.close()


def test_too_many_at_once_are_told_to_come_again(studio: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    state = studio.app.state.studio
    for worker, path in (
        (state.worker, "judge"),
        (state.long, "restore"),
        (state.worker, "model"),
        (state.worker, "game"),
    ):
        monkeypatch.setattr(worker, "waiting", working.QUEUE)
        body = None if path == "model" else b"a picture" if path in ("judge", "restore") else {}
        status, headers, _ = studio.ask(f"/api/runs/00000-blobs/{path}", body)
        assert (status, headers["retry-after"]) == (429, "1")
        monkeypatch.setattr(worker, "waiting", 0)


# ---- the API


def test_runs_are_listed_with_what_they_are(studio: Served) -> None:
    by_name = {r["name"]: r for r in studio.get("/api/runs")["runs"]}
    assert {"00000-blobs", "00001-denoise", "00002-translate"} <= set(by_name)
    blobs = by_name["00000-blobs"]
    assert (blobs["recipe"], blobs["task"], blobs["state"], blobs["images"]) == ("mnist", "generate", "finished", 960)
    assert by_name["00001-denoise"]["figure"]["title"] == "PSNR"
    for name in by_name:
        run = studio.get(f"/api/runs/{name}")
        assert run["remarks"]
        status, headers, content = studio.ask(f"/api/runs/{name}/samples/{run['picture']}")
        assert (status, headers["content-type"]) == (200, "image/png")
        assert content.startswith(b"\x89PNG")
        status, headers, _ = studio.ask(f"/api/runs/{name}/report")
        assert "attachment" in headers["content-disposition"]


OUTSIDE = """
/api/runs/.. /api/runs/%2e%2e /api/runs/..%2f.. /api/runs/none
/static/..%2fapp.py /static/../app.py /static/%2e%2e/app.py
/api/runs/00000-blobs/samples/..%2fexperiment.json /api/runs/00000-blobs/samples/experiment.json /static/.hidden
/static/tasks/generate/..%2ftask.py /static/tasks/generate/judge.py /static/tasks/none/game.js
/static/ort/..%2f..%2fapp.py /api/data?path=.. /api/data?path=/etc /api/data?path=leads-out
/api/data?path=pictures/../.. /api/data?path=leads-out/secret.txt /api/data?path=%00
"""


@pytest.mark.parametrize("path", OUTSIDE.split())
def test_paths_lead_nowhere_else(studio: Served, path: str) -> None:
    status, _, content = studio.ask(path)
    assert status in (400, 404, 422)
    assert b"nobody may read" not in content
    assert b"import" not in content


def test_the_forger_draws_what_python_draws(studio: Served, root: Path) -> None:
    model = generate_model.load(root / "runs" / "00000-blobs")
    path = "/api/runs/00000-blobs"
    about = studio.get(f"{path}/model")
    assert about["classes"] == ["0", "1"]
    assert about["detector"]
    wanted = model.pictures([5, 9, 7], "1")
    sheet = studio.picture(f"{path}/sheet", {"seeds": [5, 9, 7], "kind": "1", "columns": 3})
    assert np.array_equal(sheet, sheets.grid(wanted, 3)[:, :, 0])
    status, _, content = studio.ask(f"{path}/zip", {"seeds": [5, 9, 7], "kind": "1"})
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.namelist() == ["seed000005-1.png", "seed000009-1.png", "seed000007-1.png"]
    one = np.asarray(Image.open(io.BytesIO(archive.read("seed000009-1.png"))))
    assert np.array_equal(one, wanted[1, 0].numpy())
    corner = studio.picture(f"{path}/point", {"corners": [5, 9, 7, 1], "x": 1, "y": 0, "kinds": ["1"] * 4})
    assert np.abs(corner.astype(int) - wanted[1, 0].numpy().astype(int)).max() <= 1
    status, _, content = studio.ask(f"/api/latents?dim={model.latent_dim}&count=4")
    table = np.frombuffer(content, "<f4").reshape(4, -1)
    assert np.array_equal(table, seeds.latents(range(4), model.latent_dim).numpy())
    assert studio.picture(f"{path}/write", {"text": "01 10", "seed": 3}).shape[0] == 12
    for body, message in (({"seeds": [1], "kind": "7"}, "no class"), ({"seeds": [1], "truncation": 0}, "truncation")):
        status, _, content = studio.ask(f"{path}/sheet", body)
        assert status in (400, 422)
        assert message in content.decode()
    assert studio.ask(f"{path}/sheet", {"seeds": list(range(257))})[0] == 422
    assert studio.ask("/api/runs/00001-denoise/sheet", {"seeds": [1]})[0] == 400


def test_the_map_keeps_its_distance_from_the_middle() -> None:
    corners = torch.randn(4, 4000, generator=torch.Generator().manual_seed(0))
    for x, y in ((0.0, 0.0), (0.5, 0.5), (0.3, 0.9), (1.0, 0.5)):
        weights = torch.tensor([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])
        assert draw.blend(corners, weights).norm().item() == pytest.approx(4000**0.5, rel=0.05)
    torch.testing.assert_close(draw.blend(corners, torch.tensor([0.0, 0.0, 0.0, 1.0])), corners[3])


def test_a_generator_for_the_browser(studio: Served, root: Path) -> None:
    session = pytest.importorskip("onnxruntime").InferenceSession
    status, _, content = studio.ask("/api/runs/00000-blobs/generator.onnx")
    assert status == 200
    z = seeds.latents([3], 64).numpy()
    (picture,) = session(content).run(None, {"z": z, "labels": np.array([1])})
    model = generate_model.load(root / "runs" / "00000-blobs")
    expected = model.sample(1, 1, seed=3).numpy() if model.selector is None else picture
    assert np.abs(picture - expected).max() < 1e-3
    status, headers, packed = studio.ask("/static/ort/ort-wasm-simd-threaded.wasm")
    assert headers["content-encoding"] == "gzip"
    assert zlib.decompress(packed, 31).startswith(b"\0asm")


def test_the_expert_judges_a_picture(studio: Served, root: Path) -> None:
    model = generate_model.load(root / "runs" / "00000-blobs")
    drawn = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    verdict = studio.post("/api/runs/00000-blobs/judge", png(drawn))
    assert verdict["verdict"] in ("yes", "no", "not sure")
    assert 0 <= verdict["probability"] <= 1
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(verdict["picture"].partition(",")[2]))))
    again = model.detect(torch.from_numpy(shown.copy())[None, None])[0]
    assert again.probability == pytest.approx(verdict["probability"], abs=1e-4)
    heat = np.asarray(Image.open(io.BytesIO(base64.b64decode(verdict["heat"].partition(",")[2]))))
    assert heat.shape == (12, 12, 3)
    assert heat.std() > 0
    assert len(verdict["nearest"]) == judge.NEAREST
    status, _, content = studio.ask("/api/runs/00001-denoise/judge", png(drawn))
    assert status == 400
    assert "restores pictures" in content.decode()


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says that it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a picture"),
        (b"GIF89a nothing", "cannot be read as a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "it is not a picture"),  # a program
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "cannot be read as a picture"),
        (bomb(60_000, 60_000), "pixels"),
        (bomb(9_000, 9_000), "pixels"),
    ],
)
@pytest.mark.parametrize("path", ["/api/runs/00000-blobs/judge", "/api/runs/00001-denoise/restore"])
def test_what_is_no_picture_or_too_large_is_refused(studio: Served, path: str, content: bytes, message: str) -> None:
    status, _, reply = studio.ask(path, content)
    assert status == 400, reply
    assert message in json.loads(reply)["detail"]


def test_pictures_are_mended_and_translated(studio: Served) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (30, 44, 3), np.uint8)
    result = studio.post("/api/runs/00001-denoise/restore", png(picture))
    before, after = (Image.open(io.BytesIO(base64.b64decode(result[k].partition(",")[2]))) for k in ("before", "after"))
    assert np.array_equal(np.asarray(before), picture)
    assert after.size == (44, 30)
    assert result["form"] == "png"
    assert studio.post("/api/runs/00001-denoise/mend", png(picture)) == result  # its old address
    turned = studio.post("/api/runs/00002-translate/restore?to=a", png(picture))
    assert Image.open(io.BytesIO(base64.b64decode(turned["after"].partition(",")[2]))).size == (12, 12)
    assert studio.ask("/api/runs/00000-blobs/restore", png(picture))[0] == 400
    assert studio.ask("/api/runs/00002-translate/restore?to=c", png(picture))[0] == 422


def test_a_jpeg_comes_back_as_one(studio: Served) -> None:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "the garden"  # on its side, and with a title
    Image.fromarray(np.zeros((30, 44, 3), np.uint8)).save(buffer, "JPEG", exif=exif)
    result = studio.post("/api/runs/00001-denoise/restore", buffer.getvalue())
    assert result["form"] == "jpeg"
    after = Image.open(io.BytesIO(base64.b64decode(result["after"].partition(",")[2])))
    assert (after.format, after.size) == ("JPEG", (30, 44))  # upright
    assert dict(after.getexif()) == {0x010E: "the garden"}


def test_the_map_shows_what_is_drawn_at_its_places(studio: Served) -> None:
    corners, kinds = [1, 2, 3, 4], ["0", "0", "1", "1"]
    sheet = studio.picture("/api/runs/00000-blobs/map", {"corners": corners, "kinds": kinds})
    assert sheet.shape[:2] == (draw.ATLAS * 12, draw.ATLAS * 12)
    for x, y in ((0, 0), (8, 0), (0, 8), (4, 2)):
        place = {"corners": corners, "kinds": kinds, "x": x / 8, "y": y / 8}
        drawn = studio.picture("/api/runs/00000-blobs/point", place).astype(int)
        assert np.abs(sheet[12 * y : 12 * y + 12, 12 * x : 12 * x + 12].astype(int) - drawn).max() <= 1
    assert studio.ask("/api/runs/00001-denoise/map", {"corners": corners})[0] == 400


def test_masks_come_behind_the_picture() -> None:
    original = uploads.original(png(np.zeros((20, 30, 3), np.uint8)))
    mask = np.zeros((10, 15), np.uint8)
    mask[2:5, 3:6] = 255
    missing = uploads.mask(png(mask), original)
    assert missing.shape == (20, 30)
    assert missing[4:10, 6:12].all()
    assert missing.sum() == 36
    with pytest.raises(UserError, match="Nothing is marked"):
        uploads.mask(png(mask * 0), original)
    with pytest.raises(UserError, match="paint over what is missing"):
        uploads.mask(None, original)


def experts_answer(studio: Served, path: str) -> dict[str, Any]:
    """What the expert says of a game that is over, once it has learned."""
    end = time.monotonic() + 900
    while (expert := studio.get(f"{path}/expert"))["state"] == "learning":
        assert 0 <= expert["share"] <= 1
        assert time.monotonic() < end
        time.sleep(0.05)
    assert expert["state"] == "ready", expert
    return expert


def test_a_game_is_played_to_its_end(studio: Served) -> None:
    assert studio.get("/api/runs/00000-blobs/game")["expert"]["state"] in ("none", "learning", "ready")
    dealt = studio.post("/api/runs/00000-blobs/game", {}, 201)
    path = f"/api/games/{dealt['game']}"
    assert studio.ask(f"{path}/expert")[0] == 400  # not before the player
    assert len(dealt["pictures"]) == games.PICTURES
    assert "real" not in dealt
    end = studio.post(path, {"real": [True] * games.PICTURES})
    assert sum(end["real"]) == games.PICTURES // 2
    assert end["you"] == end["fooled"] == games.PICTURES // 2  # who says 'real' to all is right half of the time
    expert = experts_answer(studio, path)
    assert expert["right"] == sum(a == b for a, b in zip(expert["said"], end["real"], strict=True))
    assert experts_answer(studio, path) == expert
    assert end["all"]["games"] == 1
    assert end["all"]["fooled"] == 10
    assert studio.ask(path, {"real": [True] * games.PICTURES})[0] == 400
    assert studio.ask("/api/games/none", {"real": [True]})[0] == 422


def test_an_expert_learns_once_for_each_model(studio: Served, root: Path) -> None:
    experts = studio.app.state.studio.experts
    dealt = studio.post("/api/runs/00000-blobs/game", {}, 201)
    path = f"/api/games/{dealt['game']}"
    studio.post(path, {"real": [False] * games.PICTURES})
    said = experts_answer(studio, path)["said"]
    (file,) = experts.folder.glob("*.safetensors")
    assert not [*experts.folder.glob("*.share")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experts, "worker", None)  # which would be needed to learn again
        assert studio.get("/api/runs/00000-blobs/game")["expert"] == {"state": "ready"}
        studio.post("/api/runs/00000-blobs/game", {}, 201)
        assert studio.get(f"{path}/expert")["said"] == said
    content = file.read_bytes()
    file.write_bytes(content[:100])  # a damaged one is removed, and taught anew by the next game
    status, _, reply = studio.ask(f"{path}/expert")
    assert (status, "cannot be read" in json.loads(reply)["detail"]) == (400, True)
    assert not file.exists()
    studio.post("/api/runs/00000-blobs/game", {}, 201)
    assert experts_answer(studio, path)["said"] == said
    assert file.read_bytes() == content


def test_an_expert_that_cannot_learn_says_why(tmp_path: Path) -> None:
    experts = Experts(tmp_path)
    experts.teach("mark", str(tmp_path / "none.safetensors"), str(tmp_path))
    end = time.monotonic() + 900
    while experts.state("mark")["state"] == "learning":
        assert time.monotonic() < end
        time.sleep(0.02)
    assert experts.state("mark") == {
        "state": "failed",
        "why": "This run has no model yet: it comes with the first snapshot.",
    }
    assert experts.state("other") == {"state": "none"}


def test_shares_have_their_interval() -> None:
    low, high = games.interval(5, 10)
    assert (low, high) == pytest.approx((0.2366, 0.7634), abs=1e-3)  # Wilson, from tables
    assert games.interval(0, 0) == (0, 1)
    assert games.interval(0, 20)[0] == 0


def test_folders_are_shown_and_checked(studio: Served) -> None:
    listing = studio.get("/api/data")
    assert {"name": "pictures", "folder": True} in listing["entries"]
    assert all(e["name"] != "leads-out" for e in listing["entries"])
    assert "mnist" in listing["sets"]
    assert studio.get("/api/data?path=pictures")["pictures"] == 120
    checked = studio.post("/api/data/check", {"path": "pictures"})
    assert checked["total"] == 120
    assert checked["findings"]
    assert checked["sheet"].startswith("data:image/png;base64,")
    assert checked["forecast"]["recipe"] == "few"
    assert studio.ask("/api/data/check", {"path": "leads-out"})[0] == 400


def until(studio: Served, name: str, ready: Callable[[dict[str, Any]], bool], seconds: float = 900) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        by_name = {r["name"]: r for r in studio.get("/api/runs")["runs"]}
        if name in by_name and ready(by_name[name]):
            return by_name[name]
        time.sleep(0.2)
    raise TimeoutError(studio.get("/api/runs"))


@pytest.mark.slow  # test_studio_pages.py does the same by the page
def test_a_training_is_started_stopped_and_taken_up(studio: Served, root: Path) -> None:
    wanted = {
        "recipe": "mnist",
        "data": "denoise",
        "settings": {"batch": "16", "images": "1000000", "tick_every": "160", "detect": "0"},
    }
    made = studio.post("/api/train", wanted, 201)
    name = made["run"]
    assert name.endswith("-denoise-mnist")
    second = studio.post("/api/train", {**wanted, "settings": {**wanted["settings"], "images": "320"}}, 201)
    assert second["state"] == "waiting"
    running = until(studio, name, lambda r: r["state"] == "running" and r["images"] > 0)
    assert running["total"] == 1_000_000
    assert studio.ask(f"/api/runs/{name}/resume", {})[0] == 400
    assert studio.post(f"/api/runs/{name}/stop", {}) == {"stopped": True}
    stopped = until(studio, name, lambda r: r["state"] == "stopped")
    until(studio, second["run"], lambda r: r["state"] == "finished")
    assert studio.post(f"/api/runs/{name}/resume", {}, 201)["run"] == name
    until(studio, name, lambda r: r["state"] == "running" and r["images"] > stopped["images"])
    studio.post(f"/api/runs/{name}/stop", {})
    until(studio, name, lambda r: r["state"] == "stopped")
    assert studio.ask("/api/runs/00000-blobs/stop", {})[0] == 400
    for body, message in (
        ({"recipe": "none"}, "no recipe"),
        ({"recipe": "images"}, "images of your own"),
        ({"recipe": "mnist", "data": "../.."}, "There is no"),
        ({"recipe": "mnist", "settings": {"lr_q": "1"}}, "lr_q"),
        ({"recipe": "mnist", "settings": {"from": "/etc/passwd"}}, "cannot be set here"),
        ({"recipe": "translate", "data": "pictures"}, "--to"),
    ):
        status, _, content = studio.ask("/api/train", body)
        assert status == 400, content
        assert message in json.loads(content)["detail"]


def test_a_forecast_is_a_few_true_steps(studio: Served) -> None:
    result = studio.post(
        "/api/forecast", {"recipe": "mnist", "data": "denoise", "settings": {"batch": "16", "images": "5000"}}
    )
    assert result["images"] == 5000
    assert result["seconds"] == pytest.approx(5000 / result["images_per_second"])


def test_recipes_come_with_all_their_settings(studio: Served) -> None:
    recipes = {r["name"]: r for r in studio.get("/api/recipes")}
    assert not recipes["mnist"]["needs_data"]
    assert recipes["translate"]["needs_data"]
    knobs = {k["name"]: k for k in recipes["mnist"]["settings"]}
    assert knobs["images"]["value"] == 300_000
    assert all(k["help"] for k in knobs.values())


# ---- what must not kill it


class Line:
    """A connection to a server on which anything may be written; opened again where the server closed it."""

    def __init__(self, port: int) -> None:
        self.port, self.socket = port, None

    def ask(self, content: bytes, method: str) -> tuple[int, bytes]:
        """Status and content of the answer to what is written; 0 where the line was closed without one."""
        for again in (True, False):
            fresh = self.socket is None
            self.socket = self.socket or socket.create_connection(("127.0.0.1", self.port), timeout=900)
            response = http.client.HTTPResponse(self.socket, method=method)
            try:
                self.socket.sendall(content)
                response.begin()
                body = response.read()
            except (http.client.HTTPException, ConnectionError):
                self.close()
                if fresh or not again:
                    return 0, b""
                continue
            if response.will_close:
                self.close()
            return response.status, body
        raise AssertionError

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = None


@pytest.mark.parametrize("most", [2_500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_odd_requests(studio: Served, root: Path, most: int) -> None:
    """Random methods, paths, headers, bodies and noise by the socket: no answer but a proper one, and it lives on."""
    chance = random.Random(0)
    parts = (
        "api runs 00000-blobs .. %2e%2e sheet point events samples fakes_init.png train stop static judge mend games"
    )
    pieces = [*parts.split(), "data", "check", "%00", "%C3%A9", "\x00", "é", "a" * 300, "?path=..", "?dim=-1"]
    pieces += ["?count=1e9", "//", "."]
    bodies = [b"", b"{}", b"[]", b"null", b'{"seeds": [1e400]}', b'{"seeds": "x"}', b"\xff\xfe", b'{"recipe": {}}']
    bodies += [b"{" * 50, b'"' * 99]
    counts: dict[int, int] = {}
    before = {path.name for path in (root / "runs").iterdir()}
    places = list(studio.get("/api/openapi.json")["paths"])
    line, count = Line(studio.port), 0
    while count < most:
        path = "/" + "/".join(chance.choice(pieces) for _ in range(chance.randrange(1, 6)))
        if chance.random() < 0.5:  # a true place, mostly of a true run
            name = chance.choice(["00000-blobs", "00000-blobs", chance.choice(pieces)])
            path = chance.choice(places).replace("{name}", name).replace("{file}", chance.choice(pieces))
            path = path.replace("{number}", chance.choice(pieces)) + chance.choice(
                ["", "", "?path=..", "?dim=1e9", "?to=c"]
            )
        method = chance.choice(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X"])
        slow = ("/events", "/train", "/game", "/check", "/resume", ".onnx")
        if path.partition("?")[0].endswith(slow) and method in ("GET", "POST"):
            continue  # answers without an end, or real work
        headers = {"host": f"localhost:{studio.port}", "x-ganvas": "1"}
        headers["content-type"] = chance.choice(["application/json", "text/plain", "x/y"])
        if chance.random() < 0.2:
            headers[chance.choice(["host", "origin", "cookie", "last-event-id", "range"])] = chance.choice(
                ["", "x", "ganvas=1", "bytes=9-1"]
            )
        body = chance.choice(bodies)
        headers["content-length"] = str(len(body))
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        content = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        noise = chance.random()
        if noise < 0.01:
            content = chance.randbytes(200) + b"\r\n\r\n"  # else the server waits for the rest
        elif noise < 0.02:
            content = content.replace(b"HTTP/1.1", b"HTTP/9.9").replace(b"content-length: ", b"content-length: -")
        status, reply = line.ask(content, method)
        count += 1
        counts[status] = counts.get(status, 0) + 1
        assert status < 500 or status == 503, (content, status, reply)
        assert b"nobody may read" not in reply
        if noise < 0.02:
            line.close()
    line.close()
    assert studio.get("/health")["status"] == "ok"
    assert {path.name for path in (root / "runs").iterdir()} == before
    assert {200, 400, 403, 404, 405, 422} <= set(counts), counts
    assert counts.get(0, 0) < most / 100, counts


def test_the_api_is_what_it_says_it_is(studio: Served) -> None:
    """Answers to generated requests against the API's own schema."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings

    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{studio.port}/api/openapi.json")
    long = ("/api/train", "/api/data/check", "/api/forecast", "/events", "/generator.onnx", "/game")
    quietly = settings(
        max_examples=5,
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]
        phases=[Phase.generate],
        derandomize=True,
    )
    seen: set[str] = set()

    def one(case: Any) -> None:
        response = case.call(headers=OWN)
        seen.add(case.operation.path)
        documented = {int(code) for code in case.operation.definition.raw["responses"] if code.isdecimal()}
        assert response.status_code in documented | {403, 404, 405, 413, 422}, (case.operation.path, response.text)

    for result in schema.get_all_operations():
        operation = result.ok()
        if not operation.path.endswith(long):
            quietly(given(case=operation.as_strategy())(one))()
    assert len(seen) > 12
    assert studio.get("/health")["status"] == "ok"


def test_a_disk_that_is_full_is_said_and_survived(studio: Served, root: Path) -> None:
    """/dev/full stands where the files are written: each byte that goes there meets the system's own error."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    known, before = studio.get("/api/runs")["jobs"], {path.name for path in (root / "runs").iterdir()}
    queue = Jobs(root)
    queue.jobs = [jobs.Job(1, "train", "a", ("never",))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "part_of", lambda _: contextlib.nullcontext(Path("/dev/full")))
        status, _, content = studio.ask("/api/train", {"recipe": "mnist", "settings": {"batch": "16"}})
        assert status == 400
        assert "the disk is full; free some space" in json.loads(content)["detail"]
        assert studio.get("/api/runs")["jobs"] == known  # what was refused does not wait
        with pytest.raises(UserError, match="the disk is full"):
            queue.tend()
    assert queue.jobs[0].state == "waiting"  # until there is room
    assert {path.name for path in (root / "runs").iterdir()} == before
    results = studio.app.state.studio.games.file
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    results.symlink_to("/dev/full")
    open_games = studio.app.state.studio.games
    number = open_games.begin("00000-blobs", 1, [True] * 20)
    for _ in range(2):  # and the game can be ended later
        reply = studio.post(f"/api/games/{number}", {"real": [True] * 20}, 400)
        assert "the disk is full; free some space" in reply["detail"]
    results.unlink()
    assert studio.post(f"/api/games/{number}", {"real": [True] * 20})["you"] == 20
    results.unlink()
    assert studio.get("/health")["status"] == "ok"


def test_the_command_says_where_it_is_and_ends_with_viewers(root: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        places = ["--runs", str(root / "runs"), "--data", str(root)]
        done = command("studio", *places, "--port", str(port), cwd=tmp_path)
        assert done.returncode == 2
        assert "cannot listen" in done.stderr
    (root / "runs" / ".studio").mkdir()
    (root / "runs" / ".studio" / "jobs.json").write_text("[]")  # an earlier version's, or another's
    start = [sys.executable, "-m", "ganvas", "studio", *places, "--port", str(port)]
    process = subprocess.Popen(start, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Ganvas Studio: http://127.0.0.1:{port}/\n"
        assert process.stdout.readline().startswith("Runs in ")
        assert "jobs.json is skipped: the queue is kept in" in process.stdout.readline()
        url = f"http://127.0.0.1:{port}/api/runs/00000-blobs/events"
        end = time.monotonic() + 30
        while True:
            try:
                stream = urllib.request.urlopen(url, timeout=900)
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.1)
        with stream:
            assert stream.readline() == b"retry: 1000\n"
            second = command("studio", *places, "--port", "1", cwd=tmp_path)
            assert second.returncode == 2
            assert "Another studio is open on" in second.stderr
            assert f", at http://127.0.0.1:{port}/. Close it" in second.stderr
            process.send_signal(signal.SIGINT)
            assert process.wait(900) is not None
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "0"], "choose one from 1 to 65535"),
        (["--data", "nowhere"], "There is no folder nowhere"),
        (["--host", "0.0.0.0"], "fewer than 16 characters"),
    ],
)
def test_what_cannot_be_is_said_before_it_starts(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANVAS_TOKEN", "short")
    done = command("studio", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
