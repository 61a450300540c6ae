"""Figures on the terminal: a progress bar while they are computed, then tables and sentences."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from rich.table import Table
from rich.text import Text

from ganvas.core.bars import Progressing
from ganvas.core.progress import Doing, Written
from ganvas.core.terminal import Console, say
from ganvas.core.text import one_line
from ganvas.metrics.candidates import Expanded
from ganvas.metrics.figures import NO_EXTRACTOR, Figure, number
from ganvas.metrics.lessons import Lesson, conclusion
from ganvas.metrics.two_sample import Z

EVERY = 30.0  # seconds between lines on the progress where the output is not a terminal
MANY = 1_000  # samples: with fewer, chance makes up most of a distance


def spread(value: float, by: float, share: bool) -> str:
    """A figure with its spread: '1.07 ± 0.02'."""
    return number(value, share) + ("" if math.isnan(by) else f" ± {by:.1%}" if share else f" ± {by:.2g}")


def not_measured(notes: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each reason why there is no figure, from titles and reasons ('': there is one)."""
    titles: dict[str, list[str]] = {}
    for title, note in notes:
        if note:
            titles.setdefault(note, []).append(title)
    return [f"Not measured: {'; '.join(names)} ({note})." for note, names in titles.items()]


class Measuring(Progressing):
    """A progress bar while metrics are computed, and their table afterwards.

    `samples` and `real`: what is measured, and what it is compared with, as named in the output.
    """

    def __init__(self, console: Console, samples: str = "samples", real: str = "real samples") -> None:
        super().__init__(console)
        self.samples, self.real = samples, real
        self.figures: list[Figure] = []
        self.written: list[Written] = []
        self.told = time.monotonic()  # when a line on the progress was printed

    def show(self, event: Doing | Figure | Written) -> None:
        """Handle an event of an evaluation."""
        if isinstance(event, Doing):
            self.doing(event)
            if not self.console.is_terminal and time.monotonic() - self.told >= EVERY:
                self.known(f"{event.text} ({event.share:.0%})")
                self.told = time.monotonic()
        elif isinstance(event, Figure):
            self.figures.append(event)
            self.known(_as_known(event, self.real))
        else:
            self.written.append(event)

    def table(self, title: str, protocol: str = "") -> None:
        """Print all metrics, and how they were measured: as their protocol says, or in the words of `protocol`."""
        table = _table_of(self.figures, self.real)
        if table.row_count:
            self.console.print(table)
        for figure in self.figures:
            if figure.metric == "fresh-expert" and not figure.note:
                self.print(f"\n{_accuracy(figure)}")
        for line in not_measured((f.title, f.note) for f in self.figures):
            self.print(line)
        if self.figures:
            self._print_protocol(title, bool(table.row_count), protocol)
        for sheet in self.written:
            self.print(f"Sheet {sheet.path}: {sheet.text}")

    def _print_protocol(self, title: str, any_value: bool, words: str) -> None:
        p = self.figures[0].protocol
        classes = "" if p.labels == "none" else f" (classes: {p.labels})"
        extractor = "" if p.extractor == NO_EXTRACTOR else f"; extractor {p.extractor} ({p.mark[:8]})"
        words = words or (
            f"{p.repeats} x {p.count:,} {self.samples} from seed {p.seed} on{classes} against "
            f"as many of {p.data} ({p.split}), {p.form}{extractor}."
        )
        self.print(f"\n{title}: {words}")
        if any_value and any(not math.isnan(f.floor) for f in self.figures):
            self.print(
                f"'{self.real}': what other {self.real} get with the same code; ±: standard deviation over repeats, "
                "or the standard error of a single one."
            )
        if any_value and p.count < MANY:
            self.print(
                f"{p.count:,} {self.samples} are few: such metrics vary from one set of {self.samples} to the next, "
                f"and a distance is far larger than with many. Compare them only with '{self.real}'."
            )


def _as_known(figure: Figure, real: str) -> str:
    """A figure as a line: 'recall: 0.41 (real images 0.69)'."""
    if figure.note:
        return f"{figure.title}: not measured ({figure.note})"
    floor = "" if math.isnan(figure.floor) else f" ({real} {number(figure.floor, figure.share)})"
    return f"{figure.title}: {spread(figure.value, figure.spread, figure.share)}{floor}"


