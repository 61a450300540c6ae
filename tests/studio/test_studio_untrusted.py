"""The studio on folders of runs that others made: nothing in them is started, believed or waited for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import moved

pytest.importorskip("fastapi")
from test_studio import OWN, a_run, answer, png

from ganvas.api import RECIPES
from ganvas.core import processes
from ganvas.core.errors import UserError
from ganvas.core.processes import began
from ganvas.core.run import Run
from ganvas.studio import contents, index, jobs, live, places, requests, stopping
from ganvas.studio.app import create
from ganvas.studio.games import PICTURES, Games
from ganvas.studio.jobs import Job, Jobs
from ganvas.studio.live import Cursor

pytestmark = pytest.mark.long

HERE = {k.lower(): v for k, v in OWN.items()} | {"content-type": "application/json"}


def ask(app: Any, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of an answer; a body makes it a POST."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _, reply = answer(app, "GET" if body is None else "POST", path, HERE, b"" if body is None else content)
    return status, json.loads(reply)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with Ganvas."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, Any]]]:
    """What would have been started: nothing is."""
    calls: list[tuple[list[str], dict[str, Any]]] = []

    def start(command: list[str], **more: Any) -> Any:
        calls.append((command, more))
        raise OSError("not in a test")

    monkeypatch.setattr(subprocess, "Popen", start)
    return calls


# ---- what is started


def row(number: int, *arguments: str, kind: str = "train", run: str = "a", **more: Any) -> dict[str, Any]:
    return {"number": number, "kind": kind, "run": run, "arguments": list(arguments), "state": "waiting", **more}


def test_a_queue_that_came_with_a_folder_starts_nothing(tmp_path: Path, started: list[Any]) -> None:
    (tmp_path / ".studio").mkdir()
    (tmp_path / "evil.py").write_text("def mine(): raise SystemExit")
    waiting = [row(1, "train", "evil.py:mine"), row(2, "train", "mnist", "--run", str(tmp_path / "a"))]
    (tmp_path / ".studio" / "jobs.json").write_text(json.dumps(waiting))
    queue = Jobs(tmp_path)
    queue.tend()
    assert queue.jobs == []
    assert started == []
    restarted = Jobs(tmp_path)  # and what the page asks for runs in no folder that came from elsewhere
    restarted.add("train", "a", ["train", "mnist", "--run", str(tmp_path / "a")])
    ((command, more),) = started
    assert command[1:] == ["-P", "-m", "ganvas", "train", "mnist", "--run", str(tmp_path / "a")]
    assert Path(more["cwd"]) == restarted.home
    assert not restarted.home.is_relative_to(tmp_path)


def test_only_what_the_page_can_ask_for_is_read_from_the_queue(tmp_path: Path) -> None:
    place, resumed = ["--run", str(tmp_path / "a")], ["resume", str(tmp_path / "a")]
    good = [
        row(1, "train", "mnist", *place),
        row(2, "train", "images", *place, "--data", "/somewhere", "batch=16", "lr_g=-1"),
        row(3, "train", "translate", *place, "--data", "mnist", "--to", "/x"),
        row(4, *resumed, kind="resume"),
        row(5, *resumed, "images=2000", kind="resume", state="running", pid=7, began="12"),
    ]
    bad = [
        *(row(6, "train", recipe, *place) for recipe in ("evil.py:mine", "./e.py:f", "/e.py:f", "none", "--help", "")),
        *(row(6, "train", "mnist", "--run", x) for x in ("a", "..", "/etc", str(tmp_path), str(tmp_path / "b"))),
        *(row(6, "train", "mnist", "--run", str(tmp_path / x), run=x) for x in ("..", "a/..", ".studio", "a\nb", "")),
        *(row(6, "train", "mnist", *place, w) for w in ("source=/etc", "from=x", "from_=x", "to=x", "device=cpu")),
        *(row(6, "train", "mnist", *place, w) for w in ("z=1", "--dry-run", "batch", "=", "", "--data", "--x=e.py:f")),
        *(row(6, "train", "mnist", *place, "--data", x) for x in ("e.py", "../x", "-x", "hf://a/b", "")),
        row(6, "train"), row(6), row(6, *resumed), row(6, "train", "mnist", *place, kind="resume"),
        *(row(6, *resumed, w, kind="resume") for w in ("lr_g=1", "images=-1", "images=1e9", "--help")),
        row(6, "sample", "x", kind="sample"), row(6, *resumed, "images=1", "images=2", kind="resume"),
        *({**row(6, *resumed, kind="resume"), k: v} for k, v in (
            ("pid", -1), ("pid", 2**40), ("pid", "x"), ("state", "odd"), ("began", "9" * 99), ("number", 0),
            ("number", 10**99), ("number", None), ("code", "x"), ("arguments", 3), ("arguments", [1]))),
        None, 7, "x", [], {}, {"number": 1},
    ]  # fmt: skip
    queue = Jobs(tmp_path)
    queue.home.mkdir(parents=True)
    for one in bad:
        queue.file.write_text(json.dumps([*good, one]))
        assert [job.number for job in Jobs(tmp_path).jobs] == [1, 2, 3, 4, 5], one
    for odd in ("{}", '"x"', "7", "[" * 99_999, "\\", '[{"number": ' + "9" * 400 + "}]", "\ud800"):
        queue.file.write_bytes(odd.encode(errors="surrogatepass"))
        assert Jobs(tmp_path).jobs == []
    os.truncate(queue.file, jobs.LIST + 1)
    assert Jobs(tmp_path).jobs == []
    queue.file.unlink()
    os.mkfifo(queue.file)
    assert Jobs(tmp_path).jobs == []


def test_what_the_page_asks_for_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Jobs, "tend", lambda _: None)
    (tmp_path / "pictures = ü").mkdir()
    app = create(tmp_path / "runs", tmp_path)
    for recipe in RECIPES:
        wanted = {"recipe": recipe, "data": "pictures = ü", "settings": {"batch": "16", "lr_g": "1e-4"}}
        status, made = ask(app, "/api/train", wanted | ({"to": "mnist"} if recipe == "translate" else {}))
        assert status == 201, made
    read = Jobs(tmp_path / "runs").jobs
    assert read == app.state.studio.jobs.jobs
    assert [job.arguments[1] for job in read] == list(RECIPES)


def test_nothing_is_written_where_a_foreign_folder_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, secret = tmp_path / "runs", tmp_path / "secret"
    secret.write_text("mine\n")
    a_run(runs / "a", 2).model.write_bytes(b"x")
    (runs / ".studio").mkdir()
    (runs / ".studio" / "games.jsonl").symlink_to(secret)
    studio = create(runs, tmp_path).state.studio
    number = studio.games.begin("a", 1, [True] * PICTURES)
    assert studio.games.end(number, [True] * PICTURES)["all"]["games"] == 1
    folders: list[str] = []

    def call(function: str, **more: Any) -> str:
        folders.append(more["folder"])
        raise UserError("no worker in this test")

    monkeypatch.setattr(studio.long, "call", call)
    app = create(runs, tmp_path)
    monkeypatch.setattr(app.state.studio.long, "call", call)
    assert ask(app, "/api/runs/a/generator.onnx")[0] == 400
    assert not Path(folders[0]).is_relative_to(runs)  # no network that came along is taken for this model's
    for lock in ("link", "pipe"):
        path = runs / "a" / ".lock"
        path.symlink_to(secret) if lock == "link" else os.mkfifo(path)
        with pytest.raises(UserError, match="Cannot write"), Run(runs / "a").locked():
            pass
        assert Run(runs / "a").holder() is None
        path.unlink()
    assert secret.read_text() == "mine\n"


def test_results_of_games_are_counted_only_where_they_can_be(tmp_path: Path) -> None:
    good = {"run": "a", "you": 12, "fooled": 3}
    odd: list[Any] = [{**good, key: value} for key in ("you", "fooled") for value in (None, "1", -1, 99, 1.5, True, [])]
    lines = [json.dumps(x) for x in [good, *odd, {"run": "a"}, [], None]] + ["[" * 9_999, '{"you": ' + "9" * 5_000]
    (tmp_path / "games.jsonl").write_text("\n".join(lines) + "\n")
    games = Games(tmp_path / "own", tmp_path)
    assert (games.all("a")["games"], games.all("a")["fooled"], games.all("a")["right"]) == (1, 3, 12)
    (tmp_path / "games.jsonl").unlink()
    os.mkfifo(tmp_path / "games.jsonl")
    assert games.all("a")["games"] == 0


# ---- what is stopped


@pytest.mark.parametrize("known", [True, False])  # False: a system that does not tell who holds a lock
def test_a_copy_of_a_run_is_not_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    if not known:
        monkeypatch.setattr("ganvas.core.run.LOCKS", tmp_path / "nowhere")
    run = a_run(tmp_path / "run", 2)
    with run.locked():
        shutil.copytree(run.folder, tmp_path / "copy")
        assert run.holder() == os.getpid()
        assert Run(tmp_path / "copy").holder() is None
        (tmp_path / "copy" / ".lock").unlink()
        (tmp_path / "copy" / ".lock").symlink_to(run.folder / ".lock")
        assert Run(tmp_path / "copy").holder() is None
        assert run.holder() == os.getpid()


def test_locks_of_odd_content_are_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.core.run.LOCKS", tmp_path / "nowhere")
    run, me = a_run(tmp_path / "run"), os.getpid()
    lock = run.folder / ".lock"
    lock.write_text("x")
    file_id = f"{lock.stat().st_ino} {lock.stat().st_dev}"
    lock.write_text(f"{me} - {file_id}")
    assert run.holder() == me
    odd = [
        "",
        f"{me}",
        f"{me} -",
        f"{me} {began(me)}",
        f"{me} 1 {file_id}",
        f"-{me} - {file_id}",
        f"0 - {file_id}",
        "9" * 199,
    ]
    odd += [
        f"{me} - 1 1",
        f"{me} - {file_id} 1",
        f"{'9' * 10} - {file_id}",
        f"² - {file_id}",
        "\x00" * 100,
        "1 " * 90,
        f"{me}\n" * 9,
    ]
    for text in odd:
        lock.write_text(text)
        assert run.holder() is None, text
    os.truncate(lock, 2**30)
    assert run.holder() is None


def test_a_process_is_never_stopped_for_its_number_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    """Neither that of a job in the list nor that in a lock, though number and time of its start are right."""
    monkeypatch.setattr("ganvas.core.run.LOCKS", tmp_path / "nowhere")
    runs = tmp_path / "runs"
    run = a_run(runs / "a", 2)
    queue = Jobs(runs)
    arguments = ("resume", str(runs / "a"))
    queue.jobs = [Job(1, "resume", "a", arguments, "running", sleeper.pid, began(sleeper.pid))]
    with pytest.raises(UserError, match="part of another program"):
        queue.stop("a")
    lock = run.folder / ".lock"
    lock.write_text("x")
    lock.write_text(f"{sleeper.pid} {began(sleeper.pid)} {lock.stat().st_ino} {lock.stat().st_dev}")
    assert run.holder() == sleeper.pid
    status, reply = ask(create(runs, tmp_path), "/api/runs/a/stop", {})
    assert (status, "part of another program" in reply["detail"]) == (400, True)
    assert sleeper.poll() is None


COMMANDS = [
    (["python", "-m", "ganvas", "train", "mnist", "--run", "{run}"], True),
    (["/usr/bin/ganvas", "train", "mnist", "--run={run}", "images=5"], True),
    (["python", "/bin/ganvas", "resume", "{run}", "images=5"], True),
    (["ganvas", "resume", "runs/a"], True),
    (["ganvas", "resume", "./runs/../runs/a/"], True),
    (["ganvas", "resume", "link"], True),
    (["ganvas", "resume", "runs/b"], False),
    (["ganvas", "resume", "a"], False),
    (["ganvas", "resume", "runs"], False),
    (["ganvas", "train", "mnist"], False),
    (["ganvas", "sample", "{run}"], False),
    (["vim", "{run}"], False),
    (["vim", "ganvas", "{run}", "train"], False),
    (["python", "notebook.py", "train", "{run}"], False),
    ([], False),
]


@pytest.mark.parametrize(("arguments", "right"), COMMANDS)
def test_a_process_is_stopped_where_its_command_names_the_run(
    arguments: list[str], right: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, home = tmp_path / "runs" / "a", tmp_path / "proc" / "77"
    run.mkdir(parents=True)
    (run / ".lock").touch()
    (tmp_path / "link").symlink_to(run)
    (home / "fd").mkdir(parents=True)
    (tmp_path / "proc" / "self").mkdir()
    (home / "cwd").symlink_to(tmp_path)
    (home / "cmdline").write_bytes(b"".join(word.format(run=run).encode() + b"\0" for word in arguments))
    sent: list[Any] = []
    monkeypatch.setattr(processes, "PROC", tmp_path / "proc")
    monkeypatch.setattr(os, "kill", lambda *call: sent.append(call))
    if right:
        stopping.stop(77, run)
    else:
        with pytest.raises(UserError, match="part of another program"):
            stopping.stop(77, run)
    assert sent == [(77, signal.SIGTERM)] * right
    (home / "fd" / "5").symlink_to(run / ".lock")  # it holds the lock: a command that named no folder
    if arguments[:2] == ["ganvas", "train"]:
        stopping.stop(77, run)
        assert sent == [(77, signal.SIGTERM)]
    for pid, message in ((0, "studio cannot see it"), (-1, "studio cannot see it"), (78, "not being trained")):
        with pytest.raises(UserError, match=message):
            stopping.stop(pid, run)
    monkeypatch.setattr(processes, "PROC", tmp_path / "nowhere")  # macOS
    monkeypatch.setattr(processes, "psutil", lambda: None)
    with pytest.raises(UserError, match="does not say what process 77 is"):
        stopping.stop(77, run)


def test_psutil_says_what_a_process_is_where_there_is_no_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    """macOS and Windows: a training is known by its command, and a process by when it began."""
    pytest.importorskip("psutil")
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    monkeypatch.setattr(processes, "PROC", tmp_path / "nowhere")
    monkeypatch.setattr("ganvas.core.run.LOCKS", tmp_path / "nowhere")
    when = began(sleeper.pid)
    assert when.isdecimal()
    assert processes.is_alive(sleeper.pid, when)
    assert processes.is_alive(sleeper.pid, "")
    assert not processes.is_alive(sleeper.pid, str(int(when) + 5_000))
    with pytest.raises(UserError, match="part of another program"):
        stopping.stop(sleeper.pid, run)
    (tmp_path / "ganvas").write_text("import time\nprint(flush=True)\ntime.sleep(900)\n")
    for arguments, right in (
        (["resume", "runs/b"], False),
        (["resume", "runs/a"], True),
        (["train", f"--run={run}"], True),
    ):
        command = [sys.executable, str(tmp_path / "ganvas"), *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            process.stdout.readline()  # it has begun
            if right:
                stopping.stop(process.pid, run)
                assert process.wait(900) == -signal.SIGTERM
                assert not processes.is_alive(process.pid, "")
                with pytest.raises(UserError, match="not being trained"):
                    stopping.stop(process.pid, run)
            else:
                with pytest.raises(UserError, match="trains in another folder"):
                    stopping.stop(process.pid, run)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    (run / "experiment.json").write_text("{}")
    with Run(run).locked():
        assert Run(run).holder() == os.getpid()
    assert Run(run).holder() is None
    process = subprocess.Popen([sys.executable, "-c", ""])  # one that has ended and was not waited for
    end = time.monotonic() + 900
    while processes.is_alive(process.pid, ""):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.wait()


def test_without_psutil_a_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path / "nowhere")
    monkeypatch.setattr("ganvas.core.run.LOCKS", tmp_path / "nowhere")
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert processes.psutil() is None
    assert began(os.getpid()) == ""
    (tmp_path / "a").mkdir()
    with Run(tmp_path / "a").locked():
        assert Run(tmp_path / "a").holder() == os.getpid()
    assert Run(tmp_path / "a").holder() is None


# ---- what is read


def test_a_card_names_no_data_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    for place in (data / "own", data / "deep" / "er", outside):
        place.mkdir(parents=True)
    (data / "leads-out").symlink_to(outside)
    (data / "leads-in").symlink_to(data / "own")
    (data / "deep" / "er" / "pictures").symlink_to(outside)
    monkeypatch.chdir(data)
    for text in ("", "mnist", "own", str(data / "own"), str(data / "leads-in"), "./own/../own"):
        places.check_card(data, text)
    beyond = [
        str(outside),
        "..",
        "../outside",
        "leads-out",
        str(data / "leads-out"),
        "deep",
        str(data / "deep" / "er"),
        "/",
    ]
    for text in [
        *beyond,
        "~",
        "~nobody-of-this-name",
        "own\x00",
        "none",
        "hf://user/name",
        7,
        None,
        ["mnist"],
        "\ud800",
    ]:
        with pytest.raises(UserError):
            places.check_card(data, text)


def test_the_expert_and_the_game_read_no_pictures_outside(run: Path, tmp_path: Path) -> None:
    """The card of a run that came from elsewhere names a folder of this user's, in any of its places."""
    picture, data = png(np.zeros((12, 12, 3), np.uint8)), tmp_path / "data"
    data.mkdir()
    outside = json.loads((run / "experiment.json").read_text())["data"]["source"]
    (data / "linked").symlink_to(outside)
    cards = [{"source": outside}, {"source": str(data / "linked")}, {"to": outside}, {"twins": outside}]
    for i, named in enumerate(cards):
        copy = moved(run, Path("mnist"), tmp_path / "runs" / f"{i}")
        card = json.loads((copy / "experiment.json").read_text())
        card["data"] |= named
        (copy / "experiment.json").write_text(json.dumps(card))
        model = str(copy / "model.safetensors")
        verdict = requests.use(model, "judge", str(data), content=picture)
        assert (verdict["nearest"], "the studio may not read" in verdict["missing"]) == ([], True)
        with pytest.raises(UserError, match="the studio may not read"):
            requests.use(model, "play.deal", str(data), seed=0, count=PICTURES)


