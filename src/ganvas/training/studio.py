"""What a task provides to the web studio: the metrics, curves, pages and functions of its runs and models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganvas.core.run import Run
from ganvas.report import diagnosis
from ganvas.report.diagnosis import Rows

Colour = Literal["--expert", "--forger", "--held"]  # variables of the style sheet


@dataclass(frozen=True)
class Best:
    """A value of metrics.jsonl by which runs are compared: the entry `key` of lines of this metric."""

    metric: str
    key: str
    title: str
    unit: str = ""
    lower: bool = False  # are lower values better?

    def of(self, rows: Rows) -> dict[str, Any] | None:
        """The best value among rows of metrics.jsonl, for the page; None where there is none."""
        values = [diagnosis.number(row, self.key) for row in rows if row.get("metric") == self.metric]
        known = [value for value in values if value is not None]
        if not known:
            return None
        value = min(known) if self.lower else max(known)
        return {"title": self.title, "value": value, "unit": self.unit, "lower": self.lower}


@dataclass(frozen=True)
class Curve:
    """A column of log.jsonl as a curve."""

    key: str
    title: str
    colour: Colour


@dataclass(frozen=True)
class Chart:
    """Curves over the images seen; `words` explain them."""

    title: str
    curves: tuple[Curve, ...]
    words: str = ""


@dataclass(frozen=True)
class Tile:
    """Values of the last line of metrics.jsonl as text: '{psnr} dB'. Not shown where the first of them is missing."""

    title: str
    text: str


@dataclass(frozen=True)
class Diagram:
    """The labels in the drawing of both networks, and a paragraph that explains it (`words`)."""

    given: str
    generator: str
    made: str
    real: str
    words: str


@dataclass(frozen=True)
class Page:
    """A page of a run: its address below the run's, its title, and the file in `Part.scripts` that exports `page`."""

    address: str
    title: str
    script: str


@dataclass(frozen=True)
class Goal:
    """Something that a visitor may want: an answer to the first question of the page for a new training.

    `stages` say what comes of so many samples seen, by recipe: pairs in rising order, the first from 0 on. More than
    the last number is of no use.
    """

    name: str  # in addresses
    title: str
    words: str
    order: int  # among all tasks' goals, the least first
    recipes: tuple[tuple[str, str], ...]  # names, each with its title where one can choose; the first is the usual one
    stages: dict[str, tuple[tuple[int, str], ...]]
    choice: str = ""  # the question which of the recipes; '': the data decide
    ready: str = ""  # the data set that comes with Ganvas and is used: there is no question which data
    noun: str = "pictures"  # what the data are called
    which: str = "Which pictures?"  # the second question
    other: str = ""  # the question for the second set of data, where there is one
    files: tuple[str, ...] = ()  # what is sent from a browser: suffixes or types, as the attribute `accept` has them

    def shown(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


@dataclass(frozen=True)
class Part:
    """What the studio shows of a task's runs. A task without its own pages is shown with its log and its files."""

    name: str = ""  # the task's, in the addresses of its scripts
    best: Best | None = None
    remarks: Callable[[Rows, Rows], list[str]] = diagnosis.remarks  # from lines of log.jsonl and of metrics.jsonl
    charts: tuple[Chart, ...] = (
        Chart("Losses", (Curve("loss_d", "expert", "--expert"), Curve("loss_g", "forger", "--forger"))),
    )
    compared: tuple[tuple[str, str], ...] = (  # columns of the log whose curves are overlaid for several runs
        ("loss_g", "Forger’s loss"),
        ("loss_d", "Expert’s loss"),
        ("accuracy_held_out", "Accuracy on held-out samples"),
    )
    tiles: tuple[Tile, ...] = ()
    diagram: Diagram | None = None
    samples: str = "images"  # what many samples are called
    made: str = "forged"  # what those of the generator are called, as opposed to 'real' ones
    question: str = "Who is winning?"  # the title above the remarks
    contest: Callable[[dict[str, Any]], bool] = lambda task: True
    """Does a discriminator take part in a training with these settings of the task? Without one its bars, its curves
    and its place in the diagram are left out."""
    source: tuple[str, str] = ("Pictures", "a folder of pictures")  # the title of the field for data, and what goes in
    preview: str = "How it grows"  # the title above the previews
    before: str = "Before the training."  # what the first of them shows
    rule: str = ""  # a sentence on what is where in them
    suffix: Literal[".png", ".json"] = ".png"  # of the files of previews that the page shows
    film: str = ""  # the script that shows them: exports `film`, `thumb`; '': they are pictures
    together: str = ""
    """The script that shows what was found of a training in parts as a whole: exports `together`, which is given what
    `found` returns; '': nothing is."""
    found: Callable[[Run, list[str]], dict[str, Any]] | None = None  # of such a run, and the names of its parts
    check: str = ""  # the script that shows what a check of data found: exports `report`; '': data are pictures
    goals: tuple[Goal, ...] = ()  # what its recipes are for, as the page for a new training asks
    exported: bool = False  # do its models have a page to export, which draws in a browser?
    two_sources: bool = False  # does it learn from a second set of data, `to`?
    pages: tuple[Page, ...] = ()
    scripts: Path | None = None  # the folder of the pages' scripts
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    """The functions behind `TrainedModel.abilities`, by name (`play.deal`: a part of `play`); the model is first."""
    facts: Callable[[Any], dict[str, Any]] | None = None
    """What pages need to know of a model besides its size, channels and classes."""

    def shown(self, task: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the pages need to know, as JSON.

        Args:
            task: the settings of a run's task; None: those of no run.
        """
        return {
            "charts": [asdict(chart) for chart in self.charts],
            "compared": [list(pair) for pair in self.compared],
            "tiles": [asdict(tile) for tile in self.tiles],
            "contest": self.contest(task or {}),
            "diagram": None if self.diagram is None else asdict(self.diagram),
            "samples": self.samples,
            "made": self.made,
            "question": self.question,
            "preview": self.preview,
            "before": self.before,
            "rule": self.rule,
            "film": self.address(self.film),
            "exported": self.exported,
            "together": self.address(self.together),
            "pages": [
                {"address": page.address, "title": page.title, "script": self.address(page.script)}
                for page in self.pages
            ],
        }

    def address(self, script: str) -> str | None:
        """Where a browser finds a script of the task; None: there is none."""
        return f"/static/tasks/{self.name}/{script}" if script else None
