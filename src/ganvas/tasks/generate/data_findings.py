"""The printed result of `ganvas data check`: the findings, the forecast, and the next command."""

from __future__ import annotations

from ganvas.sources.findings import told
from ganvas.tasks.generate.data_check import Checked
from ganvas.training.forecast import words


def findings(checked: Checked, source: str, train: str) -> list[str]:
    """The lines to print: an overview, the findings with advice, the forecast, and `train`, the next command."""
    s, f = checked.survey, checked.forecast
    lines = [f"{s.total:,} pictures in {source}" + (f", {s.tests:,} of them test images" if s.tests else "")]
    if s.sides:
        least, middle, most = s.sides["short"]
        formats = ", ".join(f"{n:,} {kind}" for kind, n in s.formats.items())
        modes = ", ".join(f"{n:,} {mode}" for mode, n in s.modes.items())
        lines.append(f"Files     {formats}; {modes}")
        lines.append(f"Shorter side {least} to {most} pixels, half of them up to {middle}; {s.square:,} are square")
    lines += _purposes(checked)
    lines += told(checked.findings, s.classes)
    if checked.preview is not None:
        lines.append(f"   Preview {checked.preview}: each picture cropped to its centre square, and padded below it.")
    kind = {1: "grey", 3: "colour", 4: "colour with transparency"}[f.channels]
    lines += [
        "",
        f"Forecast  recipe {f.recipe}, {f.size} pixels, {kind}; the pack takes {f.pack_bytes / 1e6:,.0f} MB of disk",
    ]
    if f.images_per_second:
        lines.append(words(f.images, f.images_per_second, "images", f.memory_bytes))
    if f.note:
        lines.append(f"          {f.note}")
    lines += ["", "Nothing was changed. Next:", f"  {train}"]
    others = checked.purposes[checked.purpose].others
    if others:
        lines.append(f"Other recipes for the same pictures: {', '.join(others)}.")
    return lines


def _purposes(checked: Checked) -> list[str]:
    """Whether there are enough pictures for each purpose, where there are several."""
    if len(checked.purposes) < 2:
        return []
    one = checked.purposes[checked.purpose]
    enough, few = ([n for n, p in checked.purposes.items() if p.enough is wanted] for wanted in (True, False))
    counts = [f"{title} {', '.join(names)}" for title, names in (("enough for", enough), ("too few for", few)) if names]
    return [f"Purpose   {one.words} (--for {checked.purpose}); {'; '.join(counts)}"]