def test_a_run_that_names_data_outside_does_not_go_on(tmp_path: Path, started: list[Any]) -> None:
    (tmp_path / "data").mkdir()
    run = a_run(tmp_path / "runs" / "a", 2)
    app = create(tmp_path / "runs", tmp_path / "data")
    code = f"evil.py:Net#{'0' * 16}"
    cards: list[tuple[Any, str]] = [
        ({"data": {"source": str(tmp_path)}, "training": {}}, "the studio may not read"),
        ({"data": {"source": "mnist", "to": "/"}, "training": {}}, "the studio may not read"),
        ({"data": {"source": "mnist", "twins": 5}, "training": {}}, "damaged"),
        ({"data": {"source": "mnist"}, "training": {"from_": "hf://user/name"}}, "on the command line"),
        ({"data": {"source": "mnist"}, "training": {"from_": str(tmp_path)}}, "on the command line"),
        ({"data": {"source": "mnist"}, "training": {}, "more": "x" * contents.CARD}, "cannot be read"),
        ([], "cannot be read"),
        ({"data": {}, "training": {}, "network": {"name": code}}, "runs no code that you did not name"),
        ({"data": {}, "training": {}, "task": {"loss": code}}, "The studio needs this option when it is started"),
    ]
    for card, message in cards:
        run.experiment.write_text(json.dumps(card))
        status, reply = ask(app, "/api/runs/a/resume", {})
        assert (status, message in reply["detail"]) == (400, True), reply
    run.experiment.write_text(json.dumps({"data": {"source": "mnist"}, "training": {"from_": ""}}))
    for path in (run.checkpoints, run.models):  # old files are removed there
        path.symlink_to(tmp_path)
        assert "is a link" in ask(app, "/api/runs/a/resume", {})[1]["detail"]
        path.unlink()
    assert started == []
    assert ask(app, "/api/runs/a/resume", {})[0] == 201


