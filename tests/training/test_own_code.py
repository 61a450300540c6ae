"""Networks and losses of the user's own, from a file or a program; models run no code that nobody named."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import py_compile
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ganvas as command
from torch import Tensor, nn

import ganvas
from ganvas.core import own
from ganvas.core.errors import UserError
from ganvas.images.spec import ImageSpec
from ganvas.studio import jobs
from ganvas.tasks.generate import own_network
from ganvas.training import losses

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "own-recipe.md"
SHORT: dict[str, Any] = {"images": 64, "batch": 16, "sample_every": 0, "detect": 0, "width": 4}
SPEC = ImageSpec(1, 8)


def forget() -> None:
    own._KNOWN.clear()
    own._BY_NAME.clear()
    os.environ.pop(own.CODE, None)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """As in a new process, before and after."""
    forget()
    yield
    forget()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The example of the documentation."""
    (text,) = re.findall(r"```python\n(from torch.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "my.py").write_text(text)
    return tmp_path / "my.py"


@pytest.fixture
def run(file: Path, blobs: Path) -> Path:
    done = ganvas.fit(
        "images", data=blobs, run=file.parent / "run", network=f"{file}:Net", loss=f"{file}:loss", show=False, **SHORT
    )
    assert done.model.sample(2).shape == (2, 1, 12, 12)  # this process was given the code
    forget()
    return done.folder


def test_what_a_run_and_its_model_keep(run: Path, file: Path) -> None:
    network = ganvas.Experiment.load(run).to_dict()["network"]  # without the code
    assert network["name"] == f"my.py:Net#{own.digest(file.read_bytes())}"
    assert (network["width"], network["latent_dim"]) == (4, 64)
    assert (run / "code" / "my.py").read_bytes() == file.read_bytes()
    card = ganvas.load(run, code=file).card
    assert card["network"] == network
    assert card["task"]["loss"].startswith("my.py:loss#")
    assert str(file.parent) not in str(card)


def test_a_model_runs_no_code_that_was_not_named(run: Path, file: Path) -> None:
    with pytest.raises(own.NotGiven, match=r"my.py:Net, code that is not part of Ganvas.*--code .*run/code/my.py"):
        ganvas.load(run)
    done = command("sample", "run", "--out", "sheet.png", cwd=file.parent)
    assert (done.returncode, "If you trust it: --code run/code/my.py" in done.stderr) == (2, True)
    done = command("sample", "run", "--out", "sheet.png", "--code=run/code/my.py", cwd=file.parent)
    assert done.returncode == 0, done.stderr
    forget()
    file.write_text(file.read_text() + "\n# later\n")
    with pytest.raises(own.NotGiven, match=r"my.py is not the version of my.py:Net that this was trained with"):
        ganvas.load(run, code=file)
    forget()

    changed, _ = own.attribute(f"{file}:Net")
    assert ganvas.load(run, code=changed).sample(1).shape == (1, 1, 12, 12)


def test_a_resume_needs_the_same_file(run: Path, file: Path, blobs: Path) -> None:
    done = command("resume", "run", "images=80", cwd=file.parent)
    assert (done.returncode, "--code run/code/my.py" in done.stderr) == (2, True)
    done = command("resume", "run", "images=80", "--code", "my.py", cwd=file.parent)
    assert done.returncode == 0, done.stderr
    assert "--code" in done.stdout.partition("Next:")[2]
    file.write_text(file.read_text() + "\n# later\n")
    given = ("--data", str(blobs), f"network={file}:Net", f"loss={file}:loss", "width=4")
    done = command("train", "images", *given, "--run", "run", cwd=file.parent)
    assert done.returncode == 2
    assert "was begun with another version of my.py:" in done.stderr


def test_other_processes_get_the_files_that_were_named(run: Path, file: Path) -> None:
    own.allow(file)
    assert json.loads(os.environ[own.CODE]) == [str(file)]  # which they inherit
    assert ganvas.load(run).sample(1).shape == (1, 1, 12, 12)


def test_a_class_that_only_a_program_has(blobs: Path, tmp_path: Path) -> None:
    class Net:
        def __init__(self, spec: ImageSpec, width: int = 4) -> None:
            side = spec.channels * spec.size**2
            layers = nn.Linear(100, side), nn.Tanh(), nn.Unflatten(1, (spec.channels, spec.size, spec.size))
            self.generator, self.discriminator = nn.Sequential(*layers), nn.Sequential(nn.Flatten(), nn.Linear(side, 1))

    done = ganvas.fit("images", data=blobs, run=tmp_path / "run", network=Net, show=False, **SHORT)
    forget()
    with pytest.raises(own.NotGiven, match=r"code that only a Python program had. Give it there: code=Net"):
        ganvas.load(done.folder)
    assert ganvas.load(done.folder, code=Net).latent_dim == 100


def test_only_the_text_that_is_compared_is_run(run: Path, file: Path, tmp_path: Path) -> None:
    """Not what is next to a file that somebody else sent, nor what a name in the model makes of the file."""
    copy, evil = run / "code" / "my.py", tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(evil), importlib.util.cache_from_source(str(copy)), invalidation_mode=unchecked)
    assert ganvas.load(run, code=copy).sample(1).shape == (1, 1, 12, 12)
    forget()
    own.allow(file)
    of_my = own.digest(file.read_bytes())
    with pytest.raises(UserError, match=r"my.py only imports softplus"):
        own.find(f"my.py:softplus#{of_my}")
    with pytest.raises(UserError, match=r"my.py has no class or function 'nn'"):
        own.find(f"my.py:nn#{of_my}")
    copy.write_text(evil.read_text())
    forget()
    with pytest.raises(own.NotGiven) as found:  # what is not the version that was trained is not proposed
        ganvas.load(run)
    assert "is a copy" not in str(found.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["..", "a/b.py", "evil\n.py", "\x1b[2J.py", "\u202eevil.py", "my.txt"])
