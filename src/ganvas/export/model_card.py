"""What a model says of itself, for people: on the terminal, and as the README of its page on a hub."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from ganvas.core.errors import UserError, first_line
from ganvas.core.model import TrainedModel, task_name
from ganvas.core.run import Run
from ganvas.core.text import command, one_line
from ganvas.metrics.figures import number
from ganvas.tasks.generate.model import Model
from ganvas.tasks.restore import signs

LICENCES = {"CC BY-SA 3.0": "cc-by-sa-3.0", "CC BY 4.0": "cc-by-4.0", "CC0": "cc0-1.0", "Apache-2.0": "apache-2.0"}


P = ParamSpec("P")
T = TypeVar("T")


def sound(tell: Callable[P, T]) -> Callable[P, T]:
    """A card that is not as Ganvas writes it ends in a sentence."""

    @functools.wraps(tell)
    def told(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return tell(*arguments, **named)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            place = getattr(arguments[0], "path", "This model") if arguments else "This model"
            raise UserError(f"{place} has a damaged card: an entry is missing or odd ({first_line(error)}).") from error

    return told


@sound
def facts(model: TrainedModel) -> dict[str, str]:
    """The essentials, a line each."""
    card, spec, log = model.card, model.spec, model.card.get("log", {})
    sizes = [sum(p.numel() for p in n.parameters()) for n in (model.generator, model.discriminator)]
    kind = {1: "grey", 3: "colour", 4: "colour with transparency"}.get(spec.channels, f"{spec.channels} channels")
    found = {
        "recipe": card["recipe"],
        "images": f"{spec.size}x{spec.size} {kind}; classes: {', '.join(card['classes']) or 'none (unlabelled)'}",
        "data": f"{card['data_name']}, licence {card['licence']}, fingerprint {card['fingerprint'][:12]}",
        "network": f"{card['network']['name']}: generator {sizes[0]:,} weights, discriminator {sizes[1]:,}",
        "trained for": f"{card['images']:,} of {card['training']['images']:,} images ({log.get('epoch', 0)} epochs)",
        "trained on": ", ".join(f"{k} {v}" for k, v in card["machine"].items()),
    }
    if isinstance(model, Model):
        found["selector"] = "yes: it passes over drawings that give themselves away" if model.selector else "none"
        found["detector"] = "yes" if model.detector is not None else f"none: {model.no_detector}"
    if task_name(card) == "restore":
        found["damage"] = f"{card['task']['degrade']} (lively {card['task']['lively']:g})"
        found["images"] = f"pieces of {spec.size} pixels, {kind}; it mends pictures of any size"
        found["strangers"] = signs.told(card)
    if task_name(card) == "translate":
        a, b = card["data_name"], card["other_name"]
        found["kinds"] = f"A is {a}, B is {b}: it turns each into the other"
        size = "pictures of any size" if card["data"].get("fit") == "pieces" else f"{spec.size}x{spec.size}"
        found["images"] = f"{size}, {kind}"
    for key in ("psnr", "loss_cycle", "loss_d", "loss_g", "accuracy_real", "accuracy_fake", "accuracy_held_out"):
        if key in log:
            found[key] = f"{log[key]:.3f}"
    return found


@sound
def figures(model: TrainedModel) -> list[str]:
    """What `ganvas evaluate` found, a line a metric, with the floor and the protocol."""
    lines = []
    judged = model.card.get("restoration", {})
    for a in judged.get("answers", []):
        if a["psnr"] is None:
            lines.append(f"{a['name']}: {a['note']}")
            continue
        told = f"{a['name']}: {a['psnr']:.2f} dB, SSIM {a['ssim']:.4f}, Frechet distance {number(a['frechet'])}"
        read = f", digits read {a['read']:.1%}" if a.get("read") is not None else ""
        lines.append(
            f"{told}{read}; {judged['n']:,} held-out pieces of {judged['size']} px of {judged['data']}"
            + (f". {a['note']}" if a.get("note") else "")
        )
    weighed = model.card.get("translation", {})
    for way in weighed.get("ways", []):
        told = [f"Frechet distance {number(way['frechet'])}"]
        told += [f"colours follow in the {k} by {way[k]:.2f}" for k in ("middle", "border") if way[k] is not None]
        told += [f"there and back {way['cycle']:.1f} dB"] if way["cycle"] is not None else []
        count = " and ".join(f"{n:,}" for n in weighed["n"])
        note = f". {way['note']}" if way.get("note") else ""
        lines.append(f"to {way['to']}, {way['name']}: {', '.join(told)}; {count} held-out pictures{note}")
    for row in model.card.get("metrics", []):
        if row.get("value") is None:
            lines += [f"{row['title']}: not measured ({row['note']})"] if row.get("note") else []
            continue
        p, share = row["protocol"], row["share"]
        values = f"{number(row['value'], share)} (real images {number(row.get('floor'), share)})"
        lines.append(
            f"{row['title']}: {values}; {p['repeats']} x {p['count']:,} pictures against {p['split']} {p['data']}, "
            f"extractor {p['extractor']}, after {row['images']:,} images"
        )
    return lines


@sound
def detection(model: TrainedModel) -> list[str]:
    """What the detector is worth, and what it does not know."""
    found = model.card.get("detector")
    if not found:
        return []
    rows = ", ".join(f"{r['name']} {r['auroc']:.3f}{'' if r['learned'] else ' (never seen)'}" for r in found["rows"])
    return [
        f"Of {found['real']:,} held-out real images it calls {found['false_alarm']:.1%} 'no' at a threshold set for "
        f"{found['alarm']:.1%}; expected calibration error {found['calibration_error']:.3f}.",
        f"AUROC against: {rows}.",
        "It does not know kinds of pictures that resemble none of these, and images of the kind that were prepared in "
        "another way may look strange to it. Of this generator's own pictures it lets "
        f"{found['rows'][0]['passed']:.1%} pass.",
    ]


def remarks(model: TrainedModel) -> list[str]:
    """What is damaged in the logs of the run that the model lies in, a sentence each."""
    return Run(model.path.parent).remarks() if (model.path.parent / "experiment.json").is_file() else []


@sound
def markdown(model: TrainedModel, place: str) -> str:
    """The README of a model's page; `place` is how others load it."""
    card = model.card
    licence = next((slug for name, slug in LICENCES.items() if card["licence"].startswith(name)), "other")
    parts = [
        f"---\nlibrary_name: ganvas\nlicense: {licence}\ntags:\n- gan\n- image-generation\n---\n",
        f"# {_plain(card['recipe'])}, trained on {_plain(card['data_name'])}\n",
        "".join(f"- **{name}**: {_plain(text)}\n" for name, text in facts(model).items()),
        f"## Use\n\n```console\n$ pip install 'ganvas[hub]'\n{_use(model, place)}\n```\n",
    ]
    if lines := figures(model):
        parts.append("## Figures\n\n" + _list(lines))
    if lines := detection(model):
        parts.append("## The discriminator as a detector\n\n" + _list(lines))
    parts.append(
        "The file is safetensors with a JSON card; no code is run when it is loaded. The licence above is that of the "
        f"images that it was trained on: {_plain(card['licence'])}.\n"
    )
    return "\n".join(parts)


