"""You against the machine: twenty pictures, and a fresh classifier that is trained for this game alone.

The pictures are dealt at once. The classifier is trained meanwhile and kept in a file, so that it is trained once for
each model; what it says is asked for when the player has answered.
"""

from __future__ import annotations

import functools
import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, write_whole
from ganvas.images import uploads
from ganvas.images.classifier import Classifier
from ganvas.metrics import two_sample
from ganvas.tasks.generate.model import Model
from ganvas.tasks.generate.studio.judge import Allowed, Source

LEARNED = 2_000  # real and generated pictures, each, that the classifier is trained on
LEAST = 40  # held-out pictures for a game
TOLD = 0.5  # seconds between two notes of how far the training is
FORMAT = b"expert of the game, 1"  # changes where the classifier or its training changes


@dataclass(frozen=True)
class _HeldOut:
    """Real pictures that the model was not trained on: those for the classifier, and those for the player."""

    images: Tensor  # uint8 [N, C, H, W]
    labels: Tensor | None  # [N]; None: the model knows no classes
    learned: Tensor  # indices of those that the classifier is trained on
    kept_back: list[int]  # indices of the others


@functools.lru_cache(maxsize=1)
def _held_out(source: Source) -> _HeldOut:
    real = source.data()
    images = real.held_out.images
    if len(images) < LEAST:
        raise UserError(f"A game needs {LEAST} held-out pictures; this run has {len(images)}.")
    order = torch.randperm(len(images), generator=seeds.generator(0, "game"))
    count = min(LEARNED, len(images) * 2 // 3)
    labels = real.held_out.labels if source.model.class_names else None
    return _HeldOut(images, labels, order[:count], order[count:].tolist())


@functools.lru_cache(maxsize=8)
def _mark(source: Source) -> str:
    """What tells this model from all others."""
    return hashlib.sha256(FORMAT + Path(source.path).read_bytes()).hexdigest()


def ready(model: Model, allowed: Allowed) -> str:
    """Load what a game needs, and return the model's mark, under which its classifier is kept.

    Args:
        allowed: which data may be read; see `source.trained_on`.

    Raises:
        UserError: the data are missing, too few, or must not be read.
    """
    source = Source.of(model, allowed)
    _held_out(source)
    return _mark(source)


def deal(model: Model, seed: int, count: int, allowed: Allowed) -> dict[str, Any]:
    """`count` pictures as PNG, half real and half generated, in random order; which are real; the model's mark.

    Args:
        allowed: as for `ready`. Raises as `ready`.
    """
    source = Source.of(model, allowed)
    mixed, real = _mixed(source, seed, count)
    return {"pictures": [uploads.tensor_png(x) for x in mixed], "real": real, "mark": _mark(source)}


def _mixed(source: Source, seed: int, count: int) -> tuple[Tensor, list[bool]]:
    """The pictures of a game, uint8 [count, C, H, W], and which are real; the same for the same seed."""
    held = _held_out(source)
    rng = random.Random(seed)
    chosen = rng.sample(held.kept_back, count // 2)
    numbers = [rng.randrange(1_000_000, 2_000_000) for _ in chosen]  # seeds that the classifier was not trained on
    classes = None if held.labels is None else held.labels[chosen].tolist()
    mixed = torch.cat([held.images[chosen], source.model.pictures(numbers, classes)])
    order = list(range(len(mixed)))
    rng.shuffle(order)
    return mixed[order], [i < len(chosen) for i in order]


def teach(model: Model, file: str, allowed: Allowed) -> None:
    """Train a classifier to tell this model's pictures from held-out ones, and write it to a file.

    While it is trained, the file `share_of(file)` holds the share that is done.

    Args:
        allowed: as for `ready`. Raises as `ready`.
    """
    source = Source.of(model, allowed)
    held = _held_out(source)
    count = len(held.learned)
    classes = None if held.labels is None else held.labels[held.learned].tolist()
    both = torch.cat([held.images[held.learned], model.pictures(range(count), classes)])
    is_real = torch.arange(2 * count) < count
    mean, spread = both.float().mean(), both.float().std().clamp_min(1e-6)
    share = share_of(Path(file))
    make_folder(share.parent)
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(0, "expert of the game"))
        network = _network(model)
        rounds = max(1, 2 * count // two_sample.BATCH)
        epochs = max(4, -(-two_sample.STEPS // rounds))

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for _ in range(epochs):
                for index in torch.randperm(2 * count).split(two_sample.BATCH)[:rounds]:
                    yield (both[index].float() - mean) / spread, is_real[index]

        told = 0.0
        for step, _ in enumerate(two_sample.teach(network, batches(), epochs * rounds)):
            if time.monotonic() - told > TOLD:
                share.write_text(f"{step / (epochs * rounds):.3f}", encoding="ascii")
                told = time.monotonic()
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_whole(Path(file), save({**tensors, "game.mean": mean, "game.spread": spread}))
    share.unlink(missing_ok=True)


def share_of(file: Path) -> Path:
    """Where the share is noted that is done of the training of a classifier."""
    return file.with_suffix(".share")


def answer(model: Model, seed: int, count: int, mark: str, file: str, allowed: Allowed) -> list[bool]:
    """For each picture of a game whether the classifier takes it for real.

    Args:
        mark: of the model by which the game was dealt.
        allowed: as for `ready`.

    Raises:
        UserError: the model has changed since, or the classifier cannot be read; and as `ready`.
    """
    source = Source.of(model, allowed)
    if _mark(source) != mark:
        raise UserError("The training has a newer model by now: play again to hear its expert.")
    mixed, _ = _mixed(source, seed, count)
    network = _network(model)
    try:
        tensors = load(Path(file).read_bytes())
        mean, spread = tensors.pop("game.mean"), tensors.pop("game.spread")
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        Path(file).unlink(missing_ok=True)  # the next game trains it again
        raise UserError("The expert's file cannot be read: play again, and it learns anew.") from error
    network.eval()
    with torch.inference_mode():
        logits = network(((mixed.float() - mean) / spread).contiguous(memory_format=torch.channels_last))
    return [bool(logit > 0) for logit in logits]


def _network(model: Model) -> Classifier:
    network = Classifier(model.spec.channels, model.spec.size)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return network
