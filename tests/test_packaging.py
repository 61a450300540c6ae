"""The package: its wheel and sdist hold what belongs there; the workflows name what there is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def in_git(*under: str) -> list[str]:
    """The files that belong to the repository, also before they are committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *under]
    done = subprocess.run(command, cwd=ROOT, capture_output=True)
    if done.returncode:
        pytest.skip("not in a git repository")
    return [name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.long
def test_wheel_and_sdist_hold_all_files(tmp_path: Path) -> None:
    pytest.importorskip("build.env")  # not build/, the folder
    names = in_git("src", "pyproject.toml", "README.md", "LICENSE")
    for name in names:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / "tree" / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), "."]
    done = subprocess.run(command, cwd=tmp_path / "tree", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    sources = {name.removeprefix("src/") for name in names if name.startswith("src/")}
    with zipfile.ZipFile(wheel) as file:
        info = [name for name in file.namelist() if ".dist-info/" in name]
        assert {*file.namelist()} - {*info} == sources
        metadata = file.read(next(name for name in info if name.endswith("/METADATA"))).decode()
        assert "ganvas = ganvas.cli:main" in file.read(next(n for n in info if n.endswith("entry_points.txt"))).decode()
    with tarfile.open(sdist) as file:
        assert {f"src/{name}" for name in sources} <= {name.partition("/")[2] for name in file.getnames()}
    licences = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license-files"]
    assert {*re.findall(r"^License-File: (.+)$", metadata, re.MULTILINE)} == {*licences}


def test_the_notices_of_all_folders_are_licence_files() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license-files"]
    assert {*named} == {"LICENSE", *(name for name in in_git("src") if name.endswith("/NOTICE"))}


def loaded(path: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in content.items()}  # YAML 1.1 reads `on` as true


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_a_workflow_is_sound(path: Path) -> None:
    text, workflow = path.read_text(encoding="utf-8"), loaded(path)
    assert workflow.keys() >= {"name", "on", "permissions", "jobs"}
    assert workflow["permissions"] == {"contents": "read"}, "each job asks for more where it needs it"
    assert "secrets." not in text
    assert not re.findall(r"https?://|github\.com", text), "it names no repository and no address"
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name, job in workflow["jobs"].items():
        assert "runs-on" in job, name
        assert "timeout-minutes" in job, name
        assert {*([job["needs"]] if isinstance(job.get("needs"), str) else [])} <= workflow["jobs"].keys()
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), name
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+|[0-9a-f]{40})", step.get("uses", "a/b@v1")), step
            for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", "")):
                assert target in targets, target
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
            assert "${{ github." not in step.get("run", ""), "what others may have written would be run"


def test_only_the_job_that_publishes_can() -> None:
    assert [path.name for path in WORKFLOWS] == ["docs.yml", "release.yml", "tests.yml"]
    release = loaded(ROOT / ".github" / "workflows" / "release.yml")
    assert release["on"] == {"push": {"tags": ["v*"]}}
    build, publish = release["jobs"]["build"], release["jobs"]["publish"]
    assert "permissions" not in build
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == {"name": "pypi"}
    assert not [step for step in publish["steps"] if "run" in step]
    last = publish["steps"][-1]
    assert last["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert last["with"] == {"attestations": True}


def test_the_constraints_name_what_the_extras_need() -> None:
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
              for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}  # fmt: skip
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [name for extra in ("dev", "docs") for name in project["optional-dependencies"][extra]]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[>=;]", name)[0]).lower() for name in wanted} - {"setuptools"}
    assert not names - pinned
