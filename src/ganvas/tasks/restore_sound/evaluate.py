"""`ganvas evaluate` of a restorer: how near it comes to the clean sounds, compared with classical methods.

Noise as in training is added to held-out sounds at three signal-to-noise ratios; they are restored in several ways:
unchanged, by classical methods, each with the best of its settings, also where these are given the noise's actual
spectrum, and by the model.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.console import is_first
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, write_whole
from ganvas.core.progress import Doing, Written, last
from ganvas.core.run import run_of
from ganvas.core.terminal import Console
from ganvas.metrics.figures import number, row_of
from ganvas.metrics.show import rows_table, show_rows
from ganvas.sounds import files, pitch, sheets
from ganvas.tasks.restore_sound import classical, fidelity, noise, noises
from ganvas.tasks.restore_sound import model as restoring
from ganvas.tasks.restore_sound.data import WaveData
from ganvas.tasks.restore_sound.model import SoundRestorer
from ganvas.training.evaluate import Options, data_of, folder_for, keep, trained_on

RATIOS = 0.0, 5.0, 10.0  # dB: the SNRs of the noisy sounds
COUNT = 500  # sounds at most
TRIED = 60  # of them on which the settings of a method are compared
SHOWN = 8  # sounds on a sheet
TAKEN = ("data", "against", "seed", "out")  # the options that are known here


@dataclass(frozen=True)
class Answer:
    """How well one way of restoring does at one SNR, means over the sounds.

    `ratio`: the SNR in dB; `sdr`: see `fidelity.sdr`, and its standard deviation `spread`; `lsd`: log-spectral distance
    in dB; `clear`: share of the frames that have a clear pitch. `name`: of the clean sounds it is 'clean'.
    """

    name: str
    ratio: float
    sdr: float
    spread: float
    lsd: float
    clear: float
    note: str = ""


def evaluate(
    source: str | os.PathLike[str],
    against: Sequence[str | os.PathLike[str]] = (),
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Answer | Written]:
    """Measure a restorer; yields progress, each answer, a sheet and a strip.

    Args:
        source: a run's folder or a model file.
        against: other restorers, such as one with a discriminator.
        data: a folder of sounds, whose held-out ones are used; None: that which the model was trained on.
        seed: of the noise.
        out: folder for the sheet; None: `evaluation/` in a run's folder, else none is written.

    Raises:
        UserError: a model of another task, sounds of another rate, or data that does not exist.
    """
    model, others = restoring.load(source), [restoring.load(path) for path in against]
    for path, other in zip(against, others, strict=True):
        if other.spec.rate != model.spec.rate:
            raise UserError(
                f"{path} restores sounds of {other.spec.rate:,} samples a second, {source} of {model.spec.rate:,}."
            )
    yield Doing("reading", 0.0)
    real = _real(model, source, data)
    clean = real.decode(real.held_out.samples[torch.arange(min(COUNT, len(real.held_out.samples)))])
    names = [str(path) for path in (source, *against)]
    answers: list[Answer] = [_answer("clean", math.nan, clean, clean, model)]
    yield answers[0]
    shown: list[tuple[str, Tensor]] = []
    for i, ratio in enumerate(RATIOS):
        noisy = with_noise(model, clean, ratio, seed)
        ways = _ways(dict(zip(names, (model, *others), strict=True)), noisy, clean, model.spec.window)
        for j, (name, way) in enumerate(ways.items()):
            yield Doing(f"{ratio:g} dB: {name}", 0.05 + 0.95 * (i + j / len(ways)) / len(RATIOS))
            title, made = way()
            answers.append(_answer(title, ratio, made, clean, model))
            yield answers[-1]
            if ratio == RATIOS[1]:
                shown.append((name, made))
    run = run_of(model.path)
    if run is not None:
        short = {str(path): Path(path).name for path in (source, *against)}  # no paths in a model's card
        rows = [{**row_of(a), "name": short.get(a.name, a.name)} for a in answers]
        facts: dict[str, Any] = {
            "data": real.name,
            "n": len(clean),
            "seed": seed,
            "degrade": model.card["task"]["degrade"],
        }
        keep(model, run, "restoration", {**facts, "answers": rows})
    folder = folder_for(out, run)
    if folder is not None:
        yield from _sheet(folder, [*shown, ("clean", clean)], model)


def with_noise(model: SoundRestorer, clean: Tensor, ratio: float, seed: int) -> Tensor:
    """Clean waves [n, samples] with noise of the model's kinds at one SNR, in dB."""
    steps = noises.parse(model.card["task"]["degrade"])
    steps = tuple(dataclasses.replace(step, low=ratio, high=ratio) for step in steps)
    numbers = torch.rand(len(clean), 2, generator=seeds.generator(seed, "judged", int(ratio)))
    return noise.added(steps, clean, model.spec.rate, numbers)


