"""Mistakes that the command line finds before torch is imported."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ganvas
from points import PointsTask

from ganvas.api import RECIPES
from ganvas.cli import early, names
from ganvas.core import registry
from ganvas.core.errors import UserError

SCRIPT = Path(__file__).parents[2] / "docs" / "make_names.py"
MISTAKES = [
    ("train mnits", "There is no recipe 'mnits'. Did you mean 'mnist'?"),
    ("train mnist imgs=1000", "Did you mean 'images'?"),
    ("train mnist --imgs 1000", "Did you mean '--images'?"),
    ("train mnist --images", "images=VALUE"),
    ("train mnist images=lots", "'lots' is not a whole number"),
    ("train mnist batch=0", "at least 2"),
    ("train mnist loss=hingy", "Did you mean 'hinge'?"),
    ("train mnist images", "key=value"),
    ("train mnist --table orders", "There is no setting 'table'"),
    ("train mnist from=nothing", "There is no run or model nothing. "),
    ("train images --data photo", "Did you mean photos?"),
    ("train images --data minst", "Did you mean 'mnist'?"),
    ("train sound --data nothing", "There is no file or folder nothing."),
    ("train translate --data photos --to picture/s", "There is no file or folder picture/s."),
    ("train mine.py:mine", "There is no file mine.py."),
    ("resume photos", "photos is not a run's folder"),
    ("recipes flagship", "There is no recipe 'flagship'."),
    ("data check photo", "Did you mean photos?"),
    ("sample nothing", "There is no run or model nothing. "),
    ("detect photos nothing.png", "There is no file or folder nothing.png."),
    ("sample --seeds 7", "Which model? Name a run, such as:  "),
    ("restore old.jpg", "There is no file or folder old.jpg."),
    ("train denoise --data photos degrade=nois:25", "There is no damage 'nois'. Did you mean 'noise'?"),
    ("train superres --data photos degrade=down:3", "'down:3' is not possible"),
    ("train denoise-sound --data photos degrade=wite:10", "There is no noise 'wite'. Did you mean 'white'?"),
    ("write hello", "Without a model Ganvas writes numbers: "),
    ("info nothing", "There is no run or model nothing. "),
    ("evaluate nothing", "There is no run or model nothing. "),
    ("generate runs/first", "sample runs/first"),
]


def test_a_mistake_is_said_without_torch(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    code = (
        "import json, sys\nfrom ganvas.cli import early\nfound = []\n"
        "for words in json.load(sys.stdin):\n"
        "    try:\n        early.checked(words.split())\n        found.append('')\n"
        "    except Exception as error:\n        found.append(f'{type(error).__name__}: {error}')\n"
        "print(json.dumps([found, 'torch' in sys.modules]))\n"
    )
    given = json.dumps([words for words, _ in MISTAKES])
    done = subprocess.run(
        [sys.executable, "-c", code], input=given, capture_output=True, text=True, cwd=tmp_path, timeout=900
    )
    assert done.returncode == 0, done.stderr
    found, torch = json.loads(done.stdout)
    assert not torch
    for (words, says), sentence in zip(MISTAKES, found, strict=True):
        assert sentence.startswith("UserError: "), words
        assert says in sentence, words


def test_the_table_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    assert importlib.import_module(SCRIPT.stem).text() == names.NAMES.read_text(), "run make generated"


def test_the_table_refuses_nothing_that_a_recipe_takes() -> None:
    for name, recipe in RECIPES.items():
        card = recipe().to_dict()
        settings = {
            key: value for section in ("data", "network", "task", "training") for key, value in card[section].items()
        }
        texts = {
            k: ",".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in settings.items() if k != "name"
        }
        early.check_settings(name, texts)
    early.check_settings("table", {"column.zip": "category"})


@pytest.mark.parametrize(("key", "text"), [("imgs", "1"), ("batch", "0"), ("lr_g", "fast"), ("fit", "cropp")])
def test_the_sentence_is_that_of_the_recipe(key: str, text: str) -> None:
    with pytest.raises(UserError) as late:
        RECIPES["mnist"]().override({key: text})
    with pytest.raises(UserError) as soon:
        early.check_settings("mnist", {key: text})
    assert str(soon.value) == str(late.value)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("train mnist --images 1000 --run x", "train mnist --run x images=1000"),
        ("train --images 1000 mnist", "train mnist images=1000"),
        ("train mnist --images 1000 --run", "train mnist images=1000 --run"),
        ("train mnist --lr-g=1e-4 seed=1", "train mnist seed=1 lr_g=1e-4"),
        ("train mnist --mirror --dry-run", "train mnist --dry-run mirror=true"),
        ("train mnist --mirror false", "train mnist mirror=false"),
        ("train mnist --no-labels", "train mnist labels=false"),
        ("train --data mnist images --size 32", "train --data mnist images size=32"),
        ("train mnist --dry-run seed=1", "train mnist --dry-run seed=1"),
        ("train table --column.zip category", "train table column.zip=category"),
        ("data check . --json --rate 22050", "data check . --json rate=22050"),
        ("data pack mnist x --size 32", "data pack mnist x size=32"),
    ],
)
def test_settings_may_be_written_as_options(words: str, meant: str) -> None:
    assert early.checked(words.split()) == meant.split()


def test_a_setting_as_an_option_reaches_the_training(blobs: Path, tmp_path: Path) -> None:
    done = ganvas("train", "classic-mlp", "--images", "2M", "--dry-run", "--data", str(blobs), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2,000,000 images" in done.stdout


def test_names_of_other_tasks_and_recipes_in_files_are_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def mine(): ...")
    words = ["train", "mine.py:mine", "--speed", "3"]
    assert early.checked(words) == ["train", "mine.py:mine", "speed=3"]
    monkeypatch.setitem(registry.TASKS, "points", PointsTask)
    assert early.checked(["train", "points", "--speed", "3"]) == ["train", "points", "speed=3"]


def test_the_example_is_the_newest_run_that_suits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("00000-a", "00001-b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "model.safetensors").write_bytes(b"no model")
    monkeypatch.setattr(early, "task_among", lambda words: "generate" if "00000" in words[0] else "restore")
    monkeypatch.setattr(early.shipped, "names", list)
    with pytest.raises(UserError, match=r"sample runs/00000-a --seeds 7$"):
        early.checked(["sample", "--seeds", "7"])