# ---- what spoils nothing


def strange_runs(root: Path) -> dict[str, str]:
    """Runs of which something is odd; what is said of those that cannot be shown ('': they can)."""
    reasons: dict[str, str] = {}

    def one(name: str, why: str = "") -> Run:
        reasons[name] = why
        return a_run(root / name, 2)

    for part in ("experiment", "log", "metrics", "model", "report", "samples"):
        run = one(f"pipe-{part}", "Remove it")
        path = getattr(run, part)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        os.mkfifo(path)
        run = one(f"link-{part}", "is a link")
        path = getattr(run, part)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.symlink_to("/nowhere")
    os.mkfifo(one("pipe-lock").folder / ".lock")
    os.mkfifo(one("pipe-picture").samples / "fakes_000001.png")
    run = one("names")
    for name in (f"fakes_{'9' * 200}.png", "fakes_000002.png", "fakes_٣.png"):
        (run.samples / name).write_bytes(b"x")
    for name, card in {
        "digits": '{"recipe": 7, "training": {"images": ' + "9" * 400 + "}}",
        "size": '{"spec": {"size": [1]}, "training": {"images": {}}, "classes": {"a": 1}, "task": [], "data": 0}',
        "surrogates": '{"recipe": "\\ud800", "data_name": "\\udfff", "classes": ["\\ud800"], "other_name": [], '
        '"task": {"name": "\\udc00"}, "data": {"\\ud800": "\\ud800"}, "licence": {"a": NaN}, '
        '"training": {"images": Infinity}}',
        "deep": '{"recipe": "x", "data": ' + '{"a": [' * 200 + "]}" * 200 + "}",
        "too-deep": '{"recipe": ' + "[" * 99_999,
        "classes": json.dumps({"classes": [[], {}, None, "x" * 9_999] * 9_999}),
    }.items():
        one(name).experiment.write_text(card)
    run = one("figures")
    odd = [None, "1", [], {}, True, 1e308, -1e308, 10**90, float("nan"), "\ud800"]
    keys = (
        "images",
        "seconds",
        "images_per_second",
        "accuracy_real",
        "accuracy_fake",
        "loss_d",
        "loss_g",
        "lr_d",
        "real",
    )
    for path in (run.log, run.metrics):
        for i in range(60):
            values = {key: odd[(i * 7 + j) % len(odd)] for j, key in enumerate(keys)}
            run.append({**values, **({"images": i} if i % 2 else {}), "metric": odd[i % 10]}, path)
        run.append({"images": 61, "metric": "frechet", "value": 1e308, "diversity": 1e308, "copied": {}}, path)
    with open(run.log, "a") as file:
        file.write('{"images": ' + "9" * 400 + "}\n" + "[" * 5_000 + '\n{"images": 5, "\\ud800": "\\ud800"}\n')
    for part in ("log", "metrics", "model", "report"):
        run = one(f"long-{part}")
        getattr(run, part).touch()
        os.truncate(getattr(run, part), 1_500_000_000)
    one("finished").append({"images": 100})
    (root / "finished" / "model.safetensors").write_bytes(b"\xff" * 99)
    one("two words", "Rename it")
    one("a" * 130, "Rename it")
    one("line\nend", "Rename it")
    one("\udcff", "Rename it")
    (root / "elsewhere").symlink_to(a_run(root.parent / "other").folder)
    reasons["elsewhere"] = "is a link"
    return reasons


