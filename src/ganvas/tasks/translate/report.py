"""What a run's report says of a model that turns pictures of one kind into another."""

from __future__ import annotations

from html import escape
from typing import Any

from ganvas.core.run import Run
from ganvas.metrics.figures import number as shown
from ganvas.report.charts import chart
from ganvas.report.diagnosis import Rows, number
from ganvas.tasks.restore import report as restore_report

COLUMNS = {
    "frechet": "Frechet distance",
    "middle": "Colours follow: middle",
    "border": "border",
    "cycle": "There and back, dB",
}
TITLE, NAME = "From one kind to the other", "Translated"
RULE = "Rows of three from above: held-out pictures of one kind, as the other kind, and taken back."
NEXT = (
    "Turn your own pictures into the other kind (--to A: the other way):",
    "translate {place} my-pictures/ --to B --out translated/",
)


def section(run: Run, card: dict[str, Any], rows: Rows) -> str:
    """How like the wanted kind the pictures are, what they keep of the input, and the contest."""
    lines = run.rows(run.metrics)
    checks = [r for r in lines if r.get("metric") == "round-trip"]
    cards = [_weighed(r) for r in [r for r in lines if r.get("metric") == "translation"][-1:]]
    kinds = escape(str(card.get("data_name"))), escape(str(card.get("other_name")))
    there = chart(checks, ("cycle_a", "cycle_b"), "There and back, dB", None, None)
    follow = chart(checks, ("middle_b", "border_b"), "Do colours follow the input?", (-1, 1), (0, "not at all"))
    words = (
        f"How near held-out pictures come to themselves by way of the other kind: A ({kinds[0]}) and B ({kinds[1]}). "
        "It rises as the networks learn; where the other kind cannot hold all that a picture shows it levels out early."
    )
    cards.append(f"{there}<p>{words}</p>" if there else "")
    told = "Rank correlation of mean colours of A and of what became of it; 1: the order of all pictures is kept."
    cards.append(f"{follow}<p>{told}</p>" if follow else "")
    losses = chart(rows, ("loss_cycle", "loss_identity"), "What is lost on the way", None, None)
    told = (
        "Mean distance of pixels, in a range of 2: of pictures that were there and back, and of pictures of the wanted "
        "kind that should have been left alone."
    )
    cards.append(f"{losses}<p>{told}</p>" if losses else "")
    grid = "".join(f'<div class="card">{text}</div>' for text in cards if text)
    task = card.get("task")
    loss = str(task.get("loss")) if isinstance(task, dict) else ""
    title, expert = "Is it the other kind, and still the same?", restore_report.contest(rows, loss)
    return f'<section><h2>{title}</h2><div class="grid">{grid}</div></section>{expert}'


def _weighed(row: dict[str, Any]) -> str:
    """The table of `ganvas evaluate`."""
    ways = restore_report.groups(row, "ways")
    known = [key for key in COLUMNS if any(number(w, key) is not None for w in ways)]
    head = "".join(f"<th>{COLUMNS[key]}</th>" for key in known)
    body = ""
    for way in ways:
        cells = "".join(f"<td>{cell(key, number(way, key))}</td>" for key in known)
        body += f'<tr><th scope="row">To {escape(str(way.get("to")))}: {escape(str(way.get("name")))}</th>{cells}</tr>'
    both = row["n"] if isinstance(row.get("n"), list) else []
    counts = " and ".join(restore_report.plain({"n": n}, "n") for n in both)
    told = (
        f"{counts} held-out pictures; features of {escape(str(row.get('extractor')))}; after {row['images']:,} images."
    )
    told += "".join(f" {escape(note)}" for note in dict.fromkeys(str(x.get("note") or "") for x in ways))
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table><p class=soft>{told}</p>"


def cell(key: str, value: float | None) -> str:
    """A figure of a column as text."""
    if value is None or value != value:
        return "-"
    return f"{value:.1f}" if key == "cycle" else f"{value:.2f}" if key in ("middle", "border") else shown(value)
