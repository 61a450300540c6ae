"""The command `ganvas`. Importing this file does not import torch: the help answers at once."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ganvas import __version__
from ganvas.errors import UserError

if TYPE_CHECKING:
    from ganvas.experiment import Experiment

app = App(
    name="ganvas",
    version=__version__,
    help="Train generative adversarial networks on your images, and use both networks afterwards.",
    help_epilogue="Start with `ganvas train mnist`. Every command takes --debug for tracebacks.",
)

bench = App(name="bench", help="Measure what a model, or what the losses, are worth.")
app.command(bench)


@app.command
def train(
    recipe: str,
    *settings: str,
    run: Path | None = None,
    data: str | None = None,
    smoke: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Train a recipe, in a new folder below runs/ or in the one that --run names.

    The same command on the same folder goes on where it stopped.

    Parameters
    ----------
    recipe
        A recipe's name (see `ganvas recipes`), or a function of your own: my_recipes.py:mine.
    settings
        key=value, such as images=2M seed=1 lr_g=5e-4; --dry-run lists them all.
    run
        The run's folder.
    data
        A data set's name, or a folder of IDX files (MNIST, Fashion-MNIST, KMNIST, EMNIST as they come).
    smoke
        Twenty steps only: shows in seconds that everything works.
    dry_run
        Show settings, size and a forecast of the time; write nothing.
    """
    from ganvas import api

    experiment = api.experiment(recipe, data, as_settings(settings))
    if smoke:
        experiment = experiment.smoke()
    if dry_run:
        return forecast(experiment)
    return watch(experiment, run)


@app.command
def resume(folder: Path, *settings: str) -> int:
    """Go on with a run that was stopped, or extend a finished one with images=N.

    Parameters
    ----------
    folder
        The run's folder.
    settings
        images=N makes the run longer; nothing else may change.
    """
    from ganvas.experiment import Experiment

    return watch(Experiment.load(folder).override(as_settings(settings)), folder)


@app.command
def sample(
    model: Path,
    *,
    seeds: str = "0-63",
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    out: Path = Path("samples.png"),
) -> int:
    """Draw pictures with a trained generator.

    Parameters
    ----------
    model
        A run's folder or a model file.
    seeds
        Which pictures: 7, 0-63, 0,5,10-19. A seed and a class are always the same picture.
    class_
        Of which class; several with commas between them are taken in turn. Without it all classes in turn.
    out
        A name that ends in .png: one sheet. Any other name: a folder with a PNG a picture.
    """
    from ganvas import images as im
    from ganvas.files import make_folder, write_whole
    from ganvas.sample import load

    numbers = seed_list(seeds)
    loaded = load(model)
    classes: Any = None
    if class_ is not None:
        named = [loaded.class_number(name.strip()) for name in class_.split(",")] if loaded.class_names else [class_]
        classes = [named[i % len(named)] for i in range(len(numbers))]
    import torch

    pictures = im.to_uint8(torch.cat(list(loaded.draw(numbers, classes))))
    if out.suffix.lower() == ".png":
        make_folder(out.parent)
        columns = len(loaded.class_names) if class_ is None and loaded.class_names else round(len(numbers) ** 0.5)
        im.save_grid(out, pictures, min(len(numbers), max(1, min(columns, 32))), scale=2)
    else:
        make_folder(out)
        labels = loaded.labels(classes, len(numbers))
        for i, number in enumerate(numbers):
            kind = "" if labels is None else f"_{loaded.class_names[int(labels[i])]}"
            write_whole(out / f"seed{number:06d}{kind}.png", im.png(im.grid(pictures[i : i + 1], 1)))
    print(f"Drew {len(numbers)} pictures of {model}: {out}")
    return 0


@app.command
def evaluate(
    source: Path,
    *,
    metrics: str | None = None,
    extractor: str = "auto",
    count: int = 10_000,
    split: str = "held-out",
    seed: int = 0,
    repeats: int = 3,
    data: str | None = None,
    out: Path | None = None,
    time_limit: float | None = None,
) -> int:
    """Measure how good generated pictures are; each figure stands beside the one that real images get (the floor).

    Parameters
    ----------
    source
        A run's folder, a model file, a folder of pictures (a sub-folder a class) or an .npz file.
    metrics
        Names with commas between them, or all. Without it all but the fresh expert, which takes minutes.
    extractor
        digits, efficientnet-lite0, pixels, or a TorchScript or ONNX file with Inception (only that gives FID).
    count
        Pictures to draw for each repeat.
    split
        The real images to compare with: held-out or train.
    seed
        Of the first picture.
    repeats
        How often, each time with new pictures; the spread is over these.
    data
        The real images, where they are not those that the model was trained on.
    out
        A folder for the sheets of pictures; without it evaluation/ in the run's folder.
    time_limit
        Seconds after which what is left is passed over.
    """
    from rich.console import Console

    from ganvas import evaluation as ev
    from ganvas.display import Measuring

    console = Console()
    with Measuring(console) as display:
        for event in ev.evaluate(
            source, metrics, extractor, count, split, seed, repeats, data=data, out=out, time_limit=time_limit
        ):
            display.show(event)
    display.table(str(source))
    return 0


