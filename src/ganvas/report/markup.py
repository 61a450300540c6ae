"""Parts of a page as HTML, from the templates next to this file; all values are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
ELEMENTS: Any = ENVIRONMENT.get_template("elements.html").module  # its macros


def render(template: str, **values: Any) -> Markup:
    """A template of this folder, filled in."""
    return Markup(ENVIRONMENT.get_template(template).render(values))


def section(title: str, cards: Iterable[Markup], intro: str = "") -> Markup:
    """A heading, a paragraph, and cards side by side; empty cards are left out."""
    return ELEMENTS.section(title, [card for card in cards if card], intro)


def table(
    rows: Iterable[Sequence[str]], caption: str = "", heads: Sequence[str] = (), note: str = "", soft: bool = False
) -> Markup:
    """A table, and a note below it.

    Args:
        rows: the first entry of each is what the row is about.
        heads: titles of the columns.
        soft: whether the last column only explains the others.
    """
    return ELEMENTS.table(list(rows), caption, heads, note, soft)


def explained(chart: Markup, text: str) -> Markup:
    """A chart with the text that explains it; empty where there is no chart."""
    return ELEMENTS.explained(chart, text) if chart else Markup()


def verdict(short: str, remarks: Iterable[str]) -> Markup:
    """One short sentence, and a list of longer ones."""
    return ELEMENTS.verdict(short, list(remarks))
