"""What a run's report says of a model that mends pictures."""

from __future__ import annotations

from html import escape
from typing import Any

from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.metrics.figures import number as shown
from ganvas.report.charts import chart
from ganvas.report.diagnosis import Rows, explain, number
from ganvas.tasks.restore import signs

COLUMNS = {"psnr": "PSNR, dB", "ssim": "SSIM", "frechet": "Frechet distance", "read": "Digits read"}
TITLE, NAME = "From damaged to mended", "Mended"
NEXT = ("Mend pictures of any size:", "restore {place} my-pictures/ --out mended/")
RULE = "Rows of three from above: damaged, mended, the true pieces (held out, never trained on)."


def section(run: Run, card: dict[str, Any], rows: Rows) -> str:
    """How near the mended pictures are to the true ones: what `ganvas evaluate` found, and the way there."""
    lines = run.rows(run.metrics)
    checks = [r for r in lines if r.get("metric") == "fidelity" and number(r, "psnr") is not None]
    cards = [_judged(r) for r in [r for r in lines if r.get("metric") == "restoration"][-1:]]
    drawn = chart(checks, ("psnr", "psnr_damaged"), "PSNR of held-out pieces, dB", None, None)
    words = (
        "How near the pieces are to the true ones; the lower curve is the damaged input. 1 dB more is a fifth less of "
        "squared error. Good: it rises and then levels out. Blurred pictures can have a high PSNR: look at them."
    )
    cards.append(f"{drawn}<p>{words}</p>" if drawn else "")
    task = card.get("task") if isinstance(card.get("task"), dict) else {}
    assert isinstance(task, dict)
    about = f"The damage: {escape(str(task.get('degrade')))}. Lively: {escape(str(task.get('lively')))}."
    model = _model(run)
    if model.get("finished"):
        about += f" Other damage: {escape(signs.told(model))}."
    about = f"<p>{about}</p>"
    grid = "".join(f'<div class="card">{text}</div>' for text in cards if text)
    expert = contest(rows, str(task.get("loss")))
    return f'<section><h2>How near is it?</h2>{about}<div class="grid">{grid}</div></section>{expert}'


def _model(run: Run) -> dict[str, Any]:
    """The card of the newest model, or nothing where it cannot be read."""
    try:
        card = checkpoint.head(run.model)
    except UserError:
        return {}
    return card if isinstance(card, dict) else {}


def _judged(row: dict[str, Any]) -> str:
    """The table of `ganvas evaluate`: what each one who mends is worth."""
    answers = groups(row, "answers")
    known = [key for key in COLUMNS if any(number(a, key) is not None for a in answers)]
    head = "".join(f"<th>{COLUMNS[key]}</th>" for key in known)
    body = "".join(
        f'<tr><th scope="row">{escape(str(a.get("name")))}</th>'
        + "".join(f"<td>{_cell(key, number(a, key))}</td>" for key in known)
        + "</tr>"
        for a in answers
    )
    count, size = plain(row, "n"), plain(row, "size")
    told = (
        f"{count} held-out pieces of {size} px of {escape(str(row.get('data')))}, damaged anew; "
        f"features of {escape(str(row.get('extractor')))}; after {row['images']:,} images."
    )
    told += "".join(f" {escape(note)}" for note in dict.fromkeys(str(x.get("note") or "") for x in answers))
    return (
        f"<table><thead><tr><th>Who mends</th>{head}</tr></thead><tbody>{body}</tbody></table><p class=soft>{told}</p>"
    )


def plain(row: dict[str, Any], key: str) -> str:
    """A whole number as people read it; 'some' where there is none."""
    value = number(row, key)
    return "some" if value is None else f"{value:,.0f}"


def groups(row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The groups of entries in a list; none where it is no list."""
    found = row.get(key)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _cell(key: str, value: float | None) -> str:
    if value is None or (key == "psnr" and value >= 100):
        return "-"
    return f"{value:.1%}" if key == "read" else f"{value:.2f}" if key == "psnr" else shown(value)


def contest(rows: Rows, loss: str) -> str:
    """The expert's part, where there is one."""
    if all(number(r, "loss_d") is None for r in rows):
        return ""
    words = explain(loss)
    rights = ("accuracy_real", "accuracy_fake", "accuracy_held_out")
    charts = {
        "losses": chart(rows, ("loss_d", "loss_g"), "Losses of the contest", None, None),
        "accuracy": chart(rows, rights, "How often the expert is right", (0, 1), (0.5, "guessing"), "{:.0%}"),
    }
    cards = "".join(f'<div class="card">{drawn}<p>{words[key]}</p></div>' for key, drawn in charts.items() if drawn)
    return f'<section><h2>The expert</h2><div class="grid">{cards}</div></section>'
