"""The training of the GANs that Ganvas is compared with, and of Ganvas's recipes, by the clock; see `peers.py`.

The peers are plain PyTorch written from their papers (`peer_networks.py`), made as quick as their text allows: bf16
where the processor has it, channels last, batches as quick as Ganvas's, a discriminator without gradients in the
generator's step. They draw with the statistics of a batch of the training's size, as in training.
"""

from __future__ import annotations

import copy
import functools
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peer_networks as nets
import speed
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas import api
from ganvas.core import naming
from ganvas.images import data as datasets
from ganvas.images import tensors as im
from ganvas.images.data import ImageData
from ganvas.training.batches import Batches
from ganvas.training.events import Sampled, Saved, Started, Stepped
from ganvas.training.trainer import Config, choose_precision

SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # of the time, after which weights are kept
RATE = 2e-4  # Adam's, in all of these papers
SNAPSHOT = 120.0  # seconds from one to the next
TRIAL = 20.0  # seconds in which a recipe shows its speed, at most; an eighth of a short training
TRIED = 20_000  # images of that trial, at most
MARGIN = 0.97  # of that speed, because pictures and snapshots take time, too
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Peer:
    """A GAN of a paper.

    `make`: size, channels and number of classes -> generator and discriminator. `size`: of the pictures it trains on
    (0: that of the data). `hinge`: that loss instead of the cross entropy; real and drawn pictures are one batch, as
    there is no batch norm. `falls`: the rate falls to 0 over the time.
    """

    paper: str
    make: Callable[[int, int, int], tuple[nn.Module, nn.Module]]
    latent: int = 100
    batch: int = 64
    d_steps: int = 1
    betas: tuple[float, float] = (0.5, 0.999)
    hinge: bool = False
    labelled: bool = False
    size: int = 0
    falls: bool = False


MIYATO = "SNGAN, Miyato et al. 2018"
resnet = functools.partial(
    Peer, latent=128, d_steps=5, betas=(0.0, 0.9), hinge=True, falls=True, make=lambda _, c, k: nets.residual(c, k)
)
PEERS = {
    "tutorial-mlp": Peer(
        "the MNIST tutorials' fully connected GAN", lambda *_: nets.mlp(), batch=100, betas=(0.9, 0.999)
    ),
    "tutorial-dcgan": Peer("the MNIST tutorials' convolutional GAN", lambda *_: nets.digits(), batch=128),
    "dcgan": Peer(
        "PyTorch's DCGAN example (Radford et al. 2016) at the data's size: at 32 pixels a layer less",
        lambda size, channels, _: nets.dcgan(size, channels),
    ),
    "dcgan-64": Peer(
        "PyTorch's DCGAN example as published: pictures enlarged to 64 pixels, drawings reduced again",
        lambda size, channels, _: nets.dcgan(size, channels),
        size=64,
    ),
    "sngan": resnet(f"{MIYATO}, table 4: residual blocks, hinge loss, 5 steps of the discriminator"),
    "sngan-labels": resnet(f"{MIYATO}, the same with labels (Miyato and Koyama 2018)", labelled=True),
    "sngan-cnn": Peer(
        f"{MIYATO}, table 3: the standard CNN, hinge loss, 5 steps of the discriminator",
        lambda _, c, __: nets.standard(c),
        latent=128,
        d_steps=5,
        betas=(0.0, 0.9),
        hinge=True,
    ),
}