@app.command
def compare(*sources: Path) -> int:
    """Set the newest figures of several runs beside each other; refuses figures of unlike protocols.

    Parameters
    ----------
    sources
        The folders of two runs or more, each measured with ganvas evaluate.
    """
    from rich.console import Console

    from ganvas import figures as fg
    from ganvas.display import comparison

    if len(sources) < 2:
        raise UserError("Name two runs or more to compare.")
    found = [{f.metric: f for f in fg.figures_of(source)} for source in sources]
    shared = [name for name in found[0] if all(name in other for other in found)]
    if not shared:
        raise UserError("These runs have no metric in common. Measure them alike: ganvas evaluate RUN")
    for name in shared:
        for other in found[1:]:
            fg.compare(found[0][name], other[name])
    names = [source.name for source in sources]
    Console().print(comparison(names, [[of_run[name] for of_run in found] for name in shared]))
    return 0


@app.command
def recipes(name: str | None = None) -> int:
    """List the recipes, or show one recipe's card.

    Parameters
    ----------
    name
        A recipe's name.
    """
    import inspect

    from ganvas.errors import unknown
    from ganvas.recipes import RECIPES

    if name is not None:
        if name not in RECIPES:
            raise unknown("recipe", name, RECIPES)
        print(inspect.getdoc(RECIPES[name]))
        return 0
    width = max(map(len, RECIPES))
    for title, function in RECIPES.items():
        print(f"{title:<{width}}  {(inspect.getdoc(function) or '').splitlines()[0]}")
    return 0


@app.command
def info(model: Path) -> int:
    """Tell what a run or a model file is: data, networks, settings, how far it was trained.

    Parameters
    ----------
    model
        A run's folder or a model file.
    """
    from ganvas.sample import load

    loaded = load(model)
    card, log = loaded.card, loaded.card.get("log", {})
    sizes = [sum(p.numel() for p in n.parameters()) for n in (loaded.generator, loaded.discriminator)]
    size, channels = loaded.spec.size, {1: "grey", 3: "colour"}.get(loaded.spec.channels, "")
    names = ", ".join(loaded.class_names) or "none (unlabelled)"
    print(f"{loaded.path}\n")
    print(f"  recipe         {card['recipe']}")
    print(f"  images         {size}x{size} {channels}; classes: {names}")
    print(f"  data           {card['data_name']}, licence {card['licence']}, fingerprint {card['fingerprint'][:12]}")
    print(f"  network        {card['network']['name']}: generator {sizes[0]:,} weights, discriminator {sizes[1]:,}")
    print(
        f"  trained for    {card['images']:,} of {card['training']['images']:,} images ({log.get('epoch', 0)} epochs)"
    )
    print(f"  trained on     {', '.join(f'{k} {v}' for k, v in card['machine'].items())}")
    for key in ("loss_d", "loss_g", "accuracy_real", "accuracy_fake", "accuracy_held_out"):
        if key in log:
            print(f"  {key:<18} {log[key]:.3f}")
    print("\nSettings")
    show_settings(card)
    return 0


@bench.command
def modes(model: Path | None = None, *, count: int = 26_000, seed: int = 0) -> int:
    """Count the kinds of pictures that a generator draws, and say how even their shares are.

    With a model of stacked-mnist: its score, that of real pictures by the same code, and the floors (some minutes).
    Without a model: trains two plane toys with every loss, three seeds each (about a minute).

    Parameters
    ----------
    model
        A run's folder or a model file of stacked-mnist.
    count
        Pictures to draw; published figures have 26,000.
    seed
        Of the first picture.
    """
    from ganvas import modes as md
    from ganvas.display import show_toys, show_verdict
    from ganvas.sample import load

    if model is None:
        show_toys()
        return 0

    show_verdict(md.judge(load(model), count, seed), str(model), seed)
    return 0


