"""What several tests need: a tiny data set, quick versions of the recipes, and the command line as a user runs it."""

from __future__ import annotations

import dataclasses
import gc
import gzip
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

if TYPE_CHECKING:  # xdist's first process needs no torch, and the others wait for it
    from command import Completed

    from ganvas.training.experiment import Experiment

gc.disable()  # until the tests begin
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a training would choose its threads by the machine's load

LONGEST = (  # files of tests, the longest first
    "studio/test_studio_pages.py",
    "test_readme.py",
    "training/test_resume.py",
    "studio/test_studio.py",
    "training/test_distributed.py",
    "tasks/translate/test_translate.py",
    "tasks/restore/test_restore.py",
    "export/test_export.py",
    "tables/test_rules.py",
    "core/test_odd_models.py",
    "tasks/table/test_table_privacy.py",
    "metrics/test_two_sample.py",
    "tasks/table/test_several_tables.py",
    "training/test_golden.py",
    "cli/test_cli.py",
    "tasks/table/test_table_use.py",
    "networks/test_networks.py",
    "tasks/generate/test_modes.py",
    "tables/test_table_data.py",
    "tasks/table/test_rules_in_use.py",
    "tasks/restore/test_classical.py",
    "fuzz/test_fuzz.py",
    "tasks/test_points.py",
    "tasks/generate/test_detect.py",
    "images/test_survey.py",
    "tasks/generate/test_expand.py",
    "studio/test_studio_tables.py",
    "training/test_background.py",
    "export/test_deploy.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that all workers end together; the Makefile forbids xdist an order of its own."""
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """What is imported stays: nothing of it needs to be looked through again and again."""
    gc.freeze()
    gc.enable()


def ganvas(*arguments: str, cwd: Path) -> Completed:
    """The command line in this process, see `command.ganvas`."""
    import command

    return command.ganvas(*arguments, cwd=cwd)


def write_idx(path: Path, array: np.ndarray) -> None:
    """An IDX file of unsigned bytes, gzipped where the name says so."""
    data = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)


def write_blobs(folder: Path, train: int, held_out: int, seed: int = 0) -> Path:
    """IDX files with pictures of 12 pixels in two classes, a bright left or a bright right half."""
    random = np.random.default_rng(seed)
    for name, count in (("train", train), ("t10k", held_out)):
        labels = random.integers(0, 2, count).astype(np.uint8)
        images = random.integers(0, 40, (count, 12, 12)).astype(np.uint8)
        images[labels == 0, :, :6] += 200
        images[labels == 1, :, 6:] += 200
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels)
    return folder


def write_rows(path: Path, count: int, seed: int = 0) -> Path:
    """A CSV file of orders: a number with a spike, a country, a day, whether it was paid; some cells are missing."""
    random = np.random.default_rng(seed)
    countries = np.array(["Chile", "Kenya", "Norway"])[random.choice(3, count, p=[0.6, 0.3, 0.1])]
    rebate = np.where(random.random(count) < 0.7, 0, random.integers(1, 40, count))
    days = np.datetime64("2025-01-01") + random.integers(0, 365, count)
    rows = zip(np.arange(1, count + 1), countries, random.gamma(4, 25, count), rebate, days, strict=True)
    lines = [f"{i},{'' if i % 17 == 0 else c},{price:.2f},{r},{d},{price > 90}" for i, c, price, r, d in rows]
    path.write_text("\n".join(["order_id,country,price,rebate,day,large", *lines]) + "\n")
    return path


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of the tests' own, and a cache that all workers of a call share: the user's are left alone."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(place))
        patch.setenv("XDG_CACHE_HOME", str(common(tmp_path_factory) / "cache"))
        yield place


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of IDX files: 300 + 100 pictures."""
    return write_blobs(tmp_path_factory.mktemp("blobs"), 300, 100)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of the flagship's kind on 600 + 400 such pictures: enough for a detector."""

    def make(place: Path) -> None:
        for _ in quick("mnist", write_blobs(place, 600, 400), steps=60).run(place / "run"):
            pass

    return once("run", make, tmp_path_factory) / "run"


