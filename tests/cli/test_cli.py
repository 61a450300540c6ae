"""The command line as a user meets it."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ganvas
from cyclopts import App
from PIL import Image

from ganvas import cli

FLAGS = {  # frozen: a new flag is a decision, not a habit
    "train": ["recipe", "settings", "run", "data", "table", "to", "log", "smoke", "dry_run"],
    "resume": ["folder", "settings", "data", "to", "log"],
    "sample generate": ["model", "seeds", "count", "class_", "truncation", "out", "force"],
    "detect table": ["model", "rows", "table", "alarm", "show", "json", "report", "out", "force"],
    "expand table": ["model", "target", "rare", "out", "count", "data", "seed", "repeats", "force"],
    "restore table": ["model", "rows", "out", "columns", "times", "best", "seed", "force"],
    "sample table": ["model", "count", "seed", "where", "out", "table", "rare", "force"],
    "write generate": ["model", "text", "seed", "truncation", "out", "force"],
    "walk generate": [
        "model",
        "images",
        "seeds",
        "class_",
        "frames",
        "rate",
        "loop",
        "truncation",
        "time_lapse",
        "out",
        "force",
    ],
    "invert generate": ["model", "images", "class_", "out", "force"],
    "detect generate": ["model", "images", "alarm", "json", "report", "against", "data", "out", "force"],
    "expand generate": ["model", "out", "count", "data", "seed", "repeats", "force"],
    "export": ["model", "out", "web", "force"],
    "push": ["model", "target", "force"],
    "evaluate": [
        "source",
        "metrics",
        "extractor",
        "count",
        "split",
        "seed",
        "repeats",
        "data",
        "out",
        "time_limit",
        "against",
        "to",
        "force",
    ],
    "studio": ["runs", "data", "host", "port"],
    "translate": ["model", "images", "out", "to", "sheet", "force"],
    "restore restore": ["model", "images", "out", "mask", "colour", "invented", "sheet", "mask_hole", "force"],
    "compare": ["sources"],
    "recipes": ["name", "settings"],
    "info": ["model"],
    "data cache": ["clear"],
    "data check": ["path", "settings", "json", "columns", "out", "for_", "force"],
    "data pack": ["path", "out", "settings"],
    "bench modes": ["model", "count", "seed"],
    "restore restore-sound": ["model", "sounds", "out", "form", "force"],
    "sample sound": ["model", "seeds", "count", "class_", "truncation", "out", "form", "force"],
    "walk sound": ["model", "recordings", "seeds", "class_", "steps", "every", "loop", "truncation", "out", "force"],
    "invert sound": ["model", "recordings", "class_", "out", "force"],
    "write sound": ["model", "text", "seed", "truncation", "out", "force"],
    "expand sound": ["model", "out", "count", "data", "seed", "repeats", "form", "force"],
    "detect sound": ["model", "recordings", "class_", "alarm", "show", "json", "report", "out", "force"],
}


def commands(group: App, words: tuple[str, ...] = ()) -> list[str]:
    """The commands of a group as a user types them: 'train', 'bench modes'."""
    names = [name for name in group if not name.startswith("-")]
    below = {name: commands(group[name], (*words, name)) for name in names}
    return [text for name in names for text in below[name] or [" ".join((*words, name))]]


def test_flags_are_frozen() -> None:
    assert set(commands(cli.app)) == set(FLAGS)
    for name, parameters in FLAGS.items():
        command = cli.app
        for word in name.split():
            command = command[word]
        assert command.default_command is not None
        assert list(inspect.signature(command.default_command).parameters) == parameters


def test_help_answers_without_torch() -> None:
    show = "ganvas.cli.app(['--help'], result_action='return_value')"
    code = f"import sys, ganvas.cli; {show}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "train" in done.stdout


@pytest.fixture(scope="module")
def trained(blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished smoke run in `run`."""
    place = tmp_path_factory.mktemp("trained")
    done = ganvas("train", "mnist", "batch=16", "--smoke", "--run", "run", "--data", str(blobs), cwd=place)
    assert done.returncode == 0, done.stderr
    assert "Loss_D" in done.stdout
    assert "D(G(z))" in done.stdout
    for name in ("report.html", "model.safetensors", "ganvas sample run", "ganvas resume run images=640"):
        assert name in done.stdout
    return place