def test_one_bad_run_does_not_take_the_list_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    reasons = strange_runs(runs)
    a_run(runs / "good", 3)
    app = create(runs, tmp_path)
    status, reply = ask(app, "/api/runs")
    by_name = {run["name"]: run for run in reply["runs"]}
    assert status == 200
    assert by_name["good"]["images"] == 20
    assert {name.replace("\n", "\\n").replace("\udcff", "\\udcff") for name in reasons} | {"good"} == set(by_name)
    for name, why in reasons.items():
        run = by_name[name.replace("\n", "\\n").replace("\udcff", "\\udcff")]
        assert run.keys() == by_name["good"].keys()
        assert (why in run["error"]) if why else run["error"] is None, (name, run["error"])
        for path in (f"/api/runs/{name}", f"/api/runs/{name}/remarks"):
            status, content = ask(app, path)
            assert status == (200 if not why else 422 if why == "Rename it" else 404), (path, content)
    assert "is not a file" in ask(app, "/api/runs/pipe-log")[1]["detail"]
    assert by_name["surrogates"]["recipe"] == "\\ud800"
    assert (
        "only the last 32,000,000 of its 1,500,000,000 bytes are read"
        in ask(app, "/api/runs/long-log/remarks")[1]["texts"][-1]
    )
    for name in ("pipe-picture/samples/fakes_000001.png", "pipe-report/report"):
        assert ask(app, f"/api/runs/{name}")[0] == 404
    for name in ("names", "figures", "long-log", "surrogates", "digits"):
        for _ in live.new_events(index.Runs(runs).run(name), Cursor()):
            pass

    def breaks(*_: object) -> None:
        raise ZeroDivisionError("a fault that nobody thought of")

    monkeypatch.setattr(index, "best_figure", breaks)
    status, reply = ask(create(runs, tmp_path), "/api/runs")
    assert status == 200
    assert "a fault that nobody thought of" in next(r["error"] for r in reply["runs"] if r["name"] == "good")