def as_settings(texts: tuple[str, ...]) -> dict[str, str]:
    """`('images=2M', 'seed=1')` -> a dictionary.

    Raises:
        UserError: a text without '='.
    """
    for text in texts:
        if "=" not in text:
            raise UserError(f"'{text}' is no setting: settings are written key=value, such as images=2M.")
    return dict(text.split("=", 1) for text in texts)


def seed_list(text: str) -> list[int]:
    """'0,5,10-12' -> [0, 5, 10, 11, 12].

    Raises:
        UserError: the text is no list of seeds.
    """
    numbers: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            start, end = int(first), int(last if dash else first)
            if end < start:
                raise ValueError(part)
            if end - start >= 1_000_000:
                raise UserError(f"--seeds {text}: more than a million pictures at once; ask for fewer.")
            numbers += range(start, end + 1)
    except ValueError as error:
        raise UserError(f"--seeds {text}: write seeds as 7, 0-63 or 0,5,10-19 (whole numbers from 0).") from error
    return numbers


def show_settings(card: dict[str, Any]) -> None:
    for section in ("data", "network", "task", "training"):
        for key, value in card[section].items():
            shown = ",".join(map(str, value)) if isinstance(value, list) else value
            print(f"  {section + '.' + key:<24} {shown}")


def forecast(experiment: Experiment) -> int:
    """Print what a training would be."""
    from ganvas.display import duration
    from ganvas.trainer import Trainer, speed

    images = experiment.load_data()
    task = experiment.build(images.spec)
    config = experiment.training
    batches = experiment.batches(images)
    sizes = [sum(p.numel() for p in n.parameters()) for n in (task.generator, task.discriminator)]
    trainer = Trainer(task, config)
    print(f"Settings of {experiment.recipe} (change them with key=value, without the part before the dot)")
    show_settings(experiment.to_dict())
    rate = speed(trainer, batches)
    print(f"\nData      {len(images.train.images):,} images of {images.name}, {len(images.held_out.images):,} held out")
    print(f"Networks  generator {sizes[0]:,} weights, discriminator {sizes[1]:,}")
    print(f"Machine   {trainer.device.type}, {trainer.precision}")
    print(f"Forecast  {duration(config.images / rate)} for {config.images:,} images at {rate:.0f} images a second")
    return 0


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """A list that fills when the user (Ctrl-C) or the system (SIGTERM) asks to stop; a second Ctrl-C stops at once."""
    asked: list[int] = []

    def ask(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def me() -> str:
    """How to call this program from where the user is, for the commands that are printed."""
    called = Path(sys.argv[0])
    if shutil.which("ganvas") or called.name != "ganvas":
        return "ganvas" if shutil.which("ganvas") else f"{Path(sys.executable).name} -m ganvas"
    return os.path.relpath(called)


def watch(experiment: Experiment, folder: Path | None) -> int:
    """Train, show what happens, and say at the end what there is and what to type next."""
    from rich.console import Console

    from ganvas.display import Lines, Screen
    from ganvas.events import Started

    console, total = Console(), experiment.training.images
    display = Screen(console, total, experiment.recipe) if console.is_terminal else Lines(console, total)
    events = experiment.run(folder)
    place, last = Path(), None
    with stop_on_signal() as asked:
        with display:
            for event in events:
                last = event
                if isinstance(event, Started):
                    place = event.folder
                display.show(event)
                if asked:
                    break
            events.close()  # pyright: ignore[reportAttributeAccessIssue]  # a generator: it saves as it closes
        if asked:
            print(f"\nStopped and saved. Go on with:\n  {me()} resume {place}")
            return 128 + asked[0]
    if isinstance(last, Started):
        print(f"This run is finished. Make it longer with:\n  {me()} resume {place} images={2 * total}")
        return 0
    newest = max((place / "samples").glob("fakes_[0-9]*.png"), default=place / "samples")
    print(f"\nPicture  {newest}\nReport   {place / 'report.html'}\nModel    {place / 'model.safetensors'}\n")
    print(f"Next:\n  {me()} sample {place} --seeds 0-63\n  {me()} info {place}")
    print(f"  {me()} resume {place} images={2 * total}    # train on, to twice the length")
    return 0


def main() -> None:
    """Run the command line: exit code 0, or 2 for the user's mistakes, 130 after Ctrl-C."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        sys.exit(app(arguments, result_action="return_value"))
    except UserError as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        print(f"ganvas: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nganvas: stopped at once; the last snapshot is kept.", file=sys.stderr)
        sys.exit(130)