def test_references_name_a_plain_file(name: str) -> None:
    assert own.is_reference(f"my.py:Net#{'0' * 16}")
    assert not own.is_reference(f"{name}:Net#{'0' * 16}")


def test_settings_of_a_stranger_s_card() -> None:
    values = {"width": 8, "__init__": 1, "architecture": 2, "families": 3, "class": 4, "x y": 5, "list": [6]}
    found = own_network.OwnNetwork(f"none.py:Net#{'0' * 16}", values)
    assert [field.name for field in dataclasses.fields(found.Config)] == ["latent_dim", "width"]


def test_a_long_name(file: Path, blobs: Path) -> None:
    long = file.with_name(f"{'long' * 15}.py")
    long.write_text(file.read_text())
    made = ganvas.api.experiment("mnist", blobs, {"network": f"{long}:Net"})  # pyright: ignore[reportAttributeAccessIssue]
    assert ganvas.Experiment.from_dict(made.to_dict()).to_dict() == made.to_dict()


def test_a_measurement_beside_has_the_code(file: Path, blobs: Path, run: Path) -> None:
    made = ganvas.api.experiment("mnist", blobs, {"network": f"{file}:Net"})  # pyright: ignore[reportAttributeAccessIssue]
    assert made.override({"evaluate_every": "1000"}).training.evaluate_every == 1000
    shutil.rmtree(run / "code")
    own.keep_copies(made.own_code(), run)
    file.write_text("")  # as one who writes the next version meanwhile
    (reference,) = made.own_code()
    own._KNOWN.clear()  # as the process that measures
    assert own.find(reference).called == "my.py:Net"

    handed = ganvas.api.experiment("mnist", blobs).override({"network": own.handed(lambda spec: None)})  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(UserError, match="which does not have program:function: leave it out, or give the code"):
        handed.override({"evaluate_every": "1000"})


def test_what_a_look_at_the_file_tells(file: Path) -> None:
    file.write_text(
        f"import x\nopen({str(file.parent / 'ran')!r}, 'w')\nfrom x import Net as Other\ndef make(spec): ...\nA = make"
    )
    for name in ("Other", "make", "A"):
        own.check_spoken(f"{file}:{name}")
    with pytest.raises(UserError, match=r"my.py has no class or function 'mak'. Did you mean 'make'"):
        own.check_spoken(f"{file}:mak")
    with pytest.raises(UserError, match=r"my.py imports x, which is not installed: put that code into my.py"):
        own.given(f"{file}:make")
    file.write_text("globals()['mak'] = print")
    own.check_spoken(f"{file}:mak")
    assert not (file.parent / "ran").exists()


class Labelled(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.names, self.layers = nn.Embedding(classes, 8), nn.Sequential(nn.Flatten(), nn.LazyLinear(8))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return (self.layers(images) * self.names(labels)).sum(1)


def drawn(end: nn.Module, size: int = 8) -> nn.Module:
    return nn.Sequential(nn.Linear(16, size**2), end, nn.Unflatten(1, (1, size, size)))


def judged(outputs: int = 1) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, outputs))


def pair(make: Callable[..., Any], spec: ImageSpec = SPEC) -> tuple[nn.Module, nn.Module]:
    network = own_network.OwnNetwork(own.handed(make))
    return network.pair(spec, network.Config())


