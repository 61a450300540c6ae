"""Curves over the images seen, as HTML and SVG without a script; report.html brings the colours."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from markupsafe import Markup

from ganvas.report.markup import ELEMENTS
from ganvas.report.quantities import GENERAL, Quantities, Rows, mean

POINTS = 200  # of a curve
COLOURS = ("#4285d8", "#d9722e", "#3a9a68")  # of curves in a separate file
STYLE = (
    "text { fill: #808080; font: 13px system-ui, sans-serif; } .curve { fill: none; stroke-width: 2; } "
    ".dot { stroke: none; } .rule, .axis { stroke: #80808050; } .mark { stroke: #808080; stroke-dasharray: 2 4; } "
    ".hit { fill-opacity: 0; stroke: none; }"
)
Ends = tuple[float, float] | None
Mark = tuple[float, str] | None  # a height and what it means


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers in about `count` even steps that enclose low and high."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # closer than the digits of a tick show
        low, high = low - 0.5 * (abs(low) or 1), low + 0.5 * (abs(low) or 1)
    unit = 10.0 ** math.floor(math.log10(max((high - low) / count, 1e-200)))
    step = next(unit * m for m in (1, 2, 5, 10) if (high - low) / (unit * m) <= count + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]


class Plane(NamedTuple):
    """The coordinates of a chart: images from 0 to `end`, values from the first rung to the last."""

    end: float
    rungs: list[float]

    def x(self, images: float) -> str:
        return f"{60 + 488 * images / self.end:.1f}"

    def y(self, value: float) -> str:
        return f"{242 - 228 * (value - self.rungs[0]) / (self.rungs[-1] - self.rungs[0]):.1f}"

    def times(self) -> list[dict[str, str]]:
        """The ticks of the horizontal axis: positions and texts."""
        unit, name = (1e6, "M") if self.end >= 2e6 else (1e3, "k") if self.end >= 2e3 else (1, "")
        ends = [v for v in ticks(0, self.end, 6) if v <= self.end]
        return [{"x": self.x(v), "text": f"{v / unit:g}{name * bool(v)}"} for v in ends]


def chart(
    rows: Rows,
    keys: tuple[str, ...],
    title: str,
    ends: Ends,
    mark: Mark,
    form: str = "{:.3g}",
    quantities: Quantities = GENERAL,
) -> Markup:
    """Curves of `keys` over images seen: heading, legend and SVG; empty where the rows hold none of them.

    Args:
        ends: of the vertical axis (None: from the values).
        mark: a height to mark and its meaning.
        form: a format of the values.
        quantities: the titles of `keys`.
    """
    rows = [row for row in _thin(rows, keys) if len(row) > 1]
    if not rows:
        return Markup()
    values = [row[key] for row in rows for key in keys if key in row] + ([mark[0]] if mark else [])
    end = rows[-1]["images"] or 1
    plane = Plane(end, ticks(*(ends or (min(values), max(values)))))
    lines: list[dict[str, Any]] = []
    for i, key in enumerate(keys):
        points = [(row["images"], row[key]) for row in rows if key in row]
        if points:
            lines.append(
                {
                    "style": f"s{i}",
                    "title": quantities[key].title,
                    "first": form.format(points[0][1]),
                    "last": form.format(points[-1][1]),
                    "points": " ".join(f"{plane.x(a)},{plane.y(b)}" for a, b in points),
                    "x": plane.x(points[-1][0]),
                    "y": plane.y(points[-1][1]),
                }
            )
    curves = "".join(f"; {line['title']} from {line['first']} to {line['last']}" for line in lines)
    width = end / len(rows)
    hits = [
        {
            "x": plane.x(row["images"] - width / 2),
            "width": f"{488 / len(rows):.1f}",
            "text": f"{row['images']:,.0f} images: "
            + ", ".join(f"{quantities[key].title} {form.format(row[key])}" for key in keys if key in row),
        }
        for row in rows
    ]
    return ELEMENTS.chart(
        title=title,
        summary=f"{title} over {end:,.0f} images{curves}",
        lines=lines,
        mark={"y": plane.y(mark[0]), "text": f"{mark[1]} ({form.format(mark[0])})"} if mark else None,
        rungs=[{"y": plane.y(v), "text": form.format(v)} for v in plane.rungs],
        times=plane.times(),
        hits=hits,
    )


def svg_file(curves: Markup) -> bytes:
    """The drawing of a `chart` as an SVG file, in colours for light and dark pages; empty where there is none."""
    found = re.search(r"<svg (.*?</svg>)", curves, re.DOTALL)
    if found is None:
        return b""
    colours = "".join(f".s{i} {{ stroke: {colour}; fill: {colour}; }}" for i, colour in enumerate(COLOURS))
    opening, _, inside = found[1].partition(">")
    return f'<svg xmlns="http://www.w3.org/2000/svg" {opening}><style>{colours}{STYLE}</style>{inside}'.encode()


def _thin(rows: Rows, keys: tuple[str, ...]) -> Rows:
    """At most POINTS rows, each the mean of as many neighbours, with nothing but images and finite `keys`."""
    size = max(1, -(-len(rows) // POINTS))
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [{"images": g[-1]["images"], **{k: m for k in keys if (m := mean(g, k)) is not None}} for g in groups]
