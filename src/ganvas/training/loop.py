"""The training loop: a Python generator of events. Whoever wants to stop no longer asks for the next one."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from ganvas.core import checkpoint, distributed, seeds
from ganvas.core.errors import UserError
from ganvas.core.rows import stamp
from ganvas.core.run import Run
from ganvas.core.samples import CHECK, Preview
from ganvas.training.background import Background
from ganvas.training.batches import Batches
from ganvas.training.events import Evaluated, Event, Logged, Measured, Noted, Sampled, Saved, Started, Stepped, Warned
from ganvas.training.task import Task
from ganvas.training.trainer import Config, Trainer, is_finite

PROBES = 8  # probes of the discriminator a tick, since its opinion sways from step to step


def crossed(before: int, after: int, every: int) -> bool:
    """Did the clock pass a multiple of `every` (0: never)?"""
    return every > 0 and before // every < after // every


def pictured(config: Config, after: int) -> bool:
    """Does a picture belong to the step that ends after so many images? (One belongs to the end as well.)"""
    before = after - config.batch
    listed = any(before < at <= after for at in config.sample_at)
    return listed or crossed(before, after, config.sample_every)


def first_in_thousand(config: Config, after: int) -> bool:
    """Is the picture of this step the first one in its thousand of images, wherever the training may end?

    It follows from the settings alone, so that a resumed training gives its pictures the same names.
    """
    start = -(-(after // 1000 * 1000) // config.batch) * config.batch  # the thousand's first step
    return pictured(config, after) and not any(pictured(config, n) for n in range(start, after, config.batch) if n)


def fit(task: Task, batches: Batches, config: Config, run: Run) -> Iterator[Event]:
    """Train until `config.images` images were seen, from the run's last snapshot where it has one.

    Every step is announced with an event. Closing the iterator (or leaving a `for` loop over it) ends the training
    after the step that was just made, with a snapshot: a later `fit` on the same run goes on bit for bit.

    With several processes each works on its part of every batch, and all hold the same state after every step. Only
    the first one writes and tells; the others' events are `Stepped`.

    Raises:
        UserError: a file cannot be written, all snapshots are damaged, or a loss is no longer a finite number.
    """
    trainer = Trainer(task, config)
    began = yield from _begin(trainer, batches, run)
    saved = time.monotonic()
    background = Background(run, config.evaluate_count, task.measures_beside)
    try:
        while trainer.images < config.images:
            before = trainer.images
            trainer.step(batches.at(before))
            trainer.seconds = time.monotonic() - began
            after, done = trainer.images, trainer.images >= config.images
            if done or crossed(before, after, max(1, config.tick_every // PROBES)):
                trainer.probe(batches)
            if time.monotonic() - saved >= config.save_seconds and run.writes:
                distributed.wish("save")  # granted at once, or with the next step where others must know of it
            events: list[Event] = [Stepped(after)]  # all work of a step is done before anyone can stop us
            if done or crossed(before, after, config.tick_every):
                events.append(_log(trainer, batches, run))
                events += [Measured(background.images, rows) for rows in [background.collect()] if rows]
            if done or pictured(config, after):
                name = stamp(after, first_in_thousand(config, after))
                drawn = _sample(trainer, batches, run, f"fakes_{name}")
                events += [drawn, _check(trainer, batches, run, drawn.preview)]
                if config.keep_models:
                    _save_model(trainer, run, run.models / f"model_{name}.safetensors")
            if crossed(before, after, config.evaluate_every) and run.writes and not (done or background.busy):
                _save_model(trainer, run, run.candidate(after))
                background.start(after)
            if distributed.granted("save") or done:
                if distributed.size() > 1:
                    distributed.agree({"their digest": trainer.digest()}, f"weights after {after:,} images")
                events.append(_save(trainer, run))
                saved = time.monotonic()
            yield from events if run.writes else events[:1]
    except GeneratorExit:  # the last step is whole: keep it
        _save(trainer, run)
        raise
    if not run.writes:
        yield from _wait(trainer)
    elif not run.is_finished():  # whoever leaves here loses nothing: the last snapshot holds the whole contest
        yield from _finish(trainer, batches.whole(), run)
        if config.evaluate_every:
            _save_model(trainer, run, run.candidate(trainer.images), finished=True)
            background.start(trainer.images)
    distributed.tell("finished")


def _wait(trainer: Trainer) -> Iterator[Event]:
    """The first rank learns alone what there is to be learned after the contest; the others wait for it."""
    for _ in distributed.waiting("finished"):
        distributed.decide()
        yield Stepped(trainer.images)


def _begin(trainer: Trainer, batches: Batches, run: Run) -> Generator[Event, None, float]:
    """Take up the run's last snapshot, or make the first one; returns when the training would have begun."""
    tensors, card = {}, {}
    with distributed.together():
        path, tensors, card, bad = run.last_snapshot(trainer.restore) if run.writes else (None, {}, {}, [])
    for sentence in bad:
        yield Warned(0, f"{sentence} The snapshot before it is taken.")
    for sentence in run.remarks() if run.writes else []:
        yield Warned(0, sentence)
    if distributed.size() > 1:  # the other machines need not have the folder
        _share(trainer, run)
    if path is not None:
        for key, new in trainer.machine().items():
            old = card["machine"].get(key, new)
            if old != new:
                text = f"{key} was {str(old)[:60]} and is {new}: the run goes on, but not bit for bit."
                yield Warned(trainer.images, text)
    del tensors
    run.rewind(trainer.images)
    if run.writes:
        yield Started(trainer.images, run.folder)
    began = time.monotonic() - trainer.seconds
    state_bytes = sum(t.numel() * t.element_size() for t in trainer.tensors().values())
    if trainer.images == 0:
        run.check_space(8 * (3 * max(state_bytes, 400_000)) + 20_000_000)
        run.save_sample("reals", batches.data.examples().files())
        events = [_sample(trainer, batches, run, "fakes_init"), _save(trainer, run)]
        yield from events if run.writes else []
    return began


