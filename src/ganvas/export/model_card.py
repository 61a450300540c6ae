"""The description of a model, on the terminal and as the README of its page on a hub.

Parts that are specific to a task come from its model: see `core.model.TrainedModel`.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from ganvas.core import own
from ganvas.core.errors import UserError, first_line
from ganvas.core.model import Section, TrainedModel
from ganvas.core.run import Run
from ganvas.core.text import command, one_line
from ganvas.metrics.figures import NO_EXTRACTOR, number

LICENCES = {"CC BY-SA 3.0": "cc-by-sa-3.0", "CC BY 4.0": "cc-by-4.0", "CC0": "cc0-1.0", "Apache-2.0": "apache-2.0"}
LOGGED = (
    "loss_d",
    "loss_g",
    "accuracy_real",
    "accuracy_fake",
    "accuracy_held_out",
)  # what the log of any task may hold

P = ParamSpec("P")
T = TypeVar("T")


def checked_card(read: Callable[P, T]) -> Callable[P, T]:
    """Make a function that reads a model's card raise a UserError where an entry is missing or odd."""

    @functools.wraps(read)
    def checked(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return read(*arguments, **named)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            place = getattr(arguments[0], "path", "This model") if arguments else "This model"
            raise UserError(f"{place} has a damaged card: an entry is missing or odd ({first_line(error)}).") from error

    return checked


@checked_card
def facts(model: TrainedModel) -> dict[str, str]:
    """The essentials by name, a line each.

    Raises:
        UserError: the model's card is damaged.
    """
    card, spec, log = model.card, model.spec, model.card.get("log", {})
    sizes = [sum(p.numel() for p in n.parameters()) for n in (model.generator, model.discriminator)]
    lines = {
        "recipe": card["recipe"],
        spec.noun: f"{spec.words()}; classes: {', '.join(card['classes']) or 'none (unlabelled)'}",
        "data": f"{card['data_name']}, licence {card['licence']}, fingerprint {card['fingerprint'][:12]}",
        "network": f"{card['network']['name']}: generator {sizes[0]:,} weights, discriminator {sizes[1]:,}",
        "trained for": f"{card['images']:,} of {card['training']['images']:,} {spec.noun} "
        f"({log.get('epoch', 0)} epochs)",
        "trained on": ", ".join(f"{k} {v}" for k, v in card["machine"].items()),
    }
    return lines | model.facts() | {key: f"{log[key]:.3f}" for key in LOGGED if key in log}


@checked_card
def figures(model: TrainedModel) -> list[str]:
    """What `ganvas evaluate` measured, a line a figure, with the floor and the protocol.

    Raises:
        UserError: the model's card is damaged.
    """
    lines, noun = model.figures(), model.spec.noun
    for row in model.card.get("metrics", []):
        if row.get("value") is None:
            lines += [f"{row['title']}: not measured ({row['note']})"] if row.get("note") else []
            continue
        p, share = row["protocol"], row["share"]
        values = f"{number(row['value'], share)} (real {noun} {number(row.get('floor'), share)})"
        by = "" if p["extractor"] == NO_EXTRACTOR else f"extractor {p['extractor']}, "
        lines.append(
            f"{row['title']}: {values}; {p['repeats']} x {p['count']:,} {noun} against {p['split']} {p['data']}, "
            f"{by}after {row['images']:,} {noun}"
        )
    return lines


@checked_card
def sections(model: TrainedModel) -> list[Section]:
    """Further sections by the model's task.

    Raises:
        UserError: the model's card is damaged.
    """
    return model.sections()


def remarks(model: TrainedModel) -> list[str]:
    """Sentences on damage in the logs of the model's run."""
    return Run(model.path.parent).remarks() if (model.path.parent / "experiment.json").is_file() else []


@checked_card
def markdown(model: TrainedModel, place: str) -> str:
    """The README of a model's page.

    Args:
        place: the name by which users load the model, such as hf://user/name.

    Raises:
        UserError: the model's card is damaged.
    """
    card = model.card
    licence = next((slug for name, slug in LICENCES.items() if card["licence"].startswith(name)), "other")
    tags = "".join(f"- {tag}\n" for tag in ("gan", *model.hub_tags))
    parts = [
        f"---\nlibrary_name: ganvas\nlicense: {licence}\ntags:\n{tags}---\n",
        f"# {_plain(card['recipe'])}, trained on {_plain(card['data_name'])}\n",
        "".join(f"- **{name}**: {_plain(text)}\n" for name, text in facts(model).items()),
        _usage(model, place),
    ]
    if lines := figures(model):
        parts.append("## Figures\n\n" + _list(lines))
    parts += [f"## {section.heading}\n\n" + _list(section.lines) for section in sections(model)]
    parts.append(
        "The file is safetensors with a JSON card; no code is run when it is loaded. The licence above is that of the "
        f"{model.spec.noun} that it was trained on: {_plain(card['licence'])}.\n"
    )
    return "\n".join(parts)


def _usage(model: TrainedModel, place: str) -> str:
    """The section on how to use the model: commands, and lines of Python."""
    usage = model.usage(place)
    network = model.card["network"].get("name")
    file = own.bare(network).partition(":")[0] if own.is_reference(network) else ""
    code = ("--code", file) if file else ()
    commands = [one_line(f"$ {command('ganvas', *arguments, *code)}") for arguments in usage.commands]
    extras = ",".join(("hub", *usage.extras))
    text = "\n".join(["## Use\n", "```console", f"$ pip install 'ganvas[{extras}]'", *commands, "```\n"])
    if file:
        text += f"\nThe network is code that is not in this model: you need {_plain(file)} of whoever trained it.\n"
    return text + (f"\n```python\nimport ganvas\n\n{usage.python}\n```\n" if usage.python else "")


def _list(lines: Sequence[str]) -> str:
    return "".join(f"- {_plain(line)}\n" for line in lines)


def _plain(text: object) -> str:
    """A card's text as one line of Markdown, with links, pictures and HTML (in a class's name, say) escaped."""
    return re.sub(r"[\\`*\[\]]", r"\\\g<0>", html.escape(one_line(text), quote=False))