def _real(model: SoundRestorer, source: str | os.PathLike[str], data: str | os.PathLike[str] | None) -> WaveData:
    """The sounds that it was trained on, or those that the user names, at its rate."""
    if data is not None:
        return last(dataclasses.replace(data_of(model, str(data)), rate=model.spec.rate).loading())
    real: Any = trained_on(model, source, None)
    return real


Way = Callable[[], tuple[str, Tensor]]  # -> its name, and the restored waves [n, samples]


def _ways(models: dict[str, SoundRestorer], noisy: Tensor, clean: Tensor, size: int) -> dict[str, Way]:
    """What restores the sounds: nothing, the classical methods, those that are given the noise, then the models."""
    ways: dict[str, Way] = {"noisy": lambda: ("as it is", noisy)}
    for kind in classical.METHODS:
        ways[kind] = lambda kind=kind: _by_method(kind, noisy, clean, size, None)
    for kind in classical.METHODS:
        ways[f"{kind}, given the noise"] = lambda kind=kind: _by_method(kind, noisy, clean, size, noisy - clean)
    for name, model in models.items():
        ways[name] = lambda name=name, model=model: (name, torch.cat([model.restore(part) for part in noisy.split(64)]))
    return ways


def _by_method(kind: str, noisy: Tensor, clean: Tensor, size: int, known: Tensor | None) -> tuple[str, Tensor]:
    """The method with the best of its settings."""
    settings = classical.METHODS[kind]
    if known is not None:  # how the noise is found does not matter then
        settings = list({s.told: s for s in settings}.values())
    tried = None if known is None else known[:TRIED]
    scores = [fidelity.sdr(s.apply(noisy[:TRIED], size, known=tried), clean[:TRIED]).mean() for s in settings]
    best = settings[int(torch.stack(scores).argmax())]
    return (best.name if known is None else best.told), best.apply(noisy, size, known=known)


def _answer(name: str, ratio: float, made: Tensor, clean: Tensor, model: SoundRestorer) -> Answer:
    sdr = fidelity.sdr(made, clean)
    lsd = fidelity.spectral_distance(made, clean, model.spec.window).mean()
    clear = pitch.pitch(made, model.spec.rate).share.mean()
    mean, spread = (math.nan, math.nan) if made is clean else (float(sdr.mean()), float(sdr.std(correction=0)))
    return Answer(name, ratio, mean, spread, float(lsd), float(clear))


def command(source: Path, options: Options) -> int:
    """`ganvas evaluate` of a restorer: measure and print; the exit code.

    Raises:
        UserError: as `evaluate`; or options of other tasks.
    """
    options.only(TAKEN, f"{source} is evaluated on sounds, and all its metrics are measured")
    events = evaluate(source, options.against, options.data, options.seed, options.out)
    show_rows(Console(quiet=not is_first()), events, table, Answer)
    return 0


COLUMNS = {"sdr": "SDR, dB", "lsd": "spectral distance, dB", "clear": "clear pitch"}


def table(answers: Sequence[Answer]) -> Table:
    """How well each does, by the SNR of the noisy sounds."""
    columns = {"ratio": "SNR, dB", **COLUMNS}
    rows = rows_table(columns, [*columns])
    for a in answers:
        known = "-" if math.isnan(a.sdr) else f"{a.sdr:.2f} ± {a.spread:.2f}"
        rows.add_row(a.name, number(a.ratio), known, f"{a.lsd:.2f}", number(a.clear, share=True))
    return rows


def _sheet(folder: Path, shown: Sequence[tuple[str, Tensor]], model: SoundRestorer) -> Iterator[Written]:
    """Spectrograms, a row for each way of restoring, and a strip: the first sound in all ways."""
    make_folder(folder)
    pictures = [model.spec.codec.encode(_long(made[:SHOWN], model.spec.samples)) for _, made in shown]
    names, ratio = ", ".join(name for name, _ in shown), RATIOS[1]
    path = folder / "restored.png"
    write_whole(path, sheets.png(torch.cat(pictures), min(SHOWN, len(shown[0][1]))))
    yield Written(path, f"at {ratio:g} dB, from above: {names}")
    path = folder / "restored.wav"
    files.save(path, files.strip([made[0].numpy() for _, made in shown], model.spec.rate), model.spec.rate)
    yield Written(path, f"to hear: one sound, {names}")


def _long(waves: Tensor, samples: int) -> Tensor:
    """Waves cut or padded to so many samples."""
    return torch.nn.functional.pad(waves[:, :samples], (0, max(0, samples - waves.shape[1])))
