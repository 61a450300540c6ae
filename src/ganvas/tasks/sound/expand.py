"""`ganvas expand` for sounds: enlarge a labelled data set with drawn sounds, and find out whether that helps.

Near copies of training sounds, silent ones and those that the detector rejects, also for their class, are dropped.
Whether the rest is useful is then tried by the classifier of `ganvas evaluate`, see `metrics.lessons`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganvas.core import naming, seeds
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.saving import Portion
from ganvas.core.text import command
from ganvas.metrics import lessons
from ganvas.metrics.candidates import ALARM, Candidates, Expanded
from ganvas.metrics.lessons import Lesson
from ganvas.tasks.sound import save as saving
from ganvas.tasks.sound.evaluate import classifier as cl
from ganvas.tasks.sound.evaluate import faults, nearness
from ganvas.tasks.sound.evaluate import source as sources
from ganvas.tasks.sound.evaluate.sides import FEWEST, Judge, Sides, Sounds
from ganvas.tasks.sound.model import SoundModel, load

PASSES, LEAST_STEPS, MOST_STEPS = 10, 200, 500  # of a classifier: ten passes over its sounds, within these limits
DRAWING = 0.5  # share of the work that is done once all sounds are drawn


def expand(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    count: int = 1_000,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    repeats: int = 5,
    form: str = "wav",
    force: bool = False,
) -> Iterator[Doing | Expanded | Lesson]:
    """Write `count` new sounds of each class, then try whether they help a classifier.

    Args:
        source: a run's folder or a model file, trained on a labelled data set.
        out: NAME.zip, or a new folder, with a sub-folder a class.
        count: sounds a class.
        data: where the sounds of the training are, if they are not where the run says.
        repeats: trials of each classifier, each with other real sounds; 0: none.
        form: of the files, 'wav', 'flac' or 'ogg'.
        force: overwrite what an earlier call wrote there.

    Raises:
        UserError: a model without classes, sounds that it was not trained on, or a place that cannot be written.
    """
    if count < 1 or repeats < 0:
        raise UserError(f"--count {count}, --repeats {repeats}: at least 1 sound a class and 0 repeats are needed.")
    place, model = Path(out), load(source)
    if not model.class_names:
        raise UserError(f"{model.path} was trained without labels; only a labelled data set can be expanded.")
    if saving.is_strip(place) or place.suffix.lower() in saving.OTHERS:
        raise UserError(
            f"{place}: a data set is a folder or NAME.zip with one sub-folder per class. Choose another --out."
        )
    saving.check(place, force)
    yield Doing("reading the real sounds", 0.0)
    real = sources.suiting(model, source, None if data is None else str(data))
    if tuple(real.class_names) != model.class_names:
        raise UserError(f"{real.name} has other classes than {model.path} draws: {', '.join(model.class_names)}.")
    train = sources.shuffled(real.train, seed, "train", real.spec.samples)
    held = sources.shuffled(real.held_out, seed, "held-out", real.spec.samples)
    seen, known = (Sounds(side.waves, side.labels, Judge(real.spec.rate)) for side in (train, held))
    sides = Sides([], [], known, seen, model.class_names)
    candidates, notes = _candidates(model, sides, seed), _notes(model, sides, repeats)
    trial = Trial(sides, seed) if repeats and len(held.waves) >= FEWEST else None
    drawing = _Drawing(candidates, model.class_names, count, trial, command("ganvas", "evaluate", source))
    for done in saving.save(place, drawing.portions(), model.spec.rate, model.class_names, form, force):
        yield Doing(drawing.text, DRAWING * done / (count * len(model.class_names)))
    yield candidates.written(place, model.class_names, count, naming.renamed(model.class_names), *notes)
    if trial is not None:
        for event in trial.lessons(repeats):
            yield Doing(event.text, DRAWING + (1 - DRAWING) * event.share) if isinstance(event, Doing) else event


def _candidates(model: SoundModel, sides: Sides, seed: int) -> Candidates:
    rate, limit = model.spec.rate, -1.0 if sides.no_copies() else sides.limit

    def draw(numbers: list[int], label: int) -> Tensor:
        return model.draw_waves(numbers, label)

    def near(waves: Tensor) -> Tensor:
        if limit < 0:
            return torch.zeros(len(waves), dtype=torch.bool)
        return nearness.nearest(nearness.pictures(waves, rate), sides.seen.pictures).distance <= limit

    def reject(waves: Tensor, label: int) -> Tensor:
        silent = faults.silent(waves, rate)
        if model.detector is None:
            return silent
        return silent | torch.tensor([v.kind != "yes" for v in model.detect(waves, label, ALARM)])

    return Candidates(draw, near, reject, seed)


def _notes(model: SoundModel, sides: Sides, repeats: int) -> list[str]:
    """What cannot be looked for, in sentences."""
    notes = []
    if why := sides.no_copies():
        notes.append(f"Near copies cannot be recognised: {why}.")
    if model.detector is None:
        notes.append(f"Only silent sounds are rejected, as the model has no detector: {model.no_detector}.")
    if repeats and len(sides.held) < FEWEST:
        notes.append(
            f"No trial of whether they help: it needs {FEWEST} held-out sounds, and there are {len(sides.held)}."
        )
    return notes


@dataclass
class Trial:
    """Classifiers that learn from training sounds, drawn ones and both; see `metrics.lessons`.

    made: log-mel pictures [n, bands, frames] of drawn sounds of a class each, and the class.
    """

    sides: Sides
    seed: int
    made: list[tuple[Tensor, int]] = field(default_factory=list)

    def fresh(self) -> cl.Classifier:
        """A classifier that has learned nothing."""
        waves = self.sides.seen.waves
        return cl.Classifier(self.sides.seen.judge.rate, waves.shape[1], len(self.sides.class_names))

    def add(self, portion: Portion, label: int) -> None:
        """Remember drawn sounds, of all classes as many as there are training sounds at most."""
        left = sources.MOST // len(self.sides.class_names) - sum(len(x) for x, of in self.made if of == label)
        if left > 0 and len(portion.samples):
            self.made.append((self.fresh().mel(portion.samples[:left]), label))

    def lessons(self, repeats: int) -> Iterator[Doing | Lesson]:
        """Teach all classifiers; yields progress, and what comes of it."""
        mel, seen, held = self.fresh().mel, self.sides.seen, self.sides.held
        assert seen.labels is not None
        labels, pictures, asked = seen.labels, mel(seen.waves), mel(held.waves)
        made = torch.cat([x for x, _ in self.made])
        of = torch.cat([torch.full((len(x),), label) for x, label in self.made])

        def learn(real: Tensor | None, drawn: bool, seed: int) -> float:
            some = labels[:0] if real is None else real
            x = torch.cat([pictures[some], made[: len(made) * drawn]])
            y = torch.cat([labels[some], of[: len(made) * drawn]])
            share = lessons.share_of_real(len(some), len(x) - len(some))
            weights = cl.evenly(y)
            weights[: len(some)] *= share / weights[: len(some)].sum().clamp_min(1e-9)
            weights[len(some) :] *= (1 - share) / weights[len(some) :].sum().clamp_min(1e-9)
            return self._taught(x, y, weights, asked, seed)

        yield from lessons.lessons(labels, learn, self.seed, repeats, "sounds", "sounds")

    def _taught(self, x: Tensor, y: Tensor, weights: Tensor, asked: Tensor, seed: int) -> float:
        """The accuracy on held-out sounds of a classifier that learned from log-mel pictures of these classes."""
        steps = min(MOST_STEPS, max(LEAST_STEPS, PASSES * len(x) // cl.BATCH))
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            network = self.fresh()
            for _ in cl.fit(network, x, y, weights, steps, seeds.generator(seed, "sounds of a lesson")):
                pass
        network.eval()
        with torch.inference_mode():
            guesses = torch.cat([network(part).argmax(1) for part in asked.split(cl.PORTION)])
        return float((guesses == self.sides.held.labels).double().mean())


@dataclass
class _Drawing:
    """Draws what is written, class after class; `text`: what it is doing."""

    candidates: Candidates
    class_names: tuple[str, ...]
    count: int
    trial: Trial | None
    way: str
    text: str = ""

    def portions(self) -> Iterator[Portion]:
        for number, name in enumerate(self.class_names):
            self.text = f"drawing {self.count:,} of class {name}"
            for portion in self.candidates.of_class(number, self.count):
                if self.trial is not None:
                    self.trial.add(portion, number)
                yield portion
        self.candidates.check(
            "sounds", self.way, "and silent or rejected by the detector are"
        )  # here, so that nothing is left behind