def _use(model: TrainedModel, place: str) -> str:
    """Commands, and lines of Python."""
    spec, names = model.spec, model.card["classes"]
    python, name = "```\n\n```python\nimport ganvas\n\n", json.dumps(one_line(place), ensure_ascii=False)

    def ganvas(*words: str) -> str:
        return one_line(f"$ {command('ganvas', *words)}") + "\n"

    if task_name(model.card) == "restore":
        given = "images, masks" if spec.masked else "images"
        return (
            f"{ganvas('restore', place, 'my-pictures/', '--out', 'mended/')}{python}"
            f"model = ganvas.restorer({name})\nmended = model.restore({given})"
            f"  # [n, {spec.channels}, height, width] in [-1, 1]"
        )
    if task_name(model.card) == "translate":
        return (
            f"{ganvas('translate', place, 'my-pictures/', '--to', 'B', '--out', 'translated/')}{python}"
            f'model = ganvas.translator({name})\nmade = model.translate(images, "b")'
            f"  # [n, {spec.channels}, {spec.size}, {spec.size}] in [-1, 1]"
        )
    kind = ("--class", names[-1]) if names else ()
    return (
        f"{ganvas('sample', place, '--count', '64', *kind)}{ganvas('detect', place, 'my-images/')}{python}"
        f"pictures = ganvas.load({name}).sample(16)  # [16, {spec.channels}, {spec.size}, {spec.size}] in [-1, 1]"
    )


def _list(lines: Sequence[str]) -> str:
    return "".join(f"- {_plain(line)}\n" for line in lines)


def _plain(text: object) -> str:
    """One line of a card's words for Markdown: no links, pictures or HTML that someone wrote into a class's name."""
    return re.sub(r"[\\`*\[\]]", r"\\\g<0>", html.escape(one_line(text), quote=False))