def _table_of(figures: Sequence[Figure], real: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("metric", "value", real, "times", "better"):  # in a narrow terminal names are broken, not numbers
        left = head in ("metric", "better")
        table.add_column(head, justify="left" if left else "right", no_wrap=not left)
    for f in figures:
        if not f.note:
            times = "" if math.isnan(f.times_floor) else f"{f.times_floor:.2f}"
            better = "close to real" if f.better == "near" else f.better
            value, floor = (spread(*pair, f.share) for pair in ((f.value, f.spread), (f.floor, f.floor_spread)))
            table.add_row(f.title, value, floor, times, better)
    return table


def _accuracy(figure: Figure) -> str:
    """What the accuracy of a fresh classifier means."""
    low, high = (max(0.0, min(1.0, figure.value + side * Z * figure.spread)) for side in (-1, 1))
    meaning = "it cannot tell them apart" if low <= 0.5 else "50% would be guessing"
    return (
        f"The fresh expert is right {figure.value:.1%} of the time (95% interval {low:.1%} to {high:.1%}); {meaning}."
    )


def comparison(names: list[str], real: str, rows: list[list[Figure]]) -> Table:
    """A column a run, a line a metric; `real`: the title of the floor's."""
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    for name in [*names, real]:
        table.add_column(Text(one_line(name)), justify="right")
    for figures in rows:
        cells = [spread(f.value, f.spread, f.share) for f in figures]
        table.add_row(figures[0].title, *cells, spread(figures[0].floor, figures[0].floor_spread, figures[0].share))
    return table


class Noted(Protocol):
    """A row of figures; `note`: why one of them is not known, in sentences."""

    @property
    def note(self) -> str: ...


Row = TypeVar("Row", bound=Noted)


def show_rows(
    console: Console, events: Iterator[Doing | Written | Row], table: Callable[[list[Row]], Table], row: type[Row]
) -> None:
    """Show an evaluation that yields rows of figures (of the class `row`): progress, their table, notes, sheets."""
    rows: list[Row] = []
    sheets: list[Written] = []
    with Progressing(console) as progress:
        for event in events:
            if isinstance(event, row):
                rows.append(event)
            elif isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Written):
                sheets.append(event)
    console.print(table(rows))
    for note in dict.fromkeys(r.note for r in rows if r.note):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    for sheet in sheets:
        console.print(f"Sheet {sheet.path}; {sheet.text}", soft_wrap=True)


def known_columns(columns: Mapping[str, str], rows: Sequence[object]) -> list[str]:
    """The names of those columns in which at least one row has a value."""
    return [key for key in columns if any(not math.isnan(getattr(row, key)) for row in rows)]


def rows_table(columns: Mapping[str, str], known: Sequence[str]) -> Table:
    """An empty table: the names of the rows at the left, then the titles of the `known` columns."""
    table = Table(box=None, pad_edge=False)
    for head in ("", *(columns[key] for key in known)):
        table.add_column(head, justify="right" if head else "left", no_wrap=bool(head))
    return table


def show_expanded(
    events: Iterator[Doing | Expanded | Lesson], drawn: str, real: str, rejected: str = "that the detector rejects"
) -> None:
    """Show how a data set is enlarged: progress, what was written and dropped, and whether that helps a classifier.

    Args:
        drawn, real, rejected: as `Expanded.words` takes them.
    """
    lessons: list[Lesson] = []
    with Progressing(Console()) as progress:
        for event in events:
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Expanded):
                for sentence in event.words(drawn, real, rejected):
                    progress.print(sentence)
            else:
                lessons.append(event)
    if lessons:
        show_lessons(lessons, drawn, real)


def show_lessons(lessons: list[Lesson], drawn: str, real: str) -> None:
    """Print how well a classifier learns from real samples, new ones and both, as a table and a sentence.

    Args:
        drawn, real: what the samples are called: 'pictures' and 'images'.
    """
    table = Table(box=None, pad_edge=False)
    for head in (real, "real alone", "new alone", "both", "gain", "the new ones"):
        last = head == "the new ones"
        table.add_column(head, justify="left" if last else "right", no_wrap=not last)
    for lesson in lessons:
        shown = []
        for values in (lesson.real, lesson.synthetic, lesson.both, lesson.gains):
            by = statistics.stdev(values) if len(values) > 1 else math.nan
            shown.append(spread(statistics.fmean(values), by, True))
        table.add_row(f"{lesson.size:,}", *shown, lesson.verdict)
    repeats = f"{len(lessons[0].real)} repeats (± standard deviation)"
    say(f"\nAccuracy on held-out {real} of a small classifier, {repeats}\n")
    Console().print(table)
    say(
        f"\n{conclusion(lessons, drawn, real)}\nThe generator itself has learned from all of the training {real}: with "
        f"fewer real ones this is what its {drawn} add\nfor someone who has the generator and only these."
    )
