"""Scripts that say the names of before version 0.2 work, and are warned."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import ganvas
from ganvas.core import old_names, registry
from ganvas.core.run import Run
from ganvas.training.batches import Batch

pytestmark = pytest.mark.long

SOURCE = Path(ganvas.__file__).parent
SAID = """
from ganvas.api import train
from ganvas.charts import chart
from ganvas.checkpoint import Damaged, digest, load
from ganvas.classical import FILTERS, bicubic, bilateral, diffusion_fill, gaussian, median, non_local_means
from ganvas.config import knob
from ganvas.data import Batch, Batches, DATASETS, ImageData, Split, load, loading
from ganvas.data.idx import read
from ganvas.data.listing import Listing
from ganvas.data.pack import Pack
from ganvas.data.sets import HELD_OUT, ImageData
from ganvas.degrade import DEGRADATIONS
from ganvas.detection import Detector, auroc
from ganvas.doctor import headline, remarks
from ganvas.ema import update
from ganvas.errors import UserError, unknown
from ganvas.evaluation import Doing, Written, evaluate
from ganvas.events import Evaluated, Event, Logged, Measured, Noted, Sampled, Saved, Started, Stepped, Warned
from ganvas.experiment import DataConfig, Experiment, SECTIONS
from ganvas.figures import Figure, Protocol, compare, figures_of
from ganvas.files import make_folder, write_whole
from ganvas.fitting import Depth, SUFFIXES, Shape
from ganvas.images import grid, join, levels, png, read, save_grid, to_float, to_pil, to_uint8
from ganvas.inversion import Inverted, invert
from ganvas.judging import judge
from ganvas.lettering import write
from ganvas.loading import load, task
from ganvas.locate import locate
from ganvas.losses import LOSSES, Objective, accuracy, gradient_penalty, squared_gradient
from ganvas.metrics import METRICS, Pair, Seen, Side, copies, distances, enough, extractors, neighbours
from ganvas.metrics.colours import followed
from ganvas.metrics.digits import DigitClassifier
from ganvas.metrics.expert import Verdict
from ganvas.metrics.fidelity import psnr, ssim
from ganvas.mending import restore
from ganvas.modes import TOYS, Toy, ring, score, toy_score
from ganvas.networks import ALL, BETWEEN, BY_TASK, FROM_IMAGES, NETWORKS, build, pyramid, shuffle, translator, unet
from ganvas.networks.translator import Config, Discriminator, Generator, Translator
from ganvas.networks.unet import Config, Discriminator, Generator
from ganvas.originals import Original
from ganvas.outputs import Portion, save
from ganvas.pictures import Pictures
from ganvas.recipes import RECIPES, classic_dcgan_64_recipe, classic_dcgan_recipe, classic_mlp_recipe, denoise, derain
from ganvas.recipes import few, find, images, inpaint, mnist, mnist_best, mnist_unlabelled, stacked_mnist, superres
from ganvas.recipes import translate_recipe
from ganvas.report import CSS, write
from ganvas.restoring import Restorer, last, load
from ganvas.run import Run
from ganvas.sample import BATCH, Model, Verdict, load, networks_of, task_of
from ganvas.seeds import generator, key, latents, plant
from ganvas.selection import Selector, pick
from ganvas.sources import trained_on
from ganvas.spec import ImageSpec, drawable
from ganvas.tasks import TASKS, generate, restore, translate
from ganvas.tasks.base import Task
from ganvas.tasks.generate import Config, GenerateTask
from ganvas.tasks.restore import Config, RestoreTask
from ganvas.tasks.translate import Config, TranslateTask
from ganvas.trainer import Config, Trainer, choose_device, choose_precision
from ganvas.training import fit
from ganvas.translating import Translator, load
from ganvas.walks import walk
from ganvas.weighing import weigh
"""
PAIRS = [
    (module, name)
    for module, names in re.findall(r"from ganvas\.(\S+) import (.+)", SAID)
    for name in names.split(", ")
]


def called(old: str, name: str) -> Any:
    """What `from ganvas.old import name` gives."""
    space: dict[str, Any] = {}
    exec(f"from ganvas.{old} import {name}", space)
    return space[name]


def test_no_old_name_is_that_of_a_file() -> None:
    """It would hide the file."""
    for old in old_names.MODULES:
        path = SOURCE / old.replace(".", "/")
        assert not path.with_suffix(".py").exists(), old
        assert not (path / "__init__.py").exists(), old


@pytest.mark.parametrize("old", old_names.MODULES)
def test_every_old_module_leads_to_a_file(old: str) -> None:
    assert importlib.import_module(f"ganvas.{old}").__name__ == f"ganvas.{old}"
    modules = [new for new in old_names.MODULES[old].split() if importlib.util.find_spec(f"ganvas.{new}")]
    assert modules[:1] == old_names.MODULES[old].split()[:1]


@pytest.mark.parametrize("name", old_names.NAMES)
def test_every_old_name_leads_to_something(name: str) -> None:
    module, _, inner = name.rpartition(".")
    with pytest.warns(FutureWarning, match=rf"^ganvas\.{re.escape(name)} is now ganvas\."):
        called(module, inner)


@pytest.mark.parametrize(("old", "name"), PAIRS)
def test_what_scripts_say_is_the_same_object_with_a_warning(old: str, name: str) -> None:
    moved = old in old_names.MODULES or f"{old}.{name}" in old_names.NAMES
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = called(old, name)
    texts = [str(w.message) for w in caught if w.category is FutureWarning]
    if not moved or isinstance(value, type(sys)):  # a module's names warn, not the module
        return
    assert texts, "no warning"
    place = re.match(rf"ganvas\.{re.escape(old)}\.{name} is now (ganvas[\w.]+)[ ;]", texts[0])
    assert place is not None, texts[0]
    module, _, inner = place[1].rpartition(".")
    if inner != "TASKS" and "networks" not in inner:  # which are made anew
        assert getattr(importlib.import_module(module), inner) is value


def test_a_class_is_one_class_by_both_names() -> None:
    from ganvas.training.trainer import Config

    with pytest.warns(FutureWarning):
        assert pickle.loads(b"cganvas.trainer\nConfig\n.") is Config  # as an older version wrote it
    assert pickle.loads(pickle.dumps(Config(images=3))) == Config(images=3)
    assert Config.__module__ == "ganvas.training.trainer"


def test_all_networks_and_tasks() -> None:
    assert old_names.all_networks().keys() >= {"shuffle", "unet", "translator"}
    assert old_names.networks_by_task().keys() == old_names.all_tasks().keys() == set(registry.names())
    assert old_names.all_tasks()["generate"] is registry.find("generate")


def test_what_was_renamed_inside(tmp_path: Path) -> None:
    batch = Batch(torch.zeros(1, 1, 4, 4), None, 0)
    with pytest.warns(FutureWarning, match=r"Batch\.real"):
        assert batch.images is batch.real
    with pytest.warns(FutureWarning, match=r"Run\.previews"):
        assert Run(tmp_path).pictures() == []
    from ganvas.api import find

    with pytest.warns(FutureWarning, match=r"Experiment\.data\.source"):
        assert find("mnist").source() == "mnist"
    with pytest.warns(FutureWarning), pytest.raises(ganvas.UserError, match="name them with --data"):
        find("denoise").source()


def test_names_that_never_were_are_refused() -> None:
    with pytest.raises(ImportError):
        called("losses", "no_such_loss")
    with pytest.raises(ImportError):
        called("images", "no_such_name")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("ganvas.no_such_module")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("ganvas.data.no_such_module")


def test_a_script_is_warned_at_its_own_line_and_the_new_names_do_not_warn(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    new = "import ganvas.cli\nfrom ganvas.api import find\nfrom ganvas.training.losses import LOSSES\nganvas.load\n"
    script.write_text(
        new + "from ganvas import losses\nimport ganvas.images as im\nfrom ganvas.recipes import find\n"
        "print(len(losses.LOSSES), im.to_float.__name__, find('mnist').recipe)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=900)
    assert done.stdout.endswith(" to_float mnist\n"), done.stderr
    lines = re.findall(r"mine\.py:(\d+): FutureWarning: (\S+) is now (\S+);", done.stderr)
    assert lines == [
        ("7", "ganvas.recipes.find", "ganvas.api.find"),
        ("8", "ganvas.losses.LOSSES", "ganvas.training.losses.LOSSES"),
        ("8", "ganvas.images.to_float", "ganvas.images.tensors.to_float"),
    ]
    assert done.returncode == 0
    assert done.stderr.count("Warning") == len(lines)  # none by the new names
