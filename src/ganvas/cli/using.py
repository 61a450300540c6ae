"""What is done with trained networks: `ganvas sample` and `info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ganvas.cli.app import app, show_settings
from ganvas.errors import UserError


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