def test_a_line_without_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PORTION", 100)
    run = a_run(tmp_path / "run", 3)
    with open(run.log, "a") as file:
        file.write("x" * 1_000 + "\n")
    run.append({"images": 30})
    images, cursor = [], Cursor()
    while events := live.new_events(run, cursor):
        images += [data["images"] for kind, data, _ in events if kind == "row"]
        assert all(kind != "again" for kind, _, _ in events)
        cursor = events[-1][2]
    assert images == [0, 10, 20, 30]


# ---- what is sent

DEEP = [b"[" * n + b"]" * n for n in (50, 400, 5_000)] + [b'{"a":' * 900 + b"1" + b"}" * 900]
BODIES = [
    *DEEP,
    *(b'{"recipe":"mnist","settings":{"a":' + d + b"}}" for d in DEEP),
    *(b'{"%s":' % key + d + b"}" for d in DEEP for key in (b"recipe", b"seeds", b"path", b"images", b"real")),
    *(b'{"seeds":[%s]}' % n for n in (b"9" * 400, b"9" * 5_000, b"NaN", b"1e400", b"-1", b'"\\ud800"', b"Infinity")),
    *(b'{"recipe":"mnist","%s":"%s"}' % (k, v) for k in (b"recipe", b"data", b"to", b"settings")
      for v in (b"\\ud800", b"\\u0000", b"a/" * 190, b"a" * 300, b"~")),
    *(b'{"recipe":"mnist","settings":{"%s":"%s"}}' % (k, v) for k in (b"batch", b"\\ud800", b"")
      for v in (b"\\ud800", b"\\u0000", b"1e30", b"9" * 199, b"nan", b",,", b"1," * 99, b"-1")),
    b"\xff\xfe", b"\x00", b'"', b"", '{"path":"none"}'.encode("utf-16"), b'{"path":"\\ud800"}',
    b'{"path":"' + b"a" * 300 + b'"}',
    b'{"images":' + b"9" * 400 + b"}", b'{"text":"\\ud800"}', b"[" * 300_000, b'"' + b"x" * 300_000 + b'"',
]  # fmt: skip
PLACES = "train forecast runs/a/sheet runs/a/point runs/a/write runs/a/resume data/check games/x "
PLACES += "data/look uploads uploads/delete"