def _share(trainer: Trainer, run: Run) -> None:
    """Give the first rank's state to all."""
    state = {name: t.cpu() for name, t in trainer.tensors().items()} if run.writes else {}
    tensors, card = distributed.broadcast((state, trainer.card()))
    if not run.writes:
        trainer.restore(run.folder, tensors, card)


def _finish(trainer: Trainer, batches: Batches, run: Run) -> Iterator[Event]:
    """What the task learns after the last step; begun anew where it was interrupted."""
    last = ""
    for text in trainer.task.finish(trainer.drawer(), batches, run):
        if last:
            yield Noted(trainer.images, last)
        last = text
        distributed.decide()  # the others wait
        yield Stepped(trainer.images)
    task = trainer.task
    for name in [name for name, network in task.learned.items() if not is_finite(network)]:
        del task.learned[name]
        task.findings.pop(name, None)
        text = f"The {name} came to values that are infinite or not numbers (NaN): the model is kept without it."
        yield Warned(trainer.images, text)
    _save_model(trainer, run, run.model, finished=True)
    if last:  # the last word is said when all is kept
        yield Noted(trainer.images, last)


def _log(trainer: Trainer, batches: Batches, run: Run) -> Logged:
    """Write the means since the last line."""
    steps = max(trainer.counts.values(), default=0)
    means = trainer.means()
    for name, value in means.items():
        if not math.isfinite(value):
            last = next(iter(run.snapshots()), None)
            raise UserError(
                f"Training stopped: {name} is {value} at {trainer.images:,} images. The last good snapshot is {last}. "
                "Start again with a smaller learning rate (lr_g, lr_d) or a larger r1."
            )
    took = trainer.seconds - trainer.tick_seconds
    trainer.tick_seconds = trainer.seconds
    row = {
        "images": trainer.images,
        "epoch": round(trainer.images / batches.count, 4),
        **{name: round(value, 6) for name, value in means.items()},
        "lr_g": trainer.optimizer_g.param_groups[0]["lr"],
        "lr_d": trainer.optimizer_d.param_groups[0]["lr"],
        "seconds": round(trainer.seconds, 3),
        "images_per_second": round(steps * trainer.config.batch / max(took, 1e-9), 1),
    }
    run.append(row)
    return Logged(trainer.images, row)


def _sample(trainer: Trainer, batches: Batches, run: Run, name: str) -> Sampled:
    """Draw the fixed samples."""
    drawer = trainer.drawer().eval()
    preview = trainer.task.preview(drawer, batches)
    trainer.task.generator.train()
    return Sampled(trainer.images, run.save_sample(name, preview.files()), preview)


def _check(trainer: Trainer, batches: Batches, run: Run, preview: Preview) -> Evaluated:
    """The task's figures beside a sheet, the networks in evaluation mode."""
    task = trainer.task
    seeds.plant(seeds.key(trainer.config.seed, "check", trainer.images), trainer.device)
    task.generator.eval(), task.discriminator.eval()
    figures = task.check(trainer.drawer(), batches, preview)
    task.generator.train(), task.discriminator.train()
    run.append({"images": trainer.images, "metric": task.checks, "n": CHECK, **figures}, run.metrics)
    return Evaluated(trainer.images, figures, task.describe(figures))


def _save(trainer: Trainer, run: Run) -> Saved:
    """Write a snapshot, and the model that people use.

    Raises:
        UserError: a weight is not a finite number, or a file cannot be written.
    """
    if not trainer.is_finite():
        last = next(iter(run.snapshots()), None)
        raise UserError(f"A weight became infinite by {trainer.images:,} images; the last good snapshot is {last}.")
    path = run.save_snapshot(trainer.images, trainer.tensors(), trainer.card())
    _save_model(trainer, run, run.model)
    return Saved(trainer.images, path)


def _save_model(trainer: Trainer, run: Run, path: Path, finished: bool = False) -> None:
    task = trainer.task
    parts = {"generator": trainer.drawer(), "discriminator": task.discriminator, **(task.learned if finished else {})}
    run.save_model(
        path,
        {key: t for name, module in parts.items() for key, t in checkpoint.module_tensors(name, module).items()},
        {
            "images": trainer.images,
            "finished": finished,
            "machine": trainer.machine(),
            "log": run.last_row(),
            **(task.findings if finished else {}),
        },
    )
