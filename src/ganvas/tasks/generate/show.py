"""What a person reads of what was measured, detected and tried: progress bars, tables and sentences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ganvas.core.progress import Doing, Written, duration
from ganvas.core.terminal import Console, say, say_json
from ganvas.core.text import one_line
from ganvas.images import fidelity
from ganvas.images.data.findings import Finding
from ganvas.images.data.survey import SHOWN
from ganvas.metrics.figures import Figure, number
from ganvas.metrics.two_sample import Z
from ganvas.tasks.generate.data_check import FIRST_LOOK, Checked
from ganvas.tasks.generate.detect.detector import Detector, Report
from ganvas.tasks.generate.detect_files import Judged
from ganvas.tasks.generate.evaluate import modes as md
from ganvas.tasks.generate.expand import Lesson, conclusion
from ganvas.tasks.restore.evaluate import Answer
from ganvas.tasks.translate.evaluate import Way
from ganvas.tasks.translate.report import cell

MANY = 1_000  # pictures: with fewer a distance is mostly what chance adds to it


def spread(value: float, by: float, share: bool) -> str:
    """A figure with its spread: '1.07 ± 0.02'."""
    return number(value, share) + ("" if by != by else f" ± {by:.1%}" if share else f" ± {by:.2g}")


def not_measured(notes: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each reason why there is no figure, from titles and reasons ('': there is one)."""
    titles: dict[str, list[str]] = {}
    for title, note in notes:
        if note:
            titles.setdefault(note, []).append(title)
    return [f"Not measured: {'; '.join(names)} ({note})." for note, names in titles.items()]


class Progressing:
    """A progress bar for what says what it is doing; nothing where no one watches a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task = self.progress.add_task("starting", total=1.0)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def doing(self, event: Doing) -> None:
        if event.stays:
            self.print(f"{event.text[:1].upper()}{event.text[1:]}")
        self.progress.update(self.task, description=one_line(event.text), completed=event.share)

    def print(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)


class Measuring(Progressing):
    """A progress bar while metrics are computed, and their table afterwards."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.figures: list[Figure] = []
        self.written: list[Written] = []

    def show(self, event: Doing | Figure | Written) -> None:
        if isinstance(event, Doing):
            self.doing(event)
        elif isinstance(event, Figure):
            self.figures.append(event)
        else:
            self.written.append(event)

    def table(self, title: str) -> None:
        """Print all figures, and what they rest on."""
        table = Table(box=None, pad_edge=False)
        for head in ("metric", "value", "real images", "times", "better"):
            table.add_column(head, justify="left" if head in ("metric", "better") else "right", no_wrap=True)
        for f in self.figures:
            if not f.note:
                times = "" if f.times_floor != f.times_floor else f"{f.times_floor:.2f}"
                floor = spread(f.floor, f.floor_spread, f.share)
                better = "near to real" if f.better == "near" else f.better
                table.add_row(f.title, spread(f.value, f.spread, f.share), floor, times, better)
        if table.row_count:
            self.console.print(table)
        for f in self.figures:
            if f.metric == "fresh-expert" and not f.note:
                low, high = (max(0.0, min(1.0, f.value + side * Z * f.spread)) for side in (-1, 1))
                told = "it cannot tell them apart" if low <= 0.5 else "50% would be a coin"
                self.print(
                    f"\nThe fresh expert is right {f.value:.1%} of the time (95% interval {low:.1%} to {high:.1%}); "
                    f"{told}."
                )
        for line in not_measured((f.title, f.note) for f in self.figures):
            self.print(line)
        p = self.figures[0].protocol
        self.print(
            f"\n{title}: {p.repeats} x {p.count:,} pictures from seed {p.seed} on (classes: {p.labels}) against "
            f"as many of {p.data} ({p.split}), {p.form}; extractor {p.extractor} ({p.mark[:8]})."
        )
        if table.row_count:
            self.print(
                "'real images': what other real images get by the same code; ±: standard deviation over the repeats, "
                "or the standard error of a single one."
            )
        if table.row_count and p.count < MANY:
            self.print(
                f"{p.count:,} pictures are few: such figures sway from one set of pictures to the next, and a distance "
                "is far larger than of many. Hold them against 'real images' alone."
            )
        for sheet in self.written:
            self.print(f"Sheet {sheet.path}: {sheet.text}")


COLUMNS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "frechet": "Frechet distance",
    "read": "digits read",
    "middle": "colours: middle",
    "border": "border",
    "cycle": "there and back",
}


