"""Model files and snapshots that are not as Ganvas writes them: a sentence that names the file, or they work."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import quick, write_blobs
from torch import Tensor

import ganvas
from ganvas.core import checkpoint
from ganvas.core import model as models
from ganvas.core.errors import UserError
from ganvas.core.locate import locate
from ganvas.core.run import Run
from ganvas.export import model_card
from ganvas.tasks.generate import model as generate_model
from ganvas.training import finetune
from ganvas.training.events import Started, Warned
from ganvas.training.experiment import Experiment
from ganvas.training.trainer import Trainer

pytestmark = pytest.mark.long

TASKS = ["mnist", "denoise", "translate"]


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough pictures for a detector."""
    return write_blobs(tmp_path_factory.mktemp("blobs"), 300, 220)


@pytest.fixture(scope="module")
def runs(blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A short, complete training of each task; that of mnist has a selector and a detector."""
    place = tmp_path_factory.mktemp("odd")
    for recipe in TASKS:
        for _ in small(recipe, blobs).run(place / recipe):
            pass
    return {recipe: place / recipe for recipe in TASKS}


def small(recipe: str, blobs: Path) -> Experiment:
    experiment = quick(recipe, blobs, steps=3)
    training = dataclasses.replace(experiment.training, ema=100, tick_every=10**9)
    task = dataclasses.replace(experiment.task, **({"select": 32, "detect": 400} if recipe == "mnist" else {}))
    return dataclasses.replace(experiment, training=training, task=task)


def model(runs: dict[str, Path], recipe: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    return checkpoint.load(runs[recipe] / "model.safetensors")


def refused(path: Path, tensors: dict[str, Tensor], card: Any, words: str | None = None) -> str:
    """Save it, and see that it is refused with one sentence of bearable length that names the file."""
    checkpoint.save(path, tensors, card)
    with pytest.raises(UserError, match=words) as caught:
        models.load(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1_000
    return str(caught.value)


# -------------------- weights that are not finite


@pytest.mark.parametrize(("recipe", "bad"), [("mnist", math.nan), ("denoise", math.inf), ("translate", -math.inf)])
def test_weights_that_are_not_finite(recipe: str, bad: float, runs: dict[str, Path], tmp_path: Path) -> None:
    tensors, card = model(runs, recipe)
    for part in {name.partition(".")[0] for name in tensors}:
        damaged = copy.deepcopy(tensors)
        name = next(k for k in damaged if k.startswith(f"{part}.") and damaged[k].is_floating_point())
        damaged[name].view(-1)[0] = bad
        message = refused(
            tmp_path / "bad.safetensors", damaged, card, r"1 of [\d,]+ values that are infinite or not numbers"
        )
        assert f"{name} holds" in message
        assert "earlier model or snapshot" in message
    if recipe == "mnist":
        assert {name.partition(".")[0] for name in tensors} == {"generator", "discriminator", "selector", "detector"}


def test_a_beginning_that_is_not_finite(runs: dict[str, Path], blobs: Path, tmp_path: Path) -> None:
    tensors, card = model(runs, "mnist")
    tensors["generator." + next(k for k in checkpoint.part(tensors, "generator") if "weight" in k)].view(-1)[3] = (
        math.nan
    )
    checkpoint.save(tmp_path / "bad.safetensors", tensors, card)
    experiment = small("mnist", blobs).override({"from": str(tmp_path / "bad.safetensors")})
    with pytest.raises(UserError, match=r"bad\.safetensors.*not numbers"):
        list(experiment.run(tmp_path / "run"))
    for odd in (None, [], "x", {"name": [1]}):
        checkpoint.save(tmp_path / "bad.safetensors", {"generator.x": torch.ones(1)}, {**card, "network": odd})
        with pytest.raises(UserError, match="nothing in this model"):
            finetune.take({"generator": torch.nn.Linear(1, 1)}, str(tmp_path / "bad.safetensors"))


# -------------------- numbers of other kinds


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [("mnist", torch.float16), ("mnist", torch.bfloat16), ("denoise", torch.float64), ("translate", torch.float16)],
)
def test_weights_of_another_precision(recipe: str, kind: torch.dtype, runs: dict[str, Path], tmp_path: Path) -> None:
    tensors, card = model(runs, recipe)
    turned = {k: v.to(kind) if v.is_floating_point() else v for k, v in tensors.items()}
    checkpoint.save(tmp_path / "other.safetensors", turned, card)
    loaded = models.load(tmp_path / "other.safetensors")
    for name, weight in checkpoint.module_tensors("generator", loaded.generator).items():
        assert weight.dtype == tensors[name].dtype
        assert torch.equal(weight, turned[name].to(weight.dtype))
    if isinstance(loaded, ganvas.Model):
        assert bool(loaded.sample(2).isfinite().all())
        assert len(loaded.detect(loaded.sample(2))) == 2


def change(name: str, to: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], None]:
    def changed(tensors: dict[str, Tensor]) -> None:
        key = next(k for k in sorted(tensors) if k.startswith(name) and tensors[k].dim() > 1)
        tensors[key] = to(tensors[key])

    return changed


ODD_TENSORS: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "whole numbers": change("generator", lambda t: t.long()),
    "bool": change("discriminator", lambda t: t > 0),
    "complex": change("generator", lambda t: t.to(torch.complex64)),
    "empty": change("generator", lambda t: t[:0]),
    "one number": change("generator", lambda t: t.sum()),
    "turned": change("generator", lambda t: t.flatten()),
    "larger": change("discriminator", lambda t: torch.cat([t, t])),
    "no generator": lambda tensors: [tensors.pop(k) for k in list(tensors) if k.startswith("generator")],
    "nothing": dict.clear,
    "one missing": lambda tensors: tensors.pop(next(k for k in tensors if k.startswith("discriminator"))),
    "one more": lambda tensors: tensors.update({"generator.more": torch.ones(3)}),
    "another network": lambda tensors: tensors.update({"x": torch.ones(3), "critic.y": torch.ones(1)}),
    "half a detector": lambda tensors: tensors.update({"detector.mean": torch.ones(())}),
    "a detector": lambda tensors: tensors.update({"detector.head.0.weight": torch.ones(2, 2)}),
    "half a selector": lambda tensors: tensors.update({"selector.shift": torch.ones(2)}),
}


@pytest.mark.parametrize("odd", ODD_TENSORS)
def test_tensors_that_do_not_fit(odd: str, runs: dict[str, Path], tmp_path: Path) -> None:
    for recipe in TASKS if odd == "half a detector" else TASKS[:1]:
        tensors, card = model(runs, recipe)
        ODD_TENSORS[odd](tensors)
        refused(tmp_path / "odd.safetensors", tensors, card)


# -------------------- cards


def raw(path: Path, tensors: dict[str, Tensor], text: str) -> None:
    """A file of any card, with the digest that belongs to it."""
    head = f"{checkpoint.digest(tensors, text)} {text}"
    path.write_bytes(checkpoint.safetensors.torch.save(tensors, {"ganvas": head}))


@pytest.mark.parametrize(
    "text",
    ["[]", "3", '"x"', "null", "", "{", "NaN", "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "{}"]
    + [f'{{"format": {odd}}}' for odd in ("null", '"1"', "[1]", "1.0", "true", "0", "-1", "99", "1" + "0" * 5_000)],
    ids=lambda text: text[:20],
)
def test_cards_that_are_none(text: str, runs: dict[str, Path], tmp_path: Path) -> None:
    tensors, _ = model(runs, "mnist")
    path = tmp_path / "odd.safetensors"
    raw(path, tensors, text)
    for load in (checkpoint.load, generate_model.load, models.load):
        with pytest.raises(UserError) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 500
    assert models.task_of(path) == ""


@pytest.mark.parametrize(
    ("section", "entry", "values"),
    [
        ("spec", "size", [-28, 0, 2**40, 2**80, 28.0, "28", True, None, 1025]),
        ("spec", "channels", [0, -1, 5, 2**40, "1", None]),
        ("spec", "classes", [-1, 10**9, "ten", [10], None]),
        ("spec", "scale", [0, 17, -1, "x"]),
        ("spec", "masked", [0, "no", None]),
        ("spec", "nothing", [1]),
        ("network", "name", ["none", [], None, 3, "unet2", "x" * 10**6]),
        ("network", "latent_dim", [0, -1, 10**9, 2**70, "64", 1.5, None]),
        ("network", "width", [10**9, -1, "x"]),
        ("network", "blocks", [10**9]),
        ("network", "nothing", [1]),
        ("task", "name", ["none", [], None, 3]),
        ("training", "seed", [-1, 2**70, "0", None]),
        ("training", "images", [[], "x", -5]),
        ("data", "fit", [3, []]),
        ("", "classes", [3, None, [1, 2], ["a"] * 100_000, {"a": 1}, "01"]),
        ("", "images", [-1, "x", None, 2**70, 1.5, True]),
        ("", "log", [3, "x", []]),
        ("", "metrics", [3, [3], [{}]]),
        ("", "signs", [3, {"noise": 3}, {"noise": ["a", "b"]}]),
        ("", "machine", [None, "x"]),
        *(("", name, [None, 3, [], "x"]) for name in ("spec", "network", "task", "training", "data")),
    ],
)
def test_entries_of_a_card(section: str, entry: str, values: list[Any], runs: dict[str, Path], tmp_path: Path) -> None:
    for recipe in TASKS if entry != "signs" else ("denoise",):  # only such models have them
        tensors, card = model(runs, recipe)
        for value in values:
            group = {**card[section], entry: value} if section else value
            refused(tmp_path / "odd.safetensors", tensors, {**card, section or entry: group})


@pytest.mark.parametrize("recipe", TASKS)
def test_mutations(recipe: str, runs: dict[str, Path], tmp_path: Path) -> None:
    """Any entry is taken away or becomes something else: the model is refused, or it works."""
    tensors, card = model(runs, recipe)
    dice, path = random.Random(0), tmp_path / "odd.safetensors"
    odd = [None, -1, 0, 1.5, 10**30, 2**40, "x", "", [], [[]], {}, {"a": 1}, True, [None] * 3, float("nan"), "\x1b[31m"]
    for _ in range(40):
        changed = json.loads(json.dumps(card))
        place, key = changed, ""
        while True:
            key = dice.choice(list(place))
            if not isinstance(place[key], dict) or not place[key] or dice.random() < 0.3:
                break
            place = place[key]
        if dice.random() < 0.3:
            del place[key]
        else:
            place[key] = dice.choice(odd)
        checkpoint.save(path, tensors, changed)
        try:
            loaded = models.load(path)
            (
                model_card.facts(loaded),
                model_card.figures(loaded),
                model_card.sections(loaded),
                model_card.markdown(loaded, "x"),
            )
            if isinstance(loaded, ganvas.Model):
                loaded.sample(1)
            elif isinstance(loaded, ganvas.Restorer):
                loaded.restore(torch.zeros(1, loaded.spec.channels, 16, 16))
            else:
                assert isinstance(loaded, ganvas.Translator)
                loaded.translate(torch.zeros(1, loaded.spec.channels, loaded.spec.size, loaded.spec.size))
        except UserError as error:
            assert len(str(error)) < 1_000  # noqa: PT017


# -------------------- the file itself


def test_a_header_that_is_odd(runs: dict[str, Path], tmp_path: Path) -> None:
    content = (runs["mnist"] / "model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header, rest = json.loads(content[8 : 8 + size]), content[8 + size :]
    name = next(key for key in header if key != "__metadata__")
    path = tmp_path / "odd.safetensors"
    headers: list[Any] = [
        [],
        3,
        {},
        {"__metadata__": {}},
        {"__metadata__": {"ganvas": 3}},
        {**header, "__metadata__": 3},
    ]
    for key, values in {
        "dtype": ["F4", "F8_E4M3", "C64", "X", 3, None, "U16", "BF16"],
        "shape": [[-1], [2**62, 4], [2**70], "x", [1.5], [0]],
        "data_offsets": [[0, 2**62], [8, 0], [-1, 4], [0], "x"],
    }.items():
        headers += [{**header, name: {**header[name], key: value}} for value in values]
    texts = [json.dumps(header).encode() for header in headers] + [b'{"a":' * 100_000, b"\xff" * 50, b" " * 50]
    for text in texts:
        path.write_bytes(len(text).to_bytes(8, "little") + text + rest)
        with pytest.raises(UserError) as caught:
            checkpoint.load(path)
        assert str(path) in str(caught.value)
    for length in (2**63, 2**64 - 1, 2**40, 100_000_001):
        path.write_bytes(length.to_bytes(8, "little") + content[8:])
        with pytest.raises(UserError, match=r"odd\.safetensors is damaged"):
            checkpoint.load(path)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")  # opening it would wait for a writer
    with pytest.raises(UserError, match=r"pipe\.safetensors.*a pipe"):
        checkpoint.load(tmp_path / "pipe.safetensors")
    with pytest.raises(UserError, match=r"pipe\.safetensors"):
        models.load(tmp_path / "pipe.safetensors")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").mkdir()
    with pytest.raises(UserError, match=r"model\.safetensors is a folder"):
        models.load(tmp_path / "run")
    with pytest.raises(UserError):
        models.load("a\0b")


def test_what_may_not_be_read_is_not_called_missing(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(runs["mnist"] / "model.safetensors", tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").chmod(0)
    (tmp_path / "shut").mkdir()
    shutil.copytree(runs["mnist"], tmp_path / "shut" / "run")
    (tmp_path / "shut").chmod(0)
    root = os.geteuid() == 0
    places = (
        tmp_path,
        tmp_path / "model.safetensors",
        tmp_path / "shut" / "run",
        tmp_path / "shut/run/model.safetensors",
    )
    if root:
        os.seteuid(65534)  # root may read anything
    try:
        for place in places:
            with pytest.raises(UserError, match="no permission to read"):
                models.load(place)
        with pytest.raises(UserError, match="no permission to read"):
            Run(tmp_path / "shut" / "run").settings()
        with pytest.raises(UserError, match="no permission to read"):
            locate(tmp_path / "shut" / "run")
    finally:
        if root:
            os.seteuid(0)
        (tmp_path / "shut").chmod(0o755)


# -------------------- snapshots


def snapshot(runs: dict[str, Path], recipe: str) -> tuple[Path, dict[str, Tensor], dict[str, Any]]:
    path = Run(runs[recipe]).snapshots()[0]
    return path, *checkpoint.load(path)


ODD_SNAPSHOTS: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "NaN": lambda t: t["generator." + _weight(t, "generator")].fill_(math.nan),
    "infinite average": lambda t: t["average." + _weight(t, "average")].fill_(math.inf),
    "NaN in the optimiser": lambda t: t["optimizer_g.0.exp_avg"].fill_(math.nan),
    "a weight's state of another shape": lambda t: t.update({"optimizer_g.0.exp_avg": torch.ones(3)}),
    "a step of another shape": lambda t: t.update({"optimizer_d.0.step": torch.ones(3)}),
    "no such weight": lambda t: t.update({"optimizer_g.9999.step": torch.ones(())}),
    "no number": lambda t: t.update({"optimizer_g.x.step": torch.ones(())}),
    "a name of thousands": lambda t: t.update({f"optimizer_g.{'1' * 5_000}.step": torch.ones(())}),
    "another entry": lambda t: t.update({"optimizer_g.0.momentum": torch.ones(())}),
    "half a state": lambda t: t.pop("optimizer_d.0.exp_avg_sq"),
    "whole numbers": lambda t: t.update({"optimizer_d.0.exp_avg_sq": t["optimizer_d.0.exp_avg_sq"].long()}),
    "an odd mean": lambda t: t.update({"sums.loss_d": torch.ones(2)}),
    "another mean": lambda t: t.update({"sums.nothing": torch.ones(())}),
    "an odd dial": lambda t: t.update({"dials.nothing": torch.ones(())}),
    "no average": lambda t: [t.pop(k) for k in list(t) if k.startswith("average")],
}


def _weight(tensors: dict[str, Tensor], part: str) -> str:
    return next(k for k, v in checkpoint.part(tensors, part).items() if v.is_floating_point())


@pytest.mark.parametrize("odd", ODD_SNAPSHOTS)
def test_a_snapshot_that_does_not_fit(odd: str, runs: dict[str, Path], blobs: Path, tmp_path: Path) -> None:
    """The one before is taken, and its training ends as if nothing had been."""
    shutil.copytree(runs["mnist"], tmp_path / "run")
    path, tensors, card = snapshot({"mnist": tmp_path / "run"}, "mnist")
    card["counts"] = {"loss_d": 3}
    tensors |= {"sums.loss_d": torch.ones(())}
    ODD_SNAPSHOTS[odd](tensors)
    bad = path.with_name("snapshot_000000009999.safetensors")
    checkpoint.save(bad, tensors, card)
    warnings, begun = [], None
    for event in small("mnist", blobs).run(tmp_path / "run"):
        warnings += [event.text] if isinstance(event, Warned) else []
        begun = event.images if isinstance(event, Started) else begun
    assert begun == card["images"]
    assert any(str(bad) in text and "The one before it is used" in text for text in warnings)
    for good in Run(tmp_path / "run").snapshots():
        if good != bad:
            good.unlink()
    with pytest.raises(UserError, match=r"snapshot_000000009999") as caught:
        list(small("mnist", blobs).run(tmp_path / "run"))
    assert len(str(caught.value)) < 1_500


def test_mutations_of_a_snapshots_card(runs: dict[str, Path], blobs: Path, tmp_path: Path) -> None:
    path, tensors, card = snapshot(runs, "mnist")
    experiment = small("mnist", blobs)
    trainer = Trainer(experiment.build(experiment.load_data().spec), experiment.training)
    odd = [None, -1, 1.5, 10**30, "x", [], {}, {"a": 1}, {"loss_d": 0}, True, math.nan, math.inf]
    for key in card:
        for value in odd:
            try:
                trainer.restore(tmp_path / "odd.safetensors", tensors, {**card, key: value})
                trainer.means()
            except UserError as error:
                assert str(tmp_path / "odd.safetensors") in str(error)  # noqa: PT017
    trainer.restore(path, tensors, card)
    assert trainer.images == card["images"] == 48


def test_a_snapshot_of_half_precision_is_taken(runs: dict[str, Path], blobs: Path, tmp_path: Path) -> None:
    path, tensors, card = snapshot(runs, "mnist")
    experiment = small("mnist", blobs)
    trainer = Trainer(experiment.build(experiment.load_data().spec), experiment.training)
    halved = {k: v.half() if v.dtype == torch.float32 and "step" not in k else v for k, v in tensors.items()}
    trainer.restore(path, halved, card)
    assert {w.dtype for w in trainer.task.generator.parameters()} == {torch.float32}
    trainer.step(experiment.batches(experiment.load_data()).at(48))
    assert trainer.is_finite()