def test_what_is_wrong_with_a_body_is_said(tmp_path: Path, started: list[Any]) -> None:
    """Each of these is the sender's fault: never 500, and nothing is begun."""
    a_run(tmp_path / "runs" / "a", 1).experiment.write_text("{}")
    app = create(tmp_path / "runs", tmp_path)
    before = sorted(path.name for path in (tmp_path / "runs").iterdir())
    for place in PLACES.split():
        for body in BODIES:
            status, reply = ask(app, f"/api/{place}", body)
            assert 400 <= status < 500, (place, body[:60], reply)
    assert started == []
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == before


def test_answers_can_always_be_written(tmp_path: Path) -> None:
    odd = {"\ud800": float("nan"), "a": [float("inf"), "\udfff", 10**90], "é": ({"x": "ü"},)}
    assert contents.as_json(odd) == {"\\ud800": None, "a": [None, "\\udfff", 10**90], "é": [{"x": "ü"}]}
    app = create(tmp_path, tmp_path)
    app.get("/odd")(lambda: odd)
    assert ask(app, "/odd") == (200, contents.as_json(odd))


def test_the_worker_imports_nothing_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    from ganvas.studio import worker

    monkeypatch.delenv(worker.SAFE_PATH, raising=False)
    (tmp_path / "pickle.py").write_text("print('run')")
    command = (sys.executable, "-c", "import pickle")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout  # as Python does it
    with worker.safe_path():
        assert not subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert worker.SAFE_PATH not in os.environ  # later processes of the user's are as they were
