"""The training loop: a Python generator of events. To stop a training, stop iterating."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import torch

from ganvas.core import checkpoint, distributed, seeds
from ganvas.core.errors import UserError
from ganvas.core.rows import stamp
from ganvas.core.run import Run
from ganvas.core.samples import CHECK, Preview
from ganvas.training.background import Background
from ganvas.training.batches import Batches
from ganvas.training.events import Evaluated, Event, Logged, Measured, Noted, Sampled, Saved, Started, Stepped, Warned
from ganvas.training.pace import Pace
from ganvas.training.task import Task
from ganvas.training.threads import Threads
from ganvas.training.trainer import Config, Trainer, is_finite, place

PROBES = 8  # probes of the discriminator per log line, because its accuracy varies from step to step


def crossed(before: int, after: int, every: int) -> bool:
    """Did the images seen pass a multiple of `every` (0: never)?"""
    return every > 0 and before // every < after // every


def pictured(config: Config, after: int) -> bool:
    """Is a preview due in the step that ends after so many images? (The end of the training has one, too.)"""
    before = after - config.batch
    listed = any(before < at <= after for at in config.sample_at)
    return listed or crossed(before, after, config.sample_every)


def first_in_thousand(config: Config, after: int) -> bool:
    """Is the preview of this step the first one in its thousand images?

    This depends on the settings alone, so that a resumed training gives its previews the same names.
    """
    start = -(-(after // 1000 * 1000) // config.batch) * config.batch  # the thousand's first step
    return pictured(config, after) and not any(pictured(config, n) for n in range(start, after, config.batch) if n)


def fit(task: Task, batches: Batches, config: Config, run: Run) -> Iterator[Event]:
    """Train until `config.images` images were seen, starting from the run's last snapshot if there is one.

    There is at least one event per step. Closing the iterator (or leaving a `for` loop over it) ends the training
    after the step that was just made, with a snapshot: a later `fit` on the same run continues bit for bit.

    With several processes, each works on its part of every batch, and all have the same state after every step. Only
    the first one writes files and yields all events; the others yield only `Stepped`.

    Raises:
        UserError: a file cannot be written, all snapshots are damaged, or a loss is no longer a finite number.
    """
    place(task, batches.device)  # `prepare` may compute with them
    task.prepare(config, batches)
    trainer = Trainer(task, config)
    threads = Threads(trainer, batches)
    began = yield from _begin(trainer, batches, run, threads)
    saved = time.monotonic()
    background = Background(run, config.evaluate_count, task.measures_beside, trainer.device.type)
    pace = Pace(run, trainer.images, batches.count)
    try:
        while trainer.images < config.images and not task.is_over():
            before = trainer.images
            trainer.step(batches.at(before))
            trainer.seconds = time.monotonic() - began
            after, done = trainer.images, trainer.images >= config.images
            pace.step(after, trainer.seconds, done)
            if done or crossed(before, after, max(1, config.tick_every // PROBES)):
                trainer.probe(batches)
            if time.monotonic() - saved >= config.save_seconds and run.writes:
                distributed.wish("save")  # granted at once, or with the next step if there are other ranks
            events: list[Event] = [Stepped(after)]  # yielded only when all work of the step is done
            logged = _log(trainer, batches, run) if done or crossed(before, after, config.tick_every) else None
            if logged:
                events += [logged, *(Measured(background.images, rows) for rows in [background.collect()] if rows)]
            if done or pictured(config, after):
                events += _previewed(trainer, batches, run)
                if over := "" if done else task.is_over():
                    done = True
                    events.append(Noted(after, over))
            if crossed(before, after, config.evaluate_every) and run.writes and not (done or background.busy):
                _evaluate(trainer, run, background)
            if distributed.granted("save") or done:
                if distributed.size() > 1:
                    distributed.agree({"their digest": trainer.digest()}, f"weights after {after:,} images")
                events.append(_save(trainer, run))
                saved = time.monotonic()
            if logged and not done:  # last, as it times the next step
                events += threads.logged(logged.row["images_per_second"])
            yield from events if run.writes else events[:1]
    except GeneratorExit:  # the last step is whole: keep it
        _save(trainer, run)
        raise
    if not run.writes:
        yield from _wait(trainer, "finished")
    elif not run.is_finished():  # leaving here loses nothing: the last snapshot holds the whole training
        yield from _finish(trainer, batches.whole(), run)
        if config.evaluate_every:
            _evaluate(trainer, run, background, finished=True)
    distributed.tell("finished")


def _evaluate(trainer: Trainer, run: Run, background: Background, finished: bool = False) -> None:
    """Have the model as it is now measured while the training continues."""
    _save_model(trainer, run, run.candidate(trainer.images), finished=finished)
    background.start(trainer.images)


def _wait(trainer: Trainer, what: str) -> Iterator[Event]:
    """Wait while only the first rank does what comes before or after the training."""
    for _ in distributed.waiting(what):
        distributed.decide()
        yield Stepped(trainer.images)


def _events(trainer: Trainer, work: Iterator[tuple[float, str]]) -> Iterator[Event]:
    """The events of work that a task does before the training, on the first rank alone."""
    for _, text in work:
        if text:
            yield Noted(trainer.images, text)
        distributed.decide()  # the other ranks only wait
        yield Stepped(trainer.images)


def _begin(trainer: Trainer, batches: Batches, run: Run, threads: Threads) -> Generator[Event, None, float]:
    """Restore the run's last snapshot, or make the first one; returns when an unbroken training would have begun."""
    if run.writes and (text := trainer.small_parts()):
        yield Warned(trainer.images, text)
    tensors, card = {}, {}
    with distributed.together():
        path, tensors, card, bad = run.last_snapshot(trainer.restore) if run.writes else (None, {}, {}, [])
    for sentence in bad:
        yield Warned(0, f"{sentence} The one before it is used.")
    for sentence in run.remarks() if run.writes else []:
        yield Warned(0, sentence)
    if path is not None:
        threads.resume(card["machine"])
        for key, new in trainer.machine().items():
            old = card["machine"].get(key, new)
            if old != new:
                text = f"{key} was {str(old)[:60]} and is {new}: the run continues, but not bit for bit."
                yield Warned(trainer.images, text)
    del tensors
    run.rewind(trainer.images)
    if run.writes:
        yield Started(trainer.images, run.folder)
    began = time.monotonic() - trainer.seconds
    if not run.writes:
        yield from _wait(trainer, "begun")
    elif path is None:
        yield from threads.choose()
        yield from _events(trainer, trainer.task.begin(trainer.config, batches.whole(), trainer.autocast()))
        trainer.seconds = trainer.tick_seconds = time.monotonic() - began
    distributed.tell("begun")
    if distributed.size() > 1:  # other machines may not have the folder
        _share(trainer, run)
    state_bytes = sum(t.numel() * t.element_size() for t in trainer.tensors().values())
    if trainer.images == 0:
        run.check_space(8 * (3 * max(state_bytes, 400_000)) + 20_000_000)
        run.save_sample("reals", batches.data.examples().files())
        events = [_sample(trainer, batches, run, "fakes_init"), _save(trainer, run)]
        yield from events if run.writes else []
    if trainer.images < trainer.config.images and run.writes and (over := trainer.task.is_over()):
        yield Noted(trainer.images, over)  # a resumed training had ended before its length
    return began


