"""The deployment's files say how the studio is started; it is started exactly so, and talked to."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

pytest.importorskip("fastapi")

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOKEN = "a token of more than sixteen"


def commands() -> dict[str, list[str]]:
    """The start command of each file."""
    docker = re.search(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    manifest = re.search(r"^ *command: (.*)$", (DEPLOY / "cloudfoundry" / "manifest.yml").read_text(), re.MULTILINE)
    assert docker is not None
    assert manifest is not None
    procfile = (DEPLOY / "cloudfoundry" / "Procfile").read_text().removeprefix("web: ")
    return {
        "Dockerfile": json.loads(docker[1]),
        "manifest": shlex.split(manifest[1]),
        "Procfile": shlex.split(procfile),
    }


def test_procfile_and_manifest_agree() -> None:
    found = commands()
    assert found["Procfile"] == found["manifest"]
    manifest = (DEPLOY / "cloudfoundry" / "manifest.yml").read_text()
    assert "health-check-http-endpoint: /health" in manifest
    assert "studio,export" in (DEPLOY / "cloudfoundry" / "requirements.txt").read_text()
    docker = (DEPLOY / "Dockerfile").read_text()
    assert docker.index("USER ganvas") < docker.index("\nCMD ")
    for name in re.findall(r"^COPY (.+) \S+$", docker, re.MULTILINE):
        assert all((ROOT / part).exists() for part in name.split())


def test_the_files_start_the_same_but_for_the_folder_of_pictures() -> None:
    docker, procfile = commands()["Dockerfile"], commands()["Procfile"]
    assert docker[:-1] == procfile[:-1]
    assert docker[-2] == "--data"


@pytest.fixture
def port(file: str, tmp_path: Path) -> Iterator[int]:
    """The studio as the file starts it, with nothing set but what the platform sets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    bare = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    (tmp_path / "pictures").mkdir()
    process = subprocess.Popen(commands()[file], cwd=tmp_path, env={**bare, "PORT": str(number), "GANVAS_TOKEN": TOKEN})
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{number}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield number
    finally:
        process.terminate()
        assert process.wait(900) is not None


@pytest.mark.parametrize(
    "file", ["Procfile", pytest.param("Dockerfile", marks=pytest.mark.slow)]
)  # all but --data alike
def test_it_runs_as_the_files_say(port: int, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{port}"
    outside = {"Host": "ganvas.apps.example", "X-Forwarded-Proto": "https"}

    def ask(path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, str]:
        asked = urllib.request.Request(address + path, body, {**outside, **(headers or {})})
        try:
            with urllib.request.urlopen(asked, timeout=900) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    assert json.loads(ask("/health")[1])["status"] == "ok"
    assert ask("/api/runs")[0] == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert json.loads(ask("/api/runs", bearer)[1])["runs"] == []
    wanted = json.dumps({"recipe": "mnist", "settings": {"images": "64", "batch": "32", "detect": "0"}}).encode()
    own = {**bearer, "X-Ganvas": "1", "Content-Type": "application/json", "Origin": "https://ganvas.apps.example"}
    status, made = ask("/api/train", own, wanted)
    assert status == 201, made
    name = json.loads(made)["run"]
    end = time.monotonic() + 900
    while not (tmp_path / "runs" / name / "model.safetensors").exists():
        assert time.monotonic() < end, os.listdir(tmp_path)
        time.sleep(0.3)
    while json.loads(ask("/api/runs", bearer)[1])["runs"][0]["state"] != "finished":
        assert time.monotonic() < end
        time.sleep(0.3)