@pytest.fixture(scope="session")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the networks of that run as ONNX, and in files.json by how much each differs from torch."""

    def make(place: Path) -> None:
        from ganvas.export import onnx
        from ganvas.tasks.generate import model

        files = onnx.export(model.load(run), place)
        (place / "files.json").write_text(json.dumps({file.path.name: file.difference for file in files}))

    return once("exported", make, tmp_path_factory)


def common(factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of a call have in common."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once(name: str, make: Callable[[Path], None], factory: pytest.TempPathFactory) -> Path:
    """A folder that one of xdist's workers fills, and of which each gets a copy: some tests add to it."""
    mine = factory.mktemp(name)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make(mine)
        return mine
    shared = common(factory) / name
    with FileLock(f"{shared}.lock"):
        if not shared.is_dir():
            make(mine)
            shutil.copytree(mine, shared.with_suffix(".part"))
            shared.with_suffix(".part").rename(shared)
    return shutil.copytree(shared, mine, dirs_exist_ok=True)


def quick(recipe: str, source: Path, steps: int = 20) -> Experiment:
    """A recipe on a small data set: its own networks' kinds, losses and optimisers, a small batch, few steps."""
    from ganvas.api import RECIPES
    from ganvas.networks import classic_dcgan, classic_mlp, dcgan, projected
    from ganvas.tasks.restore import unet
    from ganvas.tasks.restore_sound import network as gains
    from ganvas.tasks.sound import network as spectra
    from ganvas.tasks.table import network as columns
    from ganvas.tasks.translate import network as translator

    experiment = RECIPES[recipe]()
    training = dataclasses.replace(
        experiment.training,
        images=16 * steps,
        batch=16,
        device="cpu",
        tick_every=48,
        sample_every=80,
        sample_at=(),
        save_seconds=1e9,
    )
    data = dataclasses.replace(experiment.data, source=str(source))
    if recipe == "translate":
        others = source.with_name(f"{source.name}-others")
        others.mkdir(exist_ok=True)
        data = dataclasses.replace(data, to=str(write_blobs(others, 50, 20, seed=1)))
    if "sound" in recipe:
        data = dataclasses.replace(data, source=str(write_sounds(source.with_name(f"{source.name}-sounds"))))
    if recipe == "table":
        data = dataclasses.replace(data, source=str(write_rows(source.with_name(f"{source.name}-rows.csv"), 400)))
    labels = source / "t10k-labels-idx1-ubyte"
    few = labels.is_file() and labels.stat().st_size < 200  # trainings on such sets end without a detector: seconds
    most = {"select": 160, "detect": 0 if few else 800}
    task = experiment.task
    task = dataclasses.replace(task, **{k: min(getattr(task, k), v) for k, v in most.items() if hasattr(task, k)})
    small = {
        classic_mlp.Config: classic_mlp.Config(width=16),
        classic_dcgan.Config: classic_dcgan.Config(g_width=16, d_width=16),
        dcgan.Config: dcgan.Config(width=8),
        projected.Config: projected.Config(width=16, judges=16, pixels=8, backbone=8),
        unet.Config: unet.Config(width=8, depth=2, d_width=8),
        columns.Config: columns.Config(width=8, d_width=8),
        gains.Config: gains.Config(width=16, blocks=2, d_width=8),
        spectra.Config: spectra.Config(latent_dim=8, width=16, d_width=16, features=16),
        translator.Config: translator.Config(width=8, depth=1, blocks=1, d_width=16, features=16),
    }
    network = small.get(type(experiment.network), experiment.network)
    if getattr(network, "head", "") == "scanned":  # which only draws digits like MNIST's
        network = dataclasses.replace(network, head="clamp")
    return dataclasses.replace(experiment, network=network, training=training, data=data, task=task)


def write_sounds(folder: Path, each: int = 12) -> Path:
    """Three classes of sounds of a quarter of a second at 8 kHz: tones that fall, noise, tones that rise."""
    from ganvas.sounds import files

    random, time = np.random.default_rng(0), np.arange(2_000) / 8_000
    for i in range(each):
        fade, pitch = np.exp(-time * (4 + i / 2)), 200 + 20 * i
        for name, sound in {
            "down": np.sin(2 * np.pi * pitch * (time - time**2)) * fade,
            "noise": random.standard_normal(len(time)) * fade / 4,
            "up": np.sin(2 * np.pi * pitch * (time + time**2)) * fade,
        }.items():
            files.save(folder / name / f"{i}.wav", 0.5 * sound, 8_000)
    return folder


def moved(run: Path, source: Path, place: Path) -> Path:
    """A copy of a run whose data lie elsewhere now: its card says so."""
    shutil.copytree(run, place)
    card = json.loads((place / "experiment.json").read_text())
    card["data"]["source"] = str(source)
    (place / "experiment.json").write_text(json.dumps(card))
    return place