def test_a_run_leaves_the_files_that_the_design_names(trained: Path) -> None:
    names = {p.relative_to(trained / "run").as_posix() for p in (trained / "run").rglob("*") if p.is_file()}
    assert {
        "experiment.json",
        "log.jsonl",
        "metrics.jsonl",
        "model.safetensors",
        "report.html",
        "samples/reals.png",
        "samples/fakes_init.png",
        "samples/fakes_000000.png",
    } <= names
    row = json.loads((trained / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert {"images", "epoch", "seconds", "loss_d", "loss_g", "accuracy_real", "accuracy_fake"} <= row.keys()
    assert {"accuracy_held_out", "d_real", "d_fake", "lr_g", "lr_d", "images_per_second"} <= row.keys()
    assert row["images"] == 320


def test_sample_writes_a_sheet_and_single_files(trained: Path) -> None:
    sheet = ganvas("sample", "run", "--seeds", "0-5", "--class", "1", "--out", "sheet.png", cwd=trained)
    assert sheet.returncode == 0, sheet.stderr
    with Image.open(trained / "sheet.png") as picture:
        assert picture.mode == "L"
        assert picture.width % 12 == 0
    assert ganvas("sample", "run/model.safetensors", "--seeds", "3,8-9", "--out", "one", cwd=trained).returncode == 0
    assert sorted(p.relative_to(trained / "one").as_posix() for p in (trained / "one").rglob("*.png")) == [
        "0/seed000003.png",
        "0/seed000009.png",
        "1/seed000008.png",
    ]
    done = ganvas("sample", "run", "--count", "300", "--seeds", "7", "--out", "many.npz", cwd=trained)
    assert done.returncode == 0, done.stderr
    with np.load(trained / "many.npz") as file:
        assert file["images"].shape == (300, 12, 12)
        assert file["seeds"].tolist() == list(range(7, 307))


def test_write_walk_and_invert_leave_pictures(trained: Path) -> None:
    for arguments in (
        ["write", "run", "0110", "--out", "written.png"],
        ["walk", "run", "--seeds", "1,2", "--frames", "2", "--out", "walk.gif"],
        ["walk", "run", "--time-lapse", "--out", "growth.webp"],
        ["invert", "run", "run/samples/reals.png", "--out", "inverted.png"],
        ["walk", "run", "run/samples/reals.png", "written.png", "--frames", "2", "--out", "between.gif"],
    ):
        done = ganvas(*arguments, cwd=trained)
        assert done.returncode == 0, done.stderr
        with Image.open(trained / arguments[-1]) as picture:
            assert picture.size[0] >= 12
    assert "to 12x12 pixels" in done.stdout


def test_a_broken_image_among_good_ones_is_named_and_passed_over(trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "run" / "samples" / "reals.png", tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    done = ganvas("invert", str(trained / "run"), "good.png", "bad.png", cwd=tmp_path)
    assert done.returncode == 1
    assert "bad.png cannot be read as a picture" in done.stderr
    assert "1 of 2 files was skipped" in done.stderr
    assert (tmp_path / "inverted.png").is_file()


def test_a_finished_run_says_how_to_extend_it(trained: Path) -> None:
    done = ganvas("resume", "run", cwd=trained)
    assert done.returncode == 0
    assert "finished" in done.stdout


def test_info_tells_the_essentials(trained: Path) -> None:
    done = ganvas("info", "run", cwd=trained)
    assert done.returncode == 0, done.stderr
    for text in ("mnist", "12x12 grey", "classes: 0, 1", "320 of 320 images", "training.lr_g"):
        assert text in done.stdout


def test_recipes_are_listed_and_shown(tmp_path: Path) -> None:
    assert {line.split()[0] for line in ganvas("recipes", cwd=tmp_path).stdout.splitlines()} == {
        "mnist",
        "mnist-best",
        "mnist-unlabelled",
        "stacked-mnist",
        "classic-mlp",
        "classic-dcgan",
        "classic-dcgan-64",
        "images",
        "photos",
        "few",
        "sound",
        "sound-few",
        "denoise-sound",
        "denoise",
        "derain",
        "superres",
        "inpaint",
        "translate",
        "table",
    }
    assert "flagship" in ganvas("recipes", "mnist", cwd=tmp_path).stdout
    lines = ganvas("recipes", "few", "--settings", cwd=tmp_path).stdout.splitlines()
    first = lines[lines.index("Often changed") + 1 :]
    assert first[0].split()[:3] == ["source", "-", "--data:"]
    assert any(line.split()[:2] == ["batch", "8"] and line.endswith("of all processes together") for line in first)
    assert {"Data", "Networks", "Losses and what is learned", "Training"} < {*first}
    assert not [line for line in first if "from_ " in line or len(line) > 100]


def test_dry_run_writes_nothing_and_forecasts(blobs: Path, tmp_path: Path) -> None:
    done = ganvas("train", "classic-mlp", "--dry-run", "--data", str(blobs), "images=2M", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Forecast" in done.stdout
    assert "2,000,000 images" in done.stdout
    assert "learning rate of the generator" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_of_ones_own(blobs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from ganvas.api import find\n\n"
        "def tiny():\n    return find('classic-mlp').override({'width': '8', 'batch': '10'})\n"
    )
    done = ganvas("train", "mine.py:tiny", "--smoke", "--data", str(blobs), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ganvas("train", "mine.py:tinny", "--smoke", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "mnits"], "Did you mean 'mnist'"),
        (["train", "mnist", "imgaes=2M"], "Did you mean 'images'"),
        (["train", "mnist", "images"], "key=value"),
        (["train", "mnist", "lr_g=fast"], "'fast' is not a number"),
        (["train", "mnist", "images=0"], "at least 1"),
        (["train", "mnist", "images=2.5"], "whole number"),
        (["train", "mnist", "loss=hingy"], "Did you mean 'hinge'"),
        (["train", "mnist", "device=cuda", "--smoke"], "device=auto"),
        (["train", "mnist", "--data", "no/such/folder"], "no/such/folder"),
        (["train", "mnist", "--data", "minst"], "Did you mean 'mnist'"),
        (["train", "nowhere.py:mine"], "nowhere.py"),
        (["sample", "nothing"], "no run or model nothing"),
        (["sample", "RUN", "--class", "7"], "This model has no class '7'. Valid: 0, 1."),
        (["sample", "RUN", "--seeds", "9-3"], "--seeds 9-3"),
        (["sample", "RUN", "--seeds", "x"], "--seeds x"),
        (["sample", "RUN", "--seeds", "0-9999999"], "too many for one sheet"),
        (["sample", "RUN", "--count", "0"], "at least 1 picture"),
        (["sample", "RUN", "--count", "5", "--seeds", "0-9"], "contradict"),
        (["sample", "RUN", "--truncation", "-1"], "above 0"),
        (["sample", "RUN", "--out", "x.tar"], "NAME.npz"),
        (["write", "RUN", "7"], "This model cannot write '7'; it knows 0 and 1"),
        (["walk", "RUN", "--seeds", "4"], "at least two pictures"),
        (["walk", "RUN", "--time-lapse", "--seeds", "0-7"], "--seeds cannot be used with --time-lapse: leave it out"),
        (["walk", "RUN", "--time-lapse", "--frames", "0"], "--frames cannot be used with --time-lapse: leave it out"),
        (["walk", "RUN", ".", ".", "--seeds", "1", "--truncation", "1"], "--seeds, --truncation cannot be"),
        (["detect", "RUN", ".", "--data", "RUN"], "--data cannot be used without --report: leave it out"),
        (["detect", "RUN", ".", "--report", "--json"], "IMAGES, --json cannot be used with --report: leave them"),
        (["walk", "RUN", "--out", "x.avi"], ".webp"),
        (["walk", "RUN", "nowhere.png", "nothing.png"], "no file or folder"),
        (["invert", "RUN"], "Name at least one image"),
        (["detect", "RUN", "x.png"], "no file or folder"),
        (["expand", "RUN", "--out", "x", "--count", "0"], "at least 1 picture"),
        (["push", "RUN", "hf://digits"], "hf://user/name"),
        (["info", "."], "not a run's folder"),
        (["resume", "."], "not a run's folder"),
        (["resume", "RUN", "lr_g=1"], "training.lr_g"),
        (["train", "classic-mlp", "--run", "RUN"], "holds a run of mnist, not of classic-mlp. Choose another --run"),
        (["train", "denoise", "--run", "RUN"], "holds a run of mnist, not of denoise."),
        (["recipes", "flagship"], "no recipe"),
        (["bench", "modes", "RUN"], "1x12x12 pictures of blobs"),
        (["bench", "modes", "nothing"], "no run or model nothing"),
        (["bench", "mods"], "Did you mean"),
        (["data", "check", "no/such/folder"], "no/such/folder"),
        (["train"], "recipe"),
        (["train", "images"], "name them with --data."),
        (["train", "mnist", "freeze=9", "from=RUN"], "freeze 2 at most"),
        (["train", "mnist", "freeze=1"], "name one with from=, or leave freeze out"),
        (["trian", "mnist"], "Did you mean"),
        (["train", "mnist", "--fast"], "--fast"),
        (["generate", "RUN"], "Did you mean 'sample'"),
        (["sample"], "Which model? Name a run"),
    ],
)
def test_mistakes_end_with_2_and_a_sentence(arguments: list[str], words: str, trained: Path, tmp_path: Path) -> None:
    done = ganvas(*[a.replace("RUN", str(trained / "run")) for a in arguments], cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []  # a mistake leaves nothing behind


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = ganvas("train", "mnits", "--debug", cwd=tmp_path)
    assert done.returncode != 0
    assert "Traceback" in done.stderr