def _share(trainer: Trainer, run: Run) -> None:
    """Copy the first rank's state to all ranks."""
    state = {name: t.cpu() for name, t in trainer.tensors().items()} if run.writes else {}
    tensors, card = distributed.broadcast((state, trainer.card()))
    if not run.writes:
        trainer.restore(run.folder, tensors, card)


def _finish(trainer: Trainer, batches: Batches, run: Run) -> Iterator[Event]:
    """The task's work after the training; it starts over if it is interrupted."""
    last_text = ""
    for text in trainer.task.finish(trainer.sampler(), batches, run):
        if last_text:
            yield Noted(trainer.images, last_text)
        last_text = text
        distributed.decide()  # the other ranks only wait
        yield Stepped(trainer.images)
    task = trainer.task
    for name in [name for name, network in task.learned.items() if not is_finite(network)]:
        del task.learned[name]
        task.findings.pop(name, None)
        text = f"The {name} has values that are infinite or not numbers (NaN): the model is kept without it."
        yield Warned(trainer.images, text)
    _save_model(trainer, run, run.model, finished=True)
    if last_text:  # only once the model is written
        yield Noted(trainer.images, last_text)


def _log(trainer: Trainer, batches: Batches, run: Run) -> Logged:
    """Write the means since the last log line.

    Raises:
        UserError: one of them is not a finite number.
    """
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


def _previewed(trainer: Trainer, batches: Batches, run: Run) -> list[Event]:
    """Write a preview, its metrics, and the model where that of each preview is kept."""
    name = stamp(trainer.images, first_in_thousand(trainer.config, trainer.images))
    sampled = _sample(trainer, batches, run, f"fakes_{name}")
    checked = _check(trainer, batches, run, sampled.preview)
    if trainer.config.keep_models:
        _save_model(trainer, run, run.models / f"model_{name}.safetensors")
    return [sampled, checked]


def _sample(trainer: Trainer, batches: Batches, run: Run, name: str) -> Sampled:
    """Write a preview of the generator."""
    sampler = trainer.sampler().eval()
    with torch.no_grad():
        preview = trainer.task.preview(sampler, batches)
    trainer.task.generator.train()
    return Sampled(trainer.images, run.save_sample(name, preview.files()), preview)


def _check(trainer: Trainer, batches: Batches, run: Run, preview: Preview) -> Evaluated:
    """The task's metrics for a preview, with the networks in evaluation mode."""
    task = trainer.task
    seeds.seed_all(seeds.key(trainer.config.seed, "check", trainer.images), trainer.device)
    task.generator.eval(), task.discriminator.eval()
    with torch.no_grad():
        figures = task.check(trainer.sampler(), batches, preview)
    task.generator.train(), task.discriminator.train()
    run.append({"images": trainer.images, "metric": task.checks, "n": CHECK, **figures}, run.metrics)
    return Evaluated(trainer.images, figures, task.describe(figures))


def _save(trainer: Trainer, run: Run) -> Saved:
    """Write a snapshot and the model.

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
    parts = {"generator": trainer.sampler(), "discriminator": task.discriminator, **(task.learned if finished else {})}
    run.save_model(
        path,
        {key: t for name, module in parts.items() for key, t in checkpoint.module_tensors(name, module).items()},
        {
            "images": trainer.images,
            "finished": finished,
            "machine": trainer.machine(),
            "log": task.shared(run.last_row()),
            **(task.findings if finished else {}),
        },
    )