def answers(found: Sequence[Answer | Way]) -> Table:
    """What each one who mends, or each set of translated pictures, is worth."""
    table, columns = Table(box=None, pad_edge=False), COLUMNS
    known = [key for key in columns if any(getattr(a, key, math.nan) == getattr(a, key, math.nan) for a in found)]
    for head in ("", *(columns[key] for key in known)):
        table.add_column(head, justify="right" if head else "left", no_wrap=bool(head))
    for a in found:
        if isinstance(a, Answer):
            name = a.name
            shown = {
                "psnr": f"{a.psnr:.2f} ± {a.spread:.2f} dB" if a.psnr < fidelity.MOST else "-",
                "ssim": f"{a.ssim:.4f}" if a.ssim == a.ssim else "-",
                "frechet": number(a.frechet),
                "read": number(a.read, share=True),
            }
        else:
            name, shown = f"to {a.to}: {a.name}", {key: cell(key, getattr(a, key, None)) for key in known}
        table.add_row(name, *(shown[key] for key in known))
    return table


def show_verdicts(judged: list[Judged], detector: Detector | None, alarm: float, as_json: bool) -> None:
    """A line an image: how probable it is that it is of the kind, and the verdict."""
    if as_json:
        for j in judged:
            row = {"file": str(j.path), "probability": round(j.verdict.probability, 4), "verdict": j.verdict.kind}
            say_json({**row, **({"converted": j.changes} if j.changes else {})})
        return
    table = Table(box=None, pad_edge=False)
    for head in ("image", "of the kind", "verdict", "converted"):
        table.add_column(head, justify="right" if head == "of the kind" else "left", overflow="fold")
    for j in judged:
        table.add_row(Text(one_line(j.path)), f"{j.verdict.probability:.1%}", j.verdict.kind, j.changes)
    Console().print(table)
    if detector is not None and judged:
        no, yes = detector.thresholds(alarm)
        say(f"\n'no' below {no:.1%}: so {alarm:.1%} of images of the kind are called. 'yes' from {yes:.1%} on.")


def show_report(found: Report, title: str) -> None:
    """What a detector is worth, as a table."""
    say(
        f"{title}: {found.real:,} real images that nothing has learned from. Asked for {found.alarm:.1%} false alarms, "
        f"it calls {found.false_alarm:.1%} of them 'no'.\nCalibration error {found.calibration_error:.3f} (expected, "
        "15 bins; half real images, half others).\n"
    )
    table = Table(box=None, pad_edge=False)
    for head in ("real images against", "AUROC", "let pass", "pictures", "others of this kind learned"):
        table.add_column(head, justify="left" if head == "real images against" else "right")
    for r in found.rows:
        table.add_row(
            Text(one_line(r.name)), f"{r.auroc:.3f}", f"{r.passed:.1%}", f"{r.count:,}", "yes" if r.learned else "no"
        )
    Console().print(table)
    say(
        "\nAUROC: how often a real image looks more like the kind than such a picture does (0.5: cannot tell).\n"
        "What the detector does not know: kinds of pictures that resemble none of these; and other people's digits,\n"
        "or photographs, that were prepared in another way may look strange to it though they are of the kind."
    )


def show_lessons(lessons: list[Lesson]) -> None:
    """What a classifier learns from real images, new ones and both, as a table and a sentence."""
    table = Table(box=None, pad_edge=False)
    for head in ("images", "real alone", "new alone", "both", "gain", "the new ones"):
        table.add_column(head, justify="left" if head == "the new ones" else "right", no_wrap=True)
    for lesson in lessons:
        shown = []
        for values in (lesson.real, lesson.synthetic, lesson.both, lesson.gains):
            by = statistics.stdev(values) if len(values) > 1 else float("nan")
            shown.append(spread(statistics.fmean(values), by, True))
        table.add_row(f"{lesson.size:,}", *shown, lesson.verdict)
    told = f"{len(lessons[0].real)} repeats (± standard deviation)"
    say(f"\nAccuracy on held-out images of a small classifier, {told}\n")
    Console().print(table)
    say(
        f"\n{conclusion(lessons)}\nThe generator itself has learned from all of the training images: with fewer real "
        "ones this is what its pictures add\nfor someone who has the generator and only these."
    )