def test_labels_features_and_the_state_of_torch() -> None:
    before = torch.get_rng_state()
    found = own_network.OwnNetwork(own.handed(lambda spec, latent_dim=16: (drawn(nn.Tanh()), judged())))
    assert found.passed == {"latent_dim"}
    torch.manual_seed(1)
    _, judge = found.pair(SPEC, found.Config())
    images = torch.zeros(3, 1, 8, 8)
    assert [tuple(x.shape) for x in judge.features(images)] == [(3, 8)]  # pyright: ignore[reportCallIssue]
    assert judge(images).shape == (3,)
    spec = ImageSpec(1, 8, classes=3)
    _, judge = pair(lambda spec, latent_dim=16: (drawn(nn.Tanh()), Labelled(spec.classes)), spec)
    assert judge(images, torch.tensor([0, 1, 2])).shape == (3,)
    weights = torch.eye(3)  # as an inversion searches among classes
    assert torch.equal(judge(images, weights), judge(images, torch.tensor([0, 1, 2])))
    torch.set_rng_state(before)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda spec, latent_dim=16: (drawn(nn.Sigmoid()), judged()), r"end the generator with nn.Tanh\(\), not"),
        (lambda spec, latent_dim=16: (drawn(nn.LayerNorm(64)), judged()), r"pictures are in -1 to 1"),
        (lambda spec, latent_dim=16: (drawn(nn.Tanh(), 4), judged()), r"shape \[2, 1, 4, 4\]; \[2, 1, 8, 8\]"),
        (lambda spec, latent_dim=16: (drawn(nn.Tanh()), judged(2)), r"logits of the shape \[2, 2\]"),
        (lambda spec: (drawn(nn.Tanh()), judged()), r"generator that fails on z \[2, 100\]: RuntimeError"),
        (lambda spec: 3, r"gives no generator that is a torch module"),
        (lambda spec: 1 // 0, r"fails: ZeroDivisionError"),
        (lambda spec, depth: None, r"needs depth, which nobody gives: give it a default"),
        (lambda spec, name="x": None, r"a parameter called name"),
        (lambda: None, r"no parameter for the shape"),
    ],
)
def test_networks_that_cannot_be_used(make: Callable[..., Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        pair(make)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda real, fake: real.mean(), r"returns Tensor; it must return \(loss_d, loss_g\)"),
        (lambda real, fake: (real, fake), r"loss_d has the shape \[4\]: take its mean"),
        (lambda real, fake: (real.mean(), torch.zeros(())), r"loss_g has no gradient"),
        (lambda real, fake: real @ fake[None], r"fails on logits \[4\]: RuntimeError"),
    ],
)
def test_losses_that_cannot_be_used(loss: Callable[..., Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        losses.objective(own.handed(loss))


def test_a_loss_says_where_real_begins() -> None:
    def loss(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return fake.mean() - real.mean(), -fake.mean()

    assert losses.objective(own.handed(loss)).pairs
    loss.threshold = 0.5  # pyright: ignore[reportFunctionMemberAccess]
    objective = losses.objective(own.handed(loss))
    assert objective.threshold == 0.5
    assert float(objective.g_loss(torch.ones(2), torch.ones(2))) == -1


def test_names_that_are_wrong(file: Path) -> None:
    for words, fault in {
        f"network={file}:Nett": "my.py has no class or function 'Nett'. Did you mean 'Net'?",
        f"network={file.parent}/mi.py:Net": "There is no file",
        f"loss={file.parent}/mi.py:Net": "There is no file",
        f"network={file}": "say what is meant in that file",
        "network=dcgann": "Did you mean 'dcgan'?",
    }.items():
        done = command("train", "mnist", words, cwd=file.parent)
        assert (done.returncode, fault in done.stderr) == (2, True), done.stderr
    done = command("train", "denoise", f"network={file}:Net", cwd=file.parent)
    assert "networks of your own are for recipes that draw pictures from noise" in done.stderr
    done = command("info", "mnist", "--code", "none.py", cwd=file.parent)
    assert "There is no file none.py." in done.stderr
    assert type(ganvas.api.experiment("mnist", settings={"network": "dcgan"}).network).__module__.endswith(".dcgan")  # pyright: ignore[reportAttributeAccessIssue]
    file.write_text("def net(spec, batch=3): ...")
    with pytest.raises(UserError, match="The network has a setting batch, as the training has"):
        ganvas.api.experiment("mnist", settings={"network": f"{file}:net"})  # pyright: ignore[reportAttributeAccessIssue]


def test_settings_in_files_and_pages_run_nothing(file: Path, tmp_path: Path) -> None:
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef loss(a, b): ...")
    values = ganvas.api.experiment("mnist").to_dict()  # pyright: ignore[reportAttributeAccessIssue]
    for section, key in (("task", "loss"), ("network", "name")):
        for text in (f"{file}:loss", f"{file}:loss#{'0' * 16}"):
            with pytest.raises(UserError):
                ganvas.Experiment.from_dict({**values, section: {**values[section], key: text}})
    words = ["train", "mnist", "--run", str(tmp_path / "x"), f"loss={file}:loss"]
    assert not jobs.is_allowed(tmp_path, "train", "x", words)
    assert jobs.is_allowed(tmp_path, "train", "x", [*words[:-1], "loss=hinge"])
    assert not (tmp_path / "ran").exists()
