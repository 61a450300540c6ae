"""Curves over the images seen, as HTML and SVG without a script; report.html brings the colours."""

from __future__ import annotations

import math
from typing import NamedTuple

from ganvas.report.diagnosis import FIGURES, Rows, mean

POINTS = 200  # of a curve
Ends = tuple[float, float] | None
Mark = tuple[float, str] | None  # a height and what it means


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers in about `count` even steps that enclose low and high."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # nearer to each other than the digits of a rung
        low, high = low - 0.5 * (abs(low) or 1), low + 0.5 * (abs(low) or 1)
    unit = 10.0 ** math.floor(math.log10(max((high - low) / count, 1e-200)))
    step = next(unit * m for m in (1, 2, 5, 10) if (high - low) / (unit * m) <= count + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]


class Plane(NamedTuple):
    """Where a value lies in a chart: images from 0 to `end`, values from the first rung to the last."""

    end: float
    rungs: list[float]

    def x(self, images: float) -> str:
        return f"{60 + 488 * images / self.end:.1f}"

    def y(self, value: float) -> str:
        return f"{242 - 228 * (value - self.rungs[0]) / (self.rungs[-1] - self.rungs[0]):.1f}"

    def rule(self, kind: str, value: float) -> str:
        return f'<line class="{kind}" x1="60" x2="548" y1="{self.y(value)}" y2="{self.y(value)}"/>'

    def frame(self, form: str) -> str:
        """Grid, ticks and what they stand for."""
        text = '<text x="548" y="286" text-anchor="end">images seen</text>'
        for v in self.rungs:
            place = f'x="52" y="{self.y(v)}" dy="4" text-anchor="end"'
            text += f"{self.rule('rule', v)}<text {place}>{form.format(v)}</text>"
        unit, name = (1e6, "M") if self.end >= 2e6 else (1e3, "k") if self.end >= 2e3 else (1, "")
        for v in (v for v in ticks(0, self.end, 6) if v <= self.end):
            text += f'<text x="{self.x(v)}" y="264" text-anchor="middle">{v / unit:g}{name * bool(v)}</text>'
        return text + self.rule("axis", self.rungs[0])


def chart(rows: Rows, keys: tuple[str, ...], title: str, ends: Ends, mark: Mark, form: str = "{:.3g}") -> str:
    """Curves of `keys` over images seen: heading, legend and SVG; empty where the rows hold none of them.

    `ends` are those of the upright axis (None: from the values), `mark` is a height to mark and its meaning.
    """
    rows = [row for row in _thin(rows, keys) if len(row) > 1]
    if not rows:
        return ""
    values = [row[key] for row in rows for key in keys if key in row] + ([mark[0]] if mark else [])
    end = rows[-1]["images"] or 1
    plane = Plane(end, ticks(*(ends or (min(values), max(values)))))
    drawn, legend, spoken = plane.frame(form), "", ""
    if mark:
        drawn += plane.rule("mark", mark[0])
        legend = f'<li class="mark"><i></i><span>{mark[1]} ({form.format(mark[0])})</span></li>'
    for i, key in reversed(list(enumerate(keys))):
        line = [(row["images"], row[key]) for row in rows if key in row]
        for images, value in line[-1:]:
            points = " ".join(f"{plane.x(a)},{plane.y(b)}" for a, b in line)
            drawn += f'<g class="s{i}"><polyline class="curve" points="{points}"/>'
            drawn += f'<circle class="dot" cx="{plane.x(images)}" cy="{plane.y(value)}" r="3.5"/></g>'
            legend = f'<li class="s{i}"><i></i><span>{FIGURES[key][0]} {form.format(value)}</span></li>{legend}'
            spoken = f"; {FIGURES[key][0]} from {form.format(line[0][1])} to {form.format(value)}{spoken}"
    for row in rows:
        told = ", ".join(f"{FIGURES[key][0]} {form.format(row[key])}" for key in keys if key in row)
        left = plane.x(row["images"] - end / len(rows) / 2)
        drawn += f'<rect class="hit" x="{left}" y="14" width="{488 / len(rows):.1f}" height="228">'
        drawn += f"<title>{row['images']:,.0f} images: {told}</title></rect>"
    return (
        f'<h3>{title}</h3><ul class="legend">{legend}</ul><svg viewBox="0 0 560 292" role="img" '
        f'aria-label="{title} over {end:,.0f} images{spoken}">{drawn}</svg>'
    )


def _thin(rows: Rows, keys: tuple[str, ...]) -> Rows:
    """At most POINTS rows, each the mean of as many neighbours, with nothing but images and finite `keys`."""
    size = max(1, -(-len(rows) // POINTS))
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [{"images": g[-1]["images"], **{k: m for k in keys if (m := mean(g, k)) is not None}} for g in groups]