def counted(steps: Iterator[int], total: int, text: str) -> int:
    """Show a progress bar while something counts up to a total; returns the last count."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = 0
    console = Console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(text, total=total)
        for done in steps:
            progress.update(task, completed=done)
    return done


def comparison(names: list[str], rows: list[list[Figure]]) -> Table:
    """A column a run, a line a metric."""
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    for name in [*names, "real images"]:
        table.add_column(Text(one_line(name)), justify="right")
    for figures in rows:
        cells = [spread(f.value, f.spread, f.share) for f in figures]
        table.add_row(figures[0].title, *cells, spread(figures[0].floor, figures[0].floor_spread, figures[0].share))
    return table


def show_verdict(found: md.Verdict, title: str, seed: int) -> None:
    """Print the score of a model of stacked MNIST beside the control and the floors."""
    count = found.model.count
    say(f"Stacked MNIST: {md.KINDS:,} kinds; {count:,} pictures each (seeds {seed} to {seed + count - 1})\n")
    say(f"{'':<38}{'kinds':>6} {'KL':>8}")
    for name, score in ((title, found.model), ("control: real pictures, same code", found.control)):
        say(f"{name:<38}{score.modes:>6,} {score.kl:>8.4f}")
    say(f"{'floor: a perfect copy of the data':<38}{'':>6} {found.floor_copy:>8.4f}  expected")
    say(f"{'floor: uniform kinds':<38}{'':>6} {found.floor_uniform:>8.4f}  expected")
    say(f"\nKL(kinds drawn || uniform), natural logarithm. The classifier errs on {found.errors:.2%} of test digits.")
    say(
        f"Another draw differs by about {(2 * md.KINDS) ** 0.5 / (2 * count):.4f} (standard deviation) by chance alone."
    )


def show_toys() -> None:
    """Train the toys with every loss, and print a line as each is done."""
    kinds = {name: len(make().centres) for name, make in md.TOYS.items()}
    say(f"Gaussians found, and points within 3 sd of one: means of {md.RUNS} seeds (range)")
    say(f"Real points: all found, 98.9%. {md.STEPS} steps; published toys train for many times as long.\n")
    heads = [f"  {f'{toy}: of {n}':<20}{'good points':<24}" for toy, n in kinds.items()]
    say(f"{'loss':<14}{''.join(heads).rstrip()}")
    for loss, scores in md.toys():
        line = f"{loss:<14}"
        for found in scores.values():
            modes, good = [s.modes for s in found], [s.quality for s in found]
            line += f"  {f'{sum(modes) / len(modes):.1f} ({min(modes)} to {max(modes)})':<20}"
            line += f"{f'{sum(good) / len(good):.1%} ({min(good):.1%} to {max(good):.1%})':<24}"
        say(line.rstrip(), flush=True)


def findings(checked: Checked, source: str, train: str) -> list[str]:
    """What a person reads: what there is, the findings with what to do, the forecast; `train`: the next command."""
    s, f = checked.survey, checked.forecast
    lines = [f"{s.total:,} pictures in {source}" + (f", {s.tests:,} of them test images" if s.tests else "")]
    if s.sides:
        least, middle, most = s.sides["short"]
        formats = ", ".join(f"{n:,} {kind}" for kind, n in s.formats.items())
        modes = ", ".join(f"{n:,} {mode}" for mode, n in s.modes.items())
        lines.append(f"Files     {formats}; {modes}")
        lines.append(f"Shorter side {least} to {most} pixels, half of them up to {middle}; {s.square:,} are square")
    if s.classes:
        top = sorted(s.classes.items(), key=lambda item: -item[1])[:SHOWN]
        told = ", ".join(f"{one_line(name)} {n:,}" for name, n in top) + (", ..." if len(s.classes) > SHOWN else "")
        lines.append(f"Classes   {len(s.classes)}: {told}")
    lines += ["", "Findings, the most important first"]
    marks = ("!", "-", " ")
    for finding in checked.findings or [Finding(2, "Nothing that would spoil a training.")]:
        lines.append(f" {marks[finding.level]} {finding.text}" + (f" {finding.todo}" if finding.todo else ""))
    if checked.preview is not None:
        lines.append(f"   Preview {checked.preview}: each picture with its middle cut out, and below it padded.")
    kind = {1: "grey", 3: "colour", 4: "colour with transparency"}[f.channels]
    lines += [
        "",
        f"Forecast  recipe {f.recipe}, {f.size} pixels, {kind}; the pack takes {f.pack_bytes / 1e6:,.0f} MB of disk",
    ]
    if f.images_per_second:
        first, all_ = (duration(f.images / share / f.images_per_second) for share in (FIRST_LOOK, 1))
        lines.append(
            f"          {f.images_per_second:.0f} images a second here: a first look after {first}, all {f.images:,} "
            f"images after {all_}; {f.memory_bytes / 1e9:.1f} GB of memory"
        )
    if f.note:
        lines.append(f"          {f.note}")
    return [*lines, "", "Nothing was changed. Next:", f"  {train}"]