class Training:
    """A peer's networks, optimisers and clock."""

    def __init__(self, peer: Peer, data: ImageData, seed: int, precision: str) -> None:
        torch.manual_seed(seed)
        _, channels, size, _ = data.train.images.shape
        self.peer, self.size = peer, peer.size or size
        self.classes = len(data.class_names) if peer.labelled else 0
        if peer.labelled and not self.classes:
            raise SystemExit(f"{data.name} has no classes.")
        made = peer.make(self.size, channels, self.classes)
        self.generator, self.discriminator = (
            network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            for network in made
        )
        self.optimizers = [torch.optim.Adam(n.parameters(), RATE, peer.betas, fused=True) for n in made]
        self.batches = Batches(data, peer.batch, seed, CPU)
        self.precision, self.images, self.seconds = precision, 0, 0.0

    def batch(self) -> tuple[Tensor, Tensor | None]:
        """The next real pictures, float [B, C, H, H] in [-1, 1], and their labels."""
        batch = self.batches.at(self.images)
        self.images += self.peer.batch
        real = batch.real
        if real.shape[-1] != self.size:
            real = F.interpolate(real, self.size, mode="bilinear", antialias=True)
        return real.contiguous(memory_format=torch.channels_last), batch.labels if self.classes else None

    def draw(self) -> tuple[Tensor, Tensor | None]:
        labels = torch.randint(self.classes, (self.peer.batch,)) if self.classes else None
        return self.forward(self.generator, torch.randn(self.peer.batch, self.peer.latent), labels), labels

    def forward(self, network: nn.Module, x: Tensor, labels: Tensor | None) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            return network(x, labels).float()

    def step(self, progress: float = 0.0) -> None:
        """The discriminator's steps and one of the generator.

        After a single step the generator learns from the same drawings, as in PyTorch's example.

        Args:
            progress: of the training, 0 to 1.
        """
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = RATE * (1 - progress if self.peer.falls else 1)
        of_g, of_d = self.optimizers
        again = self.peer.d_steps == 1
        drawn, labels = None, None
        for _ in range(self.peer.d_steps):
            with torch.set_grad_enabled(again):
                drawn, labels = self.draw()
            of_d.zero_grad()
            self.discriminator_loss(drawn.detach(), labels).backward()
            of_d.step()
        if not again:
            drawn, labels = self.draw()
        assert drawn is not None
        self.discriminator.requires_grad_(False)
        logits = self.forward(self.discriminator, drawn, labels)
        of_g.zero_grad()
        (-logits if self.peer.hinge else F.softplus(-logits)).mean().backward()
        of_g.step()
        self.discriminator.requires_grad_(True)

    def discriminator_loss(self, drawn: Tensor, labels: Tensor | None) -> Tensor:
        real, known = self.batch()
        if not self.peer.hinge:
            of_real = self.forward(self.discriminator, real, known)
            return F.softplus(-of_real).mean() + F.softplus(self.forward(self.discriminator, drawn, labels)).mean()
        both = None if known is None or labels is None else torch.cat([known, labels])
        of_real, of_drawn = self.forward(self.discriminator, torch.cat([real, drawn]), both).chunk(2)
        return F.relu(1 - of_real).mean() + F.relu(1 + of_drawn).mean()

    def state(self) -> dict[str, Any]:
        return {
            "networks": [self.generator.state_dict(), self.discriminator.state_dict()],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "clock": [self.images, self.seconds],
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        for network, values in zip((self.generator, self.discriminator), state["networks"], strict=True):
            network.load_state_dict(values)
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self.images, self.seconds = state["clock"]
        torch.set_rng_state(state["random"])

    @torch.no_grad()
    def pictures(self, count: int, size: int, seed: int = 0) -> tuple[Tensor, Tensor | None]:
        """`count` drawings, classes in turn, uint8 [count, C, size, size], and their labels; changes no statistics."""
        network, random = copy.deepcopy(self.generator), torch.Generator().manual_seed(seed)
        batch, found = self.peer.batch, []
        labels = torch.arange(-(-count // batch) * batch) % self.classes if self.classes else None
        for first in range(0, count, batch):
            z = torch.randn(batch, self.peer.latent, generator=random)
            drawn = self.forward(network, z, None if labels is None else labels[first : first + batch])
            if drawn.shape[-1] != size:
                drawn = F.interpolate(drawn, size, mode="bilinear", antialias=True)
            found.append(im.to_uint8(drawn))
        return torch.cat(found)[:count], None if labels is None else labels[:count]


def precision() -> str:
    return choose_precision(Config(), CPU)


def due(before: float, after: float, limit: float) -> bool:
    """Is one of SHARES of the limit between these two?"""
    return any(before < share * limit <= after for share in SHARES)


def put(path: Path, state: Any) -> None:
    """Write a file whole or not at all."""
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def note(folder: Path, images: int, seconds: float, file: str = "") -> None:
    """A line on a moment of the training and the file with the weights of then (none: a snapshot)."""
    with open(folder / "kept.jsonl", "a") as out:
        out.write(json.dumps({"images": images, "seconds": round(seconds, 2), "file": file}) + "\n")


def noted(folder: Path) -> list[dict[str, Any]]:
    """These lines."""
    path = folder / "kept.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def rewind(folder: Path, images: int) -> float:
    """Forget what came after so many images, which a training that continues makes again; the seconds until then."""
    rows = [row for row in noted(folder) if row["images"] <= images]
    (folder / "kept.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return max((row["seconds"] for row in rows), default=0.0)


def train_peer(peer: Peer, data: ImageData, plan: dict[str, Any], folder: Path) -> None:
    """Train until the time is over, from the last snapshot if there is one."""
    training = Training(peer, data, plan["seed"], plan["format"])
    snapshot, limit = folder / "state.pt", plan["minutes"] * 60
    if snapshot.is_file():
        training.restore(torch.load(snapshot, weights_only=True))
    rewind(folder, training.images)
    began = time.process_time() - training.seconds * plan["threads"]
    saved = training.seconds
    while training.seconds < limit:
        before = training.seconds
        training.step(before / limit)
        training.seconds = (time.process_time() - began) / plan["threads"]
        if due(before, training.seconds, limit):
            put(folder / f"{training.images:09d}.pt", training.generator.state_dict())
            note(folder, training.images, training.seconds, f"{training.images:09d}.pt")
        if training.seconds - saved > SNAPSHOT or training.seconds >= limit:
            put(snapshot, training.state())
            saved = training.seconds
            print(f"{folder.name}: {training.images:,} images, {saved:.0f} s", flush=True)


def speed_of(experiment: Any, plan: dict[str, Any]) -> float:
    """Images a second of processor time that a recipe trains on, from a short trial.

    What comes before the first step is longer in a longer training: each image has its share of it.

    Args:
        experiment: of the trial, TRIED images long.
    """
    threads, images = plan["threads"], experiment.training.images
    wanted = threads * min(TRIAL, plan["minutes"] * 60 / 8)
    first = last = 0, 0.0
    started = before = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for event in experiment.run(Path(folder) / "trial"):
            now = time.process_time()
            if isinstance(event, Started):
                started = before = now
            elif isinstance(event, Stepped) and not event.images:
                before = now
            elif isinstance(event, Stepped):
                last = event.images, now
                if event.images <= 10 * experiment.training.batch:
                    first = last
                elif last[1] - first[1] > wanted or event.images >= images:
                    break
    return threads / ((before - started) / images + (last[1] - first[1]) / (last[0] - first[0]))


def train_recipe(plan: dict[str, Any], folder: Path) -> None:
    """Train a recipe so long that it needs the time; continues where it was interrupted.

    What follows the training is counted only where it changes the drawings: a selector, not a detector.
    """
    settings = {"seed": str(plan["seed"]), "evaluate_every": "0", "sample_every": "0", "device": "cpu", **plan["set"]}
    planned = folder / "images.json"
    if not planned.is_file():
        rate = speed_of(api.experiment(plan["who"], plan["data"], settings | {"images": str(TRIED)}), plan)
        planned.write_text(json.dumps(round(rate * MARGIN * plan["minutes"] * 60)))
    images = json.loads(planned.read_text())
    moments = ",".join(str(round(share * images)) for share in SHARES[:-1])
    settings |= {"images": str(images), "sample_at": moments, "keep_models": "true"}
    experiment = api.experiment(plan["who"], plan["data"], settings)
    began, ended = time.process_time(), (0, 0.0)
    clock = lambda: (time.process_time() - began) / plan["threads"]  # noqa: E731
    for event in experiment.run(folder / "run"):
        if isinstance(event, Started):  # what was read before is not counted; a resumed training is older
            began = time.process_time() - rewind(folder, event.images) * plan["threads"]
        elif isinstance(event, Saved):
            ended = event.images, clock()
            note(folder, *ended)
        elif isinstance(event, Sampled) and event.images and event.images < images:
            name = event.path.stem.removeprefix("fakes_")
            note(folder, event.images, clock(), f"run/models/model_{name}.safetensors")
            print(f"{folder.name}: {event.images:,} of {images:,} images, {clock():.0f} s", flush=True)
    seconds = clock() if getattr(experiment.task, "select", 0) else ended[1]
    note(folder, ended[0], seconds, "run/model.safetensors")


def train(plan: dict[str, Any], out: Path) -> None:
    """Train one of PEERS or a recipe, if that is not done yet."""
    name = datasets.load(plan["data"]).name
    words = [name, plan["who"], f"{plan['minutes']:g}min", *(f"{k}={v}" for k, v in plan["set"].items()), plan["seed"]]
    folder = out / naming.safe("-".join(map(str, words)))
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "plan.json"
    if card.is_file() and json.loads(card.read_text()).get("rates"):
        print(f"{folder.name}: done")
        return
    dtype = torch.bfloat16 if plan["format"] == "bf16" else torch.float32
    before = round(speed.matrix_rate(dtype))
    card.write_text(json.dumps(plan))
    if plan["who"] in PEERS:
        train_peer(PEERS[plan["who"]], datasets.load(plan["data"]), plan, folder)
    else:
        train_recipe(plan, folder)
    rates = [before, round(speed.matrix_rate(dtype))]
    card.write_text(json.dumps({**plan, "rates": rates, "machine": speed.machine()}))
