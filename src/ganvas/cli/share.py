"""What else is done with trained networks: `ganvas detect`, `expand`, `export`, `push` and `info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganvas.core.console import Force, app, passed_over, show_settings
from ganvas.core.errors import UserError
from ganvas.core.files import check_free
from ganvas.core.terminal import Console, say
from ganvas.core.text import command, one_line


@app.command
def detect(
    model: Path,
    *images: Path,
    alarm: float = 0.05,
    json: Annotated[bool, Parameter(negative=())] = False,
    report: Annotated[bool, Parameter(negative=())] = False,
    against: tuple[Path, ...] = (),
    data: str | None = None,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Ask the discriminator whether images are of the kind that it was trained on.

    Files that are no images are named and passed over; the exit code is then 1, and 2 where no file could be read.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Image files, or folders of them; they are converted to the model's size and colours.
    alarm
        The share of images of this kind that may be called 'no'.
    json
        One JSON object a line.
    report
        Say instead what the detector is worth: on held-out images against its own pictures and against strangers.
    against
        With --report: other models, folders of pictures or .npz files to ask it about.
    data
        With --report: the images that the model was trained on, where they lie elsewhere now.
    out
        A PNG with all images, those first that look least like the kind.
    force
        Overwrite what is there.
    """
    from ganvas.tasks.generate import detect_files
    from ganvas.tasks.generate.evaluate import source as sources
    from ganvas.tasks.generate.model import load
    from ganvas.tasks.generate.show import show_report, show_verdicts

    if out is not None:
        check_free(out, force=force)
    loaded = load(model)
    if report:
        if told := sources.reading(model, data):
            say(told, error=True)
        show_report(detect_files.report(model, loaded, alarm, against, data), str(model))
        return 0
    if not images:
        raise UserError("Name one image or more, or a folder: ganvas detect MODEL FILES... (or take --report).")
    judged, broken = detect_files.judge(loaded, images, alarm)
    show_verdicts(judged, loaded.detector, alarm, json)
    if out is not None:
        detect_files.sheet(out, judged)
        say(f"Those first that look least like the kind: {out}", error=True)
    return passed_over(broken, len(judged))


@app.command
def expand(
    model: Path,
    *,
    out: Path,
    count: int = 1_000,
    data: str | None = None,
    seed: int = 0,
    repeats: int = 5,
    force: Force = False,
) -> int:
    """Scale a labelled data set by generated pictures, and find out whether that helps a classifier.

    Near copies of training images and pictures that the detector rejects are dropped.

    Parameters
    ----------
    model
        A run's folder or a model file, trained on a labelled data set.
    out
        NAME.npz, NAME.zip, or a folder, which gets IDX files as the data set has them.
    count
        Pictures a class.
    data
        The images that the model was trained on, where they lie elsewhere now.
    seed
        Other pictures, other real images in the trials.
    repeats
        Trials of each kind, each with other real images; 5 are the least for a verdict, 0: none.
    force
        Overwrite what an earlier call wrote there.
    """
    from ganvas.core.bars import Progressing
    from ganvas.core.progress import Doing
    from ganvas.tasks.generate import expand as ex
    from ganvas.tasks.generate.show import show_lessons

    lessons: list[ex.Lesson] = []
    with Progressing(Console()) as progress:
        for event in ex.expand(model, out, count, data, seed, repeats, force):
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, ex.Lesson):
                lessons.append(event)
            else:
                progress.print(
                    f"{event.kept:,} pictures: {event.path}\nDropped: {event.copies:,} near copies of training images, "
                    f"{event.rejected:,} that the detector rejects."
                )
                if event.short:
                    progress.print(f"Fewer than were asked for: {', '.join(map(one_line, event.short))}.")
                if event.renamed:
                    progress.print(event.renamed)
    if lessons:
        show_lessons(lessons)
    return 0


@app.command
def export(model: Path, *, out: Path | None = None, web: Path | None = None, force: Force = False) -> int:
    """Hand the networks on: as ONNX files, or as a page that draws in the visitor's browser.

    Parameters
    ----------
    model
        A run's folder or a model file.
    out
        A folder for generator.onnx and detector.onnx, each compared with torch.
    web
        A folder for a static page; any web server will do: python -m http.server.
    force
        Overwrite what an earlier call wrote there.
    """
    from ganvas.core import model as models
    from ganvas.export import onnx as exporting
    from ganvas.tasks.generate.model import Model

    if out is None and web is None:
        raise UserError("Say what to export: --out DIR for ONNX files, --web DIR for a page.")
    loaded = models.load(model)
    if web is not None and not isinstance(loaded, Model):
        raise UserError(f"{model} draws none from noise, and pages for others are not made yet. Take --out DIR.")
    exporting.check(loaded, out, web, force)
    written = exporting.export(loaded, out, force) if out else []
    if web is not None and isinstance(loaded, Model):
        written += exporting.web(loaded, web, force)
    for file in written:
        told = f"  (largest difference from torch {file.difference:.1e})" if file.path.suffix == ".onnx" else ""
        say(f"{file.path}{told}")
    if isinstance(loaded, Model) and loaded.selector is not None:
        say("Without the selector: the pictures are those of the generator alone.")
    if web is not None:
        say(f"Look at it: {command('python', '-m', 'http.server', '--directory', web)}")
    return 0


@app.command
def push(model: Path, target: str, *, force: Force = False) -> int:
    """Upload a model to the Hugging Face hub, with its card as README; load it there as hf://user/name.

    Parameters
    ----------
    model
        A run's folder or a model file.
    target
        hf://user/name; or a folder (./name), which then holds what would be uploaded.
    force
        Overwrite what lies in that folder.
    """
    from ganvas.core import model as models
    from ganvas.core.locate import is_remote, remote_name
    from ganvas.export import hub

    place = hub.push(models.load(model), target, force)
    if is_remote(target):
        say(f"Uploaded: https://huggingface.co/{remote_name(target)}")
    else:
        say(f"Wrote what would be uploaded to {place}")
    return 0


@app.command
def info(model: Path) -> int:
    """Tell what a run or a model file is: data, networks, settings, how far it was trained.

    Parameters
    ----------
    model
        A run's folder or a model file.
    """
    from ganvas.core import model as models
    from ganvas.export import model_card

    loaded = models.load(model)
    say(f"{one_line(loaded.path)}\n")
    for name, text in model_card.facts(loaded).items():
        say(f"  {name:<18} {one_line(text)}")
    for title, lines in (("Figures", model_card.figures(loaded)), ("Detector", model_card.detection(loaded))):
        if lines:
            say(f"\n{title}")
        for line in lines:
            say(f"  {one_line(line)}")
    for sentence in model_card.remarks(loaded):
        say(f"\n{one_line(sentence)}")
    say("\nSettings")
    show_settings(loaded.card)
    return 0
