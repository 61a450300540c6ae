"""The classifier of a data set, which figures are measured with: taught once, then kept in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

from torch import Tensor

from ganvas.core import cache, checkpoint
from ganvas.core.errors import UserError
from ganvas.core.files import cache_folder, make_folder
from ganvas.core.progress import Counted
from ganvas.metrics.figures import VERSION
from ganvas.tasks.sound.evaluate import classifier as cl
from ganvas.tasks.sound.evaluate.classifier import Classifier
from ganvas.tasks.sound.evaluate.source import Split

NAME = "classifier"


def taught(data: Any, train: Split, seed: int) -> Generator[Counted, None, tuple[Classifier | None, str]]:
    """The classifier of a data set's classes, taught with its training sounds; yields progress while it is taught.

    Args:
        data: the data set, a `core.samples.Dataset`.
        train: its training sounds.

    Returns:
        The classifier and what identifies its weights; None and '-' where the sounds have no classes.
    """
    if train.labels is None or len(data.class_names) < 2:
        return None, "-"
    spec, classes = data.spec, len(data.class_names)
    path = place(data, len(train.waves), seed)
    network = Classifier(spec.rate, spec.samples, classes)
    tensors = _read(path, network)
    if tensors is None:
        network = yield from cl.learn(train.waves, train.labels, spec.rate, classes, seed)
        tensors = checkpoint.module_tensors(NAME, network)
        _write(path, tensors)
    cache.used(path)
    return network.eval(), checkpoint.digest(tensors, "")


def place(data: Any, count: int, seed: int) -> Path:
    """Where the classifier of this data set is kept, taught with `count` of its training sounds."""
    recipe = cl.BANDS, cl.HOP, cl.MOST_FRAMES, cl.FEATURES, cl.WIDTHS, cl.ROUNDS, cl.LEAST_STEPS, cl.MOST_STEPS
    content = data.fingerprint, data.class_names, data.spec.rate, data.spec.samples, count
    text = repr(("sounds", VERSION, cl.native(), *recipe, *content, seed))
    return cache_folder() / f"reference-{hashlib.sha256(text.encode()).hexdigest()[:20]}.safetensors"


def _read(path: Path, network: Classifier) -> dict[str, Tensor] | None:
    """The weights in the cache, which are then those of the network; None if there are none, or they are damaged."""
    if not path.is_file():
        return None
    try:
        tensors, _ = checkpoint.load(path)
        checkpoint.load_module(NAME, network, tensors, path)
    except (UserError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    return checkpoint.module_tensors(NAME, network)


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    """Keep the weights in the cache; nothing happens if it cannot be written."""
    try:
        make_folder(path.parent)
        checkpoint.save(path, tensors, {})
        cache.trim(path)
    except UserError:
        return
